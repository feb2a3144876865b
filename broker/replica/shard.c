/* A worker and what it owns; see shard.h. */
#include "broker/replica/shard.h"

#include "broker/replica/links.h"
#include "broker/replica/partition.h"
#include "common/bytes.h"
#include "common/clock.h"
#include "common/trace.h"

#include <stdio.h>
#include <stdlib.h>

/* Requests wait no longer than this for a part of a round over ten thousand partitions. */
#define CLEANING_MS 5

/* Goes on with the round; true when it is at its end. */
static bool clean_some(struct shard *shard, int64_t until_ms)
{
	int64_t wall_ms = clock_wall_ms();

	while (shard->cleaned_next) {
		struct partition *partition = shard->cleaned_next;

		shard->cleaned_next = partition->hh.next;
		partition_clean_up(partition, wall_ms, shard->config->producer_id_expiration_ms);
		if (clock_ms() >= until_ms)
			break;
	}
	return !shard->cleaned_next;
}

/* One part of a round of retention and expiry; the next follows at once, or when the interval is over. */
static void on_cleaning(struct timer *timer)
{
	struct shard *shard = CONTAINER_OF(timer, struct shard, cleaning);
	int64_t now_ms = clock_ms();

	if (!shard->cleaned_next) {
		shard->cleaned_next = shard->partitions;
		shard->cleaning_began_ms = now_ms;
		codec_context_trim(shard->codecs);
	}
	if (clean_some(shard, now_ms + CLEANING_MS))
		timer_set(timer, shard->cleaning_began_ms + shard->config->log_retention_check_interval_ms);
	else
		timer_set(timer, clock_ms() + 1);
}

void shard_add(struct shard *shard, struct partition *partition)
{
	HASH_ADD(hh, shard->partitions, key, sizeof partition->key, partition);
}

void shard_remove(struct shard *shard, struct partition *partition)
{
	if (shard->cleaned_next == partition)
		shard->cleaned_next = partition->hh.next;
	if (shard->figured_next == partition)
		shard->figured_next = partition->hh.next;
	HASH_DEL(shard->partitions, partition);
}

int shard_init(struct shard *shard, int index, int n_shards, struct shard **all, const struct broker_config *config)
{
	char name[16];
	int r;

	*shard = (struct shard){.index = index, .n_shards = n_shards, .all = all};
	snprintf(name, sizeof name, "worker-%d", index);
	r = worker_init(&shard->worker, name, (unsigned)index);
	if (r)
		return r;
	shard->config = broker_config_retain(config);
	shard->session_ms = config->zookeeper_session_timeout_ms;
	shard->view = view_new_empty();
	feeds_init(&shard->feeds, shard);
	shard->codecs = codec_context_new();
	shard->broker_epoch = -1;
	shard->links = links_new(shard);
	fetch_sessions_init(&shard->fetch_sessions, (config->max_incremental_fetch_session_cache_slots + n_shards - 1) / n_shards, index,
			    n_shards, (uint32_t)clock_ns());
	timer_init(&shard->cleaning, &shard->worker.loop, on_cleaning);
	timer_set(&shard->cleaning, clock_ms() + config->log_retention_check_interval_ms);
	return 0;
}

void shard_close_all(struct shard *shard)
{
	struct partition *partition, *next;

	links_close(shard->links);
	feeds_close(&shard->feeds);
	HASH_ITER(hh, shard->partitions, partition, next)
		partition_close(partition, NULL);
	timer_stop(&shard->cleaning);
}

void shard_fini(struct shard *shard)
{
	links_free(shard->links);
	free(shard->cluster_id);
	fetch_sessions_fini(&shard->fetch_sessions);
	codec_context_free(shard->codecs);
	view_release(shard->view);
	broker_config_release(shard->config);
	worker_fini(&shard->worker);
}

int32_t shard_index(const struct uuid *topic_id, int32_t partition, int32_t n_shards)
{
	/* Ids are random; partitions of one topic follow each other, so that they spread evenly. */
	return (int32_t)((bytes_get_u32(topic_id->bytes + 8) + (uint32_t)partition) % (uint32_t)n_shards);
}

struct shard *shard_owner(const struct shard *any, const struct uuid *topic_id, int32_t partition)
{
	return any->all[shard_index(topic_id, partition, any->n_shards)];
}

struct partition *shard_find(struct shard *shard, const struct uuid *topic_id, int32_t partition)
{
	struct partition_key key = {*topic_id, partition};
	struct partition *found;

	HASH_FIND(hh, shard->partitions, &key, sizeof key, found);
	return found;
}

void shard_topic_config(const struct shard *shard, const struct uuid *topic_id, struct arena *arena, struct topic_config *ret_config)
{
	static const struct config_pairs none;
	const struct view_topic *topic = view_topic_by_id(shard->view, topic_id);
	const char *bad_key = NULL;

	topic_config_compute(shard->config, topic ? topic->config : none, arena, ret_config, &bad_key);
	if (bad_key)
		trace_limited(TRACE_WARN, "config", "topic %.*s: the value of %s is not valid and not used",
			      topic ? (int)topic->name.len : 0, topic ? (const char *)topic->name.data : "", bad_key);
}

/* Tells all partitions of a topic that this shard holds what holds for them now. */
static void configure_topic(struct shard *shard, const struct view_topic *topic)
{
	struct topic_config config;
	struct arena arena;
	bool computed = false;

	arena_init(&arena);
	for (int32_t i = 0; i < topic->n_partitions; i++) {
		struct partition *partition = shard_find(shard, &topic->id, i);

		if (!partition)
			continue;
		if (!computed)
			shard_topic_config(shard, &topic->id, &arena, &config);
		computed = true;
		partition_configure(partition, &config);
	}
	arena_fini(&arena);
}

static bool config_changed(const struct view_topic_change *change)
{
	return change->after && (!change->before || !config_pairs_equal(change->before->config, change->after->config));
}

void shard_set_view(struct shard *shard, struct view *view, const struct broker_config *config)
{
	struct view *old_view = shard->view;
	const struct broker_config *old_config = shard->config;
	struct view_diff diff;
	struct arena arena;

	arena_init(&arena);
	view_diff(old_view, view, &arena, &diff);
	shard->view = view;
	shard->config = config;
	if (config != old_config) {
		for (int32_t i = 0; i < view->n_topics; i++)
			configure_topic(shard, view->topics[i]);
	} else {
		for (int32_t i = 0; i < diff.n_topics; i++)
			if (config_changed(&diff.topics[i]))
				configure_topic(shard, diff.topics[i].after);
	}
	feeds_on_view(&shard->feeds, &diff);
	arena_fini(&arena);
	links_on_view(shard->links);
	view_release(old_view);
	broker_config_release(old_config);
}

void shard_set_session(struct shard *shard, int64_t session_ms)
{
	struct partition *partition, *next;

	shard->session_ms = session_ms;
	HASH_ITER(hh, shard->partitions, partition, next)
		partition_set_session(partition, session_ms);
}

void shard_set_incarnation(struct shard *shard, struct slice cluster_id, int64_t broker_epoch)
{
	if (!slice_is_null(cluster_id)) {
		free(shard->cluster_id);
		shard->cluster_id = memory_printf("%.*s", SLICE_ARGS(cluster_id));
	}
	if (shard->broker_epoch != broker_epoch) {
		shard->broker_epoch = broker_epoch;
		feeds_on_own_epoch(&shard->feeds);
	}
	links_on_incarnation(shard->links);
}

void shard_resign_all(struct shard *shard)
{
	struct partition *partition, *next;

	HASH_ITER(hh, shard->partitions, partition, next)
		partition_resign(partition);
}
