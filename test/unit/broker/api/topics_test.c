/*
 * CreateTopics, DeleteTopics, CreatePartitions and the creation of topics by Metadata, with broker/meta/admin behind them, against a
 * real ZooKeeper. The test is the controller: it reads what is written and shows it in a view.
 */
#include "broker/api/api.h"
#include "common/clock.h"
#include "proto/kafka/create_partitions.gen.h"
#include "proto/kafka/create_topics.gen.h"
#include "proto/kafka/delete_topics.gen.h"
#include "proto/kafka/metadata.gen.h"
#include "proto/kafka_error.h"
#include "test/lib/api_fixture.h"
#include "test/lib/unit.h"
#include "test/lib/zk_server.h"
#include "test/lib/zk_test_loop.h"
#include "zk/json_topic.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

static void begin(struct api_fixture *fixture, const char *chroot)
{
	api_fixture_init(fixture, NULL);
	api_fixture_zookeeper(fixture, zk_test_connect(chroot));
}

/* ---- the test as the controller ---- */

static const struct topic_znode *read_topic(struct api_fixture *fixture, struct arena *arena, const char *name)
{
	struct topic_znode *topic = arena_zalloc(arena, 1, sizeof *topic);
	char path[300];
	const char *json;

	snprintf(path, sizeof path, "/brokers/topics/%s", name);
	json = api_fixture_znode(fixture, path, NULL);
	if (!json)
		return NULL;
	ck_assert_int_eq(topic_znode_decode(arena, path, slice_of_text(arena_printf(arena, "%s", json)), topic, NULL), 0);
	return topic;
}

/* Shows a topic as its node has it, led by broker 1. */
static void show(struct api_fixture *fixture, const char *name)
{
	struct arena arena;
	const struct topic_znode *topic;
	char path[300];

	arena_init(&arena);
	snprintf(path, sizeof path, "/brokers/topics/%s", name);
	api_fixture_wait_znode(fixture, path);
	topic = read_topic(fixture, &arena, name);
	api_fixture_topic_with(fixture, name, &topic->topic_id, topic->n_partitions, 1, NULL, 0, 0);
	arena_fini(&arena);
}

static void some_turns(struct api_fixture *fixture)
{
	for (int i = 0; i < 20; i++)
		api_fixture_turn(fixture);
}

/* ---- requests ---- */

static struct create_topics_request_topic wish(const char *name, int32_t n_partitions, int16_t replication_factor)
{
	return (struct create_topics_request_topic){
		.name = slice_of_text(name), .num_partitions = n_partitions, .replication_factor = replication_factor};
}

static struct api_answer *create(struct api_fixture *fixture, int version, struct create_topics_request_topic *topics, int n,
				 int32_t timeout_ms, bool validate_only)
{
	struct create_topics_request request = {
		.topics = topics, .n_topics = n, .timeout_ms = timeout_ms, .validate_only = validate_only};

	return api_fixture_send(fixture, API_CREATE_TOPICS, version, create_topics_handle, &request);
}

static const struct create_topics_response_topic *created(struct api_fixture *fixture, struct api_answer *answer)
{
	api_fixture_wait(fixture, answer);
	return ((const struct create_topics_response *)answer->body)->topics;
}

static struct api_answer *delete(struct api_fixture *fixture, const char *name, const struct uuid *id, int32_t timeout_ms)
{
	struct delete_topics_request_topic topic = {.name = slice_of_text(name), .topic_id = id ? *id : UUID_ZERO};
	struct delete_topics_request request = {.topics = &topic, .n_topics = 1, .timeout_ms = timeout_ms};

	return api_fixture_send(fixture, API_DELETE_TOPICS, 6, delete_topics_handle, &request);
}

static const struct delete_topics_response_topic *deleted(struct api_fixture *fixture, struct api_answer *answer)
{
	api_fixture_wait(fixture, answer);
	return ((const struct delete_topics_response *)answer->body)->responses;
}

static struct api_answer *grow(struct api_fixture *fixture, const char *name, int32_t n, bool validate_only)
{
	struct create_partitions_request_topic topic = {.name = slice_of_text(name), .count = n, .n_assignments = -1};
	struct create_partitions_request request = {
		.topics = &topic, .n_topics = 1, .timeout_ms = 10000, .validate_only = validate_only};

