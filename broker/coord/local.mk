# Sources and unit tests of broker/coord/ (see ../../Makefile.am for the lists).
klamm_sources += broker/coord/coord_hash_core.c broker/coord/coord_hash_core.h broker/coord/coordinator.h broker/coord/coordinator_route.c
klamm_sources += broker/coord/group_core.c broker/coord/group_core.h broker/coord/group_join_core.c \
	broker/coord/group_leave_core.c broker/coord/group_member_core.c broker/coord/group_member_core.h \
	broker/coord/group_rebalance_core.c broker/coord/group_rebalance_core.h broker/coord/group_sync_core.c

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
