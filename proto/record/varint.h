/*
 * Zig-zag varints of records: 7 bits a byte, low bits first, the sign in the lowest bit. Reading never goes past `end` and
 * refuses encodings that are longer than the type allows.
 */
#ifndef KLAMM_PROTO_RECORD_VARINT_H
#define KLAMM_PROTO_RECORD_VARINT_H

#include <stddef.h>
#include <stdint.h>

#define VARINT_BYTES_MAX 5
#define VARLONG_BYTES_MAX 10

/* Any varint, byte by byte; private to this header. NULL when it is cut short or longer than bytes_max. */
const uint8_t *varint_read_rest(const uint8_t *at, const uint8_t *end, int bytes_max, uint64_t *ret_value);

static inline int64_t varint_unzigzag(uint64_t value)
{
	return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
}

static inline uint64_t varint_zigzag(int64_t value)
{
	return ((uint64_t)value << 1) ^ (uint64_t)(value >> 63);
}

/* Reads a 64-bit varint: the position after it, or NULL when it is cut short or too long. */
static inline const uint8_t *varlong_read(const uint8_t *at, const uint8_t *end, int64_t *ret_value)
{
	uint64_t value;

	if (__builtin_expect(end - at >= 2, 1)) {
		if (at[0] < 0x80) {
			*ret_value = varint_unzigzag(at[0]);
			return at + 1;
		}
		if (at[1] < 0x80) {
			*ret_value = varint_unzigzag((uint64_t)(at[0] & 0x7f) | (uint64_t)at[1] << 7);
			return at + 2;
		}
	}
	at = varint_read_rest(at, end, VARLONG_BYTES_MAX, &value);
	if (at)
		*ret_value = varint_unzigzag(value);
	return at;
}

/* Reads a 32-bit varint. Of a fifth byte the bits beyond the 32nd are dropped, as Kafka's readers do. */
static inline const uint8_t *varint_read(const uint8_t *at, const uint8_t *end, int32_t *ret_value)
{
	uint64_t value;

	if (__builtin_expect(end - at >= 2, 1)) {
		if (at[0] < 0x80) {
			*ret_value = (int32_t)varint_unzigzag(at[0]);
			return at + 1;
		}
		if (at[1] < 0x80) {
			*ret_value = (int32_t)varint_unzigzag((uint64_t)(at[0] & 0x7f) | (uint64_t)at[1] << 7);
			return at + 2;
		}
	}
	at = varint_read_rest(at, end, VARINT_BYTES_MAX, &value);
	if (at)
		*ret_value = (int32_t)varint_unzigzag(value & UINT32_MAX);
	return at;
}

/* Writes a varint of either size: the position after it. Room for VARLONG_BYTES_MAX (or _INT_) bytes is the caller's care. */
static inline uint8_t *varint_write(uint8_t *at, int64_t value)
{
	uint64_t left = varint_zigzag(value);

	while (left >= 0x80) {
		*at++ = (uint8_t)(left | 0x80);
		left >>= 7;
	}
	*at++ = (uint8_t)left;
	return at;
}

/* Bytes that varint_write takes for the value. */
static inline size_t varint_size(int64_t value)
{
	uint64_t left = varint_zigzag(value);
	size_t n = 1;

	while (left >= 0x80) {
		left >>= 7;
		n++;
	}
	return n;
}

#endif
