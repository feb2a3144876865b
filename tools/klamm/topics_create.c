/* klamm topics --create and --alter. */
#include "proto/kafka_error.h"
#include "tools/klamm/assignment.h"
#include "tools/klamm/kafka_admin.h"
#include "tools/klamm/topics.h"

#include <string.h>

static int configs_read(struct run *run, struct create_topics_request_topic *topic, struct error *err)
{
	const char *text;
	int n = 0;

	while (args_text_at(&run->args, "config", n))
		n++;
	topic->configs = message_array(&run->arena, &create_topics_request_config_struct, (size_t)n);
	for (n = 0; (text = args_text_at(&run->args, "config", n)); n++) {
		const char *equals = topics_config_split(text, err);

		if (!equals)
			return RUN_USAGE;
		topic->configs[n].name = slice_of(text, (size_t)(equals - text));
		topic->configs[n].value = slice_of_text(equals + 1);
	}
	topic->n_configs = n;
	return RUN_OK;
}

static int assignment_read(struct run *run, struct create_topics_request_topic *topic, struct error *err)
{
	const char *text = args_text(&run->args, "replica-assignment", NULL);
	struct assignment *partitions;
	int32_t n;

	if (!text)
		return RUN_OK;
	if (args_has(&run->args, "partitions") || args_has(&run->args, "replication-factor"))
		return run_usage(err, "--replica-assignment says it all: leave out --partitions and --replication-factor");
	if (assignment_parse(&run->arena, text, &partitions, &n, err) != 0)
		return RUN_USAGE;
	topic->assignments = message_array(&run->arena, &create_topics_request_assignment_struct, (size_t)n);
	topic->n_assignments = n;
	for (int32_t i = 0; i < n; i++) {
		topic->assignments[i].partition_index = i;
		topic->assignments[i].broker_ids = partitions[i].broker_ids;
		topic->assignments[i].n_broker_ids = partitions[i].n_broker_ids;
	}
	return RUN_OK;
}

static int topic_read(struct run *run, struct create_topics_request_topic *topic, struct error *err)
{
	int64_t partitions, replicas;
	int r;

	if (!args_has(&run->args, "topic"))
		return run_usage(err, "--create needs --topic NAME");
	if (args_number(&run->args, "partitions", 1, INT32_MAX, -1, &partitions, err) != 0 ||
	    args_number(&run->args, "replication-factor", 1, INT16_MAX, -1, &replicas, err) != 0)
		return RUN_USAGE;
	topic->name = slice_of_text(args_text(&run->args, "topic", ""));
	topic->num_partitions = (int32_t)partitions;
	topic->replication_factor = (int16_t)replicas;
	r = assignment_read(run, topic, err);
	return r == RUN_OK ? configs_read(run, topic, err) : r;
}

static void created_print(struct run *run, const struct create_topics_response_topic *topic)
{
	char id[UUID_TEXT_LEN + 1];

	uuid_format(&topic->topic_id, id);
	if (run->format == FORMAT_JSON)
		run_print_json(run,
			       json_pack("{s:o, s:s, s:i, s:i}", "created", json_slice(topic->name), "id", id, "partitions",
					 topic->num_partitions, "replication_factor", (int)topic->replication_factor));
	else
		fprintf(run->out, "Created topic %.*s.\n", SLICE_ARGS(topic->name));
}

int topics_create(struct run *run, struct error *err)
{
	struct create_topics_request request = create_topics_request_default;
	struct create_topics_request_topic topic = create_topics_request_topic_default;
	struct create_topics_response response;
	int r = topic_read(run, &topic, err);

	if (r == RUN_OK)
		r = run_client(run, err);
	if (r != RUN_OK)
		return r;
	request.topics = &topic;
	request.n_topics = 1;
	request.timeout_ms = kafka_client_timeout_ms(run->client);
	if (kafka_admin_create_topics(run->client, &request, &response, err) != 0)
		return RUN_FAILED;
	for (int i = 0; i < response.n_topics; i++) {
		int16_t code = response.topics[i].error_code;

		if (code == KAFKA_NONE)
			created_print(run, &response.topics[i]);
		else if (code != KAFKA_TOPIC_ALREADY_EXISTS || !args_has(&run->args, "if-not-exists"))
			return run_failed(err, "topic %.*s is not created: %s", SLICE_ARGS(response.topics[i].name),
					  run_kafka_error(run, code, response.topics[i].error_message));
	}
	return RUN_OK;
}

/* ---- alter ---- */

