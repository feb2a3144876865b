/*
 * One entry of log.dirs: its lock, identity, checkpoints and the partitions that lie in it.
 *
 *     log_dir_open   makes the folder, takes .lock, reads meta.properties, klamm.run and the checkpoints, removes the clean marker
 *     log_dir_scan   lists partition folders; .deleted and -delete leftovers are scheduled for removal
 *     log_dir_load   opens each partition (recovery where the last stop was not clean), any number of threads
 *     log_dir_tick   disk thread: background sync, durable marks, checkpoints, delayed removal; does nothing while nothing changed
 *     log_dir_close  clean stop: closes every log, syncs, writes checkpoints, marks and last the clean marker
 *
 * Threads: open, scan, close: one thread while nobody else uses it. tick, sync: the dir's disk thread. Those marked "any
 * thread" guard the registry with one mutex that never encloses another. A failed dir (fsync error, EIO, EROFS; D10) stays failed.
 */
#ifndef KLAMM_BROKER_LOG_LOG_DIR_H
#define KLAMM_BROKER_LOG_LOG_DIR_H

#include "broker/log/log.h"
#include "common/error.h"
#include "common/fs.h"
#include "common/uuid.h"

#include <stdbool.h>
#include <stdint.h>

struct fd_cache;
struct run_use;

struct log_dir_args {
	struct fs *fs;
	struct fd_cache *fds;       /* shared by all dirs of the process */
	const char *path;
	int32_t broker_id;
	struct slice cluster_id;    /* null: not known yet; see log_dir_set_cluster_id */
	int64_t mark_interval_ms;   /* durable marks on disk; 0 = 5,000 */
	int64_t mark_bytes;         /* ... or after so many bytes were synced: the start after a crash reads and writes them; 0 = 1 GiB */
	int64_t checkpoint_ms;      /* recovery point and log start; 0 = 60,000 (log.flush.offset.checkpoint.interval.ms) */
	int64_t high_watermark_ms;  /* 0 = 5,000 (replica.high.watermark.checkpoint.interval.ms) */
	int64_t sync_ms;            /* background sync; 0 = 1,000 */
	int64_t sync_bytes;         /* ... or after so many bytes; 0 = 64 MiB */
	bool durable;               /* klamm.durability of topics that do not say is fsync-isr */
	int64_t reserve_bytes;      /* room that is kept for a start on a full disk, at most; 0 = none */
};

/* What the last stop was (D9). */
enum log_dir_stop {
	LOG_DIR_NEW,           /* no klamm.run and no partitions */
	LOG_DIR_CLEAN,         /* clean marker (ours or Kafka's) */
	LOG_DIR_PROCESS_CRASH, /* same boot, same file system: the page cache survived */
	LOG_DIR_UNCLEAN,       /* power lost, or unknown */
};

/* ERR_BUSY: another process has the lock. ERR_CONFIG: meta.properties of another broker or cluster, or of a version we cannot
 * read. The text of err names path and remedy. */
int log_dir_open(const struct log_dir_args *args, struct log_dir **ret_dir, struct error *err);

/* Writes meta.properties when there was none; ERR_CONFIG when it names another cluster. */
int log_dir_set_cluster_id(struct log_dir *dir, struct slice cluster_id, struct error *err);

/* Of meta.properties; null when there was none. Valid until log_dir_free. */
struct slice log_dir_cluster_id(const struct log_dir *dir);

/* Of meta.properties before this start; -1 when there was none. */
int32_t log_dir_broker_id(const struct log_dir *dir);

/* directory.id; made at the first open. */
struct uuid log_dir_id(const struct log_dir *dir);
const char *log_dir_path(const struct log_dir *dir);
enum log_dir_stop log_dir_last_stop(const struct log_dir *dir);

/*
 * What the controller is to be told (D9): the last stop, or a worse one before it that it had not taken in. LOG_DIR_CLEAN once it has, until
 * the next start. Before log_dir_load_done a crash is not known to have lost nothing.
 */
enum log_dir_stop log_dir_owed(const struct log_dir *dir);

/*
 * Of what is owed for an unclean stop: topics that do not say what they want had fsync-isr in every run that may have lost something, so that
 * theirs have lost nothing.
 */
bool log_dir_owed_is_durable(const struct log_dir *dir);

/* The controller has taken it in; written at once, synced. */
int log_dir_settle(struct log_dir *dir);

/* The broker epoch that klamm.run of the last run has; -1 unknown. */
int64_t log_dir_last_broker_epoch(const struct log_dir *dir);

/* Written to klamm.run at once, synced. */
int log_dir_set_broker_epoch(struct log_dir *dir, int64_t epoch);

/* When the dir was last in use (run_file.h). False: nobody knows, klamm.run is not there or another program wrote to the dir since. */
bool log_dir_last_use(const struct log_dir *dir, struct run_use *ret_use);

