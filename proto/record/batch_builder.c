/* Making batches; see batch_builder.h. */
#include "proto/record/batch_builder.h"

#include "common/bytes.h"
#include "common/check.h"
#include "common/error.h"
#include "proto/record/varint.h"

#define BUILDER_BYTES_FIRST 512

/* Lengths and deltas of a record without its bytes: length, attributes, timestamp, offset, key, value and header lengths. */
#define RECORD_OVERHEAD_MAX (5 * VARINT_BYTES_MAX + VARLONG_BYTES_MAX + 1)

struct batch_spec batch_spec_default(void)
{
	return (struct batch_spec){
		.leader_epoch = -1,
		.level = CODEC_LEVEL_DEFAULT,
		.append_time_ms = BATCH_NO_TIMESTAMP,
		.producer_id = BATCH_NO_PRODUCER_ID,
		.producer_epoch = -1,
		.base_sequence = BATCH_NO_SEQUENCE,
		.last_offset_delta = -1,
	};
}

struct batch_spec batch_spec_like(const struct batch_header *header)
{
	return (struct batch_spec){
		.base_offset = header->base_offset,
		.leader_epoch = header->leader_epoch,
		.codec = batch_codec(header->attributes) < N_CODECS ? (enum codec)batch_codec(header->attributes) : CODEC_NONE,
		.level = CODEC_LEVEL_DEFAULT,
		.append_time = batch_is_append_time(header->attributes),
		.append_time_ms = header->max_timestamp,
		.transactional = batch_is_transactional(header->attributes),
		.control = batch_is_control(header->attributes),
		.has_delete_horizon = batch_has_delete_horizon(header->attributes),
		.delete_horizon_ms = header->base_timestamp,
		.producer_id = header->producer_id,
		.producer_epoch = header->producer_epoch,
		.base_sequence = header->base_sequence,
		.last_offset_delta = header->last_offset_delta,
	};
}

void batch_builder_init(struct batch_builder *builder, const struct batch_spec *spec)
{
	*builder = (struct batch_builder){
		.spec = *spec,
		.buf = buf_new(BUILDER_BYTES_FIRST),
		.base_timestamp = spec->has_delete_horizon ? spec->delete_horizon_ms : BATCH_NO_TIMESTAMP,
		.max_timestamp = BATCH_NO_TIMESTAMP,
		.last_offset_delta = -1,
	};
	builder->buf->len = BATCH_HEADER_BYTES;
}

void batch_builder_fini(struct batch_builder *builder)
{
	buf_release(builder->buf);
	builder->buf = NULL;
}

size_t batch_builder_size(const struct batch_builder *builder)
{
	return builder->buf->len;
}

static uint8_t *builder_room(struct batch_builder *builder, size_t len)
{
	struct buf *buf = builder->buf;

	if (buf->cap - buf->len < len)
		buf_reserve(buf, buf->cap * 2 + len);
	return buf->data + buf->len;
}

static size_t bytes_field_size(struct slice bytes)
{
	return slice_is_null(bytes) ? varint_size(-1) : varint_size((int64_t)bytes.len) + bytes.len;
}

static uint8_t *bytes_field_write(uint8_t *at, struct slice bytes)
{
	if (slice_is_null(bytes))
		return varint_write(at, -1);
	at = varint_write(at, (int64_t)bytes.len);
	if (bytes.len > 0)
		memcpy(at, bytes.data, bytes.len);
	return at + bytes.len;
}

/* The place of the record in the batch: base and largest timestamp, last offset. Returns the timestamp delta. */
static int64_t builder_count(struct batch_builder *builder, int32_t offset_delta, int64_t timestamp)
{
	CHECK(offset_delta > builder->last_offset_delta);
	if (builder->n_records == 0 && !builder->spec.has_delete_horizon)
		builder->base_timestamp = timestamp;
	if (timestamp > builder->max_timestamp)
		builder->max_timestamp = timestamp;
	builder->last_offset_delta = offset_delta;
	builder->n_records++;
	return (int64_t)((uint64_t)timestamp - (uint64_t)builder->base_timestamp);
}

void batch_builder_add_record(struct batch_builder *builder, int32_t offset_delta, const struct record *record)
{
	int64_t timestamp_delta = builder_count(builder, offset_delta, record->timestamp);
	size_t body = 1 + varint_size(timestamp_delta) + varint_size(offset_delta) + bytes_field_size(record->key) +
		      bytes_field_size(record->value) + varint_size(record->n_headers) + record->headers.len;
	uint8_t *at = builder_room(builder, RECORD_OVERHEAD_MAX + record->key.len + record->value.len + record->headers.len);

	CHECK(body <= INT32_MAX);
	at = varint_write(at, (int64_t)body);
	*at++ = (uint8_t)record->attributes;
	at = varint_write(at, timestamp_delta);
	at = varint_write(at, offset_delta);
	at = bytes_field_write(at, record->key);
	at = bytes_field_write(at, record->value);
	at = varint_write(at, record->n_headers);
	if (record->headers.len > 0)
		memcpy(at, record->headers.data, record->headers.len);
	builder->buf->len = (size_t)(at - builder->buf->data) + record->headers.len;
}

