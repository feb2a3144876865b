/*
 * FindCoordinator: who leads the partition that the records of a group, or of a transactional id, lie in (kafka.md 6.1).
 *
 *     find_coordinator_handle   the topic is there   -> partition by the hash of the key -> its leader at the listener of the request
 *                               it is not there yet  -> made as Kafka makes it, by whoever asks first -> on_created
 *
 * Without a leader, and to whoever has had the topic made, the answer is COORDINATOR_NOT_AVAILABLE: clients ask again in a moment.
 *
 * Transactions are not served yet: a producer finds its coordinator, as with Kafka, and is refused there once and for all (InitProducerId).
 * Without one it would ask until its own time is up, and never say why.
 */
#include "broker/api/admin_call.h"
#include "broker/api/api.h"
#include "broker/api/scatter.h"
#include "broker/coord/coord_hash_core.h"
#include "broker/meta/internal_topics_core.h"
#include "common/clock.h"
#include "common/trace.h"
#include "proto/kafka/find_coordinator.gen.h"
#include "proto/kafka_error.h"

#define VERSION_WITH_MESSAGE 1 /* and with a type of the key */
#define VERSION_WITH_BATCH 4
#define VERSION_WITH_SHARE_GROUPS 6

/* How long an answer waits until the topic is written. */
#define CREATE_MS_MAX 2000

enum key_type { KEY_GROUP = 0, KEY_TRANSACTION = 1, KEY_SHARE_GROUP = 2 };

struct find_coordinator {
	struct request *request;
	struct shard *shard;
	int version;
	int8_t type;
	const char *topic; /* that the keys belong to; NULL: there is none, error says why */
	int16_t error;
	struct find_coordinator_response response;
	struct admin_create_topics create;
};

static void choose_topic(struct find_coordinator *find)
{
	switch (find->type) {
	case KEY_GROUP:
		find->topic = INTERNAL_TOPIC_OFFSETS;
		return;
	case KEY_TRANSACTION:
		find->topic = INTERNAL_TOPIC_TRANSACTIONS;
		return;
	case KEY_SHARE_GROUP:
		/* A ZooKeeper-coordinated Kafka knows the type from this version on, and has no coordinator of it. */
		find->error = find->version >= VERSION_WITH_SHARE_GROUPS ? KAFKA_COORDINATOR_NOT_AVAILABLE : KAFKA_INVALID_REQUEST;
		return;
	default:
		find->error = KAFKA_INVALID_REQUEST;
	}
}

/* ---- the answer ---- */

static const struct view_broker *find_leader(const struct find_coordinator *find, struct slice key)
{
	const struct view *view = find->shard->view;
	const struct view_topic *topic = view_topic(view, slice_of_text(find->topic));
	const struct view_partition *partition;

	if (!topic || topic->n_partitions <= 0)
		return NULL;
	partition = view_partition(topic, coord_hash_partition(key, topic->n_partitions));
	return partition ? view_broker(view, partition->leader) : NULL;
}

/* What clients are told beside a code. Several keys at once have a text only where the request itself is wrong, as in Kafka. */
static struct slice message_for(const struct find_coordinator *find, int16_t error)
{
	if (find->type < KEY_GROUP || find->type > KEY_SHARE_GROUP)
		return slice_of_text(arena_printf(&find->request->arena, "There is no coordinator of type %d.", find->type));
	if (find->version >= VERSION_WITH_BATCH || find->version < VERSION_WITH_MESSAGE)
		return SLICE_LITERAL("");
	return slice_of_text(error ? kafka_error_text(error) : "NONE");
}

static void find_one(const struct find_coordinator *find, struct slice key, struct find_coordinator_response_coordinator *row)
{
	const struct view_broker *leader = find->error ? NULL : find_leader(find, key);
	const struct view_endpoint *endpoint =
		leader ? view_broker_endpoint(leader, slice_of_text(find->request->client->listener->name)) : NULL;

	row->key = key;
	row->error_code = find->error ? find->error : endpoint ? 0 : KAFKA_COORDINATOR_NOT_AVAILABLE;
	row->error_message = message_for(find, row->error_code);
	row->node_id = endpoint ? leader->id : -1;
	row->host = endpoint ? endpoint->host : SLICE_LITERAL("");
	row->port = endpoint ? endpoint->port : -1;
}

