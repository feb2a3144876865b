/*
 * What one partition knows of one producer id: the rules of the idempotent producer (KIP-98, kafka.md 5.6; T1, T2).
 *
 *     produce  -> producer_check  -> accept | duplicate of a known batch | a Kafka error
 *     appended -> producer_apply      (also for followers and at recovery, there without a check)
 *     marker   -> producer_apply_marker
 *
 * Pure. The table of producers of a partition, and who lives in it for how long, is in producer_table.h.
 */
#ifndef KLAMM_BROKER_REPLICA_PRODUCER_CORE_H
#define KLAMM_BROKER_REPLICA_PRODUCER_CORE_H

#include <stdbool.h>
#include <stdint.h>

/* Kafka remembers five batches, as many as a client may have in flight; a retry of any of them is answered, not appended. */
#define PRODUCER_BATCHES 5

#define PRODUCER_EPOCH_NONE (-1)
#define PRODUCER_SEQUENCE_NONE (-1)
#define PRODUCER_TXN_NONE (-1)

/* One data batch, as the check and the table see it. Sequences wrap from 2^31-1 to 0. */
struct producer_batch {
	int32_t first_sequence;
	int32_t last_sequence;
	int64_t first_offset;
	int64_t last_offset;
	int64_t timestamp_ms; /* max timestamp of the batch */
};

struct producer {
	int64_t id;
	int16_t epoch;             /* PRODUCER_EPOCH_NONE: nothing known but the id */
	int32_t coordinator_epoch; /* of the last marker, -1 before one */
	int64_t txn_first_offset;  /* of the open transaction, PRODUCER_TXN_NONE without one */
	int64_t timestamp_ms;      /* newest batch or marker; expiry counts from here */
	int n_batches;             /* of the present epoch, oldest first */
	struct producer_batch batches[PRODUCER_BATCHES];
};

enum producer_verdict {
	PRODUCER_ACCEPT,
	PRODUCER_DUPLICATE,      /* the batch is known: *ret_known tells where it lies */
	PRODUCER_INVALID_EPOCH,  /* INVALID_PRODUCER_EPOCH */
	PRODUCER_OUT_OF_ORDER,   /* OUT_OF_ORDER_SEQUENCE_NUMBER */
	PRODUCER_INVALID_TXN,    /* INVALID_TXN_STATE: a plain batch while a transaction is open */
};

/* An unknown producer. */
void producer_init(struct producer *producer, int64_t id);

/* The last sequence of a batch of n records that begins with first. */
int32_t producer_last_sequence(int32_t first, int32_t n_records);

/* May a client append this batch? Offsets of `batch` are not read. producer NULL = the partition knows nothing of the id. */
enum producer_verdict producer_check(const struct producer *producer, int16_t epoch, const struct producer_batch *batch, bool is_txn,
				     const struct producer_batch **ret_known);

/* Takes an appended batch into account: a greater epoch starts anew, the sixth batch pushes out the first. */
void producer_apply(struct producer *producer, int16_t epoch, const struct producer_batch *batch, bool is_txn);

/*
 * Takes an end marker into account: the transaction is closed, a greater epoch forgets the sequences.
 * Returns the first offset of the transaction that the marker ends, PRODUCER_TXN_NONE when none was open.
 */
int64_t producer_apply_marker(struct producer *producer, int16_t epoch, int32_t coordinator_epoch, int64_t timestamp_ms);

/* No batch and no marker since expiration_ms, and no open transaction? */
bool producer_is_expired(const struct producer *producer, int64_t now_wall_ms, int64_t expiration_ms);

#endif
