/* A coordinator on a shard of its own, with partition 0 of the offsets topic on a real folder, led alone in epoch 0; and what it is asked. */
#ifndef KLAMM_TEST_UNIT_BROKER_COORD_COORDINATOR_FIXTURE_H
#define KLAMM_TEST_UNIT_BROKER_COORD_COORDINATOR_FIXTURE_H

/* Before the fixture of partitions, whose names these headers use for parameters. */
#include "broker/coord/coordinator_internal.h"
#include "broker/meta/internal_topics_core.h"

#include "test/unit/broker/replica/partition_fixture.h"

static struct arena answers; /* of all calls */

static void open_coordinator(void)
{
	coordinator_open(&shard);
}

static void free_coordinator(void)
{
	coordinator_free(shard.coordinator);
}

static void coordinator_setup(void)
{
	topic_name = INTERNAL_TOPIC_OFFSETS;
	shard_made = open_coordinator;
	shard_goes = free_coordinator;
	arena_init(&answers);
	setup();
}

static void coordinator_teardown(void)
{
	coordinator_stop(shard.coordinator);
	teardown();
	arena_fini(&answers);
}

/* Runs what is posted and due until the condition holds, ten seconds at most. */
#define TURN_UNTIL(condition)                                                    \
	do {                                                                     \
		int64_t turn_until_ms = clock_ms() + 10000;                      \
		while (!(condition) && clock_ms() < turn_until_ms)               \
			loop_turn(&shard.worker.loop, 20);                       \
		ck_assert(condition);                                            \
	} while (0)

static struct group_home *home(void)
{
	return shard.coordinator->homes;
}

static void await_serving(void)
{
	TURN_UNTIL(home() && home()->state == HOME_SERVING);
}

static void call_done(struct coordinator_call *call)
{
	/* Only done sets it: a call that is asked has its arena. */
	ck_assert_ptr_nonnull(call->arena);
	call->arena = NULL;
}

static bool is_done(const struct coordinator_call *call)
{
	return !call->arena;
}

static void ask(struct coordinator_call *call, enum coordinator_kind kind, const char *group)
{
	call->kind = kind;
	call->group_id = slice_of_text(group);
	call->arena = &answers;
	call->done = call_done;
	call->place = (struct coordinator_place){topic_id, 0};
	coordinator_run(shard.coordinator, call);
}

static void ask_and_wait(struct coordinator_call *call, enum coordinator_kind kind, const char *group)
{
	ask(call, kind, group);
	TURN_UNTIL(is_done(call));
}

/* ---- offsets ---- */

struct commit_call {
	struct coordinator_commit commit;
	struct offset_commit_request_topic topic;
	struct offset_commit_request_partition partition;
};

static struct commit_call *commit_of(struct commit_call *call, const char *topic, int32_t partition_index, int64_t offset, const char *metadata)
{
	*call = (struct commit_call){
		.partition = {.partition_index = partition_index,
			      .committed_offset = offset,
			      .committed_leader_epoch = 3,
			      .commit_timestamp = -1,
			      .committed_metadata = slice_of_text(metadata)},
		.topic = {.name = slice_of_text(topic), .partitions = &call->partition, .n_partitions = 1},
		.commit = {.generation = -1, .member_id = SLICE_LITERAL(""), .retention_time_ms = -1, .topics = &call->topic, .n_topics = 1},
	};
	return call;
}

/* A commit without membership; its partition's error. */
static __attribute__((unused)) int16_t commit(const char *group, const char *topic, int32_t partition_index, int64_t offset)
{
	struct commit_call call;

	ask_and_wait(&commit_of(&call, topic, partition_index, offset, "meta")->commit.call, COORDINATOR_COMMIT, group);
	ck_assert_int_eq(call.commit.n_results, 1);
	return call.commit.results[0].partitions[0].error_code;
}

static __attribute__((unused)) struct offset_fetch_response_group_partition fetch_with(const char *group, const char *topic,
										       int32_t partition_index, bool stable)
{
	struct offset_fetch_request_group_topic asked = {slice_of_text(topic), &partition_index, 1};
	struct coordinator_fetch_offsets fetch = {.topics = &asked, .n_topics = 1, .require_stable = stable};

	ask_and_wait(&fetch.call, COORDINATOR_FETCH_OFFSETS, group);
	if (fetch.call.error)
		return (struct offset_fetch_response_group_partition){.error_code = fetch.call.error, .committed_offset = -2};
	ck_assert_int_eq(fetch.n_results, 1);
	ck_assert_int_eq(fetch.results[0].n_partitions, 1);
	return fetch.results[0].partitions[0];
}

static __attribute__((unused)) int64_t fetch(const char *group, const char *topic, int32_t partition_index)
{
	return fetch_with(group, topic, partition_index, false).committed_offset;
}

/* ---- members ---- */

static const struct join_group_request_protocol range_protocol = {SLICE_LITERAL("range"),
								    {(const uint8_t *)"\0\1\0\0\0\1\0\1t\0\0\0\0\0\0\0\0", 17}};

static __attribute__((unused)) void ask_join(struct coordinator_join *join, const char *group, struct slice member_id, const char *instance)
{
	*join = (struct coordinator_join){
		.member_id = member_id,
		.group_instance_id = slice_of_text(instance),
		.client_id = SLICE_LITERAL("c"),
		.client_host = SLICE_LITERAL("/127.0.0.1"),
		.protocol_type = SLICE_LITERAL("consumer"),
		.protocols = &range_protocol,
		.n_protocols = 1,
		.session_timeout_ms = 10000,
		.rebalance_timeout_ms = 10000,
	};
	ask(&join->call, COORDINATOR_JOIN, group);
}

static __attribute__((unused)) void ask_sync(struct coordinator_sync *sync, const char *group, const struct coordinator_join *join,
					     const struct sync_group_request_assignment *assignments, int32_t n)
{
	*sync = (struct coordinator_sync){.generation = join->generation, .member_id = join->ret_member_id, .assignments = assignments,
					  .n_assignments = n};
	ask(&sync->call, COORDINATOR_SYNC, group);
}

static __attribute__((unused)) int16_t heartbeat(const char *group, int32_t generation, struct slice member_id)
{
	struct coordinator_heartbeat beat = {.generation = generation, .member_id = member_id};

	ask_and_wait(&beat.call, COORDINATOR_HEARTBEAT, group);
	return beat.call.error;
}

static __attribute__((unused)) struct slice describe_state(const char *group)
{
	struct coordinator_describe describe = {0};

	ask_and_wait(&describe.call, COORDINATOR_DESCRIBE, group);
	return describe.description.group_state;
}

/* One member joins and gets an assignment; join holds what it is told. */
static __attribute__((unused)) void make_stable(const char *group, const char *instance, struct coordinator_join *join)
{
	struct sync_group_request_assignment assignment;
	struct coordinator_sync sync;

	ask_join(join, group, SLICE_LITERAL(""), instance);
	TURN_UNTIL(is_done(&join->call));
	ck_assert_int_eq(join->call.error, 0);
	assignment = (struct sync_group_request_assignment){join->ret_member_id, SLICE_LITERAL("all")};
	ask_sync(&sync, group, join, &assignment, 1);
	TURN_UNTIL(is_done(&sync.call));
	ck_assert_int_eq(sync.call.error, 0);
	ck_assert(slice_is_text(sync.assignment, "all"));
}

#endif
