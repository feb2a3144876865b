# What unit tests share: the main() of every check program, temporary folders.
noinst_LIBRARIES += libklamm_test.a
libklamm_test_a_SOURCES = test/lib/message_random.c test/lib/message_random.h test/lib/znode_check.c test/lib/znode_check.h \
	test/lib/golden.c test/lib/golden.h test/lib/unit.h test/lib/unit.c test/lib/zk_server.c test/lib/zk_server.h test/lib/zk_test_loop.c test/lib/zk_test_loop.h
EXTRA_DIST += test/README.md
libklamm_test_a_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
libklamm_test_a_SOURCES += test/lib/loopback.c test/lib/loopback.h
libklamm_test_a_SOURCES += test/lib/batch_random.c test/lib/batch_random.h
libklamm_test_a_SOURCES += test/lib/fs_mem.c test/lib/fs_mem.h

# Stands in for broker/net, so only what links it by name gets it: LDADD = $(api_fixture_libs).
noinst_LIBRARIES += libklamm_api_fixture.a
libklamm_api_fixture_a_SOURCES = test/lib/api_fixture.c test/lib/api_fixture.h
libklamm_api_fixture_a_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
api_fixture_libs = libklamm_api_fixture.a $(unit_libs)
