/*
 * All replication connections of one shard, as a follower.
 *
 *     partition_become -> actions.follow -> links_follow(partition)
 *          leader by the core, its incarnation and address by the view
 *          its worker = shard_index(topic id, partition, number of workers by HelloAnswer)
 *                -> link (leader's incarnation, leader's worker): dialled when the first partition needs it (link.h)
 *
 *     own incarnation changes (session lost, registered anew)  every link is closed; partitions wait
 *     a leader's incarnation or address changes in the view    its links are closed; partitions wait
 *     a new view                                               those that wait are tried again
 *
 * How many workers a leader has is known from its first answer to Hello: until then all its partitions share one link, then those that
 * belong to other workers move to links of their own.
 *
 * The shard's thread alone. Partitions are in here from links_follow to links_leave.
 */
#ifndef KLAMM_BROKER_REPLICA_LINKS_H
#define KLAMM_BROKER_REPLICA_LINKS_H

#include "broker/net/budget.h"
#include "broker/net/receiver.h"
#include "broker/replica/link.h"
#include "broker/replica/throttle.h"
#include "common/slice.h"

struct resolver;
struct shard;
struct partition;
struct links;

/* Since the start; for metrics and tests. */
struct links_counters {
	int64_t n_connected;
	int64_t n_failed;   /* connections lost, or not to be had */
	int64_t n_refused;  /* Follows that a leader refused */
	int64_t n_invalid;  /* of what leaders sent: cannot be right, and was not taken */
	int64_t n_stuck;    /* leader epochs whose leader contradicts what is committed here (S10) */
	int64_t n_truncated;
	int64_t n_unstored; /* appends that the own disk did not take */
	int64_t n_throttled; /* pauses because of a throttle */
	int64_t n_frames;   /* of batches, appended */
	int64_t bytes_in;   /* of batches, appended */
};

/* Without connections until the shard knows its own incarnation (links_set_broker_epoch) and a view. */
struct links *links_new(struct shard *shard);

/*
 * What connections share with others: the worker's chunk to receive into, the budget of all frames, who looks up host names (NULL: only
 * numeric addresses are dialled), the throttle of all shards. Each may be NULL. Before the worker starts.
 */
void links_share(struct links *links, struct receive_pool *pool, struct budget *budget, struct resolver *resolver, struct throttle *throttle);

/* So many bytes of a throttled replica have come. 0: go on; else how many ms to pause. */
int64_t links_throttle(struct links *links, int64_t bytes);

/* The partition follows the leader that its core names, from now on; asked at the end of this turn, or when the leader is reached. Another
 * leader that had given it a handle is told that this is over. */
void links_follow(struct links *links, struct partition *partition);

/* It follows no more; the leader is told when it had a handle. Nothing happens when it did not follow. */
void links_leave(struct links *links, struct partition *partition);

/* The shard's view or configuration is another one. */
void links_on_view(struct links *links);

/* The shard's broker epoch or cluster id is another one: what was dialled under the old one is closed. */
void links_on_incarnation(struct links *links);

/* No connection any more, for good: the broker stops. Partitions may still leave. */
void links_close(struct links *links);

/* After that, when the worker is drained. */
void links_free(struct links *links);

struct links_counters *links_counters(struct links *links);

#endif
