# Sources and unit tests of broker/api/ (see ../Makefile.am for the lists).
