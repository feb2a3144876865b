/*
 * What else is derived from the batches: producer state (through the observer) with its snapshots, and the leader epochs when their
 * file is missing or damaged. See log_internal.h.
 */
#include "broker/log/log_internal.h"
#include "common/error.h"
#include "common/memory.h"
#include "common/trace.h"

#include <inttypes.h>
#include <stdlib.h>

void log_snapshots_add(struct log_snapshots *snapshots, int64_t offset)
{
	snapshots->offsets = memory_grow(snapshots->offsets, (size_t)(snapshots->n + 1) * sizeof(int64_t));
	snapshots->offsets[snapshots->n++] = offset;
}

void log_snapshots_fini(struct log_snapshots *snapshots)
{
	free(snapshots->offsets);
	*snapshots = (struct log_snapshots){0};
}

static int add_snapshot(void *ctx, const char *name, bool is_dir)
{
	struct log_file_name file = log_file_name_parse(slice_of_text(name));

	if (!is_dir && file.kind == LOG_FILE_SNAPSHOT && file.suffix == LOG_SUFFIX_NONE)
		log_snapshots_add(ctx, file.offset);
	return 0;
}

int log_list_snapshots(struct log *log, struct log_snapshots *ret_snapshots)
{
	int rc;

	*ret_snapshots = (struct log_snapshots){0};
	rc = fs_list(log_fs(log), log->home->path, add_snapshot, ret_snapshots);
	if (rc < 0)
		log_snapshots_fini(ret_snapshots);
	return rc;
}

/* The largest offset at or below `most`; -1 none. */
static int64_t newest_snapshot(const struct log_snapshots *snapshots, int64_t most)
{
	int64_t newest = -1;

	for (int32_t i = 0; i < snapshots->n; i++) {
		if (snapshots->offsets[i] <= most && snapshots->offsets[i] > newest)
			newest = snapshots->offsets[i];
	}
	return newest;
}

static bool is_segment_base(const struct log *log, int64_t offset)
{
	return log->segments[log_segment_for(log, offset)]->base_offset == offset;
}

int log_prune_snapshots(struct log *log, struct log_snapshots *snapshots)
{
	char path[FS_PATH_MAX];
	int64_t end = log_end_offset(log), newest = newest_snapshot(snapshots, end);
	int32_t n_kept = 0;
	int rc = 0;

	for (int32_t i = 0; i < snapshots->n; i++) {
		int64_t offset = snapshots->offsets[i];

		if (offset <= end && (offset == newest || is_segment_base(log, offset))) {
			snapshots->offsets[n_kept++] = offset;
			continue;
		}
		log_snapshot_path(log, offset, path);
		rc = rc < 0 ? rc : fs_unlink(log_fs(log), path);
		/* It may have gone with its segment. */
		rc = rc == ERR_NOT_FOUND ? 0 : rc;
		log_names_changed(log);
	}
	snapshots->n = n_kept;
	return rc;
}

int log_drop_snapshots(struct log *log)
{
	struct log_snapshots snapshots;
	char path[FS_PATH_MAX];
	int rc = log_list_snapshots(log, &snapshots);

	for (int32_t i = 0; rc == 0 && i < snapshots.n; i++) {
		log_snapshot_path(log, snapshots.offsets[i], path);
		rc = fs_unlink(log_fs(log), path);
	}
	log_snapshots_fini(&snapshots);
	return rc;
}

/* Loads the newest snapshot that is whole, dropping damaged ones. *ret_offset: up to where the state is known. */
static int load_snapshot(struct log *log, const struct log_snapshots *snapshots, int64_t most, int64_t *ret_offset)
{
	struct producer_snapshot snapshot = {0};
	char path[FS_PATH_MAX];
	int64_t offset;
	int rc = 0;

	while (rc == 0 && (offset = newest_snapshot(snapshots, most)) >= 0) {
		log_snapshot_path(log, offset, path);
		rc = producer_snapshot_read(log_fs(log), path, &snapshot);
		if (rc != ERR_CORRUPT && rc != ERR_NOT_FOUND)
			break;
		if (rc == ERR_CORRUPT) {
			trace_warn("log", "producer snapshot is damaged and made anew: file=%s", path);
			rc = fs_unlink(log_fs(log), path);
		} else {
			rc = 0;
		}
		most = offset - 1;
	}
	if (rc == 0 && offset >= 0 && log->observer.load_snapshot)
		log->observer.load_snapshot(log->observer.ctx, offset, snapshot.entries, snapshot.n_entries);
	producer_snapshot_fini(&snapshot);
	*ret_offset = offset;
	return rc;
}

