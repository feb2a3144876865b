/* partition_follow: the dialogue of a partition with its leader, which is played by the test over a socket. */
#include "test/unit/broker/replica/follow_fixture.h"

#include "test/lib/fs_mem.h"

#define HANDLE 77

static uint8_t batches[8192];

/* Follows in an epoch, with its log as it is; the question is returned. */
static Klamm__FollowPartition begin(int32_t leader_epoch)
{
	become(2, leader_epoch);
	leader_accept(&leader, 1);
	return leader_expect_follow(&leader);
}

static void begin_open(int32_t leader_epoch, int64_t high_watermark)
{
	begin(leader_epoch);
	leader_opens(&leader, leader_epoch, HANDLE, high_watermark);
}

static int64_t end_offset(void)
{
	return log_end_offset(partition->log);
}

/* Turns until the counter has moved by one. */
static void until_counted(const int64_t *counter, int64_t wanted)
{
	int64_t until = clock_ms() + WAIT_MS;

	while (*counter < wanted)
		turn_once(until);
	ck_assert_int_eq(*counter, wanted);
}

START_TEST(first_contact_tells_where_the_log_ends_and_batches_are_stored_and_acked)
{
	Klamm__FollowPartition follow;
	Klamm__AckMark ack;
	struct batch_header header;
	struct log_slice slice;
	struct log_read_args args = {.offset = 3, .max_offset = INT64_MAX, .max_bytes = 1 << 20, .min_one_batch = true};
	uint8_t stored[8192];
	size_t len;

	setup_follow();
	append(-1, -1, 3, 1);
	follow = begin(5);
	ck_assert_int_eq(leader.hello->role, KLAMM__HELLO__ROLE__FOLLOWER);
	ck_assert_str_eq(leader.hello->cluster_id, "c");
	ck_assert_int_eq(leader.hello->sender_id, 1);
	ck_assert_int_eq(leader.hello->sender_epoch, OWN_EPOCH);
	ck_assert_int_eq(leader.hello->target_id, 2);
	ck_assert_int_eq(leader.hello->target_epoch, LEADER_EPOCH);
	ck_assert_int_eq(follow.leader_epoch, 5);
	ck_assert_int_eq(follow.last_epoch, 0);
	ck_assert_int_eq(follow.log_end, 3);
	ck_assert_int_eq(follow.log_start, 0);
	leader_opens(&leader, 5, HANDLE, 3);
	len = put_batch(batches, 0, 3, 0, 2);
	len = put_batch(batches, len, 8, 5, 4);
	leader_appends(&leader, HANDLE, 3, 5, batches, len);
	ack = leader_expect_ack(&leader);
	ck_assert_int_eq(ack.handle, HANDLE);
	ck_assert_int_eq(ack.log_end, 12);
	ck_assert_int_eq(end_offset(), 12);
	ck_assert_int_eq(partition->core.high_watermark, 5);
	ck_assert_int_eq(log_epoch_at(partition->log, 9), 5);
	ck_assert_int_eq(log_read(partition->log, &args, &slice), 0);
	ck_assert_int_eq(slice.len, (int64_t)len);
	ck_assert_int_eq(log_slice_read(&slice, 0, stored, len), 0);
	ck_assert_mem_eq(stored, batches, len);
	ck_assert_int_eq(batch_header_parse(slice_of(stored, len), &header), 0);
	log_slice_release(&slice);
	teardown_follow();
}
END_TEST

static int text_of(const char *path, char *ret_text, size_t size)
{
	FILE *file = fopen(path, "r");
	size_t n;

	if (!file)
		return ERR_NOT_FOUND;
	n = fread(ret_text, 1, size - 1, file);
	ret_text[n] = 0;
	fclose(file);
	return 0;
}

