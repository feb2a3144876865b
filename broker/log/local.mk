# Sources and unit tests of broker/log/ (see ../Makefile.am for the lists).
klamm_sources += broker/log/batch_scan.c broker/log/batch_scan.h broker/log/batch_tail.c broker/log/batch_tail.h \
	broker/log/checkpoint.c broker/log/checkpoint.h broker/log/clean_marker.c broker/log/clean_marker.h \
	broker/log/dir_name.c broker/log/dir_name.h broker/log/epoch_cache.c broker/log/epoch_cache.h \
	broker/log/epoch_cache_core.c broker/log/epoch_cache_core.h broker/log/fd_cache.c broker/log/fd_cache.h \
	broker/log/index_file.c broker/log/index_file.h broker/log/log.c broker/log/log.h broker/log/log_append.c \
	broker/log/log_config.h broker/log/log_dir.c broker/log/log_dir.h broker/log/log_dir_checkpoint.c broker/log/log_dir_damaged.c \
	broker/log/log_dir_internal.h broker/log/log_dir_reserve.c broker/log/log_dir_sync.c broker/log/log_internal.h broker/log/log_load.c \
	broker/log/log_read.c broker/log/log_recover.c broker/log/log_replay.c broker/log/log_retention.c \
	broker/log/log_time.c broker/log/log_txn.c broker/log/log_truncate.c broker/log/meta_properties.c broker/log/meta_properties.h \
	broker/log/offset_index.c broker/log/offset_index.h broker/log/offsets_table.c broker/log/offsets_table.h \
	broker/log/partition_metadata.c broker/log/partition_metadata.h broker/log/producer_snapshot.c \
	broker/log/producer_snapshot.h broker/log/retention_core.c broker/log/retention_core.h broker/log/run_file.c \
	broker/log/run_file.h broker/log/segment.c broker/log/segment.h broker/log/segment_find.c broker/log/text_file.c \
	broker/log/text_file.h broker/log/time_index.c broker/log/time_index.h broker/log/txn_index.c broker/log/txn_index.h

log_fixture = test/unit/broker/log/log_fixture.c test/unit/broker/log/log_fixture.h

unit_tests += test/unit/broker/log/log_test
test_unit_broker_log_log_test_SOURCES = test/unit/broker/log/log_test.c $(log_fixture)
test_unit_broker_log_log_test_LDADD = $(unit_libs)

unit_tests += test/unit/broker/log/log_property_test
test_unit_broker_log_log_property_test_SOURCES = test/unit/broker/log/log_property_test.c $(log_fixture)
test_unit_broker_log_log_property_test_LDADD = $(unit_libs)

noinst_PROGRAMS += test/compat/log_writer
test_compat_log_writer_SOURCES = test/compat/log_writer.c
test_compat_log_writer_LDADD = $(klamm_libs)

unit_tests += test/unit/broker/log/cores_test
test_unit_broker_log_cores_test_SOURCES = test/unit/broker/log/cores_test.c
test_unit_broker_log_cores_test_LDADD = $(unit_libs)

unit_tests += test/unit/broker/log/formats_test
test_unit_broker_log_formats_test_SOURCES = test/unit/broker/log/formats_test.c
test_unit_broker_log_formats_test_LDADD = $(unit_libs)

unit_tests += test/unit/broker/log/golden_log_test
test_unit_broker_log_golden_log_test_SOURCES = test/unit/broker/log/golden_log_test.c $(log_fixture)
test_unit_broker_log_golden_log_test_LDADD = $(unit_libs)

unit_tests += test/unit/broker/log/log_reserve_test
test_unit_broker_log_log_reserve_test_SOURCES = test/unit/broker/log/log_reserve_test.c $(log_fixture)
test_unit_broker_log_log_reserve_test_LDADD = $(unit_libs)

unit_tests += test/unit/broker/log/log_dir_test
test_unit_broker_log_log_dir_test_SOURCES = test/unit/broker/log/log_dir_test.c $(log_fixture)
test_unit_broker_log_log_dir_test_LDADD = $(unit_libs)

unit_tests += test/unit/broker/log/index_test
test_unit_broker_log_index_test_SOURCES = test/unit/broker/log/index_test.c
test_unit_broker_log_index_test_LDADD = $(unit_libs)

unit_tests += test/unit/broker/log/log_sync_test
test_unit_broker_log_log_sync_test_SOURCES = test/unit/broker/log/log_sync_test.c $(log_fixture)
test_unit_broker_log_log_sync_test_LDADD = $(unit_libs)

unit_tests += test/unit/broker/log/log_threads_test
test_unit_broker_log_log_threads_test_SOURCES = test/unit/broker/log/log_threads_test.c $(log_fixture)
test_unit_broker_log_log_threads_test_LDADD = $(unit_libs)
