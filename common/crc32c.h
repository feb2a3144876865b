/* CRC-32C (Castagnoli), as record batches and producer snapshots carry it. */
#ifndef KLAMM_COMMON_CRC32C_H
#define KLAMM_COMMON_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* The checksum of len bytes. */
uint32_t crc32c(const void *data, size_t len);

/* The checksum of what `crc` stands for followed by len bytes: crc32c(ab) == crc32c_extend(crc32c(a), b). */
uint32_t crc32c_extend(uint32_t crc, const void *data, size_t len);

#endif
