/*
 * /brokers/topics/<topic>: the topic id and who holds replicas of each partition. Written as version 3; 1 to 3 are read.
 * A topic node is written again only with the topic id it had (KAFKA-14190).
 */
#ifndef KLAMM_ZK_JSON_TOPIC_H
#define KLAMM_ZK_JSON_TOPIC_H

#include "common/arena.h"
#include "common/error.h"
#include "common/slice.h"
#include "common/uuid.h"

#include <stdbool.h>
#include <stdint.h>

struct partition_assignment {
	int32_t partition;
	int32_t n_replicas, n_adding, n_removing; /* adding and removing only while it is being reassigned */
	int32_t *replicas;
	int32_t *adding;
	int32_t *removing;
};

struct topic_znode {
	struct uuid topic_id;                    /* zero = the node has none (versions 1 and 2) */
	struct partition_assignment *partitions; /* by ascending number; numbers may have gaps in damaged clusters only */
	int32_t n_partitions;
};

int topic_znode_decode(struct arena *arena, const char *path, struct slice json, struct topic_znode *ret_topic,
		       struct error *err);

/* Kafka's bytes, the order of its hash table included. With a zero topic_id it writes version 2, which has none. */
struct slice topic_znode_encode(struct arena *arena, const struct topic_znode *topic);

#endif
