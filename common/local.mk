# Sources and unit tests of common/ (see ../Makefile.am for the lists).
klamm_sources += common/arena.c common/arena.h common/buf.c common/buf.h common/bytes.h common/check.c common/check.h \
	common/clock.c common/clock.h common/crc32c.c common/crc32c.h common/error.c common/error.h common/fs.c common/fs.h common/fs_real.c common/limits.h \
	common/memory.c common/memory.h common/metrics.c common/metrics.h common/mutant.h common/refcount.h common/slice.h common/trace.c common/trace.h common/uuid.c common/uuid.h

unit_tests += test/unit/common/memory_test
test_unit_common_memory_test_SOURCES = test/unit/common/memory_test.c
test_unit_common_memory_test_LDADD = $(unit_libs)

unit_tests += test/unit/common/metrics_test
test_unit_common_metrics_test_SOURCES = test/unit/common/metrics_test.c
test_unit_common_metrics_test_LDADD = $(unit_libs)

unit_tests += test/unit/common/values_test
test_unit_common_values_test_SOURCES = test/unit/common/values_test.c
test_unit_common_values_test_LDADD = $(unit_libs)

# Configuration: properties files, tables of keys.
klamm_sources += common/config_load.c common/config_load.h common/config_parse.c common/config_row.h common/config_table.c \
	common/config_table.h common/nearest.c common/nearest.h common/properties.c common/properties.h

unit_tests += test/unit/common/config_table_test test/unit/common/properties_test
test_unit_common_config_table_test_SOURCES = test/unit/common/config_table_test.c
test_unit_common_config_table_test_LDADD = $(unit_libs)
test_unit_common_properties_test_SOURCES = test/unit/common/properties_test.c
test_unit_common_properties_test_LDADD = $(unit_libs)
EXTRA_DIST += common/README.md

unit_tests += test/unit/common/fs_test
test_unit_common_fs_test_SOURCES = test/unit/common/fs_test.c
test_unit_common_fs_test_LDADD = $(unit_libs)
