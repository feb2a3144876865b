/* AlterConfigs: all overrides of a topic or broker anew; what is not named falls back to its default; see config_change.h. */
#include "broker/api/api.h"
#include "broker/api/config_change.h"
#include "proto/kafka/alter_configs.gen.h"

static struct alter_configs_wish wish_of(struct arena *arena, const struct alter_configs_request_resource *asked)
{
	struct alter_config *changes = arena_zalloc(arena, (size_t)asked->n_configs, sizeof *changes);

	for (int32_t i = 0; i < asked->n_configs; i++)
		changes[i] = (struct alter_config){.key = asked->configs[i].name, .value = asked->configs[i].value, .op = ALTER_SET};
	return (struct alter_configs_wish){.resource_type = asked->resource_type,
					   .resource_name = asked->resource_name,
					   .changes = changes,
					   .n_changes = asked->n_configs,
					   .replace = true};
}

static void answer(struct config_change *change)
{
	struct arena *arena = &change->request->arena;
	struct alter_configs_response response = alter_configs_response_default;

	response.responses = message_array(arena, &alter_configs_response_response_struct, (size_t)change->n);
	response.n_responses = change->n;
	for (int i = 0; i < change->n; i++) {
		response.responses[i].error_code = change->results[i].error;
		response.responses[i].error_message = change->results[i].message;
		response.responses[i].resource_type = change->wishes[i].resource_type;
		response.responses[i].resource_name = change->wishes[i].resource_name;
	}
	request_answer(change->request, &response);
}

void alter_configs_handle(struct request *request)
{
	const struct alter_configs_request *body = request->body;
	struct config_change *change = arena_zalloc(&request->arena, 1, sizeof *change);

	change->request = request;
	change->wishes = arena_zalloc(&request->arena, (size_t)body->n_resources, sizeof *change->wishes);
	change->n = body->n_resources;
	change->validate_only = body->validate_only;
	change->done = answer;
	for (int32_t i = 0; i < body->n_resources; i++)
		change->wishes[i] = wish_of(&request->arena, &body->resources[i]);
	config_change_run(change);
}
