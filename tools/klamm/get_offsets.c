/* klamm get-offsets: first, last or timed offsets of partitions, "topic:partition:offset". */
#include "common/config_table.h"
#include "proto/kafka_error.h"
#include "tools/klamm/commands.h"
#include "tools/klamm/list_offsets.h"
#include "tools/klamm/table.h"
#include "tools/klamm/topic_match.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct option_row options[] = {
	{"topic", "NAME", 0, "The topic, a regular expression or a list; all topics where it is left out."},
	{"partitions", "N,N", 0, "Only these partitions."},
	{"topic-partitions", "T:N,T:N-M,...", 0, "Patterns of topics with a partition, a range (N- M is not in it), N- or -M."},
	{"time", "WHEN", 0,
	 "latest (-1), earliest (-2), max-timestamp (-3), earliest-local (-4), latest-tiered (-5) or milliseconds: the "
	 "first record from then on. Default: latest."},
	{"exclude-internal-topics", NULL, 0, "Leave out Kafka's own topics."},
	{0},
};

const struct option_row *const get_offsets_options[] = {options, options_cluster, options_output, NULL};

/* ---- which partitions ---- */

struct rule {
	struct topic_match topic;
	int64_t from, to; /* partitions from <= p < to */
};

struct rules {
	struct rule *list;
	int n;
	struct slice partitions; /* "0,2", null for all */
	bool no_internal;
};

static int range_parse(const char *text, struct rule *rule, struct error *err)
{
	char *end;

	rule->from = 0;
	rule->to = INT64_MAX;
	if (!*text)
		return 0;
	if (*text != '-') {
		rule->from = strtoll(text, &end, 10);
		rule->to = rule->from + 1;
		if (end == text || rule->from < 0)
			return error_set(err, ERR_INVALID, "'%s' is no range of partitions", text);
		text = end;
		if (*text == '-')
			rule->to = INT64_MAX;
	}
	if (*text == '-' && text[1]) {
		rule->to = strtoll(text + 1, &end, 10);
		text = end;
	} else if (*text == '-') {
		text++;
	}
	return *text ? error_set(err, ERR_INVALID, "'%s' is no range of partitions", text) : 0;
}

static int patterns_parse(struct run *run, const char *text, struct rules *rules, struct error *err)
{
	rules->list = arena_zalloc(&run->arena, strlen(text) + 1, sizeof *rules->list);
	while (*text) {
		size_t len = strcspn(text, ",");
		char *one = arena_printf(&run->arena, "%.*s", (int)len, text), *colon = strchr(one, ':');
		struct rule *rule = &rules->list[rules->n];
		int r;

		if (colon)
			*colon = 0;
		r = topic_match_init(&rule->topic, &run->arena, *one ? one : NULL, err);
		if (r != 0)
			return r;
		rules->n++;
		r = range_parse(colon ? colon + 1 : "", rule, err);
		if (r != 0)
			return r;
		text += len + (text[len] == ',');
	}
	return 0;
}

static int rules_read(struct run *run, struct rules *rules, struct error *err)
{
	const char *patterns = args_text(&run->args, "topic-partitions", NULL),
		   *partitions = args_text(&run->args, "partitions", NULL);

	rules->no_internal = args_has(&run->args, "exclude-internal-topics");
	if (patterns) {
		if (partitions || args_has(&run->args, "topic"))
			return error_set(err, ERR_INVALID,
					 "--topic-partitions says it all: leave out --topic and --partitions");
		return patterns_parse(run, patterns, rules, err);
	}
	if (partitions)
		rules->partitions = slice_of_text(partitions);
	rules->list = arena_zalloc(&run->arena, 1, sizeof *rules->list);
	rules->list[0].to = INT64_MAX;
	rules->n = 1;
	return topic_match_init(&rules->list[0].topic, &run->arena, args_text(&run->args, "topic", NULL), err);
}

static void rules_fini(struct rules *rules)
{
	for (int i = 0; i < rules->n; i++)
		topic_match_fini(&rules->list[i].topic);
}

static bool partition_listed(struct slice list, int32_t partition)
{
	char text[16];
	struct slice element;
	size_t at = 0;

	snprintf(text, sizeof text, "%d", partition);
	while (config_list_next(list, &at, &element))
		if (slice_is_text(element, text))
			return true;
	return false;
}

