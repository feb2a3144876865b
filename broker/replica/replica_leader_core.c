/* Followers and the high watermark; see replica_leader_core.h. */
#include "broker/replica/replica_leader_core.h"

#include "broker/replica/replica_isr_core.h"
#include "common/mutant.h"
#include "proto/kafka_error.h"

#include <stddef.h>

static int64_t min_i64(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* ---- members ---- */

struct replica_member *replica_leader_member(const struct replica_core *core, int32_t id)
{
	for (int32_t i = 0; i < core->n_members; i++)
		if (core->members[i].id == id)
			return &core->members[i];
	return NULL;
}

static void forget_ends(struct replica_member *member)
{
	member->handle = REPLICA_HANDLE_NONE;
	member->log_end_offset = member->durable_end_offset = member->log_start_offset = REPLICA_OFFSET_NONE;
}

void replica_leader_forget(struct replica_member *member)
{
	forget_ends(member);
	member->in_proposal = false;
	member->broker_epoch = REPLICA_BROKER_EPOCH_NONE;
	member->caught_up_ms = member->heard_ms = member->hold_from_ms = member->join_from_ms = REPLICA_NEVER;
}

int64_t replica_member_end(const struct replica_core *core, const struct replica_member *member)
{
	return core->rules.durable_counts && !MUTANT(COMMIT_NOT_DURABLE) ? member->durable_end_offset : member->log_end_offset;
}

bool replica_member_follows(const struct replica_member *member)
{
	return member->handle != REPLICA_HANDLE_NONE && member->broker_epoch == member->listed_epoch;
}

static bool is_other(const struct replica_core *core, const struct replica_member *member)
{
	return member->id != core->broker;
}

void replica_leader_begin(struct replica_core *core, const struct replica_now *now)
{
	core->n_samples = 0;
	core->again_ms = REPLICA_NEVER;
	for (int32_t i = 0; i < core->n_members; i++) {
		struct replica_member *member = &core->members[i];

		replica_leader_forget(member);
		if (member->in_isr)
			member->caught_up_ms = now->ms;
	}
}

/* ---- caught up ---- */

static void note_caught_up(struct replica_core *core, int64_t now_ms)
{
	int64_t end = replica_promised_end(core);

	for (int32_t i = 0; i < core->n_members; i++)
		if (replica_member_end(core, &core->members[i]) >= end)
			core->members[i].caught_up_ms = now_ms;
}

static void take_sample(struct replica_core *core, int64_t now_ms)
{
	const int32_t room = REPLICA_SAMPLES + 1;

	if (core->n_samples > 0 && now_ms - core->samples[core->newest_sample].ms < core->rules.lag_ms_max / REPLICA_SAMPLES)
		return;
	core->newest_sample = (core->newest_sample + 1) % room;
	core->samples[core->newest_sample] = (struct replica_sample){now_ms, replica_promised_end(core)};
	if (core->n_samples < room)
		core->n_samples++;
}

/* The newest time at which a replica with this end had all that there was. */
static int64_t caught_up_by_samples(const struct replica_core *core, int64_t end)
{
	const int32_t room = REPLICA_SAMPLES + 1;

	for (int32_t i = 0; i < core->n_samples; i++) {
		const struct replica_sample *sample = &core->samples[(core->newest_sample + room - i) % room];

		if (sample->end_offset <= end)
			return sample->ms;
	}
	return REPLICA_NEVER;
}

void replica_leader_before_move(struct replica_core *core, const struct replica_now *now)
{
	if (core->role == REPLICA_LEADER)
		note_caught_up(core, now->ms);
}

/* ---- high watermark ---- */

static bool in_maximal_isr(const struct replica_core *core, const struct replica_member *member)
{
	return member->in_isr || (core->proposal_stage != REPLICA_PROPOSAL_NONE && member->in_proposal && !MUTANT(ADDITIONS_NOT_COUNTED));
}

int64_t replica_committed_end(const struct replica_core *core)
{
	int64_t end = replica_promised_end(core);

	for (int32_t i = 0; i < core->n_members; i++) {
		const struct replica_member *member = &core->members[i];

		if (is_other(core, member) && in_maximal_isr(core, member))
			end = min_i64(end, replica_member_end(core, member));
	}
	return end;
}

static bool is_holding(const struct replica_core *core, const struct replica_member *member, int64_t now_ms)
{
	return is_other(core, member) && !member->in_isr && replica_member_follows(member) &&
	       now_ms - member->hold_from_ms < REPLICA_HOLD_MS_MAX;
}

/* Who follows so closely that it can be in within the hold begins to hold; once in a lag time. */
static void begin_holds(struct replica_core *core, int64_t now_ms)
{
	int64_t near_ms = REPLICA_HOLD_MS_MAX + core->rules.lag_ms_max / REPLICA_SAMPLES;

	for (int32_t i = 0; i < core->n_members; i++) {
		struct replica_member *member = &core->members[i];

		if (!is_other(core, member) || member->in_isr || !replica_member_follows(member))
			continue;
		if (now_ms - member->caught_up_ms <= near_ms &&
		    now_ms - member->hold_from_ms >= REPLICA_HOLD_MS_MAX + core->rules.lag_ms_max)
			member->hold_from_ms = now_ms;
	}
}

static int64_t held_end(const struct replica_core *core, int64_t end, int64_t now_ms)
{
	for (int32_t i = 0; i < core->n_members; i++)
		if (is_holding(core, &core->members[i], now_ms))
			end = min_i64(end, replica_member_end(core, &core->members[i]));
	return end;
}

static bool advance(struct replica_core *core, const struct replica_now *now)
{
	int64_t end;

	if ((core->n_isr < replica_min_isr(core) && !MUTANT(MIN_ISR_IGNORED)) || !replica_serves(core, now))
		return false;
	end = held_end(core, replica_committed_end(core), now->ms);
	if (end <= core->high_watermark)
		return false;
	core->high_watermark = end;
	return true;
}

/* True when the ISR falls below its minimum: what was promised on a larger one is not kept (S2). */
static bool falls_short(struct replica_core *core)
{
	bool was_below = core->below_min_isr;

	core->below_min_isr = core->n_isr < replica_min_isr(core);
	return core->below_min_isr && !was_below;
}

void replica_leader_settle(struct replica_core *core, const struct replica_now *now, struct replica_actions *actions)
{
	if (core->role != REPLICA_LEADER)
		return;
	note_caught_up(core, now->ms);
	take_sample(core, now->ms);
	begin_holds(core, now->ms);
	actions->high_watermark_moved |= advance(core, now);
	actions->acks_failed |= falls_short(core);
	actions->propose |= replica_isr_propose(core, now);
}

/* ---- Follow ---- */

static bool marks_make_sense(int64_t log_start_offset, int64_t durable_end_offset, int64_t log_end_offset)
{
	return log_start_offset >= 0 && durable_end_offset >= 0 && durable_end_offset <= log_end_offset && log_start_offset <= log_end_offset;
}

static void set_ends(struct replica_core *core, struct replica_member *member, int64_t heard_ms, int64_t log_end_offset,
		     int64_t durable_end_offset, int64_t log_start_offset)
{
	int64_t caught_up_ms;

	member->log_end_offset = log_end_offset;
	member->durable_end_offset = durable_end_offset;
	member->log_start_offset = log_start_offset;
	if (heard_ms > member->heard_ms)
		member->heard_ms = heard_ms;
	caught_up_ms = caught_up_by_samples(core, replica_member_end(core, member));
	if (caught_up_ms > member->caught_up_ms)
		member->caught_up_ms = caught_up_ms;
}

static void refuse(struct replica_judgement *judgement, int16_t error)
{
	judgement->verdict = REPLICA_REFUSED;
	judgement->error = error;
}

/* Leader, epoch, incarnation; true when the logs may be compared. */
static bool may_follow(const struct replica_core *core, const struct replica_follow *follow, struct replica_judgement *judgement)
{
	const struct replica_member *member = replica_leader_member(core, follow->id);

	if (follow->leader_epoch > core->leader_epoch)
		judgement->verdict = REPLICA_WAIT;
	else if (follow->leader_epoch < core->leader_epoch)
		refuse(judgement, KAFKA_FENCED_LEADER_EPOCH);
	else if (core->role != REPLICA_LEADER || follow->id == core->broker || !member)
		refuse(judgement, KAFKA_NOT_LEADER_OR_FOLLOWER);
	else if (!marks_make_sense(follow->log_start_offset, follow->durable_end_offset, follow->log_end_offset) ||
		 follow->last_epoch > follow->leader_epoch)
		refuse(judgement, KAFKA_INVALID_REQUEST);
	else if (follow->broker_epoch > member->listed_epoch)
		judgement->verdict = REPLICA_WAIT;
	else if (follow->broker_epoch < member->listed_epoch)
		refuse(judgement, KAFKA_STALE_BROKER_EPOCH);
	else
		return true;
	return false;
}

/* KIP-320, 595: the last epoch of the follower ends where it ends here, or further. */
static bool logs_agree(const struct replica_core *core, const struct replica_follow *follow, struct log_epoch_end end)
{
	if (MUTANT(DIVERGENCE_SKIPPED))
		return true;
	if (follow->last_epoch < 0)
		return follow->log_end_offset <= core->log_end_offset;
	return end.epoch == follow->last_epoch && end.end_offset >= follow->log_end_offset;
}

static void compare_logs(const struct replica_core *core, const struct replica_follow *follow, struct log_epoch_end end,
			 struct replica_judgement *judgement)
{
	if (follow->log_end_offset < core->log_start_offset) {
		judgement->verdict = REPLICA_RESET;
	} else if (logs_agree(core, follow, end)) {
		judgement->verdict = REPLICA_OPEN;
	} else {
		judgement->verdict = REPLICA_DIVERGED;
		judgement->divergence = end;
		if (end.end_offset < 0)
			judgement->divergence.end_offset = core->log_end_offset;
	}
}

void replica_leader_follow(struct replica_core *core, const struct replica_now *now, const struct replica_follow *follow,
			   struct log_epoch_end end, int64_t handle, struct replica_judgement *ret_judgement,
			   struct replica_actions *ret_actions)
{
	struct replica_member *member = replica_leader_member(core, follow->id);

	*ret_actions = (struct replica_actions){0};
	*ret_judgement = (struct replica_judgement){.divergence = {-1, -1}, .closed_handle = REPLICA_HANDLE_NONE};
	if (!may_follow(core, follow, ret_judgement))
		return;
	ret_judgement->closed_handle = member->handle;
	/* Whatever the verdict, what it had open and what it said before are over. */
	forget_ends(member);
	member->broker_epoch = follow->broker_epoch;
	compare_logs(core, follow, end, ret_judgement);
	if (ret_judgement->verdict == REPLICA_OPEN) {
		member->handle = handle;
		/* Also downwards: this is what it has now. */
		set_ends(core, member, now->ms - follow->unread_ms, follow->log_end_offset, follow->durable_end_offset,
			 follow->log_start_offset);
		replica_leader_settle(core, now, ret_actions);
	}
	ret_judgement->log_start_offset = core->log_start_offset;
	ret_judgement->high_watermark = core->high_watermark;
	ret_judgement->epoch_start_offset = core->epoch_start_offset;
}

/* ---- Ack, Close, Ping, view ---- */

static bool may_have(const struct replica_core *core, const struct replica_member *member, const struct replica_ack *ack)
{
	return marks_make_sense(ack->log_start_offset, ack->durable_end_offset, ack->log_end_offset) &&
	       ack->log_end_offset >= member->log_end_offset && ack->durable_end_offset >= member->durable_end_offset &&
	       ack->log_end_offset <= core->log_end_offset;
}

enum replica_ack_result replica_leader_ack(struct replica_core *core, const struct replica_now *now, const struct replica_ack *ack,
					   struct replica_actions *ret_actions)
{
	struct replica_member *member = replica_leader_member(core, ack->id);

	*ret_actions = (struct replica_actions){0};
	if (core->role != REPLICA_LEADER || !member || ack->handle == REPLICA_HANDLE_NONE || member->handle != ack->handle)
		return REPLICA_ACK_DROPPED;
	if (!may_have(core, member, ack)) {
		member->handle = REPLICA_HANDLE_NONE;
		return REPLICA_ACK_INVALID;
	}
	set_ends(core, member, now->ms - ack->unread_ms, ack->log_end_offset, ack->durable_end_offset, ack->log_start_offset);
	replica_leader_settle(core, now, ret_actions);
	return REPLICA_ACK_TAKEN;
}

void replica_leader_close(struct replica_core *core, int32_t id, int64_t handle)
{
	struct replica_member *member = replica_leader_member(core, id);

	if (member && member->handle == handle)
		member->handle = REPLICA_HANDLE_NONE;
}

void replica_leader_hear(struct replica_core *core, int32_t id, int64_t handle, int64_t heard_ms)
{
	struct replica_member *member = replica_leader_member(core, id);

	if (member && handle != REPLICA_HANDLE_NONE && member->handle == handle && heard_ms > member->heard_ms)
		member->heard_ms = heard_ms;
}

void replica_leader_list(struct replica_core *core, const struct replica_now *now, int32_t id, int64_t broker_epoch,
			 struct replica_actions *ret_actions)
{
	struct replica_member *member = replica_leader_member(core, id);

	*ret_actions = (struct replica_actions){0};
	if (!member || member->listed_epoch == broker_epoch)
		return;
	member->listed_epoch = broker_epoch;
	/* What an incarnation that is gone has acked may be gone with it. */
	if (member->broker_epoch != broker_epoch)
		forget_ends(member);
	replica_leader_settle(core, now, ret_actions);
}

/* ---- questions ---- */

int64_t replica_low_watermark(const struct replica_core *core)
{
	int64_t low = core->log_start_offset;

	for (int32_t i = 0; i < core->n_members; i++) {
		const struct replica_member *member = &core->members[i];

		if (is_other(core, member) && member->listed_epoch != REPLICA_BROKER_EPOCH_NONE)
			low = min_i64(low, member->log_start_offset);
	}
	return low;
}

bool replica_leader_hears_isr(const struct replica_core *core, int64_t now_ms)
{
	if (core->n_isr < replica_min_isr(core))
		return false;
	for (int32_t i = 0; i < core->n_members; i++) {
		const struct replica_member *member = &core->members[i];

		if (!member->in_isr || !is_other(core, member))
			continue;
		if (member->handle == REPLICA_HANDLE_NONE || now_ms - member->heard_ms > core->rules.session_ms)
			return false;
	}
	return true;
}

int64_t replica_leader_next_ms(const struct replica_core *core, int64_t now_ms)
{
	int64_t next_ms = REPLICA_NOT_SOON;

	for (int32_t i = 0; i < core->n_members; i++)
		if (is_holding(core, &core->members[i], now_ms))
			next_ms = min_i64(next_ms, core->members[i].hold_from_ms + REPLICA_HOLD_MS_MAX);
	return next_ms;
}
