/*
 * What the disk thread of a log dir does, and what owners of logs ask of it; see log_dir.h.
 *
 *     append: end published, then `dirty` raised -> once a log and sync it joins the dirty ring, the first one wakes the disk thread
 *     tick:   dirty ring -> ends noted -> a sync of each file, or of all -> durable ends, unless the log was truncated meanwhile (generation)
 *     flush:  prepare puts a log into the flush ring; the first run takes all that are there: few files one by one, else one syncfs
 *
 * A sync error is final: the pages it was about may be lost and marked clean (D10). That is noted at once, for the next start; should the
 * process not come to that, recovery writes again what is not known to be on disk (log_recover.c).
 */
#include "broker/log/log_dir_internal.h"
#include "common/check.h"
#include "common/memory.h"
#include "common/mutant.h"
#include "common/trace.h"

#include <stdlib.h>

/* With more files than this one syncfs is cheaper than a sync of each. */
#define SYNC_FILES_MAX 4

/*
 * The same for the background sync. Nobody waits for it, but it may be in the way of others: while syncfs waits for the device, whoever
 * appends to any file of that file system waits for the page that its file ends in.
 */
#define BACKGROUND_FILES_MAX 16

/*
 * One step of what is written out before a sync. A sync alone gives the device all there is at once: 64 MB and more of a follower that catches up,
 * and whoever appends to a page that is to be written, or reads one, waits behind it.
 */
#define WRITE_OUT_BYTES (1 << 20)

void log_dir_wake(struct log_dir *dir)
{
	if (dir->wake)
		dir->wake(dir->wake_ctx);
}

void log_dir_set_wake(struct log_dir *dir, void (*wake)(void *ctx), void *ctx)
{
	dir->wake_ctx = ctx;
	dir->wake = wake;
}

/* The queue lock is held. The file is open from now on, so that its descriptor is told of every error. */
static void hold(struct log_dir *dir, struct log *log)
{
	struct segment *active = log_active(log);
	int fd;

	if (dir->n_held == BACKGROUND_FILES_MAX || fd_cache_pin(active->home->fds, &active->file, &fd) < 0)
		return;
	log->held = segment_retain(active);
	dir->n_held++;
}

static void let_go(struct segment *held)
{
	fd_cache_unpin(&held->file);
	segment_release(held);
}

void log_dir_let_go(struct log_dir *dir, struct log *log)
{
	if (!log->held)
		return;
	let_go(log->held);
	log->held = NULL;
	dir->n_held--;
}

void log_dir_dirtied(struct log_dir *dir, struct log *log, int64_t n_bytes)
{
	int64_t unsynced = shared_i64_add(&dir->unsynced_bytes, n_bytes);
	bool wake = n_bytes > 0 && unsynced >= dir->args.sync_bytes && unsynced - n_bytes < dir->args.sync_bytes;

	if (!shared_flag_raise(&log->dirty)) {
		pthread_mutex_lock(&dir->queue_lock);
		wake |= log_link_alone(&dir->dirty);
		log_link_add(&dir->dirty, &log->dirty_link);
		if (n_bytes > 0)
			hold(dir, log);
		pthread_mutex_unlock(&dir->queue_lock);
	}
	if (wake)
		log_dir_wake(dir);
}

void log_dir_names_moved(struct log_dir *dir)
{
	shared_flag_raise(&dir->names_moved);
}

void log_dir_watermark_moved(struct log_dir *dir)
{
	if (!shared_flag_get(&dir->watermark_moved) && !shared_flag_raise(&dir->watermark_moved))
		log_dir_wake(dir);
}

void log_dir_start_moved(struct log_dir *dir)
{
	if (!shared_flag_get(&dir->start_moved) && !shared_flag_raise(&dir->start_moved))
		log_dir_wake(dir);
}

int64_t log_dir_unsynced_bytes(const struct log_dir *dir)
{
	return shared_i64_get(&dir->unsynced_bytes);
}

void log_dir_note_failure(struct log_dir *dir)
{
	char path[FS_PATH_MAX];
	int fd, rc;

	if (!log_dir_failed(dir) || dir->failure_noted || dir->lock_fd < 0)
		return;
	dir->failure_noted = true;
	log_dir_file(dir, RUN_FAILED_FILE, path);
	rc = fs_open(dir->fs, path, FS_WRITE | FS_CREATE, &fd);
	if (rc == 0)
		fs_close(dir->fs, fd);
	else
		trace_error("log", "the failure cannot be noted: file=%s error=\"%s\"", path, error_text(rc));
}

