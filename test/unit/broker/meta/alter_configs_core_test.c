/* AlterConfigs and IncrementalAlterConfigs: errors and results as measured on Kafka 3.9.1. */
#include "test/lib/unit.h"

#include "broker/meta/alter_configs_core.h"
#include "common/limits.h"
#include "common/memory.h"
#include "proto/kafka_error.h"

#include <stdlib.h>

static struct arena arena;
static struct view *view;
static struct broker_config *broker;

/* Broker 1 with log.cleanup.policy set for all; topic tt with retention.ms=5 and cleanup.policy=compact. */
static void setup(void)
{
	static const int32_t r1[] = {1};
	const struct config_pair topic_config[] = {{SLICE_LITERAL("cleanup.policy"), SLICE_LITERAL("compact")},
						   {SLICE_LITERAL("retention.ms"), SLICE_LITERAL("5")}};
	const struct config_pair broker_config = {SLICE_LITERAL("log.cleanup.policy"), SLICE_LITERAL("delete")};
	const struct view_partition partition = {.n_replicas = 1, .replicas = r1};
	const struct view_topic_delta topic = {.name = SLICE_LITERAL("tt"), .id = {{1}}, .has_config = true, .config = topic_config,
					       .n_config = 2, .n_partitions = 1, .partitions = &partition};
	const struct view_broker_config_delta configs = {.id = VIEW_DEFAULT_BROKER, .config = &broker_config, .n_config = 1};
	const struct view_delta delta = {.snapshot = true, .topics = &topic, .n_topics = 1, .broker_configs = &configs,
					 .n_broker_configs = 1};
	struct view *empty = view_new_empty();
	struct properties properties;
	struct error err = {0};

	arena_init(&arena);
	ck_assert_int_eq(view_apply(empty, &delta, &view), 0);
	view_release(empty);
	properties_init(&properties);
	ck_assert_int_eq(properties_set(&properties, "zookeeper.connect=z", "--set", &err), 0);
	ck_assert_int_eq(properties_set(&properties, "broker.id=1", "--set", &err), 0);
	ck_assert_int_eq(properties_set(&properties, "num.io.threads=4", "--set", &err), 0);
	ck_assert_int_eq(broker_config_load(&properties, NULL, &broker, &err), 0);
	properties_fini(&properties);
}

static void teardown(void)
{
	view_release(view);
	broker_config_release(broker);
	arena_fini(&arena);
}

static struct alter_configs_plan alter(int8_t type, const char *name, const struct alter_config *changes, int n, bool replace)
{
	struct alter_configs_wish wish = {type, slice_of_text(name), changes, n, replace};
	struct alter_configs_plan plan;

	alter_configs_plan(view, broker, &wish, &arena, &plan);
	return plan;
}

static struct alter_configs_plan alter_one(int8_t type, const char *name, const char *key, int8_t op, const char *value)
{
	struct alter_config change = {slice_of_text(key), slice_of_text(value), op};

	return alter(type, name, &change, 1, false);
}

#define T CONFIG_RESOURCE_TOPIC
#define B CONFIG_RESOURCE_BROKER
#define IN_TT "Invalid config value for resource ConfigResource(type=TOPIC, name='tt'): "

