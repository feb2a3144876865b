/* Replicas that brokers have not got; see ctl_failure.h. */
#include "tools/controller/ctl_failure.h"

#include "proto/kafka_error.h"
#include "tools/controller/ctl_partition.h"

struct ctl_failure *ctl_failure_of(const struct ctl_partition *p, int32_t broker)
{
	for (struct ctl_failure *failure = p->failures; failure; failure = failure->next)
		if (failure->broker == broker)
			return failure;
	return NULL;
}

/* The view says who is offline, and who may lead is another question now. */
static void look_again(struct ctl *ctl, struct ctl_topic *topic, struct ctl_partition *p)
{
	p->tell_view = true;
	ctl_topic_touch(ctl, topic);
	ctl_partition_check(ctl, topic, (int32_t)(p - topic->partitions));
}

/* ---- answers ---- */

static struct ctl_partition *find_replica(struct ctl *ctl, const struct ctl_broker *broker, const struct ctl_replica_error *error,
					  struct ctl_topic **ret_topic)
{
	struct ctl_topic *topic = ctl_topic_find_id(ctl, &error->topic_id);
	struct ctl_partition *p;

	if (!topic || topic->deletion >= CTL_DELETION_STOPPING || error->partition < 0 || error->partition >= topic->n_partitions)
		return NULL;
	p = &topic->partitions[error->partition];
	*ret_topic = topic;
	return ctl_contains(p->replicas, p->n_replicas, broker->id) ? p : NULL;
}

static struct ctl_failure *add(struct ctl *ctl, struct ctl_partition *p, int32_t broker)
{
	struct ctl_failure *failure = ctl_pool_get(&ctl->pool, 1, sizeof *failure);

	failure->next = p->failures;
	failure->broker = broker;
	p->failures = failure;
	ctl->n_failures++;
	return failure;
}

/* True when it is a new one for want of room. */
static bool take(struct ctl *ctl, const struct ctl_broker *broker, const struct ctl_replica_error *error)
{
	struct ctl_topic *topic;
	struct ctl_partition *p = find_replica(ctl, broker, error, &topic);
	struct ctl_failure *failure = p ? ctl_failure_of(p, broker->id) : NULL;
	bool is_new = !failure;

	if (!p || (is_new && error->error != KAFKA_STORAGE_ERROR))
		return false;
	if (is_new)
		failure = add(ctl, p, broker->id);
	if (error->error == KAFKA_STORAGE_ERROR)
		failure->again = error->again;
	failure->request = 0;
	if (is_new)
		look_again(ctl, topic, p);
	return is_new && failure->again;
}

/* What was told with the request that is answered, and has no error, is there. */
static int32_t end_told(struct ctl *ctl, const struct ctl_broker *broker, int64_t request, struct ctl_topic *topic, struct ctl_partition *p)
{
	struct ctl_failure *failure = ctl_failure_of(p, broker->id);

	if (!failure || failure->request == 0 || failure->request != request)
		return 0;
	ctl_partition_drop_failure(ctl, p, failure);
	look_again(ctl, topic, p);
	return 1;
}

/* Those of this broker that still have to be told again, which are counted, and those that are over. */
static int32_t settle(struct ctl *ctl, const struct ctl_broker *broker, const struct ctl_event *event)
{
	int32_t n_made = 0, n_left = 0;

	for (struct ctl_topic *topic = ctl->topics; topic && ctl->n_failures > 0; topic = topic->next)
		for (int32_t i = 0; i < topic->n_partitions; i++) {
			struct ctl_partition *p = &topic->partitions[i];
			const struct ctl_failure *failure;

			if (!p->failures)
				continue;
			n_made += event->error == 0 ? end_told(ctl, broker, event->request, topic, p) : 0;
			failure = ctl_failure_of(p, broker->id);
			n_left += failure && failure->again;
		}
	if (n_made > 0)
		ctl_action_report(ctl->out, false, "broker %d has %d replicas now that it could not make before", broker->id, n_made);
	return n_left;
}

void ctl_failure_on_results(struct ctl *ctl, struct ctl_broker *broker, const struct ctl_event *event)
{
	int32_t n_new = 0;

	for (int i = 0; i < event->n_errors && event->error == 0; i++)
		n_new += take(ctl, broker, &event->errors[i]);
	if (n_new > 0)
		ctl_action_report(ctl->out, true,
				  "broker %d cannot make %d replicas, since its disk is full: they are offline, and are tried again every %d s",
				  broker->id, n_new, CTL_FAILURE_AGAIN_MS / 1000);
	if (ctl->n_failures > 0 && settle(ctl, broker, event) > 0 && broker->again_ms == 0 && !broker->again_due)
		broker->again_ms = ctl->now_ms + CTL_FAILURE_AGAIN_MS;
}

/* ---- what brokers are told ---- */

static void told(const struct ctl_broker *broker, const struct ctl_part *part)
{
	for (int32_t i = 0; i < part->n_partitions; i++) {
		struct ctl_failure *failure = ctl_failure_of(&part->topic->partitions[part->partitions[i]], broker->id);

		if (failure)
			failure->request = broker->request;
	}
}

void ctl_failure_told(struct ctl *ctl, const struct ctl_broker *broker, const struct ctl_part *parts, int32_t n_parts)
{
	for (int32_t i = 0; i < n_parts && ctl->n_failures > 0; i++)
		told(broker, &parts[i]);
}

void ctl_failure_broker_lost(struct ctl *ctl, struct ctl_broker *broker)
{
	for (struct ctl_topic *topic = ctl->topics; topic && ctl->n_failures > 0; topic = topic->next)
		for (int32_t i = 0; i < topic->n_partitions; i++) {
			struct ctl_failure *failure = ctl_failure_of(&topic->partitions[i], broker->id);

			if (failure)
				failure->request = 0;
		}
}

void ctl_failure_forget(struct ctl *ctl, int32_t broker)
{
	for (struct ctl_topic *topic = ctl->topics; topic && ctl->n_failures > 0; topic = topic->next)
		for (int32_t i = 0; i < topic->n_partitions; i++) {
			struct ctl_partition *p = &topic->partitions[i];
			struct ctl_failure *failure = ctl_failure_of(p, broker);

			if (!failure)
				continue;
			ctl_partition_drop_failure(ctl, p, failure);
			p->tell_view = true;
			ctl_topic_touch(ctl, topic);
		}
}

/* ---- time ---- */

void ctl_failure_on_timer(struct ctl *ctl)
{
	for (int i = 0; i < ctl->n_brokers; i++) {
		struct ctl_broker *broker = &ctl->brokers[i];

		if (broker->again_ms == 0 || broker->again_ms > ctl->now_ms)
			continue;
		broker->again_ms = 0;
		broker->again_due = true;
	}
}

int64_t ctl_failure_deadline_ms(const struct ctl *ctl)
{
	int64_t first = 0;

	for (int i = 0; i < ctl->n_brokers; i++) {
		int64_t at_ms = ctl->brokers[i].again_ms;

		if (at_ms != 0 && (first == 0 || at_ms < first))
			first = at_ms;
	}
	return first;
}
