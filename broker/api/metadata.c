/*
 * Metadata: who is in the cluster and who leads what, from this worker's view.
 *
 *     metadata_handle   which topics are asked for -> those that the view has, those that it lacks
 *       lacking, and may be made -> create_topics_plan -> admin (hub) -> on_created
 *     answer            brokers with the listener of the request; topics: known ones, then errors
 *
 * The busiest request of a cluster's life beside produce and fetch: a topic costs its struct and those of its partitions; replica
 * lists are the view's own. The answer is encoded before the view can change.
 */
#include "broker/api/admin_call.h"
#include "broker/api/api.h"
#include "broker/api/operations.h"
#include "broker/meta/internal_topics_core.h"
#include "broker/meta/topic_name_core.h"
#include "common/clock.h"
#include "proto/kafka/metadata.gen.h"
#include "proto/kafka_error.h"

#include <uthash.h>

#define VERSION_WITH_CHOICE 4    /* the client says whether topics may be made */
#define VERSION_WITH_LISTENER_ERROR 6
#define VERSION_WITH_IDS 10
#define VERSION_BY_ID 12

/* How long an answer waits until a new topic is written. Clients ask again. */
#define CREATE_MS_MAX 2000

/* What is asked for by one name or id, each once. */
struct wanted {
	struct slice name; /* null: by id */
	struct uuid id;
	const struct view_topic *topic; /* in the worker's view; NULL: error says why */
	int16_t error;
	UT_hash_handle hh;
};

struct metadata {
	struct request *request;
	struct shard *shard;
	int version;
	bool all;
	struct wanted *wanted;
	int32_t n_wanted;
	int32_t *reachable; /* ids of live brokers that have the listener of the request, ascending */
	int n_reachable;
	struct metadata_response response;
	struct admin_create_topics create;
	struct wanted **creating; /* by item of create */
};

/* ---- what is asked for ---- */

static bool is_by_id(const struct metadata *metadata, const struct metadata_request *body)
{
	if (metadata->version < VERSION_BY_ID)
		return false;
	for (int32_t i = 0; i < body->n_topics; i++)
		if (!uuid_is_zero(&body->topics[i].topic_id))
			return true;
	return false;
}

/* The error of a request that cannot be understood; 0 otherwise. */
static int16_t refuse(const struct metadata *metadata, const struct metadata_request *body, bool by_id)
{
	for (int32_t i = 0; i < body->n_topics; i++) {
		bool no_name = slice_is_null(body->topics[i].name);

		if (metadata->version >= VERSION_WITH_IDS && metadata->version < VERSION_BY_ID &&
		    (no_name || !uuid_is_zero(&body->topics[i].topic_id)))
			return KAFKA_INVALID_REQUEST;
		if (no_name && !by_id)
			return KAFKA_UNKNOWN_SERVER_ERROR;
	}
	return 0;
}

static void answer_refusal(struct metadata *metadata, const struct metadata_request *body, int16_t error)
{
	struct metadata_response *response = &metadata->response;

	response->topics = message_array(&metadata->request->arena, &metadata_response_topic_struct, (size_t)body->n_topics);
	response->n_topics = body->n_topics;
	for (int32_t i = 0; i < body->n_topics; i++) {
		response->topics[i].error_code = error;
		response->topics[i].name = slice_is_null(body->topics[i].name) ? SLICE_LITERAL("") : body->topics[i].name;
		response->topics[i].topic_id = body->topics[i].topic_id;
	}
	request_answer(metadata->request, response);
}

/* Lists what is wanted; what is named twice is wanted once. */
static void list_wanted(struct metadata *metadata, const struct metadata_request *body, bool by_id)
{
	struct wanted *met = NULL, *same;

	metadata->wanted = arena_zalloc(&metadata->request->arena, (size_t)body->n_topics, sizeof *metadata->wanted);
	for (int32_t i = 0; i < body->n_topics; i++) {
		struct wanted *wanted = &metadata->wanted[metadata->n_wanted];
		const void *key = by_id ? (const void *)&body->topics[i].topic_id : body->topics[i].name.data;
		size_t len = by_id ? sizeof wanted->id : body->topics[i].name.len;

		if (by_id && uuid_is_zero(&body->topics[i].topic_id))
			continue;
		HASH_FIND(hh, met, key, len, same);
		if (same)
			continue;
		if (by_id)
			wanted->id = body->topics[i].topic_id;
		else
			wanted->name = body->topics[i].name;
		HASH_ADD_KEYPTR(hh, met, key, len, wanted);
		metadata->n_wanted++;
	}
	HASH_CLEAR(hh, met);
}

