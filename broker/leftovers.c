/* What is no longer this broker's; see leftovers.h. */
#include "broker/leftovers.h"

#include "broker/log/dir_name.h"
#include "broker/log/log.h"
#include "common/memory.h"
#include "common/trace.h"

#include <stdlib.h>
#include <string.h>

static bool has(const int32_t *ids, int n, int32_t id)
{
	for (int i = 0; i < n; i++)
		if (ids[i] == id)
			return true;
	return false;
}

/* The topic that the log is of, if its partition is another brokers' now. */
static const struct view_topic *find_topic(const struct store_log *log, const struct view *view, int32_t broker, int32_t *ret_partition)
{
	const struct view_topic *topic;
	const struct view_partition *partition;
	struct dir_name name = dir_name_parse(slice_of_text(log->key));
	struct uuid id = log->claimed ? log->topic_id : log->log ? log_topic_id(log->log) : UUID_ZERO;

	if (uuid_is_zero(&id) || name.kind != DIR_PARTITION)
		return NULL;
	topic = view_topic_by_id(view, &id);
	if (!topic || topic->deleting || !slice_equal(topic->name, name.topic) || name.partition >= topic->n_partitions)
		return NULL;
	partition = &topic->partitions[name.partition];
	if (partition->n_replicas == 0 || has(partition->replicas, partition->n_replicas, broker) ||
	    has(partition->adding, partition->n_adding, broker) || has(partition->isr, partition->n_isr, broker))
		return NULL;
	*ret_partition = name.partition;
	return topic;
}

/* The whole message is freed as if it had been unpacked: each piece is one of malloc. */
static Klamm__StopTopic *make_topic(const struct view_topic *from, int32_t partition)
{
	Klamm__StopTopic *topic = NEW(Klamm__StopTopic);

	klamm__stop_topic__init(topic);
	topic->name = memory_printf("%.*s", SLICE_ARGS(from->name));
	topic->id.len = sizeof from->id.bytes;
	topic->id.data = memory_zalloc(1, sizeof from->id.bytes);
	memcpy(topic->id.data, from->id.bytes, sizeof from->id.bytes);
	topic->partitions = memory_zalloc(1, sizeof *topic->partitions);
	topic->partitions[0] = partition;
	topic->n_partitions = 1;
	topic->erase = true;
	return topic;
}

Klamm__StopReplicas *leftovers_find(const struct store *store, const struct view *view, int32_t broker)
{
	Klamm__StopTopic **topics = memory_zalloc(HASH_COUNT(store->logs) + 1, sizeof *topics);
	Klamm__StopReplicas *stop;
	size_t n = 0;

	for (const struct store_log *log = store->logs; log; log = log->hh.next) {
		int32_t partition;
		const struct view_topic *topic = find_topic(log, view, broker, &partition);

		if (!topic)
			continue;
		trace_info("replicas", "%s is no longer a replica of its partition, which other brokers have: it is erased", log->key);
		topics[n++] = make_topic(topic, partition);
	}
	if (n == 0) {
		free(topics);
		return NULL;
	}
	stop = NEW(Klamm__StopReplicas);
	klamm__stop_replicas__init(stop);
	stop->topics = topics;
	stop->n_topics = n;
	return stop;
}
