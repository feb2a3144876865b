/* Who is to join or to leave the ISR, and what came of it; see replica_isr_core.h. */
#include "broker/replica/replica_isr_core.h"

#include "broker/replica/replica_leader_core.h"
#include "common/mutant.h"
#include "proto/kafka_error.h"

/* ---- who ---- */

static bool has_all(const struct replica_core *core, const struct replica_member *member)
{
	return replica_member_end(core, member) >= replica_promised_end(core);
}

static bool lags(const struct replica_core *core, const struct replica_member *member, int64_t now_ms)
{
	return !has_all(core, member) && now_ms - member->caught_up_ms > core->rules.lag_ms_max;
}

static bool must_go(const struct replica_core *core, const struct replica_member *member, int64_t now_ms)
{
	return member->in_isr && member->id != core->broker && lags(core, member, now_ms);
}

/* One that would have to go again at once stays out, though it may have the high watermark, which stood still with it. */
static bool may_join(const struct replica_core *core, const struct replica_member *member, int64_t now_ms)
{
	int64_t end = replica_member_end(core, member);

	return !member->in_isr && member->id != core->broker && replica_member_follows(member) && now_ms >= member->join_from_ms &&
	       (end >= core->high_watermark || MUTANT(JOIN_BELOW_HIGH_WATERMARK)) &&
	       (end >= core->epoch_start_offset || MUTANT(JOIN_BELOW_EPOCH_START)) && !lags(core, member, now_ms);
}

/* Marks the members of the next ISR; false when it is as it is. Leaving goes first: who is refused to join must not keep others in. */
static bool choose(struct replica_core *core, int64_t now_ms)
{
	bool leaving = false, changed = false;

	for (int32_t i = 0; i < core->n_members; i++)
		leaving |= must_go(core, &core->members[i], now_ms);
	for (int32_t i = 0; i < core->n_members; i++) {
		struct replica_member *member = &core->members[i];

		member->proposed_epoch = member->id == core->broker ? member->listed_epoch : member->broker_epoch;
		member->in_proposal = leaving ? member->in_isr && !must_go(core, member, now_ms)
					      : member->in_isr || may_join(core, member, now_ms);
		changed |= member->in_proposal != member->in_isr;
	}
	return changed;
}

/* ---- asking ---- */

bool replica_isr_propose(struct replica_core *core, const struct replica_now *now)
{
	if (now->ms < core->again_ms)
		return false;
	switch (core->proposal_stage) {
	case REPLICA_PROPOSAL_SENT:
	case REPLICA_PROPOSAL_HELD:
		return false;
	case REPLICA_PROPOSAL_NONE:
		if (!choose(core, now->ms))
			return false;
		core->proposal_number++;
		break;
	case REPLICA_PROPOSAL_UNKNOWN:
		break;
	}
	core->proposal_stage = REPLICA_PROPOSAL_SENT;
	return true;
}

void replica_isr_proposal(const struct replica_core *core, struct replica_proposal *ret_proposal)
{
	ret_proposal->number = core->proposal_number;
	ret_proposal->leader_epoch = core->leader_epoch;
	ret_proposal->partition_epoch = core->partition_epoch;
	ret_proposal->n_isr = 0;
	for (int32_t i = 0; i < core->n_members; i++) {
		const struct replica_member *member = &core->members[i];

		if (member->in_proposal && ret_proposal->n_isr < LIMIT_REPLICAS)
			ret_proposal->isr[ret_proposal->n_isr++] = (struct replica_isr_member){member->id, member->proposed_epoch};
	}
}

/* ---- what came of it ---- */

/* False when the answer does not fit the members there are: then it counts as none. */
static bool commit(struct replica_core *core, const struct replica_isr_answer *answer)
{
	bool leads = false;

	for (int32_t i = 0; i < answer->n_isr; i++) {
		if (!replica_leader_member(core, answer->isr[i]))
			return false;
		leads |= answer->isr[i] == core->broker;
	}
	if (!leads)
		return false;
	for (int32_t i = 0; i < core->n_members; i++)
		core->members[i].in_isr = false;
	core->n_isr = 0;
	for (int32_t i = 0; i < answer->n_isr; i++) {
		struct replica_member *member = replica_leader_member(core, answer->isr[i]);

		core->n_isr += !member->in_isr;
		member->in_isr = true;
	}
	core->partition_epoch = answer->partition_epoch;
	core->recovering = false;
	core->proposal_stage = REPLICA_PROPOSAL_NONE;
	return true;
}

