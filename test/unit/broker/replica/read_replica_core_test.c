/* read_replica_core: the replica that Kafka's rack-aware selector would choose. */
#include "test/lib/unit.h"

#include "broker/replica/read_replica_core.h"

#define A SLICE_LITERAL("a")
#define B SLICE_LITERAL("b")
#define C SLICE_LITERAL("c")

static const struct read_replica followers[] = {
	{.id = 2, .rack = B, .log_start_offset = 0, .log_end_offset = 20, .caught_up_ms = 5},
	{.id = 3, .rack = B, .log_start_offset = 0, .log_end_offset = 30, .caught_up_ms = 5},
	{.id = 4, .rack = A, .log_start_offset = 0, .log_end_offset = 40, .caught_up_ms = 5},
};

static int32_t choose(struct slice client_rack, struct slice leader_rack, int64_t offset)
{
	return read_replica_choose(READ_REPLICA_RACK_AWARE, client_rack, leader_rack, offset, followers, 3);
}

START_TEST(the_one_in_the_clients_rack_with_most_of_the_log_is_chosen)
{
	ck_assert_int_eq(choose(B, C, 10), 3);
	ck_assert_int_eq(choose(A, C, 10), 4);
	ck_assert_int_eq(choose(B, SLICE_NULL, 30), 3);
}
END_TEST

START_TEST(a_leader_in_the_same_rack_and_a_client_without_one_stay_with_the_leader)
{
	ck_assert_int_eq(choose(A, A, 10), READ_REPLICA_OF_LEADER);
	ck_assert_int_eq(choose(SLICE_LITERAL(""), A, 10), READ_REPLICA_OF_LEADER);
	ck_assert_int_eq(choose(SLICE_NULL, SLICE_NULL, 10), READ_REPLICA_OF_LEADER);
	ck_assert_int_eq(choose(C, A, 10), READ_REPLICA_OF_LEADER);
	ck_assert_int_eq(read_replica_choose(READ_REPLICA_LEADER, B, A, 10, followers, 3), READ_REPLICA_OF_LEADER);
}
END_TEST

START_TEST(one_that_lacks_the_offset_is_not_chosen)
{
	const struct read_replica late[] = {
		{.id = 2, .rack = B, .log_start_offset = 12, .log_end_offset = 20},
		{.id = 3, .rack = B, .log_start_offset = 0, .log_end_offset = 9},
		{.id = 4, .rack = B, .log_start_offset = -1, .log_end_offset = -1},
	};

	ck_assert_int_eq(read_replica_choose(READ_REPLICA_RACK_AWARE, B, A, 10, late, 3), READ_REPLICA_OF_LEADER);
	ck_assert_int_eq(read_replica_choose(READ_REPLICA_RACK_AWARE, B, A, 12, late, 3), 2);
}
END_TEST

START_TEST(of_equals_the_one_caught_up_last_then_the_higher_id)
{
	struct read_replica equal[] = {
		{.id = 2, .rack = B, .log_end_offset = 20, .caught_up_ms = 7},
		{.id = 3, .rack = B, .log_end_offset = 20, .caught_up_ms = 5},
	};

	ck_assert_int_eq(read_replica_choose(READ_REPLICA_RACK_AWARE, B, A, 10, equal, 2), 2);
	equal[1].caught_up_ms = 7;
	ck_assert_int_eq(read_replica_choose(READ_REPLICA_RACK_AWARE, B, A, 10, equal, 2), 3);
}
END_TEST

UNIT_MAIN("broker/replica/read_replica_core", the_one_in_the_clients_rack_with_most_of_the_log_is_chosen,
	  a_leader_in_the_same_rack_and_a_client_without_one_stay_with_the_leader, one_that_lacks_the_offset_is_not_chosen,
	  of_equals_the_one_caught_up_last_then_the_higher_id)