static void find_wanted(struct metadata *metadata)
{
	const struct view *view = metadata->shard->view;

	for (int32_t i = 0; i < metadata->n_wanted; i++) {
		struct wanted *wanted = &metadata->wanted[i];

		wanted->topic = slice_is_null(wanted->name) ? view_topic_by_id(view, &wanted->id) : view_topic(view, wanted->name);
	}
}

/* ---- the answer ---- */

static void list_brokers(struct metadata *metadata)
{
	const struct view *view = metadata->shard->view;
	struct slice listener = slice_of_text(metadata->request->client->listener->name);
	struct metadata_response *response = &metadata->response;

	response->brokers = message_array(&metadata->request->arena, &metadata_response_broker_struct, (size_t)view->n_brokers);
	response->n_brokers = 0;
	metadata->reachable = arena_zalloc(&metadata->request->arena, (size_t)view->n_brokers, sizeof *metadata->reachable);
	for (int i = 0; i < view->n_brokers; i++) {
		const struct view_broker *broker = view->brokers[i];
		const struct view_endpoint *endpoint = view_broker_endpoint(broker, listener);
		struct metadata_response_broker *row = &response->brokers[response->n_brokers];

		if (!endpoint)
			continue;
		metadata->reachable[response->n_brokers++] = broker->id;
		row->node_id = broker->id;
		row->host = endpoint->host;
		row->port = endpoint->port;
		row->rack = broker->rack;
	}
	metadata->n_reachable = response->n_brokers;
}

static bool is_reachable(const struct metadata *metadata, int32_t broker_id)
{
	return view_ids_contain(metadata->reachable, metadata->n_reachable, broker_id);
}

/* Version 0 knows no dead replicas: they are left out. Returns how many stay. */
static int32_t keep_reachable(const struct metadata *metadata, const int32_t *ids, int n, int32_t **ret_ids)
{
	int32_t *kept = arena_zalloc(&metadata->request->arena, (size_t)n, sizeof *kept);
	int32_t n_kept = 0;

	for (int i = 0; i < n; i++)
		if (is_reachable(metadata, ids[i]))
			kept[n_kept++] = ids[i];
	*ret_ids = kept;
	return n_kept;
}

static void fill_in_replicas(const struct metadata *metadata, const struct view_partition *partition,
			     struct metadata_response_partition *row)
{
	const struct view *view = metadata->shard->view;

	/* The encoder only reads, so the view's own lists will do. */
	row->replica_nodes = (int32_t *)(uintptr_t)partition->replicas;
	row->n_replica_nodes = partition->n_replicas;
	row->isr_nodes = (int32_t *)(uintptr_t)partition->isr;
	row->n_isr_nodes = partition->n_isr;
	for (int i = 0; i < partition->n_replicas; i++) {
		if (view_is_alive(view, partition->replicas[i]) && partition->n_offline == 0)
			continue;
		row->offline_replicas = arena_zalloc(&metadata->request->arena, partition->n_replicas, sizeof *row->offline_replicas);
		row->n_offline_replicas = view_offline_replicas(view, partition, row->offline_replicas);
		return;
	}
}

static void fill_in_version_0(const struct metadata *metadata, const struct view_partition *partition,
			      struct metadata_response_partition *row)
{
	row->n_replica_nodes = keep_reachable(metadata, partition->replicas, partition->n_replicas, &row->replica_nodes);
	row->n_isr_nodes = keep_reachable(metadata, partition->isr, partition->n_isr, &row->isr_nodes);
	if (row->error_code == 0 && (row->n_replica_nodes < partition->n_replicas || row->n_isr_nodes < partition->n_isr))
		row->error_code = KAFKA_REPLICA_NOT_AVAILABLE;
}

