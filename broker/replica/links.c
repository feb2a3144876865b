/* Which partition follows over which connection; see links.h. */
#include "broker/replica/link_internal.h"

#include "broker/replica/shard.h"
#include "common/clock.h"
#include "common/trace.h"

#include <stdio.h>
#include <stdlib.h>
#include <utlist.h>

struct links *links_new(struct shard *shard)
{
	struct links *links = NEW(struct links);

	links->shard = shard;
	links->chance = (uint64_t)clock_ns() | 1;
	links->throttle_rate = THROTTLE_NONE;
	return links;
}

void links_share(struct links *links, struct receive_pool *pool, struct budget *budget, struct resolver *resolver, struct throttle *throttle)
{
	links->pool = pool;
	links->budget = budget;
	links->resolver = resolver;
	links->throttle = throttle;
}

int64_t links_throttle(struct links *links, int64_t bytes)
{
	int64_t pause_ms = links->throttle ? throttle_take(links->throttle, links->throttle_rate, bytes, clock_ns()) : 0;

	links->counters.n_throttled += pause_ms > 0;
	return pause_ms;
}

struct links_counters *links_counters(struct links *links)
{
	return &links->counters;
}

/* ---- targets ---- */

/* The inter-broker endpoint of a broker by the view; NULL when it is not alive or names none. */
static const struct view_endpoint *endpoint_of(const struct links *links, const struct view_broker *broker)
{
	const struct listener_spec *own = links->shard->config->listener_list.inter_broker;

	return broker && own ? view_broker_endpoint(broker, own->name) : NULL;
}

static bool is_at(const struct link_target *target, const struct view_endpoint *endpoint)
{
	return endpoint->port == target->port && slice_is_text(endpoint->host, target->host);
}

static struct link_target *find_target(const struct links *links, int32_t broker)
{
	struct link_target *target = links->targets;

	while (target && target->broker != broker)
		target = target->next;
	return target;
}

static struct link_target *new_target(struct links *links, const struct view_broker *broker, const struct view_endpoint *endpoint)
{
	struct link_target *target = NEW(struct link_target);

	target->links = links;
	target->broker = broker->id;
	target->epoch = broker->epoch;
	snprintf(target->host, sizeof target->host, "%.*s", SLICE_ARGS(endpoint->host));
	target->port = (uint16_t)endpoint->port;
	LL_PREPEND(links->targets, target);
	return target;
}

/* Where a leader can be dialled; NULL while it cannot: this broker is not registered, the leader not in the view. */
static struct link_target *need_target(struct links *links, int32_t leader)
{
	const struct shard *shard = links->shard;
	const struct view_broker *broker = view_broker(shard->view, leader);
	const struct view_endpoint *endpoint = endpoint_of(links, broker);
	struct link_target *target;

	if (links->closed || shard->broker_epoch < 0 || !shard->cluster_id)
		return NULL;
	target = find_target(links, leader);
	if (target)
		return target;
	if (broker && !endpoint)
		trace_limited(TRACE_WARN, "follow", "broker %d has no endpoint of our inter-broker listener: its partitions wait", leader);
	return endpoint ? new_target(links, broker, endpoint) : NULL;
}

/* The leader has this incarnation and address no more: its members wait for another one. */
static void drop_target(struct link_target *target)
{
	struct links *links = target->links;

	while (target->first) {
		struct link *link = target->first;

		while (link->members) {
			struct link_member *member = link->members;

			link_part(member);
			partition_follow_lost(link_partition(member));
			DL_APPEND(links->homeless, member);
		}
		link_free(link);
	}
	LL_DELETE(links->targets, target);
	free(target);
}

/* ---- members ---- */

static struct link *need_link(struct link_target *target, const struct partition *partition)
{
	struct link *link = target->first;
	int32_t worker;

	/* Until the number is known, the link is the first one; any worker may tell it. */
	if (target->n_workers == 0)
		return link ? link : link_new(target, target->links->shard->index);
	worker = shard_index(&partition->key.topic_id, partition->key.index, target->n_workers);
	while (link && link->worker != worker)
		link = link->next;
	return link ? link : link_new(target, worker);
}

/* Takes a member from wherever it is. */
static void take_out(struct links *links, struct link_member *member)
{
	if (member->link)
		link_part(member);
	else if (member->wanted)
		DL_DELETE(links->homeless, member);
}

static void settle_in(struct links *links, struct link_member *member)
{
	struct partition *partition = link_partition(member);
	struct link_target *target = need_target(links, partition->core.leader);

	if (target)
		link_join(need_link(target, partition), member);
	else
		DL_APPEND(links->homeless, member);
}

void links_follow(struct links *links, struct partition *partition)
{
	struct link_member *member = &partition->follow;

	/* An old leader that has not heard of the next would take the connection's pings for this replica's (S9). */
	if (member->link && member->link->target->broker != partition->core.leader)
		link_close_handle(member, 0);
	take_out(links, member);
	member->wanted = true;
	member->pause_ms = 0;
	settle_in(links, member);
}

void links_leave(struct links *links, struct partition *partition)
{
	struct link_member *member = &partition->follow;

	if (!member->wanted)
		return;
	link_close_handle(member, 0);
	take_out(links, member);
	member->wanted = false;
}

void links_spread(struct link_target *target)
{
	struct link *link = target->first;
	struct link_member *member, *next;

	DL_FOREACH_SAFE(link->members, member, next) {
		struct link *right = need_link(target, link_partition(member));

		if (right == link)
			continue;
		link_part(member);
		link_join(right, member);
	}
}

/* ---- what changes them ---- */

static void try_homeless(struct links *links)
{
	struct link_member *member, *next, *list = links->homeless;

	links->homeless = NULL;
	DL_FOREACH_SAFE(list, member, next)
		settle_in(links, member);
}

static bool is_current(const struct link_target *target)
{
	const struct links *links = target->links;
	const struct view_broker *broker = view_broker(links->shard->view, target->broker);
	const struct view_endpoint *endpoint = endpoint_of(links, broker);

	return endpoint && broker->epoch == target->epoch && is_at(target, endpoint);
}

static void set_rate(struct links *links, int64_t rate)
{
	struct link_target *target;
	struct link *link;
	struct link_member *member, *next;

	if (rate == links->throttle_rate)
		return;
	links->throttle_rate = rate;
	if (links->throttle)
		throttle_forget(links->throttle);
	/* Whoever pauses for the old rate asks anew. */
	LL_FOREACH(links->targets, target)
		LL_FOREACH(target->first, link)
			DL_FOREACH_SAFE2(link->pausing, member, next, wait_next)
				link_pause_no_more(member);
}

void links_on_view(struct links *links)
{
	struct link_target *target, *next;

	set_rate(links, throttle_rate(links->shard->config, SLICE_LITERAL("follower.replication.throttled.rate")));
	LL_FOREACH_SAFE(links->targets, target, next)
		if (!is_current(target))
			drop_target(target);
	if (!links->closed)
		try_homeless(links);
}

static void drop_all(struct links *links)
{
	while (links->targets)
		drop_target(links->targets);
}

void links_on_incarnation(struct links *links)
{
	drop_all(links);
	if (!links->closed)
		try_homeless(links);
}

void links_close(struct links *links)
{
	links->closed = true;
	drop_all(links);
}

void links_free(struct links *links)
{
	drop_all(links);
	free(links);
}
