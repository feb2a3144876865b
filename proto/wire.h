/*
 * Readers and writers of the primitive types of Kafka's protocol (reference: the protocol guide, "Protocol Primitive Types").
 *
 * A reader fails sticky: after the first fault every read gives 0 (or null) and `error` keeps what happened first and
 * `fault_pos` where, so that callers check once, after several reads. Slices that it gives are views into its bytes.
 * A writer appends to a counted buffer and makes it grow; it fails sticky too, for values that the format cannot carry.
 * Neither is for use by two threads at once.
 */
#ifndef KLAMM_PROTO_WIRE_H
#define KLAMM_PROTO_WIRE_H

#include "common/buf.h"
#include "common/bytes.h"
#include "common/error.h"
#include "common/slice.h"
#include "common/uuid.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WIRE_UVARINT_BYTES_MAX 5
#define WIRE_UVARLONG_BYTES_MAX 10

struct wire_reader {
	const uint8_t *start;
	const uint8_t *at;
	const uint8_t *end;
	int error;        /* 0, or the negative code of the first fault */
	size_t fault_pos; /* byte position of the first fault */
};

static inline void wire_reader_init(struct wire_reader *in, struct slice bytes)
{
	/* Null is read like empty; a pointer that is not NULL keeps empty strings apart from null ones. */
	const uint8_t *data = bytes.data ? bytes.data : (const uint8_t *)"";

	*in = (struct wire_reader){.start = data, .at = data, .end = data + bytes.len};
}

static inline size_t wire_left(const struct wire_reader *in)
{
	return (size_t)(in->end - in->at);
}

static inline size_t wire_pos(const struct wire_reader *in)
{
	return (size_t)(in->at - in->start);
}

/* Notes the first fault and makes every later read fail: code is a negative value of common/error.h. */
void wire_fail(struct wire_reader *in, int code);

/* The next len bytes, or NULL (and a fault) when there are fewer. */
static inline const uint8_t *wire_take(struct wire_reader *in, size_t len)
{
	const uint8_t *at = in->at;

	if (__builtin_expect(wire_left(in) < len, 0)) {
		wire_fail(in, ERR_TRUNCATED);
		return NULL;
	}
	in->at = at + len;
	return at;
}

static inline int8_t wire_get_i8(struct wire_reader *in)
{
	const uint8_t *at = wire_take(in, 1);

	return at ? (int8_t)*at : 0;
}

static inline bool wire_get_bool(struct wire_reader *in)
{
	return wire_get_i8(in) != 0;
}

static inline int16_t wire_get_i16(struct wire_reader *in)
{
	const uint8_t *at = wire_take(in, 2);

	return at ? bytes_get_i16(at) : 0;
}

static inline uint16_t wire_get_u16(struct wire_reader *in)
{
	return (uint16_t)wire_get_i16(in);
}

static inline int32_t wire_get_i32(struct wire_reader *in)
{
	const uint8_t *at = wire_take(in, 4);

	return at ? bytes_get_i32(at) : 0;
}

static inline uint32_t wire_get_u32(struct wire_reader *in)
{
	return (uint32_t)wire_get_i32(in);
}

static inline int64_t wire_get_i64(struct wire_reader *in)
{
	const uint8_t *at = wire_take(in, 8);

	return at ? bytes_get_i64(at) : 0;
}

static inline struct uuid wire_get_uuid(struct wire_reader *in)
{
	struct uuid uuid = UUID_ZERO;
	const uint8_t *at = wire_take(in, sizeof uuid.bytes);

	if (at)
		memcpy(uuid.bytes, at, sizeof uuid.bytes);
	return uuid;
}

double wire_get_f64(struct wire_reader *in);

/* Unsigned varints of at most 5 (32 bit) and 10 (64 bit) bytes; bits beyond the type are a fault (ERR_INVALID). */
uint32_t wire_get_uvarint_slow(struct wire_reader *in);
uint64_t wire_get_uvarlong(struct wire_reader *in);

static inline uint32_t wire_get_uvarint(struct wire_reader *in)
{
	if (__builtin_expect(in->at < in->end && *in->at < 0x80, 1))
		return *in->at++;
	return wire_get_uvarint_slow(in);
}

/* Zigzag varints, as records within a batch carry them. */
static inline int32_t wire_get_varint(struct wire_reader *in)
{
	uint32_t value = wire_get_uvarint(in);

	return (int32_t)((value >> 1) ^ (0 - (value & 1)));
}

