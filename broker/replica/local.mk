# Sources and unit tests of broker/replica/ (see ../../Makefile.am for the lists).
klamm_sources += broker/replica/producer_core.c broker/replica/producer_core.h broker/replica/producer_table.c \
	broker/replica/producer_table.h

unit_tests += test/unit/broker/replica/producer_test
test_unit_broker_replica_producer_test_SOURCES = test/unit/broker/replica/producer_test.c
test_unit_broker_replica_producer_test_LDADD = $(unit_libs)
