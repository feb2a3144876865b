/* group_core: rebalances (kafka.md 6.2): the initial delay, who stays, the vote, the wait for syncs. */
#include "test/unit/broker/coord/group_fixture.h"

START_TEST(the_initial_delay_begins_again_when_somebody_has_come)
{
	setup();
	struct request *a = JOIN(.given_id = "a");

	pass(2000);
	struct request *b = JOIN(.given_id = "b");

	pass(1000);
	WAITS(a);
	/* Nobody came since: this is the last. */
	pass(2999);
	WAITS(a);
	pass(1);
	ERROR_IS(a, NONE);
	ERROR_IS(b, NONE);
	ck_assert_str_eq(a->members, "a=m b=m");
	teardown();
}
END_TEST

START_TEST(the_initial_delay_ends_with_the_rebalance_timeout)
{
	char id[16];

	setup();
	struct request *a = JOIN(.given_id = "a", .rebalance_ms = 10000);

	for (int i = 0; i < 9; i++) {
		pass(1000);
		snprintf(id, sizeof id, "m%d", i);
		JOIN(.given_id = id, .rebalance_ms = 10000);
		WAITS(a);
	}
	pass(1000);
	ERROR_IS(a, NONE);
	ck_assert_int_eq(group.n_members, 10);
	teardown();
}
END_TEST

START_TEST(a_group_that_is_empty_again_waits_once)
{
	setup();
	make_stable(1);
	leave("a", NULL);
	struct request *b = JOIN(.given_id = "b");

	pass(1000);
	struct request *c = JOIN(.given_id = "c");

	pass(1999);
	WAITS(b);
	pass(1);
	ERROR_IS(b, NONE);
	ERROR_IS(c, NONE);
	teardown();
}
END_TEST

START_TEST(a_delay_is_not_extended_for_who_came_in_an_earlier_one)
{
	setup();
	JOIN(.given_id = "a", .rebalance_ms = 3000);
	JOIN(.given_id = "b", .rebalance_ms = 3000);
	pass(3000);
	ck_assert_int_eq(group.state, GROUP_COMPLETING);
	leave("a", NULL);
	leave("b", NULL);
	struct request *c = JOIN(.given_id = "c");

	pass(3000);
	ERROR_IS(c, NONE);
	teardown();
}
END_TEST

START_TEST(without_an_initial_delay_the_first_is_told_at_once)
{
	setup();
	rules.initial_delay_ms = 0;
	ERROR_IS(JOIN(.given_id = "a"), NONE);
	teardown();
}
END_TEST

START_TEST(a_rebalance_ends_when_all_members_have_joined)
{
	setup();
	make_stable(3);
	struct request *a = JOIN(.id = "a"), *b = JOIN(.id = "b");

	pass(5000);
	WAITS(a);
	struct request *c = JOIN(.id = "c");

	ERROR_IS(a, NONE);
	ERROR_IS(b, NONE);
	ERROR_IS(c, NONE);
	ck_assert_int_eq(c->generation, 2);
	ck_assert_str_eq(a->members, "a=m b=m c=m");
	ck_assert(!b->has_members && !c->has_members);
	ck_assert_str_eq(c->leader, "a");
	teardown();
}
END_TEST

START_TEST(a_pending_id_is_waited_for)
{
	setup();
	make_stable(1);
	ERROR_IS(JOIN(.given_id = "b", .version = 4, .session_ms = 8000), MEMBER_ID_REQUIRED);
	struct request *a = JOIN(.id = "a");

	WAITS(a);
	pass(7999);
	WAITS(a);
	pass(1);
	ERROR_IS(a, NONE);
	ck_assert_int_eq(group.n_members, 1);
	teardown();
}
END_TEST

START_TEST(a_pending_id_that_joins_or_leaves_ends_the_wait)
{
	setup();
	make_stable(1);
	JOIN(.given_id = "b", .version = 4);
	struct request *a = JOIN(.id = "a"), *b = JOIN(.id = "b", .version = 4);

	ERROR_IS(a, NONE);
	ERROR_IS(b, NONE);
	JOIN(.given_id = "c", .version = 4);
	a = JOIN(.id = "a", .protocols = "range=new");
	b = JOIN(.id = "b");
	WAITS(b);
	ck_assert_int_eq(leave("c", NULL), 0);
	ERROR_IS(a, NONE);
	ERROR_IS(b, NONE);
	teardown();
}
END_TEST

