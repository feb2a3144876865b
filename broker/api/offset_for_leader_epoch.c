/*
 * OffsetForLeaderEpoch: where an epoch of the leader's log ends (KIP-101, 320), for clients and tools that compare logs.
 *
 *     offset_for_leader_epoch_handle --scatter--> owner: log_end_for_epoch --> answer
 *
 * The answer comes from the same epoch cache that gates reads, so that it is never below what a reader was given.
 */
#include "broker/api/api.h"
#include "broker/api/scatter.h"
#include "proto/kafka/offset_for_leader_epoch.gen.h"
#include "proto/kafka_error.h"

struct epoch_part {
	struct scatter_part part;
	const struct offset_for_leader_epoch_request_partition *asked;
	struct offset_for_leader_epoch_response_partition *answer;
};

struct epochs {
	struct scatter scatter;
	struct offset_for_leader_epoch_response response;
};

static void find_end(struct scatter_part *scattered, struct partition *partition)
{
	struct epoch_part *part = CONTAINER_OF(scattered, struct epoch_part, part);
	struct log_epoch_end end = {-1, -1};
	int16_t error = partition ? partition_may_read(partition, part->asked->current_leader_epoch) : KAFKA_NOT_LEADER_OR_FOLLOWER;

	if (!error)
		end = log_end_for_epoch(partition->log, part->asked->leader_epoch);
	part->answer->error_code = error;
	part->answer->leader_epoch = end.epoch;
	part->answer->end_offset = end.end_offset;
	scatter_part_done(scattered);
}

static void epochs_done(struct scatter *scatter)
{
	request_answer(scatter->request, &CONTAINER_OF(scatter, struct epochs, scatter)->response);
}

static void add_topic(struct epochs *epochs, const struct offset_for_leader_epoch_request_topic *asked,
		      struct offset_for_leader_epoch_response_topic *answer)
{
	struct arena *arena = &epochs->scatter.request->arena;
	const struct view_topic *topic = view_topic(epochs->scatter.shard->view, asked->topic);

	answer->topic = asked->topic;
	answer->partitions = message_array(arena, &offset_for_leader_epoch_response_partition_struct, (size_t)asked->n_partitions);
	answer->n_partitions = asked->n_partitions;
	for (int32_t p = 0; p < asked->n_partitions; p++) {
		struct epoch_part *part;

		answer->partitions[p].partition = asked->partitions[p].partition;
		if (!topic || !view_partition(topic, asked->partitions[p].partition)) {
			answer->partitions[p].error_code = KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
			continue;
		}
		part = arena_zalloc(arena, 1, sizeof *part);
		part->part.topic_id = topic->id;
		part->part.partition = asked->partitions[p].partition;
		part->asked = &asked->partitions[p];
		part->answer = &answer->partitions[p];
		scatter_add(&epochs->scatter, &part->part);
	}
}

void offset_for_leader_epoch_handle(struct request *request)
{
	const struct offset_for_leader_epoch_request *body = request->body;
	struct epochs *epochs = arena_zalloc(&request->arena, 1, sizeof *epochs);
	int64_t n = body->n_topics;

	for (int32_t t = 0; t < body->n_topics; t++)
		n += body->topics[t].n_partitions;
	if (!scatter_may_begin(request, n))
		return;
	scatter_init(&epochs->scatter, request);
	epochs->scatter.work = find_end;
	epochs->scatter.done = epochs_done;
	epochs->response = offset_for_leader_epoch_response_default;
	epochs->response.topics =
		message_array(&request->arena, &offset_for_leader_epoch_response_topic_struct, (size_t)body->n_topics);
	epochs->response.n_topics = body->n_topics;
	for (int32_t t = 0; t < body->n_topics; t++)
		add_topic(epochs, &body->topics[t], &epochs->response.topics[t]);
	scatter_run(&epochs->scatter);
}
