/*
 * The invariants (reliability.md 2), checked after every event. What is committed first at an offset is the canon; everything else is
 * compared with it. Looking is incremental: below node->checked and node->matched a log is known to be the canon.
 */
#include "test/sim/core_world.h"

#include <stddef.h>

static int id(const struct node *node)
{
	return node->index + 1;
}

static long long ll(int64_t x)
{
	return (long long)x;
}

static bool same(struct entry a, struct entry b)
{
	return a.epoch == b.epoch && a.value == b.value;
}

void judge_init(struct world *world)
{
	for (int i = 0; i < 2 * LOG_MAX; i++)
		world->judge.value_offset[i] = -1;
	for (int i = 0; i < EPOCHS_MAX; i++)
		world->judge.leader_of[i].node = -1;
}

void judge_forget(struct node *node, int64_t offset)
{
	if (node->checked > offset)
		node->checked = offset;
	if (node->matched > offset)
		node->matched = offset;
}

/* ---- S5, S8: one value at each committed offset, each at one offset ---- */

static void make_canon(struct world *world, const struct node *node, int64_t offset)
{
	struct judge *judge = &world->judge;
	struct entry entry = node->log.at[offset];

	judge->canon[offset] = entry;
	judge->canon_end = offset + 1;
	if (judge->value_offset[entry.value] >= 0)
		world_fail(world, "S8: value %d is committed at %d and at %lld", entry.value, judge->value_offset[entry.value], ll(offset));
	judge->value_offset[entry.value] = (int32_t)offset;
}

static void check_committed(struct world *world, struct node *node)
{
	struct judge *judge = &world->judge;
	int64_t end = node->core.high_watermark;

	if (end > node->log.end || end < node->log.start) {
		world_fail(world, "node %d: high watermark %lld is outside of its log [%lld, %lld)", id(node), ll(end),
			   ll(node->log.start), ll(node->log.end));
		return;
	}
	if (node->checked < node->log.start)
		node->checked = node->log.start;
	for (int64_t offset = node->checked; offset < end; offset++) {
		if (offset >= judge->canon_end)
			make_canon(world, node, offset);
		else if (!same(judge->canon[offset], node->log.at[offset]))
			world_fail(world, "S5: node %d has (%d, %d) at %lld where (%d, %d) is committed", id(node),
				   node->log.at[offset].epoch, node->log.at[offset].value, ll(offset), judge->canon[offset].epoch,
				   judge->canon[offset].value);
	}
	if (node->checked < end)
		node->checked = end;
}

/* ---- S1: what was acked is on every replica that may be elected ---- */

static void match(const struct judge *judge, struct node *node)
{
	if (node->matched < node->log.start)
		node->matched = node->log.start;
	while (node->matched < node->log.end && node->matched < judge->canon_end &&
	       same(judge->canon[node->matched], node->log.at[node->matched]))
		node->matched++;
}

static bool is_electable(const struct world *world, const struct node *node)
{
	const struct znode *znode = &world->office.znode;

	return node->up && node->broker_epoch >= 0 && world->office.live[node->index] == node->broker_epoch &&
	       (znode->isr | znode->elr) & 1u << node->index;
}

static void check_durable(struct world *world, struct node *node)
{
	if (!is_electable(world, node))
		return;
	match(&world->judge, node);
	if (node->matched < world->judge.acked_end)
		world_fail(world, "S1: node %d may be elected and has not what was acked at %lld (up to %lld)", id(node), ll(node->matched),
			   ll(world->judge.acked_end));
}

/* ---- S4, S6: marks and epochs ---- */

static void check_monotonic(struct world *world, struct node *node)
{
	if (node->core.high_watermark < node->hw_seen)
		world_fail(world, "S4: the high watermark of node %d falls from %lld to %lld", id(node), ll(node->hw_seen),
			   ll(node->core.high_watermark));
	if (node->core.leader_epoch < node->epoch_seen)
		world_fail(world, "S6: the leader epoch of node %d falls", id(node));
	node->epoch_seen = node->core.leader_epoch;
}

/* ---- S2, S3: what a leader commits ---- */

static int64_t true_end(const struct world *world, const struct node *node)
{
	return world->plan.fsync ? node->log.durable_end : node->log.end;
}

