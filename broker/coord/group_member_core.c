#include "broker/coord/group_member_core.h"

#include "common/check.h"
#include "proto/kafka_error.h"

#include <utlist.h>

void group_call_begin(struct group_core *group, struct group_actions *ret_actions)
{
	*ret_actions = (struct group_actions){.store_id = GROUP_STORE_NONE};
	group->n_calls++;
}

void group_due(struct group_core *group, int64_t ms)
{
	if (ms < group->due_ms)
		group->due_ms = ms;
}

void group_set_state(struct group_core *group, const struct group_now *now, enum group_state state)
{
	group->state = state;
	group->state_wall_ms = now->wall_ms;
}

int64_t group_store(struct group_core *group, struct group_actions *actions)
{
	actions->store_id = ++group->last_store_id;
	return actions->store_id;
}

/* ---- Who ---- */

/* FNV-1a: spares most comparisons of ids, which begin alike. */
uint32_t group_member_hash(struct slice id)
{
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < id.len; i++)
		hash = (hash ^ id.data[i]) * 16777619u;
	return hash;
}

static struct group_member *find(struct group_member *list, struct slice id)
{
	uint32_t hash = group_member_hash(id);
	struct group_member *member;

	DL_FOREACH (list, member) {
		if (member->id_hash == hash && slice_equal(member->id, id))
			return member;
	}
	return NULL;
}

struct group_member *group_core_member(const struct group_core *group, struct slice id)
{
	return find(group->members, id);
}

struct group_member *group_pending_of(const struct group_core *group, struct slice id)
{
	return find(group->pending, id);
}

struct group_member *group_member_of_instance(const struct group_core *group, struct slice instance_id)
{
	struct group_member *member;

	if (slice_is_null(instance_id))
		return NULL;
	DL_FOREACH (group->members, member) {
		if (slice_equal(member->instance_id, instance_id))
			return member;
	}
	return NULL;
}

int16_t group_member_error(const struct group_core *group, struct slice id, struct slice instance_id)
{
	if (slice_is_null(instance_id))
		return group_core_member(group, id) ? 0 : KAFKA_UNKNOWN_MEMBER_ID;
	const struct group_member *owner = group_member_of_instance(group, instance_id);

	if (!owner)
		return KAFKA_UNKNOWN_MEMBER_ID;
	return slice_equal(owner->id, id) ? 0 : KAFKA_FENCED_INSTANCE_ID;
}

int64_t group_member_bytes(const struct group_member *member)
{
	size_t bytes = 0;

	for (int32_t i = 0; i < member->n_protocols; i++)
		bytes += member->protocols[i].name.len + member->protocols[i].metadata.len;
	return (int64_t)bytes;
}

/* ---- In and out ---- */

void group_name_set(struct group_name *name, struct slice text)
{
	CHECK(text.len <= LIMIT_GROUP_NAME_BYTES);
	name->present = true;
	name->len = (uint16_t)text.len;
	memcpy(name->bytes, text.data, text.len);
}

void group_member_add(struct group_core *group, struct group_member *member, struct slice protocol_type)
{
	if (group->n_members == 0) {
		group_name_set(&group->protocol_type, protocol_type);
		group->leader = member;
	}
	member->id_hash = group_member_hash(member->id);
	member->deadline_ms = GROUP_NEVER;
	DL_APPEND(group->members, member);
	group->n_members++;
	group->metadata_bytes += group_member_bytes(member);
}

void group_member_swap(struct group_core *group, struct group_member *from, struct group_member *to)
{
	CHECK(!from->join && !to->join);
	to->assignment = from->assignment;
	to->sync = from->sync;
	to->is_new = from->is_new;
	to->sync_awaited = from->sync_awaited;
	to->deadline_ms = from->deadline_ms;
	to->store_id = from->store_id;
	to->replaced = from->replaced;
	to->id_hash = group_member_hash(to->id);
	from->sync = NULL;
	from->sync_awaited = false;
	from->store_id = GROUP_STORE_NONE;
	from->replaced = NULL;
	DL_REPLACE_ELEM(group->members, from, to);
	if (group->leader == from)
		group->leader = to;
	group->metadata_bytes += group_member_bytes(to) - group_member_bytes(from);
}

void group_member_free(struct group_member *member, struct group_actions *actions)
{
	CHECK(!member->join && !member->sync);
	member->next_freed = actions->freed;
	actions->freed = member;
}

void group_block_free(void *block, struct group_actions *actions)
{
	if (!block)
		return;
	CHECK(!actions->freed_block);
	actions->freed_block = block;
}

void group_member_confirm(struct group_member *member, struct group_actions *actions)
{
	member->store_id = GROUP_STORE_NONE;
	if (!member->replaced)
		return;
	group_member_free(member->replaced, actions);
	member->replaced = NULL;
}

