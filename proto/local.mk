# Sources and unit tests of proto/ (see ../Makefile.am for the lists).
klamm_sources += proto/api.c proto/api.h proto/frame.c proto/frame.h proto/kafka_error.c proto/kafka_error.h proto/message.c \
	proto/message.h proto/message_decode.c proto/message_dump.c proto/message_encode.c proto/message_field.h proto/wire.c proto/wire.h

# The schemas of Kafka's messages and what kgen makes of them, in the build tree. kgen leaves files alone that stay the same, so
# the stamp, not the headers, tells whether it has run; the empty recipe lets make look at the headers' times again.
include proto/kafka/files.mk
EXTRA_DIST += proto/README.md
kafka_headers = $(kafka_schemas:.api=.gen.h) proto/kafka/api_keys.gen.h

noinst_PROGRAMS += proto/kgen
proto_kgen_SOURCES = proto/kgen.c proto/kgen.h proto/kgen_check.c proto/kgen_read.c proto/kgen_write.c
proto_kgen_LDADD =

nodist_klamm_sources += proto/kafka/tables.gen.c
BUILT_SOURCES += proto/kafka/tables.stamp $(kafka_headers)
CLEANFILES += proto/kafka/tables.stamp proto/kafka/tables.gen.c $(kafka_headers)

proto/kafka/tables.stamp: proto/kgen$(EXEEXT) $(kafka_schemas) proto/kafka/files.mk
	$(AM_V_GEN)$(MKDIR_P) proto/kafka && ASAN_OPTIONS=detect_leaks=0 ./proto/kgen$(EXEEXT) proto/kafka $(filter %.api,$^) && touch $@

proto/kafka/tables.gen.c $(kafka_headers): proto/kafka/tables.stamp
	@:

unit_tests += test/unit/proto/wire_test test/unit/proto/frame_test test/unit/proto/message_test test/unit/proto/kgen_test
test_unit_proto_wire_test_SOURCES = test/unit/proto/wire_test.c
test_unit_proto_wire_test_LDADD = $(unit_libs)
test_unit_proto_frame_test_SOURCES = test/unit/proto/frame_test.c
test_unit_proto_frame_test_LDADD = $(unit_libs)
test_unit_proto_message_test_SOURCES = test/unit/proto/message_test.c
test_unit_proto_message_test_LDADD = $(unit_libs)
test_unit_proto_kgen_test_SOURCES = test/unit/proto/kgen_test.c
test_unit_proto_kgen_test_LDADD = $(unit_libs)
