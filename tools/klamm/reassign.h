/*
 * Private to the files of `klamm reassign`: what its actions share.
 *
 *     generate, drain, add --> rows (what replicas are to be where) --+
 *     --reassignment-json-file ---------------------------------------+--> execute: throttles, AlterPartitionReassignments, --wait
 *                                                                     +--> verify: Metadata, ListPartitionReassignments; throttles off
 *                                                                     '--> cancel
 */
#ifndef KLAMM_TOOLS_KLAMM_REASSIGN_H
#define KLAMM_TOOLS_KLAMM_REASSIGN_H

#include "proto/kafka/list_partition_reassignments.gen.h"
#include "tools/klamm/command.h"

/* The replicas of a partition as somebody wants them. */
struct reassign_row {
	struct slice topic;
	int32_t partition;
	int32_t *replicas;
	int32_t n_replicas;
};

/* Sorted by topic and partition, none twice. */
struct reassign_rows {
	struct reassign_row *list;
	int n;
};

/* The cluster as it is. */
struct reassign_cluster {
	struct metadata_response metadata; /* topics sorted by name */
	struct list_partition_reassignments_response reassignments;
};

/* ---- reassign_json.c ---- */

/* --reassignment-json-file; one of run_code. */
int reassign_file_read(struct run *run, struct reassign_rows *ret_rows, struct error *err);

/* --topics-to-move-json-file: names, sorted. */
int reassign_topics_read(struct run *run, struct slice **ret_names, int *ret_n, struct error *err);

/* "1,2,3" of an option: ids, none twice. */
int reassign_ids_read(struct run *run, const char *option, int32_t **ret_ids, int *ret_n, struct error *err);

/* What --reassignment-json-file takes. */
json_t *reassign_rows_json(const struct reassign_rows *rows);
const char *reassign_rows_text(struct run *run, const struct reassign_rows *rows);

/* "1,2,3", "t-0,t-1" */
const char *reassign_ids_text(struct run *run, const int32_t *ids, int n);
const char *reassign_names_text(struct run *run, const struct reassign_rows *rows);
json_t *reassign_ids_json(const int32_t *ids, int n);

void reassign_rows_sort(struct reassign_rows *rows);

/* ---- reassign_cluster.c ---- */

/* Metadata of all topics that the rows name (NULL: of all there are), and what is under way. One of run_code. */
int reassign_cluster_read(struct run *run, const struct reassign_rows *rows, struct reassign_cluster *ret_cluster, struct error *err);

/* Only what is under way, afresh. */
int reassign_under_way_read(struct run *run, struct list_partition_reassignments_response *ret_list, struct error *err);

/* NULL: there is no such partition, or nothing of it is under way. */
const struct metadata_response_partition *reassign_find(const struct reassign_cluster *cluster, const struct reassign_row *row);
const struct list_partition_reassignments_response_partition *
reassign_find_under_way(const struct list_partition_reassignments_response *list, const struct reassign_row *row);

/* The rows as they are now. An error names the partition that is not there. */
int reassign_current(struct run *run, const struct reassign_cluster *cluster, const struct reassign_rows *rows,
		     struct reassign_rows *ret_rows, struct error *err);

bool reassign_is_same(const int32_t *a, int n_a, const int32_t *b, int n_b);
bool reassign_has(const int32_t *ids, int n, int32_t id);

/* ---- reassign_throttle.c ---- */

/* Limits of --throttle; -1: none. */
int reassign_throttle_read(struct run *run, int64_t *ret_bytes, struct error *err);

/* Sets rate and replicas for the moves that are under way and those of the rows. */
int reassign_throttle_set(struct run *run, const struct reassign_cluster *cluster, const struct reassign_rows *rows, int64_t bytes,
			  struct error *err);

/* Takes them away from all brokers and from the topics of the rows. */
int reassign_throttle_clear(struct run *run, const struct reassign_rows *rows, struct error *err);

/* ---- actions ---- */

/* Carries rows out: refuses what --execute of Kafka's tool refuses, sets throttles, starts, waits with --wait. */
int reassign_execute_rows(struct run *run, const struct reassign_rows *rows, struct error *err);

int reassign_execute(struct run *run, struct error *err);
int reassign_generate(struct run *run, struct error *err);
int reassign_verify(struct run *run, struct error *err);
int reassign_verify_rows(struct run *run, const struct reassign_rows *rows, struct error *err);
int reassign_cancel(struct run *run, struct error *err);
int reassign_list(struct run *run, struct error *err);
int reassign_drain(struct run *run, struct error *err);
int reassign_add(struct run *run, struct error *err);

#endif
