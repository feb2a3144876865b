/*
 * DescribeConfigs, AlterConfigs and IncrementalAlterConfigs, with broker/meta/admin behind them, against a real ZooKeeper. The test
 * is the controller: it reads what is written and shows it in a view.
 */
#include "broker/api/api.h"
#include "broker/meta/alter_configs_core.h"
#include "common/clock.h"
#include "proto/kafka/alter_configs.gen.h"
#include "proto/kafka/describe_configs.gen.h"
#include "proto/kafka/incremental_alter_configs.gen.h"
#include "proto/kafka_error.h"
#include "test/lib/api_fixture.h"
#include "test/lib/unit.h"
#include "test/lib/zk_test_loop.h"
#include "zk/json_config.h"

#include <stdio.h>

#define CONFIG_PATH "/config/topics/t"

static const struct uuid topic_id = {{1, 2, 3}};

/* A topic t with retention.ms=5, in ZooKeeper and in the view. */
static void begin(struct api_fixture *fixture, const char *chroot)
{
	struct config_pair config = {SLICE_LITERAL("retention.ms"), SLICE_LITERAL("5")};

	api_fixture_init(fixture, NULL);
	api_fixture_zookeeper(fixture, zk_test_connect(chroot));
	api_fixture_put(fixture, "/brokers/topics/t", "{}");
	api_fixture_put(fixture, CONFIG_PATH, "{\"version\":1,\"config\":{\"retention.ms\":\"5\"}}");
	api_fixture_topic_with(fixture, "t", &topic_id, 1, 1, &config, 1, 0);
}

/* Shows the topic's configuration as its node has it. */
static void show(struct api_fixture *fixture)
{
	struct config_pair pairs[16];
	struct config_znode node;
	struct arena arena;
	int32_t version;
	const char *json = api_fixture_znode(fixture, CONFIG_PATH, &version);

	arena_init(&arena);
	ck_assert_int_eq(config_znode_decode(&arena, "", slice_of_text(json), &node, NULL), 0);
	for (int i = 0; i < node.n_entries; i++)
		pairs[i] = (struct config_pair){node.entries[i].key, node.entries[i].value};
	api_fixture_topic_with(fixture, "t", &topic_id, 1, 1, pairs, node.n_entries, version);
	arena_fini(&arena);
}

static void wait_version(struct api_fixture *fixture, const char *path, int32_t wanted)
{
	int64_t until_ms = clock_ms() + API_FIXTURE_WAIT_MS;
	int32_t version = -1;

	while (version != wanted) {
		ck_assert(clock_ms() < until_ms);
		if (!api_fixture_znode(fixture, path, &version))
			version = -1;
	}
}

static struct api_answer *change(struct api_fixture *fixture, int8_t type, const char *name, int8_t op, const char *key,
				 const char *value, bool validate_only)
{
	struct incremental_alter_configs_request_config config = {slice_of_text(key), op, slice_of_text(value)};
	struct incremental_alter_configs_request_resource resource = {
		.resource_type = type, .resource_name = slice_of_text(name), .configs = &config, .n_configs = 1};
	struct incremental_alter_configs_request request = {.resources = &resource, .n_resources = 1, .validate_only = validate_only};

	return api_fixture_send(fixture, API_INCREMENTAL_ALTER_CONFIGS, 1, incremental_alter_configs_handle, &request);
}

static const struct incremental_alter_configs_response_response *changed(struct api_fixture *fixture, struct api_answer *answer)
{
	api_fixture_wait(fixture, answer);
	return ((const struct incremental_alter_configs_response *)answer->body)->responses;
}

static const struct describe_configs_response_result *describe(struct api_fixture *fixture, int version, int8_t type, const char *name,
								const char *key)
{
	struct slice keys = slice_of_text(key);
	struct describe_configs_request_resource resource = {.resource_type = type,
							     .resource_name = slice_of_text(name),
							     .configuration_keys = &keys,
							     .n_configuration_keys = key ? 1 : -1};
	struct describe_configs_request request = {.resources = &resource, .n_resources = 1, .include_synonyms = true};

	return ((const struct describe_configs_response *)api_fixture_call(fixture, API_DESCRIBE_CONFIGS, version,
									   describe_configs_handle, &request)
			->body)
		->results;
}

