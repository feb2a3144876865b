/*
 * klamm groups: consumer groups, with the flags and the words of Kafka's kafka-consumer-groups.
 *
 *     --list --delete --delete-offsets  here;  --describe in groups_describe.c;  --reset-offsets in groups_reset.c
 */
#include "tools/klamm/groups.h"

#include "proto/kafka_error.h"
#include "tools/klamm/commands.h"
#include "tools/klamm/group_reset_core.h"
#include "tools/klamm/table.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <strings.h>

static const struct option_row options[] = {
	{"list", NULL, OPTION_ACTION, "The names of all groups."},
	{"describe", NULL, OPTION_ACTION, "Offsets and lag of groups; with --members their members, with --state their state."},
	{"delete", NULL, OPTION_ACTION, "Delete groups that have no members, with their offsets."},
	{"reset-offsets", NULL, OPTION_ACTION, "Set the offsets of groups that have no members; with --execute, else it is only shown."},
	{"delete-offsets", NULL, OPTION_ACTION, "Delete offsets of topics that the group does not read now."},
	{"group", "ID", OPTION_REPEATS, "The group."},
	{"all-groups", NULL, 0, "All groups."},
	{"topic", "NAME[:N,N]", OPTION_REPEATS, "The topic, or some partitions of it."},
	{"all-topics", NULL, 0, "All partitions for which the group has an offset."},
	{"offsets", NULL, 0, "With --describe: offsets and lag, as without it."},
	{"members", NULL, 0, "With --describe: the members."},
	{"state", "NAME,NAME", OPTION_MAY_LACK, "With --describe: state and coordinator. With --list: the states too, or only groups in these."},
	{"type", "NAME,NAME", OPTION_MAY_LACK, "With --list: the types too, or only groups of these."},
	{"verbose", NULL, 0, "With --members: what each is assigned."},
	{"to-earliest", NULL, 0, "Reset to the first offset."},
	{"to-latest", NULL, 0, "Reset to the end."},
	{"to-current", NULL, 0, "Reset to what is committed; to the end where nothing is."},
	{"to-offset", "N", 0, "Reset to this offset, or to the nearest one that is there."},
	{"to-datetime", "TIME", 0, "Reset to the first record from then on: YYYY-MM-DDTHH:MM:SS.sss, UTC where no zone (+01:00) is told."},
	{"by-duration", "PnDTnHnMnS", 0, "Reset to the first record that is no older."},
	{"shift-by", "N", 0, "Reset by so many offsets, forward or (negative) back."},
	{"from-file", "FILE", 0, "Reset to the offsets of a file: topic,partition,offset or group,topic,partition,offset."},
	{"dry-run", NULL, 0, "Only show the new offsets."},
	{"execute", NULL, 0, "Set them."},
	{"export", NULL, 0, "Print the new offsets as such a file."},
	{"timeout", "MS", 0, "How long a coordinator is waited for (5000)."},
	{0},
};

const struct option_row *const groups_options[] = {options, options_cluster, options_output, NULL};

/* ---- what belongs together ---- */

struct rule {
	const char *option;
	const char *actions; /* separated by spaces */
};

static const struct rule rules[] = {
	{"group", "describe delete reset-offsets delete-offsets"},
	{"all-groups", "describe delete reset-offsets"},
	{"topic", "reset-offsets delete-offsets"},
	{"all-topics", "reset-offsets"},
	{"offsets", "describe"},
	{"members", "describe"},
	{"state", "describe list"},
	{"type", "list"},
	{"verbose", "describe"},
	{"to-earliest", "reset-offsets"},
	{"to-latest", "reset-offsets"},
	{"to-current", "reset-offsets"},
	{"to-offset", "reset-offsets"},
	{"to-datetime", "reset-offsets"},
	{"by-duration", "reset-offsets"},
	{"shift-by", "reset-offsets"},
	{"from-file", "reset-offsets"},
	{"dry-run", "reset-offsets"},
	{"execute", "reset-offsets"},
	{"export", "reset-offsets"},
	{0},
};

static bool word_in(const char *words, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = words; (at = strstr(at, word)); at += len)
		if ((at == words || at[-1] == ' ') && (at[len] == ' ' || !at[len]))
			return true;
	return false;
}