START_TEST(marks_without_data_move_the_high_watermark_and_the_log_start)
{
	Klamm__Advance advance = KLAMM__ADVANCE__INIT;
	Klamm__AdvanceMark mark = KLAMM__ADVANCE_MARK__INIT, *marks = &mark;
	Klamm__AckMark ack;
	char path[FS_PATH_MAX], text[256];
	size_t len;

	setup_follow();
	begin_open(5, 0);
	len = put_batch(batches, 0, 0, 5, 4);
	leader_appends(&leader, HANDLE, 0, 0, batches, len);
	ck_assert_int_eq(leader_expect_ack(&leader).log_end, 4);
	mark.handle = HANDLE;
	mark.high_watermark = 99;
	mark.log_start = 2;
	advance.marks = &marks;
	advance.n_marks = 1;
	leader_send_payload(&leader, FRAME_ADVANCE, &advance.base);
	ack = leader_expect_ack(&leader);
	ck_assert_int_eq(ack.log_start, 2);
	/* So that the leader may answer who has deleted what lies below. */
	snprintf(path, sizeof path, "%s/log-start-offset-checkpoint", log_dir_path(dir));
	ck_assert_int_eq(text_of(path, text, sizeof text), 0);
	ck_assert_ptr_nonnull(strstr(text, "t 0 2"));
	ck_assert_int_eq(partition->core.high_watermark, 4);
	ck_assert_int_eq(log_start_offset(partition->log), 2);
	teardown_follow();
}
END_TEST

START_TEST(kip279_logs_that_part_several_epochs_ago_are_cut_step_by_step)
{
	Klamm__FollowAnswer answer;
	Klamm__FollowPartition follow;

	setup_follow();
	append(-1, -1, 1, 1);
	append(-1, -1, 4, 1);
	log_set_high_watermark(partition->log, 1);
	partition->core.high_watermark = 1;
	become(1, 2);
	partition->core.rules.min_isr = 2;
	append(-1, -1, 3, 1);
	partition->core.high_watermark = 1;
	follow = begin(5);
	ck_assert_int_eq(follow.last_epoch, 2);
	ck_assert_int_eq(follow.log_end, 8);
	/* The leader's epoch 1 ends at 7: of it there is nothing here, epoch 0 ends at 5. */
	answer = leader_says(5, KLAMM__FOLLOW_ANSWER__VERDICT__DIVERGED);
	answer.diverged_epoch = 1;
	answer.diverged_end = 7;
	leader_tell(&leader, &answer);
	follow = leader_expect_follow(&leader);
	ck_assert_int_eq(follow.last_epoch, 0);
	ck_assert_int_eq(follow.log_end, 5);
	/* And epoch 0 ends at 1 there. */
	answer.diverged_epoch = 0;
	answer.diverged_end = 1;
	leader_tell(&leader, &answer);
	follow = leader_expect_follow(&leader);
	ck_assert_int_eq(follow.log_end, 1);
	ck_assert_int_eq(end_offset(), 1);
	ck_assert_int_eq(links_counters(shard.links)->n_truncated, 2);
	teardown_follow();
}
END_TEST

START_TEST(s10_what_is_committed_is_not_cut_and_the_replica_waits_for_another_epoch)
{
	Klamm__FollowAnswer answer;

	setup_follow();
	append(-1, -1, 5, 1);
	begin(5);
	answer = leader_says(5, KLAMM__FOLLOW_ANSWER__VERDICT__DIVERGED);
	answer.diverged_epoch = 0;
	answer.diverged_end = 3;
	leader_tell(&leader, &answer);
	until_counted(&links_counters(shard.links)->n_stuck, 1);
	ck_assert_int_eq(end_offset(), 5);
	become(2, 6);
	ck_assert_int_eq(leader_expect_follow(&leader).leader_epoch, 6);
	teardown_follow();
}
END_TEST

START_TEST(a_log_that_ends_below_the_leaders_begins_anew)
{
	Klamm__FollowAnswer answer;
	Klamm__FollowPartition follow;
	size_t len;

	setup_follow();
	append(-1, -1, 5, 1);
	begin(5);
	answer = leader_says(5, KLAMM__FOLLOW_ANSWER__VERDICT__RESET);
	answer.log_start = 40;
	leader_tell(&leader, &answer);
	follow = leader_expect_follow(&leader);
	ck_assert_int_eq(follow.log_end, 40);
	ck_assert_int_eq(follow.log_start, 40);
	ck_assert_int_eq(follow.last_epoch, -1);
	leader_opens(&leader, 5, HANDLE, 41);
	len = put_batch(batches, 0, 40, 3, 2);
	leader_appends(&leader, HANDLE, 40, 41, batches, len);
	ck_assert_int_eq(leader_expect_ack(&leader).log_end, 42);
	ck_assert_int_eq(partition->core.high_watermark, 41);
	teardown_follow();
}
END_TEST

