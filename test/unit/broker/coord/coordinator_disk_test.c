/* The disk fails under an append of the coordinator's own, which ends the leadership, and all groups, from inside that append. */
#include "test/unit/broker/coord/coordinator_fixture.h"

#include "test/lib/fs_mem.h"

static struct fs_mem *mem;

static void setup_mem(const char *properties)
{
	more_properties = properties;
	mem = fs_mem_new(1);
	partition_fs = fs_mem_fs(mem);
	coordinator_setup();
	await_serving();
}

static void break_disk(void)
{
	struct fs_mem_fault broken = {.calls = FS_MEM_PWRITE, .path = ".log", .error = ERR_IO};

	fs_mem_add_fault(mem, &broken);
}

/* Nothing of the partition's groups is left. */
static void expect_gone(void)
{
	TURN_UNTIL(partition->state == PARTITION_FAILED);
	ck_assert_ptr_null(home());
	ck_assert_int_eq(shard.group_counters.n_groups, 0);
	ck_assert_int_eq(shard.group_counters.n_offsets, 0);
}

static void teardown_mem(void)
{
	fs_mem_clear_faults(mem);
	dir_fails = true;
	coordinator_teardown();
	dir_fails = false;
	fs_mem_free(mem);
	partition_fs = NULL;
	more_properties = "";
}

START_TEST(a_commit)
{
	setup_mem("");
	ck_assert_int_eq(commit("g", "t", 0, 1), 0);
	break_disk();
	ck_assert_int_eq(commit("g", "t", 0, 2), KAFKA_NOT_COORDINATOR);
	expect_gone();
	teardown_mem();
}
END_TEST

START_TEST(assignments)
{
	struct coordinator_join join;
	struct coordinator_sync sync;

	setup_mem("group.initial.rebalance.delay.ms=0\n");
	ask_join(&join, "g", SLICE_LITERAL(""), NULL);
	TURN_UNTIL(is_done(&join.call));
	break_disk();
	ask_sync(&sync, "g", &join, &(struct sync_group_request_assignment){join.ret_member_id, SLICE_LITERAL("all")}, 1);
	TURN_UNTIL(is_done(&sync.call));
	ck_assert_int_eq(sync.call.error, KAFKA_NOT_COORDINATOR);
	expect_gone();
	teardown_mem();
}
END_TEST

START_TEST(members_that_leave_one_after_another)
{
	struct leave_group_request_member members[2] = {0};
	struct coordinator_leave leave = {.members = members, .n_members = 2};
	struct coordinator_join join;

	setup_mem("group.initial.rebalance.delay.ms=0\n");
	make_stable("g", NULL, &join);
	members[0].member_id = members[1].member_id = join.ret_member_id;
	break_disk();
	ask_and_wait(&leave.call, COORDINATOR_LEAVE, "g");
	expect_gone();
	teardown_mem();
}
END_TEST

START_TEST(tombstones_of_a_group_with_more_offsets_than_a_batch_holds)
{
	struct coordinator_delete_group deletion = {0};
	char topic[250];

	memset(topic, 't', sizeof topic - 1);
	topic[sizeof topic - 1] = 0;
	setup_mem("");
	for (int i = 0; i < 1500; i++)
		ck_assert_int_eq(commit("g", topic, i, i), 0);
	break_disk();
	ask_and_wait(&deletion.call, COORDINATOR_DELETE_GROUP, "g");
	ck_assert_int_eq(deletion.call.error, KAFKA_NOT_COORDINATOR);
	expect_gone();
	teardown_mem();
}
END_TEST

START_TEST(offsets_that_expire)
{
	setup_mem("offsets.retention.check.interval.ms=200\noffsets.retention.minutes=1\n");
	for (int i = 0; i < 3; i++) {
		char group[2] = {(char)('a' + i), 0};
		struct commit_call call;

		commit_of(&call, "t", 0, 1, "");
		call.partition.commit_timestamp = 1;
		ask_and_wait(&call.commit.call, COORDINATOR_COMMIT, group);
		ck_assert_int_eq(call.commit.results[0].partitions[0].error_code, 0);
	}
	break_disk();
	expect_gone();
	teardown_mem();
}
END_TEST

UNIT_MAIN("broker/coord/coordinator_disk", a_commit, assignments, members_that_leave_one_after_another,
	  tombstones_of_a_group_with_more_offsets_than_a_batch_holds, offsets_that_expire)
