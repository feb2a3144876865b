/*
 * Fenced batches; see batch.h.
 *
 * The server answers in order, so the multis under way are answered first in, first out. When one of them fails, the operation
 * that it names has its outcome: everything before it was done. Those behind it may have failed only because this one was
 * undone, so nothing more is sent until all under way are answered ("draining"); then what was undone goes again, in order, in
 * smaller packs.
 */
#include "zk/batch.h"

#include "common/check.h"
#include "common/memory.h"
#include "common/mutant.h"

#include <stdlib.h>
#include <string.h>

/* Well below jute.maxbuffer; measured: larger packs gain nothing more (zk/README.md). */
#define PACK_BYTES_MAX 400000
#define PACK_OPS_MAX 1000

/* Multis under way: enough that the server never waits for us. */
#define MULTIS_MAX 4

struct batch_op {
	struct batch_op *next;
	struct zk_op op; /* path and data behind the struct */
	size_t bytes;
	void (*done)(void *ctx, const struct zk_op_result *result);
	void *ctx;
};

struct op_list {
	struct batch_op *head;
	struct batch_op **tail;
	int n;
};

struct batch_multi {
	struct zk_batch *batch;
	struct op_list ops;
};

struct zk_batch {
	struct zk_session *session;
	struct zk_batch_config config;
	char *fence_path;
	struct op_list queue;
	struct op_list again; /* undone, in order; before the queue when all under way is answered */
	int n_multis;
	int n_under_way;
	int pack_ops;
	bool draining;
	bool freed;
	int dead; /* the code with which everything ends from now on; 0 = alive */
	int refs; /* the owner and whoever is calling back or will */
	struct zk_timer timer;
};

static void list_init(struct op_list *list)
{
	*list = (struct op_list){NULL, NULL, 0};
	list->tail = &list->head;
}

static void list_push(struct op_list *list, struct batch_op *op)
{
	op->next = NULL;
	*list->tail = op;
	list->tail = &op->next;
	list->n++;
}

static struct batch_op *list_pop(struct op_list *list)
{
	struct batch_op *op = list->head;

	list->head = op->next;
	if (!list->head)
		list->tail = &list->head;
	list->n--;
	return op;
}

static void list_splice(struct op_list *from, struct op_list *to)
{
	while (from->head)
		list_push(to, list_pop(from));
}

static void batch_release(struct zk_batch *batch)
{
	if (--batch->refs > 0)
		return;
	free(batch->fence_path);
	free(batch);
}

/* Tells the outcome of one operation, unless the batch was freed meanwhile. */
static void op_end(struct zk_batch *batch, struct batch_op *op, const struct zk_op_result *result)
{
	if (!batch->freed && op->done)
		op->done(op->ctx, result);
	free(op);
}

static void list_end(struct zk_batch *batch, struct op_list *list, int code)
{
	struct zk_op_result result = {.code = code};

	/* What is added meanwhile has a turn of its own. */
	for (int n = list->n; n > 0 && list->head; n--)
		op_end(batch, list_pop(list), &result);
}

static void batch_die(struct zk_batch *batch, int code)
{
	bool first = batch->dead == 0;

	batch->dead = batch->dead ? batch->dead : code;
	if (first && code == ERR_FENCED && batch->config.on_fenced && !batch->freed)
		batch->config.on_fenced(batch->config.ctx);
	list_end(batch, &batch->again, batch->dead);
	list_end(batch, &batch->queue, batch->dead);
}

static void batch_tell_idle(struct zk_batch *batch)
{
	if (!batch->freed && zk_batch_pending(batch) == 0 && batch->config.on_idle)
		batch->config.on_idle(batch->config.ctx);
}

static void on_dead_timer(struct zk_timer *timer)
{
	struct zk_batch *batch = CONTAINER_OF(timer, struct zk_batch, timer);

	batch->refs++;
	list_end(batch, &batch->queue, batch->dead);
	batch_tell_idle(batch);
	batch_release(batch);
}

/* ---- Answers ---- */

static void multi_succeeded(struct batch_multi *multi, const struct zk_op_result *results)
{
	struct zk_batch *batch = multi->batch;
	int n = multi->ops.n;

	if (n == batch->pack_ops && !batch->draining && batch->pack_ops < PACK_OPS_MAX)
		batch->pack_ops = batch->pack_ops * 2 < PACK_OPS_MAX ? batch->pack_ops * 2 : PACK_OPS_MAX;
	for (int i = 0; i < n; i++)
		op_end(batch, list_pop(&multi->ops), &results[i]);
}

/* The first failure since all was well: the operation it names is judged, all others go again. */
static void multi_judge(struct batch_multi *multi, const struct zk_op_result *results)
{
	struct zk_batch *batch = multi->batch;
	int n = multi->ops.n;

	batch->draining = true;
	batch->pack_ops = n / 4 > 1 ? n / 4 : 1;
	for (int i = 0; i < n; i++) {
		struct batch_op *op = list_pop(&multi->ops);

		if (results[i].code == ERR_ABORTED)
			list_push(&batch->again, op);
		else
			op_end(batch, op, &results[i]);
	}
}

