/* What a refusal for single records says, in Kafka's words, which operators and clients search for; see batch_validate.h. */
#include "proto/record/batch_validate.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Record errors that the message of the whole repeats. */
#define ERRORS_TOLD 3

/* Two's complement, as the bound of Kafka's message is computed. */
static int64_t wrapping_sum(int64_t a, int64_t b)
{
	return (int64_t)((uint64_t)a + (uint64_t)b);
}

void batch_record_error_text(const struct batch_record_error *error, const struct batch_rules *rules, struct slice topic,
			     int32_t partition, char *ret_text, size_t cap)
{
	switch (error->fault) {
	case BATCH_RECORD_WITHOUT_KEY:
		snprintf(ret_text, cap, "Compacted topic cannot accept message without key in topic partition %.*s-%" PRId32,
			 SLICE_ARGS(topic), partition);
		return;
	case BATCH_RECORD_TIMESTAMP_OUT_OF_RANGE:
		snprintf(ret_text, cap,
			 "Timestamp %" PRId64 " of message with offset %" PRId32 " is out of range. The timestamp should be within [%" PRId64
			 ", %" PRId64 "]",
			 error->timestamp, error->offset_delta, wrapping_sum(rules->now_ms, -rules->timestamp_before_max_ms),
			 wrapping_sum(rules->now_ms, rules->timestamp_after_max_ms));
		return;
	case BATCH_RECORD_APPEND_TIME:
		snprintf(ret_text, cap,
			 "Invalid timestamp type in message with offset %" PRId32
			 ". Producer should not set timestamp type to LogAppendTime.",
			 error->offset_delta);
		return;
	}
}

/* Adds to the end of a text of cap bytes, as much as fits. */
static void text_add(char *text, size_t cap, const char *format, ...) __attribute__((format(printf, 3, 4)));

static void text_add(char *text, size_t cap, const char *format, ...)
{
	size_t len = strlen(text);
	va_list args;

	va_start(args, format);
	vsnprintf(text + len, cap - len, format, args);
	va_end(args);
}

static bool only_keys_miss(const struct batch_verdict *verdict)
{
	for (int32_t i = 0; i < verdict->n_record_errors && i < BATCH_RECORD_ERRORS_MAX; i++)
		if (verdict->record_errors[i].fault != BATCH_RECORD_WITHOUT_KEY)
			return false;
	return verdict->n_record_errors > 0;
}

void batch_refusal_text(const struct batch_verdict *verdict, const struct batch_rules *rules, struct slice topic, int32_t partition,
			char *ret_text, size_t cap)
{
	if (!only_keys_miss(verdict)) {
		snprintf(ret_text, cap, "%s", verdict->reason);
		return;
	}
	snprintf(ret_text, cap,
		 "One or more records have been rejected due to %" PRId32
		 " record errors in total, and only showing the first three errors at most: [",
		 verdict->n_record_errors);
	for (int32_t i = 0; i < verdict->n_record_errors && i < ERRORS_TOLD; i++) {
		char message[400];

		batch_record_error_text(&verdict->record_errors[i], rules, topic, partition, message, sizeof message);
		text_add(ret_text, cap, "%sRecordError(batchIndex=%" PRId32 ", message='%s')", i == 0 ? "" : ", ",
			 verdict->record_errors[i].index, message);
	}
	text_add(ret_text, cap, "]");
}