/* It is in use: written before the next partition is made here, and by log_dir_settle. Any thread. */
void log_dir_set_use(struct log_dir *dir, const struct run_use *use);

/* A partition folder that the scan found. */
struct log_dir_entry {
	char *topic;
	int32_t partition;
	bool is_future; /* -future: kept, not opened */
	bool is_stray;  /* -stray: set aside, nobody's */
};

/* ERR_INVALID: a folder whose name is no partition's (Kafka refuses it, too); err names it. */
int log_dir_scan(struct log_dir *dir, struct error *err);
int log_dir_n_entries(const struct log_dir *dir);
const struct log_dir_entry *log_dir_entry(const struct log_dir *dir, int i);

/*
 * Opens the partition of an entry: a clean one by one listing and a few small reads, else with recovery. ERR_CORRUPT: damaged below
 * the durable mark; nothing was changed, the caller marks the partition offline. Different entries may be opened by different
 * threads at once. The observer may be replaced later (log_set_observer).
 */
int log_dir_load(struct log_dir *dir, int i, const struct log_config *config, const struct log_observer *observer,
		 struct log **ret_log, struct error *err);

/*
 * Renames for deletion the folder of a partition that log_dir_load could not open, when it is that of this topic or does not say whose it is.
 * ERR_NOT_FOUND without the folder, ERR_VERSION when it is another topic's. Any thread.
 */
int log_dir_erase_damaged(struct log_dir *dir, struct slice topic, int32_t partition, const struct uuid *topic_id);

/*
 * Renames the folder of a partition that log_dir_load could not open to that of a stray one; see log_set_aside. Any thread.
 */
int log_dir_set_aside_damaged(struct log_dir *dir, struct slice topic, int32_t partition, char ret_path[FS_PATH_MAX]);

/* After all entries are loaded: syncs what recovery wrote, so that all that was found is durable, and writes the first marks. */
int log_dir_load_done(struct log_dir *dir);

/* Any thread. */
bool log_dir_failed(const struct log_dir *dir);

/* Marks the dir failed (the probe of the caller, or a call that hung). Any thread. */
void log_dir_fail(struct log_dir *dir, int error, const char *what);

/*
 * During the start, after a call that ended with `error`: when that is ERR_NO_SPACE and there is a reserve, it is given up, and true says that the call
 * may be tried again. What log_dir_open, log_dir_load and log_dir_load_done do they try again themselves.
 */
bool log_dir_give_up_reserve(struct log_dir *dir, int error, const char *what);

/* What the reserve has now, and how often it was given up since the dir was opened. Any thread. */
int64_t log_dir_reserve_bytes(const struct log_dir *dir);
int64_t log_dir_n_reserves_given_up(const struct log_dir *dir);

/* Torn tails that recovery cut since the dir was opened. Any thread. */
int64_t log_dir_n_torn(const struct log_dir *dir);

/* wake(ctx) is called on any thread when the dir, idle before, has got something to do: post a tick to the disk thread. */
void log_dir_set_wake(struct log_dir *dir, void (*wake)(void *ctx), void *ctx);

/*
 * Disk thread: does what is due. now_ms: monotonic clock. *ret_wait_ms: until the next thing is due, -1 when there is none (wait for
 * wake). An error has failed the dir.
 */
int log_dir_tick(struct log_dir *dir, int64_t now_ms, int64_t *ret_wait_ms);

/* Disk thread: syncs all that was appended and made so far; all durable ends move. */
int log_dir_sync(struct log_dir *dir);

/*
 * Disk thread: where logs start is on the disk when this returns, so that a crash does not bring back records that were deleted. One write
 * serves all that moved before it. ERR_NO_SPACE leaves it to the next checkpoint.
 */
int log_dir_keep_starts(struct log_dir *dir);

/* A disk thread, also that of another dir: names of partitions that were deleted or set aside here are gone for good when this returns. */
void log_dir_keep_names(struct log_dir *dir);

/* Bytes appended since the last sync. Any thread. */
int64_t log_dir_unsynced_bytes(const struct log_dir *dir);

/* Removes at once what deletion has scheduled (clean stop, tests). Disk thread. */
void log_dir_remove_all_due(struct log_dir *dir, int64_t now_ms);

/*
 * The clean stop. Logs are closed and freed. On an error the marker is not written: the next start recovers. It is not written either when
 * partitions stay offline because they are damaged, or when not all have been loaded (log_dir_load_done) and the stop before was not clean.
 * Frees dir.
 */
int log_dir_close(struct log_dir *dir);

/* Ends without a clean stop: logs are freed, nothing is written. Frees dir. */
void log_dir_free(struct log_dir *dir);

#endif
