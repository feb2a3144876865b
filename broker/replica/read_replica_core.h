/*
 * Which replica a consumer is to read from (KIP-392). Pure. The rules of Kafka's two selectors:
 *
 *     LEADER      the leader
 *     RACK_AWARE  the leader when it stands in the client's rack, else of those in sync that do and have the offset the one that has most of
 *                 the log; the leader where there is none, or where the client does not say its rack
 */
#ifndef KLAMM_BROKER_REPLICA_READ_REPLICA_CORE_H
#define KLAMM_BROKER_REPLICA_READ_REPLICA_CORE_H

#include "common/slice.h"

#include <stdint.h>

enum read_replica_rule { READ_REPLICA_LEADER, READ_REPLICA_RACK_AWARE };

#define READ_REPLICA_OF_LEADER (-1)

/* A follower in sync. */
struct read_replica {
	int32_t id;
	struct slice rack; /* null: it has none */
	int64_t log_start_offset;
	int64_t log_end_offset;
	int64_t caught_up_ms; /* when it last had all that the leader had */
};

/* The id of the follower that the client is to ask, or READ_REPLICA_OF_LEADER. */
int32_t read_replica_choose(enum read_replica_rule rule, struct slice client_rack, struct slice leader_rack, int64_t offset,
			    const struct read_replica *followers, int n_followers);

#endif
