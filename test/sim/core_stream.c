/* Both ends of the replication stream, as DESIGN of the cluster protocol has it; see core_world.h. */
#include "test/sim/core_world.h"

#include <stddef.h>

#define FOLLOW_AGAIN_MS 200
#define PARK_MS 1000

/* ---- the leader's end ---- */

static void close_sub(struct sub *sub)
{
	*sub = (struct sub){.conn = -1, .handle = REPLICA_HANDLE_NONE};
}

static struct replica_leader_marks marks_of(const struct node *node)
{
	return (struct replica_leader_marks){node->core.high_watermark, node->log.start};
}

static void send_close(struct world *world, struct node *node, int32_t conn, int64_t handle, int32_t leader_epoch)
{
	struct frame frame = {.type = FRAME_CLOSE, .conn = conn, .handle = handle, .leader_epoch = leader_epoch};

	world_send(world, node->index, &frame);
}

static void send_append(struct world *world, struct node *node, struct sub *sub)
{
	struct frame frame = {.type = FRAME_APPEND, .conn = sub->conn, .handle = sub->handle, .from = sub->sent, .marks = marks_of(node)};

	while (frame.n < CHUNK_MAX && sub->sent < node->log.end)
		frame.entries[frame.n++] = node->log.at[sub->sent++];
	sub->unacked += frame.n > 0;
	sub->told = frame.marks;
	world_send(world, node->index, &frame);
}

static void pump_sub(struct world *world, struct node *node, int follower)
{
	struct sub *sub = &node->subs[follower];

	if (sub->handle == REPLICA_HANDLE_NONE)
		return;
	/* What it would have to get next is gone: it will be told to start anew. */
	if (sub->sent < node->log.start) {
		replica_leader_close(&node->core, follower + 1, sub->handle);
		send_close(world, node, sub->conn, sub->handle, node->core.leader_epoch);
		close_sub(sub);
		return;
	}
	if (sub->sent == node->log.end && (sub->told.high_watermark != node->core.high_watermark || sub->told.log_start_offset != node->log.start))
		send_append(world, node, sub);
	while (sub->sent < node->log.end && sub->unacked < CREDIT)
		send_append(world, node, sub);
}

void stream_pump(struct world *world, struct node *node)
{
	for (int i = 0; i < N_NODES; i++)
		pump_sub(world, node, i);
}

static void open_sub(struct world *world, struct node *node, const struct frame *frame, int64_t handle)
{
	struct sub *sub = &node->subs[frame->follow.id - 1];
	struct frame answer = {
		.type = FRAME_FOLLOWING,
		.conn = frame->conn,
		.handle = handle,
		.leader_epoch = node->core.leader_epoch,
		.epoch_start = node->core.epoch_start_offset,
		.marks = marks_of(node),
	};

	*sub = (struct sub){.conn = frame->conn, .handle = handle, .sent = frame->follow.log_end_offset, .told = answer.marks};
	node->heard_ms[frame->follow.id - 1] = world->now_ms;
	world_send(world, node->index, &answer);
}

static void answer_follow(struct world *world, struct node *node, const struct frame *asked, const struct replica_judgement *judgement,
			  int64_t handle)
{
	struct frame answer = {.conn = asked->conn, .leader_epoch = asked->follow.leader_epoch};

	switch (judgement->verdict) {
	case REPLICA_OPEN:
		open_sub(world, node, asked, handle);
		break;
	case REPLICA_DIVERGED:
		answer.type = FRAME_DIVERGED;
		answer.divergence = judgement->divergence;
		world_send(world, node->index, &answer);
		break;
	case REPLICA_RESET:
		answer.type = FRAME_RESET;
		answer.from = judgement->log_start_offset;
		world_send(world, node->index, &answer);
		break;
	case REPLICA_WAIT:
		node->parked[asked->follow.id - 1] = (struct parked_follow){true, *asked, world->now_ms + PARK_MS};
		world->counters.parked_follows++;
		world_after(world, PARK_MS, EVENT_PARK_ENDS, node->index);
		break;
	case REPLICA_REFUSED:
		send_close(world, node, asked->conn, REPLICA_HANDLE_NONE, asked->follow.leader_epoch);
		break;
	}
}

static void close_replaced(struct world *world, struct node *node, const struct frame *asked, const struct replica_judgement *judgement)
{
	struct sub *sub = &node->subs[asked->follow.id - 1];

	if (judgement->verdict == REPLICA_WAIT || judgement->verdict == REPLICA_REFUSED)
		return;
	if (judgement->closed_handle != REPLICA_HANDLE_NONE && sub->handle == judgement->closed_handle && sub->conn != asked->conn)
		send_close(world, node, sub->conn, sub->handle, node->core.leader_epoch);
	close_sub(sub);
}