/* DeleteRecords moves the leader's start to any offset; the batch around it comes whole. */
START_TEST(a_log_that_begins_anew_inside_of_a_batch_takes_it_whole)
{
	Klamm__FollowAnswer answer;
	size_t len;

	setup_follow();
	append(-1, -1, 5, 1);
	begin(5);
	answer = leader_says(5, KLAMM__FOLLOW_ANSWER__VERDICT__RESET);
	answer.log_start = 43;
	leader_tell(&leader, &answer);
	ck_assert_int_eq(leader_expect_follow(&leader).log_end, 43);
	leader_opens(&leader, 5, HANDLE, 43);
	len = put_batch(batches, 0, 40, 3, 5);
	len = put_batch(batches, len, 45, 3, 2);
	leader_appends(&leader, HANDLE, 43, 45, batches, len);
	ck_assert_int_eq(leader_expect_ack(&leader).log_end, 47);
	ck_assert_int_eq(log_start_offset(partition->log), 43);
	ck_assert_int_eq(partition->core.log_start_offset, 43);
	ck_assert_int_eq(partition->core.high_watermark, 45);
	ck_assert_int_eq(read_at(43).error, KAFKA_NOT_LEADER_OR_FOLLOWER);
	ck_assert_int_eq(links_counters(shard.links)->n_invalid, 0);
	/* A batch that ends before the start has no place there. */
	len = put_batch(batches, 0, 40, 3, 3);
	leader_appends(&leader, HANDLE, 47, 45, batches, len);
	until_counted(&links_counters(shard.links)->n_invalid, 1);
	ck_assert_int_eq(end_offset(), 47);
	teardown_follow();
}
END_TEST

START_TEST(an_epoch_bump_of_the_same_leader_closes_the_handle_and_late_frames_are_dropped)
{
	Klamm__FollowPartition follow;
	size_t len = put_batch(batches, 0, 0, 5, 4);

	setup_follow();
	begin_open(5, 0);
	leader_appends(&leader, HANDLE, 0, 0, batches, len);
	leader_expect_ack(&leader);
	become(2, 6);
	follow = leader_expect_follow(&leader);
	ck_assert_int_eq(follow.leader_epoch, 6);
	ck_assert_int_eq(follow.log_end, 4);
	ck_assert_int_eq(follow.last_epoch, 5);
	len = put_batch(batches, 0, 4, 5, 1);
	leader_appends(&leader, HANDLE, 4, 4, batches, len);
	leader_opens(&leader, 5, HANDLE + 1, 4);
	leader_opens(&leader, 6, HANDLE + 2, 4);
	len = put_batch(batches, 0, 4, 6, 2);
	leader_appends(&leader, HANDLE + 2, 4, 4, batches, len);
	ck_assert_int_eq(leader_expect_ack(&leader).log_end, 6);
	ck_assert_int_eq(log_epoch_at(partition->log, 4), 6);
	ck_assert_int_eq(links_counters(shard.links)->n_invalid, 0);
	teardown_follow();
}
END_TEST

START_TEST(after_a_lost_connection_it_asks_again_from_its_end)
{
	Klamm__FollowPartition follow;
	size_t len = put_batch(batches, 0, 0, 5, 4);

	setup_follow();
	begin_open(5, 0);
	leader_appends(&leader, HANDLE, 0, 2, batches, len);
	leader_expect_ack(&leader);
	leader_hang_up(&leader);
	leader_accept(&leader, 1);
	follow = leader_expect_follow(&leader);
	ck_assert_int_eq(follow.log_end, 4);
	ck_assert_int_eq(follow.last_epoch, 5);
	teardown_follow();
}
END_TEST

START_TEST(a_refusal_and_a_close_are_followed_by_the_same_question)
{
	Klamm__FollowAnswer answer;
	Klamm__Close message = KLAMM__CLOSE__INIT;
	int64_t handle = HANDLE;

	setup_follow();
	begin(5);
	answer = leader_says(5, KLAMM__FOLLOW_ANSWER__VERDICT__REFUSED);
	answer.error = KAFKA_NOT_LEADER_OR_FOLLOWER;
	leader_tell(&leader, &answer);
	ck_assert_int_eq(leader_expect_follow(&leader).leader_epoch, 5);
	leader_opens(&leader, 5, HANDLE, 0);
	message.handles = &handle;
	message.n_handles = 1;
	leader_send(&leader, FRAME_CLOSE, &message.base, "", 0);
	ck_assert_int_eq(leader_expect_follow(&leader).leader_epoch, 5);
	ck_assert_int_eq(links_counters(shard.links)->n_refused, 1);
	teardown_follow();
}
END_TEST

