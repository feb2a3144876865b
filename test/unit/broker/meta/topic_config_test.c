/* Topic configurations: the table, effective values, checks. */
#include "test/lib/unit.h"

#include "broker/meta/broker_config.h"
#include "common/memory.h"

static struct arena arena;

static struct broker_config *load(const char *text)
{
	struct properties properties;
	struct broker_config *config = NULL;
	struct error err = {0};

	properties_init(&properties);
	ck_assert_int_eq(properties_parse(&properties, slice_of_text(text), "f", &err), 0);
	ck_assert_int_eq(properties_set(&properties, "zookeeper.connect=z", "--set", &err), 0);
	ck_assert_msg(broker_config_load(&properties, NULL, &config, &err) == 0, "%s", err.text);
	properties_fini(&properties);
	return config;
}

static struct config_pairs pair(const char *key, const char *value)
{
	struct config_pair *list = arena_alloc(&arena, sizeof *list);

	*list = (struct config_pair){slice_of_text(key), slice_of_text(value)};
	return (struct config_pairs){list, 1};
}

START_TEST(rows_are_kafkas_and_ours)
{
	const struct config_table *table = topic_config_table();

	ck_assert_int_eq(table->n_rows, 37);
	for (int i = 1; i < table->n_rows; i++)
		ck_assert_int_lt(strcmp(table->rows[i - 1].name, table->rows[i].name), 0);
	for (int i = 0; i < table->n_rows; i++) {
		int n;
		const struct topic_config_synonym *synonym = topic_config_synonyms(table->rows[i].name, &n);

		for (int j = 0; j < n; j++) {
			int row = config_table_find(broker_config_table(), slice_of_text(synonym[j].broker_key));

			ck_assert_str_eq(synonym[j].topic_key, table->rows[i].name);
			ck_assert_int_ge(row, 0);
			if (j == 0 && n == 1)
				ck_assert_int_eq(broker_config_table()->rows[row].type, table->rows[i].type);
		}
	}
}
END_TEST

START_TEST(overrides_stand_above_the_brokers_defaults)
{
	struct broker_config *broker = load("log.roll.hours=2\nlog.retention.ms=-1\nlog.flush.scheduler.interval.ms=500\n");
	struct topic_config config;
	const char *bad;

	arena_init(&arena);
	topic_config_compute(broker, (struct config_pairs){NULL, 0}, &arena, &config, &bad);
	ck_assert_ptr_null(bad);
	ck_assert_int_eq(config.segment_ms, 7200000);
	ck_assert_int_eq(config.retention_ms, -1);
	ck_assert_int_eq(config.flush_ms, 500);
	ck_assert(config.cleanup_delete && !config.cleanup_compact);
	ck_assert_int_eq(config.compression, TOPIC_COMPRESSION_PRODUCER);
	ck_assert_int_eq(config.durability, TOPIC_PAGE_CACHE);
	topic_config_compute(broker, pair("cleanup.policy", "compact, delete"), &arena, &config, NULL);
	ck_assert(config.cleanup_delete && config.cleanup_compact);
	topic_config_compute(broker, pair("compression.type", "zstd"), &arena, &config, NULL);
	ck_assert_int_eq(config.compression, TOPIC_COMPRESSION_ZSTD);
	topic_config_compute(broker, pair("message.timestamp.type", "LogAppendTime"), &arena, &config, NULL);
	ck_assert(config.timestamp_log_append);
	topic_config_compute(broker, pair("klamm.durability", "fsync-isr"), &arena, &config, NULL);
	ck_assert_int_eq(config.durability, TOPIC_FSYNC_ISR);
	broker_config_release(broker);
	arena_fini(&arena);
}
END_TEST

START_TEST(a_bad_override_is_left_out_and_named)
{
	struct broker_config *broker = load("");
	struct topic_config config;
	const char *bad;

	arena_init(&arena);
	topic_config_compute(broker, pair("segment.bytes", "3"), &arena, &config, &bad);
	ck_assert_str_eq(bad, "segment.bytes");
	ck_assert_int_eq(config.segment_bytes, 1073741824);
	topic_config_compute(broker, pair("no.such.key", "3"), &arena, &config, &bad);
	ck_assert_str_eq(bad, "no.such.key");
	broker_config_release(broker);
	arena_fini(&arena);
}
END_TEST

START_TEST(limits_on_time_stamps_take_the_older_key_where_the_newer_is_not_set)
{
	struct broker_config *broker = load("");
	struct topic_config config;

	arena_init(&arena);
	topic_config_compute(broker, pair("message.timestamp.difference.max.ms", "9"), &arena, &config, NULL);
	ck_assert_int_eq(topic_config_timestamp_before_max_ms(&config), 9);
	ck_assert_int_eq(topic_config_timestamp_after_max_ms(&config), 9);
	topic_config_compute(broker, pair("message.timestamp.after.max.ms", "4"), &arena, &config, NULL);
	ck_assert_int_eq(topic_config_timestamp_before_max_ms(&config), INT64_MAX);
	ck_assert_int_eq(topic_config_timestamp_after_max_ms(&config), 4);
	broker_config_release(broker);
	arena_fini(&arena);
}
END_TEST

START_TEST(checks_refuse_as_kafka_does)
{
	static const struct {
		const char *key, *value, *refusal;
	} cases[] = {
		{"retention.ms", "5", NULL},
		{"cleanup.policy", "", NULL},
		{"min.insync.replicas", "5", NULL},
		{"retention.bytes", "-5", NULL},
		{"foo", "1", "Unknown topic config name: foo"},
		{"", "1", "Unknown topic config name: "},
		{"segment.bytes", "13", "Invalid value 13 for configuration segment.bytes: Value must be at least 14"},
		{"compression.zstd.level", "23", "Invalid value 23 for configuration compression.zstd.level: Value must be no more than 22"},
		{"klamm.durability", "never", "Invalid value never for configuration klamm.durability: String must be one of: page-cache, "
					      "fsync-isr"},
		{"max.compaction.lag.ms", "9223372036854775807", NULL},
		{"remote.storage.enable", "true",
		 "Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage."},
		{"remote.log.copy.disable", "true",
		 "It is invalid to set `remote.log.delete.on.disable` or `remote.log.copy.disable` under Zookeeper's mode."},
		{"remote.log.delete.on.disable", "false", NULL},
	};
	const struct config_pair conflict[] = {{SLICE_LITERAL("max.compaction.lag.ms"), SLICE_LITERAL("5")},
					       {SLICE_LITERAL("min.compaction.lag.ms"), SLICE_LITERAL("10")}};
	struct broker_config *broker = load("");
	const char *refusal;

	arena_init(&arena);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		bool fine = topic_config_check(broker, pair(cases[i].key, cases[i].value), &arena, &refusal);

		ck_assert_msg(fine == !cases[i].refusal, "%s=%s", cases[i].key, cases[i].value);
		if (!fine)
			ck_assert_str_eq(refusal, cases[i].refusal);
	}
	ck_assert(!topic_config_check(broker, (struct config_pairs){conflict, 2}, &arena, &refusal));
	ck_assert_str_eq(refusal, "conflict topic config setting min.compaction.lag.ms (10) > max.compaction.lag.ms (5)");
	broker_config_release(broker);
	arena_fini(&arena);
}
END_TEST

UNIT_MAIN("broker/meta/topic_config", rows_are_kafkas_and_ours, overrides_stand_above_the_brokers_defaults,
	  a_bad_override_is_left_out_and_named, limits_on_time_stamps_take_the_older_key_where_the_newer_is_not_set,
	  checks_refuse_as_kafka_does)
