#include "broker/coord/group_core.h"

#include "broker/coord/group_member_core.h"
#include "broker/coord/group_rebalance_core.h"
#include "common/check.h"
#include "proto/kafka_error.h"

#include <utlist.h>

void group_core_init(struct group_core *group, const struct group_rules *rules, const struct group_now *now)
{
	*group = (struct group_core){
		.rules = rules,
		.state = GROUP_EMPTY,
		.state_wall_ms = now->wall_ms,
		.join_deadline_ms = GROUP_NEVER,
		.sync_deadline_ms = GROUP_NEVER,
		.due_ms = GROUP_NEVER,
	};
}

/* ---- The log ---- */

static bool has_twice(const struct group_core *group, const struct group_member *member)
{
	return group_core_member(group, member->id) || group_member_of_instance(group, member->instance_id);
}

/* Can this member of a record be one of the group? */
static bool is_sound(const struct group_core *group, const struct group_loaded *loaded, const struct group_member *member)
{
	return member->id.len > 0 && member->session_ms >= 0 && member->n_protocols == 1 &&
	       slice_equal(member->protocols[0].name, loaded->protocol) && !has_twice(group, member);
}

static bool names_are_sound(const struct group_loaded *loaded)
{
	if (loaded->generation < 0 || loaded->protocol_type.len > LIMIT_GROUP_NAME_BYTES ||
	    loaded->protocol.len > LIMIT_GROUP_NAME_BYTES)
		return false;
	return !loaded->members || (loaded->protocol_type.len > 0 && !slice_is_null(loaded->protocol));
}

/* Takes the members over until one makes no sense; returns the rest. */
static struct group_member *take_members(struct group_core *group, const struct group_now *now,
					 const struct group_loaded *loaded)
{
	struct group_member *next = loaded->members;

	while (next && is_sound(group, loaded, next)) {
		struct group_member *member = next;

		next = member->next;
		group_member_add(group, member, loaded->protocol_type);
		if (slice_is_null(member->assignment))
			member->assignment = SLICE_LITERAL("");
		if (member->rebalance_ms < 0)
			member->rebalance_ms = member->session_ms;
		group_member_renew(group, member, now);
	}
	return next;
}

static void free_all(struct group_core *group, int16_t error, struct group_actions *actions)
{
	while (group->members)
		group_member_drop(group, group->members, error, actions);
	while (group->pending)
		group_pending_drop(group, group->pending, actions);
	group_block_free(group->block, actions);
	group->block = NULL;
	group->sync_store_id = GROUP_STORE_NONE;
}

static bool refuse_loaded(struct group_core *group, struct group_member *rest, struct group_actions *actions)
{
	while (rest) {
		struct group_member *next = rest->next;

		group_member_free(rest, actions);
		rest = next;
	}
	free_all(group, 0, actions);
	group->protocol_type.present = false;
	return false;
}

bool group_core_install(struct group_core *group, const struct group_now *now, const struct group_loaded *loaded,
			struct group_actions *ret_actions)
{
	CHECK(group->state == GROUP_EMPTY && !group->members && !group->block && group->generation == 0);
	group_call_begin(group, ret_actions);
	group->block = loaded->block;
	if (!names_are_sound(loaded))
		return refuse_loaded(group, loaded->members, ret_actions);
	struct group_member *rest = take_members(group, now, loaded);

	if (rest)
		return refuse_loaded(group, rest, ret_actions);
	struct group_member *leader = group_core_member(group, loaded->leader);

	if (leader)
		group->leader = leader;
	if (loaded->protocol_type.len > 0)
		group_name_set(&group->protocol_type, loaded->protocol_type);
	if (!slice_is_null(loaded->protocol))
		group_name_set(&group->protocol, loaded->protocol);
	group->generation = loaded->generation;
	group->state = group->members ? GROUP_STABLE : GROUP_EMPTY;
	group->state_wall_ms = loaded->state_wall_ms;
	if (group->n_members > group->rules->members_max || group->n_members > LIMIT_GROUP_MEMBERS)
		group_rebalance(group, now, ret_actions);
	return true;
}

