/*
 * Which segments at the head of a log may go (kafka.md 5.2). Pure. Rules: wholly below the high watermark; and below the log start,
 * or older than retention.ms by their largest time stamp, or too much by retention.bytes. From the head on without a gap.
 */
#ifndef KLAMM_BROKER_LOG_RETENTION_CORE_H
#define KLAMM_BROKER_LOG_RETENTION_CORE_H

#include <stdbool.h>
#include <stdint.h>

struct retention_rules {
	int64_t retention_ms;    /* -1 no limit */
	int64_t retention_bytes; /* -1 no limit */
	bool by_policy;          /* cleanup.policy has delete: time and size count; else only the log start does */
	int64_t now_ms;
	int64_t log_start_offset;
	int64_t high_watermark;
	int64_t total_bytes;     /* of all segments */
};

struct retention_segment {
	int64_t end_offset;    /* base of the next one, or the log end */
	int64_t bytes;
	int64_t newest_ms;     /* largest time stamp, or the file's time where there is none */
	bool is_last;
};

enum retention_reason { RETENTION_KEEP, RETENTION_LOG_START, RETENTION_TIME, RETENTION_SIZE };

struct retention {
	struct retention_rules rules;
	int64_t excess_bytes; /* what retention.bytes still asks to go */
};

void retention_init(struct retention *retention, const struct retention_rules *rules);

/* Asked for each segment from the head on until the first RETENTION_KEEP. */
enum retention_reason retention_step(struct retention *retention, const struct retention_segment *segment);

#endif
