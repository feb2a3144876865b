/*
 * Reading and counting of cluster views; see view.h. How a view is made from another is in view_apply.c.
 *
 * A topic, a broker and a dynamic configuration are each one allocation: the struct, behind it its arrays, behind them its text.
 */
#include "broker/meta/view.h"

#include "broker/meta/view_keeper.h"
#include "common/memory.h"

#include <stdlib.h>

/* ---- Reading ---- */

const struct view_broker *view_broker(const struct view *view, int32_t id)
{
	int low = 0, high = view->n_brokers;

	while (low < high) {
		int middle = (low + high) / 2;

		if (view->brokers[middle]->id == id)
			return view->brokers[middle];
		if (view->brokers[middle]->id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

const struct view_endpoint *view_broker_endpoint(const struct view_broker *broker, struct slice listener)
{
	for (int i = 0; i < broker->n_endpoints; i++)
		if (slice_equal(broker->endpoints[i].listener, listener))
			return &broker->endpoints[i];
	return NULL;
}

int32_t view_topic_lower_bound(const struct view *view, struct slice name)
{
	int32_t low = 0, high = view->n_topics;

	while (low < high) {
		int32_t middle = (low + high) / 2;

		if (slice_compare(view->topics[middle]->name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct view_topic *view_topic(const struct view *view, struct slice name)
{
	int32_t at = view_topic_lower_bound(view, name);

	if (at == view->n_topics || !slice_equal(view->topics[at]->name, name))
		return NULL;
	return view->topics[at];
}

const struct view_topic *view_topic_by_id(const struct view *view, const struct uuid *id)
{
	int32_t low = 0, high = view->n_topics;

	while (low < high) {
		int32_t middle = (low + high) / 2;
		int order = memcmp(view->topics_by_id[middle]->id.bytes, id->bytes, sizeof id->bytes);

		if (order == 0)
			return view->topics_by_id[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

const struct view_partition *view_partition(const struct view_topic *topic, int32_t index)
{
	return index >= 0 && index < topic->n_partitions ? &topic->partitions[index] : NULL;
}

struct config_pairs view_broker_config(const struct view *view, int32_t id)
{
	for (int i = 0; i < view->n_broker_configs; i++)
		if (view->broker_configs[i]->id == id)
			return view->broker_configs[i]->config;
	return (struct config_pairs){NULL, 0};
}

bool view_is_alive(const struct view *view, int32_t broker_id)
{
	return view_broker(view, broker_id) != NULL;
}

bool view_ids_contain(const int32_t *ids, int n, int32_t broker_id)
{
	for (int i = 0; i < n; i++)
		if (ids[i] == broker_id)
			return true;
	return false;
}

int view_offline_replicas(const struct view *view, const struct view_partition *partition, int32_t *ret_ids)
{
	int n = 0;

	for (int i = 0; i < partition->n_replicas; i++)
		if (!view_is_alive(view, partition->replicas[i]) ||
		    view_ids_contain(partition->offline, partition->n_offline, partition->replicas[i]))
			ret_ids[n++] = partition->replicas[i];
	return n;
}

/* ---- Counting ---- */

struct view *view_new_empty(void)
{
	struct view *view = NEW(struct view);

	refcount_init(&view->refs);
	view->controller_epoch = -1;
	view->number = -1;
	view->office_broker = -1;
	view->cluster_id = arena_copy(&view->arena, SLICE_LITERAL(""));
	return view;
}

struct view *view_retain(const struct view *view)
{
	/* Views are const to all who read them; only the count changes. */
	struct view *counted = (struct view *)(uintptr_t)view;

	refcount_retain(&counted->refs);
	return counted;
}

struct view_topic *view_topic_retain(const struct view_topic *topic)
{
	struct view_topic *counted = (struct view_topic *)(uintptr_t)topic;

	refcount_retain(&counted->refs);
	return counted;
}

void view_topic_release(const struct view_topic *topic)
{
	struct view_topic *counted = (struct view_topic *)(uintptr_t)topic;

	if (counted && refcount_release(&counted->refs))
		free(counted);
}

void view_keeper_release(struct view_keeper *keeper)
{
	while (keeper && refcount_release(&keeper->refs)) {
		struct view_keeper *below = keeper->below;

		for (int32_t i = 0; i < keeper->n; i++)
			view_topic_release(keeper->topics[i]);
		free(keeper);
		keeper = below;
	}
}

void view_release(const struct view *view)
{
	struct view *counted = (struct view *)(uintptr_t)view;

	if (!counted || !refcount_release(&counted->refs))
		return;
	view_keeper_release(counted->keeper);
	for (int i = 0; i < counted->n_brokers; i++)
		if (refcount_release(&counted->brokers[i]->refs))
			free(counted->brokers[i]);
	for (int i = 0; i < counted->n_broker_configs; i++)
		if (refcount_release(&counted->broker_configs[i]->refs))
			free(counted->broker_configs[i]);
	arena_fini(&counted->arena);
	free(counted);
}
