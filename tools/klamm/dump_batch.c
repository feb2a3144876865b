/* Dumps of log files: one line a batch, with deep one for each of its records; see dump.h. */
#include "common/buf.h"
#include "common/error.h"
#include "tools/klamm/dump.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

bool batch_walk_open(struct batch_walk *walk, const char *path)
{
	struct stat stat;

	*walk = (struct batch_walk){.fd = open(path, O_RDONLY | O_CLOEXEC)};
	if (walk->fd < 0)
		return false;
	walk->size = fstat(walk->fd, &stat) == 0 ? stat.st_size : 0;
	return true;
}

void batch_walk_close(struct batch_walk *walk)
{
	close(walk->fd);
}

/* The fields that a message of format 0 or 1 has. */
static bool legacy_take(struct slice head, struct batch_header *header)
{
	struct batch_legacy legacy;

	if (batch_legacy_parse(head, &legacy) != 0)
		return false;
	*header = (struct batch_header){.base_offset = legacy.offset,
					.size = legacy.size,
					.max_timestamp = legacy.timestamp,
					.attributes = (int16_t)legacy.codec,
					.n_records = -1};
	return true;
}

bool batch_walk_seek(struct batch_walk *walk, int64_t pos)
{
	uint8_t head[BATCH_HEADER_BYTES];
	ssize_t n = pos < walk->size ? pread(walk->fd, head, sizeof head, pos) : 0;
	struct slice bytes = slice_of(head, n > 0 ? (size_t)n : 0);

	walk->pos = pos;
	walk->valid = batch_header_parse(bytes, &walk->header) == 0 || legacy_take(bytes, &walk->header);
	if (walk->valid && (int64_t)walk->header.size > walk->size - pos)
		walk->valid = false;
	return walk->valid;
}

const char *dump_timestamp_type(int16_t attributes)
{
	return batch_is_append_time(attributes) ? "LogAppendTime" : "CreateTime";
}

static const char *flag(bool value)
{
	return value ? "true" : "false";
}

static void batch_line(struct dump *dump, const struct batch_header *header, int64_t pos, bool is_valid)
{
	FILE *out = dump->out;

	fprintf(out,
		"baseOffset: %lld lastOffset: %lld count: %d baseSequence: %d lastSequence: %d producerId: %lld producerEpoch: "
		"%d",
		(long long)header->base_offset, (long long)batch_last_offset(header), header->n_records, header->base_sequence,
		batch_last_sequence(header), (long long)header->producer_id, header->producer_epoch);
	fprintf(out, " partitionLeaderEpoch: %d isTransactional: %s isControl: %s deleteHorizonMs: ", header->leader_epoch,
		flag(batch_is_transactional(header->attributes)), flag(batch_is_control(header->attributes)));
	if (batch_has_delete_horizon(header->attributes))
		fprintf(out, "OptionalLong[%lld]", (long long)header->base_timestamp);
	else
		fputs("OptionalLong.empty", out);
	fprintf(out, " position: %lld %s: %lld size: %zu magic: %d compresscodec: %s crc: %u isvalid: %s\n", (long long)pos,
		dump_timestamp_type(header->attributes), (long long)header->max_timestamp, header->size, BATCH_MAGIC,
		codec_name(batch_codec(header->attributes)), header->crc, flag(is_valid));
}

static json_t *batch_json(const struct batch_header *header, int64_t pos, bool is_valid)
{
	json_t *object = json_pack("{s:I, s:I, s:i, s:I, s:i, s:i, s:i, s:i, s:i}", "base_offset",
				   (json_int_t)header->base_offset, "last_offset", (json_int_t)batch_last_offset(header),
				   "count", header->n_records, "producer_id", (json_int_t)header->producer_id, "producer_epoch",
				   (int)header->producer_epoch, "base_sequence", header->base_sequence, "last_sequence",
				   batch_last_sequence(header), "leader_epoch", header->leader_epoch, "magic", BATCH_MAGIC);
	json_t *more = json_pack(
		"{s:b, s:b, s:I, s:I, s:s, s:I, s:I, s:s, s:I, s:b}", "transactional",
		batch_is_transactional(header->attributes), "control", batch_is_control(header->attributes), "position",
		(json_int_t)pos, "size", (json_int_t)header->size, "timestamp_type", dump_timestamp_type(header->attributes),
		"base_timestamp", (json_int_t)header->base_timestamp, "max_timestamp", (json_int_t)header->max_timestamp,
		"codec", codec_name(batch_codec(header->attributes)), "crc", (json_int_t)header->crc, "valid", is_valid);

	json_object_update(object, more);
	json_decref(more);
	if (batch_has_delete_horizon(header->attributes))
		json_object_set_new(object, "delete_horizon_ms", json_integer(header->base_timestamp));
	return object;
}

struct log_dump {
	struct dump *dump;
	const char *path;
	struct batch_walk walk;
	struct buf *buf;
	int64_t last_offset; /* of the last record; -1 before the first */
};

