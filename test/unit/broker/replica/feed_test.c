/* feed: Hello adopted, Follow, Ack and Close; what ends a handle or a connection. */
#include "test/unit/broker/replica/feed_fixture.h"

#include "common/bytes.h"

#include <stdlib.h>
#include <unistd.h>

START_TEST(a_follow_ahead_of_the_leader_waits_for_its_state)
{
	setup();
	lead(0, 5);
	connect_follower(&two);
	send_follow(&two, 0, 6);
	send_follow(&two, 1, 6);
	turn_some();
	ck_assert_int_eq(two.n_answers, 0);
	ck_assert_int_eq(shard.feeds.n_parked, 2);
	lead(0, 6);
	turn_until_int(&two.n_answers, 1);
	ck_assert_int_eq(two.verdict, KLAMM__FOLLOW_ANSWER__VERDICT__OPEN);
	/* The state of the other partition does not come: refused in the end. */
	turn_until_int(&two.n_answers, 2);
	ck_assert_int_eq(two.verdict, KLAMM__FOLLOW_ANSWER__VERDICT__REFUSED);
	ck_assert_int_eq(two.error, KAFKA_UNKNOWN_LEADER_EPOCH);
	ck_assert_int_eq(shard.feeds.n_parked, 0);
	teardown();
}
END_TEST

START_TEST(an_incarnation_that_is_not_listed_yet_waits_for_the_view)
{
	setup();
	lead(0, 5);
	connect_as(&two, EPOCH_OF(2) + 1, OWN_EPOCH);
	send_follow(&two, 0, 5);
	turn_some();
	ck_assert_int_eq(two.n_answers, 0);
	set_view((const int32_t[]){2, 3}, 2, 1);
	turn_until_int(&two.n_answers, 1);
	ck_assert_int_eq(two.verdict, KLAMM__FOLLOW_ANSWER__VERDICT__OPEN);
	teardown();
}
END_TEST

START_TEST(an_older_epoch_and_a_stranger_are_refused)
{
	struct follower stranger = {.id = 9};

	setup();
	lead(0, 5);
	connect_follower(&two);
	send_follow(&two, 0, 4);
	turn_until_int(&two.n_answers, 1);
	ck_assert_int_eq(two.error, KAFKA_FENCED_LEADER_EPOCH);
	connect_follower(&stranger);
	send_follow(&stranger, 0, 5);
	turn_until_int(&stranger.n_answers, 1);
	ck_assert_int_eq(stranger.error, KAFKA_NOT_LEADER_OR_FOLLOWER);
	follower_close(&stranger);
	teardown();
}
END_TEST

START_TEST(logs_that_part_are_told_where)
{
	setup();
	lead(0, 5);
	append(0, 100, 1);
	lead(0, 7);
	connect_follower(&two);
	/* Three batches of epoch 5, of which the leader has one. */
	send_follow_from(&two, 0, 7, 5, 3, 0);
	turn_until_int(&two.n_answers, 1);
	ck_assert_int_eq(two.verdict, KLAMM__FOLLOW_ANSWER__VERDICT__DIVERGED);
	ck_assert_int_eq(two.diverged_epoch, 5);
	ck_assert_int_eq(two.diverged_end, 1);
	send_follow_from(&two, 0, 7, 5, 1, 0);
	turn_until_int(&two.n_answers, 2);
	ck_assert_int_eq(two.verdict, KLAMM__FOLLOW_ANSWER__VERDICT__OPEN);
	ck_assert_int_eq(two.epoch_start, 1);
	teardown();
}
END_TEST

