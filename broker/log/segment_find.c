/* Finding batches in a segment and making its indexes from them; see segment.h. */
#include "broker/log/offset_index.h"
#include "broker/log/segment.h"
#include "broker/log/time_index.h"
#include "broker/log/txn_index.h"
#include "common/error.h"
#include "common/trace.h"

#include <inttypes.h>

/* So many batches behind the newest one are asked whether it is that. */
#define TIMES_CHECKED_MAX 64

/* A walk over the segment's batches from pos on; ended with end_walk. */
static int begin_walk(struct segment *segment, int64_t pos, struct batch_scan *ret_scan)
{
	int fd, rc = fd_cache_pin(segment->home->fds, &segment->file, &fd);

	if (rc == 0)
		batch_scan_init(ret_scan, segment_fs(segment), fd, pos, segment->size, BATCH_SCAN_HEADERS);
	return rc;
}

static void end_walk(struct segment *segment, struct batch_scan *scan)
{
	batch_scan_fini(scan);
	fd_cache_unpin(&segment->file);
}

int segment_load_first_timestamp(struct segment *segment)
{
	struct batch_scan scan;
	struct batch_found found;
	int rc;

	if (segment->first_timestamp != SEGMENT_TIMESTAMP_UNKNOWN || segment->size == 0)
		return 0;
	rc = begin_walk(segment, 0, &scan);
	if (rc < 0)
		return rc;
	rc = batch_scan_next(&scan, &found);
	if (rc == 1)
		segment->first_timestamp = found.header.max_timestamp;
	end_walk(segment, &scan);
	return rc < 0 ? rc : 0;
}

/* The first batch from pos on that ends at or above offset. ERR_CORRUPT also when the walk starts beyond it: the index lied. */
static int find_from(struct segment *segment, int64_t pos, int64_t offset, struct batch_found *ret_found)
{
	struct batch_scan scan;
	struct batch_found found;
	int rc = begin_walk(segment, pos, &scan);

	if (rc < 0)
		return rc;
	do
		rc = batch_scan_next(&scan, &found);
	while (rc == 1 && batch_last_offset(&found.header) < offset);
	if (rc == 1 && pos > 0 && found.pos == pos && found.header.base_offset > offset)
		rc = ERR_CORRUPT;
	end_walk(segment, &scan);
	if (rc == 1) {
		found.bytes = SLICE_NULL;
		*ret_found = found;
	}
	return rc;
}

static void tell_bad_index(const struct segment *segment)
{
	char path[FS_PATH_MAX];

	segment_path(segment, LOG_FILE_INDEX, path);
	trace_warn("log", "index is damaged and made anew: file=%s", path);
}

static const struct log_config *default_config(void)
{
	static const struct log_config config = LOG_CONFIG_DEFAULT;

	return &config;
}

int segment_find(struct segment *segment, int64_t offset, struct batch_found *ret_found)
{
	struct offset_index_entry entry;
	int rc;

	if (segment->size == 0)
		return 0;
	rc = offset_index_find(&segment->offsets, segment->home->fds, offset - segment->base_offset, &entry);
	if (rc == 0)
		rc = entry.pos >= 0 && entry.pos < segment->size ? find_from(segment, entry.pos, offset, ret_found) : ERR_CORRUPT;
	if ((rc != ERR_CORRUPT && rc != ERR_TRUNCATED && rc != ERR_UNSUPPORTED) || entry.pos == 0)
		return rc;
	tell_bad_index(segment);
	rc = segment_rebuild(segment, default_config());
	return rc < 0 ? rc : find_from(segment, 0, offset, ret_found);
}

int segment_find_boundary(struct segment *segment, int64_t pos, int64_t *ret_pos)
{
	struct offset_index_entry entry;
	struct batch_scan scan;
	struct batch_found found;
	int64_t boundary;
	int rc = offset_index_find_pos(&segment->offsets, segment->home->fds, pos, &entry);

	if (rc < 0)
		return rc;
	boundary = entry.pos;
	rc = begin_walk(segment, boundary, &scan);
	if (rc < 0)
		return rc;
	while ((rc = batch_scan_next(&scan, &found)) == 1 && scan.pos <= pos)
		boundary = scan.pos;
	end_walk(segment, &scan);
	if (rc < 0)
		return rc;
	*ret_pos = boundary;
	return 0;
}

int segment_end_below(struct segment *segment, int64_t pos, int64_t *ret_end)
{
	struct offset_index_entry entry;
	struct batch_scan scan;
	struct batch_found found;
	int64_t end = segment->base_offset;
	int rc;

	*ret_end = end;
	if (pos == 0)
		return 0;
	rc = offset_index_find_pos(&segment->offsets, segment->home->fds, pos - 1, &entry);
	if (rc == 0)
		rc = begin_walk(segment, entry.pos, &scan);
	if (rc < 0)
		return rc;
	while ((rc = batch_scan_next(&scan, &found)) == 1 && scan.pos <= pos)
		end = batch_next_offset(&found.header);
	end_walk(segment, &scan);
	if (rc < 0)
		return rc;
	*ret_end = end;
	return 0;
}

static int read_end_from(struct segment *segment, int64_t pos, int64_t *ret_end)
{
	struct batch_scan scan;
	struct batch_found found;
	int64_t end = segment->base_offset;
	int rc = begin_walk(segment, pos, &scan);

	if (rc < 0)
		return rc;
	while ((rc = batch_scan_next(&scan, &found)) == 1)
		end = batch_next_offset(&found.header);
	end_walk(segment, &scan);
	if (rc == 0)
		*ret_end = end;
	return rc == ERR_TRUNCATED ? ERR_CORRUPT : rc;
}

