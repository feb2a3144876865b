/* broker/api/metadata and describe_cluster, on views made by hand. */
#include "broker/api/api.h"
#include "broker/api/operations.h"
#include "common/clock.h"
#include "proto/kafka/describe_cluster.gen.h"
#include "proto/kafka/metadata.gen.h"
#include "proto/kafka_error.h"
#include "test/lib/api_fixture.h"
#include "test/lib/unit.h"

#include <stdio.h>
#include <stdlib.h>

#define NO_CREATION "auto.create.topics.enable=false\n"
#define NOT_ASKED INT32_MIN

static const struct metadata_response *ask(struct api_fixture *fixture, int version, struct metadata_request_topic *topics, int n)
{
	struct metadata_request request = metadata_request_default;

	request.topics = topics;
	request.n_topics = n;
	return api_fixture_call(fixture, API_METADATA, version, metadata_handle, &request)->body;
}

static struct metadata_request_topic named(const char *name)
{
	return (struct metadata_request_topic){.name = slice_of_text(name)};
}

static struct metadata_request_topic with_id(const struct uuid *id)
{
	return (struct metadata_request_topic){.topic_id = *id, .name = SLICE_NULL};
}

static bool is_text(struct slice slice, const char *text)
{
	return slice_is_text(slice, text);
}

START_TEST(brokers_and_topics_are_told_in_every_version)
{
	struct api_fixture fixture;

	api_fixture_init(&fixture, NO_CREATION);
	api_fixture_broker(&fixture, 2);
	api_fixture_topic(&fixture, "a", 2, 1);
	api_fixture_topic(&fixture, "b", 1, 2);
	for (int version = 0; version <= 12; version++) {
		const struct metadata_response *response = ask(&fixture, version, NULL, version == 0 ? 0 : -1);

		ck_assert_int_eq(response->n_brokers, 2);
		ck_assert(is_text(response->brokers[1].host, "host2"));
		ck_assert_int_eq(response->brokers[1].port, 9092);
		ck_assert(slice_is_null(response->brokers[1].rack));
		ck_assert_int_eq(response->controller_id, version >= 1 ? 1 : -1);
		ck_assert(version < 2 || is_text(response->cluster_id, "AAAAAAAAAAAAAAAAAAAAAA"));
		ck_assert_int_eq(response->n_topics, 2);
		ck_assert(is_text(response->topics[0].name, "a"));
		ck_assert_int_eq(response->topics[0].error_code, 0);
		ck_assert_int_eq(uuid_is_zero(&response->topics[0].topic_id), version < 10);
		ck_assert_int_eq(response->topics[0].topic_authorized_operations, NOT_ASKED);
		ck_assert_int_eq(response->cluster_authorized_operations, NOT_ASKED);
		ck_assert_int_eq(response->topics[0].n_partitions, 2);
		ck_assert_int_eq(response->topics[0].partitions[1].partition_index, 1);
		ck_assert_int_eq(response->topics[1].partitions[0].leader_id, 2);
		ck_assert_int_eq(response->topics[1].partitions[0].error_code, 0);
		ck_assert_int_eq(response->topics[1].partitions[0].leader_epoch, version >= 7 ? 0 : -1);
		ck_assert_int_eq(response->topics[1].partitions[0].n_replica_nodes, 1);
		ck_assert_int_eq(response->topics[1].partitions[0].replica_nodes[0], 2);
		ck_assert_int_eq(response->topics[1].partitions[0].n_offline_replicas, 0);
	}
	api_fixture_fini(&fixture);
}
END_TEST

START_TEST(an_empty_list_asks_for_no_topic)
{
	struct api_fixture fixture;

	api_fixture_init(&fixture, NO_CREATION);
	api_fixture_topic(&fixture, "a", 1, 1);
	ck_assert_int_eq(ask(&fixture, 1, NULL, 0)->n_topics, 0);
	ck_assert_int_eq(ask(&fixture, 12, NULL, 0)->n_topics, 0);
	api_fixture_fini(&fixture);
}
END_TEST

