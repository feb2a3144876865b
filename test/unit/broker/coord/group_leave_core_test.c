/* group_core: LeaveGroup and expiries (kafka.md 6.2). */
#include "test/unit/broker/coord/group_fixture.h"

START_TEST(a_member_that_leaves_makes_the_others_rebalance)
{
	setup();
	make_stable(2);
	ck_assert_int_eq(leave("b", NULL), 0);
	ck_assert_int_eq(group.state, GROUP_PREPARING);
	ck_assert_int_eq(heartbeat("b", NULL, 1), KAFKA_UNKNOWN_MEMBER_ID);
	struct request *a = JOIN(.id = "a");

	ERROR_IS(a, NONE);
	ck_assert_str_eq(a->members, "a=m");
	teardown();
}
END_TEST

START_TEST(unknown_members_cannot_leave)
{
	setup();
	ck_assert_int_eq(group_core_leave(NULL, &now, SLICE_LITERAL("a"), SLICE_NULL, &actions), KAFKA_UNKNOWN_MEMBER_ID);
	ck_assert_int_eq(leave("a", NULL), KAFKA_UNKNOWN_MEMBER_ID);
	make_stable(1);
	ck_assert_int_eq(leave("ghost", NULL), KAFKA_UNKNOWN_MEMBER_ID);
	ck_assert_int_eq(leave("", "i"), KAFKA_UNKNOWN_MEMBER_ID);
	ck_assert_int_eq(leave("", NULL), KAFKA_UNKNOWN_MEMBER_ID);
	ck_assert_int_eq(leave("a", "i"), KAFKA_UNKNOWN_MEMBER_ID);
	ck_assert_int_eq(group.state, GROUP_STABLE);
	teardown();
}
END_TEST

START_TEST(a_tool_removes_an_instance)
{
	setup();
	JOIN(.given_id = "s1", .instance = "s");
	JOIN(.given_id = "t1", .instance = "t");
	pass(6000);
	ck_assert_int_eq(leave("t1", "s"), KAFKA_FENCED_INSTANCE_ID);
	ck_assert_int_eq(leave("", "s"), 0);
	ck_assert_int_eq(heartbeat("s1", "s", 1), KAFKA_UNKNOWN_MEMBER_ID);
	ck_assert_int_eq(leave("t1", "t"), 0);
	ck_assert_int_eq(group.state, GROUP_EMPTY);
	teardown();
}
END_TEST

START_TEST(a_pending_id_can_leave)
{
	setup();
	JOIN(.given_id = "p", .version = 4);
	ck_assert_int_eq(leave("p", NULL), 0);
	ck_assert_int_eq(group.n_pending, 0);
	ck_assert_int_eq(group.state, GROUP_EMPTY);
	teardown();
}
END_TEST

START_TEST(who_leaves_while_it_waits_is_told)
{
	setup();
	make_stable(3);
	struct request *b = JOIN(.id = "b", .protocols = "range=new");

	ck_assert_int_eq(leave("b", NULL), 0);
	ERROR_IS(b, UNKNOWN_MEMBER_ID);
	ck_assert_str_eq(b->id, "");
	JOIN(.id = "a");
	JOIN(.id = "c");
	struct request *c = SYNC(.id = "c", .generation = 2);

	ck_assert_int_eq(leave("c", NULL), 0);
	ERROR_IS(c, UNKNOWN_MEMBER_ID);
	teardown();
}
END_TEST

START_TEST(a_leader_that_leaves_is_followed_by_another)
{
	setup();
	make_stable(3);
	ck_assert_int_eq(leave("a", NULL), 0);
	JOIN(.id = "c");
	struct request *b = JOIN(.id = "b");

	ck_assert_str_eq(b->leader, "b");
	ck_assert_str_eq(b->members, "b=m c=m");
	teardown();
}
END_TEST

