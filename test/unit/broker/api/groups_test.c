/* The handlers of consumer groups: what they find, refuse and pass on, on views made by hand. */
#include "broker/api/api.h"
#include "broker/api/operations.h"
#include "broker/coord/coordinator.h"
#include "common/limits.h"
#include "common/memory.h"
#include "proto/kafka/delete_groups.gen.h"
#include "proto/kafka/describe_groups.gen.h"
#include "proto/kafka/find_coordinator.gen.h"
#include "proto/kafka/heartbeat.gen.h"
#include "proto/kafka_error.h"
#include "test/lib/api_fixture.h"
#include "test/lib/unit.h"

#include <stdio.h>
#include <stdlib.h>

#define OFFSETS "__consumer_offsets"
#define TRANSACTIONS "__transaction_state"

/* ---- FindCoordinator ---- */

static const struct find_coordinator_response *find(struct api_fixture *fixture, int version, int8_t type, const char *key)
{
	struct slice keys[] = {slice_of_text(key), SLICE_LITERAL("")};
	struct find_coordinator_request request = {
		.key = keys[0], .key_type = type, .coordinator_keys = keys, .n_coordinator_keys = 2};

	return api_fixture_call(fixture, API_FIND_COORDINATOR, version, find_coordinator_handle, &request)->body;
}

static int16_t error_of(const struct find_coordinator_response *response, int version)
{
	return version >= 4 ? response->coordinators[0].error_code : response->error_code;
}

START_TEST(a_coordinator_is_the_leader_of_the_partition_of_the_key)
{
	struct api_fixture fixture;
	struct uuid id = uuid_random();

	api_fixture_init(&fixture, NULL);
	api_fixture_broker(&fixture, 2);
	api_fixture_topic(&fixture, OFFSETS, 50, 2);
	api_fixture_topic_with(&fixture, TRANSACTIONS, &id, 50, 1, NULL, 0, 0);
	for (int version = 0; version <= 6; version++) {
		const struct find_coordinator_response *response = find(&fixture, version, 0, "g");

		ck_assert_int_eq(error_of(response, version), 0);
		if (version < 4) {
			ck_assert_int_eq(response->node_id, 2);
			ck_assert(slice_is_text(response->host, "host2"));
			ck_assert_int_eq(response->port, 9092);
			ck_assert(slice_is_text(response->error_message, version == 0 ? "" : "NONE"));
		} else {
			ck_assert_int_eq(response->n_coordinators, 2);
			ck_assert(slice_is_text(response->coordinators[0].key, "g"));
			ck_assert_int_eq(response->coordinators[0].node_id, 2);
			ck_assert(slice_is_text(response->coordinators[1].key, ""));
			ck_assert_int_eq(response->coordinators[1].error_code, 0);
			ck_assert(slice_is_text(response->coordinators[1].error_message, ""));
		}
		if (version >= 1)
			ck_assert_int_eq(version < 4 ? find(&fixture, version, 1, "t")->node_id
						     : find(&fixture, version, 1, "t")->coordinators[0].node_id,
					 1);
	}
	api_fixture_fini(&fixture);
}
END_TEST

START_TEST(without_a_leader_or_its_listener_there_is_no_coordinator)
{
	struct api_fixture fixture;
	const struct find_coordinator_response *response;

	api_fixture_init(&fixture, NULL);
	api_fixture_topic(&fixture, OFFSETS, 4, VIEW_NO_LEADER);
	response = find(&fixture, 2, 0, "g");
	ck_assert_int_eq(response->error_code, KAFKA_COORDINATOR_NOT_AVAILABLE);
	ck_assert_int_eq(response->node_id, -1);
	ck_assert(slice_is_text(response->host, ""));
	ck_assert_int_eq(response->port, -1);
	api_fixture_remove_topic(&fixture, OFFSETS);
	api_fixture_topic(&fixture, OFFSETS, 4, 3);
	ck_assert_int_eq(find(&fixture, 4, 0, "g")->coordinators[1].error_code, KAFKA_COORDINATOR_NOT_AVAILABLE);
	api_fixture_fini(&fixture);
}
END_TEST

START_TEST(unknown_types_are_refused)
{
	struct api_fixture fixture;

	api_fixture_init(&fixture, NULL);
	api_fixture_topic(&fixture, OFFSETS, 4, 1);
	for (int version = 1; version <= 6; version++) {
		ck_assert_int_eq(error_of(find(&fixture, version, 3, "g"), version), KAFKA_INVALID_REQUEST);
		ck_assert_int_eq(error_of(find(&fixture, version, -1, "g"), version), KAFKA_INVALID_REQUEST);
		ck_assert_int_eq(error_of(find(&fixture, version, 2, "g"), version),
				 version == 6 ? KAFKA_COORDINATOR_NOT_AVAILABLE : KAFKA_INVALID_REQUEST);
	}
	api_fixture_fini(&fixture);
}
END_TEST

