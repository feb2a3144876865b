/* group_core: JoinGroup (kafka.md 6.2): refusals, pending ids, static members, members that join again. */
#include "test/unit/broker/coord/group_fixture.h"

START_TEST(a_session_timeout_lies_within_the_brokers_bounds)
{
	setup();
	ck_assert_int_eq(group_core_session_error(&rules, 5999), KAFKA_INVALID_SESSION_TIMEOUT);
	ck_assert_int_eq(group_core_session_error(&rules, 6000), 0);
	ck_assert_int_eq(group_core_session_error(&rules, 1800000), 0);
	ck_assert_int_eq(group_core_session_error(&rules, 1800001), KAFKA_INVALID_SESSION_TIMEOUT);
}
END_TEST

START_TEST(without_a_rebalance_timeout_the_session_timeout_counts)
{
	setup();
	JOIN(.given_id = "a", .rebalance_ms = -1, .session_ms = 7000);
	ck_assert_int_eq(group.members->rebalance_ms, 7000);
	teardown();
}
END_TEST

START_TEST(a_lone_member_waits_for_the_initial_delay_and_leads)
{
	setup();
	struct request *join = JOIN(.given_id = "a", .protocols = "range=x rr=y");

	WAITS(join);
	ck_assert_int_eq(group.state, GROUP_PREPARING);
	pass(2999);
	WAITS(join);
	pass(1);
	ERROR_IS(join, NONE);
	ck_assert_int_eq(join->generation, 1);
	ck_assert_str_eq(join->type, "consumer");
	ck_assert_str_eq(join->protocol, "range");
	ck_assert_str_eq(join->leader, "a");
	ck_assert_str_eq(join->id, "a");
	ck_assert_str_eq(join->members, "a=x");
	ck_assert(!join->skip);
	ck_assert_int_eq(group.state, GROUP_COMPLETING);
	teardown();
}
END_TEST

START_TEST(a_new_dynamic_member_is_sent_away_with_its_id_from_version_4_on)
{
	setup();
	struct request *join = JOIN(.given_id = "a", .version = 4);

	ERROR_IS(join, MEMBER_ID_REQUIRED);
	ck_assert_str_eq(join->id, "a");
	ck_assert_int_eq(join->generation, GROUP_GENERATION_NONE);
	ck_assert_str_eq(join->type, "null");
	ck_assert_str_eq(join->protocol, "null");
	ck_assert_str_eq(join->leader, "");
	ck_assert_int_eq(group.state, GROUP_EMPTY);
	ck_assert_int_eq(group.n_pending, 1);
	join = JOIN(.id = "a", .version = 4);
	WAITS(join);
	ck_assert_int_eq(group.n_pending, 0);
	pass(3000);
	ERROR_IS(join, NONE);
	teardown();
}
END_TEST

START_TEST(a_pending_id_lasts_for_the_session_timeout)
{
	setup();
	JOIN(.given_id = "a", .version = 4, .session_ms = 6000);
	tick();
	pass(5999);
	ck_assert_int_eq(group.n_pending, 1);
	pass(1);
	ck_assert_int_eq(group.n_pending, 0);
	ck_assert_int_eq(group_core_next_ms(&group), GROUP_NEVER);
	ERROR_IS(JOIN(.id = "a", .version = 4), UNKNOWN_MEMBER_ID);
	teardown();
}
END_TEST

START_TEST(a_pending_id_is_not_that_of_a_static_member)
{
	setup();
	JOIN(.given_id = "a", .version = 4);
	ERROR_IS(JOIN(.id = "a", .instance = "i", .version = 5), UNKNOWN_MEMBER_ID);
	ck_assert_int_eq(group.n_pending, 1);
	teardown();
}
END_TEST

START_TEST(pending_ids_are_bounded)
{
	char id[16];

	setup();
	for (int i = 0; i < LIMIT_GROUP_PENDING; i++) {
		snprintf(id, sizeof id, "p%d", i);
		ERROR_IS(JOIN(.given_id = id, .version = 4), MEMBER_ID_REQUIRED);
	}
	ERROR_IS(JOIN(.given_id = "x", .version = 4), GROUP_MAX_SIZE_REACHED);
	ck_assert_int_eq(group.n_pending, LIMIT_GROUP_PENDING);
	teardown();
}
END_TEST