START_TEST(in_fsync_mode_the_durable_end_is_acked_when_the_disk_has_it)
{
	size_t len = put_batch(batches, 0, 0, 5, 4);
	Klamm__AckMark ack;

	setup_follow();
	configure("klamm.durability", "fsync-isr");
	begin_open(5, 0);
	leader_appends(&leader, HANDLE, 0, 0, batches, len);
	do
		ack = leader_expect_ack(&leader);
	while (ack.durable_end < 4);
	ck_assert_int_eq(ack.log_end, 4);
	teardown_follow();
}
END_TEST

START_TEST(who_follows_no_more_says_so)
{
	Klamm__Close *message;

	setup_follow();
	begin_open(5, 0);
	leader_appends(&leader, HANDLE, 0, 0, batches, put_batch(batches, 0, 0, 5, 1));
	leader_expect_ack(&leader);
	become(1, 6);
	leader_expect(&leader, FRAME_CLOSE);
	message = klamm__close__unpack(NULL, leader.header_len, leader.header);
	ck_assert_uint_eq(message->n_handles, 1);
	ck_assert_int_eq(message->handles[0], HANDLE);
	klamm__close__free_unpacked(message, NULL);
	teardown_follow();
}
END_TEST

/* The old leader may not have heard of the next: it must not take the pings of a follower of another for those of its own (S9). */
START_TEST(s9_who_follows_another_leader_tells_the_old_one)
{
	Klamm__Close *message;

	setup_follow();
	begin_open(5, 0);
	leader_appends(&leader, HANDLE, 0, 0, batches, put_batch(batches, 0, 0, 5, 1));
	leader_expect_ack(&leader);
	become(3, 6);
	leader_expect(&leader, FRAME_CLOSE);
	message = klamm__close__unpack(NULL, leader.header_len, leader.header);
	ck_assert_uint_eq(message->n_handles, 1);
	ck_assert_int_eq(message->handles[0], HANDLE);
	klamm__close__free_unpacked(message, NULL);
	teardown_follow();
}
END_TEST

/* Pauses after four records, for as long as a byte a second asks for. */
static void begin_paused(struct throttle *throttle)
{
	struct config_pair pair = {SLICE_LITERAL("follower.replication.throttled.rate"), SLICE_LITERAL("1")};
	struct config_pairs rates = {&pair, 1}, none = {0};

	setup_follow();
	links_share(shard.links, NULL, NULL, NULL, throttle);
	shard_set_view(&shard, view_retain(shard.view), broker_config_derive(config, none, rates, NULL));
	configure("follower.replication.throttled.replicas", "*");
	begin_open(5, 0);
	shared_i64_set(&throttle->paid_ns, clock_ns() + THROTTLE_BURST_NS);
	leader_appends(&leader, HANDLE, 0, 1000, batches, put_batch(batches, 0, 0, 5, 4));
	leader_expect(&leader, FRAME_CLOSE);
	ck_assert_int_gt(partition->follow.again_ms, clock_ms() + 20000);
}

START_TEST(one_that_pauses_for_a_throttle_goes_on_when_that_is_lifted)
{
	struct throttle throttle = {0};

	begin_paused(&throttle);
	shard_set_view(&shard, view_retain(shard.view), broker_config_retain(config));
	ck_assert_int_eq(leader_expect_follow(&leader).log_end, 4);
	teardown_follow();
	/* For one topic alone. */
	throttle = (struct throttle){0};
	begin_paused(&throttle);
	configure("follower.replication.throttled.replicas", "");
	ck_assert_int_eq(leader_expect_follow(&leader).log_end, 4);
	teardown_follow();
}
END_TEST

