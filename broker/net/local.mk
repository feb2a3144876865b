# Sources and unit tests of broker/net/ (see ../Makefile.am for the lists).
klamm_sources += broker/net/acceptor.c broker/net/acceptor.h broker/net/address.c broker/net/address.h broker/net/budget.c broker/net/budget.h \
	broker/net/client.c broker/net/client.h broker/net/conn.c broker/net/conn.h broker/net/hello.c broker/net/hello.h \
	broker/net/listener.c broker/net/listener.h broker/net/lookup.c broker/net/lookup.h broker/net/net.c broker/net/net.h broker/net/peer.c broker/net/peer.h broker/net/receiver.c broker/net/receiver.h \
	broker/net/request.c broker/net/request.h broker/net/send_list.c broker/net/send_list.h \
	broker/net/transport.c broker/net/transport.h

unit_tests += test/unit/broker/net/conn_test
test_unit_broker_net_conn_test_SOURCES = test/unit/broker/net/conn_test.c test/unit/broker/net/fixture.h
test_unit_broker_net_conn_test_LDADD = $(unit_libs)

unit_tests += test/unit/broker/net/listener_test
test_unit_broker_net_listener_test_SOURCES = test/unit/broker/net/listener_test.c
test_unit_broker_net_listener_test_LDADD = $(unit_libs)

unit_tests += test/unit/broker/net/peer_test
test_unit_broker_net_peer_test_SOURCES = test/unit/broker/net/peer_test.c
test_unit_broker_net_peer_test_LDADD = $(unit_libs)

unit_tests += test/unit/broker/net/hello_test
test_unit_broker_net_hello_test_SOURCES = test/unit/broker/net/hello_test.c
test_unit_broker_net_hello_test_LDADD = $(unit_libs)

unit_tests += test/unit/broker/net/budget_test
test_unit_broker_net_budget_test_SOURCES = test/unit/broker/net/budget_test.c
test_unit_broker_net_budget_test_LDADD = $(unit_libs)

unit_tests += test/unit/broker/net/request_test
test_unit_broker_net_request_test_SOURCES = test/unit/broker/net/request_test.c test/unit/broker/net/fixture.h
test_unit_broker_net_request_test_LDADD = $(unit_libs)

EXTRA_DIST += broker/net/README.md

unit_tests += test/unit/broker/net/lookup_test
test_unit_broker_net_lookup_test_SOURCES = test/unit/broker/net/lookup_test.c
test_unit_broker_net_lookup_test_LDADD = $(unit_libs)
