/*
 * batch_validate: what the verdict tells beside the codes (verdicts_test.c compares those with Kafka's), bombs, and damage at
 * every byte.
 */
#include "test/lib/unit.h"

#include "common/memory.h"
#include "proto/kafka_error.h"
#include "proto/record/batch_builder.h"
#include "proto/record/batch_validate.h"
#include "proto/record/codec_context.h"
#include "proto/record/varint.h"
#include "test/lib/batch_random.h"

#include <stdlib.h>

#define NOW_MS INT64_C(1700000100000)
#define TIME_MS INT64_C(1700000000000)

static struct buf *build(struct codec_context *codecs, enum codec codec, int n)
{
	struct batch_spec spec = batch_spec_default();
	struct batch_builder builder;

	spec.codec = codec;
	spec.producer_id = 7;
	spec.producer_epoch = 2;
	spec.base_sequence = 30;
	spec.transactional = true;
	batch_builder_init(&builder, &spec);
	for (int i = 0; i < n; i++)
		batch_builder_add(&builder, TIME_MS + (i == 1 ? 1000 : i), SLICE_LITERAL("key"), SLICE_LITERAL("value"), NULL, 0);
	batch_builder_finish(&builder, codecs);
	return batch_builder_take(&builder);
}

START_TEST(the_verdict_tells_what_the_log_and_the_producer_state_need)
{
	struct codec_context *codecs = codec_context_new();
	struct batch_rules rules = batch_rules_default(NOW_MS);

	for (int codec = 0; codec < N_CODECS; codec++) {
		struct buf *batch = build(codecs, (enum codec)codec, 5);
		struct batch_verdict verdict;

		ck_assert_int_eq(batch_validate(buf_slice(batch), &rules, codecs, &verdict), 0);
		ck_assert(!verdict.empty && !verdict.rewrite && !verdict.repack && verdict.transactional);
		ck_assert_uint_eq(verdict.size, batch->len);
		ck_assert_int_eq(verdict.codec, codec);
		ck_assert_int_eq(verdict.max_timestamp, TIME_MS + 1000);
		ck_assert_int_eq(verdict.max_timestamp_delta, 1);
		ck_assert_int_eq(verdict.header.producer_id, 7);
		ck_assert_int_eq(verdict.header.producer_epoch, 2);
		ck_assert_int_eq(verdict.header.base_sequence, 30);
		ck_assert_int_eq(batch_last_sequence(&verdict.header), 34);
		rules.append_time = true;
		ck_assert_int_eq(batch_validate(buf_slice(batch), &rules, codecs, &verdict), 0);
		ck_assert(verdict.rewrite);
		ck_assert_int_eq(verdict.max_timestamp, NOW_MS);
		ck_assert_int_eq(verdict.max_timestamp_delta, 4);
		batch_apply(batch->data, &verdict);
		ck_assert(batch_crc_ok(buf_slice(batch)));
		rules.append_time = false;
		buf_release(batch);
	}
	codec_context_free(codecs);
}
END_TEST

START_TEST(null_records_are_refused_and_empty_ones_pass_before_version_3)
{
	struct batch_rules rules = batch_rules_default(NOW_MS);
	struct batch_verdict verdict;

	ck_assert_int_eq(batch_validate(SLICE_NULL, &rules, NULL, &verdict), KAFKA_INVALID_RECORD);
	ck_assert_int_eq(batch_validate(SLICE_LITERAL(""), &rules, NULL, &verdict), KAFKA_INVALID_RECORD);
	rules.produce_version = 2;
	ck_assert_int_eq(batch_validate(SLICE_NULL, &rules, NULL, &verdict), KAFKA_INVALID_RECORD);
	ck_assert_int_eq(batch_validate(SLICE_LITERAL(""), &rules, NULL, &verdict), 0);
	ck_assert(verdict.empty);
}
END_TEST

START_TEST(formats_0_and_1_are_refused_by_name)
{
	struct batch_rules rules = batch_rules_default(NOW_MS);
	struct batch_verdict verdict;
	uint8_t message[40] = {0};

	bytes_put_i32(message + BATCH_POS_LENGTH, 28);
	for (uint8_t magic = 0; magic < 2; magic++) {
		message[BATCH_POS_MAGIC] = magic;
		rules.produce_version = 3;
		ck_assert_int_eq(batch_validate(slice_of(message, 40), &rules, NULL, &verdict), KAFKA_INVALID_RECORD);
		rules.produce_version = 2;
		ck_assert_int_eq(batch_validate(slice_of(message, 40), &rules, NULL, &verdict), KAFKA_UNSUPPORTED_FOR_MESSAGE_FORMAT);
		ck_assert_ptr_nonnull(strstr(verdict.reason, "format 0 and 1"));
	}
}
END_TEST

