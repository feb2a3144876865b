/*
 * `<base>.txnindex`: the aborted transactions that end in a segment, in the order of their markers. Entries of 34 bytes: int16 version
 * 0, int64 producer id, int64 first offset, int64 last offset (of the marker), int64 last stable offset. The file exists only where
 * there is one. Opened for each call: aborts are rare. A part of an entry at the end is ignored and overwritten.
 */
#ifndef KLAMM_BROKER_LOG_TXN_INDEX_H
#define KLAMM_BROKER_LOG_TXN_INDEX_H

#include "broker/log/log.h"
#include "common/fs.h"

#define TXN_INDEX_ENTRY_BYTES 34

/* An abort for each of 2^31 offsets of a segment could be there; more than this is refused as damage (64 MiB). */
#define TXN_INDEX_BYTES_MAX (64u << 20)

/* Returns false to end the walk. */
typedef bool txn_index_fn(void *ctx, const struct aborted_txn *aborted);

int txn_index_append(struct fs *fs, const char *path, const struct aborted_txn *aborted);

/* Calls each in file order; a missing file has no entries. ERR_CORRUPT at a version or an offset that cannot be (below base). */
int txn_index_walk(struct fs *fs, const char *path, int64_t base_offset, txn_index_fn *each, void *ctx);

/* Drops the entries whose marker is at or above the offset, and what is damaged; removes the file when none is left. */
int txn_index_truncate(struct fs *fs, const char *path, int64_t base_offset, int64_t offset);

#endif
