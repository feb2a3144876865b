/*
 * The znodes of a topic that is deleted: children first, then topic, config and request at once.
 *
 *     the topic's node: gone or another --> done
 *     batch: delete <p>/state, <p>, ..., partitions --> multi[check epoch, delete topic, config, request] --> done
 *                        ^                                             |
 *                        +--- all children there are, listed <---------+ not empty (somebody put other nodes there)
 *     the multi's answer is lost: from the beginning, since a topic of the same name may have been made meanwhile (M2)
 *
 * What is gone already is right, so that it can be begun again at any point, by the next controller too.
 */
#ifndef KLAMM_TOOLS_CONTROLLER_OFFICE_ERASE_H
#define KLAMM_TOOLS_CONTROLLER_OFFICE_ERASE_H

#include "zk/batch.h"

struct office_erase;

struct office_erase_setup {
	struct zk_session *zk;
	struct zk_batch *batch;
	int32_t epoch_version;
	struct slice topic;
	int64_t created; /* czxid of the topic's node: another one is another topic and stays */
	int32_t n_partitions;
	uint32_t ticket;
	struct office_erase **list; /* of the owner; it is in it while it works */
	void *ctx;
	void (*done)(void *ctx, uint32_t ticket, struct slice topic, int code);
};

/* Begins; it frees itself when done was called. */
void office_erase_start(const struct office_erase_setup *setup);

/* Given up: done is not called any more. The owner frees the batch before. */
void office_erase_free(struct office_erase *erase);

#endif
