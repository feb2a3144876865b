/* group_core: SyncGroup, Heartbeat, OffsetCommit, outcomes of stores (kafka.md 6.2, G1). */
#include "test/unit/broker/coord/group_fixture.h"

/* "a" leads, "b" follows, generation 1 was told. */
static void make_completing(void)
{
	JOIN(.given_id = "a");
	JOIN(.given_id = "b");
	pass(6000);
	ck_assert_int_eq(group.state, GROUP_COMPLETING);
}

START_TEST(assignments_are_told_when_they_are_stored)
{
	setup();
	make_completing();
	struct request *b = SYNC(.id = "b", .generation = 1);

	WAITS(b);
	ck_assert_int_eq(stored_id, GROUP_STORE_NONE);
	struct request *a = SYNC(.id = "a", .generation = 1, .assignments = "b=B a=A ghost=X");

	WAITS(a);
	WAITS(b);
	ck_assert_str_eq(record, "1 range a: a=m/A b=m/B");
	ck_assert_int_eq(group.state, GROUP_COMPLETING);
	stored(stored_id, 0);
	ck_assert_int_eq(group.state, GROUP_STABLE);
	ERROR_IS(a, NONE);
	ERROR_IS(b, NONE);
	ck_assert_str_eq(a->assignment, "A");
	ck_assert_str_eq(b->assignment, "B");
	ck_assert_str_eq(b->type, "consumer");
	ck_assert_str_eq(b->protocol, "range");
	teardown();
}
END_TEST

START_TEST(in_stable_a_member_is_told_its_assignment_at_once)
{
	setup();
	make_completing();
	SYNC(.id = "a", .generation = 1, .assignments = "a=A b=B");
	stored(stored_id, 0);
	struct request *b = SYNC(.id = "b", .generation = 1, .assignments = "b=mine");

	ERROR_IS(b, NONE);
	ck_assert_str_eq(b->assignment, "B");
	ck_assert_str_eq(SYNC(.id = "a", .generation = 1, .assignments = "a=all")->assignment, "A");
	/* Which renews its session. */
	for (int i = 0; i < 5; i++) {
		pass(9999);
		ERROR_IS(SYNC(.id = "a", .generation = 1), NONE);
		ERROR_IS(SYNC(.id = "b", .generation = 1), NONE);
	}
	teardown();
}
END_TEST

START_TEST(members_that_the_leader_forgets_have_nothing)
{
	setup();
	make_completing();
	struct request *b = SYNC(.id = "b", .generation = 1), *a = SYNC(.id = "a", .generation = 1);

	ck_assert_str_eq(record, "1 range a: a=m/ b=m/");
	stored(stored_id, 0);
	ERROR_IS(a, NONE);
	ck_assert_str_eq(a->assignment, "");
	ck_assert_str_eq(b->assignment, "");
	teardown();
}
END_TEST

START_TEST(only_the_leader_assigns)
{
	setup();
	make_completing();
	struct request *b = SYNC(.id = "b", .generation = 1, .assignments = "a=x b=all");

	WAITS(b);
	ck_assert_int_eq(stored_id, GROUP_STORE_NONE);
	SYNC(.id = "a", .generation = 1, .assignments = "a=A b=B");
	stored(stored_id, 0);
	ck_assert_str_eq(b->assignment, "B");
	teardown();
}
END_TEST

START_TEST(what_is_being_stored_is_not_changed)
{
	setup();
	make_completing();
	struct request *first = SYNC(.id = "a", .generation = 1, .assignments = "a=A b=B");
	int64_t store = stored_id;
	struct request *second = SYNC(.id = "a", .generation = 1, .assignments = "a=other");

	ERROR_IS(first, REBALANCE_IN_PROGRESS);
	WAITS(second);
	ck_assert_int_eq(stored_id, GROUP_STORE_NONE);
	stored(store, 0);
	ck_assert_str_eq(second->assignment, "A");
	teardown();
}
END_TEST