START_TEST(a_follower_below_the_log_start_starts_anew_there)
{
	struct partition_deletion deletion = {.offset = 3, .done = on_deleted, .deadline_ms = clock_ms() + 600000};

	setup();
	become(0, 1, 5, 5, (const int32_t[]){1}, 1);
	for (int i = 0; i < 4; i++)
		append(0, 100, 1);
	partition_delete_records(partitions[0], &deletion);
	ck_assert_int_eq(log_start_offset(partitions[0]->log), 3);
	connect_follower(&two);
	send_follow_from(&two, 0, 5, 5, 1, 0);
	turn_until_int(&two.n_answers, 1);
	ck_assert_int_eq(two.verdict, KLAMM__FOLLOW_ANSWER__VERDICT__RESET);
	ck_assert_int_eq(two.log_start, 3);
	teardown();
}
END_TEST

START_TEST(another_epoch_closes_the_handle_and_its_acks_count_no_more)
{
	int64_t old;

	setup();
	lead(0, 5);
	connect_follower(&two);
	send_follow(&two, 0, 5);
	turn_until_int(&two.n_answers, 1);
	old = two.handle;
	append(0, 100, 1);
	turn_until_int(&two.n_appends, 1);
	lead(0, 6);
	turn_until_int(&two.n_closes, 1);
	ck_assert_int_eq(two.closed_handle, old);
	ck_assert_int_eq(two.close_error, KAFKA_FENCED_LEADER_EPOCH);
	send_ack(&two, old, 1);
	turn_some();
	ck_assert_int_eq(shard.feeds.counters.n_acks_dropped, 1);
	ck_assert_int_eq(partitions[0]->core.high_watermark, 0);
	send_follow_from(&two, 0, 6, 5, 1, 0);
	turn_until_int(&two.n_answers, 2);
	ck_assert_int_gt(two.handle, old);
	ck_assert_int_eq(partitions[0]->core.high_watermark, 1);
	teardown();
}
END_TEST

START_TEST(a_leader_that_resigns_or_fails_closes_its_handles)
{
	setup();
	lead(0, 5);
	lead(1, 5);
	connect_follower(&two);
	send_follow(&two, 0, 5);
	send_follow(&two, 1, 5);
	turn_until_int(&two.n_answers, 2);
	become(0, 2, 6, 6, (const int32_t[]){2}, 1);
	turn_until_int(&two.n_closes, 1);
	ck_assert_int_eq(two.close_error, KAFKA_NOT_LEADER_OR_FOLLOWER);
	partition_fail(partitions[1]);
	turn_until_int(&two.n_closes, 2);
	ck_assert_int_eq(two.close_error, KAFKA_STORAGE_ERROR);
	ck_assert_ptr_null(partitions[0]->streams);
	ck_assert_ptr_null(partitions[1]->streams);
	teardown();
}
END_TEST

START_TEST(who_acks_what_it_was_never_sent_loses_the_handle)
{
	setup();
	lead(0, 5);
	connect_follower(&two);
	send_follow(&two, 0, 5);
	turn_until_int(&two.n_answers, 1);
	send_ack(&two, two.handle, 7);
	turn_until_int(&two.n_closes, 1);
	ck_assert_int_eq(two.close_error, KAFKA_INVALID_REQUEST);
	ck_assert_int_eq(shard.feeds.counters.n_acks_invalid, 1);
	ck_assert_int_eq(member(0, 2)->handle, REPLICA_HANDLE_NONE);
	/* An ack that goes back is no less wrong. */
	append(0, 100, 1);
	send_follow_from(&two, 0, 5, 5, 1, 0);
	turn_until_int(&two.n_answers, 2);
	send_ack(&two, two.handle, 0);
	turn_until_int(&two.n_closes, 2);
	ck_assert_int_eq(shard.feeds.counters.n_acks_invalid, 2);
	ck_assert(!two.closed);
	teardown();
}
END_TEST

