/*
 * Our codec beside Kafka's own (test/golden): every version of every message is decoded to the values that Kafka says are in
 * it, and encoded to the same bytes again.
 *
 *     line -> base64 -> message_decode -> struct -> message_encode -> the same bytes
 *                  JSON of Kafka <- compared field by field -> struct, by walking the schema's table
 */
#include "common/memory.h"
#include "proto/api.h"
#include "proto/frame.h"
#include "test/lib/golden.h"
#include "test/lib/unit.h"

#include <ctype.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* A line of test/golden/messages and what belongs to it. */
struct golden {
	const struct message_schema *schema;
	const char *variant;
	const char *text; /* of the JSON */
	struct slice bytes;
	int version;
	bool record;
};

static struct arena arena;
static char where[512]; /* schema, version, variant: for messages */

#define FAIL(...) ck_abort_msg(__VA_ARGS__)

/* Kafka's partitionMaxBytes is our partition_max_bytes; one name of theirs begins a word in mid-word. */
static const char *our_name(const char *theirs)
{
	char *ours = arena_alloc(&arena, 2 * strlen(theirs) + 1), *at = ours;

	if (strcmp(theirs, "isKRaftController") == 0)
		return "is_kraft_controller";
	for (const char *c = theirs; *c; c++) {
		if (isupper((unsigned char)*c) && c != theirs)
			*at++ = '_';
		*at++ = (char)tolower((unsigned char)*c);
	}
	*at = 0;
	return ours;
}

static int64_t integer_at(enum field_kind kind, const void *at)
{
	switch (kind) {
	case FIELD_BOOL:
		return *(const bool *)at;
	case FIELD_I8:
		return *(const int8_t *)at;
	case FIELD_I16:
		return *(const int16_t *)at;
	case FIELD_U16:
		return *(const uint16_t *)at;
	case FIELD_I32:
		return *(const int32_t *)at;
	case FIELD_U32:
		return *(const uint32_t *)at;
	default:
		ck_assert_int_eq(kind, FIELD_I64);
		return *(const int64_t *)at;
	}
}

static size_t element_size(const struct message_field *field)
{
	static const size_t sizes[FIELD_KINDS] = {[FIELD_BOOL] = sizeof(bool),
						  [FIELD_I8] = 1,
						  [FIELD_I16] = 2,
						  [FIELD_I32] = 4,
						  [FIELD_I64] = 8,
						  [FIELD_U16] = 2,
						  [FIELD_U32] = 4,
						  [FIELD_F64] = 8,
						  [FIELD_UUID] = sizeof(struct uuid),
						  [FIELD_STRING] = sizeof(struct slice),
						  [FIELD_BYTES] = sizeof(struct slice),
						  [FIELD_RECORDS] = sizeof(struct records)};

	return field->kind == FIELD_STRUCT ? field->sub->size : sizes[field->kind];
}

static void compare_struct(const struct message_struct *type, int version, const json_t *theirs, const void *ours);

static void compare_slice(const struct message_field *field, const json_t *theirs, struct slice ours)
{
	struct slice expected = SLICE_NULL;

	if (!json_is_null(theirs)) {
		ck_assert_msg(json_is_string(theirs), "%s: %s is no text in Kafka's JSON", where, field->name);
		expected = slice_of_text(json_string_value(theirs));
		if (field->kind != FIELD_STRING)
			expected = golden_base64(&arena, json_string_value(theirs));
	}
	if (!slice_equal(ours, expected))
		FAIL("%s: %s is \"%.*s\"%s", where, field->name, SLICE_ARGS(ours), ours.data ? "" : " (null)");
}

static void compare_uuid(const struct message_field *field, const json_t *theirs, const struct uuid *ours)
{
	char text[UUID_TEXT_LEN + 1];

	uuid_format(ours, text);
	if (!json_is_string(theirs) || strcmp(json_string_value(theirs), text) != 0)
		FAIL("%s: %s is %s", where, field->name, text);
}

