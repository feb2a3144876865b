/* Nodes below /config: key-value texts of one entity, and the notifications that one has changed. */
#ifndef KLAMM_ZK_JSON_CONFIG_H
#define KLAMM_ZK_JSON_CONFIG_H

#include "common/arena.h"
#include "common/error.h"
#include "common/slice.h"
#include "zk/path.h"

#include <stdint.h>

struct config_entry {
	struct slice key;
	struct slice value;
};

struct config_znode {
	struct config_entry *entries; /* in the order of the node */
	int32_t n_entries;
};

/* A null or empty node is a config without entries. */
int config_znode_decode(struct arena *arena, const char *path, struct slice json, struct config_znode *ret_config,
			struct error *err);

/*
 * In the order of Kafka's hash table, so that equal configs are equal bytes; the order of entries given decides only among
 * ties.
 */
struct slice config_znode_encode(struct arena *arena, const struct config_znode *config);

/* NULL when the key is not there. */
const struct config_entry *config_znode_find(const struct config_znode *config, const char *key);

/* /config/changes/config_change_<n>: version 2, and version 1 of old tools. */
int config_change_decode(struct arena *arena, const char *path, struct slice json, struct zk_config_target *ret_target,
			 struct error *err);
struct slice config_change_encode(struct arena *arena, const struct zk_config_target *target);

#endif
