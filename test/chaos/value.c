/*
 * Values written and read; see value.h.
 */
#include "test/chaos/value.h"

#include "common/crc32c.h"

#include <string.h>

#define MAGIC 0x484c4b56u

struct layout {
	uint32_t magic, run;
	uint16_t producer, topic;
	uint32_t partition;
	uint64_t sequence, random;
	uint32_t len;
} __attribute__((packed));

/* Letters, so that codecs find something to do. */
static void fill(uint8_t *bytes, size_t len, uint64_t random)
{
	for (size_t i = 0; i < len; i++) {
		random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		bytes[i] = (uint8_t)('a' + (random >> 60));
	}
}

size_t value_write(const struct value *value, size_t len_max, uint8_t *ret_bytes)
{
	struct layout layout = {MAGIC, value->run, value->producer, value->topic, value->partition, value->sequence, value->random, 0};
	size_t len = VALUE_BYTES_MIN + (len_max > VALUE_BYTES_MIN ? value->random % (len_max - VALUE_BYTES_MIN + 1) : 0);
	uint32_t crc;

	layout.len = (uint32_t)len;
	memcpy(ret_bytes, &layout, sizeof layout);
	fill(ret_bytes + sizeof layout, len - sizeof layout - sizeof crc, value->random);
	crc = crc32c(ret_bytes, len - sizeof crc);
	memcpy(ret_bytes + len - sizeof crc, &crc, sizeof crc);
	return len;
}

bool value_read(const void *bytes, size_t len, struct value *ret_value)
{
	struct layout layout;
	uint32_t crc;

	if (!bytes || len < VALUE_BYTES_MIN || len > VALUE_BYTES_MAX)
		return false;
	memcpy(&layout, bytes, sizeof layout);
	memcpy(&crc, (const uint8_t *)bytes + len - sizeof crc, sizeof crc);
	if (layout.magic != MAGIC || layout.len != len || crc != crc32c(bytes, len - sizeof crc))
		return false;
	*ret_value = (struct value){layout.run, layout.partition, layout.producer, layout.topic, layout.sequence, layout.random};
	return true;
}