START_TEST(a_topics_override_is_written_with_a_notification)
{
	struct api_fixture fixture;
	struct api_answer *answer;

	begin(&fixture, "set");
	answer = change(&fixture, CONFIG_RESOURCE_TOPIC, "t", ALTER_SET, "segment.ms", "9", false);
	wait_version(&fixture, CONFIG_PATH, 1);
	ck_assert(strstr(api_fixture_znode(&fixture, CONFIG_PATH, NULL), "\"segment.ms\":\"9\""));
	ck_assert(strstr(api_fixture_znode(&fixture, CONFIG_PATH, NULL), "\"retention.ms\":\"5\""));
	ck_assert_str_eq(api_fixture_znode(&fixture, "/config/changes/config_change_0000000000", NULL),
			 "{\"version\":2,\"entity_path\":\"topics/t\"}");
	ck_assert(!answer->done);
	show(&fixture);
	ck_assert_int_eq(changed(&fixture, answer)->error_code, 0);
	ck_assert(slice_is_null(changed(&fixture, answer)->error_message));
	ck_assert(slice_is_text(changed(&fixture, answer)->resource_name, "t"));
	ck_assert(slice_is_text(describe(&fixture, 4, CONFIG_RESOURCE_TOPIC, "t", "segment.ms")->configs[0].value, "9"));
	/* A view that does not come is no error: the change is stored. */
	ck_assert_int_eq(changed(&fixture, change(&fixture, CONFIG_RESOURCE_TOPIC, "t", ALTER_DELETE, "segment.ms", NULL, false))->error_code,
			 0);
	ck_assert_ptr_null(strstr(api_fixture_znode(&fixture, CONFIG_PATH, NULL), "segment.ms"));
	api_fixture_fini(&fixture);
}
END_TEST

