/*
 * How members go: LeaveGroup, sessions and joins that expire, syncs that do not come.
 */
#include "broker/coord/group_core.h"
#include "broker/coord/group_member_core.h"
#include "broker/coord/group_rebalance_core.h"
#include "proto/kafka_error.h"

#include <utlist.h>

/* ---- LeaveGroup ---- */

static int16_t drop_member(struct group_core *group, const struct group_now *now, struct group_member *member,
			   struct group_actions *actions)
{
	group_member_drop(group, member, KAFKA_UNKNOWN_MEMBER_ID, actions);
	group_rebalance(group, now, actions);
	return 0;
}

int16_t group_core_leave(struct group_core *group, const struct group_now *now, struct slice member_id,
			 struct slice instance_id, struct group_actions *ret_actions)
{
	if (!group) {
		*ret_actions = (struct group_actions){.store_id = GROUP_STORE_NONE};
		return KAFKA_UNKNOWN_MEMBER_ID;
	}
	group_call_begin(group, ret_actions);
	if (group->state == GROUP_DEAD)
		return KAFKA_COORDINATOR_NOT_AVAILABLE;
	if (member_id.len == 0) {
		struct group_member *member = group_member_of_instance(group, instance_id);

		return member ? drop_member(group, now, member, ret_actions) : KAFKA_UNKNOWN_MEMBER_ID;
	}
	struct group_member *pending = group_pending_of(group, member_id);

	if (pending) {
		group_pending_drop(group, pending, ret_actions);
		group_rebalance_check(group, now, ret_actions);
		return 0;
	}
	int16_t error = group_member_error(group, member_id, instance_id);

	return error ? error : drop_member(group, now, group_core_member(group, member_id), ret_actions);
}

/* ---- Time ---- */

static void expire_pending(struct group_core *group, const struct group_now *now, struct group_actions *actions)
{
	struct group_member *pending, *next;

	DL_FOREACH_SAFE(group->pending, pending, next)
	{
		if (now->ms >= pending->deadline_ms)
			group_pending_drop(group, pending, actions);
	}
}

/* True: somebody has gone. */
static bool expire_members(struct group_core *group, const struct group_now *now, struct group_actions *actions)
{
	bool sync_is_due = now->ms >= group->sync_deadline_ms;
	int32_t n_before = group->n_members;
	struct group_member *member, *next;

	DL_FOREACH_SAFE(group->members, member, next)
	{
		if (now->ms >= group_member_deadline(member) || (sync_is_due && member->sync_awaited))
			group_member_drop(group, member, KAFKA_UNKNOWN_MEMBER_ID, actions);
	}
	return group->n_members < n_before;
}

static void find_due(struct group_core *group)
{
	const struct group_member *member;

	group->due_ms = GROUP_NEVER;
	group_due(group, group->join_deadline_ms);
	group_due(group, group->sync_deadline_ms);
	DL_FOREACH (group->members, member)
		group_due(group, group_member_deadline(member));
	DL_FOREACH (group->pending, member)
		group_due(group, member->deadline_ms);
}

void group_core_tick(struct group_core *group, const struct group_now *now, struct group_actions *ret_actions)
{
	group_call_begin(group, ret_actions);
	if (group->state == GROUP_DEAD)
		return;
	expire_pending(group, now, ret_actions);
	if (expire_members(group, now, ret_actions))
		group_rebalance(group, now, ret_actions);
	group_rebalance_check(group, now, ret_actions);
	find_due(group);
}
