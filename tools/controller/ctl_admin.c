/* Forwarded requests; see ctl_admin.h. */
#include "tools/controller/ctl_admin.h"

#include "common/limits.h"
#include "proto/api.h"
#include "proto/kafka/alter_partition_reassignments.gen.h"
#include "proto/kafka/elect_leaders.gen.h"
#include "proto/kafka/list_partition_reassignments.gen.h"
#include "proto/kafka_error.h"
#include "tools/controller/ctl_broker.h"
#include "tools/controller/ctl_legacy.h"
#include "tools/controller/ctl_partition.h"
#include "tools/controller/ctl_reassign.h"
#include "tools/controller/ctl_step.h"

#define NO_BROKER (-1)
#define NODE_TIMEOUT_MS 30000

enum item_stage {
	ITEM_WAITS,   /* to be begun */
	ITEM_RUNS,    /* a write of it is under way, or a move of it is asked for */
	ITEM_SETTLED,
};

/* One partition of a request. */
struct ctl_request_item {
	int32_t partition;
	int16_t error;
	uint8_t stage;        /* enum item_stage */
	int32_t leader;       /* elections: who was elected */
	uint32_t number;      /* elections: ticket of the write; moves: of the asking */
	struct slice message; /* null: none */
};

/* One topic of it. */
struct ctl_request_name {
	struct slice text;
	int32_t first, n_items;
};

struct ctl_request {
	struct ctl_request *next;
	int32_t broker;       /* who waits; NO_BROKER: a node below /admin */
	int64_t broker_epoch;
	int64_t number;
	int32_t api_key, api_version;
	int64_t deadline_ms;
	int8_t election;      /* enum ctl_election_type */
	bool all;             /* elections: of all partitions; those that need none are not told */
	struct ctl_request_name *names;
	struct ctl_request_item *items;
	int32_t n_names, names_room;
	int32_t n_items, items_room;
	int32_t n_open;       /* items that are not settled */
};

/* ---- answers ---- */

static void send_answer(struct ctl *ctl, int32_t broker_id, int64_t broker_epoch, const struct ctl_forward_answer *answer)
{
	const struct ctl_broker *broker = ctl_broker_find(ctl, broker_id);
	struct ctl_forward_answer *copy;
	struct ctl_action *action;

	if (!broker || broker->epoch != broker_epoch || !broker->reached)
		return;
	copy = arena_alloc(ctl->out->arena, sizeof *copy);
	*copy = *answer;
	action = ctl_action_add(ctl->out, CTL_DO_SEND);
	action->broker = broker_id;
	action->broker_epoch = broker_epoch;
	action->message = CTL_SEND_FORWARD_ANSWER;
	action->forward = copy;
}

static void answer_error(struct ctl *ctl, const struct ctl_event *event, int16_t error, const char *message)
{
	struct ctl_forward_answer answer = {.number = event->forwarded->number, .error = error, .message = message};

	send_answer(ctl, event->broker, event->broker_epoch, &answer);
}

/* Whether the item is part of the answer. */
static bool is_told(const struct ctl_request *request, const struct ctl_request_item *item)
{
	return !request->all || item->error != KAFKA_ELECTION_NOT_NEEDED;
}

static int32_t count_told(const struct ctl_request *request, int32_t topic)
{
	int32_t n = 0;

	for (int32_t i = 0; i < request->names[topic].n_items; i++)
		n += is_told(request, &request->items[request->names[topic].first + i]);
	return n;
}

static const void *make_elections(struct ctl *ctl, const struct ctl_request *request)
{
	struct arena *arena = ctl->out->arena;
	struct elect_leaders_response *response = message_array(arena, &elect_leaders_response_struct, 1);

	response->replica_election_results = message_array(arena, &elect_leaders_response_topic_struct, (size_t)request->n_names);
	for (int32_t t = 0; t < request->n_names; t++) {
		const struct ctl_request_name *name = &request->names[t];
		int32_t n = count_told(request, t);
		struct elect_leaders_response_topic *topic = &response->replica_election_results[response->n_replica_election_results];

		if (n == 0)
			continue;
		response->n_replica_election_results++;
		topic->topic = arena_copy(arena, name->text);
		topic->partition_result = message_array(arena, &elect_leaders_response_partition_struct, (size_t)n);
		for (int32_t i = name->first; i < name->first + name->n_items; i++) {
			const struct ctl_request_item *item = &request->items[i];

			if (!is_told(request, item))
				continue;
			topic->partition_result[topic->n_partition_result++] = (struct elect_leaders_response_partition){
				item->partition, item->error, arena_copy(arena, item->message)};
		}
	}
	return response;
}

