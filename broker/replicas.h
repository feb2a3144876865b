/*
 * What a controller wants of the replicas on this broker, carried out: logs found or made, partitions opened, given roles, stopped.
 *
 *     hub     PARTITION_STATES -> logs from the store, missing ones made (disk threads)
 *             -> one message a shard: open, configure, become -> results home -> done(errors)
 *     hub     STOP_REPLICAS    -> one message a shard: close -> logs to be erased: deleted by the disk threads -> done(errors)
 *
 * Hub's thread. Orders are carried out one after the other, in the order they came, so that a later state never overtakes an earlier
 * one; what they say is judged per partition by its epochs (D1). A log belongs to one topic id at a time: the same name with another id is
 * INCONSISTENT_TOPIC_ID until the first has let go of it, and an order to stop ends only then. Later orders have their turn while logs
 * are deleted, so that a disk which takes its time for that holds up only what comes for the same name. What makes no sense (negative indexes, names
 * that are none, ids of a wrong length) is refused per partition.
 */
#ifndef KLAMM_BROKER_REPLICAS_H
#define KLAMM_BROKER_REPLICAS_H

#include "broker/store.h"
#include "broker/replica/shard.h"
#include "common/slice.h"
#include "proto/cluster/cluster.pb-c.h"

struct replica_order;

struct replicas {
	struct store *store;
	struct shard **shards;
	int n_shards;
	struct worker *hub;
	int32_t broker;
	struct replica_order *first; /* the one at work, then those that wait */
	struct replica_order **tail;
	struct replica_order *deleting; /* that wait for deletions only */
	bool closed;
	void (*on_idle)(void *ctx);
	void *idle_ctx;
};

/* A partition that did not go well. */
struct replica_error {
	struct uuid topic_id;
	int32_t partition;
	int16_t error;
	bool again; /* the disk was full: the same may go well later */
};

/* The log of a partition that is told to have no leader. */
struct replica_end {
	struct uuid topic_id;
	int32_t partition;
	int32_t leader_epoch; /* of that state */
	int32_t last_epoch;   /* of the last batch; -1: none */
	int64_t end_offset;
};

struct replica_results {
	int64_t request;
	const struct replica_error *errors;
	int n_errors;
	const struct replica_end *ends;
	int n_ends;
};

typedef void replica_order_done(void *ctx, const struct replica_results *results);

void replicas_init(struct replicas *replicas, struct store *store, struct shard **shards, int n_shards, struct worker *hub, int32_t broker);

/*
 * Takes a message of proto/cluster (unpacked; it becomes the order's and is freed with it). done comes later, exactly once, unless the order
 * is forgotten or abandoned.
 */
void replicas_apply(struct replicas *replicas, Klamm__PartitionStates *states, replica_order_done *done, void *ctx);
void replicas_stop(struct replicas *replicas, Klamm__StopReplicas *stop, replica_order_done *done, void *ctx);

/* Orders whose answer nobody wants any more (their connection is gone) are still carried out. */
void replicas_forget(struct replicas *replicas, void *ctx);

/*
 * The incarnation that the orders were given to is over (D1): what has not reached the shards is not carried out any more. What is posted to
 * the shards from now on comes after all that has been.
 */
void replicas_abandon(struct replicas *replicas);

/* The stop: the same, and nothing is taken any more. on_idle comes, at once or later, when nothing is at work. */
void replicas_close(struct replicas *replicas, void (*on_idle)(void *ctx), void *ctx);

/* A dir has failed: its partitions answer KAFKA_STORAGE_ERROR from now on. */
void replicas_fail_dir(struct replicas *replicas, struct store_dir *dir);

/* No order is at work. */
bool replicas_are_idle(const struct replicas *replicas);

#endif