START_TEST(an_unknown_id_is_refused)
{
	setup();
	struct request *join = JOIN(.id = "ghost");

	ERROR_IS(join, UNKNOWN_MEMBER_ID);
	ck_assert_str_eq(join->id, "ghost");
	make_stable(1);
	ERROR_IS(JOIN(.id = "ghost"), UNKNOWN_MEMBER_ID);
	ck_assert_int_eq(group.state, GROUP_STABLE);
	teardown();
}
END_TEST

START_TEST(protocols_have_to_fit_the_group)
{
	setup();
	ERROR_IS(JOIN(.given_id = "x", .protocols = ""), INCONSISTENT_GROUP_PROTOCOL);
	ERROR_IS(JOIN(.given_id = "x", .type = ""), INCONSISTENT_GROUP_PROTOCOL);
	ck_assert_int_eq(group.state, GROUP_EMPTY);
	make_stable(1);
	struct request *join = JOIN(.given_id = "x", .type = "connect");

	ERROR_IS(join, INCONSISTENT_GROUP_PROTOCOL);
	ck_assert_str_eq(join->id, "");
	ERROR_IS(JOIN(.given_id = "x", .protocols = "rr=m"), INCONSISTENT_GROUP_PROTOCOL);
	/* Also for a member itself: its old protocols are those of the group. */
	join = JOIN(.id = "a", .protocols = "rr=m");
	ERROR_IS(join, INCONSISTENT_GROUP_PROTOCOL);
	ck_assert_str_eq(join->id, "a");
	ck_assert_int_eq(group.state, GROUP_STABLE);
	teardown();
}
END_TEST

START_TEST(an_empty_group_takes_another_protocol_type)
{
	setup();
	make_stable(1);
	ck_assert_int_eq(leave("a", NULL), 0);
	ck_assert_int_eq(group.state, GROUP_EMPTY);
	struct request *join = JOIN(.given_id = "b", .type = "connect", .protocols = "compatible=x");

	pass(3000);
	ERROR_IS(join, NONE);
	ck_assert_str_eq(join->type, "connect");
	ck_assert_int_eq(join->generation, 3);
	teardown();
}
END_TEST

START_TEST(names_that_cannot_be_kept_are_refused)
{
	char type[LIMIT_GROUP_NAME_BYTES + 2], protocols[LIMIT_GROUP_NAME_BYTES + 16];

	setup();
	memset(type, 't', sizeof type);
	type[sizeof type - 1] = '\0';
	ERROR_IS(JOIN(.given_id = "a", .type = type), INCONSISTENT_GROUP_PROTOCOL);
	memset(protocols, 'p', sizeof protocols);
	strcpy(protocols + LIMIT_GROUP_NAME_BYTES + 1, "=x range=m");
	ERROR_IS(JOIN(.given_id = "a", .protocols = protocols), INCONSISTENT_GROUP_PROTOCOL);
	char many[8 * (LIMIT_GROUP_PROTOCOLS + 1)] = "";

	for (int i = 0; i <= LIMIT_GROUP_PROTOCOLS; i++)
		sprintf(many + strlen(many), "p%d=x ", i);
	ERROR_IS(JOIN(.given_id = "a", .protocols = many), INCONSISTENT_GROUP_PROTOCOL);
	teardown();
}
END_TEST

START_TEST(metadata_of_all_members_is_bounded)
{
	setup();
	make_stable(1);
	group.metadata_bytes += LIMIT_GROUP_METADATA_BYTES - 2 * 6;
	ERROR_IS(JOIN(.given_id = "b", .protocols = "range=mm"), GROUP_MAX_SIZE_REACHED);
	/* What takes the place of something is counted without it. */
	struct request *join = JOIN(.given_id = "b");

	WAITS(join);
	ERROR_IS(JOIN(.id = "a", .protocols = "range=n"), NONE);
	ERROR_IS(join, NONE);
	teardown();
}
END_TEST