START_TEST(syncs_are_judged)
{
	setup();
	ERROR_IS(SYNC(.id = "a", .generation = 0, .assignments = "a=x"), UNKNOWN_MEMBER_ID);
	make_completing();
	struct request *ghost = SYNC(.id = "ghost", .generation = 1, .assignments = "a=x");

	ERROR_IS(ghost, UNKNOWN_MEMBER_ID);
	ck_assert_str_eq(ghost->type, "null");
	ck_assert_str_eq(ghost->protocol, "null");
	ck_assert_str_eq(ghost->assignment, "");
	ERROR_IS(SYNC(.id = "a", .generation = 0), ILLEGAL_GENERATION);
	ERROR_IS(SYNC(.id = "a", .generation = 2), ILLEGAL_GENERATION);
	ERROR_IS(SYNC(.id = "a", .instance = "i", .generation = 1), UNKNOWN_MEMBER_ID);
	ERROR_IS(SYNC(.id = "a", .generation = 1, .type = "connect", .protocol = "range"), INCONSISTENT_GROUP_PROTOCOL);
	ERROR_IS(SYNC(.id = "a", .generation = 1, .type = "consumer", .protocol = "rr"), INCONSISTENT_GROUP_PROTOCOL);
	WAITS(SYNC(.id = "a", .generation = 1, .type = "consumer", .protocol = "range"));
	JOIN(.given_id = "c");
	ERROR_IS(SYNC(.id = "a", .generation = 1), REBALANCE_IN_PROGRESS);
	teardown();
}
END_TEST

START_TEST(a_store_that_fails_is_told_to_all_and_the_group_rebalances)
{
	setup();
	make_completing();
	struct request *b = SYNC(.id = "b", .generation = 1), *a = SYNC(.id = "a", .generation = 1, .assignments = "a=A b=B");

	stored(stored_id, group_core_store_error(KAFKA_MESSAGE_TOO_LARGE));
	ERROR_IS(a, UNKNOWN_SERVER_ERROR);
	ERROR_IS(b, UNKNOWN_SERVER_ERROR);
	ck_assert_int_eq(group.state, GROUP_PREPARING);
	ck_assert_int_eq(n_blocks_alive, 0);
	ck_assert_uint_eq(group.members->assignment.len, 0);
	JOIN(.id = "a");
	struct request *join = JOIN(.id = "b");

	ERROR_IS(join, NONE);
	ck_assert_int_eq(join->generation, 2);
	teardown();
}
END_TEST

START_TEST(a_late_outcome_of_an_older_generation_changes_nothing)
{
	setup();
	make_completing();
	SYNC(.id = "a", .generation = 1, .assignments = "a=A b=B");
	int64_t old = stored_id;

	JOIN(.id = "b", .protocols = "range=new");
	stored(old, 0);
	ck_assert_int_eq(group.state, GROUP_PREPARING);
	JOIN(.id = "a");
	ck_assert_int_eq(group.state, GROUP_COMPLETING);
	struct request *a = SYNC(.id = "a", .generation = 2, .assignments = "a=C b=D");
	int64_t new = stored_id;

	stored(old, 0);
	stored(old, KAFKA_NOT_COORDINATOR);
	stored(GROUP_STORE_NONE, 0);
	WAITS(a);
	stored(new, 0);
	ck_assert_str_eq(a->assignment, "C");
	/* Told twice. */
	stored(new, KAFKA_NOT_COORDINATOR);
	ck_assert_int_eq(group.state, GROUP_STABLE);
	teardown();
}
END_TEST