START_TEST(many_bad_records_are_counted_and_a_few_are_told)
{
	struct batch_rules rules = batch_rules_default(NOW_MS);
	struct batch_verdict verdict;
	char text[2000];
	struct buf *batch = build(NULL, CODEC_NONE, 1000);

	rules.timestamp_before_max_ms = 1;
	ck_assert_int_eq(batch_validate(buf_slice(batch), &rules, NULL, &verdict), KAFKA_INVALID_TIMESTAMP);
	ck_assert_int_eq(verdict.n_record_errors, 1000);
	ck_assert_int_eq(verdict.record_errors[BATCH_RECORD_ERRORS_MAX - 1].index, BATCH_RECORD_ERRORS_MAX - 1);
	batch_record_error_text(&verdict.record_errors[1], &rules, SLICE_LITERAL("t"), 0, text, sizeof text);
	ck_assert_str_eq(text, "Timestamp 1700000001000 of message with offset 1 is out of range. The timestamp should be within "
			       "[1700000099999, -9223370336854675809]");
	batch_refusal_text(&verdict, &rules, SLICE_LITERAL("t"), 0, text, 20);
	ck_assert_str_eq(text, "One or more records");
	buf_release(batch);
}
END_TEST

/* A batch whose one value is that many zeros. */
static struct buf *bomb(struct codec_context *codecs, enum codec codec, size_t len)
{
	struct batch_spec spec = batch_spec_default();
	struct batch_builder builder;
	uint8_t *value = memory_zalloc(len, 1);

	spec.codec = codec;
	batch_builder_init(&builder, &spec);
	batch_builder_add(&builder, TIME_MS, SLICE_LITERAL("k"), slice_of(value, len), NULL, 0);
	batch_builder_finish(&builder, codecs);
	free(value);
	return batch_builder_take(&builder);
}

START_TEST(bombs_are_refused)
{
	struct codec_context *codecs = codec_context_new();
	struct batch_rules rules = batch_rules_default(NOW_MS);
	struct batch_verdict verdict;
	struct buf *batch;

	for (int codec = CODEC_GZIP; codec < N_CODECS; codec++) {
		batch = bomb(codecs, (enum codec)codec, 8 << 20);
		ck_assert_int_eq(batch_validate(buf_slice(batch), &rules, codecs, &verdict),
				 codec == CODEC_SNAPPY ? 0 : KAFKA_INVALID_RECORD);
		buf_release(batch);
		batch = bomb(codecs, (enum codec)codec, 1000000);
		ck_assert_int_eq(batch_validate(buf_slice(batch), &rules, codecs, &verdict), 0);
		buf_release(batch);
	}
	/* Snappy packs 1 to 20 at best, so what is too much is a big message first. */
	rules.message_bytes_max = 5000000;
	batch = bomb(codecs, CODEC_SNAPPY, 70 << 20);
	ck_assert_int_eq(batch_validate(buf_slice(batch), &rules, codecs, &verdict), KAFKA_MESSAGE_TOO_LARGE);
	buf_release(batch);
	codec_context_free(codecs);
}
END_TEST

START_TEST(a_caller_who_cannot_wait_is_told_of_heavy_batches)
{
	struct codec_context *codecs = codec_context_new();
	struct batch_rules rules = batch_rules_default(NOW_MS);

	for (int codec = 0; codec < N_CODECS; codec++) {
		struct buf *batch = bomb(codecs, (enum codec)codec, 1000000);
		struct batch_verdict verdict;

		rules.unpack_bytes_max = 999999;
		ck_assert_int_eq(batch_validate(buf_slice(batch), &rules, codecs, &verdict), codec == CODEC_NONE ? 0 : BATCH_HEAVY);
		rules.unpack_bytes_max = 1000100;
		ck_assert_int_eq(batch_validate(buf_slice(batch), &rules, codecs, &verdict), 0);
		rules.unpack_bytes_max = 0;
		ck_assert_int_eq(batch_validate(buf_slice(batch), &rules, codecs, &verdict), 0);
		buf_release(batch);
	}
	codec_context_free(codecs);
}
END_TEST

