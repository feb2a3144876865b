/* group_core: groups from the log, unloading, deletion, expiry of offsets. */
#include "test/unit/broker/coord/group_fixture.h"

/* A record of members, each {id, instance or NULL, assignment}, "a" leading. */
static bool install(const char *type, int32_t generation, const char *protocol, const char *members[][3], int n)
{
	struct group_loaded loaded = {
		.protocol_type = slice_of_text(type),
		.generation = generation,
		.protocol = slice_of_text(protocol),
		.leader = slice_of_text(n ? "a" : NULL),
		.state_wall_ms = 4711,
		.block = malloc(TEXT_MAX),
	};
	struct group_member **last = &loaded.members;

	n_blocks_alive++;
	for (int i = 0; i < n; i++) {
		struct test_member *member =
			member_new(&(struct who){.id = members[i][0], .instance = members[i][1], .rebalance_ms = -1});

		member->member.assignment = slice_of_text(members[i][2]);
		*last = &member->member;
		last = &member->member.next;
	}
	bool good = group_core_install(&group, &now, &loaded, &actions);

	settle();
	return good;
}

START_TEST(a_group_with_members_is_loaded_stable)
{
	const char *members[][3] = {{"b", NULL, "B"}, {"a", "i", "A"}};

	setup();
	ck_assert(install("consumer", 7, "range", members, 2));
	ck_assert_int_eq(group.state, GROUP_STABLE);
	ck_assert(group_core_tells_assignments(&group));
	ck_assert_int_eq(group.generation, 7);
	ck_assert_int_eq(group.state_wall_ms, 4711);
	ck_assert_int_eq(group.members->rebalance_ms, 10000);
	ck_assert_int_eq(heartbeat("a", "i", 7), 0);
	ck_assert_str_eq(SYNC(.id = "b", .generation = 7)->assignment, "B");
	struct request *b = JOIN(.id = "b");

	ERROR_IS(b, NONE);
	ck_assert_str_eq(b->leader, "a");
	ck_assert_str_eq(b->protocol, "range");
	/* Sessions have begun anew. */
	pass(9999);
	ck_assert_int_eq(heartbeat("a", "i", 7), 0);
	pass(1);
	ck_assert_int_eq(group.state, GROUP_PREPARING);
	ck_assert_int_eq(group.n_members, 1);
	teardown();
}
END_TEST

START_TEST(sessions_of_loaded_members_begin_with_the_load)
{
	const char *members[][3] = {{"a", NULL, "A"}, {"b", NULL, "B"}};

	setup();
	rules.members_max = 2;
	ck_assert(install("consumer", 7, "range", members, 2));
	pass(9999);
	ck_assert_int_eq(group.state, GROUP_STABLE);
	pass(1);
	ck_assert_int_eq(group.state, GROUP_EMPTY);
	ck_assert_int_eq(group.generation, 8);
	teardown();
}
END_TEST

START_TEST(a_group_without_protocol_type_is_loaded_as_a_simple_one)
{
	setup();
	ck_assert(install("", 0, NULL, NULL, 0));
	ck_assert(!group.protocol_type.present && !group.protocol.present);
	ck_assert_int_eq(group_core_expiry(&group), GROUP_EXPIRY_SINCE_COMMIT);
	teardown();
}
END_TEST

START_TEST(a_group_without_members_is_loaded_empty)
{
	setup();
	ck_assert(install("consumer", 7, NULL, NULL, 0));
	ck_assert_int_eq(group.state, GROUP_EMPTY);
	ck_assert_int_eq(group.generation, 7);
	ck_assert_str_eq(TEXT(group_core_name(&group.protocol_type)), "consumer");
	struct request *a = JOIN(.given_id = "a");

	pass(3000);
	ck_assert_int_eq(a->generation, 8);
	teardown();
}
END_TEST

