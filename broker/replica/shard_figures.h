/*
 * What one shard says of itself when somebody asks (broker/metrics_page.h): how many partitions, how far behind, what was counted.
 *
 *     shard_figures_ask --message--> the shard: counters, then its partitions, some thousand in a turn --message--> done, on reply_to
 *
 * Nothing is kept up to date for it: while nobody asks it costs nothing. One asks a shard at a time.
 */
#ifndef KLAMM_BROKER_REPLICA_SHARD_FIGURES_H
#define KLAMM_BROKER_REPLICA_SHARD_FIGURES_H

#include "broker/net/net.h"
#include "broker/replica/feed.h"
#include "broker/replica/links.h"
#include "broker/replica/shard.h"
#include "common/limits.h"

/* How far the disk is behind in a topic whose records count only when they are there (fsync-isr). */
struct topic_lag {
	struct uuid id;
	char name[LIMIT_TOPIC_NAME_BYTES + 1];
	int64_t durability_lag_max; /* offsets, of its partitions here */
	UT_hash_handle hh;
};

/* At most LIMIT_METRICS_TOPICS of them. */
struct topic_lags {
	struct topic_lag *list; /* uthash by id */
	int64_t n_left_out;
};

/* The lag of a topic is at least this. */
void topic_lags_raise(struct topic_lags *lags, const struct uuid *id, struct slice name, int64_t lag);
void topic_lags_fini(struct topic_lags *lags);

/* Numbers of replicas on this shard; lags are in offsets, the largest of all its replicas. */
struct partition_figures {
	int64_t n_partitions;
	int64_t n_leaders;
	int64_t n_under_replicated; /* led here, with fewer in the ISR than there are to be (brokers that are being added do not count) */
	int64_t n_under_min_isr;
	int64_t n_at_min_isr;
	int64_t n_offline;          /* their log dir has failed, or they are damaged */
	int64_t n_stuck;            /* the leader contradicts what is committed here (S10) */
	int64_t durability_lag_max; /* log end to durable end */
	int64_t fetch_lag_max;      /* followers: from the own log end to what the leader says is committed */
	int64_t follower_lag_max;   /* leaders: from the slowest replica that has told its end in this epoch to the own log end */
};

struct shard_figures {
	struct partition_figures partitions;
	struct topic_lags topics;
	struct isr_counters isr;
	struct group_counters groups;
	struct feed_counters feeds;
	struct links_counters links;
	struct net_counters net;
};

/* One asking; the asker's, from shard_figures_ask until done. */
struct shard_asking {
	struct message message;
	struct shard *shard;
	struct worker *reply_to;
	void (*done)(struct shard_asking *asking); /* on reply_to; figures are the asker's, who ends with topic_lags_fini */
	void *ctx;
	bool began;
	struct shard_figures figures;
};

/* Any thread. shard, reply_to and done are set. */
void shard_figures_ask(struct shard_asking *asking);

#endif