static void on_follow(struct world *world, struct node *node, const struct frame *frame)
{
	struct log_epoch_end end = log_end_for(&node->log, frame->follow.last_epoch);
	int64_t handle = world->next_handle++;
	struct replica_now now = world_now(world, node);
	struct replica_judgement judgement;
	struct replica_actions actions;

	/* A late one of an older connection must not take the place of one that waits. */
	if (node->parked[frame->follow.id - 1].used && node->parked[frame->follow.id - 1].frame.conn > frame->conn) {
		send_close(world, node, frame->conn, REPLICA_HANDLE_NONE, frame->follow.leader_epoch);
		return;
	}
	if (world->mutant == MUTANT_DIVERGENCE_SKIPPED)
		end = (struct log_epoch_end){frame->follow.last_epoch, INT64_MAX};
	node->parked[frame->follow.id - 1].used = false;
	replica_leader_follow(&node->core, &now, &frame->follow, end, handle, &judgement, &actions);
	close_replaced(world, node, frame, &judgement);
	answer_follow(world, node, frame, &judgement, handle);
	node_carry_out(world, node, &actions);
}

void stream_unpark(struct world *world, struct node *node)
{
	for (int i = 0; i < N_NODES; i++) {
		struct parked_follow *parked = &node->parked[i];
		struct frame frame = parked->frame;
		int64_t until_ms = parked->until_ms;

		if (!parked->used)
			continue;
		if (world->now_ms >= parked->until_ms) {
			parked->used = false;
			send_close(world, node, frame.conn, REPLICA_HANDLE_NONE, frame.follow.leader_epoch);
			continue;
		}
		on_follow(world, node, &frame);
		if (parked->used)
			parked->until_ms = until_ms;
	}
}

static void on_ack(struct world *world, struct node *node, const struct frame *frame)
{
	struct replica_now now = world_now(world, node);
	struct replica_ack ack = frame->ack;
	struct sub *sub = &node->subs[ack.id - 1];
	struct replica_actions actions;
	enum replica_ack_result result;

	if (world->mutant == MUTANT_LATE_ACK_TAKEN && replica_leader_member(&node->core, ack.id))
		ack.handle = replica_leader_member(&node->core, ack.id)->handle;
	result = replica_leader_ack(&node->core, &now, &ack, &actions);
	world->counters.late_acks += result == REPLICA_ACK_DROPPED;
	if (result == REPLICA_ACK_INVALID) {
		/* Followers are honest here. */
		world_fail(world, "D1: node %d judges an ack of %d that says what cannot be", node->index + 1, ack.id);
		send_close(world, node, sub->conn, ack.handle, node->core.leader_epoch);
		close_sub(sub);
	}
	if (result != REPLICA_ACK_TAKEN)
		return;
	node->heard_ms[ack.id - 1] = world->now_ms;
	if (sub->unacked > 0)
		sub->unacked--;
	node_carry_out(world, node, &actions);
}

static void on_ping_frame(struct world *world, struct node *node, const struct frame *frame)
{
	const struct conn *conn = &world->conns[frame->conn];
	int follower = conn->ends[0];
	const struct sub *sub = &node->subs[follower];

	if (node->index != conn->ends[1] || sub->conn != frame->conn || sub->handle == REPLICA_HANDLE_NONE)
		return;
	node->heard_ms[follower] = world->now_ms;
	replica_leader_hear(&node->core, follower + 1, sub->handle, world->now_ms);
}

/* ---- the follower's end ---- */

static void follow_later(struct world *world, struct node *node)
{
	world_after(world, world_between(world, FOLLOW_AGAIN_MS, 2 * FOLLOW_AGAIN_MS), EVENT_FOLLOW, node->index);
}

static bool is_to_leader(const struct world *world, const struct node *node)
{
	const struct conn *conn = node->conn < 0 ? NULL : &world->conns[node->conn];

	return conn && conn->open[0] && conn->ends[1] == node->core.leader - 1;
}

