# Sources and unit tests of docker/ (see ../Makefile.am for the lists).
EXTRA_DIST += docker/README.md
