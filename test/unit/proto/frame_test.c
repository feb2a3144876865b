/* Headers of requests and responses, frame size, error codes. */
#include "test/lib/unit.h"

#include "proto/frame.h"
#include "proto/kafka_error.h"

static struct wire_reader reader_of(const struct buf *buf)
{
	struct wire_reader in;

	wire_reader_init(&in, buf_slice(buf));
	return in;
}

START_TEST(header_versions_follow_the_rules)
{
	ck_assert_int_eq(frame_request_header_version(API_FETCH, 11), 1);
	ck_assert_int_eq(frame_request_header_version(API_FETCH, 12), 2);
	ck_assert_int_eq(frame_request_header_version(API_CONTROLLED_SHUTDOWN, 0), 0);
	ck_assert_int_eq(frame_request_header_version(API_CONTROLLED_SHUTDOWN, 1), 1);
	ck_assert_int_eq(frame_request_header_version(API_SASL_HANDSHAKE, 1), 1);
	ck_assert_int_eq(frame_request_header_version(API_API_VERSIONS, 3), 2);
	ck_assert_int_eq(frame_request_header_version(API_API_VERSIONS, 99), 1);
	ck_assert_int_eq(frame_request_header_version(12345, 0), 1);
	ck_assert_int_eq(frame_response_header_version(API_FETCH, 11), 0);
	ck_assert_int_eq(frame_response_header_version(API_FETCH, 12), 1);
	ck_assert_int_eq(frame_response_header_version(API_API_VERSIONS, 3), 0);
	ck_assert_int_eq(frame_response_header_version(API_CONTROLLED_SHUTDOWN, 3), 1);
}
END_TEST

START_TEST(request_headers_round_trip)
{
	static const int16_t cases[][2] = {
		{API_FETCH, 4}, {API_FETCH, 12}, {API_CONTROLLED_SHUTDOWN, 0}, {API_API_VERSIONS, 4}, {999, 7}};
	struct buf *buf = buf_new(64);

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct request_header header = {cases[i][0], cases[i][1], 77, SLICE_LITERAL("me"), NULL, false}, read;
		struct wire_writer out;
		struct wire_reader in;

		buf->len = 0;
		wire_writer_init(&out, buf);
		request_header_encode(&header, &out);
		in = reader_of(buf);
		ck_assert_int_eq(request_header_decode(&in, &read), 0);
		ck_assert_uint_eq(wire_left(&in), 0);
		ck_assert_int_eq(read.api_key, header.api_key);
		ck_assert_int_eq(read.correlation_id, 77);
		ck_assert_int_eq(read.known_version, cases[i][0] != 999);
		ck_assert(cases[i][0] == API_CONTROLLED_SHUTDOWN ? slice_is_null(read.client_id)
								 : slice_is_text(read.client_id, "me"));
		for (size_t len = 0; len < buf->len; len++) {
			wire_reader_init(&in, slice_of(buf->data, len));
			ck_assert_int_eq(request_header_decode(&in, &read), ERR_TRUNCATED);
		}
	}
	buf_release(buf);
}
END_TEST

START_TEST(a_flexible_header_keeps_the_old_client_id_and_skips_tags)
{
	const uint8_t bytes[] = {0, 1, 0, 12, 0, 0, 0, 5, 0, 1, 'c', 1, 4, 2, 'x', 'y', 99};
	struct request_header header;
	struct wire_reader in;

	wire_reader_init(&in, slice_of(bytes, sizeof bytes));
	ck_assert_int_eq(request_header_decode(&in, &header), 0);
	ck_assert(slice_is_text(header.client_id, "c"));
	ck_assert_int_eq(wire_get_i8(&in), 99);
}
END_TEST

