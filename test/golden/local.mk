# Bytes that Kafka made (see README.md) and the test that compares our codec with them.
EXTRA_DIST += test/golden/README.md test/golden/api_versions.txt test/golden/headers.txt test/golden/znodes.txt \
	test/golden/messages test/golden/batches test/golden/generator

unit_tests += test/unit/proto/golden_test
test_unit_proto_golden_test_SOURCES = test/unit/proto/golden_test.c
test_unit_proto_golden_test_LDADD = $(unit_libs)
EXTRA_DIST += test/golden/produce test/golden/log
