/*
 * A shard: one worker and all that it owns - connections (broker/net), partitions, fetch sessions - and what it may look at.
 *
 *     partition (topic id, index) --hash--> shard index, for life          conn --round robin--> shard
 *
 *     api handler, on the connection's shard                        owner's shard
 *       shard_owner(...) ------ worker_post(&owner->worker, msg) ---> shard_find -> partition_append / _read / ...
 *       answer             <--- worker_post(back) ------------------- done
 *
 * Everything in it is the worker's. The view is this shard's own reference to the newest one that the hub has posted.
 */
#ifndef KLAMM_BROKER_REPLICA_SHARD_H
#define KLAMM_BROKER_REPLICA_SHARD_H

#include "broker/meta/broker_config.h"
#include "broker/meta/topic_config.h"
#include "broker/meta/view.h"
#include "broker/replica/feed.h"
#include "broker/replica/fetch_session.h"
#include "broker/replica/forward_port.h"
#include "broker/replica/isr_port.h"
#include "broker/replica/lead_port.h"
#include "broker/rt/loop.h"
#include "broker/rt/worker.h"
#include "common/memory.h"
#include "common/uuid.h"
#include "proto/record/codec.h"
#include "zk/lease.h"

struct partition;
struct admin;
struct coordinator;
struct links;
struct net;

/* ISR changes that leaders have asked for, and the answers; counted since the start. */
struct isr_counters {
	int64_t n_shrunk;
	int64_t n_expanded;
	int64_t n_refused;
};

/* Consumer groups that the shard coordinates now (broker/coord), and what was counted of them since the start. */
struct group_counters {
	int64_t n_groups;
	int64_t n_in_state[5]; /* empty, preparing, completing a rebalance, stable, dead */
	int64_t n_offsets;
	int64_t n_commits;     /* offsets; likewise the next two */
	int64_t n_expired;
	int64_t n_deleted;     /* with their topic or group, or by OffsetDelete */
	int64_t n_rebalances;
	int64_t n_loads;       /* of partitions of the offsets topic */
	int64_t load_ms;       /* of all */
	int64_t load_ms_max;
	int64_t n_damaged;     /* records and batches that could not be read */
};

struct shard {
	struct worker worker;
	int index;
	int n_shards;
	struct shard **all;                  /* by index; constant while workers run */
	struct worker *hub;
	const struct lease *lease;           /* of the broker's session; NULL: nothing bounds leaderships (no ZooKeeper: a test) */
	int64_t n_sessions_lost;             /* that the shard has been told of; see shard_session_is_over */
	int64_t n_gaps;                      /* of the lease, behind which a controller has told all states; see partition_now */
	int64_t session_ms;                  /* its time-out */
	const struct isr_port *isr;          /* NULL: no way to a controller */
	const struct forward_port *forward;  /* likewise */
	const struct lead_port *lead;        /* NULL: nobody asks who leads */
	struct coordinator *coordinator;     /* of groups (broker/coord); NULL: this shard coordinates nothing */
	struct net *net;                     /* of this worker; NULL: connections of the cluster count nothing (a test) */
	struct admin *admin;                 /* the hub's: only messages to hub may use it (broker/meta/admin.h) */
	const struct broker_config *config;  /* with the dynamic configuration of this view; never NULL */
	struct view *view;                   /* never NULL */
	struct partition *partitions;        /* uthash by (topic id, index) */
	struct partition *closing;           /* utlist: closed ones of which the disk thread still has a job */
	struct partition *cleaned_next;      /* where the cleaning of them goes on; NULL: at the first */
	struct partition *figured_next;      /* and where shard_figures goes on; NULL: at the end */
	struct isr_counters isr_counters;
	struct group_counters group_counters;
	struct fetch_sessions fetch_sessions;
	struct feeds feeds;                  /* connections of followers */
	struct codec_context *codecs;
	int64_t broker_epoch;                /* this broker's incarnation; -1 while it is not registered */
	char *cluster_id;                    /* NULL until it was registered once */
	struct links *links;                 /* connections to the leaders that its partitions follow */
	struct timer cleaning;
	int64_t cleaning_began_ms;           /* of this round */
};

/* Sets up a shard whose worker is not started, with a view of nothing. References of its own are taken. 0 or ERR_LIMIT. */
int shard_init(struct shard *shard, int index, int n_shards, struct shard **all, const struct broker_config *config);

/* On its worker, before it stops: gives up all partitions; their logs are left to their dirs. */
void shard_close_all(struct shard *shard);

/* After worker_join and worker_drain. */
void shard_fini(struct shard *shard);

/* The shard of a request's worker. */
static inline struct shard *shard_of(struct worker *worker)
{
	return CONTAINER_OF(worker, struct shard, worker);
}

/* Which of a broker's workers owns a partition, by their number. The same on every broker. */
int32_t shard_index(const struct uuid *topic_id, int32_t partition, int32_t n_shards);

/* Which shard owns a partition. Any thread. */
struct shard *shard_owner(const struct shard *any, const struct uuid *topic_id, int32_t partition);

/* On the owner: the partition, or NULL when this broker holds no replica of it (yet). */
struct partition *shard_find(struct shard *shard, const struct uuid *topic_id, int32_t partition);

/* On the owner, for partition_open and partition_close. */
void shard_add(struct shard *shard, struct partition *partition);
void shard_remove(struct shard *shard, struct partition *partition);

/*
 * On the owner: takes a new view and configuration (a reference of each) and tells partitions whose topic's configuration changed.
 */
void shard_set_view(struct shard *shard, struct view *view, const struct broker_config *config);

/* On the owner: this broker is registered under another broker epoch, or (-1) no more. What was connected under the old one is not any more. */
void shard_set_incarnation(struct shard *shard, struct slice cluster_id, int64_t broker_epoch);

/* On the owner: the effective configuration of a topic by the shard's view; its text lies in the arena and the view. */
void shard_topic_config(const struct shard *shard, const struct uuid *topic_id, struct arena *arena, struct topic_config *ret_config);

/*
 * The session under which this shard leads is lost, and the message that ends its leaderships is on its way: the lease may be the next
 * session's already (S9, D6).
 */
static inline bool shard_session_is_over(const struct shard *shard)
{
	return shard->lease && lease_n_lost(shard->lease) != shard->n_sessions_lost;
}

/* On the owner: the time-out of the session that has begun. */
void shard_set_session(struct shard *shard, int64_t session_ms);

/* On the owner: every leadership ends until a controller confirms it (session lost). */
void shard_resign_all(struct shard *shard);

#endif
