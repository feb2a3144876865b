/* Deletion of topics; see ctl_delete.h. */
#include "tools/controller/ctl_delete.h"

#include "tools/controller/ctl_broker.h"
#include "tools/controller/ctl_partition.h"
#include "tools/controller/ctl_step.h"

#define RETRY_MS 1000
#define REFUSED_RETRY_MS 60000

/* ---- requests ---- */

static bool is_requested(const struct ctl *ctl, struct slice name)
{
	for (int i = 0; i < ctl->n_deletions; i++)
		if (slice_equal(ctl->deletions[i], name))
			return true;
	return false;
}

static void drop_request(struct ctl *ctl, struct slice name)
{
	ctl_action_add(ctl->out, CTL_DO_WRITE)->write = (struct ctl_write){.kind = CTL_WRITE_ERASE_REQUEST,
									    .epoch_version = ctl->epoch_version,
									    .topic_name = name,
									    .partition = -1};
}

static void forget_request(struct ctl *ctl, int at)
{
	struct slice name = ctl->deletions[at];

	ctl->deletions[at] = ctl->deletions[--ctl->n_deletions];
	ctl_pool_put(&ctl->pool, (void *)(uintptr_t)name.data, name.len + 1, 1);
}

static void take_list(struct ctl *ctl, const struct slice *names, int n_names)
{
	while (ctl->n_deletions > 0)
		forget_request(ctl, ctl->n_deletions - 1);
	ctl_pool_put(&ctl->pool, ctl->deletions, (size_t)ctl->deletions_room, sizeof *ctl->deletions);
	ctl->deletions = ctl_pool_get(&ctl->pool, (size_t)n_names, sizeof *ctl->deletions);
	ctl->deletions_room = n_names;
	for (int i = 0; i < n_names; i++)
		ctl->deletions[ctl->n_deletions++] = ctl_pool_copy(&ctl->pool, names[i]);
}

static void queue(struct ctl *ctl, struct ctl_topic *topic)
{
	if (topic->deletion != CTL_DELETION_NONE)
		return;
	topic->deletion = CTL_DELETION_QUEUED;
	ctl->n_deleting++;
	ctl_action_report(ctl->out, false, "topic %.*s is to be deleted", SLICE_ARGS(topic->name));
	ctl_delete_check(ctl, topic);
}

void ctl_delete_on_read(struct ctl *ctl, const struct ctl_event *event)
{
	take_list(ctl, event->names, event->n_names);
	if (!ctl->settings.delete_topic_enable) {
		for (int i = 0; i < ctl->n_deletions; i++)
			drop_request(ctl, arena_copy(ctl->out->arena, ctl->deletions[i]));
		if (ctl->n_deletions > 0)
			ctl_action_report(ctl->out, true, "requests to delete topics are dropped, since delete.topic.enable is false");
		take_list(ctl, NULL, 0);
		return;
	}
	for (int i = 0; i < ctl->n_deletions; i++) {
		struct ctl_topic *topic = ctl_topic_find(ctl, ctl->deletions[i]);

		/* The list of topics that we know may be older than the request: it is read again before the request is dropped. */
		if (topic)
			queue(ctl, topic);
		else if (!ctl->loading || ctl->listing > 0)
			ctl->topics_wanted = true;
	}
}

void ctl_delete_mark(struct ctl *ctl, struct ctl_topic *topic)
{
	if (is_requested(ctl, topic->name))
		queue(ctl, topic);
}

void ctl_delete_drop_unknown(struct ctl *ctl)
{
	for (int i = ctl->n_deletions - 1; i >= 0; i--) {
		struct slice name = ctl->deletions[i];

		if (ctl_topic_find(ctl, name))
			continue;
		ctl_action_report(ctl->out, true, "a request to delete topic %.*s is dropped: there is no such topic", SLICE_ARGS(name));
		drop_request(ctl, arena_copy(ctl->out->arena, name));
		forget_request(ctl, i);
	}
}

/* ---- progress ---- */

