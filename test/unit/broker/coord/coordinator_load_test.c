/* What a coordinator makes of the log when it begins to lead, and what becomes of it all when it ends. */
#include "test/unit/broker/coord/coordinator_fixture.h"

#include "broker/replica/partition_internal.h"

static const char *const no_delay = "group.initial.rebalance.delay.ms=0\n";

/* ---- a log that others wrote ---- */

static struct batch_builder builder;

static void begin_batch(int64_t producer_id)
{
	struct batch_spec spec = batch_spec_default();

	spec.producer_id = producer_id;
	spec.producer_epoch = producer_id < 0 ? -1 : 0;
	spec.transactional = producer_id >= 0;
	batch_builder_init(&builder, &spec);
}

static void add_offset(const char *group, const char *topic, int64_t offset)
{
	struct offset_commit_value value = {
		.offset = offset, .leader_epoch = -1, .metadata = SLICE_LITERAL(""), .commit_timestamp = 1, .expire_timestamp = -1};

	ck_assert(group_record_add_offset(&builder, 1, slice_of_text(group), slice_of_text(topic), 0, offset < 0 ? NULL : &value));
}

static void append_bytes(uint8_t *batch, size_t len)
{
	struct log_append_info info = {.now_ms = 1};

	batch_stamp(batch, log_end_offset(partition->log), 0);
	ck_assert_int_eq(log_append(partition->log, batch, len, &info), 0);
	partition_log_moved(partition);
}

/* flip: one bit of its records, so that the checksum is wrong. */
static void end_batch(bool flip)
{
	struct slice batch = batch_builder_finish(&builder, NULL);

	if (flip)
		builder.buf->data[batch.len - 1] ^= 1;
	append_bytes(builder.buf->data, batch.len);
	batch_builder_fini(&builder);
}

static void put_offset(const char *group, const char *topic, int64_t offset, int64_t producer_id)
{
	begin_batch(producer_id);
	add_offset(group, topic, offset);
	end_batch(false);
}

static void put_marker(int64_t producer_id, enum control_type type)
{
	struct buf *marker = batch_build_marker(type, 0, producer_id, 0, 1);

	append_bytes(marker->data, marker->len);
	buf_release(marker);
}

static void put_raw(const void *key, size_t key_len, const void *value, size_t value_len)
{
	begin_batch(-1);
	batch_builder_add(&builder, 1, slice_of(key, key_len), slice_of(value, value_len), NULL, 0);
	end_batch(false);
}

static void become_among(int32_t leader_epoch, int32_t partition_epoch, int32_t n_isr)
{
	const int32_t replicas[] = {1, 2};
	struct replica_state state = {.leader = 1,
				      .leader_epoch = leader_epoch,
				      .partition_epoch = partition_epoch,
				      .replicas = replicas,
				      .n_replicas = 2,
				      .isr = replicas,
				      .n_isr = n_isr};

	ck_assert_int_eq(partition_become(partition, &state), 0);
}

/* Nobody leads, so that the log can be written. */
static void setup_log(void)
{
	coordinator_setup();
	await_serving();
	partition_resign(partition);
	ck_assert_ptr_null(home());
}

static void lead(int32_t leader_epoch)
{
	become_among(leader_epoch, 0, 1);
	await_serving();
}

START_TEST(offsets_are_read_in_the_order_of_the_log)
{
	setup_log();
	put_offset("g", "t", 5, -1);
	put_offset("g", "u", 6, -1);
	put_offset("g", "t", 4, -1);
	put_offset("h", "t", 9, -1);
	put_offset("h", "t", -1, -1);
	put_offset("nobody", "t", -1, -1);
	lead(1);
	ck_assert_int_eq(fetch("g", "t", 0), 4);
	ck_assert_int_eq(fetch("g", "u", 0), 6);
	ck_assert_int_eq(fetch("h", "t", 0), -1);
	/* Groups of which only tombstones are left are none. */
	ck_assert_int_eq(HASH_COUNT(home()->groups), 1);
	ck_assert_int_eq(shard.group_counters.n_offsets, 2);
	coordinator_teardown();
}
END_TEST

START_TEST(damage_is_passed_over_and_foreign_records_are_left_alone)
{
	static const uint8_t foreign[] = {0, 3, 0, 1, 'g'}, damaged[] = {0, 1, 0, 200, 'g'}, group[] = {0, 2, 0, 1, 'g'}, value[] = {0, 9, 1};

	setup_log();
	put_offset("g", "t", 1, -1);
	put_raw(foreign, sizeof foreign, "x", 1);
	put_raw(damaged, sizeof damaged, "x", 1);
	put_raw(group, sizeof group, value, sizeof value);
	begin_batch(-1);
	add_offset("g", "t", 99);
	end_batch(true);
	put_offset("g", "u", 2, -1);
	lead(1);
	ck_assert_int_eq(fetch("g", "t", 0), 1);
	ck_assert_int_eq(fetch("g", "u", 0), 2);
	ck_assert_int_eq(shard.group_counters.n_damaged, 3);
	coordinator_teardown();
}
END_TEST