START_TEST(errors_of_appends_are_told_as_the_groups)
{
	static const int16_t errors[][2] = {
		{KAFKA_NONE, KAFKA_NONE},
		{KAFKA_UNKNOWN_TOPIC_OR_PARTITION, KAFKA_COORDINATOR_NOT_AVAILABLE},
		{KAFKA_NOT_ENOUGH_REPLICAS, KAFKA_COORDINATOR_NOT_AVAILABLE},
		{KAFKA_NOT_ENOUGH_REPLICAS_AFTER_APPEND, KAFKA_COORDINATOR_NOT_AVAILABLE},
		{KAFKA_NOT_LEADER_OR_FOLLOWER, KAFKA_NOT_COORDINATOR},
		{KAFKA_STORAGE_ERROR, KAFKA_NOT_COORDINATOR},
		{KAFKA_REQUEST_TIMED_OUT, KAFKA_REBALANCE_IN_PROGRESS},
		{KAFKA_MESSAGE_TOO_LARGE, KAFKA_UNKNOWN_SERVER_ERROR},
		{KAFKA_RECORD_LIST_TOO_LARGE, KAFKA_UNKNOWN_SERVER_ERROR},
		{KAFKA_INVALID_FETCH_SIZE, KAFKA_UNKNOWN_SERVER_ERROR},
		{KAFKA_CORRUPT_MESSAGE, KAFKA_CORRUPT_MESSAGE},
	};

	for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++)
		ck_assert_int_eq(group_core_store_error(errors[i][0]), errors[i][1]);
}
END_TEST

START_TEST(heartbeats_are_judged)
{
	struct group_caller caller = {.generation = 1, .member_id = SLICE_LITERAL("a")};

	setup();
	ck_assert_int_eq(group_core_heartbeat(NULL, &now, &caller), KAFKA_UNKNOWN_MEMBER_ID);
	ck_assert_int_eq(heartbeat("a", NULL, 0), KAFKA_UNKNOWN_MEMBER_ID);
	make_completing();
	ck_assert_int_eq(heartbeat("a", NULL, 1), 0);
	ck_assert_int_eq(heartbeat("a", NULL, 0), KAFKA_ILLEGAL_GENERATION);
	ck_assert_int_eq(heartbeat("ghost", NULL, 0), KAFKA_UNKNOWN_MEMBER_ID);
	JOIN(.given_id = "c");
	ck_assert_int_eq(heartbeat("a", NULL, 1), KAFKA_REBALANCE_IN_PROGRESS);
	teardown();
}
END_TEST

START_TEST(heartbeats_renew_the_session_in_each_state)
{
	setup();
	make_completing();
	SYNC(.id = "b", .generation = 1);
	pass(9999);
	ck_assert_int_eq(heartbeat("a", NULL, 1), 0);
	pass(9999);
	SYNC(.id = "a", .generation = 1, .assignments = "a=A b=B");
	stored(stored_id, 0);
	pass(9999);
	ck_assert_int_eq(heartbeat("a", NULL, 1), 0);
	ck_assert_int_eq(heartbeat("b", NULL, 1), 0);
	pass(9999);
	ck_assert_int_eq(heartbeat("b", NULL, 1), 0);
	pass(1);
	/* a is gone, b is asked to join again, and may do so for as long as the rebalance lasts. */
	ck_assert_int_eq(heartbeat("a", NULL, 1), KAFKA_UNKNOWN_MEMBER_ID);
	for (int i = 0; i < 5; i++) {
		ck_assert_int_eq(heartbeat("b", NULL, 1), KAFKA_REBALANCE_IN_PROGRESS);
		pass(9999);
	}
	ck_assert_int_eq(group.n_members, 1);
	teardown();
}
END_TEST

START_TEST(commits_of_members_are_judged_by_generation_and_instance)
{
	setup();
	make_stable(2);
	ck_assert_int_eq(commit("a", NULL, 1), 0);
	ck_assert_int_eq(commit("a", NULL, 0), KAFKA_ILLEGAL_GENERATION);
	ck_assert_int_eq(commit("a", NULL, 2), KAFKA_ILLEGAL_GENERATION);
	ck_assert_int_eq(commit("a", NULL, -1), KAFKA_ILLEGAL_GENERATION);
	ck_assert_int_eq(commit("ghost", NULL, 1), KAFKA_UNKNOWN_MEMBER_ID);
	ck_assert_int_eq(commit("", NULL, 1), KAFKA_UNKNOWN_MEMBER_ID);
	ck_assert_int_eq(commit("", "i", -1), KAFKA_UNKNOWN_MEMBER_ID);
	ck_assert_int_eq(commit("a", "i", 1), KAFKA_UNKNOWN_MEMBER_ID);
	ck_assert_int_eq(commit("", NULL, -1), KAFKA_UNKNOWN_MEMBER_ID);
	teardown();
}
END_TEST

