/* Open files with a budget; see fd_cache.h. The list runs from the file opened last to the next one to be looked at for closing. */
#include "broker/log/fd_cache.h"

#include "common/check.h"
#include "common/memory.h"

#include <pthread.h>
#include <stdlib.h>

struct fd_cache {
	pthread_mutex_t lock;
	struct fs *fs;
	struct fd_file head; /* of the ring of open files */
	int n_open;
	int budget;
};

static void ring_remove(struct fd_file *file)
{
	file->prev->next = file->next;
	file->next->prev = file->prev;
	file->next = file->prev = NULL;
}

static void ring_add(struct fd_cache *cache, struct fd_file *file)
{
	file->next = cache->head.next;
	file->prev = &cache->head;
	file->next->prev = file;
	cache->head.next = file;
}

struct fd_cache *fd_cache_new(struct fs *fs, int budget)
{
	struct fd_cache *cache = NEW(struct fd_cache);

	pthread_mutex_init(&cache->lock, NULL);
	cache->fs = fs;
	cache->budget = budget;
	cache->head.next = cache->head.prev = &cache->head;
	return cache;
}

void fd_cache_free(struct fd_cache *cache)
{
	if (!cache)
		return;
	CHECK(cache->n_open == 0);
	pthread_mutex_destroy(&cache->lock);
	free(cache);
}

struct fs *fd_cache_fs(const struct fd_cache *cache)
{
	return cache->fs;
}

int fd_cache_n_open(struct fd_cache *cache)
{
	int n;

	fd_cache_lock(cache);
	n = cache->n_open;
	fd_cache_unlock(cache);
	return n;
}

void fd_file_init(struct fd_file *file, fd_open_fn *open)
{
	*file = (struct fd_file){.fd = -1, .open = open};
	pin_init(&file->pin);
}

/* The lock is held and the file was shut by pin_shut: nobody can begin to use it. */
static void close_shut(struct fd_cache *cache, struct fd_file *file)
{
	ring_remove(file);
	cache->n_open--;
	/* What a close has to tell about lost writes the next sync of the dir tells, too. */
	fs_close(cache->fs, file->fd);
	file->fd = -1;
}

/* Closes what is over the budget, files used since the last look only at the second look. */
static void evict(struct fd_cache *cache)
{
	struct fd_file *file = cache->head.prev;

	for (int looks = 2 * cache->n_open; looks > 0 && cache->n_open > cache->budget; looks--) {
		struct fd_file *before;

		if (file == &cache->head)
			file = file->prev;
		before = file->prev;
		if (shared_flag_get(&file->used))
			shared_flag_put(&file->used, false);
		else if (pin_shut(&file->pin))
			close_shut(cache, file);
		file = before;
	}
}

static int open_and_pin(struct fd_cache *cache, struct fd_file *file, int *ret_fd)
{
	int rc, fd;

	/* Another thread may have opened it since. */
	if (pin_take(&file->pin)) {
		*ret_fd = file->fd;
		return 0;
	}
	rc = file->open(file, cache->fs, &fd);
	if (rc < 0)
		return rc;
	file->fd = fd;
	ring_add(cache, file);
	cache->n_open++;
	pin_open(&file->pin);
	evict(cache);
	*ret_fd = fd;
	return 0;
}

int fd_cache_pin(struct fd_cache *cache, struct fd_file *file, int *ret_fd)
{
	int rc;

	shared_flag_put(&file->used, true);
	if (pin_take(&file->pin)) {
		*ret_fd = file->fd;
		return 0;
	}
	fd_cache_lock(cache);
	rc = open_and_pin(cache, file, ret_fd);
	fd_cache_unlock(cache);
	return rc;
}

void fd_cache_unpin(struct fd_file *file)
{
	pin_drop(&file->pin);
}

void fd_cache_shut(struct fd_cache *cache, struct fd_file *file)
{
	fd_cache_lock(cache);
	if (pin_shut(&file->pin))
		close_shut(cache, file);
	fd_cache_unlock(cache);
}

void fd_cache_forget(struct fd_cache *cache, struct fd_file *file)
{
	fd_cache_shut(cache, file);
	CHECK(file->fd == -1);
}

void fd_cache_lock(struct fd_cache *cache)
{
	pthread_mutex_lock(&cache->lock);
}

void fd_cache_unlock(struct fd_cache *cache)
{
	pthread_mutex_unlock(&cache->lock);
}
