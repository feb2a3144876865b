/*
 * InitProducerId: a producer id for an idempotent producer, from this broker's block (broker/meta/producer_ids.h).
 *
 * A producer without a transactional id gets a new id with epoch 0 each time, whatever it says it has had (kafka.md 6.4).
 * Transactions are not served yet: a transactional id is refused so that the client says why and does not ask again.
 */
#include "broker/api/admin_call.h"
#include "broker/api/api.h"
#include "proto/kafka/init_producer_id.gen.h"
#include "proto/kafka_error.h"

/* A block is a round trip to ZooKeeper away; clients ask again. */
#define WAIT_MS_MAX 5000

struct init_producer_id {
	struct request *request;
	struct admin_producer_id op;
};

static void answer(struct request *request, int16_t error, int64_t producer_id)
{
	struct init_producer_id_response response = init_producer_id_response_default;

	response.error_code = error;
	response.producer_id = producer_id;
	response.producer_epoch = error ? -1 : 0;
	request_answer(request, &response);
}

static void on_id(struct admin_op *op)
{
	struct init_producer_id *init = CONTAINER_OF(CONTAINER_OF(op, struct admin_producer_id, op), struct init_producer_id, op);

	if (init->op.item.error)
		answer(init->request, KAFKA_COORDINATOR_LOAD_IN_PROGRESS, -1);
	else
		answer(init->request, 0, init->op.producer_id);
}

void init_producer_id_handle(struct request *request)
{
	const struct init_producer_id_request *body = request->body;
	struct init_producer_id *init;

	if (!slice_is_null(body->transactional_id)) {
		answer(request, body->transactional_id.len ? KAFKA_UNSUPPORTED_VERSION : KAFKA_INVALID_REQUEST, -1);
		return;
	}
	if ((body->producer_id < 0) != (body->producer_epoch < 0)) {
		answer(request, KAFKA_INVALID_REQUEST, -1);
		return;
	}
	init = arena_zalloc(&request->arena, 1, sizeof *init);
	init->request = request;
	init->op.op.done = on_id;
	admin_call_times(&init->op.op, WAIT_MS_MAX);
	admin_producer_id(shard_of(request->worker)->admin, &init->op);
}
