# Sources and unit tests of broker/replica/ (see ../Makefile.am for the lists).
