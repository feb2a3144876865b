/* Shared by the files of partition.h; nobody else includes it. */
#ifndef KLAMM_BROKER_REPLICA_PARTITION_INTERNAL_H
#define KLAMM_BROKER_REPLICA_PARTITION_INTERNAL_H

#include "broker/replica/partition.h"
#include "broker/replica/replica_isr_core.h"

/* The moment, for the core: now, and when the lease of the broker's session ends (S9). A session that is lost is told by shard_resign_all. */
struct replica_now partition_now(const struct partition *partition);

/*
 * After every call of the core: carries out what it asks for, and waits for its next moment. Callbacks run inside: what was looked at before
 * may have changed after.
 */
void partition_carry_out(struct partition *partition, const struct replica_now *now, const struct replica_actions *actions);

/* The log has new marks: takes them into the core, and ends what has waited for them. */
void partition_log_moved(struct partition *partition);

/* Ends parked appends that the high watermark has passed; with error != 0 all of them. */
void partition_end_parked(struct partition *partition, int16_t error);

/* Ends deletions that all live replicas have carried out; with error != 0 all of them (partition_delete.c). */
void partition_end_deletions(struct partition *partition, int16_t error);

/* Fires all watches. */
void partition_fire_watches(struct partition *partition);

/* Starts a flush when the mode or the config asks for one and none is under way. */
void partition_flush_if_due(struct partition *partition, int64_t now_ms);

/* Frees a closed partition whose last job on the disk thread is done. */
void partition_closed(struct partition *partition);

/* ---- time and ISR (partition_isr.c) ---- */

void partition_isr_init(struct partition *partition);
void partition_isr_fini(struct partition *partition);

/* Sets the timer to the core's next moment, unless it fires before that. */
void partition_wait(struct partition *partition, const struct replica_now *now);

/* Sends the core's proposal on its way. */
void partition_isr_propose(struct partition *partition, const struct replica_now *now);

/* ---- following (partition_follow.c) ---- */

/* The core asks for its leader to be followed; and: it follows no more. */
void partition_follow_begin(struct partition *partition);
void partition_follow_end(struct partition *partition);

/* The core's marks may have moved: a leader that is followed is told. */
void partition_follow_moved(struct partition *partition);

/* The log start that a leader is told: the one that is on the disk. */
int64_t partition_told_start(const struct partition *partition);

/* ---- appends ---- */

/* Kafka error when the batch may not come in: role, ISR, log dir. */
int16_t partition_may_append(const struct partition *partition, const struct partition_append *append);

/*
 * Ends an append with an error; with one that is ours, of this replica's role, ISR or log dir: gaps in sequences that it makes are told as it for a
 * while. Or judges a batch that nothing stands before.
 */
void partition_append_refuse(struct partition_append *append, int16_t error);
void partition_append_turn_away(struct partition *partition, struct partition_append *append, int16_t error);
void partition_append_now(struct partition *partition, struct partition_append *append);

/*
 * What follows the check of a batch: error and verdict are those of batch_validate, rules what it was asked with; repacked is the
 * batch to store instead, or NULL.
 */
void partition_append_checked(struct partition *partition, struct partition_append *append, const struct batch_rules *rules, int16_t error,
			      const struct batch_verdict *verdict, struct buf *repacked);

/* Has the disk thread check a batch that would hold up the loop; all later appends wait for it. */
void partition_check_begin(struct partition *partition, struct partition_append *append, const struct batch_rules *rules);

/* The log dir has failed: who waits for a check is told, and it is the disk thread's alone from now on. */
void partition_check_give_up(struct partition *partition);

/* Behind the one that is checked. */
void partition_check_queue(struct partition *partition, struct partition_append *append);

/* A call to the log has failed: what becomes of the partition, and the Kafka error to answer. */
int16_t partition_log_failed(struct partition *partition, int error, const char *what);

#endif
