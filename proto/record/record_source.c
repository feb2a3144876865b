/*
 * The window onto the records of a packed batch; see record_source.h.
 *
 *   packed bytes -> codec_read -> [ used | at ... end | free ]   the rest moves to the front before more is read
 */
#include "proto/record/record_source.h"

#include "common/check.h"
#include "proto/record/codec_context.h"

#include <string.h>

#define WINDOW_BYTES_MIN (64 << 10)

int record_source_open(struct record_source *source, struct codec_context *codecs, int codec, struct slice packed,
		       const struct codec_limits *limits)
{
	int rc;

	*source = (struct record_source){.codecs = codecs, .at = packed.data, .end = packed.data + packed.len, .at_end = true};
	if (codec == CODEC_NONE)
		return 0;
	rc = codec_open(codecs, codec, packed, limits);
	if (rc != 0) {
		source->codec_error = rc;
		return rc;
	}
	codec_scratch_reserve(&codecs->window, WINDOW_BYTES_MIN, false);
	source->at = source->end = codecs->window.data;
	source->streaming = true;
	source->at_end = false;
	return 0;
}

void record_source_close(struct record_source *source)
{
	if (source->streaming)
		codec_close(source->codecs);
	source->streaming = false;
	source->at = source->end;
	source->at_end = true;
}

/* Moves what is left to the front and makes room behind it. */
static void window_shift(struct record_source *source, struct codec_scratch *window)
{
	size_t left = (size_t)(source->end - source->at);

	memmove(window->data, source->at, left);
	if (left == window->cap)
		codec_scratch_reserve(window, window->cap * 2, true);
	source->at = window->data;
	source->end = window->data + left;
}

int record_source_fill(struct record_source *source, size_t n)
{
	struct codec_scratch *window;

	if (source->at_end)
		return 0;
	window = &source->codecs->window;
	while ((size_t)(source->end - source->at) < n && !source->at_end) {
		size_t len;
		int rc;

		window_shift(source, window);
		rc = codec_read(source->codecs, (uint8_t *)(uintptr_t)source->end, window->cap - (size_t)(source->end - source->at), &len);
		if (rc != 0) {
			source->codec_error = rc;
			return rc;
		}
		source->end += len;
		source->at_end = len == 0;
	}
	return 0;
}

int record_source_at_end(struct record_source *source)
{
	int rc = source->at == source->end ? record_source_fill(source, 1) : 0;

	return rc != 0 ? rc : source->at == source->end;
}

int record_source_next_slow(struct record_source *source, struct slice *ret_record, const uint8_t **ret_body)
{
	const uint8_t *body;
	int32_t len;
	int rc = record_source_fill(source, VARINT_BYTES_MAX);

	if (rc != 0)
		return rc;
	body = varint_read(source->at, source->end, &len);
	if (!body)
		return source->end - source->at < VARINT_BYTES_MAX ? ERR_TRUNCATED : ERR_CORRUPT;
	if (len < 0)
		return ERR_CORRUPT;
	if (len > source->end - body) {
		size_t prefix = (size_t)(body - source->at);

		rc = record_source_fill(source, prefix + (size_t)len);
		if (rc != 0)
			return rc;
		body = source->at + prefix;
		if (len > source->end - body)
			return ERR_TRUNCATED;
	}
	*ret_record = slice_of(source->at, (size_t)(body + len - source->at));
	*ret_body = body;
	source->at = body + len;
	return 0;
}

const uint8_t *record_headers_skip(const uint8_t *at, const uint8_t *end, int32_t n_headers)
{
	struct slice key, value;

	if (n_headers < 0 || n_headers > end - at)
		return NULL;
	for (int32_t i = 0; i < n_headers && at; i++) {
		at = record_read_bytes(at, end, &key);
		if (!at || slice_is_null(key))
			return NULL;
		at = record_read_bytes(at, end, &value);
	}
	return at;
}
