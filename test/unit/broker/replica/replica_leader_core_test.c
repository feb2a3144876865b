/* replica_leader_core: Follow, acks, high watermark, caught up. */
#include "test/unit/broker/replica/core_fixture.h"

static enum replica_verdict follow_as(struct replica_follow asked, struct log_epoch_end end)
{
	replica_leader_follow(&core, &now, &asked, end, 1000 + asked.id, &judgement, &actions);
	return judgement.verdict;
}

static struct replica_follow asked_by_2(void)
{
	return (struct replica_follow){.id = 2,
				       .broker_epoch = 200,
				       .leader_epoch = 5,
				       .last_epoch = 4,
				       .log_end_offset = 20,
				       .durable_end_offset = 20,
				       .log_start_offset = 10};
}

static const struct log_epoch_end agreed = {4, 20};

/* ---- Follow ---- */

START_TEST(an_accepted_follow_is_the_first_ack)
{
	setup(2, false);
	LEAD(1, 2);
	ck_assert_int_eq(core.high_watermark, 12);
	ck_assert_int_eq(follow(2, 18, 18), REPLICA_OPEN);
	ck_assert(actions.high_watermark_moved);
	ck_assert_int_eq(core.high_watermark, 18);
	ck_assert_int_eq(judgement.high_watermark, 18);
	ck_assert_int_eq(judgement.log_start_offset, 10);
	ck_assert_int_eq(judgement.epoch_start_offset, 20);
}
END_TEST

START_TEST(d1_epochs_are_checked_by_the_receiver)
{
	struct replica_follow asked;

	setup(2, false);
	LEAD(1, 2);
	asked = asked_by_2();
	asked.leader_epoch = 4;
	ck_assert_int_eq(follow_as(asked, agreed), REPLICA_REFUSED);
	ck_assert_int_eq(judgement.error, KAFKA_FENCED_LEADER_EPOCH);
	asked.leader_epoch = 6;
	ck_assert_int_eq(follow_as(asked, agreed), REPLICA_WAIT);
	asked = asked_by_2();
	asked.id = 9;
	ck_assert_int_eq(follow_as(asked, agreed), REPLICA_REFUSED);
	asked.id = 1;
	ck_assert_int_eq(follow_as(asked, agreed), REPLICA_REFUSED);
	BECOME(2, 6, 60, 2);
	asked = asked_by_2();
	asked.leader_epoch = 6;
	ck_assert_int_eq(follow_as(asked, agreed), REPLICA_REFUSED);
	ck_assert_int_eq(judgement.error, KAFKA_NOT_LEADER_OR_FOLLOWER);
}
END_TEST

START_TEST(kip903_an_incarnation_that_is_not_listed_waits_and_a_former_one_is_refused)
{
	struct replica_follow asked;

	setup(2, false);
	LEAD(1, 2);
	asked = asked_by_2();
	asked.broker_epoch = 201;
	ck_assert_int_eq(follow_as(asked, agreed), REPLICA_WAIT);
	asked.broker_epoch = 199;
	ck_assert_int_eq(follow_as(asked, agreed), REPLICA_REFUSED);
	ck_assert_int_eq(judgement.error, KAFKA_STALE_BROKER_EPOCH);
	list(2, REPLICA_BROKER_EPOCH_NONE);
	ck_assert_int_eq(follow_as(asked_by_2(), agreed), REPLICA_WAIT);
}
END_TEST

START_TEST(bad_input_of_a_follow_is_refused)
{
	struct replica_follow asked;

	setup(2, false);
	LEAD(1, 2);
	asked = asked_by_2();
	asked.durable_end_offset = 21;
	ck_assert_int_eq(follow_as(asked, agreed), REPLICA_REFUSED);
	ck_assert_int_eq(judgement.error, KAFKA_INVALID_REQUEST);
	asked = asked_by_2();
	asked.log_start_offset = -1;
	ck_assert_int_eq(follow_as(asked, agreed), REPLICA_REFUSED);
	asked = asked_by_2();
	asked.last_epoch = 6;
	ck_assert_int_eq(follow_as(asked, agreed), REPLICA_REFUSED);
	ck_assert_int_eq(core.high_watermark, 12);
}
END_TEST

