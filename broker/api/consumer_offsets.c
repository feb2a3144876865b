/* Offsets in ZooKeeper; see consumer_offsets.h. */
#include "broker/api/consumer_offsets.h"

#include "broker/api/admin_call.h"
#include "common/limits.h"
#include "common/memory.h"
#include "common/trace.h"
#include "proto/kafka/offset_commit.gen.h"
#include "proto/kafka/offset_fetch.gen.h"
#include "proto/kafka_error.h"

/* For each to be written or read; clients of this age wait 30 seconds for an answer. */
#define ZOOKEEPER_MS_MAX 5000

struct consumer_offsets {
	struct request *request;
	const struct view *view; /* of the shard, while the request is sorted out */
	struct admin_consumer_offsets op;
	void **answers; /* by entry of op: the partition's row in the response */
	union {
		struct offset_commit_response commit;
		struct offset_fetch_response fetch;
	};
};

/* NULL: the request names more than ZooKeeper is asked for at a time, and is ended. */
static struct consumer_offsets *begin(struct request *request, int64_t n, void (*done)(struct admin_op *op))
{
	struct consumer_offsets *offsets;

	if (n > LIMIT_ZOOKEEPER_OFFSETS) {
		trace_limited(TRACE_WARN, "api", "%s: a request names %lld topics and partitions whose offsets lie in ZooKeeper, %d are allowed",
			      request->client->address_text, (long long)n, LIMIT_ZOOKEEPER_OFFSETS);
		request_close(request, "a request names too many offsets in ZooKeeper");
		return NULL;
	}
	offsets = arena_zalloc(&request->arena, 1, sizeof *offsets);
	offsets->request = request;
	offsets->view = shard_of(request->worker)->view;
	offsets->op.op.done = done;
	offsets->op.list = arena_zalloc(&request->arena, (size_t)n, sizeof *offsets->op.list);
	offsets->answers = arena_zalloc(&request->arena, (size_t)n, sizeof *offsets->answers);
	admin_call_times(&offsets->op.op, ZOOKEEPER_MS_MAX);
	return offsets;
}

static void add(struct consumer_offsets *offsets, struct slice group_id, struct slice topic, int32_t partition, int64_t offset, void *answer)
{
	offsets->answers[offsets->op.n] = answer;
	offsets->op.list[offsets->op.n++] = (struct admin_consumer_offset){
		.group_id = group_id, .topic = topic, .partition = partition, .offset = offset};
}

static bool is_known(const struct consumer_offsets *offsets, struct slice name, int32_t partition)
{
	const struct view_topic *topic = view_topic(offsets->view, name);

	return topic && view_partition(topic, partition);
}

/* ---- commit ---- */

static void on_put(struct admin_op *op)
{
	struct consumer_offsets *offsets = CONTAINER_OF(CONTAINER_OF(op, struct admin_consumer_offsets, op), struct consumer_offsets, op);

	for (int i = 0; i < offsets->op.n; i++)
		((struct offset_commit_response_partition *)offsets->answers[i])->error_code = offsets->op.list[i].item.error;
	request_answer(offsets->request, &offsets->commit);
}

static void commit_topic(struct consumer_offsets *offsets, const struct offset_commit_request_topic *asked,
			 struct offset_commit_response_topic *answer)
{
	const struct offset_commit_request *body = offsets->request->body;
	size_t metadata_max = (size_t)shard_of(offsets->request->worker)->config->offset_metadata_max_bytes;

	answer->name = asked->name;
	answer->n_partitions = asked->n_partitions;
	answer->partitions =
		message_array(&offsets->request->arena, &offset_commit_response_partition_struct, (size_t)asked->n_partitions);
	for (int32_t p = 0; p < asked->n_partitions; p++) {
		const struct offset_commit_request_partition *partition = &asked->partitions[p];
		struct offset_commit_response_partition *row = &answer->partitions[p];

		row->partition_index = partition->partition_index;
		if (!is_known(offsets, asked->name, partition->partition_index))
			row->error_code = KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
		else if (partition->committed_metadata.len > metadata_max)
			row->error_code = KAFKA_OFFSET_METADATA_TOO_LARGE;
		else
			add(offsets, body->group_id, asked->name, partition->partition_index, partition->committed_offset, row);
	}
}

void consumer_offsets_commit(struct request *request)
{
	const struct offset_commit_request *body = request->body;
	struct consumer_offsets *offsets;
	int64_t n = body->n_topics;

	for (int32_t t = 0; t < body->n_topics; t++)
		n += body->topics[t].n_partitions;
	offsets = begin(request, n, on_put);
	if (!offsets)
		return;
	offsets->commit = offset_commit_response_default;
	offsets->commit.topics = message_array(&request->arena, &offset_commit_response_topic_struct, (size_t)body->n_topics);
	offsets->commit.n_topics = body->n_topics;
	for (int32_t t = 0; t < body->n_topics; t++)
		commit_topic(offsets, &body->topics[t], &offsets->commit.topics[t]);
	if (offsets->op.n)
		admin_put_consumer_offsets(shard_of(request->worker)->admin, &offsets->op);
	else
		request_answer(request, &offsets->commit);
}

/* ---- fetch ---- */

static void on_got(struct admin_op *op)
{
	struct consumer_offsets *offsets = CONTAINER_OF(CONTAINER_OF(op, struct admin_consumer_offsets, op), struct consumer_offsets, op);

	for (int i = 0; i < offsets->op.n; i++) {
		struct offset_fetch_response_partition *row = offsets->answers[i];

		row->error_code = offsets->op.list[i].item.error;
		if (!row->error_code)
			row->committed_offset = offsets->op.list[i].offset;
	}
	request_answer(offsets->request, &offsets->fetch);
}

static void fetch_topic(struct consumer_offsets *offsets, const struct offset_fetch_request_topic *asked,
			struct offset_fetch_response_topic *answer)
{
	const struct offset_fetch_request *body = offsets->request->body;

	answer->name = asked->name;
	answer->n_partitions = asked->n_partition_indexes;
	answer->partitions =
		message_array(&offsets->request->arena, &offset_fetch_response_partition_struct, (size_t)asked->n_partition_indexes);
	for (int32_t p = 0; p < asked->n_partition_indexes; p++) {
		struct offset_fetch_response_partition *row = &answer->partitions[p];

		row->partition_index = asked->partition_indexes[p];
		row->committed_offset = -1;
		row->metadata = SLICE_LITERAL("");
		if (is_known(offsets, asked->name, row->partition_index))
			add(offsets, body->group_id, asked->name, row->partition_index, -1, row);
		else
			row->error_code = KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
	}
}

void consumer_offsets_fetch(struct request *request)
{
	const struct offset_fetch_request *body = request->body;
	struct consumer_offsets *offsets;
	int64_t n = body->n_topics;

	for (int32_t t = 0; t < body->n_topics; t++)
		n += body->topics[t].n_partition_indexes;
	offsets = begin(request, n, on_got);
	if (!offsets)
		return;
	offsets->fetch = offset_fetch_response_default;
	offsets->fetch.topics = message_array(&request->arena, &offset_fetch_response_topic_struct, (size_t)body->n_topics);
	offsets->fetch.n_topics = body->n_topics;
	for (int32_t t = 0; t < body->n_topics; t++)
		fetch_topic(offsets, &body->topics[t], &offsets->fetch.topics[t]);
	if (offsets->op.n)
		admin_get_consumer_offsets(shard_of(request->worker)->admin, &offsets->op);
	else
		request_answer(request, &offsets->fetch);
}
