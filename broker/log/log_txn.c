/*
 * Aborted transactions of a log: written when their marker has been appended, read for consumers of committed records; see log.h.
 *
 * The marker is in the log when its index entry is written: should there be no room for it, the entry waits in memory, nothing more is
 * appended before it is written, and recovery makes it anew, since the segment cannot be rolled meanwhile.
 */
#include "broker/log/log_internal.h"
#include "broker/log/txn_index.h"
#include "common/error.h"
#include "common/memory.h"

static int write_entry(struct log *log, const struct aborted_txn *aborted)
{
	struct segment *segment = log->segments[log_segment_for(log, aborted->last_offset)];
	char path[FS_PATH_MAX];
	int rc;

	segment_path(segment, LOG_FILE_TXN_INDEX, path);
	segment->has_txn_index = true;
	rc = txn_index_append(log_fs(log), path, aborted);
	log_names_changed(log);
	return rc;
}

static void add_pending(struct log *log, const struct aborted_txn *aborted)
{
	log->aborted = memory_grow(log->aborted, (size_t)(log->n_aborted + 1) * sizeof *log->aborted);
	log->aborted[log->n_aborted++] = *aborted;
}

int log_write_pending_aborted(struct log *log)
{
	int32_t n = 0;
	int rc = 0;

	while (rc == 0 && n < log->n_aborted) {
		rc = write_entry(log, &log->aborted[n]);
		n += rc == 0;
	}
	if (n == 0)
		return rc;
	log->n_aborted -= n;
	memmove(log->aborted, log->aborted + n, (size_t)log->n_aborted * sizeof *log->aborted);
	return rc;
}

void log_drop_pending_aborted(struct log *log, int64_t offset)
{
	while (log->n_aborted > 0 && log->aborted[log->n_aborted - 1].last_offset >= offset)
		log->n_aborted--;
}

int log_append_aborted(struct log *log, const struct aborted_txn *aborted)
{
	int rc = log_write_pending_aborted(log);

	if (rc == 0)
		rc = write_entry(log, aborted);
	if (rc == ERR_NO_SPACE) {
		add_pending(log, aborted);
		return 0;
	}
	return log_dir_check(log->dir, rc, "writing a transaction index");
}

struct overlap {
	int64_t from, to;
	void (*each)(void *ctx, const struct aborted_txn *aborted);
	void *ctx;
	bool complete;
};

static bool add_overlapping(void *ctx, const struct aborted_txn *aborted)
{
	struct overlap *overlap = ctx;

	if (aborted->last_offset >= overlap->from && aborted->first_offset < overlap->to)
		overlap->each(overlap->ctx, aborted);
	/* Whatever aborted later began at or above that last stable offset. */
	overlap->complete = aborted->last_stable_offset >= overlap->to;
	return !overlap->complete;
}

int log_aborted_between(struct log *log, int64_t from, int64_t to, void (*each)(void *ctx, const struct aborted_txn *aborted), void *ctx)
{
	struct overlap overlap = {from, to, each, ctx, false};
	char path[FS_PATH_MAX];
	int rc = 0;

	for (int32_t i = log_segment_for(log, from); rc == 0 && i < log->n_segments && !overlap.complete; i++) {
		if (!log->segments[i]->has_txn_index)
			continue;
		segment_path(log->segments[i], LOG_FILE_TXN_INDEX, path);
		rc = txn_index_walk(log_fs(log), path, log->segments[i]->base_offset, add_overlapping, &overlap);
	}
	for (int32_t i = 0; rc == 0 && i < log->n_aborted && !overlap.complete; i++)
		add_overlapping(&overlap, &log->aborted[i]);
	return rc;
}
