/*
 * One group: group_core with its memory, its timer, its parked calls and its appends.
 *
 *     call, time, outcome of an append -> group_core_... -> struct group_actions -> carry_out: answers, then the record, then what is freed
 *
 * A member is one block of memory with all its text. Answers are copied into the call's arena at once; their done is called at the end of
 * the turn, so that a group is never entered from inside itself.
 */
#include "broker/coord/coordinator_internal.h"

#include "common/bytes.h"
#include "common/clock.h"
#include "common/limits.h"
#include "common/trace.h"
#include "common/uuid.h"

#include <stdlib.h>

/* ---- members ---- */

/* Copies into a block that has room. */
static struct slice put(uint8_t **at, struct slice s)
{
	uint8_t *start = *at;

	if (slice_is_null(s))
		return s;
	if (s.len)
		memcpy(start, s.data, s.len);
	*at += s.len;
	return slice_of(start, s.len);
}

/* Of a copy with all that its fields point to. */
static size_t bytes_of(const struct group_member *from)
{
	size_t bytes = sizeof *from + from->id.len + from->instance_id.len + from->client_id.len + from->client_host.len + 1;

	for (int32_t i = 0; i < from->n_protocols; i++)
		bytes += sizeof from->protocols[i] + from->protocols[i].name.len + from->protocols[i].metadata.len;
	return bytes;
}

/* A copy with all that its fields point to, in one block. */
static struct group_member *member_copy(struct coordinator *coordinator, const struct group_member *from)
{
	size_t bytes = bytes_of(from);
	struct group_member *member = memory_zalloc(1, bytes);
	struct group_protocol *protocols;
	uint8_t *at;

	*member = *from;
	member->bytes = bytes;
	coordinator->group_bytes += (int64_t)bytes;
	protocols = (struct group_protocol *)(member + 1);
	at = (uint8_t *)(protocols + from->n_protocols);
	member->id = put(&at, from->id);
	member->instance_id = put(&at, from->instance_id);
	member->client_id = put(&at, from->client_id);
	member->client_host = put(&at, from->client_host);
	for (int32_t i = 0; i < from->n_protocols; i++) {
		protocols[i].name = put(&at, from->protocols[i].name);
		protocols[i].metadata = put(&at, from->protocols[i].metadata);
	}
	member->protocols = protocols;
	return member;
}

/* "<client id or instance id>-<a random uuid>", as Kafka makes them up. */
static struct slice new_member_id(const struct coordinator_join *join)
{
	struct slice prefix = slice_is_null(join->group_instance_id) ? join->client_id : join->group_instance_id;
	struct uuid uuid = uuid_random();
	char hex[33];

	uuid_format_hex(&uuid, hex);
	return slice_of_text(arena_printf(join->call.arena, "%.*s-%.8s-%.4s-%.4s-%.4s-%.12s", SLICE_ARGS(prefix), hex, hex + 8, hex + 12,
					  hex + 16, hex + 20));
}

static struct group_member member_of(const struct coordinator_join *join, bool id_is_new)
{
	struct group_protocol *protocols = arena_zalloc(join->call.arena, (size_t)join->n_protocols, sizeof *protocols);
	struct group_member member = {
		.id = id_is_new ? new_member_id(join) : join->member_id,
		.instance_id = join->group_instance_id,
		.client_id = slice_is_null(join->client_id) ? SLICE_LITERAL("") : join->client_id,
		.client_host = join->client_host,
		.session_ms = join->session_timeout_ms,
		.rebalance_ms = join->rebalance_timeout_ms,
		.protocols = protocols,
		.n_protocols = join->n_protocols,
		.assignment = SLICE_LITERAL(""),
	};

	for (int32_t i = 0; i < join->n_protocols; i++)
		protocols[i] = (struct group_protocol){join->protocols[i].name, join->protocols[i].metadata};
	return member;
}

/* ---- answers ---- */

static void tell_members(const struct group *group, struct coordinator_join *join)
{
	const struct group_member *member;
	int32_t n = 0;

	join->members = message_array(join->call.arena, &join_group_response_member_struct, (size_t)group->core.n_members);
	for (member = group->core.members; member; member = member->next) {
		struct join_group_response_member *told = &join->members[n++];

		told->member_id = arena_copy(join->call.arena, member->id);
		told->group_instance_id = arena_copy(join->call.arena, member->instance_id);
		told->metadata = arena_copy(join->call.arena, group_core_metadata(&group->core, member));
	}
	join->n_members = n;
}