static void multi_failed(struct batch_multi *multi, const struct zk_result *result)
{
	struct zk_batch *batch = multi->batch;
	bool fence = batch->fence_path != NULL;

	if (!result->ops) {
		int code = batch->dead ? batch->dead : result->code;

		list_end(batch, &multi->ops, code);
		/* What is written later must not rest on an office that went with its session. */
		if (code == ERR_SESSION_LOST || code == ERR_CLOSED || code == ERR_AUTH)
			batch_die(batch, code);
	} else if (fence && result->ops[0].code != ERR_ABORTED) {
		list_end(batch, &multi->ops, ERR_FENCED);
		batch_die(batch, ERR_FENCED);
	} else if (batch->draining) {
		list_splice(&multi->ops, &batch->again);
	} else {
		multi_judge(multi, result->ops + fence);
	}
}

static void batch_drained(struct zk_batch *batch)
{
	batch->draining = false;
	list_splice(&batch->queue, &batch->again);
	list_splice(&batch->again, &batch->queue);
}

static void on_multi(void *ctx, const struct zk_result *result)
{
	struct batch_multi *multi = ctx;
	struct zk_batch *batch = multi->batch;

	/* The reference of the multi is given back at the end. */
	batch->n_multis--;
	batch->n_under_way -= multi->ops.n;
	if (result->code == 0)
		multi_succeeded(multi, result->ops + (batch->fence_path != NULL));
	else
		multi_failed(multi, result);
	list_end(batch, &multi->ops, ERR_CLOSED);
	free(multi);
	if (batch->draining && batch->n_multis == 0)
		batch_drained(batch);
	if (!batch->freed)
		zk_batch_flush(batch);
	batch_tell_idle(batch);
	batch_release(batch);
}

/* ---- Sending ---- */

static void multi_send(struct zk_batch *batch)
{
	struct zk_op ops[PACK_OPS_MAX + 1];
	struct batch_multi *multi = NEW(struct batch_multi);
	size_t bytes = 0;
	int n = 0;

	multi->batch = batch;
	list_init(&multi->ops);
	if (batch->fence_path)
		ops[n++] =
			(struct zk_op){.kind = ZK_OP_CHECK, .path = batch->fence_path, .version = batch->config.fence_version};
	while (batch->queue.head && multi->ops.n < batch->pack_ops &&
	       (multi->ops.n == 0 || bytes + batch->queue.head->bytes <= PACK_BYTES_MAX)) {
		struct batch_op *op = list_pop(&batch->queue);

		bytes += op->bytes;
		ops[n++] = op->op;
		list_push(&multi->ops, op);
	}
	batch->n_multis++;
	batch->n_under_way += multi->ops.n;
	batch->refs++;
	zk_multi(batch->session, ops, n, on_multi, multi);
}

void zk_batch_flush(struct zk_batch *batch)
{
	if (batch->dead && batch->queue.head) {
		zk_timer_set(batch->session, &batch->timer, 0);
		return;
	}
	while (!batch->draining && batch->n_multis < MULTIS_MAX && batch->queue.head)
		multi_send(batch);
}

/* ---- Owner's side ---- */

struct zk_batch *zk_batch_new(struct zk_session *session, const struct zk_batch_config *config)
{
	struct zk_batch *batch = NEW(struct zk_batch);

	batch->session = session;
	batch->config = *config;
	batch->fence_path = config->fence_path && !MUTANT(CONTROLLER_UNCHECKED) ? memory_copy_text(config->fence_path) : NULL;
	batch->pack_ops = PACK_OPS_MAX;
	batch->refs = 1;
	batch->timer.fired = on_dead_timer;
	list_init(&batch->queue);
	list_init(&batch->again);
	return batch;
}

void zk_batch_free(struct zk_batch *batch)
{
	if (!batch)
		return;
	batch->freed = true;
	if (batch->timer.at_ms)
		zk_timer_clear(batch->session, &batch->timer);
	list_end(batch, &batch->again, ERR_CLOSED);
	list_end(batch, &batch->queue, ERR_CLOSED);
	batch_release(batch);
}

void zk_batch_add(struct zk_batch *batch, const struct zk_op *op, void (*done)(void *ctx, const struct zk_op_result *result),
		  void *ctx)
{
	size_t path_len = strlen(op->path) + 1;
	struct batch_op *copy = memory_alloc(sizeof *copy + path_len + op->data.len);
	char *texts = (char *)(copy + 1);

	copy->op = *op;
	copy->bytes = path_len + op->data.len + 64;
	copy->done = done;
	copy->ctx = ctx;
	memcpy(texts, op->path, path_len);
	copy->op.path = texts;
	if (op->data.data)
		copy->op.data.data = (uint8_t *)texts + path_len;
	if (op->data.len > 0)
		memcpy(texts + path_len, op->data.data, op->data.len);
	list_push(&batch->queue, copy);
}

int zk_batch_pending(const struct zk_batch *batch)
{
	return batch->queue.n + batch->again.n + batch->n_under_way;
}
