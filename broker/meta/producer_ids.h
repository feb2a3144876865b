/*
 * Producer ids: numbers that no two producers of a cluster share. A broker takes them from blocks of 1000, each taken from the
 * znode /latest_producer_id_block by a conditional set (kafka.md 2), the next one while the present one is nearly used up.
 *
 *     take -----> block left? ---- yes ---> the next id, at once
 *                     | no
 *                     v
 *                 waits for the block:  get -> set the block after the one read, at its version -> ids to all that wait
 *
 * An unknown outcome is read back: the block is ours when the node holds exactly what we wrote at the version after the one we
 * read. Else it is nobody's: ids may be skipped, never given twice. The hub's.
 */
#ifndef KLAMM_BROKER_META_PRODUCER_IDS_H
#define KLAMM_BROKER_META_PRODUCER_IDS_H

#include "zk/json_cluster.h"

#include <stdbool.h>
#include <stdint.h>

struct admin_wait;

struct producer_ids {
	int64_t next, last;           /* of the block in use; next > last: used up */
	struct producer_id_block later; /* the block after it; first > last: none yet */
	/* The block that is being taken. */
	bool taking;
	bool tried;                   /* a write was sent whose outcome is not known */
	int attempts;
	int32_t version;              /* of the node that it follows; -1 = there was none */
	struct producer_id_block wanted;
	struct admin_wait *waiting; /* items without an id */
};

void producer_ids_init(struct producer_ids *ids);

#endif