START_TEST(a_full_group_takes_no_more_members)
{
	setup();
	rules.members_max = 2;
	make_stable(2);
	struct request *join = JOIN(.given_id = "c");

	ERROR_IS(join, GROUP_MAX_SIZE_REACHED);
	ck_assert_str_eq(join->id, "");
	ck_assert_int_eq(group.state, GROUP_STABLE);
	/* In COMPLETING, too. */
	JOIN(.id = "a");
	JOIN(.id = "b");
	ck_assert_int_eq(group.state, GROUP_COMPLETING);
	ERROR_IS(JOIN(.given_id = "c"), GROUP_MAX_SIZE_REACHED);
	ck_assert_int_eq(group.n_members, 2);
	teardown();
}
END_TEST

START_TEST(in_a_rebalance_places_are_for_who_joins_first)
{
	setup();
	make_stable(3);
	rules.members_max = 2;
	struct request *a = JOIN(.id = "a"), *b = JOIN(.id = "b");

	WAITS(a);
	ERROR_IS(JOIN(.given_id = "d"), GROUP_MAX_SIZE_REACHED);
	/* One that waits may ask again. */
	struct request *again = JOIN(.id = "b");

	ERROR_IS(b, REBALANCE_IN_PROGRESS);
	WAITS(again);
	/* Who finds no place is out. */
	ERROR_IS(JOIN(.id = "c"), GROUP_MAX_SIZE_REACHED);
	ERROR_IS(a, NONE);
	ERROR_IS(again, NONE);
	ck_assert_int_eq(group.n_members, 2);
	teardown();
}
END_TEST

START_TEST(a_pending_id_that_finds_no_place_is_gone)
{
	setup();
	rules.members_max = 1;
	make_stable(1);
	rules.members_max = 2;
	JOIN(.given_id = "p", .version = 4);
	rules.members_max = 1;
	ERROR_IS(JOIN(.id = "p", .version = 4), GROUP_MAX_SIZE_REACHED);
	ck_assert_int_eq(group.n_pending, 0);
	teardown();
}
END_TEST

START_TEST(the_house_has_a_bound_of_its_own)
{
	char id[16];

	setup();
	for (int i = 0; i < LIMIT_GROUP_MEMBERS; i++) {
		snprintf(id, sizeof id, "m%d", i);
		WAITS(JOIN(.given_id = id));
	}
	ERROR_IS(JOIN(.given_id = "x"), GROUP_MAX_SIZE_REACHED);
	teardown();
}
END_TEST

START_TEST(a_join_that_waits_is_superseded_by_the_next_of_the_same_member)
{
	setup();
	make_stable(2);
	struct request *first = JOIN(.id = "a", .protocols = "range=1"), *second = JOIN(.id = "a", .protocols = "range=2");

	ERROR_IS(first, REBALANCE_IN_PROGRESS);
	ck_assert_str_eq(first->id, "a");
	WAITS(second);
	WAITS(JOIN(.id = "a", .protocols = "range=3"));
	struct request *b = JOIN(.id = "b");

	ERROR_IS(b, NONE);
	ck_assert_str_eq(b->members, "");
	ck_assert_str_eq(requests->next->members, "a=3 b=m");
	teardown();
}
END_TEST

START_TEST(in_completing_the_same_metadata_has_the_present_generation_again)
{
	setup();
	make_stable(2);
	JOIN(.id = "a");
	JOIN(.id = "b");
	struct request *a = JOIN(.id = "a"), *b = JOIN(.id = "b");

	ERROR_IS(a, NONE);
	ck_assert_int_eq(a->generation, 2);
	ck_assert_str_eq(a->members, "a=m b=m");
	ERROR_IS(b, NONE);
	ck_assert_str_eq(b->leader, "a");
	ck_assert(!b->has_members);
	ck_assert_int_eq(group.state, GROUP_COMPLETING);
	ck_assert_int_eq(group.generation, 2);
	/* Other metadata: a rebalance. */
	WAITS(JOIN(.id = "b", .protocols = "range=new"));
	ck_assert_int_eq(group.state, GROUP_PREPARING);
	teardown();
}
END_TEST

