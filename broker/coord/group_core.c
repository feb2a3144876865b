#include "broker/coord/group_core.h"

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