/* May have waited for long: who answers must still be the coordinator (S9). */
static bool may_answer(const struct group *group, struct coordinator_call *call, int16_t error)
{
	bool may = error || home_error(group->home) == 0;

	if (!may)
		coordinator_refuse(group->home->coordinator, call, KAFKA_NOT_COORDINATOR);
	return may;
}

static void answer_join(const struct group *group, const struct group_join_answer *answer)
{
	struct coordinator_join *join = answer->request;
	struct arena *arena = join->call.arena;

	if (!may_answer(group, &join->call, answer->error))
		return;
	join->call.error = answer->error;
	join->generation = answer->generation;
	join->ret_protocol_type = arena_copy(arena, answer->protocol_type);
	join->protocol_name = arena_copy(arena, answer->protocol);
	join->leader = arena_copy(arena, answer->leader);
	join->skip_assignment = answer->skip_assignment;
	join->ret_member_id = arena_copy(arena, answer->member_id);
	join->members = NULL;
	join->n_members = 0;
	if (answer->has_members)
		tell_members(group, join);
	coordinator_finish(group->home->coordinator, &join->call);
}

static void answer_sync(const struct group *group, const struct group_sync_answer *answer)
{
	struct coordinator_sync *sync = answer->request;
	struct arena *arena = sync->call.arena;

	if (!may_answer(group, &sync->call, answer->error))
		return;
	sync->call.error = answer->error;
	sync->ret_protocol_type = arena_copy(arena, answer->protocol_type);
	sync->ret_protocol_name = arena_copy(arena, answer->protocol);
	sync->assignment = arena_copy(arena, answer->assignment);
	coordinator_finish(group->home->coordinator, &sync->call);
}

static void tell(const struct group *group, const struct group_actions *actions)
{
	for (const struct group_member *member = actions->answered; member; member = member->next_answered) {
		if (member->join_answer.request)
			answer_join(group, &member->join_answer);
		if (member->sync_answer.request)
			answer_sync(group, &member->sync_answer);
	}
	if (actions->sync.request)
		answer_sync(group, &actions->sync);
}

/* ---- the group's record ---- */

static void store_ended(struct coord_write *write, int16_t error)
{
	/* Told already when the time was up; the core takes only the first. */
	group_stored(write->group, write->store_id, error);
}

static void store_timed_out(struct coord_write *write)
{
	group_stored(write->group, write->store_id, KAFKA_REQUEST_TIMED_OUT);
}

static struct group_metadata_value record_of(const struct group *group, struct arena *arena)
{
	const struct group_core *core = &group->core;
	struct slice type = group_core_name(&core->protocol_type);
	struct group_metadata_value value = group_metadata_value_default;

	value.protocol_type = slice_is_null(type) ? SLICE_LITERAL("") : type;
	value.generation = core->generation;
	value.protocol = group_core_name(&core->protocol);
	value.leader = core->leader ? core->leader->id : SLICE_NULL;
	value.current_state_timestamp = core->state_wall_ms;
	value.members = message_array(arena, &group_metadata_value_member_struct, (size_t)core->n_members);
	for (const struct group_member *member = core->members; member; member = member->next) {
		struct group_metadata_value_member *told = &value.members[value.n_members++];

		told->member_id = member->id;
		told->group_instance_id = member->instance_id;
		told->client_id = member->client_id;
		told->client_host = member->client_host;
		told->rebalance_timeout = member->rebalance_ms < 0 ? member->session_ms : member->rebalance_ms;
		told->session_timeout = member->session_ms;
		told->subscription = group_core_metadata(core, member);
		told->assignment = member->assignment;
	}
	return value;
}

static void store(struct group *group, int64_t store_id)
{
	struct coord_write *write = write_new(group, BATCH_NO_SEQUENCE, store_ended);
	struct group_metadata_value value = record_of(group, &write->arena);

	write->store_id = store_id;
	write->timed_out = store_timed_out;
	/* What does not fit a record ends as what does not fit the log. */
	if (group_record_add_group(&write->builder, write->now_ms, group->id, &value))
		write_send(write, (int16_t)group->home->coordinator->shard->config->offsets_commit_required_acks);
	else
		write_fail(write, KAFKA_MESSAGE_TOO_LARGE);
}

