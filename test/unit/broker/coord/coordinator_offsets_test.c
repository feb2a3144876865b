/* Commits that fail, come late or expire; deletions; topics that go. */
#include "test/unit/broker/coord/coordinator_fixture.h"

static void become_among(int32_t partition_epoch, int32_t n_isr)
{
	const int32_t replicas[] = {1, 2};
	struct replica_state state = {.leader = 1,
				      .partition_epoch = partition_epoch,
				      .replicas = replicas,
				      .n_replicas = 2,
				      .isr = replicas,
				      .n_isr = n_isr};

	ck_assert_int_eq(partition_become(partition, &state), 0);
}

static void reload(int32_t leader_epoch)
{
	partition_resign(partition);
	become(1, leader_epoch);
	await_serving();
}

static int16_t delete_group(const char *group)
{
	struct coordinator_delete_group deletion = {0};

	ask_and_wait(&deletion.call, COORDINATOR_DELETE_GROUP, group);
	return deletion.call.error;
}

/* The error of the whole; *ret_error that of the partition. */
static int16_t delete_offset(const char *group, const char *topic, int32_t index, int16_t *ret_error)
{
	struct offset_delete_request_partition asked = {index};
	struct offset_delete_request_topic topics = {slice_of_text(topic), &asked, 1};
	struct coordinator_delete_offsets deletion = {.topics = &topics, .n_topics = 1};

	ask_and_wait(&deletion.call, COORDINATOR_DELETE_OFFSETS, group);
	*ret_error = deletion.n_results ? deletion.results[0].partitions[0].error_code : -1;
	return deletion.call.error;
}

/* ---- commits ---- */

START_TEST(a_commit_is_not_told_before_the_high_watermark_is_past_it)
{
	struct commit_call call;

	coordinator_setup();
	await_serving();
	become_among(1, 2);
	ask(&commit_of(&call, "t", 0, 5, "")->commit.call, COORDINATOR_COMMIT, "g");
	ck_assert_int_eq(fetch("g", "t", 0), -1);
	ck_assert(!is_done(&call.commit.call));
	become_among(2, 1);
	TURN_UNTIL(is_done(&call.commit.call));
	ck_assert_int_eq(call.commit.call.error, 0);
	ck_assert_int_eq(fetch("g", "t", 0), 5);
	coordinator_teardown();
}
END_TEST

/* What was answered with a time-out holds as soon as it is committed: a later coordinator would find it in the log, too. */
START_TEST(a_commit_whose_time_was_up_holds_when_it_is_committed)
{
	struct commit_call call;

	more_properties = "offsets.commit.timeout.ms=50\n";
	coordinator_setup();
	await_serving();
	become_among(1, 2);
	ask(&commit_of(&call, "t", 0, 5, "")->commit.call, COORDINATOR_COMMIT, "g");
	TURN_UNTIL(is_done(&call.commit.call));
	ck_assert_int_eq(call.commit.results[0].partitions[0].error_code, KAFKA_REQUEST_TIMED_OUT);
	ck_assert_int_eq(fetch("g", "t", 0), -1);
	become_among(2, 1);
	TURN_UNTIL(!home()->writes);
	ck_assert_int_eq(fetch("g", "t", 0), 5);
	coordinator_teardown();
	more_properties = "";
}
END_TEST

START_TEST(errors_of_the_append_are_told_as_those_of_a_coordinator)
{
	coordinator_setup();
	await_serving();
	configure("min.insync.replicas", "2");
	ck_assert_int_eq(commit("g", "t", 0, 1), KAFKA_COORDINATOR_NOT_AVAILABLE);
	configure("max.message.bytes", "50");
	ck_assert_int_eq(commit("g", "t", 0, 1), KAFKA_INVALID_COMMIT_OFFSET_SIZE);
	configure(NULL, NULL);
	ck_assert_int_eq(fetch("g", "t", 0), -1);
	ck_assert_int_eq(commit("g", "t", 0, 1), 0);
	coordinator_teardown();
}
END_TEST

