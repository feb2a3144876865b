/* klamm topics: options, list and delete; the other actions have files of their own. */
#include "tools/klamm/topics.h"

#include "proto/kafka_error.h"
#include "tools/klamm/commands.h"
#include "tools/klamm/kafka_admin.h"
#include "tools/klamm/table.h"
#include "tools/klamm/topic_match.h"

#include <stdlib.h>
#include <string.h>

static const struct option_row options[] = {
	{"create", NULL, OPTION_ACTION, "Make a topic."},
	{"list", NULL, OPTION_ACTION, "Names of all topics, or of those that match --topic."},
	{"describe", NULL, OPTION_ACTION, "Partitions, leaders, replicas, ISR and configs."},
	{"alter", NULL, OPTION_ACTION, "Add partitions; set or delete configs."},
	{"delete", NULL, OPTION_ACTION, "Delete topics with all their records; with apply: those that the file does not name."},
	{"apply", NULL, OPTION_ACTION, "Bring the topics of the cluster to what the YAML file that follows describes."},
	{"topic", "NAME", 0, "The topic; for all but --create also a regular expression or a list with commas."},
	{"topic-id", "ID", 0, "The topic by its id (--describe)."},
	{"partitions", "N", 0, "How many partitions; the broker's num.partitions where it is left out."},
	{"replication-factor", "N", 0,
	 "How many replicas of each; the broker's default.replication.factor where it is left out."},
	{"replica-assignment", "1:2,2:3", 0, "Brokers of each partition, the preferred leader first."},
	{"config", "NAME=VALUE", OPTION_REPEATS, "A config of the topic (--create, --alter)."},
	{"delete-config", "NAME", OPTION_REPEATS, "Back to the default (--alter)."},
	{"if-exists", NULL, 0, "No error when there is no such topic (--alter, --delete, --describe)."},
	{"if-not-exists", NULL, 0, "No error when the topic exists (--create)."},
	{"exclude-internal", NULL, 0, "Leave out Kafka's own topics (--list, --describe)."},
	{"under-replicated-partitions", NULL, 0, "Only partitions whose ISR lacks replicas (--describe)."},
	{"unavailable-partitions", NULL, 0, "Only partitions without a live leader (--describe)."},
	{"under-min-isr-partitions", NULL, 0, "Only partitions whose ISR is smaller than min.insync.replicas (--describe)."},
	{"at-min-isr-partitions", NULL, 0, "Only partitions whose ISR is just min.insync.replicas (--describe)."},
	{"topics-with-overrides", NULL, 0, "Only topics with configs of their own (--describe)."},
	{"dry-run", NULL, 0, "Only show what would be done (apply)."},
	{"delete-configs", NULL, 0, "Delete configs that the file does not name (apply)."},
	{"partition-size-limit-per-response", "N", OPTION_HIDDEN, "Without effect."},
	{"disable-rack-aware", NULL, OPTION_HIDDEN, "Without effect."},
	{"force", NULL, OPTION_HIDDEN, "Without effect: nothing is asked."},
	{0},
};

const struct option_row *const topics_options[] = {options, options_cluster, options_output, NULL};

const char *topics_config_split(const char *text, struct error *err)
{
	const char *equals = strchr(text, '=');

	if (!equals || equals == text) {
		error_set(err, ERR_INVALID, "--config %s: write NAME=VALUE", text);
		return NULL;
	}
	return equals;
}

static int by_name(const void *a, const void *b)
{
	const struct metadata_response_topic *x = a, *y = b;

	return slice_compare(x->name, y->name);
}

/* Keeps what matches and exists. */
static int topics_filter(const struct run *run, const struct topic_match *match, struct metadata_response *metadata)
{
	const char *id_text = args_text(&run->args, "topic-id", NULL);
	bool no_internal = args_has(&run->args, "exclude-internal");
	struct uuid id = UUID_ZERO;
	int n = 0;

	if (id_text)
		uuid_parse(slice_of_text(id_text), &id);
	for (int i = 0; i < metadata->n_topics; i++) {
		struct metadata_response_topic *topic = &metadata->topics[i];

		if (topic->error_code == KAFKA_UNKNOWN_TOPIC_OR_PARTITION || topic->error_code == KAFKA_INVALID_TOPIC_EXCEPTION)
			continue;
		if (no_internal && (topic->is_internal || topic_is_internal(topic->name)))
			continue;
		if (id_text ? uuid_equal(&id, &topic->topic_id) : topic_match_name(match, topic->name))
			metadata->topics[n++] = *topic;
	}
	if (n > 0)
		qsort(metadata->topics, (size_t)n, sizeof *metadata->topics, by_name);
	return n;
}