static void fill_in_partition(const struct metadata *metadata, const struct view_partition *partition,
			      struct metadata_response_partition *row)
{
	bool reachable = is_reachable(metadata, partition->leader);

	row->partition_index = partition->index;
	row->leader_id = reachable ? partition->leader : VIEW_NO_LEADER;
	row->leader_epoch = partition->leader_epoch;
	if (!reachable)
		row->error_code = metadata->version >= VERSION_WITH_LISTENER_ERROR &&
						  view_is_alive(metadata->shard->view, partition->leader)
					  ? KAFKA_LISTENER_NOT_FOUND
					  : KAFKA_LEADER_NOT_AVAILABLE;
	if (metadata->version == 0)
		fill_in_version_0(metadata, partition, row);
	else
		fill_in_replicas(metadata, partition, row);
}

static struct metadata_response_topic *next_row(struct metadata *metadata)
{
	const struct metadata_request *body = metadata->request->body;
	struct metadata_response_topic *row = &metadata->response.topics[metadata->response.n_topics++];

	if (body->include_topic_authorized_operations)
		row->topic_authorized_operations = OPERATIONS_TOPIC;
	return row;
}

static void add_topic(struct metadata *metadata, const struct view_topic *topic)
{
	struct metadata_response_topic *row = next_row(metadata);

	row->name = topic->name;
	row->topic_id = topic->id;
	row->is_internal = topic_name_is_internal(topic->name);
	row->partitions =
		message_array(&metadata->request->arena, &metadata_response_partition_struct, (size_t)topic->n_partitions);
	row->n_partitions = topic->n_partitions;
	for (int32_t i = 0; i < topic->n_partitions; i++)
		fill_in_partition(metadata, &topic->partitions[i], &row->partitions[i]);
}

static void add_error(struct metadata *metadata, const struct wanted *wanted)
{
	struct metadata_response_topic *row = next_row(metadata);

	row->error_code = wanted->error;
	row->name = wanted->name;
	row->topic_id = wanted->id;
	row->is_internal = topic_name_is_internal(wanted->name);
}

static void list_topics(struct metadata *metadata)
{
	const struct view *view = metadata->shard->view;
	int32_t n = metadata->all ? view->n_topics : metadata->n_wanted;

	metadata->response.topics = message_array(&metadata->request->arena, &metadata_response_topic_struct, (size_t)n);
	metadata->response.n_topics = 0;
	for (int32_t i = 0; metadata->all && i < n; i++)
		add_topic(metadata, view->topics[i]);
	for (int32_t i = 0; i < metadata->n_wanted; i++)
		if (metadata->wanted[i].topic)
			add_topic(metadata, metadata->wanted[i].topic);
	for (int32_t i = 0; i < metadata->n_wanted; i++)
		if (!metadata->wanted[i].topic)
			add_error(metadata, &metadata->wanted[i]);
}

static void answer(struct metadata *metadata)
{
	const struct metadata_request *body = metadata->request->body;
	struct metadata_response *response = &metadata->response;

	response->cluster_id = metadata->shard->view->cluster_id;
	response->controller_id = metadata->shard->view->office_broker;
	if (body->include_cluster_authorized_operations)
		response->cluster_authorized_operations = OPERATIONS_CLUSTER;
	list_brokers(metadata);
	list_topics(metadata);
	request_answer(metadata->request, response);
}

/* ---- topics that are made because somebody asks for them ---- */

static int16_t missing_error(const struct wanted *wanted)
{
	if (slice_is_null(wanted->name))
		return KAFKA_UNKNOWN_TOPIC_ID;
	return topic_name_is_valid(wanted->name) ? KAFKA_UNKNOWN_TOPIC_OR_PARTITION : KAFKA_INVALID_TOPIC_EXCEPTION;
}

