/* The inside of a log dir, for the files log_dir*.c only. */
#ifndef KLAMM_BROKER_LOG_LOG_DIR_INTERNAL_H
#define KLAMM_BROKER_LOG_LOG_DIR_INTERNAL_H

#include "broker/log/log_dir.h"
#include "broker/log/log_internal.h"
#include "broker/log/meta_properties.h"
#include "broker/log/offsets_table.h"
#include "broker/log/run_file.h"

#include <pthread.h>

/* A file or folder that goes after a delay. */
struct removal {
	struct removal *next;
	int64_t delay_ms;
	int64_t due_ms; /* monotonic; 0 until a tick has seen it */
	char path[];
};

/* When something changed and is to be written: set by the first tick that sees the change. */
struct due {
	int64_t at_ms; /* 0: nothing waits */
};

struct log_dir {
	struct fs *fs;
	struct fd_cache *fds;
	char *path;
	int dir_fd;  /* kept open: syncfs tells only errors since */
	int lock_fd;
	struct log_dir_args args;
	struct meta_properties meta;
	bool has_meta;
	enum log_dir_stop stop;
	bool settled; /* the controller knows */
	bool was_durable; /* see log_dir_owed_is_durable */
	bool clean;        /* the last stop was, whoever's it was */
	bool ours;         /* the marks count: nobody else wrote since */
	bool failed_before;   /* in the last run: klamm.failed is there */
	bool failure_noted;   /* as klamm.failed */
	bool loaded;          /* all partitions were, by log_dir_load_done */
	int64_t last_broker_epoch;

	struct shared_flag failed;
	struct shared_i64 unsynced_bytes;
	struct shared_i64 n_torn;
	struct shared_i64 reserve_bytes;        /* that its reserve has now */
	struct shared_i64 n_reserves_given_up;
	int64_t reserve_wanted;
	struct shared_flag watermark_moved;
	struct shared_flag start_moved;
	struct shared_flag names_moved; /* since the last sync of all began */
	struct shared_flag deleted; /* partitions were, since the marks were written */
	void (*wake)(void *ctx);
	void *wake_ctx;

	/* Guarded by registry_lock, which is also held while klamm.run is written. */
	pthread_mutex_t registry_lock;
	struct log_link logs;
	struct offsets_table table; /* of partitions that are not open */
	struct run_file run;
	/*
	 * Partitions were deleted whose offsets still stand in files: they must not be taken for those of a new partition of the same name.
	 * Before one is made klamm.run is written without them; a new one gets no mark before the checkpoints were, too; and after a crash
	 * the checkpoints count only for partitions with a mark.
	 */
	int32_t n_damaged; /* partitions that stay offline */
	bool stale_marks; /* klamm.run is also older than the use of the dir that run has */
	bool stale_points;
	int64_t n_deleted;

	/* Guarded by queue_lock. Neither lock is taken while the other is held. */
	pthread_mutex_t queue_lock;
	struct log_link dirty;
	struct log_link syncing;
	int n_held; /* files of dirty logs that are held open */
	struct log_link flushes;
	struct removal *removals;

	/* The disk thread's. */
	struct due sync_due, mark_due, checkpoint_due, watermark_due, reserve_due;
	bool marks_moved;
	bool points_moved; /* recovery points, since their checkpoint was written */
	int64_t unmarked_bytes; /* synced since the marks were written */

	struct log_dir_entry *entries; /* of the scan */
	int n_entries;
};

void log_dir_file(const struct log_dir *dir, const char *name, char ret_path[FS_PATH_MAX]);

/* ---- log_dir_checkpoint.c ---- */

/* Reads the three checkpoints into the table; damaged ones are told and count as empty. */
int log_dir_read_checkpoints(struct log_dir *dir);

/* Writes klamm.run with the marks of now. The registry lock is held. */
int log_dir_write_run(struct log_dir *dir);
int log_dir_write_points(struct log_dir *dir);
int log_dir_write_watermarks(struct log_dir *dir);

/* ---- log_dir_reserve.c ---- */

/* Finds out how much is wanted and how much is there. */
void log_dir_find_reserve(struct log_dir *dir);

/* Takes what is missing, as far as there is room. Never an error: what lacks is looked after by the tick. */
void log_dir_fill_reserve(struct log_dir *dir);

/* Disk thread. Sets reserve_due while the reserve is not whole. */
void log_dir_tick_reserve(struct log_dir *dir, int64_t now_ms);

/* ---- log_dir_sync.c ---- */

/* Writes klamm.run so that every log has its mark; before that the checkpoints anew, where lines of deleted partitions stand in them. */
int log_dir_write_marks(struct log_dir *dir);

void log_dir_wake(struct log_dir *dir);

/* The log is dirty no more. The queue lock is held. */
void log_dir_let_go(struct log_dir *dir, struct log *log);

/* Tries to make the file that tells the next start that the dir has failed, once. */
void log_dir_note_failure(struct log_dir *dir);

#endif
