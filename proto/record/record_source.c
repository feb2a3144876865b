/*
 * The window onto the records of a packed batch; see record_source.h.
 *
 *   packed bytes -> codec_read -> [ used | at ... end | free ]   the rest moves to the front before more is read
 */
#include "proto/record/record_source.h"

#include "common/check.h"
#include "proto/record/codec_context.h"

#include <stdlib.h>
#include <string.h>

#define WINDOW_BYTES_MIN (64 << 10)

/* What a context keeps of a window that had to grow. */
#define WINDOW_BYTES_KEPT (256 << 10)

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
	if (source->streaming) {
		struct codec_scratch *window = &source->codecs->window;

		codec_close(source->codecs);
		if (window->cap > WINDOW_BYTES_KEPT) {
			free(window->data);
			*window = (struct codec_scratch){0};
		}
	}
	source->streaming = false;
	source->at = source->end = NULL;
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

		if (source->skims && source->streaming && prefix + (size_t)len > source->codecs->window.cap)
			return RECORD_TO_SKIM;
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

/* ---- records larger than the window ---- */

/* A varint of the record, of which `left` bytes are still to come. */
static int skim_number(struct record_source *source, int64_t *left, int64_t *ret_value)
{
	int rc = record_source_fill(source, VARLONG_BYTES_MAX);
	const uint8_t *end = source->end - source->at > *left ? source->at + *left : source->end;
	const uint8_t *at;

	if (rc != 0)
		return rc;
	at = varlong_read(source->at, end, ret_value);
	if (!at)
		return ERR_CORRUPT;
	*left -= at - source->at;
	source->at = at;
	return 0;
}

static int skim_int(struct record_source *source, int64_t *left, int32_t *ret_value)
{
	int64_t value;
	int rc = skim_number(source, left, &value);

	if (rc != 0)
		return rc;
	if (value < INT32_MIN || value > INT32_MAX)
		return ERR_CORRUPT;
	*ret_value = (int32_t)value;
	return 0;
}

/* A length and that many bytes, which go by. */
static int skim_bytes(struct record_source *source, int64_t *left, struct slice *ret_bytes)
{
	int32_t n;
	int rc = skim_int(source, left, &n);

	if (rc != 0)
		return rc;
	*ret_bytes = n < 0 ? SLICE_NULL : SLICE_LITERAL("");
	if (n > *left)
		return ERR_CORRUPT;
	while (n > 0) {
		ptrdiff_t step;

		rc = record_source_fill(source, 1);
		if (rc != 0)
			return rc;
		step = source->end - source->at < n ? source->end - source->at : n;
		if (step == 0)
			return ERR_TRUNCATED;
		source->at += step;
		*left -= step;
		n -= (int32_t)step;
	}
	return 0;
}

static int skim_headers(struct record_source *source, int64_t *left, struct record_fields *fields)
{
	struct slice key, value;
	int rc = skim_int(source, left, &fields->n_headers);

	if (rc == 0 && (fields->n_headers < 0 || fields->n_headers > *left))
		rc = ERR_CORRUPT;
	for (int32_t i = 0; rc == 0 && i < fields->n_headers; i++) {
		rc = skim_bytes(source, left, &key);
		if (rc == 0 && slice_is_null(key))
			rc = ERR_CORRUPT;
		if (rc == 0)
			rc = skim_bytes(source, left, &value);
	}
	fields->headers = SLICE_LITERAL("");
	return rc;
}

int record_source_skim(struct record_source *source, struct record_fields *ret_fields)
{
	int64_t left = VARINT_BYTES_MAX, len;
	int rc = skim_number(source, &left, &len);

	if (rc != 0)
		return rc;
	left = len;
	rc = record_source_fill(source, 1);
	if (rc != 0)
		return rc;
	if (source->at == source->end || left < 1)
		return ERR_TRUNCATED;
	ret_fields->attributes = (int8_t)*source->at++;
	left--;
	rc = skim_number(source, &left, &ret_fields->timestamp_delta);
	if (rc == 0)
		rc = skim_int(source, &left, &ret_fields->offset_delta);
	if (rc == 0)
		rc = skim_bytes(source, &left, &ret_fields->key);
	if (rc == 0)
		rc = skim_bytes(source, &left, &ret_fields->value);
	if (rc == 0)
		rc = skim_headers(source, &left, ret_fields);
	return rc == 0 && left != 0 ? ERR_CORRUPT : rc;
}
