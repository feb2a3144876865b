/*
 * The produce checks; see batch_validate.h.
 *
 *   framing (one whole batch, version rules) -> size, checksum -> header -> every record -> segment size
 *
 * The order is Kafka's, so that bytes with several faults get the same answer. Refusals up to the checksum leave the log start
 * offset unknown in the answer, later ones tell it.
 */
#include "proto/record/batch_validate.h"

#include "common/bytes.h"
#include "common/check.h"
#include "common/error.h"
#include "proto/kafka_error.h"
#include "proto/record/batch_builder.h"
#include "proto/record/record_source.h"

/* Produce versions from which the records are format 2 only, and zstd may be used. Before the first one Kafka looks at neither. */
#define VERSION_ONLY_V2 3
#define VERSION_ZSTD 7

/* What one walk over the records finds. */
struct record_walk {
	const struct batch_rules *rules;
	const struct batch_header *header;
	struct batch_verdict *verdict;
	int64_t timestamp_min; /* within these no timestamp is refused; from the rules */
	int64_t timestamp_max;
	int64_t max_timestamp;
	int32_t max_timestamp_delta;
	bool offsets_differ;   /* an offset delta is not the record's number */
	bool has_bad_timestamp;
};

struct batch_rules batch_rules_default(int64_t now_ms)
{
	return (struct batch_rules){
		.produce_version = INT16_MAX,
		.now_ms = now_ms,
		.timestamp_before_max_ms = INT64_MAX,
		.timestamp_after_max_ms = INT64_MAX,
		.message_bytes_max = 1048588,
		.segment_bytes_max = (size_t)1 << 30,
		.codec = BATCH_KEEP_CODEC,
		.level = CODEC_LEVEL_DEFAULT,
	};
}

/* A refusal whose answer does not tell the log start offset. */
static int16_t refuse_early(struct batch_verdict *verdict, int code, const char *reason)
{
	verdict->reason = reason;
	verdict->has_log_start = false;
	return (int16_t)code;
}

static int16_t refuse(struct batch_verdict *verdict, int code, const char *reason)
{
	verdict->reason = reason;
	verdict->has_log_start = true;
	return (int16_t)code;
}

/* ---- framing ---- */

enum framing {
	FRAMING_NONE,   /* too few bytes for a batch */
	FRAMING_BROKEN, /* no batch at all */
	FRAMING_WHOLE,
};

/* What stands at the start of bytes, judged as Kafka's reader does: by length and magic alone. */
static enum framing frame_at(struct slice bytes, size_t *ret_size)
{
	int32_t length;
	int8_t magic;

	if (bytes.len < BATCH_LENGTH_END)
		return FRAMING_NONE;
	length = bytes_get_i32(bytes.data + BATCH_POS_LENGTH);
	if (length < BATCH_LEGACY_LENGTH_MIN)
		return FRAMING_BROKEN;
	if (bytes.len < BATCH_MAGIC_END)
		return FRAMING_NONE;
	magic = (int8_t)bytes.data[BATCH_POS_MAGIC];
	if (magic < 0 || magic > BATCH_MAGIC)
		return FRAMING_BROKEN;
	*ret_size = (size_t)length + BATCH_LENGTH_END;
	return *ret_size > bytes.len ? FRAMING_NONE : FRAMING_WHOLE;
}

static int16_t check_version(struct slice bytes, const struct batch_rules *rules, struct batch_verdict *verdict)
{
	bool legacy = bytes.data[BATCH_POS_MAGIC] < BATCH_MAGIC;

	if (legacy && rules->produce_version >= VERSION_ONLY_V2)
		return refuse_early(verdict, KAFKA_INVALID_RECORD, "Produce versions from 3 on carry record batches of format 2 only.");
	if (legacy)
		return refuse_early(verdict, KAFKA_UNSUPPORTED_FOR_MESSAGE_FORMAT,
				    "Messages of format 0 and 1 are not taken; use a client that writes record batches (format 2).");
	if (rules->produce_version >= VERSION_ONLY_V2 && rules->produce_version < VERSION_ZSTD &&
	    verdict->size > BATCH_POS_ATTRIBUTES + 1 &&
	    batch_codec(bytes_get_i16(bytes.data + BATCH_POS_ATTRIBUTES)) == CODEC_ZSTD)
		return refuse_early(verdict, KAFKA_UNSUPPORTED_COMPRESSION_TYPE, "Zstd needs Produce version 7 or above.");
	return 0;
}

