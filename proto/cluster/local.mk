# Sources and unit tests of proto/cluster/ (see ../Makefile.am for the lists).
