/* DescribeConfigs: every key of a topic or of this broker, with its value and where that is from. */
#include "broker/api/admin_call.h"
#include "broker/api/api.h"
#include "broker/meta/alter_configs_core.h"
#include "broker/meta/describe_configs_core.h"
#include "proto/kafka/describe_configs.gen.h"

static void list_synonyms(struct arena *arena, const struct config_entry *entry, struct describe_configs_response_config *row)
{
	row->synonyms = message_array(arena, &describe_configs_response_synonym_struct, (size_t)entry->n_synonyms);
	row->n_synonyms = entry->n_synonyms;
	for (int i = 0; i < entry->n_synonyms; i++) {
		row->synonyms[i].name = entry->synonyms[i].name;
		row->synonyms[i].value = entry->synonyms[i].value;
		row->synonyms[i].source = entry->synonyms[i].source;
	}
}

static void list_configs(struct request *request, const struct config_entries *entries, struct describe_configs_response_result *result)
{
	const struct describe_configs_request *body = request->body;

	result->configs = message_array(&request->arena, &describe_configs_response_config_struct, (size_t)entries->n);
	result->n_configs = entries->n;
	for (int i = 0; i < entries->n; i++) {
		const struct config_entry *entry = &entries->list[i];
		struct describe_configs_response_config *row = &result->configs[i];

		row->name = entry->name;
		row->value = entry->value;
		row->read_only = entry->read_only;
		row->is_default = entry->is_default;
		row->config_source = entry->source;
		row->is_sensitive = entry->sensitive;
		row->config_type = entry->type;
		row->documentation = body->include_documentation ? admin_call_message(entry->doc) : SLICE_NULL;
		if (body->include_synonyms)
			list_synonyms(&request->arena, entry, row);
	}
}

static void describe(struct request *request, const struct describe_configs_request_resource *asked,
		     struct describe_configs_response_result *result)
{
	const struct shard *shard = shard_of(request->worker);
	struct alter_configs_wish wish = {.resource_type = asked->resource_type, .resource_name = asked->resource_name};
	/* Kafka takes an empty list of keys for all, too. */
	int n_keys = asked->n_configuration_keys > 0 ? asked->n_configuration_keys : -1;
	struct alter_configs_plan plan;
	struct config_entries entries;

	describe_configs_plan(shard->view, shard->config, &wish, &request->arena, &plan);
	result->resource_type = asked->resource_type;
	result->resource_name = asked->resource_name;
	result->error_code = plan.error;
	result->error_message = plan.error ? admin_call_message(plan.message) : SLICE_LITERAL("");
	if (plan.error)
		return;
	if (plan.of_topic)
		describe_topic_configs(shard->config, plan.topic->config, asked->configuration_keys, n_keys, &request->arena, &entries);
	else if (plan.broker_id == VIEW_DEFAULT_BROKER)
		describe_default_broker_configs(shard->config, asked->configuration_keys, n_keys, &request->arena, &entries);
	else
		describe_broker_configs(shard->config, asked->configuration_keys, n_keys, &request->arena, &entries);
	list_configs(request, &entries, result);
}

void describe_configs_handle(struct request *request)
{
	const struct describe_configs_request *body = request->body;
	struct describe_configs_response response = describe_configs_response_default;

	response.results = message_array(&request->arena, &describe_configs_response_result_struct, (size_t)body->n_resources);
	response.n_results = body->n_resources;
	for (int32_t i = 0; i < body->n_resources; i++)
		describe(request, &body->resources[i], &response.results[i]);
	request_answer(request, &response);
}