static void erase(struct ctl *ctl, struct ctl_topic *topic)
{
	if (topic->deletion == CTL_DELETION_STOPPING)
		ctl->n_stopping--;
	topic->deletion = CTL_DELETION_ERASING;
	if (topic->ticket != 0)
		return;
	topic->ticket = ctl_next_ticket(ctl);
	ctl_action_add(ctl->out, CTL_DO_WRITE)->write = (struct ctl_write){
		.kind = CTL_WRITE_ERASE_TOPIC,
		.ticket = topic->ticket,
		.epoch_version = ctl->epoch_version,
		.topic_name = topic->name,
		.topic = topic,
		.partition = -1,
		.created = topic->created,
	};
}

static void set_stops_room(struct ctl *ctl, struct ctl_topic *topic, int32_t room, int32_t *ret_room)
{
	struct ctl_stop *stops = ctl_pool_get(&ctl->pool, (size_t)room, sizeof *stops);

	for (int32_t i = 0; i < topic->n_stops; i++)
		stops[i] = topic->stops[i];
	ctl_pool_put(&ctl->pool, topic->stops, (size_t)*ret_room, sizeof *stops);
	topic->stops = stops;
	*ret_room = room;
}

static void add_stop(struct ctl *ctl, struct ctl_topic *topic, int32_t broker, int32_t *ret_room)
{
	for (int32_t i = 0; i < topic->n_stops; i++)
		if (topic->stops[i].broker == broker)
			return;
	if (topic->n_stops == *ret_room)
		set_stops_room(ctl, topic, *ret_room * 2, ret_room);
	topic->stops[topic->n_stops++] = (struct ctl_stop){.broker = broker};
}

/* A broker that holds it and cannot erase it now, so that the znodes stay until it can; -1: none. */
static int32_t find_obstacle(struct ctl *ctl, const struct ctl_topic *topic)
{
	for (int32_t i = 0; i < topic->n_partitions; i++) {
		const struct ctl_partition *p = &topic->partitions[i];

		for (int k = 0; k < p->n_replicas; k++)
			if (ctl_broker_member(ctl, topic, p, p->replicas[k]) <= CTL_MEMBER_DEAD)
				return p->replicas[k];
	}
	return -1;
}

static void start(struct ctl *ctl, struct ctl_topic *topic)
{
	/* Brokers that are down are among them, so there may be more than are alive. */
	int32_t room = 0;

	topic->deletion = CTL_DELETION_STOPPING;
	ctl->n_stopping++;
	ctl_topic_hide(ctl, topic);
	ctl_partition_let_tell(ctl, topic);
	set_stops_room(ctl, topic, ctl->n_brokers + 1, &room);
	for (int32_t i = 0; i < topic->n_partitions; i++)
		for (int k = 0; k < topic->partitions[i].n_replicas; k++)
			add_stop(ctl, topic, topic->partitions[i].replicas[k], &room);
	set_stops_room(ctl, topic, topic->n_stops, &room);
}

static void check_queued(struct ctl *ctl, struct ctl_topic *topic)
{
	int32_t obstacle;

	if (topic->n_writing > 0 || topic->ticket != 0 || topic->phase == CTL_TOPIC_ASKED || topic->phase == CTL_TOPIC_LOADING)
		return;
	/* Of a topic that cannot be read nobody holds replicas. */
	if (topic->phase == CTL_TOPIC_ODD) {
		erase(ctl, topic);
		return;
	}
	obstacle = find_obstacle(ctl, topic);
	if (obstacle != -1)
		ctl_action_report(ctl->out, true, "the deletion of topic %.*s will end when broker %d is back and has erased its replicas",
				  SLICE_ARGS(topic->name), obstacle);
	start(ctl, topic);
}

