/* klamm configs: dynamic configs of topics and brokers, described and altered. */
#include "common/properties.h"
#include "proto/kafka_error.h"
#include "tools/klamm/commands.h"
#include "tools/klamm/config_list.h"
#include "tools/klamm/kafka_admin.h"
#include "tools/klamm/table.h"

#include <stdlib.h>
#include <string.h>

static const struct option_row options[] = {
	{"describe", NULL, OPTION_ACTION, "Show configs."},
	{"alter", NULL, OPTION_ACTION, "Set or delete configs."},
	{"entity-type", "topics|brokers", 0, "What the configs belong to."},
	{"entity-name", "NAME", 0, "The topic, or the id of the broker; all of them where it is left out (--describe)."},
	{"entity-default", NULL, 0, "The default of all brokers."},
	{"topic", "NAME", 0, "Short for --entity-type topics --entity-name NAME."},
	{"broker", "ID", 0, "Short for --entity-type brokers --entity-name ID."},
	{"broker-defaults", NULL, 0, "Short for --entity-type brokers --entity-default."},
	{"all", NULL, 0, "Also configs that are at their default, and static ones (--describe)."},
	{"add-config", "K=V,K=[V,V]", 0, "Set these (--alter)."},
	{"add-config-file", "FILE", 0, "Set those of a properties file (--alter)."},
	{"delete-config", "K,K", 0, "Back to the default (--alter)."},
	{"force", NULL, OPTION_HIDDEN, "Without effect: nothing is asked."},
	{0},
};

const struct option_row *const configs_options[] = {options, options_cluster, options_output, NULL};

/* One entity: a topic, a broker or the default of all brokers (name "" and is_default). */
struct entity {
	int8_t type;
	struct slice name;
	bool is_default;
	int32_t node; /* that is asked */
};

/* ---- which entities ---- */

struct selection {
	int8_t type;
	const char *name; /* NULL: all */
	bool is_default;
};

static int type_read(const struct run *run, struct selection *selection, struct error *err)
{
	const char *type = args_text(&run->args, "entity-type", NULL);

	if (!type)
		return run_usage(err, "--entity-type is missing: topics or brokers");
	if (strcmp(type, "topics") == 0 || strcmp(type, "topic") == 0)
		selection->type = RESOURCE_TOPIC;
	else if (strcmp(type, "brokers") == 0 || strcmp(type, "broker") == 0)
		selection->type = RESOURCE_BROKER;
	else
		return run_usage(err, "--entity-type %s is not served: topics or brokers", type);
	return RUN_OK;
}

static int selection_read(const struct run *run, struct selection *ret_selection, struct error *err)
{
	struct selection selection = {RESOURCE_TOPIC, args_text(&run->args, "entity-name", NULL),
				      args_has(&run->args, "entity-default") || args_has(&run->args, "broker-defaults")};
	int r = RUN_OK;

	if (args_has(&run->args, "topic")) {
		selection.name = args_text(&run->args, "topic", NULL);
	} else if (args_has(&run->args, "broker") || args_has(&run->args, "broker-defaults")) {
		selection.type = RESOURCE_BROKER;
		selection.name = args_text(&run->args, "broker", selection.name);
	} else {
		r = type_read(run, &selection, err);
	}
	if (r == RUN_OK && selection.is_default && (selection.name || selection.type == RESOURCE_TOPIC))
		return run_usage(err, "--entity-default is for brokers without a name");
	*ret_selection = selection;
	return r;
}

static int broker_id(const char *text, int32_t *ret_id, struct error *err)
{
	char *end;
	long id = strtol(text, &end, 10);

	if (end == text || *end || id < 0 || id > INT32_MAX)
		return run_usage(err, "'%s' is no broker id", text);
	*ret_id = (int32_t)id;
	return RUN_OK;
}

static int entity_named(struct run *run, const struct selection *selection, struct entity **ret_entities, int *ret_n,
			struct error *err)
{
	struct entity *entity = arena_zalloc(&run->arena, 1, sizeof *entity);
	int r = RUN_OK;

