/* A broker: the shell around one core, on a model log; see core_world.h. Its streams are in core_stream.c. */
#include "test/sim/core_world.h"

#include "common/check.h"
#include "proto/kafka_error.h"

#include <string.h>

#define CHANNEL_AGAIN_MS 200

/* ---- marks of the log ---- */

static void begin_fsync(struct world *world, struct node *node)
{
	if (node->fsync_target >= 0 || node->log.durable_end == node->log.end)
		return;
	node->fsync_target = node->log.end;
	world_after(world, world->plan.fsync ? world_between(world, 1, 30) : world_between(world, 100, 1500), EVENT_FSYNCED, node->index);
}

void node_tell_log(struct world *world, struct node *node)
{
	struct replica_now now = world_now(world, node);
	struct replica_actions actions;
	int64_t durable_end = node->log.durable_end;

	if (world->mutant == MUTANT_OWN_END_NOT_DURABLE && node->core.role == REPLICA_LEADER)
		durable_end = node->log.end;
	replica_core_log_moved(&node->core, &now, node->log.start, node->log.end, durable_end, &actions);
	begin_fsync(world, node);
	node_carry_out(world, node, &actions);
}

static void on_fsynced(struct world *world, struct node *node)
{
	int64_t end = node->fsync_target < node->log.end ? node->fsync_target : node->log.end;

	node->fsync_target = -1;
	if (end > node->log.durable_end)
		node->log.durable_end = end;
	node->checkpoint = node->core.high_watermark;
	node_tell_log(world, node);
	stream_ack(world, node);
}

/* ---- acks ---- */

static void end_acks(struct world *world, struct node *node, bool fail_rest)
{
	int32_t n = 0;

	for (int32_t i = 0; i < node->n_acks; i++) {
		const struct parked_ack *ack = &node->acks[i];

		if (node->core.role == REPLICA_LEADER && ack->required <= node->core.high_watermark) {
			judge_ack(world, node, ack);
			world->counters.acks++;
		} else if (fail_rest) {
			world->counters.acks_refused++;
		} else {
			node->acks[n++] = *ack;
		}
	}
	node->n_acks = n;
}

static void send_proposal(struct world *world, struct node *node)
{
	struct replica_proposal proposal;
	struct event *event;
	int64_t delay_ms;

	replica_isr_proposal(&node->core, &proposal);
	/* One that is not sent is one without an answer. */
	if (!node->channel_up) {
		replica_isr_unanswered(&node->core, proposal.number, world->now_ms + CHANNEL_AGAIN_MS);
		return;
	}
	node->proposal = proposal.number;
	delay_ms = world_between(world, 1, 8);
	if (world_happens(world, 10))
		delay_ms += world_between(world, 0, 800);
	if (world->now_ms + delay_ms < node->channel_last_ms[1])
		delay_ms = node->channel_last_ms[1] - world->now_ms;
	node->channel_last_ms[1] = world->now_ms + delay_ms;
	event = world_after(world, delay_ms, EVENT_PROPOSAL, node->index);
	event->arg = world->office.generation;
	event->u.proposal = proposal;
	world_trace(world, "%d: proposes version %d+1", node->index + 1, proposal.partition_epoch);
}

/* Mutants that need to see the core between its calls. */
static void bend(struct world *world, struct node *node)
{
	struct replica_core *core = &node->core;

	for (int32_t i = 0; i < core->n_members; i++) {
		struct replica_member *member = &core->members[i];

		if (world->mutant == MUTANT_ADDITION_NOT_COUNTED && !member->in_isr)
			member->in_proposal = false;
		if (world->mutant == MUTANT_REMOVAL_NOT_COUNTED && core->proposal_stage != REPLICA_PROPOSAL_NONE && member->in_isr &&
		    !member->in_proposal) {
			member->in_isr = false;
			core->n_isr--;
		}
	}
	if (world->mutant == MUTANT_JOIN_BELOW_EPOCH_START)
		core->epoch_start_offset = 0;
}

