/* DescribeConfigs beside the answers of a real broker (test/golden/config_*.txt). */
#include "test/lib/unit.h"

#include "broker/meta/describe_configs_core.h"
#include "common/memory.h"

#include <stdio.h>
#include <stdlib.h>

static struct arena arena;

static struct broker_config *load(const char *name)
{
	const char *path = arena_printf(&arena, "%s/test/golden/%s", unit_source_dir(), name);
	struct properties properties;
	struct broker_config *config = NULL;
	struct error err = {0};

	properties_init(&properties);
	ck_assert_int_eq(properties_read_file(&properties, path, &err), 0);
	ck_assert_msg(broker_config_load(&properties, NULL, &config, &err) == 0, "%s", err.text);
	properties_fini(&properties);
	return config;
}

static const char *text_of(struct slice s)
{
	return slice_is_null(s) ? "<null>" : arena_printf(&arena, "%.*s", SLICE_ARGS(s));
}

/* An entry as a line of the golden files. */
static const char *line_of(const struct config_entry *entry)
{
	const char *line = arena_printf(&arena, "%s|%s|%d|%d|%s|%s|", text_of(entry->name), text_of(entry->value), entry->type,
					entry->source, entry->read_only ? "ro" : "rw", entry->sensitive ? "sensitive" : "-");

	for (int i = 0; i < entry->n_synonyms; i++)
		line = arena_printf(&arena, "%s%s%s=%s:%d", line, i ? ";" : "", text_of(entry->synonyms[i].name),
				    text_of(entry->synonyms[i].value), entry->synonyms[i].source);
	return line;
}

/* Lines of Kafka whose default is another one here; README says why. */
static const char *our_default(const char *line)
{
	static const char *const others[][2] = {
		{"zookeeper.session.timeout.ms|18000|3|5|ro|-|zookeeper.session.timeout.ms=18000:5",
		 "zookeeper.session.timeout.ms|6000|3|5|ro|-|zookeeper.session.timeout.ms=6000:5"},
	};

	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		if (strcmp(line, others[i][0]) == 0)
			return others[i][1];
	return line;
}

/* Entries that Kafka has, in order, equal the lines of a section (NULL: the whole file). Ours begin with "klamm.". */
static void check_golden(const char *file, const char *section, const struct config_entries *entries)
{
	const char *path = arena_printf(&arena, "%s/test/golden/%s", unit_source_dir(), file);
	FILE *golden = fopen(path, "r");
	bool in_section = !section;
	char *line = NULL;
	size_t cap = 0;
	int i = 0;

	ck_assert_ptr_nonnull(golden);
	while (getline(&line, &cap, golden) > 0) {
		line[strcspn(line, "\n")] = 0;
		if (line[0] == '[')
			in_section = section && strncmp(line + 1, section, strlen(section)) == 0;
		if (line[0] == '[' || line[0] == '#' || !in_section)
			continue;
		while (i < entries->n && strncmp(text_of(entries->list[i].name), "klamm.", 6) == 0)
			i++;
		ck_assert_int_lt(i, entries->n);
		ck_assert_str_eq(line_of(&entries->list[i++]), our_default(line));
	}
	while (i < entries->n && strncmp(text_of(entries->list[i].name), "klamm.", 6) == 0)
		i++;
	ck_assert_int_eq(i, entries->n);
	free(line);
	fclose(golden);
}

/* The broker of config_layers.txt. */
static struct broker_config *load_layers(void)
{
	static const struct config_pair all[] = {
		{SLICE_LITERAL("foo.dyn"), SLICE_LITERAL("q")},
		{SLICE_LITERAL("log.retention.ms"), SLICE_LITERAL("111111111")},
		{SLICE_LITERAL("log.segment.bytes"), SLICE_LITERAL("1000001")},
		{SLICE_LITERAL("message.max.bytes"), SLICE_LITERAL("77777")},
	};
	static const struct config_pair one[] = {
		{SLICE_LITERAL("log.retention.ms"), SLICE_LITERAL("222222222")},
		{SLICE_LITERAL("num.io.threads"), SLICE_LITERAL("5")},
		{SLICE_LITERAL("foo.dynb"), SLICE_LITERAL("q")},
		{SLICE_LITERAL("listener.name.plaintext.max.connections"), SLICE_LITERAL("7")},
		{SLICE_LITERAL("min.insync.replicas"), SLICE_LITERAL("2")},
		{SLICE_LITERAL("leader.replication.throttled.rate"), SLICE_LITERAL("1000")},
	};
	struct broker_config *base = load("config_layers.properties");
	struct broker_config *config = broker_config_derive(base, config_pairs_sorted(&arena, all, ARRAY_LEN(all)),
							    config_pairs_sorted(&arena, one, ARRAY_LEN(one)), NULL);

