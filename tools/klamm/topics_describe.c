/*
 * klamm topics --describe: lines as Kafka's tool prints them, or a table, or JSON.
 *
 *     Metadata -> topics and partitions;  DescribeConfigs -> configs that are not the default, min.insync.replicas;
 *     ListPartitionReassignments -> replicas that come and go
 */
#include "proto/kafka_error.h"
#include "tools/klamm/kafka_admin.h"
#include "tools/klamm/table.h"
#include "tools/klamm/topics.h"

#include <stdlib.h>

/* What of the partitions is asked for. */
enum filter { ALL, UNDER_REPLICATED, UNAVAILABLE, UNDER_MIN_ISR, AT_MIN_ISR, OVERRIDES };

struct description {
	struct run *run;
	enum filter filter;
	struct metadata_response_topic *topics;
	int n_topics;
	struct describe_configs_response_result *configs; /* one for each topic, or NULL */
	struct list_partition_reassignments_response reassignments;
};

static int filter_read(const struct run *run, enum filter *ret_filter, struct error *err)
{
	static const char *const names[] = {[UNDER_REPLICATED] = "under-replicated-partitions",
					    [UNAVAILABLE] = "unavailable-partitions",
					    [UNDER_MIN_ISR] = "under-min-isr-partitions",
					    [AT_MIN_ISR] = "at-min-isr-partitions",
					    [OVERRIDES] = "topics-with-overrides"};

	*ret_filter = ALL;
	for (enum filter filter = UNDER_REPLICATED; filter <= OVERRIDES; filter++) {
		if (!args_has(&run->args, names[filter]))
			continue;
		if (*ret_filter != ALL)
			return run_usage(err, "--%s and --%s exclude each other", names[*ret_filter], names[filter]);
		*ret_filter = filter;
	}
	return RUN_OK;
}

static const struct describe_configs_response_config *config_find(const struct description *description, int topic,
								  const char *name)
{
	const struct describe_configs_response_result *result = description->configs ? &description->configs[topic] : NULL;

	for (int i = 0; result && i < result->n_configs; i++)
		if (slice_is_text(result->configs[i].name, name))
			return &result->configs[i];
	return NULL;
}

static bool is_override(const struct describe_configs_response_config *config)
{
	/* Version 0 of the answer has no source. */
	return config->config_source < 0 ? !config->is_default : config->config_source != SOURCE_DEFAULT;
}

static int min_isr(const struct description *description, int topic)
{
	const struct describe_configs_response_config *config = config_find(description, topic, "min.insync.replicas");

	return config ? atoi((const char *)arena_copy(&description->run->arena, config->value).data) : 1;
}

static bool partition_wanted(const struct description *description, int topic,
			     const struct metadata_response_partition *partition)
{
	switch (description->filter) {
	case UNDER_REPLICATED:
		return partition->n_isr_nodes < partition->n_replica_nodes;
	case UNAVAILABLE:
		return partition->leader_id < 0 || partition->error_code == KAFKA_LEADER_NOT_AVAILABLE;
	case UNDER_MIN_ISR:
		return partition->n_isr_nodes < min_isr(description, topic);
	case AT_MIN_ISR:
		return partition->n_isr_nodes == min_isr(description, topic);
	default:
		return true;
	}
}

static const char *ids_text(struct arena *arena, const int32_t *ids, int n)
{
	const char *text = "";

	for (int i = 0; i < n; i++)
		text = arena_printf(arena, "%s%s%d", text, i ? "," : "", ids[i]);
	return text;
}

static const struct list_partition_reassignments_response_partition *reassignment_find(const struct description *description,
										       struct slice topic, int32_t partition)
{
	const struct list_partition_reassignments_response *all = &description->reassignments;

	for (int i = 0; i < all->n_topics; i++)
		for (int p = 0; slice_equal(all->topics[i].name, topic) && p < all->topics[i].n_partitions; p++)
			if (all->topics[i].partitions[p].partition_index == partition)
				return &all->topics[i].partitions[p];
	return NULL;
}