static bool is_wanted(const struct rules *rules, const struct metadata_response_topic *topic, int32_t partition)
{
	if (rules->no_internal && (topic->is_internal || topic_is_internal(topic->name)))
		return false;
	if (rules->partitions.data && !partition_listed(rules->partitions, partition))
		return false;
	for (int i = 0; i < rules->n; i++)
		if (partition >= rules->list[i].from && partition < rules->list[i].to &&
		    topic_match_name(&rules->list[i].topic, topic->name))
			return true;
	return false;
}

static int parts_select(struct run *run, const struct rules *rules, int64_t when, struct part **ret_parts, int *ret_n,
			struct error *err)
{
	struct metadata_response metadata;
	struct part *parts;
	size_t most = 1;
	int n = 0;

	if (kafka_client_metadata(run->client, NULL, 0, &metadata, err) != 0)
		return RUN_FAILED;
	for (int t = 0; t < metadata.n_topics; t++)
		most += (size_t)metadata.topics[t].n_partitions;
	parts = arena_zalloc(&run->arena, most, sizeof *parts);
	for (int t = 0; t < metadata.n_topics; t++)
		for (int p = 0; p < metadata.topics[t].n_partitions; p++) {
			int32_t partition = metadata.topics[t].partitions[p].partition_index;

			if (is_wanted(rules, &metadata.topics[t], partition))
				parts[n++] =
					(struct part){.topic = metadata.topics[t].name, .partition = partition, .asked = when};
		}
	if (n == 0)
		return run_failed(err, "no partition matches");
	*ret_parts = parts;
	*ret_n = n;
	return RUN_OK;
}

/* ---- times and results ---- */

static int when_read(const struct run *run, int64_t *ret_when, struct error *err)
{
	static const char *const names[] = {"latest", "earliest", "max-timestamp", "earliest-local", "latest-tiered"};
	const char *text = args_text(&run->args, "time", "latest");
	char *end;

	for (int i = 0; i < 5; i++) {
		if (strcmp(text, names[i]) == 0) {
			*ret_when = -1 - i;
			return RUN_OK;
		}
	}
	errno = 0;
	*ret_when = strtoll(text, &end, 10);
	if (end == text || *end || errno || *ret_when < -5)
		return run_usage(
			err, "--time %s: latest, earliest, max-timestamp, earliest-local, latest-tiered or milliseconds", text);
	return RUN_OK;
}

static int offsets_print(struct run *run, const struct part *parts, int n, struct error *err)
{
	json_t *list = json_array();
	struct table table;
	int failures = 0;

	table_init(&table, &run->arena, "TOPIC|PARTITION|OFFSET");
	for (int i = 0; i < n; i++) {
		const struct part *part = &parts[i];

		if (part->error != KAFKA_NONE) {
			run_note(run, "%.*s-%d: %s", SLICE_ARGS(part->topic), part->partition,
				 run_kafka_error(run, part->error, SLICE_NULL));
			failures++;
		} else if (run->format == FORMAT_JSON) {
			json_array_append_new(list, json_pack("{s:o, s:i, s:I}", "topic", json_slice(part->topic), "partition",
							      part->partition, "offset", (json_int_t)part->result));
		} else if (part->result >= 0 && run->format == FORMAT_TABLE) {
			table_row(&table, "%.*s|%d|%lld", SLICE_ARGS(part->topic), part->partition, (long long)part->result);
		} else if (part->result >= 0) {
			fprintf(run->out, "%.*s:%d:%lld\n", SLICE_ARGS(part->topic), part->partition, (long long)part->result);
		}
	}
	table_print(&table, run->out);
	if (run->format == FORMAT_JSON)
		run_print_json(run, json_pack("{s:O}", "offsets", list));
	json_decref(list);
	return failures ? run_failed(err, "%d of %d partitions have no answer", failures, n) : RUN_OK;
}

int get_offsets_main(struct run *run, struct error *err)
{
	struct rules rules = {0};
	struct part *parts;
	int64_t when;
	int n, r = when_read(run, &when, err);

	if (r == RUN_OK && (args_words_max(&run->args, 0, err) != 0 || rules_read(run, &rules, err) != 0))
		r = RUN_USAGE;
	if (r == RUN_OK)
		r = run_client(run, err);
	if (r == RUN_OK)
		r = parts_select(run, &rules, when, &parts, &n, err);
	if (r == RUN_OK && parts_ask(run->client, parts, n, list_offsets_ask, NULL, err) != 0)
		r = RUN_FAILED;
	if (r == RUN_OK)
		r = offsets_print(run, parts, n, err);
	rules_fini(&rules);
	return r;
}