START_TEST(a_lost_connection_closes_its_handles_and_a_newer_one_takes_over)
{
	int64_t old;

	setup();
	lead(0, 5);
	connect_follower(&two);
	send_follow(&two, 0, 5);
	turn_until_int(&two.n_answers, 1);
	old = two.handle;
	connect_follower(&again);
	send_follow(&again, 0, 5);
	turn_until_int(&again.n_answers, 1);
	ck_assert_int_gt(again.handle, old);
	turn_until_int(&two.n_closes, 1);
	ck_assert_int_eq(two.closed_handle, old);
	follower_close(&two);
	turn_some();
	ck_assert_int_eq(member(0, 2)->handle, again.handle);
	follower_close(&again);
	turn_some();
	ck_assert_int_eq(member(0, 2)->handle, REPLICA_HANDLE_NONE);
	ck_assert_ptr_null(partitions[0]->streams);
	ck_assert_ptr_null(shard.feeds.list);
	teardown();
}
END_TEST

START_TEST(a_connection_ends_with_either_incarnation)
{
	setup();
	lead(0, 5);
	connect_follower(&two);
	connect_follower(&three);
	send_follow(&two, 0, 5);
	turn_until_int(&two.n_answers, 1);
	/* Gone from the view, it may come back: only its handles are closed. */
	set_view((const int32_t[]){3}, 1, 0);
	turn_until_int(&two.n_closes, 1);
	ck_assert(!two.closed);
	set_view((const int32_t[]){2, 3}, 2, 5);
	turn_until_flag(&two.closed);
	turn_until_flag(&three.closed);
	/* And one that comes too late is not adopted. */
	connect_follower(&again);
	turn_until_flag(&again.closed);
	two = (struct follower){.id = 2};
	connect_as(&two, EPOCH_OF(2) + 5, OWN_EPOCH);
	turn_some();
	ck_assert(!two.closed);
	shard_set_incarnation(&shard, SLICE_NULL, -1);
	turn_until_flag(&two.closed);
	connect_as(&two, EPOCH_OF(2) + 5, OWN_EPOCH);
	turn_until_flag(&two.closed);
	teardown();
}
END_TEST

START_TEST(without_a_lease_a_leader_serves_while_its_follower_is_heard)
{
	struct lease lease;

	setup();
	lease_init(&lease);
	shard.lease = &lease;
	lead(0, 5);
	ck_assert_int_eq(append(0, 100, 1)->error, KAFKA_NOT_LEADER_OR_FOLLOWER);
	two.acks = true;
	connect_follower(&two);
	send_follow(&two, 0, 5);
	turn_until_int(&two.n_answers, 1);
	ck_assert_int_eq(append(0, 100, -1)->error, 0);
	turn_until_int(&n_done, 2);
	/* It says nothing but that it is alive. */
	partitions[0]->members[1].heard_ms = REPLICA_NEVER;
	ck_assert_int_eq(partition_may_read(partitions[0], -1), 0);
	follower_close(&two);
	turn_some();
	ck_assert_int_eq(partition_may_read(partitions[0], -1), KAFKA_NOT_LEADER_OR_FOLLOWER);
	teardown();
}
END_TEST

/* A producer may wait for the answer of the leader before, until that follows: then it has refused all that waited with it. */
START_TEST(when_all_others_follow_a_gap_in_the_sequence_is_a_verdict)
{
	setup();
	lead(0, 4);
	append_of(0, 7, 0, 100, 1);
	lead(0, 6);
	connect_follower(&two);
	connect_follower(&three);
	send_follow_from(&two, 0, 6, 4, 1, 0);
	turn_until_int(&two.n_answers, 1);
	partitions[0]->followed_ms -= 60000;
	ck_assert_int_eq(append_of(0, 7, 5, 100, 1)->error, KAFKA_NOT_LEADER_OR_FOLLOWER);
	send_follow_from(&three, 0, 6, 4, 1, 0);
	turn_until_int(&three.n_answers, 1);
	/* Its answers may still be on their way. */
	ck_assert_int_eq(append_of(0, 7, 5, 100, 1)->error, KAFKA_NOT_LEADER_OR_FOLLOWER);
	partitions[0]->followed_ms -= 60000;
	ck_assert_int_eq(append_of(0, 7, 5, 100, 1)->error, KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER);
	ck_assert_int_eq(append_of(0, 7, 1, 100, 1)->error, 0);
	teardown();
}
END_TEST

