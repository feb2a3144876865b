/*
 * The producers of one partition: id -> struct producer (producer_core.h), with the open transactions' lowest offset.
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
};

void producer_table_init(struct producer_table *table);

/* Forgets all. */
void producer_table_fini(struct producer_table *table);

size_t producer_table_count(const struct producer_table *table);

/* NULL when unknown. Valid until the next call that adds or removes. */
struct producer *producer_table_find(const struct producer_table *table, int64_t id);

/* Finds or adds; never NULL. */
struct producer *producer_table_need(struct producer_table *table, int64_t id);

/* Removes what has expired; returns how many. */
size_t producer_table_expire(struct producer_table *table, int64_t now_wall_ms, int64_t expiration_ms);

/* Lowest first offset of an open transaction; -1 when none is open. The last stable offset is bounded by it. */
int64_t producer_table_first_open_txn(const struct producer_table *table);

/* Calls fn for each in order of first use. */
void producer_table_each(const struct producer_table *table, void (*fn)(void *ctx, const struct producer *producer), void *ctx);

#endif
