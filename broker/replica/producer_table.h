/*
 * The producers of one partition: id -> struct producer (producer_core.h), with the open transactions' lowest offset, which every
 * committed read asks for: it is at hand.
 *
 *     entries   all, by id
 *     open      those with an open transaction, by its first offset       \  each producer is in one of the two
 *     settled   the others, the one that was active longest ago first     /
 *
 * Owned by the partition, used on its worker. Entries come with the first batch of an id and go by expiry, so that a client
 * cannot grow it for ever: PRODUCER_TABLE_MAX bounds it, the least recently active without a transaction goes first.
 */
#ifndef KLAMM_BROKER_REPLICA_PRODUCER_TABLE_H
#define KLAMM_BROKER_REPLICA_PRODUCER_TABLE_H

#include "broker/replica/producer_core.h"

#include <stddef.h>

/* About 240 bytes each: at most 24 MB for a partition that is flooded with new producer ids. */
#define PRODUCER_TABLE_MAX 100000

struct producer_entry;

struct producer_table {
	struct producer_entry *entries; /* uthash, in order of first use */
	struct producer_entry *open, *settled; /* utlist */
};

void producer_table_init(struct producer_table *table);

/* Forgets all. */
void producer_table_fini(struct producer_table *table);

size_t producer_table_count(const struct producer_table *table);

/* NULL when unknown. Valid until the next call that adds or removes. */
const struct producer *producer_table_find(const struct producer_table *table, int64_t id);

/* Takes over what a snapshot says of a producer, in place of what was known. */
void producer_table_load(struct producer_table *table, const struct producer *producer);

/* producer_apply of a producer that may be new. */
void producer_table_apply(struct producer_table *table, int64_t id, int16_t epoch, const struct producer_batch *batch, bool is_txn);

/* producer_apply_marker of a producer that may be new. */
int64_t producer_table_apply_marker(struct producer_table *table, int64_t id, int16_t epoch, int32_t coordinator_epoch,
				    int64_t timestamp_ms);

/* Removes what has expired; returns how many. */
size_t producer_table_expire(struct producer_table *table, int64_t now_wall_ms, int64_t expiration_ms);

/* Lowest first offset of an open transaction; -1 when none is open. The last stable offset is bounded by it. */
int64_t producer_table_first_open_txn(const struct producer_table *table);

/* Calls fn for each in order of first use. */
void producer_table_each(const struct producer_table *table, void (*fn)(void *ctx, const struct producer *producer), void *ctx);

#endif
