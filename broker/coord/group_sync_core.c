/*
 * What members do in a generation: SyncGroup, Heartbeat and OffsetCommit; and the outcome of the stores of a generation.
 *
 * G1: who names another generation than the present one, or another id than its instance has, is refused before anything is
 * done for it.
 */
#include "broker/coord/group_core.h"
#include "broker/coord/group_member_core.h"
#include "broker/coord/group_rebalance_core.h"
#include "common/check.h"
#include "proto/kafka_error.h"

#include <utlist.h>

/* Is this one of the members, of the present generation? */
static int16_t caller_error(const struct group_core *group, const struct group_caller *caller)
{
	if (group->state == GROUP_DEAD)
		return KAFKA_COORDINATOR_NOT_AVAILABLE;
	int16_t error = group_member_error(group, caller->member_id, caller->instance_id);

	if (error)
		return error;
	return caller->generation == group->generation ? 0 : KAFKA_ILLEGAL_GENERATION;
}

/* ---- SyncGroup ---- */

/* A name that is said has to be the group's. */
static bool is_said_right(struct slice said, const struct group_name *name)
{
	return slice_is_null(said) || slice_equal(said, group_core_name(name));
}

static int16_t sync_error(const struct group_core *group, const struct group_sync *sync)
{
	struct group_caller caller = {
		.generation = sync->generation, .member_id = sync->member_id, .instance_id = sync->instance_id};
	int16_t error = caller_error(group, &caller);

	if (error)
		return error;
	if (!is_said_right(sync->protocol_type, &group->protocol_type) || !is_said_right(sync->protocol, &group->protocol))
		return KAFKA_INCONSISTENT_GROUP_PROTOCOL;
	return group->state == GROUP_PREPARING ? KAFKA_REBALANCE_IN_PROGRESS : 0;
}

/* Members that the leader has forgotten have nothing to do; what it says of others is nobody's. */
static void take_assignments(struct group_core *group, const struct group_sync *sync, struct group_actions *actions)
{
	struct group_member *member;

	DL_FOREACH (group->members, member)
		member->assignment = SLICE_LITERAL("");
	for (int32_t i = 0; i < sync->n_assignments; i++) {
		member = group_core_member(group, sync->assignments[i].member_id);
		if (member)
			member->assignment = sync->assignments[i].assignment;
	}
	group_block_free(group->block, actions);
	group->block = sync->block;
	group->sync_store_id = group_store(group, actions);
}

/* While the assignments are being stored, nobody changes them any more: what is stored last is what members get (G1). */
static void park(struct group_core *group, struct group_member *member, const struct group_sync *sync,
		 struct group_actions *actions)
{
	group_answer_sync(group, member, KAFKA_REBALANCE_IN_PROGRESS, actions);
	member->sync = sync->request;
	if (group->leader == member && group->sync_store_id == GROUP_STORE_NONE)
		take_assignments(group, sync, actions);
	else
		group_block_free(sync->block, actions);
}

void group_core_sync(struct group_core *group, const struct group_now *now, const struct group_sync *sync,
		     struct group_actions *ret_actions)
{
	group_call_begin(group, ret_actions);
	int16_t error = sync_error(group, sync);
	struct group_member *member = error ? NULL : group_core_member(group, sync->member_id);

	if (!error)
		group_member_sync_done(group, member);
	if (!error && group->state == GROUP_COMPLETING) {
		park(group, member, sync, ret_actions);
		return;
	}
	if (!error)
		group_member_renew(group, member, now);
	ret_actions->sync = group_sync_answer(group, member, sync->request, error);
	group_block_free(sync->block, ret_actions);
}

/* ---- Heartbeat, OffsetCommit ---- */

int16_t group_core_heartbeat(struct group_core *group, const struct group_now *now, const struct group_caller *caller)
{
	int16_t error = group ? caller_error(group, caller) : KAFKA_UNKNOWN_MEMBER_ID;

	if (error)
		return error;
	group_member_renew(group, group_core_member(group, caller->member_id), now);
	return group->state == GROUP_PREPARING ? KAFKA_REBALANCE_IN_PROGRESS : 0;
}

/* Does it say anything of a member? Simple consumers and tools do not. */
static bool says_who(const struct group_caller *caller)
{
	return caller->generation >= 0 || caller->member_id.len > 0 || !slice_is_null(caller->instance_id);
}