START_TEST(a_higher_rate_does_not_wait_for_what_a_lower_one_has_cost)
{
	struct config_pair pair = {SLICE_LITERAL("follower.replication.throttled.rate"), SLICE_LITERAL("1000000")};
	struct config_pairs rates = {&pair, 1}, none = {0};
	struct throttle throttle = {0};

	begin_paused(&throttle);
	shard_set_view(&shard, view_retain(shard.view), broker_config_derive(config, none, rates, NULL));
	ck_assert_int_eq(leader_expect_follow(&leader).log_end, 4);
	leader_opens(&leader, 5, HANDLE + 1, 0);
	leader_appends(&leader, HANDLE + 1, 4, 1000, batches, put_batch(batches, 0, 4, 5, 4));
	ck_assert_int_eq(leader_expect_ack(&leader).log_end, 8);
	teardown_follow();
}
END_TEST

START_TEST(a_throttled_replica_that_is_behind_pauses_when_its_rate_is_used_up)
{
	struct config_pair pair = {SLICE_LITERAL("follower.replication.throttled.rate"), SLICE_LITERAL("1")};
	struct config_pairs rates = {&pair, 1}, none = {0};
	struct throttle throttle = {0};
	size_t len = put_batch(batches, 0, 0, 5, 4);
	Klamm__Close *message;

	setup_follow();
	links_share(shard.links, NULL, NULL, NULL, &throttle);
	shard_set_view(&shard, view_retain(shard.view), broker_config_derive(config, none, rates, NULL));
	configure("follower.replication.throttled.replicas", "*");
	begin_open(5, 0);
	shared_i64_set(&throttle.paid_ns, clock_ns() + THROTTLE_BURST_NS);
	/* One that is not behind does not wait, whatever others have used. */
	leader_appends(&leader, HANDLE, 0, 4, batches, len);
	ck_assert_int_eq(leader_expect_ack(&leader).log_end, 4);
	len = put_batch(batches, 0, 4, 5, 4);
	leader_appends(&leader, HANDLE, 4, 1000, batches, len);
	leader_expect(&leader, FRAME_CLOSE);
	message = klamm__close__unpack(NULL, leader.header_len, leader.header);
	ck_assert_int_eq(message->error, KAFKA_THROTTLING_QUOTA_EXCEEDED);
	klamm__close__free_unpacked(message, NULL);
	ck_assert_int_eq(links_counters(shard.links)->n_throttled, 1);
	ck_assert_int_eq(partition->follow.waits, LINK_PAUSES);
	ck_assert_int_gt(partition->follow.again_ms, clock_ms() + 20000);
	/* When it is paid for. */
	link_ask(&partition->follow);
	ck_assert_int_eq(leader_expect_follow(&leader).log_end, 8);
	teardown_follow();
}
END_TEST

/* ---- a disk in trouble ---- */

static struct fs_mem *mem;

static void setup_mem(void)
{
	mem = fs_mem_new(1);
	partition_fs = fs_mem_fs(mem);
	setup_follow();
}

static void teardown_mem(void)
{
	fs_mem_clear_faults(mem);
	teardown_follow();
	fs_mem_free(mem);
	partition_fs = NULL;
	dir_fails = false;
}

START_TEST(d10_a_full_disk_closes_the_handle_and_is_asked_for_again_until_there_is_room)
{
	size_t len = put_batch(batches, 0, 0, 5, 4);
	struct fs_mem_fault full = {.calls = FS_MEM_PWRITE, .path = ".log", .error = ERR_NO_SPACE, .times = 2};

	setup_mem();
	begin_open(5, 0);
	fs_mem_add_fault(mem, &full);
	for (int i = 0; i < 2; i++) {
		leader_appends(&leader, HANDLE + i, 0, 0, batches, len);
		leader_expect(&leader, FRAME_CLOSE);
		ck_assert_int_eq(leader_expect_follow(&leader).log_end, 0);
		leader_opens(&leader, 5, HANDLE + i + 1, 0);
	}
	leader_appends(&leader, HANDLE + 2, 0, 0, batches, len);
	ck_assert_int_eq(leader_expect_ack(&leader).log_end, 4);
	ck_assert_int_eq(links_counters(shard.links)->n_unstored, 2);
	ck_assert_int_eq(partition->state, PARTITION_ONLINE);
	teardown_mem();
}
END_TEST

