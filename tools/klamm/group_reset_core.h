/*
 * What `klamm groups --reset-offsets` reads from its command line and its files, and the bounds of an offset. Pure.
 *
 *     orders:0,1,2                   a topic, or some of its partitions
 *     2026-11-21T10:00:00.000+01:00  a time; UTC where no zone is told
 *     P1DT2H3M4.5S                   a duration
 *     group,topic,partition,offset   a line of a file; without the group where there is one only
 *
 * All return 0, or ERR_INVALID with a sentence in err.
 */
#ifndef KLAMM_TOOLS_KLAMM_GROUP_RESET_CORE_H
#define KLAMM_TOOLS_KLAMM_GROUP_RESET_CORE_H

#include "common/arena.h"
#include "common/error.h"
#include "common/slice.h"

#include <stdint.h>

struct group_topic {
	struct slice topic;
	int32_t *partitions; /* in the arena */
	int n_partitions;    /* -1: all of them */
};

int group_topic_parse(struct arena *arena, const char *text, struct group_topic *ret_topic, struct error *err);

/* Milliseconds since 1970. */
int group_datetime_parse(const char *text, int64_t *ret_ms, struct error *err);
int group_duration_parse(const char *text, int64_t *ret_ms, struct error *err);

struct group_line {
	struct slice group; /* null where the line has three fields */
	struct slice topic;
	int32_t partition;
	int64_t offset;
};

/* Quotes around a field are taken off. Fields are views into the line. */
int group_line_parse(struct slice line, struct group_line *ret_line, struct error *err);

/* The offset, or the nearest one that the partition has. */
int64_t group_offset_within(int64_t offset, int64_t start, int64_t end);

#endif