/* Exactly one batch, of a format that the version allows; what is too short to be another one is dropped. */
static int16_t check_framing(struct slice bytes, const struct batch_rules *rules, struct batch_verdict *verdict)
{
	size_t surplus_size;
	int16_t code;

	switch (frame_at(bytes, &verdict->size)) {
	case FRAMING_NONE:
		return refuse_early(verdict, KAFKA_INVALID_RECORD, "The records hold no whole batch.");
	case FRAMING_BROKEN:
		return refuse_early(verdict, KAFKA_CORRUPT_MESSAGE, "The length or the format of the batch is not valid.");
	case FRAMING_WHOLE:
		break;
	}
	code = check_version(bytes, rules, verdict);
	if (code != 0)
		return code;
	switch (frame_at(slice_of(bytes.data + verdict->size, bytes.len - verdict->size), &surplus_size)) {
	case FRAMING_NONE:
		return 0;
	case FRAMING_BROKEN:
		return refuse_early(verdict, KAFKA_CORRUPT_MESSAGE, "What follows the batch is none.");
	case FRAMING_WHOLE:
		break;
	}
	code = refuse_early(verdict, KAFKA_INVALID_RECORD, "The records of a partition must be exactly one batch.");
	verdict->has_log_start = rules->produce_version < VERSION_ONLY_V2;
	return code;
}

/* ---- the header ---- */

static int16_t check_size_and_crc(struct slice batch, const struct batch_rules *rules, struct batch_verdict *verdict)
{
	if (bytes_get_i64(batch.data + BATCH_POS_BASE_OFFSET) != 0)
		return refuse(verdict, KAFKA_INVALID_RECORD, "The base offset of a batch from a client must be 0.");
	if (batch.len > rules->message_bytes_max)
		return refuse_early(verdict, KAFKA_MESSAGE_TOO_LARGE, "The batch is larger than max.message.bytes.");
	if (batch_header_parse(batch, &verdict->header) != 0)
		return refuse_early(verdict, KAFKA_CORRUPT_MESSAGE, "The batch is smaller than its header.");
	if (!batch_crc_ok(batch))
		return refuse_early(verdict, KAFKA_CORRUPT_MESSAGE, "The checksum of the batch does not match its bytes.");
	return 0;
}

static int16_t check_header(const struct batch_header *header, struct batch_verdict *verdict)
{
	if (batch_codec(header->attributes) >= N_CODECS)
		return refuse(verdict, KAFKA_UNKNOWN_SERVER_ERROR, "The codec of the batch is unknown.");
	if (header->last_offset_delta < 0)
		return refuse(verdict, KAFKA_INVALID_RECORD, "The last offset delta of the batch is negative.");
	if (header->n_records <= 0)
		return refuse(verdict, KAFKA_INVALID_RECORD, "The batch counts no records.");
	if ((int64_t)header->last_offset_delta + 1 != header->n_records)
		return refuse(verdict, KAFKA_INVALID_RECORD, "The number of records and the last offset delta of the batch differ.");
	if (batch_is_control(header->attributes))
		return refuse(verdict, KAFKA_INVALID_RECORD, "Clients may not write control records.");
	if (batch_has_producer(header) && header->base_sequence < 0)
		return refuse(verdict, KAFKA_INVALID_RECORD, "The batch has a producer id, but no sequence.");
	return 0;
}

/* ---- the records ---- */

static void record_error_add(struct record_walk *walk, int32_t index, int32_t offset_delta, enum batch_record_fault fault,
			     int64_t timestamp)
{
	struct batch_verdict *verdict = walk->verdict;

	if (verdict->n_record_errors < BATCH_RECORD_ERRORS_MAX)
		verdict->record_errors[verdict->n_record_errors] =
			(struct batch_record_error){index, offset_delta, fault, timestamp};
	verdict->n_record_errors++;
	walk->has_bad_timestamp |= fault != BATCH_RECORD_WITHOUT_KEY;
}

/* The rules for one record of a topic; one fault a record is told. */
static void record_judge(struct record_walk *walk, int32_t index, const struct record_fields *fields, int64_t timestamp)
{
	if (walk->rules->compacted && slice_is_null(fields->key))
		record_error_add(walk, index, fields->offset_delta, BATCH_RECORD_WITHOUT_KEY, timestamp);
	else if (!walk->rules->append_time && timestamp != BATCH_NO_TIMESTAMP &&
		 (timestamp < walk->timestamp_min || timestamp > walk->timestamp_max))
		record_error_add(walk, index, fields->offset_delta, BATCH_RECORD_TIMESTAMP_OUT_OF_RANGE, timestamp);
	else if ((walk->rules->append_time || timestamp == BATCH_NO_TIMESTAMP) && batch_is_append_time(walk->header->attributes))
		record_error_add(walk, index, fields->offset_delta, BATCH_RECORD_APPEND_TIME, timestamp);
}

