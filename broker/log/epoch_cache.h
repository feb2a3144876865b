/*
 * The leader epochs of one log with their file `leader-epoch-checkpoint` (text: `0`, count, lines `epoch startOffset`). The rules are in
 * epoch_cache_core.h. The file is written before the first append of an epoch; it is not synced by itself, since it can be made again
 * from the batches, but by the group sync of its dir.
 */
#ifndef KLAMM_BROKER_LOG_EPOCH_CACHE_H
#define KLAMM_BROKER_LOG_EPOCH_CACHE_H

#include "broker/log/epoch_cache_core.h"
#include "common/fs.h"
#include "common/slice.h"

#define EPOCH_CACHE_FILE "leader-epoch-checkpoint"

struct epoch_cache {
	struct epoch_entries entries;
	int32_t cap;
	bool changed; /* since the file was read or written */
};

void epoch_cache_fini(struct epoch_cache *cache);

/* ERR_CORRUPT for a text that is none, ERR_NOT_FOUND without a file: the caller makes it again. */
int epoch_cache_parse(struct epoch_cache *cache, struct slice text);
int epoch_cache_read(struct epoch_cache *cache, struct fs *fs, const char *path);

/* Writes the file when there is a change. */
int epoch_cache_write(struct epoch_cache *cache, struct fs *fs, const char *path);

void epoch_cache_assign(struct epoch_cache *cache, int32_t epoch, int64_t start_offset);
void epoch_cache_truncate_end(struct epoch_cache *cache, int64_t end_offset);
void epoch_cache_truncate_start(struct epoch_cache *cache, int64_t start_offset);

#endif