START_TEST(an_instance_that_leaves_while_its_id_is_stored_is_gone)
{
	setup();
	JOIN(.given_id = "s1", .instance = "s");
	pass(3000);
	SYNC(.id = "s1", .generation = 1, .assignments = "s1=S");
	stored(stored_id, 0);
	struct request *join = JOIN(.given_id = "s2", .instance = "s", .version = 9);
	int64_t store = stored_id;

	ck_assert_int_eq(leave("", "s"), 0);
	ERROR_IS(join, UNKNOWN_MEMBER_ID);
	ck_assert_int_eq(n_members_alive, 0);
	stored(store, KAFKA_NOT_COORDINATOR);
	ck_assert_int_eq(group.state, GROUP_EMPTY);
	teardown();
}
END_TEST

START_TEST(a_session_that_ends_makes_the_others_rebalance)
{
	setup();
	make_stable(2);
	pass(9000);
	ck_assert_int_eq(heartbeat("a", NULL, 1), 0);
	pass(999);
	ck_assert_int_eq(group.state, GROUP_STABLE);
	pass(1);
	ck_assert_int_eq(group.state, GROUP_PREPARING);
	ck_assert_int_eq(heartbeat("b", NULL, 1), KAFKA_UNKNOWN_MEMBER_ID);
	ck_assert_int_eq(heartbeat("a", NULL, 1), KAFKA_REBALANCE_IN_PROGRESS);
	teardown();
}
END_TEST

START_TEST(who_waits_in_a_join_or_sync_does_not_expire)
{
	setup();
	make_stable(2);
	struct request *a = JOIN(.id = "a");

	for (int i = 0; i < 5; i++) {
		ck_assert_int_eq(heartbeat("b", NULL, 1), KAFKA_REBALANCE_IN_PROGRESS);
		pass(9999);
	}
	WAITS(a);
	JOIN(.id = "b");
	ERROR_IS(a, NONE);
	/* Sessions begin anew with the answer. */
	pass(9999);
	struct request *sync = SYNC(.id = "b", .generation = 2);

	ck_assert_int_eq(heartbeat("a", NULL, 2), 0);
	pass(9999);
	ck_assert_int_eq(heartbeat("a", NULL, 2), 0);
	pass(9999);
	WAITS(sync);
	SYNC(.id = "a", .generation = 2, .assignments = "a=A b=B");
	stored(stored_id, 0);
	ERROR_IS(sync, NONE);
	pass(9999);
	ck_assert_int_eq(heartbeat("b", NULL, 2), 0);
	teardown();
}
END_TEST

START_TEST(a_new_member_waits_for_five_minutes_at_most)
{
	setup();
	JOIN(.given_id = "a", .rebalance_ms = 1000000, .session_ms = 1000000);
	pass(3000);
	SYNC(.id = "a", .generation = 1, .assignments = "a=A");
	stored(stored_id, 0);
	struct request *b = JOIN(.given_id = "b");

	pass(100000);
	WAITS(b);
	/* Asking again does not prolong it. */
	struct request *again = JOIN(.id = "b");

	ERROR_IS(b, REBALANCE_IN_PROGRESS);
	tick();
	pass(199999);
	WAITS(again);
	pass(1);
	ERROR_IS(again, UNKNOWN_MEMBER_ID);
	ck_assert_int_eq(group.n_members, 1);
	ck_assert_int_eq(group.state, GROUP_PREPARING);
	teardown();
}
END_TEST

START_TEST(an_early_tick_does_no_harm_and_a_late_one_does_all)
{
	setup();
	make_stable(3);
	tick();
	ck_assert_int_eq(group.state, GROUP_STABLE);
	now.ms += 3600000;
	tick();
	ck_assert_int_eq(group.state, GROUP_EMPTY);
	ck_assert_int_eq(group_core_next_ms(&group), GROUP_NEVER);
	teardown();
}
END_TEST

UNIT_MAIN("broker/coord/group_leave_core", a_member_that_leaves_makes_the_others_rebalance, unknown_members_cannot_leave,
	  a_tool_removes_an_instance, a_pending_id_can_leave, who_leaves_while_it_waits_is_told,
	  a_leader_that_leaves_is_followed_by_another, an_instance_that_leaves_while_its_id_is_stored_is_gone,
	  a_session_that_ends_makes_the_others_rebalance, who_waits_in_a_join_or_sync_does_not_expire,
	  a_new_member_waits_for_five_minutes_at_most, an_early_tick_does_no_harm_and_a_late_one_does_all)
