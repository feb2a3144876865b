/* Decoding, encoding, checking and dumping of messages, over all schemas and versions. */
#include "test/lib/unit.h"

#include "common/limits.h"
#include "common/memory.h"
#include "proto/api.h"
#include "proto/kafka/fetch.gen.h"
#include "proto/kafka/group_metadata_value.gen.h"
#include "proto/kafka/metadata.gen.h"
#include "proto/kafka/produce.gen.h"
#include "test/lib/message_random.h"

#include <jansson.h>
#include <stdlib.h>

#define SEEDS 12

/* Calls the function for each schema and version. */
static void for_all(void (*run)(const struct message_schema *, int))
{
	const struct message_schema *schema;

	for (int i = 0; i < api_count() * 2 + api_record_count(); i++) {
		if (i < api_count() * 2)
			schema = i & 1 ? api_at(i / 2)->response : api_at(i / 2)->request;
		else
			schema = api_record_at(i - api_count() * 2);
		for (int version = schema->since; version <= schema->until; version++)
			run(schema, version);
	}
}

static struct buf *encoded(const struct message_schema *schema, int version, const void *message)
{
	struct buf *buf = buf_new(16);
	struct wire_writer out;

	wire_writer_init(&out, buf);
	ck_assert_int_eq(message_encode(schema, version, message, &out, NULL), 0);
	return buf;
}

static int decoded(const struct message_schema *schema, int version, struct slice bytes, struct arena *arena, void *ret_message,
		   size_t *ret_left, struct error *err)
{
	struct wire_reader in;
	int r;

	wire_reader_init(&in, bytes);
	r = message_decode(schema, version, &in, arena, ret_message, err);
	*ret_left = wire_left(&in);
	return r;
}

static char *json_of(const struct message_schema *schema, int version, const void *message)
{
	char *text;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	message_dump_json(schema, version, message, out);
	fclose(out);
	return text;
}

static void check_round_trip(const struct message_schema *schema, int version, uint64_t seed)
{
	struct arena arena;
	struct message_random random;
	struct error err = {0};
	void *message, *again;
	struct buf *buf, *buf_again;
	size_t left;
	char *json, *json_again;
	json_error_t json_error;
	json_t *parsed;

	arena_init(&arena);
	message_random_init(&random, seed, &arena);
	message = arena_zalloc(&arena, 1, schema->root->size);
	again = arena_zalloc(&arena, 1, schema->root->size);
	message_random_fill(&random, schema, version, message);
	ck_assert_msg(message_check(schema, version, message, &err) == 0, "%s", err.text);
	buf = encoded(schema, version, message);
	ck_assert_msg(decoded(schema, version, buf_slice(buf), &arena, again, &left, &err) == 0, "seed %d: %s", (int)seed,
		      err.text);
	ck_assert_uint_eq(left, 0);
	ck_assert_msg(message_equal(schema, version, message, again), "%s version %d, seed %d", schema->name, version,
		      (int)seed);
	buf_again = encoded(schema, version, again);
	ck_assert_uint_eq(buf->len, buf_again->len);
	ck_assert(memcmp(buf->data, buf_again->data, buf->len) == 0);
	json = json_of(schema, version, message);
	json_again = json_of(schema, version, again);
	ck_assert_str_eq(json, json_again);
	parsed = json_loads(json, JSON_ALLOW_NUL, &json_error);
	ck_assert_msg(parsed != NULL, "%s: %s", json_error.text, json);
	json_decref(parsed);
	free(json);
	free(json_again);
	buf_release(buf);
	buf_release(buf_again);
	arena_fini(&arena);
}

static void round_trips(const struct message_schema *schema, int version)
{
	for (uint64_t seed = 0; seed < SEEDS; seed++)
		check_round_trip(schema, version, seed);
}

START_TEST(random_messages_of_every_version_round_trip)
{
	for_all(round_trips);
}
END_TEST

