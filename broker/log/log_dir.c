/* One entry of log.dirs: opening, scanning, loading, closing; see log_dir.h. */
#include "broker/log/log_dir.h"

#include "broker/log/clean_marker.h"
#include "broker/log/dir_name.h"
#include "broker/log/log_dir_internal.h"
#include "common/clock.h"
#include "common/memory.h"
#include "common/trace.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define LOCK_FILE ".lock"

/* Left over removals of the last run; the delay of file.delete.delay.ms by default. */
#define LEFTOVER_DELAY_MS 60000

void log_dir_file(const struct log_dir *dir, const char *name, char ret_path[FS_PATH_MAX])
{
	snprintf(ret_path, FS_PATH_MAX, "%s/%s", dir->path, name);
}

struct fd_cache *log_dir_fds(const struct log_dir *dir)
{
	return dir->fds;
}

bool log_dir_failed(const struct log_dir *dir)
{
	return shared_flag_get(&dir->failed);
}

void log_dir_fail(struct log_dir *dir, int error, const char *what)
{
	if (shared_flag_raise(&dir->failed))
		return;
	log_dir_wake(dir);
	trace_error("log", "log dir has failed: dir=%s while=\"%s\" error=\"%s\"", dir->path, what, error_text(error));
}

int log_dir_check(struct log_dir *dir, int rc, const char *what)
{
	if (rc == ERR_IO || rc == ERR_READ_ONLY)
		log_dir_fail(dir, rc, what);
	return rc;
}

void log_dir_count_torn(struct log_dir *dir)
{
	shared_i64_add(&dir->n_torn, 1);
}

int64_t log_dir_n_torn(const struct log_dir *dir)
{
	return shared_i64_get(&dir->n_torn);
}

/* ---- registry ---- */

int log_dir_prepare_create(struct log_dir *dir)
{
	int rc = 0;

	pthread_mutex_lock(&dir->registry_lock);
	if (dir->stale_marks)
		rc = log_dir_write_run(dir);
	pthread_mutex_unlock(&dir->registry_lock);
	return rc;
}

void log_dir_add(struct log_dir *dir, struct log *log)
{
	pthread_mutex_lock(&dir->registry_lock);
	log_link_add(&dir->logs, &log->link);
	offsets_table_remove(&dir->table, log_topic(log), log->partition);
	log->unlisted = dir->stale_points;
	pthread_mutex_unlock(&dir->registry_lock);
}

void log_dir_take_out(struct log_dir *dir, struct log *log)
{
	pthread_mutex_lock(&dir->registry_lock);
	log_link_remove(&log->link);
	pthread_mutex_unlock(&dir->registry_lock);
	pthread_mutex_lock(&dir->queue_lock);
	log_link_remove(&log->dirty_link);
	log_link_remove(&log->syncing_link);
	log_dir_let_go(dir, log);
	pthread_mutex_unlock(&dir->queue_lock);
}

int log_dir_unlist(struct log_dir *dir, struct log *log)
{
	bool in_table;
	int rc = 0;

	pthread_mutex_lock(&dir->registry_lock);
	log->unlisted = dir->stale_points = true;
	dir->n_deleted++;
	/* A log that is being loaded has its mark in the table. */
	in_table = offsets_table_get(&dir->table, log_topic(log), log->partition).of[OFFSET_MARK] >= 0;
	if (in_table)
		offsets_table_set(&dir->table, OFFSET_MARK, log_topic(log), log->partition, -1);
	if (in_table || log->mark >= 0) {
		log->mark = -1;
		rc = log_dir_write_run(dir);
	}
	pthread_mutex_unlock(&dir->registry_lock);
	shared_flag_raise(&dir->deleted);
	return rc;
}

void log_dir_note_deleted(struct log_dir *dir)
{
	pthread_mutex_lock(&dir->registry_lock);
	dir->stale_marks = dir->stale_points = true;
	dir->n_deleted++;
	pthread_mutex_unlock(&dir->registry_lock);
	shared_flag_raise(&dir->deleted);
}

/* ---- opening ---- */

