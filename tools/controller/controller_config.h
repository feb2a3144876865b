/*
 * The configuration of klamm-controller: a properties file, with Kafka's names where Kafka has the key.
 */
#ifndef KLAMM_TOOLS_CONTROLLER_CONTROLLER_CONFIG_H
#define KLAMM_TOOLS_CONTROLLER_CONTROLLER_CONFIG_H

#include "common/arena.h"
#include "common/config_table.h"
#include "common/error.h"
#include "common/properties.h"

#include <stdio.h>

struct controller_config {
	struct arena arena;
	int32_t id;
	const char *zookeeper_connect;
	int32_t zookeeper_session_timeout_ms;
	bool zookeeper_set_acl;
	const char *zookeeper_auth_digest;        /* NULL: none */
	const char *inter_broker_listener_name;   /* NULL: what the brokers' znodes say */
	bool unclean_leader_election_enable;
	bool delete_topic_enable;
	int32_t drift_check_interval_ms;          /* how often the picture is compared with ZooKeeper */
	const char *metrics_listener;             /* "", or host:port */
	bool supervise;                           /* as parent and child (broker/rt/supervisor.h) */
	int32_t min_insync_replicas;
	bool auto_leader_rebalance_enable;
	int32_t leader_imbalance_check_interval_seconds;
	int32_t leader_imbalance_per_broker_percentage;
};

/* ERR_CONFIG with file, line, key, value and what is allowed. Unknown keys are warned about. fini also after an error. */
int controller_config_load(struct controller_config *config, const struct properties *properties, struct error *err);
void controller_config_fini(struct controller_config *config);

/* One line for each key: name, default, what it is for. */
void controller_config_describe(FILE *out);

#endif
