/* Walking over the records of a batch; see record_iter.h. */
#include "proto/record/record_iter.h"

#include "common/bytes.h"
#include "common/error.h"
#include "proto/record/record_source.h"

/* Key and value of a control record: i16 version, i16 type; i16 version, i32 coordinator epoch. */
#define CONTROL_KEY_BYTES 4
#define CONTROL_VALUE_BYTES 6

int record_iter_init(struct record_iter *iter, struct codec_context *codecs, struct slice batch, const struct codec_limits *limits)
{
	struct slice packed;
	int rc = batch_header_parse(batch, &iter->header);

	if (rc != 0)
		return rc;
	if (iter->header.size > batch.len)
		return ERR_TRUNCATED;
	if (iter->header.n_records < 0)
		return ERR_CORRUPT;
	iter->n_left = iter->header.n_records;
	packed = slice_of(batch.data + BATCH_HEADER_BYTES, iter->header.size - BATCH_HEADER_BYTES);
	/* An empty batch that compaction left keeps its codec in the attributes, with nothing packed behind it. */
	return record_source_open(&iter->source, codecs, packed.len == 0 ? CODEC_NONE : batch_codec(iter->header.attributes), packed,
				  limits);
}

/* What the fields mean in this batch. Sums wrap, as they do in Kafka: the fields may hold anything. */
static void record_fill(const struct batch_header *header, const struct record_fields *fields, struct record *ret_record)
{
	ret_record->offset = (int64_t)((uint64_t)header->base_offset + (uint64_t)fields->offset_delta);
	ret_record->timestamp = batch_is_append_time(header->attributes)
					? header->max_timestamp
					: (int64_t)((uint64_t)header->base_timestamp + (uint64_t)fields->timestamp_delta);
	ret_record->offset_delta = fields->offset_delta;
	ret_record->sequence = header->base_sequence < 0 ? BATCH_NO_SEQUENCE
							 : batch_sequence_add(header->base_sequence, fields->offset_delta);
	ret_record->attributes = fields->attributes;
	ret_record->key = fields->key;
	ret_record->value = fields->value;
	ret_record->n_headers = fields->n_headers;
	ret_record->headers = fields->headers;
}

int record_iter_next(struct record_iter *iter, struct record *ret_record)
{
	struct record_fields fields;
	const uint8_t *body;
	struct slice bytes;
	int rc;

	if (iter->n_left == 0) {
		rc = record_source_at_end(&iter->source);
		return rc < 0 ? rc : rc == 0 ? ERR_CORRUPT : 0;
	}
	rc = record_source_next(&iter->source, &bytes, &body);
	if (rc == 0)
		rc = record_fields_parse(body, bytes.data + bytes.len, &fields);
	if (rc != 0)
		return rc;
	record_fill(&iter->header, &fields, ret_record);
	ret_record->bytes = bytes;
	iter->n_left--;
	return 1;
}

void record_iter_fini(struct record_iter *iter)
{
	record_source_close(&iter->source);
}

bool record_header_next(struct slice *rest, struct record_header *ret_header)
{
	const uint8_t *end = rest->data + rest->len;
	const uint8_t *at;

	if (rest->len == 0)
		return false;
	at = record_read_bytes(rest->data, end, &ret_header->key);
	if (at)
		at = record_read_bytes(at, end, &ret_header->value);
	if (!at)
		return false;
	*rest = slice_of(at, (size_t)(end - at));
	return true;
}

bool record_control_parse(const struct record *record, int16_t *ret_type, int32_t *ret_coordinator_epoch)
{
	if (record->key.len < CONTROL_KEY_BYTES || record->value.len < CONTROL_VALUE_BYTES)
		return false;
	if (bytes_get_i16(record->key.data) < 0 || bytes_get_i16(record->value.data) < 0)
		return false;
	*ret_type = bytes_get_i16(record->key.data + 2);
	*ret_coordinator_epoch = bytes_get_i32(record->value.data + 2);
	return true;
}
