# Sources and unit tests of tools/ (see ../Makefile.am for the lists).
EXTRA_DIST += tools/quickstart tools/run-tests tools/install-packages tools/README.md