static int sync_failed(struct log_dir *dir, int rc)
{
	log_dir_fail(dir, rc, "syncing");
	log_dir_note_failure(dir);
	return rc;
}

/* ---- background sync ---- */

/* The queue lock is held. Adds the file that is dirty; false when there may be more than one. */
static bool take_dirty(struct log_dir *dir, struct log *log, struct segment **files, int *n_files)
{
	bool held = log->held != NULL;

	log_link_remove(&log->dirty_link);
	shared_flag_lower(&log->dirty);
	log->sync_end = log_end_offset(log);
	log->sync_generation = log->generation;
	log_link_add(&dir->syncing, &log->syncing_link);
	if (held)
		files[(*n_files)++] = log->held;
	log->held = NULL;
	return held;
}

/* Takes all that is dirty. Whether a sync of the files covers it: not when there are too many, or names have changed. */
static bool begin_sync(struct log_dir *dir, struct segment **files, int *n_files)
{
	int64_t n_bytes;
	bool covers = true;

	pthread_mutex_lock(&dir->queue_lock);
	n_bytes = shared_i64_get(&dir->unsynced_bytes);
	shared_i64_add(&dir->unsynced_bytes, -n_bytes);
	dir->unmarked_bytes += n_bytes;
	while (!log_link_alone(&dir->dirty))
		covers &= take_dirty(dir, CONTAINER_OF(dir->dirty.next, struct log, dirty_link), files, n_files);
	dir->n_held = 0;
	/* After the ends were taken: whose end is in a new file has told of that file before. */
	if (shared_flag_get(&dir->names_moved)) {
		shared_flag_lower(&dir->names_moved);
		covers = false;
	}
	pthread_mutex_unlock(&dir->queue_lock);
	return covers;
}

/* The queue lock is held. */
static void raise_durable(struct log *log, uint32_t generation, int64_t end)
{
	if (log->generation == generation && end > log_durable_end(log))
		shared_i64_set(&log->durable, end);
}

static void end_sync(struct log_dir *dir, int rc)
{
	pthread_mutex_lock(&dir->queue_lock);
	while (!log_link_alone(&dir->syncing)) {
		struct log *log = CONTAINER_OF(dir->syncing.next, struct log, syncing_link);

		log_link_remove(&log->syncing_link);
		if (rc == 0)
			raise_durable(log, log->sync_generation, log->sync_end);
	}
	pthread_mutex_unlock(&dir->queue_lock);
}

/* In steps, two of them under way: all but what is left for a sync. */
static int write_out(struct fs *fs, struct segment *file, int fd)
{
	struct fs_stat status;
	int64_t from = file->written_out;
	int rc = 0;

	/* Only what it says of the length is wanted; the sync tells what is wrong. */
	if (fs_fd_stat(fs, fd, &status) < 0)
		return 0;
	for (int64_t pos = from; rc == 0 && status.size - pos > WRITE_OUT_BYTES; pos += WRITE_OUT_BYTES) {
		rc = fs_write_out(fs, fd, pos, WRITE_OUT_BYTES, false);
		if (rc == 0 && pos > from)
			rc = fs_write_out(fs, fd, pos - WRITE_OUT_BYTES, WRITE_OUT_BYTES, true);
		file->written_out = pos + WRITE_OUT_BYTES;
	}
	return rc;
}

static int each_file(struct log_dir *dir, struct segment **files, int n_files, bool sync)
{
	int fd, rc = 0;

	for (int i = 0; rc == 0 && i < n_files; i++) {
		rc = fd_cache_pin(files[i]->home->fds, &files[i]->file, &fd);
		if (rc < 0)
			break;
		rc = write_out(dir->fs, files[i], fd);
		if (rc == 0 && sync)
			rc = fs_datasync(dir->fs, fd);
		fd_cache_unpin(&files[i]->file);
	}
	return rc;
}

static int sync_dirty(struct log_dir *dir, bool all)
{
	struct segment *files[BACKGROUND_FILES_MAX];
	int rc, n_files = 0;

	if (log_dir_failed(dir))
		return ERR_IO;
	all |= !begin_sync(dir, files, &n_files);
	rc = each_file(dir, files, n_files, !all);
	if (rc == 0 && all)
		rc = fs_sync_all(dir->fs, dir->dir_fd);
	while (n_files > 0)
		let_go(files[--n_files]);
	end_sync(dir, rc);
	dir->marks_moved = dir->points_moved = true;
	return rc < 0 ? sync_failed(dir, rc) : 0;
}

