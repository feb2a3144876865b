/*
 * A model of the controller and of the partition's znode; see core_world.h. Who is alive comes from model ZooKeeper sessions; answers of the
 * ISR chain are those of kafka.md 3.5, plus the incarnation of who is added (D3, KIP-903). Leavers below min ISR stay eligible (KIP-966,
 * D9); one that comes back with a lost tail is struck out before it counts as alive. Every election and every change of leader or ISR
 * that is not a proposal bumps the leader epoch.
 */
#include "test/sim/core_world.h"

#include "proto/kafka_error.h"

static unsigned bit(int node)
{
	return 1u << node;
}

void office_init(struct world *world)
{
	struct office *office = &world->office;

	office->up = true;
	office->znode = (struct znode){.leader = 0, .leader_epoch = 0, .isr = (1u << N_NODES) - 1};
	for (int i = 0; i < N_NODES; i++)
		office->live[i] = -1;
}

/* ---- orders ---- */

static int64_t channel_ms(struct world *world, struct node *node, int direction)
{
	int64_t at_ms = world->now_ms + world_between(world, 1, 8);

	if (world_happens(world, 5))
		at_ms += world_between(world, 0, 300);
	if (at_ms < node->channel_last_ms[direction])
		at_ms = node->channel_last_ms[direction];
	node->channel_last_ms[direction] = at_ms;
	return at_ms - world->now_ms;
}

static void send_order(struct world *world, int to)
{
	const struct office *office = &world->office;
	struct node *node = &world->nodes[to];
	struct event *event;

	if (!office->up || !node->channel_up || office->live[to] < 0)
		return;
	event = world_after(world, channel_ms(world, node, 0), EVENT_ORDER, to);
	event->arg = node->channel_gen;
	event->u.order = (struct order){.state = office->znode, .target_epoch = office->live[to]};
	for (int i = 0; i < N_NODES; i++)
		event->u.order.listed[i] = office->live[i];
}

static void send_orders(struct world *world)
{
	for (int i = 0; i < N_NODES; i++)
		send_order(world, i);
}

void office_on_channel(struct world *world, int node)
{
	send_order(world, node);
}

/* ---- the state ---- */

static bool is_short(const struct world *world, unsigned isr)
{
	return __builtin_popcount(isr) < world->plan.min_isr;
}

/* Another ISR: who leaves one that falls short stays eligible. */
static void set_isr(struct world *world, unsigned isr)
{
	struct znode *znode = &world->office.znode;

	znode->elr = is_short(world, isr) ? (znode->elr | znode->isr) & ~isr : 0;
	znode->isr = isr;
}

static unsigned alive(const struct world *world)
{
	unsigned nodes = 0;

	for (int i = 0; i < N_NODES; i++)
		if (world->office.live[i] >= 0)
			nodes |= bit(i);
	return nodes;
}

static int pick(struct world *world, unsigned nodes)
{
	int at = (int)world_chance(world, (uint64_t)__builtin_popcount(nodes));

	for (int i = 0; i < N_NODES; i++)
		if (nodes & bit(i) && at-- == 0)
			return i;
	return -1;
}

static bool elect(struct world *world)
{
	struct znode *znode = &world->office.znode;
	unsigned candidates = znode->isr & alive(world);

	if (candidates) {
		znode->leader = pick(world, candidates);
		world->counters.elections++;
		return true;
	}
	candidates = znode->elr & alive(world);
	znode->leader = candidates ? pick(world, candidates) : -1;
	if (!candidates)
		return false;
	world->counters.elr_elections++;
	set_isr(world, bit(znode->leader));
	return true;
}

/* Writes what has changed, if anything has. Who is eligible is nothing that replicas are told by an epoch. */
static void write_state(struct world *world, const struct znode *before, bool elected)
{
	struct znode *znode = &world->office.znode;
	bool bump = elected || znode->leader != before->leader || znode->isr != before->isr;

	if (!bump && znode->elr == before->elr)
		return;
	znode->partition_epoch++;
	if (bump) {
		znode->leader_epoch++;
		world->counters.epoch_bumps++;
	}
	world_trace(world, "office: leader %d epoch %d version %d isr %x elr %x", znode->leader + 1, znode->leader_epoch,
		    znode->partition_epoch, znode->isr, znode->elr);
}

static void bury(struct world *world, int node)
{
	struct znode *znode = &world->office.znode;

	world->office.live[node] = -1;
	if (znode->isr & bit(node))
		set_isr(world, znode->isr & ~bit(node));
	if (znode->leader == node)
		znode->leader = -1;
}

/* Who comes back without what it had goes first: else one that left while the ISR still looked large enough would not stay eligible. */
static void strike_out(struct world *world, int node)
{
	struct znode *znode = &world->office.znode;

	znode->isr &= ~bit(node);
	znode->elr &= ~bit(node);
	if (znode->leader == node)
		znode->leader = -1;
}

static void expire_sessions(struct world *world)
{
	struct zk *zk = &world->zk;

	for (int i = 0; i < N_NODES; i++) {
		if (zk->session[i] < 0 || zk->expires_ms[i] > world->now_ms)
			continue;
		zk->session[i] = -1;
		world->counters.expired_sessions++;
		world_trace(world, "zk: session of %d has expired", i + 1);
	}
}

