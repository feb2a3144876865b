/*
 * Hello of a follower: a worker of another broker wants to follow partitions that this one leads.
 *
 *     the connection's worker   Hello -> of this cluster? for this incarnation of ours? from one that may still be alive?
 *                               answer (with the number of workers), detach --> message
 *     worker said.worker mod N  feeds_adopt (broker/replica/feed.h)
 *
 * It is the end of the connection as a Kafka one, and comes in by the inter-broker listener only. Runs on workers, without the hub: each shard
 * knows this broker's incarnation and the view.
 */
#ifndef KLAMM_BROKER_REPLICATION_HELLO_H
#define KLAMM_BROKER_REPLICATION_HELLO_H

#include "broker/net/request.h"
#include "broker/replica/shard.h"
#include "proto/cluster/cluster.pb-c.h"

/* Ends the request. `said` is taken over. shard: that of the request's worker, or any other if this is its thread, too. */
void replication_hello(struct request *request, Klamm__Hello *said, struct shard *shard);

#endif