START_TEST(refusals_are_kafkas)
{
	static const struct {
		int8_t type;
		const char *name, *key;
		int8_t op;
		const char *value;
		int16_t error;
		const char *message;
	} cases[] = {
		{T, "tt", "retention.ms", 0, "x", 40, IN_TT "Invalid value x for configuration retention.ms: Not a number of type LONG"},
		{T, "tt", "retention.ms", 0, NULL, 42, "Null value not supported for : retention.ms"},
		{T, "tt", "retention.ms", 1, NULL, 0, NULL},
		{T, "tt", "retention.ms", 1, "5", 0, NULL},
		{T, "tt", "foo", 0, "1", 40, "Unknown topic config name: foo"},
		{T, "tt", "foo", 1, NULL, 0, NULL},
		{T, "tt", "foo", 2, "1", 40, "Unknown topic config name: foo"},
		{T, "tt", "retention.ms", 2, "1", 40, "Config value append is not allowed for config key: retention.ms"},
		{T, "tt", "retention.ms", 3, "1", 40, "Config value subtract is not allowed for config key: retention.ms"},
		{T, "tt", "retention.ms", 7, "1", -1, "Unknown operation 7"},
		{T, "tt", "cleanup.policy", 2, "foo", 40,
		 IN_TT "Invalid value foo for configuration cleanup.policy: String must be one of: compact, delete"},
		{T, "tt", "cleanup.policy", 2, "", 40,
		 IN_TT "Invalid value  for configuration cleanup.policy: String must be one of: compact, delete"},
		{T, "tt", "cleanup.policy", 2, NULL, 42, "Null value not supported for : cleanup.policy"},
		{T, "zzz", "retention.ms", 0, "1", 3, "The topic 'zzz' does not exist."},
		{T, "a/b", "retention.ms", 0, "1", 3, "The topic 'a/b' does not exist."},
		{T, "", "retention.ms", 0, "1", 42, "Default topic resources are not allowed."},
		{T, "zzz", "retention.ms", 0, NULL, 42, "Null value not supported for : retention.ms"},
		{B, "1", "num.io.threads", 0, "x", 42, "Invalid value x for configuration num.io.threads: Not a number of type INT"},
		{B, "1", "num.io.threads", 0, "100", 42,
		 "Dynamic thread count update validation failed for num.io.threads=100, value should not be greater than double the current "
		 "value 4"},
		{B, "1", "num.io.threads", 0, "5", 0, NULL},
		{B, "1", "num.partitions", 0, "5", 42, "Cannot update these configs dynamically: Set(num.partitions)"},
		{B, "1", "num.partitions", 1, NULL, 0, NULL},
		{B, "1", "log.retention.ms", 0, "5", 0, NULL},
		{B, "1", "log.retention.ms", 0, "0", 42,
		 "requirement failed: log.retention.ms must be unlimited (-1) or, greater than or equal to 1"},
		{B, "1", "log.retention.hours", 0, "3", 42, "Cannot update these configs dynamically: Set(log.retention.hours)"},
		{B, "1", "foo.bar", 0, "1", 0, NULL},
		{B, "1", "ssl.keystore.location", 0, "/x", 42,
		 "These security configs can be dynamically updated only per-listener using the listener prefix: Set(ssl.keystore.location)"},
		{B, "1", "listener.name.plaintext.ssl.keystore.location", 0, "/x", 0, NULL},
		{B, "", "listener.name.plaintext.ssl.keystore.location", 0, "/x", 42,
		 "Cannot update these configs at default cluster level, broker id must be specified: "
		 "Set(listener.name.plaintext.ssl.keystore.location)"},
		{B, "", "listener.name.plaintext.max.connections", 0, "5", 0, NULL},
		{B, "1", "listener.name.plaintext.max.connections", 0, "x", 42,
		 "Invalid value x for configuration max.connections: Not a number of type INT"},
		{B, "", "sasl.jaas.config", 0, "x", 42,
		 "Cannot update these configs at default cluster level, broker id must be specified: Set(sasl.jaas.config)"},
		{B, "", "log.retention.ms", 0, "5", 0, NULL},
		{B, "1", "log.retention.ms", 2, "1", 40, "Config value append is not allowed for config key: log.retention.ms"},
		{B, "", "log.cleanup.policy", 2, "foo", 42,
		 "Invalid value foo for configuration log.cleanup.policy: String must be one of: compact, delete"},
		{B, "1", "leader.replication.throttled.rate", 0, "100", 0, NULL},
		{B, "1", "leader.replication.throttled.rate", 0, "x", 42,
		 "Invalid value x for configuration leader.replication.throttled.rate: Not a number of type LONG"},
		{B, "1", "listeners", 0, "PLAINTEXT://:1", 42, "Klamm reads these configs from its file only, when it starts: Set(listeners)"},
		{B, "2", "log.retention.ms", 0, "5", 42, "Unexpected broker id, expected 1, but received 2"},
		{B, "x", "log.retention.ms", 0, "5", 42, "Node id must be an integer, but it is: x"},
		{B, "-1", "log.retention.ms", 0, "5", 42, "Unexpected broker id, expected 1, but received -1"},
		{B, "01", "log.retention.ms", 0, "5", 0, NULL},
		{3, "x", "a", 0, "b", 42, "Unknown resource type 3"},
		{CONFIG_RESOURCE_BROKER_LOGGER, "1", "kafka", 0, "INFO", 40, "Klamm has no loggers to configure."},
	};

	setup();
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct alter_configs_plan plan = alter_one(cases[i].type, cases[i].name, cases[i].key, cases[i].op, cases[i].value);

		ck_assert_msg(plan.error == cases[i].error, "case %zu: %s=%s: %d %s", i, cases[i].key, cases[i].value, plan.error, plan.message);
		if (cases[i].message)
			ck_assert_str_eq(plan.message, cases[i].message);
	}
	teardown();
}
END_TEST

static const char *value_after(int8_t type, const char *name, const char *key, int8_t op, const char *value)
{
	struct alter_configs_plan plan = alter_one(type, name, key, op, value);
	struct slice after;

	ck_assert_msg(plan.error == 0, "%s", plan.message);
	after = config_pairs_get(plan.configs, slice_of_text(key));
	return slice_is_null(after) ? "(none)" : arena_printf(&arena, "%.*s", SLICE_ARGS(after));
}