/* Between the sending of a Follow and its reading the process stands still (S9). */
START_TEST(a_follow_that_lay_unread_is_no_sign_of_life_of_now)
{
	int64_t sent_ms, until_ms;

	setup();
	lead(0, 5);
	connect_follower(&two);
	turn_some();
	sent_ms = clock_ms();
	send_follow(&two, 0, 5);
	for (until_ms = sent_ms + 20; clock_ms() < until_ms;)
		;
	turn_until_int(&two.n_answers, 1);
	ck_assert_int_le(partitions[0]->members[1].heard_ms, sent_ms);
	ck_assert_int_gt(partitions[0]->members[1].heard_ms, REPLICA_NEVER);
	teardown();
}
END_TEST

START_TEST(frames_that_cannot_be_read_end_the_connection)
{
	setup();
	lead(0, 5);
	connect_follower(&two);
	peer_send(two.peer, 99, SLICE_LITERAL("?"), SLICE_LITERAL("?"), NULL);
	turn_some();
	ck_assert(!two.closed);
	peer_send(two.peer, FRAME_ACK, SLICE_NULL, SLICE_LITERAL("\x0a\x7f"), NULL);
	turn_until_flag(&two.closed);
	ck_assert_int_eq(shard.feeds.counters.n_frames_refused, 1);
	connect_follower(&again);
	/* A topic id of three bytes. */
	peer_send(again.peer, FRAME_FOLLOW, SLICE_NULL, SLICE_LITERAL("\x0a\x05\x0a\x03" "abc"), NULL);
	turn_until_flag(&again.closed);
	ck_assert_int_eq(shard.feeds.counters.n_frames_refused, 2);
	teardown();
}
END_TEST

/* ---- a follower that asks and does not read ---- */

#define FOLLOWS_PER_FRAME 10000
#define FRAMES_MAX 200

/* One frame that asks for t-0 so many times, in an epoch that is over. */
static size_t put_follows(uint8_t *bytes)
{
	Klamm__Follow follow = KLAMM__FOLLOW__INIT;
	Klamm__FollowPartition partition = KLAMM__FOLLOW_PARTITION__INIT, **list;
	size_t len;

	partition.topic_id = (ProtobufCBinaryData){sizeof topic_id.bytes, (uint8_t *)(uintptr_t)topic_id.bytes};
	partition.leader_epoch = 4;
	list = memory_zalloc(FOLLOWS_PER_FRAME, sizeof(Klamm__FollowPartition *));
	for (int i = 0; i < FOLLOWS_PER_FRAME; i++)
		list[i] = &partition;
	follow.partitions = list;
	follow.n_partitions = FOLLOWS_PER_FRAME;
	len = klamm__follow__pack(&follow, bytes + PEER_FRAME_HEAD_BYTES);
	free(list);
	bytes_put_u32(bytes, (uint32_t)len);
	bytes_put_u16(bytes + 4, 0);
	bytes[6] = CLUSTER_PROTOCOL_VERSION;
	bytes[7] = FRAME_FOLLOW;
	return PEER_FRAME_HEAD_BYTES + len;
}

/* Sends until nothing more is taken for a while; how many frames are gone as a whole. */
static int send_until_stuck(int fd, const uint8_t *frame, size_t len, size_t *ret_at)
{
	int n_frames = 0, n_idle = 0;

	while (n_frames < FRAMES_MAX && n_idle < 50) {
		ssize_t n = send(fd, frame + *ret_at, len - *ret_at, MSG_NOSIGNAL);

		*ret_at += n > 0 ? (size_t)n : 0;
		n_idle = n > 0 ? 0 : n_idle + 1;
		if (*ret_at == len) {
			*ret_at = 0;
			n_frames++;
		}
		loop_turn(&shard.worker.loop, 1);
	}
	return n_frames;
}