START_TEST(known_topics_come_first_and_each_name_once)
{
	struct api_fixture fixture;
	struct metadata_request_topic topics[] = {named("none"), named("b"), named("a"), named("b"), named("no/name"), named("none")};
	const struct metadata_response *response;

	api_fixture_init(&fixture, NO_CREATION);
	api_fixture_topic(&fixture, "a", 1, 1);
	api_fixture_topic(&fixture, "b", 1, 1);
	response = ask(&fixture, 9, topics, 6);
	ck_assert_int_eq(response->n_topics, 4);
	ck_assert(is_text(response->topics[0].name, "b"));
	ck_assert(is_text(response->topics[1].name, "a"));
	ck_assert(is_text(response->topics[2].name, "none"));
	ck_assert_int_eq(response->topics[2].error_code, KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
	ck_assert_int_eq(response->topics[2].n_partitions, 0);
	ck_assert_int_eq(response->topics[3].error_code, KAFKA_INVALID_TOPIC_EXCEPTION);
	api_fixture_fini(&fixture);
}
END_TEST

START_TEST(a_dead_leader_is_not_available)
{
	struct api_fixture fixture;
	struct metadata_request_topic topics[] = {named("a")};

	api_fixture_init(&fixture, NO_CREATION);
	api_fixture_topic(&fixture, "a", 1, 7);
	for (int version = 0; version <= 12; version++) {
		const struct metadata_response_partition *row = ask(&fixture, version, topics, 1)->topics[0].partitions;

		ck_assert_int_eq(row->error_code, KAFKA_LEADER_NOT_AVAILABLE);
		ck_assert_int_eq(row->leader_id, -1);
		ck_assert_int_eq(row->n_replica_nodes, version == 0 ? 0 : 1);
		ck_assert_int_eq(row->n_isr_nodes, version == 0 ? 0 : 1);
		ck_assert_int_eq(row->n_offline_replicas, version >= 5 ? 1 : 0);
		ck_assert(version < 5 || row->offline_replicas[0] == 7);
	}
	api_fixture_fini(&fixture);
}
END_TEST

START_TEST(version_0_leaves_out_dead_replicas)
{
	struct api_fixture fixture;
	int32_t replicas[] = {1, 9};
	struct view_partition partition = {.index = 0, .leader = 1, .n_replicas = 2, .n_isr = 1, .replicas = replicas, .isr = replicas};
	struct view_topic_delta topic = {
		.name = SLICE_LITERAL("a"), .id = uuid_random(), .n_partitions = 1, .partitions = &partition};
	struct view_delta delta = {.topics = &topic, .n_topics = 1};
	struct metadata_request_topic topics[] = {named("a")};
	const struct metadata_response_partition *row;

	api_fixture_init(&fixture, NO_CREATION);
	api_fixture_apply(&fixture, &delta);
	row = ask(&fixture, 0, topics, 1)->topics[0].partitions;
	ck_assert_int_eq(row->error_code, KAFKA_REPLICA_NOT_AVAILABLE);
	ck_assert_int_eq(row->leader_id, 1);
	ck_assert_int_eq(row->n_replica_nodes, 1);
	row = ask(&fixture, 1, topics, 1)->topics[0].partitions;
	ck_assert_int_eq(row->error_code, 0);
	ck_assert_int_eq(row->n_replica_nodes, 2);
	api_fixture_fini(&fixture);
}
END_TEST

START_TEST(a_leader_without_the_listener_is_not_found)
{
	struct api_fixture fixture;
	struct metadata_request_topic topics[] = {named("a")};
	const struct metadata_response *response;

	api_fixture_init(&fixture, NO_CREATION);
	api_fixture_topic(&fixture, "a", 1, 1);
	fixture.listener.name = "OTHER";
	response = ask(&fixture, 12, topics, 1);
	ck_assert_int_eq(response->n_brokers, 0);
	ck_assert_int_eq(response->topics[0].partitions[0].error_code, KAFKA_LISTENER_NOT_FOUND);
	ck_assert_int_eq(response->topics[0].partitions[0].leader_id, -1);
	ck_assert_int_eq(response->topics[0].partitions[0].leader_epoch, 0);
	ck_assert_int_eq(ask(&fixture, 5, topics, 1)->topics[0].partitions[0].error_code, KAFKA_LEADER_NOT_AVAILABLE);
	api_fixture_fini(&fixture);
}
END_TEST

START_TEST(topics_are_found_by_id)
{
	struct api_fixture fixture;
	struct uuid id, other = uuid_random();
	struct metadata_request_topic topics[4];
	const struct metadata_response *response;

	api_fixture_init(&fixture, NO_CREATION);
	api_fixture_topic(&fixture, "a", 1, 1);
	api_fixture_topic(&fixture, "b", 1, 1);
	id = view_topic(fixture.view, SLICE_LITERAL("a"))->id;
	topics[0] = with_id(&other);
	topics[1] = named("b");
	topics[2] = with_id(&id);
	topics[3] = with_id(&id);
	response = ask(&fixture, 12, topics, 4);
	ck_assert_int_eq(response->n_topics, 2);
	ck_assert(is_text(response->topics[0].name, "a"));
	ck_assert_int_eq(response->topics[1].error_code, KAFKA_UNKNOWN_TOPIC_ID);
	ck_assert(slice_is_null(response->topics[1].name));
	ck_assert(uuid_equal(&response->topics[1].topic_id, &other));
	api_fixture_fini(&fixture);
}
END_TEST

START_TEST(ids_and_null_names_before_version_12_are_refused)
{
	struct api_fixture fixture;
	struct uuid id = uuid_random();
	struct metadata_request_topic topics[] = {with_id(&id), named("a")};
	const struct metadata_response *response;

	api_fixture_init(&fixture, NO_CREATION);
	response = ask(&fixture, 10, topics, 2);
	ck_assert_int_eq(response->n_topics, 2);
	ck_assert_int_eq(response->topics[0].error_code, KAFKA_INVALID_REQUEST);
	ck_assert_int_eq(response->topics[1].error_code, KAFKA_INVALID_REQUEST);
	ck_assert(is_text(response->topics[0].name, ""));
	topics[0].topic_id = UUID_ZERO;
	response = ask(&fixture, 12, topics, 1);
	ck_assert_int_eq(response->topics[0].error_code, KAFKA_UNKNOWN_SERVER_ERROR);
	api_fixture_fini(&fixture);
}
END_TEST

START_TEST(authorized_operations_are_told_when_asked_for)
{
	struct api_fixture fixture;
	struct metadata_request request = metadata_request_default;
	const struct metadata_response *response;

	api_fixture_init(&fixture, NO_CREATION);
	api_fixture_topic(&fixture, "a", 1, 1);
	request.n_topics = -1;
	request.include_cluster_authorized_operations = true;
	request.include_topic_authorized_operations = true;
	response = api_fixture_call(&fixture, API_METADATA, 8, metadata_handle, &request)->body;
	ck_assert_int_eq(response->cluster_authorized_operations, OPERATIONS_CLUSTER);
	ck_assert_int_eq(response->topics[0].topic_authorized_operations, OPERATIONS_TOPIC);
	api_fixture_fini(&fixture);
}
END_TEST

START_TEST(a_client_can_forbid_creation)
{
	struct api_fixture fixture;
	struct metadata_request_topic topics[] = {named("new"), named("new.x")};
	struct metadata_request request = metadata_request_default;
	const struct metadata_response *response;

	api_fixture_init(&fixture, NULL);
	api_fixture_topic(&fixture, "new_x", 1, 1);
	request.topics = topics;
	request.n_topics = 1;
	request.allow_auto_topic_creation = false;
	response = api_fixture_call(&fixture, API_METADATA, 4, metadata_handle, &request)->body;
	ck_assert_int_eq(response->topics[0].error_code, KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
	/* A name that collides is not created either. */
	response = ask(&fixture, 4, &topics[1], 1);
	ck_assert_int_eq(response->topics[0].error_code, KAFKA_INVALID_TOPIC_EXCEPTION);
	api_fixture_fini(&fixture);
}
END_TEST

START_TEST(without_zookeeper_a_new_topic_is_not_available_in_bounded_time)
{
	struct api_fixture fixture;
	struct metadata_request_topic topics[] = {named("new")};

	api_fixture_init(&fixture, NULL);
	ck_assert_int_eq(ask(&fixture, 12, topics, 1)->topics[0].error_code, KAFKA_LEADER_NOT_AVAILABLE);
	api_fixture_fini(&fixture);
}
END_TEST

START_TEST(a_broker_that_knows_nothing_yet_asks_for_patience)
{
	struct api_fixture fixture;
	struct metadata_request_topic topics[] = {named("old")};
	const struct metadata_response *response;

	api_fixture_init(&fixture, NULL);
	view_release(fixture.shard.view);
	fixture.shard.view = view_new_empty();
	response = ask(&fixture, 12, topics, 1);
	ck_assert_int_eq(response->n_brokers, 0);
	ck_assert_int_eq(response->topics[0].error_code, KAFKA_LEADER_NOT_AVAILABLE);
	api_fixture_fini(&fixture);
}
END_TEST

START_TEST(ten_thousand_topics_take_milliseconds)
{
	enum { N = 10000 };
	struct api_fixture fixture;
	static struct view_topic_delta topics[N];
	static char names[N][24];
	struct metadata_request_topic *asked = calloc(N, sizeof *asked);
	int32_t leader = 1;
	struct view_partition partition = {.leader = 1, .n_replicas = 1, .n_isr = 1, .replicas = &leader, .isr = &leader};
	struct view_delta delta = {.topics = topics, .n_topics = N};
	int64_t all_ns, named_ns;

	api_fixture_init(&fixture, NO_CREATION);
	for (int i = 0; i < N; i++) {
		snprintf(names[i], sizeof names[i], "topic-%d", i);
		topics[i] = (struct view_topic_delta){
			.name = slice_of_text(names[i]), .id = uuid_random(), .n_partitions = 1, .partitions = &partition};
	}
	for (int i = 0; i < N; i++)
		asked[i] = named(names[N - 1 - i]);
	api_fixture_apply(&fixture, &delta);
	ck_assert_int_eq(ask(&fixture, 12, NULL, -1)->n_topics, N);
	all_ns = fixture.answers->handled_ns;
	ck_assert_int_eq(ask(&fixture, 12, asked, N)->n_topics, N);
	named_ns = fixture.answers->handled_ns;
	printf("%d topics: all %.1f ms, by name %.1f ms\n", N, (double)all_ns / 1e6, (double)named_ns / 1e6);
	/* Far above what it takes, far below what a square of it would. */
	ck_assert_int_lt(all_ns + named_ns, 2000000000);
	free(asked);
	api_fixture_fini(&fixture);
}
END_TEST

static const struct describe_cluster_response *describe(struct api_fixture *fixture, int version, int8_t type, bool operations)
{
	struct describe_cluster_request request = describe_cluster_request_default;

	request.endpoint_type = type;
	request.include_cluster_authorized_operations = operations;
	return api_fixture_call(fixture, API_DESCRIBE_CLUSTER, version, describe_cluster_handle, &request)->body;
}

START_TEST(the_cluster_is_described)
{
	struct api_fixture fixture;
	const struct describe_cluster_response *response;

	api_fixture_init(&fixture, NULL);
	api_fixture_broker(&fixture, 2);
	for (int version = 0; version <= 1; version++) {
		response = describe(&fixture, version, 1, version == 1);
		ck_assert_int_eq(response->error_code, 0);
		ck_assert(is_text(response->cluster_id, "AAAAAAAAAAAAAAAAAAAAAA"));
		ck_assert_int_eq(response->controller_id, 1);
		ck_assert_int_eq(response->n_brokers, 2);
		ck_assert(is_text(response->brokers[0].host, "host1"));
		ck_assert_int_eq(response->cluster_authorized_operations, version == 1 ? OPERATIONS_CLUSTER : NOT_ASKED);
	}
	ck_assert_int_eq(describe(&fixture, 1, 2, false)->error_code, KAFKA_MISMATCHED_ENDPOINT_TYPE);
	ck_assert_int_eq(describe(&fixture, 1, 9, false)->error_code, KAFKA_UNSUPPORTED_ENDPOINT_TYPE);
	api_fixture_fini(&fixture);
}
END_TEST

UNIT_MAIN("broker/api/metadata", brokers_and_topics_are_told_in_every_version, an_empty_list_asks_for_no_topic,
	  known_topics_come_first_and_each_name_once, a_dead_leader_is_not_available, version_0_leaves_out_dead_replicas,
	  a_leader_without_the_listener_is_not_found, topics_are_found_by_id, ids_and_null_names_before_version_12_are_refused,
	  authorized_operations_are_told_when_asked_for, a_client_can_forbid_creation,
	  without_zookeeper_a_new_topic_is_not_available_in_bounded_time, a_broker_that_knows_nothing_yet_asks_for_patience,
	  ten_thousand_topics_take_milliseconds, the_cluster_is_described)
