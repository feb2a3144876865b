/*
 * What DescribeConfigs tells about a topic or a broker: every key with its value, where the value is from and what it overrides.
 * Sources, read-only marks and the order of synonyms are those of a Kafka 3.9 broker. Pure; entries lie in the arena, sorted by name.
 */
#ifndef KLAMM_BROKER_META_DESCRIBE_CONFIGS_CORE_H
#define KLAMM_BROKER_META_DESCRIBE_CONFIGS_CORE_H

#include "broker/meta/broker_config.h"
#include "common/arena.h"
#include "common/config_table.h"

/* On the wire as config_source. */
enum config_source {
	CONFIG_SOURCE_UNKNOWN = 0,
	CONFIG_SOURCE_TOPIC = 1,
	CONFIG_SOURCE_DYNAMIC_BROKER = 2,
	CONFIG_SOURCE_DYNAMIC_DEFAULT = 3,
	CONFIG_SOURCE_STATIC = 4,
	CONFIG_SOURCE_DEFAULT = 5,
};

struct config_synonym {
	struct slice name;
	struct slice value; /* null when sensitive */
	int8_t source;
};

struct config_entry {
	struct slice name;
	struct slice value; /* null when there is none, or when it is sensitive */
	bool read_only;
	bool is_default;    /* v0 of the API; else it is the source */
	bool sensitive;
	int8_t source;
	int8_t type;        /* enum config_type */
	const struct config_synonym *synonyms; /* first the value in force, then what it overrides */
	int n_synonyms;
	const char *doc;
};

struct config_entries {
	struct config_entry *list;
	int n;
};

/* `keys` (n_keys >= 0) limits the answer to those named, unknown ones left out; n_keys -1 = all. */
void describe_topic_configs(const struct broker_config *broker, struct config_pairs overrides, const struct slice *keys, int n_keys,
			    struct arena *arena, struct config_entries *ret_entries);

/* The whole configuration of this broker. */
void describe_broker_configs(const struct broker_config *broker, const struct slice *keys, int n_keys, struct arena *arena,
			     struct config_entries *ret_entries);

/* The dynamic defaults of the cluster (broker resource with an empty name): only what is set there. */
void describe_default_broker_configs(const struct broker_config *broker, const struct slice *keys, int n_keys, struct arena *arena,
				     struct config_entries *ret_entries);

#endif
