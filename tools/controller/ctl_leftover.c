/* Replicas still to be erased; see ctl_leftover.h. */
#include "tools/controller/ctl_leftover.h"

#include "tools/controller/ctl_step.h"

#define REFUSED_RETRY_MS 60000

static bool is_of(const struct ctl_leftover *leftover, const struct ctl_topic *topic, int32_t partition, int32_t broker)
{
	return leftover->broker == broker && leftover->partition == partition && uuid_equal(&leftover->topic_id, &topic->id);
}

static void unlink_at(struct ctl *ctl, struct ctl_leftover **at)
{
	struct ctl_leftover *leftover = *at;

	*at = leftover->next;
	ctl_pool_put(&ctl->pool, (void *)(uintptr_t)leftover->topic.data, leftover->topic.len + 1, 1);
	ctl_pool_put(&ctl->pool, leftover, 1, sizeof *leftover);
}

void ctl_leftover_remove(struct ctl *ctl, const struct ctl_topic *topic, int32_t partition, int32_t broker)
{
	for (struct ctl_leftover **at = &ctl->leftovers; *at; at = &(*at)->next)
		if (is_of(*at, topic, partition, broker)) {
			unlink_at(ctl, at);
			return;
		}
}

void ctl_leftover_add(struct ctl *ctl, const struct ctl_topic *topic, int32_t partition, int32_t broker)
{
	struct ctl_leftover *leftover = ctl_pool_get(&ctl->pool, 1, sizeof *leftover);

	*leftover = (struct ctl_leftover){.next = ctl->leftovers,
					  .topic = ctl_pool_copy(&ctl->pool, topic->name),
					  .topic_id = topic->id,
					  .partition = partition,
					  .broker = broker};
	ctl->leftovers = leftover;
}

static bool is_due(const struct ctl_leftover *leftover, int32_t broker)
{
	return leftover->broker == broker && leftover->request == 0 && !leftover->failed;
}

/* The topic's entry in the list, new if there is none; those of one topic mostly follow each other. */
static struct ctl_stop_topic *stop_of(struct ctl *ctl, const struct ctl_leftover *leftover, struct ctl_stop_topic *topics, int32_t *n)
{
	if (*n > 0 && uuid_equal(&topics[*n - 1].id, &leftover->topic_id))
		return &topics[*n - 1];
	topics[*n] = (struct ctl_stop_topic){
		.name = arena_copy(ctl->out->arena, leftover->topic), .id = leftover->topic_id, .erase = true};
	return &topics[(*n)++];
}

struct ctl_stop_topic *ctl_leftover_ask(struct ctl *ctl, const struct ctl_broker *broker, int64_t request, int32_t *ret_n)
{
	struct ctl_stop_topic *topics;
	int32_t *partitions;
	int32_t n = 0;

	*ret_n = 0;
	for (const struct ctl_leftover *leftover = ctl->leftovers; leftover; leftover = leftover->next)
		n += is_due(leftover, broker->id);
	if (n == 0)
		return NULL;
	topics = arena_zalloc(ctl->out->arena, (size_t)n, sizeof *topics);
	partitions = arena_zalloc(ctl->out->arena, (size_t)n, sizeof *partitions);
	for (struct ctl_leftover *leftover = ctl->leftovers; leftover; leftover = leftover->next) {
		struct ctl_stop_topic *topic;

		if (!is_due(leftover, broker->id))
			continue;
		leftover->request = request;
		topic = stop_of(ctl, leftover, topics, ret_n);
		if (topic->n_partitions == 0)
			topic->partitions = partitions;
		topic->n_partitions++;
		*partitions++ = leftover->partition;
	}
	return topics;
}

void ctl_leftover_broker_lost(struct ctl *ctl, const struct ctl_broker *broker)
{
	for (struct ctl_leftover *leftover = ctl->leftovers; leftover; leftover = leftover->next)
		if (leftover->broker == broker->id) {
			leftover->request = 0;
			leftover->failed = false;
		}
}

void ctl_leftover_retry(struct ctl *ctl)
{
	for (struct ctl_leftover *leftover = ctl->leftovers; leftover; leftover = leftover->next) {
		leftover->request = leftover->failed ? 0 : leftover->request;
		leftover->failed = false;
	}
}

static int32_t error_of(const struct ctl_event *event, const struct ctl_leftover *leftover)
{
	for (int i = 0; i < event->n_errors; i++)
		if (uuid_equal(&event->errors[i].topic_id, &leftover->topic_id) && event->errors[i].partition == leftover->partition)
			return event->errors[i].error;
	return 0;
}

void ctl_leftover_on_results(struct ctl *ctl, const struct ctl_broker *broker, const struct ctl_event *event)
{
	struct ctl_leftover **at = &ctl->leftovers;

	while (*at) {
		struct ctl_leftover *leftover = *at;
		int32_t error;

		if (leftover->broker != broker->id || leftover->request == 0 || leftover->request != event->request) {
			at = &leftover->next;
			continue;
		}
		error = error_of(event, leftover);
		if (error == 0) {
			unlink_at(ctl, at);
			continue;
		}
		leftover->failed = true;
		ctl_action_report(ctl->out, true, "broker %d could not erase its replica of %.*s-%d (error %d); it is asked again later",
				  broker->id, SLICE_ARGS(leftover->topic), leftover->partition, error);
		ctl_retry_later(ctl, REFUSED_RETRY_MS);
		at = &leftover->next;
	}
}
