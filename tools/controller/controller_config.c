/* Keys of klamm-controller; see controller_config.h. */
#include "tools/controller/controller_config.h"

#include "broker/meta/listeners_core.h"
#include "common/memory.h"
#include "common/trace.h"

#include <stddef.h>

#define FIELD(name) .offset = offsetof(struct controller_config, name)

/* Sorted by name. */
static const struct config_row rows[] = {
	{.name = "auto.leader.rebalance.enable", .fallback = "true",
	 .doc = "Whether leaderships go back to the preferred replicas by themselves.", .type = CONFIG_BOOLEAN,
	 FIELD(auto_leader_rebalance_enable)},
	{.name = "controller.id", .fallback = NULL, .doc = "Number of this controller among the controllers; required.", .min = 0,
	 .type = CONFIG_INT, .check = CHECK_AT_LEAST, FIELD(id)},
	{.name = "delete.topic.enable", .fallback = "true", .doc = "Whether topics may be deleted.", .type = CONFIG_BOOLEAN,
	 FIELD(delete_topic_enable)},
	{.name = "inter.broker.listener.name", .fallback = NULL,
	 .doc = "Listener at which brokers are reached, if their registration does not name it.", .type = CONFIG_STRING,
	 FIELD(inter_broker_listener_name)},
	{.name = "klamm.drift.check.interval.ms", .fallback = "60000",
	 .doc = "How often what the controller knows is compared with ZooKeeper; differences are told and mended.", .min = 100,
	 .type = CONFIG_INT, .check = CHECK_AT_LEAST, FIELD(drift_check_interval_ms)},
	{.name = "klamm.metrics.listener", .fallback = "",
	 .doc = "host:port where GET /metrics answers in Prometheus' format; empty is nowhere.", .type = CONFIG_STRING,
	 FIELD(metrics_listener)},
	{.name = "klamm.supervise", .fallback = "true",
	 .doc = "Whether a parent starts the controller again when it crashes, and ends its ZooKeeper session at once.",
	 .type = CONFIG_BOOLEAN, FIELD(supervise)},
	{.name = "klamm.zookeeper.auth.digest", .fallback = NULL, .doc = "user:password for ZooKeeper's digest authentication.",
	 .type = CONFIG_PASSWORD, FIELD(zookeeper_auth_digest)},
	{.name = "leader.imbalance.check.interval.seconds", .fallback = "300", .doc = "How often that is looked at.", .min = 1,
	 .type = CONFIG_INT, .check = CHECK_AT_LEAST, FIELD(leader_imbalance_check_interval_seconds)},
	{.name = "leader.imbalance.per.broker.percentage", .fallback = "10",
	 .doc = "A broker that leads so much less than it should gets its leaderships back.", .min = 0, .type = CONFIG_INT,
	 .check = CHECK_AT_LEAST, FIELD(leader_imbalance_per_broker_percentage)},
	{.name = "min.insync.replicas", .fallback = "1",
	 .doc = "For topics that do not say, where brokers do not say either.", .min = 1,
	 .type = CONFIG_INT, .check = CHECK_AT_LEAST, FIELD(min_insync_replicas)},
	{.name = "unclean.leader.election.enable", .fallback = "false",
	 .doc = "Whether a replica that is not in sync may lead when no other is alive; loses records.", .type = CONFIG_BOOLEAN,
	 FIELD(unclean_leader_election_enable)},
	{.name = "zookeeper.connect", .fallback = NULL, .doc = "host:port,host:port/chroot of ZooKeeper; required.",
	 .type = CONFIG_STRING, FIELD(zookeeper_connect)},
	{.name = "zookeeper.session.timeout.ms", .fallback = "6000",
	 .doc = "After so long without contact the next controller takes over.", .min = 500, .type = CONFIG_INT,
	 .check = CHECK_AT_LEAST, FIELD(zookeeper_session_timeout_ms)},
	{.name = "zookeeper.set.acl", .fallback = "false", .doc = "Whether nodes are made so that only their creator may write.",
	 .type = CONFIG_BOOLEAN, FIELD(zookeeper_set_acl)},
};

static const struct config_table table = {rows, (int)ARRAY_LEN(rows)};

static int refuse(const struct property *property, const struct config_row *row, struct arena *arena, const char *refusal,
		  struct error *err)
{
	return error_set(err, ERR_CONFIG, "%s:%d: %s = %.*s: %s; allowed: %s", property->origin, property->line, row->name,
			 config_is_sensitive(row) ? 0 : (int)property->value.len, (const char *)property->value.data, refusal,
			 config_allowed_text(row, arena));
}

static int take(struct controller_config *config, const struct property *property, struct error *err)
{
	int at = config_table_find(&table, property->key);
	struct config_parsed parsed;
	const char *refusal;
	const char *nearest;

	if (at < 0) {
		nearest = config_table_nearest(&table, property->key);
		trace_warn("config", "%s:%d: unknown key %.*s is ignored%s%s", property->origin, property->line,
			   SLICE_ARGS(property->key), nearest ? "; did you mean " : "", nearest ? nearest : "");
		return 0;
	}
	if (!config_parse(&rows[at], property->value, &config->arena, &parsed, &refusal))
		return refuse(property, &rows[at], &config->arena, refusal, err);
	config_store(&rows[at], &parsed, config);
	return 0;
}

static int require(const struct controller_config *config, const struct properties *properties, struct error *err)
{
	const char *origin = properties->n > 0 ? properties->list[0].origin : "the configuration";

	if (config->id < 0)
		return error_set(err, ERR_CONFIG, "%s: controller.id is missing; give each controller a number from 0, e.g. controller.id=1",
				 origin);
	if (!config->zookeeper_connect || config->zookeeper_connect[0] == 0)
		return error_set(err, ERR_CONFIG, "%s: zookeeper.connect is missing, e.g. zookeeper.connect=127.0.0.1:2181", origin);
	return 0;
}

static int check_metrics_listener(const struct controller_config *config, struct error *err)
{
	struct slice host;
	int32_t port;

	if (!*config->metrics_listener)
		return 0;
	if (listeners_read_address(slice_of_text(config->metrics_listener), &host, &port) && host.len && port != 0)
		return 0;
	return error_set(err, ERR_CONFIG, "klamm.metrics.listener = %s: expected one host:port, as 127.0.0.1:9405 or [::1]:9405, or nothing",
			 config->metrics_listener);
}

int controller_config_load(struct controller_config *config, const struct properties *properties, struct error *err)
{
	int code = 0;

	*config = (struct controller_config){0};
	arena_init(&config->arena);
	config_store_defaults(&table, config, &config->arena);
	config->id = -1;
	for (int i = 0; i < properties->n && code == 0; i++)
		code = take(config, &properties->list[i], err);
	if (code == 0)
		code = require(config, properties, err);
	return code ? code : check_metrics_listener(config, err);
}

void controller_config_fini(struct controller_config *config)
{
	arena_fini(&config->arena);
}

void controller_config_describe(FILE *out)
{
	for (int i = 0; i < table.n_rows; i++)
		fprintf(out, "  %-32s %-10s %s\n", rows[i].name, rows[i].fallback ? rows[i].fallback : "", rows[i].doc);
}