static void set_defaults(struct log_dir_args *args)
{
	if (args->mark_interval_ms == 0)
		args->mark_interval_ms = 5000;
	if (args->mark_bytes == 0)
		args->mark_bytes = 1 << 30;
	if (args->checkpoint_ms == 0)
		args->checkpoint_ms = 60000;
	if (args->high_watermark_ms == 0)
		args->high_watermark_ms = 5000;
	if (args->sync_ms == 0)
		args->sync_ms = 1000;
	if (args->sync_bytes == 0)
		args->sync_bytes = 64 << 20;
}

static struct log_dir *dir_new(const struct log_dir_args *args)
{
	struct log_dir *dir = NEW(struct log_dir);

	dir->fs = args->fs;
	dir->fds = args->fds;
	dir->path = memory_copy_text(args->path);
	dir->dir_fd = dir->lock_fd = -1;
	dir->args = *args;
	dir->args.path = dir->path;
	dir->args.cluster_id = SLICE_NULL;
	set_defaults(&dir->args);
	dir->last_broker_epoch = -1;
	pthread_mutex_init(&dir->registry_lock, NULL);
	pthread_mutex_init(&dir->queue_lock, NULL);
	log_link_init(&dir->logs);
	log_link_init(&dir->dirty);
	log_link_init(&dir->syncing);
	log_link_init(&dir->flushes);
	return dir;
}

static int take_lock(struct log_dir *dir, struct error *err)
{
	char path[FS_PATH_MAX];
	int rc = fs_make_path(dir->fs, dir->path);

	if (rc == 0)
		rc = fs_open_dir(dir->fs, dir->path, &dir->dir_fd);
	if (rc < 0)
		return error_set(err, rc, "log dir %s cannot be opened: %s", dir->path, error_text(rc));
	log_dir_find_reserve(dir);
	log_dir_file(dir, LOCK_FILE, path);
	rc = fs_open(dir->fs, path, FS_WRITE | FS_CREATE, &dir->lock_fd);
	if (log_dir_give_up_reserve(dir, rc, "locking the log dir"))
		rc = fs_open(dir->fs, path, FS_WRITE | FS_CREATE, &dir->lock_fd);
	if (rc == 0)
		rc = fs_lock(dir->fs, dir->lock_fd);
	if (rc == ERR_BUSY)
		return error_set(err, rc, "%s is locked by another process: is a broker running on this log dir?", path);
	return rc < 0 ? error_set(err, rc, "%s: %s", path, error_text(rc)) : 0;
}

static int read_meta(struct log_dir *dir, struct error *err)
{
	char path[FS_PATH_MAX];
	int rc;

	log_dir_file(dir, META_PROPERTIES_FILE, path);
	rc = meta_properties_read(dir->fs, path, &dir->meta, err);
	if (rc == ERR_NOT_FOUND) {
		dir->meta = (struct meta_properties){.broker_id = -1};
		return 0;
	}
	if (rc < 0)
		return rc;
	dir->has_meta = true;
	if (dir->meta.broker_id >= 0 && dir->args.broker_id >= 0 && dir->meta.broker_id != dir->args.broker_id)
		return error_set(err, ERR_CONFIG,
				 "%s: broker.id=%" PRId32 ", but this broker is configured with broker.id=%" PRId32
				 "; set it right, or give this broker another log.dirs",
				 path, dir->meta.broker_id, dir->args.broker_id);
	return 0;
}

struct slice log_dir_cluster_id(const struct log_dir *dir)
{
	return dir->meta.cluster_id[0] ? slice_of_text(dir->meta.cluster_id) : SLICE_NULL;
}

