/* The coordinator on a real log: what it is asked, and what it says when it is not the coordinator. */
#include "test/unit/broker/coord/coordinator_fixture.h"

static const char *const no_delay = "group.initial.rebalance.delay.ms=0\n";

START_TEST(a_commit_is_told_by_a_fetch)
{
	struct offset_fetch_response_group_partition told;

	coordinator_setup();
	await_serving();
	ck_assert_int_eq(fetch("g", "t", 0), -1);
	ck_assert_int_eq(commit("g", "t", 0, 7), 0);
	told = fetch_with("g", "t", 0, true);
	ck_assert_int_eq(told.committed_offset, 7);
	ck_assert_int_eq(told.committed_leader_epoch, 3);
	ck_assert(slice_is_text(told.metadata, "meta"));
	ck_assert_int_eq(fetch("g", "t", 1), -1);
	ck_assert_int_eq(commit("g", "t", 0, 3), 0);
	ck_assert_int_eq(fetch("g", "t", 0), 3);
	coordinator_teardown();
}
END_TEST

START_TEST(a_member_joins_syncs_beats_and_commits)
{
	struct coordinator_join join;
	struct commit_call call;

	more_properties = no_delay;
	coordinator_setup();
	await_serving();
	make_stable("g", NULL, &join);
	ck_assert_int_eq(join.generation, 1);
	ck_assert_int_eq(join.n_members, 1);
	ck_assert(slice_equal(join.leader, join.ret_member_id));
	ck_assert(slice_is_text(join.protocol_name, "range"));
	ck_assert_int_eq(heartbeat("g", 1, join.ret_member_id), 0);
	ck_assert_int_eq(heartbeat("g", 2, join.ret_member_id), KAFKA_ILLEGAL_GENERATION);
	ck_assert_int_eq(heartbeat("g", 1, SLICE_LITERAL("x")), KAFKA_UNKNOWN_MEMBER_ID);
	ck_assert(slice_is_text(describe_state("g"), "Stable"));
	ck_assert_int_eq(commit("g", "t", 0, 7), KAFKA_UNKNOWN_MEMBER_ID);
	commit_of(&call, "t", 0, 9, "");
	call.commit.generation = 1;
	call.commit.member_id = join.ret_member_id;
	ask_and_wait(&call.commit.call, COORDINATOR_COMMIT, "g");
	ck_assert_int_eq(call.commit.call.error, 0);
	ck_assert_int_eq(fetch("g", "t", 0), 9);
	coordinator_teardown();
	more_properties = "";
}
END_TEST

/* Its members hear of an append that failed what Kafka's do, and the group begins again. */
START_TEST(an_assignment_that_the_log_does_not_take_is_an_error_of_the_server)
{
	struct coordinator_join join;
	struct coordinator_sync sync;
	uint8_t *large = calloc(1, 2 << 20);

	more_properties = no_delay;
	coordinator_setup();
	await_serving();
	ask_join(&join, "g", SLICE_LITERAL(""), NULL);
	TURN_UNTIL(is_done(&join.call));
	ask_sync(&sync, "g", &join, &(struct sync_group_request_assignment){join.ret_member_id, slice_of(large, 2 << 20)}, 1);
	TURN_UNTIL(is_done(&sync.call));
	ck_assert_int_eq(sync.call.error, KAFKA_UNKNOWN_SERVER_ERROR);
	ck_assert(slice_is_text(describe_state("g"), "PreparingRebalance"));
	ck_assert_int_eq(heartbeat("g", 1, join.ret_member_id), KAFKA_REBALANCE_IN_PROGRESS);
	coordinator_teardown();
	more_properties = "";
	free(large);
}
END_TEST

START_TEST(groups_are_counted_by_their_state)
{
	const int64_t *counts = shard.group_counters.n_in_state;
	struct coordinator_leave leave = {.n_members = 1};
	struct leave_group_request_member member = {0};
	struct coordinator_join join;

	more_properties = no_delay;
	coordinator_setup();
	await_serving();
	ck_assert_int_eq(commit("simple", "t", 0, 7), 0);
	make_stable("g", NULL, &join);
	ck_assert_int_eq(counts[GROUP_EMPTY], 1);
	ck_assert_int_eq(counts[GROUP_STABLE], 1);
	ck_assert_int_eq(shard.group_counters.n_rebalances, 1);
	ck_assert_int_eq(shard.group_counters.n_commits, 1);
	member.member_id = join.ret_member_id;
	leave.members = &member;
	ask_and_wait(&leave.call, COORDINATOR_LEAVE, "g");
	ck_assert_int_eq(counts[GROUP_STABLE], 0);
	ck_assert_int_eq(counts[GROUP_EMPTY], 2);
	ck_assert_int_eq(shard.group_counters.n_groups, 2);
	partition_resign(partition);
	ck_assert_int_eq(counts[GROUP_EMPTY], 0);
	ck_assert_int_eq(shard.group_counters.n_groups, 0);
	ck_assert_int_eq(shard.group_counters.n_offsets, 0);
	coordinator_teardown();
	more_properties = "";
}
END_TEST

