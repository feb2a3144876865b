# Sources and unit tests of test/golden/ (see ../Makefile.am for the lists).