int log_dir_set_cluster_id(struct log_dir *dir, struct slice cluster_id, struct error *err)
{
	char path[FS_PATH_MAX];
	int rc;

	log_dir_file(dir, META_PROPERTIES_FILE, path);
	if (dir->meta.cluster_id[0] && !slice_is_text(cluster_id, dir->meta.cluster_id))
		return error_set(err, ERR_CONFIG,
				 "%s: cluster.id=%s, but ZooKeeper belongs to cluster %.*s; check zookeeper.connect, or give this broker "
				 "another log.dirs",
				 path, dir->meta.cluster_id, SLICE_ARGS(cluster_id));
	if (dir->meta.cluster_id[0])
		return 0;
	if (cluster_id.len > META_CLUSTER_ID_MAX)
		return error_set(err, ERR_CONFIG, "the cluster id is longer than %d bytes", META_CLUSTER_ID_MAX);
	memcpy(dir->meta.cluster_id, cluster_id.data, cluster_id.len);
	dir->meta.cluster_id[cluster_id.len] = 0;
	if (dir->args.broker_id >= 0)
		dir->meta.broker_id = dir->args.broker_id;
	rc = log_dir_check(dir, meta_properties_write(dir->fs, path, &dir->meta, clock_wall_ms()), "writing meta.properties");
	return rc < 0 ? error_set(err, rc, "%s: %s", path, error_text(rc)) : 0;
}

static void note_mark(void *ctx, const struct checkpoint_line *line)
{
	struct log_dir *dir = ctx;

	offsets_table_set(&dir->table, OFFSET_MARK, line->topic, line->partition, line->offset);
}

/* What identifies the replication checkpoint that a clean stop leaves: Kafka writes another one within seconds. */
static struct run_seal seal_of(const struct log_dir *dir)
{
	struct fs_stat status;
	char path[FS_PATH_MAX];

	log_dir_file(dir, CHECKPOINT_HIGH_WATERMARK, path);
	if (fs_stat(dir->fs, path, &status) < 0)
		return (struct run_seal){0};
	return (struct run_seal){status.inode, status.mtime_ms, status.size};
}

static bool seal_equal(const struct run_seal *a, const struct run_seal *b)
{
	return a->inode == b->inode && a->mtime_ms == b->mtime_ms && a->size == b->size;
}

/* What the last stop was, from klamm.run and the clean marker. Another program may have run here since we did. */
static void judge_stop(struct log_dir *dir, const struct run_file *last, bool has_run, bool has_marker, bool same_machine)
{
	struct run_seal seal = seal_of(dir);
	struct fs_stat status;
	char path[FS_PATH_MAX];

	log_dir_file(dir, RUN_FAILED_FILE, path);
	dir->failed_before = fs_stat(dir->fs, path, &status) == 0;
	dir->clean = has_marker;
	dir->ours = has_run && (has_marker ? last->state == RUN_CLEAN && seal_equal(&last->seal, &seal) : last->state != RUN_CLEAN);
	if (has_marker)
		dir->stop = LOG_DIR_CLEAN;
	else if (!has_run)
		dir->stop = LOG_DIR_NEW; /* the scan knows better */
	else
		dir->stop = dir->ours && same_machine ? LOG_DIR_PROCESS_CRASH : LOG_DIR_UNCLEAN;
	/* The kernel may have forgotten pages that did not reach the device. */
	if (dir->failed_before && dir->stop == LOG_DIR_PROCESS_CRASH)
		dir->stop = LOG_DIR_UNCLEAN;
}

static enum run_owed worse(enum run_owed a, enum run_owed b)
{
	return a > b ? a : b;
}

static enum run_owed owed_for(enum log_dir_stop stop)
{
	return stop == LOG_DIR_NEW ? RUN_OWES_NEW : stop == LOG_DIR_UNCLEAN ? RUN_OWES_UNCLEAN : RUN_OWES_NOTHING;
}

/* Nothing that was acknowledged before this run is only in the page cache, and nothing of it is lost. */
static bool is_all_synced(const struct log_dir *dir)
{
	return dir->stop == LOG_DIR_CLEAN && dir->ours && dir->run.owed == RUN_OWES_NOTHING;
}