static int16_t commit_without_group(const struct group_caller *caller, bool in_txn)
{
	if (caller->generation < 0)
		return 0;
	return in_txn ? KAFKA_UNKNOWN_MEMBER_ID : KAFKA_ILLEGAL_GENERATION;
}

int16_t group_core_commit(struct group_core *group, const struct group_now *now, const struct group_caller *caller, bool in_txn)
{
	if (!group)
		return commit_without_group(caller, in_txn);
	if (group->state == GROUP_DEAD)
		return KAFKA_COORDINATOR_NOT_AVAILABLE;
	if (group->state == GROUP_EMPTY && caller->generation < 0)
		return 0;
	if (!says_who(caller))
		return in_txn ? 0 : KAFKA_UNKNOWN_MEMBER_ID;
	int16_t error = caller_error(group, caller);

	if (error || in_txn)
		return error;
	/* Whoever is in COMPLETING has been told a generation without its assignment: it cannot have read anything in it. */
	if (group->state == GROUP_COMPLETING)
		return KAFKA_REBALANCE_IN_PROGRESS;
	group_member_renew(group, group_core_member(group, caller->member_id), now);
	return 0;
}

/* ---- Outcomes of stores ---- */

static void assignments_stored(struct group_core *group, const struct group_now *now, int16_t error,
			       struct group_actions *actions)
{
	struct group_member *member;

	if (error) {
		group_assignments_void(group, now, error, actions);
		group_rebalance(group, now, actions);
		return;
	}
	group->sync_store_id = GROUP_STORE_NONE;
	group_set_state(group, now, GROUP_STABLE);
	DL_FOREACH (group->members, member) {
		if (member->sync)
			group_member_renew(group, member, now);
		group_answer_sync(group, member, 0, actions);
	}
}

/*
 * Below version 9 a leader cannot be told to skip the assignment. It is told the leader that it replaces, and so does not take
 * itself for one (KIP-814 mends this).
 */
static void tell_replacement(struct group_core *group, struct group_member *member, void *request, struct slice old_leader,
			     struct group_actions *actions)
{
	group_answer_join(group, member, request, actions);
	if (member->skip_told) {
		member->join_answer.skip_assignment = group->leader == member;
		return;
	}
	member->join_answer.leader = old_leader;
	member->join_answer.has_members = false;
}

/* The one before is back, as it was, and the new one is told why, of which generation. */
static void undo_replacement(struct group_core *group, const struct group_now *now, struct group_member *member, void *request,
			     int16_t error, struct group_actions *actions)
{
	struct group_member *old = member->replaced;

	member->replaced = NULL;
	member->store_id = GROUP_STORE_NONE;
	group_member_swap(group, member, old);
	group_member_renew(group, old, now);
	group_answer_join(group, member, request, actions);
	member->join_answer.error = error;
	member->join_answer.member_id = SLICE_LITERAL("");
	group_member_free(member, actions);
}

/* Only in the generation that it was stored in: a rebalance answers the parked join by itself, and its record holds the new id.
 */
static void replacement_stored(struct group_core *group, const struct group_now *now, struct group_member *member,
			       int16_t error, struct group_actions *actions)
{
	CHECK(member->replaced && member->join);
	struct slice old_leader = group->leader == member ? member->replaced->id : group->leader->id;
	void *request = group_member_unpark_join(group, member);

	if (error) {
		undo_replacement(group, now, member, request, error, actions);
		return;
	}
	group_member_confirm(member, actions);
	group_member_renew(group, member, now);
	tell_replacement(group, member, request, old_leader, actions);
}

void group_core_stored(struct group_core *group, const struct group_now *now, int64_t store_id, int16_t error,
		       struct group_actions *ret_actions)
{
	struct group_member *member;

	group_call_begin(group, ret_actions);
	if (store_id == GROUP_STORE_NONE)
		return;
	if (store_id == group->sync_store_id) {
		assignments_stored(group, now, error, ret_actions);
		return;
	}
	DL_FOREACH (group->members, member) {
		if (member->store_id == store_id) {
			replacement_stored(group, now, member, error, ret_actions);
			return;
		}
	}
}