void ctl_delete_check(struct ctl *ctl, struct ctl_topic *topic)
{
	bool all = true;

	if (!ctl_may_decide(ctl) || topic->deletion == CTL_DELETION_NONE)
		return;
	if (topic->deletion == CTL_DELETION_QUEUED)
		check_queued(ctl, topic);
	for (int32_t i = 0; i < topic->n_stops; i++)
		all = all && topic->stops[i].done;
	if (topic->deletion == CTL_DELETION_ERASING || (topic->deletion == CTL_DELETION_STOPPING && all))
		erase(ctl, topic);
}

void ctl_delete_check_all(struct ctl *ctl)
{
	if (ctl->n_deleting == 0)
		return;
	for (struct ctl_topic *topic = ctl->topics; topic; topic = topic->next)
		ctl_delete_check(ctl, topic);
}

static void ask_again(struct ctl *ctl, int32_t broker, bool refused_only)
{
	if (ctl->n_stopping == 0)
		return;
	for (struct ctl_topic *topic = ctl->topics; topic; topic = topic->next)
		for (int32_t i = 0; i < topic->n_stops; i++) {
			struct ctl_stop *stop = &topic->stops[i];

			if (stop->done || (broker != -1 && stop->broker != broker) || (refused_only && !stop->failed))
				continue;
			stop->request = 0;
			stop->failed = false;
		}
}

void ctl_delete_broker_lost(struct ctl *ctl, const struct ctl_broker *broker)
{
	ask_again(ctl, broker->id, false);
}

void ctl_delete_retry(struct ctl *ctl)
{
	ask_again(ctl, -1, true);
}

/* ---- answers ---- */

static bool has_error(const struct ctl_event *event, const struct ctl_topic *topic, int32_t *ret_error)
{
	for (int i = 0; i < event->n_errors; i++)
		if (uuid_equal(&event->errors[i].topic_id, &topic->id)) {
			*ret_error = event->errors[i].error;
			return true;
		}
	return false;
}

static void on_answer(struct ctl *ctl, struct ctl_topic *topic, struct ctl_stop *stop, const struct ctl_event *event)
{
	int32_t error;

	if (!has_error(event, topic, &error)) {
		stop->done = true;
		return;
	}
	stop->failed = true;
	ctl_action_report(ctl->out, true, "broker %d could not erase its replicas of topic %.*s (error %d); it is asked again later",
			  stop->broker, SLICE_ARGS(topic->name), error);
	ctl_retry_later(ctl, REFUSED_RETRY_MS);
}

void ctl_delete_on_results(struct ctl *ctl, const struct ctl_broker *broker, const struct ctl_event *event)
{
	if (ctl->n_stopping == 0)
		return;
	for (struct ctl_topic *topic = ctl->topics; topic; topic = topic->next) {
		bool answered = false;

		if (topic->deletion != CTL_DELETION_STOPPING)
			continue;
		for (int32_t i = 0; i < topic->n_stops; i++) {
			struct ctl_stop *stop = &topic->stops[i];

			if (stop->broker != broker->id || stop->done || stop->request != event->request)
				continue;
			on_answer(ctl, topic, stop, event);
			answered = true;
		}
		if (answered)
			ctl_delete_check(ctl, topic);
	}
}

static void forget_request_of(struct ctl *ctl, struct slice name)
{
	for (int i = ctl->n_deletions - 1; i >= 0; i--)
		if (slice_equal(ctl->deletions[i], name))
			forget_request(ctl, i);
}

void ctl_delete_on_erased(struct ctl *ctl, struct ctl_topic *topic, const struct ctl_written *written)
{
	if (topic->ticket == 0 || topic->ticket != written->ticket)
		return;
	topic->ticket = 0;
	if (written->outcome != CTL_DONE) {
		ctl_retry_later(ctl, RETRY_MS);
		return;
	}
	ctl_action_report(ctl->out, false, "topic %.*s is deleted", SLICE_ARGS(topic->name));
	forget_request_of(ctl, topic->name);
	ctl_topic_drop(ctl, topic);
	/* One of the same name may have been made meanwhile, and its watch have fired while the old one was still here. */
	ctl->topics_wanted = true;
	ctl->deletions_wanted = true;
}