static int read_run(struct log_dir *dir)
{
	struct run_file last = {.broker_epoch = -1, .used = {.broker_epoch = -1}};
	struct fs_space space = {0};
	char path[FS_PATH_MAX];
	bool has_run, same_machine;
	int rc;

	log_dir_file(dir, RUN_FILE, path);
	rc = run_file_read(dir->fs, path, &last, note_mark, dir);
	if (rc < 0 && rc != ERR_NOT_FOUND && rc != ERR_CORRUPT)
		return rc;
	if (rc == ERR_CORRUPT)
		trace_warn("log", "klamm.run is damaged and made anew: file=%s", path);
	has_run = rc == 0;
	fs_space(dir->fs, dir->path, &space);
	run_file_boot_id(dir->fs, dir->run.boot_id);
	dir->run.fs_id = space.fs_id;
	same_machine = dir->run.boot_id[0] && strcmp(dir->run.boot_id, last.boot_id) == 0 && last.fs_id == space.fs_id;
	judge_stop(dir, &last, has_run, clean_marker_exists(dir->fs, dir->path), same_machine);
	dir->run.owed = worse(owed_for(dir->stop), last.owed);
	dir->was_durable = dir->ours && last.durable;
	dir->run.durable = dir->args.durable && (dir->was_durable || is_all_synced(dir));
	if (!dir->ours)
		offsets_table_forget(&dir->table, OFFSET_MARK);
	dir->last_broker_epoch = has_run ? last.broker_epoch : -1;
	dir->run.broker_epoch = dir->last_broker_epoch;
	dir->run.used = last.used;
	dir->run.directory_id = has_run ? last.directory_id : dir->meta.directory_id;
	if (uuid_is_zero(&dir->run.directory_id))
		dir->run.directory_id = uuid_random();
	return 0;
}

/* From here on the dir is in use: a crash is one. The marks stay until the logs have been loaded. */
static int begin_run(struct log_dir *dir)
{
	int rc = clean_marker_remove(dir->fs, dir->path);

	return rc < 0 ? rc : log_dir_write_run(dir);
}

int log_dir_open(const struct log_dir_args *args, struct log_dir **ret_dir, struct error *err)
{
	struct log_dir *dir = dir_new(args);
	int rc = take_lock(dir, err);

	if (rc == 0)
		rc = read_meta(dir, err);
	if (rc < 0) {
		log_dir_free(dir);
		return rc;
	}
	rc = read_run(dir);
	if (rc == 0)
		rc = log_dir_read_checkpoints(dir);
	if (rc == 0)
		rc = begin_run(dir);
	if (log_dir_give_up_reserve(dir, rc, "opening the log dir"))
		rc = begin_run(dir);
	if (rc == 0 && !slice_is_null(args->cluster_id))
		rc = log_dir_set_cluster_id(dir, args->cluster_id, err);
	if (rc < 0) {
		if (rc == ERR_NO_SPACE)
			error_set(err, rc, "log dir %s: %s, also without its reserve: make room there and start the broker again", dir->path,
				  error_text(rc));
		else if (err && err->code != rc)
			error_set(err, rc, "log dir %s: %s", dir->path, error_text(rc));
		log_dir_free(dir);
		return rc;
	}
	*ret_dir = dir;
	return 0;
}

int32_t log_dir_broker_id(const struct log_dir *dir)
{
	return dir->meta.broker_id;
}

struct uuid log_dir_id(const struct log_dir *dir)
{
	return dir->run.directory_id;
}

const char *log_dir_path(const struct log_dir *dir)
{
	return dir->path;
}

enum log_dir_stop log_dir_last_stop(const struct log_dir *dir)
{
	return dir->stop;
}

int64_t log_dir_last_broker_epoch(const struct log_dir *dir)
{
	return dir->last_broker_epoch;
}

enum log_dir_stop log_dir_owed(const struct log_dir *dir)
{
	if (dir->settled)
		return LOG_DIR_CLEAN;
	return dir->run.owed == RUN_OWES_NEW ? LOG_DIR_NEW : dir->run.owed == RUN_OWES_UNCLEAN ? LOG_DIR_UNCLEAN : dir->stop;
}

bool log_dir_owed_is_durable(const struct log_dir *dir)
{
	return dir->was_durable;
}

int log_dir_settle(struct log_dir *dir)
{
	int rc = 0;

	pthread_mutex_lock(&dir->registry_lock);
	dir->settled = true;
	if (dir->run.owed != RUN_OWES_NOTHING || dir->stale_marks) {
		/* Who is struck out comes back when it has all by the durability of now. */
		dir->run.durable = dir->run.owed == RUN_OWES_NOTHING ? dir->run.durable : dir->args.durable;
		dir->run.owed = RUN_OWES_NOTHING;
		rc = log_dir_check(dir, log_dir_write_run(dir), "writing klamm.run");
	}
	pthread_mutex_unlock(&dir->registry_lock);
	return rc;
}

