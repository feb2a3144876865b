/* Primitive types of Kafka's protocol; see wire.h. */
#include "proto/wire.h"

#include "common/check.h"

void wire_fail(struct wire_reader *in, int code)
{
	if (!in->error) {
		in->error = code;
		in->fault_pos = wire_pos(in);
	}
	/* Nothing is left, so whatever is read next fails too. */
	in->end = in->at;
}

double wire_get_f64(struct wire_reader *in)
{
	int64_t bits = wire_get_i64(in);
	double value;

	memcpy(&value, &bits, sizeof value);
	return value;
}

/* At most `bits` bits in groups of seven, lowest first; the last byte may not carry bits beyond the type. */
static uint64_t get_groups(struct wire_reader *in, unsigned int bits)
{
	uint64_t value = 0;

	for (unsigned int shift = 0; shift < bits; shift += 7) {
		const uint8_t *at = wire_take(in, 1);
		uint64_t group;

		if (!at)
			return 0;
		group = *at & 0x7f;
		if (shift + 7 > bits && group >> (bits - shift) != 0)
			break;
		value |= group << shift;
		if (*at < 0x80)
			return value;
	}
	wire_fail(in, ERR_INVALID);
	return 0;
}

uint32_t wire_get_uvarint_slow(struct wire_reader *in)
{
	return (uint32_t)get_groups(in, 32);
}

uint64_t wire_get_uvarlong(struct wire_reader *in)
{
	return get_groups(in, 64);
}

static int32_t checked_len(struct wire_reader *in, int32_t len)
{
	if (len >= -1)
		return len;
	wire_fail(in, ERR_INVALID);
	return 0;
}

int32_t wire_get_len16(struct wire_reader *in)
{
	return checked_len(in, wire_get_i16(in));
}

int32_t wire_get_len32(struct wire_reader *in)
{
	return checked_len(in, wire_get_i32(in));
}

int32_t wire_get_len_compact(struct wire_reader *in)
{
	uint32_t value = wire_get_uvarint(in);

	if (in->error)
		return 0;
	return checked_len(in, (int32_t)(value - 1));
}

/* A compact length could say more, but no string of Kafka's is longer: no older version, and no record, could carry it. */
int32_t wire_get_len_string(struct wire_reader *in, bool flexible)
{
	int32_t len = flexible ? wire_get_len_compact(in) : wire_get_len16(in);

	if (len <= INT16_MAX)
		return len;
	wire_fail(in, ERR_INVALID);
	return 0;
}

static struct slice take_slice(struct wire_reader *in, int32_t len)
{
	const uint8_t *at;

	if (len < 0 || in->error)
		return SLICE_NULL;
	at = wire_take(in, (size_t)len);
	return at ? slice_of(at, (size_t)len) : SLICE_NULL;
}

struct slice wire_get_string(struct wire_reader *in, bool flexible)
{
	return take_slice(in, wire_get_len_string(in, flexible));
}

struct slice wire_get_bytes(struct wire_reader *in, bool flexible)
{
	return take_slice(in, flexible ? wire_get_len_compact(in) : wire_get_len32(in));
}

void wire_skip_tags(struct wire_reader *in)
{
	uint32_t count = wire_get_uvarint(in);
	int64_t before = -1;

	for (uint32_t i = 0; i < count && !in->error; i++) {
		uint32_t tag = wire_get_uvarint(in);
		uint32_t len = wire_get_uvarint(in);

		if (!in->error && (int64_t)tag <= before)
			wire_fail(in, ERR_INVALID);
		before = tag;
		wire_take(in, len);
	}
}

void wire_grow(struct wire_writer *out, size_t len)
{
	struct buf *buf = out->buf;
	size_t cap = buf->cap * 2;

	/* The caller of wire_put has no failure to handle, so too large a message goes on at the start of the buffer. */
	if (len > INT32_MAX || buf->len > INT32_MAX - len) {
		out->error = ERR_TOO_LARGE;
		buf->len = 0;
	}
	if (cap < buf->len + len)
		cap = buf->len + len;
	if (cap < 256)
		cap = 256;
	buf_reserve(buf, cap);
}

void wire_put_f64(struct wire_writer *out, double value)
{
	int64_t bits;

	memcpy(&bits, &value, sizeof bits);
	wire_put_i64(out, bits);
}

size_t wire_uvarlong_at(uint8_t *at, uint64_t value)
{
	size_t len = 0;

	while (value >= 0x80) {
		at[len++] = (uint8_t)(value | 0x80);
		value >>= 7;
	}
	at[len++] = (uint8_t)value;
	return len;
}

size_t wire_uvarint_at(uint8_t *at, uint32_t value)
{
	return wire_uvarlong_at(at, value);
}

size_t wire_uvarlong_len(uint64_t value)
{
	size_t len = 1;

	while (value >>= 7)
		len++;
	return len;
}

size_t wire_uvarint_len(uint32_t value)
{
	return wire_uvarlong_len(value);
}

void wire_put_uvarlong(struct wire_writer *out, uint64_t value)
{
	uint8_t *at = wire_put(out, WIRE_UVARLONG_BYTES_MAX);

	out->buf->len -= WIRE_UVARLONG_BYTES_MAX - wire_uvarlong_at(at, value);
}

void wire_put_uvarint(struct wire_writer *out, uint32_t value)
{
	if (value < 0x80)
		*wire_put(out, 1) = (uint8_t)value;
	else
		wire_put_uvarlong(out, value);
}

void wire_put_varint(struct wire_writer *out, int32_t value)
{
	wire_put_uvarint(out, wire_zigzag32(value));
}

void wire_put_varlong(struct wire_writer *out, int64_t value)
{
	wire_put_uvarlong(out, wire_zigzag64(value));
}

void wire_put_raw(struct wire_writer *out, const void *data, size_t len)
{
	if (len)
		memcpy(wire_put(out, len), data, len);
}

static bool len_fits(struct wire_writer *out, int64_t len, int64_t max)
{
	CHECK(len >= -1);
	if (len <= max)
		return true;
	out->error = ERR_TOO_LARGE;
	return false;
}

void wire_put_len16(struct wire_writer *out, int64_t len)
{
	wire_put_i16(out, len_fits(out, len, INT16_MAX) ? (int16_t)len : 0);
}

void wire_put_len32(struct wire_writer *out, int64_t len)
{
	wire_put_i32(out, len_fits(out, len, INT32_MAX) ? (int32_t)len : 0);
}

void wire_put_len_compact(struct wire_writer *out, int64_t len)
{
	wire_put_uvarint(out, len_fits(out, len, INT32_MAX - 1) ? (uint32_t)(len + 1) : 0);
}

void wire_put_string(struct wire_writer *out, struct slice value, bool flexible)
{
	int64_t len = value.data ? (int64_t)value.len : -1;

	if (flexible)
		wire_put_len_compact(out, len);
	else
		wire_put_len16(out, len);
	if (!out->error)
		wire_put_raw(out, value.data, value.len);
}

void wire_put_bytes(struct wire_writer *out, struct slice value, bool flexible)
{
	int64_t len = value.data ? (int64_t)value.len : -1;

	if (flexible)
		wire_put_len_compact(out, len);
	else
		wire_put_len32(out, len);
	if (!out->error)
		wire_put_raw(out, value.data, value.len);
}
