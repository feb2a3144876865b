/*
 * One partition's log: record batches in segments, found by offset and by time, in Kafka's files (reference: README.md here).
 *
 *     log_append --> active segment (one pwrite) --> offset and time index tail in memory --> epoch cache
 *     log_read   --> {retained segment, position, length}: no bytes move; the sender asks the slice for a descriptor
 *     log_flush_prepare (owner) --> log_flush_run (disk thread, group commit) --> log_flush_finish (owner): the durable end moves
 *
 * Knows record batches, not producers (struct log_observer is told what it must know), nor roles of the partition.
 *
 * Threads: a log belongs to one thread (its owner); every call here is the owner's unless it says otherwise. A log is made and
 * loaded on any thread and then handed to its owner. Slices may be used and released on any thread (see struct log_slice).
 *
 * Errors: ERR_NO_SPACE leaves the log as it was before the call (D10). ERR_IO and ERR_READ_ONLY mean that the log's folder has
 * failed for good (log_dir_failed): nothing more is written to it. ERR_CORRUPT: the files are damaged below what was durable (D11).
 *
 * Keeps S8 (offsets ascend, one value each), S14 (recovery), D5 (a file position never gets other bytes), D10, D11.
 */
#ifndef KLAMM_BROKER_LOG_LOG_H
#define KLAMM_BROKER_LOG_LOG_H

#include "broker/log/epoch_cache_core.h"
#include "broker/log/log_config.h"
#include "broker/log/producer_snapshot.h"
#include "common/error.h"
#include "common/fs.h"
#include "common/slice.h"
#include "common/uuid.h"

#include <stdbool.h>
#include <stdint.h>

struct log;
struct log_dir;
struct segment;

/* An aborted transaction, as the transaction index has it. */
struct aborted_txn {
	int64_t producer_id;
	int64_t first_offset;
	int64_t last_offset;        /* of the marker */
	int64_t last_stable_offset; /* at the time the marker was written */
};

/*
 * The port to the producer state, which lives above. Called by load (reset, load_snapshot with the newest valid snapshot, then
 * on_batch for each batch after it), by truncation (the same again) and when a snapshot is due (roll, clean stop, end of recovery).
 * Any of them may be NULL. Called on the thread that called the log.
 */
struct log_observer {
	void *ctx;
	void (*reset)(void *ctx);
	void (*load_snapshot)(void *ctx, int64_t end_offset, const struct producer_snapshot_entry *entries, int32_t n);
	/* batch: the whole batch of a control record, else its header only (61 bytes). Returns true when it ends an aborted
	 * transaction and fills *ret_aborted; recovery then writes it to the transaction index. */
	bool (*on_batch)(void *ctx, struct slice batch, struct aborted_txn *ret_aborted);
	void (*take_snapshot)(void *ctx, struct producer_snapshot *snapshot);
	/* Everything below the offset was deleted from the head of the log. */
	void (*on_start_moved)(void *ctx, int64_t log_start_offset);
};

/*
 * Makes the folder of a new partition in a log dir: one mkdir and one small file, nothing synced (the dir's next sync covers it; call
 * log_dir_sync for a promise). Segment files appear with the first append. topic_id zero: no partition.metadata.
 * ERR_EXISTS when there is one.
 */
int log_create(struct log_dir *dir, struct slice topic, int32_t partition, const struct uuid *topic_id,
	       const struct log_config *config, const struct log_observer *observer, struct log **ret_log, struct error *err);

/*
 * The clean end: writes what is pending of the indexes, the last time index entry, the epoch file and a producer snapshot at the log
 * end. The caller syncs once for all logs of a dir (log_dir_close does both). Idle since load: touches nothing.
 */
int log_close(struct log *log);

/* Frees a log without writing anything. Slices of it stay valid. */
void log_free(struct log *log);

/* Takes effect with the next call. */
void log_configure(struct log *log, const struct log_config *config);

const struct log_config *log_config(const struct log *log);
struct log_dir *log_dir_of(const struct log *log);
struct slice log_topic(const struct log *log);
int32_t log_partition(const struct log *log);

/* From partition.metadata; zero where there is none. */
struct uuid log_topic_id(const struct log *log);

