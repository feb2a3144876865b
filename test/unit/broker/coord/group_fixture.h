/*
 * A group core and a shell around it that keeps no broker: members and blocks from the heap, requests that remember their
 * answers as text, the record of a store as text. Every answer is checked to be the only one of its request, and freed memory
 * is counted.
 */
#ifndef KLAMM_TEST_UNIT_BROKER_COORD_GROUP_FIXTURE_H
#define KLAMM_TEST_UNIT_BROKER_COORD_GROUP_FIXTURE_H

#include "broker/coord/group_core.h"
#include "proto/kafka_error.h"
#include "test/lib/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <utlist.h>

/* What the fixture finds by itself; the random test judges it otherwise. */
#ifndef HOLDS
#define HOLDS(condition) ck_assert(condition)
#endif

#define PROTOCOLS_MAX 40
#define TEXT_MAX 2048

struct request {
	struct request *next;
	int n_answers;
	bool is_sync;
	int16_t error;
	int32_t generation;
	bool skip;
	bool has_members;
	char type[64], protocol[64], leader[64], id[64], assignment[64];
	char members[TEXT_MAX]; /* "a=meta b(instance)=meta" */
};

/* A member and its bytes, one piece of memory. */
struct test_member {
	struct group_member member;
	struct group_protocol protocols[PROTOCOLS_MAX];
	char text[1024];
};

static struct group_core group;
static struct group_rules rules;
static struct group_now now;
static struct group_actions actions;
static struct request *requests;
static int n_members_alive, n_blocks_alive, n_unanswered;
static int64_t stored_id;     /* of the last call, GROUP_STORE_NONE without a store */
static char record[TEXT_MAX]; /* of the last store: "generation protocol leader: a=meta/assignment b(instance)=..." */

static inline const char *text_of(struct slice slice, char *buffer, size_t size)
{
	if (slice_is_null(slice))
		snprintf(buffer, size, "null");
	else
		snprintf(buffer, size, "%.*s", SLICE_ARGS(slice));
	return buffer;
}

#define TEXT(slice) text_of(slice, (char[256]){0}, 256)

static inline void put_member(char *text, const struct group_member *member, bool with_assignment)
{
	size_t len = strlen(text);

	len += (size_t)snprintf(text + len, TEXT_MAX - len, "%s%s", len ? " " : "", TEXT(member->id));
	if (!slice_is_null(member->instance_id))
		len += (size_t)snprintf(text + len, TEXT_MAX - len, "(%s)", TEXT(member->instance_id));
	len += (size_t)snprintf(text + len, TEXT_MAX - len, "=%s", TEXT(group_core_metadata(&group, member)));
	if (with_assignment)
		snprintf(text + len, TEXT_MAX - len, "/%s", TEXT(member->assignment));
}

static inline struct request *answered(void *pointer, bool is_sync, int16_t error, struct slice type, struct slice protocol)
{
	struct request *request = pointer;

	HOLDS(request->n_answers == 0);
	HOLDS(request->is_sync == is_sync);
	request->n_answers++;
	n_unanswered--;
	request->error = error;
	text_of(type, request->type, sizeof request->type);
	text_of(protocol, request->protocol, sizeof request->protocol);
	return request;
}

static inline void take_join_answer(const struct group_join_answer *answer)
{
	const struct group_member *member;

	if (!answer->request)
		return;
	struct request *request = answered(answer->request, false, answer->error, answer->protocol_type, answer->protocol);

	request->generation = answer->generation;
	request->skip = answer->skip_assignment;
	request->has_members = answer->has_members;
	text_of(answer->leader, request->leader, sizeof request->leader);
	text_of(answer->member_id, request->id, sizeof request->id);
	if (!answer->has_members)
		return;
	DL_FOREACH (group.members, member)
		put_member(request->members, member, false);
}

static inline void take_sync_answer(const struct group_sync_answer *answer)
{
	if (!answer->request)
		return;
	struct request *request = answered(answer->request, true, answer->error, answer->protocol_type, answer->protocol);

	text_of(answer->assignment, request->assignment, sizeof request->assignment);
}

static inline void take_record(void)
{
	const struct group_member *member;
	char members[TEXT_MAX] = "";

	stored_id = actions.store_id;
	if (stored_id == GROUP_STORE_NONE)
		return;
	DL_FOREACH (group.members, member)
		put_member(members, member, true);
	ck_assert_int_lt(snprintf(record, sizeof record, "%d %s %s: %s", group.generation, TEXT(group_core_name(&group.protocol)),
				  group.leader ? TEXT(group.leader->id) : "null", members),
			 sizeof record);
}