static void on_created(struct admin_op *op)
{
	struct metadata *metadata = CONTAINER_OF(CONTAINER_OF(op, struct admin_create_topics, op), struct metadata, create);

	for (int i = 0; i < metadata->create.n; i++) {
		int16_t error = metadata->create.list[i].item.error;

		/* Made just now, or by another request, or not made in time: in each case asking again is what helps. */
		if (error == 0 || error == KAFKA_TOPIC_ALREADY_EXISTS || error == KAFKA_REQUEST_TIMED_OUT)
			error = KAFKA_LEADER_NOT_AVAILABLE;
		metadata->creating[i]->error = error;
	}
	/* The view may be another one now, and show some of them. */
	find_wanted(metadata);
	answer(metadata);
}

/* Sets the error of what cannot be made and lists the rest for the admin. */
static void plan_creation(struct metadata *metadata, struct wanted **missing, int n)
{
	struct arena *arena = &metadata->request->arena;
	struct topics_context context = admin_call_context(metadata->request);
	struct create_topic_wish *wishes = arena_zalloc(arena, (size_t)n, sizeof *wishes);
	struct create_topic_plan *plans = arena_zalloc(arena, (size_t)n, sizeof *plans);
	struct admin_create_topics *create = &metadata->create;

	create->list = arena_zalloc(arena, (size_t)n, sizeof *create->list);
	metadata->creating = arena_zalloc(arena, (size_t)n, sizeof(struct wanted *));
	for (int i = 0; i < n; i++)
		wishes[i] = internal_topics_wish(context.config, missing[i]->name, arena);
	create_topics_plan(&context, wishes, n, plans);
	for (int i = 0; i < n; i++) {
		missing[i]->error = plans[i].error;
		if (plans[i].error)
			continue;
		metadata->creating[create->n] = missing[i];
		create->list[create->n++] = (struct admin_create_topic){
			.name = missing[i]->name, .assignment = plans[i].assignment, .configs = plans[i].configs};
	}
}

static bool may_create(const struct metadata *metadata, const struct metadata_request *body)
{
	return metadata->shard->config->auto_create_topics_enable &&
	       (metadata->version < VERSION_WITH_CHOICE || body->allow_auto_topic_creation);
}

/* A broker that has just started knows of no topic and no broker. Clients ask again, where another error would fail their records. */
static bool knows_nothing_yet(const struct metadata *metadata)
{
	return metadata->shard->view->number < 0;
}

/* True: the answer has to wait for topics that are being made. */
static bool create_missing(struct metadata *metadata, const struct metadata_request *body)
{
	struct wanted **missing = arena_zalloc(&metadata->request->arena, (size_t)metadata->n_wanted, sizeof *missing);
	int n = 0;

	for (int32_t i = 0; i < metadata->n_wanted; i++) {
		struct wanted *wanted = &metadata->wanted[i];

		if (wanted->topic)
			continue;
		wanted->error = knows_nothing_yet(metadata) ? KAFKA_LEADER_NOT_AVAILABLE : missing_error(wanted);
		if (wanted->error == KAFKA_UNKNOWN_TOPIC_OR_PARTITION)
			missing[n++] = wanted;
	}
	if (n == 0 || !may_create(metadata, body))
		return false;
	plan_creation(metadata, missing, n);
	if (metadata->create.n == 0)
		return false;
	metadata->create.no_wait = true;
	metadata->create.op.done = on_created;
	metadata->create.op.wait_until_ms = clock_ms() + CREATE_MS_MAX;
	admin_create_topics(metadata->shard->admin, &metadata->create);
	return true;
}

void metadata_handle(struct request *request)
{
	const struct metadata_request *body = request->body;
	struct metadata *metadata = arena_zalloc(&request->arena, 1, sizeof *metadata);
	bool by_id;
	int16_t error;

	metadata->request = request;
	metadata->shard = shard_of(request->worker);
	metadata->version = request->header.api_version;
	metadata->response = metadata_response_default;
	metadata->all = metadata->version == 0 ? body->n_topics == 0 : body->n_topics < 0;
	by_id = is_by_id(metadata, body);
	error = refuse(metadata, body, by_id);
	if (error) {
		answer_refusal(metadata, body, error);
		return;
	}
	if (!metadata->all)
		list_wanted(metadata, body, by_id);
	find_wanted(metadata);
	if (!create_missing(metadata, body))
		answer(metadata);
}
