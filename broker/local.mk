# Sources and unit tests of broker/ (see ../Makefile.am for the lists).
klamm_sources += broker/broker_id.c broker/broker_id.h broker/channel.c broker/channel.h broker/channel_hello.c broker/channel_internal.h broker/copies_core.c broker/copies_core.h broker/isr_line.c \
	broker/forward_line.c broker/forward_line.h broker/isr_line.h broker/leftovers.c broker/leftovers.h broker/membership.c \
	broker/membership.h broker/metrics_page.c broker/metrics_page.h broker/node.c broker/node.h broker/node_internal.h \
	broker/node_metrics.c broker/node_start.c broker/node_stop.c \
	broker/replicas.c broker/replicas.h broker/store.c broker/store.h broker/store_delete.c broker/store_load.c broker/view_message.c \
	broker/view_message.h broker/replication_hello.c broker/replication_hello.h broker/watchdog_core.c broker/watchdog_core.h

bin_PROGRAMS += klamm-broker
klamm_broker_SOURCES = broker/main.c
klamm_broker_LDADD = $(klamm_libs)
dist_man_MANS += broker/klamm-broker.8
EXTRA_DIST += broker/README.md

unit_tests += test/unit/broker/view_message_test
test_unit_broker_view_message_test_SOURCES = test/unit/broker/view_message_test.c
test_unit_broker_view_message_test_LDADD = $(unit_libs)

unit_tests += test/unit/broker/metrics_page_test
test_unit_broker_metrics_page_test_SOURCES = test/unit/broker/metrics_page_test.c
test_unit_broker_metrics_page_test_LDADD = $(unit_libs)

unit_tests += test/unit/broker/leftovers_test
test_unit_broker_leftovers_test_SOURCES = test/unit/broker/leftovers_test.c
test_unit_broker_leftovers_test_LDADD = $(unit_libs)

unit_tests += test/unit/broker/store_test
test_unit_broker_store_test_SOURCES = test/unit/broker/store_test.c
test_unit_broker_store_test_LDADD = $(unit_libs)

unit_tests += test/unit/broker/copies_core_test
test_unit_broker_copies_core_test_SOURCES = test/unit/broker/copies_core_test.c
test_unit_broker_copies_core_test_LDADD = $(unit_libs)

unit_tests += test/unit/broker/store_copies_test
test_unit_broker_store_copies_test_SOURCES = test/unit/broker/store_copies_test.c $(log_fixture)
test_unit_broker_store_copies_test_LDADD = $(unit_libs)

unit_tests += test/unit/broker/watchdog_core_test
test_unit_broker_watchdog_core_test_SOURCES = test/unit/broker/watchdog_core_test.c
test_unit_broker_watchdog_core_test_LDADD = $(unit_libs)

unit_tests += test/unit/broker/isr_line_test
test_unit_broker_isr_line_test_SOURCES = test/unit/broker/isr_line_test.c
test_unit_broker_isr_line_test_LDADD = $(unit_libs)

unit_tests += test/unit/broker/forward_line_test
test_unit_broker_forward_line_test_SOURCES = test/unit/broker/forward_line_test.c
test_unit_broker_forward_line_test_LDADD = $(unit_libs)

unit_tests += test/unit/broker/replication_hello_test
test_unit_broker_replication_hello_test_SOURCES = test/unit/broker/replication_hello_test.c
test_unit_broker_replication_hello_test_LDADD = $(unit_libs)