void group_core_unload(struct group_core *group, struct group_actions *ret_actions)
{
	group_call_begin(group, ret_actions);
	free_all(group, KAFKA_NOT_COORDINATOR, ret_actions);
	group->state = GROUP_DEAD;
	group->due_ms = GROUP_NEVER;
}

int16_t group_core_delete(struct group_core *group, struct group_actions *ret_actions)
{
	group_call_begin(group, ret_actions);
	if (group->state == GROUP_DEAD)
		return KAFKA_GROUP_ID_NOT_FOUND;
	if (group->state != GROUP_EMPTY)
		return KAFKA_NON_EMPTY_GROUP;
	free_all(group, 0, ret_actions);
	group->state = GROUP_DEAD;
	group->due_ms = GROUP_NEVER;
	return 0;
}

int64_t group_core_next_ms(const struct group_core *group)
{
	return group->due_ms;
}

int16_t group_core_session_error(const struct group_rules *rules, int32_t session_ms)
{
	return session_ms < rules->session_ms_min || session_ms > rules->session_ms_max ? KAFKA_INVALID_SESSION_TIMEOUT : 0;
}

int16_t group_core_store_error(int16_t append_error)
{
	switch (append_error) {
	case KAFKA_UNKNOWN_TOPIC_OR_PARTITION:
	case KAFKA_NOT_ENOUGH_REPLICAS:
	case KAFKA_NOT_ENOUGH_REPLICAS_AFTER_APPEND:
		return KAFKA_COORDINATOR_NOT_AVAILABLE;
	case KAFKA_NOT_LEADER_OR_FOLLOWER:
	case KAFKA_STORAGE_ERROR:
		return KAFKA_NOT_COORDINATOR;
	case KAFKA_REQUEST_TIMED_OUT:
		return KAFKA_REBALANCE_IN_PROGRESS;
	case KAFKA_MESSAGE_TOO_LARGE:
	case KAFKA_RECORD_LIST_TOO_LARGE:
	case KAFKA_INVALID_FETCH_SIZE:
		return KAFKA_UNKNOWN_SERVER_ERROR;
	default:
		return append_error;
	}
}

const char *group_core_state_name(enum group_state state)
{
	static const char *const names[] = {"Empty", "PreparingRebalance", "CompletingRebalance", "Stable", "Dead"};

	return names[state];
}

struct slice group_core_name(const struct group_name *name)
{
	return name->present ? slice_of(name->bytes, name->len) : SLICE_NULL;
}

struct slice group_core_metadata(const struct group_core *group, const struct group_member *member)
{
	struct slice protocol = group_core_name(&group->protocol);

	for (int32_t i = 0; i < member->n_protocols && group->protocol.present; i++) {
		if (slice_equal(member->protocols[i].name, protocol))
			return member->protocols[i].metadata;
	}
	return SLICE_LITERAL("");
}

enum group_expiry group_core_expiry(const struct group_core *group)
{
	if (!group->protocol_type.present)
		return GROUP_EXPIRY_SINCE_COMMIT;
	if (group->state == GROUP_EMPTY)
		return GROUP_EXPIRY_SINCE_EMPTY;
	if (group->state == GROUP_STABLE && slice_is_text(group_core_name(&group->protocol_type), GROUP_CONSUMER_TYPE))
		return GROUP_EXPIRY_UNSUBSCRIBED;
	return GROUP_EXPIRY_NONE;
}

int16_t group_core_offset_delete(const struct group_core *group)
{
	if (!group || group->state == GROUP_DEAD)
		return KAFKA_GROUP_ID_NOT_FOUND;
	if (group->state == GROUP_EMPTY)
		return 0;
	return slice_is_text(group_core_name(&group->protocol_type), GROUP_CONSUMER_TYPE) ? KAFKA_GROUP_SUBSCRIBED_TO_TOPIC
											  : KAFKA_NON_EMPTY_GROUP;
}

bool group_core_is_unused(const struct group_core *group)
{
	return group->state == GROUP_EMPTY && group->n_pending == 0;
}
