# Rules that a machine keeps; each script is a test of `make check`.
EXTRA_DIST += test/lint/includes.txt
