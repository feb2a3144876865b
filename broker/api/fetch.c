/*
 * Fetch: records of many partitions, with a long poll and sessions (KIP-227).
 *
 *     fetch_handle   session -> what is wanted -> one part for each partition
 *        --scatter--> owner: partition_read (names a slice, moves nothing)                                    fetch_wait.c
 *                     enough bytes, an error, or something to say at once? the group is ready. Else it watches its partitions
 *        <----------- all groups have read: enough? answer. Else wait for a watch or the timer
 *     answer         slices cut to the limits in the order asked, small ones copied, large ones sent from the file
 *
 * Limits: the first partition that has records gives its first batch whole; the others share what is left (kafka.md 4.4).
 */
#include "broker/api/fetch_internal.h"

#include "broker/api/api.h"
#include "broker/api/leader_hint.h"
#include "broker/net/send_list.h"
#include "common/clock.h"
#include "proto/kafka_error.h"

#include <stdlib.h>

/* Below this a copy costs less than another system call for the file range. */
#define COPY_BYTES_MAX 16384

enum fetch_version {
	VERSION_WITH_TOTAL_LIMIT = 3,
	VERSION_OF_FORMAT_2 = 4,
	VERSION_WITH_SESSIONS = 7,
	VERSION_WITH_ZSTD = 10,
	VERSION_WITH_RACK = 11,
	VERSION_WITH_DIVERGENCE = 12,
	VERSION_WITH_IDS = 13,
	VERSION_WITH_REPLICA_STATE = 15,
	VERSION_WITH_ENDPOINTS = 16,
};

/* ---- what is wanted ---- */

static int64_t count_partitions(const struct fetch_request *body)
{
	int64_t n = 0;

	for (int32_t t = 0; t < body->n_topics; t++)
		n += body->topics[t].n_partitions;
	return n;
}

/* Everything that the request names. */
static int64_t count_named(const struct fetch_request *body)
{
	int64_t n = count_partitions(body) + body->n_topics + body->n_forgotten_topics_data;

	for (int32_t t = 0; t < body->n_forgotten_topics_data; t++)
		n += body->forgotten_topics_data[t].n_partitions;
	return n;
}

static struct fetch_want *wants_of(struct request *request, int *ret_n)
{
	const struct fetch_request *body = request->body;
	struct fetch_want *wants = arena_alloc(&request->arena, (size_t)count_partitions(body) * sizeof *wants);
	bool by_id = request->header.api_version >= VERSION_WITH_IDS;
	int n = 0;

	for (int32_t t = 0; t < body->n_topics; t++) {
		const struct fetch_request_topic *topic = &body->topics[t];

		for (int32_t p = 0; p < topic->n_partitions; p++)
			wants[n++] = (struct fetch_want){
				.topic = by_id ? SLICE_NULL : topic->topic,
				.topic_id = by_id ? topic->topic_id : UUID_ZERO,
				.partition = topic->partitions[p].partition,
				.leader_epoch = topic->partitions[p].current_leader_epoch,
				.last_fetched_epoch = topic->partitions[p].last_fetched_epoch,
				.offset = topic->partitions[p].fetch_offset,
				.log_start_offset = topic->partitions[p].log_start_offset,
				.max_bytes = topic->partitions[p].partition_max_bytes,
			};
	}
	*ret_n = n;
	return wants;
}

static struct fetch_want *forgotten_of(struct request *request, int *ret_n)
{
	const struct fetch_request *body = request->body;
	bool by_id = request->header.api_version >= VERSION_WITH_IDS;
	struct fetch_want *wants;
	int n = 0;

	for (int32_t t = 0; t < body->n_forgotten_topics_data; t++)
		n += body->forgotten_topics_data[t].n_partitions;
	wants = arena_zalloc(&request->arena, (size_t)n, sizeof *wants);
	*ret_n = n;
	n = 0;
	for (int32_t t = 0; t < body->n_forgotten_topics_data; t++) {
		const struct fetch_request_forgotten_topic *topic = &body->forgotten_topics_data[t];

		for (int32_t p = 0; p < topic->n_partitions; p++)
			wants[n++] = (struct fetch_want){
				.topic = by_id ? SLICE_NULL : topic->topic,
				.topic_id = by_id ? topic->topic_id : UUID_ZERO,
				.partition = topic->partitions[p],
			};
	}
	return wants;
}

/* The partitions of the session, copied: it may change while this request waits. Names are copied too. */
static struct fetch_want *wants_of_session(struct request *request, struct fetch_session *session, int *ret_n)
{
	struct fetch_want *wants = arena_alloc(&request->arena, (size_t)fetch_session_n_items(session) * sizeof *wants);
	int n = 0;

