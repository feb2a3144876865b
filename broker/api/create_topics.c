/*
 * CreateTopics: any broker serves it.
 *
 *     create_topics_handle -> create_topics_plan (this worker's view) -> refused ones are answered by the plan
 *                             planned ones -> admin (hub): written, then led in this broker's view -> on_created -> answer
 *
 * Answers stand in the order of the request.
 */
#include "broker/api/admin_call.h"
#include "broker/api/api.h"
#include "broker/meta/describe_configs_core.h"
#include "proto/kafka/create_topics.gen.h"
#include "proto/kafka_error.h"

#define VERSION_WITH_CONFIGS 5

struct create_topics {
	struct request *request;
	struct create_topics_response response;
	struct create_topic_plan *plans;
	struct admin_create_topics create;
	int32_t *creating; /* index of the topic by item of create */
	/* What a topic without overrides is told of its configuration: the same for all of them. */
	struct create_topics_response_config *plain;
	int32_t n_plain;
};

static void refuse(struct create_topics_response_topic *row, int16_t error, struct slice message)
{
	row->error_code = error;
	row->error_message = message;
	row->num_partitions = -1;
	row->replication_factor = -1;
	row->n_configs = 0;
}

/* ---- what is wished for ---- */

static struct create_topic_wish wish_of(struct arena *arena, const struct create_topics_request_topic *asked)
{
	struct manual_assignment *assignments = arena_zalloc(arena, (size_t)asked->n_assignments, sizeof *assignments);
	struct config_pair *configs = arena_zalloc(arena, (size_t)asked->n_configs, sizeof *configs);

	for (int32_t i = 0; i < asked->n_assignments; i++)
		assignments[i] = (struct manual_assignment){.partition = asked->assignments[i].partition_index,
							    .brokers = asked->assignments[i].broker_ids,
							    .n_brokers = asked->assignments[i].n_broker_ids};
	for (int32_t i = 0; i < asked->n_configs; i++)
		configs[i] = (struct config_pair){asked->configs[i].name, asked->configs[i].value};
	return (struct create_topic_wish){.name = asked->name,
					  .n_partitions = asked->num_partitions,
					  .replication_factor = asked->replication_factor,
					  .assignments = assignments,
					  .n_assignments = asked->n_assignments,
					  .configs = configs,
					  .n_configs = asked->n_configs};
}

static void plan(struct create_topics *creation, const struct create_topics_request *body)
{
	struct topics_context context = admin_call_context(creation->request);
	struct create_topic_wish *wishes = arena_zalloc(context.arena, (size_t)body->n_topics, sizeof *wishes);

	creation->plans = arena_zalloc(context.arena, (size_t)body->n_topics, sizeof *creation->plans);
	for (int32_t i = 0; i < body->n_topics; i++)
		wishes[i] = wish_of(context.arena, &body->topics[i]);
	create_topics_plan(&context, wishes, body->n_topics, creation->plans);
}

/* ---- what is answered ---- */

static void list_configs(struct create_topics *creation, struct config_pairs overrides,
			 struct create_topics_response_config **ret_configs, int32_t *ret_n)
{
	struct request *request = creation->request;
	struct create_topics_response_config *configs;
	struct config_entries entries;

	describe_topic_configs(shard_of(request->worker)->config, overrides, NULL, -1, &request->arena, &entries);
	configs = message_array(&request->arena, &create_topics_response_config_struct, (size_t)entries.n);
	for (int i = 0; i < entries.n; i++) {
		configs[i].name = entries.list[i].name;
		configs[i].value = entries.list[i].value;
		configs[i].read_only = entries.list[i].read_only;
		configs[i].config_source = entries.list[i].source;
		configs[i].is_sensitive = entries.list[i].sensitive;
	}
	*ret_configs = configs;
	*ret_n = entries.n;
}

static void answer_plan(struct create_topics *creation, const struct create_topic_plan *topic_plan,
			struct create_topics_response_topic *row)
{
	if (topic_plan->error) {
		refuse(row, topic_plan->error, admin_call_message(topic_plan->message));
		return;
	}
	row->error_message = SLICE_NULL;
	row->num_partitions = topic_plan->assignment.n_partitions;
	row->replication_factor = topic_plan->assignment.replication_factor;
	if (creation->request->header.api_version < VERSION_WITH_CONFIGS)
		return;
	if (topic_plan->configs.n) {
		list_configs(creation, topic_plan->configs, &row->configs, &row->n_configs);
		return;
	}
	if (!creation->plain)
		list_configs(creation, topic_plan->configs, &creation->plain, &creation->n_plain);
	row->configs = creation->plain;
	row->n_configs = creation->n_plain;
}

static void answer_item(struct create_topics *creation, const struct admin_create_topic *created,
			struct create_topics_response_topic *row)
{
	struct slice message = admin_call_message(created->item.message);

	if (created->item.written)
		row->topic_id = created->topic_id;
	if (created->item.error == KAFKA_TOPIC_ALREADY_EXISTS && slice_is_null(message))
		message = slice_of_text(
			arena_printf(&creation->request->arena, "Topic '%.*s' already exists.", SLICE_ARGS(created->name)));
	if (created->item.error)
		refuse(row, created->item.error, message);
}

static void on_created(struct admin_op *op)
{
	struct create_topics *creation = CONTAINER_OF(CONTAINER_OF(op, struct admin_create_topics, op), struct create_topics, create);

	for (int i = 0; i < creation->create.n; i++)
		answer_item(creation, &creation->create.list[i], &creation->response.topics[creation->creating[i]]);
	request_answer(creation->request, &creation->response);
}

static void create(struct create_topics *creation, const struct create_topics_request *body)
{
	struct arena *arena = &creation->request->arena;
	struct admin_create_topics *create = &creation->create;

	create->list = arena_zalloc(arena, (size_t)body->n_topics, sizeof *create->list);
	creation->creating = arena_zalloc(arena, (size_t)body->n_topics, sizeof *creation->creating);
	for (int32_t i = 0; i < body->n_topics; i++) {
		if (creation->plans[i].error)
			continue;
		creation->creating[create->n] = i;
		create->list[create->n++] = (struct admin_create_topic){.name = body->topics[i].name,
									.assignment = creation->plans[i].assignment,
									.configs = creation->plans[i].configs};
	}
	if (create->n == 0) {
		request_answer(creation->request, &creation->response);
		return;
	}
	create->op.done = on_created;
	admin_call_times(&create->op, body->timeout_ms);
	admin_create_topics(shard_of(creation->request->worker)->admin, create);
}

void create_topics_handle(struct request *request)
{
	const struct create_topics_request *body = request->body;
	struct create_topics *creation = arena_zalloc(&request->arena, 1, sizeof *creation);
	struct create_topics_response *response = &creation->response;

	creation->request = request;
	*response = create_topics_response_default;
	response->topics = message_array(&request->arena, &create_topics_response_topic_struct, (size_t)body->n_topics);
	response->n_topics = body->n_topics;
	plan(creation, body);
	for (int32_t i = 0; i < body->n_topics; i++) {
		response->topics[i].name = body->topics[i].name;
		answer_plan(creation, &creation->plans[i], &response->topics[i]);
	}
	if (body->validate_only)
		request_answer(request, response);
	else
		create(creation, body);
}
