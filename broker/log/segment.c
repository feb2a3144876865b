/* One segment: its life, its files, appending; finding is in segment_find.c. See segment.h. */
#include "broker/log/segment.h"

#include "broker/log/offset_index.h"
#include "broker/log/time_index.h"
#include "broker/log/txn_index.h"
#include "common/check.h"
#include "common/error.h"
#include "common/memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* Blocks that are taken in advance: this part of the file's size, and none before that is worth a call. */
#define RESERVE_PART 8
#define RESERVE_BYTES_MIN (256 << 10)
#define RESERVE_BYTES_MAX (4 << 20)

struct segment_home *segment_home_new(struct fd_cache *fds, const char *path)
{
	struct segment_home *home = NEW(struct segment_home);

	refcount_init(&home->refs);
	home->fds = fds;
	home->path = memory_copy_text(path);
	return home;
}

void segment_home_release(struct segment_home *home)
{
	if (!home || !refcount_release(&home->refs))
		return;
	free(home->path);
	free(home);
}

int segment_home_rename(struct segment_home *home, const char *path)
{
	char *copy = memory_copy_text(path), *old = copy;
	int rc;

	fd_cache_lock(home->fds);
	home->next_path = copy;
	fd_cache_unlock(home->fds);
	rc = fs_rename(fd_cache_fs(home->fds), home->path, path);
	fd_cache_lock(home->fds);
	home->next_path = NULL;
	if (rc == 0) {
		old = home->path;
		home->path = copy;
	}
	fd_cache_unlock(home->fds);
	free(old);
	return rc;
}

struct fs *segment_fs(const struct segment *segment)
{
	return fd_cache_fs(segment->home->fds);
}

static void path_in(const struct segment *segment, const char *folder, enum log_file_kind kind, char ret_path[FS_PATH_MAX])
{
	snprintf(ret_path, FS_PATH_MAX, "%s/%020" PRId64 "%s%s", folder, segment->base_offset, log_file_extension(kind),
		 segment->deleted ? ".deleted" : "");
}

void segment_path(const struct segment *segment, enum log_file_kind kind, char ret_path[FS_PATH_MAX])
{
	path_in(segment, segment->home->path, kind, ret_path);
}

static int open_path(struct fs *fs, const char *path, bool create, int *ret_fd)
{
	int rc = fs_open(fs, path, FS_WRITE | (create ? FS_CREATE : 0), ret_fd);

	/* What lies on a file system that became read-only can still be read. */
	if (rc == ERR_READ_ONLY || rc == ERR_PERMISSION)
		rc = fs_open(fs, path, FS_READ, ret_fd);
	return rc;
}

/* The lock of the cache is held: a folder that is not there under its old name by now has the new one. */
static int open_file(struct fs *fs, const struct segment *segment, enum log_file_kind kind, bool create, int *ret_fd)
{
	char path[FS_PATH_MAX];
	int rc;

	segment_path(segment, kind, path);
	rc = open_path(fs, path, create, ret_fd);
	if (rc != ERR_NOT_FOUND || !segment->home->next_path)
		return rc;
	path_in(segment, segment->home->next_path, kind, path);
	return open_path(fs, path, create, ret_fd);
}

static int open_log(struct fd_file *file, struct fs *fs, int *ret_fd)
{
	const struct segment *segment = CONTAINER_OF(file, struct segment, file);

	return open_file(fs, segment, LOG_FILE_LOG, !segment->exists, ret_fd);
}

static int open_offsets(struct fd_file *file, struct fs *fs, int *ret_fd)
{
	const struct segment *segment = CONTAINER_OF(file, struct segment, offsets.file);

	return open_file(fs, segment, LOG_FILE_INDEX, !segment->deleted, ret_fd);
}

static int open_times(struct fd_file *file, struct fs *fs, int *ret_fd)
{
	const struct segment *segment = CONTAINER_OF(file, struct segment, times.file);

	return open_file(fs, segment, LOG_FILE_TIME_INDEX, !segment->deleted, ret_fd);
}

struct segment *segment_new(struct segment_home *home, int64_t base_offset)
{
	struct segment *segment = NEW(struct segment);

	refcount_init(&segment->refs);
	refcount_retain(&home->refs);
	segment->home = home;
	segment->base_offset = base_offset;
	segment->max_timestamp = -1;
	segment->max_timestamp_offset = base_offset;
	segment->first_timestamp = SEGMENT_TIMESTAMP_UNKNOWN;
	fd_file_init(&segment->file, open_log);
	index_file_init(&segment->offsets, open_offsets, OFFSET_INDEX_ENTRY_BYTES, false);
	index_file_init(&segment->times, open_times, TIME_INDEX_ENTRY_BYTES, false);
	return segment;
}