START_TEST(offsets_of_transactions_count_with_their_markers)
{
	setup_log();
	put_offset("g", "committed", 1, 7);
	put_offset("g", "aborted", 2, 8);
	put_offset("g", "open", 3, 9);
	put_offset("g", "overtaken", 4, 7);
	put_offset("g", "overtaken", 5, -1);
	put_marker(8, CONTROL_ABORT);
	put_marker(7, CONTROL_COMMIT);
	put_marker(77, CONTROL_COMMIT);
	lead(1);
	ck_assert_int_eq(fetch("g", "committed", 0), 1);
	ck_assert_int_eq(fetch("g", "aborted", 0), -1);
	ck_assert_int_eq(fetch("g", "open", 0), -1);
	ck_assert_int_eq(fetch("g", "overtaken", 0), 5);
	ck_assert_int_eq(fetch_with("g", "open", 0, true).error_code, KAFKA_UNSTABLE_OFFSET_COMMIT);
	ck_assert_int_eq(fetch_with("g", "committed", 0, true).error_code, 0);
	ck_assert_int_eq(fetch_with("g", "aborted", 0, true).error_code, 0);
	coordinator_teardown();
}
END_TEST

START_TEST(nothing_is_told_before_the_high_watermark_has_what_was_read)
{
	struct coordinator_sync sync = {.generation = 1, .member_id = SLICE_LITERAL("m")};
	struct coordinator_list list = {0};

	setup_log();
	put_offset("g", "t", 5, -1);
	become_among(1, 0, 2);
	TURN_UNTIL(home()->state == HOME_AWAITING);
	ck_assert_int_eq(fetch_with("g", "t", 0, false).error_code, KAFKA_COORDINATOR_LOAD_IN_PROGRESS);
	ck_assert_int_eq(commit("g", "t", 0, 1), KAFKA_COORDINATOR_LOAD_IN_PROGRESS);
	ck_assert_int_eq(heartbeat("g", 1, SLICE_LITERAL("m")), 0);
	ask_and_wait(&sync.call, COORDINATOR_SYNC, "g");
	ck_assert_int_eq(sync.call.error, KAFKA_REBALANCE_IN_PROGRESS);
	ask_and_wait(&list.call, COORDINATOR_LIST, "");
	ck_assert_int_eq(list.call.error, KAFKA_COORDINATOR_LOAD_IN_PROGRESS);
	/* The other replica leaves the ISR: what there is, is committed. */
	become_among(1, 1, 1);
	await_serving();
	ck_assert_int_eq(fetch("g", "t", 0), 5);
	coordinator_teardown();
}
END_TEST

START_TEST(a_group_survives_its_coordinator)
{
	struct coordinator_describe describe = {0};
	struct coordinator_join join;

	more_properties = no_delay;
	coordinator_setup();
	await_serving();
	make_stable("g", "i", &join);
	ck_assert_int_eq(commit("simple", "t", 0, 8), 0);
	partition_resign(partition);
	ck_assert_int_eq(heartbeat("g", 1, join.ret_member_id), KAFKA_NOT_COORDINATOR);
	lead(1);
	ck_assert_int_eq(heartbeat("g", 1, join.ret_member_id), 0);
	ck_assert_int_eq(fetch("simple", "t", 0), 8);
	ask_and_wait(&describe.call, COORDINATOR_DESCRIBE, "g");
	ck_assert(slice_is_text(describe.description.group_state, "Stable"));
	ck_assert(slice_is_text(describe.description.protocol_data, "range"));
	ck_assert_int_eq(describe.description.n_members, 1);
	ck_assert(slice_is_text(describe.description.members[0].group_instance_id, "i"));
	ck_assert(slice_is_text(describe.description.members[0].member_assignment, "all"));
	ck_assert(slice_is_text(describe.description.members[0].client_host, "/127.0.0.1"));
	coordinator_teardown();
	more_properties = "";
}
END_TEST

/* D13: what an older load has still to bring from the disk never meets a newer one. */
START_TEST(a_load_that_was_given_up_does_not_touch_the_next)
{
	setup_log();
	for (int i = 0; i < 200; i++)
		put_offset("g", "t", i, -1);
	for (int32_t epoch = 1; epoch <= 20; epoch++) {
		become_among(epoch, 0, 1);
		/* From nothing read to all read, and everything between. */
		for (int32_t turn = 0; turn < epoch / 2; turn++)
			loop_turn(&shard.worker.loop, 1);
		partition_resign(partition);
		ck_assert_ptr_null(home());
		ck_assert_int_eq(shard.group_counters.n_groups, 0);
		ck_assert_int_eq(shard.group_counters.n_offsets, 0);
		ck_assert_int_eq(fetch_with("g", "t", 0, false).error_code, KAFKA_NOT_COORDINATOR);
	}
	lead(21);
	ck_assert_int_eq(fetch("g", "t", 0), 199);
	ck_assert_int_eq(shard.group_counters.n_offsets, 1);
	coordinator_teardown();
}
END_TEST

