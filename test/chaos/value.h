/*
 * The values that are written: each is unique and says where it belongs, so that whoever reads it knows what is wrong with it.
 *
 *     u32 magic  u32 run  u16 producer  u16 topic  u32 partition  u64 sequence  u64 random  u32 len  filler...  u32 crc32c of all before
 *
 * The filler follows from `random`; a value is VALUE_BYTES_MIN to `len_max` bytes long.
 */
#ifndef KLAMM_TEST_CHAOS_VALUE_H
#define KLAMM_TEST_CHAOS_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VALUE_BYTES_MIN 40
#define VALUE_BYTES_MAX 65536

struct value {
	uint32_t run, partition;
	uint16_t producer, topic;
	uint64_t sequence, random;
};

/* Into `ret_bytes`, which has room for VALUE_BYTES_MAX; the number of bytes. */
size_t value_write(const struct value *value, size_t len_max, uint8_t *ret_bytes);

/* Whether these bytes are, to the last one, a value that value_write made. */
bool value_read(const void *bytes, size_t len, struct value *ret_value);

#endif
