/*
 * A JoinGroup: who may come in, as whom, and whether the group has to rebalance for it.
 *
 *     refused?  full, dead, no protocol in common, metadata beyond the bound
 *     new       known instance: takes the place of that member, whose requests are fenced
 *               dynamic, may be sent away: its id is pending
 *               else: a member; rebalance
 *     known     a pending id: a member; rebalance
 *               fenced or unknown: so it is told
 *               PREPARING: waits with the others
 *               COMPLETING, STABLE: the present generation if it says nothing new (in STABLE a leader always does); else
 * rebalance
 */
#include "broker/coord/group_core.h"
#include "broker/coord/group_member_core.h"
#include "broker/coord/group_rebalance_core.h"
#include "common/check.h"
#include "proto/kafka_error.h"

#include <utlist.h>

/* ---- Refusals ---- */

/*
 * Kafka's rule for group.max.size, and its bound for the house beside it. In a rebalance the places are for who joins first, so
 * that a group that is too large shrinks by it. An instance that comes again takes no place.
 */
static bool is_full(const struct group_core *group, const struct group_member *known)
{
	if (!known && group->n_members >= LIMIT_GROUP_MEMBERS)
		return true;
	switch (group->state) {
	case GROUP_PREPARING:
		return !(known && known->join) && group->n_joined >= group->rules->members_max;
	case GROUP_COMPLETING:
	case GROUP_STABLE:
		return !known && group->n_members >= group->rules->members_max;
	case GROUP_EMPTY:
	case GROUP_DEAD:
		return false;
	}
	return false;
}

/* Could the group choose a protocol of this one? Its names have to be short enough to be kept. */
static bool is_sound(const struct group_join *join)
{
	const struct group_member *member = join->member;

	if (join->protocol_type.len == 0 || join->protocol_type.len > LIMIT_GROUP_NAME_BYTES)
		return false;
	for (int32_t i = 0; i < member->n_protocols; i++) {
		if (member->protocols[i].name.len > LIMIT_GROUP_NAME_BYTES)
			return false;
	}
	return member->n_protocols > 0 && member->n_protocols <= LIMIT_GROUP_PROTOCOLS;
}

/* Has the group, with its present members, a protocol in common with this one? */
static bool is_consistent(const struct group_core *group, const struct group_join *join)
{
	if (!is_sound(join))
		return false;
	if (group->state == GROUP_EMPTY)
		return true;
	if (!slice_equal(join->protocol_type, group_core_name(&group->protocol_type)))
		return false;
	for (int32_t i = 0; i < join->member->n_protocols; i++) {
		if (group_supports(group, join->member->protocols[i].name))
			return true;
	}
	return false;
}

/* Would the metadata of all exceed the bound, with what takes the place of what is there? */
static bool is_too_large(const struct group_core *group, const struct group_member *known, const struct group_member *member)
{
	const struct group_member *present = known ? known : group_pending_of(group, member->id);
	int64_t bytes = group->metadata_bytes + group_member_bytes(member) - (present ? group_member_bytes(present) : 0);

	return bytes > LIMIT_GROUP_METADATA_BYTES;
}

static void refuse(struct group_core *group, const struct group_join *join, int16_t error, struct group_actions *actions)
{
	struct group_member *member = join->member;

	group_answer_join_error(group, member, join->request, error, join->id_is_new ? SLICE_LITERAL("") : member->id, actions);
	group_member_free(member, actions);
}

/* Who does not get into a full group is not in it any more, either. */
static void refuse_full(struct group_core *group, const struct group_join *join, struct group_actions *actions)
{
	struct group_member *member = join->id_is_new ? NULL : group_core_member(group, join->member->id);
	struct group_member *pending = join->id_is_new ? NULL : group_pending_of(group, join->member->id);

	if (member)
		group_member_drop(group, member, KAFKA_UNKNOWN_MEMBER_ID, actions);
	if (pending)
		group_pending_drop(group, pending, actions);
	group_answer_join_error(group, join->member, join->request, KAFKA_GROUP_MAX_SIZE_REACHED, SLICE_LITERAL(""), actions);
	group_member_free(join->member, actions);
}

/* ---- In ---- */

/* Its client cannot tell that it lives while it has no generation, so that its session does not count yet. */
static void wait_as_new(struct group_core *group, const struct group_now *now, struct group_member *member)
{
	member->deadline_ms = now->ms + GROUP_NEW_MEMBER_MS;
	group_due(group, member->deadline_ms);
}

static void add(struct group_core *group, const struct group_now *now, const struct group_join *join,
		struct group_actions *actions)
{
	struct group_member *member = join->member;

	if (group->state == GROUP_PREPARING && group->generation == 0)
		group->initial_joined = true;
	group_member_add(group, member, join->protocol_type);
	group_member_park_join(group, member, join->request);
	member->is_new = true;
	wait_as_new(group, now, member);
	group_rebalance(group, now, actions);
}

static void send_away(struct group_core *group, const struct group_now *now, const struct group_join *join,
		      struct group_actions *actions)
{
	struct group_member *member = join->member;

	if (group->n_pending >= LIMIT_GROUP_PENDING) {
		refuse_full(group, join, actions);
		return;
	}
	group_pending_add(group, member);
	group_member_renew(group, member, now);
	group_answer_join_error(group, member, join->request, KAFKA_MEMBER_ID_REQUIRED, member->id, actions);
}