START_TEST(in_stable_a_follower_with_the_same_metadata_has_the_present_generation)
{
	setup();
	make_stable(2);
	struct request *b = JOIN(.id = "b");

	ERROR_IS(b, NONE);
	ck_assert_int_eq(b->generation, 1);
	ck_assert_str_eq(b->leader, "a");
	ck_assert_str_eq(b->protocol, "range");
	ck_assert(!b->has_members && !b->skip);
	ck_assert_int_eq(group.state, GROUP_STABLE);
	teardown();
}
END_TEST

START_TEST(in_stable_a_leader_or_other_metadata_asks_for_a_rebalance)
{
	setup();
	make_stable(2);
	WAITS(JOIN(.id = "a"));
	ck_assert_int_eq(group.state, GROUP_PREPARING);
	teardown();
	setup();
	make_stable(2);
	WAITS(JOIN(.id = "b", .protocols = "range=new"));
	ck_assert_int_eq(group.state, GROUP_PREPARING);
	ck_assert_int_eq(heartbeat("a", NULL, 1), KAFKA_REBALANCE_IN_PROGRESS);
	teardown();
}
END_TEST

START_TEST(metadata_are_compared_in_full_and_in_order)
{
	setup();
	struct request *join = JOIN(.given_id = "a", .protocols = "range=x rr=y");

	JOIN(.given_id = "b", .protocols = "range=x rr=y");
	pass(6000);
	ERROR_IS(join, NONE);
	ERROR_IS(JOIN(.id = "b", .protocols = "range=x rr=y"), NONE);
	WAITS(JOIN(.id = "b", .protocols = "range=x"));
	ERROR_IS(JOIN(.id = "a", .protocols = "range=x rr=y"), NONE);
	ERROR_IS(JOIN(.id = "b", .protocols = "range=x"), NONE);
	WAITS(JOIN(.id = "b", .protocols = "range=x rr=y"));
	ERROR_IS(JOIN(.id = "a", .protocols = "range=x rr=y"), NONE);
	WAITS(JOIN(.id = "b", .protocols = "rr=y range=x"));
	ck_assert_int_eq(group.state, GROUP_PREPARING);
	teardown();
}
END_TEST

START_TEST(a_group_that_is_dead_is_not_available)
{
	setup();
	ck_assert_int_eq(group_core_delete(&group, &actions), 0);
	settle();
	ERROR_IS(JOIN(.given_id = "a"), COORDINATOR_NOT_AVAILABLE);
	ERROR_IS(JOIN(.id = "a"), COORDINATOR_NOT_AVAILABLE);
	ERROR_IS(SYNC(.id = "a", .generation = 1, .assignments = "a=x"), COORDINATOR_NOT_AVAILABLE);
	ck_assert_int_eq(heartbeat("a", NULL, 1), KAFKA_COORDINATOR_NOT_AVAILABLE);
	ck_assert_int_eq(commit("a", NULL, 1), KAFKA_COORDINATOR_NOT_AVAILABLE);
	ck_assert_int_eq(leave("a", NULL), KAFKA_COORDINATOR_NOT_AVAILABLE);
	ck_assert_int_eq(group_core_delete(&group, &actions), KAFKA_GROUP_ID_NOT_FOUND);
	teardown();
}
END_TEST

/* ---- Static members ---- */

/* "s1" of instance "s" leads with "d", dynamic; stable in generation 1. */
static void make_static(void)
{
	JOIN(.given_id = "s1", .instance = "s", .version = 9);
	JOIN(.given_id = "d");
	pass(6000);
	SYNC(.id = "d", .generation = 1);
	SYNC(.id = "s1", .instance = "s", .generation = 1, .assignments = "s1=S d=D");
	stored(stored_id, 0);
	ck_assert_int_eq(group.state, GROUP_STABLE);
}

START_TEST(a_new_instance_is_not_sent_away)
{
	setup();
	struct request *join = JOIN(.given_id = "s1", .instance = "s", .version = 5);

	WAITS(join);
	pass(3000);
	ERROR_IS(join, NONE);
	ck_assert_str_eq(join->members, "s1(s)=m");
	teardown();
}
END_TEST

