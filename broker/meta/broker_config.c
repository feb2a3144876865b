/*
 * Loading and deriving of broker configurations; see broker_config.h.
 *
 *     load:    properties -> settings by row -> typed fields -> checks across keys (broker_config_check.c) -> listeners, log dirs,
 *              topic defaults
 *     derive:  typed fields of the file, dynamic layers on top -> topic defaults
 */
#include "broker/meta/broker_config.h"

#include "broker/meta/broker_config_check.h"
#include "common/check.h"
#include "common/memory.h"

#include <stdlib.h>

/* ---- Layers ---- */

/* Keys that set the same thing, each group in order of precedence, ended by NULL. */
static const char *const groups[][4] = {
	{"log.retention.ms", "log.retention.minutes", "log.retention.hours", NULL},
	{"log.roll.ms", "log.roll.hours", NULL, NULL},
	{"log.roll.jitter.ms", "log.roll.jitter.hours", NULL, NULL},
	{"log.flush.interval.ms", "log.flush.scheduler.interval.ms", NULL, NULL},
};

const char *const *broker_config_synonyms(struct slice key, int *ret_n)
{
	for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
		bool member = false;
		int n = 0;

		for (; n < 4 && groups[i][n]; n++)
			member |= slice_is_text(key, groups[i][n]);
		if (member) {
			*ret_n = n;
			return groups[i];
		}
	}
	*ret_n = 0;
	return NULL;
}

struct slice broker_config_listener_base(struct slice key)
{
	static const char prefix[] = "listener.name.";
	size_t at = sizeof prefix - 1;

	if (key.len < at || memcmp(key.data, prefix, at) != 0)
		return SLICE_NULL;
	while (at < key.len && key.data[at] != '.')
		at++;
	return at + 1 < key.len ? slice_of(key.data + at + 1, key.len - at - 1) : SLICE_NULL;
}

const struct config_row *broker_config_dynamic_row(struct slice key)
{
	static const struct config_row rows[] = {
		{.name = "follower.replication.throttled.rate",
		 .fallback = "9223372036854775807",
		 .type = CONFIG_LONG,
		 .check = CHECK_AT_LEAST,
		 .scope = CONFIG_CLUSTER,
		 .offset = CONFIG_NO_FIELD,
		 .doc = "Most bytes a second that throttled replicas of this broker follow with."},
		{.name = "leader.replication.throttled.rate",
		 .fallback = "9223372036854775807",
		 .type = CONFIG_LONG,
		 .check = CHECK_AT_LEAST,
		 .scope = CONFIG_CLUSTER,
		 .offset = CONFIG_NO_FIELD,
		 .doc = "Most bytes a second that this broker sends to throttled replicas."},
		{.name = "replica.alter.log.dirs.io.max.bytes.per.second",
		 .fallback = "9223372036854775807",
		 .type = CONFIG_LONG,
		 .check = CHECK_AT_LEAST,
		 .scope = CONFIG_CLUSTER,
		 .offset = CONFIG_NO_FIELD,
		 .doc = "Most bytes a second that are moved between log directories."},
	};
	static const struct config_table table = {rows, ARRAY_LEN(rows)};
	int row = config_table_find(&table, key);

	return row < 0 ? NULL : &rows[row];
}

/* Keys that say where the broker listens are read once; a dynamic value for them has no effect. */
static bool takes_dynamic(const struct config_row *row)
{
	return row->scope != CONFIG_STATIC && strcmp(row->name, "listeners") != 0 &&
	       strcmp(row->name, "advertised.listeners") != 0 && strcmp(row->name, "listener.security.protocol.map") != 0;
}

struct slice broker_config_layer(const struct broker_config *config, enum config_layer layer, struct slice key)
{
	int row = config_table_find(broker_config_table(), key);

	switch (layer) {
	case CONFIG_DYNAMIC_BROKER:
		return config_pairs_get(config->dynamic_broker, key);
	case CONFIG_DYNAMIC_DEFAULT:
		return config_pairs_get(config->dynamic_default, key);
	case CONFIG_FILE:
		return row < 0 ? config_pairs_get(config->extra, key) : config->settings[row].value;
	case CONFIG_FALLBACK:
	case CONFIG_LAYERS:
		break;
	}
	return row < 0 ? SLICE_NULL : slice_of_text(broker_config_table()->rows[row].fallback);
}

/* ---- Values and typed fields ---- */

static void set_value(struct broker_config *config, int row, const struct config_parsed *parsed)
{
	const struct config_row *rows = broker_config_table()->rows;
	struct slice *values = (struct slice *)(uintptr_t)config->values;

	values[row] = config_show(&rows[row], parsed, &config->arena);
	config_store(&rows[row], parsed, config);
}

static void set_fallback(struct broker_config *config, int row)
{
	const struct config_row *rows = broker_config_table()->rows;
	struct config_parsed parsed;
	const char *refusal;

	CHECK(config_parse(&rows[row], slice_of_text(rows[row].fallback), &config->arena, &parsed, &refusal));
	set_value(config, row, &parsed);
}

