/* klamm cluster: who is there, who is the controller, and whether all partitions are well. */
#include "proto/kafka_error.h"
#include "tools/klamm/commands.h"
#include "tools/klamm/table.h"

#include <stdlib.h>
#include <string.h>

static const struct option_row options[] = {
	{"cluster-id", NULL, OPTION_ACTION, "Only the id of the cluster, as kafka-cluster prints it."},
	{"health", NULL, OPTION_ACTION, "Also name partitions that are not well; exit code 1 when there are any."},
	{0},
};

const struct option_row *const cluster_options[] = {options, options_cluster, options_output, NULL};

enum trouble { WELL, UNDER_REPLICATED, OFFLINE };

struct health {
	int n_topics, n_partitions;
	int n_under_replicated, n_offline;
};

/* Leader and replica counts of one broker. */
struct load {
	int n_leaders, n_replicas;
};

static enum trouble partition_trouble(const struct metadata_response_partition *partition)
{
	if (partition->leader_id < 0)
		return OFFLINE;
	return partition->n_isr_nodes < partition->n_replica_nodes ? UNDER_REPLICATED : WELL;
}

static struct health health_count(const struct metadata_response *metadata)
{
	struct health health = {.n_topics = metadata->n_topics};

	for (int t = 0; t < metadata->n_topics; t++) {
		const struct metadata_response_topic *topic = &metadata->topics[t];

		health.n_partitions += topic->n_partitions;
		for (int p = 0; p < topic->n_partitions; p++) {
			enum trouble trouble = partition_trouble(&topic->partitions[p]);

			health.n_offline += trouble == OFFLINE;
			health.n_under_replicated += trouble == UNDER_REPLICATED;
		}
	}
	return health;
}

static struct load broker_load(const struct metadata_response *metadata, int32_t id)
{
	struct load load = {0, 0};

	for (int t = 0; t < metadata->n_topics; t++)
		for (int p = 0; p < metadata->topics[t].n_partitions; p++) {
			const struct metadata_response_partition *partition = &metadata->topics[t].partitions[p];

			load.n_leaders += partition->leader_id == id;
			for (int i = 0; i < partition->n_replica_nodes; i++)
				load.n_replicas += partition->replica_nodes[i] == id;
		}
	return load;
}

static const char *ids_text(struct arena *arena, const int32_t *ids, int n)
{
	const char *text = "";

	for (int i = 0; i < n; i++)
		text = arena_printf(arena, "%s%s%d", text, i ? "," : "", ids[i]);
	return text;
}

/* ---- text and table: the same here, since no tool of Kafka's prints this ---- */

static void brokers_print(struct run *run, const struct metadata_response *metadata)
{
	struct table table;

	table_init(&table, &run->arena, "ID|HOST|PORT|RACK|LEADERS|REPLICAS|CONTROLLER");
	for (int i = 0; i < metadata->n_brokers; i++) {
		const struct metadata_response_broker *broker = &metadata->brokers[i];
		struct load load = broker_load(metadata, broker->node_id);

		table_row(&table, "%d|%.*s|%d|%.*s|%d|%d|%s", broker->node_id, SLICE_ARGS(broker->host), broker->port,
			  SLICE_ARGS(broker->rack), load.n_leaders, load.n_replicas,
			  broker->node_id == metadata->controller_id ? "yes" : "");
	}
	table_print(&table, run->out);
}

static void troubles_print(struct run *run, const struct metadata_response *metadata)
{
	struct table table;

	table_init(&table, &run->arena, "TOPIC|PARTITION|STATE|LEADER|REPLICAS|ISR");
	for (int t = 0; t < metadata->n_topics; t++) {
		const struct metadata_response_topic *topic = &metadata->topics[t];

		for (int p = 0; p < topic->n_partitions; p++) {
			const struct metadata_response_partition *partition = &topic->partitions[p];
			enum trouble trouble = partition_trouble(partition);

			if (trouble != WELL)
				table_row(&table, "%.*s|%d|%s|%d|%s|%s", SLICE_ARGS(topic->name), partition->partition_index,
					  trouble == OFFLINE ? "offline" : "under-replicated", partition->leader_id,
					  ids_text(&run->arena, partition->replica_nodes, partition->n_replica_nodes),
					  ids_text(&run->arena, partition->isr_nodes, partition->n_isr_nodes));
		}
	}
	if (table.n_rows)
		fputc('\n', run->out);
	table_print(&table, run->out);
}