/* Every strict beginning of a message is refused, and no change of a byte does harm. */
static void damages(const struct message_schema *schema, int version)
{
	struct arena arena, decode_arena;
	struct message_random random;
	void *message, *again;
	struct buf *buf;
	size_t left;

	arena_init(&arena);
	message_random_init(&random, 4711, &arena);
	message = arena_zalloc(&arena, 1, schema->root->size);
	again = arena_zalloc(&arena, 1, schema->root->size);
	message_random_fill(&random, schema, version, message);
	buf = encoded(schema, version, message);
	for (size_t len = 0; len < buf->len; len++) {
		/* A copy of its own, so that a sanitizer sees a read beyond it. */
		uint8_t *copy = memory_alloc(len + 1);
		struct error err = {0};

		memcpy(copy, buf->data, len);
		copy = memory_grow(copy, len ? len : 1);
		arena_init(&decode_arena);
		ck_assert_int_lt(decoded(schema, version, slice_of(copy, len), &decode_arena, again, &left, &err), 0);
		ck_assert_ptr_nonnull(strstr(err.text, schema->name));
		arena_fini(&decode_arena);
		buf->data[len] ^= (uint8_t)(1 << (len % 8));
		arena_init(&decode_arena);
		decoded(schema, version, buf_slice(buf), &decode_arena, again, &left, &err);
		ck_assert_uint_le(decode_arena.total, 2 * (buf->len * LIMIT_DECODE_FACTOR + LIMIT_DECODE_BASE_BYTES));
		arena_fini(&decode_arena);
		buf->data[len] ^= (uint8_t)(1 << (len % 8));
		free(copy);
	}
	buf_release(buf);
	arena_fini(&arena);
}

START_TEST(cut_and_damaged_messages_of_every_version_are_refused_or_read)
{
	for_all(damages);
}
END_TEST

static void defaults_round_trip(const struct message_schema *schema, int version)
{
	struct arena arena;
	void *message, *again;
	struct buf *buf;
	size_t left;

	arena_init(&arena);
	message = arena_alloc(&arena, schema->root->size);
	again = arena_alloc(&arena, schema->root->size);
	message_init(schema, message);
	buf = encoded(schema, version, message);
	ck_assert_int_eq(decoded(schema, version, buf_slice(buf), &arena, again, &left, NULL), 0);
	ck_assert_uint_eq(left, 0);
	ck_assert_uint_ge(buf->len + 1, schema->root->bytes_min[version - schema->since]);
	buf_release(buf);
	arena_fini(&arena);
}

START_TEST(defaults_of_every_version_round_trip)
{
	for_all(defaults_round_trip);
}
END_TEST

/* Decodes bytes as a message that must be refused with this code; gives the text of the error. */
static const char *refused(const struct message_schema *schema, int version, struct slice bytes, int code)
{
	static struct error err;
	struct arena arena;
	size_t left;
	void *message = memory_zalloc(1, schema->root->size);

	arena_init(&arena);
	ck_assert_int_eq(decoded(schema, version, bytes, &arena, message, &left, &err), code);
	ck_assert_uint_le(arena.total, 8192);
	arena_fini(&arena);
	free(message);
	return err.text;
}

#define REFUSED(schema, version, code, ...)                                                                                    \
	refused(schema, version, slice_of((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})), code)

START_TEST(counts_beyond_the_bytes_cost_no_memory)
{
	const char *text = REFUSED(&metadata_request_schema, 0, ERR_TRUNCATED, 0x7f, 0xff, 0xff, 0xff, 0, 0);

	ck_assert_str_eq(text, "MetadataRequest version 0: topics: more elements than the message has bytes for (byte 4)");
	REFUSED(&metadata_request_schema, 9, ERR_TRUNCATED, 0xff, 0xff, 0xff, 0xff, 0x07, 0, 0, 0, 0);
	REFUSED(&metadata_request_schema, 9, ERR_INVALID, 0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0, 0, 0);
	REFUSED(&metadata_request_schema, 0, ERR_INVALID, 0xff, 0xff, 0xff, 0xfe);
	/* Three topics of at least two bytes each do not fit five bytes. */
	REFUSED(&metadata_request_schema, 0, ERR_TRUNCATED, 0, 0, 0, 3, 0, 0, 0, 0, 0);
}
END_TEST

START_TEST(memory_is_bounded_by_the_frame)
{
	/* 100,000 empty topics: one byte of name and one of tags each, 48 bytes of struct. */
	size_t n = 100000;
	uint8_t *bytes = memory_zalloc(1, 8 + n * 2);
	struct buf *buf = buf_new(16);
	struct wire_writer out;
	struct arena arena;
	struct error err = {0};
	struct metadata_request request;
	size_t left;

	wire_writer_init(&out, buf);
	wire_put_len_compact(&out, (int64_t)n);
	for (size_t i = 0; i < n; i++)
		wire_put_raw(&out, "\1\0", 2);
	wire_put_raw(&out, bytes, 4);
	arena_init(&arena);
	ck_assert_int_eq(decoded(&metadata_request_schema, 9, buf_slice(buf), &arena, &request, &left, &err), ERR_TOO_LARGE);
	ck_assert_uint_eq(arena.total, 0);
	ck_assert_ptr_nonnull(strstr(err.text, "topics: needs more memory than the frame grants"));
	arena_fini(&arena);
	buf_release(buf);
	free(bytes);
}
END_TEST

