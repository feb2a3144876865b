/*
 * Open files with a budget: whoever uses a file pins it; of those that nobody pins the ones not used lately are closed when there
 * are too many (second chance).
 *
 *     fd_cache_pin: open and pinned already? one compare-and-swap. Else under the lock: open, evict, pin.
 *
 * Any thread. The one lock also guards names: whoever renames a file of the cache does so between fd_cache_lock and fd_cache_unlock,
 * so that an open on another thread finds it under the old or the new name (a folder has both meanwhile: segment_home_rename).
 */
#ifndef KLAMM_BROKER_LOG_FD_CACHE_H
#define KLAMM_BROKER_LOG_FD_CACHE_H

#include "common/fs.h"
#include "common/refcount.h"

struct fd_cache;
struct fd_file;

/* Opens the file for the cache; called under its lock. */
typedef int fd_open_fn(struct fd_file *file, struct fs *fs, int *ret_fd);

/* A file that the cache may hold open; embedded in what it belongs to. */
struct fd_file {
	struct pin pin;
	struct shared_flag used;
	int fd; /* while open */
	struct fd_file *next, *prev;
	fd_open_fn *open;
};

/* budget: descriptors that the cache keeps open; more only while more than that are pinned. */
struct fd_cache *fd_cache_new(struct fs *fs, int budget);

/* All files are forgotten already. */
void fd_cache_free(struct fd_cache *cache);

struct fs *fd_cache_fs(const struct fd_cache *cache);
int fd_cache_n_open(struct fd_cache *cache);

void fd_file_init(struct fd_file *file, fd_open_fn *open);

int fd_cache_pin(struct fd_cache *cache, struct fd_file *file, int *ret_fd);
void fd_cache_unpin(struct fd_file *file);

/* Closes the file when it is open; nobody may have it pinned. */
void fd_cache_forget(struct fd_cache *cache, struct fd_file *file);

/* Closes the file when it is open and nobody has it pinned. */
void fd_cache_shut(struct fd_cache *cache, struct fd_file *file);

void fd_cache_lock(struct fd_cache *cache);
void fd_cache_unlock(struct fd_cache *cache);

#endif
