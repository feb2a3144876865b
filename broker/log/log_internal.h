/* The inside of a log, for the files log_*.c and log_dir*.c only. */
#ifndef KLAMM_BROKER_LOG_LOG_INTERNAL_H
#define KLAMM_BROKER_LOG_LOG_INTERNAL_H

#include "broker/log/batch_tail.h"
#include "broker/log/epoch_cache.h"
#include "broker/log/log.h"
#include "broker/log/segment.h"
#include "common/refcount.h"

/* A place in one of the dir's rings. */
struct log_link {
	struct log_link *next, *prev;
};

static inline void log_link_init(struct log_link *link)
{
	link->next = link->prev = link;
}

static inline bool log_link_alone(const struct log_link *link)
{
	return link->next == link;
}

static inline void log_link_add(struct log_link *ring, struct log_link *link)
{
	link->prev = ring->prev;
	link->next = ring;
	ring->prev->next = link;
	ring->prev = link;
}

/* Harmless for one that is in no ring. */
static inline void log_link_remove(struct log_link *link)
{
	link->prev->next = link->next;
	link->next->prev = link->prev;
	log_link_init(link);
}

enum log_flush_state { LOG_FLUSH_IDLE, LOG_FLUSH_QUEUED, LOG_FLUSH_DONE };

/* A flush under way. state, error and link are guarded by the dir's queue lock, the rest is the owner's until finish. */
struct log_flush {
	enum log_flush_state state;
	int error;
	uint32_t generation;
	bool names;              /* files were made, renamed or cut: one file's sync is not enough */
	uint32_t names_changes;
	int64_t end;
	struct segment *segment; /* retained: the active one */
	struct log_link link;
};

struct log {
	struct log_dir *dir;
	struct segment_home *home;
	struct segment **segments; /* ascending; at least one, the last is the active one */
	int32_t n_segments;
	int32_t segments_cap;
	int32_t partition;
	bool touched;              /* written to since load: a clean stop has something to do */
	bool is_cut;               /* the active segment was, and there was no room for the next one: an append begins it */
	char *topic;
	struct uuid topic_id;

	/* The owner writes these, any thread reads. The durable end moves up under the dir's queue lock. */
	struct shared_i64 end;
	struct shared_i64 durable;
	struct shared_i64 start;
	struct shared_i64 high_watermark;
	struct shared_i64 first_base; /* base offset of the first segment */
	struct shared_flag dirty;     /* waits in the dir's queue for the background sync */

	struct epoch_cache epochs;
	struct batch_tail *tail;   /* NULL until the first append */
	struct log_config config;
	struct log_observer observer;
	struct aborted_txn *aborted; /* not in the transaction index yet, for want of room */
	int32_t n_aborted;
	int64_t unflushed_since_ms; /* calendar; 0 nothing unflushed */
	uint32_t names_changes;     /* files made, renamed, removed or cut since load */
	uint32_t names_synced;      /* ... of which a flush with names has covered so many */
	struct log_flush flush;

	/* Guarded by the dir's queue lock. */
	struct log_link dirty_link;
	struct segment *held;     /* the only file in which it is dirty, retained and pinned; NULL: no such, or not dirty */
	struct log_link syncing_link;
	uint32_t generation;      /* counts truncations: a sync that began before one proves nothing about what came after */
	uint32_t sync_generation; /* when the background sync under way began */
	int64_t sync_end;

	/* Guarded by the dir's registry lock. */
	struct log_link link;
	int64_t mark;    /* the durable mark in klamm.run, at most; -1 none */
	int64_t mark_next; /* the one that is being written */
	bool unlisted;   /* gets no mark yet: the checkpoints may have lines of a deleted partition of this name */
};

/* What the dir knows of a partition before it is opened. */
struct log_load_info {
	bool clean;             /* the last stop was; nothing is to be recovered */
	bool ours;              /* the mark is one of ours and nobody else wrote since */
	int64_t mark;           /* -1 none */
	int64_t recovery_point; /* of Kafka's checkpoint; -1 none */
	int64_t start;          /* -1 none */
	int64_t high_watermark; /* -1 none */
};

static inline struct segment *log_active(const struct log *log)
{
	return log->segments[log->n_segments - 1];
}

/* ---- log.c ---- */

/* A log without segments, not in the dir's list. */
struct log *log_new(struct log_dir *dir, struct slice topic, int32_t partition, const struct log_config *config,
		    const struct log_observer *observer);

/* The path of a file in the log's folder. */
void log_file_path(const struct log *log, const char *name, char ret_path[FS_PATH_MAX]);
void log_snapshot_path(const struct log *log, int64_t offset, char ret_path[FS_PATH_MAX]);

struct fs *log_fs(const struct log *log);
struct fd_cache *log_fds(const struct log *log);

void log_add_segment(struct log *log, struct segment *segment);

/* The number of the segment that holds an offset (the last one that begins at or below it); 0 below all. */
int32_t log_segment_for(const struct log *log, int64_t offset);

/* A file of the folder was made, renamed, removed or cut: the next sync is one of more than one file. Said after it was, since one may begin at any time. */
void log_names_changed(struct log *log);

