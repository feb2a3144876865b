# Sources and unit tests of broker/coord/ (see ../Makefile.am for the lists).
