/* A shard's figures; see shard_figures.h. */
#include "broker/replica/shard_figures.h"

#include "broker/replica/partition.h"
#include "broker/replica/replica_leader_core.h"
#include "common/memory.h"

#include <stdio.h>
#include <stdlib.h>

/* Partitions that are looked at in one turn, about half a millisecond: requests wait no longer for a scrape. */
#define FIGURED_AT_ONCE 1000

/* ---- topics ---- */

void topic_lags_raise(struct topic_lags *lags, const struct uuid *id, struct slice name, int64_t lag)
{
	struct topic_lag *found;

	HASH_FIND(hh, lags->list, id, sizeof *id, found);
	if (!found && HASH_COUNT(lags->list) >= LIMIT_METRICS_TOPICS) {
		lags->n_left_out++;
		return;
	}
	if (!found) {
		found = NEW(struct topic_lag);
		found->id = *id;
		snprintf(found->name, sizeof found->name, "%.*s", SLICE_ARGS(name));
		HASH_ADD(hh, lags->list, id, sizeof found->id, found);
	}
	if (lag > found->durability_lag_max)
		found->durability_lag_max = lag;
}

void topic_lags_fini(struct topic_lags *lags)
{
	struct topic_lag *lag, *next;

	HASH_ITER(hh, lags->list, lag, next) {
		HASH_DEL(lags->list, lag);
		free(lag);
	}
	*lags = (struct topic_lags){0};
}

/* ---- one partition ---- */

static void raise_to(int64_t *max, int64_t value)
{
	if (value > *max)
		*max = value;
}

/* As many as there are to be: Kafka does not count those that a move is adding. */
static int32_t wanted_replicas(const struct partition *partition)
{
	const struct view_topic *topic = view_topic_by_id(partition->shard->view, &partition->key.topic_id);
	const struct view_partition *seen = topic ? view_partition(topic, partition->key.index) : NULL;

	return partition->core.n_replicas - (seen ? seen->n_adding : 0);
}

static void figure_leader(const struct partition *partition, struct partition_figures *figures)
{
	const struct replica_core *core = &partition->core;
	int32_t min_isr = replica_min_isr(core);

	figures->n_leaders++;
	figures->n_under_min_isr += core->n_isr < min_isr;
	figures->n_at_min_isr += core->n_isr == min_isr;
	/* The view is asked only where it can matter. */
	if (core->n_isr < core->n_replicas)
		figures->n_under_replicated += core->n_isr < wanted_replicas(partition);
	for (int32_t i = 0; i < core->n_members; i++) {
		const struct replica_member *member = &core->members[i];

		if (member->id != core->broker && member->log_end_offset != REPLICA_OFFSET_NONE)
			raise_to(&figures->follower_lag_max, core->log_end_offset - member->log_end_offset);
	}
}

static void figure_follower(const struct partition *partition, struct partition_figures *figures)
{
	const struct replica_core *core = &partition->core;

	figures->n_stuck += core->follow_stage == REPLICA_FOLLOW_STUCK;
	if (core->leader_high_watermark > core->log_end_offset)
		raise_to(&figures->fetch_lag_max, core->leader_high_watermark - core->log_end_offset);
}

static void figure(const struct partition *partition, struct shard_figures *figures)
{
	struct partition_figures *numbers = &figures->partitions;
	int64_t durability_lag;

	numbers->n_partitions++;
	if (partition->state == PARTITION_FAILED) {
		numbers->n_offline++;
		return;
	}
	if (partition->core.role == REPLICA_LEADER)
		figure_leader(partition, numbers);
	else if (partition->core.role == REPLICA_FOLLOWER)
		figure_follower(partition, numbers);
	durability_lag = log_end_offset(partition->log) - log_durable_end(partition->log);
	raise_to(&numbers->durability_lag_max, durability_lag);
	if (partition->core.rules.durable_counts)
		topic_lags_raise(&figures->topics, &partition->key.topic_id, partition->topic, durability_lag);
}

/* ---- all of a shard ---- */

static void begin(struct shard_asking *asking)
{
	struct shard *shard = asking->shard;

	asking->began = true;
	asking->figures = (struct shard_figures){
		.isr = shard->isr_counters,
		.groups = shard->group_counters,
		.feeds = shard->feeds.counters,
		.links = *links_counters(shard->links),
	};
	if (shard->net)
		asking->figures.net = shard->net->counters;
	shard->figured_next = shard->partitions;
}

static void on_done(struct message *message)
{
	struct shard_asking *asking = CONTAINER_OF(message, struct shard_asking, message);

	asking->done(asking);
}

static void on_ask(struct message *message)
{
	struct shard_asking *asking = CONTAINER_OF(message, struct shard_asking, message);
	struct shard *shard = asking->shard;

	if (!asking->began)
		begin(asking);
	for (int i = 0; shard->figured_next && i < FIGURED_AT_ONCE; i++) {
		struct partition *partition = shard->figured_next;

		shard->figured_next = partition->hh.next;
		figure(partition, &asking->figures);
	}
	if (shard->figured_next) {
		worker_post(&shard->worker, &asking->message);
		return;
	}
	asking->message.run = on_done;
	worker_post(asking->reply_to, &asking->message);
}

void shard_figures_ask(struct shard_asking *asking)
{
	asking->began = false;
	asking->message.run = on_ask;
	worker_post(&asking->shard->worker, &asking->message);
}
