/*
 * The header of a record batch, format 2: positions, reading, and the changes that are made in place.
 *
 *    0  i64  base offset                  \
 *    8  i32  batch length (after here)     |  outside of the checksum: a broker sets offset and epoch
 *   12  i32  partition leader epoch        |  without computing it again
 *   16  i8   magic (2)                     |
 *   17  u32  CRC-32C of 21..end           /
 *   21  i16  attributes    0-2 codec, 3 append time, 4 transactional, 5 control, 6 delete horizon
 *   23  i32  last offset delta
 *   27  i64  base timestamp (with bit 6: the delete horizon)
 *   35  i64  max timestamp
 *   43  i64  producer id (-1 none)    51 i16 producer epoch (-1)    53 i32 base sequence (-1)
 *   57  i32  number of records
 *   61  records, packed as a whole by the codec
 *
 * A compacted batch keeps base offset and last offset delta, so that it may hold fewer records than offsets, or none: the next
 * offset comes from the delta, never from the count. Nothing here trusts the bytes: they are read from wire and disk.
 */
#ifndef KLAMM_PROTO_RECORD_BATCH_H
#define KLAMM_PROTO_RECORD_BATCH_H

#include "common/bytes.h"
#include "common/slice.h"
#include "proto/record/codec.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BATCH_HEADER_BYTES 61
#define BATCH_MAGIC 2

/* What the length field does not count: itself and the base offset. With the magic byte this much tells one format from another. */
#define BATCH_LENGTH_END 12
#define BATCH_MAGIC_END 17

/* The least value of the length field of formats 0 and 1. */
#define BATCH_LEGACY_LENGTH_MIN 14

enum batch_pos {
	BATCH_POS_BASE_OFFSET = 0,
	BATCH_POS_LENGTH = 8,
	BATCH_POS_LEADER_EPOCH = 12,
	BATCH_POS_MAGIC = 16,
	BATCH_POS_CRC = 17,
	BATCH_POS_ATTRIBUTES = 21,
	BATCH_POS_LAST_OFFSET_DELTA = 23,
	BATCH_POS_BASE_TIMESTAMP = 27,
	BATCH_POS_MAX_TIMESTAMP = 35,
	BATCH_POS_PRODUCER_ID = 43,
	BATCH_POS_PRODUCER_EPOCH = 51,
	BATCH_POS_BASE_SEQUENCE = 53,
	BATCH_POS_N_RECORDS = 57,
};

enum batch_attribute {
	BATCH_CODEC_MASK = 0x07,
	BATCH_APPEND_TIME = 1 << 3,
	BATCH_TRANSACTIONAL = 1 << 4,
	BATCH_CONTROL = 1 << 5,
	BATCH_DELETE_HORIZON = 1 << 6,
};

/* The bits of the attributes that a client may set. */
#define BATCH_CLIENT_ATTRIBUTES (BATCH_CODEC_MASK | BATCH_APPEND_TIME | BATCH_TRANSACTIONAL | BATCH_CONTROL)

#define BATCH_NO_PRODUCER_ID INT64_C(-1)
#define BATCH_NO_SEQUENCE (-1)
#define BATCH_NO_TIMESTAMP INT64_C(-1)

/* The type of a control batch: in the key of its one record. */
enum control_type {
	CONTROL_ABORT = 0,
	CONTROL_COMMIT = 1,
};

/* A copy of the header in the machine's byte order. */
struct batch_header {
	int64_t base_offset;
	size_t size;            /* bytes of the whole batch: length field + 12 */
	int32_t leader_epoch;
	uint32_t crc;
	int16_t attributes;
	int32_t last_offset_delta;
	int64_t base_timestamp;
	int64_t max_timestamp;
	int64_t producer_id;
	int16_t producer_epoch;
	int32_t base_sequence;
	int32_t n_records;
};

/*
 * Reads the header at the start of bytes; the records need not be there. Checked are the length field and the magic byte,
 * not the checksum and no other field: they may hold anything.
 *   ERR_TRUNCATED    bytes end before the header does
 *   ERR_UNSUPPORTED  a message of format 0 or 1 (batch_legacy_parse reads it)
 *   ERR_CORRUPT      anything else that is no batch
 */
