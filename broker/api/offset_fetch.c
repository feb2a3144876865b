/*
 * OffsetFetch: how far groups have read: one (versions up to 7) or several, each answered by its own coordinator. Version 0 reads from ZooKeeper
 * (consumer_offsets.h).
 *
 * A refusal of the whole stands at the top from version 2 on. Version 1 has no such place: there it stands with each partition, where clients of
 * that age look for it. (Kafka 3.9 answers them with no partition at all, from which they cannot tell that they ask the wrong broker.)
 */
#include "broker/api/api.h"
#include "broker/api/consumer_offsets.h"
#include "broker/api/group_call.h"
#include "broker/api/scatter.h"
#include "proto/kafka/offset_fetch.gen.h"

#define VERSION_WITH_ERROR 2
#define VERSION_WITH_GROUPS 8

struct offset_fetch {
	struct group_call call;
	struct group_part *parts; /* one for each group, in the order of the request */
	int32_t n_parts;
	struct offset_fetch_response response;
};

/* ---- versions up to 7: one group ---- */

static void answer_topic(struct arena *arena, const struct offset_fetch_response_group_topic *found,
			 struct offset_fetch_response_topic *answer)
{
	answer->name = found->name;
	answer->partitions = message_array(arena, &offset_fetch_response_partition_struct, (size_t)found->n_partitions);
	answer->n_partitions = found->n_partitions;
	for (int32_t p = 0; p < found->n_partitions; p++) {
		const struct offset_fetch_response_group_partition *from = &found->partitions[p];

		answer->partitions[p] = (struct offset_fetch_response_partition){
			.partition_index = from->partition_index,
			.committed_offset = from->committed_offset,
			.committed_leader_epoch = from->committed_leader_epoch,
			.metadata = from->metadata,
			.error_code = from->error_code,
		};
	}
}

static void refuse_topic(struct arena *arena, const struct offset_fetch_request_topic *asked, int16_t error,
			 struct offset_fetch_response_topic *answer)
{
	answer->name = asked->name;
	answer->partitions = message_array(arena, &offset_fetch_response_partition_struct, (size_t)asked->n_partition_indexes);
	answer->n_partitions = asked->n_partition_indexes;
	for (int32_t p = 0; p < asked->n_partition_indexes; p++)
		answer->partitions[p] = (struct offset_fetch_response_partition){.partition_index = asked->partition_indexes[p],
										 .committed_offset = -1,
										 .committed_leader_epoch = -1,
										 .metadata = SLICE_LITERAL(""),
										 .error_code = error};
}

static void answer_one(struct offset_fetch *fetch, const struct offset_fetch_request *body)
{
	struct request *request = fetch->call.request;
	const struct coordinator_fetch_offsets *found = &fetch->parts[0].fetch;
	struct offset_fetch_response *response = &fetch->response;
	bool refuse = found->call.error && request->header.api_version < VERSION_WITH_ERROR;

	response->error_code = found->call.error;
	response->n_topics = refuse ? body->n_topics : found->n_results;
	response->topics = message_array(&request->arena, &offset_fetch_response_topic_struct, (size_t)response->n_topics);
	for (int32_t t = 0; t < response->n_topics; t++) {
		if (refuse)
			refuse_topic(&request->arena, &body->topics[t], found->call.error, &response->topics[t]);
		else
			answer_topic(&request->arena, &found->results[t], &response->topics[t]);
	}
}

/* The topics of the one group, as those of several are written. */
static struct offset_fetch_request_group_topic *topics_of_one(struct arena *arena, const struct offset_fetch_request *body)
{
	struct offset_fetch_request_group_topic *topics;

	if (body->n_topics < 0)
		return NULL;
	topics = arena_zalloc(arena, (size_t)body->n_topics, sizeof *topics);
	for (int32_t t = 0; t < body->n_topics; t++)
		topics[t] = (struct offset_fetch_request_group_topic){.name = body->topics[t].name,
								      .partition_indexes = body->topics[t].partition_indexes,
								      .n_partition_indexes = body->topics[t].n_partition_indexes};
	return topics;
}

/* ---- version 8 and up: several ---- */

static void answer_groups(struct offset_fetch *fetch)
{
	struct offset_fetch_response *response = &fetch->response;

	response->groups =
		message_array(&fetch->call.request->arena, &offset_fetch_response_group_struct, (size_t)fetch->n_parts);
	response->n_groups = fetch->n_parts;
	for (int32_t i = 0; i < fetch->n_parts; i++) {
		const struct coordinator_fetch_offsets *found = &fetch->parts[i].fetch;

		response->groups[i] = (struct offset_fetch_response_group){.group_id = found->call.group_id,
									   .topics = found->results,
									   .n_topics = found->n_results,
									   .error_code = found->call.error};
	}
}

/* ---- both ---- */

static void on_fetched(struct group_call *call)
{
	struct offset_fetch *fetch = CONTAINER_OF(call, struct offset_fetch, call);

	if (call->request->header.api_version < VERSION_WITH_GROUPS)
		answer_one(fetch, call->request->body);
	else
		answer_groups(fetch);
	group_call_answer(call, &fetch->response);
}

static void add_group(struct offset_fetch *fetch, struct slice group_id, const struct offset_fetch_request_group_topic *topics,
		      int32_t n_topics)
{
	const struct offset_fetch_request *body = fetch->call.request->body;
	struct group_part *part = &fetch->parts[fetch->n_parts++];

	part->fetch = (struct coordinator_fetch_offsets){
		.call = {.kind = COORDINATOR_FETCH_OFFSETS, .group_id = group_id},
		.topics = topics,
		.n_topics = n_topics < 0 ? -1 : n_topics,
		.require_stable = body->require_stable,
	};
	group_call_add(&fetch->call, part);
}

static int64_t count(const struct offset_fetch_request *body)
{
	int64_t n = (int64_t)body->n_groups + (body->n_topics > 0 ? body->n_topics : 0);

	for (int32_t t = 0; t < body->n_topics; t++)
		n += body->topics[t].n_partition_indexes;
	for (int32_t g = 0; g < body->n_groups; g++) {
		n += body->groups[g].n_topics > 0 ? body->groups[g].n_topics : 0;
		for (int32_t t = 0; t < body->groups[g].n_topics; t++)
			n += body->groups[g].topics[t].n_partition_indexes;
	}
	return n;
}

void offset_fetch_handle(struct request *request)
{
	const struct offset_fetch_request *body = request->body;
	struct offset_fetch *fetch = arena_zalloc(&request->arena, 1, sizeof *fetch);
	bool one = request->header.api_version < VERSION_WITH_GROUPS;
	int32_t n_groups = one ? 1 : body->n_groups;

	if (request->header.api_version == 0) {
		consumer_offsets_fetch(request);
		return;
	}
	if (!scatter_may_begin(request, count(body)))
		return;
	fetch->response = offset_fetch_response_default;
	fetch->parts = arena_zalloc(&request->arena, (size_t)n_groups, sizeof *fetch->parts);
	group_call_init(&fetch->call, request, n_groups, on_fetched);
	if (one)
		add_group(fetch, body->group_id, topics_of_one(&request->arena, body), body->n_topics);
	for (int32_t i = 0; !one && i < n_groups; i++)
		add_group(fetch, body->groups[i].group_id, body->groups[i].topics, body->groups[i].n_topics);
	group_call_run(&fetch->call);
}