/*
 * Every record of the batch: that it is whole, and what its fields mean for the topic. This is the hot loop of produce. 0 or an
 * error of record_source_next.
 */
static int walk_records(struct record_walk *walk, struct record_source *source)
{
	const struct batch_header *header = walk->header;
	bool append_time = batch_is_append_time(header->attributes);
	bool needs_judge = walk->rules->compacted || walk->rules->append_time || append_time || walk->timestamp_min != INT64_MIN ||
			   walk->timestamp_max != INT64_MAX;

	for (int32_t i = 0; i < header->n_records; i++) {
		struct record_fields fields;
		struct slice record;
		const uint8_t *body;
		int64_t timestamp;
		int rc = record_source_next(source, &record, &body);

		if (rc == 0)
			rc = record_fields_parse(body, record.data + record.len, &fields);
		else if (rc == RECORD_TO_SKIM)
			rc = record_source_skim(source, &fields);
		if (rc != 0)
			return rc;
		timestamp = append_time ? header->max_timestamp
					: (int64_t)((uint64_t)header->base_timestamp + (uint64_t)fields.timestamp_delta);
		walk->offsets_differ |= fields.offset_delta != i;
		if (timestamp > walk->max_timestamp) {
			walk->max_timestamp = timestamp;
			walk->max_timestamp_delta = i;
		}
		if (needs_judge)
			record_judge(walk, i, &fields, timestamp);
	}
	return 0;
}

/* What damage in the records is called. Kafka tells apart what its decompressors throw and what its record reader does. */
static int16_t refuse_damage(struct batch_verdict *verdict, int rc, bool by_codec)
{
	verdict->n_record_errors = 0;
	if (rc == ERR_TOO_LARGE)
		return refuse_early(verdict, KAFKA_MESSAGE_TOO_LARGE, "The records unpack to more than this broker takes.");
	if (rc == ERR_LIMIT)
		return refuse(verdict, KAFKA_INVALID_RECORD, "The records unpack to more than 100 times their size.");
	if (by_codec)
		return refuse(verdict, KAFKA_UNKNOWN_SERVER_ERROR, "The records cannot be unpacked.");
	return refuse(verdict, KAFKA_INVALID_RECORD, "The records are damaged, or not as many as the batch counts.");
}

static int16_t refuse_records(struct record_walk *walk)
{
	if (walk->has_bad_timestamp)
		return refuse(walk->verdict, KAFKA_INVALID_TIMESTAMP,
			      "One or more records have been rejected due to invalid timestamp");
	return refuse(walk->verdict, KAFKA_INVALID_RECORD, "One or more records have no key, which a compacted topic needs.");
}

/* Sets the bounds that a timestamp must keep; the configured maximum means none. */
static void walk_init(struct record_walk *walk, const struct batch_rules *rules, struct batch_verdict *verdict)
{
	int64_t before = rules->timestamp_before_max_ms, after = rules->timestamp_after_max_ms;

	*walk = (struct record_walk){
		.rules = rules,
		.header = &verdict->header,
		.verdict = verdict,
		.timestamp_min = before == INT64_MAX ? INT64_MIN : rules->now_ms - before,
		.timestamp_max = after > INT64_MAX - rules->now_ms ? INT64_MAX : rules->now_ms + after,
		.max_timestamp = BATCH_NO_TIMESTAMP,
	};
}

/* The client's limits, or the tighter one of a caller who cannot wait; *ret_heavy tells which one ERR_TOO_LARGE means then. */
static struct codec_limits walk_limits(const struct batch_rules *rules, bool *ret_heavy)
{
	struct codec_limits limits = codec_limits_for_client(rules->message_bytes_max);

	*ret_heavy = rules->unpack_bytes_max > 0 && rules->unpack_bytes_max < limits.bytes_max;
	if (*ret_heavy)
		limits.bytes_max = rules->unpack_bytes_max;
	return limits;
}

static int16_t check_records(struct slice batch, struct record_walk *walk, struct codec_context *codecs)
{
	bool heavy;
	struct codec_limits limits = walk_limits(walk->rules, &heavy);
	int codec = batch_codec(walk->header->attributes);
	struct record_source source;
	int rc = record_source_open(&source, codecs, codec, slice_of(batch.data + BATCH_HEADER_BYTES, batch.len - BATCH_HEADER_BYTES),
				    &limits);

	if (rc == 0) {
		source.skims = true;
		rc = walk_records(walk, &source);
		if (rc == 0) {
			rc = record_source_at_end(&source);
			rc = rc == 0 ? ERR_CORRUPT : rc == 1 ? 0 : rc;
		}
		record_source_close(&source);
	}
	if (rc == ERR_TOO_LARGE && heavy)
		return refuse(walk->verdict, BATCH_HEAVY, "The records unpack to more than may be looked at here.");
	if (rc != 0)
		return refuse_damage(walk->verdict, rc, source.codec_error != 0);
	if (walk->verdict->n_record_errors > 0)
		return refuse_records(walk);
	return 0;
}