START_TEST(partitions_are_judged_one_by_one)
{
	char text[5000];
	struct offset_commit_request_partition partitions[2];
	struct commit_call call;

	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = 0;
	coordinator_setup();
	await_serving();
	commit_of(&call, "t", 0, 5, text);
	partitions[0] = partitions[1] = call.partition;
	partitions[1].partition_index = 1;
	partitions[1].committed_metadata = SLICE_NULL;
	call.topic.partitions = partitions;
	call.topic.n_partitions = 2;
	ask_and_wait(&call.commit.call, COORDINATOR_COMMIT, "g");
	ck_assert_int_eq(call.commit.results[0].partitions[0].error_code, KAFKA_OFFSET_METADATA_TOO_LARGE);
	ck_assert_int_eq(call.commit.results[0].partitions[1].error_code, 0);
	ck_assert_int_eq(fetch("g", "t", 0), -1);
	ck_assert_int_eq(fetch("g", "t", 1), 5);
	coordinator_teardown();
}
END_TEST

START_TEST(commits_beyond_the_memory_of_a_worker_are_refused_and_others_go_on)
{
	coordinator_setup();
	await_serving();
	ck_assert_int_eq(commit("g", "t", 0, 1), 0);
	shard.coordinator->offset_bytes += LIMIT_SHARD_OFFSET_BYTES;
	ck_assert_int_eq(commit("g", "t", 1, 1), KAFKA_INVALID_COMMIT_OFFSET_SIZE);
	ck_assert_int_eq(commit("g", "t", 0, 2), 0);
	shard.coordinator->offset_bytes -= LIMIT_SHARD_OFFSET_BYTES;
	ck_assert_int_eq(fetch("g", "t", 0), 2);
	shard.group_counters.n_groups += LIMIT_SHARD_GROUPS;
	ck_assert_int_eq(commit("h", "t", 0, 1), KAFKA_POLICY_VIOLATION);
	ck_assert_int_eq(commit("g", "t", 0, 3), 0);
	shard.group_counters.n_groups -= LIMIT_SHARD_GROUPS;
	coordinator_teardown();
}
END_TEST

START_TEST(commits_that_wait_for_replicas_are_bounded)
{
	struct commit_call call;

	coordinator_setup();
	await_serving();
	become_among(1, 2);
	ask(&commit_of(&call, "t", 0, 1, "")->commit.call, COORDINATOR_COMMIT, "g");
	shard.coordinator->write_bytes += LIMIT_SHARD_WRITE_BYTES;
	ck_assert_int_eq(commit("g", "t", 1, 1), KAFKA_COORDINATOR_NOT_AVAILABLE);
	shard.coordinator->write_bytes -= LIMIT_SHARD_WRITE_BYTES;
	become_among(2, 1);
	TURN_UNTIL(is_done(&call.commit.call));
	ck_assert_int_eq(call.commit.call.error, 0);
	ck_assert_int_eq(commit("g", "t", 1, 1), 0);
	ck_assert_int_eq(shard.coordinator->write_bytes, 0);
	coordinator_teardown();
}
END_TEST

START_TEST(a_retention_of_any_length_is_taken)
{
	struct commit_call call;

	coordinator_setup();
	await_serving();
	commit_of(&call, "t", 0, 1, "");
	call.commit.retention_time_ms = INT64_MAX;
	ask_and_wait(&call.commit.call, COORDINATOR_COMMIT, "g");
	ck_assert_int_eq(call.commit.results[0].partitions[0].error_code, 0);
	ck_assert_int_eq(home()->groups->offsets.topics[0]->entries[0].value.expire_ms, INT64_MAX);
	coordinator_teardown();
}
END_TEST

#define N_NAMED 40000