static int rules_check(const struct run *run, const char *action, struct error *err)
{
	for (const struct rule *rule = rules; rule->option; rule++)
		if (args_has(&run->args, rule->option) && !word_in(rule->actions, action))
			return run_usage(err, "--%s does not belong to --%s", rule->option, action);
	if (strcmp(action, "list") == 0)
		return RUN_OK;
	if (args_has(&run->args, "group") == args_has(&run->args, "all-groups"))
		return run_usage(err, "--%s needs --group ID%s", action, strcmp(action, "delete-offsets") == 0 ? "" : " or --all-groups");
	return RUN_OK;
}

void groups_refuse(struct groups_run *groups, const char *format, ...)
{
	va_list list;

	groups->n_failures++;
	fputs("\nError: ", stderr);
	va_start(list, format);
	vfprintf(stderr, format, list);
	va_end(list);
	fputc('\n', stderr);
}

const char *groups_cell(struct run *run, struct slice text)
{
	char *cell = arena_printf(&run->arena, "%.*s", SLICE_ARGS(text));

	for (char *bar = cell; (bar = strchr(bar, '|'));)
		*bar = '?';
	return *cell ? cell : "-";
}

/* ---- --list ---- */

/* A list behind --state or --type as the request wants it; states are spelled as Kafka spells them. */
static int filter_read(struct run *run, const char *option, const char *const *known, struct slice **ret_list, int32_t *ret_n, struct error *err)
{
	const char *text = args_text(&run->args, option, "");

	*ret_list = arena_alloc(&run->arena, (strlen(text) + 1) * sizeof **ret_list);
	*ret_n = 0;
	for (size_t len; *text; text += len + (text[len] == ',')) {
		const char *const *name = known;

		while (isspace((unsigned char)*text))
			text++;
		len = strcspn(text, ",");
		while (*name && (strlen(*name) != len || strncasecmp(*name, text, len) != 0))
			name++;
		if (!*name)
			return run_usage(err, "--%s: there is none called '%.*s'", option, (int)len, text);
		(*ret_list)[(*ret_n)++] = slice_of_text(*name);
	}
	return RUN_OK;
}

static bool is_consumer(struct slice protocol_type)
{
	return protocol_type.len == 0 || slice_is_text(protocol_type, "consumer");
}

/* "classic" is printed as Kafka's tool does: "Classic". */
static const char *type_text(struct run *run, struct slice type)
{
	char *text = arena_printf(&run->arena, "%s", groups_cell(run, type));

	*text = (char)toupper((unsigned char)*text);
	return text;
}

static void list_print(struct run *run, const struct list_groups_response_group *list, int n)
{
	bool states = args_has(&run->args, "state"), types = args_has(&run->args, "type");
	const char *heads = states && types ? "GROUP|TYPE|STATE" : states ? "GROUP|STATE" : types ? "GROUP|TYPE" : "GROUP";
	struct table table;

	table_init(&table, &run->arena, heads);
	for (int i = 0; i < n; i++) {
		const char *type = type_text(run, list[i].group_type), *state = groups_cell(run, list[i].group_state);
		const char *name = groups_cell(run, list[i].group_id);

		if (states && types)
			table_row(&table, "%s|%s|%s", name, type, state);
		else if (states || types)
			table_row(&table, "%s|%s", name, states ? state : type);
		else if (run->format == FORMAT_TABLE)
			table_row(&table, "%s", name);
		else
			fprintf(run->out, "%.*s\n", SLICE_ARGS(list[i].group_id));
	}
	table_print(&table, run->out);
}

static void list_json(struct run *run, const struct list_groups_response_group *list, int n)
{
	json_t *rows = json_array();

	for (int i = 0; i < n; i++)
		json_array_append_new(rows, json_pack("{s:o, s:o, s:o, s:o}", "group", json_slice(list[i].group_id), "protocol_type",
						      json_slice(list[i].protocol_type), "state", json_slice(list[i].group_state), "type",
						      json_slice(list[i].group_type)));
	run_print_json(run, json_pack("{s:o}", "groups", rows));
}

/* Kafka Connect and others use groups too: as in Kafka's tool, only those of consumers count. */
static int consumers_list(struct groups_run *groups, const struct list_groups_request *request, struct list_groups_response_group **ret_list,
			  int *ret_n, struct error *err)
{
	int n, n_kept = 0, r = group_admin_list(&groups->admin, request, ret_list, &n, err);

	if (r != 0)
		return RUN_FAILED;
	for (int i = 0; i < n; i++)
		if (is_consumer((*ret_list)[i].protocol_type))
			(*ret_list)[n_kept++] = (*ret_list)[i];
	*ret_n = n_kept;
	return RUN_OK;
}

