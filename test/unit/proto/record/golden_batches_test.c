/* The batches that Kafka made (test/golden/batches): we read in them what Kafka reads, and make the same bytes. */
#include "test/lib/unit.h"

#include "common/error.h"
#include "common/memory.h"
#include "proto/record/batch_builder.h"
#include "proto/record/record_iter.h"

#include <jansson.h>
#include <openssl/evp.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

static struct buf *read_file(const char *dir, const char *name, const char *end)
{
	struct buf *buf = buf_new(1 << 20);
	char path[512];
	FILE *file;

	snprintf(path, sizeof path, "%s/%s%s", dir, name, end);
	file = fopen(path, "rb");
	ck_assert_msg(file != NULL, "%s", path);
	buf->len = fread(buf->data, 1, buf->cap, file);
	ck_assert(feof(file));
	fclose(file);
	return buf;
}

static int64_t number(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	ck_assert_msg(json_is_integer(value), "%s", key);
	return json_integer_value(value);
}

static void check_base64(struct slice bytes, const char *text)
{
	unsigned char *plain = memory_alloc(strlen(text) + 1);
	int len = EVP_DecodeBlock(plain, (const unsigned char *)text, (int)strlen(text));

	for (const char *pad = strchr(text, '='); pad && *pad; pad++)
		len--;
	ck_assert_int_eq((int)bytes.len, len);
	ck_assert(len == 0 || memcmp(bytes.data, plain, bytes.len) == 0);
	free(plain);
}

/* A value of the golden file: null, base64, or bytes of a small generator (see test/golden/README.md). */
static void check_bytes(struct slice bytes, const json_t *want)
{
	uint32_t x;

	ck_assert_int_eq(slice_is_null(bytes), json_is_null(want));
	if (json_is_string(want))
		check_base64(bytes, json_string_value(want));
	if (!json_is_object(want))
		return;
	x = (uint32_t)number(want, "seed");
	ck_assert_int_eq((int64_t)bytes.len, number(want, "size"));
	for (size_t i = 0; i < bytes.len; i++) {
		x = x * 1664525 + 1013904223;
		ck_assert_uint_eq(bytes.data[i], x >> 24);
	}
}

static void check_headers(const struct record *record, const json_t *want)
{
	struct slice rest = record->headers;
	struct record_header header;
	size_t i = 0;

	while (record_header_next(&rest, &header)) {
		const json_t *pair = json_array_get(want, i++);

		ck_assert(slice_is_text(header.key, json_string_value(json_object_get(pair, "name"))));
		check_bytes(header.value, json_object_get(pair, "value"));
	}
	ck_assert_uint_eq(i, json_array_size(want));
	ck_assert_int_eq(record->n_headers, (int)i);
}

static void check_record(const struct record *record, const json_t *want)
{
	ck_assert_int_eq(record->offset, number(want, "offset"));
	ck_assert_int_eq(record->timestamp, number(want, "timestamp"));
	ck_assert_int_eq(record->sequence, number(want, "sequence"));
	check_bytes(record->key, json_object_get(want, "key"));
	check_bytes(record->value, json_object_get(want, "value"));
	check_headers(record, json_object_get(want, "headers"));
}

static void check_header(const struct batch_header *header, const json_t *want)
{
	bool append_time = strcmp(json_string_value(json_object_get(want, "timestamp_type")), "LogAppendTime") == 0;

	ck_assert_int_eq(header->base_offset, number(want, "base_offset"));
	ck_assert_int_eq(batch_last_offset(header), number(want, "last_offset"));
	ck_assert_int_eq((int64_t)header->size, number(want, "size"));
	ck_assert_str_eq(codec_name(batch_codec(header->attributes)), json_string_value(json_object_get(want, "codec")));
	ck_assert_int_eq(header->crc, number(want, "crc"));
	ck_assert_int_eq(batch_is_append_time(header->attributes), append_time);
	ck_assert_int_eq(header->max_timestamp, number(want, "max_timestamp"));
	ck_assert_int_eq(header->n_records, number(want, "count"));
	ck_assert_int_eq(header->base_timestamp, number(want, "base_timestamp"));
	ck_assert_int_eq(header->leader_epoch, number(want, "leader_epoch"));
	ck_assert_int_eq(header->producer_id, number(want, "producer_id"));
	ck_assert_int_eq(header->producer_epoch, number(want, "producer_epoch"));
	ck_assert_int_eq(header->base_sequence, number(want, "base_sequence"));
	ck_assert_int_eq(batch_last_sequence(header), number(want, "last_sequence"));
	ck_assert_int_eq(batch_is_transactional(header->attributes), json_is_true(json_object_get(want, "transactional")));
	ck_assert_int_eq(batch_is_control(header->attributes), json_is_true(json_object_get(want, "control")));
}

