/* Logs of replicas to choose from; see elect_logs.h. */
#include "tools/klamm/elect_logs.h"

#include "proto/kafka/list_offsets.gen.h"
#include "proto/kafka_error.h"
#include "tools/klamm/kafka_client.h"
#include "tools/klamm/table.h"

#define REPLICA_DEBUG (-2)
#define TIMESTAMP_LATEST (-1)
#define VERSION_WITH_EPOCH 4

/* A replica's log; why NULL: it is known. */
struct choice {
	int32_t broker;
	int32_t last_epoch; /* -1: it has no batch */
	int64_t end_offset;
	const char *why;
};

struct place {
	struct slice topic;
	const struct metadata_response_partition *partition;
	struct choice *choices; /* one for each replica */
	int best;               /* of them; -1: none is known */
};

struct places {
	struct place *list;
	int n;
	int n_unknown; /* partitions that were asked for and are not there */
};

/* ---- which partitions ---- */

static bool is_wanted(const struct elect_leaders_request *request, struct slice topic, const struct metadata_response_partition *partition)
{
	if (request->n_topic_partitions < 0)
		return partition->leader_id < 0;
	for (int t = 0; t < request->n_topic_partitions; t++)
		for (int i = 0; slice_equal(request->topic_partitions[t].topic, topic) && i < request->topic_partitions[t].n_partitions; i++)
			if (request->topic_partitions[t].partitions[i] == partition->partition_index)
				return true;
	return false;
}

static int count_asked(const struct elect_leaders_request *request)
{
	int n = 0;

	for (int t = 0; t < request->n_topic_partitions; t++)
		n += request->topic_partitions[t].n_partitions;
	return n;
}

static int places_find(struct run *run, const struct elect_leaders_request *request, struct places *ret_places, struct error *err)
{
	struct metadata_response metadata;
	size_t most = 1;

	*ret_places = (struct places){0};
	if (kafka_client_metadata(run->client, NULL, 0, &metadata, err) != 0)
		return RUN_FAILED;
	for (int t = 0; t < metadata.n_topics; t++)
		most += (size_t)metadata.topics[t].n_partitions;
	ret_places->list = arena_zalloc(&run->arena, most, sizeof *ret_places->list);
	for (int t = 0; t < metadata.n_topics; t++)
		for (int p = 0; p < metadata.topics[t].n_partitions; p++) {
			const struct metadata_response_partition *partition = &metadata.topics[t].partitions[p];

			if (is_wanted(request, metadata.topics[t].name, partition))
				ret_places->list[ret_places->n++] = (struct place){.topic = metadata.topics[t].name, .partition = partition};
		}
	ret_places->n_unknown = request->n_topic_partitions < 0 ? 0 : count_asked(request) - ret_places->n;
	return RUN_OK;
}

/* ---- asking ---- */

static bool is_offline(const struct metadata_response_partition *partition, int32_t broker)
{
	for (int i = 0; i < partition->n_offline_replicas; i++)
		if (partition->offline_replicas[i] == broker)
			return true;
	return false;
}

static void take_answer(struct run *run, const struct list_offsets_response *response, struct choice *choice)
{
	const struct list_offsets_response_partition *answer;

	choice->why = "no answer";
	if (response->n_topics != 1 || response->topics[0].n_partitions != 1)
		return;
	answer = &response->topics[0].partitions[0];
	if (answer->error_code != KAFKA_NONE) {
		choice->why = run_kafka_error(run, answer->error_code, SLICE_NULL);
		return;
	}
	choice->why = NULL;
	choice->last_epoch = answer->leader_epoch;
	choice->end_offset = answer->offset;
}

static void choice_ask(struct run *run, const struct place *place, struct choice *choice)
{
	struct list_offsets_request_partition partition = list_offsets_request_partition_default;
	struct list_offsets_request_topic topic = {.name = place->topic, .partitions = &partition, .n_partitions = 1};
	struct list_offsets_request request = list_offsets_request_default;
	struct list_offsets_response response;
	struct error err = {0};
	int version;

	partition.partition_index = place->partition->partition_index;
	partition.current_leader_epoch = -1;
	partition.timestamp = TIMESTAMP_LATEST;
	request.replica_id = REPLICA_DEBUG;
	request.topics = &topic;
	request.n_topics = 1;
	if (kafka_client_version(run->client, choice->broker, API_LIST_OFFSETS, &version, &err) != 0)
		choice->why = arena_printf(&run->arena, "%s", err.text);
	else if (version < VERSION_WITH_EPOCH)
		choice->why = "its version is too old to tell";
	else if (kafka_client_call(run->client, choice->broker, API_LIST_OFFSETS, &request, &response, &err) != 0)
		choice->why = arena_printf(&run->arena, "%s", err.text);
	else
		take_answer(run, &response, choice);
}

