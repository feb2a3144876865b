# Sources and unit tests of proto/ (see ../Makefile.am for the lists).
