/* Proposals of leaders; see ctl_isr.h. */
#include "tools/controller/ctl_isr.h"

#include "proto/kafka_error.h"
#include "tools/controller/ctl_broker.h"
#include "tools/controller/ctl_config.h"
#include "tools/controller/ctl_partition.h"
#include "tools/controller/ctl_step.h"

#include <string.h>

/* ---- answers ---- */

static void answer(struct ctl *ctl, const struct ctl_isr_answer *item)
{
	if (ctl->n_answers == ctl->answers_room) {
		int room = ctl->answers_room ? 2 * ctl->answers_room : 64;
		struct ctl_isr_answer *answers = ctl_pool_get(&ctl->pool, (size_t)room, sizeof *answers);

		if (ctl->n_answers > 0)
			memcpy(answers, ctl->answers, (size_t)ctl->n_answers * sizeof *answers);
		ctl_pool_put(&ctl->pool, ctl->answers, (size_t)ctl->answers_room, sizeof *answers);
		ctl->answers = answers;
		ctl->answers_room = room;
	}
	ctl->answers[ctl->n_answers++] = *item;
}

static bool same_members(const int32_t *a, int n_a, const int32_t *b, int n_b)
{
	for (int i = 0; i < n_a; i++)
		if (!ctl_contains(b, n_b, a[i]))
			return false;
	return n_a == n_b;
}

void ctl_isr_settle(struct ctl *ctl, struct ctl_topic *topic, struct ctl_partition *p)
{
	struct ctl_isr_answer item = {.broker = p->asker,
				      .broker_epoch = p->asker_epoch,
				      .topic_id = topic->id,
				      .partition = (int32_t)(p - topic->partitions),
				      .number = p->number};

	if (!p->proposed)
		return;
	p->proposed = false;
	if (p->odd || p->now.leader != p->next.leader || p->now.leader_epoch != p->next.leader_epoch ||
	    !same_members(p->now.isr, p->now.n_isr, p->next.isr, p->next.n_isr))
		item.error = KAFKA_NOT_CONTROLLER;
	answer(ctl, &item);
}

static int32_t *copy_ids(struct arena *arena, const int32_t *ids, int32_t n)
{
	int32_t *copy = arena_alloc(arena, (size_t)n * sizeof *copy);

	for (int32_t i = 0; i < n; i++)
		copy[i] = ids[i];
	return copy;
}

/* The states that answers speak of; a partition that went meanwhile has none. */
static void fill_states(struct ctl *ctl, struct ctl_isr_answer *items, int n)
{
	for (int i = 0; i < n; i++) {
		struct ctl_topic *topic = ctl_topic_find_id(ctl, &items[i].topic_id);

		items[i].ineligible = copy_ids(ctl->out->arena, items[i].ineligible, items[i].n_ineligible);
		if (items[i].error != 0)
			continue;
		if (topic && items[i].partition < topic->n_partitions)
			items[i].state = &topic->partitions[items[i].partition];
		else
			items[i].error = KAFKA_UNKNOWN_TOPIC_ID;
	}
}

static void send_answers(struct ctl *ctl, const struct ctl_broker *broker)
{
	struct ctl_isr_answers *answers = arena_zalloc(ctl->out->arena, 1, sizeof *answers);
	struct ctl_isr_answer *items = arena_zalloc(ctl->out->arena, (size_t)ctl->n_answers, sizeof *items);
	struct ctl_action *action;

	for (int i = 0; i < ctl->n_answers; i++)
		if (ctl->answers[i].broker == broker->id && ctl->answers[i].broker_epoch == broker->epoch)
			items[answers->n_items++] = ctl->answers[i];
	if (answers->n_items == 0)
		return;
	fill_states(ctl, items, answers->n_items);
	answers->items = items;
	action = ctl_action_add(ctl->out, CTL_DO_SEND);
	action->broker = broker->id;
	action->broker_epoch = broker->epoch;
	action->message = CTL_SEND_ISR_ANSWERS;
	action->answers = answers;
}

void ctl_isr_flush(struct ctl *ctl)
{
	for (int i = 0; i < ctl->n_brokers && ctl->n_answers > 0; i++)
		if (ctl->brokers[i].reached)
			send_answers(ctl, &ctl->brokers[i]);
	for (int i = 0; i < ctl->n_answers; i++)
		ctl_pool_put(&ctl->pool, ctl->answers[i].ineligible, (size_t)ctl->answers[i].n_ineligible, sizeof *ctl->answers[i].ineligible);
	ctl->n_answers = 0;
}

