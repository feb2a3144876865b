/*
 * `<base>.timeindex`: entries of 12 bytes: int64 largest time stamp so far, int32 offset (relative to the segment's base) of the last
 * record of the batch that brought it. Time stamps ascend strictly; an entry that would not is left out.
 */
#ifndef KLAMM_BROKER_LOG_TIME_INDEX_H
#define KLAMM_BROKER_LOG_TIME_INDEX_H

#include "broker/log/index_file.h"

#define TIME_INDEX_ENTRY_BYTES 12

struct time_index_entry {
	int64_t timestamp; /* -1 none */
	int32_t relative_offset;
};

/* Leaves out an entry that is not above the last one. */
int time_index_append(struct index_file *index, struct fd_cache *fds, struct time_index_entry entry);

/* The last entry with timestamp <= the given one: (-1, 0) when there is none. */
int time_index_find(struct index_file *index, struct fd_cache *fds, int64_t timestamp, struct time_index_entry *ret_entry);

/* (-1, 0) when there is none. */
int time_index_last(struct index_file *index, struct fd_cache *fds, struct time_index_entry *ret_entry);

/* Drops the entries whose offset is at or above the given one. */
int time_index_truncate(struct index_file *index, struct fd_cache *fds, int64_t relative_offset);

/* Drops what does not ascend and what has an offset at or above the given one, from the first such entry on. */
int time_index_recover(struct index_file *index, struct fd_cache *fds, int64_t relative_offset);

#endif
