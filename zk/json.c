/* Reading and writing of znode JSON; see json.h. */
#include "zk/json.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Reading ---- */

int json_fail(const struct json_reader *reader, const char *format, ...)
{
	char what[256];
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof what, format, args);
	va_end(args);
	return error_set(reader->err, ERR_CORRUPT, "znode %s: %s", reader->path, what);
}

int json_reader_open(struct json_reader *reader, struct arena *arena, const char *path, struct slice json, struct error *err)
{
	json_error_t wrong;

	*reader = (struct json_reader){arena, path, err, NULL};
	if (json.len == 0)
		return json_fail(reader, "is empty");
	reader->root = json_loadb((const char *)json.data, json.len, 0, &wrong);
	if (!reader->root)
		return json_fail(reader, "is no JSON: %s at byte %d", wrong.text, wrong.position);
	if (!json_is_object(reader->root)) {
		json_reader_close(reader);
		return json_fail(reader, "is no JSON object");
	}
	return 0;
}

void json_reader_close(struct json_reader *reader)
{
	json_decref(reader->root);
	reader->root = NULL;
}

json_t *json_member(const json_t *object, const char *key)
{
	json_t *value = json_object_get(object, key);

	return json_is_null(value) ? NULL : value;
}

/* A number, or a text that is one and nothing else. */
static bool value_as_i64(const json_t *value, int64_t *ret_value)
{
	const char *text = json_string_value(value);
	char *end;
	size_t len;

	if (json_is_integer(value)) {
		*ret_value = (int64_t)json_integer_value(value);
		return true;
	}
	if (!text)
		return false;
	len = json_string_length(value);
	if (len == 0 || len > 19 || strspn(text, "-0123456789") != len)
		return false;
	*ret_value = strtoll(text, &end, 10);
	return *end == '\0' && end != text;
}

static int check_i64(const struct json_reader *reader, const json_t *value, const char *key, int64_t min, int64_t max,
		     int64_t *ret_value)
{
	int64_t number;

	if (!value_as_i64(value, &number))
		return json_fail(reader, "\"%s\" is no number", key);
	if (number < min || number > max)
		return json_fail(reader, "\"%s\" is %lld, outside of %lld to %lld", key, (long long)number, (long long)min,
				 (long long)max);
	*ret_value = number;
	return 0;
}

int json_need_i64(const struct json_reader *reader, const json_t *object, const char *key, int64_t min, int64_t max,
		  int64_t *ret_value)
{
	const json_t *value = json_member(object, key);

	if (!value)
		return json_fail(reader, "\"%s\" is missing", key);
	return check_i64(reader, value, key, min, max, ret_value);
}

int json_want_i64(const struct json_reader *reader, const json_t *object, const char *key, int64_t min, int64_t max,
		  int64_t fallback, int64_t *ret_value)
{
	const json_t *value = json_member(object, key);

	if (value)
		return check_i64(reader, value, key, min, max, ret_value);
	*ret_value = fallback;
	return 0;
}

int json_need_i32(const struct json_reader *reader, const json_t *object, const char *key, int32_t min, int32_t *ret_value)
{
	int64_t value = 0;
	int rc = json_need_i64(reader, object, key, min, INT32_MAX, &value);

	if (rc == 0)
		*ret_value = (int32_t)value;
	return rc;
}

int json_want_i32(const struct json_reader *reader, const json_t *object, const char *key, int32_t min, int32_t fallback,
		  int32_t *ret_value)
{
	int64_t value = 0;
	int rc = json_want_i64(reader, object, key, min, INT32_MAX, fallback, &value);

	if (rc == 0)
		*ret_value = (int32_t)value;
	return rc;
}

struct slice json_text(const struct json_reader *reader, const json_t *value)
{
	if (!json_is_string(value))
		return SLICE_NULL;
	return arena_copy(reader->arena, slice_of(json_string_value(value), json_string_length(value)));
}

int json_want_text(const struct json_reader *reader, const json_t *object, const char *key, struct slice *ret_text)
{
	const json_t *value = json_member(object, key);

	if (value && !json_is_string(value))
		return json_fail(reader, "\"%s\" is no text", key);
	*ret_text = json_text(reader, value);
	return 0;
}

int json_need_text(const struct json_reader *reader, const json_t *object, const char *key, struct slice *ret_text)
{
	if (!json_member(object, key))
		return json_fail(reader, "\"%s\" is missing", key);
	return json_want_text(reader, object, key, ret_text);
}

json_t *json_want_sort(const struct json_reader *reader, const json_t *object, const char *key, json_type sort, int *ret_rc)
{
	json_t *value = json_member(object, key);

	*ret_rc = 0;
	if (!value || json_typeof(value) == sort)
		return value;
	*ret_rc = json_fail(reader, "\"%s\" is no %s", key, sort == JSON_ARRAY ? "array" : "object");
	return NULL;
}

static bool ids_contain(const int32_t *ids, size_t n, int32_t id)
{
	for (size_t i = 0; i < n; i++)
		if (ids[i] == id)
			return true;
	return false;
}