START_TEST(refusals_write_nothing)
{
	struct api_fixture fixture;

	begin(&fixture, "refuse");
	ck_assert_int_eq(changed(&fixture, change(&fixture, CONFIG_RESOURCE_TOPIC, "t", ALTER_SET, "no.such.key", "9", false))->error_code,
			 KAFKA_INVALID_CONFIG);
	ck_assert_int_eq(changed(&fixture, change(&fixture, CONFIG_RESOURCE_TOPIC, "u", ALTER_SET, "segment.ms", "9", false))->error_code,
			 KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
	ck_assert_int_eq(changed(&fixture, change(&fixture, CONFIG_RESOURCE_TOPIC, "t", ALTER_SET, "segment.ms", "9", true))->error_code, 0);
	ck_assert_int_eq(
		changed(&fixture, change(&fixture, CONFIG_RESOURCE_BROKER, "", ALTER_SET, "num.partitions", "9", false))->error_code,
		KAFKA_INVALID_REQUEST);
	wait_version(&fixture, CONFIG_PATH, 0);
	ck_assert_ptr_null(api_fixture_znode(&fixture, "/config/changes/config_change_0000000000", NULL));
	api_fixture_fini(&fixture);
}
END_TEST

START_TEST(what_somebody_else_has_changed_is_kept)
{
	struct api_fixture fixture;
	struct api_answer *answer;

	begin(&fixture, "conflict");
	/* Written by a program that told nobody. */
	api_fixture_put(&fixture, CONFIG_PATH, "{\"version\":1,\"config\":{\"retention.ms\":\"6\",\"flush.ms\":\"1\"}}");
	answer = change(&fixture, CONFIG_RESOURCE_TOPIC, "t", ALTER_SET, "segment.ms", "9", false);
	/* The notification that makes the controller look. */
	api_fixture_wait_znode(&fixture, "/config/changes/config_change_0000000000");
	ck_assert(!answer->done);
	show(&fixture);
	wait_version(&fixture, CONFIG_PATH, 2);
	show(&fixture);
	ck_assert_int_eq(changed(&fixture, answer)->error_code, 0);
	ck_assert(strstr(api_fixture_znode(&fixture, CONFIG_PATH, NULL), "\"segment.ms\":\"9\""));
	ck_assert(strstr(api_fixture_znode(&fixture, CONFIG_PATH, NULL), "\"retention.ms\":\"6\""));
	ck_assert(strstr(api_fixture_znode(&fixture, CONFIG_PATH, NULL), "\"flush.ms\":\"1\""));
	api_fixture_fini(&fixture);
}
END_TEST

START_TEST(a_topic_that_is_gone_gets_no_configuration)
{
	struct api_fixture fixture;
	const struct incremental_alter_configs_response_response *row;

	begin(&fixture, "gone");
	api_fixture_topic(&fixture, "u", 1, 1);
	row = changed(&fixture, change(&fixture, CONFIG_RESOURCE_TOPIC, "u", ALTER_SET, "segment.ms", "9", false));
	ck_assert_int_eq(row->error_code, KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
	ck_assert_ptr_null(api_fixture_znode(&fixture, "/config/topics/u", NULL));
	api_fixture_fini(&fixture);
}
END_TEST

START_TEST(altering_replaces_all_overrides)
{
	struct api_fixture fixture;
	struct alter_configs_request_config config = {SLICE_LITERAL("segment.ms"), SLICE_LITERAL("9")};
	struct alter_configs_request_resource resources[] = {
		{.resource_type = CONFIG_RESOURCE_TOPIC, .resource_name = SLICE_LITERAL("t"), .configs = &config, .n_configs = 1},
		{.resource_type = CONFIG_RESOURCE_TOPIC, .resource_name = SLICE_LITERAL("none"), .configs = &config, .n_configs = 1},
	};
	struct alter_configs_request request = {.resources = resources, .n_resources = 2};
	const struct alter_configs_response *response;
	struct api_answer *answer;

	begin(&fixture, "replace");
	answer = api_fixture_send(&fixture, API_ALTER_CONFIGS, 2, alter_configs_handle, &request);
	wait_version(&fixture, CONFIG_PATH, 1);
	show(&fixture);
	api_fixture_wait(&fixture, answer);
	response = answer->body;
	ck_assert_int_eq(response->n_responses, 2);
	ck_assert_int_eq(response->responses[0].error_code, 0);
	ck_assert_int_eq(response->responses[1].error_code, KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
	ck_assert_str_eq(api_fixture_znode(&fixture, CONFIG_PATH, NULL), "{\"version\":1,\"config\":{\"segment.ms\":\"9\"}}");
	api_fixture_fini(&fixture);
}
END_TEST

START_TEST(a_resource_that_stands_twice_is_refused)
{
	struct api_fixture fixture;
	struct alter_configs_request_resource resources[] = {
		{.resource_type = CONFIG_RESOURCE_TOPIC, .resource_name = SLICE_LITERAL("t")},
		{.resource_type = CONFIG_RESOURCE_TOPIC, .resource_name = SLICE_LITERAL("t")},
	};
	struct alter_configs_request request = {.resources = resources, .n_resources = 2};
	const struct alter_configs_response *response;

	begin(&fixture, "twice");
	response = api_fixture_call(&fixture, API_ALTER_CONFIGS, 0, alter_configs_handle, &request)->body;
	ck_assert_int_eq(response->responses[0].error_code, KAFKA_INVALID_REQUEST);
	ck_assert_int_eq(response->responses[1].error_code, KAFKA_INVALID_REQUEST);
	api_fixture_fini(&fixture);
}
END_TEST

static void show_broker(struct api_fixture *fixture, int32_t id, int32_t version, const struct config_pair *pair)
{
	struct view_broker_config_delta config = {.id = id, .version = version, .config = pair, .n_config = pair ? 1 : 0};
	struct view_delta delta = {.broker_configs = &config, .n_broker_configs = 1};

	api_fixture_apply(fixture, &delta);
}

START_TEST(the_default_of_all_brokers_can_be_set_and_emptied)
{
	struct api_fixture fixture;
	struct config_pair pair = {SLICE_LITERAL("log.retention.ms"), SLICE_LITERAL("77")};
	struct api_answer *answer;

	begin(&fixture, "default");
	answer = change(&fixture, CONFIG_RESOURCE_BROKER, "", ALTER_SET, "log.retention.ms", "77", false);
	api_fixture_wait_znode(&fixture, "/config/brokers/<default>");
	ck_assert_str_eq(api_fixture_znode(&fixture, "/config/changes/config_change_0000000000", NULL),
			 "{\"version\":2,\"entity_path\":\"brokers/<default>\"}");
	show_broker(&fixture, VIEW_DEFAULT_BROKER, 0, &pair);
	ck_assert_int_eq(changed(&fixture, answer)->error_code, 0);
	answer = change(&fixture, CONFIG_RESOURCE_BROKER, "", ALTER_DELETE, "log.retention.ms", NULL, false);
	wait_version(&fixture, "/config/brokers/<default>", 1);
	show_broker(&fixture, VIEW_DEFAULT_BROKER, 1, NULL);
	ck_assert_int_eq(changed(&fixture, answer)->error_code, 0);
	ck_assert_str_eq(api_fixture_znode(&fixture, "/config/brokers/<default>", NULL), "{\"version\":1,\"config\":{}}");
	/* This broker's own. */
	answer = change(&fixture, CONFIG_RESOURCE_BROKER, "1", ALTER_SET, "log.retention.ms", "77", false);
	api_fixture_wait_znode(&fixture, "/config/brokers/1");
	show_broker(&fixture, 1, 0, &pair);
	ck_assert_int_eq(changed(&fixture, answer)->error_code, 0);
	ck_assert_int_eq(changed(&fixture, change(&fixture, CONFIG_RESOURCE_BROKER, "2", ALTER_SET, "log.retention.ms", "7", false))->error_code,
			 KAFKA_INVALID_REQUEST);
	api_fixture_fini(&fixture);
}
END_TEST

START_TEST(configurations_are_described_in_every_version)
{
	struct api_fixture fixture;

	begin(&fixture, "describe");
	for (int version = 0; version <= 4; version++) {
		const struct describe_configs_response_result *row = describe(&fixture, version, CONFIG_RESOURCE_TOPIC, "t", NULL);

		ck_assert_int_eq(row->error_code, 0);
		ck_assert_int_ge(row->n_configs, 36);
		row = describe(&fixture, version, CONFIG_RESOURCE_TOPIC, "t", "retention.ms");
		ck_assert_int_eq(row->n_configs, 1);
		ck_assert(slice_is_text(row->configs[0].value, "5"));
		ck_assert_int_eq(row->configs[0].is_default, false);
		ck_assert_int_eq(row->configs[0].config_source, version >= 1 ? 1 : -1);
		ck_assert_int_ge(row->configs[0].n_synonyms, version >= 1 ? 1 : 0);
		ck_assert_int_eq(row->configs[0].config_type, version >= 3 ? 5 : 0);
		ck_assert(slice_is_null(row->configs[0].documentation) || version < 3);
		row = describe(&fixture, version, CONFIG_RESOURCE_BROKER, "1", NULL);
		ck_assert_int_eq(row->error_code, 0);
		ck_assert_int_ge(row->n_configs, 100);
		ck_assert_int_eq(describe(&fixture, version, CONFIG_RESOURCE_BROKER, "", NULL)->n_configs, 0);
		ck_assert_int_eq(describe(&fixture, version, CONFIG_RESOURCE_TOPIC, "none", NULL)->error_code,
				 KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
		ck_assert_int_eq(describe(&fixture, version, CONFIG_RESOURCE_TOPIC, "a/b", NULL)->error_code,
				 KAFKA_INVALID_TOPIC_EXCEPTION);
		ck_assert_int_eq(describe(&fixture, version, CONFIG_RESOURCE_BROKER, "2", NULL)->error_code, KAFKA_INVALID_REQUEST);
	}
	api_fixture_fini(&fixture);
}
END_TEST

START_TEST(documentation_comes_when_it_is_asked_for)
{
	struct api_fixture fixture;
	struct describe_configs_request_resource resource = {
		.resource_type = CONFIG_RESOURCE_TOPIC, .resource_name = SLICE_LITERAL("t"), .n_configuration_keys = -1};
	struct describe_configs_request request = {.resources = &resource, .n_resources = 1, .include_documentation = true};
	const struct describe_configs_response *response;

	begin(&fixture, "documentation");
	response = api_fixture_call(&fixture, API_DESCRIBE_CONFIGS, 3, describe_configs_handle, &request)->body;
	ck_assert_uint_gt(response->results[0].configs[0].documentation.len, 10);
	ck_assert_int_eq(response->results[0].configs[0].n_synonyms, 0);
	api_fixture_fini(&fixture);
}
END_TEST

ZK_TEST_MAIN("broker/api/configs", a_topics_override_is_written_with_a_notification, refusals_write_nothing,
	     what_somebody_else_has_changed_is_kept, a_topic_that_is_gone_gets_no_configuration, altering_replaces_all_overrides,
	     a_resource_that_stands_twice_is_refused, the_default_of_all_brokers_can_be_set_and_emptied,
	     configurations_are_described_in_every_version, documentation_comes_when_it_is_asked_for)