void group_member_drop(struct group_core *group, struct group_member *member, int16_t error, struct group_actions *actions)
{
	struct slice id = error == KAFKA_UNKNOWN_MEMBER_ID ? SLICE_LITERAL("") : member->id;

	group_answer_join_error(group, member, group_member_unpark_join(group, member), error, id, actions);
	group_answer_sync(group, member, error, actions);
	group_member_sync_done(group, member);
	group_member_confirm(member, actions);
	DL_DELETE(group->members, member);
	group->n_members--;
	group->metadata_bytes -= group_member_bytes(member);
	if (group->leader == member)
		group->leader = group->members;
	group_member_free(member, actions);
}

void group_pending_add(struct group_core *group, struct group_member *member)
{
	member->id_hash = group_member_hash(member->id);
	DL_APPEND(group->pending, member);
	group->n_pending++;
	group->metadata_bytes += group_member_bytes(member);
}

void group_pending_drop(struct group_core *group, struct group_member *pending, struct group_actions *actions)
{
	DL_DELETE(group->pending, pending);
	group->n_pending--;
	group->metadata_bytes -= group_member_bytes(pending);
	group_member_free(pending, actions);
}

/* ---- Time ---- */

void group_member_renew(struct group_core *group, struct group_member *member, const struct group_now *now)
{
	member->deadline_ms = now->ms + member->session_ms;
	group_due(group, member->deadline_ms);
}

int64_t group_member_deadline(const struct group_member *member)
{
	/* A new member that waits in a join may have gone without anybody noticing, so that wait has an end. */
	if (!member->is_new && (member->join || member->sync))
		return GROUP_NEVER;
	return member->deadline_ms;
}

/* ---- Requests ---- */

void group_member_park_join(struct group_core *group, struct group_member *member, void *request)
{
	CHECK(!member->join);
	member->join = request;
	group->n_joined++;
}

void *group_member_unpark_join(struct group_core *group, struct group_member *member)
{
	void *request = member->join;

	if (request)
		group->n_joined--;
	member->join = NULL;
	return request;
}

void group_member_sync_done(struct group_core *group, struct group_member *member)
{
	if (member->sync_awaited)
		group->n_sync_awaited--;
	member->sync_awaited = false;
	if (group->n_sync_awaited == 0)
		group->sync_deadline_ms = GROUP_NEVER;
}

/* A member gets into the list with the first answer of a call; those of older calls are over then. */
static void list_answered(struct group_core *group, struct group_member *member, struct group_actions *actions)
{
	if (member->answered_call == group->n_calls)
		return;
	member->answered_call = group->n_calls;
	member->join_answer.request = NULL;
	member->sync_answer.request = NULL;
	member->next_answered = NULL;
	if (actions->last_answered)
		actions->last_answered->next_answered = member;
	else
		actions->answered = member;
	actions->last_answered = member;
}

static void put_join_answer(struct group_core *group, struct group_member *member, const struct group_join_answer *answer,
			    struct group_actions *actions)
{
	if (!answer->request)
		return;
	list_answered(group, member, actions);
	CHECK(!member->join_answer.request);
	member->join_answer = *answer;
}

void group_answer_join(struct group_core *group, struct group_member *member, void *request, struct group_actions *actions)
{
	put_join_answer(group, member,
			&(struct group_join_answer){
				.request = request,
				.generation = group->generation,
				.protocol_type = group_core_name(&group->protocol_type),
				.protocol = group_core_name(&group->protocol),
				.leader = group->leader->id,
				.member_id = member->id,
				.has_members = group->leader == member,
			},
			actions);
}

void group_answer_join_error(struct group_core *group, struct group_member *member, void *request, int16_t error,
			     struct slice member_id, struct group_actions *actions)
{
	put_join_answer(group, member,
			&(struct group_join_answer){
				.request = request,
				.error = error,
				.generation = GROUP_GENERATION_NONE,
				.leader = SLICE_LITERAL(""),
				.member_id = member_id,
			},
			actions);
}

struct group_sync_answer group_sync_answer(const struct group_core *group, const struct group_member *member, void *request,
					   int16_t error)
{
	if (error)
		return (struct group_sync_answer){.request = request, .error = error, .assignment = SLICE_LITERAL("")};
	return (struct group_sync_answer){
		.request = request,
		.protocol_type = group_core_name(&group->protocol_type),
		.protocol = group_core_name(&group->protocol),
		.assignment = member->assignment.data ? member->assignment : SLICE_LITERAL(""),
	};
}

void group_answer_sync(struct group_core *group, struct group_member *member, int16_t error, struct group_actions *actions)
{
	if (!member->sync)
		return;
	list_answered(group, member, actions);
	CHECK(!member->sync_answer.request);
	member->sync_answer = group_sync_answer(group, member, member->sync, error);
	member->sync = NULL;
}
