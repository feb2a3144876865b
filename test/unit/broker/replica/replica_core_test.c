/* replica_core: roles, epochs, marks; a replica alone; the lease. */
#include "test/unit/broker/replica/core_fixture.h"

/* A replica that is the only one. */
static enum replica_change become_alone(int32_t leader, int32_t leader_epoch, int32_t partition_epoch)
{
	struct replica_state state = {
		.leader = leader,
		.leader_epoch = leader_epoch,
		.partition_epoch = partition_epoch,
		.replicas = (const int32_t[]){1},
		.n_replicas = leader == 1 ? 1 : 0,
		.isr = &leader,
		.n_isr = 1,
	};

	return replica_core_become(&core, &now, &state, &actions);
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
	setup(1, false);
	ck_assert_int_eq(replica_may_append(&core, &now, 1), KAFKA_NOT_LEADER_OR_FOLLOWER);
	ck_assert_int_eq(BECOME(2, 3, 0, 2), REPLICA_NEW_EPOCH);
	ck_assert_int_eq(core.role, REPLICA_FOLLOWER);
	ck_assert(actions.follow);
	ck_assert_int_eq(replica_may_read(&core, &now, -1), KAFKA_NOT_LEADER_OR_FOLLOWER);
	ck_assert_int_eq(core.high_watermark, 12);
	ck_assert_int_eq(BECOME(1, 4, 1, 1), REPLICA_NEW_EPOCH);
	ck_assert(!actions.follow);
	ck_assert(actions.high_watermark_moved);
	ck_assert_int_eq(core.epoch_start_offset, 20);
	ck_assert_int_eq(core.high_watermark, 20);
	ck_assert_int_eq(replica_may_append(&core, &now, -1), 0);
	ck_assert_int_eq(replica_may_read(&core, &now, 3), KAFKA_FENCED_LEADER_EPOCH);
	ck_assert_int_eq(replica_may_read(&core, &now, 5), KAFKA_UNKNOWN_LEADER_EPOCH);
	ck_assert_int_eq(replica_may_read(&core, &now, 4), 0);
}
END_TEST

START_TEST(s6_epochs_only_grow_and_equal_states_are_idempotent)
{
	setup(1, false);
	ck_assert_int_eq(BECOME(1, 4, 7, 1), REPLICA_NEW_EPOCH);
	ck_assert_int_eq(BECOME(1, 4, 7, 1), REPLICA_UNCHANGED);
	ck_assert_int_eq(BECOME(2, 3, 9, 2), REPLICA_STALE);
	ck_assert_int_eq(BECOME(1, 4, 6, 1), REPLICA_STALE);
	ck_assert_int_eq(BECOME(1, 4, 8, 1), REPLICA_UPDATED);
	replica_core_resign(&core);
	ck_assert_int_eq(replica_may_append(&core, &now, 0), KAFKA_NOT_LEADER_OR_FOLLOWER);
	ck_assert_int_eq(BECOME(1, 4, 8, 1), REPLICA_UPDATED);
	ck_assert_int_eq(replica_may_append(&core, &now, 0), 0);
}
END_TEST

START_TEST(states_that_make_no_sense_change_nothing)
{
	setup(1, false);
	ck_assert_int_eq(BECOME(1, 4, 7, 1, 2), REPLICA_NEW_EPOCH);
	ck_assert_int_eq(BECOME(1, 5, 8, 2, 3), REPLICA_INVALID);
	ck_assert_int_eq(BECOME(1, 5, 8, 1, 1), REPLICA_INVALID);
	ck_assert_int_eq(BECOME(1, 5, 8, 1, -7), REPLICA_INVALID);
	/* Two leaders of one epoch (S7). */
	ck_assert_int_eq(BECOME(2, 4, 8, 2), REPLICA_INVALID);
	ck_assert_int_eq(core.leader_epoch, 4);
	ck_assert_int_eq(core.partition_epoch, 7);
	ck_assert_int_eq(core.n_isr, 2);
}
END_TEST

START_TEST(a_partition_without_leader_waits)
{
	setup(1, false);
	ck_assert_int_eq(BECOME(-1, 4, 7, 2), REPLICA_NEW_EPOCH);
	ck_assert_int_eq(core.role, REPLICA_FOLLOWER);
	ck_assert(!actions.follow);
	ck_assert_int_eq(replica_may_append(&core, &now, 1), KAFKA_NOT_LEADER_OR_FOLLOWER);
}
END_TEST

START_TEST(who_is_no_replica_is_idle)
{
	setup(1, false);
	ck_assert_int_eq(become_alone(2, 4, 7), REPLICA_NEW_EPOCH);
	ck_assert_int_eq(core.role, REPLICA_IDLE);
	ck_assert(!actions.follow);
}
END_TEST

START_TEST(d8_a_replica_alone_commits_by_its_log_end_or_its_durable_end)
{
	struct replica_rules rules;

	setup(1, false);
	become_alone(1, 4, 0);
	rules = core.rules;
	log_moved(25, 20);
	ck_assert(actions.high_watermark_moved);
	ck_assert_int_eq(core.high_watermark, 25);
	/* Changing the mode never lowers it; the promise begins when the durable end has passed it. */
	rules.durable_counts = true;
	replica_core_configure(&core, &now, &rules, &actions);
	ck_assert(!actions.high_watermark_moved);
	log_moved(30, 20);
	ck_assert(!actions.high_watermark_moved);
	ck_assert_int_eq(core.high_watermark, 25);
	log_moved(30, 28);
	ck_assert(actions.high_watermark_moved);
	ck_assert_int_eq(core.high_watermark, 28);
	rules.durable_counts = false;
	replica_core_configure(&core, &now, &rules, &actions);
	ck_assert(actions.high_watermark_moved);
	ck_assert_int_eq(core.high_watermark, 30);
}
END_TEST