/* Writes partition.metadata of a log that had none (taken over from an old Kafka). */
int log_set_topic_id(struct log *log, const struct uuid *topic_id);

/* The replacement of the observer after load, when the owner is known. */
void log_set_observer(struct log *log, const struct log_observer *observer);

/* ---- offsets ---- */

/* The next offset. */
int64_t log_end_offset(const struct log *log);

/* The first offset that readers may ask for. */
int64_t log_start_offset(const struct log *log);

/* All below is on the platter. Any thread. At most log_end_offset. */
int64_t log_durable_end(const struct log *log);

/* What the rules of the partition use as log end: the durable end in LOG_FSYNC_ISR, else the log end (D8). */
int64_t log_promised_end(const struct log *log);

/* The high watermark of the last checkpoint, clamped to [log start, log end], until log_set_high_watermark. It bounds retention and is
 * written to replication-offset-checkpoint by the dir. */
int64_t log_high_watermark(const struct log *log);
void log_set_high_watermark(struct log *log, int64_t offset);

/* Bytes of all segments. */
int64_t log_size(const struct log *log);
int32_t log_n_segments(const struct log *log);

/* ---- append ---- */

struct log_append_info {
	int64_t now_ms;     /* calendar; for segments whose first batch has no time stamp */
	bool tell_observer; /* call on_batch for each batch as soon as it is written, and index the aborts it returns (followers) */
};

/*
 * Appends validated and stamped batches (offsets and leader epochs set, CRC right): one of a leader, or several of a follower byte
 * for byte. Base offsets are at or above the log end and ascend. Rolls first where Kafka does (kafka.md 5.2), which takes a producer
 * snapshot: a caller that keeps producer state itself (leaders) changes it after the append of its one batch, never before.
 * ERR_INVALID: not whole batches in order (nothing written). ERR_NO_SPACE: nothing of the batch is left; of several those that went
 * into an earlier segment stay (see log_end_offset). ERR_IO: see the top.
 */
int log_append(struct log *log, const uint8_t *batches, size_t len, const struct log_append_info *info);

/* Adds an aborted transaction to the index of the active segment; after the append of its marker. */
int log_append_aborted(struct log *log, const struct aborted_txn *aborted);

/* Each aborted transaction that overlaps [from, to), in offset order. */
int log_aborted_between(struct log *log, int64_t from, int64_t to, void (*each)(void *ctx, const struct aborted_txn *aborted), void *ctx);

/* ---- read ---- */

/*
 * A range of a segment file. Holds the segment (counted): until log_slice_release the bytes stay readable although the log is
 * truncated, rolled, deleted or freed meanwhile; a truncated range ends short and never holds other bytes (D5).
 * Any thread may pin, read and release; the last release frees the segment there (its memory and descriptor are shared by no one).
 */
struct log_slice {
	struct segment *segment;   /* NULL: nothing to read at this offset now */
	int64_t pos;
	int64_t len;               /* bytes */
	int64_t first_base_offset; /* of the first batch, which may begin below the asked offset */
	int64_t first_last_offset;
	int32_t first_bytes;
	int32_t first_epoch;
};

struct log_read_args {
	int64_t offset;
	int64_t max_offset;   /* exclusive: only batches that begin below it; the high watermark, the LSO or INT64_MAX */
	int64_t max_bytes;
	bool min_one_batch;   /* the first batch is given whole though larger than max_bytes; else nothing is given then */
	bool whole_batches;   /* ends at a batch (for followers); else cut at max_bytes as Kafka does */
};

/*
 * Finds the batches from an offset on, within one segment. ERR_OUT_OF_RANGE below the log start or above the log end. An offset
 * at or above max_offset gives an empty slice (segment NULL) and 0.
 */
int log_read(struct log *log, const struct log_read_args *args, struct log_slice *ret_slice);

/* The offset behind the last batch of a slice that was read with whole_batches; while the log has not changed since. */
int log_slice_end(struct log *log, const struct log_slice *slice, int64_t *ret_end);

/* A descriptor that can be read at slice->pos (for sendfile), held open until log_slice_unpin. */
int log_slice_pin(const struct log_slice *slice, int *ret_fd);
void log_slice_unpin(const struct log_slice *slice);

/* Copies [skip, skip+len) of the slice; ERR_TRUNCATED when the file was cut meanwhile. */
int log_slice_read(const struct log_slice *slice, int64_t skip, void *data, size_t len);