START_TEST(who_does_not_read_its_answers_is_not_read_either)
{
	uint8_t *frame = memory_alloc(FOLLOWS_PER_FRAME * 40), *answers = memory_alloc(1 << 16);
	int64_t until = clock_ms() + WAIT_MS;
	int pair[2], n_frames;
	size_t at = 0, len;

	setup();
	lead(0, 5);
	len = put_follows(frame);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	feeds_adopt(&shard.feeds, &(struct detached){.fd = pair[0]}, 2, EPOCH_OF(2), OWN_EPOCH);
	n_frames = send_until_stuck(pair[1], frame, len, &at);
	/* A few megabytes wait to be sent, and that is all. */
	ck_assert_int_lt(n_frames, 40);
	ck_assert_ptr_nonnull(shard.feeds.list);
	/* Read, it is answered in full, and goes on. */
	while (shard.feeds.counters.n_follows < (n_frames + 1) * FOLLOWS_PER_FRAME && clock_ms() < until) {
		ssize_t n;

		while (recv(pair[1], answers, 1 << 16, 0) > 0)
			;
		n = send(pair[1], frame + at, len - at, MSG_NOSIGNAL);
		at += n > 0 ? (size_t)n : 0;
		at = at == len ? 0 : at;
		loop_turn(&shard.worker.loop, 1);
	}
	ck_assert_int_ge(shard.feeds.counters.n_follows, (n_frames + 1) * FOLLOWS_PER_FRAME);
	close(pair[1]);
	while (shard.feeds.list && clock_ms() < until)
		loop_turn(&shard.worker.loop, 1);
	ck_assert_ptr_null(shard.feeds.list);
	free(frame);
	free(answers);
	teardown();
}
END_TEST

START_TEST(marks_wait_for_a_connection_that_is_full)
{
	struct feed *feed;

	setup();
	lead(0, 5);
	connect_follower(&two);
	send_follow(&two, 0, 5);
	turn_until_int(&two.n_answers, 1);
	append(0, 10, 1);
	turn_until_int(&two.n_appends, 1);
	feed = shard.feeds.list;
	feed->full = true;
	send_ack(&two, two.handle, 1);
	turn_until_i64(&partitions[0]->core.high_watermark, 1);
	while (timer_is_set(&feed->advance_timer))
		loop_turn(&shard.worker.loop, 10);
	turn_some();
	ck_assert_int_eq(two.n_advances, 0);
	timer_set(&feed->resume, clock_ms());
	turn_until_int(&two.n_advances, 1);
	ck_assert_int_eq(two.high_watermark, 1);
	teardown();
}
END_TEST

UNIT_MAIN("broker/replica/feed", a_follow_ahead_of_the_leader_waits_for_its_state,
	  an_incarnation_that_is_not_listed_yet_waits_for_the_view, an_older_epoch_and_a_stranger_are_refused,
	  logs_that_part_are_told_where, a_follower_below_the_log_start_starts_anew_there,
	  another_epoch_closes_the_handle_and_its_acks_count_no_more, a_leader_that_resigns_or_fails_closes_its_handles,
	  who_acks_what_it_was_never_sent_loses_the_handle, a_lost_connection_closes_its_handles_and_a_newer_one_takes_over,
	  a_connection_ends_with_either_incarnation, without_a_lease_a_leader_serves_while_its_follower_is_heard,
	  when_all_others_follow_a_gap_in_the_sequence_is_a_verdict,
	  a_follow_that_lay_unread_is_no_sign_of_life_of_now, frames_that_cannot_be_read_end_the_connection,
	  who_does_not_read_its_answers_is_not_read_either, marks_wait_for_a_connection_that_is_full)