int broker_config_refuse(const struct broker_config *config, const char *key, const char *why, struct error *err)
{
	int row = config_table_find(broker_config_table(), slice_of_text(key));

	CHECK(row >= 0);
	return config_refuse(&broker_config_table()->rows[row], &config->settings[row], why, err);
}

static int parse_setting(struct broker_config *config, int row, struct error *err)
{
	struct config_parsed parsed;
	int rc = config_read(&broker_config_table()->rows[row], &config->settings[row], &config->arena, &parsed, err);

	if (!rc)
		set_value(config, row, &parsed);
	return rc;
}

/* ---- Loading ---- */

/* Keys of one listener are known by what stands behind their prefix. */
static bool is_listener_key(struct slice key)
{
	struct slice base = broker_config_listener_base(key);

	return !slice_is_null(base) && config_table_find(broker_config_table(), base) >= 0;
}

/* broker.id and node.id are one key with two names: each counts as set when the other is. */
static void copy_id(struct config_setting *settings, const char *from, const char *to)
{
	struct config_setting *target = &settings[config_table_find(broker_config_table(), slice_of_text(to))];

	if (slice_is_null(target->value))
		*target = settings[config_table_find(broker_config_table(), slice_of_text(from))];
}

static void gather(struct broker_config *config, const struct properties *properties, const struct config_warnings *warnings)
{
	const struct config_table *table = broker_config_table();
	struct config_setting *settings = arena_zalloc(&config->arena, (size_t)table->n_rows, sizeof *settings);

	config_gather(table, properties, is_listener_key, warnings, &config->arena, settings, &config->extra);
	copy_id(settings, "broker.id", "node.id");
	copy_id(settings, "node.id", "broker.id");
	config->settings = settings;
}

static void warn_without_effect(const struct broker_config *config, const struct config_warnings *warnings)
{
	const struct config_table *table = broker_config_table();

	for (int i = 0; i < table->n_rows; i++) {
		const struct config_setting *setting = &config->settings[i];

		if (slice_is_null(setting->value) || slice_equal(config->values[i], slice_of_text(table->rows[i].fallback)))
			continue;
		if (table->rows[i].no_effect)
			config_warn(warnings, "%s:%d: %s has no effect in Klamm", setting->origin, setting->line, table->rows[i].name);
		else if (table->rows[i].of_controller)
			config_warn(warnings, "%s:%d: %s has no effect on brokers: set it in klamm-controller's file", setting->origin,
				    setting->line, table->rows[i].name);
	}
}

static struct broker_config *config_new(void)
{
	struct broker_config *config = NEW(struct broker_config);

	refcount_init(&config->refs);
	arena_init(&config->arena);
	config->values = arena_zalloc(&config->arena, (size_t)broker_config_table()->n_rows, sizeof *config->values);
	return config;
}

static int parse_listeners(struct broker_config *config, struct error *err)
{
	int protocol = config_table_find(broker_config_table(), SLICE_LITERAL("security.inter.broker.protocol"));
	struct listeners_keys keys = {
		.listeners = slice_of_text(config->listeners),
		.advertised = slice_of_text(config->advertised_listeners),
		.protocol_map = slice_of_text(config->listener_security_protocol_map),
		.inter_broker_name = slice_of_text(config->inter_broker_listener_name),
		.inter_broker_protocol = slice_of_text(config->security_inter_broker_protocol),
		.inter_broker_protocol_is_set = !slice_is_null(config->settings[protocol].value),
	};
	const char *key, *refusal;

	if (!listeners_parse(&keys, &config->arena, &config->listener_list, &key, &refusal))
		return broker_config_refuse(config, key, refusal, err);
	return 0;
}

static int parse_log_dirs(struct broker_config *config, struct error *err)
{
	const char *key = config->log_dirs ? "log.dirs" : "log.dir";
	struct slice list = slice_of_text(config->log_dirs ? config->log_dirs : config->log_dir), element;
	const char **dirs = arena_alloc(&config->arena, (list.len + 1) * sizeof *dirs);

	for (size_t at = 0; config_list_next(list, &at, &element);) {
		if (!element.len)
			return broker_config_refuse(config, key, "a directory name is empty", err);
		for (int i = 0; i < config->n_log_dirs; i++)
			if (slice_is_text(element, dirs[i]))
				return broker_config_refuse(config, key, "a directory stands twice", err);
		dirs[config->n_log_dirs++] = (const char *)arena_copy(&config->arena, element).data;
	}
	if (!config->n_log_dirs)
		return broker_config_refuse(config, key, "at least one directory is needed", err);
	config->log_dir_list = dirs;
	return 0;
}

/* Fields whose default follows from another key. */
static void follow(struct broker_config *config)
{
	if (config->zookeeper_connection_timeout_ms < 0)
		config->zookeeper_connection_timeout_ms = config->zookeeper_session_timeout_ms;
	if (!config->delegation_token_secret_key)
		config->delegation_token_secret_key = config->delegation_token_master_key;
}