/* ---- the verdict ---- */

/* Packed records are stored as they came, so their offsets must be right; others are found by counting. */
static int16_t check_offsets(const struct record_walk *walk, struct batch_verdict *verdict)
{
	if (walk->offsets_differ && verdict->codec != CODEC_NONE && !verdict->repack)
		return refuse(verdict, KAFKA_UNKNOWN_SERVER_ERROR, "The offsets of the packed records do not count up from 0.");
	return 0;
}

static void verdict_conclude(struct batch_verdict *verdict, const struct record_walk *walk)
{
	const struct batch_header *header = &verdict->header;
	const struct batch_rules *rules = walk->rules;
	int attributes = header->attributes & BATCH_CLIENT_ATTRIBUTES & ~BATCH_APPEND_TIME;

	verdict->attributes = (int16_t)(rules->append_time ? attributes | BATCH_APPEND_TIME : attributes);
	verdict->max_timestamp = rules->append_time ? rules->now_ms : walk->max_timestamp;
	verdict->max_timestamp_delta = rules->append_time ? header->last_offset_delta : walk->max_timestamp_delta;
	verdict->transactional = batch_is_transactional(header->attributes);
	verdict->rewrite = verdict->attributes != header->attributes || verdict->max_timestamp != header->max_timestamp;
}

int16_t batch_validate(struct slice bytes, const struct batch_rules *rules, struct codec_context *codecs,
		       struct batch_verdict *ret_verdict)
{
	struct batch_verdict *verdict = ret_verdict;
	struct record_walk walk;
	struct slice batch;
	int16_t code;

	verdict->empty = verdict->rewrite = verdict->repack = verdict->transactional = false;
	verdict->n_record_errors = 0;
	verdict->size = 0;
	if (bytes.data && bytes.len == 0 && rules->produce_version < VERSION_ONLY_V2) {
		verdict->empty = true;
		return 0;
	}
	code = check_framing(bytes, rules, verdict);
	if (code != 0)
		return code;
	batch = slice_of(bytes.data, verdict->size);
	code = check_size_and_crc(batch, rules, verdict);
	if (code == 0)
		code = check_header(&verdict->header, verdict);
	if (code != 0)
		return code;
	verdict->codec = (enum codec)batch_codec(verdict->header.attributes);
	verdict->repack = rules->codec != BATCH_KEEP_CODEC && rules->codec != (int)verdict->codec;
	walk_init(&walk, rules, verdict);
	code = check_records(batch, &walk, codecs);
	if (code == 0)
		code = check_offsets(&walk, verdict);
	if (code != 0)
		return code;
	verdict_conclude(verdict, &walk);
	/* A batch that is packed anew has another size. */
	if (!verdict->repack && batch.len > rules->segment_bytes_max)
		return refuse_early(verdict, KAFKA_RECORD_LIST_TOO_LARGE, "The batch is larger than segment.bytes.");
	return 0;
}

int16_t batch_validate_repack(struct slice bytes, const struct batch_rules *rules, struct codec_context *codecs,
			      struct batch_verdict *verdict, struct buf **ret_batch)
{
	struct batch_spec spec = batch_spec_like(&verdict->header);
	struct codec_limits limits = codec_limits_for_client(rules->message_bytes_max);
	struct buf *packed;

	CHECK(verdict->repack);
	spec.codec = (enum codec)rules->codec;
	spec.level = rules->level;
	spec.append_time = rules->append_time;
	spec.append_time_ms = rules->now_ms;
	spec.has_delete_horizon = false;
	/* The walk before went well, so this one does. */
	CHECK(batch_repack(codecs, slice_of(bytes.data, verdict->size), &spec, &limits, &packed) == 0);
	if (packed->len > rules->message_bytes_max || packed->len > rules->segment_bytes_max) {
		bool message = packed->len > rules->message_bytes_max;

		buf_release(packed);
		return message ? refuse_early(verdict, KAFKA_MESSAGE_TOO_LARGE, "The batch is larger than max.message.bytes.")
			       : refuse_early(verdict, KAFKA_RECORD_LIST_TOO_LARGE, "The batch is larger than segment.bytes.");
	}
	verdict->size = packed->len;
	verdict->rewrite = false;
	verdict->repack = false;
	verdict->attributes = bytes_get_i16(packed->data + BATCH_POS_ATTRIBUTES);
	*ret_batch = packed;
	return 0;
}
