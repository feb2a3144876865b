# Sources and unit tests of proto/record/ (see ../Makefile.am for the lists).