START_TEST(unknown_keys_and_versions_are_told_and_api_versions_is_read_up_to_the_client_id)
{
	const uint8_t future[] = {0, 18, 0, 99, 0, 0, 0, 5, 0, 1, 'c', 0xff, 0xff};
	const uint8_t unknown[] = {0x10, 0, 0, 0, 0, 0, 0, 5, 0xff, 0xff};
	struct request_header header;
	struct wire_reader in;

	wire_reader_init(&in, slice_of(future, sizeof future));
	ck_assert_int_eq(request_header_decode(&in, &header), 0);
	ck_assert_ptr_eq(header.api, api_find(API_API_VERSIONS));
	ck_assert(!header.known_version);
	wire_reader_init(&in, slice_of(unknown, sizeof unknown));
	ck_assert_int_eq(request_header_decode(&in, &header), 0);
	ck_assert_ptr_null(header.api);
}
END_TEST

START_TEST(frames_carry_their_size_and_what_lies_outside)
{
	struct buf *buf = buf_new(1);
	struct wire_writer out;
	struct wire_reader in;
	int32_t correlation_id;
	size_t start;

	wire_writer_init(&out, buf);
	wire_put_i8(&out, 1);
	start = frame_begin(&out);
	response_header_encode(API_FETCH, 12, 42, &out);
	frame_end(&out, start, 1000);
	ck_assert_uint_eq(buf->len, 1 + 4 + 5);
	ck_assert_int_eq(bytes_get_i32(buf->data + 1), 1005);
	wire_reader_init(&in, slice_of(buf->data + 5, 5));
	ck_assert_int_eq(response_header_decode(API_FETCH, 12, &in, &correlation_id), 0);
	ck_assert_int_eq(correlation_id, 42);
	frame_end(&out, start, INT32_MAX);
	ck_assert_int_eq(out.error, ERR_TOO_LARGE);
	buf_release(buf);
}
END_TEST

START_TEST(apis_are_found_by_key_and_name)
{
	for (int i = 0; i < api_count(); i++) {
		const struct api *api = api_at(i);

		ck_assert_ptr_eq(api_find(api->key), api);
		ck_assert_ptr_eq(api_find_name(api->name), api);
		ck_assert_ptr_eq(api_find_name(api->snake_name), api);
		if (i > 0)
			ck_assert_int_gt(api->key, api_at(i - 1)->key);
	}
	ck_assert_ptr_null(api_find(-1));
	ck_assert_ptr_null(api_find(32000));
	ck_assert_ptr_null(api_find_name("no_such_api"));
	ck_assert_int_gt(api_record_count(), 0);
}
END_TEST

START_TEST(error_codes_have_names_and_no_gaps)
{
	int code = 0;

	for (int i = -1; i <= 127; i++) {
		ck_assert_int_eq(kafka_error_find(kafka_error_name(i), &code), 1);
		ck_assert_int_eq(code, i);
		ck_assert_uint_gt(strlen(kafka_error_text(i)), 5);
	}
	ck_assert_str_eq(kafka_error_name(6), "NOT_LEADER_OR_FOLLOWER");
	ck_assert_str_eq(kafka_error_name(KAFKA_STORAGE_ERROR), "KAFKA_STORAGE_ERROR");
	ck_assert_int_eq(KAFKA_VOTER_NOT_FOUND, 127);
	ck_assert_int_eq(KAFKA_UNKNOWN_TOPIC_ID, 100);
	ck_assert_str_eq(kafka_error_name(128), "UNKNOWN");
	ck_assert_str_eq(kafka_error_name(-2), "UNKNOWN");
	ck_assert(kafka_error_is_retriable(KAFKA_NOT_CONTROLLER));
	ck_assert(!kafka_error_is_retriable(KAFKA_NONE));
	ck_assert(!kafka_error_find("NONSENSE", &code));
}
END_TEST

UNIT_MAIN("proto/frame", header_versions_follow_the_rules, request_headers_round_trip,
	  a_flexible_header_keeps_the_old_client_id_and_skips_tags,
	  unknown_keys_and_versions_are_told_and_api_versions_is_read_up_to_the_client_id,
	  frames_carry_their_size_and_what_lies_outside, apis_are_found_by_key_and_name, error_codes_have_names_and_no_gaps)
