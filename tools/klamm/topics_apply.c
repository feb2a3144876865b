/*
 * klamm topics apply FILE: shows the difference between the file and the cluster, then does it.
 *
 *     file -> specs --.
 *                     +-> plan -> printed -> checked by the broker (validate only) -> create, add partitions, configs, delete
 *     cluster -> states'
 *
 * Nothing is done when the plan has a conflict or the broker would refuse a new topic.
 */
#include "proto/kafka_error.h"
#include "tools/klamm/kafka_admin.h"
#include "tools/klamm/topic_file.h"
#include "tools/klamm/topic_match.h"
#include "tools/klamm/topics.h"

#include <string.h>

struct apply {
	struct run *run;
	struct topic_spec *specs;
	int n_specs;
	struct topic_state *states;
	int n_states;
	struct plan plan;
};

/* ---- what there is ---- */

static void state_configs(struct apply *apply, struct topic_state *state, const struct describe_configs_response_result *result)
{
	state->configs = arena_zalloc(&apply->run->arena, (size_t)result->n_configs + 1, sizeof *state->configs);
	for (int i = 0; i < result->n_configs; i++)
		if (result->configs[i].config_source == SOURCE_TOPIC)
			state->configs[state->n_configs++] =
				(struct config_pair){result->configs[i].name, result->configs[i].value};
}

static int states_fetch(struct apply *apply, struct error *err)
{
	struct describe_configs_response_result *configs;
	struct metadata_response metadata;
	struct slice *names;

	if (kafka_client_metadata(apply->run->client, NULL, 0, &metadata, err) != 0)
		return RUN_FAILED;
	names = arena_alloc(&apply->run->arena, ((size_t)metadata.n_topics + 1) * sizeof *names);
	apply->states = arena_zalloc(&apply->run->arena, (size_t)metadata.n_topics + 1, sizeof *apply->states);
	for (int i = 0; i < metadata.n_topics; i++) {
		const struct metadata_response_topic *topic = &metadata.topics[i];

		names[i] = topic->name;
		apply->states[i].name = topic->name;
		apply->states[i].internal = topic->is_internal || topic_is_internal(topic->name);
		apply->states[i].partitions = topic->n_partitions;
		apply->states[i].replication_factor = topic->n_partitions ? topic->partitions[0].n_replica_nodes : 0;
	}
	apply->n_states = metadata.n_topics;
	if (kafka_admin_describe_topics(apply->run->client, names, apply->n_states, &configs, err) != 0)
		return RUN_FAILED;
	for (int i = 0; i < apply->n_states; i++)
		state_configs(apply, &apply->states[i], &configs[i]);
	return RUN_OK;
}

/* ---- the plan, shown ---- */

static struct slice step_topic(const struct plan_step *step)
{
	return step->spec ? step->spec->name : step->state->name;
}

static void plan_print(const struct apply *apply)
{
	const struct plan *plan = &apply->plan;
	int width = 0;

	for (int i = 0; i < plan->n_steps; i++)
		width = (int)step_topic(&plan->steps[i]).len > width ? (int)step_topic(&plan->steps[i]).len : width;
	for (int i = 0; i < plan->n_steps; i++)
		fprintf(apply->run->out, "%c %-*.*s  %s\n", plan_sign(plan->steps[i].kind), width,
			SLICE_ARGS(step_topic(&plan->steps[i])), plan->steps[i].text);
}

static void plan_print_json(const struct apply *apply, bool applied)
{
	json_t *steps = json_array();

	for (int i = 0; i < apply->plan.n_steps; i++) {
		const struct plan_step *step = &apply->plan.steps[i];

		json_array_append_new(steps, json_pack("{s:s, s:o, s:s}", "action", plan_kind_name(step->kind), "topic",
						       json_slice(step_topic(step)), "text", step->text));
	}
	run_print_json(apply->run, json_pack("{s:i, s:i, s:b, s:o}", "changes", apply->plan.n_changes, "conflicts",
					     apply->plan.n_conflicts, "applied", applied, "steps", steps));
}

/* ---- the plan, done ---- */

static void topic_fill(struct run *run, const struct topic_spec *spec, struct create_topics_request_topic *topic)
{
	topic->name = spec->name;
	topic->num_partitions = spec->partitions;
	topic->replication_factor = (int16_t)spec->replication_factor;
	topic->configs = message_array(&run->arena, &create_topics_request_config_struct, (size_t)spec->n_configs);
	topic->n_configs = spec->n_configs;
	for (int i = 0; i < spec->n_configs; i++) {
		topic->configs[i].name = spec->configs[i].key;
		topic->configs[i].value = spec->configs[i].value;
	}
}

