/* replica_isr_core: who goes, who joins, and the answers of kafka.md 4.3. */
#include "test/unit/broker/replica/core_fixture.h"

/* Leads {1, 2} with both at 20; 3 follows from 20 and is proposed. */
static void propose_3(void)
{
	setup(2, false);
	LEAD(1, 2);
	follow(2, 20, 20);
	ck_assert(!actions.propose);
	follow(3, 20, 20);
	ck_assert(actions.propose);
	ck_assert_int_eq(proposed(), 123);
}

/* Leads {1, 2, 3}; 3 has stayed at 20 for a lag time. */
static void propose_without_3(void)
{
	setup(2, false);
	LEAD(1, 2, 3);
	follow(2, 20, 20);
	follow(3, 20, 20);
	log_moved(30, 30);
	ack(2, 30, 30);
	ck_assert_int_eq(core.high_watermark, 20);
	ck_assert_int_eq(replica_core_next_ms(&core, now.ms), now.ms + LAG_MS + 1);
	tick_after(LAG_MS);
	ck_assert(!actions.propose);
	tick_after(1);
	ck_assert(actions.propose);
	ck_assert_int_eq(proposed(), 12);
}

/* ---- who ---- */

START_TEST(s11_who_has_the_high_watermark_and_the_epoch_start_joins)
{
	struct replica_proposal proposal;

	propose_3();
	replica_isr_proposal(&core, &proposal);
	ck_assert_int_eq(proposal.leader_epoch, 5);
	ck_assert_int_eq(proposal.partition_epoch, 50);
	ck_assert_int_eq(proposal.isr[0].broker_epoch, 100);
	ck_assert_int_eq(proposal.isr[2].broker_epoch, 300);
}
END_TEST

START_TEST(who_had_to_go_joins_again_only_when_it_has_caught_up)
{
	setup(2, false);
	LEAD(1, 2);
	follow(2, 20, 20);
	log_moved(30, 30);
	tick_after(LAG_MS + 1);
	ck_assert_int_eq(proposed(), 1);
	/* Alone the leader commits nothing: 2 still has the high watermark. */
	ANSWER(0, 51, 1);
	ck_assert(!actions.propose);
	ck_assert_int_eq(core.high_watermark, 20);
	ack(2, 20, 20);
	ck_assert(!actions.propose);
	ack(2, 30, 30);
	ck_assert(actions.propose);
	ck_assert_int_eq(proposed(), 12);
}
END_TEST

START_TEST(d4_nobody_joins_below_the_epoch_start)
{
	setup(1, false);
	/* The high watermark is still 12: 2 has not been heard. */
	LEAD(1, 2);
	follow(3, 19, 19);
	ck_assert(!actions.propose);
	ack(3, 20, 20);
	ck_assert(actions.propose);
}
END_TEST

START_TEST(s11_nobody_joins_below_the_high_watermark)
{
	setup(1, false);
	LEAD(1);
	log_moved(30, 30);
	ck_assert_int_eq(core.high_watermark, 30);
	follow(2, 20, 20);
	ck_assert(!actions.propose);
	tick_after(LAG_MS);
	ack(2, 29, 29);
	ck_assert(!actions.propose);
	ack(2, 30, 30);
	ck_assert(actions.propose);
}
END_TEST

START_TEST(d8_nobody_joins_by_an_end_that_is_not_durable)
{
	setup(1, true);
	LEAD(1);
	follow(2, 20, 19);
	ck_assert(!actions.propose);
	ack(2, 20, 20);
	ck_assert(actions.propose);
}
END_TEST

START_TEST(kip903_only_the_incarnation_that_is_alive_joins)
{
	setup(1, false);
	LEAD(1);
	core.proposal_stage = REPLICA_PROPOSAL_HELD;
	follow(2, 20, 20);
	list(2, 201);
	core.proposal_stage = REPLICA_PROPOSAL_NONE;
	tick_after(1);
	ck_assert(!actions.propose);
}
END_TEST