static const void *make_moves(struct ctl *ctl, const struct ctl_request *request)
{
	struct arena *arena = ctl->out->arena;
	struct alter_partition_reassignments_response *response = message_array(arena, &alter_partition_reassignments_response_struct, 1);

	response->n_responses = request->n_names;
	response->responses = message_array(arena, &alter_partition_reassignments_response_topic_struct, (size_t)request->n_names);
	for (int32_t t = 0; t < request->n_names; t++) {
		const struct ctl_request_name *name = &request->names[t];
		struct alter_partition_reassignments_response_topic *topic = &response->responses[t];

		topic->name = arena_copy(arena, name->text);
		topic->n_partitions = name->n_items;
		topic->partitions =
			message_array(arena, &alter_partition_reassignments_response_partition_struct, (size_t)name->n_items);
		for (int32_t i = 0; i < name->n_items; i++) {
			const struct ctl_request_item *item = &request->items[name->first + i];

			topic->partitions[i] = (struct alter_partition_reassignments_response_partition){
				item->partition, item->error, arena_copy(arena, item->message)};
		}
	}
	return response;
}

/* Nobody waits for the errors: the first of them is told to the operator. */
static void report_elections(struct ctl *ctl, const struct ctl_request *request)
{
	const char *first = NULL;
	int32_t n = 0;

	for (int32_t t = 0; t < request->n_names; t++) {
		const struct ctl_request_name *name = &request->names[t];
		const struct ctl_request_item *item = &request->items[name->first];

		if (item->error == KAFKA_NONE || item->error == KAFKA_ELECTION_NOT_NEEDED)
			continue;
		if (n++ == 0)
			first = arena_printf(ctl->out->arena, "%.*s-%d: %.*s", SLICE_ARGS(name->text), item->partition, SLICE_ARGS(item->message));
	}
	if (n > 0)
		ctl_action_report(ctl->out, true, "/admin/preferred_replica_election: %d partitions have no preferred leader now; the first of them, %s",
				  n, first);
}

static void answer(struct ctl *ctl, const struct ctl_request *request)
{
	bool elects = request->api_key == API_ELECT_LEADERS;
	struct ctl_forward_answer answer = {
		.number = request->number,
		.schema = elects ? &elect_leaders_response_schema : &alter_partition_reassignments_response_schema,
		.version = request->api_version,
		.response = elects ? make_elections(ctl, request) : make_moves(ctl, request),
	};

	if (request->broker == NO_BROKER) {
		report_elections(ctl, request);
		ctl_legacy_on_elected(ctl);
		return;
	}
	send_answer(ctl, request->broker, request->broker_epoch, &answer);
}

/* ---- requests ---- */

static void free_text(struct ctl *ctl, struct slice text)
{
	if (!slice_is_null(text))
		ctl_pool_put(&ctl->pool, (void *)(uintptr_t)text.data, text.len + 1, 1);
}

/* Takes the request out of the list it stands in. */
static void drop_request(struct ctl *ctl, struct ctl_request **at)
{
	struct ctl_request *request = *at;

	*at = request->next;
	for (int32_t i = 0; i < request->n_items; i++)
		free_text(ctl, request->items[i].message);
	for (int32_t i = 0; i < request->n_names; i++)
		free_text(ctl, request->names[i].text);
	ctl_pool_put(&ctl->pool, request->items, (size_t)request->items_room, sizeof *request->items);
	ctl_pool_put(&ctl->pool, request->names, (size_t)request->names_room, sizeof *request->names);
	ctl_pool_put(&ctl->pool, request, 1, sizeof *request);
	ctl->n_requests--;
}

