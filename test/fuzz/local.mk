# Fuzz targets: <name>_replay in every build as a test, <name>_fuzz with libFuzzer under --enable-fuzz. See README.md here.
EXTRA_DIST += test/fuzz/README.md test/fuzz/corpus test/fuzz/run
fuzz_ldflags = $(AM_LDFLAGS) -fsanitize=fuzzer
fuzz_replay_sources = test/fuzz/fuzz.h test/fuzz/replay.c

unit_tests += test/fuzz/request_replay
test_fuzz_request_replay_SOURCES = test/fuzz/request_fuzz.c $(fuzz_replay_sources)
test_fuzz_request_replay_LDADD = $(unit_libs)
if FUZZ
noinst_PROGRAMS += test/fuzz/request_fuzz
test_fuzz_request_fuzz_SOURCES = test/fuzz/request_fuzz.c
test_fuzz_request_fuzz_LDFLAGS = $(fuzz_ldflags)
test_fuzz_request_fuzz_LDADD = $(unit_libs)
endif

unit_tests += test/fuzz/znode_replay
test_fuzz_znode_replay_SOURCES = test/fuzz/znode_fuzz.c $(fuzz_replay_sources)
test_fuzz_znode_replay_LDADD = $(unit_libs)
if FUZZ
noinst_PROGRAMS += test/fuzz/znode_fuzz
test_fuzz_znode_fuzz_SOURCES = test/fuzz/znode_fuzz.c
test_fuzz_znode_fuzz_LDFLAGS = $(fuzz_ldflags)
test_fuzz_znode_fuzz_LDADD = $(unit_libs)
endif

unit_tests += test/fuzz/batch_replay
test_fuzz_batch_replay_SOURCES = test/fuzz/batch_fuzz.c $(fuzz_replay_sources)
test_fuzz_batch_replay_LDADD = $(unit_libs)
if FUZZ
noinst_PROGRAMS += test/fuzz/batch_fuzz
test_fuzz_batch_fuzz_SOURCES = test/fuzz/batch_fuzz.c
test_fuzz_batch_fuzz_LDFLAGS = $(fuzz_ldflags)
test_fuzz_batch_fuzz_LDADD = $(unit_libs)
endif

unit_tests += test/fuzz/peer_replay
test_fuzz_peer_replay_SOURCES = test/fuzz/peer_fuzz.c $(fuzz_replay_sources)
test_fuzz_peer_replay_LDADD = $(unit_libs)
if FUZZ
noinst_PROGRAMS += test/fuzz/peer_fuzz
test_fuzz_peer_fuzz_SOURCES = test/fuzz/peer_fuzz.c
test_fuzz_peer_fuzz_LDFLAGS = $(fuzz_ldflags)
test_fuzz_peer_fuzz_LDADD = $(unit_libs)
endif

unit_tests += test/fuzz/properties_replay
test_fuzz_properties_replay_SOURCES = test/fuzz/properties_fuzz.c $(fuzz_replay_sources)
test_fuzz_properties_replay_LDADD = $(unit_libs)
if FUZZ
noinst_PROGRAMS += test/fuzz/properties_fuzz
test_fuzz_properties_fuzz_SOURCES = test/fuzz/properties_fuzz.c
test_fuzz_properties_fuzz_LDFLAGS = $(fuzz_ldflags)
test_fuzz_properties_fuzz_LDADD = $(unit_libs)
endif

unit_tests += test/fuzz/logfiles_replay
test_fuzz_logfiles_replay_SOURCES = test/fuzz/logfiles_fuzz.c $(fuzz_replay_sources)
test_fuzz_logfiles_replay_LDADD = $(unit_libs)
if FUZZ
noinst_PROGRAMS += test/fuzz/logfiles_fuzz
test_fuzz_logfiles_fuzz_SOURCES = test/fuzz/logfiles_fuzz.c
test_fuzz_logfiles_fuzz_LDFLAGS = $(fuzz_ldflags)
test_fuzz_logfiles_fuzz_LDADD = $(unit_libs)
endif

unit_tests += test/fuzz/feed_replay
test_fuzz_feed_replay_SOURCES = test/fuzz/feed_fuzz.c $(fuzz_replay_sources)
test_fuzz_feed_replay_LDADD = $(unit_libs)
if FUZZ
noinst_PROGRAMS += test/fuzz/feed_fuzz
test_fuzz_feed_fuzz_SOURCES = test/fuzz/feed_fuzz.c
test_fuzz_feed_fuzz_LDFLAGS = $(fuzz_ldflags)
test_fuzz_feed_fuzz_LDADD = $(unit_libs)
endif

unit_tests += test/fuzz/channel_replay
test_fuzz_channel_replay_SOURCES = test/fuzz/channel_fuzz.c $(fuzz_replay_sources)
test_fuzz_channel_replay_LDADD = $(unit_libs)
if FUZZ
noinst_PROGRAMS += test/fuzz/channel_fuzz
test_fuzz_channel_fuzz_SOURCES = test/fuzz/channel_fuzz.c
test_fuzz_channel_fuzz_LDFLAGS = $(fuzz_ldflags)
test_fuzz_channel_fuzz_LDADD = $(unit_libs)
endif

unit_tests += test/fuzz/unpack_replay
test_fuzz_unpack_replay_SOURCES = test/fuzz/unpack_fuzz.c $(fuzz_replay_sources)
test_fuzz_unpack_replay_LDADD = $(unit_libs)
if FUZZ
noinst_PROGRAMS += test/fuzz/unpack_fuzz
test_fuzz_unpack_fuzz_SOURCES = test/fuzz/unpack_fuzz.c
test_fuzz_unpack_fuzz_LDFLAGS = $(fuzz_ldflags)
test_fuzz_unpack_fuzz_LDADD = $(unit_libs)
endif

unit_tests += test/fuzz/groups_replay
test_fuzz_groups_replay_SOURCES = test/fuzz/groups_fuzz.c $(fuzz_replay_sources)
test_fuzz_groups_replay_LDADD = $(unit_libs)
if FUZZ
noinst_PROGRAMS += test/fuzz/groups_fuzz
test_fuzz_groups_fuzz_SOURCES = test/fuzz/groups_fuzz.c
test_fuzz_groups_fuzz_LDFLAGS = $(fuzz_ldflags)
test_fuzz_groups_fuzz_LDADD = $(unit_libs)
endif
