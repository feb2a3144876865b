# The system tests are programs of their own (test/system/run); they go into the distribution as they are.
EXTRA_DIST += test/system
