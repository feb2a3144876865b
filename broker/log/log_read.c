/* Reading: from offsets to ranges of files, without touching the bytes; see log.h. */
#include "broker/log/log_internal.h"
#include "common/error.h"

int log_find_batch(struct log *log, int32_t i, int64_t offset, struct batch_found *ret_found)
{
	struct segment *segment = log->segments[i];
	const struct batch_place *place = NULL;

	if (i == log->n_segments - 1 && log->tail)
		place = batch_tail_find(log->tail, offset - segment->base_offset);
	if (!place)
		return segment_find(segment, offset, ret_found);
	*ret_found = (struct batch_found){.pos = place->pos,
					  .header = {.base_offset = segment->base_offset + place->base,
						     .last_offset_delta = place->last - place->base,
						     .size = (size_t)place->bytes,
						     .leader_epoch = place->epoch}};
	return 1;
}

/* The position in segment i up to which batches begin below the offset. */
static int find_limit(struct log *log, int32_t i, int64_t max_offset, int64_t *ret_pos)
{
	struct batch_found found;
	int rc;

	*ret_pos = log->segments[i]->size;
	if (max_offset >= log_segment_end(log, i))
		return 0;
	rc = log_find_batch(log, i, max_offset, &found);
	if (rc < 0)
		return rc;
	if (rc == 1)
		*ret_pos = found.header.base_offset < max_offset ? found.pos + (int64_t)found.header.size : found.pos;
	return 0;
}

/* The end of the last whole batch at or below pos, in segment i. */
static int find_boundary(struct log *log, int32_t i, int64_t pos, int64_t *ret_pos)
{
	int64_t boundary = -1;

	if (i == log->n_segments - 1 && log->tail)
		boundary = batch_tail_boundary(log->tail, pos);
	if (boundary < 0)
		return segment_find_boundary(log->segments[i], pos, ret_pos);
	*ret_pos = boundary;
	return 0;
}

/* Finds the first batch at or above the offset in segment *i or a later one (compaction may have emptied the rest of a segment). */
static int find_first(struct log *log, int64_t offset, int32_t *ret_i, struct batch_found *ret_found)
{
	int rc = 0;

	for (int32_t i = log_segment_for(log, offset); i < log->n_segments && rc == 0; i++) {
		rc = log_find_batch(log, i, offset, ret_found);
		*ret_i = i;
	}
	return rc;
}

static int fit_length(struct log *log, int32_t i, const struct log_read_args *args, const struct batch_found *first, int64_t limit,
		      int64_t *ret_len)
{
	int64_t len = limit - first->pos, first_bytes = (int64_t)first->header.size;

	if (len > args->max_bytes) {
		len = args->max_bytes > 0 ? args->max_bytes : 0;
		if (len < first_bytes) {
			len = args->min_one_batch ? first_bytes : 0;
		} else if (args->whole_batches) {
			int rc = find_boundary(log, i, first->pos + len, &limit);

			if (rc < 0)
				return rc;
			len = limit - first->pos;
		}
	}
	*ret_len = len;
	return 0;
}

int log_read(struct log *log, const struct log_read_args *args, struct log_slice *ret_slice)
{
	struct batch_found first;
	int64_t limit, len = 0;
	int32_t i;
	int rc;

	if (args->offset < log_start_offset(log) || args->offset > log_end_offset(log))
		return ERR_OUT_OF_RANGE;
	*ret_slice = (struct log_slice){0};
	if (args->offset >= args->max_offset || args->offset == log_end_offset(log))
		return 0;
	rc = find_first(log, args->offset, &i, &first);
	if (rc < 1 || first.header.base_offset >= args->max_offset)
		return rc < 0 ? rc : 0;
	rc = find_limit(log, i, args->max_offset, &limit);
	if (rc == 0)
		rc = fit_length(log, i, args, &first, limit, &len);
	if (rc < 0 || len == 0)
		return rc;
	*ret_slice = (struct log_slice){.segment = segment_retain(log->segments[i]),
					.pos = first.pos,
					.len = len,
					.first_base_offset = first.header.base_offset,
					.first_last_offset = batch_last_offset(&first.header),
					.first_bytes = (int32_t)first.header.size,
					.first_epoch = first.header.leader_epoch};
	return 0;
}

int log_slice_end(struct log *log, const struct log_slice *slice, int64_t *ret_end)
{
	bool is_last = slice->segment == log->segments[log->n_segments - 1] && slice->pos + slice->len == slice->segment->size;

	if (slice->len > slice->first_bytes && !is_last)
		return segment_end_below(slice->segment, slice->pos + slice->len, ret_end);
	*ret_end = is_last ? log_end_offset(log) : slice->first_last_offset + 1;
	return 0;
}

int log_slice_pin(const struct log_slice *slice, int *ret_fd)
{
	return fd_cache_pin(slice->segment->home->fds, &slice->segment->file, ret_fd);
}

void log_slice_unpin(const struct log_slice *slice)
{
	fd_cache_unpin(&slice->segment->file);
}

int log_slice_read(const struct log_slice *slice, int64_t skip, void *data, size_t len)
{
	int fd, rc = log_slice_pin(slice, &fd);

	if (rc < 0)
		return rc;
	rc = fs_read_exact(segment_fs(slice->segment), fd, data, len, slice->pos + skip);
	log_slice_unpin(slice);
	return rc;
}

void log_slice_load(const struct log_slice *slice, int64_t skip)
{
	int fd;

	if (log_slice_pin(slice, &fd) < 0)
		return;
	fs_load(segment_fs(slice->segment), fd, slice->pos + skip, slice->len - skip);
	log_slice_unpin(slice);
}

void log_slice_release(struct log_slice *slice)
{
	segment_release(slice->segment);
	slice->segment = NULL;
}

/* The position at which the batch with the offset begins, in segment i; its size when the offset is beyond. */
static int64_t position_of(struct log *log, int32_t i, int64_t offset)
{
	struct batch_found found;

	if (offset >= log_segment_end(log, i))
		return log->segments[i]->size;
	return log_find_batch(log, i, offset, &found) == 1 ? found.pos : log->segments[i]->size;
}

int64_t log_bytes_between(struct log *log, int64_t from, int64_t to, int64_t at_most)
{
	int64_t bytes;
	int32_t i;

	if (from < log_start_offset(log))
		from = log_start_offset(log);
	if (from >= to)
		return 0;
	i = log_segment_for(log, from);
	bytes = -position_of(log, i, from);
	for (; i < log->n_segments && log->segments[i]->base_offset < to; i++) {
		bytes += position_of(log, i, to);
		if (bytes >= at_most)
			return at_most;
	}
	return bytes;
}