static struct ctl_request *add_request(struct ctl *ctl, int32_t timeout_ms, int32_t n_names, int32_t n_items)
{
	struct ctl_request *request = ctl_pool_get(&ctl->pool, 1, sizeof *request);

	*request = (struct ctl_request){
		.next = ctl->requests,
		.broker = NO_BROKER,
		.api_key = API_ELECT_LEADERS,
		.deadline_ms = ctl->now_ms + (timeout_ms > 0 ? timeout_ms : 0),
		.names = ctl_pool_get(&ctl->pool, (size_t)n_names, sizeof *request->names),
		.items = ctl_pool_get(&ctl->pool, (size_t)n_items, sizeof *request->items),
		.names_room = n_names,
		.items_room = n_items,
	};
	ctl->requests = request;
	ctl->n_requests++;
	return request;
}

static struct ctl_request *new_request(struct ctl *ctl, const struct ctl_event *event, int32_t timeout_ms, int32_t n_names, int32_t n_items)
{
	struct ctl_request *request = add_request(ctl, timeout_ms, n_names, n_items);

	request->broker = event->broker;
	request->broker_epoch = event->broker_epoch;
	request->number = event->forwarded->number;
	request->api_key = event->forwarded->api_key;
	request->api_version = event->forwarded->api_version;
	return request;
}

static void add_name(struct ctl *ctl, struct ctl_request *request, struct slice name)
{
	request->names[request->n_names++] = (struct ctl_request_name){.text = ctl_pool_copy(&ctl->pool, name), .first = request->n_items};
}

static struct ctl_request_item *add_item(struct ctl_request *request, int32_t partition)
{
	struct ctl_request_item *item = &request->items[request->n_items++];

	*item = (struct ctl_request_item){.partition = partition};
	request->names[request->n_names - 1].n_items++;
	request->n_open++;
	return item;
}

static void settle(struct ctl *ctl, struct ctl_request *request, struct ctl_request_item *item, int16_t error, struct slice message)
{
	item->stage = ITEM_SETTLED;
	item->error = error;
	item->message = slice_is_null(message) ? SLICE_NULL : ctl_pool_copy(&ctl->pool, message);
	request->n_open--;
}

static void settle_code(struct ctl *ctl, struct ctl_request *request, struct ctl_request_item *item, int16_t error)
{
	settle(ctl, request, item, error, slice_of_text(kafka_error_text(error)));
}

/* The partition as the picture has it; NULL: there is none. */
static struct ctl_topic *find_partition(struct ctl *ctl, struct slice name, int32_t partition)
{
	struct ctl_topic *topic = ctl_topic_find(ctl, name);

	if (!topic || topic->phase != CTL_TOPIC_LIVE || partition < 0 || partition >= topic->n_partitions)
		return NULL;
	return topic;
}

/* ---- elections ---- */

/* Whether one of all partitions is looked at at all. */
static bool may_need(const struct ctl_partition *p, int8_t election)
{
	return election == CTL_ELECTION_PREFERRED ? p->now.leader != p->replicas[0] : p->now.leader == -1;
}

static void settle_nobody(struct ctl *ctl, struct ctl_request *request, const struct ctl_topic *topic, struct ctl_request_item *item,
			  int16_t code)
{
	const char *strategy = code == KAFKA_PREFERRED_LEADER_NOT_AVAILABLE ? "PreferredReplicaPartitionLeaderElectionStrategy"
									    : "OfflinePartitionLeaderElectionStrategy(true)";
	const char *text = arena_printf(ctl->out->arena, "Failed to elect leader for partition %.*s-%d under strategy %s",
					SLICE_ARGS(topic->name), item->partition, strategy);

	settle(ctl, request, item, code, slice_of_text(text));
}

