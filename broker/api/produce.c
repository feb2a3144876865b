/*
 * Produce: batches of a client to the leaders of their partitions.
 *
 *     produce_handle  check acks, split into parts --scatter--> owner: partition_append --> part done, or parked with acks=-1
 *     answer          <----------------------------------------- all parts done, or their time is up
 *
 * A partition that stands twice in a request is appended once and answered once (kafka.md 5.3). With acks=0 there is no answer; an
 * error then closes the connection, so that the client asks for metadata anew.
 */
#include "broker/api/api.h"
#include "broker/api/index_set.h"
#include "broker/api/leader_hint.h"
#include "broker/api/scatter.h"
#include "broker/meta/topic_name_core.h"
#include "common/clock.h"
#include "proto/kafka/produce.gen.h"
#include "proto/kafka_error.h"

#include <stdio.h>

#define VERSION_WITH_LEADER_HINT 10

struct produce_part {
	struct scatter_part part;
	struct partition_append append;
	struct produce_response_partition *answer;
};

/* Parts that wait for the high watermark on one shard share a timer there. */
struct produce_wait {
	struct timer timer;
	struct scatter_group *group;
	bool set;
};

struct produce {
	struct scatter scatter;
	struct produce_response response;
	struct produce_wait *waits; /* by shard */
	int32_t timeout_ms;
};

static struct produce *produce_of(struct scatter *scatter)
{
	return CONTAINER_OF(scatter, struct produce, scatter);
}

/* The text of one record error and of the whole refusal, as Kafka words them. */
static const char *fault_text(struct arena *arena, const struct batch_record_error *error)
{
	switch (error->fault) {
	case BATCH_RECORD_WITHOUT_KEY:
		return "Compacted topic cannot accept message without key in topic partition.";
	case BATCH_RECORD_TIMESTAMP_OUT_OF_RANGE:
		return arena_printf(arena, "Timestamp %lld of message is out of the range that the topic accepts.",
				    (long long)error->timestamp);
	case BATCH_RECORD_APPEND_TIME:
		return "Invalid timestamp type in message: clients send create time.";
	}
	return "";
}

static void answer_record_errors(struct arena *arena, const struct partition_append *append, struct produce_response_partition *answer)
{
	int32_t n = append->n_record_errors < BATCH_RECORD_ERRORS_MAX ? append->n_record_errors : BATCH_RECORD_ERRORS_MAX;

	answer->record_errors = message_array(arena, &produce_response_record_error_struct, (size_t)n);
	answer->n_record_errors = n;
	for (int32_t i = 0; i < n; i++) {
		answer->record_errors[i].batch_index = append->record_errors[i].index;
		answer->record_errors[i].batch_index_error_message = slice_of_text(fault_text(arena, &append->record_errors[i]));
	}
}

static void answer_part(struct request *request, struct produce *produce, struct produce_part *part)
{
	const struct partition_append *append = &part->append;
	struct produce_response_partition *answer = part->answer;

	answer->error_code = append->error;
	answer->base_offset = append->base_offset;
	answer->log_append_time_ms = append->append_time_ms;
	answer->log_start_offset = append->log_start_offset;
	if (append->n_record_errors)
		answer_record_errors(&request->arena, append, answer);
	if (append->message)
		answer->error_message = slice_of_text(append->message);
	if (append->error == KAFKA_NOT_LEADER_OR_FOLLOWER && request->header.api_version >= VERSION_WITH_LEADER_HINT)
		leader_hint_find(produce->scatter.shard->view, &part->part.topic_id, part->part.partition,
				 &answer->current_leader.leader_id, &answer->current_leader.leader_epoch);
}

