/* The producers of one partition; see producer_table.h. */
#include "broker/replica/producer_table.h"

#include "common/memory.h"

#include <stdlib.h>
#include <uthash.h>
#include <utlist.h>

struct producer_entry {
	struct producer producer;
	UT_hash_handle hh;
	bool open;                            /* which of the two lists it is in */
	struct producer_entry *prev, *next;
};

void producer_table_init(struct producer_table *table)
{
	*table = (struct producer_table){NULL, NULL, NULL};
}

static struct producer_entry **list_of(struct producer_table *table, const struct producer_entry *entry)
{
	return entry->open ? &table->open : &table->settled;
}

static void entry_remove(struct producer_table *table, struct producer_entry *entry)
{
	struct producer_entry **list = list_of(table, entry);

	DL_DELETE(*list, entry);
	HASH_DEL(table->entries, entry);
	free(entry);
}

void producer_table_fini(struct producer_table *table)
{
	struct producer_entry *entry, *next;

	HASH_ITER(hh, table->entries, entry, next)
		entry_remove(table, entry);
}

size_t producer_table_count(const struct producer_table *table)
{
	return HASH_COUNT(table->entries);
}

static struct producer_entry *entry_find(const struct producer_table *table, int64_t id)
{
	struct producer_entry *entry;

	HASH_FIND(hh, table->entries, &id, sizeof id, entry);
	return entry;
}

const struct producer *producer_table_find(const struct producer_table *table, int64_t id)
{
	struct producer_entry *entry = entry_find(table, id);

	return entry ? &entry->producer : NULL;
}

static struct producer_entry *entry_need(struct producer_table *table, int64_t id)
{
	struct producer_entry *entry = entry_find(table, id);

	if (entry)
		return entry;
	if (producer_table_count(table) >= PRODUCER_TABLE_MAX && table->settled)
		entry_remove(table, table->settled);
	entry = NEW(struct producer_entry);
	producer_init(&entry->producer, id);
	HASH_ADD(hh, table->entries, producer.id, sizeof id, entry);
	DL_APPEND(table->settled, entry);
	return entry;
}

/* Transactions begin in offset order, so that the place is nearly always the end. */
static void add_open(struct producer_table *table, struct producer_entry *entry)
{
	struct producer_entry *behind = table->open ? table->open->prev : NULL;
	int64_t first = entry->producer.txn_first_offset;

	while (behind && behind->producer.txn_first_offset > first)
		behind = behind == table->open ? NULL : behind->prev;
	if (behind)
		DL_APPEND_ELEM(table->open, behind, entry);
	else
		DL_PREPEND(table->open, entry);
}

/* Puts a producer that has changed where it belongs now. */
static void place(struct producer_table *table, struct producer_entry *entry)
{
	struct producer_entry **list = list_of(table, entry);

	DL_DELETE(*list, entry);
	entry->open = entry->producer.txn_first_offset != PRODUCER_TXN_NONE;
	if (entry->open)
		add_open(table, entry);
	else
		DL_APPEND(table->settled, entry);
}

void producer_table_load(struct producer_table *table, const struct producer *producer)
{
	struct producer_entry *entry = entry_need(table, producer->id);

	entry->producer = *producer;
	place(table, entry);
}

void producer_table_apply(struct producer_table *table, int64_t id, int16_t epoch, const struct producer_batch *batch, bool is_txn)
{
	struct producer_entry *entry = entry_need(table, id);

	producer_apply(&entry->producer, epoch, batch, is_txn);
	place(table, entry);
}

int64_t producer_table_apply_marker(struct producer_table *table, int64_t id, int16_t epoch, int32_t coordinator_epoch,
				    int64_t timestamp_ms)
{
	struct producer_entry *entry = entry_need(table, id);
	int64_t first = producer_apply_marker(&entry->producer, epoch, coordinator_epoch, timestamp_ms);

	place(table, entry);
	return first;
}

size_t producer_table_expire(struct producer_table *table, int64_t now_wall_ms, int64_t expiration_ms)
{
	struct producer_entry *entry, *next;
	size_t n = 0;

	DL_FOREACH_SAFE(table->settled, entry, next) {
		if (!producer_is_expired(&entry->producer, now_wall_ms, expiration_ms))
			continue;
		entry_remove(table, entry);
		n++;
	}
	return n;
}

int64_t producer_table_first_open_txn(const struct producer_table *table)
{
	return table->open ? table->open->producer.txn_first_offset : -1;
}

void producer_table_each(const struct producer_table *table, void (*fn)(void *ctx, const struct producer *producer), void *ctx)
{
	for (struct producer_entry *entry = table->entries; entry; entry = entry->hh.next)
		fn(ctx, &entry->producer);
}