/* One partition with four kilobytes of metadata, named so often that they would be 160 MB. */
START_TEST(who_names_the_same_partition_again_and_again_gets_a_bounded_answer)
{
	static int32_t indexes[N_NAMED];
	static char text[4097];
	struct offset_fetch_request_group_topic asked = {SLICE_LITERAL("t"), indexes, N_NAMED};
	struct coordinator_fetch_offsets fetch_call = {.topics = &asked, .n_topics = 1};
	struct commit_call call;

	memset(text, 'x', sizeof text - 1);
	coordinator_setup();
	await_serving();
	ask_and_wait(&commit_of(&call, "t", 0, 5, text)->commit.call, COORDINATOR_COMMIT, "g");
	ask_and_wait(&fetch_call.call, COORDINATOR_FETCH_OFFSETS, "g");
	ck_assert_int_eq(fetch_call.results[0].partitions[0].committed_offset, 5);
	ck_assert_int_eq(fetch_call.results[0].partitions[N_NAMED - 1].error_code, KAFKA_POLICY_VIOLATION);
	ck_assert_uint_lt(answers.total, 2 * LIMIT_GROUP_ANSWER_BYTES);
	coordinator_teardown();
}
END_TEST

/* ---- deletion ---- */

START_TEST(a_deleted_group_is_gone_for_the_next_coordinator_too)
{
	struct coordinator_join join;

	more_properties = "group.initial.rebalance.delay.ms=0\n";
	coordinator_setup();
	await_serving();
	ck_assert_int_eq(delete_group("g"), KAFKA_GROUP_ID_NOT_FOUND);
	ck_assert_int_eq(commit("g", "t", 0, 1), 0);
	make_stable("m", NULL, &join);
	ck_assert_int_eq(delete_group("m"), KAFKA_NON_EMPTY_GROUP);
	ck_assert_int_eq(delete_group("g"), 0);
	ck_assert_int_eq(fetch("g", "t", 0), -1);
	ck_assert_int_eq(shard.group_counters.n_groups, 1);
	reload(1);
	ck_assert_int_eq(fetch("g", "t", 0), -1);
	ck_assert(slice_is_text(describe_state("g"), "Dead"));
	ck_assert(slice_is_text(describe_state("m"), "Stable"));
	coordinator_teardown();
	more_properties = "";
}
END_TEST

START_TEST(a_group_with_more_offsets_than_a_batch_holds_is_deleted)
{
	struct offset_commit_request_partition *partitions = memory_zalloc(3000, sizeof *partitions);
	struct commit_call call;

	coordinator_setup();
	await_serving();
	for (int round = 0; round < 5; round++) {
		commit_of(&call, "a topic with a long name, so that keys are long and few of them fit a batch of tombstones", 0, 5, "");
		for (int32_t i = 0; i < 3000; i++) {
			partitions[i] = call.partition;
			partitions[i].partition_index = round * 3000 + i;
		}
		call.topic.partitions = partitions;
		call.topic.n_partitions = 3000;
		ask_and_wait(&call.commit.call, COORDINATOR_COMMIT, "g");
		ck_assert_int_eq(call.commit.call.error, 0);
	}
	ck_assert_int_eq(shard.group_counters.n_offsets, 15000);
	ck_assert_int_eq(delete_group("g"), 0);
	ck_assert_int_eq(shard.group_counters.n_offsets, 0);
	ck_assert_int_eq(shard.group_counters.n_deleted, 15000);
	ck_assert_int_eq(shard.group_counters.n_expired, 0);
	ck_assert_int_eq(shard.coordinator->offset_bytes, 0);
	reload(1);
	ck_assert_int_eq(shard.group_counters.n_offsets, 0);
	ck_assert_int_eq(shard.group_counters.n_groups, 0);
	coordinator_teardown();
	free(partitions);
}
END_TEST

