/* Views, states and stops out of the picture; see ctl_view.h. */
#include "tools/controller/ctl_view.h"

#include "tools/controller/ctl_broker.h"
#include "tools/controller/ctl_failure.h"
#include "tools/controller/ctl_leftover.h"
#include "tools/controller/ctl_partition.h"
#include "tools/controller/ctl_step.h"

/* ---- lists of partitions ---- */

typedef bool wanted(const struct ctl_topic *topic, const struct ctl_partition *partition, int32_t broker);

/*
 * Of a topic that is shown every partition is, also one without a state (it is nonsense, or nobody could lead yet): without leader, or as it
 * was last known. A view with gaps would be refused as a whole, by every broker. What is still being made is seen when all of it is.
 */
static bool is_visible(const struct ctl_topic *topic, const struct ctl_partition *p)
{
	return !(p->unseen && topic->n_creating > 0);
}

/* Is there a state of it, or was there one? */
static bool is_shown(const struct ctl_topic *topic)
{
	if (topic->seen)
		return true;
	for (int32_t i = 0; i < topic->n_partitions; i++)
		if (topic->partitions[i].version >= 0 && is_visible(topic, &topic->partitions[i]))
			return true;
	return false;
}

static bool in_snapshot(const struct ctl_topic *topic, const struct ctl_partition *p, int32_t broker)
{
	(void)broker;
	return is_visible(topic, p);
}

static bool in_delta(const struct ctl_topic *topic, const struct ctl_partition *p, int32_t broker)
{
	(void)broker;
	return (p->tell_view || (p->unseen && !ctl_partition_has_state(p))) && is_visible(topic, p);
}

static bool holds(const struct ctl_partition *p, int32_t broker)
{
	return ctl_contains(p->replicas, p->n_replicas + p->n_adding, broker);
}

static bool is_replica(const struct ctl_topic *topic, const struct ctl_partition *p, int32_t broker)
{
	(void)topic;
	return ctl_partition_has_state(p) && holds(p, broker);
}

static bool is_news_for_replica(const struct ctl_topic *topic, const struct ctl_partition *p, int32_t broker)
{
	return p->tell_replicas && is_replica(topic, p, broker);
}

static bool is_to_try_again(const struct ctl_topic *topic, const struct ctl_partition *p, int32_t broker)
{
	const struct ctl_failure *failure = ctl_failure_of(p, broker);

	return failure && failure->again && is_replica(topic, p, broker);
}

static struct ctl_part list_partitions(struct ctl *ctl, const struct ctl_topic *topic, wanted *is_wanted, int32_t broker)
{
	struct ctl_part part = {.topic = topic};
	int32_t *list;
	int32_t n = 0;

	for (int32_t i = 0; i < topic->n_partitions; i++)
		n += is_wanted(topic, &topic->partitions[i], broker);
	if (n == 0)
		return part;
	list = arena_alloc(ctl->out->arena, (size_t)n * sizeof *list);
	for (int32_t i = 0; i < topic->n_partitions; i++)
		if (is_wanted(topic, &topic->partitions[i], broker))
			list[part.n_partitions++] = i;
	part.partitions = list;
	part.has_partitions = true;
	return part;
}

/* The broker cannot have anything of it yet: it is new, or was added and is not in sync, or could not be made so far. */
static bool is_new_replica(const struct ctl_partition *p, int32_t broker)
{
	const struct ctl_failure *failure = ctl_failure_of(p, broker);
	bool added = ctl_contains(p->replicas + p->n_replicas, p->n_adding, broker) && !ctl_contains(p->now.isr, p->now.n_isr, broker);

	return p->fresh || (p->grown && added) || (failure && failure->again);
}

/*
 * The states of a broker's replicas. One that names the broker itself as leader under an epoch of its earlier incarnation is held
 * back: the election that gives it a new epoch is under way (S7).
 */
