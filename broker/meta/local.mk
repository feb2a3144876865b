# Sources and unit tests of broker/meta/ (see ../Makefile.am for the lists).
