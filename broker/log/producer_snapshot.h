/*
 * The producer state file `<offset>.snapshot`: what producers had done in all records below that offset. Only the format; what
 * the fields mean is the producer state's business (kafka.md 5.6).
 *
 *     int16 version 1 | uint32 CRC-32C of all after it | int32 count | count * 46 bytes:
 *         int64 producer id | int16 epoch | int32 last sequence | int64 last offset | int32 offset delta | int64 timestamp
 *         int32 coordinator epoch | int64 first offset of the open transaction, or -1
 */
#ifndef KLAMM_BROKER_LOG_PRODUCER_SNAPSHOT_H
#define KLAMM_BROKER_LOG_PRODUCER_SNAPSHOT_H

#include "common/fs.h"

#include <stdint.h>

struct producer_snapshot_entry {
	int64_t producer_id;
	int64_t last_offset;
	int64_t timestamp;
	int64_t txn_first_offset; /* -1 no transaction open */
	int32_t last_sequence;
	int32_t offset_delta;     /* last minus first sequence of the last batch */
	int32_t coordinator_epoch;
	int16_t producer_epoch;
};

/* A growing list of entries; zeroed is empty. */
struct producer_snapshot {
	struct producer_snapshot_entry *entries;
	int32_t n_entries;
	int32_t cap;
};

void producer_snapshot_add(struct producer_snapshot *snapshot, const struct producer_snapshot_entry *entry);
void producer_snapshot_fini(struct producer_snapshot *snapshot);

/* Adds the entries of the file's bytes; ERR_CORRUPT (nothing added) when length, version or checksum are wrong. */
int producer_snapshot_decode(const uint8_t *data, size_t len, struct producer_snapshot *ret_snapshot);

/* The file's bytes, malloc'ed. */
uint8_t *producer_snapshot_encode(const struct producer_snapshot *snapshot, size_t *ret_len);

int producer_snapshot_read(struct fs *fs, const char *path, struct producer_snapshot *ret_snapshot);
int producer_snapshot_write(struct fs *fs, const char *path, const struct producer_snapshot *snapshot, enum fs_durability durability);

#endif
