/* The producers of one partition; see producer_table.h. */
#include "broker/replica/producer_table.h"

#include "common/memory.h"

#include <stdlib.h>
#include <uthash.h>

struct producer_entry {
	struct producer producer;
	UT_hash_handle hh;
};

void producer_table_init(struct producer_table *table)
{
	table->entries = NULL;
}

static void entry_remove(struct producer_table *table, struct producer_entry *entry)
{
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

struct producer *producer_table_find(const struct producer_table *table, int64_t id)
{
	struct producer_entry *entry = entry_find(table, id);

	return entry ? &entry->producer : NULL;
}

static void make_room(struct producer_table *table)
{
	struct producer_entry *entry, *oldest = NULL;

	for (entry = table->entries; entry; entry = entry->hh.next) {
		if (entry->producer.txn_first_offset != PRODUCER_TXN_NONE)
			continue;
		if (!oldest || entry->producer.timestamp_ms < oldest->producer.timestamp_ms)
			oldest = entry;
	}
	if (oldest)
		entry_remove(table, oldest);
}

struct producer *producer_table_need(struct producer_table *table, int64_t id)
{
	struct producer_entry *entry = entry_find(table, id);

	if (entry)
		return &entry->producer;
	if (producer_table_count(table) >= PRODUCER_TABLE_MAX)
		make_room(table);
	entry = NEW(struct producer_entry);
	producer_init(&entry->producer, id);
	HASH_ADD(hh, table->entries, producer.id, sizeof id, entry);
	return &entry->producer;
}

size_t producer_table_expire(struct producer_table *table, int64_t now_wall_ms, int64_t expiration_ms)
{
	struct producer_entry *entry, *next;
	size_t n = 0;

	HASH_ITER(hh, table->entries, entry, next) {
		if (!producer_is_expired(&entry->producer, now_wall_ms, expiration_ms))
			continue;
		entry_remove(table, entry);
		n++;
	}
	return n;
}

int64_t producer_table_first_open_txn(const struct producer_table *table)
{
	int64_t first = -1;

	for (struct producer_entry *entry = table->entries; entry; entry = entry->hh.next) {
		int64_t offset = entry->producer.txn_first_offset;

		if (offset != PRODUCER_TXN_NONE && (first < 0 || offset < first))
			first = offset;
	}
	return first;
}

void producer_table_each(const struct producer_table *table, void (*fn)(void *ctx, const struct producer *producer), void *ctx)
{
	for (struct producer_entry *entry = table->entries; entry; entry = entry->hh.next)
		fn(ctx, &entry->producer);
}