static void check_commit(struct world *world, const struct node *node)
{
	const struct znode *znode = &world->office.znode;

	if (node->core.role != REPLICA_LEADER || node->core.high_watermark <= node->hw_seen || node->core.high_watermark <= node->log.start)
		return;
	if (node->core.n_isr < world->plan.min_isr)
		world_fail(world, "S3: node %d commits with an ISR of %d", id(node), node->core.n_isr);
	if (znode->leader_epoch != node->core.leader_epoch)
		return;
	for (int i = 0; i < N_NODES; i++) {
		const struct node *member = &world->nodes[i];

		if (!(znode->isr & 1u << i) || !member->up || member->broker_epoch != world->office.live[i])
			continue;
		if (true_end(world, member) < node->core.high_watermark)
			world_fail(world, "S3: node %d commits up to %lld, and %d of the ISR ends at %lld", id(node),
				   ll(node->core.high_watermark), id(member), ll(true_end(world, member)));
	}
}

static void mark_short(struct world *world, struct node *node)
{
	if (node->core.role != REPLICA_LEADER || node->core.n_isr >= world->plan.min_isr)
		return;
	for (int32_t i = 0; i < node->n_acks; i++)
		node->acks[i].short_since = true;
}

void judge_all(struct world *world)
{
	for (int i = 0; i < N_NODES; i++) {
		struct node *node = &world->nodes[i];

		if (!node->up)
			continue;
		check_commit(world, node);
		check_committed(world, node);
		check_monotonic(world, node);
		mark_short(world, node);
		node->hw_seen = node->core.high_watermark;
	}
	/* When the canon is as long as it can be. */
	for (int i = 0; i < N_NODES; i++)
		check_durable(world, &world->nodes[i]);
}

/* ---- at its moment ---- */

/* S6, S7: epochs do not fall in a log; one appender of each. */
void judge_append(struct world *world, const struct node *node)
{
	int32_t epoch = node->core.leader_epoch;
	int64_t end = node->log.end;

	if (end - 2 >= node->log.start && node->log.at[end - 1].epoch < node->log.at[end - 2].epoch)
		world_fail(world, "S6: epochs fall in the log of node %d at %lld", id(node), ll(end - 1));
	if (epoch_core_at(&node->log.epochs, end - 1) != node->log.at[end - 1].epoch)
		world_fail(world, "S6: the epoch cache of node %d is wrong at %lld", id(node), ll(end - 1));
	if (node->core.role != REPLICA_LEADER)
		return;
	if (world->judge.leader_of[epoch].node >= 0 &&
	    (world->judge.leader_of[epoch].node != node->index || world->judge.leader_of[epoch].boot != node->boot))
		world_fail(world, "S7: nodes %d and %d lead in epoch %d", world->judge.leader_of[epoch].node + 1, id(node), epoch);
	world->judge.leader_of[epoch].node = node->index;
	world->judge.leader_of[epoch].boot = node->boot;
}

static bool hears_isr(const struct world *world, const struct node *node)
{
	for (int32_t i = 0; i < node->core.n_members; i++) {
		const struct replica_member *member = &node->core.members[i];

		if (member->in_isr && member->id != id(node) && world->now_ms - node->heard_ms[member->id - 1] > world->plan.session_ms)
			return false;
	}
	return true;
}

void judge_ack(struct world *world, const struct node *node, const struct parked_ack *ack)
{
	struct judge *judge = &world->judge;

	if (node->core.high_watermark < ack->required)
		world_fail(world, "S2: node %d acks %lld, its high watermark is %lld", id(node), ll(ack->required),
			   ll(node->core.high_watermark));
	if (ack->short_since || node->core.n_isr < world->plan.min_isr)
		world_fail(world, "S2: node %d acks %lld, and its ISR was below min ISR", id(node), ll(ack->required));
	if (!same(node->log.at[ack->required - 1], (struct entry){ack->epoch, ack->value}))
		world_fail(world, "S1: node %d acks %lld, which holds another value by now", id(node), ll(ack->required));
	if (world->now_ms >= node->lease_end_ms) {
		world->counters.acks_without_lease++;
		if (!hears_isr(world, node))
			world_fail(world, "S9: node %d acks %lld without a lease", id(node), ll(ack->required));
	}
	if (ack->required > judge->acked_end)
		judge->acked_end = ack->required;
}

