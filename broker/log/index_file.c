/* Files of sorted entries; see index_file.h. */
#include "broker/log/index_file.h"

#include "common/check.h"
#include "common/error.h"
#include "common/memory.h"

#include <stdlib.h>
#include <string.h>

#define TAIL_ENTRIES_FIRST 16

/* Below this many candidates a search reads them all at once. */
#define SEARCH_BLOCK_ENTRIES 64

void index_file_init(struct index_file *index, fd_open_fn *open, int32_t entry_bytes, bool exists)
{
	*index = (struct index_file){.entry_bytes = entry_bytes, .exists = exists, .n_entries = exists ? -1 : 0};
	fd_file_init(&index->file, open);
	CHECK(entry_bytes <= INDEX_ENTRY_BYTES_MAX);
}

static void drop_tail(struct index_file *index)
{
	free(index->tail);
	index->tail = NULL;
	index->tail_cap = 0;
	index->n_tail = 0;
}

void index_file_fini(struct index_file *index, struct fd_cache *fds)
{
	fd_cache_forget(fds, &index->file);
	drop_tail(index);
}

static size_t entries_bytes(const struct index_file *index, int32_t n)
{
	return (size_t)n * (size_t)index->entry_bytes;
}

static int64_t entry_pos(const struct index_file *index, int32_t i)
{
	return (int64_t)i * index->entry_bytes;
}

int index_file_load(struct index_file *index, struct fd_cache *fds)
{
	struct fs_stat status;
	int fd, rc;

	if (index->n_entries >= 0)
		return 0;
	rc = fd_cache_pin(fds, &index->file, &fd);
	if (rc < 0)
		return rc;
	rc = fs_fd_stat(fd_cache_fs(fds), fd, &status);
	fd_cache_unpin(&index->file);
	if (rc < 0)
		return rc;
	if (status.size / index->entry_bytes > INT32_MAX)
		return ERR_CORRUPT;
	index->n_entries = index->n_written = (int32_t)(status.size / index->entry_bytes);
	return 0;
}

int index_file_write(struct index_file *index, struct fd_cache *fds)
{
	int32_t n_pending = index->n_entries - index->n_written;
	int fd, rc;

	if (index->n_entries < 0 || n_pending == 0)
		return 0;
	CHECK(n_pending <= index->n_tail);
	rc = fd_cache_pin(fds, &index->file, &fd);
	if (rc < 0)
		return rc;
	index->exists = true;
	rc = fs_write_all(fd_cache_fs(fds), fd, index->tail + entries_bytes(index, index->n_tail - n_pending),
			  entries_bytes(index, n_pending), entry_pos(index, index->n_written));
	fd_cache_unpin(&index->file);
	if (rc == 0)
		index->n_written = index->n_entries;
	return rc;
}

/* Room for one entry more in the tail. */
static int make_room(struct index_file *index, struct fd_cache *fds)
{
	int rc;

	if (index->n_tail < index->tail_cap)
		return 0;
	if (index->tail_cap < INDEX_TAIL_ENTRIES) {
		index->tail_cap = index->tail_cap ? index->tail_cap * 2 : TAIL_ENTRIES_FIRST;
		index->tail = memory_grow(index->tail, entries_bytes(index, index->tail_cap));
		return 0;
	}
	rc = index_file_write(index, fds);
	if (rc < 0)
		return rc;
	/* The newer half stays: most reads are near the end. */
	memmove(index->tail, index->tail + entries_bytes(index, index->n_tail / 2),
		entries_bytes(index, index->n_tail - index->n_tail / 2));
	index->n_tail -= index->n_tail / 2;
	return 0;
}

int index_file_append(struct index_file *index, struct fd_cache *fds, const uint8_t *entry)
{
	int rc = index_file_load(index, fds);

	if (rc == 0)
		rc = make_room(index, fds);
	if (rc < 0)
		return rc;
	memcpy(index->tail + entries_bytes(index, index->n_tail), entry, (size_t)index->entry_bytes);
	index->n_tail++;
	index->n_entries++;
	return 0;
}

/* Copies n entries from number i on, all of them in the file. */
static int read_entries(struct index_file *index, struct fd_cache *fds, int32_t i, int32_t n, uint8_t *ret_entries)
{
	int fd, rc = fd_cache_pin(fds, &index->file, &fd);

	if (rc < 0)
		return rc;
	rc = fs_read_exact(fd_cache_fs(fds), fd, ret_entries, entries_bytes(index, n), entry_pos(index, i));
	fd_cache_unpin(&index->file);
	return rc == ERR_TRUNCATED ? ERR_CORRUPT : rc;
}

static const uint8_t *tail_entry(const struct index_file *index, int32_t i)
{
	int32_t first = index->n_entries - index->n_tail;

	return i < first ? NULL : index->tail + entries_bytes(index, i - first);
}

int index_file_get(struct index_file *index, struct fd_cache *fds, int32_t i, uint8_t *ret_entry)
{
	const uint8_t *in_tail;
	int rc = index_file_load(index, fds);

	if (rc < 0)
		return rc;
	CHECK(i >= 0 && i < index->n_entries);
	in_tail = tail_entry(index, i);
	if (!in_tail)
		return read_entries(index, fds, i, 1, ret_entry);
	memcpy(ret_entry, in_tail, (size_t)index->entry_bytes);
	return 0;
}