/* Offsets that are not followed by the next one: worth a word, but no problem, since a compacted log is full of them. */
static void offset_note(struct log_dump *log, int64_t offset)
{
	struct dump *dump = log->dump;

	if (log->last_offset >= 0 && offset != log->last_offset + 1) {
		if (dump->gap_path != log->path)
			fprintf(dump->problems, "Non-consecutive offsets in %s\n", log->path);
		dump->gap_path = log->path;
		fprintf(dump->problems, "  %lld is followed by %lld\n", (long long)log->last_offset, (long long)offset);
	}
	log->last_offset = offset;
}

static void records_dump(struct log_dump *log, struct slice batch, json_t *list)
{
	struct codec_limits limits = codec_limits_for_log();
	struct record_iter iter;
	struct record record;
	int r = record_iter_init(&iter, log->dump->codecs, batch, &limits);

	if (r == 0) {
		while ((r = record_iter_next(&iter, &record)) == 1) {
			offset_note(log, record.offset);
			dump_record(log->dump, &log->walk.header, &record, list);
		}
		record_iter_fini(&iter);
	}
	if (r < 0)
		dump_problem(log->dump, "%s: the records of the batch at position %lld cannot be read: %s\n", log->path,
			     (long long)log->walk.pos, error_text(r));
}

static void batch_dump(struct log_dump *log, struct slice batch)
{
	const struct batch_header *header = &log->walk.header;
	bool is_valid = batch_crc_ok(batch);
	json_t *object, *list = NULL;

	if (!is_valid)
		dump_problem(log->dump, "%s: the batch at position %lld is damaged: its checksum is wrong\n", log->path,
			     (long long)log->walk.pos);
	if (!log->dump->json) {
		batch_line(log->dump, header, log->walk.pos, is_valid);
		if (log->dump->deep)
			records_dump(log, batch, NULL);
		return;
	}
	object = batch_json(header, log->walk.pos, is_valid);
	if (log->dump->deep) {
		list = json_array();
		records_dump(log, batch, list);
		json_object_set_new(object, "records", list);
	}
	dump_json(log->dump, object);
}

/* Messages of the formats before batches: the line of each, not what is packed into it. Their attributes follow the magic byte.
 */
static void legacy_dump(struct log_dump *log, struct slice message)
{
	const struct batch_header *header = &log->walk.header;
	int magic = message.data[BATCH_POS_MAGIC];
	bool is_valid = batch_legacy_crc_ok(message);

	if (log->dump->json) {
		dump_json(log->dump,
			  json_pack("{s:I, s:I, s:I, s:i, s:I, s:s, s:b}", "last_offset", (json_int_t)header->base_offset,
				    "position", (json_int_t)log->walk.pos, "max_timestamp", (json_int_t)header->max_timestamp,
				    "magic", magic, "size", (json_int_t)header->size, "codec", codec_name(header->attributes),
				    "valid", is_valid));
		return;
	}
	fprintf(log->dump->out,
		"offset: %lld position: %lld %s: %lld size: %zu magic: %d compresscodec: %s crc: %u isvalid: %s\n",
		(long long)header->base_offset, (long long)log->walk.pos,
		magic == 0 ? "NoTimestampType" : dump_timestamp_type(bytes_get_i16(message.data + BATCH_POS_MAGIC)),
		(long long)header->max_timestamp, header->size, magic, codec_name(header->attributes),
		bytes_get_u32(message.data + 12), flag(is_valid));
}

/* Reads the current batch whole and dumps it. False when the file ends meanwhile. */
static bool current_dump(struct log_dump *log)
{
	size_t size = log->walk.header.size;

	buf_reserve(log->buf, size);
	if (pread(log->walk.fd, log->buf->data, size, log->walk.pos) != (ssize_t)size)
		return false;
	log->buf->len = size;
	if (log->buf->data[BATCH_POS_MAGIC] == BATCH_MAGIC)
		batch_dump(log, slice_of(log->buf->data, size));
	else
		legacy_dump(log, slice_of(log->buf->data, size));
	return true;
}

static void walk_dump(struct log_dump *log)
{
	struct dump *dump = log->dump;
	int64_t end = dump->bytes_max < log->walk.size ? dump->bytes_max : log->walk.size, left;

	for (batch_walk_seek(&log->walk, 0); log->walk.valid && log->walk.pos + (int64_t)log->walk.header.size <= end;
	     batch_walk_next(&log->walk))
		if (!current_dump(log))
			break;
	left = log->walk.size - log->walk.pos;
	if (left > 0 && !log->walk.valid)
		dump_problem(dump, "Found %lld invalid bytes at the end of %s\n", (long long)left, log->path);
}

void dump_log_file(struct dump *dump, const char *path)
{
	struct log_dump log = {.dump = dump, .path = path, .last_offset = -1};

	if (!dump->json)
		fprintf(dump->out, "Log starting offset: %lld\n", (long long)dump_base_offset(path));
	if (!batch_walk_open(&log.walk, path)) {
		dump_problem(dump, "%s cannot be read\n", path);
		return;
	}
	log.buf = buf_new(1 << 16);
	walk_dump(&log);
	buf_release(log.buf);
	batch_walk_close(&log.walk);
}
