/*
 * What the checkpoints and klamm.run say of partitions that are not open (yet): one entry a partition. Entries of damaged partitions stay,
 * so that what is known of them is written again.
 */
#ifndef KLAMM_BROKER_LOG_OFFSETS_TABLE_H
#define KLAMM_BROKER_LOG_OFFSETS_TABLE_H

#include "common/slice.h"

#include <stdbool.h>
#include <stdint.h>

enum offset_kind { OFFSET_MARK, OFFSET_RECOVERY_POINT, OFFSET_LOG_START, OFFSET_HIGH_WATERMARK, OFFSET_KINDS };

struct offsets_entry;

struct offsets_table {
	struct offsets_entry *entries; /* a hash table */
};

struct offsets {
	int64_t of[OFFSET_KINDS]; /* -1 unknown */
};

typedef void offsets_fn(void *ctx, struct slice topic, int32_t partition, const struct offsets *offsets);

void offsets_table_set(struct offsets_table *table, enum offset_kind kind, struct slice topic, int32_t partition, int64_t offset);

/* All -1 where there is no entry. */
struct offsets offsets_table_get(const struct offsets_table *table, struct slice topic, int32_t partition);
void offsets_table_remove(struct offsets_table *table, struct slice topic, int32_t partition);

/* Forgets one kind of all entries. */
void offsets_table_forget(struct offsets_table *table, enum offset_kind kind);
void offsets_table_walk(const struct offsets_table *table, offsets_fn *each, void *ctx);
void offsets_table_fini(struct offsets_table *table);

#endif
