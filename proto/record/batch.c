/* Reading and changing the header of a record batch; see batch.h. */
#include "proto/record/batch.h"

#include "common/check.h"
#include "common/crc32c.h"
#include "common/error.h"

#include <zlib.h>

/* Positions within a message of format 0 or 1. */
enum legacy_pos {
	LEGACY_POS_CRC = 12,
	LEGACY_POS_MAGIC = 16,
	LEGACY_POS_ATTRIBUTES = 17,
	LEGACY_POS_TIMESTAMP = 18,
	LEGACY_HEAD_V0 = 18,
	LEGACY_HEAD_V1 = 26,
};

int batch_header_parse(struct slice bytes, struct batch_header *ret_header)
{
	const uint8_t *at = bytes.data;
	struct batch_header header;
	int32_t length;
	int8_t magic;

	if (bytes.len < BATCH_MAGIC_END)
		return ERR_TRUNCATED;
	length = bytes_get_i32(at + BATCH_POS_LENGTH);
	magic = (int8_t)at[BATCH_POS_MAGIC];
	if (magic < 0 || magic > BATCH_MAGIC || length < BATCH_LEGACY_LENGTH_MIN)
		return ERR_CORRUPT;
	if (magic < BATCH_MAGIC)
		return ERR_UNSUPPORTED;
	if (length < BATCH_HEADER_BYTES - BATCH_LENGTH_END)
		return ERR_CORRUPT;
	if (bytes.len < BATCH_HEADER_BYTES)
		return ERR_TRUNCATED;

	header.base_offset = bytes_get_i64(at + BATCH_POS_BASE_OFFSET);
	header.size = (size_t)length + BATCH_LENGTH_END;
	header.leader_epoch = bytes_get_i32(at + BATCH_POS_LEADER_EPOCH);
	header.crc = bytes_get_u32(at + BATCH_POS_CRC);
	header.attributes = bytes_get_i16(at + BATCH_POS_ATTRIBUTES);
	header.last_offset_delta = bytes_get_i32(at + BATCH_POS_LAST_OFFSET_DELTA);
	header.base_timestamp = bytes_get_i64(at + BATCH_POS_BASE_TIMESTAMP);
	header.max_timestamp = bytes_get_i64(at + BATCH_POS_MAX_TIMESTAMP);
	header.producer_id = bytes_get_i64(at + BATCH_POS_PRODUCER_ID);
	header.producer_epoch = bytes_get_i16(at + BATCH_POS_PRODUCER_EPOCH);
	header.base_sequence = bytes_get_i32(at + BATCH_POS_BASE_SEQUENCE);
	header.n_records = bytes_get_i32(at + BATCH_POS_N_RECORDS);
	*ret_header = header;
	return 0;
}

int batch_next(struct slice *rest, struct slice *ret_batch, struct batch_header *ret_header)
{
	int rc;

	if (rest->len == 0)
		return 0;
	rc = batch_header_parse(*rest, ret_header);
	if (rc != 0)
		return rc;
	if (ret_header->size > rest->len)
		return ERR_TRUNCATED;
	*ret_batch = slice_of(rest->data, ret_header->size);
	rest->data += ret_header->size;
	rest->len -= ret_header->size;
	return 1;
}

bool batch_crc_ok(struct slice batch)
{
	CHECK(batch.len >= BATCH_HEADER_BYTES);
	return crc32c(batch.data + BATCH_POS_ATTRIBUTES, batch.len - BATCH_POS_ATTRIBUTES) ==
	       bytes_get_u32(batch.data + BATCH_POS_CRC);
}

void batch_set_crc(uint8_t *batch, size_t size)
{
	CHECK(size >= BATCH_HEADER_BYTES);
	bytes_put_u32(batch + BATCH_POS_CRC, crc32c(batch + BATCH_POS_ATTRIBUTES, size - BATCH_POS_ATTRIBUTES));
}

void batch_set_timestamps(uint8_t *batch, size_t size, int16_t attributes, int64_t max_timestamp)
{
	bytes_put_i16(batch + BATCH_POS_ATTRIBUTES, attributes);
	bytes_put_i64(batch + BATCH_POS_MAX_TIMESTAMP, max_timestamp);
	batch_set_crc(batch, size);
}

void batch_set_append_time(uint8_t *batch, size_t size, int64_t now_ms)
{
	int16_t attributes = (int16_t)(bytes_get_i16(batch + BATCH_POS_ATTRIBUTES) | BATCH_APPEND_TIME);

	batch_set_timestamps(batch, size, attributes, now_ms);
}

void batch_set_max_timestamp(uint8_t *batch, size_t size, int64_t max_timestamp)
{
	batch_set_timestamps(batch, size, bytes_get_i16(batch + BATCH_POS_ATTRIBUTES), max_timestamp);
}

int batch_legacy_parse(struct slice bytes, struct batch_legacy *ret_legacy)
{
	const uint8_t *at = bytes.data;
	int32_t length;
	int8_t magic;

	if (bytes.len < BATCH_MAGIC_END)
		return ERR_TRUNCATED;
	length = bytes_get_i32(at + BATCH_POS_LENGTH);
	magic = (int8_t)at[LEGACY_POS_MAGIC];
	if (magic < 0 || magic > 1 || length < BATCH_LEGACY_LENGTH_MIN + 8 * magic)
		return ERR_CORRUPT;
	if (bytes.len < (magic == 0 ? LEGACY_HEAD_V0 : LEGACY_HEAD_V1))
		return ERR_TRUNCATED;
	ret_legacy->offset = bytes_get_i64(at);
	ret_legacy->size = (size_t)length + BATCH_LENGTH_END;
	ret_legacy->magic = magic;
	ret_legacy->codec = at[LEGACY_POS_ATTRIBUTES] & BATCH_CODEC_MASK;
	ret_legacy->timestamp = magic == 0 ? BATCH_NO_TIMESTAMP : bytes_get_i64(at + LEGACY_POS_TIMESTAMP);
	return 0;
}

bool batch_legacy_crc_ok(struct slice message)
{
	uLong crc;

	CHECK(message.len >= BATCH_MAGIC_END);
	crc = crc32_z(0, message.data + LEGACY_POS_MAGIC, message.len - LEGACY_POS_MAGIC);
	return (uint32_t)crc == bytes_get_u32(message.data + LEGACY_POS_CRC);
}