static void compare_number(const struct message_field *field, const json_t *theirs, const void *at)
{
	int64_t ours, expected = json_is_boolean(theirs) ? json_is_true(theirs) : json_integer_value(theirs);

	if (field->kind == FIELD_F64) {
		if (json_number_value(theirs) < *(const double *)at || json_number_value(theirs) > *(const double *)at)
			FAIL("%s: %s is %g", where, field->name, *(const double *)at);
		return;
	}
	ours = integer_at(field->kind, at);
	ck_assert_msg(json_is_boolean(theirs) == (field->kind == FIELD_BOOL), "%s: %s has another type", where, field->name);
	ck_assert_msg(json_is_boolean(theirs) || json_is_integer(theirs), "%s: %s is no number", where, field->name);
	if (ours != expected)
		FAIL("%s: %s is %lld, not %lld", where, field->name, (long long)ours, (long long)expected);
}

/* One value, or one element of an array. */
static void compare_value(const struct message_field *field, int version, const json_t *theirs, const void *at)
{
	bool pointer = field->kind == FIELD_STRUCT && !field->array && field->null_since <= field->null_until;

	switch (field->kind) {
	case FIELD_STRUCT:
		if (pointer)
			at = *(const void *const *)at;
		ck_assert_msg((at == NULL) == json_is_null(theirs), "%s: null of %s", where, field->name);
		if (at)
			compare_struct(field->sub, version, theirs, at);
		return;
	case FIELD_STRING:
	case FIELD_BYTES:
		compare_slice(field, theirs, *(const struct slice *)at);
		return;
	case FIELD_RECORDS:
		compare_slice(field, theirs, ((const struct records *)at)->bytes);
		return;
	case FIELD_UUID:
		compare_uuid(field, theirs, at);
		return;
	default:
		compare_number(field, theirs, at);
	}
}

static void compare_array(const struct message_field *field, int version, const json_t *theirs, const char *base)
{
	int32_t n = *(const int32_t *)(const void *)(base + field->n_offset);
	const char *elements = *(const char *const *)(const void *)(base + field->offset);

	if (json_is_null(theirs)) {
		ck_assert_msg(n == -1, "%s: %s has %d elements, not null", where, field->name, n);
		return;
	}
	ck_assert_msg(json_is_array(theirs) && json_array_size(theirs) == (size_t)n, "%s: %s has %d elements", where,
		      field->name, n);
	for (int32_t i = 0; i < n; i++)
		compare_value(field, version, json_array_get(theirs, (size_t)i), elements + (size_t)i * element_size(field));
}

static const struct message_field *field_named(const struct message_struct *type, int version, const char *name)
{
	for (int i = 0; i < type->n_fields + type->n_tagged; i++) {
		const struct message_field *field = &type->fields[i];

		if (strcmp(field->name, name) == 0 && version >= field->since && version <= field->until)
			return field;
	}
	FAIL("%s: %s has no field %s", where, type->name, name);
}

static void compare_struct(const struct message_struct *type, int version, const json_t *theirs, const void *ours)
{
	const json_t *value;
	const char *key;
	int n_plain = 0;

	json_object_foreach((json_t *)(uintptr_t)theirs, key, value)
	{
		const struct message_field *field = field_named(type, version, our_name(key));
		const char *base = ours;

		if (field->array)
			compare_array(field, version, value, base);
		else
			compare_value(field, version, value, base + field->offset);
		n_plain += field->tag < 0;
	}
	/* Kafka leaves out tagged fields at their defaults, and no others: none of ours may be left over. */
	for (int i = 0; i < type->n_fields; i++)
		n_plain -= version >= type->fields[i].since && version <= type->fields[i].until;
	ck_assert_msg(n_plain == 0, "%s: %s has %d fields that Kafka does not have", where, type->name, -n_plain);
}

static void *decode(const struct golden *golden)
{
	void *message = arena_zalloc(&arena, 1, golden->schema->root->size);
	struct error err = {0};
	struct wire_reader in;
	int r, version = golden->version;

	wire_reader_init(&in, golden->bytes);
	if (golden->record) {
		r = message_decode_record(golden->schema, golden->bytes, &arena, &version, message, &err);
	} else {
		r = message_decode(golden->schema, version, &in, &arena, message, &err);
		ck_assert_msg(r != 0 || wire_left(&in) == 0, "%s: %zu bytes are left", where, wire_left(&in));
	}
	ck_assert_msg(r == 0, "%s: decoding fails: %s", where, err.text);
	ck_assert_int_eq(version, golden->version);
	return message;
}

