/* feed_send: what leaves on a connection, in which order, and how much of it. */
#include "test/unit/broker/replica/feed_fixture.h"

START_TEST(acks_of_all_wait_until_the_follower_has_it)
{
	struct partition_append *waiting;

	setup();
	lead(0, 5);
	connect_follower(&two);
	send_follow(&two, 0, 5);
	turn_until_int(&two.n_answers, 1);
	ck_assert_int_eq(two.verdict, KLAMM__FOLLOW_ANSWER__VERDICT__OPEN);
	ck_assert_int_gt(two.handle, 0);
	waiting = append(0, 100, -1);
	turn_until_int(&two.n_appends, 1);
	ck_assert_int_eq(n_done, 0);
	ck_assert_int_eq(two.ends[0], 1);
	send_ack(&two, two.handle, 1);
	turn_until_int(&n_done, 1);
	ck_assert_int_eq(waiting->error, 0);
	ck_assert_int_eq(partitions[0]->core.high_watermark, 1);
	/* Nothing more is appended: the high watermark comes by itself. */
	turn_until_int(&two.n_advances, 1);
	ck_assert_int_eq(two.high_watermark, 1);
	teardown();
}
END_TEST

START_TEST(appends_carry_the_high_watermark_so_that_no_advance_is_sent)
{
	setup();
	lead(0, 5);
	two.acks = true;
	connect_follower(&two);
	send_follow(&two, 0, 5);
	turn_until_int(&two.n_answers, 1);
	for (int i = 1; i <= 20; i++) {
		append(0, 100, -1);
		turn_until_int(&n_done, i);
	}
	ck_assert_int_eq(two.n_appends, 20);
	ck_assert_int_eq(two.high_watermark, 19);
	ck_assert_int_le(two.n_advances, 19);
	turn_until_i64(&two.high_watermark, 20);
	teardown();
}
END_TEST

START_TEST(a_large_batch_goes_from_the_file)
{
	setup();
	lead(0, 5);
	two.acks = true;
	connect_follower(&two);
	send_follow(&two, 0, 5);
	turn_until_int(&two.n_answers, 1);
	append(0, 400000, -1);
	turn_until_int(&n_done, 1);
	ck_assert_int_gt(two.bytes, 400000);
	teardown();
}
END_TEST

START_TEST(one_that_catches_up_leaves_room_for_those_in_sync)
{
	setup();
	/* Partition 0 has four megabytes that broker 2, out of its ISR, lacks; in partition 1 it is in sync. */
	become(0, 1, 5, 5, (const int32_t[]){1}, 1);
	lead(1, 5);
	for (int i = 0; i < 16; i++)
		append(0, 250000, 1);
	connect_follower(&two);
	send_follow(&two, 0, 5);
	send_follow(&two, 1, 5);
	turn_until_int(&two.n_answers, 2);
	turn_until_i64(&two.ends[0], 2);
	append(1, 100, -1);
	turn_until_i64(&two.ends[1], 1);
	/* Nothing of it is acked: no more than the window is under way, which the second piece has filled. */
	turn_some();
	ck_assert_int_eq(two.ends[0], 2);
	two.acks = true;
	send_ack(&two, two.handles[0], 2);
	turn_until_i64(&two.ends[0], 16);
	turn_until_i64(&member(0, 2)->log_end_offset, 16);
	teardown();
}
END_TEST

START_TEST(live_data_that_fills_the_connection_leaves_room_for_one_piece)
{
	setup();
	become(0, 1, 5, 5, (const int32_t[]){1}, 1);
	for (int i = 0; i < 4; i++)
		append(0, 250000, 1);
	lead(1, 5);
	connect_follower(&two);
	/* The live one has much more than the connection takes at once, and nothing is received meanwhile. */
	for (int i = 0; i < 30; i++)
		append(1, 250000, 1);
	send_follow(&two, 1, 5);
	send_follow(&two, 0, 5);
	peer_pause(two.peer);
	turn_some();
	ck_assert(shard.feeds.list->full);
	ck_assert_ptr_nonnull(shard.feeds.list->live);
	ck_assert_int_gt(shard.feeds.list->catch_up_unacked, 0);
	peer_resume(two.peer);
	two.acks = true;
	turn_until_i64(&two.ends[0], 1);
	ck_assert_int_lt(two.ends[1], 30);
	turn_until_i64(&two.ends[1], 30);
	turn_until_i64(&two.ends[0], 4);
	teardown();
}
END_TEST

START_TEST(a_follower_that_the_log_start_overtakes_is_told_to_ask_again)
{
	struct partition_deletion deletion = {.offset = 6, .done = on_deleted, .deadline_ms = clock_ms() + 600000};

	setup();
	become(0, 1, 5, 5, (const int32_t[]){1}, 1);
	for (int i = 0; i < 8; i++)
		append(0, 250000, 1);
	connect_follower(&two);
	send_follow(&two, 0, 5);
	turn_until_i64(&two.ends[0], 2);
	partition_delete_records(partitions[0], &deletion);
	ck_assert_int_eq(log_start_offset(partitions[0]->log), 6);
	send_ack(&two, two.handle, 2);
	turn_until_int(&two.n_closes, 1);
	ck_assert_int_eq(two.close_error, KAFKA_OFFSET_OUT_OF_RANGE);
	ck_assert_int_eq(member(0, 2)->handle, REPLICA_HANDLE_NONE);
	send_follow_from(&two, 0, 5, 5, 2, 0);
	turn_until_int(&two.n_answers, 2);
	ck_assert_int_eq(two.verdict, KLAMM__FOLLOW_ANSWER__VERDICT__RESET);
	ck_assert_int_eq(two.log_start, 6);
	ck_assert_int_eq(partitions[0]->state, PARTITION_ONLINE);
	teardown();
}
END_TEST