	return api_fixture_send(fixture, API_CREATE_PARTITIONS, 3, create_partitions_handle, &request);
}

static const struct create_partitions_response_result *grown(struct api_fixture *fixture, struct api_answer *answer)
{
	api_fixture_wait(fixture, answer);
	return ((const struct create_partitions_response *)answer->body)->results;
}

/* ---- creating ---- */

START_TEST(a_topic_is_written_and_answered_when_it_is_led)
{
	struct api_fixture fixture;
	struct create_topics_request_config config = {SLICE_LITERAL("retention.ms"), SLICE_LITERAL("1000")};
	struct create_topics_request_topic topic = wish("t", 3, 1);
	const struct create_topics_response_topic *row;
	const struct topic_znode *node;
	struct api_answer *answer;
	struct arena arena;
	int32_t version;

	arena_init(&arena);
	begin(&fixture, "create");
	topic.configs = &config;
	topic.n_configs = 1;
	answer = create(&fixture, 7, &topic, 1, 10000, false);
	api_fixture_wait_znode(&fixture, "/brokers/topics/t");
	ck_assert_str_eq(api_fixture_znode(&fixture, "/config/topics/t", &version),
			 "{\"version\":1,\"config\":{\"retention.ms\":\"1000\"}}");
	ck_assert_int_eq(version, 0);
	api_fixture_znode(&fixture, "/brokers/topics/t", &version);
	ck_assert_int_eq(version, 0);
	node = read_topic(&fixture, &arena, "t");
	ck_assert_int_eq(node->n_partitions, 3);
	ck_assert_int_eq(node->partitions[2].n_replicas, 1);
	ck_assert_int_eq(node->partitions[2].replicas[0], 1);
	/* A view without a leader is not enough. */
	api_fixture_topic_with(&fixture, "t", &node->topic_id, 3, VIEW_NO_LEADER, NULL, 0, 0);
	some_turns(&fixture);
	ck_assert(!answer->done);
	api_fixture_topic_with(&fixture, "t", &node->topic_id, 3, 1, NULL, 0, 0);
	row = created(&fixture, answer);
	ck_assert_int_eq(row->error_code, 0);
	ck_assert(slice_is_null(row->error_message));
	ck_assert(uuid_equal(&row->topic_id, &node->topic_id));
	ck_assert_int_eq(row->num_partitions, 3);
	ck_assert_int_eq(row->replication_factor, 1);
	ck_assert_int_ge(row->n_configs, 36);
	for (int32_t i = 0; i < row->n_configs; i++)
		if (slice_is_text(row->configs[i].name, "retention.ms")) {
			ck_assert(slice_is_text(row->configs[i].value, "1000"));
			ck_assert_int_eq(row->configs[i].config_source, 1);
		}
	api_fixture_fini(&fixture);
	arena_fini(&arena);
}
END_TEST

START_TEST(every_version_creates)
{
	struct api_fixture fixture;

	begin(&fixture, "versions");
	for (int version = 0; version <= 7; version++) {
		struct create_topics_request_topic topic;
		struct api_answer *answer;
		char name[24];

		snprintf(name, sizeof name, "v%d", version);
		topic = wish(name, 1, 1);
		answer = create(&fixture, version, &topic, 1, 10000, false);
		show(&fixture, name);
		ck_assert_int_eq(created(&fixture, answer)->error_code, 0);
		ck_assert_int_eq(created(&fixture, answer)->num_partitions, version >= 5 ? 1 : -1);
	}
	api_fixture_fini(&fixture);
}
END_TEST