static bool has_more(const struct choice *a, const struct choice *b)
{
	return a->last_epoch != b->last_epoch ? a->last_epoch > b->last_epoch : a->end_offset > b->end_offset;
}

static void place_ask(struct run *run, struct place *place)
{
	place->best = -1;
	place->choices = arena_zalloc(&run->arena, (size_t)place->partition->n_replica_nodes, sizeof *place->choices);
	for (int i = 0; i < place->partition->n_replica_nodes; i++) {
		struct choice *choice = &place->choices[i];

		choice->broker = place->partition->replica_nodes[i];
		if (is_offline(place->partition, choice->broker))
			choice->why = "offline";
		else
			choice_ask(run, place, choice);
		if (!choice->why && (place->best < 0 || has_more(choice, &place->choices[place->best])))
			place->best = i;
	}
}

/* ---- printing ---- */

static json_t *place_json(const struct place *place)
{
	json_t *replicas = json_array();

	for (int i = 0; i < place->partition->n_replica_nodes; i++) {
		const struct choice *choice = &place->choices[i];
		json_t *row = json_pack("{s:i}", "broker", choice->broker);

		if (choice->why)
			json_object_set_new(row, "error", json_string(choice->why));
		else
			json_object_update_new(row, json_pack("{s:i, s:I}", "last_epoch", choice->last_epoch, "log_end",
							      (json_int_t)choice->end_offset));
		json_array_append_new(replicas, row);
	}
	return json_pack("{s:o, s:i, s:i, s:o, s:o}", "topic", json_slice(place->topic), "partition", place->partition->partition_index,
			 "leader", place->partition->leader_id, "replicas", replicas, "most",
			 place->best < 0 ? json_null() : json_integer(place->choices[place->best].broker));
}

static void place_rows(struct table *table, const struct place *place)
{
	for (int i = 0; i < place->partition->n_replica_nodes; i++) {
		const struct choice *choice = &place->choices[i];

		if (choice->why)
			table_row(table, "%.*s|%d|%d|-|-|%s", SLICE_ARGS(place->topic), place->partition->partition_index, choice->broker,
				  choice->why);
		else
			table_row(table, "%.*s|%d|%d|%d|%lld|%s", SLICE_ARGS(place->topic), place->partition->partition_index,
				  choice->broker, choice->last_epoch, (long long)choice->end_offset,
				  choice->broker == place->partition->leader_id ? "leads" : i == place->best ? "has most" : "");
	}
}

static void places_print(struct run *run, const struct places *places)
{
	json_t *list = json_array();
	struct table table;

	table_init(&table, &run->arena, "TOPIC|PARTITION|REPLICA|LAST EPOCH|LOG END|");
	for (int i = 0; i < places->n; i++) {
		if (run->format == FORMAT_JSON)
			json_array_append_new(list, place_json(&places->list[i]));
		else
			place_rows(&table, &places->list[i]);
	}
	if (run->format == FORMAT_JSON)
		run_print_json(run, json_pack("{s:O}", "partitions", list));
	else if (places->n == 0 && places->n_unknown == 0)
		run_note(run, "every partition has a leader");
	else
		table_print(&table, run->out);
	json_decref(list);
}

int elect_show_logs(struct run *run, const struct elect_leaders_request *request, struct error *err)
{
	struct places places;
	int r = places_find(run, request, &places, err);

	if (r != RUN_OK)
		return r;
	for (int i = 0; i < places.n; i++)
		place_ask(run, &places.list[i]);
	places_print(run, &places);
	return places.n_unknown > 0 ? run_failed(err, "%d of the partitions are not there", places.n_unknown) : RUN_OK;
}
