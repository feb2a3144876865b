/*
 * Recovery after a stop that was not clean (kafka.md 5.5, reliability.md D11); see log_internal.h.
 *
 *     segments that end below the mark ...................... taken as they are
 *     the one that holds the mark and those behind it ....... every batch: whole, offsets and epochs ascend, and the CRC from the mark
 *                                                              on; both indexes made anew, since only batches are sure to be on disk
 *     first bytes that are no batch:  at or above the mark -> torn tail: cut, later segments go, told and counted
 *                                     below the mark       -> ERR_CORRUPT, no batch is touched
 *
 * What is found good above the mark is written again to where it is. The kernel takes pages whose write-back failed for clean: after a
 * sync that failed and a process that ended before it could tell anybody, the page cache would show what no later sync writes.
 *
 * Everything is found out before the first cut. A second recovery finds nothing to do (S14): what is cut stays cut, indexes and
 * epochs are functions of the batches, and a crash in between leaves a log of which the same can be said.
 */
#include "broker/log/log_dir.h"
#include "broker/log/log_internal.h"
#include "broker/log/txn_index.h"
#include "common/memory.h"
#include "common/trace.h"

#include <inttypes.h>
#include <stdlib.h>

/* How much is gathered before it is written again. */
#define AGAIN_BYTES (256u << 10)

/* Good bytes of one file that are to be written again at pos. */
struct again {
	uint8_t *bytes;
	size_t n;
	int64_t pos;
};

struct recovery {
	struct log *log;
	const struct log_load_info *info;
	int64_t mark;    /* all below must be there */
	int64_t end;     /* the offset after the last good batch */
	int32_t epoch;   /* of the last good batch */
	bool epochs_cut;
	int32_t n_taken; /* segments that were not looked at */
	struct again again;
	struct error *err;
};

static int damaged(const struct recovery *recovery, const struct segment *segment, int64_t pos, const char *what)
{
	char path[FS_PATH_MAX];

	segment_path(segment, LOG_FILE_LOG, path);
	return error_set(recovery->err, ERR_CORRUPT,
			 "%s: damaged at byte %" PRId64 " (%s): offset %" PRId64 " is below %" PRId64
			 ", up to which all was on disk; restore the file or take the replica from another broker",
			 path, pos, what, recovery->end, recovery->mark);
}

/* Forgets what the indexes say: all entries are made anew from the batches. */
static int begin_segment(struct recovery *recovery, struct segment *segment)
{
	struct fd_cache *fds = log_fds(recovery->log);
	int rc;

	segment->max_timestamp = -1;
	segment->max_timestamp_offset = segment->base_offset;
	segment->bytes_since_index = 0;
	if (recovery->end < segment->base_offset)
		recovery->end = segment->base_offset;
	rc = index_file_truncate(&segment->offsets, fds, 0);
	return rc < 0 ? rc : index_file_truncate(&segment->times, fds, 0);
}

/* Whether a batch may follow what is there; the reason when not. */
static const char *misfit(const struct recovery *recovery, const struct segment *segment, const struct batch_header *header)
{
	if (header->base_offset < recovery->end)
		return "offsets go back";
	if (batch_last_offset(header) - segment->base_offset > INT32_MAX)
		return "offset too far from the segment's base";
	/* What another program wrote is not held against our rules. */
	return recovery->info->ours && header->leader_epoch < recovery->epoch ? "leader epochs go back" : NULL;
}

static int take_batch(struct recovery *recovery, struct segment *segment, const struct batch_found *found)
{
	/* From the first batch that is looked at the batches say which epochs there are: the file may be older than they. */
	if (!recovery->epochs_cut)
		epoch_cache_truncate_end(&recovery->log->epochs, found->header.base_offset);
	recovery->epochs_cut = true;
	recovery->end = batch_next_offset(&found->header);
	if (found->header.leader_epoch >= 0)
		recovery->epoch = found->header.leader_epoch;
	if (found->header.leader_epoch > log_latest_epoch(recovery->log))
		epoch_cache_assign(&recovery->log->epochs, found->header.leader_epoch, found->header.base_offset);
	return segment_note(segment, &found->header, found->pos, &recovery->log->config);
}

static int flush_again(struct recovery *recovery, const struct batch_scan *scan)
{
	struct again *again = &recovery->again;
	int rc = again->n > 0 ? fs_write_all(scan->fs, scan->fd, again->bytes, again->n, again->pos) : 0;

	again->n = 0;
	return rc;
}