START_TEST(answers_stand_in_the_order_of_the_request)
{
	struct api_fixture fixture;
	struct create_topics_request_topic topics[] = {wish("x", 1, 1), wish("bad/name", 1, 1), wish("old", 1, 1),
						       wish("y", 0, 1), wish("z", 1, 3),	wish("twice", 1, 1),
						       wish("twice", 1, 1)};
	const struct create_topics_response_topic *rows;
	struct api_answer *answer;

	begin(&fixture, "order");
	api_fixture_topic(&fixture, "old", 1, 1);
	answer = create(&fixture, 5, topics, 7, 10000, false);
	show(&fixture, "x");
	rows = created(&fixture, answer);
	ck_assert_int_eq(rows[0].error_code, 0);
	ck_assert_int_eq(rows[1].error_code, KAFKA_INVALID_TOPIC_EXCEPTION);
	ck_assert_int_eq(rows[2].error_code, KAFKA_TOPIC_ALREADY_EXISTS);
	ck_assert(slice_is_text(rows[2].error_message, "Topic 'old' already exists."));
	ck_assert_int_eq(rows[2].n_configs, 0);
	ck_assert_int_eq(rows[2].num_partitions, -1);
	ck_assert_int_eq(rows[3].error_code, KAFKA_INVALID_PARTITIONS);
	ck_assert_int_eq(rows[4].error_code, KAFKA_INVALID_REPLICATION_FACTOR);
	ck_assert_int_eq(rows[5].error_code, KAFKA_INVALID_REQUEST);
	ck_assert_int_eq(rows[6].error_code, KAFKA_INVALID_REQUEST);
	api_fixture_fini(&fixture);
}
END_TEST

START_TEST(a_topic_that_only_zookeeper_knows_exists)
{
	struct api_fixture fixture;
	struct create_topics_request_topic topic = wish("t", 1, 1);
	const struct create_topics_response_topic *row;

	begin(&fixture, "exists");
	api_fixture_put(&fixture, "/brokers/topics/t", "{}");
	row = created(&fixture, create(&fixture, 7, &topic, 1, 10000, false));
	ck_assert_int_eq(row->error_code, KAFKA_TOPIC_ALREADY_EXISTS);
	ck_assert(slice_is_text(row->error_message, "Topic 't' already exists."));
	/* The configuration of what exists is not touched. */
	ck_assert_ptr_null(api_fixture_znode(&fixture, "/config/topics/t", NULL));
	api_fixture_fini(&fixture);
}
END_TEST

START_TEST(a_configuration_left_behind_is_written_over)
{
	struct api_fixture fixture;
	struct create_topics_request_topic topic = wish("t", 1, 1);
	struct api_answer *answer;
	int32_t version;

	begin(&fixture, "left");
	api_fixture_put(&fixture, "/config/topics/t", "{\"version\":1,\"config\":{\"retention.ms\":\"5\"}}");
	answer = create(&fixture, 7, &topic, 1, 10000, false);
	show(&fixture, "t");
	ck_assert_int_eq(created(&fixture, answer)->error_code, 0);
	ck_assert_str_eq(api_fixture_znode(&fixture, "/config/topics/t", &version), "{\"version\":1,\"config\":{}}");
	ck_assert_int_eq(version, 1);
	ck_assert_ptr_null(api_fixture_znode(&fixture, "/admin/delete_topics/t", NULL));
	api_fixture_fini(&fixture);
}
END_TEST

START_TEST(a_topic_whose_deletion_is_not_over_exists)
{
	struct api_fixture fixture;
	struct create_topics_request_topic topic = wish("t", 1, 1);

	begin(&fixture, "deleting");
	api_fixture_put(&fixture, "/config/topics/t", "{\"version\":1,\"config\":{}}");
	api_fixture_put(&fixture, "/admin/delete_topics/t", NULL);
	ck_assert_int_eq(created(&fixture, create(&fixture, 7, &topic, 1, 10000, false))->error_code, KAFKA_TOPIC_ALREADY_EXISTS);
	ck_assert_ptr_null(api_fixture_znode(&fixture, "/brokers/topics/t", NULL));
	api_fixture_fini(&fixture);
}
END_TEST

START_TEST(what_is_written_but_not_led_times_out_with_its_id)
{
	struct api_fixture fixture;
	struct create_topics_request_topic topic = wish("t", 1, 1);
	const struct create_topics_response_topic *row;

	begin(&fixture, "late");
	for (int32_t timeout_ms = 0; timeout_ms <= 100; timeout_ms += 100) {
		topic.name = slice_of_text(timeout_ms ? "u" : "t");
		row = created(&fixture, create(&fixture, 7, &topic, 1, timeout_ms, false));
		ck_assert_int_eq(row->error_code, KAFKA_REQUEST_TIMED_OUT);
		ck_assert(slice_is_null(row->error_message));
		ck_assert(!uuid_is_zero(&row->topic_id));
		ck_assert_int_eq(row->num_partitions, -1);
		ck_assert_ptr_nonnull(api_fixture_znode(&fixture, timeout_ms ? "/brokers/topics/u" : "/brokers/topics/t", NULL));
	}
	api_fixture_fini(&fixture);
}
END_TEST

