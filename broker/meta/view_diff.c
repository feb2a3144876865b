/* What changed between two views; see view.h. Topics and brokers that both views share are the same pointer, so nothing is compared. */
#include "broker/meta/view.h"

static void diff_topics(const struct view *before, const struct view *after, struct arena *arena, struct view_diff *diff)
{
	int32_t i = 0, j = 0;

	diff->topics = arena_alloc(arena, (size_t)(before->n_topics + after->n_topics) * sizeof *diff->topics);
	while (i < before->n_topics || j < after->n_topics) {
		const struct view_topic *old = i < before->n_topics ? before->topics[i] : NULL;
		const struct view_topic *new = j < after->n_topics ? after->topics[j] : NULL;
		int order = !old ? 1 : !new ? -1 : old == new ? 0 : slice_compare(old->name, new->name);

		i += order <= 0;
		j += order >= 0;
		if (order == 0 && old == new)
			continue;
		if (order == 0 && uuid_equal(&old->id, &new->id)) {
			diff->topics[diff->n_topics++] = (struct view_topic_change){old, new};
			continue;
		}
		if (order <= 0)
			diff->topics[diff->n_topics++] = (struct view_topic_change){old, NULL};
		if (order >= 0)
			diff->topics[diff->n_topics++] = (struct view_topic_change){NULL, new};
	}
}

static void diff_brokers(const struct view *before, const struct view *after, struct arena *arena, struct view_diff *diff)
{
	int i = 0, j = 0;

	diff->brokers = arena_alloc(arena, (size_t)(before->n_brokers + after->n_brokers) * sizeof *diff->brokers);
	while (i < before->n_brokers || j < after->n_brokers) {
		const struct view_broker *old = i < before->n_brokers ? before->brokers[i] : NULL;
		const struct view_broker *new = j < after->n_brokers ? after->brokers[j] : NULL;
		int order = !old ? 1 : !new ? -1 : (old->id > new->id) - (old->id < new->id);

		i += order <= 0;
		j += order >= 0;
		if (old != new)
			diff->brokers[diff->n_brokers++] =
				(struct view_broker_change){order <= 0 ? old : NULL, order >= 0 ? new : NULL};
	}
}

static bool configs_differ(const struct view *before, const struct view *after)
{
	if (before->n_broker_configs != after->n_broker_configs)
		return true;
	for (int i = 0; i < before->n_broker_configs; i++) {
		const struct view_broker_config *old = before->broker_configs[i], *new = after->broker_configs[i];

		if (old != new && (old->id != new->id || !config_pairs_equal(old->config, new->config)))
			return true;
	}
	return false;
}

void view_diff(const struct view *before, const struct view *after, struct arena *arena, struct view_diff *ret_diff)
{
	*ret_diff = (struct view_diff){.broker_configs = configs_differ(before, after)};
	diff_topics(before, after, arena, ret_diff);
	diff_brokers(before, after, arena, ret_diff);
}
