/* The rarer varints: three bytes and more, and those at the end of their range; see varint.h. */
#include "proto/record/varint.h"

const uint8_t *varint_read_rest(const uint8_t *at, const uint8_t *end, int bytes_max, uint64_t *ret_value)
{
	uint64_t value = 0;
	int shift = 0;

	for (int i = 0; i < bytes_max && at < end; i++, shift += 7) {
		uint8_t byte = *at++;

		value |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80) {
			*ret_value = value;
			return at;
		}
	}
	return NULL;
}