START_TEST(a_mere_check_writes_nothing)
{
	struct api_fixture fixture;
	struct create_topics_request_topic topic = wish("t", -1, -1);
	const struct create_topics_response_topic *row;

	begin(&fixture, "validate");
	row = created(&fixture, create(&fixture, 7, &topic, 1, 10000, true));
	ck_assert_int_eq(row->error_code, 0);
	ck_assert(uuid_is_zero(&row->topic_id));
	ck_assert_int_eq(row->num_partitions, 1);
	ck_assert_int_ge(row->n_configs, 36);
	ck_assert_ptr_null(api_fixture_znode(&fixture, "/brokers/topics/t", NULL));
	api_fixture_fini(&fixture);
}
END_TEST

START_TEST(a_thousand_topics_are_created_at_once)
{
	enum { N = 1000 };
	struct api_fixture fixture;
	static struct create_topics_request_topic topics[N];
	static struct view_topic_delta deltas[N];
	static char names[N][16];
	struct view_delta delta = {.topics = deltas, .n_topics = N};
	int32_t leader = 1;
	struct view_partition partition = {.leader = 1, .n_replicas = 1, .n_isr = 1, .replicas = &leader, .isr = &leader};
	struct api_answer *answer;
	struct arena arena;
	int64_t begin_ms;

	arena_init(&arena);
	begin(&fixture, "thousand");
	for (int i = 0; i < N; i++) {
		snprintf(names[i], sizeof names[i], "t%d", i);
		topics[i] = wish(names[i], 1, 1);
	}
	begin_ms = clock_ms();
	answer = create(&fixture, 4, topics, N, 20000, false);
	api_fixture_wait_znode(&fixture, "/brokers/topics/t999");
	printf("%d topics written in %lld ms\n", N, (long long)(clock_ms() - begin_ms));
	for (int i = 0; i < N; i++)
		deltas[i] = (struct view_topic_delta){.name = slice_of_text(names[i]),
						      .id = read_topic(&fixture, &arena, names[i])->topic_id,
						      .n_partitions = 1,
						      .partitions = &partition};
	api_fixture_apply(&fixture, &delta);
	api_fixture_wait(&fixture, answer);
	for (int i = 0; i < N; i++)
		ck_assert_int_eq(created(&fixture, answer)[i].error_code, 0);
	api_fixture_fini(&fixture);
	arena_fini(&arena);
}
END_TEST

/* ---- Metadata ---- */

START_TEST(a_topic_that_is_asked_for_is_made_once)
{
	struct api_fixture fixture;
	struct metadata_request_topic topic = {.name = SLICE_LITERAL("new")};
	struct metadata_request request = metadata_request_default;
	struct api_answer *answers[3];
	const struct metadata_response_topic *row;
	int32_t version;

	begin(&fixture, "auto");
	request.topics = &topic;
	request.n_topics = 1;
	for (int i = 0; i < 3; i++)
		answers[i] = api_fixture_send(&fixture, API_METADATA, 12, metadata_handle, &request);
	for (int i = 0; i < 3; i++) {
		api_fixture_wait(&fixture, answers[i]);
		row = ((const struct metadata_response *)answers[i]->body)->topics;
		ck_assert_int_eq(row->error_code, KAFKA_LEADER_NOT_AVAILABLE);
		ck_assert(slice_is_text(row->name, "new"));
		ck_assert_int_eq(row->n_partitions, 0);
	}
	ck_assert_ptr_nonnull(api_fixture_znode(&fixture, "/brokers/topics/new", &version));
	ck_assert_int_eq(version, 0);
	show(&fixture, "new");
	row = ((const struct metadata_response *)api_fixture_call(&fixture, API_METADATA, 12, metadata_handle, &request)->body)->topics;
	ck_assert_int_eq(row->error_code, 0);
	ck_assert_int_eq(row->n_partitions, 1);
	api_fixture_fini(&fixture);
}
END_TEST