START_TEST(kip320_a_follower_whose_log_parts_from_ours_is_told_where)
{
	struct replica_follow asked;

	setup(2, false);
	LEAD(1, 2);
	/* Its epoch 4 goes further than ours. */
	asked = asked_by_2();
	asked.log_end_offset = asked.durable_end_offset = 25;
	ck_assert_int_eq(follow_as(asked, agreed), REPLICA_DIVERGED);
	ck_assert_int_eq(judgement.divergence.epoch, 4);
	ck_assert_int_eq(judgement.divergence.end_offset, 20);
	/* Its epoch is none of ours (KIP-279). */
	ck_assert_int_eq(follow_as(asked_by_2(), (struct log_epoch_end){3, 15}), REPLICA_DIVERGED);
	ck_assert_int_eq(judgement.divergence.epoch, 3);
	/* No epoch at all, and further than our log. */
	asked.last_epoch = -1;
	ck_assert_int_eq(follow_as(asked, (struct log_epoch_end){-1, -1}), REPLICA_DIVERGED);
	ck_assert_int_eq(judgement.divergence.end_offset, 20);
	/* A follower that has to cut has acked nothing. */
	ck_assert_int_eq(core.high_watermark, 12);
	ck_assert_int_eq(replica_committed_end(&core), REPLICA_OFFSET_NONE);
}
END_TEST

START_TEST(a_follower_below_the_log_start_starts_anew)
{
	struct replica_follow asked;

	setup(2, false);
	LEAD(1, 2);
	asked = asked_by_2();
	asked.log_start_offset = 0;
	asked.log_end_offset = asked.durable_end_offset = 9;
	asked.last_epoch = 1;
	ck_assert_int_eq(follow_as(asked, (struct log_epoch_end){1, 10}), REPLICA_RESET);
	ck_assert_int_eq(judgement.log_start_offset, 10);
	asked.last_epoch = -1;
	asked.log_end_offset = asked.durable_end_offset = 0;
	ck_assert_int_eq(follow_as(asked, (struct log_epoch_end){-1, -1}), REPLICA_RESET);
}
END_TEST

START_TEST(a_new_follow_sets_the_ends_also_downwards)
{
	setup(2, false);
	LEAD(1, 2);
	follow(2, 20, 20);
	log_moved(30, 30);
	ck_assert_int_eq(ack(2, 25, 25), REPLICA_ACK_TAKEN);
	ck_assert_int_eq(core.high_watermark, 25);
	ck_assert_int_eq(judgement.closed_handle, REPLICA_HANDLE_NONE);
	follow(2, 20, 20);
	ck_assert_int_eq(replica_committed_end(&core), 20);
	ck_assert_int_eq(core.high_watermark, 25);
	/* The one it had is told to be closed. */
	ck_assert_int_eq(judgement.closed_handle, 1002);
}
END_TEST

/* ---- acks ---- */

START_TEST(d1_late_acks_of_closed_handles_are_dropped)
{
	struct replica_ack late = {.id = 2, .handle = 7, .log_end_offset = 30, .durable_end_offset = 30, .log_start_offset = 10};

	setup(2, false);
	LEAD(1, 2);
	follow(2, 20, 20);
	log_moved(30, 30);
	ck_assert_int_eq(replica_leader_ack(&core, &now, &late, &actions), REPLICA_ACK_DROPPED);
	replica_leader_close(&core, 2, 1002);
	ck_assert_int_eq(ack(2, 30, 30), REPLICA_ACK_DROPPED);
	late.handle = REPLICA_HANDLE_NONE;
	ck_assert_int_eq(replica_leader_ack(&core, &now, &late, &actions), REPLICA_ACK_DROPPED);
	ck_assert_int_eq(core.high_watermark, 20);
}
END_TEST

START_TEST(kip903_acks_of_an_incarnation_that_is_gone_count_no_more)
{
	setup(2, false);
	LEAD(1, 2);
	follow(2, 20, 20);
	log_moved(30, 30);
	list(2, 201);
	ck_assert_int_eq(ack(2, 30, 30), REPLICA_ACK_DROPPED);
	ck_assert_int_eq(replica_committed_end(&core), REPLICA_OFFSET_NONE);
	ck_assert_int_eq(core.high_watermark, 20);
}
END_TEST

