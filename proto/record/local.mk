# Sources and unit tests of proto/record/ (see ../Makefile.am for the lists).
klamm_sources += proto/record/batch.c proto/record/batch.h proto/record/batch_builder.c proto/record/batch_builder.h \
	proto/record/batch_refusal.c proto/record/batch_validate.c proto/record/batch_validate.h \
	proto/record/codec.c proto/record/codec.h proto/record/codec_context.h proto/record/codec_pack.c proto/record/codec_unpack.c \
	proto/record/record_iter.c proto/record/record_iter.h proto/record/record_source.c proto/record/record_source.h \
	proto/record/varint.c proto/record/varint.h

unit_tests += test/unit/proto/record/golden_batches_test
test_unit_proto_record_golden_batches_test_SOURCES = test/unit/proto/record/golden_batches_test.c
test_unit_proto_record_golden_batches_test_LDADD = $(unit_libs)

unit_tests += test/unit/proto/record/verdicts_test
test_unit_proto_record_verdicts_test_SOURCES = test/unit/proto/record/verdicts_test.c
test_unit_proto_record_verdicts_test_LDADD = $(unit_libs)

unit_tests += test/unit/proto/record/codec_test
test_unit_proto_record_codec_test_SOURCES = test/unit/proto/record/codec_test.c
test_unit_proto_record_codec_test_LDADD = $(unit_libs)

unit_tests += test/unit/proto/record/batch_test
test_unit_proto_record_batch_test_SOURCES = test/unit/proto/record/batch_test.c
test_unit_proto_record_batch_test_LDADD = $(unit_libs)

unit_tests += test/unit/proto/record/record_iter_test
test_unit_proto_record_record_iter_test_SOURCES = test/unit/proto/record/record_iter_test.c
test_unit_proto_record_record_iter_test_LDADD = $(unit_libs)

unit_tests += test/unit/proto/record/batch_validate_test
test_unit_proto_record_batch_validate_test_SOURCES = test/unit/proto/record/batch_validate_test.c
test_unit_proto_record_batch_validate_test_LDADD = $(unit_libs)