static void begin_election(struct ctl *ctl, struct ctl_request *request, struct ctl_topic *topic, struct ctl_request_item *item)
{
	struct ctl_partition *p = &topic->partitions[item->partition];
	int16_t code = ctl_partition_elect(ctl, topic, item->partition,
					   request->election == CTL_ELECTION_UNCLEAN ? CTL_ELECT_UNCLEAN : CTL_ELECT_PREFERRED);

	if (code == KAFKA_NONE) {
		item->stage = ITEM_RUNS;
		item->number = p->ticket;
		item->leader = p->next.leader;
	} else if (code == KAFKA_ELECTION_NOT_NEEDED) {
		settle_code(ctl, request, item, code);
	} else if (code == KAFKA_PREFERRED_LEADER_NOT_AVAILABLE || code == KAFKA_ELIGIBLE_LEADERS_NOT_AVAILABLE) {
		settle_nobody(ctl, request, topic, item, code);
	}
}

/* Its write has ended: as it was meant, or everything is to be looked at again. */
static void end_election(struct ctl *ctl, struct ctl_request *request, const struct ctl_topic *topic, struct ctl_request_item *item)
{
	const struct ctl_partition *p = &topic->partitions[item->partition];

	if (p->ticket == item->number || p->reading)
		return;
	/* Asked for again it would be refused again, at once and for as long as somebody waits. */
	if (p->refused == item->number)
		settle(ctl, request, item, KAFKA_UNKNOWN_SERVER_ERROR, SLICE_LITERAL("ZooKeeper refuses the write of the partition's state."));
	else if (p->now.leader == item->leader)
		settle(ctl, request, item, KAFKA_NONE, SLICE_NULL);
	else
		item->stage = ITEM_WAITS;
}

static void go_on_election(struct ctl *ctl, struct ctl_request *request, struct slice name, struct ctl_request_item *item)
{
	struct ctl_topic *topic = find_partition(ctl, name, item->partition);

	if (!topic)
		settle(ctl, request, item, KAFKA_UNKNOWN_TOPIC_OR_PARTITION, SLICE_LITERAL("The partition does not exist."));
	else if (topic->deletion != CTL_DELETION_NONE)
		settle(ctl, request, item, KAFKA_INVALID_TOPIC_EXCEPTION, SLICE_LITERAL("The topic is being deleted"));
	else if (item->stage == ITEM_RUNS)
		end_election(ctl, request, topic, item);
	/* At once, also after one that was in vain: nothing else may happen for long. */
	if (item->stage == ITEM_WAITS)
		begin_election(ctl, request, topic, item);
}

/* Only partitions that need one become items: there may be very many. */
static void take_all(struct ctl *ctl, const struct ctl_event *event, const struct elect_leaders_request *body)
{
	struct ctl_request *request;
	int32_t n = 0;

	for (const struct ctl_topic *topic = ctl->topics; topic; topic = topic->next)
		for (int32_t i = 0; topic->phase == CTL_TOPIC_LIVE && i < topic->n_partitions; i++)
			n += may_need(&topic->partitions[i], body->election_type);
	request = new_request(ctl, event, body->timeout_ms, ctl->n_topics, n);
	request->election = body->election_type;
	request->all = true;
	for (const struct ctl_topic *topic = ctl->topics; topic; topic = topic->next) {
		bool named = false;

		for (int32_t i = 0; topic->phase == CTL_TOPIC_LIVE && i < topic->n_partitions; i++) {
			if (!may_need(&topic->partitions[i], body->election_type))
				continue;
			if (!named)
				add_name(ctl, request, topic->name);
			named = true;
			add_item(request, i);
		}
	}
}

static void take_elections(struct ctl *ctl, const struct ctl_event *event, const struct elect_leaders_request *body)
{
	struct ctl_request *request;
	int32_t n = 0;

	if (body->election_type != CTL_ELECTION_PREFERRED && body->election_type != CTL_ELECTION_UNCLEAN) {
		answer_error(ctl, event, KAFKA_INVALID_REQUEST, "there is no such type of election");
		return;
	}
	if (body->n_topic_partitions < 0) {
		take_all(ctl, event, body);
		return;
	}
	for (int32_t t = 0; t < body->n_topic_partitions; t++)
		n += body->topic_partitions[t].n_partitions;
	request = new_request(ctl, event, body->timeout_ms, body->n_topic_partitions, n);
	request->election = body->election_type;
	for (int32_t t = 0; t < body->n_topic_partitions; t++) {
		add_name(ctl, request, body->topic_partitions[t].topic);
		for (int32_t i = 0; i < body->topic_partitions[t].n_partitions; i++)
			add_item(request, body->topic_partitions[t].partitions[i]);
	}
}