/* Node for node what Kafka writes (the sample cluster's nodes). */
START_TEST(internal_topics_are_made_with_their_own_settings)
{
	struct api_fixture fixture;
	struct metadata_request_topic topics[] = {{.name = SLICE_LITERAL("__consumer_offsets")},
						  {.name = SLICE_LITERAL("__transaction_state")}};
	struct metadata_request request = metadata_request_default;
	struct arena arena;

	arena_init(&arena);
	api_fixture_init(&fixture, "offsets.topic.replication.factor=1\noffsets.topic.num.partitions=7\n"
				   "transaction.state.log.replication.factor=1\ntransaction.state.log.num.partitions=9\n");
	api_fixture_zookeeper(&fixture, zk_test_connect("offsets"));
	request.topics = topics;
	request.n_topics = 2;
	api_fixture_call(&fixture, API_METADATA, 12, metadata_handle, &request);
	ck_assert_int_eq(read_topic(&fixture, &arena, "__consumer_offsets")->n_partitions, 7);
	ck_assert_str_eq(api_fixture_znode(&fixture, "/config/topics/__consumer_offsets", NULL),
			 "{\"version\":1,\"config\":{\"compression.type\":\"producer\",\"cleanup.policy\":\"compact\","
			 "\"segment.bytes\":\"104857600\"}}");
	ck_assert_int_eq(read_topic(&fixture, &arena, "__transaction_state")->n_partitions, 9);
	ck_assert_str_eq(api_fixture_znode(&fixture, "/config/topics/__transaction_state", NULL),
			 "{\"version\":1,\"config\":{\"compression.type\":\"uncompressed\",\"cleanup.policy\":\"compact\","
			 "\"min.insync.replicas\":\"2\",\"segment.bytes\":\"104857600\",\"unclean.leader.election.enable\":\"false\"}}");
	api_fixture_fini(&fixture);
	arena_fini(&arena);
}
END_TEST

START_TEST(what_cannot_be_made_says_why)
{
	struct api_fixture fixture;
	struct metadata_request_topic topic = {.name = SLICE_LITERAL("new")};
	struct metadata_request request = metadata_request_default;
	const struct metadata_response *response;

	api_fixture_init(&fixture, "default.replication.factor=3\n");
	request.topics = &topic;
	request.n_topics = 1;
	response = api_fixture_call(&fixture, API_METADATA, 12, metadata_handle, &request)->body;
	ck_assert_int_eq(response->topics[0].error_code, KAFKA_INVALID_REPLICATION_FACTOR);
	api_fixture_fini(&fixture);
}
END_TEST

/* ---- deleting ---- */

static void make(struct api_fixture *fixture, const char *name, int32_t n_partitions)
{
	struct create_topics_request_topic topic = wish(name, n_partitions, 1);
	struct api_answer *answer = create(fixture, 7, &topic, 1, 10000, false);

	show(fixture, name);
	ck_assert_int_eq(created(fixture, answer)->error_code, 0);
}

START_TEST(a_deletion_is_requested_and_answered_when_the_topic_is_gone)
{
	struct api_fixture fixture;
	struct api_answer *answer, *again;
	struct uuid id;

	begin(&fixture, "delete");
	make(&fixture, "t", 1);
	id = view_topic(fixture.view, SLICE_LITERAL("t"))->id;
	answer = delete(&fixture, "t", NULL, 10000);
	api_fixture_wait_znode(&fixture, "/admin/delete_topics/t");
	again = delete(&fixture, NULL, &id, 10000);
	some_turns(&fixture);
	ck_assert(!answer->done && !again->done);
	api_fixture_remove_topic(&fixture, "t");
	ck_assert_int_eq(deleted(&fixture, answer)->error_code, 0);
	ck_assert(slice_is_text(deleted(&fixture, answer)->name, "t"));
	ck_assert(uuid_is_zero(&deleted(&fixture, answer)->topic_id));
	ck_assert_int_eq(deleted(&fixture, again)->error_code, 0);
	ck_assert(slice_is_text(deleted(&fixture, again)->name, "t"));
	ck_assert(uuid_equal(&deleted(&fixture, again)->topic_id, &id));
	api_fixture_fini(&fixture);
}
END_TEST