/* ---- An instance that comes again ---- */

/* The one before it hears at once that it is fenced. */
static void fence(struct group_core *group, struct group_member *old, struct group_actions *actions)
{
	group_answer_join_error(group, old, group_member_unpark_join(group, old), KAFKA_FENCED_INSTANCE_ID, old->id, actions);
	group_answer_sync(group, old, KAFKA_FENCED_INSTANCE_ID, actions);
}

/*
 * In a stable group that would choose the same protocol again: no rebalance. The new id is stored, and told when it is; until
 * then the one before is kept, to come back if it cannot be. A chain of such stores goes back to the member it began with.
 */
static void keep_generation(struct group_core *group, struct group_member *old, struct group_member *member,
			    struct group_actions *actions)
{
	group_member_sync_done(group, member);
	if (member->replaced)
		group_member_free(old, actions);
	else
		member->replaced = old;
	member->store_id = group_store(group, actions);
}

static void replace(struct group_core *group, const struct group_now *now, struct group_member *old,
		    const struct group_join *join, struct group_actions *actions)
{
	struct group_member *member = join->member;

	fence(group, old, actions);
	group_member_swap(group, old, member);
	group_member_park_join(group, member, join->request);
	if (member->is_new)
		wait_as_new(group, now, member);
	if (group->state == GROUP_STABLE && group_vote_stands(group)) {
		keep_generation(group, old, member, actions);
		return;
	}
	group_member_free(old, actions);
	group_rebalance(group, now, actions);
}

/* ---- A member that joins again ---- */

static bool says_the_same(const struct group_member *a, const struct group_member *b)
{
	if (a->n_protocols != b->n_protocols)
		return false;
	for (int32_t i = 0; i < a->n_protocols; i++) {
		if (!slice_equal(a->protocols[i].name, b->protocols[i].name) ||
		    !slice_equal(a->protocols[i].metadata, b->protocols[i].metadata))
			return false;
	}
	return true;
}

static void rejoin(struct group_core *group, const struct group_now *now, struct group_member *old,
		   const struct group_join *join, struct group_actions *actions)
{
	/* A client that has lost its connection asks again on another; the first request would wait for ever. */
	group_answer_join_error(group, old, group_member_unpark_join(group, old), KAFKA_REBALANCE_IN_PROGRESS, old->id,
				actions);
	group_member_swap(group, old, join->member);
	group_member_free(old, actions);
	group_member_park_join(group, join->member, join->request);
	group_rebalance(group, now, actions);
}

static bool asks_for_rebalance(const struct group_core *group, const struct group_member *old,
			       const struct group_member *member)
{
	if (group->state == GROUP_PREPARING || (group->state == GROUP_STABLE && group->leader == old))
		return true;
	return !says_the_same(old, member);
}

static void tell_present(struct group_core *group, struct group_member *old, const struct group_join *join,
			 struct group_actions *actions)
{
	struct group_member *member = join->member;

	group_answer_join(group, member, join->request, actions);
	member->join_answer.has_members = group->leader == old;
	group_member_free(member, actions);
}

/* ---- Verdict ---- */

static void join_new(struct group_core *group, const struct group_now *now, struct group_member *known,
		     const struct group_join *join, struct group_actions *actions)
{
	if (known)
		replace(group, now, known, join, actions);
	else if (join->id_required && slice_is_null(join->member->instance_id))
		send_away(group, now, join, actions);
	else
		add(group, now, join, actions);
}

static void join_known(struct group_core *group, const struct group_now *now, struct group_member *known,
		       const struct group_join *join, struct group_actions *actions)
{
	struct slice instance_id = join->member->instance_id;
	struct group_member *pending = slice_is_null(instance_id) ? group_pending_of(group, join->member->id) : NULL;
	int16_t error = pending ? 0 : group_member_error(group, join->member->id, instance_id);

	if (pending) {
		group_pending_drop(group, pending, actions);
		add(group, now, join, actions);
	} else if (error) {
		refuse(group, join, error, actions);
	} else if (asks_for_rebalance(group, known, join->member)) {
		rejoin(group, now, known, join, actions);
	} else {
		tell_present(group, known, join, actions);
	}
}

void group_core_join(struct group_core *group, const struct group_now *now, const struct group_join *join,
		     struct group_actions *ret_actions)
{
	struct group_member *member = join->member;
	struct group_member *known =
		join->id_is_new ? group_member_of_instance(group, member->instance_id) : group_core_member(group, member->id);

	group_call_begin(group, ret_actions);
	member->skip_told = join->knows_skip;
	if (member->rebalance_ms < 0)
		member->rebalance_ms = member->session_ms;
	if (is_full(group, known))
		refuse_full(group, join, ret_actions);
	else if (group->state == GROUP_DEAD)
		refuse(group, join, KAFKA_COORDINATOR_NOT_AVAILABLE, ret_actions);
	else if (!is_consistent(group, join))
		refuse(group, join, KAFKA_INCONSISTENT_GROUP_PROTOCOL, ret_actions);
	else if (is_too_large(group, known, member))
		refuse(group, join, KAFKA_GROUP_MAX_SIZE_REACHED, ret_actions);
	else if (join->id_is_new)
		join_new(group, now, known, join, ret_actions);
	else
		join_known(group, now, known, join, ret_actions);
	group_rebalance_check(group, now, ret_actions);
}
