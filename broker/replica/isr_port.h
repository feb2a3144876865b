/*
 * The way of a leader's proposals to the controller (KIP-497), handed to every shard at set-up.
 *
 *     partition_isr.c -- propose --> port (the broker's isr_line.h) --> controller
 *     partition_isr.c <-- partition_isr_answered, once, or never: then the same is asked again after the next state or session
 *
 * A later proposal of a partition takes the place of an earlier one whose answer is not known yet.
 */
#ifndef KLAMM_BROKER_REPLICA_ISR_PORT_H
#define KLAMM_BROKER_REPLICA_ISR_PORT_H

struct shard;
struct partition_key;
struct replica_proposal;

struct isr_port {
	void *ctx;
	/* On the thread of the partition's owner; the proposal is copied. */
	void (*propose)(void *ctx, struct shard *shard, const struct partition_key *key, const struct replica_proposal *proposal);
};

#endif
