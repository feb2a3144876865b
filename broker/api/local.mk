# Sources and unit tests of broker/api/ (see ../../Makefile.am for the lists).
klamm_sources += broker/api/api.c broker/api/api.h broker/api/api_versions.c broker/api/delete_records.c broker/api/fetch.c \
	broker/api/fetch_internal.h broker/api/fetch_wait.c broker/api/find_coordinator.c broker/api/index_set.h broker/api/leader_hint.c \
	broker/api/leader_hint.h broker/api/list_offsets.c broker/api/offset_for_leader_epoch.c broker/api/produce.c \
	broker/api/scatter.c broker/api/scatter.h
klamm_sources += broker/api/admin_call.c broker/api/admin_call.h broker/api/alter_configs.c broker/api/config_change.c \
	broker/api/config_change.h broker/api/create_partitions.c broker/api/create_topics.c broker/api/delete_topics.c \
	broker/api/describe_cluster.c broker/api/describe_configs.c broker/api/incremental_alter_configs.c \
	broker/api/init_producer_id.c broker/api/metadata.c broker/api/operations.h broker/api/alter_partition_reassignments.c \
	broker/api/elect_leaders.c broker/api/forward.c broker/api/forward.h broker/api/list_partition_reassignments.c
klamm_sources += broker/api/consumer_offsets.c broker/api/consumer_offsets.h broker/api/delete_groups.c broker/api/describe_groups.c broker/api/group_call.c broker/api/group_call.h \
	broker/api/heartbeat.c broker/api/join_group.c broker/api/leave_group.c broker/api/list_groups.c broker/api/offset_commit.c \
	broker/api/offset_delete.c broker/api/offset_fetch.c broker/api/sync_group.c

unit_tests += test/unit/broker/api/metadata_test
test_unit_broker_api_metadata_test_SOURCES = test/unit/broker/api/metadata_test.c
test_unit_broker_api_metadata_test_LDADD = $(api_fixture_libs)
EXTRA_DIST += broker/api/README.md
unit_tests += test/unit/broker/api/topics_test
test_unit_broker_api_topics_test_SOURCES = test/unit/broker/api/topics_test.c
test_unit_broker_api_topics_test_LDADD = $(api_fixture_libs)
unit_tests += test/unit/broker/api/configs_test
test_unit_broker_api_configs_test_SOURCES = test/unit/broker/api/configs_test.c
test_unit_broker_api_configs_test_LDADD = $(api_fixture_libs)
unit_tests += test/unit/broker/api/groups_test
test_unit_broker_api_groups_test_SOURCES = test/unit/broker/api/groups_test.c
test_unit_broker_api_groups_test_LDADD = $(api_fixture_libs)
unit_tests += test/unit/broker/api/groups_zookeeper_test
test_unit_broker_api_groups_zookeeper_test_SOURCES = test/unit/broker/api/groups_zookeeper_test.c
test_unit_broker_api_groups_zookeeper_test_LDADD = $(api_fixture_libs)
