# Sources and unit tests of broker/replica/ (see ../../Makefile.am for the lists).
klamm_sources += broker/replica/feed.c broker/replica/feed.h broker/replica/feed_follow.c broker/replica/feed_internal.h \
	broker/replica/feed_send.c broker/replica/partition_lead.c broker/replica/partition_lead.h
klamm_sources += broker/replica/fetch_session.c broker/replica/fetch_session.h \
	broker/replica/link.c broker/replica/link.h broker/replica/link_frame.c broker/replica/link_internal.h broker/replica/links.c \
	broker/replica/links.h broker/replica/throttle.c broker/replica/throttle.h broker/replica/partition_follow.c broker/replica/partition.c broker/replica/partition.h \
	broker/replica/partition_append.c broker/replica/partition_check.c broker/replica/partition_internal.h \
	broker/replica/forward_port.h broker/replica/isr_port.h broker/replica/lead_port.h broker/replica/partition_delete.c broker/replica/partition_isr.c \
	broker/replica/partition_read.c \
	broker/replica/producer_core.c broker/replica/producer_core.h broker/replica/producer_table.c \
	broker/replica/producer_table.h broker/replica/read_replica_core.c \
	broker/replica/read_replica_core.h broker/replica/replica_core.c broker/replica/replica_core.h \
	broker/replica/replica_follower_core.c broker/replica/replica_follower_core.h broker/replica/replica_isr_core.c \
	broker/replica/replica_isr_core.h broker/replica/replica_leader_core.c broker/replica/replica_leader_core.h \
	broker/replica/shard.c broker/replica/shard.h broker/replica/shard_figures.c broker/replica/shard_figures.h

unit_tests += test/unit/broker/replica/fetch_session_test
test_unit_broker_replica_fetch_session_test_SOURCES = test/unit/broker/replica/fetch_session_test.c
test_unit_broker_replica_fetch_session_test_LDADD = $(unit_libs)

unit_tests += test/unit/broker/replica/producer_test
test_unit_broker_replica_producer_test_SOURCES = test/unit/broker/replica/producer_test.c
test_unit_broker_replica_producer_test_LDADD = $(unit_libs)

replica_core_fixture = test/unit/broker/replica/core_fixture.h
unit_tests += test/unit/broker/replica/replica_core_test
test_unit_broker_replica_replica_core_test_SOURCES = test/unit/broker/replica/replica_core_test.c $(replica_core_fixture)
test_unit_broker_replica_replica_core_test_LDADD = $(unit_libs)

unit_tests += test/unit/broker/replica/replica_leader_core_test
test_unit_broker_replica_replica_leader_core_test_SOURCES = test/unit/broker/replica/replica_leader_core_test.c $(replica_core_fixture)
test_unit_broker_replica_replica_leader_core_test_LDADD = $(unit_libs)

unit_tests += test/unit/broker/replica/replica_isr_core_test
test_unit_broker_replica_replica_isr_core_test_SOURCES = test/unit/broker/replica/replica_isr_core_test.c $(replica_core_fixture)
test_unit_broker_replica_replica_isr_core_test_LDADD = $(unit_libs)

unit_tests += test/unit/broker/replica/replica_follower_core_test
test_unit_broker_replica_replica_follower_core_test_SOURCES = test/unit/broker/replica/replica_follower_core_test.c $(replica_core_fixture)
test_unit_broker_replica_replica_follower_core_test_LDADD = $(unit_libs)

EXTRA_DIST += broker/replica/README.md

partition_fixture = test/unit/broker/replica/partition_fixture.h
unit_tests += test/unit/broker/replica/partition_test
test_unit_broker_replica_partition_test_SOURCES = test/unit/broker/replica/partition_test.c $(partition_fixture)
test_unit_broker_replica_partition_test_LDADD = $(unit_libs)

unit_tests += test/unit/broker/replica/shard_figures_test
test_unit_broker_replica_shard_figures_test_SOURCES = test/unit/broker/replica/shard_figures_test.c $(partition_fixture)
test_unit_broker_replica_shard_figures_test_LDADD = $(unit_libs)

unit_tests += test/unit/broker/replica/partition_isr_test
test_unit_broker_replica_partition_isr_test_SOURCES = test/unit/broker/replica/partition_isr_test.c $(partition_fixture)
test_unit_broker_replica_partition_isr_test_LDADD = $(unit_libs)

follow_fixture = test/unit/broker/replica/follow_fixture.h $(partition_fixture)
unit_tests += test/unit/broker/replica/partition_follow_test
test_unit_broker_replica_partition_follow_test_SOURCES = test/unit/broker/replica/partition_follow_test.c $(follow_fixture)
test_unit_broker_replica_partition_follow_test_LDADD = $(unit_libs)

unit_tests += test/unit/broker/replica/link_test
test_unit_broker_replica_link_test_SOURCES = test/unit/broker/replica/link_test.c $(follow_fixture)
test_unit_broker_replica_link_test_LDADD = $(unit_libs)

feed_fixture = test/unit/broker/replica/feed_fixture.h
unit_tests += test/unit/broker/replica/feed_send_test
test_unit_broker_replica_feed_send_test_SOURCES = test/unit/broker/replica/feed_send_test.c $(feed_fixture)
test_unit_broker_replica_feed_send_test_LDADD = $(unit_libs)

unit_tests += test/unit/broker/replica/feed_test
test_unit_broker_replica_feed_test_SOURCES = test/unit/broker/replica/feed_test.c $(feed_fixture)
test_unit_broker_replica_feed_test_LDADD = $(unit_libs)

unit_tests += test/unit/broker/replica/read_replica_core_test
test_unit_broker_replica_read_replica_core_test_SOURCES = test/unit/broker/replica/read_replica_core_test.c
test_unit_broker_replica_read_replica_core_test_LDADD = $(unit_libs)

unit_tests += test/unit/broker/replica/throttle_test
test_unit_broker_replica_throttle_test_SOURCES = test/unit/broker/replica/throttle_test.c
test_unit_broker_replica_throttle_test_LDADD = $(unit_libs)
