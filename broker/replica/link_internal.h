/* Shared by links.c (which partition over which connection), link.c (one connection) and link_frame.c (what is said on it); nobody else includes it. */
#ifndef KLAMM_BROKER_REPLICA_LINK_INTERNAL_H
#define KLAMM_BROKER_REPLICA_LINK_INTERNAL_H

#include "broker/net/lookup.h"
#include "broker/net/peer.h"
#include "broker/replica/link.h"
#include "broker/replica/links.h"
#include "broker/replica/partition.h"
#include "broker/rt/loop.h"
#include "common/memory.h"

struct link_target;

struct links {
	struct shard *shard;
	struct receive_pool *pool;
	struct budget *budget;
	struct resolver *resolver;
	struct throttle *throttle;
	int64_t throttle_rate;
	struct link_target *targets;
	struct link_member *homeless; /* members whose leader cannot be dialled by the view */
	bool closed;
	uint64_t chance; /* for jitter */
	struct links_counters counters;
};

/* One incarnation of a leader, as the view has it. */
struct link_target {
	struct links *links;
	struct link_target *next; /* utlist LL */
	int32_t broker;
	int64_t epoch;
	char host[LOOKUP_HOST_BYTES];
	uint16_t port;
	int32_t n_workers; /* 0: not known yet */
	struct link *first;
};

struct link {
	struct link_target *target;
	struct link *next; /* utlist LL, of the target */
	int32_t worker;    /* the leader's; while its number of workers is not known, what Hello asks for */
	struct peer *peer; /* NULL: not dialled at the moment */
	struct lookup *lookup;
	bool is_open;
	bool complained;
	int64_t pause_ms;
	struct timer retry; /* dials again, or ends a link that nobody has used for a while */
	struct timer wake;  /* members that pause ask again */
	struct deferred turn;
	struct link_member *members;
	struct link_member *asking, *acking, *pausing;
	struct link_member *opened; /* uthash by handle */
};

static inline struct partition *link_partition(struct link_member *member)
{
	return CONTAINER_OF(member, struct partition, follow);
}

/* ---- link.c ---- */

/* Part of its target from now on; dialled with the first member. */
struct link *link_new(struct link_target *target, int32_t worker);

/* Only when it has no members. */
void link_free(struct link *link);

void link_join(struct link *link, struct link_member *member);

/* Nobody is told: neither the leader nor the partition. */
void link_part(struct link_member *member);

/* It has said what it waited to say. */
void link_wait_no_more(struct link_member *member);

/* ---- links.c ---- */

/* A leader has said how many workers it has: members that belong to others of them move. */
void links_spread(struct link_target *target);

/* ---- link_frame.c ---- */

/* All that ask, and all that ack, in as few frames as may be. */
void link_send_follows(struct link *link);
void link_send_acks(struct link *link);
void link_send_close(struct link *link, int64_t handle, int16_t error);

/* A frame of the leader: 0, or a negative code when it cannot be read. */
int link_take_frame(struct link *link, const struct peer_frame *frame);

#endif
