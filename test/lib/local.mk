# What unit tests share: the main() of every check program, temporary folders.
noinst_LIBRARIES += libklamm_test.a
libklamm_test_a_SOURCES = test/lib/golden.c test/lib/golden.h test/lib/unit.h test/lib/unit.c
libklamm_test_a_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