static int replay_batch(struct log *log, struct batch_scan *scan, struct batch_found *found, int64_t index_from)
{
	struct aborted_txn aborted;
	int rc = 0;

	if (batch_is_control(found->header.attributes))
		rc = batch_scan_whole(scan, found);
	if (rc == 0 && log->observer.on_batch(log->observer.ctx, found->bytes, &aborted) && aborted.last_offset >= index_from)
		rc = log_append_aborted(log, &aborted);
	return rc;
}

static int replay_segment(struct log *log, struct segment *segment, int64_t from, int64_t index_from)
{
	struct batch_scan scan;
	struct batch_found found;
	int fd, rc = segment_find(segment, from, &found);

	if (rc <= 0)
		return rc;
	rc = fd_cache_pin(log_fds(log), &segment->file, &fd);
	if (rc < 0)
		return rc;
	batch_scan_init(&scan, log_fs(log), fd, found.pos, segment->size, BATCH_SCAN_HEADERS);
	while ((rc = batch_scan_next(&scan, &found)) == 1) {
		rc = replay_batch(log, &scan, &found, index_from);
		if (rc < 0)
			break;
	}
	batch_scan_fini(&scan);
	fd_cache_unpin(&segment->file);
	return rc;
}

int log_replay(struct log *log, const struct log_snapshots *snapshots, int64_t newest, int64_t index_from)
{
	int64_t from = -1;
	int rc = 0;

	if (log->observer.reset)
		log->observer.reset(log->observer.ctx);
	if (!log->observer.on_batch)
		return 0;
	if (log_end_offset(log) > 0)
		rc = load_snapshot(log, snapshots, newest < log_end_offset(log) ? newest : log_end_offset(log), &from);
	if (from < log_start_offset(log))
		from = log_start_offset(log);
	for (int32_t i = log_segment_for(log, from); rc == 0 && i < log->n_segments; i++) {
		if (log->segments[i]->size > 0 && from < log_segment_end(log, i))
			rc = replay_segment(log, log->segments[i], from, index_from);
	}
	return rc;
}

/* A torn tail, which recovery looks at later: what lies before it counts. */
static bool is_damage(int rc)
{
	return rc == ERR_CORRUPT || rc == ERR_TRUNCATED;
}

/* The epoch of the first batch of a segment; -1 when it has none. */
static int first_epoch(struct segment *segment, int32_t *ret_epoch)
{
	struct batch_found found;
	int rc = segment_find(segment, segment->base_offset, &found);

	*ret_epoch = rc == 1 ? found.header.leader_epoch : -1;
	return rc < 0 && !is_damage(rc) ? rc : 0;
}

static int scan_epochs(struct log *log, struct segment *segment, int64_t below)
{
	struct batch_scan scan;
	struct batch_found found;
	int64_t next = segment->base_offset;
	int fd, rc = fd_cache_pin(log_fds(log), &segment->file, &fd);

	if (rc < 0)
		return rc;
	batch_scan_init(&scan, log_fs(log), fd, 0, segment->size, BATCH_SCAN_HEADERS);
	while ((rc = batch_scan_next(&scan, &found)) == 1 && found.header.base_offset >= next && found.header.base_offset < below) {
		next = batch_next_offset(&found.header);
		if (found.header.leader_epoch > log_latest_epoch(log))
			epoch_cache_assign(&log->epochs, found.header.leader_epoch, found.header.base_offset);
	}
	batch_scan_fini(&scan);
	fd_cache_unpin(&segment->file);
	return rc == 1 || is_damage(rc) ? 0 : rc;
}

int log_rebuild_epochs(struct log *log, int64_t below)
{
	int rc = 0;

	log->epochs.entries.n = 0;
	log->epochs.changed = true;
	for (int32_t i = 0; rc == 0 && i < log->n_segments && log->segments[i]->base_offset < below; i++) {
		int32_t here = -1, next = -2;

		if (log->segments[i]->size == 0)
			continue;
		rc = first_epoch(log->segments[i], &here);
		if (rc == 0 && i + 1 < log->n_segments && log->segments[i + 1]->size > 0 && log->segments[i + 1]->base_offset < below)
			rc = first_epoch(log->segments[i + 1], &next);
		if (rc < 0)
			return rc;
		/* Epochs only rise: a segment that begins as the next one does has but that one. */
		if (here == next)
			epoch_cache_assign(&log->epochs, here, log->segments[i]->base_offset);
		else
			rc = scan_epochs(log, log->segments[i], below);
	}
	return rc;
}
