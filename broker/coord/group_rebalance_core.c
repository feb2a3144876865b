#include "broker/coord/group_rebalance_core.h"

#include "broker/coord/group_member_core.h"
#include "common/check.h"
#include "proto/kafka_error.h"

#include <utlist.h>

/* A rebalance that nobody has joined waits at least this long before it looks again. */
#define WAIT_AGAIN_MS_MIN 1000

/* ---- The vote ---- */

static bool supports(const struct group_member *member, struct slice protocol)
{
	for (int32_t i = 0; i < member->n_protocols; i++) {
		if (slice_equal(member->protocols[i].name, protocol))
			return true;
	}
	return false;
}

bool group_supports(const struct group_core *group, struct slice protocol)
{
	const struct group_member *member;

	DL_FOREACH (group->members, member) {
		if (!supports(member, protocol))
			return false;
	}
	return true;
}

/* Which candidate a member votes for. */
static int32_t vote_of(const struct group_member *member, const struct slice *candidates, int32_t n_candidates)
{
	for (int32_t i = 0; i < member->n_protocols; i++) {
		for (int32_t k = 0; k < n_candidates; k++) {
			if (slice_equal(member->protocols[i].name, candidates[k]))
				return k;
		}
	}
	CHECK(!"a candidate is supported by all");
	return 0;
}

/* What all support, in the order of the first member. */
static int32_t candidates_of(const struct group_core *group, struct slice *ret_candidates)
{
	const struct group_member *first = group->members;
	int32_t n = 0;

	for (int32_t i = 0; i < first->n_protocols && n < LIMIT_GROUP_PROTOCOLS; i++) {
		if (group_supports(group, first->protocols[i].name))
			ret_candidates[n++] = first->protocols[i].name;
	}
	return n;
}

struct slice group_vote(const struct group_core *group)
{
	struct slice candidates[LIMIT_GROUP_PROTOCOLS];
	int32_t votes[LIMIT_GROUP_PROTOCOLS] = {0};
	int32_t n = candidates_of(group, candidates);
	int32_t best = 0;
	const struct group_member *member;

	CHECK(n > 0);
	DL_FOREACH (group->members, member)
		votes[vote_of(member, candidates, n)]++;
	for (int32_t k = 1; k < n; k++) {
		if (votes[k] > votes[best])
			best = k;
	}
	return candidates[best];
}

bool group_vote_stands(const struct group_core *group)
{
	return slice_equal(group_vote(group), group_core_name(&group->protocol));
}

/* ---- The beginning ---- */

static int32_t rebalance_ms(const struct group_core *group)
{
	const struct group_member *member;
	int32_t ms_max = 0;

	DL_FOREACH (group->members, member) {
		if (member->rebalance_ms > ms_max)
			ms_max = member->rebalance_ms;
	}
	return ms_max;
}

static void wait_for_joins(struct group_core *group, const struct group_now *now, int64_t ms)
{
	group->join_deadline_ms = now->ms + ms;
	group_due(group, group->join_deadline_ms);
}

void group_assignments_void(struct group_core *group, const struct group_now *now, int16_t error, struct group_actions *actions)
{
	struct group_member *member;

	DL_FOREACH (group->members, member) {
		member->assignment = SLICE_LITERAL("");
		if (member->sync)
			group_member_renew(group, member, now);
		group_answer_sync(group, member, error, actions);
	}
	group->sync_store_id = GROUP_STORE_NONE;
	group_block_free(group->block, actions);
	group->block = NULL;
}

/* What the generation that ends has left under way. */
static void end_generation(struct group_core *group, const struct group_now *now, struct group_actions *actions)
{
	struct group_member *member;

	if (group->state == GROUP_COMPLETING)
		group_assignments_void(group, now, KAFKA_REBALANCE_IN_PROGRESS, actions);
	DL_FOREACH (group->members, member) {
		group_member_sync_done(group, member);
		group_member_confirm(member, actions);
	}
}

