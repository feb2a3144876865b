/*
 * Which leader epoch began at which offset: sorted entries (epoch, start offset), both ascending strictly. Pure: the caller owns
 * the array and gives room. Rules of KIP-101 and KIP-279 (kafka.md 4.2).
 */
#ifndef KLAMM_BROKER_LOG_EPOCH_CACHE_CORE_H
#define KLAMM_BROKER_LOG_EPOCH_CACHE_CORE_H

#include <stdbool.h>
#include <stdint.h>

struct epoch_entry {
	int32_t epoch;
	int64_t start_offset;
};

struct epoch_entries {
	struct epoch_entry *at;
	int32_t n;
};

struct log_epoch_end {
	int32_t epoch;      /* -1 undefined */
	int64_t end_offset; /* -1 undefined */
};

/*
 * An epoch begins, or goes on, at an offset: entries of the tail with a higher epoch or a start at or above go first, so that both keep
 * ascending; where the epoch's own entry is left, it began earlier and stays. A follower meets that after it led for a while without a
 * batch: its own epoch's entry gives way to older batches of the leader. There is room for n + 1 entries. Nothing happens for a
 * negative epoch. True when changed.
 */
bool epoch_core_assign(struct epoch_entries *entries, int32_t epoch, int64_t start_offset);

/* Drops the entries that start at or above the offset (truncation). True when changed. */
bool epoch_core_truncate_end(struct epoch_entries *entries, int64_t end_offset);

/* Drops the entries that end at or below the offset; the one that covers it now starts there. True when changed. */
bool epoch_core_truncate_start(struct epoch_entries *entries, int64_t start_offset);

/* -1 without entries. */
int32_t epoch_core_latest(const struct epoch_entries *entries);

/* The epoch of the entry that covers the offset; -1 below the first one. */
int32_t epoch_core_at(const struct epoch_entries *entries, int64_t offset);

/* Where an epoch ends, and the largest epoch at or below it that there is. log_end: the end of the latest one. */
struct log_epoch_end epoch_core_end(const struct epoch_entries *entries, int32_t epoch, int64_t log_end);

/* Whether entries ascend as they must and start at or above 0. */
bool epoch_core_valid(const struct epoch_entries *entries);

#endif
