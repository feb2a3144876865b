/*
 * What a leader checks before it takes a batch from a client, in Kafka's order and with Kafka's error codes.
 *
 *   bytes of one partition in a Produce request
 *     -> batch_validate            refusal, or a verdict: what to store, what producer it is from
 *     -> verdict.repack            batch_validate_repack makes the batch that is stored instead
 *     -> batch_apply, batch_stamp  in place, once offset and epoch are known; bytes are not touched twice
 *
 * Sequences (producer state) and the right to a transactional id are the caller's. Kept here: what is stored can be read by every
 * client, since its checksum and its records were looked at.
 */
#ifndef KLAMM_PROTO_RECORD_BATCH_VALIDATE_H
#define KLAMM_PROTO_RECORD_BATCH_VALIDATE_H

#include "common/slice.h"
#include "proto/record/batch.h"
#include "proto/record/codec.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* compression.type=producer: keep what the client sent. Else one of enum codec. */
#define BATCH_KEEP_CODEC (-1)

/*
 * The answer when a batch unpacks to more than rules.unpack_bytes_max: no verdict yet. An event loop asks with a bound that costs it
 * a few milliseconds, and has another thread (with a codec context of its own) ask again with 0, which means no bound but the
 * limits for clients. No Kafka error code.
 */
#define BATCH_HEAVY INT16_MIN

/* Records of which the answer tells what is wrong; all are counted. */
#define BATCH_RECORD_ERRORS_MAX 8

/* The topic's configuration and the request's, as far as batches go. */
struct batch_rules {
	int16_t produce_version;       /* of the request; 3 and above refuse formats 0 and 1, below 7 zstd */
	bool compacted;                /* cleanup.policy has compact: every record needs a key */
	bool append_time;              /* message.timestamp.type=LogAppendTime */
	int64_t now_ms;
	int64_t timestamp_before_max_ms;
	int64_t timestamp_after_max_ms;
	size_t message_bytes_max;      /* max.message.bytes */
	size_t segment_bytes_max;      /* segment.bytes */
	int codec;                     /* compression.type: BATCH_KEEP_CODEC or a codec */
	int32_t level;                 /* of that codec */
	size_t unpack_bytes_max;       /* 0, or what may be unpacked before the answer is BATCH_HEAVY */
};

/* Kafka's defaults, newest version, for now_ms. */
struct batch_rules batch_rules_default(int64_t now_ms);

enum batch_record_fault {
	BATCH_RECORD_WITHOUT_KEY,
	BATCH_RECORD_TIMESTAMP_OUT_OF_RANGE,
	BATCH_RECORD_APPEND_TIME, /* the client marked the batch as one of append time */
};

struct batch_record_error {
	int32_t index;            /* batch_index of the answer */
	int32_t offset_delta;
	enum batch_record_fault fault;
	int64_t timestamp;
};

struct batch_verdict {
	/* Set on success. */
	bool empty;                /* nothing to store: answer NONE with offset -1 (versions 0-2 only) */
	bool rewrite;              /* attributes or max_timestamp differ from the bytes: batch_apply is needed */
	bool repack;               /* compression.type asks for another codec: batch_validate_repack is needed */
	bool transactional;        /* the caller answers 53 when the request has no transactional id */
	size_t size;               /* of the batch; what follows it in the bytes is dropped */
	struct batch_header header; /* as received */
	enum codec codec;          /* as received */
	int16_t attributes;        /* to be stored */
	int64_t max_timestamp;     /* to be stored: from the records, at least -1; the broker's time for append time */
	int32_t max_timestamp_delta; /* offset delta of the first record with the greatest timestamp; last_offset_delta for append time */

	/* Set on refusal. */
	const char *reason;        /* a sentence for the operator's log and the answer; not NULL */
	bool has_log_start;        /* the answer carries the log start offset (else -1) */
	int32_t n_record_errors;   /* all of them; the first BATCH_RECORD_ERRORS_MAX are told */
	struct batch_record_error record_errors[BATCH_RECORD_ERRORS_MAX];
};

/*
 * Checks the records field of one partition. Returns 0 or a Kafka error code, with the verdict filled in either way, or BATCH_HEAVY.
 * codecs is the calling thread's. The bytes are not changed.
 */
int16_t batch_validate(struct slice bytes, const struct batch_rules *rules, struct codec_context *codecs,
		       struct batch_verdict *ret_verdict);

/* Writes the verdict's attributes and max timestamp into the batch when they differ. */
static inline void batch_apply(uint8_t *batch, const struct batch_verdict *verdict)
{
	if (verdict->rewrite)
		batch_set_timestamps(batch, verdict->size, verdict->attributes, verdict->max_timestamp);
}

/*
 * After a verdict with repack: the batch as compression.type wants it, complete but for offset and epoch (no batch_apply). Size
 * rules are checked again; verdict->size becomes the new one. 0 and a buffer that the caller releases, or an error code. Packing
 * costs many times what the check did.
 */
int16_t batch_validate_repack(struct slice bytes, const struct batch_rules *rules, struct codec_context *codecs,
			      struct batch_verdict *verdict, struct buf **ret_batch);

/*
 * The message of one record error, and of a whole refusal for records, as Kafka words them; cut to cap (> 0) with an end 0. The rules
 * are those of the check. Without record errors the refusal is verdict->reason.
 */
void batch_record_error_text(const struct batch_record_error *error, const struct batch_rules *rules, struct slice topic,
				     int32_t partition, char *ret_text, size_t cap);
void batch_refusal_text(const struct batch_verdict *verdict, const struct batch_rules *rules, struct slice topic,
			int32_t partition, char *ret_text, size_t cap);

#endif
