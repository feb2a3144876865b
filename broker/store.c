/* Log dirs, their disk threads and their logs; see store.h. Loading and creation are in store_load.c, deletion in store_delete.c. */
#include "broker/store.h"

#include "broker/log/fd_cache.h"
#include "broker/log/run_file.h"
#include "broker/replica/partition.h"
#include "common/clock.h"
#include "common/limits.h"
#include "common/memory.h"
#include "common/mutant.h"
#include "common/trace.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

/* A disk call that takes longer is counted and traced. */
#define DISK_SLOW_MS 5000

/* How long the lock of a log dir is waited for. */
#define LOCK_MS_MAX 1000

/* ---- ticks ---- */

static void tick_post(struct store_dir *dir)
{
	/* A wake may still be on its way when the disks have stopped: what it is about, the close of the dir does. */
	if (!dir->started)
		return;
	if (dir->ticking) {
		dir->wake_again = true;
		return;
	}
	dir->ticking = true;
	disk_post(&dir->disk, &dir->tick);
}

static void tick_run(struct disk_job *job)
{
	struct store_dir *dir = CONTAINER_OF(job, struct store_dir, tick);

	/* An error has failed the dir, and is told when the job is back. */
	if (log_dir_tick(dir->dir, clock_ms(), &dir->tick_wait_ms))
		dir->tick_wait_ms = -1;
}

static void tell_failure(struct store_dir *dir)
{
	if (dir->failure_told || !dir->dir || !log_dir_failed(dir->dir))
		return;
	dir->failure_told = true;
	trace_error("store", "log dir %s has failed: its partitions are offline until the broker starts again with a sound disk", dir->path);
	if (dir->store->on_dir_failed)
		dir->store->on_dir_failed(dir->store->ctx, dir);
	store_fail_creations(dir);
	store_fail_deletions(dir);
}

static void tick_done(struct disk_job *job)
{
	struct store_dir *dir = CONTAINER_OF(job, struct store_dir, tick);

	dir->ticking = false;
	tell_failure(dir);
	if (dir->wake_again) {
		dir->wake_again = false;
		tick_post(dir);
	} else if (dir->started && dir->tick_wait_ms >= 0) {
		timer_set(&dir->timer, clock_ms() + dir->tick_wait_ms);
	}
}

static void on_tick_timer(struct timer *timer)
{
	tick_post(CONTAINER_OF(timer, struct store_dir, timer));
}

static void on_wake(struct message *message)
{
	struct store_dir *dir = CONTAINER_OF(message, struct store_dir, wake);

	/* Lowered before the tick is posted: what comes in from now on may be too late for it, and posts again. */
	shared_flag_lower(&dir->woken);
	tick_post(dir);
}

/* Any thread, also several at once: the dir has got something to do. One message is on its way at a time. */
static void wake(void *ctx)
{
	struct store_dir *dir = ctx;

	if (shared_flag_raise(&dir->woken))
		return;
	dir->wake.run = on_wake;
	worker_post(dir->store->hub, &dir->wake);
}

void store_check_failures(struct store *store)
{
	for (int i = 0; i < store->n_dirs; i++)
		tell_failure(&store->dirs[i]);
}

/* ---- open, close ---- */

/* A broker that was killed as a whole a moment ago, and is started again, may not be gone yet. */
static int open_when_free(const struct log_dir_args *args, struct log_dir **ret_dir, struct error *err)
{
	int64_t until_ms = clock_ms() + LOCK_MS_MAX;
	int r;

	while ((r = log_dir_open(args, ret_dir, err)) == ERR_BUSY && clock_ms() < until_ms)
		poll(NULL, 0, 10);
	return r;
}