bool log_dir_last_use(const struct log_dir *dir, struct run_use *ret_use)
{
	if (!dir->ours)
		return false;
	*ret_use = dir->run.used;
	return true;
}

void log_dir_set_use(struct log_dir *dir, const struct run_use *use)
{
	pthread_mutex_lock(&dir->registry_lock);
	if (dir->run.used.broker_epoch != use->broker_epoch || dir->run.used.n_away != use->n_away)
		dir->stale_marks = true;
	dir->run.used = *use;
	pthread_mutex_unlock(&dir->registry_lock);
}

int log_dir_set_broker_epoch(struct log_dir *dir, int64_t epoch)
{
	int rc;

	pthread_mutex_lock(&dir->registry_lock);
	dir->run.broker_epoch = epoch;
	rc = log_dir_write_run(dir);
	pthread_mutex_unlock(&dir->registry_lock);
	return rc;
}

/* ---- scanning and loading ---- */

struct scan {
	struct log_dir *dir;
	struct error *err;
	int cap;
};

static int bad_folder(struct scan *scan, const char *name)
{
	if (strcmp(name, "remote-log-index-cache") == 0)
		return 0;
	if (strcmp(name, "lost+found") == 0) {
		trace_warn("log", "lost+found is left alone, but Kafka would not start on this log dir: dir=%s", scan->dir->path);
		return 0;
	}
	return error_set(scan->err, ERR_INVALID,
			 "%s/%s is not a partition's folder (topic-partition): move what does not belong there out of the log dir",
			 scan->dir->path, name);
}

static int scan_entry(void *ctx, const char *name, bool is_dir)
{
	struct scan *scan = ctx;
	struct log_dir *dir = scan->dir;
	struct dir_name parsed;
	char path[FS_PATH_MAX];

	if (!is_dir)
		return 0;
	parsed = dir_name_parse(slice_of_text(name));
	if (parsed.kind == DIR_INVALID)
		return bad_folder(scan, name);
	if (parsed.kind == DIR_DELETE) {
		log_dir_file(dir, name, path);
		log_dir_remove_later(dir, path, LEFTOVER_DELAY_MS);
		return 0;
	}
	if (dir->n_entries == scan->cap) {
		scan->cap = scan->cap ? scan->cap * 2 : 64;
		dir->entries = memory_grow(dir->entries, (size_t)scan->cap * sizeof *dir->entries);
	}
	dir->entries[dir->n_entries++] = (struct log_dir_entry){.topic = memory_printf("%.*s", SLICE_ARGS(parsed.topic)),
								.partition = parsed.partition,
								.is_future = parsed.kind == DIR_FUTURE,
								.is_stray = parsed.kind == DIR_STRAY};
	return 0;
}

int log_dir_scan(struct log_dir *dir, struct error *err)
{
	struct scan scan = {dir, err, 0};
	int rc = fs_list(dir->fs, dir->path, scan_entry, &scan);

	if (rc < 0 && rc != ERR_INVALID)
		error_set(err, rc, "log dir %s cannot be listed: %s", dir->path, error_text(rc));
	/* Partitions of another program, which left no word about its stop. */
	if (rc == 0 && dir->stop == LOG_DIR_NEW && dir->n_entries > 0) {
		dir->stop = LOG_DIR_UNCLEAN;
		dir->run.owed = RUN_OWES_UNCLEAN;
	}
	return log_dir_check(dir, rc, "listing a log dir");
}

int log_dir_n_entries(const struct log_dir *dir)
{
	return dir->n_entries;
}

const struct log_dir_entry *log_dir_entry(const struct log_dir *dir, int i)
{
	return &dir->entries[i];
}

static struct log_load_info load_info(struct log_dir *dir, struct slice topic, int32_t partition)
{
	struct log_load_info info = {.clean = dir->clean, .ours = dir->ours};
	struct offsets offsets;