START_TEST(who_has_not_caught_up_for_a_lag_time_goes)
{
	propose_without_3();
}
END_TEST

START_TEST(who_never_came_goes_after_a_lag_time)
{
	setup(1, false);
	LEAD(1, 2);
	tick_after(LAG_MS);
	ck_assert(!actions.propose);
	tick_after(1);
	ck_assert(actions.propose);
	ck_assert_int_eq(proposed(), 1);
}
END_TEST

START_TEST(leaving_goes_before_joining)
{
	setup(1, false);
	LEAD(1, 2);
	core.proposal_stage = REPLICA_PROPOSAL_HELD;
	follow(3, 20, 20);
	now.ms += LAG_MS + 1;
	core.proposal_stage = REPLICA_PROPOSAL_NONE;
	tick_after(0);
	ck_assert_int_eq(proposed(), 1);
	ck_assert(ANSWER(0, 51, 1));
	ck_assert(actions.propose);
	ck_assert_int_eq(proposed(), 13);
}
END_TEST

/* ---- the maximal ISR ---- */

START_TEST(d3_what_is_to_join_counts_from_the_asking_on)
{
	propose_3();
	log_moved(30, 30);
	ack(2, 30, 30);
	ck_assert_int_eq(core.high_watermark, 20);
	/* Longer than anyone may hold. */
	tick_after(10 * REPLICA_HOLD_MS_MAX);
	ck_assert_int_eq(core.high_watermark, 20);
	ack(3, 25, 25);
	ck_assert_int_eq(core.high_watermark, 25);
}
END_TEST

START_TEST(d3_what_is_to_go_counts_until_the_answer)
{
	propose_without_3();
	ck_assert_int_eq(core.high_watermark, 20);
	ck_assert_int_eq(core.n_isr, 3);
	ck_assert(ANSWER(0, 51, 1, 2));
	ck_assert(actions.high_watermark_moved);
	ck_assert_int_eq(core.high_watermark, 30);
	ck_assert_int_eq(core.n_isr, 2);
	ck_assert_int_eq(core.partition_epoch, 51);
}
END_TEST

START_TEST(one_proposal_is_under_way_at_a_time)
{
	propose_3();
	tick_after(LAG_MS + 1);
	ck_assert(!actions.propose);
	log_moved(30, 30);
	ck_assert(!actions.propose);
}
END_TEST

/* ---- answers ---- */

START_TEST(kip497_ineligible_goes_back_to_what_is_committed_and_asks_again_later)
{
	propose_3();
	log_moved(30, 30);
	ack(2, 30, 30);
	ck_assert(ANSWER(KAFKA_INELIGIBLE_REPLICA, 0, 1));
	ck_assert_int_eq(core.proposal_stage, REPLICA_PROPOSAL_NONE);
	/* And it holds nothing up meanwhile. */
	ck_assert_int_eq(core.high_watermark, 30);
	ack(3, 30, 30);
	ck_assert(!actions.propose);
	ck_assert_int_eq(replica_core_next_ms(&core, now.ms), now.ms + REPLICA_PROPOSE_AGAIN_MS);
	tick_after(REPLICA_PROPOSE_AGAIN_MS);
	ck_assert(actions.propose);
}
END_TEST

/* Answers that these may not join. */
static bool refuse(const int32_t *ids, int32_t n)
{
	struct replica_isr_answer answer = {
		.number = core.proposal_number, .error = KAFKA_INELIGIBLE_REPLICA, .ineligible = ids, .n_ineligible = n};

	return replica_isr_answered(&core, &now, &answer, &actions);
}

#define REFUSE(...) refuse((const int32_t[]){__VA_ARGS__}, (int32_t)(sizeof((const int32_t[]){__VA_ARGS__}) / sizeof(int32_t)))