static struct ctl_part list_states(struct ctl *ctl, const struct ctl_topic *topic, wanted *is_wanted, const struct ctl_broker *broker)
{
	struct ctl_part part = list_partitions(ctl, topic, is_wanted, broker->id);
	int32_t *list = arena_alloc(ctl->out->arena, (size_t)part.n_partitions * sizeof *list);
	int32_t *fresh = arena_alloc(ctl->out->arena, (size_t)part.n_partitions * sizeof *fresh);
	int32_t n = 0;

	for (int32_t i = 0; i < part.n_partitions; i++) {
		const struct ctl_partition *p = &topic->partitions[part.partitions[i]];

		if (p->now.leader == broker->id && !ctl_broker_is_known(p, broker))
			continue;
		list[n++] = part.partitions[i];
		if (is_new_replica(p, broker->id))
			fresh[part.n_fresh++] = part.partitions[i];
	}
	part.partitions = list;
	part.n_partitions = n;
	part.fresh = fresh;
	part.has_partitions = n > 0;
	return part;
}

static bool is_served(const struct ctl_topic *topic)
{
	return topic->phase == CTL_TOPIC_LIVE && topic->deletion < CTL_DELETION_STOPPING;
}

/* ---- messages ---- */

static struct ctl_action *send(struct ctl *ctl, const struct ctl_broker *broker, enum ctl_message message)
{
	struct ctl_action *action = ctl_action_add(ctl->out, CTL_DO_SEND);

	action->broker = broker->id;
	action->broker_epoch = broker->epoch;
	action->message = message;
	return action;
}

static void send_view(struct ctl *ctl, struct ctl_broker *broker, const struct ctl_view *view)
{
	send(ctl, broker, CTL_SEND_VIEW)->view = view;
}

static void send_states(struct ctl *ctl, struct ctl_broker *broker, const struct ctl_part *parts, int32_t n_parts)
{
	struct ctl_states *states = arena_zalloc(ctl->out->arena, 1, sizeof *states);
	struct ctl_action *action;

	*states = (struct ctl_states){.controller_epoch = ctl->epoch, .parts = parts, .n_parts = n_parts};
	action = send(ctl, broker, CTL_SEND_STATES);
	action->request = ++broker->request;
	action->states = states;
	ctl_failure_told(ctl, broker, parts, n_parts);
}

static struct ctl_view *new_view(struct ctl *ctl)
{
	struct ctl_view *view = arena_zalloc(ctl->out->arena, 1, sizeof *view);

	view->controller_epoch = ctl->epoch;
	view->number = ctl->view_number;
	view->office = ctl->office;
	return view;
}

static void add_brokers(struct ctl *ctl, struct ctl_view *view)
{
	struct ctl_broker *live = arena_zalloc(ctl->out->arena, (size_t)ctl->n_brokers, sizeof *live);

	view->has_brokers = true;
	view->brokers = live;
	for (int i = 0; i < ctl->n_brokers; i++)
		if (ctl_broker_is_live(&ctl->brokers[i]))
			live[view->n_brokers++] = ctl->brokers[i];
}

static void add_broker_configs(struct ctl *ctl, struct ctl_view *view, bool all)
{
	const struct ctl_broker_config **configs = arena_zalloc(ctl->out->arena, (size_t)ctl->n_broker_configs, sizeof *configs);

	view->broker_configs = configs;
	for (int i = 0; i < ctl->n_broker_configs; i++)
		if (all || ctl->broker_configs[i].dirty)
			configs[view->n_broker_configs++] = &ctl->broker_configs[i];
}

/* ---- snapshots ---- */

static struct ctl_view *make_snapshot(struct ctl *ctl)
{
	struct ctl_view *view = new_view(ctl);
	struct ctl_part *parts = arena_zalloc(ctl->out->arena, (size_t)ctl->n_topics, sizeof *parts);