static inline int64_t wire_get_varlong(struct wire_reader *in)
{
	uint64_t value = wire_get_uvarlong(in);

	return (int64_t)((value >> 1) ^ (0 - (value & 1)));
}

/*
 * The length in front of a string, of bytes or of an array: -1 for null, else 0 or more. A length below -1 and one that is
 * larger than INT32_MAX is a fault (then 0 is returned). `flexible` says whether the compact form (N + 1 as a varint) is used.
 */
int32_t wire_get_len16(struct wire_reader *in);
int32_t wire_get_len32(struct wire_reader *in);
int32_t wire_get_len_compact(struct wire_reader *in);
int32_t wire_get_len_string(struct wire_reader *in, bool flexible);

/* Strings (at most 32767 bytes, also where a longer length could be written) and bytes with their length; null where the wire says null. */
struct slice wire_get_string(struct wire_reader *in, bool flexible);
struct slice wire_get_bytes(struct wire_reader *in, bool flexible);

/* Skips a section of tagged fields (their order is checked). */
void wire_skip_tags(struct wire_reader *in);

struct wire_writer {
	struct buf *buf; /* the caller's; bytes are put behind buf->len. No other holder while the writer is in use */
	int error;       /* 0, or the negative code of the first fault; bytes put afterwards are not defined */
};

static inline void wire_writer_init(struct wire_writer *out, struct buf *buf)
{
	*out = (struct wire_writer){.buf = buf};
}

/* Makes room for len more bytes. */
void wire_grow(struct wire_writer *out, size_t len);

/* len bytes to be set by the caller at once: the next put may move them. */
static inline uint8_t *wire_put(struct wire_writer *out, size_t len)
{
	struct buf *buf = out->buf;
	uint8_t *at;

	if (__builtin_expect(buf->cap - buf->len < len, 0))
		wire_grow(out, len);
	at = buf->data + buf->len;
	buf->len += len;
	return at;
}

static inline void wire_put_i8(struct wire_writer *out, int8_t value)
{
	*wire_put(out, 1) = (uint8_t)value;
}

static inline void wire_put_bool(struct wire_writer *out, bool value)
{
	*wire_put(out, 1) = value;
}

static inline void wire_put_i16(struct wire_writer *out, int16_t value)
{
	bytes_put_i16(wire_put(out, 2), value);
}

static inline void wire_put_i32(struct wire_writer *out, int32_t value)
{
	bytes_put_i32(wire_put(out, 4), value);
}

static inline void wire_put_i64(struct wire_writer *out, int64_t value)
{
	bytes_put_i64(wire_put(out, 8), value);
}

static inline void wire_put_uuid(struct wire_writer *out, struct uuid value)
{
	memcpy(wire_put(out, sizeof value.bytes), value.bytes, sizeof value.bytes);
}

void wire_put_f64(struct wire_writer *out, double value);

/* Writes a varint at `at` (with room for the longest) and returns its length. */
size_t wire_uvarint_at(uint8_t *at, uint32_t value);
size_t wire_uvarlong_at(uint8_t *at, uint64_t value);

/* Bytes that a varint takes. */
size_t wire_uvarint_len(uint32_t value);
size_t wire_uvarlong_len(uint64_t value);

static inline uint32_t wire_zigzag32(int32_t value)
{
	return ((uint32_t)value << 1) ^ (uint32_t)(value >> 31);
}

static inline uint64_t wire_zigzag64(int64_t value)
{
	return ((uint64_t)value << 1) ^ (uint64_t)(value >> 63);
}

void wire_put_uvarint(struct wire_writer *out, uint32_t value);
void wire_put_uvarlong(struct wire_writer *out, uint64_t value);
void wire_put_varint(struct wire_writer *out, int32_t value);
void wire_put_varlong(struct wire_writer *out, int64_t value);

/* The bytes as they are, without a length. */
void wire_put_raw(struct wire_writer *out, const void *data, size_t len);

/* A length in front of something (-1 = null), in the form that the wire_get_len functions read. Too large a one is a fault. */
void wire_put_len16(struct wire_writer *out, int64_t len);
void wire_put_len32(struct wire_writer *out, int64_t len);
void wire_put_len_compact(struct wire_writer *out, int64_t len);

/* Strings and bytes with their length; null slices become null. */
void wire_put_string(struct wire_writer *out, struct slice value, bool flexible);
void wire_put_bytes(struct wire_writer *out, struct slice value, bool flexible);

#endif