/* Builds the batch again from what was read; unpacked bytes equal Kafka's unless append time hides the clients' times. */
static void check_rebuilt(struct codec_context *codecs, struct slice batch, const struct batch_header *header)
{
	struct codec_limits limits = codec_limits_for_log();
	struct batch_spec spec = batch_spec_like(header);
	struct buf *ours = buf_new(64), *theirs = buf_new(64);
	struct batch_builder builder;
	struct record_iter iter;
	struct record record;
	struct slice built;

	batch_builder_init(&builder, &spec);
	ck_assert_int_eq(record_iter_init(&iter, codecs, batch, &limits), 0);
	while (record_iter_next(&iter, &record) == 1)
		batch_builder_add_record(&builder, record.offset_delta, &record);
	record_iter_fini(&iter);
	built = batch_builder_finish(&builder, codecs);
	ck_assert(batch_crc_ok(built));
	if (batch_codec(header->attributes) == CODEC_NONE) {
		ck_assert(slice_equal(built, batch));
	} else {
		ck_assert_mem_eq(built.data + BATCH_POS_ATTRIBUTES, batch.data + BATCH_POS_ATTRIBUTES,
				 BATCH_HEADER_BYTES - BATCH_POS_ATTRIBUTES);
		ck_assert_int_eq(codec_decompress(codecs, batch_codec(header->attributes),
						  slice_of(built.data + BATCH_HEADER_BYTES, built.len - BATCH_HEADER_BYTES), &limits,
						  ours),
				 0);
		ck_assert_int_eq(codec_decompress(codecs, batch_codec(header->attributes),
						  slice_of(batch.data + BATCH_HEADER_BYTES, batch.len - BATCH_HEADER_BYTES), &limits,
						  theirs),
				 0);
		ck_assert(slice_equal(buf_slice(ours), buf_slice(theirs)));
	}
	buf_release(ours);
	buf_release(theirs);
	batch_builder_fini(&builder);
}

/* A marker of ours with the same facts is the same bytes. */
static void check_marker(struct slice batch, const struct batch_header *header)
{
	struct codec_limits limits = codec_limits_for_log();
	struct record_iter iter;
	struct record record;
	int32_t epoch;
	int16_t type;
	struct buf *ours;

	ck_assert_int_eq(record_iter_init(&iter, NULL, batch, &limits), 0);
	ck_assert_int_eq(record_iter_next(&iter, &record), 1);
	ck_assert(record_control_parse(&record, &type, &epoch));
	record_iter_fini(&iter);
	ours = batch_build_marker((enum control_type)type, epoch, header->producer_id, header->producer_epoch, record.timestamp);
	batch_stamp(ours->data, header->base_offset, header->leader_epoch);
	ck_assert(slice_equal(buf_slice(ours), batch));
	buf_release(ours);
}

static void check_batch(struct codec_context *codecs, struct slice batch, const struct batch_header *header, const json_t *want)
{
	struct codec_limits limits = codec_limits_for_client(1 << 20);
	const json_t *records = json_object_get(want, "records");
	struct record_iter iter;
	struct record record;
	size_t n = 0;
	int rc;

	ck_assert(batch_crc_ok(batch));
	check_header(header, want);
	ck_assert_int_eq(record_iter_init(&iter, codecs, batch, &limits), 0);
	while ((rc = record_iter_next(&iter, &record)) == 1)
		check_record(&record, json_array_get(records, n++));
	ck_assert_int_eq(rc, 0);
	record_iter_fini(&iter);
	ck_assert_uint_eq(n, json_array_size(records));
	if (!batch_is_append_time(header->attributes))
		check_rebuilt(codecs, batch, header);
	if (batch_is_control(header->attributes))
		check_marker(batch, header);
}

static void check_legacy(struct slice *rest, const json_t *want)
{
	struct batch_legacy legacy;

	ck_assert_int_eq(batch_legacy_parse(*rest, &legacy), 0);
	ck_assert_int_eq(legacy.magic, number(want, "magic"));
	ck_assert_uint_le(legacy.size, rest->len);
	ck_assert(batch_legacy_crc_ok(slice_of(rest->data, legacy.size)));
	ck_assert_str_eq(codec_name(legacy.codec), json_string_value(json_object_get(want, "codec")));
	*rest = slice_of(rest->data + legacy.size, rest->len - legacy.size);
}

static void check_case(struct codec_context *codecs, const char *dir, const char *name)
{
	struct buf *bytes = read_file(dir, name, ".bin");
	struct buf *text = read_file(dir, name, ".json");
	json_t *wants = json_loadb((const char *)text->data, text->len, 0, NULL);
	struct slice rest = buf_slice(bytes);
	struct batch_header header;
	struct slice batch;
	size_t i;
	json_t *want;

	ck_assert(json_is_array(wants));
	json_array_foreach(wants, i, want) {
		int rc = batch_next(&rest, &batch, &header);

		if (number(want, "magic") < BATCH_MAGIC) {
			ck_assert_int_eq(rc, ERR_UNSUPPORTED);
			check_legacy(&rest, want);
			continue;
		}
		ck_assert_int_eq(rc, 1);
		check_batch(codecs, batch, &header, want);
	}
	ck_assert_uint_eq(rest.len, 0);
	json_decref(wants);
	buf_release(text);
	buf_release(bytes);
}

START_TEST(every_golden_batch_reads_as_kafka_reads_it_and_builds_to_the_same_bytes)
{
	struct codec_context *codecs = codec_context_new();
	struct dirent *entry;
	char dir[400], name[128];
	int n = 0;
	DIR *listing;

	snprintf(dir, sizeof dir, "%s/test/golden/batches", unit_source_dir());
	listing = opendir(dir);
	ck_assert_ptr_nonnull(listing);
	while ((entry = readdir(listing))) {
		size_t len = strlen(entry->d_name);

		if (len < 5 || len >= sizeof name || strcmp(entry->d_name + len - 4, ".bin") != 0)
			continue;
		snprintf(name, sizeof name, "%.*s", (int)len - 4, entry->d_name);
		check_case(codecs, dir, name);
		n++;
	}
	closedir(listing);
	ck_assert_int_ge(n, 20);
	codec_context_free(codecs);
}
END_TEST

UNIT_MAIN("proto/record/golden_batches", every_golden_batch_reads_as_kafka_reads_it_and_builds_to_the_same_bytes)