int broker_config_load(const struct properties *properties, const struct config_warnings *warnings,
		       struct broker_config **ret_config, struct error *err)
{
	const struct config_table *table = broker_config_table();
	struct broker_config *config = config_new();
	int rc = 0;

	gather(config, properties, warnings);
	for (int i = 0; i < table->n_rows && !rc; i++)
		rc = parse_setting(config, i, err);
	if (!rc)
		rc = broker_config_check(config, err);
	if (!rc)
		rc = parse_listeners(config, err);
	if (!rc)
		rc = parse_log_dirs(config, err);
	if (rc) {
		broker_config_release(config);
		return rc;
	}
	follow(config);
	topic_config_defaults(config, &config->arena, &config->topic_defaults);
	warn_without_effect(config, warnings);
	*ret_config = config;
	return 0;
}

/* ---- Deriving ---- */

static struct config_pairs copy_pairs(struct arena *arena, struct config_pairs pairs)
{
	struct config_pair *copy = arena_alloc(arena, (size_t)pairs.n * sizeof *copy);

	for (int i = 0; i < pairs.n; i++)
		copy[i] = (struct config_pair){arena_copy(arena, pairs.list[i].key), arena_copy(arena, pairs.list[i].value)};
	return config_pairs_sorted(arena, copy, pairs.n);
}

/* Whether a dynamic layer sets any of a group: then lower layers no longer count for the whole group, as in Kafka. */
static bool group_is_set(const struct broker_config *config, enum config_layer layer, struct slice key)
{
	int n;
	const char *const *names = broker_config_synonyms(key, &n);

	for (int i = 0; i < n; i++)
		if (!slice_is_null(broker_config_layer(config, layer, slice_of_text(names[i]))))
			return true;
	return false;
}

/* Puts the highest dynamic value that passes its check over that of the file. */
static void derive_row(struct broker_config *config, int row, const struct config_warnings *warnings)
{
	const struct config_row *facts = &broker_config_table()->rows[row];
	struct slice key = slice_of_text(facts->name);

	for (int layer = CONFIG_DYNAMIC_BROKER; layer <= CONFIG_DYNAMIC_DEFAULT; layer++) {
		struct slice value = broker_config_layer(config, (enum config_layer)layer, key);
		struct config_parsed parsed;
		const char *refusal;

		if (!slice_is_null(value) && takes_dynamic(facts)) {
			if (config_parse(facts, value, &config->arena, &parsed, &refusal)) {
				set_value(config, row, &parsed);
				return;
			}
			config_warn(warnings, "dynamic configuration is not used: %s", refusal);
		}
		if (group_is_set(config, (enum config_layer)layer, key)) {
			set_fallback(config, row);
			return;
		}
	}
}

static void parse_file_row(struct broker_config *config, int row)
{
	struct config_parsed parsed;
	const char *refusal;

	/* It passed when the file was loaded. */
	if (slice_is_null(config->settings[row].value))
		set_fallback(config, row);
	else if (config_parse(&broker_config_table()->rows[row], config->settings[row].value, &config->arena, &parsed, &refusal))
		set_value(config, row, &parsed);
}

struct broker_config *broker_config_derive(const struct broker_config *config, struct config_pairs dynamic_default,
					   struct config_pairs dynamic_broker, const struct config_warnings *warnings)
{
	const struct broker_config *base = config->base ? config->base : config;
	struct broker_config *derived = config_new();

	derived->base = broker_config_retain(base);
	derived->settings = base->settings;
	derived->extra = base->extra;
	derived->listener_list = base->listener_list;
	derived->log_dir_list = base->log_dir_list;
	derived->n_log_dirs = base->n_log_dirs;
	derived->dynamic_default = copy_pairs(&derived->arena, dynamic_default);
	derived->dynamic_broker = copy_pairs(&derived->arena, dynamic_broker);
	for (int i = 0; i < broker_config_table()->n_rows; i++) {
		parse_file_row(derived, i);
		derive_row(derived, i, warnings);
	}
	/* An id that ZooKeeper gave stands in no layer. */
	if (derived->broker_id < 0)
		derived->broker_id = derived->node_id = config->broker_id;
	follow(derived);
	topic_config_defaults(derived, &derived->arena, &derived->topic_defaults);
	return derived;
}

/* ---- Counting ---- */

struct broker_config *broker_config_retain(const struct broker_config *config)
{
	/* Configurations are const to all who read them; only the count changes. */
	struct broker_config *counted = (struct broker_config *)(uintptr_t)config;

	refcount_retain(&counted->refs);
	return counted;
}

void broker_config_release(const struct broker_config *config)
{
	struct broker_config *counted = (struct broker_config *)(uintptr_t)config;

	if (!counted || !refcount_release(&counted->refs))
		return;
	broker_config_release(counted->base);
	arena_fini(&counted->arena);
	free(counted);
}
