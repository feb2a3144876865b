# Sources and unit tests of zk/ (see ../Makefile.am for the lists). Tests that need a ZooKeeper start one; without java they are skipped.
klamm_sources += zk/batch.c zk/batch.h zk/call.c zk/connect.c zk/connect.h zk/election.c zk/election.h zk/ephemeral.c \
	zk/ephemeral.h zk/json.c zk/json.h zk/json_broker.c zk/json_broker.h zk/json_cluster.c zk/json_cluster.h \
	zk/json_config.c zk/json_config.h zk/json_controller.c zk/json_controller.h zk/json_notification.c \
	zk/json_notification.h zk/json_partition_state.c zk/json_partition_state.h zk/json_topic.c zk/json_topic.h \
	zk/lease.c zk/lease.h zk/mux.c zk/path.c zk/path.h zk/session.c zk/session.h zk/session_close.c zk/session_end.c \
	zk/session_internal.h zk/spread.c zk/timer.c zk/watch.c

unit_tests += test/unit/zk/json_test
test_unit_zk_json_test_SOURCES = test/unit/zk/json_test.c
test_unit_zk_json_test_LDADD = $(unit_libs)

unit_tests += test/unit/zk/lease_test
test_unit_zk_lease_test_SOURCES = test/unit/zk/lease_test.c
test_unit_zk_lease_test_LDADD = $(unit_libs)

unit_tests += test/unit/zk/path_test
test_unit_zk_path_test_SOURCES = test/unit/zk/path_test.c
test_unit_zk_path_test_LDADD = $(unit_libs)

unit_tests += test/unit/zk/session_test
test_unit_zk_session_test_SOURCES = test/unit/zk/session_test.c
test_unit_zk_session_test_LDADD = $(unit_libs)

unit_tests += test/unit/zk/batch_test
test_unit_zk_batch_test_SOURCES = test/unit/zk/batch_test.c
test_unit_zk_batch_test_LDADD = $(unit_libs)

unit_tests += test/unit/zk/election_test
test_unit_zk_election_test_SOURCES = test/unit/zk/election_test.c
test_unit_zk_election_test_LDADD = $(unit_libs)

unit_tests += test/unit/zk/ephemeral_test
test_unit_zk_ephemeral_test_SOURCES = test/unit/zk/ephemeral_test.c
test_unit_zk_ephemeral_test_LDADD = $(unit_libs)

unit_tests += test/unit/zk/failure_test
test_unit_zk_failure_test_SOURCES = test/unit/zk/failure_test.c
test_unit_zk_failure_test_LDADD = $(unit_libs)

unit_tests += test/unit/zk/spread_test
test_unit_zk_spread_test_SOURCES = test/unit/zk/spread_test.c
test_unit_zk_spread_test_LDADD = $(unit_libs)

unit_tests += test/unit/zk/connect_test
test_unit_zk_connect_test_SOURCES = test/unit/zk/connect_test.c
test_unit_zk_connect_test_LDADD = $(unit_libs)
