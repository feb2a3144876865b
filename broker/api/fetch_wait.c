/*
 * The long poll of a fetch: read, and if there is too little, watch the partitions until there is enough or the time is up.
 *
 *     scatter:  each owner reads its parts                                    -> all groups home
 *               enough? -> answer
 *               else each owner gets a second message, `watch`                  (skipped when nothing waits: max_wait 0)
 *     owner:    a partition moved -> read that part again -> enough now? `woken` goes home, all watches are out
 *     home:     first `woken`, or the timer, or the connection is gone -> `stop` to the owners that still watch, which bounces
 *               -> nobody watches any more -> answer
 *
 * A group is quiet when it never watched, when its `woken` is home and no `stop` was sent, or when its `stop` is home again (a
 * `woken` that crossed it came in before, mailboxes keep the order). Only when all are quiet may the request's memory go.
 * The group of the request's own shard is told to watch and to stop by calls; only its `woken` is a message, since what it is sent from
 * (an append) may not be interrupted by an answer.
 */
#include "broker/api/fetch_internal.h"

#include "common/clock.h"
#include "proto/kafka_error.h"

#include <stdlib.h>

static struct fetch *fetch_of(struct scatter *scatter)
{
	return CONTAINER_OF(scatter, struct fetch, scatter);
}

static struct fetch_part *part_of(struct scatter_part *part)
{
	return CONTAINER_OF(part, struct fetch_part, part);
}

static struct fetch_group *group_of(struct scatter_part *part)
{
	return &fetch_of(part->group->scatter)->groups[part->group->owner->index];
}

/* ---- on the owner ---- */

static void read_part(struct fetch_part *part, struct partition *partition)
{
	struct fetch_group *group = group_of(&part->part);

	log_slice_release(&part->read.slice);
	part->read.slice = (struct log_slice){0};
	free(part->read.aborted);
	part->read.aborted = NULL;
	part->read.n_aborted = 0;
	part->read.diverging = false;
	part->read.error = 0;
	partition_read(partition, &part->read);
	group->bytes += part->read.slice.len - part->bytes;
	part->bytes = part->read.slice.len;
	group->end_now |= part->read.end_now;
}

/* Its owner has it no more, or not yet. */
static void part_lost(struct fetch_part *part)
{
	struct fetch_group *group = group_of(&part->part);

	log_slice_release(&part->read.slice);
	group->bytes -= part->bytes;
	part->bytes = 0;
	part->read.error = KAFKA_NOT_LEADER_OR_FOLLOWER;
	part->read.high_watermark = part->read.last_stable_offset = part->read.log_start_offset = -1;
	group->end_now = true;
}

static void first_read(struct scatter_part *scattered, struct partition *partition)
{
	if (partition)
		read_part(part_of(scattered), partition);
	else
		part_lost(part_of(scattered));
	scatter_part_done(scattered);
}

static void stop_watching(struct fetch_group *group)
{
	for (struct scatter_part *part = group->scatter->first; part; part = part->next)
		partition_unwatch(&part_of(part)->watch);
	group->watching = false;
}

static bool is_enough(const struct fetch_group *group)
{
	return group->end_now || group->bytes + group->others_bytes >= group->fetch->bytes_min;
}

static void go_home(struct fetch_group *group)
{
	stop_watching(group);
	worker_post(&group->fetch->scatter.shard->worker, &group->woken);
}

static void on_moved(struct partition_watch *watch)
{
	struct fetch_part *part = CONTAINER_OF(watch, struct fetch_part, watch);
	struct fetch_group *group = group_of(&part->part);
	struct partition *partition = shard_find(group->scatter->owner, &part->part.topic_id, part->part.partition);

	if (partition)
		read_part(part, partition);
	else
		part_lost(part);
	if (!partition || is_enough(group))
		go_home(group);
	else
		partition_watch(partition, watch);
}

/* Whether the first read does not hold any more: a watch tells only what happens from now on. */
static bool has_news(const struct partition *partition, const struct fetch_part *part)
{
	return partition->core.high_watermark != part->read.high_watermark || part->read.slice.segment ||
	       partition_last_stable_offset(partition) != part->read.last_stable_offset ||
	       partition_may_serve(partition, &part->read) != 0;
}

/* Reads once more, since partitions may have moved since the first read, and watches them. */
static void start_watching(struct fetch_group *group)
{
	group->watching = true;
	for (struct scatter_part *scattered = group->scatter->first; scattered; scattered = scattered->next) {
		struct fetch_part *part = part_of(scattered);
		struct partition *partition = shard_find(group->scatter->owner, &scattered->topic_id, scattered->partition);

		if (!partition) {
			part_lost(part);
			continue;
		}
		if (has_news(partition, part))
			read_part(part, partition);
		part->watch.fired = on_moved;
		partition_watch(partition, &part->watch);
	}
	if (is_enough(group))
		go_home(group);
}

