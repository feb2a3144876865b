/* Offsets of partitions that are not open; see offsets_table.h. */
#include "broker/log/offsets_table.h"

#include "broker/log/dir_name.h"
#include "common/memory.h"

#include <stdlib.h>
#include <uthash.h>

struct offsets_entry {
	UT_hash_handle hh;
	struct offsets offsets;
	int32_t partition;
	size_t topic_len;
	char name[]; /* `topic-partition`, the key */
};

static struct offsets_entry *find(const struct offsets_table *table, struct slice topic, int32_t partition)
{
	struct offsets_entry *entry;
	char name[DIR_NAME_MAX];

	dir_name_format(topic, partition, name);
	HASH_FIND(hh, table->entries, name, strlen(name), entry);
	return entry;
}

static struct offsets_entry *make(struct offsets_table *table, struct slice topic, int32_t partition)
{
	struct offsets_entry *entry;
	char name[DIR_NAME_MAX];
	size_t len;

	dir_name_format(topic, partition, name);
	len = strlen(name);
	entry = memory_zalloc(1, sizeof *entry + len + 1);
	memcpy(entry->name, name, len);
	entry->partition = partition;
	entry->topic_len = topic.len;
	for (int kind = 0; kind < OFFSET_KINDS; kind++)
		entry->offsets.of[kind] = -1;
	HASH_ADD_KEYPTR(hh, table->entries, entry->name, len, entry);
	return entry;
}

void offsets_table_set(struct offsets_table *table, enum offset_kind kind, struct slice topic, int32_t partition, int64_t offset)
{
	struct offsets_entry *entry = find(table, topic, partition);

	if (!entry)
		entry = make(table, topic, partition);
	entry->offsets.of[kind] = offset;
}

struct offsets offsets_table_get(const struct offsets_table *table, struct slice topic, int32_t partition)
{
	const struct offsets_entry *entry = find(table, topic, partition);

	return entry ? entry->offsets : (struct offsets){{-1, -1, -1, -1}};
}

void offsets_table_remove(struct offsets_table *table, struct slice topic, int32_t partition)
{
	struct offsets_entry *entry = find(table, topic, partition);

	if (!entry)
		return;
	HASH_DEL(table->entries, entry);
	free(entry);
}

void offsets_table_forget(struct offsets_table *table, enum offset_kind kind)
{
	for (struct offsets_entry *entry = table->entries; entry; entry = entry->hh.next)
		entry->offsets.of[kind] = -1;
}

void offsets_table_walk(const struct offsets_table *table, offsets_fn *each, void *ctx)
{
	for (const struct offsets_entry *entry = table->entries; entry; entry = entry->hh.next)
		each(ctx, slice_of(entry->name, entry->topic_len), entry->partition, &entry->offsets);
}

void offsets_table_fini(struct offsets_table *table)
{
	struct offsets_entry *entry, *next;

	HASH_ITER(hh, table->entries, entry, next) {
		HASH_DEL(table->entries, entry);
		free(entry);
	}
}
