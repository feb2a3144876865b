/* slice, bytes, crc32c, uuid, error. */
#include "test/lib/unit.h"

#include "common/bytes.h"
#include "common/crc32c.h"
#include "common/error.h"
#include "common/slice.h"
#include "common/uuid.h"

#include <errno.h>

START_TEST(slices_compare_by_bytes_then_length)
{
	ck_assert_int_lt(slice_compare(SLICE_LITERAL("a"), SLICE_LITERAL("ab")), 0);
	ck_assert_int_gt(slice_compare(SLICE_LITERAL("b"), SLICE_LITERAL("ab")), 0);
	ck_assert_int_eq(slice_compare(SLICE_LITERAL("x"), SLICE_LITERAL("x")), 0);
	ck_assert(!slice_equal(SLICE_NULL, SLICE_LITERAL("")));
	ck_assert(slice_equal(SLICE_NULL, SLICE_NULL));
}
END_TEST

START_TEST(bytes_are_big_endian)
{
	uint8_t at[8];

	bytes_put_i64(at, 0x0102030405060708);
	ck_assert_mem_eq(at, "\1\2\3\4\5\6\7\10", 8);
	ck_assert_int_eq(bytes_get_i16(at), 0x0102);
	ck_assert_int_eq(bytes_get_i32(at + 4), 0x05060708);
	bytes_put_i32(at, -2);
	ck_assert_int_eq(bytes_get_i32(at), -2);
}
END_TEST

START_TEST(crc32c_equals_the_known_vectors)
{
	uint8_t zeros[32] = {0};

	/* RFC 3720, B.4; and the usual check word. */
	ck_assert_uint_eq(crc32c(zeros, sizeof zeros), 0x8a9136aa);
	ck_assert_uint_eq(crc32c("123456789", 9), 0xe3069283);
	ck_assert_uint_eq(crc32c_extend(crc32c("1234", 4), "56789", 5), 0xe3069283);
	ck_assert_uint_eq(crc32c("", 0), 0);
}
END_TEST

START_TEST(uuid_text_of_a_real_cluster_reads_and_writes)
{
	struct uuid uuid;
	char text[UUID_TEXT_LEN + 1];

	ck_assert(uuid_parse(SLICE_LITERAL("MgkarZonTJGvV8YNyEp-LQ"), &uuid));
	uuid_format(&uuid, text);
	ck_assert_str_eq(text, "MgkarZonTJGvV8YNyEp-LQ");
	ck_assert(!uuid_parse(SLICE_LITERAL("MgkarZonTJGvV8YNyEp-L"), &uuid));
	ck_assert(!uuid_parse(SLICE_LITERAL("MgkarZonTJGvV8YNyEp+LQ"), &uuid));
	for (int i = 0; i < 1000; i++) {
		struct uuid made = uuid_random(), read;

		uuid_format(&made, text);
		ck_assert_int_ne(text[0], '-');
		ck_assert(uuid_parse(slice_of_text(text), &read));
		ck_assert(uuid_equal(&made, &read));
	}
}
END_TEST

START_TEST(errors_have_a_text_and_take_context)
{
	struct error err;

	ck_assert_str_eq(error_text(ERR_NO_SPACE), "no space left on the device");
	ck_assert_int_eq(error_from_errno(EROFS), ERR_READ_ONLY);
	ck_assert_int_eq(error_set(&err, ERR_CONFIG, "value %d is too small", 3), ERR_CONFIG);
	error_context(&err, "server.properties:%d", 12);
	ck_assert_str_eq(err.text, "server.properties:12: value 3 is too small");
}
END_TEST

UNIT_MAIN("common/values", slices_compare_by_bytes_then_length, bytes_are_big_endian, crc32c_equals_the_known_vectors,
	  uuid_text_of_a_real_cluster_reads_and_writes, errors_have_a_text_and_take_context)