START_TEST(unknown_topics_cannot_be_deleted)
{
	struct api_fixture fixture;
	struct uuid id = uuid_random();

	begin(&fixture, "delete-unknown");
	ck_assert_int_eq(deleted(&fixture, delete(&fixture, "none", NULL, 1000))->error_code, KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
	ck_assert_int_eq(deleted(&fixture, delete(&fixture, NULL, &id, 1000))->error_code, KAFKA_UNKNOWN_TOPIC_ID);
	ck_assert_int_eq(deleted(&fixture, delete(&fixture, NULL, NULL, 1000))->error_code, KAFKA_TOPIC_AUTHORIZATION_FAILED);
	/* A name and an id. */
	ck_assert_int_eq(deleted(&fixture, delete(&fixture, "none", &id, 1000))->error_code, KAFKA_INVALID_REQUEST);
	api_fixture_fini(&fixture);
}
END_TEST

START_TEST(a_topic_made_anew_is_not_deleted_for_the_old_one)
{
	struct api_fixture fixture;
	struct uuid id;

	begin(&fixture, "delete-anew");
	make(&fixture, "t", 1);
	/* The view still shows an older topic of this name. */
	id = uuid_random();
	api_fixture_topic_with(&fixture, "t", &id, 1, 1, NULL, 0, 0);
	ck_assert_int_eq(deleted(&fixture, delete(&fixture, "t", NULL, 200))->error_code, KAFKA_REQUEST_TIMED_OUT);
	ck_assert_ptr_null(api_fixture_znode(&fixture, "/admin/delete_topics/t", NULL));
	api_fixture_fini(&fixture);
}
END_TEST

START_TEST(deletion_can_be_disabled)
{
	struct api_fixture fixture;
	struct slice name = SLICE_LITERAL("t");
	struct delete_topics_request request = {.topic_names = &name, .n_topic_names = 1, .timeout_ms = 1000};
	const struct delete_topics_response *response;

	api_fixture_init(&fixture, "delete.topic.enable=false\n");
	api_fixture_topic(&fixture, "t", 1, 1);
	ck_assert_int_eq(deleted(&fixture, delete(&fixture, "t", NULL, 1000))->error_code, KAFKA_TOPIC_DELETION_DISABLED);
	response = api_fixture_call(&fixture, API_DELETE_TOPICS, 2, delete_topics_handle, &request)->body;
	ck_assert_int_eq(response->responses[0].error_code, KAFKA_INVALID_REQUEST);
	api_fixture_fini(&fixture);
}
END_TEST

/* ---- partitions ---- */

START_TEST(partitions_are_added_and_the_topic_keeps_its_id)
{
	struct api_fixture fixture;
	struct api_answer *answer;
	const struct topic_znode *node;
	struct arena arena;
	struct uuid id;
	int32_t version;

	arena_init(&arena);
	begin(&fixture, "grow");
	make(&fixture, "t", 2);
	id = view_topic(fixture.view, SLICE_LITERAL("t"))->id;
	ck_assert_int_eq(grown(&fixture, grow(&fixture, "t", 5, true))->error_code, 0);
	answer = grow(&fixture, "t", 5, false);
	do
		api_fixture_znode(&fixture, "/brokers/topics/t", &version);
	while (version == 0);
	ck_assert(!answer->done);
	node = read_topic(&fixture, &arena, "t");
	ck_assert_int_eq(node->n_partitions, 5);
	ck_assert(uuid_equal(&node->topic_id, &id));
	show(&fixture, "t");
	ck_assert_int_eq(grown(&fixture, answer)->error_code, 0);
	ck_assert(slice_is_text(grown(&fixture, answer)->name, "t"));
	ck_assert_int_eq(version, 1);
	api_fixture_fini(&fixture);
	arena_fini(&arena);
}
END_TEST

START_TEST(partitions_are_not_added_to_what_has_changed)
{
	struct api_fixture fixture;
	struct uuid id;

	begin(&fixture, "grow-changed");
	make(&fixture, "t", 2);
	id = view_topic(fixture.view, SLICE_LITERAL("t"))->id;
	ck_assert_int_eq(grown(&fixture, grow(&fixture, "none", 5, false))->error_code, KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
	ck_assert_int_eq(grown(&fixture, grow(&fixture, "t", 2, false))->error_code, KAFKA_INVALID_PARTITIONS);
	/* The view is behind: somebody has added one already. */
	api_fixture_remove_topic(&fixture, "t");
	api_fixture_topic_with(&fixture, "t", &id, 1, 1, NULL, 0, 0);
	ck_assert_int_eq(grown(&fixture, grow(&fixture, "t", 5, false))->error_code, KAFKA_INVALID_PARTITIONS);
	/* Another topic of this name. */
	api_fixture_remove_topic(&fixture, "t");
	api_fixture_topic(&fixture, "t", 2, 1);
	ck_assert_int_eq(grown(&fixture, grow(&fixture, "t", 5, false))->error_code, KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
	api_fixture_fini(&fixture);
}
END_TEST

/* ---- ZooKeeper away ---- */

START_TEST(while_zookeeper_is_away_requests_end_in_time_and_leave_nothing_behind)
{
	struct api_fixture fixture;
	struct create_topics_request_topic topic = wish("late", 1, 1);
	struct zk_server server;
	char connect[160];

	ck_assert(zk_server_start(&server, 1));
	snprintf(connect, sizeof connect, "%s/away", server.connect);
	api_fixture_init(&fixture, NULL);
	api_fixture_zookeeper(&fixture, connect);
	zk_server_kill(&server, 0);
	while (zk_session_state(fixture.session) == ZK_CONNECTED)
		api_fixture_turn(&fixture);
	ck_assert_int_eq(created(&fixture, create(&fixture, 7, &topic, 1, 500, false))->error_code, KAFKA_REQUEST_TIMED_OUT);
	/* This one waits until ZooKeeper is back. */
	topic.name = SLICE_LITERAL("patient");
	create(&fixture, 7, &topic, 1, 15000, false);
	ck_assert(zk_server_restart(&server, 0, true));
	show(&fixture, "patient");
	ck_assert_int_eq(created(&fixture, fixture.answers)->error_code, 0);
	ck_assert_ptr_null(api_fixture_znode(&fixture, "/brokers/topics/late", NULL));
	api_fixture_fini(&fixture);
	zk_server_stop(&server);
}
END_TEST

START_TEST(an_answer_lost_on_the_way_is_read_back)
{
	struct api_fixture fixture;
	struct create_topics_request_topic topics[20];
	static char names[20][24];
	struct zk_server server;
	struct api_answer *answer;
	char connect[160];

	ck_assert(zk_server_start(&server, 1));
	snprintf(connect, sizeof connect, "%s/lost", server.connect);
	api_fixture_init(&fixture, NULL);
	api_fixture_zookeeper(&fixture, connect);
	for (int i = 0; i < 20; i++) {
		snprintf(names[i], sizeof names[i], "t%d", i);
		topics[i] = wish(names[i], 1, 1);
	}
	/* The requests are sent and the server dies before it answers, or right after. */
	zk_server_pause(&server, 0);
	answer = create(&fixture, 7, topics, 20, 15000, false);
	some_turns(&fixture);
	zk_server_resume(&server, 0);
	zk_server_kill(&server, 0);
	while (zk_session_state(fixture.session) == ZK_CONNECTED)
		api_fixture_turn(&fixture);
	ck_assert(zk_server_restart(&server, 0, true));
	for (int i = 0; i < 20; i++)
		show(&fixture, names[i]);
	for (int i = 0; i < 20; i++)
		ck_assert_int_eq(created(&fixture, answer)[i].error_code, 0);
	api_fixture_fini(&fixture);
	zk_server_stop(&server);
}
END_TEST

/* Creations, growths and deletions while the connection is cut again and again: what is answered is what has been done. */
START_TEST(cut_connections_lose_and_double_nothing)
{
	enum { N = 60 };
	struct api_fixture fixture;
	struct create_topics_request_topic topics[N];
	static char names[N][24];
	struct api_answer *creation, *growths[N], *deletions[N];
	const struct topic_znode *node;
	struct arena arena;
	char path[2048];
	int32_t version;

	arena_init(&arena);
	srand(7);
	begin(&fixture, "cuts");
	for (int i = 0; i < N; i++) {
		snprintf(names[i], sizeof names[i], "t%d", i);
		topics[i] = wish(names[i], 1, 1);
	}
	creation = create(&fixture, 7, topics, N, 60000, false);
	for (int i = 0; i < N; i++) {
		if (rand() % 8 == 0)
			shutdown(fixture.glue.fd.fd, SHUT_RDWR);
		show(&fixture, names[i]);
	}
	for (int i = 0; i < N; i++) {
		ck_assert_int_eq(created(&fixture, creation)[i].error_code, 0);
		ck_assert(uuid_equal(&created(&fixture, creation)[i].topic_id, &view_topic(fixture.view, slice_of_text(names[i]))->id));
		growths[i] = grow(&fixture, names[i], 3, false);
		if (rand() % 4 == 0)
			shutdown(fixture.glue.fd.fd, SHUT_RDWR);
		api_fixture_turn(&fixture);
	}
	for (int i = 0; i < N; i++) {
		snprintf(path, sizeof path, "/brokers/topics/%s", names[i]);
		do
			api_fixture_znode(&fixture, path, &version);
		while (version == 0);
		show(&fixture, names[i]);
		ck_assert_int_eq(grown(&fixture, growths[i])->error_code, 0);
		node = read_topic(&fixture, &arena, names[i]);
		ck_assert_int_eq(node->n_partitions, 3);
		deletions[i] = delete(&fixture, names[i], NULL, 60000);
		if (rand() % 4 == 0)
			shutdown(fixture.glue.fd.fd, SHUT_RDWR);
		api_fixture_turn(&fixture);
	}
	for (int i = 0; i < N; i++) {
		snprintf(path, sizeof path, "/admin/delete_topics/%s", names[i]);
		api_fixture_wait_znode(&fixture, path);
		api_fixture_remove_topic(&fixture, names[i]);
		ck_assert_int_eq(deleted(&fixture, deletions[i])->error_code, 0);
	}
	api_fixture_fini(&fixture);
	arena_fini(&arena);
}
END_TEST

START_TEST(a_broker_that_stops_ends_what_waits)
{
	struct api_fixture fixture;
	struct create_topics_request_topic topic = wish("t", 1, 1);
	struct api_answer *waiting, *late;

	begin(&fixture, "stop");
	waiting = create(&fixture, 7, &topic, 1, 60000, false);
	api_fixture_wait_znode(&fixture, "/brokers/topics/t");
	admin_stop(fixture.admin);
	ck_assert_int_eq(created(&fixture, waiting)->error_code, KAFKA_REQUEST_TIMED_OUT);
	topic.name = SLICE_LITERAL("u");
	late = create(&fixture, 7, &topic, 1, 60000, false);
	ck_assert_int_eq(created(&fixture, late)->error_code, KAFKA_REQUEST_TIMED_OUT);
	api_fixture_fini(&fixture);
}
END_TEST

ZK_TEST_MAIN("broker/api/topics", a_topic_is_written_and_answered_when_it_is_led, every_version_creates,
	     answers_stand_in_the_order_of_the_request, a_topic_that_only_zookeeper_knows_exists,
	     a_configuration_left_behind_is_written_over, a_topic_whose_deletion_is_not_over_exists,
	     what_is_written_but_not_led_times_out_with_its_id, a_mere_check_writes_nothing, a_thousand_topics_are_created_at_once,
	     a_topic_that_is_asked_for_is_made_once, internal_topics_are_made_with_their_own_settings, what_cannot_be_made_says_why,
	     a_deletion_is_requested_and_answered_when_the_topic_is_gone, unknown_topics_cannot_be_deleted,
	     a_topic_made_anew_is_not_deleted_for_the_old_one, deletion_can_be_disabled,
	     partitions_are_added_and_the_topic_keeps_its_id, partitions_are_not_added_to_what_has_changed,
	     while_zookeeper_is_away_requests_end_in_time_and_leave_nothing_behind, an_answer_lost_on_the_way_is_read_back,
	     cut_connections_lose_and_double_nothing, a_broker_that_stops_ends_what_waits)