/* The assignment names all partitions of the topic; those that it has already are left out. */
static int new_assignments(struct run *run, int32_t n_now, struct create_partitions_request_topic *topic, struct error *err)
{
	const char *text = args_text(&run->args, "replica-assignment", NULL);
	struct assignment *partitions;
	int32_t n;

	topic->n_assignments = -1;
	if (!text)
		return RUN_OK;
	if (assignment_parse(&run->arena, text, &partitions, &n, err) != 0)
		return RUN_USAGE;
	if (n != topic->count)
		return run_usage(err, "--replica-assignment has %d partitions, --partitions says %d", n, topic->count);
	if (n <= n_now)
		return RUN_OK;
	topic->n_assignments = n - n_now;
	topic->assignments =
		message_array(&run->arena, &create_partitions_request_assignment_struct, (size_t)topic->n_assignments);
	for (int32_t i = n_now; i < n; i++) {
		topic->assignments[i - n_now].broker_ids = partitions[i].broker_ids;
		topic->assignments[i - n_now].n_broker_ids = partitions[i].n_broker_ids;
	}
	return RUN_OK;
}

static int partitions_add(struct run *run, const struct metadata_response_topic *topics, int n, int32_t count,
			  struct error *err)
{
	struct create_partitions_request request = create_partitions_request_default;
	struct create_partitions_response response;

	request.topics = message_array(&run->arena, &create_partitions_request_topic_struct, (size_t)n);
	request.n_topics = n;
	request.timeout_ms = kafka_client_timeout_ms(run->client);
	for (int i = 0; i < n; i++) {
		int r;

		request.topics[i].name = topics[i].name;
		request.topics[i].count = count;
		r = new_assignments(run, topics[i].n_partitions, &request.topics[i], err);
		if (r != RUN_OK)
			return r;
	}
	if (kafka_admin_create_partitions(run->client, &request, &response, err) != 0)
		return RUN_FAILED;
	for (int i = 0; i < response.n_results; i++)
		if (response.results[i].error_code != KAFKA_NONE)
			return run_failed(
				err, "topic %.*s: %s", SLICE_ARGS(response.results[i].name),
				run_kafka_error(run, response.results[i].error_code, response.results[i].error_message));
	return RUN_OK;
}

/* --config and --delete-config as operations; the same for each topic. */
static int operations_read(struct run *run, struct incremental_alter_configs_request_resource *resource, struct error *err)
{
	const char *text;
	int n = 0;

	resource->configs = message_array(&run->arena, &incremental_alter_configs_request_config_struct, (size_t)run->args.n);
	for (int i = 0; (text = args_text_at(&run->args, "config", i)); i++) {
		const char *equals = topics_config_split(text, err);

		if (!equals)
			return RUN_USAGE;
		resource->configs[n].name = slice_of(text, (size_t)(equals - text));
		resource->configs[n++].value = slice_of_text(equals + 1);
	}
	for (int i = 0; (text = args_text_at(&run->args, "delete-config", i)); i++) {
		resource->configs[n].name = slice_of_text(text);
		resource->configs[n].value = SLICE_NULL;
		resource->configs[n++].config_operation = CONFIG_DELETE;
	}
	resource->n_configs = n;
	return RUN_OK;
}

static int configs_alter(struct run *run, const struct metadata_response_topic *topics, int n, struct error *err)
{
	struct incremental_alter_configs_request request = incremental_alter_configs_request_default;
	struct incremental_alter_configs_response response;
	int r;

	request.resources = message_array(&run->arena, &incremental_alter_configs_request_resource_struct, (size_t)n);
	request.n_resources = n;
	for (int i = 0; i < n; i++) {
		request.resources[i].resource_type = RESOURCE_TOPIC;
		request.resources[i].resource_name = topics[i].name;
		r = operations_read(run, &request.resources[i], err);
		if (r != RUN_OK)
			return r;
	}
	if (kafka_admin_alter_configs(run->client, CLIENT_ANY, &request, &response, err) != 0)
		return RUN_FAILED;
	for (int i = 0; i < response.n_responses; i++)
		if (response.responses[i].error_code != KAFKA_NONE)
			return run_failed(
				err, "topic %.*s: %s", SLICE_ARGS(response.responses[i].resource_name),
				run_kafka_error(run, response.responses[i].error_code, response.responses[i].error_message));
	return RUN_OK;
}

int topics_alter(struct run *run, struct error *err)
{
	bool configs = args_has(&run->args, "config") || args_has(&run->args, "delete-config");
	struct metadata_response_topic *topics;
	int64_t count;
	int n, r;

	if (!args_has(&run->args, "topic"))
		return run_usage(err, "--alter needs --topic NAME");
	if (args_number(&run->args, "partitions", 1, INT32_MAX, 0, &count, err) != 0)
		return RUN_USAGE;
	if (count == 0 && !configs)
		return run_usage(err, "--alter needs --partitions N, --config NAME=VALUE or --delete-config NAME");
	r = topics_select(run, &topics, &n, err);
	if (r != RUN_OK)
		return r;
	if (n == 0 && !args_has(&run->args, "if-exists"))
		return run_failed(err, "topic %s does not exist", args_text(&run->args, "topic", ""));
	if (n && count)
		r = partitions_add(run, topics, n, (int32_t)count, err);
	if (n && configs && r == RUN_OK)
		r = configs_alter(run, topics, n, err);
	if (r == RUN_OK && run->format == FORMAT_JSON)
		run_print_json(run, json_pack("{s:i}", "altered_topics", n));
	return r;
}
