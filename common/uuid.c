/* Identifiers; see uuid.h. */
#include "common/uuid.h"

#include "common/check.h"

#include <openssl/rand.h>
#include <stdio.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

struct uuid uuid_random(void)
{
	struct uuid uuid;

	do {
		CHECK(RAND_bytes(uuid.bytes, sizeof uuid.bytes) == 1);
		uuid.bytes[6] = (uint8_t)((uuid.bytes[6] & 0x0f) | 0x40);
		uuid.bytes[8] = (uint8_t)((uuid.bytes[8] & 0x3f) | 0x80);
		/* A leading '-' (first six bits 62) would read as an option on command lines. */
	} while (uuid.bytes[0] >> 2 == 62);
	return uuid;
}

bool uuid_is_zero(const struct uuid *uuid)
{
	return uuid_equal(uuid, &UUID_ZERO);
}

bool uuid_equal(const struct uuid *a, const struct uuid *b)
{
	return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

void uuid_format(const struct uuid *uuid, char ret_text[UUID_TEXT_LEN + 1])
{
	for (size_t i = 0; i < UUID_TEXT_LEN; i++) {
		size_t bit = i * 6;
		unsigned pair = (unsigned)uuid->bytes[bit / 8] << 8;

		if (bit / 8 + 1 < sizeof uuid->bytes)
			pair |= uuid->bytes[bit / 8 + 1];
		ret_text[i] = alphabet[pair >> (10 - bit % 8) & 63];
	}
	ret_text[UUID_TEXT_LEN] = 0;
}

void uuid_format_hex(const struct uuid *uuid, char ret_text[33])
{
	for (size_t i = 0; i < sizeof uuid->bytes; i++)
		snprintf(ret_text + 2 * i, 3, "%02x", uuid->bytes[i]);
}

static int digit_of(uint8_t c)
{
	const char *at = c ? strchr(alphabet, c) : NULL;

	return at ? (int)(at - alphabet) : -1;
}

bool uuid_parse(struct slice text, struct uuid *ret_uuid)
{
	struct uuid uuid;
	unsigned bits = 0, n_bits = 0;
	size_t out = 0;

	if (text.len != UUID_TEXT_LEN)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		int digit = digit_of(text.data[i]);

		if (digit < 0)
			return false;
		bits = (bits << 6 | (unsigned)digit) & 0xfff;
		n_bits += 6;
		if (n_bits >= 8 && out < sizeof uuid.bytes) {
			n_bits -= 8;
			uuid.bytes[out++] = (uint8_t)(bits >> n_bits);
		}
	}
	*ret_uuid = uuid;
	return true;
}