START_TEST(s3_min_isr_is_never_more_than_the_replicas)
{
	setup(3, false);
	become_alone(1, 4, 0);
	ck_assert_int_eq(replica_min_isr(&core), 1);
	ck_assert_int_eq(replica_may_append(&core, &now, -1), 0);
	log_moved(25, 25);
	ck_assert_int_eq(core.high_watermark, 25);
}
END_TEST

START_TEST(s3_below_min_isr_nothing_is_committed)
{
	setup(2, false);
	BECOME(1, 4, 0, 1);
	ck_assert_int_eq(replica_may_append(&core, &now, -1), KAFKA_NOT_ENOUGH_REPLICAS);
	ck_assert_int_eq(replica_may_append(&core, &now, 1), 0);
	log_moved(25, 25);
	ck_assert(!actions.high_watermark_moved);
	ck_assert_int_eq(core.high_watermark, 12);
}
END_TEST

START_TEST(s4_latest_is_unknown_until_the_high_watermark_reaches_the_epoch_start)
{
	setup(2, false);
	LEAD(1, 2);
	ck_assert(!replica_knows_latest(&core));
	follow(2, 19, 19);
	ck_assert(!replica_knows_latest(&core));
	ack(2, 20, 20);
	ck_assert(replica_knows_latest(&core));
}
END_TEST

START_TEST(deleting_records_raises_the_high_watermark_to_the_log_start)
{
	setup(1, false);
	BECOME(2, 4, 0, 2);
	replica_core_log_moved(&core, &now, 18, 20, 20, &actions);
	ck_assert(actions.high_watermark_moved);
	ck_assert_int_eq(core.high_watermark, 18);
}
END_TEST

START_TEST(s9_without_a_lease_a_leader_serves_while_it_hears_all_of_a_large_enough_isr)
{
	setup(2, false);
	now.lease_end_ms = now.ms + 10;
	LEAD(1, 2);
	follow(2, 20, 20);
	now.ms += 10;
	ck_assert(replica_serves(&core, &now));
	now.ms += SESSION_MS;
	ck_assert(!replica_serves(&core, &now));
	ck_assert_int_eq(replica_may_append(&core, &now, 1), KAFKA_NOT_LEADER_OR_FOLLOWER);
	ck_assert_int_eq(replica_may_read(&core, &now, 5), KAFKA_NOT_LEADER_OR_FOLLOWER);
	/* A ping of a handle of this epoch is a sign of life, another one is none. */
	replica_leader_hear(&core, 2, 77, now.ms);
	ck_assert(!replica_serves(&core, &now));
	replica_leader_hear(&core, 2, 1002, now.ms);
	ck_assert(replica_serves(&core, &now));
	replica_leader_close(&core, 2, 1002);
	ck_assert(!replica_serves(&core, &now));
	now.lease_end_ms = now.ms + 10;
	ck_assert(replica_serves(&core, &now));
}
END_TEST

START_TEST(s9_a_leader_that_may_not_serve_commits_nothing)
{
	setup(2, false);
	LEAD(1, 2);
	follow(2, 20, 20);
	log_moved(30, 30);
	now.lease_end_ms = now.ms;
	now.ms += SESSION_MS + 1;
	log_moved(31, 31);
	ck_assert_int_eq(core.high_watermark, 20);
	/* The ack itself is the sign of life. */
	ack(2, 30, 30);
	ck_assert_int_eq(core.high_watermark, 30);
}
END_TEST

START_TEST(s9_without_a_lease_an_isr_below_its_minimum_is_not_served)
{
	setup(2, false);
	LEAD(1);
	now.lease_end_ms = now.ms;
	ck_assert(!replica_serves(&core, &now));
	setup(1, false);
	become_alone(1, 4, 0);
	now.lease_end_ms = now.ms;
	ck_assert(replica_serves(&core, &now));
}
END_TEST

UNIT_MAIN("broker/replica/replica_core", the_checkpointed_high_watermark_is_held_within_the_log, only_a_leader_appends_and_is_read,
	  s6_epochs_only_grow_and_equal_states_are_idempotent, states_that_make_no_sense_change_nothing,
	  a_partition_without_leader_waits, who_is_no_replica_is_idle, d8_a_replica_alone_commits_by_its_log_end_or_its_durable_end,
	  s3_min_isr_is_never_more_than_the_replicas, s3_below_min_isr_nothing_is_committed,
	  s4_latest_is_unknown_until_the_high_watermark_reaches_the_epoch_start,
	  deleting_records_raises_the_high_watermark_to_the_log_start,
	  s9_without_a_lease_a_leader_serves_while_it_hears_all_of_a_large_enough_isr, s9_a_leader_that_may_not_serve_commits_nothing,
	  s9_without_a_lease_an_isr_below_its_minimum_is_not_served)
