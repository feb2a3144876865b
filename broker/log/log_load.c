/*
 * Opening a log that is there (kafka.md 5.5); see log_internal.h.
 *
 *     list the folder -> leftovers (.deleted, .cleaned, .swap, orphaned indexes) -> segments -> clean: find the log end in the last
 *     segment; else recovery -> log start -> epochs -> snapshots -> observer
 *
 * A clean and idle partition costs one listing, a stat a segment, and a few small reads of the last one.
 */
#include "broker/log/log_dir.h"
#include "broker/log/log_internal.h"
#include "broker/log/partition_metadata.h"
#include "common/memory.h"
#include "common/trace.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* What lies in the folder. */
struct folder {
	struct log_file_name *files;
	int32_t n_files;
	bool has_leftovers; /* .deleted, .cleaned, .swap or .tmp */
	bool has_epochs;
	bool has_metadata;
};

static bool ends_with(const char *name, const char *end)
{
	size_t len = strlen(name), n = strlen(end);

	return len >= n && strcmp(name + len - n, end) == 0;
}

static int note_file(void *ctx, const char *name, bool is_dir)
{
	struct folder *folder = ctx;
	struct log_file_name file = log_file_name_parse(slice_of_text(name));

	if (is_dir)
		return 0;
	if (file.suffix != LOG_SUFFIX_NONE || ends_with(name, ".tmp"))
		folder->has_leftovers = true;
	if (strcmp(name, EPOCH_CACHE_FILE) == 0)
		folder->has_epochs = true;
	if (strcmp(name, PARTITION_METADATA_FILE) == 0)
		folder->has_metadata = true;
	if (file.kind == LOG_FILE_OTHER)
		return 0;
	if ((folder->n_files & (folder->n_files - 1)) == 0) {
		size_t cap = folder->n_files ? 2 * (size_t)folder->n_files : 8;

		if (folder->n_files == 0 || folder->n_files >= 8)
			folder->files = memory_grow(folder->files, cap * sizeof *folder->files);
	}
	folder->files[folder->n_files++] = file;
	return 0;
}

static int list_folder(struct log *log, struct folder *ret_folder)
{
	free(ret_folder->files);
	*ret_folder = (struct folder){0};
	return fs_list(log_fs(log), log->home->path, note_file, ret_folder);
}

static void file_path(const struct log *log, const struct log_file_name *file, char ret_path[FS_PATH_MAX])
{
	static const char *const suffixes[] = {[LOG_SUFFIX_NONE] = "",
					       [LOG_SUFFIX_DELETED] = ".deleted",
					       [LOG_SUFFIX_CLEANED] = ".cleaned",
					       [LOG_SUFFIX_SWAP] = ".swap"};

	snprintf(ret_path, FS_PATH_MAX, "%s/%020" PRId64 "%s%s", log->home->path, file->offset, log_file_extension(file->kind),
		 suffixes[file->suffix]);
}