static void expect_bytes(const struct golden *golden, const void *message)
{
	struct buf *buf = buf_new(64);
	struct wire_writer out;
	int r;

	wire_writer_init(&out, buf);
	if (golden->record)
		r = message_encode_record(golden->schema, golden->version, message, &out);
	else
		r = message_encode(golden->schema, golden->version, message, &out, NULL);
	ck_assert_msg(r == 0, "%s: encoding fails (%d)", where, r);
	ck_assert_msg(slice_equal(buf_slice(buf), golden->bytes), "%s: encoded to %zu other bytes instead of %zu", where,
		      buf->len, golden->bytes.len);
	buf_release(buf);
}

static const struct message_schema *record_named(const char *name)
{
	for (int i = 0; i < api_record_count(); i++)
		if (strcmp(api_record_at(i)->name, name) == 0)
			return api_record_at(i);
	FAIL("no schema %s", name);
}

/* The schema that a file and a direction mean. */
static const struct message_schema *schema_of(const char *name, const char *direction)
{
	const struct api *api;

	if (strcmp(direction, "record") == 0)
		return record_named(name);
	api = api_find_name(name);
	ck_assert_msg(api != NULL, "no schema %s", name);
	return strcmp(direction, "request") == 0 ? api->request : api->response;
}

static struct golden parse(const char *name, struct slice line)
{
	const char *direction = golden_word(&arena, &line);
	struct golden golden = {.schema = schema_of(name, direction), .record = strcmp(direction, "record") == 0};

	golden.version = atoi(golden_word(&arena, &line));
	golden.variant = golden_word(&arena, &line);
	golden.bytes = golden_base64(&arena, golden_word(&arena, &line));
	golden.text = (const char *)arena_copy(&arena, line).data;
	snprintf(where, sizeof where, "%s v%d %s", golden.schema->name, golden.version, golden.variant);
	return golden;
}

/* Calls check for every line of a file. */
static void each_line(const char *name, void (*check)(const struct golden *))
{
	struct arena file_arena;
	struct slice text, line;

	arena_init(&file_arena);
	text = golden_file(&file_arena, arena_printf(&file_arena, "messages/%s.txt", name));
	while (!slice_is_null(line = golden_line(&text))) {
		struct golden golden;

		arena_init(&arena);
		golden = parse(name, line);
		check(&golden);
		arena_fini(&arena);
	}
	arena_fini(&file_arena);
}

static void each_message(void (*check)(const struct golden *))
{
	for (int i = 0; i < api_count(); i++)
		each_line(api_at(i)->name, check);
	for (int i = 0; i < api_record_count(); i++)
		each_line(api_record_at(i)->name, check);
}

static void check_values(const struct golden *golden)
{
	json_error_t error;
	json_t *theirs = json_loads(golden->text, 0, &error);

	ck_assert_msg(theirs != NULL, "%s: %s", where, error.text);
	compare_struct(golden->schema->root, golden->version, theirs, decode(golden));
	json_decref(theirs);
}

START_TEST(decoded_values_are_those_that_kafka_wrote)
{
	each_message(check_values);
}
END_TEST

static void check_bytes(const struct golden *golden)
{
	expect_bytes(golden, decode(golden));
}

START_TEST(what_was_decoded_is_encoded_to_the_same_bytes)
{
	each_message(check_bytes);
}
END_TEST

/* Our dump beside Kafka's JSON. Record batches are dumped as their size only. */
static void compare_dump(const json_t *theirs, const json_t *ours)
{
	json_t *value;
	const char *key;
	size_t i;

	ck_assert_msg(ours != NULL, "%s: a value is missing in the dump", where);
	if (json_is_object(theirs)) {
		json_object_foreach((json_t *)(uintptr_t)theirs, key, value)
		{
			if (strcmp(key, "records") != 0)
				compare_dump(value, json_object_get(ours, our_name(key)));
		}
	} else if (json_is_array(theirs)) {
		ck_assert_uint_eq(json_array_size(theirs), json_array_size(ours));
		json_array_foreach(theirs, i, value) compare_dump(value, json_array_get(ours, i));
	} else if (json_is_real(theirs)) {
		ck_assert_double_eq(json_real_value(theirs), json_number_value(ours));
	} else {
		ck_assert_msg(json_equal(theirs, ours), "%s: dumped %s, not %s", where, json_dumps(ours, JSON_ENCODE_ANY),
			      json_dumps(theirs, JSON_ENCODE_ANY));
	}
}