START_TEST(commits_are_for_preparing_and_stable_but_not_for_completing)
{
	setup();
	make_completing();
	ck_assert_int_eq(commit("a", NULL, 1), KAFKA_REBALANCE_IN_PROGRESS);
	SYNC(.id = "b", .generation = 1);
	SYNC(.id = "a", .generation = 1);
	stored(stored_id, 0);
	ck_assert_int_eq(commit("b", NULL, 1), 0);
	JOIN(.id = "a");
	ck_assert_int_eq(commit("b", NULL, 1), 0);
	teardown();
}
END_TEST

START_TEST(a_commit_counts_as_a_heartbeat)
{
	setup();
	make_stable(1);
	for (int i = 0; i < 5; i++) {
		pass(9999);
		ck_assert_int_eq(commit("a", NULL, 1), 0);
	}
	pass(10000);
	ck_assert_int_eq(group.state, GROUP_EMPTY);
	teardown();
}
END_TEST

START_TEST(simple_consumers_commit_to_empty_groups)
{
	struct group_caller nobody = {.generation = -1, .member_id = SLICE_LITERAL("")};
	struct group_caller somebody = {.generation = 0, .member_id = SLICE_LITERAL("")};

	setup();
	ck_assert_int_eq(group_core_commit(NULL, &now, &nobody, false), 0);
	ck_assert_int_eq(group_core_commit(NULL, &now, &somebody, false), KAFKA_ILLEGAL_GENERATION);
	ck_assert_int_eq(commit("", NULL, -1), 0);
	ck_assert_int_eq(commit("whoever", NULL, -1), 0);
	ck_assert_int_eq(commit("", NULL, 0), KAFKA_UNKNOWN_MEMBER_ID);
	make_stable(1);
	ck_assert_int_eq(commit("", NULL, -1), KAFKA_UNKNOWN_MEMBER_ID);
	leave("a", NULL);
	ck_assert_int_eq(commit("", NULL, -1), 0);
	teardown();
}
END_TEST

START_TEST(transactions_commit_with_or_without_a_member)
{
	struct group_caller nobody = {.generation = -1, .member_id = SLICE_LITERAL("")};
	struct group_caller somebody = {.generation = 3, .member_id = SLICE_LITERAL("a")};

	setup();
	ck_assert_int_eq(group_core_commit(NULL, &now, &nobody, true), 0);
	ck_assert_int_eq(group_core_commit(NULL, &now, &somebody, true), KAFKA_UNKNOWN_MEMBER_ID);
	ck_assert_int_eq(commit_in_txn("", NULL, 0), KAFKA_UNKNOWN_MEMBER_ID);
	make_completing();
	ck_assert_int_eq(commit_in_txn("", NULL, -1), 0);
	ck_assert_int_eq(commit_in_txn("", NULL, 0), KAFKA_UNKNOWN_MEMBER_ID);
	ck_assert_int_eq(commit_in_txn("a", NULL, 1), 0);
	ck_assert_int_eq(commit_in_txn("a", NULL, 0), KAFKA_ILLEGAL_GENERATION);
	ck_assert_int_eq(commit_in_txn("ghost", NULL, 1), KAFKA_UNKNOWN_MEMBER_ID);
	teardown();
}
END_TEST

UNIT_MAIN("broker/coord/group_sync_core", assignments_are_told_when_they_are_stored,
	  in_stable_a_member_is_told_its_assignment_at_once, members_that_the_leader_forgets_have_nothing,
	  only_the_leader_assigns, what_is_being_stored_is_not_changed, syncs_are_judged,
	  a_store_that_fails_is_told_to_all_and_the_group_rebalances, a_late_outcome_of_an_older_generation_changes_nothing,
	  errors_of_appends_are_told_as_the_groups, heartbeats_are_judged, heartbeats_renew_the_session_in_each_state,
	  commits_of_members_are_judged_by_generation_and_instance, commits_are_for_preparing_and_stable_but_not_for_completing,
	  a_commit_counts_as_a_heartbeat, simple_consumers_commit_to_empty_groups, transactions_commit_with_or_without_a_member)