START_TEST(nulls_are_refused_where_the_schema_has_none)
{
	const char *text = REFUSED(&metadata_request_schema, 0, ERR_INVALID, 0, 0, 0, 2, 0, 1, 'a', 0xff, 0xff);

	ck_assert_str_eq(text, "MetadataRequest version 0: topics[1].name: null is not allowed (byte 9)");
	REFUSED(&metadata_request_schema, 0, ERR_INVALID, 0xff, 0xff, 0xff, 0xff);
	REFUSED(&metadata_request_schema, 0, ERR_INVALID, 0, 0, 0, 1, 0xff, 0xfe);
	REFUSED(&metadata_request_schema, 9, ERR_INVALID, 2, 0, 0, 1, 0, 0, 0);
}
END_TEST

START_TEST(tags_ascend_have_their_size_and_unknown_ones_are_skipped)
{
	const uint8_t good[] = {1, 1, 0, 0, 1, 77, 2, 'x', 'y'};
	struct metadata_request request;
	struct arena arena;
	size_t left;

	arena_init(&arena);
	ck_assert_int_eq(decoded(&metadata_request_schema, 9, slice_of(good, sizeof good), &arena, &request, &left, NULL), 0);
	ck_assert_uint_eq(left, 0);
	ck_assert(request.allow_auto_topic_creation);
	arena_fini(&arena);
	REFUSED(&metadata_request_schema, 9, ERR_INVALID, 1, 1, 0, 0, 2, 77, 0, 77, 0);
	REFUSED(&metadata_request_schema, 9, ERR_INVALID, 1, 1, 0, 0, 2, 77, 0, 76, 0);
	REFUSED(&metadata_request_schema, 9, ERR_TRUNCATED, 1, 1, 0, 0, 1, 77, 9, 'x');
	/* Tag 0 of Fetch is a string: one byte shorter than its size, and one longer. */
#define FETCH_START 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1
	REFUSED(&fetch_request_schema, 16, ERR_INVALID, FETCH_START, 1, 0, 3, 2, 'a', 0);
	REFUSED(&fetch_request_schema, 16, ERR_TRUNCATED, FETCH_START, 1, 0, 2, 3, 'a', 'b');
}
END_TEST

START_TEST(what_a_version_lacks_is_left_out_and_told_by_the_check)
{
	struct fetch_request request = fetch_request_default, again;
	struct error err = {0};
	struct arena arena;
	struct buf *buf;
	size_t left;

	arena_init(&arena);
	request.replica_id = 5;
	request.max_bytes = 100;
	request.rack_id = SLICE_LITERAL("r");
	buf = encoded(&fetch_request_schema, 0, &request);
	ck_assert_int_eq(decoded(&fetch_request_schema, 0, buf_slice(buf), &arena, &again, &left, NULL), 0);
	ck_assert_int_eq(again.replica_id, 5);
	ck_assert_int_eq(again.max_bytes, INT32_MAX);
	ck_assert_int_eq(again.session_epoch, -1);
	ck_assert_int_eq(message_check(&fetch_request_schema, 0, &request, &err), 0);
	ck_assert_int_eq(message_check(&fetch_request_schema, 15, &request, &err), ERR_INVALID);
	ck_assert_str_eq(err.text, "FetchRequest: replica_id is set, but version 15 has no such field");
	buf_release(buf);
	arena_fini(&arena);
}
END_TEST

