/*
 * The committed offsets of one group: by topic and partition, both sorted. Memory is that of the group; keys and metadata are copied.
 *
 * An entry is what the log says: of two values of one partition the one of the higher log offset holds, in whatever order they come (a
 * transaction's offsets come with its marker, long after they were written).
 */
#ifndef KLAMM_BROKER_COORD_OFFSET_TABLE_H
#define KLAMM_BROKER_COORD_OFFSET_TABLE_H

#include "common/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a commit says of one partition. */
struct offset_value {
	int64_t offset;
	int32_t leader_epoch;  /* -1: not said */
	struct slice metadata; /* may be empty, never null in a table */
	int64_t commit_ms;     /* calendar */
	int64_t expire_ms;     /* -1: as the broker is configured */
};

struct offset_entry {
	int32_t partition;
	struct offset_value value;
	int64_t record_offset; /* where it stands in the log */
	uint64_t applied;      /* number of the change, counted by the coordinator: what came before a topic was deleted, and what after */
};

struct offset_topic {
	struct slice name;
	int32_t n;
	int32_t n_max;
	struct offset_entry *entries; /* by partition */
};

struct offset_table {
	struct offset_topic **topics; /* by name, order of bytes */
	int32_t n_topics;
	int32_t n_topics_max;
	int32_t n; /* entries of all topics */
};

/* A zeroed table is an empty one. */
void offset_table_fini(struct offset_table *table);

/* NULL: none. Good until the next change of the table. */
struct offset_topic *offset_table_topic(const struct offset_table *table, struct slice name);
struct offset_entry *offset_topic_find(const struct offset_topic *topic, int32_t partition);
struct offset_entry *offset_table_find(const struct offset_table *table, struct slice name, int32_t partition);

/* Takes a value that stands at record_offset, unless there is one that stands higher. `applied` is kept with it. */
void offset_table_set(struct offset_table *table, struct slice name, int32_t partition, const struct offset_value *value,
		      int64_t record_offset, uint64_t applied);

/* Takes out an entry that stands below record_offset (INT64_MAX: in any case). A topic without entries goes, too. True: there was one. */
bool offset_table_remove(struct offset_table *table, struct slice name, int32_t partition, int64_t record_offset);

#endif
