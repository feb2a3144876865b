/* Committed offsets of a group; see offset_table.h. */
#include "broker/coord/offset_table.h"

#include "common/memory.h"

#include <stdlib.h>

static void entry_fini(struct offset_entry *entry)
{
	if (entry->value.metadata.len)
		free((void *)(uintptr_t)entry->value.metadata.data);
}

static void topic_free(struct offset_topic *topic)
{
	for (int32_t i = 0; i < topic->n; i++)
		entry_fini(&topic->entries[i]);
	free(topic->entries);
	free(topic);
}

void offset_table_fini(struct offset_table *table)
{
	for (int32_t i = 0; i < table->n_topics; i++)
		topic_free(table->topics[i]);
	free(table->topics);
	*table = (struct offset_table){0};
}

/* ---- finding: the index of what is there, or where it would stand ---- */

static int32_t topic_at(const struct offset_table *table, struct slice name)
{
	int32_t low = 0, high = table->n_topics;

	while (low < high) {
		int32_t middle = low + (high - low) / 2;

		if (slice_compare(table->topics[middle]->name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int32_t entry_at(const struct offset_topic *topic, int32_t partition)
{
	int32_t low = 0, high = topic->n;

	while (low < high) {
		int32_t middle = low + (high - low) / 2;

		if (topic->entries[middle].partition < partition)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct offset_topic *offset_table_topic(const struct offset_table *table, struct slice name)
{
	int32_t at = topic_at(table, name);

	return at < table->n_topics && slice_equal(table->topics[at]->name, name) ? table->topics[at] : NULL;
}

struct offset_entry *offset_topic_find(const struct offset_topic *topic, int32_t partition)
{
	int32_t at = entry_at(topic, partition);

	return at < topic->n && topic->entries[at].partition == partition ? &topic->entries[at] : NULL;
}

struct offset_entry *offset_table_find(const struct offset_table *table, struct slice name, int32_t partition)
{
	struct offset_topic *topic = offset_table_topic(table, name);

	return topic ? offset_topic_find(topic, partition) : NULL;
}

/* ---- changing ---- */

/* Room for one more element of an array that grows by half. */
static void *make_room(void *list, int32_t n, int32_t *n_max, size_t size)
{
	if (n < *n_max)
		return list;
	*n_max = n < 4 ? 4 : n + n / 2;
	return memory_grow(list, (size_t)*n_max * size);
}

static struct offset_topic *add_topic(struct offset_table *table, struct slice name)
{
	struct offset_topic *topic = memory_zalloc(1, sizeof *topic + name.len);
	uint8_t *text = (uint8_t *)(topic + 1);
	int32_t at = topic_at(table, name);

	if (name.len)
		memcpy(text, name.data, name.len);
	topic->name = slice_of(text, name.len);
	table->topics = make_room(table->topics, table->n_topics, &table->n_topics_max, sizeof *table->topics);
	memmove(&table->topics[at + 1], &table->topics[at], (size_t)(table->n_topics - at) * sizeof *table->topics);
	table->topics[at] = topic;
	table->n_topics++;
	return topic;
}

static struct offset_entry *add_entry(struct offset_topic *topic, int32_t partition)
{
	int32_t at = entry_at(topic, partition);

	topic->entries = make_room(topic->entries, topic->n, &topic->n_max, sizeof *topic->entries);
	memmove(&topic->entries[at + 1], &topic->entries[at], (size_t)(topic->n - at) * sizeof *topic->entries);
	topic->entries[at] = (struct offset_entry){.partition = partition, .record_offset = -1, .value.metadata = SLICE_LITERAL("")};
	topic->n++;
	return &topic->entries[at];
}

static struct slice copy_metadata(struct slice metadata)
{
	uint8_t *bytes;

	if (!metadata.len)
		return SLICE_LITERAL("");
	bytes = memory_alloc(metadata.len);
	memcpy(bytes, metadata.data, metadata.len);
	return slice_of(bytes, metadata.len);
}

void offset_table_set(struct offset_table *table, struct slice name, int32_t partition, const struct offset_value *value,
		      int64_t record_offset, uint64_t applied)
{
	struct offset_topic *topic = offset_table_topic(table, name);
	struct offset_entry *entry;

	if (!topic)
		topic = add_topic(table, name);
	entry = offset_topic_find(topic, partition);
	if (!entry) {
		entry = add_entry(topic, partition);
		table->n++;
	}
	if (record_offset < entry->record_offset)
		return;
	entry_fini(entry);
	entry->value = *value;
	entry->value.metadata = copy_metadata(value->metadata);
	entry->record_offset = record_offset;
	entry->applied = applied;
}

static void remove_topic(struct offset_table *table, struct slice name)
{
	int32_t at = topic_at(table, name);

	topic_free(table->topics[at]);
	table->n_topics--;
	memmove(&table->topics[at], &table->topics[at + 1], (size_t)(table->n_topics - at) * sizeof *table->topics);
}

bool offset_table_remove(struct offset_table *table, struct slice name, int32_t partition, int64_t record_offset)
{
	struct offset_topic *topic = offset_table_topic(table, name);
	struct offset_entry *entry = topic ? offset_topic_find(topic, partition) : NULL;
	int32_t at;

	if (!entry || entry->record_offset >= record_offset)
		return false;
	at = (int32_t)(entry - topic->entries);
	entry_fini(entry);
	topic->n--;
	memmove(entry, entry + 1, (size_t)(topic->n - at) * sizeof *entry);
	table->n--;
	if (!topic->n)
		remove_topic(table, topic->name);
	return true;
}
