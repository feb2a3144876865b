/*
 * Truncation (D5): the file is cut, then the log goes on in a new segment, so that a position of a file never gets other bytes while
 * somebody may still send the old ones; see log.h.
 *
 *     durable mark lowered (on disk, too, where it lies above) -> later segments dropped -> file cut -> new segment -> observer anew
 *
 * On a full disk it is done as a whole or not at all: the log stays as it was, or it is cut and only the new segment waits for the next append.
 */
#include "broker/log/log_dir.h"
#include "broker/log/log_internal.h"
#include "common/error.h"
#include "common/trace.h"

#include <inttypes.h>
#include <stdio.h>

static void set_end(struct log *log, int64_t end)
{
	shared_i64_set(&log->end, end);
	if (log_high_watermark(log) > end)
		log_set_high_watermark(log, end);
	epoch_cache_truncate_end(&log->epochs, end);
	log_drop_pending_aborted(log, end);
	if (log->tail)
		log->tail->n = 0;
	log_names_changed(log);
	log_dir_dirtied(log->dir, log, 0);
}

/* A step between the old log and the new one: when it fails, also for want of room, only the next start puts that right. */
static int halfway(int rc)
{
	return rc == ERR_NO_SPACE ? ERR_IO : rc;
}

/* Takes out the segments from number `first` on; at least one must be added afterwards when that was all. */
static int drop_from(struct log *log, int32_t first)
{
	int rc = 0;

	while (rc == 0 && log->n_segments > first)
		rc = halfway(log_drop_segment(log, log->n_segments - 1));
	return rc;
}

/* The log goes on behind what was cut. Without room it does so later: what is here must be right by then. */
static int begin_next(struct log *log, int64_t end)
{
	int rc;

	log->is_cut = true;
	rc = segment_rest(log_active(log), true);
	if (rc == 0)
		rc = log_push_segment(log, end);
	return rc == ERR_NO_SPACE ? 0 : rc;
}

/*
 * Where the log ends when it is cut at an offset in segment i: behind the last batch that lies wholly below. That is lower than the offset
 * where it falls inside of a batch, or where compaction left none: the end is always what the next start would find.
 */
static int find_cut(struct log *log, int32_t i, int64_t offset, int64_t *ret_pos, int64_t *ret_end)
{
	struct batch_found found;
	int rc = segment_find(log->segments[i], offset, &found);

	if (rc < 0)
		return rc;
	*ret_pos = rc == 1 ? found.pos : log->segments[i]->size;
	return segment_end_below(log->segments[i], *ret_pos, ret_end);
}

static int cut_inside(struct log *log, int32_t i, int64_t pos, int64_t end)
{
	struct segment *segment = log->segments[i];
	int rc = drop_from(log, i + 1);

	if (rc == 0 && pos < segment->size)
		rc = halfway(segment_cut(segment, pos, end));
	if (rc < 0)
		return rc;
	set_end(log, end);
	if (segment->size == 0)
		rc = drop_from(log, i);
	return rc < 0 ? rc : begin_next(log, end);
}

/* What is written down of the log before it is cut; where that cannot be done it stays as it was. */
static int lower(struct log *log, int64_t before, int64_t durable_end, int64_t start)
{
	int rc = log_dir_lower_durable(log->dir, log, durable_end);

	if (rc < 0 || start >= log_start_offset(log))
		return rc;
	rc = log_dir_unlist(log->dir, log);
	if (rc < 0)
		log_dir_restore_end(log->dir, log, before);
	return rc;
}

static int truncate_inside(struct log *log, int64_t offset)
{
	int32_t i = log_segment_for(log, offset);
	int64_t before = log_end_offset(log), pos, end;
	int rc = find_cut(log, i, offset, &pos, &end);

	if (rc < 0)
		return rc;
	if (i == 0 && pos == 0)
		return log_truncate_fully(log, end);
	rc = lower(log, before, end, end);
	return rc < 0 ? rc : cut_inside(log, i, pos, end);
}