/* Reads all but the first `skip` bytes into the page cache, however long that takes (disk threads): pinned, it can be sent without a wait. */
void log_slice_load(const struct log_slice *slice, int64_t skip);

/* An empty slice is allowed. */
void log_slice_release(struct log_slice *slice);

/* Bytes of the log in [from, to), counted up to at_most: what min_bytes of a fetch is held against. 0 when from >= to. */
int64_t log_bytes_between(struct log *log, int64_t from, int64_t to, int64_t at_most);

/* ---- time (kafka.md 4.8) ---- */

struct log_time_offset {
	int64_t timestamp; /* -1 none */
	int64_t offset;    /* -1 none */
	int32_t epoch;     /* of the batch; -1 none */
};

/* The first record at or after the log start with timestamp >= target; all -1 when there is none. */
int log_offset_for_time(struct log *log, int64_t target, struct log_time_offset *ret_found);

/* The earliest record of the largest timestamp (-3); not bounded by the log start; all -1 for an empty log. */
int log_offset_of_max_timestamp(struct log *log, struct log_time_offset *ret_found);

/*
 * For ListOffsets version 0: the log end (only for before_ms INT64_MAX), then base offsets of segments downwards, from the newest whose
 * file was last changed at or before before_ms; the lowest one is the log start. Returns how many, at most max.
 */
int log_segment_offsets(struct log *log, int64_t before_ms, int64_t *offsets, int max);

/* ---- leader epochs (kafka.md 4.2) ---- */


/* The largest epoch with an entry; -1 none. */
int32_t log_latest_epoch(const struct log *log);

/* The epoch of the entry that covers an offset; -1 none. */
int32_t log_epoch_at(const struct log *log, int64_t offset);

struct log_epoch_end log_end_for_epoch(const struct log *log, int32_t epoch);

/* A new leader's epoch begins at the log end, with data or without. The file is written before the first append of the epoch. */
void log_begin_epoch(struct log *log, int32_t epoch);

/* ---- truncation, deletion ---- */

/*
 * Drops all from offset on. A batch that holds it goes whole, and where compaction left nothing just below it the log ends behind the
 * last batch there is: look at log_end_offset. The file is cut and the next append begins a new segment.
 * The durable mark on disk is lowered first where it lies above, so the call may sync. Tells the observer to start anew.
 */
int log_truncate_to(struct log *log, int64_t offset);

/* Drops everything; the next offset is `offset`. */
int log_truncate_fully(struct log *log, int64_t offset);

/* DeleteRecords, or a follower that follows its leader's log start. Whole segments below go at the next log_delete_old_segments. */
int log_advance_start(struct log *log, int64_t offset);

/*
 * Retention by time, size and log start: renames to .deleted what may go and hands it to the dir, which unlinks it after
 * file.delete.delay.ms on the disk thread. Only segments wholly below the high watermark. Returns the number deleted, or an error.
 */
int log_delete_old_segments(struct log *log, int64_t now_ms);

/* Renames the folder to `<topic>-<p>.<uuid>-delete`, takes the log from the dir's list and frees it; the dir removes the files after
 * the delay. */
int log_delete(struct log *log);

/*
 * Renames the folder to `<topic>-<p>.<uuid>-stray`, which no start opens, takes the log from the dir's list and frees it; nothing is removed.
 * ret_path: where it is now. log_dir_keep_names makes it last.
 */
int log_set_aside(struct log *log, char ret_path[FS_PATH_MAX]);

/* ---- flush ---- */

/* True when flush.messages or flush.ms of the config ask for one now. now_ms: calendar, as given to log_append. */
bool log_flush_due(const struct log *log, int64_t now_ms);

/* Owner: notes what there is to flush. False when there is nothing or one is under way (the next prepare then covers the rest). */
bool log_flush_prepare(struct log *log);

/* Disk thread of the dir: syncs everything that logs of this dir have prepared (one group commit); a later run of one of them finds it
 * done. The log may not be freed between prepare and finish. */
void log_flush_run(struct log *log);

/* Owner, after run: 0 and log_durable_end has moved, or the error that failed the dir. */
int log_flush_finish(struct log *log);

#endif