static void answer_batch(struct find_coordinator *find, const struct find_coordinator_request *body)
{
	struct find_coordinator_response *response = &find->response;

	response->coordinators = message_array(&find->request->arena, &find_coordinator_response_coordinator_struct,
					       (size_t)body->n_coordinator_keys);
	response->n_coordinators = body->n_coordinator_keys;
	for (int32_t i = 0; i < body->n_coordinator_keys; i++)
		find_one(find, body->coordinator_keys[i], &response->coordinators[i]);
}

static void answer(struct find_coordinator *find)
{
	const struct find_coordinator_request *body = find->request->body;
	struct find_coordinator_response *response = &find->response;
	struct find_coordinator_response_coordinator row;

	if (find->version >= VERSION_WITH_BATCH) {
		answer_batch(find, body);
	} else {
		find_one(find, body->key, &row);
		response->error_code = row.error_code;
		response->error_message = row.error_message;
		response->node_id = row.node_id;
		response->host = row.host;
		response->port = row.port;
	}
	request_answer(find->request, response);
}

/* ---- a topic that is made because somebody needs its coordinators ---- */

static void on_created(struct admin_op *op)
{
	struct find_coordinator *find = CONTAINER_OF(CONTAINER_OF(op, struct admin_create_topics, op), struct find_coordinator, create);
	const struct admin_item *item = &find->create.list[0].item;

	if (item->error && item->error != KAFKA_TOPIC_ALREADY_EXISTS && item->error != KAFKA_REQUEST_TIMED_OUT)
		trace_limited(TRACE_WARN, "api", "%s cannot be made: %s", find->topic,
			      item->message ? item->message : kafka_error_text(item->error));
	find->error = KAFKA_COORDINATOR_NOT_AVAILABLE;
	answer(find);
}

/* True: the answer has to wait for the topic. A broker that has just started knows of no topic, and makes none. */
static bool create_missing(struct find_coordinator *find)
{
	struct topics_context context = admin_call_context(find->request);
	struct slice name = slice_of_text(find->topic);
	struct create_topic_wish wish;
	struct create_topic_plan plan;

	if (context.view->number < 0 || view_topic(context.view, name))
		return false;
	wish = internal_topics_wish(context.config, name, context.arena);
	create_topics_plan(&context, &wish, 1, &plan);
	if (plan.error) {
		trace_limited(TRACE_WARN, "api", "%s cannot be made, so that there are no coordinators: %s", find->topic,
			      plan.message ? plan.message : kafka_error_text(plan.error));
		return false;
	}
	find->create.list = arena_zalloc(context.arena, 1, sizeof *find->create.list);
	find->create.list[0] = (struct admin_create_topic){.name = name, .assignment = plan.assignment, .configs = plan.configs};
	find->create.n = 1;
	find->create.no_wait = true;
	find->create.op.done = on_created;
	find->create.op.wait_until_ms = find->create.op.deadline_ms = clock_ms() + CREATE_MS_MAX;
	admin_create_topics(find->shard->admin, &find->create);
	return true;
}

void find_coordinator_handle(struct request *request)
{
	const struct find_coordinator_request *body = request->body;
	struct find_coordinator *find = arena_zalloc(&request->arena, 1, sizeof *find);

	if (!scatter_may_begin(request, body->n_coordinator_keys))
		return;
	find->request = request;
	find->shard = shard_of(request->worker);
	find->version = request->header.api_version;
	find->type = find->version >= VERSION_WITH_MESSAGE ? body->key_type : KEY_GROUP;
	find->response = find_coordinator_response_default;
	choose_topic(find);
	if (find->error || !create_missing(find))
		answer(find);
}
