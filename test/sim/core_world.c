/* Time, chance, events and connections; see core_world.h. */
#include "test/sim/core_world.h"

#include "common/check.h"
#include "common/memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- chance (splitmix64) ---- */

static uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

uint64_t world_chance(struct world *world, uint64_t below)
{
	world->chance += UINT64_C(0x9e3779b97f4a7c15);
	return mix(world->chance) % below;
}

int64_t world_between(struct world *world, int64_t from, int64_t to)
{
	return from + (int64_t)world_chance(world, (uint64_t)(to - from + 1));
}

bool world_happens(struct world *world, int percent)
{
	return world_chance(world, 100) < (uint64_t)percent;
}

/* ---- words ---- */

void world_fail(struct world *world, const char *format, ...)
{
	va_list args;
	int n;

	if (world->failed)
		return;
	world->failed = true;
	n = snprintf(world->failure, sizeof world->failure, "at %lld ms: ", (long long)world->now_ms);
	va_start(args, format);
	vsnprintf(world->failure + n, sizeof world->failure - (size_t)n, format, args);
	va_end(args);
}

void world_trace(const struct world *world, const char *format, ...)
{
	va_list args;

	if (!world->trace)
		return;
	printf("%7lld ", (long long)world->now_ms);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

/* ---- the queue of events: a binary heap by (time, number) over a pool ---- */

static bool is_before(const struct heap_slot *a, const struct heap_slot *b)
{
	return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->seq < b->seq;
}

static void push(struct world *world, struct heap_slot slot)
{
	int32_t at = world->n_heap;

	if (world->n_heap == world->heap_room) {
		world->heap_room = world->heap_room ? 2 * world->heap_room : 256;
		world->heap = memory_grow(world->heap, (size_t)world->heap_room * sizeof *world->heap);
	}
	world->n_heap++;
	while (at > 0 && is_before(&slot, &world->heap[(at - 1) / 2])) {
		world->heap[at] = world->heap[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	world->heap[at] = slot;
}

static struct heap_slot pop(struct world *world)
{
	struct heap_slot top = world->heap[0], last = world->heap[--world->n_heap];
	int32_t at = 0;

	for (int32_t child = 1; child < world->n_heap; child = 2 * at + 1) {
		if (child + 1 < world->n_heap && is_before(&world->heap[child + 1], &world->heap[child]))
			child++;
		if (!is_before(&world->heap[child], &last))
			break;
		world->heap[at] = world->heap[child];
		at = child;
	}
	world->heap[at] = last;
	return top;
}

static int32_t take_event(struct world *world)
{
	if (world->n_free > 0)
		return world->free_events[--world->n_free];
	if (world->n_events == world->events_room) {
		world->events_room = world->events_room ? 2 * world->events_room : 256;
		world->events = memory_grow(world->events, (size_t)world->events_room * sizeof *world->events);
		world->free_events = memory_grow(world->free_events, (size_t)world->events_room * sizeof *world->free_events);
	}
	return world->n_events++;
}

struct event *world_after(struct world *world, int64_t delay_ms, enum event_type type, int node)
{
	int32_t index = take_event(world);
	struct event *event = &world->events[index];

	event->at_ms = world->now_ms + delay_ms;
	event->seq = world->seq++;
	event->type = type;
	event->node = node;
	event->boot = node >= 0 ? world->nodes[node].boot : -1;
	event->arg = 0;
	push(world, (struct heap_slot){event->at_ms, event->seq, index});
	return event;
}

struct replica_now world_now(const struct world *world, const struct node *node)
{
	bool ignored = world->mutant == MUTANT_LEASE_IGNORED;

	return (struct replica_now){world->now_ms, ignored ? INT64_MAX : node->lease_end_ms};
}

/* ---- connections ---- */

static int64_t delay_of(struct world *world, int a, int b)
{
	int64_t delay_ms = world_between(world, 1, 5);

	if (world_happens(world, 4))
		delay_ms += world_between(world, 0, 120);
	if (world->now_ms < world->nodes[a].slow_until_ms || world->now_ms < world->nodes[b].slow_until_ms)
		delay_ms += world_between(world, 20, world_happens(world, 10) ? 3000 : 600);
	return delay_ms;
}

void world_dial(struct world *world, int from, int to)
{
	bool possible = world->nodes[to].up && !world->cut[from][to] && world->n_conns < CONNS_MAX;
	struct event *event = world_after(world, delay_of(world, from, to), EVENT_CONN_OPEN, from);

	event->arg = -1;
	if (!possible)
		return;
	event->arg = world->n_conns;
	world->conns[world->n_conns++] = (struct conn){.ends = {from, to}, .open = {true, true}};
}

void world_send(struct world *world, int node, const struct frame *frame)
{
	struct conn *conn = &world->conns[frame->conn];
	int from = conn->ends[0] == node ? 0 : 1, to = 1 - from;
	int64_t at_ms = world->now_ms + delay_of(world, conn->ends[0], conn->ends[1]);
	struct event *event;

	CHECK(conn->ends[from] == node);
	if (!conn->open[from] || conn->lost)
		return;
	if (at_ms < conn->last_ms[to])
		at_ms = conn->last_ms[to];
	conn->last_ms[to] = at_ms;
	event = world_after(world, at_ms - world->now_ms, EVENT_FRAME, conn->ends[to]);
	event->u.frame = *frame;
}

void world_lose(struct world *world, int32_t index)
{
	struct conn *conn = &world->conns[index];

	if (conn->lost)
		return;
	conn->lost = true;
	for (int end = 0; end < 2; end++) {
		int64_t under_way_ms = world_between(world, 0, 100);
		int64_t late_ms = world_happens(world, 60) ? 0 : world_between(world, 1, 3000);
		int64_t notice_ms = under_way_ms + late_ms + (world_happens(world, 80) ? 1 : world_between(world, 1, 3000));

		conn->until_ms[end] = world->now_ms + under_way_ms;
		conn->late_ms[end] = late_ms;
		if (conn->open[end])
			world_after(world, notice_ms, EVENT_CONN_LOST, conn->ends[end])->arg = index;
	}
}

void world_lose_all(struct world *world, int node)
{
	for (int32_t i = 0; i < world->n_conns; i++) {
		struct conn *conn = &world->conns[i];

		for (int end = 0; end < 2; end++) {
			if (conn->ends[end] != node || !conn->open[end])
				continue;
			conn->open[end] = false;
			world_lose(world, i);
		}
	}
}

/* ---- the run ---- */

static bool is_of_node(enum event_type type)
{
	return type <= EVENT_CHANNEL_LOST;
}

/* False: not now (the event was put off) or never. */
static bool may_happen(struct world *world, const struct event *event)
{
	struct node *node = event->node >= 0 ? &world->nodes[event->node] : NULL;
	const struct conn *conn;
	int end;

	if (!node || !is_of_node(event->type) || event->type == EVENT_RESTART)
		return true;
	if (!node->up || event->boot != node->boot)
		return false;
	if (event->type != EVENT_FRAME)
		return true;
	conn = &world->conns[event->u.frame.conn];
	end = conn->ends[0] == node->index ? 0 : 1;
	return conn->open[end] && (!conn->lost || event->at_ms <= conn->until_ms[end]);
}

/* What was under way on a lost connection may lie long in the receiver's buffer. */
static bool is_late(struct world *world, struct event *event, int64_t *ret_late_ms)
{
	const struct conn *conn;

	if (event->type != EVENT_FRAME || event->arg)
		return false;
	conn = &world->conns[event->u.frame.conn];
	*ret_late_ms = conn->late_ms[conn->ends[0] == event->node ? 0 : 1];
	event->arg = 1;
	return *ret_late_ms > 0;
}

static bool put_off(struct world *world, struct heap_slot slot)
{
	struct event *event = &world->events[slot.event];
	struct node *node = event->node >= 0 && is_of_node(event->type) ? &world->nodes[event->node] : NULL;
	int64_t late_ms;

	if (is_late(world, event, &late_ms)) {
		slot.at_ms += late_ms;
		push(world, slot);
		return true;
	}
	if (!node || !node->up || world->now_ms >= node->paused_until_ms || event->type == EVENT_RESTART)
		return false;
	/* What came while it stood still is found when it wakes, in order. */
	slot.at_ms = node->paused_until_ms;
	push(world, slot);
	return true;
}

static void add_to_hash(struct world *world, uint64_t x)
{
	world->hash = mix(world->hash ^ x) + UINT64_C(0x9e3779b97f4a7c15);
}

static void hash_all(struct world *world, const struct event *event)
{
	add_to_hash(world, (uint64_t)world->now_ms << 16 | (uint64_t)event->type << 8 | (uint64_t)(event->node + 1));
	for (int i = 0; i < N_NODES; i++) {
		const struct node *node = &world->nodes[i];

		add_to_hash(world, (uint64_t)node->core.high_watermark << 40 | (uint64_t)node->log.end << 16 |
					   (uint64_t)(node->core.leader_epoch + 1) << 2 | (uint64_t)node->core.role);
	}
}

static void dispatch(struct world *world, const struct event *event)
{
	switch (event->type) {
	case EVENT_PROPOSAL:
		if (event->arg == world->office.generation)
			office_on_proposal(world, event->node, &event->u.proposal);
		break;
	case EVENT_WATCH:
		office_on_watch(world);
		break;
	case EVENT_OFFICE:
		office_begin(world);
		break;
	case EVENT_PRODUCE:
	case EVENT_LATEST:
	case EVENT_FAULT:
	case EVENT_HEAL:
	case EVENT_ZK_BACK:
		faults_on_event(world, event);
		break;
	default:
		node_on_event(world, &world->nodes[event->node], event);
	}
}

static void step(struct world *world)
{
	struct heap_slot slot = pop(world);
	struct event event;

	world->now_ms = slot.at_ms;
	if (put_off(world, slot))
		return;
	/* A copy: handling makes new events, and the pool may move. */
	event = world->events[slot.event];
	world->free_events[world->n_free++] = slot.event;
	if (!may_happen(world, &event))
		return;
	world->counters.events++;
	dispatch(world, &event);
	judge_all(world);
	hash_all(world, &event);
}

void world_init(struct world *world, uint64_t seed, enum mutant mutant)
{
	memset(world, 0, sizeof *world);
	world->seed = seed;
	world->chance = mix(seed + 1);
	world->mutant = mutant;
	world->now_ms = 1000000;
	world->next_handle = 1;
	faults_plan(world);
	judge_init(world);
	office_init(world);
	for (int i = 0; i < N_NODES; i++)
		node_init(world, i);
	faults_begin(world);
}

void world_fini(struct world *world)
{
	free(world->heap);
	free(world->events);
	free(world->free_events);
}

bool world_run(struct world *world)
{
	while (!world->failed && world->n_heap > 0 && world->heap[0].at_ms <= world->plan.end_ms)
		step(world);
	if (!world->failed)
		judge_end(world);
	return !world->failed;
}