/* There is no ZooKeeper, so that nothing can be made: what counts is that there is an answer, and when. */
START_TEST(a_topic_that_cannot_be_made_is_no_coordinator)
{
	struct api_fixture fixture;

	/* Three replicas are more than one broker can hold: said at once. */
	api_fixture_init(&fixture, NULL);
	api_fixture_topic(&fixture, "t", 1, 1);
	ck_assert_int_eq(find(&fixture, 3, 0, "g")->error_code, KAFKA_COORDINATOR_NOT_AVAILABLE);
	api_fixture_fini(&fixture);

	api_fixture_init(&fixture, "offsets.topic.replication.factor=1\ntransaction.state.log.replication.factor=1\n");
	api_fixture_topic(&fixture, "t", 1, 1);
	ck_assert_int_eq(find(&fixture, 3, 0, "g")->error_code, KAFKA_COORDINATOR_NOT_AVAILABLE);
	ck_assert_int_eq(find(&fixture, 4, 1, "g")->coordinators[0].error_code, KAFKA_COORDINATOR_NOT_AVAILABLE);
	api_fixture_fini(&fixture);
}
END_TEST

/* ---- a coordinator of the test's own: what it is asked, and what it is to say ---- */

#define ASKED_MAX 8

static struct coordinator_call *asked[ASKED_MAX];
static enum coordinator_kind asked_kinds[ASKED_MAX]; /* a call may be gone when it is over */
static int n_asked;
static void (*reply)(struct coordinator_call *call); /* fills in the answer; NULL: the call waits */

/* With several workers: each answers with its own number, every other time in a later turn. */
static bool several;

struct later {
	struct message message;
	struct coordinator_call *call;
};

static void run_later(struct message *message)
{
	struct coordinator_call *call = CONTAINER_OF(message, struct later, message)->call;

	call->done(call);
}

static void run_on_worker(struct coordinator_call *call)
{
	struct coordinator_describe *describe = CONTAINER_OF(call, struct coordinator_describe, call);
	struct later *later = arena_alloc(call->arena, sizeof *later);

	describe->description.group_state = slice_of_text(arena_printf(call->arena, "worker %u", worker_current()->index));
	describe->description.protocol_type = describe->description.protocol_data = SLICE_LITERAL("");
	if (call->group_id.data[0] & 1) {
		call->done(call);
		return;
	}
	*later = (struct later){.message.run = run_later, .call = call};
	worker_post(worker_current(), &later->message);
}

/* In the place of broker/coord/coordinator.c. */
void coordinator_run(struct coordinator *coordinator, struct coordinator_call *call)
{
	ck_assert_ptr_null(coordinator);
	if (several) {
		run_on_worker(call);
		return;
	}
	ck_assert_int_lt(n_asked, ASKED_MAX);
	asked_kinds[n_asked] = call->kind;
	asked[n_asked++] = call;
	if (!reply)
		return;
	reply(call);
	call->done(call);
}

static void begin(struct api_fixture *fixture, void (*with)(struct coordinator_call *call))
{
	api_fixture_init(fixture, NULL);
	api_fixture_topic(fixture, OFFSETS, 50, 1);
	api_fixture_topic(fixture, "t", 2, 1);
	n_asked = 0;
	reply = with;
}

static void say_nothing(struct coordinator_call *call)
{
	(void)call;
}

static void refuse(struct coordinator_call *call)
{
	call->error = KAFKA_NOT_COORDINATOR;
}

/* ---- members ---- */

static struct join_group_request_protocol range = {.name = SLICE_LITERAL("range"), .metadata = SLICE_LITERAL("m")};

static struct join_group_request join_request(void)
{
	return (struct join_group_request){.group_id = SLICE_LITERAL("g"),
					   .session_timeout_ms = 10000,
					   .rebalance_timeout_ms = 60000,
					   .member_id = SLICE_LITERAL("me"),
					   .group_instance_id = SLICE_NULL,
					   .protocol_type = SLICE_LITERAL("consumer"),
					   .protocols = &range,
					   .n_protocols = 1,
					   .reason = SLICE_NULL};
}

static void reply_joined(struct coordinator_call *call)
{
	struct coordinator_join *join = CONTAINER_OF(call, struct coordinator_join, call);

	join->generation = 7;
	join->ret_protocol_type = arena_copy(call->arena, join->protocol_type);
	join->protocol_name = arena_copy(call->arena, join->protocols[0].name);
	join->leader = join->ret_member_id = arena_copy(call->arena, join->member_id);
	join->skip_assignment = join->skip_assignment_allowed;
	join->members = message_array(call->arena, &join_group_response_member_struct, 1);
	join->members[0].member_id = join->leader;
	join->members[0].metadata = arena_copy(call->arena, join->protocols[0].metadata);
	join->n_members = 1;
}

START_TEST(a_member_joins_in_every_version)
{
	struct api_fixture fixture;
	struct join_group_request request = join_request();

	begin(&fixture, reply_joined);
	for (int version = 0; version <= 9; version++) {
		const struct join_group_response *response =
			api_fixture_call(&fixture, API_JOIN_GROUP, version, join_group_handle, &request)->body;

		ck_assert_int_eq(n_asked, 1);
		n_asked = 0;
		ck_assert_int_eq(response->error_code, 0);
		ck_assert_int_eq(response->generation_id, 7);
		ck_assert(version < 7 || slice_is_text(response->protocol_type, "consumer"));
		ck_assert(slice_is_text(response->protocol_name, "range"));
		ck_assert(slice_is_text(response->leader, "me"));
		ck_assert(slice_is_text(response->member_id, "me"));
		ck_assert_int_eq(response->skip_assignment, version >= 9);
		ck_assert_int_eq(response->n_members, 1);
		ck_assert(slice_is_text(response->members[0].metadata, "m"));
	}
	api_fixture_fini(&fixture);
}
END_TEST

