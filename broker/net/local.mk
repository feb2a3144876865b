# Sources and unit tests of broker/net/ (see ../Makefile.am for the lists).