START_TEST(dynamic_members_that_do_not_join_are_removed_at_the_longest_timeout)
{
	setup();
	JOIN(.given_id = "a", .rebalance_ms = 5000, .session_ms = 30000);
	JOIN(.given_id = "b", .rebalance_ms = 20000, .session_ms = 30000);
	JOIN(.given_id = "c", .rebalance_ms = 5000, .session_ms = 30000);
	pass(6000);
	SYNC(.id = "b", .generation = 1);
	SYNC(.id = "c", .generation = 1);
	SYNC(.id = "a", .generation = 1, .assignments = "a=A");
	stored(stored_id, 0);
	struct request *c = JOIN(.id = "c", .protocols = "range=new", .rebalance_ms = 5000);

	pass(19999);
	WAITS(c);
	pass(1);
	ERROR_IS(c, NONE);
	ck_assert_int_eq(c->generation, 2);
	/* The leader was not there. */
	ck_assert_str_eq(c->leader, "c");
	ck_assert_str_eq(c->members, "c=new");
	ck_assert_int_eq(heartbeat("a", NULL, 1), KAFKA_UNKNOWN_MEMBER_ID);
	teardown();
}
END_TEST

/* "s1" of instance "s" leads, "d" is dynamic. */
static void make_static(int32_t session_ms)
{
	JOIN(.given_id = "s1", .instance = "s", .session_ms = session_ms, .rebalance_ms = 20000);
	JOIN(.given_id = "d", .rebalance_ms = 20000);
	pass(6000);
	SYNC(.id = "d", .generation = 1);
	SYNC(.id = "s1", .instance = "s", .generation = 1, .assignments = "s1=S d=D");
	stored(stored_id, 0);
}

START_TEST(static_members_that_do_not_join_stay_until_their_session_ends)
{
	setup();
	make_static(60000);
	struct request *d = JOIN(.id = "d", .protocols = "range=new", .rebalance_ms = 20000);

	pass(20000);
	ERROR_IS(d, NONE);
	ck_assert_str_eq(d->leader, "d");
	ck_assert_str_eq(d->members, "s1(s)=m d=new");
	SYNC(.id = "d", .generation = 2, .assignments = "s1=S d=D");
	stored(stored_id, 0);
	ck_assert_int_eq(group.state, GROUP_STABLE);
	/* It has not asked for its assignment either. */
	ck_assert_int_eq(heartbeat("d", NULL, 2), 0);
	for (int i = 0; i < 4; i++) {
		pass(4999);
		ck_assert_int_eq(heartbeat("d", NULL, 2), 0);
	}
	pass(5);
	ck_assert_int_eq(group.state, GROUP_PREPARING);
	ck_assert_int_eq(group.n_members, 1);
	teardown();
}
END_TEST

START_TEST(a_static_member_whose_session_ends_leaves_a_rebalance)
{
	setup();
	make_static(8000);
	struct request *d = JOIN(.id = "d", .protocols = "range=new", .rebalance_ms = 20000);

	pass(8000);
	ERROR_IS(d, NONE);
	ck_assert_str_eq(d->members, "d=new");
	teardown();
}
END_TEST

START_TEST(a_rebalance_that_nobody_has_joined_waits_again)
{
	setup();
	make_static(60000);
	leave("d", NULL);
	ck_assert_int_eq(group.state, GROUP_PREPARING);
	pass(20000);
	ck_assert_int_eq(group.state, GROUP_PREPARING);
	ck_assert_int_eq(group.generation, 1);
	ck_assert_int_eq(heartbeat("s1", "s", 1), KAFKA_REBALANCE_IN_PROGRESS);
	pass(20000);
	ck_assert_int_eq(group.state, GROUP_PREPARING);
	struct request *s = JOIN(.id = "s1", .instance = "s");

	ERROR_IS(s, NONE);
	ck_assert_int_eq(s->generation, 2);
	teardown();
}
END_TEST