static int remove_file(struct log *log, const struct log_file_name *file)
{
	char path[FS_PATH_MAX];
	int rc;

	file_path(log, file, path);
	log_names_changed(log);
	rc = fs_unlink(log_fs(log), path);
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

/* ---- leftovers ---- */

static bool is_log_swap(const struct log_file_name *file)
{
	return file->kind == LOG_FILE_LOG && file->suffix == LOG_SUFFIX_SWAP;
}

/* The offset after the last batch of a .swap file; its base when it is empty. */
static int swap_end(struct log *log, const struct log_file_name *file, int64_t *ret_end)
{
	struct batch_scan scan;
	struct batch_found found;
	struct fs_stat status;
	char path[FS_PATH_MAX];
	int fd, rc;

	file_path(log, file, path);
	rc = fs_open(log_fs(log), path, FS_READ, &fd);
	if (rc < 0)
		return rc;
	*ret_end = file->offset;
	rc = fs_fd_stat(log_fs(log), fd, &status);
	if (rc == 0) {
		batch_scan_init(&scan, log_fs(log), fd, 0, status.size, BATCH_SCAN_HEADERS);
		while ((rc = batch_scan_next(&scan, &found)) == 1)
			*ret_end = batch_next_offset(&found.header);
		batch_scan_fini(&scan);
	}
	fs_close(log_fs(log), fd);
	return rc == ERR_CORRUPT || rc == ERR_TRUNCATED ? 0 : rc;
}

/* Removes the originals that a completed swap of [base, end) stands for. */
static int remove_originals(struct log *log, const struct folder *folder, int64_t base, int64_t end)
{
	int rc = 0;

	for (int32_t i = 0; rc == 0 && i < folder->n_files; i++) {
		const struct log_file_name *file = &folder->files[i];

		if (file->suffix == LOG_SUFFIX_NONE && file->kind != LOG_FILE_SNAPSHOT && file->offset >= base &&
		    (file->offset < end || file->offset == base))
			rc = remove_file(log, file);
	}
	return rc;
}

static int finish_swap(struct log *log, const struct log_file_name *file)
{
	struct log_file_name final = *file;
	char from[FS_PATH_MAX], to[FS_PATH_MAX];

	final.suffix = LOG_SUFFIX_NONE;
	file_path(log, file, from);
	file_path(log, &final, to);
	log_names_changed(log);
	return fs_rename(log_fs(log), from, to);
}

static int finish_swaps(struct log *log, const struct folder *folder, int64_t below)
{
	int rc = 0;

	for (int32_t i = 0; rc == 0 && i < folder->n_files; i++) {
		int64_t end;

		if (!is_log_swap(&folder->files[i]) || folder->files[i].offset >= below)
			continue;
		rc = swap_end(log, &folder->files[i], &end);
		if (rc == 0)
			rc = remove_originals(log, folder, folder->files[i].offset, end);
	}
	/* The log file comes last: until then the swap is still seen as one. */
	for (int pass = 0; rc == 0 && pass < 2; pass++) {
		for (int32_t i = 0; rc == 0 && i < folder->n_files; i++) {
			const struct log_file_name *file = &folder->files[i];

			if (file->suffix == LOG_SUFFIX_SWAP && file->offset < below && (file->kind == LOG_FILE_LOG) == (pass == 1))
				rc = finish_swap(log, file);
		}
	}
	return rc;
}

static int remove_tmp(void *ctx, const char *name, bool is_dir)
{
	struct log *log = ctx;
	char path[FS_PATH_MAX];

	if (is_dir || !ends_with(name, ".tmp"))
		return 0;
	log_file_path(log, name, path);
	return fs_unlink(log_fs(log), path);
}

static int clear_leftovers(struct log *log, struct folder *folder)
{
	int64_t least_cleaned = INT64_MAX;
	int rc = 0;

	for (int32_t i = 0; i < folder->n_files; i++) {
		if (folder->files[i].suffix == LOG_SUFFIX_CLEANED && folder->files[i].offset < least_cleaned)
			least_cleaned = folder->files[i].offset;
	}
	for (int32_t i = 0; rc == 0 && i < folder->n_files; i++) {
		const struct log_file_name *file = &folder->files[i];

		if (file->suffix == LOG_SUFFIX_DELETED || file->suffix == LOG_SUFFIX_CLEANED ||
		    (file->suffix == LOG_SUFFIX_SWAP && file->offset >= least_cleaned))
			rc = remove_file(log, file);
	}
	if (rc == 0)
		rc = finish_swaps(log, folder, least_cleaned);
	if (rc == 0)
		rc = fs_list(log_fs(log), log->home->path, remove_tmp, log);
	return rc < 0 ? rc : list_folder(log, folder);
}

/* ---- segments ---- */

static int compare_files(const void *a, const void *b)
{
	const struct log_file_name *x = a, *y = b;

	if (x->offset != y->offset)
		return x->offset < y->offset ? -1 : 1;
	return (int)x->kind - (int)y->kind;
}

static int add_found_segment(struct log *log, int64_t base_offset)
{
	struct segment *segment = segment_new(log->home, base_offset);
	struct fs_stat status;
	char path[FS_PATH_MAX];
	int rc;

	segment->exists = true;
	segment->max_timestamp = SEGMENT_TIMESTAMP_UNKNOWN;
	segment_path(segment, LOG_FILE_LOG, path);
	rc = fs_stat(log_fs(log), path, &status);
	if (rc == 0 && status.size > INT32_MAX)
		rc = ERR_TOO_LARGE;
	if (rc < 0) {
		segment_release(segment);
		return rc;
	}
	segment->size = status.size;
	log_add_segment(log, segment);
	return 0;
}

static void note_index(struct segment *segment, enum log_file_kind kind)
{
	if (kind == LOG_FILE_INDEX)
		segment->offsets.exists = true, segment->offsets.n_entries = -1;
	else if (kind == LOG_FILE_TIME_INDEX)
		segment->times.exists = true, segment->times.n_entries = -1;
	else if (kind == LOG_FILE_TXN_INDEX)
		segment->has_txn_index = true;
}

/* Files come sorted by offset, the log file of each first; an index without one is an orphan. */
static int make_segments(struct log *log, struct folder *folder)
{
	int rc = 0;

	if (folder->n_files > 0)
		qsort(folder->files, (size_t)folder->n_files, sizeof *folder->files, compare_files);
	for (int32_t i = 0; rc == 0 && i < folder->n_files; i++) {
		const struct log_file_name *file = &folder->files[i];

		if (file->kind == LOG_FILE_SNAPSHOT)
			continue;
		if (file->kind == LOG_FILE_LOG)
			rc = add_found_segment(log, file->offset);
		else if (log->n_segments > 0 && log_active(log)->base_offset == file->offset)
			note_index(log_active(log), file->kind);
		else
			rc = remove_file(log, file);
	}
	return rc;
}

/* Indexes that are missing where there should be one, in the segments that recovery does not look at. */
static int make_missing_indexes(struct log *log, const struct log_load_info *info, const struct log_config *config)
{
	int64_t mark = info->mark > info->recovery_point ? info->mark : info->recovery_point;
	int rc = 0;

	for (int32_t i = 0; rc == 0 && i < log->n_segments; i++) {
		struct segment *segment = log->segments[i];

		if (!info->clean && (i == log->n_segments - 1 || log->segments[i + 1]->base_offset >= mark))
			break;
		if (segment->size == 0 || (segment->offsets.exists && segment->times.exists))
			continue;
		if (segment->size <= config->index_interval_bytes && !segment->offsets.exists && segment->times.exists)
			continue;
		rc = segment_rebuild(segment, config);
		log->touched = true;
		if (rc == 0)
			rc = segment_rest(segment, false);
	}
	return rc;
}

static int find_clean_end(struct log *log, const struct log_load_info *info, struct error *err)
{
	int64_t end;
	int rc = segment_read_end(log_active(log), &end);
	char path[FS_PATH_MAX];

	segment_path(log_active(log), LOG_FILE_LOG, path);
	if (rc == ERR_CORRUPT)
		return error_set(err, rc, "%s: damaged: it does not end with a whole batch, although the last stop was clean", path);
	if (rc < 0)
		return error_set(err, rc, "%s: %s", path, error_text(rc));
	if (end < info->mark)
		return error_set(err, ERR_CORRUPT, "%s: damaged: it ends at offset %" PRId64 ", although %" PRId64 " was on disk", path,
				 end, info->mark);
	shared_i64_set(&log->end, end);
	return 0;
}

/* ---- what surrounds the batches ---- */

static int64_t sure_below(const struct log_load_info *info)
{
	return info->clean ? INT64_MAX : info->mark > info->recovery_point ? info->mark : info->recovery_point;
}

static int load_epochs(struct log *log, const struct folder *folder, const struct log_load_info *info)
{
	char path[FS_PATH_MAX];
	int rc = ERR_NOT_FOUND;

	log_file_path(log, EPOCH_CACHE_FILE, path);
	if (folder->has_epochs)
		rc = epoch_cache_read(&log->epochs, log_fs(log), path);
	if (rc != ERR_CORRUPT && rc != ERR_NOT_FOUND)
		return rc;
	if (rc == ERR_CORRUPT)
		trace_warn("log", "leader epoch file is damaged and made anew: file=%s", path);
	/* Recovery looks at the batches above, and adds theirs. */
	rc = log_rebuild_epochs(log, sure_below(info));
	log->epochs.changed = folder->has_epochs || log->epochs.entries.n > 0;
	return rc;
}

static int load_topic_id(struct log *log, const struct folder *folder)
{
	char path[FS_PATH_MAX];
	int rc;

	if (!folder->has_metadata)
		return 0;
	log_file_path(log, PARTITION_METADATA_FILE, path);
	rc = partition_metadata_read(log_fs(log), path, &log->topic_id);
	if (rc != ERR_CORRUPT)
		return rc;
	/* Torn while the partition was made: whoever knows the topic id writes it again. Kafka would stumble over it. */
	trace_warn("log", "partition.metadata is damaged and removed: log=%s", log->home->path);
	return fs_unlink(log_fs(log), path);
}

/* The log start of the checkpoint, within what there is. */
static int settle_start(struct log *log, const struct log_load_info *info)
{
	int64_t start = log->segments[0]->base_offset, end = log_end_offset(log);
	int rc;

	if (info->start > end) {
		trace_warn("log", "log ends below its log start and begins there anew: log=%s log_end=%" PRId64 " start=%" PRId64,
			   log->home->path, end, info->start);
		shared_i64_set(&log->start, start);
		rc = log_dir_unlist(log->dir, log);
		return rc < 0 ? rc : log_truncate_fully(log, info->start);
	}
	shared_i64_set(&log->start, info->start > start ? info->start : start);
	return 0;
}

static void settle_watermarks(struct log *log, const struct log_load_info *info)
{
	int64_t start = log_start_offset(log), end = log_end_offset(log), hw = info->high_watermark;

	if (hw < start)
		hw = start;
	if (hw > end)
		hw = end;
	shared_i64_set(&log->high_watermark, hw);
	/* Only what the mark says: the log start promises nothing. */
	shared_i64_set(&log->durable, info->clean ? end : info->mark > end ? end : info->mark < 0 ? 0 : info->mark);
	if (!log->unlisted)
		log->mark = info->mark;
	epoch_cache_truncate_end(&log->epochs, end);
	epoch_cache_truncate_start(&log->epochs, start);
}

/* After recovery a snapshot at the end spares the next start the same walk. */
static int load_producers(struct log *log, const struct folder *folder, const struct log_load_info *info, int64_t recovered_from)
{
	struct log_snapshots snapshots = {0};
	int rc;

	for (int32_t i = 0; i < folder->n_files; i++) {
		if (folder->files[i].kind == LOG_FILE_SNAPSHOT)
			log_snapshots_add(&snapshots, folder->files[i].offset);
	}
	rc = log_prune_snapshots(log, &snapshots);
	if (rc == 0)
		rc = log_replay(log, &snapshots, recovered_from, recovered_from);
	if (rc == 0 && !info->clean && log_end_offset(log) > 0)
		rc = log_write_snapshot(log, log_end_offset(log));
	log_snapshots_fini(&snapshots);
	return rc;
}

static int load_segments(struct log *log, struct folder *folder, const struct log_load_info *info)
{
	int rc = list_folder(log, folder);

	if (rc == 0 && folder->has_leftovers)
		rc = clear_leftovers(log, folder);
	if (rc == 0)
		rc = make_segments(log, folder);
	if (rc == 0)
		rc = make_missing_indexes(log, info, &log->config);
	if (rc < 0 || log->n_segments > 0)
		return rc;
	/* A folder without segments stands for a log that begins at 0; for any other start there must be a file. */
	if (info->start > 0)
		return log_push_segment(log, info->start);
	log_add_segment(log, segment_new(log->home, 0));
	return 0;
}

static int load_batches(struct log *log, struct folder *folder, const struct log_load_info *info, int64_t *ret_from, struct error *err)
{
	int rc;

	*ret_from = INT64_MAX;
	rc = load_segments(log, folder, info);
	if (rc < 0)
		return rc;
	if (info->clean) {
		rc = find_clean_end(log, info, err);
		return rc < 0 ? rc : load_epochs(log, folder, info);
	}
	/* Recovery adds the epochs of what it looks at, so those of the file come first. */
	rc = load_epochs(log, folder, info);
	return rc < 0 ? rc : log_recover(log, info, ret_from, err);
}

/*
 * Where recovery has written batches again, so are the small files that are not made anew from them: they may be as new. The topic id is
 * nowhere else, so that its file stays in its place: a new one that the power cuts short would take it along.
 */
static int write_again(struct log *log, const struct log_load_info *info)
{
	char path[FS_PATH_MAX];

	if (info->clean || !info->ours || log_end_offset(log) <= info->mark)
		return 0;
	log->epochs.changed |= log->epochs.entries.n > 0;
	if (uuid_is_zero(&log->topic_id))
		return 0;
	log_file_path(log, PARTITION_METADATA_FILE, path);
	return partition_metadata_write_again(log_fs(log), path, &log->topic_id);
}

static int load(struct log *log, const struct log_load_info *info, struct error *err)
{
	struct folder folder = {0};
	int64_t recovered_from = INT64_MAX;
	int rc = load_batches(log, &folder, info, &recovered_from, err);

	if (rc == 0)
		rc = settle_start(log, info);
	if (rc == 0)
		settle_watermarks(log, info);
	if (rc == 0)
		rc = load_topic_id(log, &folder);
	if (rc == 0)
		rc = load_producers(log, &folder, info, recovered_from);
	if (rc == 0)
		rc = write_again(log, info);
	/* The next recovery begins at a later mark and takes the epochs below from the file. */
	if (rc == 0 && !info->clean)
		rc = log_write_epochs(log);
	free(folder.files);
	for (int32_t i = 0; i < log->n_segments; i++) {
		segment_shut(log->segments[i]);
		fd_cache_shut(log_fds(log), &log->segments[i]->offsets.file);
		fd_cache_shut(log_fds(log), &log->segments[i]->times.file);
	}
	return rc;
}

int log_open(struct log_dir *dir, struct slice topic, int32_t partition, const struct log_load_info *info,
	     const struct log_config *config, const struct log_observer *observer, struct log **ret_log, struct error *err)
{
	struct log *log = log_new(dir, topic, partition, config, observer);
	struct error cause = {0};
	int rc;

	rc = load(log, info, &cause);
	if (rc < 0) {
		if (cause.code == 0)
			error_set(&cause, rc, "%s: %s", log->home->path, error_text(rc));
		if (err)
			*err = cause;
		rc = log_dir_check(dir, rc, "loading a log");
		log_free(log);
		return rc;
	}
	log_dir_add(dir, log);
	if (log->touched)
		log_dir_dirtied(dir, log, 0);
	*ret_log = log;
	return 0;
}
