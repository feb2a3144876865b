/* Role, epochs and marks of one replica; see replica_core.h. */
#include "broker/replica/replica_core.h"

#include "broker/replica/replica_isr_core.h"
#include "broker/replica/replica_leader_core.h"
#include "common/check.h"
#include "common/mutant.h"
#include "proto/kafka_error.h"

static int64_t min_i64(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t max_i64(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

void replica_core_init(struct replica_core *core, int32_t broker, int64_t log_start_offset, int64_t log_end_offset,
		       int64_t durable_end_offset, int64_t high_watermark)
{
	*core = (struct replica_core){
		.broker = broker,
		.role = REPLICA_IDLE,
		.rules = {.min_isr = 1, .lag_ms_max = 30000, .session_ms = 6000},
		.leader = REPLICA_LEADER_NONE,
		.leader_epoch = REPLICA_EPOCH_NONE,
		.partition_epoch = REPLICA_EPOCH_NONE,
		.log_start_offset = log_start_offset,
		.log_end_offset = log_end_offset,
		.durable_end_offset = min_i64(durable_end_offset, log_end_offset),
		.high_watermark = max_i64(log_start_offset, min_i64(high_watermark, log_end_offset)),
		.epoch_start_offset = log_end_offset,
		.again_ms = REPLICA_NEVER,
		.follow_handle = REPLICA_HANDLE_NONE,
		.leader_high_watermark = REPLICA_OFFSET_NONE,
	};
}

void replica_core_give_room(struct replica_core *core, struct replica_member *members, int32_t n_members_max)
{
	CHECK(n_members_max >= core->n_members);
	core->members = members;
	core->n_members_max = n_members_max;
}

void replica_core_configure(struct replica_core *core, const struct replica_now *now, const struct replica_rules *rules,
			    struct replica_actions *ret_actions)
{
	*ret_actions = (struct replica_actions){0};
	/* Samples are of the other mode's end; a lag is counted anew. */
	if (rules->durable_counts != core->rules.durable_counts)
		core->n_samples = 0;
	core->rules = *rules;
	replica_leader_settle(core, now, ret_actions);
}

/* ---- the controller's state ---- */

static bool contains(const int32_t *ids, int32_t n_ids, int32_t id)
{
	for (int32_t i = 0; i < n_ids; i++)
		if (ids[i] == id)
			return true;
	return false;
}

static bool is_set(const int32_t *ids, int32_t n_ids)
{
	for (int32_t i = 0; i < n_ids; i++)
		if (ids[i] < 0 || contains(ids, i, ids[i]))
			return false;
	return true;
}

static bool makes_sense(const struct replica_core *core, const struct replica_state *state)
{
	if (state->n_replicas < 0 || state->n_isr < 0 || state->n_replicas > LIMIT_REPLICAS || state->n_isr > LIMIT_REPLICAS)
		return false;
	if (!is_set(state->replicas, state->n_replicas) || !is_set(state->isr, state->n_isr))
		return false;
	if (state->leader_epoch == core->leader_epoch && state->leader != core->leader)
		return false;
	return state->leader < 0 || contains(state->isr, state->n_isr, state->leader);
}

static enum replica_role role_of(const struct replica_core *core, const struct replica_state *state)
{
	if (!contains(state->replicas, state->n_replicas, core->broker))
		return REPLICA_IDLE;
	return state->leader == core->broker ? REPLICA_LEADER : REPLICA_FOLLOWER;
}

static void drop_members(struct replica_core *core, const struct replica_state *state)
{
	int32_t n = 0;

	for (int32_t i = 0; i < core->n_members; i++) {
		int32_t id = core->members[i].id;

		if (contains(state->replicas, state->n_replicas, id) || contains(state->isr, state->n_isr, id))
			core->members[n++] = core->members[i];
	}
	core->n_members = n;
}

static struct replica_member *need_member(struct replica_core *core, int32_t id)
{
	struct replica_member *member = replica_leader_member(core, id);

	if (member)
		return member;
	CHECK(core->n_members < core->n_members_max);
	member = &core->members[core->n_members++];
	*member = (struct replica_member){.id = id, .listed_epoch = REPLICA_BROKER_EPOCH_NONE};
	replica_leader_forget(member);
	return member;
}

static void set_members(struct replica_core *core, const struct replica_state *state)
{
	drop_members(core, state);
	for (int32_t i = 0; i < state->n_replicas; i++)
		need_member(core, state->replicas[i]);
	for (int32_t i = 0; i < core->n_members; i++)
		core->members[i].in_isr = false;
	for (int32_t i = 0; i < state->n_isr; i++)
		need_member(core, state->isr[i])->in_isr = true;
	core->n_replicas = state->n_replicas;
	core->n_isr = state->n_isr;
}

static void take_state(struct replica_core *core, const struct replica_state *state)
{
	/* What was proposed on an older state is either this one or can no longer be written (compare and set). */
	if (state->leader_epoch != core->leader_epoch || state->partition_epoch != core->partition_epoch)
		core->proposal_stage = REPLICA_PROPOSAL_NONE;
	core->role = role_of(core, state);
	core->leader = state->leader;
	core->leader_epoch = state->leader_epoch;
	core->partition_epoch = state->partition_epoch;
	core->recovering = state->recovering;
	set_members(core, state);
}

static enum replica_change update(struct replica_core *core, const struct replica_now *now, const struct replica_state *state,
				  struct replica_actions *actions)
{
	bool idle = core->role == REPLICA_IDLE;

	if (state->partition_epoch < core->partition_epoch)
		return REPLICA_STALE;
	/* A resigned replica takes its own epoch again when the controller confirms it under the present session. */
	if (state->partition_epoch == core->partition_epoch && core->role == role_of(core, state))
		return REPLICA_UNCHANGED;
	take_state(core, state);
	actions->follow = idle && core->role == REPLICA_FOLLOWER && core->leader >= 0;
	replica_leader_settle(core, now, actions);
	return REPLICA_UPDATED;
}

enum replica_change replica_core_become(struct replica_core *core, const struct replica_now *now, const struct replica_state *state,
					struct replica_actions *ret_actions)
{
	*ret_actions = (struct replica_actions){0};
	if (state->leader_epoch < core->leader_epoch)
		return REPLICA_STALE;
	if (!makes_sense(core, state))
		return REPLICA_INVALID;
	if (state->leader_epoch == core->leader_epoch)
		return update(core, now, state, ret_actions);
	take_state(core, state);
	core->epoch_start_offset = core->log_end_offset;
	if (MUTANT(NEW_LEADER_COMMITS_ALL) && core->role == REPLICA_LEADER)
		core->high_watermark = core->log_end_offset;
	core->follow_stage = REPLICA_FOLLOW_NONE;
	core->follow_handle = REPLICA_HANDLE_NONE;
	core->leader_high_watermark = REPLICA_OFFSET_NONE;
	replica_leader_begin(core, now);
	ret_actions->follow = core->role == REPLICA_FOLLOWER && core->leader >= 0;
	replica_leader_settle(core, now, ret_actions);
	return REPLICA_NEW_EPOCH;
}

void replica_core_resign(struct replica_core *core)
{
	core->role = REPLICA_IDLE;
	core->follow_stage = REPLICA_FOLLOW_NONE;
	core->follow_handle = REPLICA_HANDLE_NONE;
	core->leader_high_watermark = REPLICA_OFFSET_NONE;
	for (int32_t i = 0; i < core->n_members; i++)
		core->members[i].handle = REPLICA_HANDLE_NONE;
	/* An answer may be missed meanwhile: should this epoch be confirmed, the same is asked again. */
	if (core->proposal_stage == REPLICA_PROPOSAL_SENT) {
		core->proposal_stage = REPLICA_PROPOSAL_UNKNOWN;
		core->again_ms = REPLICA_NEVER;
	}
}

/* ---- marks and time ---- */

void replica_core_log_moved(struct replica_core *core, const struct replica_now *now, int64_t log_start_offset, int64_t log_end_offset,
			    int64_t durable_end_offset, struct replica_actions *ret_actions)
{
	int64_t before = core->high_watermark;

	*ret_actions = (struct replica_actions){0};
	replica_leader_before_move(core, now);
	core->log_start_offset = log_start_offset;
	core->log_end_offset = log_end_offset;
	core->durable_end_offset = min_i64(durable_end_offset, log_end_offset);
	/* Above the log end only after a cut that replica_follower_diverged has allowed. */
	core->high_watermark = max_i64(log_start_offset, min_i64(core->high_watermark, log_end_offset));
	replica_leader_settle(core, now, ret_actions);
	ret_actions->high_watermark_moved = core->high_watermark != before;
}

void replica_core_tick(struct replica_core *core, const struct replica_now *now, struct replica_actions *ret_actions)
{
	*ret_actions = (struct replica_actions){0};
	replica_leader_settle(core, now, ret_actions);
}

int64_t replica_core_next_ms(const struct replica_core *core, int64_t now_ms)
{
	if (core->role != REPLICA_LEADER)
		return REPLICA_NOT_SOON;
	return min_i64(replica_leader_next_ms(core, now_ms), replica_isr_next_ms(core, now_ms));
}

/* ---- questions ---- */

int32_t replica_min_isr(const struct replica_core *core)
{
	return core->rules.min_isr < core->n_replicas ? core->rules.min_isr : core->n_replicas;
}

int64_t replica_promised_end(const struct replica_core *core)
{
	return core->rules.durable_counts && !MUTANT(OWN_END_NOT_DURABLE) ? core->durable_end_offset : core->log_end_offset;
}

bool replica_serves(const struct replica_core *core, const struct replica_now *now)
{
	if (core->role != REPLICA_LEADER)
		return false;
	return now->ms < now->lease_end_ms || replica_leader_hears_isr(core, now->ms) || MUTANT(LEASE_IGNORED);
}

int16_t replica_may_append(const struct replica_core *core, const struct replica_now *now, int16_t acks)
{
	if (!replica_serves(core, now))
		return KAFKA_NOT_LEADER_OR_FOLLOWER;
	if (acks == -1 && core->n_isr < replica_min_isr(core))
		return KAFKA_NOT_ENOUGH_REPLICAS;
	return 0;
}

static int16_t check_epoch(const struct replica_core *core, int32_t current_epoch)
{
	if (current_epoch != REPLICA_EPOCH_NONE && core->leader_epoch != REPLICA_EPOCH_NONE) {
		if (current_epoch < core->leader_epoch)
			return KAFKA_FENCED_LEADER_EPOCH;
		if (current_epoch > core->leader_epoch)
			return KAFKA_UNKNOWN_LEADER_EPOCH;
	}
	return 0;
}

int16_t replica_may_read(const struct replica_core *core, const struct replica_now *now, int32_t current_epoch)
{
	int16_t error = check_epoch(core, current_epoch);

	return error ? error : replica_serves(core, now) ? 0 : KAFKA_NOT_LEADER_OR_FOLLOWER;
}

int16_t replica_may_read_here(const struct replica_core *core, const struct replica_now *now, int32_t current_epoch)
{
	return core->role == REPLICA_FOLLOWER ? check_epoch(core, current_epoch) : replica_may_read(core, now, current_epoch);
}

bool replica_knows_latest(const struct replica_core *core)
{
	return core->high_watermark >= core->epoch_start_offset;
}