static void begin(struct group_core *group, const struct group_now *now, struct group_actions *actions)
{
	int32_t delay_ms = group->rules->initial_delay_ms;
	int32_t ms_max = rebalance_ms(group);

	end_generation(group, now, actions);
	group->initial_delay = group->state == GROUP_EMPTY;
	group->initial_joined = false;
	group->initial_left_ms = ms_max > delay_ms ? ms_max - delay_ms : 0;
	wait_for_joins(group, now, group->initial_delay ? delay_ms : ms_max);
	group_set_state(group, now, GROUP_PREPARING);
}

/* ---- The end ---- */

/* Members have come since the delay began: it begins again, within bounds. */
static bool extend_delay(struct group_core *group, const struct group_now *now)
{
	int64_t delay_ms = group->rules->initial_delay_ms;

	if (!group->initial_delay || !group->initial_joined || group->initial_left_ms == 0 || delay_ms <= 0)
		return false;
	if (delay_ms > group->initial_left_ms)
		delay_ms = group->initial_left_ms;
	group->initial_left_ms -= delay_ms;
	group->initial_joined = false;
	wait_for_joins(group, now, delay_ms);
	return true;
}

static void drop_absent(struct group_core *group, struct group_actions *actions)
{
	struct group_member *member, *next;

	DL_FOREACH_SAFE(group->members, member, next)
	{
		if (!member->join && slice_is_null(member->instance_id))
			group_member_drop(group, member, KAFKA_UNKNOWN_MEMBER_ID, actions);
	}
}

/* A leader that is not there hands over to the first that is. False: nobody is. */
static bool elect_leader(struct group_core *group)
{
	struct group_member *member;

	if (group->leader->join)
		return true;
	DL_FOREACH (group->members, member) {
		if (member->join) {
			group->leader = member;
			return true;
		}
	}
	return false;
}

/* After the last number comes 1: negative ones stand for none, and 0 for a group before its first. */
static void next_generation(struct group_core *group)
{
	group->generation = group->generation == INT32_MAX ? 1 : group->generation + 1;
	group->join_deadline_ms = GROUP_NEVER;
}

static void tell_generation(struct group_core *group, const struct group_now *now, struct group_actions *actions)
{
	struct group_member *member;

	group_name_set(&group->protocol, group_vote(group));
	group_set_state(group, now, GROUP_COMPLETING);
	DL_FOREACH (group->members, member) {
		group_answer_join(group, member, group_member_unpark_join(group, member), actions);
		group_member_renew(group, member, now);
		member->is_new = false;
		member->sync_awaited = true;
	}
	group->n_sync_awaited = group->n_members;
	group->sync_deadline_ms = now->ms + rebalance_ms(group);
	group_due(group, group->sync_deadline_ms);
	actions->generation_told = true;
}

static void complete(struct group_core *group, const struct group_now *now, struct group_actions *actions)
{
	drop_absent(group, actions);
	if (group->n_members > 0 && !elect_leader(group)) {
		int32_t ms_max = rebalance_ms(group);

		wait_for_joins(group, now, ms_max > WAIT_AGAIN_MS_MIN ? ms_max : WAIT_AGAIN_MS_MIN);
		return;
	}
	next_generation(group);
	if (group->n_members > 0) {
		tell_generation(group, now, actions);
		return;
	}
	/* A store that fails is not made up for: the generation before, if a later coordinator finds it, expires with its
	 * sessions. */
	group->protocol.present = false;
	group_set_state(group, now, GROUP_EMPTY);
	group_store(group, actions);
}

static bool all_joined(const struct group_core *group)
{
	return group->n_joined == group->n_members && group->n_pending == 0;
}

void group_rebalance_check(struct group_core *group, const struct group_now *now, struct group_actions *actions)
{
	if (group->state != GROUP_PREPARING)
		return;
	bool time_is_up = now->ms >= group->join_deadline_ms;

	if (group->initial_delay ? time_is_up && !extend_delay(group, now) : time_is_up || all_joined(group))
		complete(group, now, actions);
}

void group_rebalance(struct group_core *group, const struct group_now *now, struct group_actions *actions)
{
	if (group->state != GROUP_PREPARING)
		begin(group, now, actions);
	group_rebalance_check(group, now, actions);
}