static void schedule_tick(struct world *world, struct node *node)
{
	int64_t next_ms = replica_core_next_ms(&node->core, world->now_ms);

	if (next_ms < world->now_ms)
		next_ms = world->now_ms;
	if (next_ms >= node->next_tick_ms)
		return;
	node->next_tick_ms = next_ms;
	world_after(world, next_ms - world->now_ms, EVENT_TICK, node->index)->arg = next_ms;
}

void node_carry_out(struct world *world, struct node *node, const struct replica_actions *actions)
{
	if (actions->propose)
		send_proposal(world, node);
	bend(world, node);
	if (actions->high_watermark_moved)
		end_acks(world, node, false);
	if (actions->acks_failed) {
		world->counters.short_isr++;
		end_acks(world, node, world->mutant != MUTANT_SHORT_ISR_ACKED);
	}
	if (actions->follow)
		world_after(world, world_between(world, 0, 3), EVENT_FOLLOW, node->index);
	if (node->core.role == REPLICA_LEADER)
		stream_pump(world, node);
	schedule_tick(world, node);
}

/* ---- orders of the controller ---- */

static enum replica_change become(struct world *world, struct node *node, const struct znode *znode, struct replica_actions *actions)
{
	static const int32_t replicas[N_NODES] = {1, 2, 3};
	struct replica_now now = world_now(world, node);
	int32_t isr[N_NODES], n_isr = 0;
	struct replica_state state = {
		.leader = znode->leader < 0 ? -1 : znode->leader + 1,
		.leader_epoch = znode->leader_epoch,
		.partition_epoch = znode->partition_epoch,
		.replicas = replicas,
		.n_replicas = N_NODES,
		.isr = isr,
	};

	for (int i = 0; i < N_NODES; i++)
		if (znode->isr & 1u << i)
			isr[n_isr++] = i + 1;
	state.n_isr = n_isr;
	return replica_core_become(&node->core, &now, &state, actions);
}

static void keep_ends(struct node *node, const struct replica_member *before, int32_t n)
{
	for (int32_t i = 0; i < n; i++) {
		struct replica_member *member = replica_leader_member(&node->core, before[i].id);

		if (!member)
			continue;
		member->log_end_offset = before[i].log_end_offset;
		member->durable_end_offset = before[i].durable_end_offset;
	}
}

static void begin_epoch(struct world *world, struct node *node)
{
	stream_close_all(world, node);
	if (node->core.role == REPLICA_LEADER) {
		epoch_core_assign(&node->log.epochs, node->core.leader_epoch, node->log.end);
		node->true_epoch_start = node->log.end;
		if (world->mutant == MUTANT_NEW_LEADER_COMMITS_ALL)
			node->core.high_watermark = node->log.end;
	} else if (world->mutant == MUTANT_TRUNCATE_TO_HIGH_WATERMARK) {
		judge_cut(world, node, node->core.high_watermark);
		log_cut(&node->log, node->core.high_watermark);
		judge_forget(node, node->log.end);
		node_tell_log(world, node);
	}
}

static void take_state(struct world *world, struct node *node, const struct znode *znode)
{
	struct replica_member before[2 * N_NODES];
	int32_t n_before = node->core.n_members;
	struct replica_actions actions;
	enum replica_change change;

	memcpy(before, node->members, sizeof before);
	change = become(world, node, znode, &actions);
	if (change == REPLICA_INVALID) {
		world_fail(world, "node %d takes a state for nonsense", node->index + 1);
		return;
	}
	if (change == REPLICA_STALE || change == REPLICA_UNCHANGED)
		return;
	world_trace(world, "%d: role %d epoch %d, log end %lld, high watermark %lld", node->index + 1, node->core.role,
		    node->core.leader_epoch, (long long)node->log.end, (long long)node->core.high_watermark);
	if (change == REPLICA_NEW_EPOCH) {
		node->proposal = -1;
		begin_epoch(world, node);
	}
	if (world->mutant == MUTANT_OLD_ENDS_KEPT)
		keep_ends(node, before, n_before);
	if (node->core.role != REPLICA_LEADER)
		end_acks(world, node, true);
	node_carry_out(world, node, &actions);
}