START_TEST(a_static_leader_that_comes_again_is_told_to_skip_the_assignment)
{
	setup();
	make_static();
	struct request *join = JOIN(.given_id = "s2", .instance = "s", .version = 9);

	WAITS(join);
	ck_assert_str_eq(record, "1 range s2: s2(s)=m/S d=m/D");
	stored(stored_id, 0);
	ERROR_IS(join, NONE);
	ck_assert_int_eq(join->generation, 1);
	ck_assert_str_eq(join->id, "s2");
	ck_assert_str_eq(join->leader, "s2");
	ck_assert(join->skip);
	ck_assert_str_eq(join->members, "s2(s)=m d=m");
	ck_assert_int_eq(group.state, GROUP_STABLE);
	struct request *sync = SYNC(.id = "s2", .instance = "s", .generation = 1);

	ERROR_IS(sync, NONE);
	ck_assert_str_eq(sync->assignment, "S");
	teardown();
}
END_TEST

START_TEST(below_version_9_it_is_told_the_old_leader_and_no_members)
{
	setup();
	make_static();
	struct request *join = JOIN(.given_id = "s2", .instance = "s", .version = 8);

	stored(stored_id, 0);
	ERROR_IS(join, NONE);
	ck_assert_str_eq(join->leader, "s1");
	ck_assert_str_eq(join->id, "s2");
	ck_assert(!join->skip && !join->has_members);
	/* Who comes later hears of the new one. */
	struct request *d = JOIN(.id = "d");

	ck_assert_str_eq(d->leader, "s2");
	teardown();
}
END_TEST

START_TEST(a_static_follower_that_comes_again_is_told_the_leader)
{
	setup();
	JOIN(.given_id = "d");
	JOIN(.given_id = "s1", .instance = "s", .version = 9);
	pass(6000);
	SYNC(.id = "s1", .instance = "s", .generation = 1);
	SYNC(.id = "d", .generation = 1, .assignments = "s1=S d=D");
	stored(stored_id, 0);
	struct request *join = JOIN(.given_id = "s2", .instance = "s", .version = 9);

	stored(stored_id, 0);
	ERROR_IS(join, NONE);
	ck_assert_str_eq(join->leader, "d");
	ck_assert(!join->skip && !join->has_members);
	join = JOIN(.given_id = "s3", .instance = "s", .version = 5);
	stored(stored_id, 0);
	ck_assert_str_eq(join->leader, "d");
	teardown();
}
END_TEST

START_TEST(the_old_id_of_an_instance_is_fenced)
{
	setup();
	make_static();
	JOIN(.given_id = "s2", .instance = "s", .version = 9);
	stored(stored_id, 0);
	ck_assert_int_eq(heartbeat("s1", "s", 1), KAFKA_FENCED_INSTANCE_ID);
	ck_assert_int_eq(heartbeat("s1", NULL, 1), KAFKA_UNKNOWN_MEMBER_ID);
	ck_assert_int_eq(commit("s1", "s", 1), KAFKA_FENCED_INSTANCE_ID);
	ck_assert_int_eq(leave("s1", "s"), KAFKA_FENCED_INSTANCE_ID);
	ERROR_IS(SYNC(.id = "s1", .instance = "s", .generation = 1), FENCED_INSTANCE_ID);
	struct request *join = JOIN(.id = "s1", .instance = "s", .version = 9);

	ERROR_IS(join, FENCED_INSTANCE_ID);
	ck_assert_str_eq(join->id, "s1");
	ck_assert_int_eq(heartbeat("s2", "s", 1), 0);
	ck_assert_int_eq(heartbeat("s2", "t", 1), KAFKA_UNKNOWN_MEMBER_ID);
	teardown();
}
END_TEST

