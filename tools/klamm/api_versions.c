/* klamm api-versions: what brokers serve, and what klamm would use of it. */
#include "proto/api.h"
#include "tools/klamm/commands.h"
#include "tools/klamm/table.h"

#include <stdlib.h>

static const struct option_row options[] = {{0}};

const struct option_row *const api_versions_options[] = {options, options_cluster, options_output, NULL};

static const char *range_text(struct arena *arena, int since, int until)
{
	return since == until ? arena_printf(arena, "%d", since) : arena_printf(arena, "%d to %d", since, until);
}

static const char *api_name(struct arena *arena, int key)
{
	const struct api *api = api_find(key);

	return api ? api->name : arena_printf(arena, "UNKNOWN(%d)", key);
}

static int usable(const struct kafka_range *range)
{
	const struct api *api = api_find(range->key);
	int until;

	if (!api)
		return -1;
	until = range->until < api->until ? range->until : api->until;
	return until >= range->since && until >= api->since ? until : -1;
}

static void text_print(struct run *run, const struct metadata_response_broker *broker, const struct kafka_range *ranges, int n)
{
	fprintf(run->out, "%.*s:%d (id: %d rack: %.*s) -> (\n", SLICE_ARGS(broker->host), broker->port, broker->node_id,
		SLICE_ARGS(slice_is_null(broker->rack) ? SLICE_LITERAL("null") : broker->rack));
	for (int i = 0; i < n; i++) {
		int version = usable(&ranges[i]);

		fprintf(run->out, "\t%s(%d): %s", api_name(&run->arena, ranges[i].key), ranges[i].key,
			range_text(&run->arena, ranges[i].since, ranges[i].until));
		if (version >= 0)
			fprintf(run->out, " [usable: %d]", version);
		else
			fputs(" [unusable: klamm has no version in common]", run->out);
		fputs(i == n - 1 ? "\n" : ",\n", run->out);
	}
	fputs(")\n", run->out);
}

static json_t *broker_json(struct run *run, const struct metadata_response_broker *broker, const struct kafka_range *ranges,
			   int n)
{
	json_t *apis = json_array();

	for (int i = 0; i < n; i++)
		json_array_append_new(apis, json_pack("{s:i, s:s, s:i, s:i, s:i}", "key", (int)ranges[i].key, "name",
						      api_name(&run->arena, ranges[i].key), "min", (int)ranges[i].since, "max",
						      (int)ranges[i].until, "usable", usable(&ranges[i])));
	return json_pack("{s:i, s:o, s:i, s:o}", "id", broker->node_id, "host", json_slice(broker->host), "port", broker->port,
			 "apis", apis);
}

static int by_id(const void *a, const void *b)
{
	const struct metadata_response_broker *x = a, *y = b;

	return (x->node_id > y->node_id) - (x->node_id < y->node_id);
}

static int brokers_print(struct run *run, const struct metadata_response *metadata, struct table *table, json_t *list,
			 struct error *err)
{
	for (int i = 0; i < metadata->n_brokers; i++) {
		const struct metadata_response_broker *broker = &metadata->brokers[i];
		const struct kafka_range *ranges;
		int n;

		if (kafka_client_ranges(run->client, broker->node_id, &ranges, &n, err) != 0)
			return RUN_FAILED;
		if (run->format == FORMAT_JSON)
			json_array_append_new(list, broker_json(run, broker, ranges, n));
		else if (run->format == FORMAT_TEXT)
			text_print(run, broker, ranges, n);
		for (int a = 0; a < n && run->format == FORMAT_TABLE; a++)
			table_row(table, "%d|%d|%s|%d|%d|%d", broker->node_id, ranges[a].key,
				  api_name(&run->arena, ranges[a].key), ranges[a].since, ranges[a].until, usable(&ranges[a]));
	}
	return RUN_OK;
}

int api_versions_main(struct run *run, struct error *err)
{
	struct metadata_response metadata;
	struct slice none = SLICE_NULL;
	struct table table;
	json_t *list;
	int r;

	if (args_words_max(&run->args, 0, err) != 0)
		return RUN_USAGE;
	r = run_client(run, err);
	if (r == RUN_OK && kafka_client_metadata(run->client, &none, 0, &metadata, err) != 0)
		r = RUN_FAILED;
	if (r != RUN_OK)
		return r;
	if (metadata.n_brokers > 0)
		qsort(metadata.brokers, (size_t)metadata.n_brokers, sizeof *metadata.brokers, by_id);
	table_init(&table, &run->arena, "BROKER|KEY|API|MIN|MAX|USABLE");
	list = json_array();
	r = brokers_print(run, &metadata, &table, list, err);
	table_print(&table, run->out);
	if (run->format == FORMAT_JSON)
		run_print_json(run, json_pack("{s:O}", "brokers", list));
	json_decref(list);
	return r;
}