/* The log is at 43, where it begins anew; the leader has a batch around that. */
static void begin_inside(void)
{
	Klamm__FollowAnswer answer = leader_says(5, KLAMM__FOLLOW_ANSWER__VERDICT__RESET);

	answer.log_start = 43;
	leader_tell(&leader, &answer);
	ck_assert_int_eq(leader_expect_follow(&leader).log_end, 43);
	leader_opens(&leader, 5, HANDLE, 43);
}

START_TEST(d10_a_full_disk_leaves_a_log_that_begins_inside_of_a_batch_empty_until_there_is_room)
{
	struct fs_mem_fault full = {.calls = FS_MEM_PWRITE, .path = ".log", .error = ERR_NO_SPACE};
	struct fs_mem_fault no_way_back = {.calls = FS_MEM_CREATE, .path = "43.log.swap", .error = ERR_NO_SPACE};
	size_t len = put_batch(batches, 0, 40, 5, 5);

	for (int i = 0; i < 2; i++) {
		setup_mem();
		begin(5);
		begin_inside();
		fs_mem_add_fault(mem, &full);
		if (i == 1)
			fs_mem_add_fault(mem, &no_way_back);
		leader_appends(&leader, HANDLE, 43, 45, batches, len);
		leader_expect(&leader, FRAME_CLOSE);
		ck_assert_int_eq(leader_expect_follow(&leader).log_end, i == 1 ? 40 : 43);
		ck_assert_int_eq(partition->state, PARTITION_ONLINE);
		ck_assert_int_eq(log_start_offset(partition->log), i == 1 ? 40 : 43);
		fs_mem_clear_faults(mem);
		begin_inside();
		leader_appends(&leader, HANDLE, 43, 45, batches, len);
		ck_assert_int_eq(leader_expect_ack(&leader).log_end, 45);
		ck_assert_int_eq(log_start_offset(partition->log), 43);
		teardown_mem();
	}
}
END_TEST

START_TEST(d10_a_full_disk_takes_nothing_back_of_a_log_that_begins_inside_of_a_batch)
{
	struct fs_mem_fault full = {.calls = FS_MEM_CREATE, .path = "45.log", .error = ERR_NO_SPACE};
	size_t len = put_batch(batches, 0, 40, 5, 5);

	setup_mem();
	configure("segment.bytes", "100");
	begin(5);
	begin_inside();
	fs_mem_add_fault(mem, &full);
	len = put_batch(batches, len, 45, 5, 2);
	leader_appends(&leader, HANDLE, 43, 45, batches, len);
	leader_expect(&leader, FRAME_CLOSE);
	ck_assert_int_eq(leader_expect_follow(&leader).log_end, 45);
	ck_assert_int_eq(log_start_offset(partition->log), 43);
	teardown_mem();
}
END_TEST

START_TEST(d10_a_failed_disk_ends_the_following_for_good)
{
	size_t len = put_batch(batches, 0, 0, 5, 4);
	struct fs_mem_fault broken = {.calls = FS_MEM_PWRITE, .path = ".log", .error = ERR_IO};

	setup_mem();
	begin_open(5, 0);
	fs_mem_add_fault(mem, &broken);
	leader_appends(&leader, HANDLE, 0, 0, batches, len);
	leader_expect(&leader, FRAME_CLOSE);
	ck_assert_int_eq(partition->state, PARTITION_FAILED);
	ck_assert(!partition->follow.wanted);
	dir_fails = true;
	teardown_mem();
}
END_TEST

/* ---- forged frames ---- */

/* What is done to two right batches at 4 (epoch 5, of four records) and 8 (epoch 5, of two), whose follower ends at 4 in epoch 5. */
struct forgery {
	const char *name;
	int32_t at;    /* from the start of the first batch, or, with second, of the second */
	bool second;
	bool with_crc; /* the checksum is made right again */
	int bytes;
	int64_t value;
	int32_t cut;   /* bytes less at the end */
	int64_t from;  /* 0: right */
};

