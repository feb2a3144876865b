/*
 * OffsetCommit: how far a group has read. Version 0 writes to ZooKeeper (consumer_offsets.h). Offsets of topics and partitions that this
 * broker's view lacks are refused here, the rest is the coordinator's; without any it is not asked, as with Kafka.
 */
#include "broker/api/api.h"
#include "broker/api/consumer_offsets.h"
#include "broker/api/group_call.h"
#include "broker/api/scatter.h"
#include "proto/kafka/offset_commit.gen.h"
#include "proto/kafka_error.h"

struct offset_commit {
	struct group_call call;
	struct group_part part;
	struct offset_commit_response response;
	struct offset_commit_request_topic *known; /* topics of the request with those of their partitions that exist */
	int32_t n_known;
};

/* Lists what exists of one topic for the coordinator, and answers for the rest. */
static void sort_out(struct offset_commit *commit, const struct offset_commit_request_topic *asked,
		     struct offset_commit_response_topic *answer)
{
	struct arena *arena = &commit->call.request->arena;
	const struct view_topic *topic = view_topic(commit->call.shard->view, asked->name);
	struct offset_commit_request_topic *known = &commit->known[commit->n_known];

	answer->name = known->name = asked->name;
	answer->partitions = message_array(arena, &offset_commit_response_partition_struct, (size_t)asked->n_partitions);
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
		commit->n_known++;
}

/* What was asked of the coordinator comes back in order. A call that did not get there has only its own error. */
static void merge(struct offset_commit_response *response, const struct coordinator_commit *committed)
{
	const struct offset_commit_response_topic *result = committed->results;

	for (int32_t t = 0; t < response->n_topics; t++) {
		int32_t n = 0;

		for (int32_t p = 0; p < response->topics[t].n_partitions; p++) {
			int16_t *error = &response->topics[t].partitions[p].error_code;

			if (!*error)
				*error = result ? result->partitions[n].error_code : committed->call.error, n++;
		}
		if (n && result)
			result++;
	}
}

static void on_committed(struct group_call *call)
{
	struct offset_commit *commit = CONTAINER_OF(call, struct offset_commit, call);

	merge(&commit->response, &commit->part.commit);
	group_call_answer(call, &commit->response);
}

static int64_t count(const struct offset_commit_request *body)
{
	int64_t n = body->n_topics;

	for (int32_t t = 0; t < body->n_topics; t++)
		n += body->topics[t].n_partitions;
	return n;
}

static void ask(struct offset_commit *commit, const struct offset_commit_request *body)
{
	commit->part.commit = (struct coordinator_commit){
		.call = {.kind = COORDINATOR_COMMIT, .group_id = body->group_id},
		.generation = body->generation_id_or_member_epoch,
		.member_id = body->member_id,
		.group_instance_id = body->group_instance_id,
		.retention_time_ms = body->retention_time_ms,
		.topics = commit->known,
		.n_topics = commit->n_known,
	};
	group_call_add(&commit->call, &commit->part);
	group_call_run(&commit->call);
}

void offset_commit_handle(struct request *request)
{
	const struct offset_commit_request *body = request->body;
	struct offset_commit *commit = arena_zalloc(&request->arena, 1, sizeof *commit);

	if (request->header.api_version == 0) {
		consumer_offsets_commit(request);
		return;
	}
	if (!scatter_may_begin(request, count(body)))
		return;
	group_call_init(&commit->call, request, 1, on_committed);
	commit->known = arena_zalloc(&request->arena, (size_t)body->n_topics, sizeof *commit->known);
	commit->response = offset_commit_response_default;
	commit->response.topics = message_array(&request->arena, &offset_commit_response_topic_struct, (size_t)body->n_topics);
	commit->response.n_topics = body->n_topics;
	for (int32_t t = 0; t < body->n_topics; t++)
		sort_out(commit, &body->topics[t], &commit->response.topics[t]);
	if (commit->n_known)
		ask(commit, body);
	else
		group_call_answer(&commit->call, &commit->response);
}