START_TEST(a_throttled_partition_catches_up_at_its_rate_and_live_data_does_not_wait)
{
	struct throttle throttle = {0};

	setup();
	shard.feeds.throttle = &throttle;
	shard.feeds.throttle_rate = 100000;
	partitions[0]->lead_throttled = true;
	become(0, 1, 5, 5, (const int32_t[]){1}, 1);
	for (int i = 0; i < 6; i++)
		append(0, 60000, 1);
	two.acks = true;
	connect_follower(&two);
	send_follow(&two, 0, 5);
	turn_until_i64(&two.ends[0], 2);
	turn_some();
	/* A second's worth went at once, and nothing more. */
	ck_assert_int_lt(two.ends[0], 4);
	ck_assert_int_gt(shard.feeds.counters.n_throttled, 0);
	lead(1, 5);
	send_follow(&two, 1, 5);
	turn_until_int(&two.n_answers, 2);
	append(1, 100, -1);
	turn_until_int(&n_done, 7);
	ck_assert_int_lt(two.ends[0], 6);
	turn_until_i64(&two.ends[0], 6);
	teardown();
}
END_TEST

START_TEST(a_throttle_that_is_lifted_holds_nobody_any_more)
{
	struct config_pair pair = {SLICE_LITERAL("leader.replication.throttled.rate"), SLICE_LITERAL("1")};
	struct config_pairs rates = {&pair, 1}, none = {0};
	struct throttle throttle = {0};
	int64_t until = clock_ms() + WAIT_MS;

	setup();
	shard.feeds.throttle = &throttle;
	shard_set_view(&shard, view_retain(shard.view), broker_config_derive(config, none, rates, NULL));
	partitions[0]->lead_throttled = true;
	become(0, 1, 5, 5, (const int32_t[]){1}, 1);
	for (int i = 0; i < 6; i++)
		append(0, 60000, 1);
	two.acks = true;
	connect_follower(&two);
	send_follow(&two, 0, 5);
	while (shard.feeds.counters.n_throttled == 0 && clock_ms() < until)
		loop_turn(&shard.worker.loop, 100);
	ck_assert_int_gt(shard.feeds.counters.n_throttled, 0);
	/* What is under way is acked, too, and wakes nobody any more. */
	turn_some();
	ck_assert_int_lt(two.ends[0], 6);
	shard_set_view(&shard, view_retain(shard.view), broker_config_retain(config));
	turn_until_i64(&two.ends[0], 6);
	teardown();
}
END_TEST

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

static void wait_at_gate(struct disk_job *job)
{
	(void)job;
	pthread_mutex_lock(&gate);
	pthread_mutex_unlock(&gate);
}

/* Partition 0 has a megabyte that broker 2 lacks, and the disk does not read before the gate opens. */
static void setup_slow_reads(struct disk_job *waiting)
{
	setup();
	pthread_mutex_lock(&gate);
	*waiting = (struct disk_job){.run = wait_at_gate};
	disk_post_read(&disk, waiting);
	become(0, 1, 5, 5, (const int32_t[]){1}, 1);
	lead(1, 5);
	for (int i = 0; i < 4; i++)
		append(0, 250000, 1);
	two.acks = true;
	connect_follower(&two);
	send_follow(&two, 0, 5);
	send_follow(&two, 1, 5);
	turn_until_int(&two.n_answers, 2);
}

START_TEST(live_data_does_not_wait_for_what_must_be_read_from_the_disk)
{
	struct disk_job waiting;

	setup_slow_reads(&waiting);
	append(1, 100, -1);
	turn_until_int(&n_done, 5);
	turn_some();
	ck_assert_int_eq(two.ends[0], 0);
	pthread_mutex_unlock(&gate);
	turn_until_i64(&two.ends[0], 4);
	turn_until_i64(&member(0, 2)->log_end_offset, 4);
	teardown();
}
END_TEST

START_TEST(a_stream_may_end_while_its_data_is_read)
{
	struct disk_job waiting;

	setup_slow_reads(&waiting);
	ck_assert_ptr_nonnull(partitions[0]->streams->load);
	follower_close(&two);
	while (shard.feeds.list)
		turn_some();
	pthread_mutex_unlock(&gate);
	teardown();
}
END_TEST

START_TEST(a_log_is_sent_whole_however_often_it_is_read_ahead)
{
	setup();
	become(0, 1, 5, 5, (const int32_t[]){1}, 1);
	for (int i = 0; i < 60; i++)
		append(0, 250000, 1);
	two.acks = true;
	connect_follower(&two);
	send_follow(&two, 0, 5);
	turn_until_i64(&two.ends[0], 60);
	turn_until_i64(&member(0, 2)->log_end_offset, 60);
	teardown();
}
END_TEST

UNIT_MAIN("broker/replica/feed_send", acks_of_all_wait_until_the_follower_has_it,
	  appends_carry_the_high_watermark_so_that_no_advance_is_sent, a_large_batch_goes_from_the_file,
	  one_that_catches_up_leaves_room_for_those_in_sync, live_data_that_fills_the_connection_leaves_room_for_one_piece,
	  a_follower_that_the_log_start_overtakes_is_told_to_ask_again,
	  a_throttled_partition_catches_up_at_its_rate_and_live_data_does_not_wait,
	  a_throttle_that_is_lifted_holds_nobody_any_more, live_data_does_not_wait_for_what_must_be_read_from_the_disk,
	  a_stream_may_end_while_its_data_is_read, a_log_is_sent_whole_however_often_it_is_read_ahead)