static int groups_list(struct groups_run *groups, struct error *err)
{
	static const char *const states[] = {"PreparingRebalance", "CompletingRebalance", "Stable", "Dead", "Empty", "Assigning", "Reconciling", NULL};
	static const char *const types[] = {"classic", "consumer", NULL};
	struct list_groups_request request = list_groups_request_default;
	struct list_groups_response_group *list;
	int n, r = filter_read(groups->run, "state", states, &request.states_filter, &request.n_states_filter, err);

	if (r == RUN_OK)
		r = filter_read(groups->run, "type", types, &request.types_filter, &request.n_types_filter, err);
	if (r == RUN_OK)
		r = run_client(groups->run, err);
	groups->admin.client = groups->run->client;
	if (r == RUN_OK)
		r = consumers_list(groups, &request, &list, &n, err);
	if (r != RUN_OK)
		return r;
	if (groups->run->format == FORMAT_JSON)
		list_json(groups->run, list, n);
	else
		list_print(groups->run, list, n);
	return RUN_OK;
}

/* ---- --delete ---- */

static int groups_delete(struct groups_run *groups, struct error *err)
{
	struct run *run = groups->run;
	json_t *rows = json_array();
	int n_done = 0, r = 0;

	for (int i = 0; i < groups->n_names && r == 0; i++) {
		struct slice name = groups->names[i];
		int16_t code = KAFKA_NONE;
		json_t *row;

		r = group_admin_delete(&groups->admin, name, &code, err);
		if (r != 0)
			break;
		row = json_pack("{s:o}", "group", json_slice(name));
		if (code != KAFKA_NONE) {
			json_object_set_new(row, "error", json_string(run_kafka_error(run, code, SLICE_NULL)));
			groups_refuse(groups, "Group '%.*s' could not be deleted due to: %s", SLICE_ARGS(name),
				      run_kafka_error(run, code, SLICE_NULL));
		} else if (run->format != FORMAT_JSON) {
			fprintf(run->out, "%s'%.*s'", n_done++ ? ", " : "Deletion of requested consumer groups (", SLICE_ARGS(name));
		}
		json_array_append_new(rows, row);
	}
	if (n_done)
		fputs(") was successful.\n", run->out);
	if (run->format == FORMAT_JSON)
		run_print_json(run, json_pack("{s:O}", "groups", rows));
	json_decref(rows);
	if (r != 0)
		return RUN_FAILED;
	return groups->n_failures ? run_failed(err, "%d of %d groups were not deleted", groups->n_failures, groups->n_names) : RUN_OK;
}

/* ---- --delete-offsets ---- */

int groups_partitions(struct groups_run *groups, struct slice topic, int32_t **ret_partitions, int *ret_n, struct error *err)
{
	struct metadata_response metadata;
	int r = kafka_client_metadata(groups->run->client, &topic, 1, &metadata, err);

	if (r != 0)
		return r;
	if (metadata.n_topics != 1 || metadata.topics[0].error_code != KAFKA_NONE)
		return error_set(err, ERR_NOT_FOUND, "there is no topic '%.*s'", SLICE_ARGS(topic));
	*ret_n = metadata.topics[0].n_partitions;
	*ret_partitions = arena_alloc(&groups->run->arena, ((size_t)*ret_n + 1) * sizeof **ret_partitions);
	for (int i = 0; i < *ret_n; i++)
		(*ret_partitions)[i] = metadata.topics[0].partitions[i].partition_index;
	return 0;
}

static int topics_fill(struct groups_run *groups, struct offset_delete_request *request, struct error *err)
{
	const char *text;

	for (int i = 0; args_text_at(&groups->run->args, "topic", i); i++)
		request->n_topics = i + 1;
	request->topics = message_array(&groups->run->arena, &offset_delete_request_topic_struct, (size_t)request->n_topics);
	for (int i = 0; (text = args_text_at(&groups->run->args, "topic", i)); i++) {
		struct group_topic wanted;

		if (group_topic_parse(&groups->run->arena, text, &wanted, err) != 0)
			return RUN_USAGE;
		if (wanted.n_partitions < 0 &&
		    groups_partitions(groups, wanted.topic, &wanted.partitions, &wanted.n_partitions, err) != 0)
			return RUN_FAILED;
		request->topics[i].name = wanted.topic;
		request->topics[i].n_partitions = wanted.n_partitions;
		request->topics[i].partitions =
			message_array(&groups->run->arena, &offset_delete_request_partition_struct, (size_t)wanted.n_partitions);
		for (int p = 0; p < wanted.n_partitions; p++)
			request->topics[i].partitions[p].partition_index = wanted.partitions[p];
	}
	return RUN_OK;
}

