# Sources and unit tests of broker/ (see ../Makefile.am for the lists).