	view->snapshot = true;
	view->topics = parts;
	add_brokers(ctl, view);
	add_broker_configs(ctl, view, true);
	for (const struct ctl_topic *topic = ctl->topics; topic; topic = topic->next) {
		struct ctl_part part;

		if (!is_served(topic) || !is_shown(topic))
			continue;
		part = list_partitions(ctl, topic, in_snapshot, -1);
		part.has_configs = true;
		if (part.has_partitions)
			parts[view->n_topics++] = part;
	}
	return view;
}

static void send_all_states(struct ctl *ctl, struct ctl_broker *broker)
{
	struct ctl_part *parts = arena_zalloc(ctl->out->arena, (size_t)ctl->n_topics, sizeof *parts);
	int32_t n = 0;

	for (const struct ctl_topic *topic = ctl->topics; topic; topic = topic->next) {
		if (!is_served(topic))
			continue;
		parts[n] = list_states(ctl, topic, is_replica, broker);
		n += parts[n].has_partitions;
	}
	send_states(ctl, broker, parts, n);
	broker->full_request = broker->request;
	broker->states_wanted = false;
	broker->again_due = false;
}

/* One that has to be struck out first is told nothing (D9). */
static bool may_hear(const struct ctl_broker *broker)
{
	return broker->reached && !broker->waits;
}

/* Whoever is connected and has no view, or lost count. */
static void send_snapshots(struct ctl *ctl)
{
	const struct ctl_view *view = NULL;

	for (int i = 0; i < ctl->n_brokers; i++) {
		struct ctl_broker *broker = &ctl->brokers[i];

		if (!may_hear(broker))
			continue;
		if (!broker->view_sent || broker->view_wanted) {
			if (!view)
				view = make_snapshot(ctl);
			send_view(ctl, broker, view);
		}
		if (!broker->view_sent || broker->states_wanted)
			send_all_states(ctl, broker);
		broker->view_sent = true;
		broker->view_wanted = false;
	}
}

/* ---- what changed ---- */

static int32_t count_dirty(const struct ctl *ctl)
{
	int32_t n = 0;

	for (const struct ctl_topic *topic = ctl->dirty; topic; topic = topic->next_dirty)
		n++;
	return n;
}

/* The delta, or NULL when there is nothing to say. */
static struct ctl_view *make_delta(struct ctl *ctl)
{
	struct ctl_view *view = new_view(ctl);
	struct ctl_part *parts = arena_zalloc(ctl->out->arena, (size_t)count_dirty(ctl), sizeof *parts);

	view->topics = parts;
	for (const struct ctl_topic *topic = ctl->dirty; topic; topic = topic->next_dirty) {
		struct ctl_part part;

		if (!is_served(topic) || !is_shown(topic))
			continue;
		part = list_partitions(ctl, topic, in_delta, -1);
		part.has_configs = topic->seen ? topic->configs_dirty : part.has_partitions;
		if (part.has_partitions || part.has_configs)
			parts[view->n_topics++] = part;
	}
	if (ctl->brokers_dirty)
		add_brokers(ctl, view);
	add_broker_configs(ctl, view, false);
	view->removed = ctl->removed;
	view->n_removed = ctl->n_removed;
	if (view->n_topics == 0 && !view->has_brokers && view->n_broker_configs == 0 && view->n_removed == 0 && !ctl->office_dirty)
		return NULL;
	view->number = ++ctl->view_number;
	return view;
}

static void send_delta(struct ctl *ctl, const struct ctl_view *delta)
{
	for (int i = 0; i < ctl->n_brokers && delta; i++)
		if (ctl->brokers[i].reached && ctl->brokers[i].view_sent && !ctl->brokers[i].view_wanted)
			send_view(ctl, &ctl->brokers[i], delta);
}

static void send_news(struct ctl *ctl, struct ctl_broker *broker)
{
	struct ctl_part *parts = arena_zalloc(ctl->out->arena, (size_t)count_dirty(ctl), sizeof *parts);
	int32_t n = 0;

	for (const struct ctl_topic *topic = ctl->dirty; topic; topic = topic->next_dirty) {
		if (!is_served(topic))
			continue;
		parts[n] = list_states(ctl, topic, is_news_for_replica, broker);
		n += parts[n].has_partitions;
	}
	if (n > 0)
		send_states(ctl, broker, parts, n);
}

