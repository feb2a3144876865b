/*
 * A configuration file: any bytes are read, or refused with their line; what is read is loaded as a broker's configuration, described,
 * and laid over another one as dynamic overrides.
 */
#include "test/fuzz/fuzz.h"

#include "broker/meta/broker_config.h"
#include "broker/meta/describe_configs_core.h"
#include "common/check.h"

static void ignore(void *ctx, const char *text)
{
	(void)ctx;
	CHECK(text);
}

/* The same keys as overrides of a topic and of a broker, as they might stand in ZooKeeper. */
static void use_as_overrides(const struct broker_config *config, const struct properties *properties, struct arena *arena)
{
	const struct config_warnings warnings = {ignore, NULL};
	struct config_pair *pairs = arena_alloc(arena, (size_t)properties->n * sizeof *pairs);
	struct config_entries entries;
	struct topic_config topic;
	struct config_pairs sorted;
	struct broker_config *derived;
	const char *text;

	for (int i = 0; i < properties->n; i++)
		pairs[i] = (struct config_pair){properties->list[i].key, properties->list[i].value};
	sorted = config_pairs_sorted(arena, pairs, properties->n);
	topic_config_compute(config, sorted, arena, &topic, &text);
	topic_config_check(config, sorted, arena, &text);
	broker_config_check_dynamic(config, sorted, false, arena, &text);
	derived = broker_config_derive(config, sorted, sorted, &warnings);
	describe_broker_configs(derived, NULL, -1, arena, &entries);
	describe_topic_configs(derived, sorted, NULL, -1, arena, &entries);
	broker_config_release(derived);
}

static int load(const struct properties *properties, struct broker_config **ret_config)
{
	const struct config_warnings warnings = {ignore, NULL};
	struct error err = {0};
	int rc = broker_config_load(properties, &warnings, ret_config, &err);

	CHECK(rc == 0 || (rc == ERR_CONFIG && err.text[0]));
	return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct properties properties, plain;
	struct broker_config *config = NULL;
	struct error err = {0};
	struct arena arena;

	arena_init(&arena);
	properties_init(&properties);
	properties_init(&plain);
	CHECK(properties_set(&plain, "zookeeper.connect=z", "--set", &err) == 0);
	if (properties_parse(&properties, slice_of(data, len), "fuzz", &err) == 0) {
		if (load(&properties, &config) == 0)
			broker_config_release(config);
		CHECK(load(&plain, &config) == 0);
		use_as_overrides(config, &properties, &arena);
		broker_config_release(config);
	} else {
		CHECK(err.code == ERR_CONFIG || err.code == ERR_TOO_LARGE);
	}
	properties_fini(&plain);
	properties_fini(&properties);
	arena_fini(&arena);
	return 0;
}
