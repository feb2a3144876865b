/*
 * What goes by itself: offsets whose time is over, offsets of deleted topics, groups that nobody uses.
 *
 *     every offsets.retention.check.interval.ms   all groups, some milliseconds a turn: expired offsets, then unused groups
 *     a topic has gone from the view              all groups likewise: its offsets that were there at that moment
 *
 * Tombstones are appended without waiting for replicas: when one is lost with a leader, the offset is found expired again.
 */
#include "broker/coord/coordinator_internal.h"

#include "broker/coord/offset_expiry_core.h"
#include "common/clock.h"

#include <stdlib.h>
#include <utlist.h>

#define TURN_MS 5
#define MINUTE_MS 60000

/* A topic that is deleted: offsets that were committed up to that moment go. */
struct gone_topic {
	struct slice name; /* bytes behind the struct */
	uint64_t applied;
	struct gone_topic *prev, *next; /* utlist */
};

/* ---- one group ---- */

static bool expired(const struct group *group, const struct offset_topic *topic, const struct offset_entry *entry, enum group_expiry rule,
		    bool subscribed, int64_t now_ms)
{
	struct offset_expiry offset = {
		.rule = rule,
		.state_wall_ms = group->core.state_wall_ms,
		.commit_ms = entry->value.commit_ms,
		.expire_ms = entry->value.expire_ms,
		.subscribed = subscribed,
	};
	int64_t retention_ms = (int64_t)group->home->coordinator->shard->config->offsets_retention_minutes * MINUTE_MS;

	/* The search is for those alone that would go. */
	if (!offset_expired(&offset, retention_ms, now_ms))
		return false;
	return !group_commit_pending(group, topic->name, entry->partition) && !txn_offsets_pending(group, topic->name, entry->partition);
}

/* True: some go. */
static bool expire_offsets(struct group *group, int64_t now_ms)
{
	enum group_expiry rule = group_core_expiry(&group->core);
	struct group_subscriptions subscriptions = {.readable = true};
	struct tombstones gone_offsets;
	struct arena arena;

	if (rule == GROUP_EXPIRY_NONE)
		return false;
	arena_init(&arena);
	tombstones_init(&gone_offsets, group, 1, &group->home->coordinator->counters->n_expired);
	if (rule == GROUP_EXPIRY_UNSUBSCRIBED)
		subscriptions = group_subscriptions_of(group, &arena);
	for (int32_t t = 0; t < group->offsets.n_topics; t++) {
		const struct offset_topic *topic = group->offsets.topics[t];
		bool subscribed = group_subscribes(&subscriptions, topic->name);

		for (int32_t i = 0; i < topic->n; i++)
			if (expired(group, topic, &topic->entries[i], rule, subscribed, now_ms))
				tombstones_add(&gone_offsets, topic->name, topic->entries[i].partition);
	}
	arena_fini(&arena);
	tombstones_send(&gone_offsets);
	return gone_offsets.n_sent > 0;
}

static void sweep_group(struct group *group, int64_t now_ms)
{
	if (!group->deleting && !expire_offsets(group, now_ms))
		group_tidy(group);
}

static void forget_topics(struct group *group)
{
	const struct gone_topic *gone;
	struct tombstones gone_offsets;

	if (group->deleting)
		return;
	tombstones_init(&gone_offsets, group, 1, &group->home->coordinator->counters->n_deleted);
	DL_FOREACH(group->home->coordinator->gone, gone) {
		const struct offset_topic *topic = offset_table_topic(&group->offsets, gone->name);

		for (int32_t i = 0; topic && i < topic->n; i++)
			if (topic->entries[i].applied <= gone->applied)
				tombstones_add(&gone_offsets, topic->name, topic->entries[i].partition);
	}
	tombstones_send(&gone_offsets);
}

/* ---- all groups, in turns ---- */

