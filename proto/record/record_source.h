/*
 * The bytes of the records of a batch as a run of whole records, unpacked on the way, and one record taken apart. Private to
 * proto/record: the iterator and the produce checks walk over it.
 */
#ifndef KLAMM_PROTO_RECORD_RECORD_SOURCE_H
#define KLAMM_PROTO_RECORD_RECORD_SOURCE_H

#include "common/error.h"
#include "common/slice.h"
#include "proto/record/record_iter.h"
#include "proto/record/varint.h"

/* The fields of a record as they lie there. */
struct record_fields {
	int64_t timestamp_delta;
	int32_t offset_delta;
	int8_t attributes;
	int32_t n_headers;
	struct slice key;
	struct slice value;
	struct slice headers;
};

/* Starts over the bytes behind the header; codecs may be NULL for CODEC_NONE. 0 or as codec_open. */
int record_source_open(struct record_source *source, struct codec_context *codecs, int codec, struct slice packed,
		       const struct codec_limits *limits);

/* Gives the context back and what the window took beyond its usual size; allowed twice. */
void record_source_close(struct record_source *source);

/*
 * Unpacks until n bytes lie between at and end or the stream ends. Moves at and end. 0 or as codec_read. Memory grows with the bytes
 * that come, not with n.
 */
int record_source_fill(struct record_source *source, size_t n);

/* Whether all bytes are used up: 1, 0, or an error as codec_read. */
int record_source_at_end(struct record_source *source);

/* The answer of record_source_next for a record that is larger than the window, when the source skims: record_source_skim is next. */
#define RECORD_TO_SKIM 1

/*
 * Takes such a record without ever holding it whole, so that its memory is the window. Its bytes fields are told as null or not;
 * they are not there. 0 or an error as record_source_next and record_fields_parse.
 */
int record_source_skim(struct record_source *source, struct record_fields *ret_fields);

/* Where a record that is not wholly there yet begins and ends; the slow half of record_source_next. */
int record_source_next_slow(struct record_source *source, struct slice *ret_record, const uint8_t **ret_body);

/* Steps over header pairs: the position behind the last, NULL when they are damaged. */
const uint8_t *record_headers_skip(const uint8_t *at, const uint8_t *end, int32_t n_headers);

/*
 * Takes the next record: its bytes with the length field, and where its body starts. They hold until the next call. ERR_TRUNCATED
 * when the bytes end before it does, ERR_CORRUPT for a bad length. RECORD_TO_SKIM: see there.
 */
static inline int record_source_next(struct record_source *source, struct slice *ret_record, const uint8_t **ret_body)
{
	int32_t len;
	const uint8_t *body = varint_read(source->at, source->end, &len);

	if (__builtin_expect(!body || len < 0 || len > source->end - body, 0))
		return record_source_next_slow(source, ret_record, ret_body);
	*ret_record = slice_of(source->at, (size_t)(body + len - source->at));
	*ret_body = body;
	source->at = body + len;
	return 0;
}

/* A length (negative for null) and that many bytes: the position behind them, NULL when they do not fit. */
static inline const uint8_t *record_read_bytes(const uint8_t *at, const uint8_t *end, struct slice *ret_bytes)
{
	int32_t len;

	at = varint_read(at, end, &len);
	if (!at)
		return NULL;
	if (len < 0) {
		*ret_bytes = SLICE_NULL;
		return at;
	}
	if (len > end - at)
		return NULL;
	*ret_bytes = slice_of(at, (size_t)len);
	return at + len;
}

/* Takes the body of one record apart; it must fill the range exactly. 0 or ERR_CORRUPT. */
static inline int record_fields_parse(const uint8_t *at, const uint8_t *end, struct record_fields *ret_fields)
{
	const uint8_t *headers;

	if (at == end)
		return ERR_CORRUPT;
	ret_fields->attributes = (int8_t)*at++;
	at = varlong_read(at, end, &ret_fields->timestamp_delta);
	if (at)
		at = varint_read(at, end, &ret_fields->offset_delta);
	if (at)
		at = record_read_bytes(at, end, &ret_fields->key);
	if (at)
		at = record_read_bytes(at, end, &ret_fields->value);
	if (at)
		at = varint_read(at, end, &ret_fields->n_headers);
	headers = at;
	if (at && ret_fields->n_headers != 0)
		at = record_headers_skip(at, end, ret_fields->n_headers);
	if (!at || at != end)
		return ERR_CORRUPT;
	ret_fields->headers = slice_of(headers, (size_t)(end - headers));
	return 0;
}

#endif
