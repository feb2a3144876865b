# Sources and unit tests of tools/controller/ (see ../Makefile.am for the lists).