/* ---- actions ---- */

_Static_assert(GROUP_DEAD + 1 == sizeof((struct group_counters){0}.n_in_state) / sizeof(int64_t), "every state is counted");

void group_count(struct group *group)
{
	int64_t *counts = group->home->coordinator->counters->n_in_state;

	counts[group->counted]--;
	group->counted = group->core.state;
	counts[group->counted]++;
}

static void free_members(struct coordinator *coordinator, struct group_member *member)
{
	while (member) {
		struct group_member *next = member->next_freed;

		coordinator->group_bytes -= (int64_t)member->bytes;
		free(member);
		member = next;
	}
}

static void carry_out(struct group *group, const struct group_actions *actions)
{
	int64_t next_ms;

	tell(group, actions);
	if (actions->generation_told)
		group->home->coordinator->counters->n_rebalances++;
	group_count(group);
	if (actions->store_id != GROUP_STORE_NONE)
		store(group, actions->store_id);
	free_members(group->home->coordinator, actions->freed);
	free(actions->freed_block);
	next_ms = group_core_next_ms(&group->core);
	if (next_ms == GROUP_NEVER)
		timer_stop(&group->timer);
	else
		timer_set(&group->timer, next_ms);
}

static void on_timer(struct timer *timer)
{
	struct group *group = CONTAINER_OF(timer, struct group, timer);
	struct group_now now = coordinator_now();
	struct group_actions actions;

	group_core_tick(&group->core, &now, &actions);
	carry_out(group, &actions);
}

void group_stored(struct group *group, int64_t store_id, int16_t error)
{
	struct group_now now = coordinator_now();
	struct group_actions actions;

	group_core_stored(&group->core, &now, store_id, group_core_store_error(error), &actions);
	carry_out(group, &actions);
}

/* ---- life ---- */

struct group *group_find(const struct group_home *home, struct slice id)
{
	struct group *group;

	HASH_FIND(hh, home->groups, id.data, id.len, group);
	return group;
}

struct group *group_obtain(struct group_home *home, struct slice id)
{
	struct coordinator *coordinator = home->coordinator;
	struct group *group = group_find(home, id);
	struct group_now now;
	uint8_t *bytes;

	if (group)
		return group;
	now = coordinator_now();
	group = memory_zalloc(1, sizeof *group + id.len + 1);
	bytes = (uint8_t *)(group + 1);
	if (id.len)
		memcpy(bytes, id.data, id.len);
	group->id = slice_of(bytes, id.len);
	group->home = home;
	group_core_init(&group->core, &coordinator->rules, &now);
	timer_init(&group->timer, &coordinator->shard->worker.loop, on_timer);
	HASH_ADD_KEYPTR(hh, home->groups, group->id.data, group->id.len, group);
	coordinator->counters->n_groups++;
	coordinator->group_bytes += (int64_t)(sizeof *group + id.len);
	coordinator->counters->n_in_state[GROUP_EMPTY]++;
	group->counted = GROUP_EMPTY;
	return group;
}

struct group *group_add(struct group_home *home, struct slice id)
{
	if (home->coordinator->counters->n_groups < LIMIT_SHARD_GROUPS && home->coordinator->group_bytes < LIMIT_SHARD_GROUP_BYTES)
		return group_obtain(home, id);
	trace_limited(TRACE_WARN, "coord", "a worker has no room for more groups: group %.*s is refused", SLICE_ARGS(id));
	return NULL;
}

static void group_free(struct group *group)
{
	struct coordinator *coordinator = group->home->coordinator;

	CHECK(group->n_writes == 0 && group->n_txn_offsets == 0);
	group_sweep_forget(group);
	timer_stop(&group->timer);
	coordinator->counters->n_groups--;
	coordinator->group_bytes -= (int64_t)(sizeof *group + group->id.len);
	coordinator->counters->n_in_state[group->counted]--;
	group_forget_offsets(group);
	HASH_DEL(group->home->groups, group);
	free(group->loaded);
	free(group);
}

