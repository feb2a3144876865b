/*
 * The records of a batch, one after the other; packed ones are unpacked as they are read.
 *
 *   record: varint length, then   i8 attributes   varlong timestamp delta   varint offset delta
 *           varint key length (-1 null) key   varint value length (-1 null) value
 *           varint number of headers, each:   varint length, key   varint length (-1 null), value
 *
 * Varints are zig-zag. Memory for unpacking is a window in the codec context: as large as the largest record, within the limits.
 */
#ifndef KLAMM_PROTO_RECORD_RECORD_ITER_H
#define KLAMM_PROTO_RECORD_RECORD_ITER_H

#include "common/slice.h"
#include "proto/record/batch.h"
#include "proto/record/codec.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct record {
	int64_t offset;
	int64_t timestamp;      /* of the batch when it is one of append time */
	int32_t offset_delta;
	int32_t sequence;       /* -1 without one */
	int8_t attributes;
	struct slice key;       /* null when there is none */
	struct slice value;     /* null: a tombstone */
	int32_t n_headers;
	struct slice headers;   /* the bytes of all headers, checked; record_header_next takes them apart */
	struct slice bytes;     /* the whole record with its length field */
};

struct record_header {
	struct slice key;
	struct slice value;     /* may be null */
};

/* Where the unpacked bytes of the records come from: all there, or a window onto a stream. Private to proto/record. */
struct record_source {
	struct codec_context *codecs;
	const uint8_t *at;
	const uint8_t *end;
	int codec_error;        /* what the codec said when it failed, else 0 */
	bool streaming;
	bool at_end;            /* the stream has no more than what is between at and end */
	bool skims;             /* records larger than the window are not wanted whole */
};

struct record_iter {
	struct batch_header header;
	struct record_source source;
	int32_t n_left;
};

/*
 * Starts at the first record of a whole batch (its checksum is not looked at). The batch stays the caller's and unchanged until
 * record_iter_fini. codecs may be NULL when the batch is not packed; a context serves one iterator over packed records at a time.
 * 0, ERR_TRUNCATED, ERR_UNSUPPORTED (format 0 or 1, unknown codec) or ERR_CORRUPT; after an error there is nothing to end.
 */
int record_iter_init(struct record_iter *iter, struct codec_context *codecs, struct slice batch, const struct codec_limits *limits);

/*
 * 1 and the next record, whose slices hold until the next call of any kind (for a batch that is not packed: as long as the batch); 0
 * after the last; ERR_CORRUPT, ERR_TRUNCATED for damaged records or a wrong count, ERR_TOO_LARGE or ERR_LIMIT beyond the limits.
 */
int record_iter_next(struct record_iter *iter, struct record *ret_record);

/* Gives the codec context back; allowed at any point and twice. */
void record_iter_fini(struct record_iter *iter);

/* Takes the first header off *rest (record.headers); false when there is none left. */
bool record_header_next(struct slice *rest, struct record_header *ret_header);

/*
 * Reads the key and value of the record of a control batch: its type (enum control_type, or a number that is not known) and the
 * epoch of the coordinator that wrote it. false when they are damaged.
 */
bool record_control_parse(const struct record *record, int16_t *ret_type, int32_t *ret_coordinator_epoch);

#endif