	pthread_mutex_lock(&dir->registry_lock);
	offsets = offsets_table_get(&dir->table, topic, partition);
	pthread_mutex_unlock(&dir->registry_lock);
	info.mark = offsets.of[OFFSET_MARK];
	info.recovery_point = offsets.of[OFFSET_RECOVERY_POINT];
	info.start = offsets.of[OFFSET_LOG_START];
	info.high_watermark = offsets.of[OFFSET_HIGH_WATERMARK];
	/* Lines of the checkpoints may be those of a deleted partition of the same name. */
	if (info.ours && !info.clean && info.mark < 0)
		info.start = info.high_watermark = -1;
	return info;
}

/*
 * The partition stays offline as it is, at the next start too: what is known of it is kept, and no clean marker may say that it need not be
 * looked at.
 */
static void note_damaged(struct log_dir *dir, const struct log_dir_entry *entry)
{
	struct slice topic = slice_of_text(entry->topic);
	struct offsets offsets;

	pthread_mutex_lock(&dir->registry_lock);
	dir->n_damaged++;
	offsets = offsets_table_get(&dir->table, topic, entry->partition);
	/* The next start reads no recovery points, since the run is ours then. */
	if (offsets.of[OFFSET_MARK] < 0 && offsets.of[OFFSET_RECOVERY_POINT] >= 0)
		offsets_table_set(&dir->table, OFFSET_MARK, topic, entry->partition, offsets.of[OFFSET_RECOVERY_POINT]);
	pthread_mutex_unlock(&dir->registry_lock);
}

int log_dir_load(struct log_dir *dir, int i, const struct log_config *config, const struct log_observer *observer,
		 struct log **ret_log, struct error *err)
{
	const struct log_dir_entry *entry = &dir->entries[i];
	struct log_load_info info = load_info(dir, slice_of_text(entry->topic), entry->partition);
	int rc;

	if (log_dir_failed(dir))
		return error_set(err, ERR_IO, "log dir %s has failed", dir->path);
	rc = log_open(dir, slice_of_text(entry->topic), entry->partition, &info, config, observer, ret_log, err);
	if (log_dir_give_up_reserve(dir, rc, "loading partitions")) {
		info = load_info(dir, slice_of_text(entry->topic), entry->partition);
		rc = log_open(dir, slice_of_text(entry->topic), entry->partition, &info, config, observer, ret_log, err);
	}
	if (rc == ERR_CORRUPT)
		note_damaged(dir, entry);
	return rc;
}

/* Offsets of partitions that are not there any more. */
static void forget_missing(struct log_dir *dir)
{
	struct offsets_table kept = {0};

	for (int i = 0; i < dir->n_entries; i++) {
		struct slice topic = slice_of_text(dir->entries[i].topic);
		struct offsets offsets;

		/* What is known of its name would be taken for that of a new partition. */
		if (dir->entries[i].is_stray)
			continue;
		offsets = offsets_table_get(&dir->table, topic, dir->entries[i].partition);
		for (enum offset_kind kind = 0; kind < OFFSET_KINDS; kind++) {
			if (offsets.of[kind] >= 0)
				offsets_table_set(&kept, kind, topic, dir->entries[i].partition, offsets.of[kind]);
		}
	}
	offsets_table_fini(&dir->table);
	dir->table = kept;
}

static void free_entries(struct log_dir *dir)
{
	for (int i = 0; i < dir->n_entries; i++)
		free(dir->entries[i].topic);
	free(dir->entries);
	dir->entries = NULL;
	dir->n_entries = 0;
}

/* What was not known to be on disk has been written again, and synced since. */
static int forget_failure(struct log_dir *dir)
{
	char path[FS_PATH_MAX];

	if (!dir->failed_before)
		return 0;
	log_dir_file(dir, RUN_FAILED_FILE, path);
	return log_dir_check(dir, fs_unlink(dir->fs, path), "removing " RUN_FAILED_FILE);
}