void group_unload(struct group *group)
{
	struct group_actions actions;

	group_core_unload(&group->core, &actions);
	tell(group, &actions);
	free_members(group->home->coordinator, actions.freed);
	free(actions.freed_block);
	group_free(group);
}

int16_t group_die(struct group *group)
{
	struct group_actions actions;
	int16_t error = group_core_delete(&group->core, &actions);

	free_members(group->home->coordinator, actions.freed);
	free(actions.freed_block);
	return error;
}

void group_forget(struct group *group)
{
	group_unload(group);
}

/* ---- from the log ---- */

static struct group_member *member_loaded(struct coordinator *coordinator, const struct group_metadata_value *value, 
					  const struct group_metadata_value_member *from, uint8_t **at)
{
	struct group_protocol protocol = {value->protocol, from->subscription};
	struct group_member member = {
		.id = from->member_id,
		.instance_id = from->group_instance_id,
		.client_id = from->client_id,
		.client_host = from->client_host,
		.session_ms = from->session_timeout,
		.rebalance_ms = from->rebalance_timeout,
		.protocols = &protocol,
		.n_protocols = slice_is_null(value->protocol) ? 0 : 1,
	};
	struct group_member *copy = member_copy(coordinator, &member);

	copy->assignment = put(at, from->assignment);
	return copy;
}

/* The members of a record in its order; their assignments lie in one block. */
static void members_loaded(struct coordinator *coordinator, const struct group_metadata_value *value, struct group_loaded *loaded)
{
	struct group_member *last = NULL;
	size_t len = 1;
	uint8_t *at;

	for (int32_t i = 0; i < value->n_members; i++)
		len += value->members[i].assignment.len;
	loaded->block = at = memory_alloc(len);
	for (int32_t i = 0; i < value->n_members; i++) {
		struct group_member *member = member_loaded(coordinator, value, &value->members[i], &at);

		if (last)
			last->next = member;
		else
			loaded->members = member;
		last = member;
	}
}

static void install_record(struct group *group, const struct group_metadata_value *value)
{
	struct group_now now = coordinator_now();
	struct group_loaded loaded = {
		.protocol_type = value->protocol_type,
		.generation = value->generation,
		.protocol = value->protocol,
		.leader = value->leader,
		.state_wall_ms = value->current_state_timestamp,
	};
	struct group_actions actions;

	if (value->n_members)
		members_loaded(group->home->coordinator, value, &loaded);
	if (!group_core_install(&group->core, &now, &loaded, &actions))
		trace_limited(TRACE_ERROR, "coord", "group %.*s: its record makes no sense, and is taken as one without members",
			      SLICE_ARGS(group->id));
	carry_out(group, &actions);
}

void group_install(struct group *group)
{
	struct group_metadata_value value;
	struct arena arena;
	int version;

	if (!group->loaded) {
		if (!group->offsets.n && !group->n_txn_offsets)
			group_forget(group);
		return;
	}
	arena_init(&arena);
	/* It was decoded once, when it was read. */
	CHECK(message_decode_record(&group_metadata_value_schema, slice_of(group->loaded, group->loaded_len), &arena, &version, &value,
				    NULL) == 0);
	install_record(group, &value);
	arena_fini(&arena);
	free(group->loaded);
	group->loaded = NULL;
}

/* ---- requests ---- */

/* Memory that clients may fill; what takes the place of what is there already, and is no larger, always has room. */
static bool has_room(const struct group *group, const struct group_member *member)
{
	const struct group_member *known = group_core_member(&group->core, member->id);
	int64_t before = known ? (int64_t)known->bytes : 0, after = (int64_t)bytes_of(member);

	return after <= before || group->home->coordinator->group_bytes + after - before <= LIMIT_SHARD_GROUP_BYTES;
}

static void join_group(struct group *group, struct coordinator_join *join)
{
	struct coordinator *coordinator = group->home->coordinator;
	bool id_is_new = join->member_id.len == 0;
	struct group_now now = coordinator_now();
	struct group_member member = member_of(join, id_is_new);

	if (!has_room(group, &member)) {
		trace_limited(TRACE_WARN, "coord", "a worker has no room for more members: one of group %.*s is refused", SLICE_ARGS(group->id));
		coordinator_refuse(coordinator, &join->call, KAFKA_POLICY_VIOLATION);
		return;
	}
	struct group_join asked = {
		.member = member_copy(coordinator, &member),
		.id_is_new = id_is_new,
		.id_required = join->known_id_required,
		.knows_skip = join->skip_assignment_allowed,
		.protocol_type = join->protocol_type,
		.request = join,
	};
	struct group_actions actions;

	group_core_join(&group->core, &now, &asked, &actions);
	carry_out(group, &actions);
}