/* On the worker: the first of those that wait is refused. */
static void on_end_next(struct message *message)
{
	struct coordinator_call *call = asked[0];

	(void)message;
	memmove(asked, asked + 1, sizeof asked - sizeof asked[0]);
	n_asked--;
	refuse(call);
	call->done(call);
}

START_TEST(what_a_member_says_reaches_the_coordinator)
{
	struct api_fixture fixture;
	struct join_group_request request = join_request();
	struct api_answer *answers[3];
	const struct coordinator_join *join;
	struct message end_next;

	begin(&fixture, NULL);
	answers[0] = api_fixture_send(&fixture, API_JOIN_GROUP, 0, join_group_handle, &request);
	answers[1] = api_fixture_send(&fixture, API_JOIN_GROUP, 3, join_group_handle, &request);
	request.rebalance_timeout_ms = -1;
	request.group_instance_id = SLICE_LITERAL("i");
	snprintf(fixture.client.host, sizeof fixture.client.host, "fe80::1:0");
	answers[2] = api_fixture_send(&fixture, API_JOIN_GROUP, 9, join_group_handle, &request);
	while (n_asked < 3)
		api_fixture_turn(&fixture);
	join = CONTAINER_OF(asked[0], struct coordinator_join, call);
	ck_assert_int_eq(join->call.kind, COORDINATOR_JOIN);
	ck_assert(slice_is_text(join->call.group_id, "g"));
	ck_assert_int_eq(join->rebalance_timeout_ms, 10000);
	ck_assert(!join->known_id_required);
	join = CONTAINER_OF(asked[1], struct coordinator_join, call);
	ck_assert_int_eq(join->rebalance_timeout_ms, 60000);
	join = CONTAINER_OF(asked[2], struct coordinator_join, call);
	ck_assert_int_eq(join->rebalance_timeout_ms, 10000);
	ck_assert(join->known_id_required && join->skip_assignment_allowed);
	ck_assert(slice_is_text(join->group_instance_id, "i"));
	ck_assert(slice_is_text(join->client_host, "/fe80:0:0:0:0:0:1:0"));
	/* They wait, also when their connection closes, until the coordinator is done with them. */
	answers[1]->gone = true;
	for (int i = 0; i < 3; i++) {
		ck_assert(!answers[i]->done);
		end_next.run = on_end_next;
		worker_post(&fixture.shard.worker, &end_next);
		api_fixture_wait(&fixture, answers[i]);
		ck_assert_int_eq(((const struct join_group_response *)answers[i]->body)->error_code, KAFKA_NOT_COORDINATOR);
	}
	api_fixture_fini(&fixture);
}
END_TEST

START_TEST(a_refused_join_has_no_null_where_old_versions_know_none)
{
	struct api_fixture fixture;
	struct join_group_request request = join_request();

	begin(&fixture, refuse);
	for (int version = 0; version <= 9; version++) {
		const struct join_group_response *response =
			api_fixture_call(&fixture, API_JOIN_GROUP, version, join_group_handle, &request)->body;

		n_asked = 0;
		ck_assert_int_eq(response->error_code, KAFKA_NOT_COORDINATOR);
		ck_assert_int_eq(response->generation_id, -1);
		ck_assert(version >= 7 ? slice_is_null(response->protocol_name) : slice_is_text(response->protocol_name, ""));
		ck_assert(slice_is_text(response->leader, ""));
		ck_assert(slice_is_text(response->member_id, "me"));
		ck_assert_int_eq(response->n_members, 0);
	}
	api_fixture_fini(&fixture);
}
END_TEST

static void reply_synced(struct coordinator_call *call)
{
	struct coordinator_sync *sync = CONTAINER_OF(call, struct coordinator_sync, call);

	ck_assert_int_eq(sync->generation, 3);
	ck_assert_int_eq(sync->n_assignments, 1);
	sync->assignment = arena_copy(call->arena, sync->assignments[0].assignment);
	sync->ret_protocol_name = sync->protocol_name;
}

START_TEST(a_member_syncs_and_from_version_5_says_its_protocol)
{
	struct api_fixture fixture;
	struct sync_group_request_assignment assignment = {SLICE_LITERAL("me"), SLICE_LITERAL("mine")};
	struct sync_group_request request = {.group_id = SLICE_LITERAL("g"),
					     .generation_id = 3,
					     .member_id = SLICE_LITERAL("me"),
					     .protocol_type = SLICE_LITERAL("consumer"),
					     .protocol_name = SLICE_LITERAL("range"),
					     .assignments = &assignment,
					     .n_assignments = 1};

	begin(&fixture, reply_synced);
	for (int version = 0; version <= 5; version++) {
		const struct sync_group_response *response =
			api_fixture_call(&fixture, API_SYNC_GROUP, version, sync_group_handle, &request)->body;

		ck_assert_int_eq(response->error_code, 0);
		ck_assert(slice_is_text(response->assignment, "mine"));
	}
	n_asked = 0;
	request.protocol_name = SLICE_NULL;
	ck_assert_int_eq(((const struct sync_group_response *)api_fixture_call(&fixture, API_SYNC_GROUP, 5, sync_group_handle, &request)
				  ->body)
				 ->error_code,
			 KAFKA_INCONSISTENT_GROUP_PROTOCOL);
	ck_assert_int_eq(n_asked, 0);
	api_fixture_fini(&fixture);
}
END_TEST

