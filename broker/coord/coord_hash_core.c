/* Java's string hash over UTF-8; see coord_hash_core.h. */
#include "broker/coord/coord_hash_core.h"

#define REPLACEMENT 0xfffd

static bool is_in(uint8_t byte, uint8_t first, uint8_t last)
{
	return byte >= first && byte <= last;
}

/* How many bytes follow a first byte; -1: none begins a character. */
static int n_following(uint8_t first)
{
	if (first < 0x80)
		return 0;
	if (is_in(first, 0xc2, 0xdf))
		return 1;
	if (is_in(first, 0xe0, 0xef))
		return 2;
	return is_in(first, 0xf0, 0xf4) ? 3 : -1;
}

/* Whether a byte may stand behind the first one: overlong forms and what is above the last code point end there. */
static bool may_be_second(uint8_t first, uint8_t byte)
{
	if (first == 0xe0)
		return is_in(byte, 0xa0, 0xbf);
	if (first == 0xf0)
		return is_in(byte, 0x90, 0xbf);
	if (first == 0xf4)
		return is_in(byte, 0x80, 0x8f);
	return is_in(byte, 0x80, 0xbf);
}

/* Takes one character, or one piece that is none, off the front. */
static uint32_t take(struct slice *rest)
{
	uint8_t first = rest->data[0];
	int n = n_following(first), i = 0;
	uint32_t code = n > 0 ? first & (0x3fu >> n) : first;

	while (i < n && (size_t)i + 1 < rest->len) {
		uint8_t byte = rest->data[i + 1];

		if (i == 0 ? !may_be_second(first, byte) : !is_in(byte, 0x80, 0xbf))
			break;
		code = code << 6 | (byte & 0x3fu);
		i++;
	}
	*rest = slice_of(rest->data + i + 1, rest->len - (size_t)i - 1);
	if (i != n || (code >= 0xd800 && code <= 0xdfff))
		return REPLACEMENT;
	return code;
}

int32_t coord_hash(struct slice id)
{
	uint32_t hash = 0;

	while (id.len) {
		uint32_t code = take(&id);

		if (code > 0xffff) {
			hash = hash * 31 + (0xd800 + ((code - 0x10000) >> 10));
			code = 0xdc00 + ((code - 0x10000) & 0x3ff);
		}
		hash = hash * 31 + code;
	}
	return (int32_t)hash;
}

int32_t coord_hash_partition(struct slice id, int32_t n_partitions)
{
	int32_t hash = coord_hash(id);

	if (hash == INT32_MIN)
		return 0;
	return (hash < 0 ? -hash : hash) % n_partitions;
}
