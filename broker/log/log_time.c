/*
 * Offsets by time (kafka.md 4.8); see log.h. Segments are looked at in offset order; inside one the time index says where to begin, batch
 * headers which batch, and only that batch is opened.
 */
#include "broker/log/log_internal.h"
#include "broker/log/offset_index.h"
#include "broker/log/time_index.h"
#include "common/error.h"
#include "proto/record/record_iter.h"

#define NOTHING_FOUND ((struct log_time_offset){-1, -1, -1})

/* What a record must be to be the one. */
struct wanted {
	int64_t timestamp; /* at least */
	int64_t offset;    /* at least */
};

/* The first wanted record of a whole batch: 1, 0 or an error. */
static int search_records(struct slice bytes, const struct wanted *wanted, struct log_time_offset *ret_found)
{
	struct codec_limits limits = codec_limits_for_log();
	struct codec_context *codecs = codec_context_new();
	struct record_iter iter;
	struct record record;
	int rc = record_iter_init(&iter, codecs, bytes, &limits);

	if (rc == 0) {
		do
			rc = record_iter_next(&iter, &record);
		while (rc == 1 && (record.timestamp < wanted->timestamp || record.offset < wanted->offset));
		if (rc == 1)
			*ret_found = (struct log_time_offset){record.timestamp, record.offset, iter.header.leader_epoch};
		record_iter_fini(&iter);
	}
	codec_context_free(codecs);
	return rc;
}

/* The first wanted record from pos on, in one segment. */
static int search_from(struct segment *segment, int64_t pos, const struct wanted *wanted, struct log_time_offset *ret_found)
{
	struct batch_scan scan;
	struct batch_found found;
	int fd, rc = fd_cache_pin(segment->home->fds, &segment->file, &fd);

	if (rc < 0)
		return rc;
	batch_scan_init(&scan, segment_fs(segment), fd, pos, segment->size, BATCH_SCAN_HEADERS);
	while ((rc = batch_scan_next(&scan, &found)) == 1) {
		if (found.header.max_timestamp < wanted->timestamp || batch_last_offset(&found.header) < wanted->offset)
			continue;
		rc = batch_scan_whole(&scan, &found);
		if (rc == 0)
			rc = search_records(found.bytes, wanted, ret_found);
		if (rc != 0)
			break;
	}
	batch_scan_fini(&scan);
	fd_cache_unpin(&segment->file);
	return rc;
}

/* Where to begin in a segment: behind all that the time index proves older, and at the wanted offset. */
static int begin_pos(struct segment *segment, const struct wanted *wanted, int64_t *ret_pos)
{
	struct time_index_entry time;
	struct offset_index_entry place;
	int64_t relative = wanted->offset - segment->base_offset;
	int rc = time_index_find(&segment->times, segment->home->fds, wanted->timestamp - 1, &time);

	if (rc < 0)
		return rc;
	if (time.timestamp >= 0 && time.relative_offset > relative)
		relative = time.relative_offset;
	rc = offset_index_find(&segment->offsets, segment->home->fds, relative, &place);
	if (rc == 0)
		*ret_pos = place.pos;
	return rc;
}

static int search_segment(struct segment *segment, const struct wanted *wanted, struct log_time_offset *ret_found)
{
	int64_t pos = 0;
	int rc;

	if (segment->size == 0)
		return 0;
	rc = segment_wake(segment);
	if (rc < 0)
		return rc;
	/* Without a time index nothing is known of the segment's times but by looking. */
	if (segment->max_timestamp >= 0 && segment->max_timestamp < wanted->timestamp)
		return 0;
	rc = begin_pos(segment, wanted, &pos);
	return rc < 0 ? rc : search_from(segment, pos, wanted, ret_found);
}

int log_offset_for_time(struct log *log, int64_t target, struct log_time_offset *ret_found)
{
	struct wanted wanted = {target, log_start_offset(log)};
	struct log_time_offset found = NOTHING_FOUND;
	int rc = 0;

	for (int32_t i = log_segment_for(log, wanted.offset); rc == 0 && i < log->n_segments; i++)
		rc = search_segment(log->segments[i], &wanted, &found);
	if (rc >= 0)
		*ret_found = found;
	return rc < 0 ? rc : 0;
}

int log_offset_of_max_timestamp(struct log *log, struct log_time_offset *ret_found)
{
	struct segment *newest = NULL;
	struct log_time_offset found = NOTHING_FOUND;
	struct wanted wanted = {-1, 0};
	int rc = 0;

	for (int32_t i = 0; rc == 0 && i < log->n_segments; i++) {
		struct segment *segment = log->segments[i];

		if (segment->size == 0)
			continue;
		rc = segment_wake(segment);
		if (!newest || segment->max_timestamp > newest->max_timestamp)
			newest = segment;
	}
	if (rc == 0 && newest) {
		wanted.timestamp = newest->max_timestamp;
		rc = search_segment(newest, &wanted, &found);
	}
	if (rc >= 0)
		*ret_found = found;
	return rc < 0 ? rc : 0;
}

static int64_t changed_ms(struct log *log, struct segment *segment)
{
	struct fs_stat status;
	char path[FS_PATH_MAX];

	segment_path(segment, LOG_FILE_LOG, path);
	return fs_stat(log_fs(log), path, &status) == 0 ? status.mtime_ms : 0;
}

int log_segment_offsets(struct log *log, int64_t before_ms, int64_t *offsets, int max)
{
	int32_t i = log->n_segments - 1;
	int n = 0;

	if (before_ms == INT64_MAX && log_active(log)->size > 0 && n < max)
		offsets[n++] = log_end_offset(log);
	while (i >= 0 && before_ms != INT64_MAX && changed_ms(log, log->segments[i]) > before_ms)
		i--;
	for (; i >= 0 && n < max; i--)
		offsets[n++] = i == 0 ? log_start_offset(log) : log->segments[i]->base_offset;
	return n;
}
