# Sources and unit tests of broker/coord/ (see ../../Makefile.am for the lists).
klamm_sources += broker/coord/coord_hash_core.c broker/coord/coord_hash_core.h broker/coord/coordinator.h broker/coord/coordinator_route.c
klamm_sources += broker/coord/group_core.c broker/coord/group_core.h

unit_tests += test/unit/broker/coord/coord_hash_core_test
test_unit_broker_coord_coord_hash_core_test_SOURCES = test/unit/broker/coord/coord_hash_core_test.c
test_unit_broker_coord_coord_hash_core_test_LDADD = $(unit_libs)