START_TEST(sessions_of_absent_static_members_end_a_rebalance_that_nobody_joins)
{
	setup();
	make_static(30000);
	leave("d", NULL);
	pass(30000);
	ck_assert_int_eq(group.state, GROUP_EMPTY);
	ck_assert_int_eq(group.generation, 2);
	ck_assert_str_eq(record, "2 null null: ");
	teardown();
}
END_TEST

START_TEST(the_last_member_leaves_an_empty_generation_that_is_stored)
{
	setup();
	make_stable(1);
	now.wall_ms += 77;
	ck_assert_int_eq(leave("a", NULL), 0);
	ck_assert_int_eq(group.state, GROUP_EMPTY);
	ck_assert_int_eq(group.generation, 2);
	ck_assert_int_eq(group.state_wall_ms, now.wall_ms);
	ck_assert_str_eq(record, "2 null null: ");
	ck_assert_str_eq(TEXT(group_core_name(&group.protocol_type)), "consumer");
	/* A failure changes nothing. */
	stored(stored_id, KAFKA_NOT_COORDINATOR);
	ck_assert_int_eq(group.state, GROUP_EMPTY);
	teardown();
}
END_TEST

START_TEST(a_rebalance_ends_parked_syncs)
{
	setup();
	make_stable(3);
	JOIN(.id = "a");
	JOIN(.id = "b");
	JOIN(.id = "c");
	struct request *b = SYNC(.id = "b", .generation = 2), *a = SYNC(.id = "a", .generation = 2, .assignments = "a=x");

	WAITS(a);
	WAITS(b);
	struct request *d = JOIN(.given_id = "d");

	ERROR_IS(a, REBALANCE_IN_PROGRESS);
	ERROR_IS(b, REBALANCE_IN_PROGRESS);
	ck_assert_str_eq(a->assignment, "");
	ck_assert_str_eq(a->protocol, "null");
	WAITS(d);
	ck_assert_int_eq(n_blocks_alive, 0);
	teardown();
}
END_TEST

START_TEST(the_protocol_is_the_first_choice_of_most_among_those_of_all)
{
	setup();
	struct request *a = JOIN(.given_id = "a", .protocols = "own=0 range=1 rr=2");

	JOIN(.given_id = "b", .protocols = "rr=3 range=4");
	JOIN(.given_id = "c", .protocols = "other=5 rr=6 range=7");
	pass(6000);
	ERROR_IS(a, NONE);
	ck_assert_str_eq(a->protocol, "rr");
	ck_assert_str_eq(a->members, "a=2 b=3 c=6");
	teardown();
}
END_TEST

START_TEST(a_tie_goes_to_the_order_of_the_first_member)
{
	setup();
	struct request *a = JOIN(.given_id = "a", .protocols = "range=1 rr=2");

	JOIN(.given_id = "b", .protocols = "rr=3 range=4");
	pass(6000);
	ck_assert_str_eq(a->protocol, "range");
	teardown();
}
END_TEST

START_TEST(a_protocol_named_twice_counts_once)
{
	setup();
	struct request *a = JOIN(.given_id = "a", .protocols = "range=1 range=2");
	struct request *b = JOIN(.given_id = "b", .protocols = "range=3");

	pass(6000);
	ERROR_IS(b, NONE);
	ck_assert_str_eq(a->members, "a=1 b=3");
	teardown();
}
END_TEST

START_TEST(who_does_not_sync_within_the_rebalance_timeout_is_removed)
{
	setup();
	JOIN(.given_id = "a", .rebalance_ms = 15000, .session_ms = 60000);
	JOIN(.given_id = "b", .rebalance_ms = 15000, .session_ms = 60000);
	pass(6000);
	struct request *b = SYNC(.id = "b", .generation = 1);

	pass(14999);
	WAITS(b);
	ck_assert_int_eq(heartbeat("a", NULL, 1), 0);
	pass(1);
	ERROR_IS(b, REBALANCE_IN_PROGRESS);
	ck_assert_int_eq(heartbeat("a", NULL, 1), KAFKA_UNKNOWN_MEMBER_ID);
	struct request *join = JOIN(.id = "b");

	ERROR_IS(join, NONE);
	ck_assert_str_eq(join->leader, "b");
	teardown();
}
END_TEST