static int16_t heartbeat(struct api_fixture *fixture, const char *group)
{
	struct heartbeat_request request = {
		.group_id = slice_of_text(group), .generation_id = -5, .member_id = SLICE_LITERAL("me")};

	return ((const struct heartbeat_response *)api_fixture_call(fixture, API_HEARTBEAT, 4, heartbeat_handle, &request)->body)->error_code;
}

START_TEST(a_heartbeat_is_told_what_the_coordinator_says)
{
	struct api_fixture fixture;

	begin(&fixture, say_nothing);
	ck_assert_int_eq(heartbeat(&fixture, "g"), 0);
	ck_assert_int_eq(asked_kinds[0], COORDINATOR_HEARTBEAT);
	reply = refuse;
	ck_assert_int_eq(heartbeat(&fixture, "g"), KAFKA_NOT_COORDINATOR);
	ck_assert_int_eq(n_asked, 2);
	ck_assert_int_eq(heartbeat(&fixture, ""), KAFKA_INVALID_GROUP_ID);
	api_fixture_remove_topic(&fixture, OFFSETS);
	ck_assert_int_eq(heartbeat(&fixture, "g"), KAFKA_NOT_COORDINATOR);
	ck_assert_int_eq(n_asked, 2);
	api_fixture_fini(&fixture);
}
END_TEST

static void reply_left(struct coordinator_call *call)
{
	struct coordinator_leave *leave = CONTAINER_OF(call, struct coordinator_leave, call);

	leave->results = message_array(call->arena, &leave_group_response_member_struct, (size_t)leave->n_members);
	leave->n_results = leave->n_members;
	for (int32_t i = 0; i < leave->n_members; i++) {
		leave->results[i].member_id = leave->members[i].member_id;
		leave->results[i].group_instance_id = SLICE_NULL;
		leave->results[i].error_code = KAFKA_UNKNOWN_MEMBER_ID;
	}
}

START_TEST(one_member_leaves_or_several)
{
	struct api_fixture fixture;
	struct leave_group_request_member members[] = {{.member_id = SLICE_LITERAL("a")}, {.member_id = SLICE_LITERAL("b")}};
	struct leave_group_request request = {
		.group_id = SLICE_LITERAL("g"), .member_id = SLICE_LITERAL("me"), .members = members, .n_members = 2};

	begin(&fixture, reply_left);
	for (int version = 0; version <= 5; version++) {
		const struct leave_group_response *response =
			api_fixture_call(&fixture, API_LEAVE_GROUP, version, leave_group_handle, &request)->body;

		ck_assert_int_eq(response->error_code, version < 3 ? KAFKA_UNKNOWN_MEMBER_ID : 0);
		ck_assert_int_eq(response->n_members, version < 3 ? 0 : 2);
		if (version >= 3)
			ck_assert_int_eq(response->members[1].error_code, KAFKA_UNKNOWN_MEMBER_ID);
	}
	reply = refuse;
	ck_assert_int_eq(((const struct leave_group_response *)api_fixture_call(&fixture, API_LEAVE_GROUP, 3, leave_group_handle, &request)
				  ->body)
				 ->error_code,
			 KAFKA_NOT_COORDINATOR);
	api_fixture_fini(&fixture);
}
END_TEST

/* ---- offsets ---- */

static void reply_committed(struct coordinator_call *call)
{
	struct coordinator_commit *commit = CONTAINER_OF(call, struct coordinator_commit, call);

	commit->results = message_array(call->arena, &offset_commit_response_topic_struct, (size_t)commit->n_topics);
	commit->n_results = commit->n_topics;
	for (int32_t t = 0; t < commit->n_topics; t++) {
		int32_t n = commit->topics[t].n_partitions;

		commit->results[t].name = commit->topics[t].name;
		commit->results[t].partitions = message_array(call->arena, &offset_commit_response_partition_struct, (size_t)n);
		commit->results[t].n_partitions = n;
		for (int32_t p = 0; p < n; p++) {
			commit->results[t].partitions[p].partition_index = commit->topics[t].partitions[p].partition_index;
			commit->results[t].partitions[p].error_code = commit->topics[t].partitions[p].committed_offset == 666
									      ? KAFKA_OFFSET_METADATA_TOO_LARGE
									      : 0;
		}
	}
}

static const struct offset_commit_response *commit(struct api_fixture *fixture, int version, struct offset_commit_request_topic *topics, int n)
{
	struct offset_commit_request request = offset_commit_request_default;

	request.group_id = SLICE_LITERAL("g");
	request.topics = topics;
	request.n_topics = n;
	request.retention_time_ms = 5;
	return api_fixture_call(fixture, API_OFFSET_COMMIT, version, offset_commit_handle, &request)->body;
}

