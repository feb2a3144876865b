# Sources and unit tests of tools/klamm/ (see ../Makefile.am for the lists).
