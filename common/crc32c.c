/* CRC-32C by isa-l where it is there, else eight bits at a time by table; see crc32c.h. */
#include "config.h"

#include "common/crc32c.h"

#ifdef HAVE_ISAL

#include <isa-l.h>
#include <limits.h>

uint32_t crc32c_extend(uint32_t crc, const void *data, size_t len)
{
	unsigned char *at = (unsigned char *)(uintptr_t)data;

	/* The library counts bytes in an int and wants the register before the final complement. */
	crc = ~crc;
	while (len > 0) {
		int step = len > INT_MAX ? INT_MAX : (int)len;

		crc = crc32_iscsi(at, step, crc);
		at += step;
		len -= (size_t)step;
	}
	return ~crc;
}

#else

#include <pthread.h>

static uint32_t table[256];

static void table_fill(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t crc = i;

		for (int bit = 0; bit < 8; bit++)
			crc = (crc >> 1) ^ (crc & 1 ? 0x82f63b78u : 0);
		table[i] = crc;
	}
}

uint32_t crc32c_extend(uint32_t crc, const void *data, size_t len)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	const uint8_t *at = data;

	pthread_once(&once, table_fill);
	crc = ~crc;
	while (len-- > 0)
		crc = (crc >> 8) ^ table[(crc ^ *at++) & 0xff];
	return ~crc;
}

#endif

uint32_t crc32c(const void *data, size_t len)
{
	return crc32c_extend(0, data, len);
}