/* Leads {1}; 2 and 3 have caught up while an earlier proposal was under way. */
static void propose_2_and_3(void)
{
	setup(1, false);
	LEAD(1);
	core.proposal_stage = REPLICA_PROPOSAL_HELD;
	follow(2, 20, 20);
	follow(3, 20, 20);
	core.proposal_stage = REPLICA_PROPOSAL_NONE;
	tick_after(1);
	ck_assert(actions.propose);
	ck_assert_int_eq(proposed(), 123);
}

START_TEST(who_may_not_join_keeps_nobody_else_out)
{
	propose_2_and_3();
	ck_assert(REFUSE(3));
	ck_assert(actions.propose);
	ck_assert_int_eq(proposed(), 12);
	ck_assert(ANSWER(0, 51, 1, 2));
	ck_assert(!actions.propose);
	ck_assert_int_eq(replica_core_next_ms(&core, now.ms), now.ms + REPLICA_PROPOSE_AGAIN_MS);
	tick_after(REPLICA_PROPOSE_AGAIN_MS);
	ck_assert(actions.propose);
	ck_assert_int_eq(proposed(), 123);
}
END_TEST

START_TEST(a_refusal_is_never_asked_again_at_once)
{
	propose_2_and_3();
	/* Nobody that was to join is named. */
	ck_assert(REFUSE(1, 9));
	ck_assert(!actions.propose);
	propose_2_and_3();
	ck_assert(REFUSE(2, 3));
	ck_assert(!actions.propose);
	/* And nobody was to join. */
	propose_without_3();
	ck_assert(REFUSE(3));
	ck_assert(!actions.propose);
	ck_assert_int_eq(replica_core_next_ms(&core, now.ms), now.ms + REPLICA_PROPOSE_AGAIN_MS);
	tick_after(REPLICA_PROPOSE_AGAIN_MS);
	ck_assert(actions.propose);
}
END_TEST

START_TEST(kip497_out_of_date_keeps_the_maximal_isr_until_a_newer_state)
{
	const int16_t errors[] = {KAFKA_FENCED_LEADER_EPOCH, KAFKA_INVALID_UPDATE_VERSION, KAFKA_INVALID_REQUEST,
				  KAFKA_UNKNOWN_TOPIC_OR_PARTITION, KAFKA_UNKNOWN_TOPIC_ID};

	for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
		propose_3();
		log_moved(30, 30);
		ack(2, 30, 30);
		ck_assert(ANSWER(errors[i], 0, 1));
		tick_after(10 * LAG_MS);
		ck_assert(!actions.propose);
		ck_assert_int_eq(core.high_watermark, 20);
		ck_assert_int_eq(BECOME(1, 5, 51, 1, 2), REPLICA_UPDATED);
		ck_assert_int_eq(core.high_watermark, 30);
	}
}
END_TEST

START_TEST(an_unknown_outcome_keeps_the_maximal_isr_and_asks_the_same_again)
{
	struct replica_proposal first, second;

	propose_3();
	replica_isr_proposal(&core, &first);
	replica_isr_unanswered(&core, first.number, now.ms + 100);
	log_moved(30, 30);
	ack(2, 30, 30);
	ck_assert_int_eq(core.high_watermark, 20);
	/* The replica has meanwhile come back as another incarnation: that one was never judged (KIP-903). */
	list(3, 301);
	replica_leader_follow(&core, &now, &(struct replica_follow){3, 301, 5, 4, 12, 12, 10, 0}, (struct log_epoch_end){4, 20}, 2003,
			      &judgement, &actions);
	ck_assert_int_eq(replica_core_next_ms(&core, now.ms), now.ms + 100);
	tick_after(100);
	ck_assert(actions.propose);
	replica_isr_proposal(&core, &second);
	ck_assert_int_eq(second.number, first.number);
	ck_assert_int_eq(proposed(), 123);
	ck_assert_int_eq(second.isr[2].broker_epoch, 300);
}
END_TEST

START_TEST(other_errors_are_asked_again)
{
	propose_3();
	ck_assert(ANSWER(KAFKA_NOT_CONTROLLER, 0, 1));
	ck_assert_int_eq(core.proposal_stage, REPLICA_PROPOSAL_UNKNOWN);
	tick_after(REPLICA_PROPOSE_AGAIN_MS);
	ck_assert(actions.propose);
	ck_assert(ANSWER(0, 51, 1, 2, 3));
	ck_assert_int_eq(core.n_isr, 3);
}
END_TEST