START_TEST(offsets_of_what_exists_are_committed)
{
	struct api_fixture fixture;
	struct offset_commit_request_partition partitions[] = {
		{.partition_index = 9, .commit_timestamp = -1}, {.partition_index = 0, .committed_offset = 1, .commit_timestamp = -1},
		{.partition_index = -1, .commit_timestamp = -1}, {.partition_index = 1, .committed_offset = 666, .commit_timestamp = -1}};
	struct offset_commit_request_topic topics[] = {
		{.name = SLICE_LITERAL("nope"), .partitions = partitions, .n_partitions = 4},
		{.name = SLICE_LITERAL("t"), .partitions = partitions, .n_partitions = 4},
		{.name = SLICE_LITERAL("t"), .partitions = partitions, .n_partitions = 0},
		{.name = SLICE_LITERAL("t"), .partitions = partitions + 1, .n_partitions = 1},
	};
	const struct offset_commit_response *response;

	for (int i = 0; i < 4; i++)
		partitions[i].committed_metadata = SLICE_NULL;
	begin(&fixture, reply_committed);
	for (int version = 1; version <= 9; version++) {
		n_asked = 0;
		response = commit(&fixture, version, topics, 4);
		ck_assert_int_eq(n_asked, 1);
		ck_assert_int_eq(response->n_topics, 4);
		for (int p = 0; p < 4; p++)
			ck_assert_int_eq(response->topics[0].partitions[p].error_code, KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
		ck_assert_int_eq(response->topics[1].partitions[0].error_code, KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
		ck_assert_int_eq(response->topics[1].partitions[1].error_code, 0);
		ck_assert_int_eq(response->topics[1].partitions[2].error_code, KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
		ck_assert_int_eq(response->topics[1].partitions[3].error_code, KAFKA_OFFSET_METADATA_TOO_LARGE);
		ck_assert_int_eq(response->topics[2].n_partitions, 0);
		ck_assert_int_eq(response->topics[3].partitions[0].error_code, 0);
	}
	n_asked = 0;
	commit(&fixture, 8, topics, 1);
	ck_assert_int_eq(n_asked, 0);
	api_fixture_remove_topic(&fixture, OFFSETS);
	response = commit(&fixture, 8, topics, 4);
	ck_assert_int_eq(n_asked, 0);
	ck_assert_int_eq(response->topics[1].partitions[0].error_code, KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
	ck_assert_int_eq(response->topics[1].partitions[1].error_code, KAFKA_NOT_COORDINATOR);
	ck_assert_int_eq(response->topics[3].partitions[0].error_code, KAFKA_NOT_COORDINATOR);
	api_fixture_fini(&fixture);
}
END_TEST

static void reply_fetched(struct coordinator_call *call)
{
	struct coordinator_fetch_offsets *fetch = CONTAINER_OF(call, struct coordinator_fetch_offsets, call);

	if (slice_is_text(call->group_id, "foreign")) {
		call->error = KAFKA_NOT_COORDINATOR;
		return;
	}
	/* All that it has is one offset of t-1, and asked for by name it is that, too. */
	fetch->results = message_array(call->arena, &offset_fetch_response_group_topic_struct, 1);
	fetch->n_results = 1;
	fetch->results[0].name = SLICE_LITERAL("t");
	fetch->results[0].partitions = message_array(call->arena, &offset_fetch_response_group_partition_struct, 1);
	fetch->results[0].n_partitions = 1;
	fetch->results[0].partitions[0] = (struct offset_fetch_response_group_partition){
		.partition_index = 1, .committed_offset = fetch->n_topics < 0 ? 77 : 42, .committed_leader_epoch = 3,
		.metadata = SLICE_LITERAL("note"), .error_code = fetch->require_stable ? KAFKA_UNSTABLE_OFFSET_COMMIT : 0};
}

START_TEST(one_group_is_asked_for_its_offsets)
{
	struct api_fixture fixture;
	int32_t index = 1;
	struct offset_fetch_request_topic topic = {.name = SLICE_LITERAL("t"), .partition_indexes = &index, .n_partition_indexes = 1};
	struct offset_fetch_request request = {
		.group_id = SLICE_LITERAL("g"), .topics = &topic, .n_topics = 1, .require_stable = true};

	begin(&fixture, reply_fetched);
	for (int version = 1; version <= 7; version++) {
		const struct offset_fetch_response *response =
			api_fixture_call(&fixture, API_OFFSET_FETCH, version, offset_fetch_handle, &request)->body;
		const struct offset_fetch_response_partition *row = &response->topics[0].partitions[0];

		n_asked = 0;
		ck_assert_int_eq(response->error_code, 0);
		ck_assert_int_eq(response->n_topics, 1);
		ck_assert_int_eq(row->partition_index, 1);
		ck_assert_int_eq(row->committed_offset, 42);
		ck_assert_int_eq(row->committed_leader_epoch, version >= 5 ? 3 : -1);
		ck_assert(slice_is_text(row->metadata, "note"));
		ck_assert_int_eq(row->error_code, version >= 7 ? KAFKA_UNSTABLE_OFFSET_COMMIT : 0);
	}
	request.n_topics = -1;
	request.topics = NULL;
	for (int version = 2; version <= 7; version++)
		ck_assert_int_eq(((const struct offset_fetch_response *)api_fixture_call(&fixture, API_OFFSET_FETCH, version,
											 offset_fetch_handle, &request)
					  ->body)
					 ->topics[0]
					 .partitions[0]
					 .committed_offset,
				 77);
	api_fixture_fini(&fixture);
}
END_TEST

START_TEST(a_refusal_stands_where_the_version_has_a_place_for_it)
{
	struct api_fixture fixture;
	int32_t indexes[] = {1, 0};
	struct offset_fetch_request_topic topic = {.name = SLICE_LITERAL("t"), .partition_indexes = indexes, .n_partition_indexes = 2};
	struct offset_fetch_request request = {.group_id = SLICE_LITERAL("foreign"), .topics = &topic, .n_topics = 1};

	begin(&fixture, reply_fetched);
	for (int version = 1; version <= 7; version++) {
		const struct offset_fetch_response *response =
			api_fixture_call(&fixture, API_OFFSET_FETCH, version, offset_fetch_handle, &request)->body;

		n_asked = 0;
		ck_assert_int_eq(response->error_code, version == 1 ? 0 : KAFKA_NOT_COORDINATOR);
		ck_assert_int_eq(response->n_topics, version == 1 ? 1 : 0);
		if (version == 1) {
			ck_assert_int_eq(response->topics[0].n_partitions, 2);
			ck_assert_int_eq(response->topics[0].partitions[0].partition_index, 1);
			ck_assert_int_eq(response->topics[0].partitions[1].error_code, KAFKA_NOT_COORDINATOR);
			ck_assert_int_eq(response->topics[0].partitions[1].committed_offset, -1);
		}
	}
	api_fixture_fini(&fixture);
}
END_TEST

START_TEST(several_groups_are_asked_each_for_itself)
{
	struct api_fixture fixture;
	struct offset_fetch_request_group groups[] = {{.group_id = SLICE_LITERAL("g"), .member_epoch = -1, .n_topics = -1},
						      {.group_id = SLICE_LITERAL("foreign"), .member_epoch = -1, .n_topics = -1},
						      {.group_id = SLICE_LITERAL(""), .member_epoch = -1, .n_topics = 0}};
	struct offset_fetch_request request = {.groups = groups, .n_groups = 3};
	const struct offset_fetch_response *response;

	begin(&fixture, reply_fetched);
	for (int version = 8; version <= 9; version++) {
		response = api_fixture_call(&fixture, API_OFFSET_FETCH, version, offset_fetch_handle, &request)->body;
		n_asked = 0;
		ck_assert_int_eq(response->n_groups, 3);
		ck_assert(slice_is_text(response->groups[0].group_id, "g"));
		ck_assert_int_eq(response->groups[0].topics[0].partitions[0].committed_offset, 77);
		ck_assert_int_eq(response->groups[1].error_code, KAFKA_NOT_COORDINATOR);
		ck_assert_int_eq(response->groups[1].n_topics, 0);
		ck_assert_int_eq(response->groups[2].topics[0].partitions[0].committed_offset, 42);
	}
	request.n_groups = 0;
	response = api_fixture_call(&fixture, API_OFFSET_FETCH, 8, offset_fetch_handle, &request)->body;
	ck_assert_int_eq(response->n_groups, 0);
	api_fixture_fini(&fixture);
}
END_TEST

static void reply_offsets_deleted(struct coordinator_call *call)
{
	struct coordinator_delete_offsets *delete = CONTAINER_OF(call, struct coordinator_delete_offsets, call);

	if (slice_is_text(call->group_id, "foreign")) {
		call->error = KAFKA_GROUP_ID_NOT_FOUND;
		return;
	}
	delete->results = message_array(call->arena, &offset_delete_response_topic_struct, (size_t)delete->n_topics);
	delete->n_results = delete->n_topics;
	for (int32_t t = 0; t < delete->n_topics; t++) {
		int32_t n = delete->topics[t].n_partitions;

		delete->results[t].partitions = message_array(call->arena, &offset_delete_response_partition_struct, (size_t)n);
		for (int32_t p = 0; p < n; p++)
			delete->results[t].partitions[p].error_code = KAFKA_GROUP_SUBSCRIBED_TO_TOPIC;
	}
}

START_TEST(offsets_of_what_exists_are_deleted)
{
	struct api_fixture fixture;
	struct offset_delete_request_partition partitions[] = {{9}, {1}};
	struct offset_delete_request_topic topics[] = {{SLICE_LITERAL("nope"), partitions, 2}, {SLICE_LITERAL("t"), partitions, 2}};
	struct offset_delete_request request = {.group_id = SLICE_LITERAL("g"), .topics = topics, .n_topics = 2};
	const struct offset_delete_response *response;

	begin(&fixture, reply_offsets_deleted);
	response = api_fixture_call(&fixture, API_OFFSET_DELETE, 0, offset_delete_handle, &request)->body;
	ck_assert_int_eq(response->error_code, 0);
	ck_assert_int_eq(response->topics[0].partitions[1].error_code, KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
	ck_assert_int_eq(response->topics[1].partitions[0].error_code, KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
	ck_assert_int_eq(response->topics[1].partitions[1].error_code, KAFKA_GROUP_SUBSCRIBED_TO_TOPIC);
	request.group_id = SLICE_LITERAL("foreign");
	response = api_fixture_call(&fixture, API_OFFSET_DELETE, 0, offset_delete_handle, &request)->body;
	ck_assert_int_eq(response->error_code, KAFKA_GROUP_ID_NOT_FOUND);
	ck_assert_int_eq(response->n_topics, 0);
	/* The group is judged also when none of the topics is known. */
	request.n_topics = 1;
	response = api_fixture_call(&fixture, API_OFFSET_DELETE, 0, offset_delete_handle, &request)->body;
	ck_assert_int_eq(response->error_code, KAFKA_GROUP_ID_NOT_FOUND);
	api_fixture_fini(&fixture);
}
END_TEST

/* ---- administration ---- */

static void reply_described(struct coordinator_call *call)
{
	struct coordinator_describe *describe = CONTAINER_OF(call, struct coordinator_describe, call);

	if (slice_is_text(call->group_id, "foreign")) {
		call->error = KAFKA_NOT_COORDINATOR;
		return;
	}
	describe->description.group_id = call->group_id;
	describe->description.group_state = SLICE_LITERAL("Dead");
	describe->description.protocol_type = describe->description.protocol_data = SLICE_LITERAL("");
}

START_TEST(groups_are_described_in_the_order_asked_for)
{
	struct api_fixture fixture;
	struct slice names[] = {SLICE_LITERAL("foreign"), SLICE_LITERAL(""), SLICE_LITERAL("g"), SLICE_LITERAL("g")};
	struct describe_groups_request request = {.groups = names, .n_groups = 4, .include_authorized_operations = true};

	begin(&fixture, reply_described);
	for (int version = 0; version <= 5; version++) {
		const struct describe_groups_response *response;

		request.include_authorized_operations = version >= 3;
		response = api_fixture_call(&fixture, API_DESCRIBE_GROUPS, version, describe_groups_handle, &request)->body;
		n_asked = 0;
		ck_assert_int_eq(response->n_groups, 4);
		ck_assert_int_eq(response->groups[0].error_code, KAFKA_NOT_COORDINATOR);
		ck_assert(slice_is_text(response->groups[0].group_id, "foreign"));
		ck_assert(slice_is_text(response->groups[0].group_state, ""));
		ck_assert_int_eq(response->groups[0].authorized_operations, INT32_MIN);
		ck_assert_int_eq(response->groups[1].error_code, 0);
		ck_assert(slice_is_text(response->groups[3].group_state, "Dead"));
		ck_assert_int_eq(response->groups[3].authorized_operations, version >= 3 ? OPERATIONS_GROUP : INT32_MIN);
	}
	api_fixture_fini(&fixture);
}
END_TEST

static void reply_listed(struct coordinator_call *call)
{
	struct coordinator_list *list = CONTAINER_OF(call, struct coordinator_list, call);

	call->error = KAFKA_COORDINATOR_LOAD_IN_PROGRESS;
	list->groups = message_array(call->arena, &list_groups_response_group_struct, 1);
	list->n_groups = 1;
	list->groups[0].group_id = list->n_states ? list->states[0] : SLICE_LITERAL("g");
	list->groups[0].protocol_type = SLICE_LITERAL("consumer");
	list->groups[0].group_type = list->n_types ? list->types[0] : SLICE_LITERAL("classic");
}

START_TEST(groups_are_listed_also_while_others_are_loaded)
{
	struct api_fixture fixture;
	struct slice filter = SLICE_LITERAL("Stable"), type = SLICE_LITERAL("Classic");
	struct list_groups_request request = {.states_filter = &filter, .n_states_filter = 1, .types_filter = &type, .n_types_filter = 1};

	begin(&fixture, reply_listed);
	for (int version = 0; version <= 5; version++) {
		const struct list_groups_response *response;

		request.n_states_filter = version >= 4;
		request.n_types_filter = version >= 5;
		response = api_fixture_call(&fixture, API_LIST_GROUPS, version, list_groups_handle, &request)->body;
		ck_assert_int_eq(response->error_code, KAFKA_COORDINATOR_LOAD_IN_PROGRESS);
		ck_assert_int_eq(response->n_groups, 1);
		ck_assert(slice_is_text(response->groups[0].group_id, version >= 4 ? "Stable" : "g"));
		ck_assert(version < 5 || slice_is_text(response->groups[0].group_type, "Classic"));
	}
	api_fixture_fini(&fixture);
}
END_TEST

START_TEST(a_group_named_twice_is_deleted_once)
{
	struct api_fixture fixture;
	struct slice names[] = {SLICE_LITERAL("a"), SLICE_LITERAL(""), SLICE_LITERAL("a"), SLICE_LITERAL("b")};
	struct delete_groups_request request = {.groups_names = names, .n_groups_names = 4};

	begin(&fixture, refuse);
	for (int version = 0; version <= 2; version++) {
		const struct delete_groups_response *response =
			api_fixture_call(&fixture, API_DELETE_GROUPS, version, delete_groups_handle, &request)->body;

		ck_assert_int_eq(n_asked, 3);
		n_asked = 0;
		ck_assert_int_eq(response->n_results, 3);
		ck_assert(slice_is_text(response->results[2].group_id, "b"));
		ck_assert_int_eq(response->results[1].error_code, KAFKA_NOT_COORDINATOR);
	}
	api_fixture_fini(&fixture);
}
END_TEST

#define N_WORKERS 3
#define N_NAMES 200

/* Two more workers than the fixture has, with threads of their own. */
static void start_workers(struct api_fixture *fixture, struct shard *others, struct shard **all)
{
	for (int i = 0; i < N_WORKERS; i++) {
		all[i] = i ? &others[i - 1] : &fixture->shard;
		if (i) {
			*all[i] = (struct shard){.index = i};
			ck_assert_int_eq(worker_init(&all[i]->worker, "other", (unsigned)i), 0);
			ck_assert_int_eq(worker_start(&all[i]->worker), 0);
		}
		all[i]->n_shards = N_WORKERS;
		all[i]->all = all;
	}
}

static void stop_workers(struct shard *others)
{
	for (int i = 0; i < N_WORKERS - 1; i++) {
		worker_stop(&others[i].worker);
		worker_join(&others[i].worker);
		worker_drain(&others[i].worker);
		worker_fini(&others[i].worker);
	}
}

START_TEST(groups_of_several_workers_are_asked_there)
{
	struct api_fixture fixture;
	struct shard others[N_WORKERS - 1], *all[N_WORKERS];
	struct slice names[N_NAMES];
	struct describe_groups_request request = {.groups = names, .n_groups = N_NAMES};
	const struct describe_groups_response *response;
	int met[N_WORKERS] = {0};
	char texts[N_NAMES][16];

	begin(&fixture, NULL);
	start_workers(&fixture, others, all);
	several = true;
	for (int i = 0; i < N_NAMES; i++) {
		snprintf(texts[i], sizeof texts[i], "%c%d", 'a' + i % 2, i);
		names[i] = slice_of_text(texts[i]);
	}
	response = api_fixture_call(&fixture, API_DESCRIBE_GROUPS, 5, describe_groups_handle, &request)->body;
	ck_assert_int_eq(response->n_groups, N_NAMES);
	for (int i = 0; i < N_NAMES; i++) {
		struct coordinator_call call = {.kind = COORDINATOR_DESCRIBE, .group_id = names[i]};
		int owner = coordinator_route(&fixture.shard, &call)->index;
		char state[16];

		snprintf(state, sizeof state, "worker %d", owner);
		met[owner]++;
		ck_assert(slice_equal(response->groups[i].group_id, names[i]));
		ck_assert(slice_is_text(response->groups[i].group_state, state));
	}
	for (int i = 0; i < N_WORKERS; i++)
		ck_assert_int_gt(met[i], 0);
	stop_workers(others);
	fixture.shard.n_shards = 1;
	api_fixture_fini(&fixture);
}
END_TEST

START_TEST(who_names_too_many_is_cut_off)
{
	struct api_fixture fixture;
	int32_t n = LIMIT_REQUEST_PARTS + 1;
	struct slice *names = memory_zalloc((size_t)n, sizeof *names);
	struct describe_groups_request describe = {.groups = names, .n_groups = n};
	struct delete_groups_request delete = {.groups_names = names, .n_groups_names = n};
	struct find_coordinator_request find_request = {.coordinator_keys = names, .n_coordinator_keys = n};
	static struct leave_group_request_member members[LIMIT_GROUP_MEMBERS + LIMIT_GROUP_PENDING + 1];
	static struct sync_group_request_assignment assignments[LIMIT_GROUP_MEMBERS + 1];
	struct leave_group_request leave = {.members = members, .n_members = ARRAY_LEN(members)};
	struct sync_group_request sync = {.assignments = assignments, .n_assignments = ARRAY_LEN(assignments)};

	for (int32_t i = 0; i < n; i++)
		names[i] = SLICE_LITERAL("g");
	for (int32_t i = 0; i < leave.n_members; i++)
		members[i].member_id = SLICE_LITERAL("c-00000000-0000-0000-0000-000000000000");
	for (int32_t i = 0; i < sync.n_assignments; i++)
		assignments[i].member_id = SLICE_LITERAL("c-00000000-0000-0000-0000-000000000000");
	begin(&fixture, refuse);
	ck_assert(api_fixture_call(&fixture, API_DESCRIBE_GROUPS, 5, describe_groups_handle, &describe)->closed);
	ck_assert(api_fixture_call(&fixture, API_DELETE_GROUPS, 2, delete_groups_handle, &delete)->closed);
	ck_assert(api_fixture_call(&fixture, API_FIND_COORDINATOR, 4, find_coordinator_handle, &find_request)->closed);
	ck_assert(api_fixture_call(&fixture, API_LEAVE_GROUP, 5, leave_group_handle, &leave)->closed);
	ck_assert(api_fixture_call(&fixture, API_SYNC_GROUP, 3, sync_group_handle, &sync)->closed);
	ck_assert_int_eq(n_asked, 0);
	api_fixture_fini(&fixture);
	free(names);
}
END_TEST

UNIT_MAIN("broker/api/groups", a_coordinator_is_the_leader_of_the_partition_of_the_key,
	  without_a_leader_or_its_listener_there_is_no_coordinator, unknown_types_are_refused,
	  a_topic_that_cannot_be_made_is_no_coordinator, a_member_joins_in_every_version, what_a_member_says_reaches_the_coordinator,
	  a_refused_join_has_no_null_where_old_versions_know_none, a_member_syncs_and_from_version_5_says_its_protocol,
	  a_heartbeat_is_told_what_the_coordinator_says, one_member_leaves_or_several, offsets_of_what_exists_are_committed,
	  one_group_is_asked_for_its_offsets, a_refusal_stands_where_the_version_has_a_place_for_it,
	  several_groups_are_asked_each_for_itself, offsets_of_what_exists_are_deleted, groups_are_described_in_the_order_asked_for,
	  groups_are_listed_also_while_others_are_loaded, a_group_named_twice_is_deleted_once, groups_of_several_workers_are_asked_there,
	  who_names_too_many_is_cut_off)
