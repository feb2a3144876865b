# Sources and unit tests of broker/ (see ../Makefile.am for the lists).
klamm_sources += broker/view_message.c broker/view_message.h