START_TEST(null_is_written_as_empty_where_the_version_has_no_null)
{
	struct metadata_response response = metadata_response_default, again;
	struct error err = {0};
	struct arena arena;
	struct buf *buf;
	size_t left;

	arena_init(&arena);
	response.n_topics = 1;
	response.topics = message_array(&arena, &metadata_response_topic_struct, 1);
	response.topics[0].name = SLICE_NULL;
	response.topics[0].n_partitions = -1;
	ck_assert_int_eq(message_check(&metadata_response_schema, 11, &response, &err), ERR_INVALID);
	ck_assert_str_eq(err.text, "MetadataResponse: topics[0]: name is null, which version 11 does not allow");
	buf = encoded(&metadata_response_schema, 11, &response);
	ck_assert_int_eq(decoded(&metadata_response_schema, 11, buf_slice(buf), &arena, &again, &left, NULL), 0);
	ck_assert(slice_is_text(again.topics[0].name, ""));
	ck_assert_int_eq(again.topics[0].n_partitions, 0);
	buf_release(buf);
	buf = encoded(&metadata_response_schema, 12, &response);
	ck_assert_int_eq(decoded(&metadata_response_schema, 12, buf_slice(buf), &arena, &again, &left, NULL), 0);
	ck_assert(slice_is_null(again.topics[0].name));
	buf_release(buf);
	arena_fini(&arena);
}
END_TEST

struct noted {
	size_t pos[2];
	const struct records *records[2];
	int n;
};

static void note_external(void *ctx, size_t pos, const struct records *records)
{
	struct noted *noted = ctx;

	noted->pos[noted->n] = pos;
	noted->records[noted->n++] = records;
}

START_TEST(external_records_are_reported_where_their_bytes_belong)
{
	struct noted noted = {0};
	struct records_hook hook = {.external = note_external, .ctx = &noted};
	struct fetch_response response = fetch_response_default;
	struct fetch_response_partition *partitions;
	struct wire_writer out;
	struct arena arena;
	struct buf *whole, *holes = buf_new(16);
	uint8_t *at;

	arena_init(&arena);
	response.n_responses = 1;
	response.responses = message_array(&arena, &fetch_response_topic_struct, 1);
	response.responses[0].n_partitions = 2;
	partitions = message_array(&arena, &fetch_response_partition_struct, 2);
	response.responses[0].partitions = partitions;
	partitions[0].records.bytes = SLICE_LITERAL("abc");
	partitions[1].records.bytes = SLICE_LITERAL("de");
	whole = encoded(&fetch_response_schema, 17, &response);
	for (int i = 0; i < 2; i++) {
		partitions[i].records.size = (int64_t)partitions[i].records.bytes.len;
		partitions[i].records.external = &arena;
	}
	wire_writer_init(&out, holes);
	ck_assert_int_eq(message_encode(&fetch_response_schema, 17, &response, &out, &hook), 0);
	ck_assert_int_eq(noted.n, 2);
	ck_assert_int_eq(hook.total, 5);
	ck_assert_uint_eq(holes->len + 5, whole->len);
	/* Put together, both are the same. */
	at = whole->data;
	ck_assert_mem_eq(at, holes->data, noted.pos[0]);
	ck_assert_mem_eq(at + noted.pos[0], "abc", 3);
	ck_assert_mem_eq(at + noted.pos[0] + 3, holes->data + noted.pos[0], noted.pos[1] - noted.pos[0]);
	ck_assert_mem_eq(at + noted.pos[1] + 3, "de", 2);
	ck_assert_mem_eq(at + noted.pos[1] + 5, holes->data + noted.pos[1], holes->len - noted.pos[1]);
	ck_assert_ptr_eq(noted.records[1], &partitions[1].records);
	buf_release(whole);
	buf_release(holes);
	arena_fini(&arena);
}
END_TEST

START_TEST(long_tagged_fields_move_behind_their_size)
{
	struct produce_response response = produce_response_default, again;
	struct arena arena;
	struct buf *buf;
	size_t left;

	arena_init(&arena);
	response.n_node_endpoints = 3000;
	response.node_endpoints = message_array(&arena, &produce_response_node_endpoint_struct, 3000);
	for (int i = 0; i < 3000; i++) {
		response.node_endpoints[i].node_id = i;
		response.node_endpoints[i].host = SLICE_LITERAL("host.example.org");
	}
	buf = encoded(&produce_response_schema, 10, &response);
	ck_assert_int_eq(decoded(&produce_response_schema, 10, buf_slice(buf), &arena, &again, &left, NULL), 0);
	ck_assert(message_equal(&produce_response_schema, 10, &response, &again));
	buf_release(buf);
	arena_fini(&arena);
}
END_TEST