static void check_dump(const struct golden *golden)
{
	json_t *theirs = json_loads(golden->text, 0, NULL), *ours;
	json_error_t error;
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	message_dump_json(golden->schema, golden->version, decode(golden), out);
	fclose(out);
	ours = json_loads(text, JSON_REJECT_DUPLICATES, &error);
	ck_assert_msg(ours != NULL, "%s: the dump is no JSON: %s: %s", where, error.text, text);
	compare_dump(theirs, ours);
	json_decref(ours);
	json_decref(theirs);
	free(text);
}

START_TEST(dumps_say_what_kafkas_own_json_says)
{
	each_message(check_dump);
}
END_TEST

static int n_defaults;

static void check_defaults(const struct golden *golden)
{
	void *message = arena_alloc(&arena, golden->schema->root->size);

	if (strcmp(golden->variant, "defaults") != 0)
		return;
	message_init(golden->schema, message);
	expect_bytes(golden, message);
	n_defaults++;
}

START_TEST(our_defaults_are_those_of_kafka)
{
	each_message(check_defaults);
	ck_assert_int_gt(n_defaults, 400);
}
END_TEST

static void check_cut(const struct golden *golden)
{
	void *message = arena_alloc(&arena, golden->schema->root->size);

	if (golden->record || strcmp(golden->variant, "full") != 0)
		return;
	for (size_t len = 0; len < golden->bytes.len; len++) {
		uint8_t *copy = memory_alloc(len + 1); /* of its own, so that a sanitizer sees a read far beyond the end */
		struct wire_reader in;

		memcpy(copy, golden->bytes.data, len);
		wire_reader_init(&in, slice_of(copy, len));
		ck_assert_msg(message_decode(golden->schema, golden->version, &in, &arena, message, NULL) != 0,
			      "%s: %zu of %zu bytes are taken for a message", where, len, golden->bytes.len);
		free(copy);
	}
}

START_TEST(a_message_cut_anywhere_is_refused)
{
	each_message(check_cut);
}
END_TEST

/* Bit v: version v of the schema at hand has been seen, as a record or request, as a response. */
static uint32_t seen[2];

static void note_version(const struct golden *golden)
{
	size_t len = strlen(golden->schema->name);
	bool response = !golden->record && strcmp(golden->schema->name + len - strlen("Response"), "Response") == 0;

	seen[response] |= (uint32_t)1 << golden->version;
}

static uint32_t bits(int since, int until)
{
	return (uint32_t)((((uint64_t)1 << (until + 1)) - 1) & ~(((uint64_t)1 << since) - 1));
}

START_TEST(every_version_has_golden_bytes)
{
	for (int i = 0; i < api_count(); i++) {
		const struct api *api = api_at(i);

		seen[0] = seen[1] = 0;
		each_line(api->name, note_version);
		ck_assert_msg(seen[0] == bits(api->since, api->until) && seen[1] == seen[0], "versions of %s", api->name);
	}
	for (int i = 0; i < api_record_count(); i++) {
		const struct message_schema *schema = api_record_at(i);

		seen[0] = 0;
		each_line(schema->name, note_version);
		ck_assert_msg(seen[0] == bits(schema->since, schema->until), "versions of %s", schema->name);
	}
}
END_TEST

START_TEST(the_table_of_apis_is_that_of_a_broker_in_zookeeper_mode)
{
	struct slice text, line;
	int n = 0;

	arena_init(&arena);
	text = golden_file(&arena, "api_versions.txt");
	for (; !slice_is_null(line = golden_line(&text)); n++) {
		const struct api *api = api_find(atoi(golden_word(&arena, &line)));

		ck_assert_ptr_nonnull(api);
		ck_assert_str_eq(api->name, golden_word(&arena, &line));
		ck_assert_int_eq(api->since, atoi(golden_word(&arena, &line)));
		ck_assert_int_eq(api->until, atoi(golden_word(&arena, &line)));
	}
	ck_assert_int_eq(n, api_count());
	arena_fini(&arena);
}
END_TEST