START_TEST(a_loaded_group_that_is_too_large_rebalances)
{
	const char *members[][3] = {{"a", NULL, "A"}, {"b", NULL, "B"}, {"c", NULL, "C"}};

	setup();
	rules.members_max = 2;
	ck_assert(install("consumer", 7, "range", members, 3));
	ck_assert_int_eq(group.state, GROUP_PREPARING);
	ck_assert_int_eq(heartbeat("c", NULL, 7), KAFKA_REBALANCE_IN_PROGRESS);
	JOIN(.id = "c");
	JOIN(.id = "b");
	ERROR_IS(JOIN(.id = "a"), GROUP_MAX_SIZE_REACHED);
	ck_assert_int_eq(group.state, GROUP_COMPLETING);
	teardown();
}
END_TEST

START_TEST(a_record_that_makes_no_sense_leaves_no_members)
{
	const char *twice[][3] = {{"a", NULL, "A"}, {"a", NULL, "B"}, {"c", NULL, "C"}};
	const char *instance_twice[][3] = {{"a", "i", "A"}, {"b", "i", "B"}};
	const char *nameless[][3] = {{"a", NULL, "A"}, {"", NULL, "B"}};
	const char *one[][3] = {{"a", NULL, "A"}};
	char name[LIMIT_GROUP_NAME_BYTES + 2];

	memset(name, 'n', sizeof name);
	name[sizeof name - 1] = '\0';
	setup();
	ck_assert(!install("consumer", 7, "range", twice, 3));
	ck_assert(!install("consumer", 7, "range", instance_twice, 2));
	ck_assert(!install("consumer", 7, "range", nameless, 2));
	ck_assert(!install("consumer", 7, NULL, one, 1));
	ck_assert(!install("consumer", 7, "other", one, 1));
	ck_assert(!install("", 7, "range", one, 1));
	ck_assert(!install("consumer", -1, "range", one, 1));
	ck_assert(!install(name, 7, "range", one, 1));
	ck_assert(!install("consumer", 7, name, one, 1));
	ck_assert_int_eq(n_members_alive, 0);
	ck_assert_int_eq(n_blocks_alive, 0);
	ck_assert_int_eq(group.state, GROUP_EMPTY);
	ck_assert_int_eq(group.metadata_bytes, 0);
	ck_assert(!group.protocol_type.present && !group.leader);
	make_stable(2);
	teardown();
}
END_TEST

START_TEST(a_leader_that_is_no_member_is_followed_by_the_first)
{
	const char *members[][3] = {{"b", NULL, "B"}, {"c", NULL, "C"}};

	setup();
	ck_assert(install("consumer", 7, "range", members, 2));
	ck_assert_str_eq(JOIN(.id = "c")->leader, "b");
	teardown();
}
END_TEST

START_TEST(unloading_ends_all_that_waits)
{
	setup();
	make_stable(2);
	JOIN(.given_id = "p", .version = 4);
	struct request *a = JOIN(.id = "a");

	group_core_unload(&group, &actions);
	settle();
	ERROR_IS(a, NOT_COORDINATOR);
	ck_assert_str_eq(a->id, "a");
	ck_assert_int_eq(group_core_next_ms(&group), GROUP_NEVER);
	ck_assert_int_eq(group.state, GROUP_DEAD);
	ck_assert_int_eq(n_members_alive, 0);
	ck_assert_int_eq(n_blocks_alive, 0);
	tick();
	teardown();
	setup();
	make_stable(1);
	JOIN(.id = "a");
	struct request *sync = SYNC(.id = "a", .generation = 2, .assignments = "a=A");
	int64_t store = stored_id;

	group_core_unload(&group, &actions);
	settle();
	ERROR_IS(sync, NOT_COORDINATOR);
	stored(store, 0);
	ck_assert_int_eq(group.state, GROUP_DEAD);
	ck_assert_int_eq(n_members_alive, 0);
	teardown();
}
END_TEST

START_TEST(unloading_ends_an_instance_whose_store_is_under_way)
{
	setup();
	JOIN(.given_id = "s1", .instance = "s");
	pass(3000);
	SYNC(.id = "s1", .generation = 1);
	stored(stored_id, 0);
	struct request *join = JOIN(.given_id = "s2", .instance = "s", .version = 9);

	teardown();
	(void)join;
}
END_TEST

