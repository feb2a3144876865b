/* record_iter and batch_builder: what is built is read back, under every codec; damage ends in an error. varint. */
#include "test/lib/unit.h"

#include "common/error.h"
#include "common/memory.h"
#include "proto/record/batch_builder.h"
#include "proto/record/record_iter.h"
#include "proto/record/varint.h"
#include "test/lib/batch_random.h"

#include <stdlib.h>

#define TIME_MS INT64_C(1700000000000)

static struct codec_limits limits_log(void)
{
	return codec_limits_for_log();
}

/* Reads all records: their number, or the error. */
static int read_all(struct codec_context *codecs, struct slice batch)
{
	struct codec_limits limits = limits_log();
	struct record_iter iter;
	struct record record;
	int n = 0, rc = record_iter_init(&iter, codecs, batch, &limits);

	if (rc != 0)
		return rc;
	while ((rc = record_iter_next(&iter, &record)) == 1)
		n++;
	record_iter_fini(&iter);
	return rc < 0 ? rc : n;
}

START_TEST(varints_read_and_write_the_whole_range)
{
	static const int64_t values[] = {0, -1, 1, 63, 64, -64, -65, 8191, 8192, -8193, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN};
	uint8_t bytes[VARLONG_BYTES_MAX];

	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		uint8_t *end = varint_write(bytes, values[i]);
		int64_t value = 0;
		int32_t small = 0;

		ck_assert_uint_eq((size_t)(end - bytes), varint_size(values[i]));
		ck_assert_ptr_eq(varlong_read(bytes, end, &value), end);
		ck_assert_int_eq(value, values[i]);
		ck_assert_ptr_null(varlong_read(bytes, end - 1, &value));
		if (values[i] == (int32_t)values[i]) {
			ck_assert_ptr_eq(varint_read(bytes, end, &small), end);
			ck_assert_int_eq(small, values[i]);
		}
	}
}
END_TEST

START_TEST(varints_that_are_too_long_are_refused)
{
	uint8_t bytes[12];
	int64_t value;
	int32_t small;

	memset(bytes, 0x80, sizeof bytes);
	bytes[5] = 0;
	ck_assert_ptr_null(varint_read(bytes, bytes + 12, &small));
	ck_assert_ptr_eq(varlong_read(bytes, bytes + 12, &value), bytes + 6);
	bytes[5] = 0x80;
	bytes[10] = 0;
	ck_assert_ptr_null(varlong_read(bytes, bytes + 12, &value));
}
END_TEST

/* Three records: null and empty fields, headers, a time that goes back. */
static void build(struct batch_builder *builder, const struct batch_spec *spec, struct codec_context *codecs)
{
	struct record_header headers[] = {{SLICE_LITERAL("a"), SLICE_LITERAL("1")}, {SLICE_LITERAL(""), SLICE_NULL}};

	batch_builder_init(builder, spec);
	batch_builder_add(builder, TIME_MS, SLICE_LITERAL("key"), SLICE_LITERAL("value"), headers, 2);
	batch_builder_add(builder, TIME_MS + 9, SLICE_NULL, SLICE_LITERAL(""), NULL, 0);
	batch_builder_add(builder, TIME_MS - 5, SLICE_LITERAL(""), SLICE_NULL, NULL, 0);
	batch_builder_finish(builder, codecs);
}

