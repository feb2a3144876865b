/*
 * Appending and rolling (kafka.md 5.2); see log.h.
 *
 *     log_append: check all batches -> group those that fit the active segment -> epoch file where an epoch is new
 *                 -> one pwrite a group -> indexes, tail -> log end published -> dir told
 *
 * What is written beyond the published log end is nobody's: a failed write is cut off again before anything else happens (D10).
 */
#include "broker/log/log_dir.h"
#include "broker/log/log_internal.h"
#include "common/memory.h"
#include "proto/record/batch.h"

#include <inttypes.h>

/* A run of batches that goes into the active segment with one write. */
struct group {
	const uint8_t *at;
	size_t len;
	int64_t first_timestamp; /* of its first batch */
	int64_t end;             /* the offset after its last batch */
};

/* Whole batches with ascending offsets from the log end on. */
static int check_batches(const struct log *log, const uint8_t *batches, size_t len)
{
	struct slice rest = slice_of(batches, len), batch;
	struct batch_header header;
	int64_t next = log_end_offset(log);
	int rc;

	if (len == 0)
		return ERR_INVALID;
	while ((rc = batch_next(&rest, &batch, &header)) == 1) {
		if (header.base_offset < next || header.last_offset_delta < 0 ||
		    header.base_offset > INT64_MAX - 1 - header.last_offset_delta)
			return ERR_INVALID;
		next = batch_next_offset(&header);
	}
	return rc == 0 ? 0 : ERR_INVALID;
}

/* A number that differs from segment to segment, the same for the same segment. */
static int64_t draw_jitter(const struct log *log, int64_t base_offset)
{
	uint64_t x = (uint64_t)base_offset * UINT64_C(0x9e3779b97f4a7c15) + (uint64_t)log->partition;
	int64_t most = log->config.segment_jitter_ms < log->config.segment_ms ? log->config.segment_jitter_ms : log->config.segment_ms;

	if (most <= 0)
		return 0;
	for (const char *c = log->topic; *c; c++)
		x = (x ^ (uint8_t)*c) * UINT64_C(0x100000001b3);
	x ^= x >> 29;
	return (int64_t)(x % (uint64_t)most);
}

static void forget_tail(struct log *log)
{
	if (log->tail)
		log->tail->n = 0;
}

int log_push_segment(struct log *log, int64_t base_offset)
{
	struct segment *segment = segment_new(log->home, base_offset);
	int rc = segment_create(segment, &log->config);

	if (rc < 0) {
		segment_release(segment);
		return rc;
	}
	segment->roll_jitter_ms = draw_jitter(log, base_offset);
	log_add_segment(log, segment);
	log_names_changed(log);
	forget_tail(log);
	return 0;
}

static int create_active(struct log *log)
{
	int rc;

	if (log_active(log)->exists)
		return 0;
	rc = segment_create(log_active(log), &log->config);
	if (rc == 0)
		log_names_changed(log);
	return rc;
}

int log_roll(struct log *log, int64_t base_offset)
{
	struct segment *active = log_active(log);
	bool replaces = active->size == 0;
	int rc = 0;

	if (replaces && active->base_offset == base_offset)
		return create_active(log);
	if (!replaces) {
		rc = log_write_pending_aborted(log);
		if (rc == 0)
			rc = segment_rest(active, true);
		if (rc == 0)
			rc = log_write_snapshot(log, base_offset);
	}
	if (rc == 0)
		rc = log_push_segment(log, base_offset);
	if (rc == 0 && replaces)
		rc = log_drop_segment(log, log->n_segments - 2);
	return rc;
}

/* How long, in message time, the segment has been filling when this batch comes. */
static int time_since_first(struct segment *active, const struct group *group,
			    const struct batch_header *header, int64_t now_ms, int64_t *ret_ms)
{
	int64_t first = group->first_timestamp;

	if (active->size > 0) {
		int rc = segment_load_first_timestamp(active);

		if (rc < 0)
			return rc;
		first = active->first_timestamp;
	}
	if (first >= 0)
		*ret_ms = header->max_timestamp - first;
	else
		*ret_ms = active->created_ms ? now_ms - active->created_ms : 0;
	return 0;
}

/* Whether the offsets do not fit the active segment: they are stored relative to its base. */
static bool too_far(const struct log *log, const struct batch_header *header)
{
	return batch_last_offset(header) - log_active(log)->base_offset > INT32_MAX;
}

/* 1 when the batch must begin a new segment, after what is already in the group. */
static int must_roll(const struct log *log, const struct group *group, const struct batch_header *header, int64_t now_ms)
{
	const struct log_config *config = &log->config;
	struct segment *active = log_active(log);
	int64_t size = active->size + (int64_t)group->len, waited;
	int rc;

	if (too_far(log, header) || log->is_cut)
		return 1;
	if (size == 0)
		return 0;
	if (size > config->segment_bytes - (int64_t)header->size || segment_index_full(active, config))
		return 1;
	rc = time_since_first(active, group, header, now_ms, &waited);
	return rc < 0 ? rc : waited > config->segment_ms - active->roll_jitter_ms;
}