static const struct forgery forgeries[] = {
	{.name = "base offset below the end", .at = BATCH_POS_BASE_OFFSET, .bytes = 8, .value = 3},
	{.name = "base offset negative", .at = BATCH_POS_BASE_OFFSET, .bytes = 8, .value = -1},
	{.name = "base offset at the end of numbers", .at = BATCH_POS_BASE_OFFSET, .second = true, .bytes = 8, .value = INT64_MAX - 1},
	{.name = "offsets overlap", .at = BATCH_POS_BASE_OFFSET, .second = true, .bytes = 8, .value = 7},
	{.name = "length 0", .at = BATCH_POS_LENGTH, .bytes = 4, .value = 0},
	{.name = "length negative", .at = BATCH_POS_LENGTH, .second = true, .bytes = 4, .value = -1},
	{.name = "length beyond the frame", .at = BATCH_POS_LENGTH, .second = true, .bytes = 4, .value = 4000},
	{.name = "magic 1", .at = BATCH_POS_MAGIC, .bytes = 1, .value = 1},
	{.name = "magic 3", .at = BATCH_POS_MAGIC, .second = true, .bytes = 1, .value = 3},
	{.name = "epoch above the leader's", .at = BATCH_POS_LEADER_EPOCH, .second = true, .bytes = 4, .value = 6},
	{.name = "epoch below the log's", .at = BATCH_POS_LEADER_EPOCH, .bytes = 4, .value = 4},
	{.name = "epoch falls", .at = BATCH_POS_LEADER_EPOCH, .second = true, .bytes = 4, .value = 3},
	{.name = "epoch negative", .at = BATCH_POS_LEADER_EPOCH, .bytes = 4, .value = -1},
	{.name = "checksum", .at = BATCH_POS_CRC, .bytes = 4, .value = 1},
	{.name = "checksum of the second", .at = BATCH_POS_CRC, .second = true, .bytes = 4, .value = 1},
	{.name = "a record's byte", .at = BATCH_HEADER_BYTES + 3, .bytes = 1, .value = 0x55},
	{.name = "last offset delta negative", .at = BATCH_POS_LAST_OFFSET_DELTA, .with_crc = true, .bytes = 4, .value = -1},
	{.name = "number of records negative", .at = BATCH_POS_N_RECORDS, .with_crc = true, .bytes = 4, .value = -5},
	{.name = "a part of a batch", .cut = 5},
	{.name = "nothing", .cut = 100000},
	{.name = "from below the end", .from = 3},
	{.name = "from above the end", .from = 5},
};

static size_t forge(const struct forgery *forgery)
{
	size_t first = put_batch(batches, 0, 4, 5, 4), len = put_batch(batches, first, 8, 5, 2);
	uint8_t *batch = forgery->second ? batches + first : batches;

	for (int i = 0; i < forgery->bytes; i++)
		batch[forgery->at + i] = (uint8_t)(forgery->value >> 8 * (forgery->bytes - 1 - i));
	if (forgery->with_crc)
		batch_set_crc(batch, forgery->second ? len - first : first);
	return (size_t)forgery->cut >= len ? 0 : len - (size_t)forgery->cut;
}

START_TEST(nothing_of_a_forged_append_is_stored_and_the_connection_goes_on)
{
	size_t len;
	int64_t handle = HANDLE;

	setup_follow();
	begin_open(5, 0);
	leader_appends(&leader, HANDLE, 0, 0, batches, put_batch(batches, 0, 0, 5, 4));
	leader_expect_ack(&leader);
	for (size_t i = 0; i < ARRAY_LEN(forgeries); i++) {
		len = forge(&forgeries[i]);
		leader_appends(&leader, handle, forgeries[i].from ? forgeries[i].from : 4, 4, batches, len);
		leader_expect(&leader, FRAME_CLOSE);
		ck_assert_int_eq(leader_expect_follow(&leader).log_end, 4);
		ck_assert_msg(end_offset() == 4, "%s", forgeries[i].name);
		ck_assert_int_eq(links_counters(shard.links)->n_invalid, (int64_t)i + 1);
		leader_opens(&leader, 5, ++handle, 4);
		/* So that the pauses do not grow. */
		partition->follow.pause_ms = 0;
	}
	len = put_batch(batches, 0, 4, 5, 4);
	leader_appends(&leader, handle, 4, 4, batches, len);
	ck_assert_int_eq(leader_expect_ack(&leader).log_end, 8);
	teardown_follow();
}
END_TEST

