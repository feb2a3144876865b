/*
 * Decides on AlterConfigs and IncrementalAlterConfigs: from the overrides that are and the changes that are asked to the overrides
 * that are to be, or to Kafka's error. Pure; results lie in the arena and borrow text from the inputs.
 */
#ifndef KLAMM_BROKER_META_ALTER_CONFIGS_CORE_H
#define KLAMM_BROKER_META_ALTER_CONFIGS_CORE_H

#include "broker/meta/broker_config.h"
#include "broker/meta/view.h"
#include "common/arena.h"
#include "common/config_table.h"

enum alter_config_op { ALTER_SET = 0, ALTER_DELETE = 1, ALTER_APPEND = 2, ALTER_SUBTRACT = 3 };

/* Resource types on the wire. */
enum config_resource { CONFIG_RESOURCE_TOPIC = 2, CONFIG_RESOURCE_BROKER = 4, CONFIG_RESOURCE_BROKER_LOGGER = 8 };

struct alter_config {
	struct slice key;
	struct slice value; /* null where the request had null */
	int8_t op;          /* enum alter_config_op; AlterConfigs: ALTER_SET */
};

struct alter_configs_wish {
	int8_t resource_type;
	struct slice resource_name;
	const struct alter_config *changes;
	int n_changes;
	bool replace; /* AlterConfigs: keys that are not named are dropped */
};

struct alter_configs_plan {
	int16_t error;       /* Kafka error code; 0: the rest is set */
	const char *message; /* NULL without error */
	bool of_topic;                  /* else of a broker entity */
	const struct view_topic *topic; /* of_topic */
	int32_t broker_id;              /* this broker, or VIEW_DEFAULT_BROKER */
	struct config_pairs configs;    /* the overrides as they shall be, sorted */
};

/* `broker` is the configuration of the broker that answers; its dynamic overrides are those of the view. */
void alter_configs_plan(const struct view *view, const struct broker_config *broker, const struct alter_configs_wish *wish,
			struct arena *arena, struct alter_configs_plan *ret_plan);

/* The error of a resource for DescribeConfigs, and where to read: as above with no changes; n_changes is not looked at. */
void describe_configs_plan(const struct view *view, const struct broker_config *broker, const struct alter_configs_wish *wish,
			   struct arena *arena, struct alter_configs_plan *ret_plan);

#endif