static inline void free_members(struct group_member *freed)
{
	while (freed) {
		struct group_member *next = freed->next_freed;

		HOLDS(!freed->join && !freed->sync && !freed->replaced);
		memset(freed, 0xee, sizeof(struct test_member));
		free(freed);
		n_members_alive--;
		freed = next;
	}
}

/* Works off the actions of a call, as the shell does. */
static inline void settle(void)
{
	for (struct group_member *member = actions.answered; member; member = member->next_answered) {
		take_join_answer(&member->join_answer);
		take_sync_answer(&member->sync_answer);
	}
	take_sync_answer(&actions.sync);
	take_record();
	free_members(actions.freed);
	if (actions.freed_block) {
		memset(actions.freed_block, 0xee, TEXT_MAX);
		free(actions.freed_block);
		n_blocks_alive--;
	}
}

static inline struct request *request_new(bool is_sync)
{
	struct request *request = calloc(1, sizeof *request);

	request->is_sync = is_sync;
	request->next = requests;
	requests = request;
	n_unanswered++;
	return request;
}

/* Copies a text into the member's own memory; NULL is null. */
static inline struct slice keep(struct test_member *member, size_t *pos, const char *text, size_t len)
{
	if (!text)
		return SLICE_NULL;
	ck_assert_uint_le(*pos + len, sizeof member->text);
	char *at = member->text + *pos;

	memcpy(at, text, len);
	*pos += len;
	return slice_of(at, len);
}

/* "range=x rr=y": names and metadata. */
static inline void keep_protocols(struct test_member *member, size_t *pos, const char *text)
{
	while (*text) {
		size_t name = strcspn(text, "="), all = strcspn(text, " ");

		member->protocols[member->member.n_protocols++] = (struct group_protocol){
			.name = keep(member, pos, text, name),
			.metadata = keep(member, pos, text + name + 1, all - name - 1),
		};
		text += all + (text[all] == ' ');
	}
}

struct who {
	const char *id;        /* NULL: a new member */
	const char *given_id;  /* the id that the shell makes up for a new one */
	const char *instance;  /* NULL: dynamic */
	const char *type;      /* NULL: "consumer" */
	const char *protocols; /* NULL: "range=m" */
	int version;
	int32_t session_ms, rebalance_ms; /* 0: 10,000 and 60,000 */
};

static inline struct test_member *member_new(const struct who *who)
{
	struct test_member *member = calloc(1, sizeof *member);
	const char *id = who->id ? who->id : who->given_id;
	size_t pos = 0;

	n_members_alive++;
	member->member = (struct group_member){
		.id = keep(member, &pos, id, strlen(id)),
		.instance_id = keep(member, &pos, who->instance, who->instance ? strlen(who->instance) : 0),
		.client_id = SLICE_LITERAL("client"),
		.client_host = SLICE_LITERAL("/127.0.0.1"),
		.session_ms = who->session_ms ? who->session_ms : 10000,
		.rebalance_ms = who->rebalance_ms ? who->rebalance_ms : 60000,
		.protocols = member->protocols,
	};
	keep_protocols(member, &pos, who->protocols ? who->protocols : "range=m");
	return member;
}

static inline struct request *join_as(const struct who *who)
{
	struct request *request = request_new(false);
	struct group_join join = {
		.member = &member_new(who)->member,
		.id_is_new = !who->id,
		.id_required = who->version >= 4,
		.knows_skip = who->version >= 9,
		.protocol_type = slice_of_text(who->type ? who->type : "consumer"),
		.request = request,
	};

	group_core_join(&group, &now, &join, &actions);
	settle();
	return request;
}

/* JOIN(.given_id = "a"), JOIN(.id = "a", .version = 5, ...) */
#define JOIN(...) join_as(&(struct who){__VA_ARGS__})

struct sync_as {
	const char *id, *instance, *type, *protocol;
	int32_t generation;
	const char *assignments; /* NULL: none; "a=x b=y" */
};

/* "a=x b=y": a block with the bytes, and the list. */
static inline void keep_assignments(struct group_sync *sync, struct group_assignment *list, const char *assignments)
{
	char *text = malloc(TEXT_MAX);

	n_blocks_alive++;
	snprintf(text, TEXT_MAX, "%s", assignments);
	sync->block = text;
	while (*text) {
		size_t name = strcspn(text, "="), all = strcspn(text, " ");

		list[sync->n_assignments++] = (struct group_assignment){
			.member_id = slice_of(text, name),
			.assignment = slice_of(text + name + 1, all - name - 1),
		};
		text += all + (text[all] == ' ');
	}
}