START_TEST(what_is_built_reads_back_under_every_codec)
{
	struct codec_context *codecs = codec_context_new();
	struct codec_limits limits = limits_log();

	for (int codec = 0; codec < N_CODECS; codec++) {
		struct batch_spec spec = batch_spec_default();
		struct record_header header;
		struct batch_builder builder;
		struct record_iter iter;
		struct record record;

		spec.codec = (enum codec)codec;
		spec.base_offset = 100;
		spec.producer_id = 4;
		spec.producer_epoch = 1;
		spec.base_sequence = INT32_MAX;
		build(&builder, &spec, codecs);
		ck_assert(batch_crc_ok(buf_slice(builder.buf)));
		ck_assert_int_eq(record_iter_init(&iter, codecs, buf_slice(builder.buf), &limits), 0);
		ck_assert_int_eq(iter.header.max_timestamp, TIME_MS + 9);
		ck_assert_int_eq(batch_next_offset(&iter.header), 103);
		ck_assert_int_eq(record_iter_next(&iter, &record), 1);
		ck_assert(slice_is_text(record.key, "key") && slice_is_text(record.value, "value"));
		ck_assert_int_eq(record.n_headers, 2);
		ck_assert(record_header_next(&record.headers, &header) && slice_is_text(header.key, "a"));
		ck_assert(record_header_next(&record.headers, &header) && slice_is_null(header.value));
		ck_assert(!record_header_next(&record.headers, &header));
		ck_assert_int_eq(record_iter_next(&iter, &record), 1);
		ck_assert(slice_is_null(record.key) && slice_is_text(record.value, ""));
		ck_assert_int_eq(record.sequence, 0);
		ck_assert_int_eq(record_iter_next(&iter, &record), 1);
		ck_assert_int_eq(record.offset, 102);
		ck_assert_int_eq(record.timestamp, TIME_MS - 5);
		ck_assert(slice_is_text(record.key, "") && slice_is_null(record.value));
		ck_assert_int_eq(record_iter_next(&iter, &record), 0);
		record_iter_fini(&iter);
		record_iter_fini(&iter);
		batch_builder_fini(&builder);
	}
	codec_context_free(codecs);
}
END_TEST

START_TEST(records_larger_than_the_window_are_read_whole)
{
	struct codec_context *codecs = codec_context_new();
	struct batch_random random = {.state = 3, .codecs = codecs, .n_records_max = 4, .value_bytes_max = 700000};

	for (int i = 0; i < 12; i++) {
		struct buf *batch = batch_random_make(&random, 0, 0, TIME_MS);

		ck_assert_int_eq(read_all(codecs, buf_slice(batch)), bytes_get_i32(batch->data + BATCH_POS_N_RECORDS));
		buf_release(batch);
	}
	codec_context_free(codecs);
}
END_TEST

START_TEST(random_batches_read_back_and_damage_below_the_checksum_is_survived)
{
	struct codec_context *codecs = codec_context_new();
	struct batch_random random = {.state = 1, .codecs = codecs, .producers = true, .holes = true};

	for (int i = 0; i < 3000; i++) {
		struct buf *batch = batch_random_make(&random, i, 0, TIME_MS);
		enum batch_damage kind;
		size_t pos, len;

		ck_assert_int_eq(read_all(codecs, buf_slice(batch)), bytes_get_i32(batch->data + BATCH_POS_N_RECORDS));
		len = batch_random_damage(&random, batch->data + BATCH_POS_ATTRIBUTES, batch->len - BATCH_POS_ATTRIBUTES, &kind, &pos) +
		      BATCH_POS_ATTRIBUTES;
		/* Behind its own end, and cut: the length field is what it was. */
		read_all(codecs, slice_of(batch->data, len));
		if (len == batch->len) {
			ck_assert_msg(!batch_crc_ok(buf_slice(batch)), "damage %d at %zu of batch %d", kind, pos, i);
		} else if (len >= BATCH_HEADER_BYTES) {
			bytes_put_u32(batch->data + BATCH_POS_LENGTH, (uint32_t)(len - BATCH_LENGTH_END));
			ck_assert_int_lt(read_all(codecs, slice_of(batch->data, len)), 0);
		}
		buf_release(batch);
	}
	codec_context_free(codecs);
}
END_TEST

START_TEST(a_wrong_count_is_an_error)
{
	struct codec_context *codecs = codec_context_new();

	for (int codec = 0; codec < N_CODECS; codec++) {
		struct batch_spec spec = batch_spec_default();
		struct batch_builder builder;

		spec.codec = (enum codec)codec;
		build(&builder, &spec, codecs);
		bytes_put_i32(builder.buf->data + BATCH_POS_N_RECORDS, 2);
		ck_assert_int_eq(read_all(codecs, buf_slice(builder.buf)), ERR_CORRUPT);
		bytes_put_i32(builder.buf->data + BATCH_POS_N_RECORDS, 4);
		ck_assert_int_eq(read_all(codecs, buf_slice(builder.buf)), ERR_TRUNCATED);
		bytes_put_i32(builder.buf->data + BATCH_POS_N_RECORDS, -1);
		ck_assert_int_eq(read_all(codecs, buf_slice(builder.buf)), ERR_CORRUPT);
		bytes_put_i32(builder.buf->data + BATCH_POS_N_RECORDS, 3);
		bytes_put_i16(builder.buf->data + BATCH_POS_ATTRIBUTES, 5);
		ck_assert_int_eq(read_all(codecs, buf_slice(builder.buf)), ERR_UNSUPPORTED);
		batch_builder_fini(&builder);
	}
	codec_context_free(codecs);
}
END_TEST

