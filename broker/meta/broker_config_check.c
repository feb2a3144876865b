/*
 * What a broker configuration must be as a whole, and what may change while the broker runs.
 *
 * Keys whose meaning is safety (ACLs, TLS, policies) and that Klamm cannot honour yet are refused, not ignored.
 */
#include "broker/meta/broker_config_check.h"

#include "common/memory.h"

#include <stdlib.h>

/* ---- Whole configurations ---- */

/* Keys that must keep their default. */
static const struct {
	const char *key;
	const char *why;
} unsupported[] = {
	{"alter.config.policy.class.name", "Klamm cannot run Java policies, and ignoring one would let changes pass; remove the key"},
	{"authorizer.class.name", "Klamm does not enforce ACLs yet, and ignoring the authorizer would open the cluster; remove the key"},
	{"client.quota.callback.class", "Klamm cannot run Java quota callbacks; remove the key"},
	{"create.topic.policy.class.name", "Klamm cannot run Java policies, and ignoring one would let topics pass; remove the key"},
	{"process.roles", "Klamm is coordinated by ZooKeeper and has no KRaft roles; remove the key"},
	{"remote.log.storage.system.enable", "Klamm has no tiered storage; set it to false"},
	{"zookeeper.metadata.migration.enable", "Klamm takes no part in a migration to KRaft; set it to false"},
	{"zookeeper.ssl.client.enable", "Klamm does not speak TLS to ZooKeeper yet; set it to false"},
};

static const char *check_ids(const struct broker_config *config)
{
	if (config->broker_id != config->node_id)
		return "must be the same as broker.id, which is another name of it";
	return NULL;
}

static const char *check_broker_id(const struct broker_config *config)
{
	int32_t id = config->broker_id;

	if (config->broker_id_generation_enable && (id < -1 || id > config->reserved_broker_max_id))
		return "must be from -1 to reserved.broker.max.id, since broker.id.generation.enable is true";
	if (!config->broker_id_generation_enable && id < 0)
		return "must be at least 0, since broker.id.generation.enable is false";
	return NULL;
}

static const char *check_zookeeper(const struct broker_config *config)
{
	if (!config->zookeeper_connect || !*config->zookeeper_connect)
		return "expected host:port[,host:port...][/path] of the ZooKeeper servers";
	return NULL;
}

static const char *check_session(const struct broker_config *config)
{
	return config->zookeeper_session_timeout_ms > 0 ? NULL : "must be at least 1";
}

/* The unit of a value that is -1 or at least 1. */
static const char *check_retention(const struct broker_config *config, const char *key)
{
	struct slice value = broker_config_layer(config, CONFIG_FILE, slice_of_text(key));

	if (slice_is_null(value))
		return NULL;
	return strtoll((const char *)value.data, NULL, 10) == 0 || strtoll((const char *)value.data, NULL, 10) < -1
		       ? "must be unlimited (-1) or at least 1"
		       : NULL;
}

static const char *check_retention_ms(const struct broker_config *config)
{
	return check_retention(config, "log.retention.ms");
}

static const char *check_retention_minutes(const struct broker_config *config)
{
	return check_retention(config, "log.retention.minutes");
}

static const char *check_retention_hours(const struct broker_config *config)
{
	return check_retention(config, "log.retention.hours");
}

static const char *check_roll_ms(const struct broker_config *config)
{
	struct slice value = broker_config_layer(config, CONFIG_FILE, SLICE_LITERAL("log.roll.ms"));

	return slice_is_null(value) || strtoll((const char *)value.data, NULL, 10) >= 1 ? NULL : "must be at least 1";
}

static const char *check_fetch_wait(const struct broker_config *config)
{
	if (config->replica_fetch_wait_max_ms > config->replica_socket_timeout_ms)
		return "must not be larger than replica.socket.timeout.ms";
	if (config->replica_fetch_wait_max_ms > config->replica_lag_time_max_ms)
		return "must not be larger than replica.lag.time.max.ms";
	return NULL;
}

static const char *check_replication_factor(const struct broker_config *config)
{
	return config->default_replication_factor >= 1 ? NULL : "must be at least 1";
}

static const char *check_selector(const struct broker_config *config)
{
	const char *name = config->replica_selector_class;

	if (!name || !*name || strcmp(name, SELECTOR_LEADER) == 0 || strcmp(name, SELECTOR_RACK_AWARE) == 0)
		return NULL;
	return "must be " SELECTOR_LEADER " or " SELECTOR_RACK_AWARE ": Klamm cannot run other Java classes";
}