START_TEST(a_new_id_that_could_not_be_stored_is_taken_back)
{
	setup();
	make_static();
	struct request *join = JOIN(.given_id = "s2", .instance = "s", .version = 9, .protocols = "range=new");

	stored(stored_id, KAFKA_COORDINATOR_NOT_AVAILABLE);
	ERROR_IS(join, COORDINATOR_NOT_AVAILABLE);
	ck_assert_str_eq(join->id, "");
	ck_assert_int_eq(join->generation, 1);
	ck_assert_str_eq(join->leader, "s1");
	ck_assert(!join->has_members && !join->skip);
	ck_assert_int_eq(heartbeat("s1", "s", 1), 0);
	ck_assert_int_eq(heartbeat("s2", "s", 1), KAFKA_FENCED_INSTANCE_ID);
	ck_assert_str_eq(TEXT(group_core_metadata(&group, group.leader)), "m");
	struct request *sync = SYNC(.id = "s1", .instance = "s", .generation = 1);

	ck_assert_str_eq(sync->assignment, "S");
	teardown();
}
END_TEST

START_TEST(sessions_begin_with_the_outcome_of_the_store)
{
	for (int failed = 0; failed < 2; failed++) {
		setup();
		make_static();
		struct request *join = JOIN(.given_id = "s2", .instance = "s", .version = 9);
		int64_t store = stored_id;

		for (int i = 0; i < 2; i++) {
			pass(9000);
			ck_assert_int_eq(heartbeat("d", NULL, 1), 0);
		}
		WAITS(join);
		stored(store, failed ? KAFKA_COORDINATOR_NOT_AVAILABLE : 0);
		pass(9999);
		ck_assert_int_eq(heartbeat(failed ? "s1" : "s2", "s", 1), 0);
		teardown();
	}
}
END_TEST

START_TEST(an_instance_that_comes_twice_has_the_last_id)
{
	setup();
	make_static();
	struct request *second = JOIN(.given_id = "s2", .instance = "s", .version = 9);
	int64_t second_store = stored_id;
	struct request *third = JOIN(.given_id = "s3", .instance = "s", .version = 9);
	int64_t third_store = stored_id;

	ERROR_IS(second, FENCED_INSTANCE_ID);
	ck_assert_str_eq(second->id, "s2");
	stored(second_store, 0);
	WAITS(third);
	stored(third_store, KAFKA_NOT_COORDINATOR);
	ERROR_IS(third, NOT_COORDINATOR);
	ck_assert_int_eq(heartbeat("s1", "s", 1), 0);
	teardown();
}
END_TEST

START_TEST(two_instances_may_come_again_at_once)
{
	setup();
	JOIN(.given_id = "s1", .instance = "s", .version = 9);
	JOIN(.given_id = "t1", .instance = "t", .version = 9);
	pass(6000);
	SYNC(.id = "s1", .instance = "s", .generation = 1, .assignments = "s1=S t1=T");
	stored(stored_id, 0);
	struct request *s = JOIN(.given_id = "s2", .instance = "s", .version = 9);
	int64_t s_store = stored_id;
	struct request *t = JOIN(.given_id = "t2", .instance = "t", .version = 9);
	int64_t t_store = stored_id;

	ck_assert_str_eq(record, "1 range s2: s2(s)=m/S t2(t)=m/T");
	stored(t_store, 0);
	WAITS(s);
	ERROR_IS(t, NONE);
	stored(s_store, KAFKA_UNKNOWN_SERVER_ERROR);
	ERROR_IS(s, UNKNOWN_SERVER_ERROR);
	ck_assert_int_eq(heartbeat("s1", "s", 1), 0);
	ck_assert_int_eq(heartbeat("t2", "t", 1), 0);
	teardown();
}
END_TEST

START_TEST(another_protocol_of_an_instance_asks_for_a_rebalance)
{
	setup();
	JOIN(.given_id = "s1", .instance = "s", .protocols = "range=m rr=m");
	pass(3000);
	SYNC(.id = "s1", .generation = 1, .assignments = "s1=S");
	stored(stored_id, 0);
	struct request *join = JOIN(.given_id = "s2", .instance = "s", .version = 9, .protocols = "rr=m range=m");

	/* It is alone, so that the rebalance ends at once. */
	ERROR_IS(join, NONE);
	ck_assert_int_eq(join->generation, 2);
	ck_assert_str_eq(join->protocol, "rr");
	ck_assert(!join->skip);
	teardown();
}
END_TEST