static void check_rule(struct slice line)
{
	int key = atoi(golden_word(&arena, &line)), version = atoi(golden_word(&arena, &line));
	int request = atoi(golden_word(&arena, &line)), response = atoi(golden_word(&arena, &line));

	ck_assert_msg(frame_request_header_version(key, version) == request, "request header of key %d v%d", key, version);
	ck_assert_msg(frame_response_header_version(key, version) == response, "response header of key %d v%d", key, version);
}

static struct slice client_id_of(const char *word)
{
	if (strcmp(word, "-") == 0)
		return SLICE_NULL;
	return slice_of_text(strcmp(word, "=") == 0 ? "" : word);
}

static void check_request_header(struct slice line)
{
	int header_version = atoi(golden_word(&arena, &line));
	struct request_header header = {.api_key = (int16_t)atoi(golden_word(&arena, &line)),
					.api_version = (int16_t)atoi(golden_word(&arena, &line)),
					.correlation_id = (int32_t)strtol(golden_word(&arena, &line), NULL, 10),
					.client_id = client_id_of(golden_word(&arena, &line))};
	struct slice bytes = golden_base64(&arena, golden_word(&arena, &line));
	struct buf *buf = buf_new(64);
	struct request_header decoded;
	struct wire_writer out;
	struct wire_reader in;

	wire_writer_init(&out, buf);
	request_header_encode(&header, &out);
	ck_assert(slice_equal(buf_slice(buf), bytes));
	wire_reader_init(&in, bytes);
	ck_assert_int_eq(request_header_decode(&in, &decoded), 0);
	ck_assert_uint_eq(wire_left(&in), 0);
	ck_assert_int_eq(decoded.api_key, header.api_key);
	ck_assert_int_eq(decoded.api_version, header.api_version);
	ck_assert_int_eq(decoded.correlation_id, header.correlation_id);
	ck_assert(slice_equal(decoded.client_id, header_version == 0 ? SLICE_NULL : header.client_id));
	ck_assert(decoded.api == api_find(header.api_key) && decoded.known_version);
	buf_release(buf);
}

static void check_response_header(struct slice line)
{
	int key, version;
	int32_t correlation_id, decoded;
	struct buf *buf = buf_new(64);
	struct wire_writer out;
	struct wire_reader in;
	struct slice bytes;

	golden_word(&arena, &line);
	key = atoi(golden_word(&arena, &line));
	version = atoi(golden_word(&arena, &line));
	correlation_id = (int32_t)strtol(golden_word(&arena, &line), NULL, 10);
	bytes = golden_base64(&arena, golden_word(&arena, &line));
	wire_writer_init(&out, buf);
	response_header_encode(key, version, correlation_id, &out);
	ck_assert(slice_equal(buf_slice(buf), bytes));
	wire_reader_init(&in, bytes);
	ck_assert_int_eq(response_header_decode(key, version, &in, &decoded), 0);
	ck_assert_uint_eq(wire_left(&in), 0);
	ck_assert_int_eq(decoded, correlation_id);
	buf_release(buf);
}

START_TEST(headers_are_those_of_kafka)
{
	struct slice text, line;

	arena_init(&arena);
	text = golden_file(&arena, "headers.txt");
	while (!slice_is_null(line = golden_line(&text))) {
		const char *kind = golden_word(&arena, &line);

		snprintf(where, sizeof where, "%s header", kind);
		if (strcmp(kind, "rule") == 0)
			check_rule(line);
		else if (strcmp(kind, "request") == 0)
			check_request_header(line);
		else
			check_response_header(line);
	}
	arena_fini(&arena);
}
END_TEST

UNIT_MAIN("proto/golden", decoded_values_are_those_that_kafka_wrote, what_was_decoded_is_encoded_to_the_same_bytes,
	  dumps_say_what_kafkas_own_json_says, our_defaults_are_those_of_kafka, a_message_cut_anywhere_is_refused,
	  every_version_has_golden_bytes, the_table_of_apis_is_that_of_a_broker_in_zookeeper_mode, headers_are_those_of_kafka)