/* Makes the new topics, or only asks whether they could be made. */
static int create_do(struct apply *apply, bool validate_only, struct error *err)
{
	struct create_topics_request request = create_topics_request_default;
	struct create_topics_response response;
	struct run *run = apply->run;

	request.topics = message_array(&run->arena, &create_topics_request_topic_struct, (size_t)apply->plan.n_steps);
	request.timeout_ms = kafka_client_timeout_ms(run->client);
	request.validate_only = validate_only;
	for (int i = 0; i < apply->plan.n_steps; i++)
		if (apply->plan.steps[i].kind == PLAN_CREATE)
			topic_fill(run, apply->plan.steps[i].spec, &request.topics[request.n_topics++]);
	if (request.n_topics == 0)
		return RUN_OK;
	if (kafka_admin_create_topics(run->client, &request, &response, err) != 0)
		return RUN_FAILED;
	for (int i = 0; i < response.n_topics; i++)
		if (response.topics[i].error_code != KAFKA_NONE)
			return run_failed(
				err, "%s: topic %.*s: %s", validate_only ? "nothing is done" : "stopped midway",
				SLICE_ARGS(response.topics[i].name),
				run_kafka_error(run, response.topics[i].error_code, response.topics[i].error_message));
	return RUN_OK;
}

static int partitions_do(struct apply *apply, bool validate_only, struct error *err)
{
	struct create_partitions_request request = create_partitions_request_default;
	struct create_partitions_response response;
	struct run *run = apply->run;

	request.topics = message_array(&run->arena, &create_partitions_request_topic_struct, (size_t)apply->plan.n_steps);
	request.timeout_ms = kafka_client_timeout_ms(run->client);
	request.validate_only = validate_only;
	for (int i = 0; i < apply->plan.n_steps; i++) {
		const struct plan_step *step = &apply->plan.steps[i];

		if (step->kind != PLAN_ADD_PARTITIONS)
			continue;
		request.topics[request.n_topics].name = step->spec->name;
		request.topics[request.n_topics].count = step->spec->partitions;
		request.topics[request.n_topics++].n_assignments = -1;
	}
	if (request.n_topics == 0)
		return RUN_OK;
	if (kafka_admin_create_partitions(run->client, &request, &response, err) != 0)
		return RUN_FAILED;
	for (int i = 0; i < response.n_results; i++)
		if (response.results[i].error_code != KAFKA_NONE)
			return run_failed(
				err, "%s: topic %.*s: %s", validate_only ? "nothing is done" : "stopped midway",
				SLICE_ARGS(response.results[i].name),
				run_kafka_error(run, response.results[i].error_code, response.results[i].error_message));
	return RUN_OK;
}

static bool is_config_step(const struct plan_step *step)
{
	return step->kind == PLAN_SET_CONFIG || step->kind == PLAN_DELETE_CONFIG;
}

/* Steps are in the order of topics, so that those of one topic lie together. */
static void configs_fill(struct apply *apply, struct incremental_alter_configs_request *request)
{
	struct arena *arena = &apply->run->arena;
	struct incremental_alter_configs_request_resource *resource = NULL;

	request->resources =
		message_array(arena, &incremental_alter_configs_request_resource_struct, (size_t)apply->plan.n_steps);
	for (int i = 0; i < apply->plan.n_steps; i++) {
		const struct plan_step *step = &apply->plan.steps[i];
		struct incremental_alter_configs_request_config *config;

		if (!is_config_step(step))
			continue;
		if (!resource || !slice_equal(resource->resource_name, step->spec->name)) {
			resource = &request->resources[request->n_resources++];
			resource->resource_type = RESOURCE_TOPIC;
			resource->resource_name = step->spec->name;
			resource->configs = message_array(arena, &incremental_alter_configs_request_config_struct,
							  (size_t)(apply->plan.n_steps - i));
		}
		config = &resource->configs[resource->n_configs++];
		config->name = step->key;
		config->value = step->kind == PLAN_SET_CONFIG ? step->value : SLICE_NULL;
		config->config_operation = step->kind == PLAN_SET_CONFIG ? CONFIG_SET : CONFIG_DELETE;
	}
}