void ctl_admin_elect_preferred(struct ctl *ctl, const struct ctl_legacy_wish *wishes, int32_t n_wishes)
{
	struct ctl_request *request = add_request(ctl, NODE_TIMEOUT_MS, n_wishes, n_wishes);

	request->election = CTL_ELECTION_PREFERRED;
	for (int32_t i = 0; i < n_wishes; i++) {
		add_name(ctl, request, wishes[i].topic);
		add_item(request, wishes[i].partition);
	}
}

/* ---- reassignments ---- */

static void ask_move(struct ctl *ctl, struct ctl_request *request, struct slice name, struct ctl_request_item *item,
		     const struct alter_partition_reassignments_request_partition *body)
{
	struct ctl_topic *topic = find_partition(ctl, name, item->partition);

	if ((!topic || topic->deletion != CTL_DELETION_NONE) && body->n_replicas >= 0)
		settle(ctl, request, item, KAFKA_UNKNOWN_TOPIC_OR_PARTITION, SLICE_LITERAL("The partition does not exist."));
	else if (!topic)
		settle_code(ctl, request, item, KAFKA_NO_REASSIGNMENT_IN_PROGRESS);
	else if (body->n_replicas > LIMIT_REPLICAS)
		settle(ctl, request, item, KAFKA_INVALID_REPLICA_ASSIGNMENT, SLICE_LITERAL("The replica list is too long."));
	else
		item->number = ctl_reassign_ask(ctl, topic, item->partition, body->replicas,
						body->n_replicas < 0 ? CTL_REASSIGN_CANCEL : body->n_replicas);
	if (item->stage == ITEM_WAITS)
		item->stage = ITEM_RUNS;
}

static void take_moves(struct ctl *ctl, const struct ctl_event *event, const struct alter_partition_reassignments_request *body)
{
	struct ctl_request *request;
	int32_t n = 0;

	for (int32_t t = 0; t < body->n_topics; t++)
		n += body->topics[t].n_partitions;
	request = new_request(ctl, event, body->timeout_ms, body->n_topics, n);
	for (int32_t t = 0; t < body->n_topics; t++) {
		const struct alter_partition_reassignments_request_topic *topic = &body->topics[t];

		add_name(ctl, request, topic->name);
		for (int32_t i = 0; i < topic->n_partitions; i++)
			ask_move(ctl, request, topic->name, add_item(request, topic->partitions[i].partition_index), &topic->partitions[i]);
	}
}

static void go_on_move(struct ctl *ctl, struct ctl_request *request, struct slice name, struct ctl_request_item *item)
{
	struct ctl_topic *topic = find_partition(ctl, name, item->partition);
	struct slice message;
	int16_t error;

	if (!topic || topic->deletion >= CTL_DELETION_STOPPING)
		settle(ctl, request, item, KAFKA_UNKNOWN_TOPIC_OR_PARTITION, SLICE_LITERAL("The partition does not exist."));
	else if (ctl_reassign_outcome(ctl, topic, item->partition, item->number, &error, &message))
		settle(ctl, request, item, error, message);
}

/* ---- what is under way ---- */

static bool is_listed(const struct ctl_topic *topic, int32_t index)
{
	return ctl_reassign_is_under_way(&topic->partitions[index]);
}

static void list_partition(struct ctl *ctl, const struct ctl_partition *p, int32_t index,
			   struct list_partition_reassignments_response_partition *ret_partition)
{
	size_t n = (size_t)p->n_replicas + (size_t)p->n_adding + (size_t)p->n_removing;
	int32_t *ids = arena_alloc(ctl->out->arena, n * sizeof *ids);