int segment_read_end(struct segment *segment, int64_t *ret_end)
{
	struct offset_index_entry last = {0, 0};
	int rc;

	if (segment->size == 0) {
		*ret_end = segment->base_offset;
		return 0;
	}
	rc = offset_index_last(&segment->offsets, segment->home->fds, &last);
	if (rc == 0 && (last.pos < 0 || last.pos >= segment->size))
		rc = ERR_CORRUPT;
	if (rc == 0)
		rc = read_end_from(segment, last.pos, ret_end);
	if (rc != ERR_CORRUPT || last.pos == 0)
		return rc;
	rc = read_end_from(segment, 0, ret_end);
	if (rc == 0) {
		tell_bad_index(segment);
		rc = segment_rebuild(segment, default_config());
	}
	return rc;
}

/* Whether no batch from that of the entry on is newer than it says. Not all are looked at: times that ascend have it at the end. */
static int is_newest_from(struct segment *segment, const struct batch_found *newest)
{
	struct batch_scan scan;
	struct batch_found found;
	int rc = begin_walk(segment, newest->pos, &scan);
	bool holds = true;

	if (rc < 0)
		return rc;
	for (int n = 0; n < TIMES_CHECKED_MAX && holds && (rc = batch_scan_next(&scan, &found)) == 1; n++)
		holds = found.header.max_timestamp <= newest->header.max_timestamp;
	end_walk(segment, &scan);
	return rc < 0 ? rc : holds;
}

int segment_check_times(struct segment *segment, int64_t timestamp, int32_t relative_offset)
{
	struct batch_found found;
	int rc;

	if (timestamp < 0 || segment->size == 0)
		return 0;
	rc = segment_find(segment, segment->base_offset + relative_offset, &found);
	if (rc == 1)
		rc = found.header.max_timestamp == timestamp ? is_newest_from(segment, &found) : 0;
	/* Damaged batches are not the index's fault, and are told where they are read. */
	if (rc == 1 || rc == ERR_CORRUPT || rc == ERR_TRUNCATED || rc == ERR_UNSUPPORTED)
		return 0;
	if (rc < 0)
		return rc;
	tell_bad_index(segment);
	return segment_rebuild(segment, default_config());
}

static void forget_times(struct segment *segment)
{
	segment->max_timestamp = -1;
	segment->max_timestamp_offset = segment->base_offset;
	segment->bytes_since_index = 0;
}

/* Takes account of all batches from pos on. */
static int note_from(struct segment *segment, int64_t pos, const struct log_config *config)
{
	struct batch_scan scan;
	struct batch_found found;
	int rc = begin_walk(segment, pos, &scan);

	if (rc < 0)
		return rc;
	while ((rc = batch_scan_next(&scan, &found)) == 1) {
		rc = segment_note(segment, &found.header, found.pos, config);
		if (rc < 0)
			break;
	}
	end_walk(segment, &scan);
	return rc == ERR_TRUNCATED ? ERR_CORRUPT : rc;
}

int segment_rebuild(struct segment *segment, const struct log_config *config)
{
	struct fd_cache *fds = segment->home->fds;
	int rc = index_file_truncate(&segment->offsets, fds, 0);

	if (rc == 0)
		rc = index_file_truncate(&segment->times, fds, 0);
	if (rc < 0)
		return rc;
	forget_times(segment);
	return segment->size == 0 ? 0 : note_from(segment, 0, config);
}

static int cut_file(struct segment *segment, int64_t pos)
{
	int fd, rc = fd_cache_pin(segment->home->fds, &segment->file, &fd);

	if (rc < 0)
		return rc;
	rc = fs_truncate(segment_fs(segment), fd, pos);
	fd_cache_unpin(&segment->file);
	if (rc == 0)
		segment->size = pos;
	return rc;
}

/*
 * The largest time stamp of what is left: the time index up to its last entry, then the batches themselves. That entry is not compared with them:
 * the one that told the newest of all may have been cut off.
 */
static int recount_times(struct segment *segment)
{
	static const struct log_config no_entries = {.index_interval_bytes = INT32_MAX};
	struct offset_index_entry last;
	int rc;

	segment->bytes_since_index = 0;
	rc = segment_load_newest(segment);
	if (rc == 0)
		rc = offset_index_last(&segment->offsets, segment->home->fds, &last);
	if (rc == 0 && segment->size > 0)
		rc = note_from(segment, last.pos, &no_entries);
	return rc;
}

int segment_cut(struct segment *segment, int64_t pos, int64_t offset)
{
	struct fd_cache *fds = segment->home->fds;
	char path[FS_PATH_MAX];
	int rc = cut_file(segment, pos);

	if (rc == 0)
		rc = offset_index_truncate(&segment->offsets, fds, offset - segment->base_offset);
	if (rc == 0)
		rc = time_index_truncate(&segment->times, fds, offset - segment->base_offset);
	if (rc == 0)
		rc = recount_times(segment);
	if (rc == 0 && segment->has_txn_index) {
		segment_path(segment, LOG_FILE_TXN_INDEX, path);
		rc = txn_index_truncate(segment_fs(segment), path, segment->base_offset, offset);
	}
	return rc;
}