static void on_watch_asked(struct message *message)
{
	start_watching(CONTAINER_OF(message, struct fetch_group, watch));
}

/* ---- at home ---- */

static void end_if_quiet(struct fetch *fetch)
{
	for (int i = 0; i < fetch->scatter.shard->n_shards; i++)
		if (fetch->groups[i].watched)
			return;
	timer_stop(&fetch->timer);
	fetch_answer(fetch);
}

static void on_stop_home(struct message *message)
{
	struct fetch_group *group = CONTAINER_OF(message, struct fetch_group, stop);

	group->watched = false;
	end_if_quiet(group->fetch);
}

static void on_stop_at_owner(struct message *message)
{
	struct fetch_group *group = CONTAINER_OF(message, struct fetch_group, stop);

	if (group->watching)
		stop_watching(group);
	group->stop.run = on_stop_home;
	worker_post(&group->fetch->scatter.shard->worker, &group->stop);
}

static void stop_group(struct fetch_group *group)
{
	if (group->scatter->owner != group->fetch->scatter.shard) {
		group->stop_sent = true;
		group->stop.run = on_stop_at_owner;
		worker_post(&group->scatter->owner->worker, &group->stop);
	} else if (group->watching) {
		stop_watching(group);
		group->watched = false;
	}
	/* Else our own group's `woken` is in our mailbox: it is quiet when that has come. */
}

/* Calls all watches off; the answer follows when the last owner has said so. */
static void end_waiting(struct fetch *fetch)
{
	if (fetch->ending)
		return;
	fetch->ending = true;
	fetch->scatter.request->on_gone = NULL;
	for (int i = 0; i < fetch->scatter.shard->n_shards; i++)
		if (fetch->groups[i].watched)
			stop_group(&fetch->groups[i]);
	end_if_quiet(fetch);
}

static void on_woken(struct message *message)
{
	struct fetch_group *group = CONTAINER_OF(message, struct fetch_group, woken);

	/* With a stop on its way the group is quiet only when that is back. */
	if (group->stop_sent)
		return;
	group->watched = false;
	if (group->fetch->ending)
		end_if_quiet(group->fetch);
	else
		end_waiting(group->fetch);
}

static void on_time_up(struct timer *timer)
{
	end_waiting(CONTAINER_OF(timer, struct fetch, timer));
}

static void on_gone(struct request *request)
{
	end_waiting(request->state);
}

static int64_t total_bytes(const struct fetch *fetch)
{
	int64_t bytes = 0;

	for (int i = 0; i < fetch->scatter.shard->n_shards; i++)
		bytes += fetch->groups[i].bytes;
	return bytes;
}

static bool must_wait(const struct fetch *fetch)
{
	bool end_now = fetch->end_now;

	for (int i = 0; i < fetch->scatter.shard->n_shards; i++)
		end_now |= fetch->groups[i].end_now;
	return !end_now && fetch->n_parts > 0 && fetch->wait_ms > 0 && total_bytes(fetch) < fetch->bytes_min;
}

static void wait_for_more(struct fetch *fetch)
{
	struct request *request = fetch->scatter.request;
	int64_t total = total_bytes(fetch);

	request->state = fetch;
	request->on_gone = on_gone;
	request_count_arena(request);
	timer_init(&fetch->timer, &fetch->scatter.shard->worker.loop, on_time_up);
	timer_set(&fetch->timer, clock_ms() + fetch->wait_ms);
	for (int i = 0; i < fetch->scatter.shard->n_shards; i++) {
		struct fetch_group *group = &fetch->groups[i];

		if (!group->scatter->n_parts)
			continue;
		group->watched = true;
		group->others_bytes = total - group->bytes;
		group->woken.run = on_woken;
		group->watch.run = on_watch_asked;
		if (group->scatter->owner == fetch->scatter.shard)
			start_watching(group);
		else
			worker_post(&group->scatter->owner->worker, &group->watch);
	}
}

static void all_read(struct scatter *scatter)
{
	struct fetch *fetch = fetch_of(scatter);

	if (must_wait(fetch) && !request_is_gone(scatter->request))
		wait_for_more(fetch);
	else
		fetch_answer(fetch);
}

void fetch_wait_start(struct fetch *fetch)
{
	int n_shards = fetch->scatter.shard->n_shards;

	fetch->groups = arena_zalloc(&fetch->scatter.request->arena, (size_t)n_shards, sizeof *fetch->groups);
	for (int i = 0; i < n_shards; i++) {
		fetch->groups[i].fetch = fetch;
		fetch->groups[i].scatter = &fetch->scatter.groups[i];
	}
	fetch->scatter.work = first_read;
	fetch->scatter.done = all_read;
	scatter_run(&fetch->scatter);
}