START_TEST(records_larger_than_the_window_are_judged_without_being_held)
{
	struct record_header headers[] = {{SLICE_LITERAL("a"), SLICE_LITERAL("1")}, {SLICE_LITERAL("b"), SLICE_NULL}};
	struct codec_context *codecs = codec_context_new();
	struct batch_rules rules = batch_rules_default(NOW_MS);
	uint8_t *value = memory_zalloc(900000, 1);

	rules.compacted = true;
	for (int codec = CODEC_GZIP; codec < N_CODECS; codec++) {
		struct batch_spec spec = batch_spec_default();
		struct batch_builder builder;
		struct batch_verdict verdict;

		spec.codec = (enum codec)codec;
		batch_builder_init(&builder, &spec);
		batch_builder_add(&builder, TIME_MS, SLICE_LITERAL("k"), slice_of(value, 300000), headers, 2);
		batch_builder_add(&builder, TIME_MS + 5, slice_of(value, 70000), SLICE_NULL, NULL, 0);
		batch_builder_add(&builder, TIME_MS + 2, SLICE_NULL, slice_of(value, 500000), headers, 2);
		batch_builder_add(&builder, TIME_MS + 3, SLICE_LITERAL("k"), SLICE_LITERAL("v"), NULL, 0);
		batch_builder_finish(&builder, codecs);
		ck_assert_int_eq(batch_validate(buf_slice(builder.buf), &rules, codecs, &verdict), KAFKA_INVALID_RECORD);
		ck_assert_int_eq(verdict.n_record_errors, 1);
		ck_assert_int_eq(verdict.record_errors[0].index, 2);
		rules.compacted = false;
		ck_assert_int_eq(batch_validate(buf_slice(builder.buf), &rules, codecs, &verdict), 0);
		ck_assert_int_eq(verdict.max_timestamp, TIME_MS + 5);
		ck_assert_int_eq(verdict.max_timestamp_delta, 1);
		ck_assert_uint_le(codecs->window.cap, 64 << 10);
		rules.compacted = true;
		batch_builder_fini(&builder);
	}
	free(value);
	codec_context_free(codecs);
}
END_TEST

/* A big record with one thing wrong behind its value, packed. */
static int16_t judge_big(struct codec_context *codecs, struct slice behind, int32_t length_more)
{
	struct batch_rules rules = batch_rules_default(NOW_MS);
	struct batch_spec spec = batch_spec_default();
	struct buf *plain = buf_new(300000), *batch = buf_new(300000);
	struct batch_builder builder;
	struct batch_verdict verdict;
	uint8_t *at = plain->data;
	int16_t code;

	/* Attributes, deltas and no key are 4 bytes, the value with its length 200003. */
	at = varint_write(at, 4 + 200003 + (int64_t)behind.len + length_more);
	memcpy(at, "\0\0\0\1", 4);
	at = varint_write(at + 4, 200000);
	memset(at, 'v', 200000);
	memcpy(at + 200000, behind.data, behind.len);
	plain->len = (size_t)(at - plain->data) + 200000 + behind.len;
	spec.codec = CODEC_LZ4;
	batch_builder_init(&builder, &spec);
	batch_builder_add(&builder, TIME_MS, SLICE_NULL, SLICE_NULL, NULL, 0);
	memcpy(batch->data, batch_builder_finish(&builder, codecs).data, BATCH_HEADER_BYTES);
	batch->len = BATCH_HEADER_BYTES;
	codec_compress(codecs, CODEC_LZ4, CODEC_LEVEL_DEFAULT, buf_slice(plain), batch);
	bytes_put_u32(batch->data + BATCH_POS_LENGTH, (uint32_t)(batch->len - BATCH_LENGTH_END));
	batch_set_crc(batch->data, batch->len);
	code = batch_validate(buf_slice(batch), &rules, codecs, &verdict);
	batch_builder_fini(&builder);
	buf_release(plain);
	buf_release(batch);
	return code;
}

START_TEST(damage_in_records_larger_than_the_window_is_found)
{
	struct codec_context *codecs = codec_context_new();

	ck_assert_int_eq(judge_big(codecs, slice_of("\0", 1), 0), 0);
	ck_assert_int_eq(judge_big(codecs, slice_of("\2\2h\1", 4), 0), 0);
	ck_assert_int_eq(judge_big(codecs, slice_of("\0\0", 2), 0), KAFKA_INVALID_RECORD);
	ck_assert_int_eq(judge_big(codecs, slice_of("\0", 1), 1), KAFKA_INVALID_RECORD);
	ck_assert_int_eq(judge_big(codecs, slice_of("\0", 1), -1), KAFKA_INVALID_RECORD);
	ck_assert_int_eq(judge_big(codecs, slice_of("\0", 1), -100000), KAFKA_INVALID_RECORD);
	ck_assert_int_eq(judge_big(codecs, slice_of("\1", 1), 0), KAFKA_INVALID_RECORD);
	ck_assert_int_eq(judge_big(codecs, slice_of("\2\1\1", 3), 0), KAFKA_INVALID_RECORD);
	ck_assert_int_eq(judge_big(codecs, slice_of("\2\2h", 3), 0), KAFKA_INVALID_RECORD);
	ck_assert_int_eq(judge_big(codecs, slice_of("\4\2h\1", 4), 0), KAFKA_INVALID_RECORD);
	codec_context_free(codecs);
}
END_TEST

