/* Broker configurations: the table, loading, errors and warnings, dynamic layers. */
#include "test/lib/unit.h"

#include "broker/meta/broker_config.h"
#include "common/memory.h"

#include <stdio.h>
#include <stdlib.h>

static struct arena notes_arena;
static char notes[4096];
static struct error err;

static void note(void *ctx, const char *text)
{
	(void)ctx;
	strncat(notes, text, sizeof notes - strlen(notes) - 2);
	strcat(notes, "\n");
}

static const struct config_warnings warnings = {note, NULL};

/* Loads text after the least that a broker needs; NULL when it is refused (err is set). */
static struct broker_config *load(const char *text)
{
	struct properties properties;
	struct broker_config *config = NULL;
	int rc;

	notes[0] = 0;
	properties_init(&properties);
	ck_assert_int_eq(properties_parse(&properties, SLICE_LITERAL("zookeeper.connect=zk:2181\n"), "base", &err), 0);
	ck_assert_int_eq(properties_parse(&properties, slice_of_text(text), "server.properties", &err), 0);
	rc = broker_config_load(&properties, &warnings, &config, &err);
	properties_fini(&properties);
	ck_assert_int_eq(rc == 0, config != NULL);
	ck_assert(rc == 0 || rc == ERR_CONFIG);
	return config;
}

static struct config_pairs pairs_of(const struct config_pair *list, int n)
{
	return config_pairs_sorted(&notes_arena, list, n);
}

START_TEST(rows_are_sorted_and_complete)
{
	const struct config_table *table = broker_config_table();

	for (int i = 0; i < table->n_rows; i++) {
		const struct config_row *row = &table->rows[i];

		if (i > 0)
			ck_assert_int_lt(strcmp(table->rows[i - 1].name, row->name), 0);
		ck_assert_msg(row->doc && row->doc[strlen(row->doc) - 1] == '.', "%s", row->name);
		ck_assert_msg(!config_is_sensitive(row) || !row->fallback, "%s", row->name);
		ck_assert_msg(row->offset == CONFIG_NO_FIELD || row->offset < sizeof(struct broker_config), "%s", row->name);
	}
}
END_TEST

START_TEST(defaults_stand_in_typed_fields)
{
	struct broker_config *config = load("");

	ck_assert_ptr_nonnull(config);
	ck_assert_int_eq(config->broker_id, -1);
	ck_assert_int_eq(config->socket_request_max_bytes, 104857600);
	ck_assert_int_eq(config->connections_max_idle_ms, 600000);
	ck_assert(config->auto_create_topics_enable);
	ck_assert_int_eq(config->zookeeper_connection_timeout_ms, 6000);
	ck_assert_ptr_null(config->broker_rack);
	ck_assert_int_eq(config->n_log_dirs, 1);
	ck_assert_str_eq(config->log_dir_list[0], "/tmp/kafka-logs");
	ck_assert_int_eq(config->listener_list.n, 1);
	ck_assert_int_eq(config->listener_list.inter_broker->port, 9092);
	ck_assert_int_eq(config->topic_defaults.retention_ms, 604800000);
	ck_assert_str_eq(notes, "");
	broker_config_release(config);
	broker_config_release(NULL);
}
END_TEST

START_TEST(a_usual_file_is_read)
{
	struct broker_config *config = load("broker.id=3\nlisteners=PLAINTEXT://:19092\nlog.dirs=/a, /b\nlog.retention.hours=2\n"
					    "log.segment.bytes=1000\nbroker.rack=r1\nmin.insync.replicas=2\nklamm.durability=fsync-isr\n");

	ck_assert_ptr_nonnull(config);
	ck_assert_int_eq(config->broker_id, 3);
	ck_assert_int_eq(config->node_id, 3);
	ck_assert_int_eq(config->n_log_dirs, 2);
	ck_assert_str_eq(config->log_dir_list[1], "/b");
	ck_assert_str_eq(config->broker_rack, "r1");
	ck_assert_int_eq(config->topic_defaults.retention_ms, 7200000);
	ck_assert_int_eq(config->topic_defaults.segment_bytes, 1000);
	ck_assert_int_eq(config->topic_defaults.min_insync_replicas, 2);
	ck_assert_int_eq(config->topic_defaults.durability, TOPIC_FSYNC_ISR);
	ck_assert_str_eq(notes, "");
	broker_config_release(config);
}
END_TEST