struct segment *segment_retain(struct segment *segment)
{
	refcount_retain(&segment->refs);
	return segment;
}

void segment_release(struct segment *segment)
{
	struct fd_cache *fds;

	if (!segment || !refcount_release(&segment->refs))
		return;
	fds = segment->home->fds;
	if (segment->held_open)
		fd_cache_unpin(&segment->file);
	fd_cache_forget(fds, &segment->file);
	index_file_fini(&segment->offsets, fds);
	index_file_fini(&segment->times, fds);
	segment_home_release(segment->home);
	free(segment);
}

void segment_shut(struct segment *segment)
{
	fd_cache_shut(segment->home->fds, &segment->file);
}

int segment_load_newest(struct segment *segment)
{
	struct time_index_entry last;
	int rc = time_index_last(&segment->times, segment->home->fds, &last);

	if (rc < 0)
		return rc;
	segment->max_timestamp = last.timestamp;
	segment->max_timestamp_offset = segment->base_offset + last.relative_offset;
	return 0;
}

int segment_wake(struct segment *segment)
{
	int rc;

	if (segment->max_timestamp != SEGMENT_TIMESTAMP_UNKNOWN)
		return 0;
	rc = segment_load_newest(segment);
	if (rc < 0)
		return rc;
	return segment_check_times(segment, segment->max_timestamp, (int32_t)(segment->max_timestamp_offset - segment->base_offset));
}

/* The log may go on in the segment before this one, which must then not lie about where that ends. */
static int undo_create(struct segment *segment, int cause)
{
	char path[FS_PATH_MAX];

	segment_shut(segment);
	segment_path(segment, LOG_FILE_LOG, path);
	if (fs_unlink(segment_fs(segment), path) < 0)
		return ERR_IO;
	segment->exists = false;
	return cause;
}

int segment_create(struct segment *segment, const struct log_config *config)
{
	int fd, rc;

	if (segment->exists)
		return 0;
	rc = fd_cache_pin(segment->home->fds, &segment->file, &fd);
	if (rc < 0)
		return rc;
	segment->exists = true;
	if (config->preallocate)
		rc = fs_allocate(segment_fs(segment), fd, config->segment_bytes);
	fd_cache_unpin(&segment->file);
	return rc < 0 ? undo_create(segment, rc) : 0;
}

/*
 * Takes the blocks of what is written now and of a while beyond. A file gets a part of its size, so that many small ones do not fill the
 * disk with what they may never need. A disk that is nearly full, or a file system that cannot: no more of it.
 */
static void reserve_blocks(struct segment *segment, int fd, int64_t end)
{
	int64_t ahead = end / RESERVE_PART < RESERVE_BYTES_MAX ? end / RESERVE_PART : RESERVE_BYTES_MAX;
	int64_t from = segment->reserved > segment->size ? segment->reserved : segment->size;

	if (end <= segment->reserved || ahead < RESERVE_BYTES_MIN)
		return;
	if (fs_reserve(segment_fs(segment), fd, from, end + ahead - from) < 0)
		segment->reserved = INT64_MAX;
	else
		segment->reserved = end + ahead;
}

void segment_had_reserved(struct segment *segment)
{
	if (segment->reserved < segment->size)
		segment->reserved = segment->size;
}

/* This also gives back the blocks behind the end. */
static int restore_length(struct segment *segment, int fd, int cause)
{
	segment->reserved = INT64_MAX;
	return fs_truncate(segment_fs(segment), fd, segment->size) < 0 ? ERR_IO : cause;
}

int segment_append(struct segment *segment, const void *bytes, size_t len, const struct log_config *config)
{
	int fd, rc = segment_create(segment, config);

	if (rc == 0)
		rc = fd_cache_pin(segment->home->fds, &segment->file, &fd);
	if (rc < 0)
		return rc;
	if (!config->preallocate)
		reserve_blocks(segment, fd, segment->size + (int64_t)len);
	rc = fs_write_all(segment_fs(segment), fd, bytes, len, segment->size);
	if (rc < 0)
		rc = restore_length(segment, fd, rc);
	else
		segment->size += (int64_t)len;
	fd_cache_unpin(&segment->file);
	return rc;
}