int log_dir_sync(struct log_dir *dir)
{
	return sync_dirty(dir, true);
}

int log_dir_lower_durable(struct log_dir *dir, struct log *log, int64_t offset)
{
	int64_t end = log_end_offset(log);
	int rc = 0;

	/* In one step, so that a sync that begins now sees the new end and one under way the new generation. */
	pthread_mutex_lock(&dir->queue_lock);
	log->generation++;
	if (end > offset)
		shared_i64_set(&log->end, offset);
	if (log_durable_end(log) > offset)
		shared_i64_set(&log->durable, offset);
	pthread_mutex_unlock(&dir->queue_lock);

	pthread_mutex_lock(&dir->registry_lock);
	if (log->mark > offset)
		rc = log_dir_write_run(dir);
	pthread_mutex_unlock(&dir->registry_lock);
	if (rc < 0)
		log_dir_restore_end(dir, log, end);
	return rc;
}

void log_dir_restore_end(struct log_dir *dir, struct log *log, int64_t end)
{
	shared_i64_set(&log->end, end);
	/* What was durable below it no longer counts as such, and nobody may append for long. */
	log_dir_dirtied(dir, log, 0);
}

/* ---- flush ---- */

bool log_flush_due(const struct log *log, int64_t now_ms)
{
	int64_t unflushed = log_end_offset(log) - log_durable_end(log);

	if (unflushed <= 0)
		return false;
	return unflushed >= log->config.flush_messages ||
	       (log->unflushed_since_ms > 0 && now_ms - log->unflushed_since_ms >= log->config.flush_ms);
}

bool log_flush_prepare(struct log *log)
{
	struct log_flush *flush = &log->flush;
	struct log_dir *dir = log->dir;

	if (flush->state != LOG_FLUSH_IDLE || log_dir_failed(dir))
		return false;
	flush->names = log->names_changes != log->names_synced;
	if (log_durable_end(log) >= log_end_offset(log) && !flush->names)
		return false;
	flush->names_changes = log->names_changes;
	flush->end = log_end_offset(log);
	flush->segment = segment_retain(log_active(log));
	flush->error = 0;
	pthread_mutex_lock(&dir->queue_lock);
	flush->generation = log->generation;
	flush->state = LOG_FLUSH_QUEUED;
	log_link_add(&dir->flushes, &flush->link);
	pthread_mutex_unlock(&dir->queue_lock);
	return true;
}

static struct log *flush_owner(struct log_link *link)
{
	return CONTAINER_OF(link, struct log, flush.link);
}

static int sync_segment(struct segment *segment)
{
	int fd, rc;

	if (!segment->exists)
		return 0;
	rc = fd_cache_pin(segment->home->fds, &segment->file, &fd);
	if (rc < 0)
		return rc;
	rc = fs_datasync(segment_fs(segment), fd);
	fd_cache_unpin(&segment->file);
	return rc;
}

static int sync_group(struct log_dir *dir, struct log_link *group)
{
	bool all = false;
	int n = 0, rc = 0;

	if (MUTANT(DURABLE_UNSYNCED))
		return 0;
	for (struct log_link *link = group->next; link != group; link = link->next, n++)
		all |= flush_owner(link)->flush.names;
	if (all || n > SYNC_FILES_MAX)
		return fs_sync_all(dir->fs, dir->dir_fd);
	for (struct log_link *link = group->next; rc == 0 && link != group; link = link->next)
		rc = sync_segment(flush_owner(link)->flush.segment);
	return rc;
}

void log_flush_run(struct log *log)
{
	struct log_dir *dir = log->dir;
	struct log_link group;
	int rc;

	log_link_init(&group);
	pthread_mutex_lock(&dir->queue_lock);
	while (!log_link_alone(&dir->flushes)) {
		struct log_link *link = dir->flushes.next;

		log_link_remove(link);
		log_link_add(&group, link);
	}
	pthread_mutex_unlock(&dir->queue_lock);
	if (log_link_alone(&group))
		return;
	rc = log_dir_failed(dir) ? ERR_IO : sync_group(dir, &group);
	if (rc < 0)
		sync_failed(dir, rc);

	pthread_mutex_lock(&dir->queue_lock);
	while (!log_link_alone(&group)) {
		struct log *done = flush_owner(group.next);

		log_link_remove(&done->flush.link);
		done->flush.error = rc;
		done->flush.state = LOG_FLUSH_DONE;
		if (rc == 0)
			raise_durable(done, done->flush.generation, done->flush.end);
	}
	pthread_mutex_unlock(&dir->queue_lock);
	dir->marks_moved = true;
}