/* Under the same leader epoch, too: a session was lost, and the controller confirms the leader. */
START_TEST(a_leader_that_is_confirmed_loads_again)
{
	coordinator_setup();
	await_serving();
	ck_assert_int_eq(commit("g", "t", 0, 4), 0);
	partition_resign(partition);
	become(1, 0);
	await_serving();
	ck_assert_int_eq(fetch("g", "t", 0), 4);
	/* One more epoch that continues the same leadership changes nothing. */
	become(1, 1);
	ck_assert_int_eq(home()->state, HOME_SERVING);
	ck_assert_int_eq(fetch("g", "t", 0), 4);
	/* Epochs are missing: another may have led. */
	become(1, 7);
	ck_assert_int_eq(home()->state, HOME_LOADING);
	await_serving();
	ck_assert_int_eq(fetch("g", "t", 0), 4);
	coordinator_teardown();
}
END_TEST

START_TEST(all_that_waits_ends_when_the_leadership_does)
{
	struct coordinator_join stable, join;
	struct coordinator_sync sync;
	struct commit_call call;

	coordinator_setup();
	await_serving();
	/* With the delay of a first rebalance the join waits. */
	ask_join(&join, "waiting", SLICE_LITERAL(""), NULL);
	TURN_UNTIL(home()->groups->core.state == GROUP_PREPARING);
	TURN_UNTIL(is_done(&join.call));
	ask_join(&stable, "other", SLICE_LITERAL(""), NULL);
	become_among(0, 1, 2);
	ask(&commit_of(&call, "t", 0, 1, "")->commit.call, COORDINATOR_COMMIT, "g");
	ask_sync(&sync, "waiting", &join, NULL, 0);
	loop_turn(&shard.worker.loop, 1);
	ck_assert(!is_done(&call.commit.call) && !is_done(&stable.call));
	partition_resign(partition);
	TURN_UNTIL(is_done(&call.commit.call) && is_done(&stable.call) && is_done(&sync.call));
	ck_assert_int_eq(call.commit.call.error, KAFKA_NOT_COORDINATOR);
	ck_assert_int_eq(call.commit.results[0].partitions[0].error_code, KAFKA_NOT_COORDINATOR);
	ck_assert_int_eq(stable.call.error, KAFKA_NOT_COORDINATOR);
	ck_assert_int_eq(sync.call.error, KAFKA_NOT_COORDINATOR);
	coordinator_teardown();
}
END_TEST

START_TEST(a_log_of_many_batches_is_read_in_pieces)
{
	more_properties = "offsets.load.buffer.size=1000\n";
	setup_log();
	for (int i = 0; i < 300; i++)
		put_offset(i % 2 ? "g" : "h", i % 3 ? "t" : "u", i, -1);
	lead(1);
	ck_assert_int_eq(fetch("g", "t", 0), 299);
	ck_assert_int_eq(fetch("h", "t", 0), 298);
	ck_assert_int_eq(fetch("g", "u", 0), 297);
	ck_assert_int_eq(fetch("h", "u", 0), 294);
	coordinator_teardown();
	more_properties = "";
}
END_TEST

START_TEST(s9_without_a_lease_nobody_is_told_anything)
{
	struct coordinator_join join;
	struct coordinator_list list = {0};
	struct lease lease;

	more_properties = "group.initial.rebalance.delay.ms=100\n";
	coordinator_setup();
	await_serving();
	ck_assert_int_eq(commit("g", "t", 0, 5), 0);
	lease_init(&lease);
	lease_extend(&lease, clock_ms(), 600000);
	shard.lease = &lease;
	become_among(0, 1, 2);
	ask_join(&join, "h", SLICE_LITERAL(""), NULL);
	ck_assert_int_eq(fetch("g", "t", 0), 5);
	/* The other replica is not heard either, and may lead by now. */
	lease_end(&lease);
	ck_assert_int_eq(fetch_with("g", "t", 0, false).error_code, KAFKA_NOT_COORDINATOR);
	ck_assert_int_eq(commit("g", "t", 0, 6), KAFKA_NOT_COORDINATOR);
	ck_assert_int_eq(heartbeat("h", 1, SLICE_LITERAL("m")), KAFKA_NOT_COORDINATOR);
	ask_and_wait(&list.call, COORDINATOR_LIST, "");
	ck_assert_int_eq(list.n_groups, 0);
	/* The first generation of those that joined before would be told now. */
	TURN_UNTIL(is_done(&join.call));
	ck_assert_int_eq(join.call.error, KAFKA_NOT_COORDINATOR);
	ck_assert_int_eq(join.generation, -1);
	coordinator_teardown();
	more_properties = "";
}
END_TEST

UNIT_MAIN("broker/coord/coordinator_load", offsets_are_read_in_the_order_of_the_log, damage_is_passed_over_and_foreign_records_are_left_alone,
	  offsets_of_transactions_count_with_their_markers, nothing_is_told_before_the_high_watermark_has_what_was_read,
	  a_group_survives_its_coordinator, a_load_that_was_given_up_does_not_touch_the_next, a_leader_that_is_confirmed_loads_again,
	  all_that_waits_ends_when_the_leadership_does, a_log_of_many_batches_is_read_in_pieces,
	  s9_without_a_lease_nobody_is_told_anything)
