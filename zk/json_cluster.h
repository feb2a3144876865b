/* Nodes that the cluster has once: /cluster/id, /latest_producer_id_block, /feature, /migration. */
#ifndef KLAMM_ZK_JSON_CLUSTER_H
#define KLAMM_ZK_JSON_CLUSTER_H

#include "common/arena.h"
#include "common/error.h"
#include "common/slice.h"

#include <stdint.h>

int cluster_id_decode(struct arena *arena, const char *path, struct slice json, struct slice *ret_id, struct error *err);
struct slice cluster_id_encode(struct arena *arena, struct slice id);

/* Producer ids handed to a broker: first to last, inclusive. */
struct producer_id_block {
	int32_t broker_id;
	int64_t first, last;
};

#define PRODUCER_ID_BLOCK_SIZE 1000

/* Also ERR_CORRUPT when last < first or first < 0. An empty node is not for here: nothing was ever handed out. */
int producer_id_block_decode(struct arena *arena, const char *path, struct slice json, struct producer_id_block *ret_block,
			     struct error *err);
struct slice producer_id_block_encode(struct arena *arena, const struct producer_id_block *block);

/* /feature without features, as a cluster with ZooKeeper has it (version 2, enabled). */
struct slice feature_znode_encode(struct arena *arena);

/* /migration: the epoch of an active KRaft controller, -1 when none has taken over. */
int migration_decode(struct arena *arena, const char *path, struct slice json, int32_t *ret_kraft_epoch, struct error *err);

#endif
