/*
 * CreatePartitions: any broker serves it.
 *
 *     create_partitions_handle -> create_partitions_plan -> admin (hub): topic node grown, new partitions led -> on_added -> answer
 *
 * A topic that stands twice in the request has one answer.
 */
#include "broker/api/admin_call.h"
#include "broker/api/api.h"
#include "proto/kafka/create_partitions.gen.h"
#include "proto/kafka_error.h"

struct create_partitions {
	struct request *request;
	struct create_partitions_response response;
	struct admin_add_partitions add;
	int32_t *adding; /* index of the row by item of add */
};

static struct create_partitions_wish wish_of(struct arena *arena, const struct create_partitions_request_topic *asked)
{
	struct create_partitions_wish wish = {
		.name = asked->name, .n_partitions = asked->count, .n_assignments = asked->n_assignments};
	struct manual_assignment *assignments;

	if (asked->n_assignments < 0)
		return wish;
	assignments = arena_zalloc(arena, (size_t)asked->n_assignments, sizeof *assignments);
	for (int32_t i = 0; i < asked->n_assignments; i++)
		assignments[i] = (struct manual_assignment){.brokers = asked->assignments[i].broker_ids,
							    .n_brokers = asked->assignments[i].n_broker_ids};
	wish.assignments = assignments;
	return wish;
}

static void on_added(struct admin_op *op)
{
	struct create_partitions *creation =
		CONTAINER_OF(CONTAINER_OF(op, struct admin_add_partitions, op), struct create_partitions, add);

	for (int i = 0; i < creation->add.n; i++) {
		struct create_partitions_response_result *row = &creation->response.results[creation->adding[i]];

		row->error_code = creation->add.list[i].item.error;
		row->error_message = admin_call_message(creation->add.list[i].item.message);
	}
	request_answer(creation->request, &creation->response);
}

static void add_plan(struct create_partitions *creation, int32_t index, const struct create_partitions_plan *plan)
{
	struct create_partitions_response_result *row = &creation->response.results[index];
	struct admin_add_partitions *add = &creation->add;

	row->name = plan->name;
	row->error_code = plan->error;
	row->error_message = admin_call_message(plan->message);
	if (plan->error)
		return;
	creation->adding[add->n] = index;
	add->list[add->n++] = (struct admin_add_partition_set){.name = plan->name,
							       .topic_id = plan->topic->id,
							       .n_before = plan->topic->n_partitions,
							       .added = plan->added};
}

static void plan(struct create_partitions *creation, const struct create_partitions_request *body)
{
	struct topics_context context = admin_call_context(creation->request);
	struct create_partitions_wish *wishes = arena_zalloc(context.arena, (size_t)body->n_topics, sizeof *wishes);
	struct create_partitions_plan *plans = arena_zalloc(context.arena, (size_t)body->n_topics, sizeof *plans);
	int n;

	for (int32_t i = 0; i < body->n_topics; i++)
		wishes[i] = wish_of(context.arena, &body->topics[i]);
	create_partitions_plan(&context, wishes, body->n_topics, plans, &n);
	creation->response.results = message_array(context.arena, &create_partitions_response_result_struct, (size_t)n);
	creation->response.n_results = n;
	creation->add.list = arena_zalloc(context.arena, (size_t)n, sizeof *creation->add.list);
	creation->adding = arena_zalloc(context.arena, (size_t)n, sizeof *creation->adding);
	for (int i = 0; i < n; i++)
		add_plan(creation, i, &plans[i]);
}

void create_partitions_handle(struct request *request)
{
	const struct create_partitions_request *body = request->body;
	struct create_partitions *creation = arena_zalloc(&request->arena, 1, sizeof *creation);

	creation->request = request;
	creation->response = create_partitions_response_default;
	plan(creation, body);
	if (body->validate_only || creation->add.n == 0) {
		request_answer(request, &creation->response);
		return;
	}
	creation->add.op.done = on_added;
	admin_call_times(&creation->add.op, body->timeout_ms);
	admin_add_partitions(shard_of(request->worker)->admin, &creation->add);
}
