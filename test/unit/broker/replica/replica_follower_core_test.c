/* replica_follower_core: the dialogue with the leader. */
#include "test/unit/broker/replica/core_fixture.h"

#define HANDLE 77

static struct replica_follow asked;
static int64_t cut_at;

/* Follows 2 in epoch 5 and has asked; the log is [10, 20), its last batch of epoch 4. */
static void ask(void)
{
	setup(2, false);
	ck_assert_int_eq(BECOME(2, 5, 50, 2), REPLICA_NEW_EPOCH);
	ck_assert(actions.follow);
	ck_assert(replica_follower_ask(&core, 100, 4, &asked));
}

static void open_handle(void)
{
	ask();
	ck_assert_int_eq(replica_follower_opened(&core, 5, HANDLE, 20), REPLICA_FOLLOW_TAKEN);
}

static enum replica_cut diverged(int32_t epoch, int64_t end, int32_t own_epoch, int64_t own_end)
{
	return replica_follower_diverged(&core, 5, (struct log_epoch_end){epoch, end}, (struct log_epoch_end){own_epoch, own_end}, &cut_at);
}

static enum replica_follow_result may_append(int64_t from, int64_t base, int64_t end, int32_t first_epoch, int32_t last_epoch)
{
	struct replica_batches batches = {from, base, end, first_epoch, last_epoch};

	return replica_follower_may_append(&core, HANDLE, &batches, 4);
}

START_TEST(a_follower_tells_where_its_log_ends)
{
	ask();
	ck_assert_int_eq(asked.id, 1);
	ck_assert_int_eq(asked.broker_epoch, 100);
	ck_assert_int_eq(asked.leader_epoch, 5);
	ck_assert_int_eq(asked.last_epoch, 4);
	ck_assert_int_eq(asked.log_end_offset, 20);
	ck_assert_int_eq(asked.log_start_offset, 10);
	BECOME(-1, 6, 51, 2);
	ck_assert(!replica_follower_ask(&core, 100, 4, &asked));
	BECOME(1, 7, 52, 1);
	ck_assert(!replica_follower_ask(&core, 100, 4, &asked));
}
END_TEST

START_TEST(kip101_nothing_is_cut_on_becoming_a_follower)
{
	ask();
	ck_assert_int_eq(core.high_watermark, 12);
	ck_assert_int_eq(core.log_end_offset, 20);
}
END_TEST

START_TEST(answers_of_another_epoch_or_to_no_question_are_dropped)
{
	ask();
	ck_assert_int_eq(replica_follower_opened(&core, 4, HANDLE, 20), REPLICA_FOLLOW_DROPPED);
	ck_assert_int_eq(replica_follower_diverged(&core, 4, (struct log_epoch_end){3, 15}, (struct log_epoch_end){3, 15}, &cut_at),
			 REPLICA_CUT_DROPPED);
	ck_assert_int_eq(replica_follower_reset(&core, 4, 30, &cut_at), REPLICA_CUT_DROPPED);
	ck_assert_int_eq(replica_follower_opened(&core, 5, REPLICA_HANDLE_NONE, 20), REPLICA_FOLLOW_INVALID);
	ck_assert_int_eq(replica_follower_opened(&core, 5, HANDLE, 20), REPLICA_FOLLOW_TAKEN);
	ck_assert_int_eq(replica_follower_opened(&core, 5, 78, 20), REPLICA_FOLLOW_DROPPED);
	ck_assert_int_eq(diverged(3, 15, 3, 15), REPLICA_CUT_DROPPED);
}
END_TEST

START_TEST(kip320_cuts_to_the_lesser_end_of_the_epoch)
{
	ask();
	ck_assert_int_eq(diverged(4, 17, 4, 20), REPLICA_CUT_TO);
	ck_assert_int_eq(cut_at, 17);
	ck_assert_int_eq(diverged(3, 17, 3, 14), REPLICA_CUT_TO);
	ck_assert_int_eq(cut_at, 14);
}
END_TEST

START_TEST(kip279_an_epoch_that_is_not_ours_takes_another_round)
{
	ask();
	/* The leader's epoch 3 ends at 18; our floor of it is epoch 2, which ends at 15. */
	ck_assert_int_eq(diverged(3, 18, 2, 15), REPLICA_CUT_TO);
	ck_assert_int_eq(cut_at, 15);
	replica_core_log_moved(&core, &now, 10, 15, 15, &actions);
	ck_assert(replica_follower_ask(&core, 100, 2, &asked));
	ck_assert_int_eq(asked.log_end_offset, 15);
	ck_assert_int_eq(diverged(2, 13, 2, 15), REPLICA_CUT_TO);
	ck_assert_int_eq(cut_at, 13);
}
END_TEST

