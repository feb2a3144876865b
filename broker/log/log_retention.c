/* What leaves a log at its head, and the log itself when it is deleted; see log.h. Decisions are in retention_core.c. */
#include "broker/log/log_dir.h"
#include "broker/log/log_internal.h"
#include "broker/log/retention_core.h"
#include "common/error.h"
#include "common/memory.h"
#include "common/trace.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static void remove_segment_later(struct log *log, struct segment *segment)
{
	char path[FS_PATH_MAX];

	for (enum log_file_kind kind = LOG_FILE_LOG; kind <= LOG_FILE_TXN_INDEX; kind++) {
		segment_path(segment, kind, path);
		if (kind != LOG_FILE_TXN_INDEX || segment->has_txn_index)
			log_dir_remove_later(log->dir, path, log->config.file_delete_delay_ms);
	}
}

/* The snapshot of a segment goes with it. */
static int drop_snapshot(struct log *log, int64_t offset)
{
	char from[FS_PATH_MAX], to[FS_PATH_MAX];
	int rc;

	log_snapshot_path(log, offset, from);
	if ((size_t)snprintf(to, sizeof to, "%s.deleted", from) >= sizeof to)
		return ERR_TOO_LARGE;
	rc = fs_rename(log_fs(log), from, to);
	if (rc == 0)
		log_dir_remove_later(log->dir, to, log->config.file_delete_delay_ms);
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

static void take_out_segment(struct log *log, int32_t i)
{
	log->n_segments--;
	memmove(&log->segments[i], &log->segments[i + 1], (size_t)(log->n_segments - i) * sizeof(struct segment *));
	if (i == 0 && log->n_segments > 0)
		shared_i64_set(&log->first_base, log->segments[0]->base_offset);
}

int log_drop_segment(struct log *log, int32_t i)
{
	struct segment *segment = log->segments[i];
	int rc;

	if (segment->exists) {
		rc = segment_rename_deleted(segment);
		if (rc == 0)
			rc = drop_snapshot(log, segment->base_offset);
		if (rc < 0)
			return rc;
		remove_segment_later(log, segment);
		log_names_changed(log);
	}
	segment_shut(segment);
	take_out_segment(log, i);
	segment_release(segment);
	return 0;
}

/* The age of a segment's newest record; without time stamps that of its file. */
static int newest_ms(const struct log *log, struct segment *segment, int64_t *ret_ms)
{
	struct fs_stat status;
	char path[FS_PATH_MAX];
	int rc = segment_wake(segment);

	if (rc < 0 || segment->size == 0 || segment->max_timestamp >= 0) {
		*ret_ms = segment->max_timestamp;
		return rc;
	}
	segment_path(segment, LOG_FILE_LOG, path);
	rc = fs_stat(log_fs(log), path, &status);
	*ret_ms = rc == 0 ? status.mtime_ms : INT64_MAX;
	return rc;
}

static int count_old(struct log *log, int64_t now_ms, int32_t *ret_n)
{
	struct retention_rules rules = {.retention_ms = log->config.retention_ms,
					.retention_bytes = log->config.retention_bytes,
					.by_policy = log->config.cleanup_delete,
					.now_ms = now_ms,
					.log_start_offset = log_start_offset(log),
					.high_watermark = log_high_watermark(log),
					.total_bytes = log_size(log)};
	struct retention retention;
	int32_t n = 0;

	retention_init(&retention, &rules);
	for (; n < log->n_segments; n++) {
		struct retention_segment segment = {.end_offset = log_segment_end(log, n),
						    .bytes = log->segments[n]->size,
						    .is_last = n == log->n_segments - 1};
		int rc = newest_ms(log, log->segments[n], &segment.newest_ms);

		if (rc < 0)
			return rc;
		if (retention_step(&retention, &segment) == RETENTION_KEEP)
			break;
	}
	*ret_n = n;
	return 0;
}

static void move_start(struct log *log, int64_t offset)
{
	if (offset <= log_start_offset(log))
		return;
	shared_i64_set(&log->start, offset);
	epoch_cache_truncate_start(&log->epochs, offset);
	log->touched = true;
	if (log_high_watermark(log) < offset)
		log_set_high_watermark(log, offset);
	log_dir_start_moved(log->dir);
	if (log->observer.on_start_moved)
		log->observer.on_start_moved(log->observer.ctx, offset);
}

int log_advance_start(struct log *log, int64_t offset)
{
	if (offset > log_end_offset(log))
		return ERR_OUT_OF_RANGE;
	move_start(log, offset);
	return 0;
}

int log_delete_old_segments(struct log *log, int64_t now_ms)
{
	int32_t n = 0, n_deleted = 0;
	int rc;

	if (log_dir_failed(log->dir))
		return ERR_IO;
	rc = count_old(log, now_ms, &n);
	if (rc == 0 && n == log->n_segments && n > 0)
		rc = log_roll(log, log_end_offset(log));
	while (rc == 0 && n_deleted < n) {
		/* Readers are told first: nobody finds the segment any more when its files are renamed. */
		move_start(log, log_segment_end(log, 0));
		rc = log_drop_segment(log, 0);
		n_deleted += rc == 0;
	}
	if (n_deleted > 0) {
		trace_info("log", "old segments go: log=%s n=%" PRId32 " log_start=%" PRId64, log->home->path, n_deleted,
			   log_start_offset(log));
		log_dir_dirtied(log->dir, log, 0);
	}
	rc = log_dir_check(log->dir, rc, "deleting old segments");
	return rc < 0 ? rc : n_deleted;
}

/* Gives the folder a name under which no start opens it. */
static int rename_folder(struct log *log, enum dir_kind kind, const char *what, char ret_path[FS_PATH_MAX])
{
	struct uuid uuid = uuid_random();
	char name[DIR_NAME_MAX];

	dir_name_format_gone(log_topic(log), log->partition, kind, &uuid, name);
	if ((size_t)snprintf(ret_path, FS_PATH_MAX, "%s/%s", log_dir_path(log->dir), name) >= FS_PATH_MAX)
		return ERR_TOO_LARGE;
	return log_dir_check(log->dir, segment_home_rename(log->home, ret_path), what);
}

int log_delete(struct log *log)
{
	char path[FS_PATH_MAX];
	int rc = rename_folder(log, DIR_DELETE, "deleting a partition", path);

	if (rc < 0)
		return rc;
	log_dir_remove_later(log->dir, path, log->config.file_delete_delay_ms);
	log_dir_note_deleted(log->dir);
	log_free(log);
	return 0;
}

int log_set_aside(struct log *log, char ret_path[FS_PATH_MAX])
{
	int rc = rename_folder(log, DIR_STRAY, "setting a partition aside", ret_path);

	if (rc < 0)
		return rc;
	log_dir_note_deleted(log->dir);
	log_free(log);
	return 0;
}
