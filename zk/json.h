/*
 * What the znode codecs (json_*.c) share: a reader over jansson whose complaints name the znode and the key, and a writer of
 * Kafka's JSON text (no blanks, Jackson's escapes).
 *
 * Reading: by name, unknown keys ignored, null as good as absent. Every number has bounds. Texts and arrays lie in the arena.
 */
#ifndef KLAMM_ZK_JSON_H
#define KLAMM_ZK_JSON_H

#include "common/arena.h"
#include "common/error.h"
#include "common/slice.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* More members than any assignment or ISR can sensibly have. */
#define JSON_IDS_MAX 1024

struct json_reader {
	struct arena *arena;
	const char *path;
	struct error *err;
	json_t *root; /* an object */
};

/* ERR_CORRUPT when it is no JSON object. After success json_reader_close. */
int json_reader_open(struct json_reader *reader, struct arena *arena, const char *path, struct slice json, struct error *err);
void json_reader_close(struct json_reader *reader);

/* Fills err: "znode PATH: ..."; returns ERR_CORRUPT. */
int json_fail(const struct json_reader *reader, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A member of an object; NULL when absent or null. */
json_t *json_member(const json_t *object, const char *key);

/* The number at key within [min, max]; also as a text of digits, as Kafka writes some. */
int json_need_i64(const struct json_reader *reader, const json_t *object, const char *key, int64_t min, int64_t max,
		  int64_t *ret_value);
int json_need_i32(const struct json_reader *reader, const json_t *object, const char *key, int32_t min, int32_t *ret_value);

/* The same; absent: the fallback. */
int json_want_i64(const struct json_reader *reader, const json_t *object, const char *key, int64_t min, int64_t max,
		  int64_t fallback, int64_t *ret_value);
int json_want_i32(const struct json_reader *reader, const json_t *object, const char *key, int32_t min, int32_t fallback,
		  int32_t *ret_value);

/* A text; json_want_text gives null when absent. */
int json_need_text(const struct json_reader *reader, const json_t *object, const char *key, struct slice *ret_text);
int json_want_text(const struct json_reader *reader, const json_t *object, const char *key, struct slice *ret_text);

/* The text of a value that is one, in the arena; null otherwise. */
struct slice json_text(const struct json_reader *reader, const json_t *value);

/* An array or object of a sort; NULL with *ret_rc 0 when absent, with ERR_CORRUPT when it is of another sort. */
json_t *json_want_sort(const struct json_reader *reader, const json_t *object, const char *key, json_type sort, int *ret_rc);

/* An array of distinct numbers >= 0 (broker ids); `what` is for the complaint. */
int json_ids(const struct json_reader *reader, const json_t *array, const char *what, int32_t **ret_ids, int32_t *ret_n);

struct json_writer {
	struct arena *arena;
	char *data;
	size_t len, cap;
};

void json_writer_init(struct json_writer *writer, struct arena *arena, size_t expected);
void json_put_raw(struct json_writer *writer, const char *text);
/* In quotes and escaped; null for a null slice. */
void json_put_text(struct json_writer *writer, struct slice text);
void json_put_i64(struct json_writer *writer, int64_t value);
void json_put_ids(struct json_writer *writer, const int32_t *ids, int32_t n);
struct slice json_writer_end(const struct json_writer *writer);

/*
 * The order in which a hash table of the JVM walks its keys: ret_order[k] is the index of the k-th key. Tables have n_buckets
 * (a power of two); ties go by hash (Scala's mutable map) or stay (java.util.concurrent).
 */
void json_jvm_order(struct arena *arena, const struct slice *keys, int32_t n, uint32_t n_buckets, bool ties_by_hash,
		    int32_t **ret_order);

#endif