void stream_follow(struct world *world, struct node *node)
{
	struct frame frame = {.type = FRAME_FOLLOW};

	if (node->core.role != REPLICA_FOLLOWER || node->core.leader < 0 || node->core.follow_stage != REPLICA_FOLLOW_NONE ||
	    node->broker_epoch < 0)
		return;
	if (!is_to_leader(world, node)) {
		world_dial(world, node->index, node->core.leader - 1);
		return;
	}
	if (!replica_follower_ask(&node->core, node->broker_epoch, log_last_epoch(&node->log), &frame.follow))
		return;
	frame.conn = node->conn;
	world_send(world, node->index, &frame);
}

/* Asks again at once, within a dialogue. */
static void ask_on(struct world *world, struct node *node)
{
	replica_follower_closed(&node->core, REPLICA_HANDLE_NONE);
	stream_follow(world, node);
}

static void give_up(struct world *world, struct node *node, int64_t handle)
{
	if (replica_follower_closed(&node->core, handle))
		follow_later(world, node);
}

static void take_marks(struct world *world, struct node *node, const struct frame *frame)
{
	struct replica_actions actions;
	int64_t log_start;

	switch (replica_follower_advance(&node->core, frame->handle, &frame->marks, &log_start, &actions)) {
	case REPLICA_FOLLOW_TAKEN:
		break;
	case REPLICA_FOLLOW_INVALID:
		send_close(world, node, frame->conn, frame->handle, node->core.leader_epoch);
		give_up(world, node, frame->handle);
		return;
	case REPLICA_FOLLOW_DROPPED:
		return;
	}
	if (world->mutant == MUTANT_FOLLOWER_NOT_CAPPED && frame->marks.high_watermark > node->core.high_watermark)
		node->core.high_watermark = frame->marks.high_watermark;
	if (log_start > node->log.start) {
		node->log.start = log_start;
		epoch_core_truncate_start(&node->log.epochs, log_start);
		node_tell_log(world, node);
	}
	node_carry_out(world, node, &actions);
}

void stream_ack(struct world *world, struct node *node)
{
	struct frame frame = {.type = FRAME_ACK, .conn = node->conn, .handle = node->core.follow_handle};

	if (node->core.role != REPLICA_FOLLOWER || node->core.follow_stage != REPLICA_FOLLOW_OPEN || !is_to_leader(world, node))
		return;
	frame.ack = (struct replica_ack){.id = node->index + 1,
					 .handle = node->core.follow_handle,
					 .log_end_offset = node->log.end,
					 .durable_end_offset = node->log.durable_end,
					 .log_start_offset = node->log.start};
	world_send(world, node->index, &frame);
}

static void on_following(struct world *world, struct node *node, const struct frame *frame)
{
	if (replica_follower_opened(&node->core, frame->leader_epoch, frame->handle, frame->epoch_start) == REPLICA_FOLLOW_TAKEN)
		take_marks(world, node, frame);
}

static void cut(struct world *world, struct node *node, enum replica_cut what, int64_t offset)
{
	world_trace(world, "%d: cut %d at %lld of %lld", node->index + 1, what, (long long)offset, (long long)node->log.end);
	judge_cut(world, node, offset);
	if (what == REPLICA_CUT_ALL)
		log_restart_at(&node->log, offset);
	else
		log_cut(&node->log, offset);
	judge_forget(node, node->log.end);
	if (node->fsync_target > offset)
		node->fsync_target = offset;
	node_tell_log(world, node);
	ask_on(world, node);
}

static void on_diverged(struct world *world, struct node *node, const struct frame *frame)
{
	struct log_epoch_end own_end = log_end_for(&node->log, frame->divergence.epoch);
	int64_t offset;
	enum replica_cut what;

	if (world->mutant == MUTANT_OWN_EPOCH_END_SKIPPED)
		own_end.end_offset = INT64_MAX;
	world->counters.cut_rounds += own_end.epoch != frame->divergence.epoch;
	what = replica_follower_diverged(&node->core, frame->leader_epoch, frame->divergence, own_end, &offset);
	if (what == REPLICA_CUT_STUCK)
		world_fail(world, "S10: node %d is to cut below its high watermark", node->index + 1);
	if (what == REPLICA_CUT_INVALID)
		give_up(world, node, REPLICA_HANDLE_NONE);
	if (what != REPLICA_CUT_TO && what != REPLICA_CUT_ALL)
		return;
	world->counters.cuts++;
	cut(world, node, what, offset);
}

static void on_reset(struct world *world, struct node *node, const struct frame *frame)
{
	int64_t offset;

	if (replica_follower_reset(&node->core, frame->leader_epoch, frame->from, &offset) != REPLICA_CUT_ALL)
		return;
	world->counters.resets++;
	cut(world, node, REPLICA_CUT_ALL, offset);
}