START_TEST(errors_name_place_key_value_and_what_may_stand_there)
{
	static const struct {
		const char *text, *error;
	} cases[] = {
		{"\nnum.partitions=x", "server.properties:2: num.partitions=x: Invalid value x for configuration num.partitions: Not a number "
				       "of type INT; expected an integer of 32 bits, at least 1"},
		{"compression.type=foo", "server.properties:1: compression.type=foo: Invalid value foo for configuration compression.type: "
					 "String must be one of: uncompressed, zstd, lz4, snappy, gzip, producer; expected one of: "
					 "uncompressed, zstd, lz4, snappy, gzip, producer"},
		{"broker.id=1001", "server.properties:1: broker.id=1001: must be from -1 to reserved.broker.max.id, since "
				   "broker.id.generation.enable is true"},
		{"broker.id.generation.enable=false", "broker.id=-1 (not set in the file): must be at least 0, since "
						      "broker.id.generation.enable is false"},
		{"broker.id=1\nnode.id=2", "server.properties:2: node.id=2: must be the same as broker.id, which is another name of it"},
		{"zookeeper.connect=", "server.properties:1: zookeeper.connect=: expected host:port[,host:port...][/path] of the ZooKeeper "
				       "servers"},
		{"log.retention.hours=0", "server.properties:1: log.retention.hours=0: must be unlimited (-1) or at least 1"},
		{"log.dirs=/a,/a", "server.properties:1: log.dirs=/a,/a: a directory stands twice"},
		{"listeners=SSL://:9093\nsecurity.inter.broker.protocol=SSL",
		 "listener.security.protocol.map=SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT (not set in the "
		 "file): listener SSL has security protocol SSL, but this version of Klamm serves PLAINTEXT only"},
		{"authorizer.class.name=kafka.security.authorizer.AclAuthorizer",
		 "server.properties:1: authorizer.class.name=kafka.security.authorizer.AclAuthorizer: Klamm does not enforce ACLs yet, and "
		 "ignoring the authorizer would open the cluster; remove the key"},
		{"process.roles=broker", "server.properties:1: process.roles=broker: Klamm is coordinated by ZooKeeper and has no KRaft "
					 "roles; remove the key"},
		{"inter.broker.protocol.version=2.8", "server.properties:1: inter.broker.protocol.version=2.8: must be at least 3.3: Klamm "
						      "writes the formats of Kafka 3.9"},
		{"max.connections.per.ip.overrides=a:b", "server.properties:1: max.connections.per.ip.overrides=a:b: expected address:number, "
							 "separated by commas"},
		{"klamm.metrics.listener=:9404", "server.properties:1: klamm.metrics.listener=:9404: expected one host:port, as "
						 "127.0.0.1:9404 or [::1]:9404, or nothing"},
		{"offsets.commit.required.acks=1", "server.properties:1: offsets.commit.required.acks=1: must be -1: Klamm stores offsets on "
						   "all in-sync replicas"},
		{"log.cleaner.dedupe.buffer.size=100", "server.properties:1: log.cleaner.dedupe.buffer.size=100: must be more than 1 MiB for "
						       "each of log.cleaner.threads"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		ck_assert_ptr_null(load(cases[i].text));
		ck_assert_str_eq(err.text, cases[i].error);
	}
}
END_TEST

START_TEST(a_missing_zookeeper_address_is_an_error)
{
	struct properties properties;
	struct broker_config *config = NULL;

	properties_init(&properties);
	ck_assert_int_eq(broker_config_load(&properties, NULL, &config, &err), ERR_CONFIG);
	ck_assert_ptr_nonnull(strstr(err.text, "zookeeper.connect=(not set) (not set in the file)"));
	properties_fini(&properties);
}
END_TEST

START_TEST(secrets_are_not_shown_in_errors)
{
	/* No check of ours reads a password, so one is never at fault; what is odd about it is told without it. */
	struct broker_config *config = load("password.encoder.secret=geheim\npassword.encoder.secret=geheim2\nssl.key.password=geheim3\n");

	ck_assert_ptr_nonnull(config);
	ck_assert_ptr_null(strstr(notes, "geheim"));
	ck_assert_str_eq(config->password_encoder_secret, "geheim2");
	broker_config_release(config);
}
END_TEST

START_TEST(what_is_odd_is_warned_about)
{
	struct broker_config *config = load("log.retentoin.ms=5\nfoo.bar.baz=1\nnum.io.threads=16\nnum.network.threads=3\n"
					    "num.partitions=1\nnum.partitions=2\nlistener.name.plaintext.max.connections=4\n"
					    "auto.leader.rebalance.enable=false\n");

	ck_assert_ptr_nonnull(config);
	ck_assert_str_eq(notes, "server.properties:1: unknown key log.retentoin.ms; did you mean log.retention.ms?\n"
				"server.properties:2: unknown key foo.bar.baz\n"
				"server.properties:6: num.partitions was set before in line 5; this value counts\n"
				"server.properties:7: listener.name.plaintext.max.connections has no effect in Klamm yet\n"
				"server.properties:8: auto.leader.rebalance.enable has no effect on brokers: set it in klamm-controller's file\n"
				"server.properties:3: num.io.threads has no effect in Klamm\n");
	ck_assert_int_eq(config->num_partitions, 2);
	broker_config_release(config);
}
END_TEST

START_TEST(dynamic_layers_stand_above_the_file)
{
	const struct config_pair all[] = {{SLICE_LITERAL("log.retention.ms"), SLICE_LITERAL("1000")},
					  {SLICE_LITERAL("max.connections"), SLICE_LITERAL("10")},
					  {SLICE_LITERAL("message.max.bytes"), SLICE_LITERAL("77")}};
	const struct config_pair one[] = {{SLICE_LITERAL("max.connections"), SLICE_LITERAL("20")},
					  {SLICE_LITERAL("num.partitions"), SLICE_LITERAL("9")},
					  {SLICE_LITERAL("message.max.bytes"), SLICE_LITERAL("bad")},
					  {SLICE_LITERAL("listeners"), SLICE_LITERAL("X://:1")}};
	struct config_pairs none = {NULL, 0};
	struct broker_config *base, *first, *second;

	arena_init(&notes_arena);
	base = load("log.retention.minutes=10\nmax.connections=5\n");
	first = broker_config_derive(base, pairs_of(all, 3), pairs_of(one, 4), &warnings);
	ck_assert_int_eq(base->max_connections, 5);
	ck_assert_int_eq(base->topic_defaults.retention_ms, 600000);
	ck_assert_int_eq(first->max_connections, 20);
	ck_assert_int_eq(first->num_partitions, 1);
	ck_assert_int_eq(first->topic_defaults.retention_ms, 1000);
	ck_assert_int_eq(first->topic_defaults.max_message_bytes, 77);
	ck_assert_str_eq(first->listeners, "PLAINTEXT://:9092");
	ck_assert_ptr_nonnull(strstr(notes, "dynamic configuration is not used: Invalid value bad for configuration message.max.bytes"));
	first->broker_id = 1001;
	broker_config_release(base);
	second = broker_config_derive(first, none, none, NULL);
	broker_config_release(first);
	ck_assert_int_eq(second->max_connections, 5);
	ck_assert_int_eq(second->topic_defaults.retention_ms, 600000);
	ck_assert_int_eq(second->broker_id, 1001);
	broker_config_release(second);
	arena_fini(&notes_arena);
}
END_TEST

START_TEST(the_example_loads_without_a_warning_and_names_only_known_keys)
{
	char *path = memory_printf("%s/broker/server.properties.example", unit_source_dir());
	const struct config_warnings strict = {note, NULL};
	struct broker_config *config = NULL;
	struct properties properties;
	FILE *file = fopen(path, "r");
	char line[512];

	notes[0] = 0;
	properties_init(&properties);
	ck_assert_int_eq(properties_read_file(&properties, path, &err), 0);
	ck_assert_msg(broker_config_load(&properties, &strict, &config, &err) == 0, "%s", err.text);
	ck_assert_str_eq(notes, "");
	/* What is commented out is meant to be tried: "#key=value". */
	ck_assert_ptr_nonnull(file);
	while (fgets(line, sizeof line, file)) {
		size_t len = strcspn(line, "=");

		if (line[0] == '#' && line[1] >= 'a' && line[1] <= 'z' && line[len] == '=')
			ck_assert_msg(config_table_find(broker_config_table(), slice_of(line + 1, len - 1)) >= 0, "%s", line);
	}
	fclose(file);
	broker_config_release(config);
	properties_fini(&properties);
	free(path);
}
END_TEST

UNIT_MAIN("broker/meta/broker_config", rows_are_sorted_and_complete, defaults_stand_in_typed_fields, a_usual_file_is_read,
	  errors_name_place_key_value_and_what_may_stand_there, a_missing_zookeeper_address_is_an_error, secrets_are_not_shown_in_errors,
	  what_is_odd_is_warned_about, dynamic_layers_stand_above_the_file,
	  the_example_loads_without_a_warning_and_names_only_known_keys)
