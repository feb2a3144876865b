/*
 * DeleteRecords: the head of a partition goes, up to an offset.
 *
 *     delete_records_handle --scatter--> owner: partition_delete_records, followers too --disk thread--> new start on disk --> answer with the
 *                                        low watermark: the lowest start of all replicas that live
 *
 * What is answered stays deleted, also after a crash: parts of one log dir that come together share one write.
 */
#include "broker/api/api.h"
#include "broker/api/scatter.h"
#include "broker/log/log_dir.h"
#include "broker/rt/disk.h"
#include "common/clock.h"
#include "common/memory.h"
#include "common/trace.h"
#include "proto/kafka/delete_records.gen.h"
#include "proto/kafka_error.h"

struct delete_part {
	struct scatter_part part;
	struct partition_deletion deletion;
	struct disk_job job;
	struct log_dir *dir;
	struct delete_records_response_partition *answer;
};

struct delete_records {
	struct scatter scatter;
	struct delete_records_response response;
	int64_t deadline_ms;
};

static void keep_run(struct disk_job *job)
{
	struct log_dir *dir = CONTAINER_OF(job, struct delete_part, job)->dir;
	int r = log_dir_keep_starts(dir);

	/* On a full disk it is done by the next checkpoint: deleting is how room is made. */
	if (r && !log_dir_failed(dir))
		trace_limited(TRACE_WARN, "log", "the start of deleted records cannot be written down yet: %s", error_text(r));
}

static void keep_done(struct disk_job *job)
{
	struct delete_part *part = CONTAINER_OF(job, struct delete_part, job);

	if (log_dir_failed(part->dir)) {
		part->answer->error_code = KAFKA_STORAGE_ERROR;
		part->answer->low_watermark = -1;
	}
	scatter_part_done(&part->part);
}

static void keep(struct delete_part *part, struct partition *partition)
{
	part->dir = log_dir_of(partition->log);
	part->job = (struct disk_job){.run = keep_run, .done = keep_done, .reply_to = &partition->shard->worker};
	disk_post(partition->disk, &part->job);
}

static void on_deleted(struct partition_deletion *deletion)
{
	struct delete_part *part = CONTAINER_OF(deletion, struct delete_part, deletion);

	part->answer->error_code = deletion->error;
	part->answer->low_watermark = deletion->low_watermark;
	if (deletion->error == 0)
		keep(part, deletion->partition);
	else
		scatter_part_done(&part->part);
}

static void delete_part(struct scatter_part *scattered, struct partition *partition)
{
	struct delete_part *part = CONTAINER_OF(scattered, struct delete_part, part);

	part->deletion.done = on_deleted;
	if (partition) {
		partition_delete_records(partition, &part->deletion);
		return;
	}
	part->answer->error_code = KAFKA_NOT_LEADER_OR_FOLLOWER;
	part->answer->low_watermark = -1;
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
		part->deletion.offset = asked->partitions[p].offset;
		part->deletion.deadline_ms = delete->deadline_ms;
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
	delete->deadline_ms = clock_ms() + (body->timeout_ms > 0 ? body->timeout_ms : 0);
	delete->response = delete_records_response_default;
	delete->response.topics = message_array(&request->arena, &delete_records_response_topic_struct, (size_t)body->n_topics);
	delete->response.n_topics = body->n_topics;
	for (int32_t t = 0; t < body->n_topics; t++)
		add_topic(delete, &body->topics[t], &delete->response.topics[t]);
	scatter_run(&delete->scatter);
}