static void append(struct world *world, struct node *node, const struct frame *frame)
{
	for (int32_t i = 0; i < frame->n; i++)
		log_append_entry(&node->log, frame->entries[i]);
	judge_append(world, node);
	node_tell_log(world, node);
	stream_ack(world, node);
}

static void on_append(struct world *world, struct node *node, const struct frame *frame)
{
	struct frame taken = *frame;
	struct replica_batches batches;

	if (world->mutant == MUTANT_OLD_APPEND_TAKEN && node->core.follow_stage == REPLICA_FOLLOW_OPEN &&
	    frame->from == node->log.end)
		taken.handle = node->core.follow_handle;
	if (taken.n == 0) {
		take_marks(world, node, &taken);
		return;
	}
	batches = (struct replica_batches){taken.from, taken.from, taken.from + taken.n, taken.entries[0].epoch,
					   taken.entries[taken.n - 1].epoch};
	switch (replica_follower_may_append(&node->core, taken.handle, &batches, log_last_epoch(&node->log))) {
	case REPLICA_FOLLOW_TAKEN:
		append(world, node, &taken);
		take_marks(world, node, &taken);
		break;
	case REPLICA_FOLLOW_INVALID:
		world_fail(world, "D5: node %d judges an Append that says what cannot be", node->index + 1);
		send_close(world, node, frame->conn, taken.handle, node->core.leader_epoch);
		give_up(world, node, taken.handle);
		break;
	case REPLICA_FOLLOW_DROPPED:
		break;
	}
}

/* Of a handle, or the refusal of a question (no handle). */
static void on_close(struct world *world, struct node *node, const struct frame *frame)
{
	const struct conn *conn = &world->conns[frame->conn];

	if (node->index == conn->ends[1]) {
		struct sub *sub = &node->subs[conn->ends[0]];

		replica_leader_close(&node->core, conn->ends[0] + 1, frame->handle);
		if (sub->handle == frame->handle)
			close_sub(sub);
		return;
	}
	if (frame->handle != REPLICA_HANDLE_NONE)
		give_up(world, node, frame->handle);
	else if (node->core.follow_stage == REPLICA_FOLLOW_ASKED && node->core.leader_epoch == frame->leader_epoch)
		give_up(world, node, REPLICA_HANDLE_NONE);
}

/* ---- both ---- */

void stream_ping(struct world *world, struct node *node)
{
	struct frame frame = {.type = FRAME_PING, .conn = node->conn};

	if (is_to_leader(world, node))
		world_send(world, node->index, &frame);
	/* An answer that never came is not waited for. */
	if (node->core.role == REPLICA_FOLLOWER && node->core.follow_stage == REPLICA_FOLLOW_NONE)
		stream_follow(world, node);
}

void stream_close_all(struct world *world, struct node *node)
{
	(void)world;
	for (int i = 0; i < N_NODES; i++) {
		close_sub(&node->subs[i]);
		node->heard_ms[i] = REPLICA_NEVER;
	}
}

void stream_on_conn(struct world *world, struct node *node, int32_t conn, bool open)
{
	if (open && conn < 0) {
		follow_later(world, node);
		return;
	}
	if (open) {
		if (is_to_leader(world, node))
			return;
		node->conn = conn;
		stream_follow(world, node);
		return;
	}
	for (int i = 0; i < N_NODES; i++) {
		struct sub *sub = &node->subs[i];

		if (sub->handle == REPLICA_HANDLE_NONE || sub->conn != conn)
			continue;
		replica_leader_close(&node->core, i + 1, sub->handle);
		close_sub(sub);
	}
	for (int i = 0; i < N_NODES; i++)
		if (node->parked[i].used && node->parked[i].frame.conn == conn)
			node->parked[i].used = false;
	if (node->conn != conn)
		return;
	node->conn = -1;
	give_up(world, node, REPLICA_HANDLE_NONE);
}

void stream_on_frame(struct world *world, struct node *node, const struct frame *frame)
{
	static void (*const handlers[])(struct world *, struct node *, const struct frame *) = {
		[FRAME_FOLLOW] = on_follow,     [FRAME_FOLLOWING] = on_following, [FRAME_DIVERGED] = on_diverged,
		[FRAME_RESET] = on_reset,       [FRAME_APPEND] = on_append,       [FRAME_ACK] = on_ack,
		[FRAME_CLOSE] = on_close,       [FRAME_PING] = on_ping_frame,
	};

	handlers[frame->type](world, node, frame);
}