/* Where the hinted leaders are to be found, each once. */
static void answer_endpoints(struct request *request, struct produce *produce)
{
	struct produce_response *response = &produce->response;
	struct leader_hints hints;

	leader_hints_init(&hints, produce->scatter.shard->view, request->client->listener->name, &request->arena);
	for (int32_t t = 0; t < response->n_responses; t++)
		for (int32_t p = 0; p < response->responses[t].n_partition_responses; p++)
			leader_hints_add(&hints, response->responses[t].partition_responses[p].current_leader.leader_id);
	response->node_endpoints = message_array(&request->arena, &produce_response_node_endpoint_struct, (size_t)hints.n);
	response->n_node_endpoints = hints.n;
	for (int i = 0; i < hints.n; i++) {
		struct produce_response_node_endpoint *endpoint = &response->node_endpoints[i];

		endpoint->node_id = hints.list[i].broker->id;
		endpoint->host = hints.list[i].endpoint->host;
		endpoint->port = hints.list[i].endpoint->port;
		endpoint->rack = hints.list[i].broker->rack;
	}
}

static bool any_error(const struct produce_response *response)
{
	for (int32_t t = 0; t < response->n_responses; t++)
		for (int32_t p = 0; p < response->responses[t].n_partition_responses; p++)
			if (response->responses[t].partition_responses[p].error_code)
				return true;
	return false;
}

static void produce_done(struct scatter *scatter)
{
	struct produce *produce = produce_of(scatter);
	struct request *request = scatter->request;
	const struct produce_request *body = request->body;

	for (int i = 0; i < scatter->shard->n_shards; i++)
		for (struct scatter_part *part = scatter->groups[i].first; part; part = part->next)
			answer_part(request, produce, CONTAINER_OF(part, struct produce_part, part));
	if (body->acks == 0) {
		if (any_error(&produce->response))
			request_close(request, "an error in a produce request with acks=0");
		else
			request_answer_none(request);
		return;
	}
	if (request->header.api_version >= VERSION_WITH_LEADER_HINT)
		answer_endpoints(request, produce);
	request_answer(request, &produce->response);
}

/* ---- on the owner ---- */

static void append_done(struct partition_append *append)
{
	struct produce_part *part = CONTAINER_OF(append, struct produce_part, append);
	struct scatter_group *group = part->part.group;
	struct produce_wait *wait = &produce_of(group->scatter)->waits[group->owner->index];

	/* The last one that waited: the timer may not outlive the request. */
	if (wait->set && group->n_open == 1) {
		timer_stop(&wait->timer);
		wait->set = false;
	}
	scatter_part_done(&part->part);
}

static void append_part(struct scatter_part *scattered, struct partition *partition)
{
	struct produce_part *part = CONTAINER_OF(scattered, struct produce_part, part);

	part->append.done = append_done;
	if (partition) {
		partition_append(partition, &part->append);
		return;
	}
	part->append.error = KAFKA_NOT_LEADER_OR_FOLLOWER;
	part->append.base_offset = part->append.append_time_ms = part->append.log_start_offset = -1;
	append_done(&part->append);
}

/* Ends what still waits; the request may be gone after the last one. */
static void time_out(struct scatter_group *group)
{
	struct scatter_part *part = group->first;
	int n_left = group->n_open;

	while (part && n_left > 0) {
		struct produce_part *waiting = CONTAINER_OF(part, struct produce_part, part);
		struct scatter_part *next = part->next;

		if (waiting->append.partition) {
			n_left--;
			partition_append_time_out(&waiting->append);
		}
		part = n_left > 0 ? next : NULL;
	}
}

static void on_timeout(struct timer *timer)
{
	struct produce_wait *wait = CONTAINER_OF(timer, struct produce_wait, timer);

	wait->set = false;
	time_out(wait->group);
}

/* All parts of the group have been begun; what is parked waits no longer than the client said. */
static void group_begun(struct scatter_group *group)
{
	struct produce *produce = produce_of(group->scatter);
	struct produce_wait *wait = &produce->waits[group->owner->index];

	/* One count is scatter's own until this returns. */
	if (group->n_open <= 1)
		return;
	if (produce->timeout_ms <= 0) {
		struct scatter_part *part;

		for (part = group->first; part; part = part->next)
			if (CONTAINER_OF(part, struct produce_part, part)->append.partition)
				partition_append_time_out(&CONTAINER_OF(part, struct produce_part, part)->append);
		return;
	}
	wait->group = group;
	wait->set = true;
	timer_init(&wait->timer, &group->owner->worker.loop, on_timeout);
	timer_set(&wait->timer, clock_ms() + produce->timeout_ms);
}