START_TEST(a_deletion_that_fails_leaves_the_group)
{
	coordinator_setup();
	await_serving();
	ck_assert_int_eq(commit("g", "t", 0, 1), 0);
	configure("min.insync.replicas", "2");
	ck_assert_int_eq(delete_group("g"), KAFKA_COORDINATOR_NOT_AVAILABLE);
	configure(NULL, NULL);
	ck_assert_int_eq(fetch("g", "t", 0), 1);
	ck_assert_int_eq(delete_group("g"), 0);
	ck_assert_int_eq(fetch("g", "t", 0), -1);
	coordinator_teardown();
}
END_TEST

START_TEST(while_a_deletion_is_under_way_nobody_joins_or_commits)
{
	struct coordinator_delete_group deletion = {0};

	coordinator_setup();
	await_serving();
	ck_assert_int_eq(commit("g", "t", 0, 1), 0);
	become_among(1, 2);
	ask(&deletion.call, COORDINATOR_DELETE_GROUP, "g");
	ck_assert_int_eq(delete_group("g"), KAFKA_GROUP_ID_NOT_FOUND);
	ck_assert_int_ne(commit("g", "t", 0, 2), 0);
	ck_assert(!is_done(&deletion.call));
	become_among(2, 1);
	TURN_UNTIL(is_done(&deletion.call));
	ck_assert_int_eq(deletion.call.error, 0);
	ck_assert_int_eq(commit("g", "t", 0, 2), 0);
	ck_assert_int_eq(fetch("g", "t", 0), 2);
	coordinator_teardown();
}
END_TEST

START_TEST(deleted_offsets_take_a_group_that_has_nothing_else_with_them)
{
	int16_t error;

	coordinator_setup();
	await_serving();
	ck_assert_int_eq(delete_offset("g", "t", 0, &error), KAFKA_GROUP_ID_NOT_FOUND);
	ck_assert_int_eq(commit("g", "t", 0, 1), 0);
	ck_assert_int_eq(commit("g", "t", 1, 2), 0);
	ck_assert_int_eq(delete_offset("g", "t", 0, &error), 0);
	ck_assert_int_eq(error, 0);
	ck_assert_int_eq(fetch("g", "t", 0), -1);
	ck_assert_int_eq(fetch("g", "t", 1), 2);
	ck_assert_int_eq(delete_offset("g", "t", 7, &error), 0);
	ck_assert(slice_is_text(describe_state("g"), "Empty"));
	ck_assert_int_eq(delete_offset("g", "t", 1, &error), 0);
	ck_assert(slice_is_text(describe_state("g"), "Dead"));
	reload(1);
	ck_assert_int_eq(shard.group_counters.n_groups, 0);
	coordinator_teardown();
}
END_TEST

START_TEST(offsets_of_subscribed_topics_are_not_deleted)
{
	struct coordinator_join join;
	struct commit_call call;
	int16_t error;

	more_properties = "group.initial.rebalance.delay.ms=0\n";
	coordinator_setup();
	await_serving();
	make_stable("g", NULL, &join); /* reads t */
	commit_of(&call, "other", 0, 5, "");
	call.commit.generation = 1;
	call.commit.member_id = join.ret_member_id;
	ask_and_wait(&call.commit.call, COORDINATOR_COMMIT, "g");
	ck_assert_int_eq(delete_offset("g", "t", 0, &error), 0);
	ck_assert_int_eq(error, KAFKA_GROUP_SUBSCRIBED_TO_TOPIC);
	ck_assert_int_eq(delete_offset("g", "other", 0, &error), 0);
	ck_assert_int_eq(error, 0);
	ck_assert_int_eq(fetch("g", "other", 0), -1);
	coordinator_teardown();
	more_properties = "";
}
END_TEST

/* ---- what goes by itself ---- */

