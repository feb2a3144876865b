/* Primitive types: values, bounds, sticky faults. */
#include "test/lib/unit.h"

#include "common/memory.h"
#include "proto/wire.h"

#include <stdlib.h>

static struct wire_reader reader_of(const void *data, size_t len)
{
	struct wire_reader in;

	wire_reader_init(&in, slice_of(data, len));
	return in;
}

#define READER(...) reader_of((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

START_TEST(what_is_written_is_read)
{
	struct buf *buf = buf_new(1);
	struct uuid uuid = {{1, 2, 3}};
	struct wire_writer out;
	struct wire_reader in;

	wire_writer_init(&out, buf);
	wire_put_i8(&out, -5);
	wire_put_bool(&out, true);
	wire_put_i16(&out, -300);
	wire_put_i32(&out, 1 << 30);
	wire_put_i64(&out, INT64_MIN);
	wire_put_uuid(&out, uuid);
	wire_put_f64(&out, 0.25);
	wire_put_string(&out, SLICE_LITERAL("abc"), false);
	wire_put_string(&out, SLICE_NULL, true);
	wire_put_bytes(&out, SLICE_LITERAL(""), true);
	wire_put_bytes(&out, SLICE_NULL, false);
	ck_assert_int_eq(out.error, 0);
	in = reader_of(buf->data, buf->len);
	ck_assert_int_eq(wire_get_i8(&in), -5);
	ck_assert(wire_get_bool(&in));
	ck_assert_int_eq(wire_get_i16(&in), -300);
	ck_assert_int_eq(wire_get_i32(&in), 1 << 30);
	ck_assert_int_eq(wire_get_i64(&in), INT64_MIN);
	ck_assert_mem_eq(wire_get_uuid(&in).bytes, uuid.bytes, 16);
	ck_assert_double_eq(wire_get_f64(&in), 0.25);
	ck_assert(slice_is_text(wire_get_string(&in, false), "abc"));
	ck_assert(slice_is_null(wire_get_string(&in, true)));
	ck_assert(slice_is_text(wire_get_bytes(&in, true), ""));
	ck_assert(slice_is_null(wire_get_bytes(&in, false)));
	ck_assert_uint_eq(wire_left(&in), 0);
	ck_assert_int_eq(in.error, 0);
	buf_release(buf);
}
END_TEST

START_TEST(varints_round_trip_at_every_length)
{
	struct buf *buf = buf_new(16);
	struct wire_writer out;

	for (unsigned int bit = 0; bit < 64; bit++) {
		for (uint64_t value = (UINT64_C(1) << bit) - 1; value <= (UINT64_C(1) << bit); value++) {
			struct wire_reader in;

			buf->len = 0;
			wire_writer_init(&out, buf);
			wire_put_uvarlong(&out, value);
			ck_assert_uint_eq(buf->len, wire_uvarlong_len(value));
			wire_put_varlong(&out, (int64_t)value);
			wire_put_varlong(&out, (int64_t)(0 - value));
			wire_put_uvarint(&out, (uint32_t)value);
			wire_put_varint(&out, (int32_t)value);
			in = reader_of(buf->data, buf->len);
			ck_assert_uint_eq(wire_get_uvarlong(&in), value);
			ck_assert_int_eq(wire_get_varlong(&in), (int64_t)value);
			ck_assert_int_eq(wire_get_varlong(&in), (int64_t)(0 - value));
			ck_assert_uint_eq(wire_get_uvarint(&in), (uint32_t)value);
			ck_assert_int_eq(wire_get_varint(&in), (int32_t)value);
			ck_assert_int_eq(in.error, 0);
			ck_assert_uint_eq(wire_left(&in), 0);
		}
	}
	buf_release(buf);
}
END_TEST

START_TEST(varints_have_the_known_bytes)
{
	struct buf *buf = buf_new(16);
	struct wire_writer out;

	wire_writer_init(&out, buf);
	wire_put_uvarint(&out, 300);
	wire_put_varint(&out, -1);
	wire_put_varint(&out, 1);
	wire_put_varlong(&out, -64);
	ck_assert_uint_eq(buf->len, 5);
	ck_assert_mem_eq(buf->data, "\xac\x02\x01\x02\x7f", 5);
	buf_release(buf);
}
END_TEST

START_TEST(varints_that_are_too_long_or_cut_are_faults)
{
	struct wire_reader in = READER(0xff, 0xff, 0xff, 0xff, 0x0f);

	ck_assert_uint_eq(wire_get_uvarint(&in), UINT32_MAX);
	in = READER(0xff, 0xff, 0xff, 0xff, 0x1f);
	ck_assert_uint_eq(wire_get_uvarint(&in), 0);
	ck_assert_int_eq(in.error, ERR_INVALID);
	in = READER(0x80, 0x80, 0x80, 0x80, 0x80, 0x00);
	wire_get_uvarint(&in);
	ck_assert_int_eq(in.error, ERR_INVALID);
	in = READER(0x80, 0x80);
	wire_get_uvarint(&in);
	ck_assert_int_eq(in.error, ERR_TRUNCATED);
	in = READER(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01);
	ck_assert_uint_eq(wire_get_uvarlong(&in), UINT64_MAX);
	in = READER(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02);
	wire_get_uvarlong(&in);
	ck_assert_int_eq(in.error, ERR_INVALID);
	in = READER(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x81, 0x00);
	wire_get_uvarlong(&in);
	ck_assert_int_eq(in.error, ERR_INVALID);
}
END_TEST