START_TEST(only_empty_groups_are_deleted)
{
	setup();
	make_stable(1);
	ck_assert_int_eq(group_core_delete(&group, &actions), KAFKA_NON_EMPTY_GROUP);
	settle();
	ck_assert(!group_core_is_unused(&group));
	leave("a", NULL);
	ck_assert(group_core_is_unused(&group));
	JOIN(.given_id = "p", .version = 4);
	ck_assert(!group_core_is_unused(&group));
	ck_assert_int_eq(group_core_delete(&group, &actions), 0);
	settle();
	ck_assert_int_eq(group_core_next_ms(&group), GROUP_NEVER);
	ck_assert_int_eq(n_members_alive, 0);
	ck_assert_int_eq(group_core_delete(&group, &actions), KAFKA_GROUP_ID_NOT_FOUND);
	settle();
	teardown();
}
END_TEST

START_TEST(which_offsets_expire_depends_on_the_group)
{
	setup();
	ck_assert_int_eq(group_core_expiry(&group), GROUP_EXPIRY_SINCE_COMMIT);
	make_stable(1);
	ck_assert_int_eq(group_core_expiry(&group), GROUP_EXPIRY_UNSUBSCRIBED);
	JOIN(.given_id = "b");
	ck_assert_int_eq(group_core_expiry(&group), GROUP_EXPIRY_NONE);
	JOIN(.id = "a");
	ck_assert_int_eq(group_core_expiry(&group), GROUP_EXPIRY_NONE);
	leave("a", NULL);
	leave("b", NULL);
	ck_assert_int_eq(group_core_expiry(&group), GROUP_EXPIRY_SINCE_EMPTY);
	JOIN(.given_id = "c", .type = "connect");
	pass(3000);
	SYNC(.id = "c", .generation = group.generation);
	stored(stored_id, 0);
	ck_assert_int_eq(group.state, GROUP_STABLE);
	ck_assert_int_eq(group_core_expiry(&group), GROUP_EXPIRY_NONE);
	teardown();
}
END_TEST

START_TEST(offsets_of_subscribed_topics_are_not_deleted)
{
	setup();
	ck_assert_int_eq(group_core_offset_delete(NULL), KAFKA_GROUP_ID_NOT_FOUND);
	ck_assert_int_eq(group_core_offset_delete(&group), 0);
	make_stable(1);
	ck_assert_int_eq(group_core_offset_delete(&group), KAFKA_GROUP_SUBSCRIBED_TO_TOPIC);
	leave("a", NULL);
	JOIN(.given_id = "c", .type = "connect");
	ck_assert_int_eq(group_core_offset_delete(&group), KAFKA_NON_EMPTY_GROUP);
	teardown();
	ck_assert_int_eq(group_core_offset_delete(&group), KAFKA_GROUP_ID_NOT_FOUND);
}
END_TEST

START_TEST(states_are_spelled_as_in_kafka)
{
	static const char *const names[] = {"Empty", "PreparingRebalance", "CompletingRebalance", "Stable", "Dead"};

	for (int state = GROUP_EMPTY; state <= GROUP_DEAD; state++)
		ck_assert_str_eq(group_core_state_name((enum group_state)state), names[state]);
}
END_TEST

UNIT_MAIN("broker/coord/group_core", sessions_of_loaded_members_begin_with_the_load,
	  a_group_without_protocol_type_is_loaded_as_a_simple_one, a_group_with_members_is_loaded_stable,
	  a_group_without_members_is_loaded_empty, a_loaded_group_that_is_too_large_rebalances,
	  a_record_that_makes_no_sense_leaves_no_members, a_leader_that_is_no_member_is_followed_by_the_first,
	  unloading_ends_all_that_waits, unloading_ends_an_instance_whose_store_is_under_way, only_empty_groups_are_deleted,
	  which_offsets_expire_depends_on_the_group, offsets_of_subscribed_topics_are_not_deleted,
	  states_are_spelled_as_in_kafka)