/* "k=v,k=v" of what is not the default. */
static const char *overrides_text(const struct description *description, int topic)
{
	const struct describe_configs_response_result *result = &description->configs[topic];
	struct arena *arena = &description->run->arena;
	const char *text = "";

	for (int i = 0; i < result->n_configs; i++)
		if (is_override(&result->configs[i]))
			text = arena_printf(arena, "%s%s%.*s=%.*s", text, *text ? "," : "", SLICE_ARGS(result->configs[i].name),
					    SLICE_ARGS(result->configs[i].value));
	return text;
}

/* ---- as Kafka's tool prints it ---- */

static void topic_line(const struct description *description, int i)
{
	const struct metadata_response_topic *topic = &description->topics[i];
	char id[UUID_TEXT_LEN + 1];

	uuid_format(&topic->topic_id, id);
	fprintf(description->run->out, "Topic: %.*s\tTopicId: %s\tPartitionCount: %d\tReplicationFactor: %d\tConfigs: %s\n",
		SLICE_ARGS(topic->name), id, topic->n_partitions,
		topic->n_partitions ? topic->partitions[0].n_replica_nodes : 0, overrides_text(description, i));
}

static void partition_line(const struct description *description, const struct metadata_response_topic *topic,
			   const struct metadata_response_partition *partition)
{
	const struct list_partition_reassignments_response_partition *moving =
		reassignment_find(description, topic->name, partition->partition_index);
	struct arena *arena = &description->run->arena;
	FILE *out = description->run->out;

	fprintf(out, "\tTopic: %.*s\tPartition: %d\tLeader: ", SLICE_ARGS(topic->name), partition->partition_index);
	if (partition->leader_id < 0)
		fputs("none", out);
	else
		fprintf(out, "%d", partition->leader_id);
	fprintf(out, "\tReplicas: %s\tIsr: %s", ids_text(arena, partition->replica_nodes, partition->n_replica_nodes),
		ids_text(arena, partition->isr_nodes, partition->n_isr_nodes));
	if (moving && moving->n_adding_replicas)
		fprintf(out, "\tAdding Replicas: %s", ids_text(arena, moving->adding_replicas, moving->n_adding_replicas));
	if (moving && moving->n_removing_replicas)
		fprintf(out, "\tRemoving Replicas: %s",
			ids_text(arena, moving->removing_replicas, moving->n_removing_replicas));
	fputs("\tElr: N/A\tLastKnownElr: N/A\n", out);
}

static void text_print(const struct description *description, int i)
{
	const struct metadata_response_topic *topic = &description->topics[i];

	if (description->filter == ALL || (description->filter == OVERRIDES && *overrides_text(description, i)))
		topic_line(description, i);
	for (int p = 0; p < topic->n_partitions && description->filter != OVERRIDES; p++)
		if (partition_wanted(description, i, &topic->partitions[p]))
			partition_line(description, topic, &topic->partitions[p]);
}

/* ---- as a table ---- */

static void table_fill(const struct description *description, int i, struct table *table)
{
	const struct metadata_response_topic *topic = &description->topics[i];
	struct arena *arena = &description->run->arena;

	for (int p = 0; p < topic->n_partitions; p++) {
		const struct metadata_response_partition *partition = &topic->partitions[p];

		if (partition_wanted(description, i, partition))
			table_row(table, "%.*s|%d|%d|%d|%s|%s|%s", SLICE_ARGS(topic->name), partition->partition_index,
				  partition->leader_id, partition->leader_epoch,
				  ids_text(arena, partition->replica_nodes, partition->n_replica_nodes),
				  ids_text(arena, partition->isr_nodes, partition->n_isr_nodes),
				  p == 0 ? overrides_text(description, i) : "");
	}
}

/* ---- as JSON ---- */

static json_t *ids_json(const int32_t *ids, int n)
{
	json_t *list = json_array();

	for (int i = 0; i < n; i++)
		json_array_append_new(list, json_integer(ids[i]));
	return list;
}

static json_t *partition_json(const struct metadata_response_partition *partition)
{
	return json_pack("{s:i, s:i, s:i, s:o, s:o, s:o, s:s}", "partition", partition->partition_index, "leader",
			 partition->leader_id, "leader_epoch", partition->leader_epoch, "replicas",
			 ids_json(partition->replica_nodes, partition->n_replica_nodes), "isr",
			 ids_json(partition->isr_nodes, partition->n_isr_nodes), "offline_replicas",
			 ids_json(partition->offline_replicas, partition->n_offline_replicas), "error",
			 kafka_error_name(partition->error_code));
}