int log_flush_finish(struct log *log)
{
	struct log_flush *flush = &log->flush;
	struct log_dir *dir = log->dir;

	pthread_mutex_lock(&dir->queue_lock);
	CHECK(flush->state == LOG_FLUSH_DONE);
	flush->state = LOG_FLUSH_IDLE;
	pthread_mutex_unlock(&dir->queue_lock);
	segment_release(flush->segment);
	flush->segment = NULL;
	if (flush->error == 0 && flush->names)
		log->names_synced = flush->names_changes;
	return flush->error;
}

/* ---- removal ---- */

void log_dir_remove_later(struct log_dir *dir, const char *path, int64_t delay_ms)
{
	size_t len = strlen(path);
	struct removal *removal = memory_alloc(sizeof *removal + len + 1);

	removal->delay_ms = delay_ms;
	removal->due_ms = 0;
	memcpy(removal->path, path, len + 1);
	pthread_mutex_lock(&dir->queue_lock);
	removal->next = dir->removals;
	dir->removals = removal;
	pthread_mutex_unlock(&dir->queue_lock);
	log_dir_wake(dir);
}

/* Takes out what is due; *ret_next: when the next one will be. */
static struct removal *take_due(struct log_dir *dir, int64_t now_ms, int64_t *ret_next)
{
	struct removal **at, *due = NULL;

	*ret_next = INT64_MAX;
	pthread_mutex_lock(&dir->queue_lock);
	for (at = &dir->removals; *at;) {
		struct removal *removal = *at;

		if (removal->due_ms == 0)
			removal->due_ms = now_ms + removal->delay_ms;
		if (removal->due_ms > now_ms) {
			*ret_next = removal->due_ms < *ret_next ? removal->due_ms : *ret_next;
			at = &removal->next;
			continue;
		}
		*at = removal->next;
		removal->next = due;
		due = removal;
	}
	pthread_mutex_unlock(&dir->queue_lock);
	return due;
}

static void remove_one(struct log_dir *dir, const char *path)
{
	struct fs_stat status;
	int rc = fs_stat(dir->fs, path, &status);

	if (rc == 0)
		rc = status.is_dir ? fs_remove_tree(dir->fs, path) : fs_unlink(dir->fs, path);
	/* A folder that was renamed meanwhile takes its files along. */
	if (rc < 0 && rc != ERR_NOT_FOUND)
		trace_warn("log", "cannot be removed: path=%s error=\"%s\"", path, error_text(rc));
}

static int64_t remove_due(struct log_dir *dir, int64_t now_ms)
{
	int64_t next;
	struct removal *due = take_due(dir, now_ms, &next);

	while (due) {
		struct removal *removal = due;

		due = removal->next;
		remove_one(dir, removal->path);
		free(removal);
	}
	return next;
}

void log_dir_remove_all_due(struct log_dir *dir, int64_t now_ms)
{
	remove_due(dir, now_ms);
	remove_due(dir, INT64_MAX);
}

/* ---- tick ---- */

/* Whether a thing that waits is to be done now; a change seen for the first time begins to wait. */
static bool is_due(struct due *due, bool waits, int64_t now_ms, int64_t delay_ms)
{
	if (!waits) {
		due->at_ms = 0;
		return false;
	}
	if (due->at_ms == 0)
		due->at_ms = now_ms + delay_ms;
	if (due->at_ms > now_ms)
		return false;
	due->at_ms = 0;
	return true;
}

static bool has_dirty(struct log_dir *dir)
{
	bool has;

	pthread_mutex_lock(&dir->queue_lock);
	has = !log_link_alone(&dir->dirty);
	pthread_mutex_unlock(&dir->queue_lock);
	return has;
}

