/* batch: the header of a batch, read, stepped over and changed in place; formats 0 and 1 recognised. */
#include "test/lib/unit.h"

#include "common/error.h"
#include "common/memory.h"
#include "proto/record/batch_builder.h"
#include "test/lib/batch_random.h"

#include <stdlib.h>

static struct buf *sample(void)
{
	struct batch_random random = {.state = 5};

	return batch_random_make(&random, 40, 3, 1700000000000);
}

START_TEST(a_batch_cut_anywhere_in_its_header_is_truncated)
{
	struct buf *buf = sample();
	struct batch_header header;
	struct slice rest, batch;

	for (size_t len = 0; len < buf->len; len++) {
		uint8_t *copy = memory_alloc(len + 1);

		memcpy(copy, buf->data, len);
		ck_assert_int_eq(batch_header_parse(slice_of(copy, len), &header), len < BATCH_HEADER_BYTES ? ERR_TRUNCATED : 0);
		rest = slice_of(copy, len);
		ck_assert_int_eq(batch_next(&rest, &batch, &header), len == 0 ? 0 : ERR_TRUNCATED);
		ck_assert_uint_eq(rest.len, len);
		free(copy);
	}
	buf_release(buf);
}
END_TEST

START_TEST(batches_follow_each_other)
{
	struct buf *a = sample(), *both = buf_new(2 * a->len);
	struct batch_header header;
	struct slice rest, batch;

	memcpy(both->data, a->data, a->len);
	memcpy(both->data + a->len, a->data, a->len);
	batch_stamp(both->data + a->len, INT64_MAX, 9);
	rest = slice_of(both->data, 2 * a->len);
	ck_assert_int_eq(batch_next(&rest, &batch, &header), 1);
	ck_assert_int_eq(header.base_offset, 40);
	ck_assert_int_eq(header.leader_epoch, 3);
	ck_assert_int_eq(batch_next_offset(&header), 40 + header.n_records);
	ck_assert_int_eq(batch_next(&rest, &batch, &header), 1);
	ck_assert_int_eq(header.leader_epoch, 9);
	ck_assert(batch_crc_ok(batch));
	ck_assert_int_eq(batch_last_offset(&header), INT64_MIN + header.n_records - 2);
	ck_assert_int_eq(batch_next(&rest, &batch, &header), 0);
	buf_release(both);
	buf_release(a);
}
END_TEST

START_TEST(lengths_and_magic_bytes_that_cannot_be_are_corrupt)
{
	static const int32_t lengths[] = {INT32_MIN, -1, 0, 13, 14, 48};
	static const uint8_t magics[] = {3, 127, 128, 255};
	struct buf *buf = sample();
	struct batch_header header;

	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		bytes_put_i32(buf->data + BATCH_POS_LENGTH, lengths[i]);
		ck_assert_int_eq(batch_header_parse(buf_slice(buf), &header), ERR_CORRUPT);
	}
	bytes_put_i32(buf->data + BATCH_POS_LENGTH, INT32_MAX);
	ck_assert_int_eq(batch_header_parse(buf_slice(buf), &header), 0);
	ck_assert_uint_eq(header.size, (size_t)INT32_MAX + 12);
	for (size_t i = 0; i < ARRAY_LEN(magics); i++) {
		buf->data[BATCH_POS_MAGIC] = magics[i];
		ck_assert_int_eq(batch_header_parse(buf_slice(buf), &header), ERR_CORRUPT);
	}
	buf->data[BATCH_POS_MAGIC] = 1;
	ck_assert_int_eq(batch_header_parse(buf_slice(buf), &header), ERR_UNSUPPORTED);
	buf_release(buf);
}
END_TEST

START_TEST(changes_in_place_keep_the_checksum_right)
{
	struct buf *buf = sample();
	struct batch_header before, after;

	ck_assert_int_eq(batch_header_parse(buf_slice(buf), &before), 0);
	batch_stamp(buf->data, 123456789012, 77);
	ck_assert(batch_crc_ok(buf_slice(buf)));
	batch_set_max_timestamp(buf->data, buf->len, 5);
	ck_assert(batch_crc_ok(buf_slice(buf)));
	batch_set_append_time(buf->data, buf->len, 1800000000000);
	ck_assert(batch_crc_ok(buf_slice(buf)));
	ck_assert_int_eq(batch_header_parse(buf_slice(buf), &after), 0);
	ck_assert_int_eq(after.base_offset, 123456789012);
	ck_assert_int_eq(after.leader_epoch, 77);
	ck_assert(batch_is_append_time(after.attributes));
	ck_assert_int_eq(after.max_timestamp, 1800000000000);
	ck_assert_int_eq(after.base_timestamp, before.base_timestamp);
	buf->data[buf->len - 1] ^= 1;
	ck_assert(!batch_crc_ok(buf_slice(buf)));
	buf_release(buf);
}
END_TEST

START_TEST(sequences_wrap_to_0_behind_the_largest)
{
	struct batch_header header = {.base_sequence = INT32_MAX - 1, .last_offset_delta = 3};

	ck_assert_int_eq(batch_sequence_add(INT32_MAX, 1), 0);
	ck_assert_int_eq(batch_last_sequence(&header), 1);
	header.base_sequence = -1;
	ck_assert_int_eq(batch_last_sequence(&header), -1);
}
END_TEST

START_TEST(messages_of_format_0_and_1_are_recognised_and_others_are_not)
{
	struct buf *buf = sample();
	struct batch_legacy legacy;
	uint8_t head[26] = {0};

	ck_assert_int_eq(batch_legacy_parse(buf_slice(buf), &legacy), ERR_CORRUPT);
	bytes_put_i32(head + 8, 14);
	ck_assert_int_eq(batch_legacy_parse(slice_of(head, 17), &legacy), ERR_TRUNCATED);
	ck_assert_int_eq(batch_legacy_parse(slice_of(head, 26), &legacy), 0);
	ck_assert_uint_eq(legacy.size, 26);
	ck_assert_int_eq(legacy.timestamp, -1);
	head[16] = 1;
	ck_assert_int_eq(batch_legacy_parse(slice_of(head, 26), &legacy), ERR_CORRUPT);
	bytes_put_i32(head + 8, 22);
	ck_assert_int_eq(batch_legacy_parse(slice_of(head, 25), &legacy), ERR_TRUNCATED);
	ck_assert_int_eq(batch_legacy_parse(slice_of(head, 26), &legacy), 0);
	ck_assert_int_eq(legacy.timestamp, 0);
	buf_release(buf);
}
END_TEST

UNIT_MAIN("proto/record/batch", a_batch_cut_anywhere_in_its_header_is_truncated, batches_follow_each_other,
	  lengths_and_magic_bytes_that_cannot_be_are_corrupt, changes_in_place_keep_the_checksum_right,
	  sequences_wrap_to_0_behind_the_largest, messages_of_format_0_and_1_are_recognised_and_others_are_not)
