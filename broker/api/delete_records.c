/*
 * DeleteRecords: the head of a partition goes, up to an offset.
 *
 *     delete_records_handle --scatter--> owner: partition_delete_records --> answer with the low watermark
 *
 * With one replica the low watermark is the leader's own new log start.
 */
#include "broker/api/api.h"
#include "broker/api/scatter.h"
#include "proto/kafka/delete_records.gen.h"
#include "proto/kafka_error.h"

struct delete_part {
	struct scatter_part part;
	int64_t offset;
	struct delete_records_response_partition *answer;
};

struct delete_records {
	struct scatter scatter;
	struct delete_records_response response;
};

static void delete_part(struct scatter_part *scattered, struct partition *partition)
{
	struct delete_part *part = CONTAINER_OF(scattered, struct delete_part, part);
	int64_t low_watermark = -1;

	part->answer->error_code = partition ? partition_delete_records(partition, part->offset, &low_watermark)
					     : KAFKA_NOT_LEADER_OR_FOLLOWER;
	part->answer->low_watermark = low_watermark;
	scatter_part_done(scattered);
}

static void delete_done(struct scatter *scatter)
{
	request_answer(scatter->request, &CONTAINER_OF(scatter, struct delete_records, scatter)->response);
}

static void add_topic(struct delete_records *delete, const struct delete_records_request_topic *asked,
		      struct delete_records_response_topic *answer)
{
	struct arena *arena = &delete->scatter.request->arena;
	const struct view_topic *topic = view_topic(delete->scatter.shard->view, asked->name);

	answer->name = asked->name;
	answer->partitions = message_array(arena, &delete_records_response_partition_struct, (size_t)asked->n_partitions);
	answer->n_partitions = asked->n_partitions;
	for (int32_t p = 0; p < asked->n_partitions; p++) {
		struct delete_part *part;

		answer->partitions[p].partition_index = asked->partitions[p].partition_index;
		if (!topic || !view_partition(topic, asked->partitions[p].partition_index)) {
			answer->partitions[p].error_code = KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
			answer->partitions[p].low_watermark = -1;
			continue;
		}
		part = arena_zalloc(arena, 1, sizeof *part);
		part->part.topic_id = topic->id;
		part->part.partition = asked->partitions[p].partition_index;
		part->offset = asked->partitions[p].offset;
		part->answer = &answer->partitions[p];
		scatter_add(&delete->scatter, &part->part);
	}
}

void delete_records_handle(struct request *request)
{
	const struct delete_records_request *body = request->body;
	struct delete_records *delete = arena_zalloc(&request->arena, 1, sizeof *delete);
	int64_t n = body->n_topics;

	for (int32_t t = 0; t < body->n_topics; t++)
		n += body->topics[t].n_partitions;
	if (!scatter_may_begin(request, n))
		return;
	scatter_init(&delete->scatter, request);
	delete->scatter.work = delete_part;
	delete->scatter.done = delete_done;
	delete->response = delete_records_response_default;
	delete->response.topics = message_array(&request->arena, &delete_records_response_topic_struct, (size_t)body->n_topics);
	delete->response.n_topics = body->n_topics;
	for (int32_t t = 0; t < body->n_topics; t++)
		add_topic(delete, &body->topics[t], &delete->response.topics[t]);
	scatter_run(&delete->scatter);
}