static void send_news_to_all(struct ctl *ctl)
{
	for (int i = 0; i < ctl->n_brokers && ctl->dirty; i++)
		if (ctl->brokers[i].reached && ctl->brokers[i].view_sent && !ctl->brokers[i].states_wanted)
			send_news(ctl, &ctl->brokers[i]);
}

/* The states of replicas that the broker had no room for. */
static void send_again(struct ctl *ctl, struct ctl_broker *broker)
{
	struct ctl_part *parts = arena_zalloc(ctl->out->arena, (size_t)ctl->n_topics, sizeof *parts);
	int32_t n = 0;

	for (const struct ctl_topic *topic = ctl->topics; topic && ctl->n_failures > 0; topic = topic->next) {
		if (!is_served(topic))
			continue;
		parts[n] = list_states(ctl, topic, is_to_try_again, broker);
		n += parts[n].has_partitions;
	}
	if (n > 0)
		send_states(ctl, broker, parts, n);
	broker->again_due = false;
}

static void send_again_to_all(struct ctl *ctl)
{
	for (int i = 0; i < ctl->n_brokers; i++)
		if (ctl->brokers[i].again_due && ctl->brokers[i].reached && ctl->brokers[i].view_sent && !ctl->brokers[i].states_wanted)
			send_again(ctl, &ctl->brokers[i]);
}

/* ---- stops ---- */

static int32_t *list_replicas(struct ctl *ctl, const struct ctl_topic *topic, int32_t broker, int32_t *ret_n)
{
	int32_t *list = arena_alloc(ctl->out->arena, (size_t)topic->n_partitions * sizeof *list);

	*ret_n = 0;
	for (int32_t i = 0; i < topic->n_partitions; i++)
		if (holds(&topic->partitions[i], broker))
			list[(*ret_n)++] = i;
	return list;
}

static struct ctl_stop_topic stop_of(struct ctl *ctl, const struct ctl_topic *topic, int32_t broker, bool erase)
{
	struct ctl_stop_topic stop = {.name = arena_copy(ctl->out->arena, topic->name), .id = topic->id, .erase = erase};

	stop.partitions = list_replicas(ctl, topic, broker, &stop.n_partitions);
	return stop;
}

static void send_stop(struct ctl *ctl, struct ctl_broker *broker, struct ctl_stop_topic *topics, int32_t n_topics)
{
	struct ctl_stops *stops = arena_zalloc(ctl->out->arena, 1, sizeof *stops);
	struct ctl_action *action;

	*stops = (struct ctl_stops){.controller_epoch = ctl->epoch, .topics = topics, .n_topics = n_topics};
	action = send(ctl, broker, CTL_SEND_STOP);
	action->request = ++broker->request;
	action->stops = stops;
}

void ctl_view_stop(struct ctl *ctl, const struct ctl_topic *topic)
{
	for (int i = 0; i < ctl->n_brokers; i++) {
		struct ctl_broker *broker = &ctl->brokers[i];
		struct ctl_stop_topic *stop;

		if (!broker->reached || !broker->view_sent)
			continue;
		stop = arena_zalloc(ctl->out->arena, 1, sizeof *stop);
		*stop = stop_of(ctl, topic, broker->id, false);
		if (stop->n_partitions > 0)
			send_stop(ctl, broker, stop, 1);
	}
}

static struct ctl_stop *find_stop(struct ctl_topic *topic, int32_t broker)
{
	for (int32_t i = 0; i < topic->n_stops; i++)
		if (topic->stops[i].broker == broker && !topic->stops[i].done && !topic->stops[i].failed && topic->stops[i].request == 0)
			return &topic->stops[i];
	return NULL;
}

