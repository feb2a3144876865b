/*
 * Making record batches: the coordinators' records, control markers, what compaction keeps, and tests.
 *
 *   batch_builder_init(spec) -> batch_builder_add ... -> batch_builder_finish -> one batch in builder->buf -> batch_builder_fini
 *
 * Bytes are those that Kafka writes: the timestamp of the first record is the base timestamp (or the delete horizon is).
 */
#ifndef KLAMM_PROTO_RECORD_BATCH_BUILDER_H
#define KLAMM_PROTO_RECORD_BATCH_BUILDER_H

#include "common/buf.h"
#include "common/slice.h"
#include "proto/record/batch.h"
#include "proto/record/codec.h"
#include "proto/record/record_iter.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What stands in the header. Start from batch_spec_default(). */
struct batch_spec {
	int64_t base_offset;
	int32_t leader_epoch;
	enum codec codec;
	int32_t level;             /* CODEC_LEVEL_DEFAULT or one that codec_level_ok allows */
	bool append_time;
	int64_t append_time_ms;    /* max timestamp when append_time, and of a batch without records */
	bool transactional;
	bool control;
	bool has_delete_horizon;
	int64_t delete_horizon_ms; /* takes the place of the base timestamp */
	int64_t producer_id;
	int16_t producer_epoch;
	int32_t base_sequence;
	int32_t last_offset_delta; /* -1: that of the last record */
};

/* Base offset 0, leader epoch -1, not packed, create time, no producer, no timestamp. */
struct batch_spec batch_spec_default(void);

/* The spec that makes a batch like the given one: all but the records, the length and the checksum. */
struct batch_spec batch_spec_like(const struct batch_header *header);

struct batch_builder {
	struct batch_spec spec;
	struct buf *buf;           /* header and records not packed; after finish the batch */
	int64_t base_timestamp;
	int64_t max_timestamp;
	int32_t last_offset_delta;
	int32_t n_records;
};

void batch_builder_init(struct batch_builder *builder, const struct batch_spec *spec);

/* Frees the buffer unless batch_builder_take has taken it. */
void batch_builder_fini(struct batch_builder *builder);

/* Adds a record at the offset after the last one. Headers as an array; key and value may be null. */
void batch_builder_add(struct batch_builder *builder, int64_t timestamp, struct slice key, struct slice value,
		       const struct record_header *headers, int32_t n_headers);

/* Adds a record at base offset + offset_delta, which is above that of the last one; headers and n_headers are copied as bytes. */
void batch_builder_add_record(struct batch_builder *builder, int32_t offset_delta, const struct record *record);

/* Bytes that the batch has now, before packing; an upper bound of what a record adds is 70 + key + value + headers. */
size_t batch_builder_size(const struct batch_builder *builder);

/*
 * Packs, fills in the header and its checksum. The batch lies in builder->buf. codecs may be NULL when the codec is none.
 * Without records the batch is an empty one, as compaction leaves them (base timestamp -1).
 */
struct slice batch_builder_finish(struct batch_builder *builder, struct codec_context *codecs);

/* The finished batch becomes the caller's. */
struct buf *batch_builder_take(struct batch_builder *builder);

/* A marker that ends a transaction: a control batch of one record; the caller releases it. */
struct buf *batch_build_marker(enum control_type type, int32_t coordinator_epoch, int64_t producer_id, int16_t producer_epoch,
			       int64_t timestamp);

/*
 * The records of a batch in a new one: spec is batch_spec_like of its header with what shall differ, another codec for one. Offsets
 * count up from the base offset whatever the deltas were; unknown attribute bits are gone. The caller releases *ret_batch. 0, or errors
 * as record_iter_next.
 */
int batch_repack(struct codec_context *codecs, struct slice batch, const struct batch_spec *spec, const struct codec_limits *limits,
		 struct buf **ret_batch);

#endif
