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
#include "broker/meta/view.h"
#include "broker/replica/fetch_session.h"
#include "broker/rt/worker.h"
#include "common/uuid.h"
#include "proto/record/codec.h"

struct partition;
struct admin;

struct shard {
	struct worker worker;
	int index;
	int n_shards;
	struct shard **all;                  /* by index; constant while workers run */
	struct worker *hub;
	struct admin *admin;                 /* the hub's: only messages to hub may use it (broker/meta/admin.h) */
	const struct broker_config *config;  /* what server.properties says; constant */
	struct broker_config_shared *dynamic; /* the same with /config/brokers laid over it, as of this view */
	struct view *view;                   /* never NULL */
	struct partition *partitions;        /* uthash by (topic id, index) */
	struct fetch_sessions fetch_sessions;
	struct codec_context *codecs;
	struct timer retention;
};

/* An effective broker configuration with the arena that holds its text; counted, since each shard keeps its own reference. */
struct broker_config_shared {
	struct refcount refs;
	struct arena arena;
	struct broker_config config;
};

/* Takes a reference. */
struct broker_config_shared *broker_config_shared_retain(struct broker_config_shared *shared);
void broker_config_shared_release(struct broker_config_shared *shared);

/* Sets up a shard whose worker is not started; view and dynamic: a reference of each goes to it. */
int shard_init(struct shard *shard, int index, int n_shards, struct shard **all, const struct broker_config *config,
	       struct broker_config_shared *dynamic, struct view *view);

/* Frees partitions and what else it holds; logs are left to their dirs. After worker_join. */
void shard_fini(struct shard *shard);

/* The shard of the worker that runs this thread; CHECKs that it is one. */
struct shard *shard_current(void);

/* The shard of a request's worker. */
static inline struct shard *shard_of(struct worker *worker)
{
	return CONTAINER_OF(worker, struct shard, worker);
}

/* Which shard owns a partition. Any thread. */
struct shard *shard_owner(const struct shard *any, const struct uuid *topic_id, int32_t partition);

/* On the owner: the partition, or NULL when this broker holds no replica of it (yet). */
struct partition *shard_find(struct shard *shard, const struct uuid *topic_id, int32_t partition);

/*
 * On the owner: takes a new view and configuration (a reference of each) and tells partitions whose topic's configuration changed.
 */
void shard_set_view(struct shard *shard, struct view *view, struct broker_config_shared *dynamic);

/* On the owner: every leadership ends until a controller confirms it (session lost). */
void shard_resign_all(struct shard *shard);

#endif
