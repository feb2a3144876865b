/* OffsetDelete: committed offsets of topics that the group does not read now are forgotten (KIP-496). */
#include "broker/api/api.h"
#include "broker/api/group_call.h"
#include "broker/api/scatter.h"
#include "proto/kafka/offset_delete.gen.h"
#include "proto/kafka_error.h"

struct offset_delete {
	struct group_call call;
	struct group_part part;
	struct offset_delete_response response;
	struct offset_delete_request_topic *known; /* topics of the request with those of their partitions that exist */
	int32_t n_known;
};

/* Lists what exists of one topic for the coordinator, and answers for the rest. */
static void sort_out(struct offset_delete *delete, const struct offset_delete_request_topic *asked,
		     struct offset_delete_response_topic *answer)
{
	struct arena *arena = &delete->call.request->arena;
	const struct view_topic *topic = view_topic(delete->call.shard->view, asked->name);
	struct offset_delete_request_topic *known = &delete->known[delete->n_known];

	answer->name = known->name = asked->name;
	answer->partitions = message_array(arena, &offset_delete_response_partition_struct, (size_t)asked->n_partitions);
	answer->n_partitions = asked->n_partitions;
	known->partitions = arena_zalloc(arena, (size_t)asked->n_partitions, sizeof *known->partitions);
	for (int32_t p = 0; p < asked->n_partitions; p++) {
		answer->partitions[p].partition_index = asked->partitions[p].partition_index;
		if (topic && view_partition(topic, asked->partitions[p].partition_index))
			known->partitions[known->n_partitions++] = asked->partitions[p];
		else
			answer->partitions[p].error_code = KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
	}
	if (known->n_partitions)
		delete->n_known++;
}

/* What was asked of the coordinator comes back in order. */
static void merge(struct offset_delete_response *response, const struct coordinator_delete_offsets *deleted)
{
	const struct offset_delete_response_topic *result = deleted->results;

	for (int32_t t = 0; t < response->n_topics; t++) {
		int32_t n = 0;

		for (int32_t p = 0; p < response->topics[t].n_partitions; p++)
			if (!response->topics[t].partitions[p].error_code)
				response->topics[t].partitions[p].error_code = result->partitions[n++].error_code;
		if (n)
			result++;
	}
}

static void on_deleted(struct group_call *call)
{
	struct offset_delete *delete = CONTAINER_OF(call, struct offset_delete, call);
	struct offset_delete_response *response = &delete->response;

	response->error_code = delete->part.call.error;
	if (response->error_code)
		response->n_topics = 0;
	else
		merge(response, &delete->part.delete_offsets);
	group_call_answer(call, response);
}

static int64_t count(const struct offset_delete_request *body)
{
	int64_t n = body->n_topics;

	for (int32_t t = 0; t < body->n_topics; t++)
		n += body->topics[t].n_partitions;
	return n;
}

void offset_delete_handle(struct request *request)
{
	const struct offset_delete_request *body = request->body;
	struct offset_delete *delete = arena_zalloc(&request->arena, 1, sizeof *delete);

	if (!scatter_may_begin(request, count(body)))
		return;
	group_call_init(&delete->call, request, 1, on_deleted);
	delete->known = arena_zalloc(&request->arena, (size_t)body->n_topics, sizeof *delete->known);
	delete->response = offset_delete_response_default;
	delete->response.topics = message_array(&request->arena, &offset_delete_response_topic_struct, (size_t)body->n_topics);
	delete->response.n_topics = body->n_topics;
	for (int32_t t = 0; t < body->n_topics; t++)
		sort_out(delete, &body->topics[t], &delete->response.topics[t]);
	delete->part.delete_offsets = (struct coordinator_delete_offsets){
		.call = {.kind = COORDINATOR_DELETE_OFFSETS, .group_id = body->group_id},
		.topics = delete->known,
		.n_topics = delete->n_known,
	};
	group_call_add(&delete->call, &delete->part);
	group_call_run(&delete->call);
}