	for (size_t i = 0; i < n; i++)
		ids[i] = p->replicas[i];
	ret_partition->partition_index = index;
	ret_partition->replicas = ids;
	ret_partition->n_replicas = p->n_replicas;
	ret_partition->adding_replicas = ids + p->n_replicas;
	ret_partition->n_adding_replicas = p->n_adding;
	ret_partition->removing_replicas = ids + p->n_replicas + p->n_adding;
	ret_partition->n_removing_replicas = p->n_removing;
}

/* Those of the wanted partitions (NULL: of all) that are being reassigned. */
static void list_topic(struct ctl *ctl, const struct ctl_topic *topic, const int32_t *wanted, int32_t n_wanted,
		       struct list_partition_reassignments_response *response)
{
	struct list_partition_reassignments_response_topic *row = &response->topics[response->n_topics];
	int32_t n = wanted ? n_wanted : topic->n_partitions;
	int32_t n_listed = 0;

	for (int32_t i = 0; i < n; i++) {
		int32_t index = wanted ? wanted[i] : i;

		n_listed += index >= 0 && index < topic->n_partitions && is_listed(topic, index);
	}
	if (n_listed == 0)
		return;
	response->n_topics++;
	row->name = arena_copy(ctl->out->arena, topic->name);
	row->partitions = message_array(ctl->out->arena, &list_partition_reassignments_response_partition_struct, (size_t)n_listed);
	for (int32_t i = 0; i < n; i++) {
		int32_t index = wanted ? wanted[i] : i;

		if (index >= 0 && index < topic->n_partitions && is_listed(topic, index))
			list_partition(ctl, &topic->partitions[index], index, &row->partitions[row->n_partitions++]);
	}
}

static void take_list(struct ctl *ctl, const struct ctl_event *event, const struct list_partition_reassignments_request *body)
{
	static const int32_t none[1];
	struct list_partition_reassignments_response *response =
		message_array(ctl->out->arena, &list_partition_reassignments_response_struct, 1);
	int32_t n = body->n_topics < 0 ? ctl->n_topics : body->n_topics;
	struct ctl_forward_answer answer = {.number = event->forwarded->number,
					    .schema = &list_partition_reassignments_response_schema,
					    .version = event->forwarded->api_version,
					    .response = response};

	response->topics = message_array(ctl->out->arena, &list_partition_reassignments_response_topic_struct, (size_t)n);
	for (struct ctl_topic *topic = ctl->topics; topic && body->n_topics < 0; topic = topic->next)
		list_topic(ctl, topic, NULL, 0, response);
	for (int32_t t = 0; t < body->n_topics; t++) {
		const struct list_partition_reassignments_request_topic *wanted = &body->topics[t];
		const struct ctl_topic *topic = ctl_topic_find(ctl, wanted->name);

		if (topic)
			list_topic(ctl, topic, wanted->n_partition_indexes > 0 ? wanted->partition_indexes : none,
				   wanted->n_partition_indexes, response);
	}
	send_answer(ctl, event->broker, event->broker_epoch, &answer);
}

/* ---- the way in ---- */

static bool decode(struct ctl *ctl, const struct ctl_event *event, const struct message_schema *schema, void *ret_body)
{
	struct wire_reader in;

	if (!message_has_version(schema, event->forwarded->api_version)) {
		answer_error(ctl, event, KAFKA_UNSUPPORTED_VERSION, NULL);
		return false;
	}
	wire_reader_init(&in, event->forwarded->body);
	if (message_decode(schema, event->forwarded->api_version, &in, ctl->out->arena, ret_body, NULL) == 0)
		return true;
	answer_error(ctl, event, KAFKA_INVALID_REQUEST, "the request cannot be decoded");
	return false;
}