START_TEST(bad_input_of_an_ack_closes_its_handle)
{
	const int64_t bad[][2] = {{21, 20}, {20, 21}, {19, 19}, {20, -1}};

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		setup(2, false);
		LEAD(1, 2);
		follow(2, 20, 20);
		ck_assert_int_eq(ack(2, bad[i][0], bad[i][1]), REPLICA_ACK_INVALID);
		ck_assert_int_eq(ack(2, 20, 20), REPLICA_ACK_DROPPED);
	}
}
END_TEST

START_TEST(s7_every_epoch_bump_closes_every_handle_and_forgets_every_end)
{
	setup(2, false);
	LEAD(1, 2);
	follow(2, 20, 20);
	log_moved(30, 30);
	ck_assert_int_eq(BECOME(1, 6, 51, 1, 2), REPLICA_NEW_EPOCH);
	ck_assert_int_eq(core.epoch_start_offset, 30);
	ck_assert_int_eq(ack(2, 30, 30), REPLICA_ACK_DROPPED);
	/* S3: only what is told in this epoch counts. */
	ck_assert_int_eq(replica_committed_end(&core), REPLICA_OFFSET_NONE);
	ck_assert_int_eq(core.high_watermark, 20);
}
END_TEST

START_TEST(a_newer_isr_of_the_same_epoch_keeps_handles)
{
	setup(2, false);
	LEAD(1, 2, 3);
	follow(2, 20, 20);
	follow(3, 15, 15);
	ck_assert_int_eq(core.high_watermark, 15);
	ck_assert_int_eq(BECOME(1, 5, 51, 1, 2), REPLICA_UPDATED);
	ck_assert_int_eq(ack(2, 20, 20), REPLICA_ACK_TAKEN);
	ck_assert_int_eq(ack(3, 16, 16), REPLICA_ACK_TAKEN);
}
END_TEST

/* ---- high watermark ---- */

START_TEST(s3_the_high_watermark_is_the_least_end_of_the_isr_and_waits_for_the_unknown)
{
	setup(2, false);
	LEAD(1, 2, 3);
	follow(2, 20, 20);
	ck_assert_int_eq(core.high_watermark, 12);
	follow(3, 14, 14);
	ck_assert_int_eq(core.high_watermark, 14);
	log_moved(40, 40);
	ack(3, 20, 20);
	ck_assert_int_eq(core.high_watermark, 20);
	ack(2, 35, 35);
	ack(3, 33, 33);
	ck_assert_int_eq(core.high_watermark, 33);
}
END_TEST

START_TEST(s3_it_stands_still_while_the_committed_isr_is_below_min_isr)
{
	setup(3, false);
	LEAD(1, 2);
	follow(2, 20, 20);
	ck_assert_int_eq(core.high_watermark, 12);
	/* A pending addition counts for the high watermark, not for the minimum. */
	follow(3, 20, 20);
	ck_assert(actions.propose);
	ck_assert_int_eq(core.high_watermark, 12);
	ck_assert(ANSWER(0, 51, 1, 2, 3));
	ck_assert_int_eq(core.high_watermark, 20);
}
END_TEST

START_TEST(s2_acks_fail_when_the_isr_falls_below_its_minimum)
{
	setup(2, false);
	LEAD(1, 2);
	follow(2, 20, 20);
	log_moved(30, 30);
	ck_assert(!actions.acks_failed);
	ck_assert_int_eq(BECOME(1, 5, 51, 1), REPLICA_UPDATED);
	ck_assert(actions.acks_failed);
	ck_assert_int_eq(replica_may_append(&core, &now, -1), KAFKA_NOT_ENOUGH_REPLICAS);
	tick_after(1);
	ck_assert(!actions.acks_failed);
	/* The minimum was raised above what there is. */
	BECOME(1, 5, 52, 1, 2);
	core.rules.min_isr = 3;
	tick_after(1);
	ck_assert(actions.acks_failed);
}
END_TEST