START_TEST(the_first_fault_stays_and_later_reads_give_nothing)
{
	struct wire_reader in = READER(1, 2, 3, 4, 5);

	ck_assert_int_eq(wire_get_i16(&in), 0x0102);
	ck_assert_int_eq(wire_get_i32(&in), 0);
	ck_assert_int_eq(in.error, ERR_TRUNCATED);
	ck_assert_uint_eq(in.fault_pos, 2);
	ck_assert_int_eq(wire_get_i8(&in), 0);
	ck_assert_int_eq(wire_get_i64(&in), 0);
	ck_assert_mem_eq(wire_get_uuid(&in).bytes, UUID_ZERO.bytes, 16);
	ck_assert(slice_is_null(wire_get_string(&in, true)));
	wire_fail(&in, ERR_INVALID);
	ck_assert_int_eq(in.error, ERR_TRUNCATED);
	ck_assert_uint_eq(in.fault_pos, 2);
}
END_TEST

START_TEST(lengths_below_minus_one_and_beyond_the_bytes_are_faults)
{
	struct wire_reader in = READER(0xff, 0xfe);

	wire_get_string(&in, false);
	ck_assert_int_eq(in.error, ERR_INVALID);
	in = READER(0x80, 0, 0, 0);
	wire_get_bytes(&in, false);
	ck_assert_int_eq(in.error, ERR_INVALID);
	in = READER(0x7f, 0xff, 0xff, 0xff, 1);
	wire_get_bytes(&in, false);
	ck_assert_int_eq(in.error, ERR_TRUNCATED);
	in = READER(0xff, 0xff, 0xff, 0xff, 0x0f, 1);
	wire_get_bytes(&in, true);
	ck_assert_int_eq(in.error, ERR_INVALID);
	in = READER(3, 'a');
	wire_get_string(&in, true);
	ck_assert_int_eq(in.error, ERR_TRUNCATED);
	in = READER(0x81, 0x80, 2, 'a');
	wire_get_string(&in, true);
	ck_assert_int_eq(in.error, ERR_INVALID);
	in = READER(0x80, 0x80, 2, 'a');
	wire_get_string(&in, true);
	ck_assert_int_eq(in.error, ERR_TRUNCATED);
	in = READER(1);
	ck_assert(slice_is_text(wire_get_string(&in, true), ""));
	in = reader_of(NULL, 0);
	ck_assert_int_eq(wire_get_len_compact(&in), 0);
	ck_assert_int_eq(in.error, ERR_TRUNCATED);
}
END_TEST

START_TEST(tags_are_skipped_when_they_ascend)
{
	struct wire_reader in = READER(2, 0, 1, 'x', 9, 0, 'e');

	wire_skip_tags(&in);
	ck_assert_int_eq(in.error, 0);
	ck_assert_int_eq(wire_get_i8(&in), 'e');
	in = READER(2, 3, 0, 3, 0);
	wire_skip_tags(&in);
	ck_assert_int_eq(in.error, ERR_INVALID);
	in = READER(1, 3, 5, 0);
	wire_skip_tags(&in);
	ck_assert_int_eq(in.error, ERR_TRUNCATED);
	in = READER(0xff, 0xff, 0xff, 0xff, 0x0f);
	wire_skip_tags(&in);
	ck_assert_int_eq(in.error, ERR_TRUNCATED);
}
END_TEST

START_TEST(what_the_format_cannot_carry_is_a_fault_of_the_writer)
{
	struct buf *buf = buf_new(16);
	uint8_t *text = memory_zalloc(1, 40000);
	struct wire_writer out;

	wire_writer_init(&out, buf);
	wire_put_string(&out, slice_of(text, 32767), false);
	ck_assert_int_eq(out.error, 0);
	wire_put_string(&out, slice_of(text, 32768), true);
	ck_assert_int_eq(out.error, 0);
	wire_put_string(&out, slice_of(text, 32768), false);
	ck_assert_int_eq(out.error, ERR_TOO_LARGE);
	wire_writer_init(&out, buf);
	wire_put_len32(&out, INT64_C(1) << 31);
	ck_assert_int_eq(out.error, ERR_TOO_LARGE);
	wire_writer_init(&out, buf);
	wire_put_len_compact(&out, INT32_MAX);
	ck_assert_int_eq(out.error, ERR_TOO_LARGE);
	free(text);
	buf_release(buf);
}
END_TEST

UNIT_MAIN("proto/wire", what_is_written_is_read, varints_round_trip_at_every_length, varints_have_the_known_bytes,
	  varints_that_are_too_long_or_cut_are_faults, the_first_fault_stays_and_later_reads_give_nothing,
	  lengths_below_minus_one_and_beyond_the_bytes_are_faults, tags_are_skipped_when_they_ascend,
	  what_the_format_cannot_carry_is_a_fault_of_the_writer)