static const char *check_metrics_listener(const struct broker_config *config)
{
	struct slice host;
	int32_t port;

	if (!*config->klamm_metrics_listener)
		return NULL;
	if (!listeners_read_address(slice_of_text(config->klamm_metrics_listener), &host, &port) || !host.len || port == 0)
		return "expected one host:port, as 127.0.0.1:9404 or [::1]:9404, or nothing";
	return NULL;
}

static const char *check_acks(const struct broker_config *config)
{
	return config->offsets_commit_required_acks == -1 ? NULL : "must be -1: Klamm stores offsets on all in-sync replicas";
}

static const char *check_group_timeouts(const struct broker_config *config)
{
	if (config->group_max_session_timeout_ms < config->group_min_session_timeout_ms)
		return "must not be smaller than group.min.session.timeout.ms";
	return NULL;
}

static const char *check_cleaner(const struct broker_config *config)
{
	if (config->log_cleaner_enable && config->log_cleaner_threads > 0 &&
	    config->log_cleaner_dedupe_buffer_size / config->log_cleaner_threads <= 1 << 20)
		return "must be more than 1 MiB for each of log.cleaner.threads";
	return NULL;
}

/* Znodes are written as brokers from 3.3 on write them; an older cluster could not read them. */
static const char *check_protocol_version(const struct broker_config *config)
{
	const char *version = config->inter_broker_protocol_version;
	long major = strtol(version, NULL, 10);
	const char *dot = strchr(version, '.');
	long minor = dot ? strtol(dot + 1, NULL, 10) : 0;

	if (major < 3 || (major == 3 && minor < 3))
		return "must be at least 3.3: Klamm writes the formats of Kafka 3.9";
	return NULL;
}

/* "address:number,..." */
static const char *check_overrides(struct slice list)
{
	struct slice element;

	for (size_t at = 0; config_list_next(list, &at, &element);) {
		const uint8_t *colon = memrchr(element.data, ':', element.len);
		size_t i = colon ? (size_t)(colon - element.data) + 1 : 0;

		if (!colon || colon == element.data || i == element.len || element.len - i > 9)
			return "expected address:number, separated by commas";
		for (; i < element.len; i++)
			if (element.data[i] < '0' || element.data[i] > '9')
				return "expected address:number, separated by commas";
	}
	return NULL;
}

static const char *check_per_ip(const struct broker_config *config)
{
	return check_overrides(slice_of_text(config->max_connections_per_ip_overrides));
}

static const struct {
	const char *key; /* at fault */
	const char *(*check)(const struct broker_config *config);
} rules[] = {
	{"node.id", check_ids},
	{"broker.id", check_broker_id},
	{"zookeeper.connect", check_zookeeper},
	{"zookeeper.session.timeout.ms", check_session},
	{"log.retention.ms", check_retention_ms},
	{"log.retention.minutes", check_retention_minutes},
	{"log.retention.hours", check_retention_hours},
	{"log.roll.ms", check_roll_ms},
	{"replica.fetch.wait.max.ms", check_fetch_wait},
	{"default.replication.factor", check_replication_factor},
	{"offsets.commit.required.acks", check_acks},
	{"replica.selector.class", check_selector},
	{"klamm.metrics.listener", check_metrics_listener},
	{"group.max.session.timeout.ms", check_group_timeouts},
	{"log.cleaner.dedupe.buffer.size", check_cleaner},
	{"inter.broker.protocol.version", check_protocol_version},
	{"max.connections.per.ip.overrides", check_per_ip},
};

int broker_config_check(const struct broker_config *config, struct error *err)
{
	const struct config_table *table = broker_config_table();

	for (size_t i = 0; i < ARRAY_LEN(unsupported); i++) {
		int row = config_table_find(table, slice_of_text(unsupported[i].key));
		struct slice fallback = slice_of_text(table->rows[row].fallback);

		if (config->values[row].len && !slice_equal(config->values[row], fallback))
			return broker_config_refuse(config, unsupported[i].key, unsupported[i].why, err);
	}
	for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
		const char *why = rules[i].check(config);

		if (why)
			return broker_config_refuse(config, rules[i].key, why, err);
	}
	return 0;
}

/* ---- Dynamic changes ---- */

/* Names of the keys that `picked` says yes to, joined; NULL when there is none. */
static const char *pick_names(struct config_pairs overrides, bool (*picked)(struct slice key), struct arena *arena)
{
	const char *names = NULL;

	for (int i = 0; i < overrides.n; i++) {
		if (!picked(overrides.list[i].key))
			continue;
		names = names ? arena_printf(arena, "%s, %.*s", names, SLICE_ARGS(overrides.list[i].key))
			      : arena_printf(arena, "%.*s", SLICE_ARGS(overrides.list[i].key));
	}
	return names;
}