static void on_order(struct world *world, struct node *node, const struct event *event)
{
	const struct order *order = &event->u.order;
	struct replica_actions actions;

	/* D1: for another incarnation of this broker, or from a channel that is gone. */
	if (order->target_epoch != node->broker_epoch || event->arg != node->channel_gen)
		return;
	node->lost_tail = false;
	take_state(world, node, &order->state);
	for (int i = 0; i < N_NODES; i++) {
		struct replica_now now = world_now(world, node);

		replica_leader_list(&node->core, &now, i + 1, order->listed[i], &actions);
		node_carry_out(world, node, &actions);
	}
	stream_unpark(world, node);
}

static void answer_proposal(struct world *world, struct node *node, const struct replica_isr_answer *answer)
{
	struct replica_now now = world_now(world, node);
	struct replica_actions actions;

	if (!replica_isr_answered(&node->core, &now, answer, &actions))
		return;
	node->proposal = -1;
	node_carry_out(world, node, &actions);
}

static void on_answer(struct world *world, struct node *node, const struct event *event)
{
	const struct answer *told = &event->u.answer;
	int32_t isr[N_NODES], n_isr = 0;
	int32_t ineligible[N_NODES], n_ineligible = 0;
	struct replica_isr_answer answer;

	if (event->arg != node->channel_gen)
		return;
	for (int i = 0; i < N_NODES; i++)
		if (told->state.isr & 1u << i)
			isr[n_isr++] = i + 1;
	for (int i = 0; i < N_NODES; i++)
		if (told->ineligible & 1u << i)
			ineligible[n_ineligible++] = i + 1;
	answer = (struct replica_isr_answer){told->number, told->error, told->state.leader_epoch, told->state.partition_epoch, isr, n_isr,
					     ineligible, n_ineligible};
	answer_proposal(world, node, &answer);
}

void node_channel_lost(struct world *world, struct node *node)
{
	if (node->channel_up)
		world_after(world, world_between(world, CHANNEL_AGAIN_MS, 1000), EVENT_CHANNEL, node->index);
	node->channel_up = false;
	node->channel_gen++;
	if (node->proposal < 0)
		return;
	world->counters.unknown_outcomes++;
	if (world->mutant == MUTANT_UNKNOWN_IS_REFUSED)
		answer_proposal(world, node, &(struct replica_isr_answer){.number = node->proposal, .error = KAFKA_INELIGIBLE_REPLICA});
	else
		replica_isr_unanswered(&node->core, node->proposal, world->now_ms + CHANNEL_AGAIN_MS);
	node->proposal = -1;
	schedule_tick(world, node);
}

static void on_channel(struct world *world, struct node *node)
{
	if (node->channel_up || node->broker_epoch < 0)
		return;
	if (!world->office.up) {
		world_after(world, CHANNEL_AGAIN_MS, EVENT_CHANNEL, node->index);
		return;
	}
	node->channel_up = true;
	node->channel_gen++;
	office_on_channel(world, node->index);
}

/* ---- ZooKeeper ---- */

static bool reaches_zk(const struct world *world, const struct node *node)
{
	return !world->zk.away && world->now_ms >= node->zk_cut_until_ms;
}

void node_session_lost(struct world *world, struct node *node)
{
	world_trace(world, "%d: its session is lost", node->index + 1);
	node->broker_epoch = -1;
	node->lease_end_ms = 0;
	replica_core_resign(&node->core);
	end_acks(world, node, true);
	stream_close_all(world, node);
	/* Connections belong to a pair of incarnations. */
	world_lose_all(world, node->index);
	node->conn = -1;
	node_channel_lost(world, node);
	world_after(world, 1, EVENT_REGISTER, node->index);
}

