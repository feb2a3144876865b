/* klamm reassign --generate: an even assignment by Kafka's rules, from a random start; see reassign.h. */
#include "broker/meta/assign_core.h"
#include "tools/klamm/reassign.h"

#include <stdlib.h>
#include <sys/random.h>

static int by_id(const void *a, const void *b)
{
	int32_t x = ((const struct assign_broker *)a)->id;
	int32_t y = ((const struct assign_broker *)b)->id;

	return (x > y) - (x < y);
}

static const struct metadata_response_broker *find_broker(const struct metadata_response *metadata, int32_t id)
{
	for (int i = 0; i < metadata->n_brokers; i++)
		if (metadata->brokers[i].node_id == id)
			return &metadata->brokers[i];
	return NULL;
}

static int brokers_read(struct run *run, const struct metadata_response *metadata, struct assign_broker **ret_brokers, int *ret_n,
			struct error *err)
{
	bool use_racks = !args_has(&run->args, "disable-rack-aware");
	struct assign_broker *brokers;
	int32_t *ids;
	int n;
	int r = reassign_ids_read(run, "broker-list", &ids, &n, err);

	if (r != RUN_OK)
		return r;
	brokers = arena_zalloc(&run->arena, (size_t)n, sizeof *brokers);
	for (int i = 0; i < n; i++) {
		const struct metadata_response_broker *broker = find_broker(metadata, ids[i]);

		if (!broker)
			return run_failed(err, "Unknown broker id %d", ids[i]);
		brokers[i] = (struct assign_broker){ids[i], use_racks ? broker->rack : SLICE_NULL};
	}
	qsort(brokers, (size_t)n, sizeof *brokers, by_id);
	if (!assign_racks_agree(brokers, n))
		return run_failed(err, "Not all brokers have rack information. Add --disable-rack-aware in command line to make replica "
				       "assignment without rack information.");
	*ret_brokers = brokers;
	*ret_n = n;
	return RUN_OK;
}

static int32_t draw(int32_t n)
{
	uint32_t number = 0;

	if (getrandom(&number, sizeof number, 0) != sizeof number)
		number = 0;
	return (int32_t)(number % (uint32_t)n);
}

static int topic_assign(struct run *run, const struct metadata_response_topic *topic, const struct assign_broker *brokers, int n_brokers,
			struct reassign_rows *current, struct reassign_rows *proposed, struct error *err)
{
	int16_t n_replicas = (int16_t)topic->partitions[0].n_replica_nodes;
	struct assignment assignment;

	if (n_replicas > n_brokers)
		return run_failed(err, "topic %.*s: Replication factor: %d larger than available brokers: %d.", SLICE_ARGS(topic->name),
				  n_replicas, n_brokers);
	assign_replicas(brokers, n_brokers, 0, topic->n_partitions, n_replicas, draw(n_brokers), draw(n_brokers), &run->arena, &assignment);
	for (int32_t i = 0; i < topic->n_partitions; i++) {
		const struct metadata_response_partition *partition = &topic->partitions[i];

		current->list[current->n++] = (struct reassign_row){topic->name, partition->partition_index, partition->replica_nodes,
								    partition->n_replica_nodes};
		proposed->list[proposed->n++] = (struct reassign_row){topic->name, partition->partition_index,
								      (int32_t *)(uintptr_t)assignment_replicas(&assignment, i), n_replicas};
	}
	return RUN_OK;
}

static void print(struct run *run, const struct reassign_rows *current, const struct reassign_rows *proposed)
{
	if (run->format == FORMAT_JSON)
		run_print_json(run, json_pack("{s:o, s:o}", "current", reassign_rows_json(current), "proposed", reassign_rows_json(proposed)));
	else
		fprintf(run->out, "Current partition replica assignment\n%s\n\nProposed partition reassignment configuration\n%s\n",
			reassign_rows_text(run, current), reassign_rows_text(run, proposed));
}

int reassign_generate(struct run *run, struct error *err)
{
	struct reassign_rows wanted, current = {0}, proposed = {0};
	struct reassign_cluster cluster;
	struct assign_broker *brokers;
	struct slice *names;
	int n_names, n_brokers;
	size_t n = 1;
	int r = reassign_topics_read(run, &names, &n_names, err);

	if (r == RUN_OK)
		r = run_client(run, err);
	if (r != RUN_OK)
		return r;
	wanted = (struct reassign_rows){arena_zalloc(&run->arena, (size_t)n_names, sizeof *wanted.list), n_names};
	for (int i = 0; i < n_names; i++)
		wanted.list[i].topic = names[i];
	r = reassign_cluster_read(run, &wanted, &cluster, err);
	if (r == RUN_OK)
		r = brokers_read(run, &cluster.metadata, &brokers, &n_brokers, err);
	for (int t = 0; r == RUN_OK && t < cluster.metadata.n_topics; t++) {
		const struct metadata_response_topic *topic = &cluster.metadata.topics[t];

		if (topic->error_code != 0 || topic->n_partitions < 1)
			return run_failed(err, "topic %.*s: %s", SLICE_ARGS(topic->name), run_kafka_error(run, topic->error_code, SLICE_NULL));
		n += (size_t)topic->n_partitions;
	}
	current.list = arena_zalloc(&run->arena, n, sizeof *current.list);
	proposed.list = arena_zalloc(&run->arena, n, sizeof *proposed.list);
	for (int t = 0; r == RUN_OK && t < cluster.metadata.n_topics; t++)
		r = topic_assign(run, &cluster.metadata.topics[t], brokers, n_brokers, &current, &proposed, err);
	if (r == RUN_OK)
		print(run, &current, &proposed);
	return r;
}
