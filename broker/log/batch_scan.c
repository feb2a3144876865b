/* Walking over batches; see batch_scan.h. */
#include "broker/log/batch_scan.h"

#include "common/error.h"
#include "common/memory.h"

#include <stdlib.h>

#define WINDOW_BYTES (256u << 10)

/* Between batches larger than this only headers are read. */
#define JUMP_BYTES 16384

void batch_scan_init(struct batch_scan *scan, struct fs *fs, int fd, int64_t pos, int64_t end, enum batch_scan_mode mode)
{
	scan->fs = fs;
	scan->fd = fd;
	scan->mode = mode;
	scan->pos = pos;
	scan->end = end;
	scan->window_pos = pos;
	scan->window_len = 0;
	scan->window_cap = sizeof scan->small;
	scan->read_bytes = sizeof scan->small;
	scan->heap = NULL;
}

void batch_scan_fini(struct batch_scan *scan)
{
	free(scan->heap);
	scan->heap = NULL;
}

static uint8_t *window(struct batch_scan *scan)
{
	return scan->heap ? scan->heap : scan->small;
}

static void grow_window(struct batch_scan *scan, size_t cap)
{
	if (cap <= scan->window_cap)
		return;
	free(scan->heap);
	scan->heap = memory_alloc(cap);
	scan->window_cap = cap;
	scan->window_len = 0;
}

/* Makes [pos, pos + len) present; the range lies within the file. */
static int fill(struct batch_scan *scan, int64_t pos, size_t len, const uint8_t **ret_at)
{
	int64_t n;
	size_t want;

	if (pos >= scan->window_pos && pos + (int64_t)len <= scan->window_pos + (int64_t)scan->window_len) {
		*ret_at = window(scan) + (pos - scan->window_pos);
		return 0;
	}
	want = len > scan->read_bytes ? len : scan->read_bytes;
	grow_window(scan, want);
	if ((int64_t)want > scan->end - pos)
		want = (size_t)(scan->end - pos);
	scan->window_len = 0;
	n = fs_pread(scan->fs, scan->fd, window(scan), want, pos);
	if (n < 0)
		return (int)n;
	scan->window_pos = pos;
	scan->window_len = (size_t)n;
	if ((size_t)n < len)
		return ERR_TRUNCATED;
	*ret_at = window(scan);
	return 0;
}

/* The more is walked, the larger the reads; where batches are large nothing is read ahead. */
static void adapt(struct batch_scan *scan, size_t batch_bytes)
{
	if (scan->mode == BATCH_SCAN_HEADERS && batch_bytes > JUMP_BYTES)
		scan->read_bytes = BATCH_HEADER_BYTES;
	else if (scan->read_bytes < sizeof scan->small)
		scan->read_bytes = sizeof scan->small;
	else if (scan->read_bytes < WINDOW_BYTES && scan->pos >= scan->window_pos + (int64_t)scan->window_len)
		scan->read_bytes *= 2;
}

int batch_scan_whole(struct batch_scan *scan, struct batch_found *found)
{
	const uint8_t *at;
	int rc;

	if ((int64_t)found->header.size > scan->end - found->pos)
		return ERR_TRUNCATED;
	rc = fill(scan, found->pos, found->header.size, &at);
	if (rc == 0)
		found->bytes = slice_of(at, found->header.size);
	return rc;
}

/* A message of format 0 or 1 is told from garbage by its own checksum. */
static int check_legacy(struct batch_scan *scan)
{
	struct batch_legacy legacy;
	const uint8_t *at;
	int rc = fill(scan, scan->pos, BATCH_HEADER_BYTES < scan->end - scan->pos ? BATCH_HEADER_BYTES : (size_t)(scan->end - scan->pos),
		      &at);

	if (rc < 0)
		return rc;
	rc = batch_legacy_parse(slice_of(at, scan->window_len - (size_t)(at - window(scan))), &legacy);
	if (rc < 0 || (int64_t)legacy.size > scan->end - scan->pos)
		return ERR_CORRUPT;
	rc = fill(scan, scan->pos, legacy.size, &at);
	if (rc < 0)
		return rc;
	return batch_legacy_crc_ok(slice_of(at, legacy.size)) ? ERR_UNSUPPORTED : ERR_CORRUPT;
}

int batch_scan_next(struct batch_scan *scan, struct batch_found *ret_found)
{
	struct batch_found found = {.pos = scan->pos};
	int64_t left = scan->end - scan->pos;
	const uint8_t *at;
	int rc;

	if (left == 0)
		return 0;
	if (left < BATCH_HEADER_BYTES)
		return ERR_TRUNCATED;
	rc = fill(scan, scan->pos, BATCH_HEADER_BYTES, &at);
	if (rc < 0)
		return rc;
	found.bytes = slice_of(at, BATCH_HEADER_BYTES);
	rc = batch_header_parse(found.bytes, &found.header);
	if (rc == ERR_UNSUPPORTED)
		return check_legacy(scan);
	if (rc < 0)
		return rc;
	if ((int64_t)found.header.size > left)
		return ERR_TRUNCATED;
	if (found.header.base_offset < 0 || found.header.last_offset_delta < 0 ||
	    found.header.base_offset > INT64_MAX - 1 - found.header.last_offset_delta)
		return ERR_CORRUPT;
	if (scan->mode == BATCH_SCAN_CHECKED) {
		rc = batch_scan_whole(scan, &found);
		if (rc < 0)
			return rc;
		if (!batch_crc_ok(found.bytes))
			return ERR_CORRUPT;
	}
	scan->pos += (int64_t)found.header.size;
	adapt(scan, found.header.size);
	*ret_found = found;
	return 1;
}