START_TEST(a_marker_reads_back_and_other_records_are_none)
{
	struct buf *marker = batch_build_marker(CONTROL_COMMIT, 17, 5000, 2, TIME_MS);
	struct codec_limits limits = limits_log();
	struct record_iter iter;
	struct record record;
	int32_t epoch;
	int16_t type;

	ck_assert_int_eq(record_iter_init(&iter, NULL, buf_slice(marker), &limits), 0);
	ck_assert(batch_is_control(iter.header.attributes) && batch_is_transactional(iter.header.attributes));
	ck_assert_int_eq(iter.header.base_sequence, -1);
	ck_assert_int_eq(iter.header.producer_id, 5000);
	ck_assert_int_eq(record_iter_next(&iter, &record), 1);
	ck_assert(record_control_parse(&record, &type, &epoch));
	ck_assert_int_eq(type, CONTROL_COMMIT);
	ck_assert_int_eq(epoch, 17);
	record.key = SLICE_LITERAL("abc");
	ck_assert(!record_control_parse(&record, &type, &epoch));
	record.key = SLICE_NULL;
	ck_assert(!record_control_parse(&record, &type, &epoch));
	record_iter_fini(&iter);
	buf_release(marker);
}
END_TEST

START_TEST(packing_anew_keeps_records_and_numbers_offsets)
{
	struct codec_context *codecs = codec_context_new();
	struct batch_random random = {.state = 8, .codecs = codecs, .producers = true, .holes = true};
	struct codec_limits limits = limits_log();

	for (int i = 0; i < 200; i++) {
		struct buf *batch = batch_random_make(&random, 10, 4, TIME_MS), *other;
		struct batch_header header, repacked;
		struct batch_spec spec;

		ck_assert_int_eq(batch_header_parse(buf_slice(batch), &header), 0);
		spec = batch_spec_like(&header);
		spec.codec = (enum codec)(i % N_CODECS);
		ck_assert_int_eq(batch_repack(codecs, buf_slice(batch), &spec, &limits, &other), 0);
		ck_assert(batch_crc_ok(buf_slice(other)));
		ck_assert_int_eq(read_all(codecs, buf_slice(other)), header.n_records);
		ck_assert_int_eq(batch_header_parse(buf_slice(other), &repacked), 0);
		ck_assert_int_eq(repacked.max_timestamp, header.max_timestamp);
		ck_assert_int_eq(repacked.producer_id, header.producer_id);
		ck_assert_int_eq(repacked.last_offset_delta, header.last_offset_delta);
		ck_assert_int_eq(batch_codec(repacked.attributes), i % N_CODECS);
		batch->data[batch->len - 1] ^= 0x55;
		batch->len--;
		ck_assert_int_eq(batch_repack(codecs, buf_slice(batch), &spec, &limits, &other), ERR_TRUNCATED);
		buf_release(other);
		buf_release(batch);
	}
	codec_context_free(codecs);
}
END_TEST

START_TEST(the_same_seed_makes_the_same_batches)
{
	struct batch_random one = {.state = 9}, two = {.state = 9};

	for (int i = 0; i < 20; i++) {
		struct buf *a = batch_random_make(&one, 0, 0, 0), *b = batch_random_make(&two, 0, 0, 0);

		ck_assert(slice_equal(buf_slice(a), buf_slice(b)));
		buf_release(a);
		buf_release(b);
	}
}
END_TEST

UNIT_MAIN("proto/record/record_iter", varints_read_and_write_the_whole_range, varints_that_are_too_long_are_refused,
	  what_is_built_reads_back_under_every_codec, records_larger_than_the_window_are_read_whole,
	  random_batches_read_back_and_damage_below_the_checksum_is_survived, a_wrong_count_is_an_error,
	  a_marker_reads_back_and_other_records_are_none, packing_anew_keeps_records_and_numbers_offsets,
	  the_same_seed_makes_the_same_batches)
