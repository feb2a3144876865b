/* Decodes a znode of any family that zk/ writes and encodes it again; shared by the unit test and the fuzz target. */
#ifndef KLAMM_TEST_LIB_ZNODE_CHECK_H
#define KLAMM_TEST_LIB_ZNODE_CHECK_H

#include "common/arena.h"
#include "common/error.h"
#include "common/slice.h"

enum znode_family {
	ZNODE_BROKER,
	ZNODE_TOPIC,
	ZNODE_PARTITION_STATE,
	ZNODE_CONTROLLER,
	ZNODE_CONTROLLER_EPOCH,
	ZNODE_CONFIG,
	ZNODE_CONFIG_CHANGE,
	ZNODE_CLUSTER_ID,
	ZNODE_PRODUCER_ID_BLOCK,
	ZNODE_PARTITION_LIST,
	ZNODE_REASSIGNMENT,
	ZNODE_LOG_DIR_EVENT,
	ZNODE_MIGRATION,
	N_ZNODE_FAMILIES,
};

/* The family of a path; -1 for one that holds none of these. */
int znode_family_of(const char *path);

/* The decoder's code; after success *ret_again is what the encoder makes of it (null for families that are only read). */
int znode_recode(struct arena *arena, enum znode_family family, const char *path, struct slice data, struct slice *ret_again,
		 struct error *err);

#endif