/* Kafka's unsynced tails have no bound: they are taken as they are. */
static int write_again(struct recovery *recovery, const struct batch_scan *scan, const struct batch_found *found)
{
	struct again *again = &recovery->again;
	int rc = 0;

	if (scan->mode != BATCH_SCAN_CHECKED || !recovery->info->ours)
		return 0;
	if (again->n + found->bytes.len > AGAIN_BYTES)
		rc = flush_again(recovery, scan);
	if (rc < 0 || found->bytes.len > AGAIN_BYTES)
		return rc < 0 ? rc : fs_write_all(scan->fs, scan->fd, found->bytes.data, found->bytes.len, found->pos);
	if (!again->bytes)
		again->bytes = memory_alloc(AGAIN_BYTES);
	if (again->n == 0)
		again->pos = found->pos;
	memcpy(again->bytes + again->n, found->bytes.data, found->bytes.len);
	again->n += found->bytes.len;
	return 0;
}

static const char *scan_text(int rc)
{
	return rc == ERR_TRUNCATED ? "a batch is cut short" : "no valid batch";
}

static int next_batch(const struct recovery *recovery, struct batch_scan *scan, struct batch_found *ret_found)
{
	if (recovery->end >= recovery->mark)
		scan->mode = BATCH_SCAN_CHECKED;
	return batch_scan_next(scan, ret_found);
}

/*
 * Looks at the batches. *ret_good: the position behind the last good one; below the size when the rest is to be cut.
 * next_base: where the next segment begins; what this one has from there on was cut once already, before the power went.
 */
static int scan_segment(struct recovery *recovery, struct segment *segment, struct batch_scan *scan, int64_t next_base, int64_t *ret_good)
{
	struct batch_found found;
	const char *what;
	int rc;

	/* What was synced is taken by its headers; what comes after the mark must have the right checksums. */
	while ((rc = next_batch(recovery, scan, &found)) == 1) {
		what = misfit(recovery, segment, &found.header);
		if (!what && found.header.base_offset < next_base) {
			rc = take_batch(recovery, segment, &found);
			if (rc == 0)
				rc = write_again(recovery, scan, &found);
			if (rc < 0)
				return rc;
			*ret_good = scan->pos;
			continue;
		}
		if (what && recovery->end < recovery->mark)
			return damaged(recovery, segment, found.pos, what);
		return 0;
	}
	if (rc == ERR_UNSUPPORTED)
		return error_set(recovery->err, ERR_UNSUPPORTED, "%s: segment %020" PRId64 " holds messages of format 0 or 1",
				 recovery->log->home->path, segment->base_offset);
	if (rc != 0 && rc != ERR_CORRUPT && rc != ERR_TRUNCATED)
		return rc;
	if (rc < 0 && recovery->end < recovery->mark)
		return damaged(recovery, segment, *ret_good, scan_text(rc));
	return 0;
}

static int look_at_segment(struct recovery *recovery, struct segment *segment, int64_t next_base, int64_t *ret_good)
{
	struct batch_scan scan;
	int fd, rc = begin_segment(recovery, segment);

	*ret_good = 0;
	if (rc < 0 || segment->size == 0)
		return rc;
	rc = fd_cache_pin(log_fds(recovery->log), &segment->file, &fd);
	if (rc < 0)
		return rc;
	batch_scan_init(&scan, log_fs(recovery->log), fd, 0, segment->size, BATCH_SCAN_HEADERS);
	rc = scan_segment(recovery, segment, &scan, next_base, ret_good);
	if (rc == 0)
		rc = flush_again(recovery, &scan);
	batch_scan_fini(&scan);
	fd_cache_unpin(&segment->file);
	return rc;
}

/* Cuts the torn tail of a segment, which ended at `good` bytes. */
static int cut_tail(struct recovery *recovery, struct segment *segment, int64_t good)
{
	int64_t n_cut = segment->size - good;
	char path[FS_PATH_MAX];

	if (n_cut == 0)
		return 0;
	segment_path(segment, LOG_FILE_LOG, path);
	trace_warn("log", "torn tail cut: file=%s bytes=%" PRId64 " log_end=%" PRId64, path, n_cut, recovery->end);
	log_names_changed(recovery->log);
	log_dir_count_torn(recovery->log->dir);
	return segment_cut(segment, good, recovery->end);
}