static const struct config_row *row_of(struct slice key)
{
	int row = config_table_find(broker_config_table(), key);

	return row < 0 ? NULL : &broker_config_table()->rows[row];
}

static bool is_static(struct slice key)
{
	const struct config_row *row = row_of(key);

	return row && row->scope == CONFIG_STATIC;
}

/* Keys of TLS may only change with a listener's prefix. */
static bool is_bare_security(struct slice key)
{
	const struct config_row *row = row_of(key);

	return row && row->scope == CONFIG_PER_BROKER && strncmp(row->name, "ssl.", 4) == 0;
}

static bool is_per_broker(struct slice key)
{
	static const char *const cluster_wide[] = {"max.connections", "max.connection.creation.rate", "num.network.threads"};
	struct slice base = broker_config_listener_base(key);
	const struct config_row *row = row_of(key);

	if (slice_is_null(base))
		return row && row->scope == CONFIG_PER_BROKER;
	for (size_t i = 0; i < ARRAY_LEN(cluster_wide); i++)
		if (slice_is_text(base, cluster_wide[i]))
			return false;
	return true;
}

/* Keys that Kafka changes at run time and Klamm reads at the start only. */
static bool is_start_only(struct slice key)
{
	return slice_is_text(key, "listeners") || slice_is_text(key, "advertised.listeners") ||
	       slice_is_text(key, "listener.security.protocol.map");
}

static bool is_thread_count(struct slice key)
{
	static const char *const keys[] = {"background.threads", "log.cleaner.threads", "num.io.threads", "num.network.threads",
					   "num.recovery.threads.per.data.dir", "num.replica.fetchers"};

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (slice_is_text(key, keys[i]))
			return true;
	return false;
}

static const char *check_thread_count(const struct broker_config *config, struct slice key, int64_t wanted, struct arena *arena)
{
	int row = config_table_find(broker_config_table(), key);
	long long now = strtoll((const char *)config->values[row].data, NULL, 10);
	const char *why = NULL;

	if (wanted == now)
		return NULL;
	if (wanted <= 0)
		why = "value should be at least 1";
	else if (wanted < now / 2)
		why = arena_printf(arena, "value should be at least half the current value %lld", now);
	else if (wanted > now * 2)
		why = arena_printf(arena, "value should not be greater than double the current value %lld", now);
	return why ? arena_printf(arena, "Dynamic thread count update validation failed for %.*s=%lld, %s", SLICE_ARGS(key),
				  (long long)wanted, why)
		   : NULL;
}

/* Value by value: type and range, and what Kafka checks beyond. The refusal, or NULL. */
static const char *check_pair(const struct broker_config *config, const struct config_pair *pair, struct arena *arena)
{
	const struct config_row *row = row_of(pair->key);
	struct config_parsed parsed;
	const char *refusal = NULL;

	if (!row)
		row = broker_config_dynamic_row(pair->key);
	if (!row)
		row = row_of(broker_config_listener_base(pair->key));
	if (!row)
		return NULL;
	if (!config_parse(row, pair->value, arena, &parsed, &refusal))
		return refusal;
	if (slice_is_text(pair->key, "log.retention.ms") && (parsed.number == 0 || parsed.number < -1))
		return "requirement failed: log.retention.ms must be unlimited (-1) or, greater than or equal to 1";
	if (slice_is_text(pair->key, "max.connections.per.ip.overrides"))
		return check_overrides(parsed.text);
	return is_thread_count(pair->key) ? check_thread_count(config, pair->key, parsed.number, arena) : NULL;
}

bool broker_config_check_dynamic(const struct broker_config *config, struct config_pairs overrides, bool of_default,
				 struct arena *arena, const char **ret_refusal)
{
	static const struct {
		bool (*picked)(struct slice key);
		bool only_default;
		const char *format;
		const char *end;
	} refusals[] = {
		{is_static, false, "Cannot update these configs dynamically: Set(", ")"},
		{is_bare_security, false,
		 "These security configs can be dynamically updated only per-listener using the listener prefix: Set(", ")"},
		{is_per_broker, true, "Cannot update these configs at default cluster level, broker id must be specified: Set(", ")"},
		{is_start_only, false, "Klamm reads these configs from its file only, when it starts: Set(", ")"},
	};

	for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
		const char *names = refusals[i].only_default && !of_default ? NULL : pick_names(overrides, refusals[i].picked, arena);

		if (names) {
			*ret_refusal = arena_printf(arena, "%s%s%s", refusals[i].format, names, refusals[i].end);
			return false;
		}
	}
	for (int i = 0; i < overrides.n; i++) {
		const char *refusal = check_pair(config, &overrides.list[i], arena);

		if (refusal) {
			*ret_refusal = refusal;
			return false;
		}
	}
	return true;
}