static void offset_delete_print(struct groups_run *groups, const struct offset_delete_response *response)
{
	struct run *run = groups->run;
	json_t *rows = json_array();
	struct table table;

	table_init(&table, &run->arena, "TOPIC|PARTITION|STATUS");
	for (int t = 0; t < response->n_topics; t++) {
		for (int p = 0; p < response->topics[t].n_partitions; p++) {
			const struct offset_delete_response_partition *answer = &response->topics[t].partitions[p];
			const char *why = answer->error_code ? run_kafka_error(run, answer->error_code, SLICE_NULL) : NULL;
			json_t *row = json_pack("{s:o, s:i}", "topic", json_slice(response->topics[t].name), "partition", answer->partition_index);

			if (why)
				json_object_set_new(row, "error", json_string(why));
			groups->n_failures += why != NULL;
			json_array_append_new(rows, row);
			table_row(&table, "%s|%d|%s%s", groups_cell(run, response->topics[t].name), answer->partition_index,
				  why ? "Error: " : "Successful", why ? why : "");
		}
	}
	if (run->format == FORMAT_JSON)
		run_print_json(run, json_pack("{s:o, s:O}", "group", json_slice(groups->names[0]), "offsets", rows));
	else
		table_print(&table, run->out);
	json_decref(rows);
}

static int groups_delete_offsets(struct groups_run *groups, struct error *err)
{
	struct offset_delete_request request = offset_delete_request_default;
	struct offset_delete_response response;
	int r;

	if (groups->n_names != 1)
		return run_usage(err, "--delete-offsets takes one --group");
	if (!args_has(&groups->run->args, "topic"))
		return run_usage(err, "--delete-offsets needs --topic NAME");
	request.group_id = groups->names[0];
	r = topics_fill(groups, &request, err);
	if (r != RUN_OK)
		return r;
	if (group_admin_delete_offsets(&groups->admin, &request, &response, err) != 0)
		return RUN_FAILED;
	if (response.error_code != KAFKA_NONE)
		return run_failed(err, "group '%.*s': %s", SLICE_ARGS(request.group_id),
				  run_kafka_error(groups->run, response.error_code, SLICE_NULL));
	offset_delete_print(groups, &response);
	return groups->n_failures ? run_failed(err, "%d offsets were not deleted", groups->n_failures) : RUN_OK;
}

/* ---- the command ---- */

static int names_read(struct groups_run *groups, struct error *err)
{
	struct list_groups_request request = list_groups_request_default;
	struct list_groups_response_group *list;
	int n = 0;

	while (args_text_at(&groups->run->args, "group", n))
		n++;
	groups->n_names = n;
	groups->names = arena_alloc(&groups->run->arena, ((size_t)n + 1) * sizeof *groups->names);
	for (int i = 0; i < n; i++)
		groups->names[i] = slice_of_text(args_text_at(&groups->run->args, "group", i));
	if (n > 0)
		return RUN_OK;
	if (consumers_list(groups, &request, &list, &n, err) != RUN_OK)
		return RUN_FAILED;
	groups->n_names = n;
	groups->names = arena_alloc(&groups->run->arena, ((size_t)n + 1) * sizeof *groups->names);
	for (int i = 0; i < n; i++)
		groups->names[i] = list[i].group_id;
	return RUN_OK;
}

static int action_run(struct groups_run *groups, const char *action, struct error *err)
{
	if (strcmp(action, "describe") == 0)
		return groups_describe(groups, err);
	if (strcmp(action, "delete") == 0)
		return groups_delete(groups, err);
	if (strcmp(action, "delete-offsets") == 0)
		return groups_delete_offsets(groups, err);
	return groups_reset(groups, err);
}

int groups_main(struct run *run, struct error *err)
{
	struct groups_run groups = {.run = run};
	const char *action;
	int r;

	if (args_action(&run->args, &action, err) != 0 || args_words_max(&run->args, 0, err) != 0)
		return RUN_USAGE;
	if (args_number(&run->args, "timeout", 1, INT32_MAX, 5000, &groups.admin.timeout_ms, err) != 0)
		return RUN_USAGE;
	r = rules_check(run, action, err);
	if (r != RUN_OK)
		return r;
	if (strcmp(action, "list") == 0)
		return groups_list(&groups, err);
	r = run_client(run, err);
	groups.admin.client = run->client;
	if (r == RUN_OK)
		r = names_read(&groups, err);
	return r == RUN_OK ? action_run(&groups, action, err) : r;
}