/* ---- judging ---- */

static bool makes_sense(const struct ctl_partition *p, const struct ctl_isr_proposal *item)
{
	bool leads = false;

	if (item->n_isr < 1 || item->n_isr > LIMIT_REPLICAS)
		return false;
	for (int32_t i = 0; i < item->n_isr; i++) {
		int32_t id = item->isr[i].id;

		for (int32_t k = 0; k < i; k++)
			if (item->isr[k].id == id)
				return false;
		if (!ctl_contains(p->replicas, p->n_replicas, id) && !ctl_contains(p->now.isr, p->now.n_isr, id))
			return false;
		leads |= id == p->now.leader;
	}
	return leads;
}

static bool is_the_isr(const struct ctl_partition *p, const struct ctl_isr_proposal *item)
{
	for (int32_t i = 0; i < item->n_isr; i++)
		if (!ctl_contains(p->now.isr, p->now.n_isr, item->isr[i].id))
			return false;
	return item->n_isr == p->now.n_isr && !p->now.recovering;
}

/* Asked again, perhaps under another number. */
static bool is_being_written(const struct ctl_partition *p, const struct ctl_isr_proposal *item)
{
	for (int32_t i = 0; i < item->n_isr; i++)
		if (!ctl_contains(p->next.isr, p->next.n_isr, item->isr[i].id))
			return false;
	return item->n_isr == p->next.n_isr;
}

static bool may_join(struct ctl *ctl, const struct ctl_topic *topic, const struct ctl_partition *p, const struct ctl_isr_member *member)
{
	const struct ctl_broker *broker = ctl_broker_find(ctl, member->id);

	/* A replica that was eligible under an earlier incarnation is as good as any other that caught up. */
	return ctl_broker_is_live(broker) && !broker->leaving && broker->epoch == member->epoch &&
	       ctl_broker_member(ctl, topic, p, member->id) > CTL_MEMBER_DEAD;
}

/* Who may not join; a proposal makes sense, so that there are no more of them than replicas. */
static int32_t list_ineligible(struct ctl *ctl, const struct ctl_topic *topic, const struct ctl_partition *p,
			       const struct ctl_isr_proposal *item, int32_t ret_ids[LIMIT_REPLICAS])
{
	int32_t n = 0;

	for (int32_t i = 0; i < item->n_isr; i++)
		if (!ctl_contains(p->now.isr, p->now.n_isr, item->isr[i].id) && !may_join(ctl, topic, p, &item->isr[i]))
			ret_ids[n++] = item->isr[i].id;
	return n;
}

/* The epochs, and who asks. */
static int16_t judge_sender(const struct ctl_broker *broker, const struct ctl_partition *p, const struct ctl_isr_proposal *item)
{
	if (!ctl_partition_has_state(p) || item->partition_epoch > p->version || item->leader_epoch > p->now.leader_epoch)
		return KAFKA_NOT_CONTROLLER;
	if (item->leader_epoch < p->now.leader_epoch)
		return KAFKA_FENCED_LEADER_EPOCH;
	if (p->now.leader != broker->id || !makes_sense(p, item))
		return KAFKA_INVALID_REQUEST;
	return ctl_broker_is_known(p, broker) ? 0 : KAFKA_FENCED_LEADER_EPOCH;
}

/* What is to be done with a proposal: an error, or 0: write it; or the state says so already. */
#define SAID_ALREADY (-2)
#define WAITS (-3)

static int16_t judge(struct ctl *ctl, const struct ctl_topic *topic, const struct ctl_partition *p, const struct ctl_broker *broker,
		     const struct ctl_isr_proposal *item)
{
	int16_t error = judge_sender(broker, p, item);
	int32_t ineligible[LIMIT_REPLICAS];

	if (error != 0)
		return error;
	if (p->proposed && p->asker == broker->id && p->asker_epoch == broker->epoch && is_being_written(p, item))
		return WAITS;
	if (is_the_isr(p, item))
		return SAID_ALREADY;
	if (item->partition_epoch < p->version)
		return KAFKA_INVALID_UPDATE_VERSION;
	if (ctl_partition_is_busy(p))
		return KAFKA_NOT_CONTROLLER;
	return list_ineligible(ctl, topic, p, item, ineligible) == 0 ? 0 : KAFKA_INELIGIBLE_REPLICA;
}

/* ---- writing ---- */

