/*
 * Items that wait until this broker's view shows what they wrote.
 *
 *     by topic id:  LED (all its partitions have leaders), GONE, CONFIG     looked at when a view changes that topic
 *     of brokers:   CONFIG                                                  looked at when a view changes any broker's configuration
 */
#include "broker/meta/admin_internal.h"

#include "common/memory.h"

#include <stdlib.h>

/* Whether the first n partitions are there and led by live brokers. */
static bool is_led(const struct view *view, const struct view_topic *topic, int32_t n)
{
	if (!topic || topic->n_partitions < n)
		return false;
	for (int32_t i = 0; i < n; i++)
		if (!view_is_alive(view, topic->partitions[i].leader))
			return false;
	return true;
}

static bool broker_config_shows(const struct view *view, const struct admin_wait *wait)
{
	for (int i = 0; i < view->n_broker_configs; i++)
		if (view->broker_configs[i]->id == wait->broker_id)
			return view->broker_configs[i]->version >= wait->number;
	return wait->emptied;
}

bool admin_wait_holds(const struct view *view, const struct admin_wait *wait)
{
	const struct view_topic *topic = uuid_is_zero(&wait->topic_id) ? NULL : view_topic_by_id(view, &wait->topic_id);

	switch (wait->kind) {
	case ADMIN_WAIT_NOTHING:
		break;
	case ADMIN_WAIT_LED:
		return is_led(view, topic, wait->number);
	case ADMIN_WAIT_GONE:
		return !topic;
	case ADMIN_WAIT_CONFIG:
		if (uuid_is_zero(&wait->topic_id))
			return broker_config_shows(view, wait);
		/* A topic that goes away has no configuration to wait for. */
		return !topic || topic->config_version >= wait->number;
	}
	return true;
}

static struct admin_wait **list_of(struct admin *admin, const struct admin_wait *wait)
{
	struct admin_topic_waits *waits;

	if (uuid_is_zero(&wait->topic_id))
		return &admin->broker_waits;
	HASH_FIND(hh, admin->topic_waits, &wait->topic_id, sizeof wait->topic_id, waits);
	if (!waits) {
		waits = NEW(struct admin_topic_waits);
		*waits = (struct admin_topic_waits){.topic_id = wait->topic_id};
		HASH_ADD(hh, admin->topic_waits, topic_id, sizeof waits->topic_id, waits);
	}
	return &waits->first;
}

void admin_wait_link(struct admin_wait **first, struct admin_wait *wait)
{
	wait->next = *first;
	wait->link = first;
	if (wait->next)
		wait->next->link = &wait->next;
	*first = wait;
}

void admin_wait_add(struct admin *admin, struct admin_wait *wait)
{
	admin_wait_link(list_of(admin, wait), wait);
}

void admin_wait_remove(struct admin *admin, struct admin_wait *wait)
{
	struct admin_topic_waits *waits;

	*wait->link = wait->next;
	if (wait->next)
		wait->next->link = wait->link;
	wait->link = NULL;
	if (uuid_is_zero(&wait->topic_id))
		return;
	HASH_FIND(hh, admin->topic_waits, &wait->topic_id, sizeof wait->topic_id, waits);
	if (waits && !waits->first) {
		HASH_DEL(admin->topic_waits, waits);
		free(waits);
	}
}

/* Finishing an item takes its wait out of the list and, with the last one, the list away. */
static void look_at(struct admin *admin, struct admin_wait *wait)
{
	while (wait) {
		struct admin_wait *next = wait->next;

		if (admin_wait_holds(admin->view, wait)) {
			struct admin_item *item = CONTAINER_OF(wait, struct admin_item, wait);

			admin_finish(item, item->error, item->message);
		}
		wait = next;
	}
}

static void look_at_topic(struct admin *admin, const struct uuid *id)
{
	struct admin_topic_waits *waits;

	HASH_FIND(hh, admin->topic_waits, id, sizeof *id, waits);
	if (waits)
		look_at(admin, waits->first);
}

/* A leader that came alive changes no topic but what waits for it. */
static void look_at_all_topics(struct admin *admin)
{
	struct admin_topic_waits *waits, *next;

	HASH_ITER(hh, admin->topic_waits, waits, next)
		look_at(admin, waits->first);
}

void admin_wait_on_view(struct admin *admin, const struct view *before, const struct view *after)
{
	struct view_diff diff;
	struct arena arena;

	if (!admin->topic_waits && !admin->broker_waits)
		return;
	arena_init(&arena);
	view_diff(before, after, &arena, &diff);
	if (diff.n_brokers)
		look_at_all_topics(admin);
	else
		for (int32_t i = 0; i < diff.n_topics; i++)
			look_at_topic(admin, diff.topics[i].after ? &diff.topics[i].after->id : &diff.topics[i].before->id);
	if (diff.broker_configs)
		look_at(admin, admin->broker_waits);
	arena_fini(&arena);
}