START_TEST(lists_grow_and_shrink)
{
	setup();
	ck_assert_str_eq(value_after(T, "tt", "cleanup.policy", ALTER_APPEND, "delete"), "compact,delete");
	ck_assert_str_eq(value_after(T, "tt", "cleanup.policy", ALTER_APPEND, "compact,delete"), "compact,delete");
	ck_assert_str_eq(value_after(T, "tt", "cleanup.policy", ALTER_SUBTRACT, "delete"), "compact");
	ck_assert_str_eq(value_after(T, "tt", "cleanup.policy", ALTER_SUBTRACT, "compact"), "");
	ck_assert_str_eq(value_after(T, "tt", "leader.replication.throttled.replicas", ALTER_APPEND, " 0:1 ,1:2"), "0:1,1:2");
	/* Without an override a list begins with its default. */
	ck_assert_str_eq(value_after(B, "1", "log.cleanup.policy", ALTER_APPEND, "compact"), "delete,compact");
	ck_assert_str_eq(value_after(T, "tt", "retention.ms", ALTER_DELETE, NULL), "(none)");
	ck_assert_str_eq(value_after(T, "tt", "klamm.durability", ALTER_SET, "fsync-isr"), "fsync-isr");
	teardown();
}
END_TEST

START_TEST(what_is_not_named_stays_or_goes)
{
	struct alter_config change = {SLICE_LITERAL("segment.bytes"), SLICE_LITERAL("100"), ALTER_SET};
	struct alter_config twice[] = {change, change};
	struct alter_configs_plan plan;

	setup();
	plan = alter(T, "tt", &change, 1, false);
	ck_assert_int_eq(plan.configs.n, 3);
	ck_assert(plan.of_topic && slice_is_text(plan.topic->name, "tt"));
	plan = alter(T, "tt", &change, 1, true);
	ck_assert_int_eq(plan.configs.n, 1);
	plan = alter(T, "tt", NULL, 0, true);
	ck_assert_int_eq(plan.error, 0);
	ck_assert_int_eq(plan.configs.n, 0);
	plan = alter(T, "tt", NULL, 0, false);
	ck_assert_int_eq(plan.configs.n, 2);
	plan = alter(T, "tt", twice, 2, false);
	ck_assert_int_eq(plan.error, 42);
	ck_assert_str_eq(plan.message, "Error due to duplicate config keys");
	plan = alter(B, "", NULL, 0, false);
	ck_assert_int_eq(plan.broker_id, VIEW_DEFAULT_BROKER);
	ck_assert_int_eq(plan.configs.n, 1);
	plan = alter(B, "1", NULL, 0, false);
	ck_assert_int_eq(plan.broker_id, 1);
	ck_assert_int_eq(plan.configs.n, 0);
	teardown();
}
END_TEST

START_TEST(keys_are_bounded)
{
	struct alter_config *changes = memory_zalloc(LIMIT_CONFIG_KEYS + 1, sizeof *changes);

	setup();
	for (int i = 0; i <= LIMIT_CONFIG_KEYS; i++)
		changes[i] = (struct alter_config){slice_of_text(arena_printf(&arena, "k%d", i)), SLICE_LITERAL("v"), ALTER_SET};
	ck_assert_int_eq(alter(B, "1", changes, LIMIT_CONFIG_KEYS, false).error, 0);
	ck_assert_int_eq(alter(B, "1", changes, LIMIT_CONFIG_KEYS + 1, false).error, KAFKA_INVALID_REQUEST);
	free(changes);
	teardown();
}
END_TEST

START_TEST(describing_finds_its_resource)
{
	static const struct {
		int8_t type;
		const char *name;
		int16_t error;
		const char *message;
	} cases[] = {
		{T, "tt", 0, NULL},
		{T, "nope", 3, ""},
		{T, "", 17, "Topic name is invalid: the empty string is not allowed"},
		{T, "a/b", 17,
		 "Topic name is invalid: 'a/b' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"},
		{B, "1", 0, NULL},
		{B, "", 0, NULL},
		{B, "2", 42, "Unexpected broker id, expected 1 or empty string, but received 2"},
		{B, "x", 42, "Broker id must be an integer, but it is: x"},
		{3, "x", 42, "Unknown resource type 3"},
	};

	setup();
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct alter_configs_wish wish = {.resource_type = cases[i].type, .resource_name = slice_of_text(cases[i].name)};
		struct alter_configs_plan plan;

		describe_configs_plan(view, broker, &wish, &arena, &plan);
		ck_assert_int_eq(plan.error, cases[i].error);
		if (cases[i].message)
			ck_assert_str_eq(plan.message, cases[i].message);
	}
	teardown();
}
END_TEST

UNIT_MAIN("broker/meta/alter_configs_core", refusals_are_kafkas, lists_grow_and_shrink, what_is_not_named_stays_or_goes, keys_are_bounded,
	  describing_finds_its_resource)
