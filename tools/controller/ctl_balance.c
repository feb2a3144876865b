/* Preferred leaders, and brokers that stop; see ctl_balance.h. */
#include "tools/controller/ctl_balance.h"

#include "tools/controller/ctl_broker.h"
#include "tools/controller/ctl_partition.h"
#include "tools/controller/ctl_step.h"

#define FIRST_LOOK_MS 5000

/* ---- preferred leaders ---- */

static bool counts(const struct ctl_topic *topic, const struct ctl_partition *p)
{
	return topic->phase == CTL_TOPIC_LIVE && topic->deletion == CTL_DELETION_NONE && ctl_partition_has_state(p) && p->n_replicas > 0;
}

static void bring_back(struct ctl *ctl, int32_t broker)
{
	for (struct ctl_topic *topic = ctl->topics; topic; topic = topic->next)
		for (int32_t i = 0; i < topic->n_partitions; i++) {
			const struct ctl_partition *p = &topic->partitions[i];

			if (counts(topic, p) && p->replicas[0] == broker && p->now.leader != broker && p->now.leader != -1 &&
			    p->n_adding == 0 && p->n_removing == 0)
				ctl_partition_elect(ctl, topic, i, CTL_ELECT_PREFERRED);
		}
}

static bool is_out_of_balance(const struct ctl *ctl, int32_t broker)
{
	int64_t n = 0, n_elsewhere = 0;

	for (const struct ctl_topic *topic = ctl->topics; topic; topic = topic->next)
		for (int32_t i = 0; i < topic->n_partitions; i++) {
			const struct ctl_partition *p = &topic->partitions[i];

			if (!counts(topic, p) || p->replicas[0] != broker)
				continue;
			n++;
			n_elsewhere += p->now.leader != broker;
		}
	return n_elsewhere * 100 > n * ctl->settings.imbalance_percent;
}

void ctl_balance_begin(struct ctl *ctl)
{
	if (ctl->settings.auto_leader_rebalance)
		ctl->balance_ms = ctl->now_ms + FIRST_LOOK_MS;
}

void ctl_balance_on_timer(struct ctl *ctl)
{
	if (ctl->balance_ms == 0 || ctl->balance_ms > ctl->now_ms)
		return;
	ctl->balance_ms = ctl->now_ms + (int64_t)ctl->settings.imbalance_check_s * 1000;
	for (int i = 0; i < ctl->n_brokers && ctl_may_decide(ctl); i++) {
		const struct ctl_broker *broker = &ctl->brokers[i];

		if (ctl_broker_is_live(broker) && !broker->leaving && is_out_of_balance(ctl, broker->id))
			bring_back(ctl, broker->id);
	}
}

/* ---- brokers that stop ---- */

/* Could somebody else of the ISR go on without the broker? */
static bool others_can(struct ctl *ctl, const struct ctl_topic *topic, const struct ctl_partition *p, int32_t broker)
{
	for (int i = 0; i < p->now.n_isr; i++)
		if (p->now.isr[i] != broker && ctl_broker_member(ctl, topic, p, p->now.isr[i]) == CTL_MEMBER_LIVE)
			return true;
	return false;
}

static int32_t count_remaining(struct ctl *ctl, int32_t broker)
{
	int32_t n = 0;

	for (const struct ctl_topic *topic = ctl->topics; topic; topic = topic->next) {
		if (topic->phase != CTL_TOPIC_LIVE || topic->deletion >= CTL_DELETION_STOPPING)
			continue;
		for (int32_t i = 0; i < topic->n_partitions; i++) {
			const struct ctl_partition *p = &topic->partitions[i];

			n += ctl_partition_has_state(p) && p->now.leader != -1 && ctl_contains(p->now.isr, p->now.n_isr, broker) &&
			     others_can(ctl, topic, p, broker);
		}
	}
	return n;
}

void ctl_balance_flush(struct ctl *ctl)
{
	for (int i = 0; i < ctl->n_brokers; i++) {
		struct ctl_broker *broker = &ctl->brokers[i];
		struct ctl_action *action;
		int32_t remaining;

		if (!broker->leaving || !broker->reached)
			continue;
		remaining = count_remaining(ctl, broker->id);
		if (remaining == broker->told_remaining)
			continue;
		broker->told_remaining = remaining;
		action = ctl_action_add(ctl->out, CTL_DO_SEND);
		action->broker = broker->id;
		action->broker_epoch = broker->epoch;
		action->message = CTL_SEND_SHUTDOWN_ANSWER;
		action->remaining = remaining;
	}
}