START_TEST(d8_durable_ends_stand_for_log_ends)
{
	setup(2, true);
	LEAD(1, 2);
	follow(2, 20, 13);
	ck_assert_int_eq(core.high_watermark, 13);
	log_moved(30, 20);
	ack(2, 30, 30);
	/* The leader's own durable end holds it, too. */
	ck_assert_int_eq(core.high_watermark, 20);
	log_moved(30, 28);
	ck_assert_int_eq(core.high_watermark, 28);
}
END_TEST

START_TEST(the_low_watermark_is_the_lowest_log_start_of_those_alive)
{
	struct replica_ack moved = {.id = 2, .handle = 1002, .log_end_offset = 20, .durable_end_offset = 20, .log_start_offset = 15};

	setup(2, false);
	LEAD(1, 2, 3);
	ck_assert_int_eq(replica_low_watermark(&core), REPLICA_OFFSET_NONE);
	follow(2, 20, 20);
	follow(3, 20, 20);
	ck_assert_int_eq(replica_low_watermark(&core), 10);
	replica_core_log_moved(&core, &now, 17, 20, 20, &actions);
	replica_leader_ack(&core, &now, &moved, &actions);
	ck_assert_int_eq(replica_low_watermark(&core), 10);
	list(3, REPLICA_BROKER_EPOCH_NONE);
	ck_assert_int_eq(replica_low_watermark(&core), 15);
}
END_TEST

/* ---- about to join ---- */

/* Leads {1, 2}; 3 follows, a little behind, and cannot join yet since 2 has more. */
static void let_3_come_near(void)
{
	setup(2, false);
	LEAD(1, 2);
	follow(2, 20, 20);
	follow(3, 20, 20);
	ck_assert(actions.propose);
	ck_assert(ANSWER(KAFKA_INELIGIBLE_REPLICA, 0, 1));
	/* So far it was refused; forget that, as if it came only now. */
	replica_leader_member(&core, 3)->hold_from_ms = REPLICA_NEVER;
	replica_leader_member(&core, 3)->join_from_ms = REPLICA_NEVER;
	/* And it shall only hold, not join. */
	core.proposal_stage = REPLICA_PROPOSAL_HELD;
	replica_leader_member(&core, 3)->in_proposal = false;
}

START_TEST(one_about_to_join_holds_the_high_watermark_for_at_most_a_second)
{
	let_3_come_near();
	log_moved(30, 30);
	ack(2, 30, 30);
	ck_assert_int_eq(core.high_watermark, 20);
	ck_assert_int_eq(replica_core_next_ms(&core, now.ms), now.ms + REPLICA_HOLD_MS_MAX);
	tick_after(REPLICA_HOLD_MS_MAX - 1);
	ck_assert_int_eq(core.high_watermark, 20);
	tick_after(1);
	ck_assert(actions.high_watermark_moved);
	ck_assert_int_eq(core.high_watermark, 30);
}
END_TEST

START_TEST(it_holds_only_once_in_a_lag_time)
{
	let_3_come_near();
	log_moved(30, 30);
	ack(2, 30, 30);
	tick_after(REPLICA_HOLD_MS_MAX);
	ck_assert_int_eq(core.high_watermark, 30);
	ack(3, 30, 30);
	log_moved(40, 40);
	ack(2, 40, 40);
	ck_assert_int_eq(core.high_watermark, 40);
	ack(3, 40, 40);
	tick_after(LAG_MS);
	log_moved(50, 50);
	ack(2, 50, 50);
	ck_assert_int_eq(core.high_watermark, 40);
}
END_TEST

START_TEST(one_that_is_far_behind_holds_nothing)
{
	setup(2, false);
	LEAD(1, 2);
	follow(2, 20, 20);
	follow(3, 11, 11);
	log_moved(30, 30);
	ack(2, 30, 30);
	ck_assert_int_eq(core.high_watermark, 30);
}
END_TEST

START_TEST(one_that_has_left_holds_nothing)
{
	let_3_come_near();
	log_moved(30, 30);
	replica_leader_close(&core, 3, 1003);
	ack(2, 30, 30);
	ck_assert_int_eq(core.high_watermark, 30);
}
END_TEST

/* ---- caught up ---- */