static int drop_after(struct recovery *recovery, int32_t i)
{
	struct log *log = recovery->log;
	int rc = 0;

	while (rc == 0 && log->n_segments > i + 1) {
		trace_warn("log", "segment behind a torn tail goes: log=%s base=%" PRId64 " bytes=%" PRId64, log->home->path,
			   log_active(log)->base_offset, log_active(log)->size);
		rc = log_drop_segment(log, log->n_segments - 1);
	}
	return rc;
}

/*
 * Whether the log goes on in the segment behind i, or ends here. A segment of ours begins where the one before ended, also in a compacted
 * log, unless offsets jumped too far for one segment: where offsets are missing in between, the tail of this one was lost with the
 * power while the next one survived, and nothing behind the hole may stand. Kafka's segments may begin later.
 */
static bool goes_on(const struct recovery *recovery, int32_t i)
{
	const struct log *log = recovery->log;
	int64_t next_base = log->segments[i + 1]->base_offset;

	if (recovery->end >= next_base)
		return recovery->end == next_base;
	if (recovery->end < recovery->mark || next_base - log->segments[i]->base_offset > INT32_MAX / 2)
		return true;
	return !recovery->info->ours && log->config.cleanup_compact;
}

static int recover_segment(struct recovery *recovery, int32_t i, bool *ret_goes_on)
{
	struct log *log = recovery->log;
	struct segment *segment = log->segments[i];
	bool is_last = i == log->n_segments - 1;
	int64_t next_base = is_last ? INT64_MAX : log->segments[i + 1]->base_offset, good;
	int rc;

	*ret_goes_on = !is_last;
	/* One that ends at the mark is looked at: when that is where the log was cut, the cut itself may not have reached the disk. */
	if (next_base < recovery->mark) {
		recovery->end = next_base;
		recovery->n_taken = i + 1;
		return 0;
	}
	rc = look_at_segment(recovery, segment, next_base, &good);
	if (rc < 0)
		return rc;
	if (!is_last && recovery->end < next_base && recovery->end < recovery->info->mark)
		return damaged(recovery, segment, good, "the segment ends too early");
	*ret_goes_on = !is_last && goes_on(recovery, i);
	rc = cut_tail(recovery, segment, good);
	if (rc == 0 && !*ret_goes_on)
		rc = drop_after(recovery, i);
	return rc;
}

/* The indexes of segments behind which the log goes on are complete now. */
static int rest_closed(const struct recovery *recovery)
{
	const struct log *log = recovery->log;
	int rc = 0;

	for (int32_t i = recovery->n_taken; rc == 0 && i < log->n_segments - 1; i++) {
		segment_had_reserved(log->segments[i]);
		rc = segment_rest(log->segments[i], true);
	}
	segment_had_reserved(log_active(log));
	return rc;
}

static int drop_aborted_from(struct log *log, int64_t offset)
{
	char path[FS_PATH_MAX];
	int rc = 0;

	for (int32_t i = log_segment_for(log, offset); rc == 0 && i < log->n_segments; i++) {
		if (!log->segments[i]->has_txn_index)
			continue;
		segment_path(log->segments[i], LOG_FILE_TXN_INDEX, path);
		rc = txn_index_truncate(log_fs(log), path, log->segments[i]->base_offset, offset);
	}
	return rc;
}

int log_recover(struct log *log, const struct log_load_info *info, int64_t *ret_from, struct error *err)
{
	struct recovery recovery = {.log = log, .info = info, .err = err, .epoch = -1};
	bool more = true;
	int rc = 0;

	recovery.mark = info->mark > info->recovery_point ? info->mark : info->recovery_point;
	if (recovery.mark < 0)
		recovery.mark = 0;
	recovery.end = log->segments[0]->base_offset;
	for (int32_t i = 0; rc == 0 && more; i++)
		rc = recover_segment(&recovery, i, &more);
	free(recovery.again.bytes);
	if (rc < 0)
		return rc;
	if (recovery.end < info->mark)
		return damaged(&recovery, log_active(log), log_active(log)->size, "the log ends too early");
	if (recovery.end < recovery.mark)
		trace_warn("log", "log ends below its recovery point: log=%s log_end=%" PRId64 " recovery_point=%" PRId64,
			   log->home->path, recovery.end, recovery.mark);
	shared_i64_set(&log->end, recovery.end);
	/* The transaction index of the segment that holds the mark may lag behind its batches: it is made anew with the later ones. */
	*ret_from = log->segments[log_segment_for(log, recovery.mark - 1)]->base_offset;
	log->touched = true;
	rc = rest_closed(&recovery);
	return rc < 0 ? rc : drop_aborted_from(log, *ret_from);
}
