/* Parts of a request to the coordinators of groups and back; see group_call.h. */
#include "broker/api/group_call.h"

#include "common/memory.h"

#include <stdlib.h>

void group_call_init(struct group_call *call, struct request *request, int32_t n_parts, void (*done)(struct group_call *call))
{
	call->request = request;
	call->shard = shard_of(request->worker);
	call->done = done;
	call->n_out = 0;
	call->answers = NULL;
	call->batches = arena_zalloc(&request->arena, (size_t)call->shard->n_shards, sizeof *call->batches);
	for (int i = 0; i < call->shard->n_shards; i++) {
		struct group_batch *batch = &call->batches[i];

		batch->call = call;
		batch->owner = call->shard->all[i];
		batch->tail = &batch->first;
	}
	if (n_parts <= 1)
		return;
	/* Not in the request's arena, which is gone when they are freed. */
	call->answers = memory_zalloc((size_t)call->shard->n_shards, sizeof *call->answers);
	for (int i = 0; i < call->shard->n_shards; i++)
		arena_init(&call->answers[i]);
}

/* ---- back on the request's shard ---- */

static void batch_back(struct group_batch *batch)
{
	struct group_call *call = batch->call;

	if (--call->n_out == 0)
		call->done(call);
}

static void on_batch_back(struct message *message)
{
	batch_back(CONTAINER_OF(message, struct group_batch, message));
}

/* ---- on the owner ---- */

/* The batch has no part left open: it goes home. */
static void batch_done(struct group_batch *batch)
{
	if (batch->owner == batch->call->shard) {
		batch_back(batch);
		return;
	}
	batch->message.run = on_batch_back;
	worker_post(&batch->call->shard->worker, &batch->message);
}

static void part_done(struct coordinator_call *coordinated)
{
	struct group_batch *batch = CONTAINER_OF(coordinated, struct group_part, call)->batch;

	if (--batch->n_open == 0)
		batch_done(batch);
}

static void batch_work(struct group_batch *batch)
{
	struct group_part *part, *next;

	/* One more than there are parts, so that the batch stays here until all of them have been begun. */
	batch->n_open = batch->n_parts + 1;
	for (part = batch->first; part; part = next) {
		next = part->next;
		coordinator_run(batch->owner->coordinator, &part->call);
	}
	if (--batch->n_open == 0)
		batch_done(batch);
}

static void on_batch(struct message *message)
{
	batch_work(CONTAINER_OF(message, struct group_batch, message));
}

/* ---- on the request's shard ---- */

void group_call_add_to(struct group_call *call, struct group_part *part, int shard_index)
{
	struct group_batch *batch = &call->batches[shard_index];

	part->call.arena = call->answers ? &call->answers[shard_index] : &call->request->arena;
	part->call.done = part_done;
	part->batch = batch;
	part->next = NULL;
	*batch->tail = part;
	batch->tail = &part->next;
	batch->n_parts++;
}

void group_call_add(struct group_call *call, struct group_part *part)
{
	struct shard *owner = coordinator_route(call->shard, &part->call);

	if (owner)
		group_call_add_to(call, part, owner->index);
}

void group_call_run(struct group_call *call)
{
	struct group_batch *own = &call->batches[call->shard->index];
	int n_shards = call->shard->n_shards;

	/* Our own batch is counted from the start, with or without parts, so that done is called exactly once, from its end or later. */
	call->n_out = 1;
	for (int i = 0; i < n_shards; i++) {
		struct group_batch *batch = &call->batches[i];

		if (batch == own || !batch->n_parts)
			continue;
		call->n_out++;
		batch->message.run = on_batch;
		worker_post(&batch->owner->worker, &batch->message);
	}
	batch_work(own);
}

void group_call_answer(struct group_call *call, const void *response)
{
	struct arena *answers = call->answers;
	int n_shards = call->shard->n_shards;

	request_answer(call->request, response);
	for (int i = 0; answers && i < n_shards; i++)
		arena_fini(&answers[i]);
	free(answers);
}

void group_call_own(struct request *request, struct slice *text)
{
	*text = arena_copy(&request->arena, *text);
}

void group_call_give_back(struct request *request)
{
	request_release_frame(request);
	request_count_arena(request);
}

void group_call_one(struct group_call *call, struct request *request, struct group_part *part, void (*done)(struct group_call *call))
{
	group_call_init(call, request, 1, done);
	group_call_add(call, part);
	group_call_run(call);
}