static int dir_open(struct store_dir *dir, struct error *err)
{
	const struct broker_config *config = dir->store->config;
	struct log_dir_args args = {
		.fs = fs_real(),
		.fds = dir->store->fds,
		.path = dir->path,
		.broker_id = config->broker_id,
		.checkpoint_ms = config->log_flush_offset_checkpoint_interval_ms,
		.high_watermark_ms = config->replica_high_watermark_checkpoint_interval_ms,
		.sync_ms = config->klamm_flush_interval_ms,
		.sync_bytes = config->klamm_flush_bytes,
		.durable = config->topic_defaults.durability == TOPIC_FSYNC_ISR,
		.reserve_bytes = LIMIT_LOG_DIR_RESERVE_BYTES,
	};
	int r = open_when_free(&args, &dir->dir, err);

	if (r)
		return r;
	log_dir_set_wake(dir->dir, wake, dir);
	dir->tick = (struct disk_job){.run = tick_run, .done = tick_done, .reply_to = dir->store->hub};
	timer_init(&dir->timer, &dir->store->hub->loop, on_tick_timer);
	r = disk_start(&dir->disk, "disk", DISK_SLOW_MS);
	dir->started = r == 0;
	return r ? error_set(err, r, "no thread for log dir %s: %s", dir->path, error_text(r)) : 0;
}

/* These say that the operator has made a mistake; anything else that this one disk is bad. */
static bool forbids_start(int code)
{
	return code == ERR_BUSY || code == ERR_CONFIG || code == ERR_INVALID || code == ERR_LIMIT;
}

/*
 * Descriptors for files: what the configuration says, but never more than half of what the process may have, since sockets need the
 * others. The soft limit is raised to the hard one first.
 */
static int file_budget(const struct broker_config *config)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return config->klamm_open_files;
	if (limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	return limit.rlim_cur / 2 < (rlim_t)config->klamm_open_files ? (int)(limit.rlim_cur / 2) : config->klamm_open_files;
}

int store_open(struct store *store, const struct broker_config *config, struct worker *hub, struct error *err)
{
	int n_open = 0, r;

	*store = (struct store){.config = config, .hub = hub, .n_dirs = config->n_log_dirs, .broker_epoch = -1};
	store->fds = fd_cache_new(fs_real(), file_budget(config));
	store->dirs = memory_zalloc((size_t)store->n_dirs, sizeof *store->dirs);
	for (int i = 0; i < store->n_dirs; i++) {
		struct store_dir *dir = &store->dirs[i];

		dir->store = store;
		dir->path = config->log_dir_list[i];
		r = dir_open(dir, err);
		if (r && forbids_start(r))
			return r;
		if (r)
			trace_error("store", "log dir %s is left out: %s", dir->path, err->text);
		else
			n_open++;
	}
	if (n_open == 0)
		return error_set(err, ERR_IO, "no entry of log.dirs can be used");
	return 0;
}

int store_set_cluster_id(struct store *store, struct slice cluster_id, struct error *err)
{
	for (int i = 0; i < store->n_dirs; i++) {
		struct log_dir *dir = store->dirs[i].dir;
		int r = dir ? log_dir_set_cluster_id(dir, cluster_id, err) : 0;

		if (r == ERR_CONFIG)
			return r;
		if (r)
			log_dir_fail(dir, r, "writing meta.properties");
	}
	store_check_failures(store);
	return 0;
}

struct slice store_cluster_id(const struct store *store)
{
	for (int i = 0; i < store->n_dirs; i++) {
		struct slice id = store->dirs[i].dir ? log_dir_cluster_id(store->dirs[i].dir) : SLICE_NULL;

		if (!slice_is_null(id))
			return id;
	}
	return SLICE_NULL;
}

int store_set_broker_epoch(struct store *store, int64_t epoch, int64_t whole_since)
{
	int result = 0;

	store->broker_epoch = epoch;

	for (int i = 0; i < store->n_dirs; i++) {
		int r = store->dirs[i].dir ? log_dir_set_broker_epoch(store->dirs[i].dir, whole_since) : 0;

		result = r ? r : result;
	}
	return result;
}

