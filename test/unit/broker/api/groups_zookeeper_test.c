/* What the handlers of groups write to ZooKeeper: offsets of the first consumers, and the topics that coordinators need. Against a real one. */
#include "broker/api/api.h"
#include "broker/coord/coordinator.h"
#include "common/limits.h"
#include "common/memory.h"
#include "proto/kafka/find_coordinator.gen.h"
#include "proto/kafka/offset_commit.gen.h"
#include "proto/kafka/offset_fetch.gen.h"
#include "proto/kafka_error.h"
#include "test/lib/api_fixture.h"
#include "test/lib/unit.h"
#include "test/lib/zk_server.h"
#include "test/lib/zk_test_loop.h"

#include <stdlib.h>
#include <string.h>

/* In the place of broker/coord/coordinator.c: none of this is for a coordinator. */
void coordinator_run(struct coordinator *coordinator, struct coordinator_call *call)
{
	(void)coordinator, (void)call;
	ck_abort();
}

static int16_t put(struct api_fixture *fixture, struct slice group, int32_t partition, int64_t offset, struct slice metadata)
{
	struct offset_commit_request_partition row = {
		.partition_index = partition, .committed_offset = offset, .commit_timestamp = -1, .committed_metadata = metadata};
	struct offset_commit_request_topic topic = {.name = SLICE_LITERAL("t"), .partitions = &row, .n_partitions = 1};
	struct offset_commit_request request = {.group_id = group, .topics = &topic, .n_topics = 1};
	struct api_answer *answer = api_fixture_send(fixture, API_OFFSET_COMMIT, 0, offset_commit_handle, &request);

	api_fixture_wait(fixture, answer);
	return ((const struct offset_commit_response *)answer->body)->topics[0].partitions[0].error_code;
}

static struct offset_fetch_response_partition get(struct api_fixture *fixture, struct slice group, int32_t partition)
{
	struct offset_fetch_request_topic topic = {
		.name = SLICE_LITERAL("t"), .partition_indexes = &partition, .n_partition_indexes = 1};
	struct offset_fetch_request request = {.group_id = group, .topics = &topic, .n_topics = 1};
	struct api_answer *answer = api_fixture_send(fixture, API_OFFSET_FETCH, 0, offset_fetch_handle, &request);

	api_fixture_wait(fixture, answer);
	return ((const struct offset_fetch_response *)answer->body)->topics[0].partitions[0];
}

START_TEST(the_first_consumers_keep_their_offsets_in_zookeeper)
{
	struct api_fixture fixture;
	struct slice g = SLICE_LITERAL("g"), none = SLICE_NULL;
	char metadata[5000];

	memset(metadata, 'm', sizeof metadata);
	api_fixture_init(&fixture, NULL);
	api_fixture_topic(&fixture, "t", 2, 1);
	api_fixture_zookeeper(&fixture, zk_test_connect("offsets"));
	ck_assert_int_eq(get(&fixture, g, 1).error_code, KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
	ck_assert_int_eq(put(&fixture, g, 1, 77, none), 0);
	ck_assert_str_eq(api_fixture_znode(&fixture, "/consumers/g/offsets/t/1", NULL), "77");
	ck_assert_int_eq(put(&fixture, g, 1, 78, SLICE_LITERAL("m")), 0);
	ck_assert_int_eq(get(&fixture, g, 1).committed_offset, 78);
	ck_assert_int_eq(get(&fixture, g, 1).error_code, 0);
	ck_assert_int_eq(get(&fixture, g, 0).committed_offset, -1);
	ck_assert_int_eq(put(&fixture, g, 0, 1, slice_of(metadata, sizeof metadata)), KAFKA_OFFSET_METADATA_TOO_LARGE);
	ck_assert_int_eq(put(&fixture, g, 2, 1, none), KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
	ck_assert_int_eq(get(&fixture, g, 2).error_code, KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
	ck_assert_int_eq(put(&fixture, SLICE_LITERAL(""), 0, 1, none), KAFKA_INVALID_GROUP_ID);
	ck_assert_int_eq(put(&fixture, SLICE_LITERAL("../a"), 0, 1, none), KAFKA_INVALID_GROUP_ID);
	api_fixture_put(&fixture, "/consumers/g/offsets/t/1", "no number");
	ck_assert_int_eq(get(&fixture, g, 1).error_code, KAFKA_UNKNOWN_SERVER_ERROR);
	api_fixture_fini(&fixture);
}
END_TEST

START_TEST(too_many_offsets_in_zookeeper_are_too_many)
{
	struct api_fixture fixture;
	int32_t n = LIMIT_ZOOKEEPER_OFFSETS + 1;
	int32_t *indexes = memory_zalloc((size_t)n, sizeof *indexes);
	struct offset_fetch_request_topic topic = {.name = SLICE_LITERAL("t"), .partition_indexes = indexes, .n_partition_indexes = n};
	struct offset_fetch_request request = {.group_id = SLICE_LITERAL("g"), .topics = &topic, .n_topics = 1};

	api_fixture_init(&fixture, NULL);
	api_fixture_topic(&fixture, "t", 2, 1);
	ck_assert(api_fixture_call(&fixture, API_OFFSET_FETCH, 0, offset_fetch_handle, &request)->closed);
	api_fixture_fini(&fixture);
	free(indexes);
}
END_TEST

START_TEST(the_topic_of_the_coordinators_is_made_when_it_is_asked_for)
{
	struct api_fixture fixture;
	struct find_coordinator_request request = {.key = SLICE_LITERAL("g")};
	const struct find_coordinator_response *response;
	struct api_answer *answer;

	api_fixture_init(&fixture, "offsets.topic.replication.factor=1\nauto.create.topics.enable=false\n");
	api_fixture_topic(&fixture, "t", 1, 1);
	api_fixture_zookeeper(&fixture, zk_test_connect("coordinator"));
	answer = api_fixture_send(&fixture, API_FIND_COORDINATOR, 3, find_coordinator_handle, &request);
	api_fixture_wait_znode(&fixture, "/brokers/topics/__consumer_offsets");
	ck_assert_ptr_nonnull(strstr(api_fixture_znode(&fixture, "/config/topics/__consumer_offsets", NULL), "compact"));
	api_fixture_wait(&fixture, answer);
	response = answer->body;
	ck_assert_int_eq(response->error_code, KAFKA_COORDINATOR_NOT_AVAILABLE);
	api_fixture_topic(&fixture, "__consumer_offsets", 50, 1);
	answer = api_fixture_call(&fixture, API_FIND_COORDINATOR, 3, find_coordinator_handle, &request);
	ck_assert_int_eq(((const struct find_coordinator_response *)answer->body)->error_code, 0);
	ck_assert_int_eq(((const struct find_coordinator_response *)answer->body)->node_id, 1);
	api_fixture_fini(&fixture);
}
END_TEST

ZK_TEST_MAIN("broker/api/groups_zookeeper", the_first_consumers_keep_their_offsets_in_zookeeper,
	     too_many_offsets_in_zookeeper_are_too_many, the_topic_of_the_coordinators_is_made_when_it_is_asked_for)