START_TEST(offsets_expire_and_their_group_with_them)
{
	struct commit_call call;

	more_properties = "offsets.retention.check.interval.ms=30\n";
	coordinator_setup();
	await_serving();
	commit_of(&call, "t", 0, 5, "");
	call.partition.commit_timestamp = 1;
	ask_and_wait(&call.commit.call, COORDINATOR_COMMIT, "old");
	ck_assert_int_eq(call.commit.call.error, 0);
	ck_assert_int_eq(commit("new", "t", 0, 6), 0);
	TURN_UNTIL(shard.group_counters.n_groups == 1);
	ck_assert_int_eq(fetch("old", "t", 0), -1);
	ck_assert_int_eq(fetch("new", "t", 0), 6);
	ck_assert_int_eq(shard.group_counters.n_expired, 1);
	reload(1);
	ck_assert_int_eq(fetch("old", "t", 0), -1);
	ck_assert_int_eq(fetch("new", "t", 0), 6);
	coordinator_teardown();
	more_properties = "";
}
END_TEST

/* The shard's view has these topics from now on. */
static void show_topics(const char *const *names, int n)
{
	static const int32_t replica = 1;
	struct view_partition led = {.leader = 1, .n_replicas = 1, .n_isr = 1, .replicas = &replica, .isr = &replica};
	struct view_topic_delta topics[4];
	struct view_delta delta = {.snapshot = true, .controller_epoch = 1, .number = shard.view->number + 1, .office_broker = 1};
	struct view *view;

	for (int i = 0; i < n; i++)
		topics[i] = (struct view_topic_delta){
			.name = slice_of_text(names[i]), .id = {{(uint8_t)names[i][0], 9}}, .n_partitions = 1, .partitions = &led};
	delta.topics = topics;
	delta.n_topics = n;
	ck_assert_int_eq(view_apply(shard.view, &delta, &view), 0);
	shard_set_view(&shard, view, broker_config_retain(shard.config));
	coordinator_on_view(shard.coordinator);
}

START_TEST(offsets_of_a_deleted_topic_go_and_later_ones_stay)
{
	static const char *const both[] = {"kept", "lost"};

	coordinator_setup();
	await_serving();
	show_topics(both, 2);
	ck_assert_int_eq(commit("g", "kept", 0, 1), 0);
	ck_assert_int_eq(commit("g", "lost", 0, 2), 0);
	ck_assert_int_eq(commit("h", "lost", 0, 3), 0);
	show_topics(both, 1);
	/* Made anew under its name, before the sweep has come to this group. */
	ck_assert_int_eq(commit("late", "lost", 0, 4), 0);
	TURN_UNTIL(shard.group_counters.n_groups == 2);
	ck_assert_int_eq(fetch("g", "kept", 0), 1);
	ck_assert_int_eq(fetch("g", "lost", 0), -1);
	ck_assert_int_eq(fetch("h", "lost", 0), -1);
	ck_assert_int_eq(fetch("late", "lost", 0), 4);
	reload(1);
	ck_assert_int_eq(fetch("g", "lost", 0), -1);
	ck_assert_int_eq(fetch("late", "lost", 0), 4);
	coordinator_teardown();
}
END_TEST

UNIT_MAIN("broker/coord/coordinator_offsets", a_commit_is_not_told_before_the_high_watermark_is_past_it,
	  a_commit_whose_time_was_up_holds_when_it_is_committed, errors_of_the_append_are_told_as_those_of_a_coordinator,
	  partitions_are_judged_one_by_one, commits_that_wait_for_replicas_are_bounded, a_retention_of_any_length_is_taken,
	  who_names_the_same_partition_again_and_again_gets_a_bounded_answer, commits_beyond_the_memory_of_a_worker_are_refused_and_others_go_on,
	  a_deleted_group_is_gone_for_the_next_coordinator_too, a_group_with_more_offsets_than_a_batch_holds_is_deleted,
	  a_deletion_that_fails_leaves_the_group, while_a_deletion_is_under_way_nobody_joins_or_commits,
	  deleted_offsets_take_a_group_that_has_nothing_else_with_them, offsets_of_subscribed_topics_are_not_deleted,
	  offsets_expire_and_their_group_with_them, offsets_of_a_deleted_topic_go_and_later_ones_stay)
