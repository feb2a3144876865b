/*
 * News of a partition's leadership here, for those who keep something beside it: coordinators. Handed to a shard at set-up.
 *
 *     partition.c -- begun --> port (broker/coord/coordinator.h): this replica may lead from now on; its log has all that it will have
 *                              of before
 *                 -- ended --> port: resigned, another leader, failed or closed; every append that still waits ends right after
 *
 * Each begun is followed by one ended before the next, also where only the leader epoch grew in a way that somebody else may have led in
 * between. Both are called for every partition, on its owner's thread; neither may close, open or give roles to partitions. ended may come from
 * inside an append, when the disk fails under it.
 */
#ifndef KLAMM_BROKER_REPLICA_LEAD_PORT_H
#define KLAMM_BROKER_REPLICA_LEAD_PORT_H

struct partition;

struct lead_port {
	void *ctx;
	void (*begun)(void *ctx, struct partition *partition);
	void (*ended)(void *ctx, struct partition *partition);
};

#endif