static int add_index_entries(struct segment *segment, int32_t relative_offset, int64_t pos)
{
	struct fd_cache *fds = segment->home->fds;
	struct time_index_entry time = {segment->max_timestamp, (int32_t)(segment->max_timestamp_offset - segment->base_offset)};
	int rc = offset_index_append(&segment->offsets, fds, (struct offset_index_entry){relative_offset, (int32_t)pos});

	if (rc == 0)
		rc = time_index_append(&segment->times, fds, time);
	return rc;
}

int segment_note(struct segment *segment, const struct batch_header *header, int64_t pos, const struct log_config *config)
{
	int64_t last = batch_last_offset(header);
	int rc = 0;

	if (pos == 0)
		segment->first_timestamp = header->max_timestamp;
	if (header->max_timestamp > segment->max_timestamp) {
		segment->max_timestamp = header->max_timestamp;
		segment->max_timestamp_offset = last;
	}
	if (segment->bytes_since_index > config->index_interval_bytes) {
		rc = add_index_entries(segment, (int32_t)(last - segment->base_offset), pos);
		if (rc == 0)
			segment->bytes_since_index = 0;
		else if (rc == ERR_NO_SPACE)
			rc = 0;
	}
	segment->bytes_since_index += (int32_t)header->size;
	/* Where entries cannot be written the count must not overflow. */
	if (segment->bytes_since_index < 0)
		segment->bytes_since_index = INT32_MAX / 2;
	return rc;
}

bool segment_index_full(const struct segment *segment, const struct log_config *config)
{
	return segment->offsets.n_entries >= config->index_bytes_max / OFFSET_INDEX_ENTRY_BYTES ||
	       segment->times.n_entries >= config->index_bytes_max / TIME_INDEX_ENTRY_BYTES - 1;
}

static int trim_file(struct segment *segment)
{
	struct fs_stat status;
	int fd, rc = fd_cache_pin(segment->home->fds, &segment->file, &fd);

	if (rc < 0)
		return rc;
	rc = fs_fd_stat(segment_fs(segment), fd, &status);
	if (rc == 0 && (status.size > segment->size || segment->reserved > 0))
		rc = fs_truncate(segment_fs(segment), fd, segment->size);
	segment->reserved = 0;
	fd_cache_unpin(&segment->file);
	return rc;
}

int segment_rest(struct segment *segment, bool trim)
{
	struct fd_cache *fds = segment->home->fds;
	int rc;

	if (!segment->exists)
		return 0;
	rc = segment_wake(segment);
	if (rc == 0 && segment->max_timestamp >= 0)
		rc = time_index_append(&segment->times, fds,
				       (struct time_index_entry){segment->max_timestamp,
								 (int32_t)(segment->max_timestamp_offset - segment->base_offset)});
	if (rc == 0)
		rc = index_file_rest(&segment->offsets, fds);
	if (rc == 0)
		rc = index_file_rest(&segment->times, fds);
	if (rc == 0 && trim)
		rc = trim_file(segment);
	return rc;
}

/* The caller has the lock of the descriptor cache. */
static int rename_one(struct segment *segment, enum log_file_kind kind)
{
	char from[FS_PATH_MAX], to[FS_PATH_MAX];
	int rc;

	segment_path(segment, kind, from);
	if ((size_t)snprintf(to, sizeof to, "%s.deleted", from) >= sizeof to)
		return ERR_TOO_LARGE;
	rc = fs_rename(segment_fs(segment), from, to);
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

/* Another file may get this name when the log begins there again: who still sends this one must not open that. */
static int hold_open(struct segment *segment)
{
	int fd, rc;

	if (segment->held_open || refcount_is_one(&segment->refs))
		return 0;
	rc = fd_cache_pin(segment->home->fds, &segment->file, &fd);
	segment->held_open = rc == 0;
	return rc;
}

int segment_rename_deleted(struct segment *segment)
{
	int rc = hold_open(segment);

	if (rc < 0)
		return rc;
	index_file_fini(&segment->offsets, segment->home->fds);
	index_file_fini(&segment->times, segment->home->fds);
	fd_cache_lock(segment->home->fds);
	/* The log file goes first: index files without one are leftovers that the next start removes. */
	rc = rename_one(segment, LOG_FILE_LOG);
	for (enum log_file_kind kind = LOG_FILE_INDEX; rc == 0 && kind <= LOG_FILE_TXN_INDEX; kind++)
		rc = rename_one(segment, kind);
	if (rc == 0)
		segment->deleted = true;
	fd_cache_unlock(segment->home->fds);
	return rc;
}