static inline struct request *sync_as(const struct sync_as *as)
{
	struct request *request = request_new(true);
	struct group_assignment assignments[PROTOCOLS_MAX];
	struct group_sync sync = {
		.generation = as->generation,
		.member_id = slice_of_text(as->id),
		.instance_id = slice_of_text(as->instance),
		.protocol_type = slice_of_text(as->type),
		.protocol = slice_of_text(as->protocol),
		.assignments = assignments,
		.request = request,
	};

	if (as->assignments)
		keep_assignments(&sync, assignments, as->assignments);
	group_core_sync(&group, &now, &sync, &actions);
	settle();
	return request;
}

#define SYNC(...) sync_as(&(struct sync_as){__VA_ARGS__})

static inline int heartbeat(const char *id, const char *instance, int32_t generation)
{
	struct group_caller caller = {
		.generation = generation, .member_id = slice_of_text(id), .instance_id = slice_of_text(instance)};

	return group_core_heartbeat(&group, &now, &caller);
}

static inline int commit(const char *id, const char *instance, int32_t generation)
{
	struct group_caller caller = {
		.generation = generation, .member_id = slice_of_text(id), .instance_id = slice_of_text(instance)};

	return group_core_commit(&group, &now, &caller, false);
}

static inline int commit_in_txn(const char *id, const char *instance, int32_t generation)
{
	struct group_caller caller = {
		.generation = generation, .member_id = slice_of_text(id), .instance_id = slice_of_text(instance)};

	return group_core_commit(&group, &now, &caller, true);
}

static inline int leave(const char *id, const char *instance)
{
	int16_t error = group_core_leave(&group, &now, slice_of_text(id), slice_of_text(instance), &actions);

	settle();
	return error;
}

static inline void stored(int64_t store_id, int16_t error)
{
	group_core_stored(&group, &now, store_id, error, &actions);
	settle();
}

static inline void tick(void)
{
	group_core_tick(&group, &now, &actions);
	settle();
	HOLDS(group_core_next_ms(&group) > now.ms);
}

/* Time goes on by steps of the core's own, as the shell drives it. */
static inline void pass(int64_t ms)
{
	int64_t end = now.ms + ms;

	while (group_core_next_ms(&group) <= end) {
		int64_t due = group_core_next_ms(&group);

		now.wall_ms += due > now.ms ? due - now.ms : 0;
		now.ms = due > now.ms ? due : now.ms;
		tick();
	}
	now.wall_ms += end - now.ms;
	now.ms = end;
}

static inline void setup(void)
{
	rules = (struct group_rules){
		.members_max = INT32_MAX, .session_ms_min = 6000, .session_ms_max = 1800000, .initial_delay_ms = 3000};
	now = (struct group_now){.ms = 1000000, .wall_ms = 1700000000000};
	requests = NULL;
	n_members_alive = n_blocks_alive = n_unanswered = 0;
	record[0] = '\0';
	group_core_init(&group, &rules, &now);
}

/* Nothing is left over: not a request, not a member, not a block. */
static inline void teardown(void)
{
	group_core_unload(&group, &actions);
	settle();
	ck_assert_int_eq(n_unanswered, 0);
	ck_assert_int_eq(n_members_alive, 0);
	ck_assert_int_eq(n_blocks_alive, 0);
	while (requests) {
		struct request *next = requests->next;

		free(requests);
		requests = next;
	}
}

#define WAITS(call) ck_assert_int_eq((call)->n_answers, 0)
#define ERROR_IS(call, code)                                                                                                   \
	do {                                                                                                                   \
		const struct request *answer_ = (call);                                                                        \
		ck_assert_int_eq(answer_->n_answers, 1);                                                                       \
		ck_assert_int_eq(answer_->error, KAFKA_##code);                                                                \
	} while (0)

/* Members "a", "b", ... (at most three) of generation 1, stable; a leads, has the assignment A, and so on. Version 0 joins. */
static inline void make_stable(int n)
{
	static const char *const ids[] = {"a", "b", "c"};
	static const char *const assignments[] = {"a=A", "a=A b=B", "a=A b=B c=C"};

	for (int i = 0; i < n; i++)
		JOIN(.given_id = ids[i]);
	pass(group.join_deadline_ms - now.ms);
	while (group.state == GROUP_PREPARING)
		pass(group.join_deadline_ms - now.ms);
	for (int i = n - 1; i >= 0; i--)
		SYNC(.id = ids[i], .generation = 1, .assignments = i == 0 ? assignments[n - 1] : NULL);
	stored(stored_id, 0);
	ck_assert_int_eq(group.state, GROUP_STABLE);
}

#endif
