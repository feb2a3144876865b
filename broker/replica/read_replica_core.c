/* Which replica a consumer is to read from; see read_replica_core.h. */
#include "broker/replica/read_replica_core.h"

#include <stdbool.h>
#include <stddef.h>

/* More of the log, then caught up later, then the higher id: the order of Kafka's ReplicaView. */
static bool is_better(const struct read_replica *a, const struct read_replica *b)
{
	if (a->log_end_offset != b->log_end_offset)
		return a->log_end_offset > b->log_end_offset;
	if (a->caught_up_ms != b->caught_up_ms)
		return a->caught_up_ms > b->caught_up_ms;
	return a->id > b->id;
}

int32_t read_replica_choose(enum read_replica_rule rule, struct slice client_rack, struct slice leader_rack, int64_t offset,
			    const struct read_replica *followers, int n_followers)
{
	const struct read_replica *best = NULL;

	if (rule == READ_REPLICA_LEADER || client_rack.len == 0 || slice_equal(client_rack, leader_rack))
		return READ_REPLICA_OF_LEADER;
	for (int i = 0; i < n_followers; i++) {
		const struct read_replica *follower = &followers[i];

		if (!slice_equal(follower->rack, client_rack) || follower->log_start_offset < 0 ||
		    follower->log_start_offset > offset || follower->log_end_offset < offset)
			continue;
		if (!best || is_better(follower, best))
			best = follower;
	}
	return best ? best->id : READ_REPLICA_OF_LEADER;
}