START_TEST(in_completing_an_instance_that_comes_again_asks_for_a_rebalance)
{
	setup();
	make_static();
	JOIN(.id = "s1", .instance = "s");
	JOIN(.id = "d");
	ck_assert_int_eq(group.state, GROUP_COMPLETING);
	struct request *old = SYNC(.id = "s1", .instance = "s", .generation = 2, .assignments = "s1=S d=D");
	int64_t old_store = stored_id;
	struct request *d = SYNC(.id = "d", .generation = 2);
	struct request *join = JOIN(.given_id = "s2", .instance = "s", .version = 9);

	ERROR_IS(old, FENCED_INSTANCE_ID);
	ERROR_IS(d, REBALANCE_IN_PROGRESS);
	WAITS(join);
	stored(old_store, 0);
	ck_assert_int_eq(group.state, GROUP_PREPARING);
	JOIN(.id = "d");
	ERROR_IS(join, NONE);
	ck_assert_int_eq(join->generation, 3);
	ck_assert_str_eq(join->leader, "s2");
	teardown();
}
END_TEST

START_TEST(in_preparing_an_instance_that_comes_again_waits_with_the_others)
{
	setup();
	make_static();
	struct request *d = JOIN(.id = "d", .protocols = "range=new");
	struct request *old = JOIN(.id = "s1", .instance = "s");

	ERROR_IS(d, NONE);
	d = JOIN(.id = "d", .protocols = "range=newer");
	ERROR_IS(old, NONE);
	old = JOIN(.given_id = "s2", .instance = "s");
	ERROR_IS(old, NONE);
	ERROR_IS(d, NONE);
	d = JOIN(.given_id = "e");
	old = JOIN(.id = "s2", .instance = "s");
	struct request *join = JOIN(.given_id = "s3", .instance = "s");

	ERROR_IS(old, FENCED_INSTANCE_ID);
	ck_assert_str_eq(old->id, "s2");
	WAITS(join);
	WAITS(d);
	JOIN(.id = "d");
	ERROR_IS(join, NONE);
	ck_assert_str_eq(join->leader, "s3");
	teardown();
}
END_TEST

START_TEST(a_rebalance_answers_an_instance_whose_store_is_under_way)
{
	setup();
	make_static();
	struct request *join = JOIN(.given_id = "s2", .instance = "s", .version = 9);
	int64_t store = stored_id;
	struct request *d = JOIN(.id = "d", .protocols = "range=new");

	ERROR_IS(join, NONE);
	ERROR_IS(d, NONE);
	ck_assert_int_eq(join->generation, 2);
	ck_assert_str_eq(join->leader, "s2");
	ck_assert(!join->skip);
	stored(store, KAFKA_NOT_COORDINATOR);
	ck_assert_int_eq(heartbeat("s2", "s", 2), 0);
	teardown();
}
END_TEST

START_TEST(an_instance_takes_no_place_in_a_full_group)
{
	setup();
	rules.members_max = 2;
	make_static();
	struct request *join = JOIN(.given_id = "s2", .instance = "s", .version = 9);

	stored(stored_id, 0);
	ERROR_IS(join, NONE);
	teardown();
}
END_TEST

START_TEST(a_static_member_that_joins_without_its_instance_is_dynamic)
{
	setup();
	make_static();
	WAITS(JOIN(.id = "s1"));
	JOIN(.id = "d");
	ck_assert_int_eq(leave("", "s"), KAFKA_UNKNOWN_MEMBER_ID);
	ck_assert_int_eq(heartbeat("s1", NULL, 2), 0);
	teardown();
}
END_TEST

START_TEST(a_new_instance_that_comes_again_waits_as_a_new_member)
{
	setup();
	make_stable(1);
	struct request *old = JOIN(.given_id = "s1", .instance = "s", .session_ms = 6000);
	struct request *join = JOIN(.given_id = "s2", .instance = "s", .session_ms = 6000);

	ERROR_IS(old, FENCED_INSTANCE_ID);
	ck_assert_int_eq(heartbeat("a", NULL, 1), KAFKA_REBALANCE_IN_PROGRESS);
	pass(9000);
	WAITS(join);
	JOIN(.id = "a");
	ERROR_IS(join, NONE);
	teardown();
}
END_TEST

