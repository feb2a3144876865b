/*
 * One replica's role and marks: who leads, how far the log reaches, how far it is committed.
 *
 *     controller's state -> replica_core_become     leader, follower or nothing; epochs only grow (S6, D1)
 *     append, fsync      -> replica_core_log_moved  the high watermark follows (S2, S3, D8)
 *     a request          -> replica_may_append, replica_may_read
 *
 * Pure: no I/O, clock or memory. A replication factor of one is all there is so far: the ISR is the replica itself, so that the
 * committed end is its own; the marks of other replicas join in at commit_end().
 */
#ifndef KLAMM_BROKER_REPLICA_REPLICA_CORE_H
#define KLAMM_BROKER_REPLICA_REPLICA_CORE_H

#include <stdbool.h>
#include <stdint.h>

#define REPLICA_LEADER_NONE (-1)
#define REPLICA_EPOCH_NONE (-1)

enum replica_role {
	REPLICA_IDLE, /* no state from a controller yet, or not one of the replicas */
	REPLICA_FOLLOWER,
	REPLICA_LEADER,
};

/* What a controller says of a partition. */
struct replica_state {
	int32_t leader;
	int32_t leader_epoch;
	int32_t partition_epoch;
	int32_t n_isr;
	bool holds_replica; /* this broker is in the replica list */
};

struct replica_core {
	int32_t broker;
	enum replica_role role;
	struct replica_state state;
	bool durable_counts;        /* fsync-isr: the durable end stands for the log end in every rule */
	int32_t min_isr;            /* effective: never above the number of replicas */
	int64_t log_start_offset;
	int64_t log_end_offset;
	int64_t durable_end_offset;
	int64_t high_watermark;
	int64_t epoch_start_offset; /* log end when this leadership began */
};

/* A replica that is told nothing yet; its high watermark is what was last checkpointed, held between log start and log end. */
void replica_core_init(struct replica_core *core, int32_t broker, int64_t log_start_offset, int64_t log_end_offset,
		       int64_t durable_end_offset, int64_t high_watermark);

enum replica_change {
	REPLICA_UNCHANGED, /* the same state again */
	REPLICA_STALE,     /* an older leader epoch, or the same with an older partition epoch: nothing done */
	REPLICA_UPDATED,   /* same leader epoch, newer ISR */
	REPLICA_NEW_EPOCH, /* role may have changed; what is parked must be answered */
};

/* Takes a controller's state. */
enum replica_change replica_core_become(struct replica_core *core, const struct replica_state *state);

/* Forgets leadership (session lost, log dir failed, replica stopped). */
void replica_core_resign(struct replica_core *core);

/* The log has new marks; returns true when the high watermark moved. A durable end never counts beyond the log end. */
bool replica_core_log_moved(struct replica_core *core, int64_t log_start_offset, int64_t log_end_offset, int64_t durable_end_offset);

/* Changes of topic configs that bear on the rules; returns true when the high watermark moved (it never goes down). */
bool replica_core_configure(struct replica_core *core, bool durable_counts, int32_t min_isr);

/* Kafka error: 0, NOT_LEADER_OR_FOLLOWER, NOT_ENOUGH_REPLICAS (acks -1 below min ISR). */
int16_t replica_may_append(const struct replica_core *core, int16_t acks);

/*
 * Kafka error for a request that believes in leader epoch `current_epoch` (-1: does not say) and wants the leader:
 * 0, NOT_LEADER_OR_FOLLOWER, FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH.
 */
int16_t replica_may_read(const struct replica_core *core, int32_t current_epoch);

/* May "latest" be told? False while a new leader's high watermark has not reached its epoch start (S4, D4). */
bool replica_knows_latest(const struct replica_core *core);

#endif
