/*
 * A file of entries of one size, appended at the end and searched by an ascending key: what the offset and the time index share.
 *
 *     append --> tail in memory (grows to INDEX_TAIL_ENTRIES) --pwrite when full, at roll, at close--> file
 *     search --> tail, or a few preads of the file: nothing is mapped, nothing kept for an index at rest
 *
 * The file may lag behind memory while the log runs: after a crash recovery makes the missing entries again from the batches.
 * The owner of the log only. Entries are counted from 0.
 */
#ifndef KLAMM_BROKER_LOG_INDEX_FILE_H
#define KLAMM_BROKER_LOG_INDEX_FILE_H

#include "broker/log/fd_cache.h"

#include <stdbool.h>
#include <stdint.h>

#define INDEX_TAIL_ENTRIES 512
#define INDEX_ENTRY_BYTES_MAX 16

struct index_file {
	struct fd_file file;
	uint8_t *tail;       /* the last n_tail entries; NULL at rest */
	int32_t tail_cap;
	int32_t n_tail;
	int32_t n_entries;   /* -1: not looked at since load */
	int32_t n_written;   /* entries in the file */
	int32_t entry_bytes;
	bool exists;         /* there is a file */
};

/* The key of an entry; ascends. */
typedef int64_t index_key_fn(const uint8_t *entry);

void index_file_init(struct index_file *index, fd_open_fn *open, int32_t entry_bytes, bool exists);

/* Closes and frees; writes nothing. */
void index_file_fini(struct index_file *index, struct fd_cache *fds);

/* Counts the entries by the length of the file, unless they are known. Called by the others where needed. */
int index_file_load(struct index_file *index, struct fd_cache *fds);

/* Adds an entry whose key is above the last one's. ERR_NO_SPACE leaves it out: a sparse index may. */
int index_file_append(struct index_file *index, struct fd_cache *fds, const uint8_t *entry);

/* Copies entry i, which exists. */
int index_file_get(struct index_file *index, struct fd_cache *fds, int32_t i, uint8_t *ret_entry);

/* The last entry with key <= target: its number, with the entry; -1 when there is none (or an error below -1). */
int index_file_search(struct index_file *index, struct fd_cache *fds, index_key_fn *key, int64_t target, int32_t *ret_i,
		      uint8_t *ret_entry);

/* Keeps the first n entries. */
int index_file_truncate(struct index_file *index, struct fd_cache *fds, int32_t n);

/* Keeps the entries from the first on whose keys ascend from `above`; what a crash or damage left behind them goes. */
int index_file_keep_ascending(struct index_file *index, struct fd_cache *fds, index_key_fn *key, int64_t above);

/* Writes what is only in memory. */
int index_file_write(struct index_file *index, struct fd_cache *fds);

/* Writes all, makes the file when there is none, gives back the tail. */
int index_file_rest(struct index_file *index, struct fd_cache *fds);

#endif