static json_t *topic_json(const struct description *description, int i)
{
	const struct metadata_response_topic *topic = &description->topics[i];
	const struct describe_configs_response_result *configs = &description->configs[i];
	json_t *partitions = json_array(), *overrides = json_object();
	char id[UUID_TEXT_LEN + 1];

	for (int p = 0; p < topic->n_partitions; p++)
		if (partition_wanted(description, i, &topic->partitions[p]))
			json_array_append_new(partitions, partition_json(&topic->partitions[p]));
	for (int c = 0; c < configs->n_configs; c++)
		if (is_override(&configs->configs[c]))
			json_object_set_new(overrides,
					    (const char *)arena_copy(&description->run->arena, configs->configs[c].name).data,
					    json_slice(configs->configs[c].value));
	uuid_format(&topic->topic_id, id);
	return json_pack("{s:o, s:s, s:b, s:i, s:i, s:o, s:o}", "name", json_slice(topic->name), "id", id, "internal",
			 topic->is_internal, "partition_count", topic->n_partitions, "replication_factor",
			 topic->n_partitions ? topic->partitions[0].n_replica_nodes : 0, "configs", overrides, "partitions",
			 partitions);
}

static void json_print(const struct description *description)
{
	json_t *topics = json_array();

	for (int i = 0; i < description->n_topics; i++) {
		json_t *topic = topic_json(description, i);
		bool wanted = description->filter == ALL ||
			      (description->filter == OVERRIDES ? json_object_size(json_object_get(topic, "configs"))
								: json_array_size(json_object_get(topic, "partitions"))) > 0;

		if (wanted)
			json_array_append(topics, topic);
		json_decref(topic);
	}
	run_print_json(description->run, json_pack("{s:o}", "topics", topics));
}

static void description_print(const struct description *description)
{
	struct table table;

	if (description->run->format == FORMAT_JSON) {
		json_print(description);
		return;
	}
	table_init(&table, &description->run->arena, "TOPIC|PARTITION|LEADER|EPOCH|REPLICAS|ISR|CONFIGS");
	for (int i = 0; i < description->n_topics; i++) {
		if (description->run->format == FORMAT_TEXT)
			text_print(description, i);
		else if (description->filter != OVERRIDES || *overrides_text(description, i))
			table_fill(description, i, &table);
	}
	table_print(&table, description->run->out);
}

static int by_index(const void *a, const void *b)
{
	const struct metadata_response_partition *x = a, *y = b;

	return (x->partition_index > y->partition_index) - (x->partition_index < y->partition_index);
}

static int details_fetch(struct description *description, struct error *err)
{
	struct run *run = description->run;
	struct slice *names = arena_alloc(&run->arena, (size_t)description->n_topics * sizeof *names);

	for (int i = 0; i < description->n_topics; i++) {
		struct metadata_response_topic *topic = &description->topics[i];

		names[i] = topic->name;
		if (topic->n_partitions > 0)
			qsort(topic->partitions, (size_t)topic->n_partitions, sizeof *topic->partitions, by_index);
	}
	if (kafka_admin_describe_topics(run->client, names, description->n_topics, &description->configs, err) != 0)
		return RUN_FAILED;
	return run->format == FORMAT_TEXT && kafka_admin_reassignments(run->client, &description->reassignments, err) != 0
		       ? RUN_FAILED
		       : RUN_OK;
}

int topics_describe(struct run *run, struct error *err)
{
	struct description description = {.run = run};
	bool named = args_has(&run->args, "topic") || args_has(&run->args, "topic-id");
	int r = filter_read(run, &description.filter, err);

	if (r == RUN_OK)
		r = topics_select(run, &description.topics, &description.n_topics, err);
	if (r != RUN_OK)
		return r;
	if (description.n_topics == 0 && named && !args_has(&run->args, "if-exists"))
		return run_failed(err, "topic %s does not exist",
				  args_text(&run->args, "topic", args_text(&run->args, "topic-id", "")));
	r = details_fetch(&description, err);
	if (r == RUN_OK)
		description_print(&description);
	return r;
}