START_TEST(a_string_too_long_for_the_version_is_refused)
{
	struct produce_request request = produce_request_default;
	struct buf *buf = buf_new(16);
	struct wire_writer out;
	uint8_t *text = memory_zalloc(1, 40000);

	request.transactional_id = slice_of(text, 40000);
	wire_writer_init(&out, buf);
	ck_assert_int_eq(message_encode(&produce_request_schema, 8, &request, &out, NULL), ERR_TOO_LARGE);
	wire_writer_init(&out, buf);
	ck_assert_int_eq(message_encode(&produce_request_schema, 9, &request, &out, NULL), 0);
	free(text);
	buf_release(buf);
}
END_TEST

START_TEST(internal_records_begin_with_their_version)
{
	struct group_metadata_value value = group_metadata_value_default, again;
	struct buf *buf = buf_new(16);
	struct wire_writer out;
	struct arena arena;
	struct error err;
	int version = 0;

	arena_init(&arena);
	value.generation = 7;
	value.protocol_type = SLICE_LITERAL("consumer");
	wire_writer_init(&out, buf);
	ck_assert_int_eq(message_encode_record(&group_metadata_value_schema, 3, &value, &out), 0);
	ck_assert_int_eq(message_decode_record(&group_metadata_value_schema, buf_slice(buf), &arena, &version, &again, &err),
			 0);
	ck_assert_int_eq(version, 3);
	ck_assert_int_eq(again.generation, 7);
	buf->data[1] = 99;
	ck_assert_int_eq(message_decode_record(&group_metadata_value_schema, buf_slice(buf), &arena, &version, &again, &err),
			 ERR_UNSUPPORTED);
	ck_assert_int_eq(
		message_decode_record(&group_metadata_value_schema, SLICE_LITERAL("x"), &arena, &version, &again, &err),
		ERR_TRUNCATED);
	buf_release(buf);
	arena_fini(&arena);
}
END_TEST

START_TEST(dumps_are_readable)
{
	struct metadata_response response = metadata_response_default;
	struct arena arena;
	char *text, *json;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	arena_init(&arena);
	response.n_topics = 1;
	response.topics = message_array(&arena, &metadata_response_topic_struct, 1);
	response.topics[0].name = SLICE_LITERAL("a\"\xc3\xa4\xff\n");
	response.topics[0].error_code = 3;
	response.topics[0].n_partitions = 1;
	response.topics[0].partitions = message_array(&arena, &metadata_response_partition_struct, 1);
	response.topics[0].partitions[0].n_replica_nodes = 2;
	response.topics[0].partitions[0].replica_nodes = (int32_t[]){1, 2};
	message_dump(&metadata_response_schema, 1, &response, out);
	fclose(out);
	ck_assert_str_eq(text, "brokers: []\n"
			       "controller_id: -1\n"
			       "topics:\n"
			       "  - error_code: 3 (UNKNOWN_TOPIC_OR_PARTITION)\n"
			       "    name: \"a\\\"\xc3\xa4\\ufffd\\u000a\"\n"
			       "    is_internal: false\n"
			       "    partitions:\n"
			       "      - error_code: 0 (NONE)\n"
			       "        partition_index: 0\n"
			       "        leader_id: 0\n"
			       "        replica_nodes: [1, 2]\n"
			       "        isr_nodes: []\n");
	json = json_of(&metadata_response_schema, 1, &response);
	ck_assert_str_eq(
		json,
		"{\"brokers\":[],\"controller_id\":-1,\"topics\":[{\"error_code\":3,\"name\":\"a\\\"\xc3\xa4\\ufffd\\u000a\","
		"\"is_internal\":false,\"partitions\":[{\"error_code\":0,\"partition_index\":0,\"leader_id\":0,"
		"\"replica_nodes\":[1,2],\"isr_nodes\":[]}]}]}");
	free(text);
	free(json);
	arena_fini(&arena);
}
END_TEST

UNIT_MAIN("proto/message", random_messages_of_every_version_round_trip,
	  cut_and_damaged_messages_of_every_version_are_refused_or_read, defaults_of_every_version_round_trip,
	  counts_beyond_the_bytes_cost_no_memory, memory_is_bounded_by_the_frame, nulls_are_refused_where_the_schema_has_none,
	  tags_ascend_have_their_size_and_unknown_ones_are_skipped, what_a_version_lacks_is_left_out_and_told_by_the_check,
	  null_is_written_as_empty_where_the_version_has_no_null, external_records_are_reported_where_their_bytes_belong,
	  long_tagged_fields_move_behind_their_size, a_string_too_long_for_the_version_is_refused,
	  internal_records_begin_with_their_version, dumps_are_readable)
