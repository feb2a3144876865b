/*
 * How fast a broker copies the replicas that an operator has throttled, so that moving partitions leaves room for clients.
 *
 *     broker   follower.replication.throttled.rate = bytes a second, all throttled replicas of the broker together
 *     topic    follower.replication.throttled.replicas = partition:broker,... or *
 *
 * What has gone through is paid for with time: each byte moves a moment in the future that all shards share. Whoever finds it further away than
 * THROTTLE_BURST_NS pauses until it has come. Only replicas that are behind are throttled, as in Kafka: acks do not wait for a throttle.
 *
 * Any thread. Two shards that take in the same instant may lose the smaller of their two parts: the rate is kept on average.
 */
#ifndef KLAMM_BROKER_REPLICA_THROTTLE_H
#define KLAMM_BROKER_REPLICA_THROTTLE_H

#include "broker/meta/broker_config.h"
#include "common/refcount.h"

#define THROTTLE_NONE INT64_MAX
#define THROTTLE_BURST_NS INT64_C(1000000000)

struct throttle {
	struct shared_i64 paid_ns; /* by clock_ns: until then all that has gone through is paid for */
};

/* The rate that a broker's dynamic configuration sets under this key, in bytes a second; THROTTLE_NONE. */
int64_t throttle_rate(const struct broker_config *config, struct slice key);

/* Whether a topic's list ("0:101,1:102", "*") names this replica. */
bool throttle_names(const char *list, int32_t partition, int32_t broker);

/* Another rate holds from now on: what the old one has cost is forgotten. */
void throttle_forget(struct throttle *throttle);

/* So many bytes have gone through. 0: go on; else how many ms to pause. */
int64_t throttle_take(struct throttle *throttle, int64_t rate, int64_t bytes, int64_t now_ns);

#endif