void office_on_watch(struct world *world)
{
	struct office *office = &world->office;
	struct znode before = office->znode;
	bool changed = false, elected = false;

	if (world->zk.away)
		return;
	expire_sessions(world);
	if (!office->up)
		return;
	for (int i = 0; i < N_NODES; i++)
		if (office->live[i] != world->zk.session[i] && world->zk.session[i] >= 0 && world->zk.unclean[i])
			strike_out(world, i);
	for (int i = 0; i < N_NODES; i++) {
		if (office->live[i] == world->zk.session[i])
			continue;
		changed = true;
		if (office->live[i] >= 0)
			bury(world, i);
		office->live[i] = world->zk.session[i];
	}
	if (!changed)
		return;
	/* A leader that came back as another incarnation may be elected, but does not go on in its epoch (S7). */
	if (office->znode.leader < 0)
		elected = elect(world);
	write_state(world, &before, elected);
	send_orders(world);
}

/* ---- proposals ---- */

static unsigned members(const struct replica_proposal *proposal)
{
	unsigned isr = 0;

	for (int32_t i = 0; i < proposal->n_isr; i++)
		isr |= bit(proposal->isr[i].id - 1);
	return isr;
}

static unsigned ineligible(const struct world *world, const struct replica_proposal *proposal)
{
	unsigned nodes = 0;

	for (int32_t i = 0; i < proposal->n_isr; i++) {
		int node = proposal->isr[i].id - 1;
		bool added = !(world->office.znode.isr & bit(node));
		int64_t judged = world->mutant == MUTANT_ANY_INCARNATION_JOINS ? world->office.live[node] : proposal->isr[i].broker_epoch;

		if (world->office.live[node] < 0 || (added && judged != world->office.live[node]))
			nodes |= bit(node);
	}
	return nodes;
}

/* Kafka's order of checks. */
static int16_t judge_proposal(const struct world *world, int from, const struct replica_proposal *proposal)
{
	const struct znode *znode = &world->office.znode;

	if (world->zk.away)
		return KAFKA_NOT_CONTROLLER;
	if (proposal->partition_epoch > znode->partition_epoch || proposal->leader_epoch > znode->leader_epoch)
		return KAFKA_NOT_CONTROLLER;
	if (proposal->leader_epoch < znode->leader_epoch)
		return KAFKA_FENCED_LEADER_EPOCH;
	if (znode->leader != from)
		return KAFKA_INVALID_REQUEST;
	if (members(proposal) == znode->isr)
		return 0;
	if (proposal->partition_epoch < znode->partition_epoch)
		return KAFKA_INVALID_UPDATE_VERSION;
	return ineligible(world, proposal) ? KAFKA_INELIGIBLE_REPLICA : 0;
}

static void write_isr(struct world *world, int from, const struct replica_proposal *proposal)
{
	struct znode *znode = &world->office.znode;
	unsigned isr = members(proposal), joining = isr & ~znode->isr;

	if (isr == znode->isr)
		return;
	world->counters.joins += __builtin_popcount(joining);
	world->counters.leaves += __builtin_popcount(znode->isr & ~isr);
	set_isr(world, isr);
	znode->partition_epoch++;
	world_trace(world, "office: version %d isr %x elr %x, as %d proposed", znode->partition_epoch, znode->isr, znode->elr, from + 1);
	judge_join(world, &world->nodes[from], joining);
}

void office_on_proposal(struct world *world, int from, const struct replica_proposal *proposal)
{
	struct node *node = &world->nodes[from];
	struct event *event;
	int16_t error;

	if (!world->office.up || world->office.live[from] < 0)
		return;
	error = judge_proposal(world, from, proposal);
	if (!error)
		write_isr(world, from, proposal);
	if (error == KAFKA_INELIGIBLE_REPLICA)
		world->counters.ineligible++;
	if (!node->up || !node->channel_up)
		return;
	event = world_after(world, channel_ms(world, node, 0), EVENT_ANSWER, from);
	event->arg = node->channel_gen;
	event->u.answer = (struct answer){proposal->number, error, ineligible(world, proposal), world->office.znode};
}

/* ---- its own life ---- */

void office_move_leader(struct world *world)
{
	struct znode *znode = &world->office.znode;
	struct znode before = *znode;
	unsigned candidates = znode->isr & alive(world);

	if (!world->office.up || world->zk.away || !candidates)
		return;
	znode->leader = pick(world, candidates);
	world->counters.moves++;
	write_state(world, &before, true);
	send_orders(world);
}

void office_crash(struct world *world, int64_t for_ms)
{
	if (!world->office.up)
		return;
	world->office.up = false;
	world->counters.controller_crashes++;
	world_trace(world, "office: gone");
	for (int i = 0; i < N_NODES; i++)
		if (world->nodes[i].up)
			node_channel_lost(world, &world->nodes[i]);
	world_after(world, for_ms, EVENT_OFFICE, -1);
}

void office_begin(struct world *world)
{
	if (world->zk.away) {
		world_after(world, 200, EVENT_OFFICE, -1);
		return;
	}
	world->office.up = true;
	world->office.generation++;
	world_trace(world, "office: a new controller");
	office_on_watch(world);
}