/* Where segment i ends: the base of the next one, or the log end. */
int64_t log_segment_end(const struct log *log, int32_t i);

/* Takes a snapshot from the observer and writes it for an offset; nothing without an observer. */
int log_write_snapshot(struct log *log, int64_t offset);

/* ---- log_append.c ---- */

/* Begins a new segment. An active one without batches is replaced, or kept when it has that base offset. */
int log_roll(struct log *log, int64_t base_offset);

/* Writes the epoch file when there is a change. */
int log_write_epochs(struct log *log);

/* Adds an active segment with its file. */
int log_push_segment(struct log *log, int64_t base_offset);

/* ---- log_txn.c ---- */

/* Writes the index entries that had no room. */
int log_write_pending_aborted(struct log *log);

/* Forgets those whose marker is at or above the offset. */
void log_drop_pending_aborted(struct log *log, int64_t offset);

/* ---- log_read.c ---- */

/* The first batch that ends at or above offset, in segment i: 1, 0 none, or an error. bytes are not set. */
int log_find_batch(struct log *log, int32_t i, int64_t offset, struct batch_found *ret_found);

/* ---- log_load.c, log_recover.c, log_replay.c ---- */

int log_open(struct log_dir *dir, struct slice topic, int32_t partition, const struct log_load_info *info,
	     const struct log_config *config, const struct log_observer *observer, struct log **ret_log, struct error *err);

/* Checks and repairs the segments after a stop that was not clean; sets the log end. *ret_from: from
 * where on what is derived from batches (producers, aborted transactions) is to be made anew. */
int log_recover(struct log *log, const struct log_load_info *info, int64_t *ret_from, struct error *err);

/* Makes the epoch entries from the batches below an offset. */
int log_rebuild_epochs(struct log *log, int64_t below);

/* The offsets of the snapshot files of a folder, in no order. */
struct log_snapshots {
	int64_t *offsets;
	int32_t n;
};

void log_snapshots_add(struct log_snapshots *snapshots, int64_t offset);
void log_snapshots_fini(struct log_snapshots *snapshots);
int log_list_snapshots(struct log *log, struct log_snapshots *ret_snapshots);

/* Tells the observer the state at the log end: the newest snapshot at or below `newest`, then the batches after it. Aborted
 * transactions whose marker is at or above index_from are written to the transaction index. */
int log_replay(struct log *log, const struct log_snapshots *snapshots, int64_t newest, int64_t index_from);

/* Removes all snapshot files: the log begins anew. */
int log_drop_snapshots(struct log *log);

/* Removes the files of snapshots above the log end, and of those that are neither at a segment's base nor the newest. */
int log_prune_snapshots(struct log *log, struct log_snapshots *snapshots);

/* ---- log_retention.c ---- */

/* Renames the files of segment i, takes it out and hands them to the dir for removal. */
int log_drop_segment(struct log *log, int32_t i);

/* ---- log_dir.c: what logs need of their dir ---- */

struct fd_cache *log_dir_fds(const struct log_dir *dir);

/* Passes rc on; an I/O error fails the dir first. */
int log_dir_check(struct log_dir *dir, int rc, const char *what);

/* Makes sure that no file has offsets of a deleted partition of the same name; before a new partition's folder is made. */
int log_dir_prepare_create(struct log_dir *dir);

void log_dir_add(struct log_dir *dir, struct log *log);
void log_dir_take_out(struct log_dir *dir, struct log *log);

/* The log is about to begin anew at a lower offset: the log start in the checkpoint would cut off what comes. Takes the log's mark from
 * klamm.run, without which the checkpoints do not count, until they have been written again. */
int log_dir_unlist(struct log_dir *dir, struct log *log);

/* The partition was deleted; before it is taken out. */
void log_dir_note_deleted(struct log_dir *dir);

/* The log was written to: it joins the queue of the background sync. */
void log_dir_dirtied(struct log_dir *dir, struct log *log, int64_t n_bytes);

/* A torn tail was cut. */
void log_dir_count_torn(struct log_dir *dir);

/* A high watermark or a log start moved: the checkpoint is due in its time. */
void log_dir_watermark_moved(struct log_dir *dir);
void log_dir_start_moved(struct log_dir *dir);

/* Before a truncation: the log ends at the offset at most, and nothing above counts as durable any more, on disk either. An error leaves
 * the end as it was. */
int log_dir_lower_durable(struct log_dir *dir, struct log *log, int64_t offset);

/*
 * Files of one of its logs were made, renamed, removed or cut: the next sync is one of all. Said after they were, so that no sync that began
 * before takes the word, and before the log is dirtied by what is in them.
 */
void log_dir_names_moved(struct log_dir *dir);

/* Nothing was cut after all: the log ends where it did, and is made durable again. */
void log_dir_restore_end(struct log_dir *dir, struct log *log, int64_t end);

/* Removes a file or folder after a delay. */
void log_dir_remove_later(struct log_dir *dir, const char *path, int64_t delay_ms);

#endif
