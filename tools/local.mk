# Sources and unit tests of tools/ (see ../Makefile.am for the lists).
