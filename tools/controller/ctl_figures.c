/* Numbers of the picture; see ctl_figures.h. */
#include "tools/controller/ctl_figures.h"

#include "tools/controller/ctl_broker.h"
#include "tools/controller/ctl_partition.h"

static bool is_led(struct ctl *ctl, const struct ctl_partition *p)
{
	const struct ctl_broker *leader = p->now.leader == -1 ? NULL : ctl_broker_find(ctl, p->now.leader);

	return leader && ctl_broker_is_live(leader);
}

static void count_topic(struct ctl *ctl, const struct ctl_topic *topic, struct ctl_figures *figures)
{
	figures->n_topics++;
	figures->n_partitions += topic->n_partitions;
	figures->n_odd += topic->phase == CTL_TOPIC_ODD;
	if (topic->deletion != CTL_DELETION_NONE) {
		figures->n_to_delete++;
		return;
	}
	for (int32_t i = 0; i < topic->n_partitions; i++) {
		const struct ctl_partition *p = &topic->partitions[i];

		figures->n_reassigning += p->n_adding > 0 || p->n_removing > 0;
		if (!ctl_partition_has_state(p) || p->n_replicas == 0)
			continue;
		figures->n_offline += !is_led(ctl, p);
		figures->n_imbalanced += p->now.leader != p->replicas[0];
	}
}

void ctl_figures_count(struct ctl *ctl, struct ctl_figures *ret_figures)
{
	struct ctl_figures figures = {0};

	for (const struct ctl_topic *topic = ctl->topics; topic; topic = topic->next)
		count_topic(ctl, topic, &figures);
	for (int i = 0; i < ctl->n_brokers; i++) {
		bool is_live = ctl_broker_is_live(&ctl->brokers[i]);

		figures.n_brokers += is_live;
		figures.n_brokers_away += !is_live;
	}
	*ret_figures = figures;
}