START_TEST(late_answers_are_dropped)
{
	struct replica_isr_answer late = {.leader_epoch = 5, .partition_epoch = 51, .isr = (const int32_t[]){1, 3}, .n_isr = 2};

	propose_3();
	late.number = core.proposal_number;
	ck_assert_int_eq(BECOME(1, 5, 52, 1, 2), REPLICA_UPDATED);
	core.proposal_number = late.number;
	/* The newer state has ended the proposal; at once there is the next one. */
	ck_assert(actions.propose || core.proposal_stage == REPLICA_PROPOSAL_SENT);
	core.proposal_number++;
	ck_assert(!replica_isr_answered(&core, &now, &late, &actions));
	ck_assert_int_eq(core.n_isr, 2);
	BECOME(2, 6, 60, 2);
	ck_assert(!ANSWER(0, 61, 1, 2));
}
END_TEST

START_TEST(answers_that_do_not_fit_wait_for_a_state)
{
	propose_3();
	ck_assert(ANSWER(0, 49, 1, 2, 3));
	ck_assert_int_eq(core.proposal_stage, REPLICA_PROPOSAL_HELD);
	propose_3();
	ck_assert(ANSWER(0, 51, 2, 3));
	ck_assert_int_eq(core.proposal_stage, REPLICA_PROPOSAL_HELD);
	propose_3();
	ck_assert(ANSWER(0, 51, 1, 9));
	ck_assert_int_eq(core.proposal_stage, REPLICA_PROPOSAL_HELD);
	ck_assert_int_eq(core.n_isr, 2);
}
END_TEST

START_TEST(a_leader_that_is_confirmed_after_its_session_was_lost_asks_the_same_again)
{
	int64_t number;

	propose_3();
	number = core.proposal_number;
	replica_core_resign(&core);
	ck_assert_int_eq(BECOME(1, 5, 50, 1, 2), REPLICA_UPDATED);
	ck_assert(actions.propose);
	ck_assert_int_eq(core.proposal_number, number);
	ck_assert_int_eq(proposed(), 123);
}
END_TEST

START_TEST(kip966_the_recovery_ends_with_the_first_isr_that_is_written)
{
	propose_3();
	core.recovering = true;
	ck_assert(ANSWER(0, 51, 1, 2, 3));
	ck_assert(!core.recovering);
}
END_TEST

UNIT_MAIN("broker/replica/replica_isr_core", s11_who_has_the_high_watermark_and_the_epoch_start_joins, d4_nobody_joins_below_the_epoch_start,
	  who_had_to_go_joins_again_only_when_it_has_caught_up,
	  s11_nobody_joins_below_the_high_watermark, d8_nobody_joins_by_an_end_that_is_not_durable,
	  kip903_only_the_incarnation_that_is_alive_joins, who_has_not_caught_up_for_a_lag_time_goes, who_never_came_goes_after_a_lag_time,
	  leaving_goes_before_joining, d3_what_is_to_join_counts_from_the_asking_on, d3_what_is_to_go_counts_until_the_answer,
	  one_proposal_is_under_way_at_a_time, kip497_ineligible_goes_back_to_what_is_committed_and_asks_again_later,
	  who_may_not_join_keeps_nobody_else_out, a_refusal_is_never_asked_again_at_once,
	  kip497_out_of_date_keeps_the_maximal_isr_until_a_newer_state, an_unknown_outcome_keeps_the_maximal_isr_and_asks_the_same_again,
	  other_errors_are_asked_again, late_answers_are_dropped, answers_that_do_not_fit_wait_for_a_state,
	  a_leader_that_is_confirmed_after_its_session_was_lost_asks_the_same_again,
	  kip966_the_recovery_ends_with_the_first_isr_that_is_written)
