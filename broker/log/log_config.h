/*
 * What a topic's configuration says to its logs: plain values, already validated and resolved (topic key over broker key over
 * default). Unset limits are -1.
 */
#ifndef KLAMM_BROKER_LOG_LOG_CONFIG_H
#define KLAMM_BROKER_LOG_LOG_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

enum log_durability {
	LOG_PAGE_CACHE, /* Kafka's: written is enough; the background flush follows within about a second */
	LOG_FSYNC_ISR,  /* the durable end stands for the log end in every rule (D8); the caller flushes by group commit */
};

struct log_config {
	int32_t segment_bytes;        /* segment.bytes */
	int64_t segment_ms;           /* segment.ms; message time */
	int64_t segment_jitter_ms;    /* segment.jitter.ms: the most; each segment draws its own */
	int32_t index_interval_bytes; /* index.interval.bytes */
	int32_t index_bytes_max;      /* segment.index.bytes: both indexes of a segment are full at this size */
	int64_t retention_ms;         /* retention.ms; -1 no limit */
	int64_t retention_bytes;      /* retention.bytes; -1 no limit */
	bool cleanup_delete;          /* cleanup.policy has "delete": retention applies */
	bool cleanup_compact;         /* cleanup.policy has "compact": offsets may have holes */
	int64_t file_delete_delay_ms; /* file.delete.delay.ms */
	int64_t flush_messages;       /* flush.messages; INT64_MAX never */
	int64_t flush_ms;             /* flush.ms; INT64_MAX never */
	bool preallocate;             /* preallocate */
	enum log_durability durability;
};

/* Kafka's defaults, page cache. */
#define LOG_CONFIG_DEFAULT                                                                                            \
	((struct log_config){.segment_bytes = 1073741824, .segment_ms = 604800000, .segment_jitter_ms = 0,            \
			     .index_interval_bytes = 4096, .index_bytes_max = 10485760, .retention_ms = 604800000,    \
			     .retention_bytes = -1, .cleanup_delete = true, .cleanup_compact = false,                 \
			     .file_delete_delay_ms = 60000, .flush_messages = INT64_MAX, .flush_ms = INT64_MAX,       \
			     .preallocate = false, .durability = LOG_PAGE_CACHE})

#endif
