/*
 * The produce checks beside Kafka's: test/golden/produce/verdicts.txt holds batches, right and wrong ones, that were given to
 * Kafka's log, and what became of each. Ours answer the same code and store the same bytes, but for the differences listed here.
 */
#include "test/lib/unit.h"

#include "common/crc32c.h"
#include "proto/kafka_error.h"
#include "proto/record/batch_validate.h"
#include "proto/record/record_iter.h"

#include <stdio.h>
#include <stdlib.h>

#define NOW_MS INT64_C(1700000100000)
#define START_OFFSET 1000
#define LEADER_EPOCH 5

/* One line of the file. */
struct verdict_case {
	char *name;
	struct batch_rules rules;
	struct buf *input;
	int code;
	bool has_log_start;
	int n_record_errors;
	char *message;
	char *stored;
};

/* Where we may differ from Kafka on purpose, by the start of the case's name, and what we answer then. */
static const struct difference {
	const char *name;
	int code;
	const char *why;
} differences[] = {
	{"length-2147483647", KAFKA_INVALID_RECORD, "Kafka's sum overflows"},
	{"record-length-overlong", KAFKA_INVALID_RECORD, "Kafka's reader throws what nobody catches"},
	{"flip-gzip-64-", KAFKA_UNKNOWN_SERVER_ERROR, "zlib knows the reserved flag and refuses it"},
	{"surplus-packed-snappy", KAFKA_UNKNOWN_SERVER_ERROR, "librdkafka does not read what Java's reader leaves over"},
	{"short-snappy-1", KAFKA_UNKNOWN_SERVER_ERROR, "the same, behind the header"},
	{"flip-gzip-", KAFKA_UNKNOWN_SERVER_ERROR, "the wrong checksum of the stream is found before the damaged record"},
	{"flip-snappy-", KAFKA_INVALID_RECORD, "Kafka does not check the length of a packed record, and its consumers stumble"},
	{"flip-lz4-", KAFKA_INVALID_RECORD, "the same"},
	{"flip-zstd-", KAFKA_INVALID_RECORD, "the same"},
};

static struct buf *from_hex(const char *hex)
{
	struct buf *buf = buf_new(strlen(hex) / 2 + 1);

	for (; hex[0] && hex[1] && *hex != '='; hex += 2) {
		char digits[3] = {hex[0], hex[1], 0};

		buf->data[buf->len++] = (uint8_t)strtoul(digits, NULL, 16);
	}
	return buf;
}

static char *field(char **rest)
{
	char *text = strsep(rest, " ");

	ck_assert_ptr_nonnull(text);
	return text;
}

static int64_t number(char **rest)
{
	return strtoll(field(rest), NULL, 10);
}

static void parse_rules(char **rest, struct batch_rules *rules)
{
	const char *codec, *level;
	enum codec known;

	*rules = batch_rules_default(NOW_MS);
	rules->produce_version = (int16_t)number(rest);
	rules->compacted = number(rest) != 0;
	rules->append_time = number(rest) != 0;
	rules->timestamp_before_max_ms = number(rest);
	rules->timestamp_after_max_ms = number(rest);
	rules->message_bytes_max = (size_t)number(rest);
	rules->segment_bytes_max = (size_t)number(rest);
	codec = field(rest);
	if (codec_from_name(slice_of_text(codec), &known))
		rules->codec = known;
	level = field(rest);
	if (*level != '-')
		rules->level = (int32_t)strtol(level, NULL, 10);
}

static bool parse_case(char *line, struct verdict_case *ret_case)
{
	char *rest = line;

	line[strcspn(line, "\n")] = 0;
	if (*line == '#')
		return false;
	ret_case->name = field(&rest);
	parse_rules(&rest, &ret_case->rules);
	ret_case->input = from_hex(field(&rest));
	ck_assert_str_eq(field(&rest), "->");
	ret_case->code = (int)number(&rest);
	ret_case->has_log_start = number(&rest) != 0;
	ret_case->n_record_errors = (int)number(&rest);
	ret_case->message = field(&rest);
	ret_case->stored = field(&rest);
	return true;
}

static const struct difference *difference_of(const char *name)
{
	for (size_t i = 0; i < sizeof differences / sizeof differences[0]; i++)
		if (*differences[i].name && strncmp(name, differences[i].name, strlen(differences[i].name)) == 0)
			return &differences[i];
	return NULL;
}

