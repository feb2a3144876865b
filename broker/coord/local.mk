# Sources and unit tests of broker/coord/ (see ../../Makefile.am for the lists).
klamm_sources += broker/coord/coord_hash_core.c broker/coord/coord_hash_core.h broker/coord/coordinator.h broker/coord/coordinator_route.c
klamm_sources += broker/coord/group_core.c broker/coord/group_core.h broker/coord/group_join_core.c \
	broker/coord/group_leave_core.c broker/coord/group_member_core.c broker/coord/group_member_core.h \
	broker/coord/group_rebalance_core.c broker/coord/group_rebalance_core.h broker/coord/group_sync_core.c
klamm_sources += broker/coord/coordinator.c broker/coord/coordinator_internal.h broker/coord/coord_write.c broker/coord/group.c \
	broker/coord/group_delete.c broker/coord/group_describe.c broker/coord/group_load.c broker/coord/group_offsets.c \
	broker/coord/group_record.c broker/coord/group_record.h broker/coord/group_sweep.c broker/coord/offset_expiry_core.c \
	broker/coord/offset_expiry_core.h broker/coord/offset_table.c broker/coord/offset_table.h broker/coord/tombstones.c \
	broker/coord/txn_offsets.c

unit_tests += test/unit/broker/coord/coord_hash_core_test
test_unit_broker_coord_coord_hash_core_test_SOURCES = test/unit/broker/coord/coord_hash_core_test.c
test_unit_broker_coord_coord_hash_core_test_LDADD = $(unit_libs)

group_fixture = test/unit/broker/coord/group_fixture.h
unit_tests += test/unit/broker/coord/group_join_core_test
test_unit_broker_coord_group_join_core_test_SOURCES = test/unit/broker/coord/group_join_core_test.c $(group_fixture)
test_unit_broker_coord_group_join_core_test_LDADD = $(unit_libs)

unit_tests += test/unit/broker/coord/group_rebalance_core_test
test_unit_broker_coord_group_rebalance_core_test_SOURCES = test/unit/broker/coord/group_rebalance_core_test.c $(group_fixture)
test_unit_broker_coord_group_rebalance_core_test_LDADD = $(unit_libs)

unit_tests += test/unit/broker/coord/group_sync_core_test
test_unit_broker_coord_group_sync_core_test_SOURCES = test/unit/broker/coord/group_sync_core_test.c $(group_fixture)
test_unit_broker_coord_group_sync_core_test_LDADD = $(unit_libs)

unit_tests += test/unit/broker/coord/group_leave_core_test
test_unit_broker_coord_group_leave_core_test_SOURCES = test/unit/broker/coord/group_leave_core_test.c $(group_fixture)
test_unit_broker_coord_group_leave_core_test_LDADD = $(unit_libs)

unit_tests += test/unit/broker/coord/group_core_test
test_unit_broker_coord_group_core_test_SOURCES = test/unit/broker/coord/group_core_test.c $(group_fixture)
test_unit_broker_coord_group_core_test_LDADD = $(unit_libs)

unit_tests += test/unit/broker/coord/group_subscriptions_test
test_unit_broker_coord_group_subscriptions_test_SOURCES = test/unit/broker/coord/group_subscriptions_test.c
test_unit_broker_coord_group_subscriptions_test_LDADD = $(unit_libs)

unit_tests += test/unit/broker/coord/group_random_test
test_unit_broker_coord_group_random_test_SOURCES = test/unit/broker/coord/group_random_test.c $(group_fixture) \
	test/unit/broker/coord/group_clients.h test/unit/broker/coord/group_world.h
test_unit_broker_coord_group_random_test_LDADD = $(unit_libs)

unit_tests += test/unit/broker/coord/group_record_test
test_unit_broker_coord_group_record_test_SOURCES = test/unit/broker/coord/group_record_test.c
test_unit_broker_coord_group_record_test_LDADD = $(unit_libs)

unit_tests += test/unit/broker/coord/offset_table_test
test_unit_broker_coord_offset_table_test_SOURCES = test/unit/broker/coord/offset_table_test.c
test_unit_broker_coord_offset_table_test_LDADD = $(unit_libs)

coordinator_fixture = test/unit/broker/coord/coordinator_fixture.h $(partition_fixture)
unit_tests += test/unit/broker/coord/coordinator_test
test_unit_broker_coord_coordinator_test_SOURCES = test/unit/broker/coord/coordinator_test.c $(coordinator_fixture)
test_unit_broker_coord_coordinator_test_LDADD = $(unit_libs)

unit_tests += test/unit/broker/coord/coordinator_load_test
test_unit_broker_coord_coordinator_load_test_SOURCES = test/unit/broker/coord/coordinator_load_test.c $(coordinator_fixture)
test_unit_broker_coord_coordinator_load_test_LDADD = $(unit_libs)

unit_tests += test/unit/broker/coord/coordinator_offsets_test
test_unit_broker_coord_coordinator_offsets_test_SOURCES = test/unit/broker/coord/coordinator_offsets_test.c $(coordinator_fixture)
test_unit_broker_coord_coordinator_offsets_test_LDADD = $(unit_libs)

unit_tests += test/unit/broker/coord/coordinator_disk_test
test_unit_broker_coord_coordinator_disk_test_SOURCES = test/unit/broker/coord/coordinator_disk_test.c $(coordinator_fixture)
test_unit_broker_coord_coordinator_disk_test_LDADD = $(unit_libs)

EXTRA_DIST += broker/coord/README.md