START_TEST(without_an_epoch_of_its_own_it_cuts_to_the_leaders_end)
{
	ask();
	ck_assert_int_eq(diverged(-1, 14, -1, -1), REPLICA_CUT_TO);
	ck_assert_int_eq(cut_at, 14);
}
END_TEST

START_TEST(s10_never_below_the_own_high_watermark)
{
	ask();
	ck_assert_int_eq(diverged(4, 12, 4, 20), REPLICA_CUT_TO);
	ck_assert_int_eq(diverged(4, 11, 4, 20), REPLICA_CUT_STUCK);
	ck_assert(!replica_follower_ask(&core, 100, 4, &asked));
	ck_assert(!replica_follower_closed(&core, REPLICA_HANDLE_NONE));
	/* Another leader may be right. */
	BECOME(3, 6, 60, 3);
	ck_assert(actions.follow);
	ck_assert(replica_follower_ask(&core, 100, 4, &asked));
}
END_TEST

START_TEST(s10_except_where_an_operator_has_allowed_it)
{
	ask();
	core.rules.unclean_allowed = true;
	ck_assert_int_eq(diverged(4, 11, 4, 20), REPLICA_CUT_TO);
	ck_assert_int_eq(cut_at, 11);
	replica_core_log_moved(&core, &now, 10, 11, 11, &actions);
	ck_assert_int_eq(core.high_watermark, 11);
	ask();
	core.recovering = true;
	ck_assert_int_eq(diverged(4, 10, 4, 20), REPLICA_CUT_ALL);
	ck_assert_int_eq(cut_at, 10);
}
END_TEST

START_TEST(a_divergence_that_cuts_nothing_is_invalid)
{
	ask();
	ck_assert_int_eq(diverged(4, 20, 4, 20), REPLICA_CUT_INVALID);
	ck_assert_int_eq(diverged(4, -1, 4, 20), REPLICA_CUT_INVALID);
}
END_TEST

START_TEST(s10_a_reset_needs_a_log_start_beyond_the_own_end)
{
	ask();
	ck_assert_int_eq(replica_follower_reset(&core, 5, 20, &cut_at), REPLICA_CUT_INVALID);
	ck_assert_int_eq(replica_follower_reset(&core, 5, 30, &cut_at), REPLICA_CUT_ALL);
	ck_assert_int_eq(cut_at, 30);
	replica_core_log_moved(&core, &now, 30, 30, 30, &actions);
	ck_assert_int_eq(core.high_watermark, 30);
	ck_assert(replica_follower_ask(&core, 100, -1, &asked));
	ck_assert_int_eq(asked.log_end_offset, 30);
}
END_TEST

START_TEST(d5_only_what_follows_the_own_end_is_appended)
{
	open_handle();
	ck_assert_int_eq(may_append(20, 20, 25, 4, 5), REPLICA_FOLLOW_TAKEN);
	/* A compacted log has gaps. */
	ck_assert_int_eq(may_append(20, 23, 25, 5, 5), REPLICA_FOLLOW_TAKEN);
	ck_assert_int_eq(may_append(19, 20, 25, 5, 5), REPLICA_FOLLOW_INVALID);
	ck_assert_int_eq(may_append(21, 21, 25, 5, 5), REPLICA_FOLLOW_INVALID);
	ck_assert_int_eq(may_append(20, 19, 25, 5, 5), REPLICA_FOLLOW_INVALID);
	ck_assert_int_eq(may_append(20, 20, 20, 5, 5), REPLICA_FOLLOW_INVALID);
}
END_TEST

START_TEST(s6_epochs_of_batches_do_not_fall_nor_pass_the_leaders)
{
	open_handle();
	ck_assert_int_eq(may_append(20, 20, 25, 3, 5), REPLICA_FOLLOW_INVALID);
	ck_assert_int_eq(may_append(20, 20, 25, 5, 4), REPLICA_FOLLOW_INVALID);
	ck_assert_int_eq(may_append(20, 20, 25, 4, 6), REPLICA_FOLLOW_INVALID);
}
END_TEST

START_TEST(d5_after_an_epoch_bump_nothing_of_the_old_handle_is_appended)
{
	int64_t log_start;

	open_handle();
	BECOME(2, 6, 51, 2);
	ck_assert(actions.follow);
	ck_assert_int_eq(may_append(20, 20, 25, 5, 5), REPLICA_FOLLOW_DROPPED);
	ck_assert_int_eq(replica_follower_advance(&core, HANDLE, &(struct replica_leader_marks){20, 10}, &log_start, &actions),
			 REPLICA_FOLLOW_DROPPED);
	ck_assert_int_eq(core.high_watermark, 12);
}
END_TEST

START_TEST(a_newer_isr_of_the_same_epoch_keeps_the_handle)
{
	open_handle();
	ck_assert_int_eq(BECOME(2, 5, 51, 1, 2), REPLICA_UPDATED);
	ck_assert(!actions.follow);
	ck_assert_int_eq(may_append(20, 20, 25, 5, 5), REPLICA_FOLLOW_TAKEN);
}
END_TEST