static int configs_do(struct apply *apply, bool validate_only, struct error *err)
{
	struct incremental_alter_configs_request request = incremental_alter_configs_request_default;
	struct incremental_alter_configs_response response;
	struct run *run = apply->run;

	configs_fill(apply, &request);
	request.validate_only = validate_only;
	if (request.n_resources == 0)
		return RUN_OK;
	if (kafka_admin_alter_configs(run->client, CLIENT_ANY, &request, &response, err) != 0)
		return RUN_FAILED;
	for (int i = 0; i < response.n_responses; i++)
		if (response.responses[i].error_code != KAFKA_NONE)
			return run_failed(
				err, "%s: topic %.*s: %s", validate_only ? "nothing is done" : "stopped midway",
				SLICE_ARGS(response.responses[i].resource_name),
				run_kafka_error(run, response.responses[i].error_code, response.responses[i].error_message));
	return RUN_OK;
}

static int deletions_do(struct apply *apply, struct error *err)
{
	struct slice *names = arena_alloc(&apply->run->arena, ((size_t)apply->plan.n_steps + 1) * sizeof *names);
	struct delete_topics_response response;
	struct run *run = apply->run;
	int n = 0;

	for (int i = 0; i < apply->plan.n_steps; i++)
		if (apply->plan.steps[i].kind == PLAN_DELETE_TOPIC)
			names[n++] = apply->plan.steps[i].state->name;
	if (n == 0)
		return RUN_OK;
	if (kafka_admin_delete_topics(run->client, names, n, &response, err) != 0)
		return RUN_FAILED;
	for (int i = 0; i < response.n_responses; i++)
		if (response.responses[i].error_code != KAFKA_NONE)
			return run_failed(
				err, "stopped midway: topic %.*s: %s", SLICE_ARGS(response.responses[i].name),
				run_kafka_error(run, response.responses[i].error_code, response.responses[i].error_message));
	return RUN_OK;
}

/* Asks for everything that can be asked for first, so that a refusal finds nothing half done. */
static int plan_do(struct apply *apply, bool dry, struct error *err)
{
	int r = create_do(apply, true, err);

	if (r == RUN_OK)
		r = partitions_do(apply, true, err);
	if (r == RUN_OK)
		r = configs_do(apply, true, err);
	if (r != RUN_OK || dry)
		return r;
	r = create_do(apply, false, err);
	if (r == RUN_OK)
		r = partitions_do(apply, false, err);
	if (r == RUN_OK)
		r = configs_do(apply, false, err);
	return r == RUN_OK ? deletions_do(apply, err) : r;
}

static int plan_run(struct apply *apply, struct error *err)
{
	bool dry = args_has(&apply->run->args, "dry-run"), json = apply->run->format == FORMAT_JSON;
	int r;

	if (!json)
		plan_print(apply);
	fflush(apply->run->out);
	if (apply->plan.n_conflicts)
		r = run_failed(err, "nothing is done: %d of the topics cannot become what the file says",
			       apply->plan.n_conflicts);
	else
		r = plan_do(apply, dry, err);
	if (json)
		plan_print_json(apply, r == RUN_OK && !dry);
	else if (r == RUN_OK && apply->plan.n_changes == 0)
		fprintf(apply->run->out, "Nothing to do.\n");
	else if (r == RUN_OK)
		fprintf(apply->run->out, dry ? "%d changes; nothing is done (--dry-run).\n" : "%d changes done.\n",
			apply->plan.n_changes);
	return r;
}

int topics_apply(struct run *run, struct error *err)
{
	struct apply apply = {.run = run};
	struct plan_rules rules = {args_has(&run->args, "delete"), args_has(&run->args, "delete-configs")};
	int r;

	if (run->args.n_words == 0)
		return run_usage(err, "apply needs a file: klamm topics apply FILE (- is standard input)");
	if (args_words_max(&run->args, 1, err) != 0)
		return RUN_USAGE;
	if (topic_file_read(&run->arena, run->args.words[0], &apply.specs, &apply.n_specs, err) != 0)
		return RUN_FAILED;
	r = run_client(run, err);
	if (r == RUN_OK)
		r = states_fetch(&apply, err);
	if (r != RUN_OK)
		return r;
	topic_plan_make(&run->arena, apply.specs, apply.n_specs, apply.states, apply.n_states, rules, &apply.plan);
	return plan_run(&apply, err);
}
