/*
 * The reserve of a log dir (D10): a file with nothing in it whose blocks are taken, so that a start on a full disk has room for what it must
 * write: klamm.run, checkpoints, and of each log that is looked through its epochs, indexes and a snapshot.
 *
 *     a write of a start meets a full disk -> the file is removed, told and counted -> that step of the start is done once more
 *     the start is over, or there is room again -> it is taken anew, and half of what is free is left to others
 *
 * While the broker runs a full disk needs none of it: appends are refused, checkpoints wait, and all goes on when there is room.
 * Kafka looks at folders only and leaves the file alone; an operator may remove it at any time.
 */
#include "broker/log/log_dir_internal.h"
#include "common/trace.h"

#include <inttypes.h>

#define RESERVE_FILE "klamm.reserve"

/* It is a small part of small file systems. */
#define RESERVE_SHARE 256

/* How often a dir whose reserve is not whole looks whether there is room. */
#define RESERVE_WAIT_MS 60000

void log_dir_find_reserve(struct log_dir *dir)
{
	char path[FS_PATH_MAX];
	struct fs_space space;
	struct fs_stat status;

	log_dir_file(dir, RESERVE_FILE, path);
	if (fs_stat(dir->fs, path, &status) == 0 && !status.is_dir)
		shared_i64_set(&dir->reserve_bytes, status.size);
	if (fs_space(dir->fs, dir->path, &space) == 0)
		dir->reserve_wanted = space.total_bytes / RESERVE_SHARE;
	if (dir->reserve_wanted > dir->args.reserve_bytes)
		dir->reserve_wanted = dir->args.reserve_bytes;
}

bool log_dir_give_up_reserve(struct log_dir *dir, int error, const char *what)
{
	int64_t bytes = shared_i64_get(&dir->reserve_bytes);
	char path[FS_PATH_MAX];
	int rc;

	if (error != ERR_NO_SPACE || bytes == 0)
		return false;
	log_dir_file(dir, RESERVE_FILE, path);
	rc = fs_unlink(dir->fs, path);
	/* Blocks are free for others when it is on the disk that they are. */
	if (rc == 0)
		rc = log_dir_check(dir, fs_sync_dir(dir->fs, dir->path), "giving up the reserve");
	if (rc < 0) {
		trace_error("log", "the disk is full, and the reserve cannot be given up: file=%s error=\"%s\"", path, error_text(rc));
		return false;
	}
	trace_warn("log", "the disk is full: the reserve of the log dir is given up: dir=%s bytes=%" PRId64 " while=\"%s\"", dir->path, bytes, what);
	shared_i64_set(&dir->reserve_bytes, 0);
	shared_i64_add(&dir->n_reserves_given_up, 1);
	return true;
}

static int take(struct log_dir *dir, const char *path, int64_t bytes)
{
	int fd, rc = fs_open(dir->fs, path, FS_WRITE | FS_CREATE, &fd);

	if (rc < 0)
		return rc;
	rc = fs_allocate(dir->fs, fd, bytes);
	fs_close(dir->fs, fd);
	return rc;
}

void log_dir_fill_reserve(struct log_dir *dir)
{
	int64_t have = shared_i64_get(&dir->reserve_bytes), bytes = dir->reserve_wanted;
	char path[FS_PATH_MAX];
	struct fs_space space;
	int rc;

	if (have >= bytes || fs_space(dir->fs, dir->path, &space) < 0)
		return;
	/* What there is of it grows only to the whole, not by ever smaller pieces. */
	if (bytes - have > space.free_bytes / 2)
		bytes = have > 0 ? 0 : space.free_bytes / 2;
	if (bytes <= have)
		return;
	log_dir_file(dir, RESERVE_FILE, path);
	rc = take(dir, path, bytes);
	if (rc == 0) {
		shared_i64_set(&dir->reserve_bytes, bytes);
		trace_info("log", "room is kept for a start on a full disk: file=%s bytes=%" PRId64, path, bytes);
		return;
	}
	/* A part may have been taken: all is given back. */
	fs_unlink(dir->fs, path);
	shared_i64_set(&dir->reserve_bytes, 0);
	if (log_dir_check(dir, rc, "keeping room for a start") != ERR_NO_SPACE)
		trace_limited(TRACE_WARN, "log", "no room can be kept for a start on a full disk: file=%s error=\"%s\"", path, error_text(rc));
}

void log_dir_tick_reserve(struct log_dir *dir, int64_t now_ms)
{
	bool lacks = shared_i64_get(&dir->reserve_bytes) < dir->reserve_wanted;

	if (!lacks) {
		dir->reserve_due.at_ms = 0;
		return;
	}
	if (dir->reserve_due.at_ms != 0 && dir->reserve_due.at_ms > now_ms)
		return;
	if (dir->reserve_due.at_ms != 0)
		log_dir_fill_reserve(dir);
	lacks = shared_i64_get(&dir->reserve_bytes) < dir->reserve_wanted;
	dir->reserve_due.at_ms = lacks ? now_ms + RESERVE_WAIT_MS : 0;
}

int64_t log_dir_reserve_bytes(const struct log_dir *dir)
{
	return shared_i64_get(&dir->reserve_bytes);
}

int64_t log_dir_n_reserves_given_up(const struct log_dir *dir)
{
	return shared_i64_get(&dir->n_reserves_given_up);
}