	*entity = (struct entity){selection->type, slice_of_text(selection->name ? selection->name : ""), selection->is_default,
				  CLIENT_ANY};
	if (selection->type == RESOURCE_BROKER && selection->name)
		r = broker_id(selection->name, &entity->node, err);
	*ret_entities = entity;
	*ret_n = 1;
	return r;
}

static int by_name(const void *a, const void *b)
{
	const struct entity *x = a, *y = b;

	return x->node != y->node ? (x->node > y->node) - (x->node < y->node) : slice_compare(x->name, y->name);
}

static int entities_all(struct run *run, const struct selection *selection, struct entity **ret_entities, int *ret_n,
			struct error *err)
{
	bool topics = selection->type == RESOURCE_TOPIC;
	struct metadata_response metadata;
	struct slice none = SLICE_NULL;
	struct entity *entities;
	int n;

	if (kafka_client_metadata(run->client, topics ? NULL : &none, 0, &metadata, err) != 0)
		return RUN_FAILED;
	n = topics ? metadata.n_topics : metadata.n_brokers;
	entities = arena_zalloc(&run->arena, (size_t)n + 1, sizeof *entities);
	for (int i = 0; i < n; i++) {
		int32_t id = topics ? CLIENT_ANY : metadata.brokers[i].node_id;

		entities[i] = (struct entity){selection->type, topics ? metadata.topics[i].name : SLICE_NULL, false, id};
		if (!topics)
			entities[i].name = slice_of_text(arena_printf(&run->arena, "%d", id));
	}
	qsort(entities, (size_t)n, sizeof *entities, by_name);
	if (!topics)
		entities[n++] = (struct entity){RESOURCE_BROKER, slice_of_text(""), true, CLIENT_ANY};
	*ret_entities = entities;
	*ret_n = n;
	return RUN_OK;
}

static const char *entity_text(struct run *run, const struct entity *entity)
{
	if (entity->is_default)
		return "brokers in the cluster";
	return arena_printf(&run->arena, "%s %.*s", entity->type == RESOURCE_TOPIC ? "topic" : "broker",
			    SLICE_ARGS(entity->name));
}

/* ---- describe ---- */

static const char *source_name(int source)
{
	static const char *const names[] = {"UNKNOWN",
					    "DYNAMIC_TOPIC_CONFIG",
					    "DYNAMIC_BROKER_CONFIG",
					    "DYNAMIC_DEFAULT_BROKER_CONFIG",
					    "STATIC_BROKER_CONFIG",
					    "DEFAULT_CONFIG",
					    "DYNAMIC_BROKER_LOGGER_CONFIG"};

	return source >= 0 && source < (int)(sizeof names / sizeof names[0]) ? names[source] : names[0];
}

/* Without --all what was set for this very entity. */
static bool is_wanted(const struct run *run, const struct entity *entity, const struct describe_configs_response_config *config)
{
	if (args_has(&run->args, "all"))
		return true;
	if (entity->type == RESOURCE_TOPIC)
		return config->config_source == SOURCE_TOPIC;
	return config->config_source == (entity->is_default ? SOURCE_BROKER_DEFAULT : SOURCE_BROKER);
}

static int by_config_name(const void *a, const void *b)
{
	const struct describe_configs_response_config *x = a, *y = b;

	return slice_compare(x->name, y->name);
}

static struct slice value_text(struct slice value)
{
	return slice_is_null(value) ? SLICE_LITERAL("null") : value;
}

static void config_line(FILE *out, const struct describe_configs_response_config *config)
{
	fprintf(out, "  %.*s=%.*s sensitive=%s synonyms={", SLICE_ARGS(config->name), SLICE_ARGS(value_text(config->value)),
		config->is_sensitive ? "true" : "false");
	for (int i = 0; i < config->n_synonyms; i++)
		fprintf(out, "%s%s:%.*s=%.*s", i ? ", " : "", source_name(config->synonyms[i].source),
			SLICE_ARGS(config->synonyms[i].name), SLICE_ARGS(value_text(config->synonyms[i].value)));
	fputs("}\n", out);
}