static void on_ping(struct world *world, struct node *node)
{
	struct zk *zk = &world->zk;

	stream_ping(world, node);
	world_after(world, world->plan.session_ms / 6, EVENT_PING, node->index);
	if (node->broker_epoch < 0 || !reaches_zk(world, node))
		return;
	if (zk->session[node->index] != node->broker_epoch) {
		node_session_lost(world, node);
		return;
	}
	zk->expires_ms[node->index] = world->now_ms + world->plan.session_ms;
	node->lease_end_ms = world->now_ms + world->plan.session_ms * 8 / 10;
	world_after(world, world->plan.session_ms, EVENT_WATCH, -1);
}

static void on_register(struct world *world, struct node *node)
{
	struct zk *zk = &world->zk;

	if (node->broker_epoch >= 0)
		return;
	if (!reaches_zk(world, node) || zk->session[node->index] >= 0) {
		world_after(world, 50, EVENT_REGISTER, node->index);
		return;
	}
	node->broker_epoch = zk->session[node->index] = ++zk->zxid;
	zk->unclean[node->index] = node->lost_tail;
	zk->expires_ms[node->index] = world->now_ms + world->plan.session_ms;
	node->lease_end_ms = world->now_ms + world->plan.session_ms * 8 / 10;
	world_trace(world, "%d: registered as %lld", node->index + 1, (long long)node->broker_epoch);
	world_after(world, world_between(world, 1, 10), EVENT_WATCH, -1);
	world_after(world, world->plan.session_ms, EVENT_WATCH, -1);
	world_after(world, world_between(world, 1, 20), EVENT_CHANNEL, node->index);
}

/* ---- clients ---- */

bool node_produce(struct world *world, struct node *node, int n, int16_t acks)
{
	struct replica_now now = world_now(world, node);

	if (!node->up || now.ms < node->paused_until_ms || node->log.end + n >= LOG_MAX || node->n_acks == PARKED_MAX)
		return false;
	if (replica_may_append(&node->core, &now, acks))
		return false;
	for (int i = 0; i < n; i++)
		log_append_entry(&node->log, (struct entry){node->core.leader_epoch, world->n_values++});
	world->counters.appends++;
	judge_append(world, node);
	if (acks == -1) {
		const struct entry *last = &node->log.at[node->log.end - 1];

		node->acks[node->n_acks++] = (struct parked_ack){node->log.end, last->value, last->epoch, false};
		if (world->mutant == MUTANT_ACK_BEFORE_COMMIT)
			judge_ack(world, node, &node->acks[node->n_acks - 1]);
	}
	node_tell_log(world, node);
	end_acks(world, node, false);
	return true;
}

void node_delete_records(struct world *world, struct node *node)
{
	struct replica_now now = world_now(world, node);

	if (!node->up || replica_may_read(&node->core, &now, -1) || node->core.high_watermark <= node->log.start)
		return;
	node->log.start = world_between(world, node->log.start + 1, node->core.high_watermark);
	epoch_core_truncate_start(&node->log.epochs, node->log.start);
	world->counters.deletes++;
	node_tell_log(world, node);
}

/* ---- life ---- */

static void set_rules(struct world *world, struct node *node)
{
	struct replica_now now = world_now(world, node);
	struct replica_actions actions;
	struct replica_rules rules = {
		.durable_counts = world->plan.fsync && world->mutant != MUTANT_COMMIT_NOT_DURABLE,
		.min_isr = world->mutant == MUTANT_COMMIT_BELOW_MIN_ISR ? 1 : world->plan.min_isr,
		.lag_ms_max = world->plan.lag_ms,
		.session_ms = world->plan.session_ms,
	};

	replica_core_configure(&node->core, &now, &rules, &actions);
}