START_TEST(in_stable_too)
{
	setup();
	JOIN(.given_id = "a", .rebalance_ms = 15000);
	JOIN(.given_id = "b", .rebalance_ms = 15000);
	pass(6000);
	SYNC(.id = "a", .generation = 1, .assignments = "a=A b=B");
	stored(stored_id, 0);
	ck_assert_int_eq(group.state, GROUP_STABLE);
	for (int i = 0; i < 2; i++) {
		pass(7000);
		ck_assert_int_eq(heartbeat("a", NULL, 1), 0);
		ck_assert_int_eq(heartbeat("b", NULL, 1), 0);
	}
	pass(1000);
	ck_assert_int_eq(group.state, GROUP_PREPARING);
	ck_assert_int_eq(heartbeat("b", NULL, 1), KAFKA_UNKNOWN_MEMBER_ID);
	ck_assert_int_eq(heartbeat("a", NULL, 1), KAFKA_REBALANCE_IN_PROGRESS);
	teardown();
}
END_TEST

START_TEST(when_all_have_synced_nobody_is_waited_for)
{
	setup();
	make_stable(2);
	ck_assert_int_eq(group.sync_deadline_ms, GROUP_NEVER);
	for (int i = 0; i < 20; i++) {
		pass(9000);
		ck_assert_int_eq(heartbeat("a", NULL, 1), 0);
		ck_assert_int_eq(heartbeat("b", NULL, 1), 0);
	}
	ck_assert_int_eq(group.state, GROUP_STABLE);
	teardown();
}
END_TEST

START_TEST(after_the_last_generation_comes_the_first)
{
	setup();
	make_stable(1);
	group.generation = INT32_MAX;
	struct request *a = JOIN(.id = "a");

	ERROR_IS(a, NONE);
	ck_assert_int_eq(a->generation, 1);
	/* And an empty one is never taken for a group before its first. */
	group.generation = INT32_MAX;
	leave("a", NULL);
	ck_assert_int_eq(group.generation, 1);
	teardown();
}
END_TEST

START_TEST(states_say_since_when)
{
	setup();
	ck_assert_int_eq(group.state_wall_ms, now.wall_ms);
	JOIN(.given_id = "a");
	ck_assert_int_eq(group.state_wall_ms, now.wall_ms);
	pass(3000);
	ck_assert_int_eq(group.state, GROUP_COMPLETING);
	ck_assert_int_eq(group.state_wall_ms, now.wall_ms);
	SYNC(.id = "a", .generation = 1, .assignments = "a=A");
	pass(10);
	stored(stored_id, 0);
	ck_assert_int_eq(group.state_wall_ms, now.wall_ms);
	teardown();
}
END_TEST

UNIT_MAIN("broker/coord/group_rebalance_core", a_delay_is_not_extended_for_who_came_in_an_earlier_one,
	  the_initial_delay_begins_again_when_somebody_has_come, the_initial_delay_ends_with_the_rebalance_timeout,
	  a_group_that_is_empty_again_waits_once, without_an_initial_delay_the_first_is_told_at_once,
	  a_rebalance_ends_when_all_members_have_joined, a_pending_id_is_waited_for,
	  a_pending_id_that_joins_or_leaves_ends_the_wait, dynamic_members_that_do_not_join_are_removed_at_the_longest_timeout,
	  static_members_that_do_not_join_stay_until_their_session_ends, a_static_member_whose_session_ends_leaves_a_rebalance,
	  a_rebalance_that_nobody_has_joined_waits_again, sessions_of_absent_static_members_end_a_rebalance_that_nobody_joins,
	  the_last_member_leaves_an_empty_generation_that_is_stored, a_rebalance_ends_parked_syncs,
	  the_protocol_is_the_first_choice_of_most_among_those_of_all, a_tie_goes_to_the_order_of_the_first_member,
	  a_protocol_named_twice_counts_once, who_does_not_sync_within_the_rebalance_timeout_is_removed, in_stable_too,
	  when_all_have_synced_nobody_is_waited_for, after_the_last_generation_comes_the_first, states_say_since_when)
