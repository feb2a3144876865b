/* replica_core: roles, epochs, the high watermark with one replica. */
#include "test/lib/unit.h"

#include "broker/replica/replica_core.h"
#include "proto/kafka_error.h"

static struct replica_core core;

static enum replica_change become(int32_t leader, int32_t leader_epoch, int32_t partition_epoch)
{
	struct replica_state state = {leader, leader_epoch, partition_epoch, 1, true};

	return replica_core_become(&core, &state);
}

static void setup(void)
{
	replica_core_init(&core, 1, 10, 20, 15, 12);
}

START_TEST(the_checkpointed_high_watermark_is_held_within_the_log)
{
	replica_core_init(&core, 1, 10, 20, 30, 99);
	ck_assert_int_eq(core.high_watermark, 20);
	ck_assert_int_eq(core.durable_end_offset, 20);
	replica_core_init(&core, 1, 10, 20, 15, 0);
	ck_assert_int_eq(core.high_watermark, 10);
}
END_TEST

START_TEST(only_a_leader_appends_and_is_read)
{
	setup();
	ck_assert_int_eq(replica_may_append(&core, 1), KAFKA_NOT_LEADER_OR_FOLLOWER);
	ck_assert_int_eq(become(2, 3, 0), REPLICA_NEW_EPOCH);
	ck_assert_int_eq(core.role, REPLICA_FOLLOWER);
	ck_assert_int_eq(replica_may_read(&core, -1), KAFKA_NOT_LEADER_OR_FOLLOWER);
	ck_assert_int_eq(core.high_watermark, 12);
	ck_assert_int_eq(become(1, 4, 1), REPLICA_NEW_EPOCH);
	ck_assert_int_eq(core.epoch_start_offset, 20);
	ck_assert_int_eq(core.high_watermark, 20);
	ck_assert_int_eq(replica_may_append(&core, -1), 0);
	ck_assert_int_eq(replica_may_read(&core, 3), KAFKA_FENCED_LEADER_EPOCH);
	ck_assert_int_eq(replica_may_read(&core, 5), KAFKA_UNKNOWN_LEADER_EPOCH);
	ck_assert_int_eq(replica_may_read(&core, 4), 0);
}
END_TEST

START_TEST(epochs_only_grow_and_equal_states_are_idempotent)
{
	setup();
	ck_assert_int_eq(become(1, 4, 7), REPLICA_NEW_EPOCH);
	ck_assert_int_eq(become(1, 4, 7), REPLICA_UNCHANGED);
	ck_assert_int_eq(become(2, 3, 9), REPLICA_STALE);
	ck_assert_int_eq(become(1, 4, 6), REPLICA_STALE);
	ck_assert_int_eq(become(1, 4, 8), REPLICA_UPDATED);
	replica_core_resign(&core);
	ck_assert_int_eq(replica_may_append(&core, 0), KAFKA_NOT_LEADER_OR_FOLLOWER);
	ck_assert_int_eq(become(1, 4, 8), REPLICA_UPDATED);
	ck_assert_int_eq(replica_may_append(&core, 0), 0);
}
END_TEST

START_TEST(the_high_watermark_follows_the_log_or_its_durable_end)
{
	setup();
	become(1, 4, 0);
	ck_assert(replica_core_log_moved(&core, 10, 25, 15));
	ck_assert_int_eq(core.high_watermark, 25);
	/* Changing the mode never lowers it; the promise begins when the durable end has passed it. */
	ck_assert(!replica_core_configure(&core, true, 1));
	ck_assert(!replica_core_log_moved(&core, 10, 30, 20));
	ck_assert_int_eq(core.high_watermark, 25);
	ck_assert(replica_core_log_moved(&core, 10, 30, 28));
	ck_assert_int_eq(core.high_watermark, 28);
	ck_assert(replica_core_configure(&core, false, 1));
	ck_assert_int_eq(core.high_watermark, 30);
}
END_TEST

START_TEST(below_min_isr_nothing_is_committed)
{
	setup();
	become(1, 4, 0);
	replica_core_configure(&core, false, 2);
	ck_assert_int_eq(replica_may_append(&core, -1), KAFKA_NOT_ENOUGH_REPLICAS);
	ck_assert_int_eq(replica_may_append(&core, 1), 0);
	ck_assert(!replica_core_log_moved(&core, 10, 25, 25));
	ck_assert_int_eq(core.high_watermark, 20);
}
END_TEST

START_TEST(deleting_records_raises_the_high_watermark_to_the_log_start)
{
	setup();
	become(2, 4, 0);
	ck_assert(replica_core_log_moved(&core, 18, 20, 20));
	ck_assert_int_eq(core.high_watermark, 18);
}
END_TEST

UNIT_MAIN("broker/replica/replica_core", the_checkpointed_high_watermark_is_held_within_the_log, only_a_leader_appends_and_is_read,
	  epochs_only_grow_and_equal_states_are_idempotent, the_high_watermark_follows_the_log_or_its_durable_end,
	  below_min_isr_nothing_is_committed, deleting_records_raises_the_high_watermark_to_the_log_start)