static json_t *config_json(const struct describe_configs_response_config *config)
{
	return json_pack("{s:o, s:o, s:s, s:b, s:b}", "name", json_slice(config->name), "value", json_slice(config->value),
			 "source", source_name(config->config_source), "sensitive", config->is_sensitive, "read_only",
			 config->read_only);
}

struct printing {
	struct run *run;
	struct table table;
	json_t *entities;
};

static void entity_print(struct printing *printing, const struct entity *entity,
			 const struct describe_configs_response_result *result)
{
	struct run *run = printing->run;
	json_t *configs = printing->entities ? json_array() : NULL;
	const char *kind = args_has(&run->args, "all") ? "All" : entity->is_default ? "Default" : "Dynamic";

	if (run->format == FORMAT_TEXT)
		fprintf(run->out, "%s configs for %s are:\n", kind, entity_text(run, entity));
	for (int i = 0; i < result->n_configs; i++) {
		const struct describe_configs_response_config *config = &result->configs[i];

		if (!is_wanted(run, entity, config))
			continue;
		if (configs)
			json_array_append_new(configs, config_json(config));
		else if (run->format == FORMAT_TABLE)
			table_row(&printing->table, "%s|%.*s|%.*s|%s", entity_text(run, entity), SLICE_ARGS(config->name),
				  SLICE_ARGS(value_text(config->value)), source_name(config->config_source));
		else
			config_line(run->out, config);
	}
	if (configs)
		json_array_append_new(printing->entities,
				      json_pack("{s:s, s:o, s:b, s:o}", "type",
						entity->type == RESOURCE_TOPIC ? "topic" : "broker", "name",
						json_slice(entity->name), "default", entity->is_default, "configs", configs));
}

static int entity_fetch(struct run *run, const struct entity *entity, struct describe_configs_response_result *ret_result,
			struct error *err)
{
	struct describe_configs_request request = describe_configs_request_default;
	struct describe_configs_request_resource resource = describe_configs_request_resource_default;
	struct describe_configs_response response;

	resource.resource_type = entity->type;
	resource.resource_name = entity->name;
	resource.n_configuration_keys = -1;
	request.resources = &resource;
	request.n_resources = 1;
	request.include_synonyms = true;
	if (kafka_client_call(run->client, entity->node, API_DESCRIBE_CONFIGS, &request, &response, err) != 0)
		return RUN_FAILED;
	if (response.n_results != 1)
		return run_failed(err, "the broker answers nothing about %s", entity_text(run, entity));
	*ret_result = response.results[0];
	if (ret_result->error_code != KAFKA_NONE)
		return run_failed(err, "%s: %s", entity_text(run, entity),
				  run_kafka_error(run, ret_result->error_code, ret_result->error_message));
	if (ret_result->n_configs > 0)
		qsort(ret_result->configs, (size_t)ret_result->n_configs, sizeof *ret_result->configs, by_config_name);
	return RUN_OK;
}

static int configs_describe(struct run *run, const struct entity *entities, int n, struct error *err)
{
	struct printing printing = {.run = run};
	int r = RUN_OK;

	table_init(&printing.table, &run->arena, "ENTITY|CONFIG|VALUE|SOURCE");
	if (run->format == FORMAT_JSON)
		printing.entities = json_array();
	for (int i = 0; i < n && r == RUN_OK; i++) {
		struct describe_configs_response_result result;

		r = entity_fetch(run, &entities[i], &result, err);
		if (r == RUN_OK)
			entity_print(&printing, &entities[i], &result);
	}
	if (printing.entities)
		run_print_json(run, json_pack("{s:o}", "entities", printing.entities));
	table_print(&printing.table, run->out);
	return r;
}

/* ---- alter ---- */

struct changes {
	struct incremental_alter_configs_request_config *list;
	int n;
};

static void change_add(struct run *run, struct changes *changes, int8_t operation, struct slice name, struct slice value)
{
	struct incremental_alter_configs_request_config *list =
		message_array(&run->arena, &incremental_alter_configs_request_config_struct, (size_t)changes->n + 1);

	if (changes->n)
		memcpy(list, changes->list, (size_t)changes->n * sizeof *list);
	list[changes->n].name = arena_copy(&run->arena, name);
	list[changes->n].config_operation = operation;
	list[changes->n].value = arena_copy(&run->arena, value);
	changes->list = list;
	changes->n++;
}

