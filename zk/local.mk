# Sources and unit tests of zk/ (see ../Makefile.am for the lists).