START_TEST(members_beyond_the_memory_of_a_worker_are_refused_and_others_go_on)
{
	struct coordinator_join join, other, again;

	more_properties = no_delay;
	coordinator_setup();
	await_serving();
	make_stable("g", NULL, &join);
	shard.coordinator->group_bytes += LIMIT_SHARD_GROUP_BYTES;
	ask_join(&other, "g", SLICE_LITERAL(""), NULL);
	TURN_UNTIL(is_done(&other.call));
	ck_assert_int_eq(other.call.error, KAFKA_POLICY_VIOLATION);
	ck_assert_int_eq(heartbeat("g", 1, join.ret_member_id), 0);
	ask_join(&again, "g", join.ret_member_id, NULL);
	TURN_UNTIL(is_done(&again.call));
	ck_assert_int_eq(again.call.error, 0);
	ck_assert_int_eq(commit("h", "t", 0, 1), KAFKA_POLICY_VIOLATION);
	shard.coordinator->group_bytes -= LIMIT_SHARD_GROUP_BYTES;
	ck_assert_int_eq(commit("h", "t", 0, 1), 0);
	partition_resign(partition);
	ck_assert_int_eq(shard.coordinator->group_bytes, 0);
	coordinator_teardown();
	more_properties = "";
}
END_TEST

/* Named so often that its metadata would be 240 MB. */
START_TEST(a_group_that_is_described_again_and_again_has_a_bounded_answer)
{
	static uint8_t metadata[800000];
	struct coordinator_describe first = {0}, last = {0};
	struct join_group_request_protocol protocol = {SLICE_LITERAL("range"), slice_of(metadata, sizeof metadata)};
	struct coordinator_join join;
	struct coordinator_sync sync;

	more_properties = no_delay;
	coordinator_setup();
	await_serving();
	join = (struct coordinator_join){.client_id = SLICE_LITERAL("c"),
					 .protocol_type = SLICE_LITERAL("x"),
					 .protocols = &protocol,
					 .n_protocols = 1,
					 .session_timeout_ms = 10000,
					 .rebalance_timeout_ms = 10000};
	ask_and_wait(&join.call, COORDINATOR_JOIN, "g");
	ask_sync(&sync, "g", &join, NULL, 0);
	TURN_UNTIL(is_done(&sync.call));
	ask_and_wait(&first.call, COORDINATOR_DESCRIBE, "g");
	ck_assert_int_eq(first.call.error, 0);
	ck_assert_uint_eq(first.description.members[0].member_metadata.len, sizeof metadata);
	for (int i = 0; i < 300; i++)
		ask_and_wait(&last.call, COORDINATOR_DESCRIBE, "g");
	ck_assert_int_eq(last.call.error, KAFKA_POLICY_VIOLATION);
	ck_assert_uint_lt(answers.total, 2 * LIMIT_GROUP_ANSWER_BYTES);
	coordinator_teardown();
	more_properties = "";
}
END_TEST

static bool later_came;

static void on_later(struct timer *timer)
{
	(void)timer;
	later_came = true;
}

/* As when a start ends before its workers run: nothing of it is left on the loop. */
START_TEST(one_that_was_never_stopped_leaves_no_timer)
{
	struct timer later;

	more_properties = "offsets.retention.check.interval.ms=1\n";
	coordinator_setup();
	timer_init(&later, &shard.worker.loop, on_later);
	timer_set(&later, clock_ms() + 5);
	coordinator_free(shard.coordinator);
	shard.coordinator = NULL;
	shard.lead = NULL;
	TURN_UNTIL(later_came);
	coordinator_teardown();
	more_properties = "";
}
END_TEST

UNIT_MAIN("broker/coord/coordinator", a_commit_is_told_by_a_fetch, a_member_joins_syncs_beats_and_commits,
	  an_assignment_that_the_log_does_not_take_is_an_error_of_the_server, groups_are_counted_by_their_state,
	  members_beyond_the_memory_of_a_worker_are_refused_and_others_go_on, a_group_that_is_described_again_and_again_has_a_bounded_answer,
	  one_that_was_never_stopped_leaves_no_timer)