START_TEST(s4_the_high_watermark_is_the_lesser_of_the_leaders_and_the_own_end_and_never_falls)
{
	int64_t log_start;

	open_handle();
	ck_assert_int_eq(replica_follower_advance(&core, HANDLE, &(struct replica_leader_marks){30, 10}, &log_start, &actions),
			 REPLICA_FOLLOW_TAKEN);
	ck_assert(actions.high_watermark_moved);
	ck_assert_int_eq(core.high_watermark, 20);
	replica_follower_advance(&core, HANDLE, &(struct replica_leader_marks){15, 10}, &log_start, &actions);
	ck_assert(!actions.high_watermark_moved);
	ck_assert_int_eq(core.high_watermark, 20);
	ck_assert_int_eq(log_start, 10);
}
END_TEST

START_TEST(the_log_start_follows_the_leaders)
{
	int64_t log_start;

	open_handle();
	replica_follower_advance(&core, HANDLE, &(struct replica_leader_marks){20, 15}, &log_start, &actions);
	ck_assert_int_eq(log_start, 15);
	replica_follower_advance(&core, HANDLE, &(struct replica_leader_marks){20, 5}, &log_start, &actions);
	ck_assert_int_eq(log_start, 10);
	ck_assert_int_eq(replica_follower_advance(&core, HANDLE, &(struct replica_leader_marks){30, 21}, &log_start, &actions),
			 REPLICA_FOLLOW_INVALID);
}
END_TEST

START_TEST(a_closed_handle_is_asked_for_again)
{
	open_handle();
	ck_assert(!replica_follower_closed(&core, 78));
	ck_assert(replica_follower_closed(&core, HANDLE));
	ck_assert_int_eq(may_append(20, 20, 25, 5, 5), REPLICA_FOLLOW_DROPPED);
	ck_assert(replica_follower_ask(&core, 100, 4, &asked));
	ck_assert(replica_follower_closed(&core, REPLICA_HANDLE_NONE));
	ck_assert_int_eq(replica_follower_opened(&core, 5, HANDLE, 20), REPLICA_FOLLOW_DROPPED);
}
END_TEST

START_TEST(a_follower_that_resigned_follows_again_when_it_is_confirmed)
{
	open_handle();
	replica_core_resign(&core);
	ck_assert_int_eq(may_append(20, 20, 25, 5, 5), REPLICA_FOLLOW_DROPPED);
	ck_assert_int_eq(BECOME(2, 5, 50, 2), REPLICA_UPDATED);
	ck_assert(actions.follow);
}
END_TEST

START_TEST(what_the_leader_says_is_committed_is_kept_for_who_asks)
{
	struct replica_leader_marks marks = {.high_watermark = 1000, .log_start_offset = 10};
	int64_t log_start;

	open_handle();
	ck_assert_int_eq(core.leader_high_watermark, REPLICA_OFFSET_NONE);
	ck_assert_int_eq(replica_follower_advance(&core, HANDLE, &marks, &log_start, &actions), REPLICA_FOLLOW_TAKEN);
	ck_assert_int_eq(core.leader_high_watermark, 1000);
	ck_assert_int_eq(core.high_watermark, 20);
	BECOME(3, 6, 51, 3);
	ck_assert_int_eq(core.leader_high_watermark, REPLICA_OFFSET_NONE);
}
END_TEST

UNIT_MAIN("broker/replica/replica_follower_core", a_follower_tells_where_its_log_ends, kip101_nothing_is_cut_on_becoming_a_follower,
	  answers_of_another_epoch_or_to_no_question_are_dropped, kip320_cuts_to_the_lesser_end_of_the_epoch,
	  kip279_an_epoch_that_is_not_ours_takes_another_round, without_an_epoch_of_its_own_it_cuts_to_the_leaders_end,
	  s10_never_below_the_own_high_watermark, s10_except_where_an_operator_has_allowed_it, a_divergence_that_cuts_nothing_is_invalid,
	  s10_a_reset_needs_a_log_start_beyond_the_own_end, d5_only_what_follows_the_own_end_is_appended,
	  s6_epochs_of_batches_do_not_fall_nor_pass_the_leaders, d5_after_an_epoch_bump_nothing_of_the_old_handle_is_appended,
	  a_newer_isr_of_the_same_epoch_keeps_the_handle,
	  s4_the_high_watermark_is_the_lesser_of_the_leaders_and_the_own_end_and_never_falls, the_log_start_follows_the_leaders,
	  a_closed_handle_is_asked_for_again, a_follower_that_resigned_follows_again_when_it_is_confirmed,
	  what_the_leader_says_is_committed_is_kept_for_who_asks)