/* The process that was told the generation is gone; the one that came does not owe its sync. */
START_TEST(an_instance_that_comes_again_is_not_awaited_to_sync)
{
	setup();
	JOIN(.given_id = "d");
	JOIN(.given_id = "s1", .instance = "s");
	pass(6000);
	SYNC(.id = "d", .generation = 1, .assignments = "s1=S d=D");
	stored(stored_id, 0);
	JOIN(.given_id = "s2", .instance = "s");
	stored(stored_id, 0);
	ck_assert_int_eq(group.sync_deadline_ms, GROUP_NEVER);
	for (int i = 0; i < 10; i++) {
		pass(9000);
		ck_assert_int_eq(heartbeat("d", NULL, 1), 0);
		ck_assert_int_eq(heartbeat("s2", "s", 1), 0);
	}
	ck_assert_int_eq(group.state, GROUP_STABLE);
	teardown();
}
END_TEST

START_TEST(the_longest_name_can_be_kept)
{
	char type[LIMIT_GROUP_NAME_BYTES + 1], protocols[LIMIT_GROUP_NAME_BYTES + 16];

	setup();
	memset(type, 't', sizeof type);
	type[sizeof type - 1] = '\0';
	memset(protocols, 'p', sizeof protocols);
	strcpy(protocols + LIMIT_GROUP_NAME_BYTES, "=x");
	struct request *join = JOIN(.given_id = "a", .type = type, .protocols = protocols);

	pass(3000);
	ERROR_IS(join, NONE);
	ck_assert_str_eq(join->members, "a=x");
	ck_assert_int_eq(group.protocol.len, LIMIT_GROUP_NAME_BYTES);
	ck_assert_int_eq(group.protocol_type.len, LIMIT_GROUP_NAME_BYTES);
	teardown();
}
END_TEST

UNIT_MAIN("broker/coord/group_join_core", sessions_begin_with_the_outcome_of_the_store,
	  a_session_timeout_lies_within_the_brokers_bounds, without_a_rebalance_timeout_the_session_timeout_counts,
	  a_lone_member_waits_for_the_initial_delay_and_leads, a_new_dynamic_member_is_sent_away_with_its_id_from_version_4_on,
	  a_pending_id_lasts_for_the_session_timeout, a_pending_id_is_not_that_of_a_static_member, pending_ids_are_bounded,
	  an_unknown_id_is_refused, protocols_have_to_fit_the_group, an_empty_group_takes_another_protocol_type,
	  names_that_cannot_be_kept_are_refused, metadata_of_all_members_is_bounded, a_full_group_takes_no_more_members,
	  in_a_rebalance_places_are_for_who_joins_first, a_pending_id_that_finds_no_place_is_gone,
	  the_house_has_a_bound_of_its_own, a_join_that_waits_is_superseded_by_the_next_of_the_same_member,
	  in_completing_the_same_metadata_has_the_present_generation_again,
	  in_stable_a_follower_with_the_same_metadata_has_the_present_generation,
	  in_stable_a_leader_or_other_metadata_asks_for_a_rebalance, metadata_are_compared_in_full_and_in_order,
	  a_group_that_is_dead_is_not_available, a_new_instance_is_not_sent_away,
	  a_static_leader_that_comes_again_is_told_to_skip_the_assignment,
	  below_version_9_it_is_told_the_old_leader_and_no_members, a_static_follower_that_comes_again_is_told_the_leader,
	  the_old_id_of_an_instance_is_fenced, a_new_id_that_could_not_be_stored_is_taken_back,
	  an_instance_that_comes_twice_has_the_last_id, two_instances_may_come_again_at_once,
	  another_protocol_of_an_instance_asks_for_a_rebalance, in_completing_an_instance_that_comes_again_asks_for_a_rebalance,
	  in_preparing_an_instance_that_comes_again_waits_with_the_others,
	  a_rebalance_answers_an_instance_whose_store_is_under_way, an_instance_takes_no_place_in_a_full_group,
	  a_static_member_that_joins_without_its_instance_is_dynamic, a_new_instance_that_comes_again_waits_as_a_new_member,
	  an_instance_that_comes_again_is_not_awaited_to_sync, the_longest_name_can_be_kept)
