# Sources and unit tests of broker/rt/ (see ../Makefile.am for the lists).
klamm_sources += broker/rt/disk.c broker/rt/disk.h broker/rt/http_server.c broker/rt/http_server.h broker/rt/loop.c broker/rt/loop.h broker/rt/mailbox.c broker/rt/mailbox.h \
	broker/rt/signals.c broker/rt/signals.h broker/rt/supervisor.c broker/rt/supervisor.h broker/rt/worker.c broker/rt/worker.h broker/rt/zk_loop.c broker/rt/zk_loop.h

unit_tests += test/unit/broker/rt/loop_test
test_unit_broker_rt_loop_test_SOURCES = test/unit/broker/rt/loop_test.c
test_unit_broker_rt_loop_test_LDADD = $(unit_libs)

unit_tests += test/unit/broker/rt/http_server_test
test_unit_broker_rt_http_server_test_SOURCES = test/unit/broker/rt/http_server_test.c
test_unit_broker_rt_http_server_test_LDADD = $(unit_libs)

unit_tests += test/unit/broker/rt/worker_test
test_unit_broker_rt_worker_test_SOURCES = test/unit/broker/rt/worker_test.c
test_unit_broker_rt_worker_test_LDADD = $(unit_libs)

unit_tests += test/unit/broker/rt/supervisor_test
test_unit_broker_rt_supervisor_test_SOURCES = test/unit/broker/rt/supervisor_test.c
test_unit_broker_rt_supervisor_test_LDADD = $(unit_libs)

EXTRA_DIST += broker/rt/README.md

unit_tests += test/unit/broker/rt/zk_loop_test
test_unit_broker_rt_zk_loop_test_SOURCES = test/unit/broker/rt/zk_loop_test.c
test_unit_broker_rt_zk_loop_test_LDADD = $(unit_libs)
