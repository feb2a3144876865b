# Sources and unit tests of test/sim/ (see ../Makefile.am for the lists).
