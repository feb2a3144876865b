# Sources and unit tests of broker/rt/ (see ../Makefile.am for the lists).