	broker_config_release(base);
	return config;
}

START_TEST(a_broker_is_described_as_kafka_does)
{
	struct broker_config *config;
	struct config_entries entries;

	arena_init(&arena);
	config = load("config_broker.properties");
	describe_broker_configs(config, NULL, -1, &arena, &entries);
	check_golden("config_broker.txt", NULL, &entries);
	for (int i = 0; i < entries.n; i++)
		ck_assert(entries.list[i].doc && entries.list[i].is_default == (entries.list[i].source == CONFIG_SOURCE_DEFAULT));
	broker_config_release(config);
	arena_fini(&arena);
}
END_TEST

START_TEST(layers_and_unknown_keys_are_described_as_kafka_does)
{
	struct broker_config *config;
	struct config_entries entries;

	arena_init(&arena);
	config = load_layers();
	describe_broker_configs(config, NULL, -1, &arena, &entries);
	check_golden("config_layers.txt", "broker", &entries);
	describe_default_broker_configs(config, NULL, -1, &arena, &entries);
	check_golden("config_layers.txt", "default", &entries);
	broker_config_release(config);
	arena_fini(&arena);
}
END_TEST

START_TEST(topics_are_described_as_kafka_does)
{
	static const struct config_pair overrides[] = {{SLICE_LITERAL("cleanup.policy"), SLICE_LITERAL("compact")},
						       {SLICE_LITERAL("retention.ms"), SLICE_LITERAL("5")}};
	struct broker_config *config;
	struct config_entries entries;

	arena_init(&arena);
	config = load("config_broker.properties");
	describe_topic_configs(config, (struct config_pairs){NULL, 0}, NULL, -1, &arena, &entries);
	check_golden("config_topic.txt", "plain", &entries);
	broker_config_release(config);
	config = load_layers();
	describe_topic_configs(config, (struct config_pairs){overrides, 2}, NULL, -1, &arena, &entries);
	check_golden("config_topic.txt", "overrides", &entries);
	broker_config_release(config);
	arena_fini(&arena);
}
END_TEST

START_TEST(only_the_named_keys_are_answered)
{
	const struct slice keys[] = {SLICE_LITERAL("retention.ms"), SLICE_LITERAL("nonsense"), SLICE_LITERAL("klamm.durability")};
	const struct slice broker_keys[] = {SLICE_LITERAL("broker.id"), SLICE_LITERAL("group.share.enable"), SLICE_LITERAL("foo.bar")};
	struct broker_config *config;
	struct config_entries entries;

	arena_init(&arena);
	config = load("config_layers.properties");
	describe_topic_configs(config, (struct config_pairs){NULL, 0}, keys, 3, &arena, &entries);
	ck_assert_int_eq(entries.n, 2);
	ck_assert_str_eq(text_of(entries.list[0].name), "klamm.durability");
	describe_topic_configs(config, (struct config_pairs){NULL, 0}, keys, 0, &arena, &entries);
	ck_assert_int_eq(entries.n, 0);
	/* Kafka does not show its internal keys. */
	describe_broker_configs(config, broker_keys, 3, &arena, &entries);
	ck_assert_int_eq(entries.n, 2);
	broker_config_release(config);
	arena_fini(&arena);
}
END_TEST

UNIT_MAIN("broker/meta/describe_configs_core", a_broker_is_described_as_kafka_does,
	  layers_and_unknown_keys_are_described_as_kafka_does, topics_are_described_as_kafka_does, only_the_named_keys_are_answered)
