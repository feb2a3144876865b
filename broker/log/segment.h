/*
 * One segment of a log: the files `<base>.log`, `.index`, `.timeindex`, `.txnindex`. The log file appears with the first append.
 *
 *     segment_append: one pwrite at the end        segment_note: index entries of what was appended
 *     segment_find:   offset -> index -> headers   segment_cut:  truncation; afterwards nothing is appended here (D5)
 *
 * A file that grows has the blocks of its next bytes taken in advance, which spares the file system the search for each page: a third of
 * what a write costs on ext4.
 *
 * Counted: the log holds one reference, each slice another. Only the log's owner calls what changes it. The home and the log file's
 * handle may be used by any thread that has a reference; the indexes are the owner's alone. The last release closes and frees on
 * whatever thread it happens: nothing else points here then, and the descriptor cache has its own lock.
 */
#ifndef KLAMM_BROKER_LOG_SEGMENT_H
#define KLAMM_BROKER_LOG_SEGMENT_H

#include "broker/log/batch_scan.h"
#include "broker/log/dir_name.h"
#include "broker/log/fd_cache.h"
#include "broker/log/index_file.h"
#include "broker/log/log_config.h"
#include "common/refcount.h"

#include <stdbool.h>
#include <stdint.h>

/* Where the segments of one log lie; shared by them, so that a slice finds its file after the folder was renamed. */
struct segment_home {
	struct refcount refs;
	struct fd_cache *fds;
	char *path; /* of the partition's folder; read and changed under fd_cache_lock by all but the owner */
	const char *next_path; /* what it is being renamed to; NULL: it is not. Under fd_cache_lock */
};

/* path is copied. */
struct segment_home *segment_home_new(struct fd_cache *fds, const char *path);
void segment_home_release(struct segment_home *home);

/* Renames the folder. Its files can be opened meanwhile, under the one name or the other: the disk may take its time. */
int segment_home_rename(struct segment_home *home, const char *path);

#define SEGMENT_TIMESTAMP_UNKNOWN INT64_MIN

struct segment {
	struct refcount refs;
	bool exists;              /* there is a log file */
	bool deleted;             /* its files have the suffix .deleted; changed under fd_cache_lock */
	bool has_txn_index;
	bool held_open;           /* deleted while slices had it: its name may become another file's, so the descriptor stays */
	int32_t bytes_since_index;
	struct segment_home *home;
	int64_t base_offset;
	int64_t size;             /* bytes of whole batches */
	int64_t written_out;      /* the log file was given to the device up to here; the disk thread's */
	int64_t reserved;         /* blocks of the log file are taken up to here; INT64_MAX: they are not to be had in advance */
	int64_t max_timestamp;    /* -1 none, or unknown until segment_wake */
	int64_t max_timestamp_offset;
	int64_t first_timestamp;  /* of the first batch, or unknown */
	int64_t created_ms;       /* calendar, of the first append since load; 0 none */
	int64_t roll_jitter_ms;
	struct fd_file file;
	struct index_file offsets;
	struct index_file times;
};

/* A segment of which there may be no file yet. */
struct segment *segment_new(struct segment_home *home, int64_t base_offset);

struct segment *segment_retain(struct segment *segment);

/* NULL is allowed. */
void segment_release(struct segment *segment);

/* The path of one of its files, with the .deleted suffix where it has that. */
void segment_path(const struct segment *segment, enum log_file_kind kind, char ret_path[FS_PATH_MAX]);

struct fs *segment_fs(const struct segment *segment);

/* Learns the largest time stamp from the time index when it is unknown; retention goes by it, so the batches are asked whether it is true. */
int segment_wake(struct segment *segment);

/* Learns the time stamp of the first batch. */
int segment_load_first_timestamp(struct segment *segment);

/* Makes the log file, empty (or preallocated). A segment that is not the first must be there as soon as its predecessor is complete: it
 * says where the log goes on. */
int segment_create(struct segment *segment, const struct log_config *config);

/*
 * Writes bytes at the end: one pwrite. On failure the file has its old length again and size is as before; ERR_IO when even that
 * could not be had.
 */
int segment_append(struct segment *segment, const void *bytes, size_t len, const struct log_config *config);

/* A process that ended by accident may have left blocks behind the end of this file: they are given back when it rests. */
void segment_had_reserved(struct segment *segment);

/* Takes account of one batch that was appended at pos: indexes, largest time stamp. */
int segment_note(struct segment *segment, const struct batch_header *header, int64_t pos, const struct log_config *config);

/* Whether an index has no room for another entry. */
bool segment_index_full(const struct segment *segment, const struct log_config *config);

/*
 * The first batch that ends at or above an offset: 1 and its header and position (bytes not set), 0 when there is none. A damaged
 * index is noticed where it leads astray and made anew.
 */
int segment_find(struct segment *segment, int64_t offset, struct batch_found *ret_found);

/* The position of the last batch that begins at or below pos (0 <= pos <= size): where a range of whole batches may end. */
int segment_find_boundary(struct segment *segment, int64_t pos, int64_t *ret_pos);

/* The offset after the last batch that ends at or below pos; the base offset when there is none. */
int segment_end_below(struct segment *segment, int64_t pos, int64_t *ret_end);

/* The offset after the last batch; only while nothing is pending. ERR_CORRUPT when the file does not end with a whole batch. */
int segment_read_end(struct segment *segment, int64_t *ret_end);

/* Makes both indexes from the headers of all batches; ERR_CORRUPT when the file is not whole batches. */
int segment_rebuild(struct segment *segment, const struct log_config *config);

/* The largest time stamp, as the last entry of the time index tells it. */
int segment_load_newest(struct segment *segment);

/*
 * Compares the last entry of the time index with the batches: an index that lost entries, or holds zeros, is made anew, so that no
 * segment looks older than it is (D11).
 */
int segment_check_times(struct segment *segment, int64_t timestamp, int32_t relative_offset);

/* Puts the indexes back to where the batch before pos was the last, then counts what follows the last entry kept. */
int segment_cut(struct segment *segment, int64_t pos, int64_t offset);

/* The end of a segment's active life (roll, close): last time index entry, indexes written, a preallocated tail and blocks taken in advance given back. */
int segment_rest(struct segment *segment, bool trim);

/* Renames all its files to .deleted. Slices keep what they have. */
int segment_rename_deleted(struct segment *segment);

/* Closes the log file when nobody uses it. */
void segment_shut(struct segment *segment);

#endif