/* ---- on the request's shard ---- */

static int16_t refuse_request(const struct produce_request *body)
{
	if (body->acks < -1 || body->acks > 1)
		return KAFKA_INVALID_REQUIRED_ACKS;
	/* Transactions are not served yet; a transactional client has been told so by InitProducerId already. */
	if (!slice_is_null(body->transactional_id))
		return KAFKA_UNSUPPORTED_VERSION;
	return 0;
}

static void refuse_part(struct produce_response_partition *answer, int16_t error)
{
	answer->error_code = error;
	answer->base_offset = -1;
	answer->log_append_time_ms = -1;
	answer->log_start_offset = -1;
}

static void add_part(struct produce *produce, const struct view_topic *topic, const struct produce_request_partition *asked,
		     const struct produce_request *body, struct produce_response_partition *answer)
{
	struct request *request = produce->scatter.request;
	struct produce_part *part = arena_zalloc(&request->arena, 1, sizeof *part);

	part->part.topic_id = topic->id;
	part->part.partition = asked->index;
	part->append.records = (uint8_t *)(uintptr_t)asked->records.bytes.data;
	part->append.records_len = asked->records.bytes.len;
	part->append.frame = request->frame;
	part->append.acks = body->acks;
	part->append.version = request->header.api_version;
	part->answer = answer;
	scatter_add(&produce->scatter, &part->part);
}

/* What coordinators keep is theirs to write. Only Kafka's own admin client may, by the id that it gives itself. */
static bool may_write(const struct request *request, struct slice topic)
{
	return !topic_name_is_internal(topic) || slice_is_text(request->header.client_id, "__admin_client");
}

static void add_topic(struct produce *produce, const struct produce_request_topic *asked, const struct produce_request *body,
		      int16_t error, struct produce_response_topic *answer)
{
	struct arena *arena = &produce->scatter.request->arena;
	const struct view_topic *topic = view_topic(produce->scatter.shard->view, asked->name);
	struct index_set met = index_set_new(arena, topic ? topic->n_partitions : 0, asked->n_partition_data);

	if (!error && topic && !may_write(produce->scatter.request, asked->name))
		error = KAFKA_INVALID_TOPIC_EXCEPTION;
	answer->name = asked->name;
	answer->partition_responses = message_array(arena, &produce_response_partition_struct, (size_t)asked->n_partition_data);
	for (int32_t p = 0; p < asked->n_partition_data; p++) {
		struct produce_response_partition *part = &answer->partition_responses[answer->n_partition_responses];
		int32_t index = asked->partition_data[p].index;
		bool known = topic && view_partition(topic, index);

		if (known && index_set_add(&met, index))
			continue;
		answer->n_partition_responses++;
		part->index = index;
		if (error || !known)
			refuse_part(part, error ? error : KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
		else
			add_part(produce, topic, &asked->partition_data[p], body, part);
	}
}

static int64_t count_partitions(const struct produce_request *body)
{
	int64_t n = body->n_topic_data;

	for (int32_t t = 0; t < body->n_topic_data; t++)
		n += body->topic_data[t].n_partition_data;
	return n;
}

void produce_handle(struct request *request)
{
	const struct produce_request *body = request->body;
	struct produce *produce = arena_zalloc(&request->arena, 1, sizeof *produce);
	int16_t error = refuse_request(body);

	if (!scatter_may_begin(request, count_partitions(body)))
		return;
	scatter_init(&produce->scatter, request);
	produce->scatter.work = append_part;
	produce->scatter.worked = group_begun;
	produce->scatter.done = produce_done;
	produce->timeout_ms = body->timeout_ms;
	produce->waits = arena_zalloc(&request->arena, (size_t)produce->scatter.shard->n_shards, sizeof *produce->waits);
	produce->response = produce_response_default;
	produce->response.responses = message_array(&request->arena, &produce_response_topic_struct, (size_t)body->n_topic_data);
	produce->response.n_responses = body->n_topic_data;
	for (int32_t t = 0; t < body->n_topic_data; t++)
		add_topic(produce, &body->topic_data[t], body, error, &produce->response.responses[t]);
	scatter_run(&produce->scatter);
}
