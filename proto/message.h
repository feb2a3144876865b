/*
 * Kafka messages: one interpreter over the constant tables that kgen makes from proto/kafka/<name>.api.
 *
 *     struct fetch_request request;
 *     r = message_decode(&fetch_request_schema, version, &reader, &arena, &request, &err);
 *
 *     struct fetch_response response = fetch_response_default;
 *     r = message_encode(&fetch_response_schema, version, &response, &writer, NULL);
 *
 * Shapes in C: string and bytes are `struct slice` (data NULL = null); an array is `T *x; int32_t n_x;` (n_x -1 = null);
 * a struct within a struct is embedded, a nullable one is a pointer (NULL = null); records are `struct records`.
 * Every struct x has a constant x_default with the schema's defaults: start from it when filling one in.
 * The language of the schemas is described in README.md beside this file.
 */
#ifndef KLAMM_PROTO_MESSAGE_H
#define KLAMM_PROTO_MESSAGE_H

#include "common/arena.h"
#include "common/error.h"
#include "common/slice.h"
#include "common/uuid.h"
#include "proto/wire.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/*
 * Record batches in a message. Decoded: `bytes` is a view into the frame and `size` its length; external is NULL.
 * To encode bytes: set `bytes` (size is not looked at). To encode what lies elsewhere (a file range): set `external` to
 * anything but NULL and `size`; the encoder writes the length and tells the hook where the bytes belong. Both NULL = null.
 */
struct records {
	struct slice bytes;
	void *external;
	int64_t size;
};

/*
 * Where the encoder reports external records: `pos` is the length of the output buffer at that moment, counted in the bytes of
 * the buffer alone; what is reported goes between that byte and the next one, in the order of the calls.
 */
struct records_hook {
	void (*external)(void *ctx, size_t pos, const struct records *records);
	void *ctx;
	int64_t total; /* sum of the sizes reported so far; the caller sets 0 */
};

enum field_kind {
	FIELD_BOOL,
	FIELD_I8,
	FIELD_I16,
	FIELD_I32,
	FIELD_I64,
	FIELD_U16,
	FIELD_U32,
	FIELD_F64,
	FIELD_UUID,
	FIELD_STRING,
	FIELD_BYTES,
	FIELD_RECORDS,
	FIELD_STRUCT,
	FIELD_KINDS
};

/* What a number stands for, where a reader of a dump is helped by it. */
enum field_meaning { MEANING_NONE, MEANING_ERROR, MEANING_TIMESTAMP };

struct message_struct;

struct message_field {
	const char *name;
	const struct message_struct *sub; /* of FIELD_STRUCT, else NULL */
	uint8_t kind;                     /* enum field_kind, of the element for an array */
	bool array;
	bool lossy;                     /* may be left out silently where the version lacks it */
	uint8_t meaning;                /* enum field_meaning */
	int16_t since, until;           /* versions that have it */
	int16_t null_since, null_until; /* versions in which it may be null; since > until = none */
	int16_t tag;                    /* -1 = a plain field */
	uint16_t offset;                /* of the member in its struct */
	uint16_t n_offset;              /* of the count of an array */
	int32_t limit;                  /* most elements, or most bytes; 0 = only what the frame bounds */
};

/* Plain fields come first in the order of the wire, then tagged ones by tag. */
struct message_struct {
	const char *name;
	const struct message_field *fields;
	const void *defaults;      /* one object with all defaults */
	const uint16_t *bytes_min; /* smallest size on the wire, by version - first version of the schema; at least 1 */
	uint32_t size;
	uint16_t n_fields; /* plain ones */
	uint16_t n_tagged;
};

struct message_schema {
	const char *name; /* as Kafka spells it: "FetchRequest", "GroupMetadataValue" */
	const struct message_struct *root;
	int16_t since, until;   /* versions of the schema */
	int16_t flexible_since; /* first version with compact forms and tags; INT16_MAX = none */
};

static inline bool message_has_version(const struct message_schema *schema, int version)
{
	return version >= schema->since && version <= schema->until;
}

static inline bool message_is_flexible(const struct message_schema *schema, int version)
{
	return version >= schema->flexible_since;
}

/* Sets all members to the schema's defaults. */
void message_init(const struct message_schema *schema, void *ret_message);

/* n elements of a struct in the arena, each with its defaults; never NULL. n is bounded by the caller. */
void *message_array(struct arena *arena, const struct message_struct *type, size_t n);

/*
 * Reads one message of a version that the schema has (a CHECK otherwise). Strings, bytes and records are views into the bytes
 * of the reader, arrays lie in the arena; members that the version lacks get their defaults. Bytes behind the message are left
 * in the reader. All input is validated; the arena grows by at most LIMIT_DECODE_FACTOR times the bytes of the reader plus
 * LIMIT_DECODE_BASE_BYTES.
 * Returns 0, or ERR_TRUNCATED, ERR_INVALID, ERR_TOO_LARGE with err (NULL allowed) naming the field's path and the byte. On
 * failure ret_message is not defined.
 */
int message_decode(const struct message_schema *schema, int version, struct wire_reader *in, struct arena *arena,
		   void *ret_message, struct error *err);

/*
 * Appends one message. A member that the version lacks is left out; null where the version has no null is written as empty:
 * so handlers fill in one struct for all versions. `hook` is told of external records and may be NULL when there are none.
 * Returns 0 or ERR_TOO_LARGE (a string beyond 32767 bytes in an old version, a message beyond 2 GiB).
 */
int message_encode(const struct message_schema *schema, int version, const void *message, struct wire_writer *out,
		   struct records_hook *hook);

/*
 * Whether message_encode would keep everything: ERR_INVALID and the path in err when a member that is not at its default and
 * not lossy would be left out, or a null would be written as empty. For tests and for peers that must not lose anything.
 */
int message_check(const struct message_schema *schema, int version, const void *message, struct error *err);

/* The same for the internal records of Kafka's topics, whose bytes begin with the version as an i16. */
int message_decode_record(const struct message_schema *schema, struct slice bytes, struct arena *arena, int *ret_version,
			  void *ret_message, struct error *err);
int message_encode_record(const struct message_schema *schema, int version, const void *message, struct wire_writer *out);

/* Prints the members that the version has: indented lines for people, or one JSON object (no line end) with the same names. */
void message_dump(const struct message_schema *schema, int version, const void *message, FILE *out);
void message_dump_json(const struct message_schema *schema, int version, const void *message, FILE *out);

#endif