static int additions_read(struct run *run, struct changes *changes, struct error *err)
{
	const char *text = args_text(&run->args, "add-config", NULL), *path = args_text(&run->args, "add-config-file", NULL);
	struct properties properties;
	struct config_pair *pairs;
	int n, r = RUN_OK;

	if (text && path)
		return run_usage(err, "--add-config and --add-config-file exclude each other");
	if (text && config_list_parse(&run->arena, text, &pairs, &n, err) != 0)
		return RUN_USAGE;
	for (int i = 0; text && i < n; i++)
		change_add(run, changes, CONFIG_SET, pairs[i].key, pairs[i].value);
	if (!path)
		return RUN_OK;
	properties_init(&properties);
	if (properties_read_file(&properties, path, err) != 0)
		r = RUN_USAGE;
	for (int i = 0; i < properties.n && r == RUN_OK; i++)
		change_add(run, changes, CONFIG_SET, properties.list[i].key, properties.list[i].value);
	properties_fini(&properties);
	return r;
}

static void deletions_read(struct run *run, struct changes *changes)
{
	struct slice list = slice_of_text(args_text(&run->args, "delete-config", "")), name;
	size_t at = 0;

	while (config_list_next(list, &at, &name))
		if (name.len)
			change_add(run, changes, CONFIG_DELETE, name, SLICE_NULL);
}

static int entity_alter(struct run *run, const struct entity *entity, const struct changes *changes, struct error *err)
{
	struct incremental_alter_configs_request request = incremental_alter_configs_request_default;
	struct incremental_alter_configs_request_resource resource = incremental_alter_configs_request_resource_default;
	struct incremental_alter_configs_response response;

	resource.resource_type = entity->type;
	resource.resource_name = entity->name;
	resource.configs = changes->list;
	resource.n_configs = changes->n;
	request.resources = &resource;
	request.n_resources = 1;
	if (kafka_admin_alter_configs(run->client, entity->node, &request, &response, err) != 0)
		return RUN_FAILED;
	if (response.n_responses != 1 || response.responses[0].error_code != KAFKA_NONE)
		return run_failed(err, "%s: %s", entity_text(run, entity),
				  response.n_responses == 1 ? run_kafka_error(run, response.responses[0].error_code,
									      response.responses[0].error_message)
							    : "the broker answers nothing");
	if (run->format == FORMAT_JSON)
		run_print_json(run, json_pack("{s:o, s:i}", "altered", json_slice(entity->name), "changes", changes->n));
	else
		fprintf(run->out, "Completed updating %sconfig for %s.\n", entity->is_default ? "default " : "",
			entity_text(run, entity));
	return RUN_OK;
}

static int configs_alter(struct run *run, const struct entity *entity, struct error *err)
{
	struct changes changes = {0};
	int r = additions_read(run, &changes, err);

	if (r != RUN_OK)
		return r;
	deletions_read(run, &changes);
	if (changes.n == 0)
		return run_usage(err, "--alter needs --add-config, --add-config-file or --delete-config");
	return entity_alter(run, entity, &changes, err);
}

int configs_main(struct run *run, struct error *err)
{
	struct selection selection;
	struct entity *entities;
	const char *action;
	bool alter;
	int n, r;

	if (args_action(&run->args, &action, err) != 0 || args_words_max(&run->args, 0, err) != 0)
		return RUN_USAGE;
	r = selection_read(run, &selection, err);
	if (r != RUN_OK)
		return r;
	alter = strcmp(action, "alter") == 0;
	if (alter && !selection.name && !selection.is_default)
		return run_usage(err, "--alter needs --entity-name (or --entity-default)");
	r = run_client(run, err);
	if (r != RUN_OK)
		return r;
	if (selection.name || selection.is_default)
		r = entity_named(run, &selection, &entities, &n, err);
	else
		r = entities_all(run, &selection, &entities, &n, err);
	if (r != RUN_OK)
		return r;
	return alter ? configs_alter(run, &entities[0], err) : configs_describe(run, entities, n, err);
}