	for (struct fetch_item *item = fetch_session_next(session, NULL); item; item = fetch_session_next(session, item)) {
		wants[n] = item->want;
		wants[n].topic = arena_copy(&request->arena, item->want.topic);
		n++;
	}
	*ret_n = n;
	return wants;
}

/* ---- parts ---- */

static void part_refused(struct fetch_part *part, int16_t error)
{
	part->unread = true;
	part->read.error = error;
	part->read.high_watermark = part->read.last_stable_offset = part->read.log_start_offset = -1;
	/* A partition that no view knows yet may come into being while the client waits; all other errors are told at once. */
	part->read.end_now = error != KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
}

static const struct view_topic *find_topic(const struct fetch *fetch, const struct fetch_want *want)
{
	const struct view *view = fetch->scatter.shard->view;

	return fetch->by_id ? view_topic_by_id(view, &want->topic_id) : view_topic(view, want->topic);
}

static void add_part(struct fetch *fetch, struct fetch_part *part, const struct fetch_want *want)
{
	const struct fetch_request *body = fetch->scatter.request->body;
	const struct view_topic *topic = find_topic(fetch, want);

	part->want = want;
	part->read.offset = want->offset;
	part->read.bytes_max = want->max_bytes;
	part->read.leader_epoch = want->leader_epoch;
	part->read.last_fetched_epoch = want->last_fetched_epoch;
	part->read.committed = body->isolation_level == 1;
	/* Kafka lets a follower answer whoever could be told to come to it. */
	part->read.here = fetch->version >= VERSION_WITH_RACK;
	part->read.rack = body->rack_id;
	part->read.listener = slice_of_text(fetch->scatter.request->client->listener->name);
	part->read.preferred = -1;
	if (!topic && fetch->by_id) {
		part_refused(part, KAFKA_UNKNOWN_TOPIC_ID);
	} else if (!topic || !view_partition(topic, want->partition)) {
		part_refused(part, KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
	} else if (want->max_bytes < 0) {
		part_refused(part, KAFKA_UNKNOWN_SERVER_ERROR);
	} else if (fetch->version < VERSION_OF_FORMAT_2) {
		part_refused(part, KAFKA_UNSUPPORTED_VERSION);
	} else {
		part->part.topic_id = topic->id;
		part->part.partition = want->partition;
		scatter_add(&fetch->scatter, &part->part);
		return;
	}
	fetch->end_now |= part->read.end_now;
}

static void answer_error(struct request *request, int16_t error)
{
	struct fetch_response response = fetch_response_default;

	response.error_code = error;
	request_answer(request, &response);
}

static void start(struct fetch *fetch, const struct fetch_want *wants, int n)
{
	struct request *request = fetch->scatter.request;

	fetch->n_parts = n;
	fetch->parts = arena_zalloc(&request->arena, (size_t)n, sizeof *fetch->parts);
	for (int i = 0; i < n; i++)
		add_part(fetch, &fetch->parts[i], &wants[i]);
	fetch_wait_start(fetch);
}

static int64_t min_i64(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

void fetch_handle(struct request *request)
{
	const struct fetch_request *body = request->body;
	struct fetch *fetch = arena_zalloc(&request->arena, 1, sizeof *fetch);
	struct shard *shard = shard_of(request->worker);
	struct fetch_want *wants, *forgotten;
	int n_wants, n_forgotten;
	int16_t error;

	if (!scatter_may_begin(request, count_named(body)))
		return;
	/* Klamm's followers do not replicate by Fetch: whoever says that he is one is refused (CVE-2018-1288). */
	if (body->replica_id >= 0 || body->replica_state.replica_id >= 0) {
		answer_error(request, KAFKA_CLUSTER_AUTHORIZATION_FAILED);
		return;
	}
	wants = wants_of(request, &n_wants);
	forgotten = forgotten_of(request, &n_forgotten);
	fetch->version = request->header.api_version;
	fetch->by_id = fetch->version >= VERSION_WITH_IDS;
	error = fetch_session_begin(&shard->fetch_sessions, body->session_id, body->session_epoch, fetch->by_id, wants, n_wants,
				    forgotten, n_forgotten, clock_ms(), &fetch->context);
	if (error) {
		answer_error(request, error);
		return;
	}
	scatter_init(&fetch->scatter, request);
	fetch->bytes_max = min_i64(fetch->version < VERSION_WITH_TOTAL_LIMIT ? INT32_MAX : body->max_bytes, shard->config->fetch_max_bytes);
	fetch->bytes_min = min_i64(body->min_bytes, fetch->bytes_max);
	fetch->wait_ms = body->max_wait_ms;
	if (fetch->context.kind == FETCH_INCREMENTAL)
		wants = wants_of_session(request, fetch->context.session, &n_wants);
	start(fetch, wants, n_wants);
}

/* ---- the answer ---- */

static void release_file(struct send_file *file)
{
	struct log_slice *slice = file->owner;

	log_slice_unpin(slice);
	log_slice_release(slice);
}

/*
 * How much of a part's slice is sent. The first that has records gives at least one batch; any other gives none rather than a piece of
 * one, since a client that gets a piece alone believes that it can make no progress. A piece may only stand behind whole batches.
 */
static int64_t cut(const struct fetch_part *part, bool is_first, int64_t left)
{
	const struct partition_read *read = &part->read;
	int64_t len = min_i64(read->slice.len, min_i64(left > 0 ? left : 0, read->bytes_max));

	if (len >= read->slice.first_bytes)
		return len;
	return is_first ? min_i64(read->slice.first_bytes, read->slice.len) : 0;
}

/* Copies a small slice; 0 or an error. */
static int answer_copy(struct arena *arena, struct log_slice *slice, int64_t len, struct records *ret_records)
{
	uint8_t *copy = arena_alloc(arena, (size_t)len);
	int r = log_slice_read(slice, 0, copy, (size_t)len);

	if (r == 0)
		*ret_records = (struct records){.bytes = slice_of(copy, (size_t)len), .size = len};
	log_slice_release(slice);
	return r;
}

static int answer_file(struct arena *arena, struct log_slice *slice, int64_t len, struct records *ret_records)
{
	struct send_files *files = arena_zalloc(arena, 1, sizeof *files);
	int fd, r;

	r = log_slice_pin(slice, &fd);
	if (r) {
		log_slice_release(slice);
		return r;
	}
	files->n_files = 1;
	files->files = arena_zalloc(arena, 1, sizeof *files->files);
	files->files[0] = (struct send_file){fd, slice->pos, (size_t)len, release_file, slice};
	*ret_records = (struct records){.external = files, .size = len};
	return 0;
}

/* Puts the records of a part into its answer; returns how many bytes it was given. */
static int64_t answer_records(struct fetch *fetch, struct fetch_part *part, bool is_first, int64_t left,
			      struct fetch_response_partition *answer)
{
	struct arena *arena = &fetch->scatter.request->arena;
	int64_t len = part->read.slice.segment ? cut(part, is_first, left) : 0;
	int r = 0;

	answer->records.bytes = SLICE_LITERAL("");
	if (len == 0)
		log_slice_release(&part->read.slice);
	else if (len <= COPY_BYTES_MAX)
		r = answer_copy(arena, &part->read.slice, len, &answer->records);
	else
		r = answer_file(arena, &part->read.slice, len, &answer->records);
	if (r == 0)
		return len;
	answer->error_code = KAFKA_STORAGE_ERROR;
	return 0;
}

static void answer_aborted(struct fetch *fetch, struct fetch_part *part, struct fetch_response_partition *answer)
{
	const struct partition_read *read = &part->read;

	/* Kafka's answer for a partition that it does not even look for has an empty list, all others that have none have null. */
	answer->n_aborted_transactions = part->unread && read->error != KAFKA_UNKNOWN_SERVER_ERROR ? 0 : -1;
	if (!read->committed || read->error)
		return;
	answer->aborted_transactions = message_array(&fetch->scatter.request->arena, &fetch_response_aborted_transaction_struct,
						     (size_t)read->n_aborted);
	answer->n_aborted_transactions = read->n_aborted;
	for (int32_t i = 0; i < read->n_aborted; i++) {
		answer->aborted_transactions[i].producer_id = read->aborted[i].producer_id;
		answer->aborted_transactions[i].first_offset = read->aborted[i].first_offset;
	}
}

static void answer_leader(struct fetch *fetch, const struct fetch_part *part, struct fetch_response_partition *answer)
{
	if (fetch->version < VERSION_WITH_DIVERGENCE)
		return;
	if (part->read.error == KAFKA_NOT_LEADER_OR_FOLLOWER || part->read.error == KAFKA_FENCED_LEADER_EPOCH)
		leader_hint_find(fetch->scatter.shard->view, &part->part.topic_id, part->want->partition,
				 &answer->current_leader.leader_id, &answer->current_leader.leader_epoch);
}

static void answer_part(struct fetch *fetch, struct fetch_part *part, struct fetch_response_partition *answer)
{
	const struct partition_read *read = &part->read;

	answer->partition_index = part->want->partition;
	answer->error_code = read->error;
	answer->high_watermark = read->high_watermark;
	answer->last_stable_offset = read->last_stable_offset;
	answer->log_start_offset = read->log_start_offset;
	answer->preferred_read_replica = read->preferred;
	if (read->diverging) {
		answer->diverging_epoch.epoch = read->divergence.epoch;
		answer->diverging_epoch.end_offset = read->divergence.end_offset;
	}
	answer_aborted(fetch, part, answer);
	answer_leader(fetch, part, answer);
}

static struct fetch_told told_of(const struct fetch_response_partition *answer, int64_t n_bytes)
{
	return (struct fetch_told){
		.error = answer->error_code,
		.has_records = n_bytes > 0,
		.must_tell = answer->diverging_epoch.epoch >= 0 || answer->preferred_read_replica >= 0,
		.high_watermark = answer->high_watermark,
		.log_start_offset = answer->log_start_offset,
	};
}

/* The topic entry for a part: the last one when it is the same topic, else a new one. */
static struct fetch_response_topic *answer_topic(struct fetch *fetch, const struct fetch_want *want)
{
	struct fetch_response *response = &fetch->response;
	struct fetch_response_topic *topic = response->n_responses ? &response->responses[response->n_responses - 1] : NULL;

	if (topic && (fetch->by_id ? uuid_equal(&topic->topic_id, &want->topic_id) : slice_equal(topic->topic, want->topic)))
		return topic;
	topic = &response->responses[response->n_responses++];
	topic->topic = want->topic;
	topic->topic_id = want->topic_id;
	/* Parts that follow each other lie in one array; each topic takes its run of it. */
	topic->partitions = &fetch->answers[fetch->n_answers];
	return topic;
}

static void answer_endpoints(struct fetch *fetch)
{
	struct request *request = fetch->scatter.request;
	struct fetch_response *response = &fetch->response;
	struct leader_hints hints;

	leader_hints_init(&hints, fetch->scatter.shard->view, request->client->listener->name, &request->arena);
	for (int32_t i = 0; i < fetch->n_answers; i++)
		leader_hints_add(&hints, fetch->answers[i].current_leader.leader_id);
	response->node_endpoints = message_array(&request->arena, &fetch_response_node_endpoint_struct, (size_t)hints.n);
	response->n_node_endpoints = hints.n;
	for (int i = 0; i < hints.n; i++) {
		response->node_endpoints[i].node_id = hints.list[i].broker->id;
		response->node_endpoints[i].host = hints.list[i].endpoint->host;
		response->node_endpoints[i].port = hints.list[i].endpoint->port;
		response->node_endpoints[i].rack = hints.list[i].broker->rack;
	}
}

/* Fills in the partitions; an incremental answer leaves out those without news. */
static void answer_parts(struct fetch *fetch, struct fetch_session *session, struct fetch_told *told)
{
	int64_t left = fetch->bytes_max;
	bool is_first = true;

	for (int i = 0; i < fetch->n_parts; i++) {
		struct fetch_part *part = &fetch->parts[i];
		struct fetch_response_partition answer = fetch_response_partition_default;
		struct fetch_response_topic *topic;
		int64_t n_bytes;

		answer_part(fetch, part, &answer);
		n_bytes = answer_records(fetch, part, is_first, left, &answer);
		free(part->read.aborted);
		left -= n_bytes;
		is_first &= n_bytes == 0;
		told[i] = told_of(&answer, n_bytes);
		if (session && !fetch_session_tell(session, part->want, &told[i]))
			continue;
		topic = answer_topic(fetch, part->want);
		fetch->answers[fetch->n_answers++] = answer;
		topic->n_partitions++;
	}
}

void fetch_answer(struct fetch *fetch)
{
	struct request *request = fetch->scatter.request;
	struct fetch_sessions *sessions = &fetch->scatter.shard->fetch_sessions;
	struct fetch_told *told = arena_zalloc(&request->arena, (size_t)fetch->n_parts, sizeof *told);
	struct fetch_session *session = NULL;

	fetch->response = fetch_response_default;
	fetch->response.responses = message_array(&request->arena, &fetch_response_topic_struct, (size_t)fetch->n_parts);
	fetch->response.n_responses = 0;
	fetch->answers = message_array(&request->arena, &fetch_response_partition_struct, (size_t)fetch->n_parts);
	if (fetch->context.kind == FETCH_INCREMENTAL)
		session = fetch_session_at(sessions, fetch->context.session_id, fetch->context.epoch);
	answer_parts(fetch, session, told);
	fetch->response.session_id = fetch->context.session_id;
	if (fetch->context.kind == FETCH_FULL && fetch->version >= VERSION_WITH_SESSIONS) {
		struct fetch_want *wants = arena_alloc(&request->arena, (size_t)fetch->n_parts * sizeof *wants);

		for (int i = 0; i < fetch->n_parts; i++)
			wants[i] = *fetch->parts[i].want;
		fetch->response.session_id = fetch_session_create(sessions, fetch->by_id, wants, told, fetch->n_parts, clock_ms());
	}
	if (fetch->version >= VERSION_WITH_ENDPOINTS)
		answer_endpoints(fetch);
	request_answer(request, &fetch->response);
}