static int write_what_was_found(struct log_dir *dir)
{
	int rc = 0;

	if (!dir->clean)
		rc = log_dir_sync(dir);
	/* A mark says that the checkpoints are the partition's own: they come first. */
	if (rc == 0 && !dir->clean)
		rc = log_dir_write_points(dir);
	if (rc == 0 && !dir->clean)
		rc = log_dir_write_watermarks(dir);
	if (rc < 0)
		return rc;
	pthread_mutex_lock(&dir->registry_lock);
	rc = log_dir_write_run(dir);
	pthread_mutex_unlock(&dir->registry_lock);
	return rc;
}

int log_dir_load_done(struct log_dir *dir)
{
	int rc;

	pthread_mutex_lock(&dir->registry_lock);
	forget_missing(dir);
	pthread_mutex_unlock(&dir->registry_lock);
	rc = write_what_was_found(dir);
	if (log_dir_give_up_reserve(dir, rc, "writing down what was found"))
		rc = write_what_was_found(dir);
	free_entries(dir);
	if (rc == 0)
		rc = forget_failure(dir);
	dir->loaded = rc == 0;
	if (rc == 0)
		log_dir_fill_reserve(dir);
	return rc;
}

/* ---- ending ---- */

static struct log *first_log(struct log_dir *dir)
{
	return log_link_alone(&dir->logs) ? NULL : CONTAINER_OF(dir->logs.next, struct log, link);
}

static int close_logs(struct log_dir *dir)
{
	int rc = 0;

	for (struct log_link *link = dir->logs.next; link != &dir->logs; link = link->next) {
		struct log *log = CONTAINER_OF(link, struct log, link);
		int closed = log_close(log);

		log->unlisted = false;
		log_dir_dirtied(dir, log, 0);
		rc = rc < 0 ? rc : closed;
	}
	return rc;
}

/* The order matters: what the marker vouches for is on the platter before it. */
static int write_down(struct log_dir *dir)
{
	int rc = log_dir_sync(dir);

	if (rc == 0)
		rc = log_dir_write_points(dir);
	return rc < 0 ? rc : log_dir_write_watermarks(dir);
}

static int write_marker(struct log_dir *dir)
{
	int rc;

	dir->run.state = RUN_CLEAN;
	dir->run.seal = seal_of(dir);
	rc = log_dir_write_run(dir);
	return rc < 0 ? rc : clean_marker_write(dir->fs, dir->path);
}

/*
 * The stop of a dir whose partitions were not all loaded: it is left as it was found. Above all one that was to be looked through is not
 * called clean.
 */
static int close_unloaded(struct log_dir *dir)
{
	if (log_dir_failed(dir))
		return ERR_IO;
	return dir->clean && !dir->failed_before ? write_marker(dir) : 0;
}

static int close_loaded(struct log_dir *dir)
{
	int rc = close_logs(dir);

	if (rc == 0)
		rc = write_down(dir);
	if (rc < 0 || dir->n_damaged == 0)
		return rc < 0 ? rc : write_marker(dir);
	trace_warn("log", "partitions are damaged: the next start looks through the dir again: dir=%s n=%" PRId32, dir->path,
		   dir->n_damaged);
	return log_dir_write_run(dir);
}

int log_dir_close(struct log_dir *dir)
{
	char path[FS_PATH_MAX];
	int rc;

	dir->wake = NULL;
	rc = dir->loaded ? close_loaded(dir) : close_unloaded(dir);
	if (rc == 0) {
		log_dir_file(dir, LOCK_FILE, path);
		fs_unlink(dir->fs, path);
	}
	log_dir_free(dir);
	return rc;
}

void log_dir_free(struct log_dir *dir)
{
	struct log *log;

	if (!dir)
		return;
	log_dir_note_failure(dir);
	while ((log = first_log(dir)) != NULL)
		log_free(log);
	while (dir->removals) {
		struct removal *removal = dir->removals;

		dir->removals = removal->next;
		free(removal);
	}
	if (dir->lock_fd >= 0)
		fs_close(dir->fs, dir->lock_fd);
	if (dir->dir_fd >= 0)
		fs_close(dir->fs, dir->dir_fd);
	free_entries(dir);
	offsets_table_fini(&dir->table);
	pthread_mutex_destroy(&dir->registry_lock);
	pthread_mutex_destroy(&dir->queue_lock);
	free(dir->path);
	free(dir);
}
