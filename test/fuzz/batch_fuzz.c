/*
 * Fuzz target of record batches: two bytes choose the rules, the rest are the bytes that a client sent, or a log holds.
 *
 * What the produce checks accept must be readable record by record, also after it was packed anew; whatever the bytes, nothing
 * crashes and nothing unpacks beyond its limits.
 */
#include "test/fuzz/fuzz.h"

#include "common/bytes.h"
#include "common/check.h"
#include "common/memory.h"
#include "proto/record/batch_validate.h"
#include "proto/record/record_iter.h"

#include <stdlib.h>

#define NOW_MS INT64_C(1700000100000)

enum choice {
	CHOOSE_CRC = 1 << 0,      /* make the checksum right, so that what lies behind it is reached */
	CHOOSE_COMPACTED = 1 << 1,
	CHOOSE_APPEND_TIME = 1 << 2,
	CHOOSE_NARROW = 1 << 3,
	CHOOSE_OLD = 1 << 4,
};

static struct batch_rules choose_rules(uint8_t choices, uint8_t codec)
{
	struct batch_rules rules = batch_rules_default(NOW_MS);

	rules.compacted = choices & CHOOSE_COMPACTED;
	rules.append_time = choices & CHOOSE_APPEND_TIME;
	if (choices & CHOOSE_NARROW)
		rules.timestamp_before_max_ms = rules.timestamp_after_max_ms = 1000000;
	if (choices & CHOOSE_OLD)
		rules.produce_version = 2;
	rules.codec = codec % (N_CODECS + 1) - 1;
	return rules;
}

/* All batches of the bytes as a log would be read; returns the number of records of the first when it is whole. */
static int32_t read_all(struct codec_context *codecs, struct slice rest, struct codec_limits limits)
{
	struct batch_header header;
	struct slice batch;
	int32_t n_first = -1;

	for (int n = 0; batch_next(&rest, &batch, &header) == 1; n++) {
		struct record_header record_header;
		struct record record;
		struct record_iter iter;
		int32_t n_records = 0;
		int rc = record_iter_init(&iter, codecs, batch, &limits);

		if (rc != 0)
			continue;
		while ((rc = record_iter_next(&iter, &record)) == 1) {
			int16_t type;
			int32_t epoch, n_headers = 0;

			n_records++;
			record_control_parse(&record, &type, &epoch);
			while (record_header_next(&record.headers, &record_header))
				n_headers++;
			CHECK(n_headers == record.n_headers);
		}
		record_iter_fini(&iter);
		if (n == 0 && rc == 0)
			n_first = n_records;
	}
	return n_first;
}

static void produce(struct codec_context *codecs, struct batch_rules rules, uint8_t *bytes, size_t len)
{
	struct batch_verdict verdict;
	struct buf *packed = NULL;
	int16_t code = batch_validate(slice_of(bytes, len), &rules, codecs, &verdict);
	char text[300];

	if (code != 0) {
		CHECK(verdict.reason);
		batch_refusal_text(&verdict, &rules, SLICE_LITERAL("t"), 0, text, sizeof text);
		return;
	}
	if (verdict.empty)
		return;
	if (verdict.repack && batch_validate_repack(slice_of(bytes, len), &rules, codecs, &verdict, &packed) != 0)
		return;
	if (packed)
		bytes = packed->data;
	batch_apply(bytes, &verdict);
	batch_stamp(bytes, 77, 3);
	CHECK(batch_crc_ok(slice_of(bytes, verdict.size)));
	CHECK(read_all(codecs, slice_of(bytes, verdict.size), codec_limits_for_log()) == verdict.header.n_records);
	buf_release(packed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct codec_context *codecs;
	struct batch_rules rules;
	struct batch_legacy legacy;
	uint8_t *bytes;

	if (size < 2)
		return 0;
	rules = choose_rules(data[0], data[1]);
	/* An exact copy, so that a step beyond the end is seen. */
	size -= 2;
	bytes = memory_alloc(size);
	memcpy(bytes, data + 2, size);
	if ((data[0] & CHOOSE_CRC) && size >= BATCH_HEADER_BYTES && batch_size(bytes) >= BATCH_HEADER_BYTES && batch_size(bytes) <= size)
		batch_set_crc(bytes, batch_size(bytes));
	codecs = codec_context_new();
	batch_legacy_parse(slice_of(bytes, size), &legacy);
	read_all(codecs, slice_of(bytes, size), codec_limits_for_client(1 << 20));
	produce(codecs, rules, bytes, size);
	codec_context_free(codecs);
	free(bytes);
	return 0;
}
