# Sources and unit tests of broker/log/ (see ../Makefile.am for the lists).
