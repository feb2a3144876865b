/*
 * Many writes of the controller, each fenced by its epoch and none alone: multis of [check /controller_epoch, operations...]
 * packed up to a byte and a count bound and sent several at a time (D2, S13).
 *
 *     add, add, add --> queue --> [check | op op op] [check | op op] --> session       one answer for each operation
 *                         ^------- an operation failed: it alone is told, the others of its multi go again
 *
 * - Operations take effect in the order they were added, except that one refused alone (version, exists, not found) does not
 * stop the others.
 * - Epoch check refused: on_fenced is told once, everything not yet done ends with ERR_FENCED, and nothing is sent any more.
 * - Connection lost: the operations under way end with ERR_UNKNOWN_OUTCOME: the caller reads back. Those still queued go on
 * when the connection is back; the check protects them as before.
 */
#ifndef KLAMM_ZK_BATCH_H
#define KLAMM_ZK_BATCH_H

#include "zk/session.h"

struct zk_batch;

struct zk_batch_config {
	const char *fence_path; /* ZK_PATH_CONTROLLER_EPOCH; NULL = no fence */
	int32_t fence_version;
	void *ctx;
	void (*on_fenced)(void *ctx); /* may be NULL */
	void (*on_idle)(void *ctx);   /* may be NULL: nothing is queued or under way any more */
};

struct zk_batch *zk_batch_new(struct zk_session *session, const struct zk_batch_config *config);

/* Drops what is queued without telling; answers of what is under way are ignored. May be called from its callbacks. */
void zk_batch_free(struct zk_batch *batch);

/*
 * Queues one operation (copied); done comes once with its outcome (result->stat after a set) unless the batch is freed before.
 * A create that finds the node there is ERR_EXISTS. Sent at the next zk_batch_flush.
 */
void zk_batch_add(struct zk_batch *batch, const struct zk_op *op, void (*done)(void *ctx, const struct zk_op_result *result),
		  void *ctx);

/* Sends what is queued as far as the pipeline has room; answers send the rest. Call once after adding. */
void zk_batch_flush(struct zk_batch *batch);

/* Operations queued or under way. */
int zk_batch_pending(const struct zk_batch *batch);

#endif