int topics_select(struct run *run, struct metadata_response_topic **ret_topics, int *ret_n, struct error *err)
{
	const char *id_text = args_text(&run->args, "topic-id", NULL);
	struct metadata_response metadata;
	struct topic_match match;
	struct uuid id;
	int r;

	if (id_text && !uuid_parse(slice_of_text(id_text), &id))
		return run_usage(err, "--topic-id %s is no topic id: it has 22 letters, digits, '-' and '_'", id_text);
	if (topic_match_init(&match, &run->arena, args_text(&run->args, "topic", NULL), err) != 0)
		return RUN_USAGE;
	r = run_client(run, err);
	if (r == RUN_OK && kafka_client_metadata(run->client, id_text ? NULL : match.names, match.n_names, &metadata, err) != 0)
		r = RUN_FAILED;
	if (r == RUN_OK) {
		*ret_n = topics_filter(run, &match, &metadata);
		*ret_topics = metadata.topics;
	}
	topic_match_fini(&match);
	return r;
}

static int topics_list(struct run *run, struct error *err)
{
	struct metadata_response_topic *topics;
	json_t *names = NULL;
	int n, r = topics_select(run, &topics, &n, err);

	if (r != RUN_OK)
		return r;
	if (run->format == FORMAT_JSON)
		names = json_array();
	for (int i = 0; i < n; i++) {
		if (names)
			json_array_append_new(names, json_slice(topics[i].name));
		else
			fprintf(run->out, "%.*s\n", SLICE_ARGS(topics[i].name));
	}
	if (names)
		run_print_json(run, json_pack("{s:o}", "topics", names));
	return RUN_OK;
}

/* Reports each refusal; the last becomes the message of the run. */
static int deletions_report(struct run *run, const struct delete_topics_response *response, struct error *err)
{
	json_t *deleted = json_array();
	int failures = 0;

	for (int i = 0; i < response->n_responses; i++) {
		const struct delete_topics_response_topic *topic = &response->responses[i];

		if (topic->error_code != KAFKA_NONE) {
			if (failures++)
				run_note(run, "%s", err->text);
			error_set(err, ERR_IO, "topic %.*s is not deleted: %s", SLICE_ARGS(topic->name),
				  run_kafka_error(run, topic->error_code, topic->error_message));
		} else if (run->format == FORMAT_JSON) {
			json_array_append_new(deleted, json_slice(topic->name));
		} else {
			fprintf(run->out, "Deleted topic %.*s.\n", SLICE_ARGS(topic->name));
		}
	}
	if (run->format == FORMAT_JSON)
		run_print_json(run, json_pack("{s:O}", "deleted", deleted));
	json_decref(deleted);
	return failures ? RUN_FAILED : RUN_OK;
}

static int topics_delete(struct run *run, struct error *err)
{
	struct delete_topics_response response = delete_topics_response_default;
	struct metadata_response_topic *topics;
	struct slice *names;
	int n, r;

	if (!args_has(&run->args, "topic"))
		return run_usage(err, "--delete needs --topic NAME");
	r = topics_select(run, &topics, &n, err);
	if (r != RUN_OK)
		return r;
	if (n == 0 && !args_has(&run->args, "if-exists"))
		return run_failed(err, "topic %s does not exist", args_text(&run->args, "topic", ""));
	names = arena_alloc(&run->arena, (size_t)n * sizeof *names);
	for (int i = 0; i < n; i++)
		names[i] = topics[i].name;
	if (n && kafka_admin_delete_topics(run->client, names, n, &response, err) != 0)
		return RUN_FAILED;
	return deletions_report(run, &response, err);
}

static int action_run(struct run *run, const char *action, struct error *err)
{
	static const struct {
		const char *name;
		int (*run)(struct run *run, struct error *err);
	} actions[] = {
		{"list", topics_list},   {"describe", topics_describe}, {"create", topics_create},
		{"alter", topics_alter}, {"delete", topics_delete},
	};

	for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++)
		if (strcmp(actions[i].name, action) == 0)
			return actions[i].run(run, err);
	return RUN_USAGE;
}

int topics_main(struct run *run, struct error *err)
{
	const char *action;

	if (args_has(&run->args, "apply"))
		return topics_apply(run, err);
	if (args_action(&run->args, &action, err) != 0 || args_words_max(&run->args, 0, err) != 0)
		return RUN_USAGE;
	return action_run(run, action, err);
}