static void people_print(struct run *run, const struct metadata_response *metadata, const struct health *health)
{
	fprintf(run->out, "Cluster %.*s: %d broker%s, %d topic%s, %d partition%s; %d under-replicated, %d offline\n",
		SLICE_ARGS(metadata->cluster_id), metadata->n_brokers, metadata->n_brokers == 1 ? "" : "s", health->n_topics,
		health->n_topics == 1 ? "" : "s", health->n_partitions, health->n_partitions == 1 ? "" : "s",
		health->n_under_replicated, health->n_offline);
	if (metadata->controller_id < 0)
		fprintf(run->out, "There is no controller: leaders are not elected and topics not made until there is one.\n");
	fputc('\n', run->out);
	brokers_print(run, metadata);
	if (args_has(&run->args, "health"))
		troubles_print(run, metadata);
}

/* ---- JSON ---- */

static json_t *troubles_json(const struct metadata_response *metadata)
{
	json_t *list = json_array();

	for (int t = 0; t < metadata->n_topics; t++) {
		const struct metadata_response_topic *topic = &metadata->topics[t];

		for (int p = 0; p < topic->n_partitions; p++) {
			enum trouble trouble = partition_trouble(&topic->partitions[p]);

			if (trouble != WELL)
				json_array_append_new(list,
						      json_pack("{s:o, s:i, s:s}", "topic", json_slice(topic->name),
								"partition", topic->partitions[p].partition_index, "state",
								trouble == OFFLINE ? "offline" : "under-replicated"));
		}
	}
	return list;
}

static void json_print(struct run *run, const struct metadata_response *metadata, const struct health *health)
{
	json_t *brokers = json_array();

	for (int i = 0; i < metadata->n_brokers; i++) {
		const struct metadata_response_broker *broker = &metadata->brokers[i];
		struct load load = broker_load(metadata, broker->node_id);

		json_array_append_new(brokers, json_pack("{s:i, s:o, s:i, s:o, s:i, s:i}", "id", broker->node_id, "host",
							 json_slice(broker->host), "port", broker->port, "rack",
							 json_slice(broker->rack), "leaders", load.n_leaders, "replicas",
							 load.n_replicas));
	}
	run_print_json(run,
		       json_pack("{s:o, s:i, s:o, s:i, s:i, s:i, s:i, s:o}", "cluster_id", json_slice(metadata->cluster_id),
				 "controller", metadata->controller_id, "brokers", brokers, "topics", health->n_topics,
				 "partitions", health->n_partitions, "under_replicated", health->n_under_replicated, "offline",
				 health->n_offline, "unwell", troubles_json(metadata)));
}

static int cluster_id_print(struct run *run, const struct metadata_response *metadata, struct error *err)
{
	if (slice_is_null(metadata->cluster_id))
		return run_failed(err, "the cluster has no id");
	if (run->format == FORMAT_JSON)
		run_print_json(run, json_pack("{s:o}", "cluster_id", json_slice(metadata->cluster_id)));
	else
		fprintf(run->out, "Cluster ID: %.*s\n", SLICE_ARGS(metadata->cluster_id));
	return RUN_OK;
}

static int by_id(const void *a, const void *b)
{
	const struct metadata_response_broker *x = a, *y = b;

	return (x->node_id > y->node_id) - (x->node_id < y->node_id);
}

static int by_name(const void *a, const void *b)
{
	const struct metadata_response_topic *x = a, *y = b;

	return slice_compare(x->name, y->name);
}

static int by_index(const void *a, const void *b)
{
	const struct metadata_response_partition *x = a, *y = b;

	return (x->partition_index > y->partition_index) - (x->partition_index < y->partition_index);
}

static void metadata_sort(struct metadata_response *metadata)
{
	if (metadata->n_brokers > 0)
		qsort(metadata->brokers, (size_t)metadata->n_brokers, sizeof *metadata->brokers, by_id);
	if (metadata->n_topics > 0)
		qsort(metadata->topics, (size_t)metadata->n_topics, sizeof *metadata->topics, by_name);
	for (int i = 0; i < metadata->n_topics; i++)
		if (metadata->topics[i].n_partitions > 0)
			qsort(metadata->topics[i].partitions, (size_t)metadata->topics[i].n_partitions,
			      sizeof *metadata->topics[i].partitions, by_index);
}

int cluster_main(struct run *run, struct error *err)
{
	bool only_id = args_has(&run->args, "cluster-id");
	struct metadata_response metadata;
	struct slice none = SLICE_NULL;
	struct health health;
	int r;

	if (args_words_max(&run->args, 0, err) != 0)
		return RUN_USAGE;
	r = run_client(run, err);
	if (r == RUN_OK && kafka_client_metadata(run->client, only_id ? &none : NULL, 0, &metadata, err) != 0)
		r = RUN_FAILED;
	if (r != RUN_OK)
		return r;
	if (only_id)
		return cluster_id_print(run, &metadata, err);
	metadata_sort(&metadata);
	health = health_count(&metadata);
	if (run->format == FORMAT_JSON)
		json_print(run, &metadata, &health);
	else
		people_print(run, &metadata, &health);
	return args_has(&run->args, "health") && (health.n_offline || health.n_under_replicated) ? RUN_FAILED : RUN_OK;
}
