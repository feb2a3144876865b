/* The cluster as it is, for `klamm reassign`; see reassign.h. */
#include "proto/kafka_error.h"
#include "tools/klamm/kafka_admin.h"
#include "tools/klamm/reassign.h"

#include <stdlib.h>

static int by_topic(const void *a, const void *b)
{
	return slice_compare(((const struct metadata_response_topic *)a)->name, ((const struct metadata_response_topic *)b)->name);
}

static int by_index(const void *a, const void *b)
{
	int32_t x = ((const struct metadata_response_partition *)a)->partition_index;
	int32_t y = ((const struct metadata_response_partition *)b)->partition_index;

	return (x > y) - (x < y);
}

static int metadata_read(struct run *run, const struct reassign_rows *rows, struct metadata_response *ret_metadata, struct error *err)
{
	struct slice *names = NULL;
	int n = 0;

	if (rows)
		names = arena_alloc(&run->arena, (size_t)rows->n * sizeof *names);
	for (int i = 0; rows && i < rows->n; i++)
		if (n == 0 || !slice_equal(names[n - 1], rows->list[i].topic))
			names[n++] = rows->list[i].topic;
	if (kafka_client_metadata(run->client, names, n, ret_metadata, err) != 0)
		return RUN_FAILED;
	if (ret_metadata->n_topics > 1)
		qsort(ret_metadata->topics, (size_t)ret_metadata->n_topics, sizeof *ret_metadata->topics, by_topic);
	for (int i = 0; i < ret_metadata->n_topics; i++)
		if (ret_metadata->topics[i].n_partitions > 1)
			qsort(ret_metadata->topics[i].partitions, (size_t)ret_metadata->topics[i].n_partitions,
			      sizeof *ret_metadata->topics[i].partitions, by_index);
	return RUN_OK;
}

int reassign_under_way_read(struct run *run, struct list_partition_reassignments_response *ret_list, struct error *err)
{
	return kafka_admin_list_reassignments(run->client, ret_list, err) == 0 ? RUN_OK : RUN_FAILED;
}

int reassign_cluster_read(struct run *run, const struct reassign_rows *rows, struct reassign_cluster *ret_cluster, struct error *err)
{
	int r = metadata_read(run, rows, &ret_cluster->metadata, err);

	return r == RUN_OK ? reassign_under_way_read(run, &ret_cluster->reassignments, err) : r;
}

const struct metadata_response_partition *reassign_find(const struct reassign_cluster *cluster, const struct reassign_row *row)
{
	struct metadata_response_topic topic_key = {.name = row->topic};
	struct metadata_response_partition key = {.partition_index = row->partition};
	const struct metadata_response_topic *topic;

	if (cluster->metadata.n_topics <= 0)
		return NULL;
	topic = bsearch(&topic_key, cluster->metadata.topics, (size_t)cluster->metadata.n_topics, sizeof *topic, by_topic);
	if (!topic || topic->n_partitions <= 0)
		return NULL;
	return bsearch(&key, topic->partitions, (size_t)topic->n_partitions, sizeof key, by_index);
}

const struct list_partition_reassignments_response_partition *
reassign_find_under_way(const struct list_partition_reassignments_response *list, const struct reassign_row *row)
{
	for (int t = 0; t < list->n_topics; t++) {
		if (!slice_equal(list->topics[t].name, row->topic))
			continue;
		for (int i = 0; i < list->topics[t].n_partitions; i++)
			if (list->topics[t].partitions[i].partition_index == row->partition)
				return &list->topics[t].partitions[i];
	}
	return NULL;
}

int reassign_current(struct run *run, const struct reassign_cluster *cluster, const struct reassign_rows *rows,
		     struct reassign_rows *ret_rows, struct error *err)
{
	struct reassign_rows current = {arena_zalloc(&run->arena, (size_t)rows->n + 1, sizeof *current.list), rows->n};

	for (int i = 0; i < rows->n; i++) {
		const struct metadata_response_partition *partition = reassign_find(cluster, &rows->list[i]);

		if (!partition)
			return run_failed(err, "there is no partition %.*s-%d", SLICE_ARGS(rows->list[i].topic), rows->list[i].partition);
		current.list[i] = (struct reassign_row){rows->list[i].topic, rows->list[i].partition, partition->replica_nodes,
							partition->n_replica_nodes};
	}
	*ret_rows = current;
	return RUN_OK;
}