int json_ids(const struct json_reader *reader, const json_t *array, const char *what, int32_t **ret_ids, int32_t *ret_n)
{
	size_t n = json_array_size(array);
	int32_t *ids;

	if (!json_is_array(array))
		return json_fail(reader, "%s is no array", what);
	if (n > JSON_IDS_MAX)
		return json_fail(reader, "%s has %zu members, more than %d", what, n, JSON_IDS_MAX);
	ids = arena_alloc(reader->arena, n * sizeof *ids);
	for (size_t i = 0; i < n; i++) {
		const json_t *value = json_array_get(array, i);
		int64_t id = json_is_integer(value) ? (int64_t)json_integer_value(value) : -1;

		if (id < 0 || id > INT32_MAX)
			return json_fail(reader, "%s holds something that is no broker id", what);
		if (ids_contain(ids, i, (int32_t)id))
			return json_fail(reader, "%s names broker %d twice", what, (int32_t)id);
		ids[i] = (int32_t)id;
	}
	*ret_ids = ids;
	*ret_n = (int32_t)n;
	return 0;
}

/* ---- Writing ---- */

void json_writer_init(struct json_writer *writer, struct arena *arena, size_t expected)
{
	writer->arena = arena;
	writer->cap = expected;
	writer->data = arena_alloc(arena, expected);
	writer->len = 0;
}

static void put(struct json_writer *writer, const char *bytes, size_t len)
{
	if (writer->cap - writer->len < len) {
		size_t cap = (writer->cap + len) * 2;
		char *data = arena_alloc(writer->arena, cap);

		memcpy(data, writer->data, writer->len);
		writer->data = data;
		writer->cap = cap;
	}
	memcpy(writer->data + writer->len, bytes, len);
	writer->len += len;
}

void json_put_raw(struct json_writer *writer, const char *text)
{
	put(writer, text, strlen(text));
}

static void put_escaped(struct json_writer *writer, uint8_t c)
{
	static const char shorts[] = "\"\"\\\\\bb\tt\nn\ff\rr";
	char text[8];

	for (size_t i = 0; i < sizeof shorts - 1; i += 2) {
		if ((uint8_t)shorts[i] != c)
			continue;
		text[0] = '\\';
		text[1] = shorts[i + 1];
		put(writer, text, 2);
		return;
	}
	snprintf(text, sizeof text, "\\u%04X", c);
	put(writer, text, 6);
}

void json_put_text(struct json_writer *writer, struct slice text)
{
	const char *bytes = (const char *)text.data;
	size_t begin = 0;

	if (!text.data) {
		json_put_raw(writer, "null");
		return;
	}
	put(writer, "\"", 1);
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.data[i];

		if (c >= ' ' && c != '"' && c != '\\')
			continue;
		put(writer, bytes + begin, i - begin);
		put_escaped(writer, c);
		begin = i + 1;
	}
	put(writer, bytes + begin, text.len - begin);
	put(writer, "\"", 1);
}

void json_put_i64(struct json_writer *writer, int64_t value)
{
	char text[24];
	char *at = text + sizeof text;
	uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;

	do
		*--at = (char)('0' + rest % 10);
	while ((rest /= 10) > 0);
	if (value < 0)
		*--at = '-';
	put(writer, at, (size_t)(text + sizeof text - at));
}

void json_put_ids(struct json_writer *writer, const int32_t *ids, int32_t n)
{
	put(writer, "[", 1);
	for (int32_t i = 0; i < n; i++) {
		if (i > 0)
			put(writer, ",", 1);
		json_put_i64(writer, ids[i]);
	}
	put(writer, "]", 1);
}

struct slice json_writer_end(const struct json_writer *writer)
{
	return slice_of(writer->data, writer->len);
}

/* ---- The JVM's order ---- */

struct hashed_key {
	uint32_t bucket;
	int32_t hash; /* 0 where ties stay */
	int32_t index;
};

static int hashed_key_compare(const void *left, const void *right)
{
	const struct hashed_key *a = left;
	const struct hashed_key *b = right;

	if (a->bucket != b->bucket)
		return a->bucket < b->bucket ? -1 : 1;
	if (a->hash != b->hash)
		return a->hash < b->hash ? -1 : 1;
	return a->index < b->index ? -1 : a->index > b->index;
}

/* String.hashCode, spread as both tables do it. For ASCII, which is what keys are. */
static uint32_t jvm_hash(struct slice key)
{
	uint32_t hash = 0;

	for (size_t i = 0; i < key.len; i++)
		hash = hash * 31 + key.data[i];
	return hash ^ hash >> 16;
}

void json_jvm_order(struct arena *arena, const struct slice *keys, int32_t n, uint32_t n_buckets, bool ties_by_hash,
		    int32_t **ret_order)
{
	struct hashed_key *hashed = arena_alloc(arena, (size_t)n * sizeof *hashed);
	int32_t *order = arena_alloc(arena, (size_t)n * sizeof *order);

	for (int32_t i = 0; i < n; i++) {
		uint32_t hash = jvm_hash(keys[i]);

		hashed[i] = (struct hashed_key){hash & (n_buckets - 1), ties_by_hash ? (int32_t)hash : 0, i};
	}
	qsort(hashed, (size_t)n, sizeof *hashed, hashed_key_compare);
	for (int32_t i = 0; i < n; i++)
		order[i] = hashed[i].index;
	*ret_order = order;
}
