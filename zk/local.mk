# Sources and unit tests of zk/ (see ../Makefile.am for the lists). The tests that need a server start one, and are skipped without java.
klamm_sources += zk/call.c zk/connect.c zk/connect.h zk/lease.c zk/lease.h zk/session.c zk/session.h zk/session_end.c \
	zk/session_internal.h zk/watch.c

unit_tests += test/unit/zk/session_test
test_unit_zk_session_test_SOURCES = test/unit/zk/session_test.c
test_unit_zk_session_test_LDADD = $(unit_libs)