static int64_t epoch_of(struct ctl *ctl, const struct ctl_partition *p, const struct ctl_isr_member *member)
{
	const struct ctl_broker *broker = ctl_broker_find(ctl, member->id);

	for (int i = 0; i < p->now.n_isr; i++)
		if (p->now.isr[i] == member->id && p->now.isr_epochs[i] != CTL_EPOCH_UNKNOWN)
			return p->now.isr_epochs[i];
	if (!ctl_contains(p->now.isr, p->now.n_isr, member->id))
		return member->epoch;
	return broker && ctl_broker_is_known(p, broker) ? broker->epoch : CTL_EPOCH_GONE;
}

/* The proposed ISR and who is eligible beside it become the partition's next state. */
static void fill_next(struct ctl *ctl, const struct ctl_topic *topic, struct ctl_partition *p, const struct ctl_isr_proposal *item)
{
	struct ctl_elected elected = {.leader = p->now.leader, .n_isr = item->n_isr};
	int64_t epochs[LIMIT_REPLICAS];

	for (int32_t i = 0; i < item->n_isr; i++) {
		elected.isr[i] = item->isr[i].id;
		epochs[i] = epoch_of(ctl, p, &item->isr[i]);
	}
	ctl_lead_copy(ctl, &p->next, &p->now);
	ctl_partition_fill_eligible(ctl, topic, p, &elected);
	ctl_lead_set_isr(ctl, &p->next, elected.isr, epochs, elected.n_isr);
	p->next.recovering = false;
}

static void refuse(struct ctl *ctl, struct ctl_topic *topic, struct ctl_partition *p, const struct ctl_broker *broker,
		   const struct ctl_isr_proposal *item, int16_t error)
{
	struct ctl_isr_answer said = {.broker = broker->id,
				      .broker_epoch = broker->epoch,
				      .topic_id = item->topic_id,
				      .partition = item->partition,
				      .number = item->number,
				      .error = error};
	int32_t ineligible[LIMIT_REPLICAS];

	if (error == KAFKA_INELIGIBLE_REPLICA) {
		said.n_ineligible = list_ineligible(ctl, topic, p, item, ineligible);
		said.ineligible = ctl_pool_get(&ctl->pool, (size_t)said.n_ineligible, sizeof *said.ineligible);
		memcpy(said.ineligible, ineligible, (size_t)said.n_ineligible * sizeof *said.ineligible);
	}
	answer(ctl, &said);
	/* Its leader waits for a newer state after these. */
	if (!p || (error != KAFKA_FENCED_LEADER_EPOCH && error != KAFKA_INVALID_UPDATE_VERSION && error != KAFKA_INVALID_REQUEST))
		return;
	p->tell_replicas = true;
	ctl_topic_touch(ctl, topic);
}

static void take(struct ctl *ctl, const struct ctl_broker *broker, const struct ctl_isr_proposal *item)
{
	struct ctl_topic *topic = ctl_topic_find_id(ctl, &item->topic_id);
	struct ctl_partition *p;
	int16_t verdict;

	if (!topic || topic->deletion >= CTL_DELETION_STOPPING) {
		refuse(ctl, NULL, NULL, broker, item, KAFKA_UNKNOWN_TOPIC_ID);
		return;
	}
	if (item->partition < 0 || item->partition >= topic->n_partitions) {
		refuse(ctl, topic, NULL, broker, item, KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
		return;
	}
	p = &topic->partitions[item->partition];
	verdict = topic->phase == CTL_TOPIC_LIVE ? judge(ctl, topic, p, broker, item) : KAFKA_NOT_CONTROLLER;
	if (verdict == WAITS) {
		p->number = item->number;
		return;
	}
	if (verdict != 0) {
		refuse(ctl, topic, p, broker, item, verdict == SAID_ALREADY ? 0 : verdict);
		return;
	}
	fill_next(ctl, topic, p, item);
	p->proposed = true;
	p->asker = broker->id;
	p->asker_epoch = broker->epoch;
	p->number = item->number;
	ctl_partition_write(ctl, topic, p);
}

void ctl_isr_on_proposed(struct ctl *ctl, const struct ctl_event *event)
{
	const struct ctl_broker *broker = ctl_broker_find(ctl, event->broker);

	/* A line belongs to one incarnation: another one's proposals come over another line. */
	if (!broker || broker->ignored || broker->epoch != event->broker_epoch)
		return;
	for (int i = 0; i < event->n_proposals; i++)
		if (ctl_may_decide(ctl))
			take(ctl, broker, &event->proposals[i]);
		else
			refuse(ctl, NULL, NULL, broker, &event->proposals[i], KAFKA_NOT_CONTROLLER);
}
