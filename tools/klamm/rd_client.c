/* Setting up librdkafka; see rd_client.h. */
#include "tools/klamm/rd_client.h"

#include "common/properties.h"
#include "tools/klamm/client_options.h"

#include <string.h>

#define LEARN_TIMEOUT_MS 5000

/* Keys of Java's clients that have no meaning here: serializers are bytes, the rest is how the JVM works. */
static bool is_java_only(const char *key)
{
	static const char *const keys[] = {
		"key.serializer",   "value.serializer",    "key.deserializer",         "value.deserializer", "buffer.memory",
		"max.block.ms",     "partitioner.class",   "interceptor.classes",      "metric.reporters",   "batch.size",
		"max.request.size", "delivery.timeout.ms", "auto.include.jmx.reporter"};

	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
		if (strcmp(keys[i], key) == 0)
			return true;
	return false;
}

int rd_conf_set(struct run *run, rd_kafka_conf_t *conf, const char *key, const char *value, struct error *err)
{
	char why[400];

	switch (rd_kafka_conf_set(conf, key, value, why, sizeof why)) {
	case RD_KAFKA_CONF_OK:
		return RUN_OK;
	case RD_KAFKA_CONF_UNKNOWN:
		if (!is_java_only(key))
			return run_usage(err, "there is no client property '%s'", key);
		run_note(run, "%s is left aside: it has no meaning here", key);
		return RUN_OK;
	default:
		return run_usage(err, "%s=%s: %s", key, value, why);
	}
}

/* Only what goes wrong for good is told; what librdkafka mends by itself is not. */
static void on_log(const rd_kafka_t *client, int level, const char *facility, const char *text)
{
	(void)client;
	(void)facility;
	if (level <= 2)
		fprintf(stderr, "klamm: %s\n", text);
}

static int file_read(struct run *run, rd_kafka_conf_t *conf, const char *path, struct error *err)
{
	struct properties properties;
	int r = RUN_OK;

	properties_init(&properties);
	if (properties_read_file(&properties, path, err) != 0)
		r = RUN_USAGE;
	for (int i = 0; i < properties.n && r == RUN_OK; i++)
		r = rd_conf_set(run, conf, (const char *)properties.list[i].key.data,
				(const char *)properties.list[i].value.data, err);
	properties_fini(&properties);
	return r;
}

static int property_set(struct run *run, rd_kafka_conf_t *conf, const char *text, struct error *err)
{
	const char *equals = strchr(text, '=');

	if (!equals || equals == text)
		return run_usage(err, "'%s': write NAME=VALUE", text);
	return rd_conf_set(run, conf, arena_printf(&run->arena, "%.*s", (int)(equals - text), text), equals + 1, err);
}

int rd_conf_properties(struct run *run, rd_kafka_conf_t *conf, const char *file_option, const char *property_option,
		       struct error *err)
{
	const char *text;
	int r = RUN_OK;

	if (file_option && args_has(&run->args, file_option))
		r = file_read(run, conf, args_text(&run->args, file_option, NULL), err);
	for (int i = 0; property_option && r == RUN_OK && (text = args_text_at(&run->args, property_option, i)); i++)
		r = property_set(run, conf, text, err);
	return r;
}

int rd_conf_new(struct run *run, rd_kafka_conf_t **ret_conf, struct error *err)
{
	struct kafka_client_config config = {0};
	rd_kafka_conf_t *conf;
	int r = client_options_read(run, &config, err);

	if (r == RUN_OK)
		r = run_client(run, err);
	if (r != RUN_OK)
		return r;
	conf = rd_kafka_conf_new();
	rd_kafka_conf_set_log_cb(conf, on_log);
	r = rd_conf_set(run, conf, "bootstrap.servers", config.bootstrap, err);
	if (r == RUN_OK)
		r = rd_conf_set(run, conf, "client.id", config.client_id, err);
	if (r != RUN_OK) {
		rd_kafka_conf_destroy(conf);
		return r;
	}
	*ret_conf = conf;
	return RUN_OK;
}

int rd_client_new(rd_kafka_type_t type, rd_kafka_conf_t *conf, rd_kafka_t **ret_client, struct error *err)
{
	char why[400];

	*ret_client = rd_kafka_new(type, conf, why, sizeof why);
	if (*ret_client)
		return RUN_OK;
	rd_kafka_conf_destroy(conf);
	return run_usage(err, "%s", why);
}

void rd_leaders_learn(rd_kafka_t *client, rd_kafka_topic_t *topic)
{
	const struct rd_kafka_metadata *metadata;

	if (rd_kafka_metadata(client, 0, topic, &metadata, LEARN_TIMEOUT_MS) == RD_KAFKA_RESP_ERR_NO_ERROR)
		rd_kafka_metadata_destroy(metadata);
}