void ctl_admin_on_forwarded(struct ctl *ctl, const struct ctl_event *event)
{
	union {
		struct elect_leaders_request elect;
		struct alter_partition_reassignments_request alter;
		struct list_partition_reassignments_request list;
	} body;

	bool moves = event->forwarded->api_key == API_ALTER_PARTITION_REASSIGNMENTS;

	/* What /admin/reassign_partitions wants is older than any request that comes now. */
	if (!ctl_may_decide(ctl) || (moves && !ctl->legacy.moves_known))
		answer_error(ctl, event, KAFKA_NOT_CONTROLLER, "the controller has just taken office and is still reading");
	else if (ctl->n_requests >= LIMIT_FORWARDED_REQUESTS)
		answer_error(ctl, event, KAFKA_REQUEST_TIMED_OUT, "too many requests are under way at the controller");
	else if (event->forwarded->api_key == API_ELECT_LEADERS) {
		if (decode(ctl, event, &elect_leaders_request_schema, &body))
			take_elections(ctl, event, &body.elect);
	} else if (event->forwarded->api_key == API_ALTER_PARTITION_REASSIGNMENTS) {
		if (decode(ctl, event, &alter_partition_reassignments_request_schema, &body))
			take_moves(ctl, event, &body.alter);
	} else if (event->forwarded->api_key == API_LIST_PARTITION_REASSIGNMENTS) {
		if (decode(ctl, event, &list_partition_reassignments_request_schema, &body))
			take_list(ctl, event, &body.list);
	} else {
		answer_error(ctl, event, KAFKA_UNSUPPORTED_VERSION, "the controller does not serve this request");
	}
}

static void go_on(struct ctl *ctl, struct ctl_request *request)
{
	for (int32_t t = 0; t < request->n_names && request->n_open > 0; t++) {
		const struct ctl_request_name *name = &request->names[t];

		for (int32_t i = name->first; i < name->first + name->n_items; i++) {
			struct ctl_request_item *item = &request->items[i];

			if (item->stage == ITEM_SETTLED)
				continue;
			if (request->api_key == API_ELECT_LEADERS)
				go_on_election(ctl, request, name->text, item);
			else
				go_on_move(ctl, request, name->text, item);
		}
	}
}

void ctl_admin_flush(struct ctl *ctl)
{
	if (!ctl_may_decide(ctl))
		return;
	for (struct ctl_request *request = ctl->requests; request; request = request->next)
		go_on(ctl, request);
}

/* What was asked for goes on; nobody takes its outcome. */
static void forget_open(struct ctl *ctl, struct ctl_request *request)
{
	for (int32_t t = 0; t < request->n_names && request->api_key != API_ELECT_LEADERS; t++)
		for (int32_t i = request->names[t].first; i < request->names[t].first + request->names[t].n_items; i++) {
			struct ctl_topic *topic = find_partition(ctl, request->names[t].text, request->items[i].partition);

			if (topic && request->items[i].stage == ITEM_RUNS)
				ctl_reassign_forget(ctl, topic, request->items[i].partition, request->items[i].number);
		}
}

static void time_out(struct ctl *ctl, struct ctl_request *request)
{
	forget_open(ctl, request);
	for (int32_t i = 0; i < request->n_items; i++)
		if (request->items[i].stage != ITEM_SETTLED)
			settle_code(ctl, request, &request->items[i], KAFKA_REQUEST_TIMED_OUT);
}

void ctl_admin_answer(struct ctl *ctl)
{
	struct ctl_request **at = &ctl->requests;

	while (*at) {
		struct ctl_request *request = *at;

		if (request->n_open > 0 && request->deadline_ms <= ctl->now_ms)
			time_out(ctl, request);
		if (request->n_open > 0) {
			at = &request->next;
			continue;
		}
		answer(ctl, request);
		drop_request(ctl, at);
	}
}

void ctl_admin_broker_lost(struct ctl *ctl, const struct ctl_broker *broker)
{
	struct ctl_request **at = &ctl->requests;

	while (*at) {
		if ((*at)->broker != broker->id) {
			at = &(*at)->next;
			continue;
		}
		forget_open(ctl, *at);
		drop_request(ctl, at);
	}
}

int64_t ctl_admin_deadline_ms(const struct ctl *ctl)
{
	int64_t first = 0;

	for (const struct ctl_request *request = ctl->requests; request; request = request->next)
		if (first == 0 || request->deadline_ms < first)
			first = request->deadline_ms;
	return first;
}