/* Halves [low, high) until a block is left; the key of `low` is <= target, that of `high` is above. Entry `low` is kept. */
static int narrow(struct index_file *index, struct fd_cache *fds, index_key_fn *key, int64_t target, int32_t least, int32_t *low,
		  int32_t *high, uint8_t *low_entry)
{
	uint8_t entry[INDEX_ENTRY_BYTES_MAX];

	while (*high - *low > least) {
		int32_t middle = *low + (*high - *low) / 2;
		int rc = index_file_get(index, fds, middle, entry);

		if (rc < 0)
			return rc;
		if (key(entry) > target) {
			*high = middle;
		} else {
			*low = middle;
			memcpy(low_entry, entry, (size_t)index->entry_bytes);
		}
	}
	return 0;
}

/* The last of the entries low..high-1 with key <= target, which are read in one piece; low is one. */
static int search_block(struct index_file *index, struct fd_cache *fds, index_key_fn *key, int64_t target, int32_t low, int32_t high,
			int32_t *ret_i, uint8_t *ret_entry)
{
	uint8_t block[SEARCH_BLOCK_ENTRIES * INDEX_ENTRY_BYTES_MAX];
	int rc = read_entries(index, fds, low, high - low, block);
	int32_t n = 1;

	if (rc < 0)
		return rc;
	while (n < high - low && key(block + entries_bytes(index, n)) <= target)
		n++;
	*ret_i = low + n - 1;
	memcpy(ret_entry, block + entries_bytes(index, n - 1), (size_t)index->entry_bytes);
	return 0;
}

int index_file_search(struct index_file *index, struct fd_cache *fds, index_key_fn *key, int64_t target, int32_t *ret_i,
		      uint8_t *ret_entry)
{
	uint8_t entry[INDEX_ENTRY_BYTES_MAX];
	int32_t low = 0, high;
	int rc = index_file_load(index, fds);

	if (rc < 0)
		return rc;
	high = index->n_entries;
	if (high == 0) {
		*ret_i = -1;
		return 0;
	}
	rc = index_file_get(index, fds, 0, entry);
	if (rc < 0)
		return rc;
	if (key(entry) > target) {
		*ret_i = -1;
		return 0;
	}
	rc = narrow(index, fds, key, target, SEARCH_BLOCK_ENTRIES, &low, &high, entry);
	if (rc == 0 && high <= index->n_written && low + 1 < high)
		return search_block(index, fds, key, target, low, high, ret_i, ret_entry);
	if (rc == 0)
		rc = narrow(index, fds, key, target, 1, &low, &high, entry);
	if (rc < 0)
		return rc;
	*ret_i = low;
	memcpy(ret_entry, entry, (size_t)index->entry_bytes);
	return 0;
}

static int cut_file(struct index_file *index, struct fd_cache *fds, int32_t n)
{
	int fd, rc = fd_cache_pin(fds, &index->file, &fd);

	if (rc < 0)
		return rc;
	rc = fs_truncate(fd_cache_fs(fds), fd, entry_pos(index, n));
	fd_cache_unpin(&index->file);
	return rc;
}

int index_file_truncate(struct index_file *index, struct fd_cache *fds, int32_t n)
{
	int32_t n_dropped;
	int rc = index_file_load(index, fds);

	if (rc < 0 || n >= index->n_entries)
		return rc;
	if (n < index->n_written) {
		rc = cut_file(index, fds, n);
		if (rc < 0)
			return rc;
		index->n_written = n;
	}
	n_dropped = index->n_entries - n;
	index->n_tail = n_dropped < index->n_tail ? index->n_tail - n_dropped : 0;
	index->n_entries = n;
	return 0;
}

int index_file_keep_ascending(struct index_file *index, struct fd_cache *fds, index_key_fn *key, int64_t above)
{
	uint8_t block[INDEX_TAIL_ENTRIES * INDEX_ENTRY_BYTES_MAX];
	struct fs_stat status = {0};
	int fd, rc = index_file_load(index, fds);

	for (int32_t i = 0; rc == 0 && i < index->n_entries;) {
		int32_t n = index->n_entries - i < INDEX_TAIL_ENTRIES ? index->n_entries - i : INDEX_TAIL_ENTRIES;

		rc = read_entries(index, fds, i, n, block);
		for (int32_t k = 0; rc == 0 && k < n; k++, i++) {
			if (key(block + entries_bytes(index, k)) <= above)
				return index_file_truncate(index, fds, i);
			above = key(block + entries_bytes(index, k));
		}
	}
	if (rc < 0 || !index->exists)
		return rc;
	/* A part of an entry at the end would shift all that follow. */
	rc = fd_cache_pin(fds, &index->file, &fd);
	if (rc < 0)
		return rc;
	rc = fs_fd_stat(fd_cache_fs(fds), fd, &status);
	if (rc == 0 && status.size != entry_pos(index, index->n_written))
		rc = fs_truncate(fd_cache_fs(fds), fd, entry_pos(index, index->n_written));
	fd_cache_unpin(&index->file);
	return rc;
}

int index_file_rest(struct index_file *index, struct fd_cache *fds)
{
	int fd, rc = index_file_write(index, fds);

	if (rc == 0 && !index->exists) {
		rc = fd_cache_pin(fds, &index->file, &fd);
		if (rc == 0) {
			index->exists = true;
			fd_cache_unpin(&index->file);
		}
	}
	if (rc == 0) {
		drop_tail(index);
		fd_cache_shut(fds, &index->file);
	}
	return rc;
}
