/* Big-endian numbers in byte arrays, the order of Kafka's wire and files. */
#ifndef KLAMM_COMMON_BYTES_H
#define KLAMM_COMMON_BYTES_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

#define BYTES_ACCESSORS(bits)                                                   \
	static inline uint##bits##_t bytes_get_u##bits(const void *at)          \
	{                                                                       \
		uint##bits##_t value;                                           \
		memcpy(&value, at, sizeof value);                               \
		return (uint##bits##_t)be##bits##toh(value);                    \
	}                                                                       \
	static inline int##bits##_t bytes_get_i##bits(const void *at)           \
	{                                                                       \
		return (int##bits##_t)bytes_get_u##bits(at);                    \
	}                                                                       \
	static inline void bytes_put_u##bits(void *at, uint##bits##_t value)    \
	{                                                                       \
		value = (uint##bits##_t)htobe##bits(value);                     \
		memcpy(at, &value, sizeof value);                               \
	}                                                                       \
	static inline void bytes_put_i##bits(void *at, int##bits##_t value)     \
	{                                                                       \
		bytes_put_u##bits(at, (uint##bits##_t)value);                   \
	}

BYTES_ACCESSORS(16)
BYTES_ACCESSORS(32)
BYTES_ACCESSORS(64)

#endif