/* One message to the broker for all the topics that it has to erase and was not asked for yet. */
static void send_stops(struct ctl *ctl, struct ctl_broker *broker)
{
	struct ctl_stop_topic *topics = arena_zalloc(ctl->out->arena, (size_t)ctl->n_stopping, sizeof *topics);
	int32_t n = 0;

	for (struct ctl_topic *topic = ctl->topics; topic && n < ctl->n_stopping; topic = topic->next) {
		struct ctl_stop *stop = topic->deletion == CTL_DELETION_STOPPING ? find_stop(topic, broker->id) : NULL;

		if (!stop)
			continue;
		stop->request = broker->request + 1;
		topics[n++] = stop_of(ctl, topic, broker->id, true);
	}
	if (n > 0)
		send_stop(ctl, broker, topics, n);
}

/* The same for replicas that were moved away from the broker. */
static void send_leftovers(struct ctl *ctl, struct ctl_broker *broker)
{
	int32_t n;
	struct ctl_stop_topic *topics = ctl_leftover_ask(ctl, broker, broker->request + 1, &n);

	if (n > 0)
		send_stop(ctl, broker, topics, n);
}

/* ---- flush ---- */

static void settle_topic(struct ctl *ctl, struct ctl_topic *topic)
{
	bool shown = is_shown(topic), waits = false;

	for (int32_t i = 0; i < topic->n_partitions; i++) {
		struct ctl_partition *p = &topic->partitions[i];

		p->tell_replicas = false;
		p->fresh = false;
		p->grown = false;
		if (shown && is_visible(topic, p)) {
			p->tell_view = false;
			p->unseen = false;
			topic->seen = true;
		}
		waits = waits || p->tell_view;
	}
	if (topic->seen)
		topic->configs_dirty = false;
	if (waits)
		ctl_topic_touch(ctl, topic);
}

/* Everything has been told: only topics that are still being created stay on the list. */
static void settle(struct ctl *ctl)
{
	struct ctl_topic *next;
	struct ctl_topic *topic = ctl->dirty;

	ctl->dirty = NULL;
	for (; topic; topic = next) {
		next = topic->next_dirty;
		topic->is_dirty = false;
		if (is_served(topic))
			settle_topic(ctl, topic);
	}
	for (int i = 0; i < ctl->n_broker_configs; i++)
		ctl->broker_configs[i].dirty = false;
	ctl->brokers_dirty = false;
	ctl->office_dirty = false;
	ctl->n_removed = 0;
}

static bool has_new_configs(const struct ctl *ctl)
{
	for (int i = 0; i < ctl->n_broker_configs; i++)
		if (ctl->broker_configs[i].dirty)
			return true;
	for (const struct ctl_topic *topic = ctl->dirty; topic; topic = topic->next_dirty)
		if (topic->configs_dirty && topic->seen)
			return true;
	return false;
}

void ctl_view_flush(struct ctl *ctl)
{
	bool view_first = ctl->brokers_dirty || has_new_configs(ctl);
	struct ctl_view *delta = make_delta(ctl);

	if (delta && delta->n_removed > 0) {
		struct uuid *removed = arena_alloc(ctl->out->arena, (size_t)delta->n_removed * sizeof *removed);

		for (int i = 0; i < delta->n_removed; i++)
			removed[i] = delta->removed[i];
		delta->removed = removed;
	}
	if (view_first)
		send_delta(ctl, delta);
	send_news_to_all(ctl);
	send_again_to_all(ctl);
	if (!view_first)
		send_delta(ctl, delta);
	send_snapshots(ctl);
	for (int i = 0; i < ctl->n_brokers && ctl->n_stopping > 0; i++)
		if (ctl->brokers[i].reached && ctl->brokers[i].view_sent)
			send_stops(ctl, &ctl->brokers[i]);
	for (int i = 0; i < ctl->n_brokers && ctl->leftovers; i++)
		if (ctl->brokers[i].reached && ctl->brokers[i].view_sent)
			send_leftovers(ctl, &ctl->brokers[i]);
	settle(ctl);
}