/* The batch with the checksum made right, judged in a copy of its own size; accepted ones must read. */
static void judge_damaged(struct codec_context *codecs, const struct batch_rules *rules, const uint8_t *bytes, size_t len)
{
	uint8_t *copy = memory_alloc(len);
	struct batch_verdict verdict;
	int16_t code;

	memcpy(copy, bytes, len);
	batch_set_crc(copy, len);
	code = batch_validate(slice_of(copy, len), rules, codecs, &verdict);
	if (code == 0) {
		struct codec_limits limits = codec_limits_for_log();
		struct record_iter iter;
		struct record record;
		int n = 0, rc;

		batch_apply(copy, &verdict);
		ck_assert_int_eq(record_iter_init(&iter, codecs, slice_of(copy, verdict.size), &limits), 0);
		while ((rc = record_iter_next(&iter, &record)) == 1)
			n++;
		ck_assert_int_eq(rc, 0);
		ck_assert_int_eq(n, verdict.header.n_records);
		record_iter_fini(&iter);
	} else {
		ck_assert_ptr_nonnull(verdict.reason);
	}
	free(copy);
}

START_TEST(damage_at_every_bit_and_a_cut_at_every_byte_are_refused_or_read)
{
	struct codec_context *codecs = codec_context_new();
	struct batch_rules rules = batch_rules_default(NOW_MS);

	for (int codec = 0; codec < N_CODECS; codec++) {
		struct buf *batch = build(codecs, (enum codec)codec, 3);
		uint8_t *copy = memory_alloc(batch->len);

		for (size_t bit = 0; bit < batch->len * 8; bit++) {
			memcpy(copy, batch->data, batch->len);
			copy[bit / 8] = (uint8_t)(copy[bit / 8] ^ (1 << bit % 8));
			judge_damaged(codecs, &rules, copy, batch->len);
		}
		for (size_t len = BATCH_HEADER_BYTES; len < batch->len; len++) {
			memcpy(copy, batch->data, len);
			bytes_put_u32(copy + BATCH_POS_LENGTH, (uint32_t)(len - BATCH_LENGTH_END));
			judge_damaged(codecs, &rules, copy, len);
		}
		free(copy);
		buf_release(batch);
	}
	codec_context_free(codecs);
}
END_TEST

START_TEST(random_batches_pass_and_are_packed_anew_for_any_topic)
{
	struct codec_context *codecs = codec_context_new();
	struct batch_random random = {.state = 2, .codecs = codecs, .producers = true};

	for (int i = 0; i < 500; i++) {
		struct batch_rules rules = batch_rules_default(NOW_MS);
		struct buf *batch = batch_random_make(&random, 0, -1, TIME_MS), *packed;
		struct batch_verdict verdict;

		rules.codec = i % (N_CODECS + 1) - 1;
		ck_assert_int_eq(batch_validate(buf_slice(batch), &rules, codecs, &verdict), 0);
		if (verdict.repack) {
			ck_assert_int_eq(batch_validate_repack(buf_slice(batch), &rules, codecs, &verdict, &packed), 0);
			ck_assert(batch_crc_ok(buf_slice(packed)));
			ck_assert_uint_eq(verdict.size, packed->len);
			ck_assert_int_eq(batch_codec(verdict.attributes), rules.codec);
			buf_release(packed);
		}
		buf_release(batch);
	}
	codec_context_free(codecs);
}
END_TEST

UNIT_MAIN("proto/record/batch_validate", the_verdict_tells_what_the_log_and_the_producer_state_need,
	  null_records_are_refused_and_empty_ones_pass_before_version_3, formats_0_and_1_are_refused_by_name,
	  many_bad_records_are_counted_and_a_few_are_told, bombs_are_refused,
	  a_caller_who_cannot_wait_is_told_of_heavy_batches,
	  records_larger_than_the_window_are_judged_without_being_held, damage_in_records_larger_than_the_window_is_found,
	  damage_at_every_bit_and_a_cut_at_every_byte_are_refused_or_read, random_batches_pass_and_are_packed_anew_for_any_topic)
