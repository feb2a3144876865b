/* The producer state file; see producer_snapshot.h. */
#include "broker/log/producer_snapshot.h"

#include "common/bytes.h"
#include "common/crc32c.h"
#include "common/error.h"
#include "common/memory.h"

#include <stdlib.h>

#define VERSION 1
#define HEAD_BYTES 10
#define CRC_FROM 6
#define ENTRY_BYTES 46

/* A hundred bytes a producer would be ample for ten million producers; more is damage. */
#define FILE_BYTES_MAX (1u << 30)

void producer_snapshot_add(struct producer_snapshot *snapshot, const struct producer_snapshot_entry *entry)
{
	if (snapshot->n_entries == snapshot->cap) {
		snapshot->cap = snapshot->cap ? snapshot->cap * 2 : 8;
		snapshot->entries = memory_grow(snapshot->entries, (size_t)snapshot->cap * sizeof *snapshot->entries);
	}
	snapshot->entries[snapshot->n_entries++] = *entry;
}

void producer_snapshot_fini(struct producer_snapshot *snapshot)
{
	free(snapshot->entries);
	*snapshot = (struct producer_snapshot){0};
}

static struct producer_snapshot_entry decode_entry(const uint8_t *at)
{
	return (struct producer_snapshot_entry){
		.producer_id = bytes_get_i64(at),
		.producer_epoch = bytes_get_i16(at + 8),
		.last_sequence = bytes_get_i32(at + 10),
		.last_offset = bytes_get_i64(at + 14),
		.offset_delta = bytes_get_i32(at + 22),
		.timestamp = bytes_get_i64(at + 26),
		.coordinator_epoch = bytes_get_i32(at + 34),
		.txn_first_offset = bytes_get_i64(at + 38),
	};
}

static void encode_entry(const struct producer_snapshot_entry *entry, uint8_t *at)
{
	bytes_put_i64(at, entry->producer_id);
	bytes_put_i16(at + 8, entry->producer_epoch);
	bytes_put_i32(at + 10, entry->last_sequence);
	bytes_put_i64(at + 14, entry->last_offset);
	bytes_put_i32(at + 22, entry->offset_delta);
	bytes_put_i64(at + 26, entry->timestamp);
	bytes_put_i32(at + 34, entry->coordinator_epoch);
	bytes_put_i64(at + 38, entry->txn_first_offset);
}

int producer_snapshot_decode(const uint8_t *data, size_t len, struct producer_snapshot *ret_snapshot)
{
	uint32_t n;

	if (len < HEAD_BYTES || bytes_get_i16(data) != VERSION)
		return ERR_CORRUPT;
	n = bytes_get_u32(data + CRC_FROM);
	if ((uint64_t)n * ENTRY_BYTES != len - HEAD_BYTES || crc32c(data + CRC_FROM, len - CRC_FROM) != bytes_get_u32(data + 2))
		return ERR_CORRUPT;
	for (uint32_t i = 0; i < n; i++) {
		struct producer_snapshot_entry entry = decode_entry(data + HEAD_BYTES + (size_t)i * ENTRY_BYTES);

		producer_snapshot_add(ret_snapshot, &entry);
	}
	return 0;
}

uint8_t *producer_snapshot_encode(const struct producer_snapshot *snapshot, size_t *ret_len)
{
	size_t len = HEAD_BYTES + (size_t)snapshot->n_entries * ENTRY_BYTES;
	uint8_t *data = memory_alloc(len);

	bytes_put_i16(data, VERSION);
	bytes_put_i32(data + CRC_FROM, snapshot->n_entries);
	for (int32_t i = 0; i < snapshot->n_entries; i++)
		encode_entry(&snapshot->entries[i], data + HEAD_BYTES + (size_t)i * ENTRY_BYTES);
	bytes_put_u32(data + 2, crc32c(data + CRC_FROM, len - CRC_FROM));
	*ret_len = len;
	return data;
}

int producer_snapshot_read(struct fs *fs, const char *path, struct producer_snapshot *ret_snapshot)
{
	char *data;
	size_t len;
	int rc = fs_read_file(fs, path, FILE_BYTES_MAX, &data, &len);

	if (rc < 0)
		return rc;
	rc = producer_snapshot_decode((const uint8_t *)data, len, ret_snapshot);
	free(data);
	return rc;
}

int producer_snapshot_write(struct fs *fs, const char *path, const struct producer_snapshot *snapshot, enum fs_durability durability)
{
	size_t len;
	uint8_t *data = producer_snapshot_encode(snapshot, &len);
	int rc = fs_replace_file(fs, path, data, len, durability);

	free(data);
	return rc;
}
