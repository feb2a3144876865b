/* Who leads instead; see leader_hint.h. */
#include "broker/api/leader_hint.h"

void leader_hint_find(const struct view *view, const struct uuid *topic_id, int32_t partition, int32_t *ret_leader, int32_t *ret_epoch)
{
	const struct view_topic *topic = view_topic_by_id(view, topic_id);
	const struct view_partition *found = topic ? view_partition(topic, partition) : NULL;

	if (!found || found->leader == VIEW_NO_LEADER)
		return;
	*ret_leader = found->leader;
	*ret_epoch = found->leader_epoch;
}

void leader_hints_init(struct leader_hints *hints, const struct view *view, const char *listener, struct arena *arena)
{
	*hints = (struct leader_hints){
		.view = view,
		.listener = slice_of_text(listener),
		.list = arena_zalloc(arena, (size_t)view->n_brokers, sizeof *hints->list),
	};
}

void leader_hints_add(struct leader_hints *hints, int32_t broker_id)
{
	const struct view_broker *broker = view_broker(hints->view, broker_id);
	const struct view_endpoint *endpoint = broker ? view_broker_endpoint(broker, hints->listener) : NULL;

	if (!endpoint)
		return;
	for (int i = 0; i < hints->n; i++)
		if (hints->list[i].broker == broker)
			return;
	hints->list[hints->n++] = (struct leader_endpoint){broker, endpoint};
}