int batch_header_parse(struct slice bytes, struct batch_header *ret_header);

/*
 * Takes the first batch off *rest: 1 and the batch with its header, 0 when nothing is left, ERR_TRUNCATED when only a part of a
 * batch is left, or as batch_header_parse. *rest stays where it is when there is no batch.
 */
int batch_next(struct slice *rest, struct slice *ret_batch, struct batch_header *ret_header);

/* Whether the checksum of a whole batch of at least 61 bytes is right. */
bool batch_crc_ok(struct slice batch);

/* Computes the checksum of a whole batch anew and stores it. */
void batch_set_crc(uint8_t *batch, size_t size);

/* The size of the whole batch that starts at bytes, from its length field. Bytes are a parsed header. */
static inline size_t batch_size(const uint8_t *batch)
{
	return (size_t)bytes_get_u32(batch + BATCH_POS_LENGTH) + BATCH_LENGTH_END;
}

/* What the leader sets on append, outside of the checksum. */
static inline void batch_stamp(uint8_t *batch, int64_t base_offset, int32_t leader_epoch)
{
	bytes_put_i64(batch + BATCH_POS_BASE_OFFSET, base_offset);
	bytes_put_i32(batch + BATCH_POS_LEADER_EPOCH, leader_epoch);
}

/* Sets attributes and max timestamp and the checksum with them. */
void batch_set_timestamps(uint8_t *batch, size_t size, int16_t attributes, int64_t max_timestamp);

/* Makes the batch one of append time: its bit, and max timestamp = now; base timestamp and deltas stay the client's. */
void batch_set_append_time(uint8_t *batch, size_t size, int64_t now_ms);

/* Sets the max timestamp alone, and the checksum. */
void batch_set_max_timestamp(uint8_t *batch, size_t size, int64_t max_timestamp);

static inline int batch_codec(int16_t attributes)
{
	return attributes & BATCH_CODEC_MASK;
}

static inline bool batch_is_append_time(int16_t attributes)
{
	return (attributes & BATCH_APPEND_TIME) != 0;
}

static inline bool batch_is_transactional(int16_t attributes)
{
	return (attributes & BATCH_TRANSACTIONAL) != 0;
}

static inline bool batch_is_control(int16_t attributes)
{
	return (attributes & BATCH_CONTROL) != 0;
}

static inline bool batch_has_delete_horizon(int16_t attributes)
{
	return (attributes & BATCH_DELETE_HORIZON) != 0;
}

/* The offset of the last record, also when compaction has dropped it. */
static inline int64_t batch_last_offset(const struct batch_header *header)
{
	/* Wraps: the fields may hold anything. */
	return (int64_t)((uint64_t)header->base_offset + (uint64_t)header->last_offset_delta);
}

/* The offset that follows the batch. */
static inline int64_t batch_next_offset(const struct batch_header *header)
{
	return (int64_t)((uint64_t)batch_last_offset(header) + 1);
}

static inline bool batch_has_producer(const struct batch_header *header)
{
	return header->producer_id > BATCH_NO_PRODUCER_ID;
}

/* The sequence `increment` (>= 0) after a given one; 2^31-1 is followed by 0. */
static inline int32_t batch_sequence_add(int32_t sequence, int32_t increment)
{
	return (int32_t)(((int64_t)sequence + increment) & INT32_MAX);
}

/* The sequence of the last record; -1 without a sequence. */
static inline int32_t batch_last_sequence(const struct batch_header *header)
{
	if (header->base_sequence < 0)
		return BATCH_NO_SEQUENCE;
	return batch_sequence_add(header->base_sequence, header->last_offset_delta);
}

/* A message of format 0 or 1, recognised so that it can be refused by name or its size skipped. */
struct batch_legacy {
	int64_t offset;
	size_t size;
	int8_t magic;
	int codec;
	int64_t timestamp; /* -1 in format 0 */
};

/* Reads the head of a message of format 0 or 1: 0, ERR_TRUNCATED, or ERR_CORRUPT (also for other formats). */
int batch_legacy_parse(struct slice bytes, struct batch_legacy *ret_legacy);

/* Whether the IEEE checksum of a whole message of format 0 or 1 is right. */
bool batch_legacy_crc_ok(struct slice message);

#endif