static bool joins(const struct replica_member *member)
{
	return member->in_proposal && !member->in_isr;
}

static bool is_named(const struct replica_isr_answer *answer, int32_t id)
{
	for (int32_t i = 0; i < answer->n_ineligible; i++)
		if (answer->ineligible[i] == id)
			return true;
	return false;
}

/* Those are not proposed for a while, and hold nothing up meanwhile. */
static int32_t keep_out(struct replica_core *core, int64_t now_ms, const struct replica_isr_answer *answer, bool all)
{
	int32_t n = 0;

	for (int32_t i = 0; i < core->n_members; i++) {
		struct replica_member *member = &core->members[i];

		if (!joins(member) || !(all || is_named(answer, member->id)))
			continue;
		member->join_from_ms = now_ms + REPLICA_PROPOSE_AGAIN_MS;
		member->hold_from_ms = now_ms - REPLICA_HOLD_MS_MAX;
		n++;
	}
	return n;
}

/* Nothing was written, because of those who are named; an answer that names nobody who was to join means all of them. */
static void withdraw(struct replica_core *core, int64_t now_ms, const struct replica_isr_answer *answer)
{
	core->proposal_stage = REPLICA_PROPOSAL_NONE;
	if (keep_out(core, now_ms, answer, false) == 0 && keep_out(core, now_ms, answer, true) == 0)
		core->again_ms = now_ms + REPLICA_PROPOSE_AGAIN_MS;
}

static void take_answer(struct replica_core *core, int64_t now_ms, const struct replica_isr_answer *answer)
{
	switch (answer->error) {
	case 0:
		/* An older version than what is known here, or another epoch, or nonsense: only a newer state can tell. */
		if (answer->leader_epoch != core->leader_epoch || answer->partition_epoch < core->partition_epoch || !commit(core, answer))
			core->proposal_stage = REPLICA_PROPOSAL_HELD;
		break;
	case KAFKA_INELIGIBLE_REPLICA:
	case KAFKA_OPERATION_NOT_ATTEMPTED:
		withdraw(core, now_ms, answer);
		break;
	case KAFKA_UNKNOWN_TOPIC_OR_PARTITION:
	case KAFKA_UNKNOWN_TOPIC_ID:
	case KAFKA_FENCED_LEADER_EPOCH:
	case KAFKA_INVALID_UPDATE_VERSION:
	case KAFKA_INVALID_REQUEST:
		core->proposal_stage = REPLICA_PROPOSAL_HELD;
		break;
	default:
		/* The controller is busy, new or unsure: it may be written or not. */
		core->proposal_stage = REPLICA_PROPOSAL_UNKNOWN;
		core->again_ms = now_ms + REPLICA_PROPOSE_AGAIN_MS;
	}
}

bool replica_isr_answered(struct replica_core *core, const struct replica_now *now, const struct replica_isr_answer *answer,
			  struct replica_actions *ret_actions)
{
	*ret_actions = (struct replica_actions){0};
	if (core->role != REPLICA_LEADER || core->proposal_stage != REPLICA_PROPOSAL_SENT || answer->number != core->proposal_number)
		return false;
	take_answer(core, now->ms, answer);
	replica_leader_settle(core, now, ret_actions);
	return true;
}

void replica_isr_unanswered(struct replica_core *core, int64_t number, int64_t again_ms)
{
	if (core->proposal_stage != REPLICA_PROPOSAL_SENT || number != core->proposal_number)
		return;
	core->proposal_stage = REPLICA_PROPOSAL_UNKNOWN;
	core->again_ms = again_ms;
}

/* ---- when ---- */

int64_t replica_isr_next_ms(const struct replica_core *core, int64_t now_ms)
{
	int64_t next_ms = REPLICA_NOT_SOON;

	if (core->proposal_stage == REPLICA_PROPOSAL_SENT || core->proposal_stage == REPLICA_PROPOSAL_HELD)
		return next_ms;
	if (core->again_ms > now_ms || core->proposal_stage == REPLICA_PROPOSAL_UNKNOWN)
		return core->again_ms;
	for (int32_t i = 0; i < core->n_members; i++) {
		const struct replica_member *member = &core->members[i];
		int64_t due_ms = member->caught_up_ms + core->rules.lag_ms_max + 1;

		if (member->in_isr && member->id != core->broker && !has_all(core, member) && due_ms < next_ms)
			next_ms = due_ms;
		if (!member->in_isr && member->join_from_ms > now_ms && member->join_from_ms < next_ms)
			next_ms = member->join_from_ms;
	}
	return next_ms;
}