static enum broker_start start_of(enum log_dir_stop stop)
{
	static const enum broker_start starts[] = {
		[LOG_DIR_NEW] = BROKER_START_DISK_NEW,
		[LOG_DIR_CLEAN] = BROKER_START_CLEAN,
		[LOG_DIR_PROCESS_CRASH] = BROKER_START_PROCESS_CRASH,
		[LOG_DIR_UNCLEAN] = BROKER_START_UNCLEAN,
	};

	if (MUTANT(STARTS_CLEAN))
		return BROKER_START_CLEAN;
	return starts[stop];
}

enum broker_start store_start(const struct store *store, int64_t *ret_previous, bool *ret_durable)
{
	enum broker_start worst = BROKER_START_CLEAN;

	*ret_previous = -1;
	*ret_durable = true;
	for (int i = 0; i < store->n_dirs; i++) {
		struct log_dir *dir = store->dirs[i].dir;
		enum broker_start start;

		if (!dir || log_dir_failed(dir))
			continue;
		start = start_of(log_dir_owed(dir));
		worst = start > worst ? start : worst;
		*ret_durable = *ret_durable && (start != BROKER_START_UNCLEAN || log_dir_owed_is_durable(dir));
		if (log_dir_last_broker_epoch(dir) > *ret_previous)
			*ret_previous = log_dir_last_broker_epoch(dir);
	}
	return worst;
}

static bool is_away(const struct store_dir *dir)
{
	return !dir->dir || log_dir_failed(dir->dir);
}

void store_note_use(struct store_dir *dir)
{
	struct run_use use = {.broker_epoch = dir->store->broker_epoch};

	for (int i = 0; i < dir->store->n_dirs; i++)
		use.n_away += is_away(&dir->store->dirs[i]);
	log_dir_set_use(dir->dir, &use);
}

int store_settle(struct store *store)
{
	int result = 0;

	for (int i = 0; i < store->n_dirs; i++) {
		struct store_dir *dir = &store->dirs[i];
		int r;

		if (is_away(dir))
			continue;
		store_note_use(dir);
		r = log_dir_settle(dir->dir);
		result = r ? r : result;
	}
	return result;
}

static void log_free_entry(struct store *store, struct store_log *log)
{
	HASH_DEL(store->logs, log);
	producer_table_fini(&log->producers);
	free(log->key);
	free(log);
}

bool store_is_whole(const struct store *store)
{
	for (int i = 0; i < store->n_dirs; i++)
		if (is_away(&store->dirs[i]))
			return false;
	return true;
}

void store_stop_loading(struct store *store)
{
	shared_flag_put(&store->stopping, true);
}

void store_stop_disks(struct store *store)
{
	for (int i = 0; i < store->n_dirs; i++) {
		/* A dir that could not be opened has no timer either. */
		if (store->dirs[i].dir)
			timer_stop(&store->dirs[i].timer);
		if (store->dirs[i].started)
			disk_stop(&store->dirs[i].disk);
		store->dirs[i].started = false;
	}
}

int store_close(struct store *store)
{
	struct store_log *log, *next;
	int result = 0;

	for (int i = 0; i < store->n_dirs; i++) {
		struct store_dir *dir = &store->dirs[i];
		int r = 0;

		if (dir->dir)
			r = log_dir_close(dir->dir);
		result = r ? r : result;
	}
	HASH_ITER(hh, store->logs, log, next)
		log_free_entry(store, log);
	fd_cache_free(store->fds);
	free(store->dirs);
	return result;
}

/* ---- logs ---- */

struct store_log *store_find(struct store *store, struct slice topic, int32_t partition)
{
	char key[320];
	struct store_log *log;
	int len = snprintf(key, sizeof key, "%.*s-%d", SLICE_ARGS(topic), partition);

	HASH_FIND(hh, store->logs, key, (unsigned)len, log);
	return log;
}

void store_forget(struct store *store, struct store_log *log)
{
	log->dir->n_logs--;
	log_free_entry(store, log);
}