void node_restart(struct world *world, struct node *node)
{
	node->up = true;
	node->broker_epoch = -1;
	node->lease_end_ms = 0;
	node->paused_until_ms = 0;
	node->conn = -1;
	node->proposal = node->fsync_target = -1;
	node->channel_up = false;
	node->channel_gen++;
	node->channel_last_ms[0] = node->channel_last_ms[1] = 0;
	node->next_tick_ms = REPLICA_NOT_SOON;
	node->n_acks = 0;
	/* Recovery syncs what it has found. */
	node->log.durable_end = node->log.end;
	replica_core_init(&node->core, node->index + 1, node->log.start, node->log.end, node->log.durable_end, node->checkpoint);
	replica_core_give_room(&node->core, node->members, 2 * N_NODES);
	set_rules(world, node);
	stream_close_all(world, node);
	memset(node->parked, 0, sizeof node->parked);
	node->hw_seen = node->core.high_watermark;
	node->epoch_seen = -1;
	for (int i = 0; i < N_NODES; i++)
		node->heard_ms[i] = REPLICA_NEVER;
	world_trace(world, "%d: up, log end %lld", node->index + 1, (long long)node->log.end);
	world_after(world, 1, EVENT_REGISTER, node->index);
	world_after(world, world->plan.session_ms / 6, EVENT_PING, node->index);
}

void node_init(struct world *world, int index)
{
	struct node *node = &world->nodes[index];

	node->index = index;
	node->log.epochs.at = node->log.epoch_room;
	world->zk.session[index] = -1;
	node_restart(world, node);
}

void node_crash(struct world *world, struct node *node, bool lose_tail)
{
	int64_t end = lose_tail ? world_between(world, node->log.durable_end, node->log.end) : node->log.end;
	bool loses = end < node->log.end;

	world->counters.crashes++;
	world->counters.lost_tails += loses;
	world_trace(world, "%d: crash, log end %lld -> %lld", node->index + 1, (long long)node->log.end, (long long)end);
	if (loses) {
		judge_lost(world, node, end);
		log_cut(&node->log, end);
		judge_forget(node, end);
	}
	node->lost_tail |= loses && !world->plan.fsync;
	node->up = false;
	node->boot++;
	world_lose_all(world, node->index);
}

static void on_tick(struct world *world, struct node *node, const struct event *event)
{
	struct replica_now now = world_now(world, node);
	struct replica_actions actions;

	if (event->arg != node->next_tick_ms)
		return;
	node->next_tick_ms = REPLICA_NOT_SOON;
	replica_core_tick(&node->core, &now, &actions);
	node_carry_out(world, node, &actions);
}

static void on_conn_event(struct world *world, struct node *node, const struct event *event)
{
	if (event->type == EVENT_CONN_LOST) {
		struct conn *conn = &world->conns[event->arg];

		conn->open[conn->ends[0] == node->index ? 0 : 1] = false;
	}
	stream_on_conn(world, node, (int32_t)event->arg, event->type == EVENT_CONN_OPEN);
}

void node_on_event(struct world *world, struct node *node, const struct event *event)
{
	switch (event->type) {
	case EVENT_FRAME:
		stream_on_frame(world, node, &event->u.frame);
		break;
	case EVENT_CONN_OPEN:
	case EVENT_CONN_LOST:
		on_conn_event(world, node, event);
		break;
	case EVENT_FOLLOW:
		stream_follow(world, node);
		break;
	case EVENT_PARK_ENDS:
		stream_unpark(world, node);
		break;
	case EVENT_TICK:
		on_tick(world, node, event);
		break;
	case EVENT_PING:
		on_ping(world, node);
		break;
	case EVENT_FSYNCED:
		on_fsynced(world, node);
		break;
	case EVENT_RESTART:
		node_restart(world, node);
		break;
	case EVENT_REGISTER:
		on_register(world, node);
		break;
	case EVENT_ORDER:
		on_order(world, node, event);
		break;
	case EVENT_ANSWER:
		on_answer(world, node, event);
		break;
	case EVENT_CHANNEL:
		on_channel(world, node);
		break;
	case EVENT_CHANNEL_LOST:
		node_channel_lost(world, node);
		break;
	default:
		CHECK(false);
	}
}