void batch_builder_add(struct batch_builder *builder, int64_t timestamp, struct slice key, struct slice value,
		       const struct record_header *headers, int32_t n_headers)
{
	struct record record = {.timestamp = timestamp, .key = key, .value = value, .n_headers = n_headers};
	struct buf *packed = NULL;

	if (n_headers > 0) {
		size_t len = 0;
		uint8_t *at;

		for (int32_t i = 0; i < n_headers; i++)
			len += bytes_field_size(headers[i].key) + bytes_field_size(headers[i].value);
		packed = buf_new(len);
		at = packed->data;
		for (int32_t i = 0; i < n_headers; i++)
			at = bytes_field_write(bytes_field_write(at, headers[i].key), headers[i].value);
		record.headers = slice_of(packed->data, len);
	}
	batch_builder_add_record(builder, builder->last_offset_delta + 1, &record);
	buf_release(packed);
}

static int16_t spec_attributes(const struct batch_spec *spec)
{
	int attributes = (int)spec->codec;

	if (spec->append_time)
		attributes |= BATCH_APPEND_TIME;
	if (spec->transactional)
		attributes |= BATCH_TRANSACTIONAL;
	if (spec->control)
		attributes |= BATCH_CONTROL;
	if (spec->has_delete_horizon)
		attributes |= BATCH_DELETE_HORIZON;
	return (int16_t)attributes;
}

/* A batch without records keeps the max timestamp that the spec tells; see batch_spec_like. */
static int64_t builder_max_timestamp(const struct batch_builder *builder)
{
	return builder->spec.append_time || builder->n_records == 0 ? builder->spec.append_time_ms : builder->max_timestamp;
}

static void builder_write_header(struct batch_builder *builder)
{
	const struct batch_spec *spec = &builder->spec;
	uint8_t *at = builder->buf->data;

	batch_stamp(at, spec->base_offset, spec->leader_epoch);
	bytes_put_u32(at + BATCH_POS_LENGTH, (uint32_t)(builder->buf->len - BATCH_LENGTH_END));
	at[BATCH_POS_MAGIC] = BATCH_MAGIC;
	bytes_put_i16(at + BATCH_POS_ATTRIBUTES, spec_attributes(spec));
	bytes_put_i32(at + BATCH_POS_LAST_OFFSET_DELTA,
		      spec->last_offset_delta < 0 ? builder->last_offset_delta : spec->last_offset_delta);
	bytes_put_i64(at + BATCH_POS_BASE_TIMESTAMP, builder->base_timestamp);
	bytes_put_i64(at + BATCH_POS_MAX_TIMESTAMP, builder_max_timestamp(builder));
	bytes_put_i64(at + BATCH_POS_PRODUCER_ID, spec->producer_id);
	bytes_put_i16(at + BATCH_POS_PRODUCER_EPOCH, spec->producer_epoch);
	bytes_put_i32(at + BATCH_POS_BASE_SEQUENCE, spec->base_sequence);
	bytes_put_i32(at + BATCH_POS_N_RECORDS, builder->n_records);
	batch_set_crc(at, builder->buf->len);
}

/* Puts the packed records in the place of the plain ones. */
static void builder_pack(struct batch_builder *builder, struct codec_context *codecs)
{
	struct buf *plain = builder->buf;
	struct buf *packed = buf_new(BATCH_HEADER_BYTES + plain->len / 2);

	packed->len = BATCH_HEADER_BYTES;
	codec_compress(codecs, builder->spec.codec, builder->spec.level,
		       slice_of(plain->data + BATCH_HEADER_BYTES, plain->len - BATCH_HEADER_BYTES), packed);
	builder->buf = packed;
	buf_release(plain);
}

struct slice batch_builder_finish(struct batch_builder *builder, struct codec_context *codecs)
{
	if (builder->spec.codec != CODEC_NONE && builder->n_records > 0)
		builder_pack(builder, codecs);
	builder_write_header(builder);
	return buf_slice(builder->buf);
}

struct buf *batch_builder_take(struct batch_builder *builder)
{
	struct buf *buf = builder->buf;

	builder->buf = NULL;
	return buf;
}

struct buf *batch_build_marker(enum control_type type, int32_t coordinator_epoch, int64_t producer_id, int16_t producer_epoch,
			       int64_t timestamp)
{
	struct batch_spec spec = batch_spec_default();
	struct batch_builder builder;
	uint8_t key[4], value[6];

	bytes_put_i16(key, 0);
	bytes_put_i16(key + 2, (int16_t)type);
	bytes_put_i16(value, 0);
	bytes_put_i32(value + 2, coordinator_epoch);
	spec.transactional = spec.control = true;
	spec.producer_id = producer_id;
	spec.producer_epoch = producer_epoch;
	batch_builder_init(&builder, &spec);
	batch_builder_add(&builder, timestamp, slice_of(key, sizeof key), slice_of(value, sizeof value), NULL, 0);
	batch_builder_finish(&builder, NULL);
	return batch_builder_take(&builder);
}

/* Adds the records of the iterator with offsets that count up; 0 or as record_iter_next. */
static int builder_copy(struct batch_builder *builder, struct record_iter *iter)
{
	struct record record;
	int rc;

	while ((rc = record_iter_next(iter, &record)) == 1)
		batch_builder_add_record(builder, builder->last_offset_delta + 1, &record);
	return rc;
}

int batch_repack(struct codec_context *codecs, struct slice batch, const struct batch_spec *spec, const struct codec_limits *limits,
		 struct buf **ret_batch)
{
	struct batch_builder builder;
	struct record_iter iter;
	int rc = record_iter_init(&iter, codecs, batch, limits);

	if (rc != 0)
		return rc;
	batch_builder_init(&builder, spec);
	rc = builder_copy(&builder, &iter);
	record_iter_fini(&iter);
	if (rc == 0) {
		batch_builder_finish(&builder, codecs);
		*ret_batch = batch_builder_take(&builder);
	}
	batch_builder_fini(&builder);
	return rc;
}
