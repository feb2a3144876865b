# Sources and unit tests of test/fuzz/ (see ../Makefile.am for the lists).