START_TEST(forged_answers_cut_nothing)
{
	Klamm__FollowAnswer answer;
	struct links_counters *counters;

	setup_follow();
	append(-1, -1, 5, 1);
	begin(5);
	counters = links_counters(shard.links);
	answer = leader_says(5, KLAMM__FOLLOW_ANSWER__VERDICT__DIVERGED);
	answer.diverged_epoch = 0;
	answer.diverged_end = 9;
	leader_tell(&leader, &answer);
	leader_expect_follow(&leader);
	answer.diverged_end = -7;
	answer.diverged_epoch = -1;
	leader_tell(&leader, &answer);
	leader_expect_follow(&leader);
	answer = leader_says(5, KLAMM__FOLLOW_ANSWER__VERDICT__RESET);
	answer.log_start = 5;
	leader_tell(&leader, &answer);
	leader_expect_follow(&leader);
	answer = leader_says(5, 17);
	leader_tell(&leader, &answer);
	leader_expect_follow(&leader);
	answer = leader_says(5, KLAMM__FOLLOW_ANSWER__VERDICT__OPEN);
	answer.handle = -1;
	leader_tell(&leader, &answer);
	leader_expect_follow(&leader);
	/* Of another epoch, partition or topic: not for us. */
	leader_opens(&leader, 4, 5, 0);
	answer = leader_says(5, KLAMM__FOLLOW_ANSWER__VERDICT__RESET);
	answer.partition = 3;
	answer.log_start = 1000;
	leader_tell(&leader, &answer);
	answer.topic_id.len = 3;
	leader_tell(&leader, &answer);
	leader_opens(&leader, 5, HANDLE, 0);
	leader_appends(&leader, HANDLE, 5, 5, batches, put_batch(batches, 0, 5, 5, 1));
	ck_assert_int_eq(leader_expect_ack(&leader).log_end, 6);
	ck_assert_int_eq(counters->n_invalid, 5);
	ck_assert_int_eq(counters->n_truncated, 0);
	teardown_follow();
}
END_TEST

START_TEST(a_frame_that_cannot_be_read_ends_the_connection)
{
	setup_follow();
	begin(5);
	leader_send(&leader, FRAME_FOLLOWING, NULL, "\xff\xff\xff", 3);
	leader_expect_hang_up(&leader);
	leader_accept(&leader, 1);
	ck_assert_int_eq(leader_expect_follow(&leader).leader_epoch, 5);
	/* What a newer leader may know is no reason. */
	leader_send(&leader, 99, NULL, "new", 3);
	leader_opens(&leader, 5, HANDLE, 0);
	leader_appends(&leader, HANDLE, 0, 0, batches, put_batch(batches, 0, 0, 5, 1));
	ck_assert_int_eq(leader_expect_ack(&leader).log_end, 1);
	teardown_follow();
}
END_TEST

UNIT_MAIN("broker/replica/partition_follow", first_contact_tells_where_the_log_ends_and_batches_are_stored_and_acked,
	  marks_without_data_move_the_high_watermark_and_the_log_start, kip279_logs_that_part_several_epochs_ago_are_cut_step_by_step,
	  s10_what_is_committed_is_not_cut_and_the_replica_waits_for_another_epoch, a_log_that_ends_below_the_leaders_begins_anew, a_log_that_begins_anew_inside_of_a_batch_takes_it_whole,
	  an_epoch_bump_of_the_same_leader_closes_the_handle_and_late_frames_are_dropped, after_a_lost_connection_it_asks_again_from_its_end,
	  a_refusal_and_a_close_are_followed_by_the_same_question, in_fsync_mode_the_durable_end_is_acked_when_the_disk_has_it,
	  who_follows_no_more_says_so, s9_who_follows_another_leader_tells_the_old_one,
	  a_throttled_replica_that_is_behind_pauses_when_its_rate_is_used_up,
	  one_that_pauses_for_a_throttle_goes_on_when_that_is_lifted, a_higher_rate_does_not_wait_for_what_a_lower_one_has_cost,
	  d10_a_full_disk_closes_the_handle_and_is_asked_for_again_until_there_is_room,
	  d10_a_full_disk_leaves_a_log_that_begins_inside_of_a_batch_empty_until_there_is_room,
	  d10_a_full_disk_takes_nothing_back_of_a_log_that_begins_inside_of_a_batch,
	  d10_a_failed_disk_ends_the_following_for_good, nothing_of_a_forged_append_is_stored_and_the_connection_goes_on, forged_answers_cut_nothing,
	  a_frame_that_cannot_be_read_ends_the_connection)