void group_join(struct group_home *home, struct coordinator_call *call)
{
	struct coordinator_join *join = CONTAINER_OF(call, struct coordinator_join, call);
	struct group *group = group_find(home, call->group_id);
	int16_t error = group_core_session_error(&home->coordinator->rules, join->session_timeout_ms);

	if (!error && !group && join->member_id.len)
		error = KAFKA_UNKNOWN_MEMBER_ID;
	if (!error && !group) {
		group = group_add(home, call->group_id);
		error = group ? 0 : KAFKA_POLICY_VIOLATION;
	}
	if (error)
		coordinator_refuse(home->coordinator, call, error);
	else
		join_group(group, join);
}

/* The assignments with their bytes in one block, which becomes the core's. */
static void take_assignments(const struct coordinator_sync *sync, struct group_sync *asked)
{
	struct group_assignment *list = arena_zalloc(sync->call.arena, (size_t)sync->n_assignments, sizeof *list);
	size_t len = 1;
	uint8_t *at;

	for (int32_t i = 0; i < sync->n_assignments; i++)
		len += sync->assignments[i].assignment.len;
	asked->block = at = memory_alloc(len);
	for (int32_t i = 0; i < sync->n_assignments; i++)
		list[i] = (struct group_assignment){sync->assignments[i].member_id, put(&at, sync->assignments[i].assignment)};
	asked->assignments = list;
	asked->n_assignments = sync->n_assignments;
}

void group_sync(struct group_home *home, struct coordinator_call *call)
{
	struct coordinator_sync *sync = CONTAINER_OF(call, struct coordinator_sync, call);
	struct group *group = group_find(home, call->group_id);
	struct group_now now = coordinator_now();
	struct group_sync asked = {
		.generation = sync->generation,
		.member_id = sync->member_id,
		.instance_id = sync->group_instance_id,
		.protocol_type = sync->protocol_type,
		.protocol = sync->protocol_name,
		.request = sync,
	};
	struct group_actions actions;

	if (!group) {
		coordinator_refuse(home->coordinator, call, KAFKA_UNKNOWN_MEMBER_ID);
		return;
	}
	if (sync->n_assignments > 0)
		take_assignments(sync, &asked);
	group_core_sync(&group->core, &now, &asked, &actions);
	carry_out(group, &actions);
}

void group_heartbeat(struct group_home *home, struct coordinator_call *call)
{
	struct coordinator_heartbeat *beat = CONTAINER_OF(call, struct coordinator_heartbeat, call);
	struct group_caller caller = {beat->generation, beat->member_id, beat->group_instance_id};
	struct group *group = group_find(home, call->group_id);
	struct group_now now = coordinator_now();

	call->error = group_core_heartbeat(group ? &group->core : NULL, &now, &caller);
	coordinator_finish(home->coordinator, call);
}

static int16_t leave_one(struct group *group, const struct leave_group_request_member *member)
{
	struct group_now now = coordinator_now();
	struct group_actions actions;
	int16_t error = group_core_leave(group ? &group->core : NULL, &now, member->member_id, member->group_instance_id, &actions);

	if (group)
		carry_out(group, &actions);
	return error;
}

void group_leave(struct group_home *home, struct coordinator_call *call)
{
	struct coordinator_leave *leave = CONTAINER_OF(call, struct coordinator_leave, call);
	struct group *group = group_find(home, call->group_id);

	leave->results = message_array(call->arena, &leave_group_response_member_struct, (size_t)leave->n_members);
	leave->n_results = leave->n_members;
	for (int32_t i = 0; i < leave->n_members; i++) {
		leave->results[i].member_id = leave->members[i].member_id;
		leave->results[i].group_instance_id = leave->members[i].group_instance_id;
		leave->results[i].error_code = leave_one(group, &leave->members[i]);
	}
	coordinator_finish(home->coordinator, call);
}
