/*
 * What a controller wants of the replicas on this broker, carried out: logs found or made, partitions opened, given roles, stopped.
 *
 *     hub     PARTITION_STATES -> logs from the store, missing ones made (disk threads)
 *             -> one message a shard: open, configure, become -> results home -> done(errors)
 *     hub     STOP_REPLICAS    -> one message a shard: close, erase -> results home -> done(errors)
 *
 * Hub's thread. Orders are carried out one after the other, in the order they came, so that a later state never overtakes an earlier
 * one; what they say is judged per partition by its epochs (D1).
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
};

/* A partition that did not go well. */
struct replica_error {
	struct uuid topic_id;
	int32_t partition;
	int16_t error;
};

typedef void replica_order_done(void *ctx, int64_t request, const struct replica_error *errors, int n_errors);

void replicas_init(struct replicas *replicas, struct store *store, struct shard **shards, int n_shards, struct worker *hub, int32_t broker);

/* Takes a message of proto/cluster (unpacked; it becomes the order's and is freed with it). done comes later, exactly once. */
void replicas_apply(struct replicas *replicas, Klamm__PartitionStates *states, replica_order_done *done, void *ctx);
void replicas_stop(struct replicas *replicas, Klamm__StopReplicas *stop, replica_order_done *done, void *ctx);

/* Orders whose answer nobody wants any more (their connection is gone) are still carried out. */
void replicas_forget(struct replicas *replicas, void *ctx);

/* A dir has failed: its partitions answer KAFKA_STORAGE_ERROR from now on. */
void replicas_fail_dir(struct replicas *replicas, struct store_dir *dir);

/* No order is at work. */
bool replicas_are_idle(const struct replicas *replicas);

#endif