/* The state of producers at the new end. */
static int tell_observer(struct log *log)
{
	struct log_snapshots snapshots;
	int rc = log_list_snapshots(log, &snapshots);

	if (rc < 0)
		return rc;
	rc = log_prune_snapshots(log, &snapshots);
	if (rc == 0)
		rc = log_replay(log, &snapshots, INT64_MAX, INT64_MAX);
	log_snapshots_fini(&snapshots);
	return rc;
}

int log_truncate_to(struct log *log, int64_t offset)
{
	int64_t before = log_end_offset(log);
	int rc;

	if (offset >= before)
		return 0;
	if (log_dir_failed(log->dir))
		return ERR_IO;
	if (offset <= log->segments[0]->base_offset)
		return log_truncate_fully(log, offset);
	rc = truncate_inside(log, offset);
	if (rc == 0 && log_start_offset(log) > log_end_offset(log))
		shared_i64_set(&log->start, log_end_offset(log));
	if (rc == 0)
		rc = tell_observer(log);
	if (rc == 0)
		trace_info("log", "truncated: log=%s from=%" PRId64 " to=%" PRId64, log->home->path, before, log_end_offset(log));
	return log_dir_check(log->dir, rc, "truncating a log");
}

/* The file that begins the new log, under a name that the next start completes should we not come to it. */
static int create_aside(struct log *log, const struct segment *next, char ret_path[FS_PATH_MAX])
{
	char path[FS_PATH_MAX];
	int fd, rc;

	segment_path(next, LOG_FILE_LOG, path);
	if ((size_t)snprintf(ret_path, FS_PATH_MAX, "%s.swap", path) >= FS_PATH_MAX)
		return ERR_TOO_LARGE;
	rc = fs_open(log_fs(log), ret_path, FS_WRITE | FS_CREATE | FS_TRUNCATE, &fd);
	return rc < 0 ? rc : fs_close(log_fs(log), fd);
}

/*
 * Puts `next` in the place of all segments. At no moment is there a folder without a segment: the offsets would begin at 0 again. The
 * oldest go first, so that a crash on the way leaves the log end where it was.
 */
static int replace_all(struct log *log, struct segment *next)
{
	char aside[FS_PATH_MAX], path[FS_PATH_MAX];
	int rc = create_aside(log, next, aside);

	while (rc == 0 && log->n_segments > 0)
		rc = halfway(log_drop_segment(log, 0));
	if (rc == 0) {
		segment_path(next, LOG_FILE_LOG, path);
		rc = halfway(fs_rename(log_fs(log), aside, path));
		next->exists = rc == 0;
	}
	return rc;
}

int log_truncate_fully(struct log *log, int64_t offset)
{
	struct segment *next;
	int64_t before = log_end_offset(log);
	int rc;

	if (log_dir_failed(log->dir))
		return ERR_IO;
	rc = lower(log, before, 0, offset);
	if (rc < 0)
		return log_dir_check(log->dir, rc, "truncating a log");
	next = segment_new(log->home, offset);
	rc = replace_all(log, next);
	/* A log always has an active segment, also one whose dir has failed; with those that are left it ends where it did. */
	if (rc < 0 && log->n_segments > 0) {
		segment_release(next);
		log_dir_restore_end(log->dir, log, before);
	} else {
		log_add_segment(log, next);
	}
	if (rc < 0)
		return log_dir_check(log->dir, rc, "truncating a log");
	shared_i64_set(&log->start, offset);
	log->epochs.entries.n = 0;
	log->epochs.changed = true;
	log_drop_pending_aborted(log, 0);
	set_end(log, offset);
	if (log_high_watermark(log) < offset)
		log_set_high_watermark(log, offset);
	log_dir_start_moved(log->dir);
	trace_info("log", "truncated fully: log=%s from=%" PRId64 " start=%" PRId64, log->home->path, before, offset);
	rc = log_drop_snapshots(log);
	if (rc == 0 && log->observer.reset)
		log->observer.reset(log->observer.ctx);
	return log_dir_check(log->dir, rc, "truncating a log");
}