/* The first write since load: what the segment's own files say is needed from now on. */
static int wake_active(struct log *log, int64_t now_ms)
{
	struct segment *active = log_active(log);
	int rc = segment_wake(active);

	if (rc < 0)
		return rc;
	if (active->created_ms == 0)
		active->created_ms = now_ms > 0 ? now_ms : 1;
	rc = create_active(log);
	if (rc < 0)
		return rc;
	if (!log->tail)
		log->tail = NEW(struct batch_tail);
	log->touched = true;
	return index_file_load(&active->offsets, log_fds(log));
}

static int note_group(struct log *log, struct segment *active, const struct group *group, int64_t pos)
{
	struct slice rest = slice_of(group->at, group->len), batch;
	struct batch_header header;

	while (batch_next(&rest, &batch, &header) == 1) {
		int rc = segment_note(active, &header, pos, &log->config);

		if (rc < 0)
			return rc;
		batch_tail_add(log->tail, (struct batch_place){.base = (int32_t)(header.base_offset - active->base_offset),
							       .last = (int32_t)(batch_last_offset(&header) - active->base_offset),
							       .pos = (int32_t)pos,
							       .bytes = (int32_t)header.size,
							       .epoch = header.leader_epoch});
		pos += (int64_t)header.size;
	}
	return 0;
}

int log_write_epochs(struct log *log)
{
	char path[FS_PATH_MAX];
	int rc;

	if (!log->epochs.changed)
		return 0;
	log_file_path(log, EPOCH_CACHE_FILE, path);
	rc = epoch_cache_write(&log->epochs, log_fs(log), path);
	log_names_changed(log);
	return rc;
}

static int tell_observer(struct log *log, const struct group *group)
{
	struct slice rest = slice_of(group->at, group->len), batch;
	struct batch_header header;
	struct aborted_txn aborted;
	int rc = 0;

	if (!log->observer.on_batch)
		return 0;
	while (rc == 0 && batch_next(&rest, &batch, &header) == 1) {
		if (log->observer.on_batch(log->observer.ctx, batch, &aborted))
			rc = log_append_aborted(log, &aborted);
	}
	return rc;
}

static int write_group(struct log *log, const struct group *group, const struct log_append_info *info)
{
	int64_t now_ms = info->now_ms;
	struct segment *active = log_active(log);
	int64_t pos = active->size;
	int rc = 0;

	if (group->len == 0)
		return 0;
	rc = wake_active(log, now_ms);
	if (rc == 0)
		rc = log_write_epochs(log);
	if (rc == 0)
		rc = segment_append(active, group->at, group->len, &log->config);
	if (rc < 0)
		return rc;
	rc = note_group(log, active, group, pos);
	if (rc < 0)
		return rc;
	if (log->unflushed_since_ms == 0 || log_durable_end(log) == log_end_offset(log))
		log->unflushed_since_ms = now_ms;
	shared_i64_set(&log->end, group->end);
	log_dir_dirtied(log->dir, log, (int64_t)group->len);
	return info->tell_observer ? tell_observer(log, group) : 0;
}

/* Takes one more batch into the group, after writing and rolling where it does not fit behind it. */
static int add_batch(struct log *log, struct group *group, struct slice batch, const struct batch_header *header,
		     const struct log_append_info *info)
{
	int rc = must_roll(log, group, header, info->now_ms);

	if (rc == 1) {
		int64_t end = log_end_offset(log);

		rc = write_group(log, group, info);
		if (rc == 0 && group->len > 0)
			end = group->end;
		if (rc == 0)
			rc = log_roll(log, too_far(log, header) ? header->base_offset : end);
		*group = (struct group){.at = batch.data};
	}
	if (rc < 0)
		return rc;
	if (group->len == 0)
		group->first_timestamp = header->max_timestamp;
	group->len += batch.len;
	group->end = batch_next_offset(header);
	/* Also a lower one: a follower may have led for a while without a batch, and now gets older ones of its leader. */
	if (header->leader_epoch != log_latest_epoch(log))
		epoch_cache_assign(&log->epochs, header->leader_epoch, header->base_offset);
	return 0;
}

int log_append(struct log *log, const uint8_t *batches, size_t len, const struct log_append_info *info)
{
	struct slice rest = slice_of(batches, len), batch;
	struct group group = {.at = batches};
	struct batch_header header;
	int rc;

	if (log_dir_failed(log->dir))
		return ERR_IO;
	rc = check_batches(log, batches, len);
	if (rc == 0)
		rc = log_write_pending_aborted(log);
	if (rc < 0)
		return rc;
	while (rc == 0 && batch_next(&rest, &batch, &header) == 1)
		rc = add_batch(log, &group, batch, &header, info);
	if (rc == 0)
		rc = write_group(log, &group, info);
	if (rc < 0) {
		/* An epoch that was to begin with a batch that is not there. */
		epoch_cache_truncate_end(&log->epochs, log_end_offset(log) + 1);
		return log_dir_check(log->dir, rc, "appending to a log");
	}
	return 0;
}
