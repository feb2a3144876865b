/*
 * `<base>.index`: where batches lie in a segment, sparse. Entries of 8 bytes: int32 last offset of a batch - base offset of the
 * segment, int32 position at which that batch begins. Both ascend strictly.
 */
#ifndef KLAMM_BROKER_LOG_OFFSET_INDEX_H
#define KLAMM_BROKER_LOG_OFFSET_INDEX_H

#include "broker/log/index_file.h"

#define OFFSET_INDEX_ENTRY_BYTES 8

struct offset_index_entry {
	int32_t relative_offset;
	int32_t pos;
};

int offset_index_append(struct index_file *index, struct fd_cache *fds, struct offset_index_entry entry);

/* The entry that begins at or below an offset: (0, 0) when none does. */
int offset_index_find(struct index_file *index, struct fd_cache *fds, int64_t relative_offset, struct offset_index_entry *ret_entry);

/* The entry whose batch begins at or below a position: (0, 0) when none does. */
int offset_index_find_pos(struct index_file *index, struct fd_cache *fds, int64_t pos, struct offset_index_entry *ret_entry);

/* Drops the entries of batches that end at or above an offset. */
int offset_index_truncate(struct index_file *index, struct fd_cache *fds, int64_t relative_offset);

/* Drops what does not ascend or points at or beyond `size`, from the first such entry on. */
int offset_index_recover(struct index_file *index, struct fd_cache *fds, int64_t size);

/* (0, 0) when there is none. */
int offset_index_last(struct index_file *index, struct fd_cache *fds, struct offset_index_entry *ret_entry);

#endif
