# The judge is a program of its own (test/compat/run); it goes into the distribution as it is.
EXTRA_DIST += test/compat