START_TEST(caught_up_is_the_newest_sample_whose_end_it_has)
{
	const struct replica_member *member;
	int64_t began_ms;

	setup(2, false);
	LEAD(1, 2);
	follow(2, 20, 20);
	member = replica_leader_member(&core, 2);
	began_ms = now.ms;
	for (int i = 1; i <= 20; i++) {
		now.ms += LAG_MS / REPLICA_SAMPLES;
		log_moved(20 + 10 * i, 20 + 10 * i);
	}
	/* It had all until the first append. */
	ck_assert_int_eq(member->caught_up_ms, began_ms + LAG_MS / REPLICA_SAMPLES);
	ack(2, 125, 125);
	ck_assert_int_eq(member->caught_up_ms, began_ms + 10 * LAG_MS / REPLICA_SAMPLES);
	ack(2, 220, 220);
	ck_assert_int_eq(member->caught_up_ms, now.ms);
}
END_TEST

START_TEST(an_idle_partition_keeps_its_followers_caught_up)
{
	setup(2, false);
	LEAD(1, 2);
	follow(2, 20, 20);
	tick_after(10 * LAG_MS);
	ck_assert(!actions.propose);
	log_moved(30, 30);
	ck_assert(!actions.propose);
	ck_assert_int_eq(replica_core_next_ms(&core, now.ms), now.ms + LAG_MS + 1);
}
END_TEST

START_TEST(s9_what_lay_unread_counts_but_is_no_sign_of_life_of_now)
{
	struct replica_follow asked = asked_by_2();
	struct replica_ack told = {.id = 2, .handle = 1002, .log_end_offset = 20, .durable_end_offset = 20, .log_start_offset = 10};

	setup(2, false);
	LEAD(1, 2);
	now.lease_end_ms = now.ms;
	asked.unread_ms = told.unread_ms = SESSION_MS + 1;
	ck_assert_int_eq(follow_as(asked, agreed), REPLICA_OPEN);
	ck_assert(!replica_serves(&core, &now));
	ck_assert_int_eq(replica_leader_ack(&core, &now, &told, &actions), REPLICA_ACK_TAKEN);
	ck_assert(!replica_serves(&core, &now));
	ck_assert(!actions.high_watermark_moved);
	told.unread_ms = 0;
	ck_assert_int_eq(replica_leader_ack(&core, &now, &told, &actions), REPLICA_ACK_TAKEN);
	ck_assert(replica_serves(&core, &now));
	ck_assert(actions.high_watermark_moved);
	ck_assert_int_eq(core.high_watermark, 20);
	/* And what is read late takes back nothing of what was heard. */
	told.unread_ms = SESSION_MS + 1;
	replica_leader_ack(&core, &now, &told, &actions);
	ck_assert(replica_serves(&core, &now));
}
END_TEST

UNIT_MAIN("broker/replica/replica_leader_core", an_accepted_follow_is_the_first_ack, d1_epochs_are_checked_by_the_receiver,
	  kip903_an_incarnation_that_is_not_listed_waits_and_a_former_one_is_refused, bad_input_of_a_follow_is_refused,
	  kip320_a_follower_whose_log_parts_from_ours_is_told_where, a_follower_below_the_log_start_starts_anew,
	  a_new_follow_sets_the_ends_also_downwards, d1_late_acks_of_closed_handles_are_dropped,
	  kip903_acks_of_an_incarnation_that_is_gone_count_no_more, bad_input_of_an_ack_closes_its_handle,
	  s7_every_epoch_bump_closes_every_handle_and_forgets_every_end, a_newer_isr_of_the_same_epoch_keeps_handles,
	  s3_the_high_watermark_is_the_least_end_of_the_isr_and_waits_for_the_unknown,
	  s3_it_stands_still_while_the_committed_isr_is_below_min_isr, s2_acks_fail_when_the_isr_falls_below_its_minimum,
	  d8_durable_ends_stand_for_log_ends, the_low_watermark_is_the_lowest_log_start_of_those_alive,
	  one_about_to_join_holds_the_high_watermark_for_at_most_a_second, it_holds_only_once_in_a_lag_time,
	  one_that_is_far_behind_holds_nothing, one_that_has_left_holds_nothing, caught_up_is_the_newest_sample_whose_end_it_has,
	  an_idle_partition_keeps_its_followers_caught_up, s9_what_lay_unread_counts_but_is_no_sign_of_life_of_now)
