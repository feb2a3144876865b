/*
 * DeleteTopics, by name or (version 6) by id: any broker serves it.
 *
 *     delete_topics_handle -> delete_topics_plan -> admin (hub): requested, then gone from this broker's view -> on_deleted -> answer
 */
#include "broker/api/admin_call.h"
#include "broker/api/api.h"
#include "proto/kafka/delete_topics.gen.h"
#include "proto/kafka_error.h"

#define VERSION_WITH_DISABLED 3 /* TOPIC_DELETION_DISABLED is known */
#define VERSION_WITH_IDS 6

struct delete_topics {
	struct request *request;
	struct delete_topics_response response;
	struct admin_delete_topics delete;
	int32_t *deleting; /* index of the row by item of delete */
};

static struct delete_topic_wish *list_wishes(struct request *request, int32_t *ret_n)
{
	const struct delete_topics_request *body = request->body;
	bool with_ids = request->header.api_version >= VERSION_WITH_IDS;
	int32_t n = with_ids ? body->n_topics : body->n_topic_names;
	struct delete_topic_wish *wishes = arena_zalloc(&request->arena, (size_t)n, sizeof *wishes);

	for (int32_t i = 0; i < n; i++) {
		wishes[i].name = with_ids ? body->topics[i].name : body->topic_names[i];
		if (with_ids)
			wishes[i].id = body->topics[i].topic_id;
	}
	*ret_n = n;
	return wishes;
}

static void answer_row(const struct request *request, struct delete_topics_response_topic *row, int16_t error, const char *message)
{
	if (error == KAFKA_TOPIC_DELETION_DISABLED && request->header.api_version < VERSION_WITH_DISABLED)
		error = KAFKA_INVALID_REQUEST;
	row->error_code = error;
	row->error_message = admin_call_message(message);
}

static void on_deleted(struct admin_op *op)
{
	struct delete_topics *deletion = CONTAINER_OF(CONTAINER_OF(op, struct admin_delete_topics, op), struct delete_topics, delete);

	for (int i = 0; i < deletion->delete.n; i++)
		answer_row(deletion->request, &deletion->response.responses[deletion->deleting[i]],
			   deletion->delete.list[i].item.error, deletion->delete.list[i].item.message);
	request_answer(deletion->request, &deletion->response);
}

/* A name and an id for one topic: Kafka refuses the whole request. */
static bool is_ambiguous(const struct delete_topic_wish *wishes, int32_t n)
{
	for (int32_t i = 0; i < n; i++)
		if (!slice_is_null(wishes[i].name) && !uuid_is_zero(&wishes[i].id))
			return true;
	return false;
}

static void refuse_all(struct delete_topics *deletion, const struct delete_topic_wish *wishes, int32_t n)
{
	for (int32_t i = 0; i < n; i++) {
		struct delete_topics_response_topic *row = &deletion->response.responses[i];

		row->name = wishes[i].name;
		row->topic_id = wishes[i].id;
		answer_row(deletion->request, row, KAFKA_INVALID_REQUEST, NULL);
	}
	request_answer(deletion->request, &deletion->response);
}

/* One row for each wish; what the plan lets pass is put into the operation. */
static void plan(struct delete_topics *deletion, const struct delete_topic_wish *wishes, int32_t n)
{
	struct topics_context context = admin_call_context(deletion->request);
	struct delete_topic_plan *plans = arena_zalloc(context.arena, (size_t)n, sizeof *plans);
	struct admin_delete_topics *delete = &deletion->delete;

	delete_topics_plan(&context, wishes, n, plans);
	for (int32_t i = 0; i < n; i++) {
		struct delete_topics_response_topic *row = &deletion->response.responses[i];

		/* The view may change before the answer. */
		row->name = plans[i].topic ? arena_copy(context.arena, plans[i].name) : plans[i].name;
		row->topic_id = wishes[i].id;
		answer_row(deletion->request, row, plans[i].error, plans[i].message);
		if (plans[i].error)
			continue;
		deletion->deleting[delete->n] = i;
		delete->list[delete->n++] = (struct admin_delete_topic){
			.name = arena_copy(context.arena, plans[i].topic->name), .topic_id = plans[i].topic->id};
	}
}

void delete_topics_handle(struct request *request)
{
	const struct delete_topics_request *body = request->body;
	struct delete_topics *deletion = arena_zalloc(&request->arena, 1, sizeof *deletion);
	const struct delete_topic_wish *wishes;
	int32_t n;

	deletion->request = request;
	wishes = list_wishes(request, &n);
	deletion->response = delete_topics_response_default;
	deletion->response.responses = message_array(&request->arena, &delete_topics_response_topic_struct, (size_t)n);
	deletion->response.n_responses = n;
	if (is_ambiguous(wishes, n)) {
		refuse_all(deletion, wishes, n);
		return;
	}
	deletion->delete.list = arena_zalloc(&request->arena, (size_t)n, sizeof *deletion->delete.list);
	deletion->deleting = arena_zalloc(&request->arena, (size_t)n, sizeof *deletion->deleting);
	plan(deletion, wishes, n);
	if (deletion->delete.n == 0) {
		request_answer(request, &deletion->response);
		return;
	}
	deletion->delete.op.done = on_deleted;
	admin_call_times(&deletion->delete.op, body->timeout_ms);
	admin_delete_topics(shard_of(request->worker)->admin, &deletion->delete);
}