void judge_cut(struct world *world, const struct node *node, int64_t offset)
{
	if (offset < node->core.high_watermark)
		world_fail(world, "S10: node %d cuts at %lld, below its high watermark %lld", id(node), ll(offset),
			   ll(node->core.high_watermark));
	if (!log_cache_is_right(&node->log))
		world_fail(world, "S6: the epoch cache of node %d is wrong", id(node));
}

/* S11: who joins is alive as the one that was judged, and has high watermark and epoch start. */
void judge_join(struct world *world, const struct node *leader, unsigned joining)
{
	const struct znode *znode = &world->office.znode;

	if (znode->leader >= 0 && !(znode->isr & 1u << znode->leader))
		world_fail(world, "S11: leader %d is not in the ISR", znode->leader + 1);
	for (int i = 0; i < N_NODES; i++) {
		const struct node *node = &world->nodes[i];

		/* One that is down or another by now is found out when it comes back. */
		if (!(joining & 1u << i) || !node->up || node->broker_epoch != world->office.live[i])
			continue;
		if (!leader->up || leader->core.role != REPLICA_LEADER || leader->core.leader_epoch != znode->leader_epoch)
			continue;
		if (true_end(world, node) < leader->core.high_watermark || true_end(world, node) < leader->true_epoch_start)
			world_fail(world, "S11: node %d joins with %lld, below high watermark %lld or epoch start %lld", id(node),
				   ll(true_end(world, node)), ll(leader->core.high_watermark), ll(leader->true_epoch_start));
	}
}

/* S4: the leader of the newest epoch tells no less than anybody was told. One that was replaced may be behind. */
void judge_latest(struct world *world, const struct node *node, int64_t offset)
{
	const struct znode *znode = &world->office.znode;

	if (znode->leader == node->index && znode->leader_epoch == node->core.leader_epoch && offset < world->judge.latest_shown)
		world_fail(world, "S4: node %d tells %lld as latest, %lld was told before", id(node), ll(offset),
			   ll(world->judge.latest_shown));
	if (offset > world->judge.latest_shown)
		world->judge.latest_shown = offset;
}

/* ---- what may be lost ---- */

void judge_lost(struct world *world, const struct node *node, int64_t from)
{
	for (int64_t offset = from; offset < node->log.end; offset++)
		world->judge.n_lost[node->log.at[offset].value]++;
}

/* Has lost something, and the controller does not know. */
static bool is_secretly_short(const struct world *world, int node)
{
	const struct zk *zk = &world->zk;

	return world->nodes[node].lost_tail || (zk->session[node] >= 0 && zk->unclean[node] && world->office.live[node] != zk->session[node]);
}

/*
 * In page-cache mode fewer than min ISR replicas may lose a value (S1), and somebody has to be left who may be elected: a partition that
 * waits for an operator for ever shows nothing.
 */
bool judge_may_lose(const struct world *world, const struct node *node)
{
	const struct znode *znode = &world->office.znode;

	if (world->plan.fsync)
		return true;
	if (!((znode->isr | znode->elr) & ~(1u << node->index)))
		return false;
	for (int i = 0; i < N_NODES; i++)
		if (is_secretly_short(world, i))
			return false;
	for (int64_t offset = node->log.durable_end; offset < node->log.end; offset++)
		if (world->judge.n_lost[node->log.at[offset].value] + 1 >= world->plan.min_isr)
			return false;
	return true;
}

/* ---- the end ---- */

void judge_end(struct world *world)
{
	const struct znode *znode = &world->office.znode;
	const struct node *leader = znode->leader >= 0 ? &world->nodes[znode->leader] : NULL;

	if (!leader || znode->isr != (1u << N_NODES) - 1) {
		world_fail(world, "L5: after the faults the leader is %d and the ISR %x", znode->leader + 1, znode->isr);
		return;
	}
	for (int i = 0; i < N_NODES; i++) {
		struct node *node = &world->nodes[i];

		if (node->log.end != leader->log.end || node->core.high_watermark != leader->log.end || node->n_acks > 0)
			world_fail(world, "L6: after the faults node %d has log end %lld, high watermark %lld, %d acks to give; its leader's end is %lld",
				   id(node), ll(node->log.end), ll(node->core.high_watermark), node->n_acks, ll(leader->log.end));
		if (!log_cache_is_right(&node->log))
			world_fail(world, "S6: the epoch cache of node %d is wrong", id(node));
	}
}