/* The records and the header fields of two batches are alike, however they are packed. */
static void check_alike(struct codec_context *codecs, const char *name, struct slice ours, struct slice theirs)
{
	struct codec_limits limits = codec_limits_for_log();
	struct buf *plain[2] = {buf_new(64), buf_new(64)};
	struct slice batches[2] = {ours, theirs};

	ck_assert_msg(memcmp(ours.data, theirs.data, BATCH_POS_LENGTH) == 0, "%s: base offset", name);
	ck_assert_msg(memcmp(ours.data + BATCH_POS_LEADER_EPOCH, theirs.data + BATCH_POS_LEADER_EPOCH, 5) == 0, "%s: epoch", name);
	ck_assert_msg(memcmp(ours.data + BATCH_POS_ATTRIBUTES, theirs.data + BATCH_POS_ATTRIBUTES, 40) == 0, "%s: header", name);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(codec_decompress(codecs, batch_codec(bytes_get_i16(ours.data + BATCH_POS_ATTRIBUTES)),
						  slice_of(batches[i].data + BATCH_HEADER_BYTES, batches[i].len - BATCH_HEADER_BYTES),
						  &limits, plain[i]),
				 0);
	ck_assert_msg(slice_equal(buf_slice(plain[0]), buf_slice(plain[1])), "%s: records", name);
	buf_release(plain[0]);
	buf_release(plain[1]);
}

static void check_stored(struct codec_context *codecs, const struct verdict_case *test, struct slice ours, bool repacked)
{
	char crc[16];
	struct buf *theirs;

	ck_assert_msg(batch_crc_ok(ours), "%s", test->name);
	if (strncmp(test->stored, "crc:", 4) == 0) {
		snprintf(crc, sizeof crc, "crc:%08x", crc32c(ours.data, ours.len));
		ck_assert_msg(strcmp(crc, test->stored) == 0, "%s: stored bytes differ", test->name);
		return;
	}
	theirs = from_hex(test->stored);
	if (repacked)
		check_alike(codecs, test->name, ours, buf_slice(theirs));
	else
		ck_assert_msg(slice_equal(ours, buf_slice(theirs)), "%s: stored bytes differ", test->name);
	buf_release(theirs);
}

static void check_message(const struct verdict_case *test, const struct batch_verdict *verdict)
{
	char text[2000];

	ck_assert_msg(verdict->n_record_errors == test->n_record_errors, "%s: %d record errors", test->name, verdict->n_record_errors);
	if (verdict->n_record_errors == 0)
		return;
	batch_refusal_text(verdict, &test->rules, SLICE_LITERAL("t"), 0, text, sizeof text);
	for (char *at = text; (at = strchr(at, ' ')); at++)
		*at = '_';
	ck_assert_msg(strcmp(text, test->message) == 0, "%s: %s\n%s", test->name, text, test->message);
}

/* Validates and stores as the log would. */
static void run_case(struct codec_context *codecs, const struct verdict_case *test)
{
	const struct difference *difference;
	struct batch_verdict verdict;
	struct buf *packed = NULL;
	bool repacked;
	int16_t code = batch_validate(buf_slice(test->input), &test->rules, codecs, &verdict);

	repacked = code == 0 && verdict.repack;
	if (repacked)
		code = batch_validate_repack(buf_slice(test->input), &test->rules, codecs, &verdict, &packed);
	if (code != test->code) {
		difference = difference_of(test->name);
		ck_assert_msg(difference && code == difference->code, "%s: %d (%s), Kafka %d", test->name, code,
			      code ? verdict.reason : "", test->code);
	} else if (code != 0) {
		ck_assert_msg(verdict.has_log_start == test->has_log_start, "%s: log start", test->name);
		check_message(test, &verdict);
	} else if (!verdict.empty) {
		uint8_t *bytes = packed ? packed->data : test->input->data;

		batch_apply(bytes, &verdict);
		batch_stamp(bytes, START_OFFSET, LEADER_EPOCH);
		/* Kafka keeps bits that have no meaning; of those, bit 6 would read as a delete horizon. We clear them. */
		if (verdict.header.attributes & ~BATCH_CLIENT_ATTRIBUTES)
			ck_assert_int_eq(bytes_get_i16(bytes + BATCH_POS_ATTRIBUTES) & ~BATCH_CLIENT_ATTRIBUTES, 0);
		else
			check_stored(codecs, test, slice_of(bytes, verdict.size), repacked);
	}
	buf_release(packed);
}

START_TEST(every_batch_is_judged_and_stored_as_kafka_does_it)
{
	struct codec_context *codecs = codec_context_new();
	char path[512], *line = NULL;
	size_t cap = 0;
	int n = 0;
	FILE *file;

	snprintf(path, sizeof path, "%s/test/golden/produce/verdicts.txt", unit_source_dir());
	file = fopen(path, "r");
	ck_assert_ptr_nonnull(file);
	while (getline(&line, &cap, file) > 0) {
		struct verdict_case test;

		if (!parse_case(line, &test))
			continue;
		run_case(codecs, &test);
		buf_release(test.input);
		n++;
	}
	ck_assert_int_ge(n, 1000);
	free(line);
	fclose(file);
	codec_context_free(codecs);
}
END_TEST

UNIT_MAIN("proto/record/verdicts", every_batch_is_judged_and_stored_as_kafka_does_it)