static int tick_sync(struct log_dir *dir, int64_t now_ms)
{
	bool due = is_due(&dir->sync_due, has_dirty(dir), now_ms, dir->args.sync_ms);

	if (!due && log_dir_unsynced_bytes(dir) < dir->args.sync_bytes)
		return 0;
	dir->sync_due.at_ms = 0;
	return sync_dirty(dir, false);
}

/* Rewrites the checkpoints where deleted partitions stand in them; new ones of their names may then get marks. */
static int clear_stale_points(struct log_dir *dir)
{
	int64_t n_deleted;
	bool stale;
	int rc;

	pthread_mutex_lock(&dir->registry_lock);
	stale = dir->stale_points;
	n_deleted = dir->n_deleted;
	pthread_mutex_unlock(&dir->registry_lock);
	if (!stale)
		return 0;
	rc = log_dir_write_points(dir);
	if (rc == 0)
		rc = log_dir_write_watermarks(dir);
	if (rc < 0)
		return rc;
	pthread_mutex_lock(&dir->registry_lock);
	if (dir->n_deleted == n_deleted) {
		dir->stale_points = false;
		for (struct log_link *link = dir->logs.next; link != &dir->logs; link = link->next)
			CONTAINER_OF(link, struct log, link)->unlisted = false;
	}
	pthread_mutex_unlock(&dir->registry_lock);
	return 0;
}

int log_dir_write_marks(struct log_dir *dir)
{
	int rc = clear_stale_points(dir);

	if (rc < 0)
		return rc;
	pthread_mutex_lock(&dir->registry_lock);
	rc = log_dir_write_run(dir);
	pthread_mutex_unlock(&dir->registry_lock);
	return rc;
}

static int tick_marks(struct log_dir *dir, int64_t now_ms)
{
	bool due = is_due(&dir->mark_due, dir->marks_moved || shared_flag_get(&dir->deleted), now_ms, dir->args.mark_interval_ms);
	int rc;

	if (!due && dir->unmarked_bytes < dir->args.mark_bytes)
		return 0;
	dir->mark_due.at_ms = 0;
	dir->unmarked_bytes = 0;
	dir->marks_moved = false;
	shared_flag_lower(&dir->deleted);
	rc = log_dir_write_marks(dir);
	if (rc < 0)
		dir->marks_moved = true;
	return rc;
}

static int tick_points(struct log_dir *dir, int64_t now_ms)
{
	int rc;

	if (!is_due(&dir->checkpoint_due, dir->points_moved || shared_flag_get(&dir->start_moved), now_ms, dir->args.checkpoint_ms))
		return 0;
	dir->points_moved = false;
	shared_flag_lower(&dir->start_moved);
	rc = log_dir_write_points(dir);
	if (rc < 0) {
		dir->points_moved = true;
		shared_flag_raise(&dir->start_moved);
	}
	return rc;
}

static int tick_watermarks(struct log_dir *dir, int64_t now_ms)
{
	int rc;

	if (!is_due(&dir->watermark_due, shared_flag_get(&dir->watermark_moved), now_ms, dir->args.high_watermark_ms))
		return 0;
	shared_flag_lower(&dir->watermark_moved);
	rc = log_dir_write_watermarks(dir);
	if (rc < 0)
		shared_flag_raise(&dir->watermark_moved);
	return rc;
}

static int64_t earlier(const struct due *due, int64_t next)
{
	return due->at_ms != 0 && due->at_ms < next ? due->at_ms : next;
}

int log_dir_tick(struct log_dir *dir, int64_t now_ms, int64_t *ret_wait_ms)
{
	int64_t next;
	int rc;

	log_dir_note_failure(dir);
	if (log_dir_failed(dir))
		return ERR_IO;
	next = remove_due(dir, now_ms);
	rc = tick_sync(dir, now_ms);
	if (rc == 0)
		rc = tick_marks(dir, now_ms);
	if (rc == 0)
		rc = tick_points(dir, now_ms);
	if (rc == 0)
		rc = tick_watermarks(dir, now_ms);
	/* Without room a checkpoint waits for better times; the dir has not failed. */
	if (rc < 0 && log_dir_failed(dir))
		return rc;
	log_dir_tick_reserve(dir, now_ms);
	next = earlier(&dir->sync_due, earlier(&dir->mark_due, earlier(&dir->checkpoint_due, next)));
	next = earlier(&dir->watermark_due, earlier(&dir->reserve_due, next));
	*ret_wait_ms = next == INT64_MAX ? -1 : next > now_ms ? next - now_ms : 0;
	return 0;
}