static void free_gone(struct gone_topic **list)
{
	struct gone_topic *gone, *next;

	DL_FOREACH_SAFE(*list, gone, next) {
		DL_DELETE(*list, gone);
		free(gone);
	}
}

static void begin(struct coordinator *coordinator, int64_t now_ms)
{
	coordinator->sweeping = true;
	coordinator->sweep_expires = now_ms >= coordinator->expire_ms;
	if (coordinator->sweep_expires)
		coordinator->expire_ms = now_ms + coordinator->shard->config->offsets_retention_check_interval_ms;
	coordinator->gone = coordinator->gone_next;
	coordinator->gone_next = NULL;
	for (struct group_home *home = coordinator->homes; home; home = home->hh.next)
		home->swept_next = home->state == HOME_SERVING ? home->groups : NULL;
}

/* True when no group of the home is left to look at. */
static bool sweep_home(struct group_home *home, int64_t until_ms)
{
	struct coordinator *coordinator = home->coordinator;

	/* A leader without a lease appends nothing. */
	if (home_error(home))
		home->swept_next = NULL;
	while (home->swept_next && clock_ms() < until_ms) {
		struct group *group = home->swept_next;

		home->swept_next = group->hh.next;
		if (coordinator->gone)
			forget_topics(group);
		if (coordinator->sweep_expires)
			sweep_group(group, clock_wall_ms());
	}
	return !home->swept_next;
}

static void on_sweep(struct timer *timer)
{
	struct coordinator *coordinator = CONTAINER_OF(timer, struct coordinator, sweep);
	int64_t now_ms = clock_ms();

	if (!coordinator->sweeping)
		begin(coordinator, now_ms);
	for (struct group_home *home = coordinator->homes; home; home = home->hh.next) {
		if (sweep_home(home, now_ms + TURN_MS))
			continue;
		timer_set(timer, now_ms);
		return;
	}
	coordinator->sweeping = false;
	free_gone(&coordinator->gone);
	timer_set(timer, coordinator->gone_next ? now_ms : coordinator->expire_ms);
}

void group_sweep_forget(struct group *group)
{
	if (group->home->swept_next == group)
		group->home->swept_next = group->hh.next;
}

static void add_gone(struct coordinator *coordinator, struct slice name)
{
	struct gone_topic *gone = memory_zalloc(1, sizeof *gone + name.len);

	memcpy(gone + 1, name.data, name.len);
	gone->name = slice_of(gone + 1, name.len);
	gone->applied = coordinator->n_applied;
	DL_APPEND(coordinator->gone_next, gone);
}

static void find_gone(struct coordinator *coordinator, const struct view *before, const struct view *after)
{
	struct view_diff diff;
	struct arena arena;

	arena_init(&arena);
	view_diff(before, after, &arena, &diff);
	for (int32_t i = 0; i < diff.n_topics; i++)
		if (!diff.topics[i].after)
			add_gone(coordinator, diff.topics[i].before->name);
	arena_fini(&arena);
}

void coordinator_on_view(struct coordinator *coordinator)
{
	struct view *before;

	if (!coordinator || coordinator->stopped)
		return;
	before = coordinator->view;
	coordinator->view = view_retain(coordinator->shard->view);
	if (coordinator->counters->n_offsets)
		find_gone(coordinator, before, coordinator->view);
	view_release(before);
	if (coordinator->gone_next && !coordinator->sweeping)
		timer_set(&coordinator->sweep, clock_ms());
}

void group_sweep_open(struct coordinator *coordinator)
{
	coordinator->expire_ms = clock_ms() + coordinator->shard->config->offsets_retention_check_interval_ms;
	timer_init(&coordinator->sweep, &coordinator->shard->worker.loop, on_sweep);
	timer_set(&coordinator->sweep, coordinator->expire_ms);
}

void group_sweep_close(struct coordinator *coordinator)
{
	timer_stop(&coordinator->sweep);
	free_gone(&coordinator->gone);
	free_gone(&coordinator->gone_next);
}
