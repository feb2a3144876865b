/*
 * What this broker serves: one handler a file, one row an API. ApiVersions is computed from the rows.
 *
 * A handler is called on the worker of the request's connection (broker/net/request.h) and ends the request exactly once.
 */
#ifndef KLAMM_BROKER_API_API_H
#define KLAMM_BROKER_API_API_H

#include "broker/net/net.h"
#include "broker/net/request.h"

/* The rows of Kafka's APIs, by ascending key. The cluster's own Hello is added by broker/main and told to nobody. */
const struct net_api *served_apis(int *ret_n);

void alter_configs_handle(struct request *request);
void alter_partition_reassignments_handle(struct request *request);
void api_versions_handle(struct request *request);
void create_partitions_handle(struct request *request);
void create_topics_handle(struct request *request);
void delete_groups_handle(struct request *request);
void delete_records_handle(struct request *request);
void delete_topics_handle(struct request *request);
void describe_cluster_handle(struct request *request);
void describe_configs_handle(struct request *request);
void describe_groups_handle(struct request *request);
void elect_leaders_handle(struct request *request);
void fetch_handle(struct request *request);
void find_coordinator_handle(struct request *request);
void heartbeat_handle(struct request *request);
void incremental_alter_configs_handle(struct request *request);
void init_producer_id_handle(struct request *request);
void join_group_handle(struct request *request);
void leave_group_handle(struct request *request);
void list_groups_handle(struct request *request);
void list_offsets_handle(struct request *request);
void list_partition_reassignments_handle(struct request *request);
void metadata_handle(struct request *request);
void offset_commit_handle(struct request *request);
void offset_delete_handle(struct request *request);
void offset_fetch_handle(struct request *request);
void offset_for_leader_epoch_handle(struct request *request);
void produce_handle(struct request *request);
void sync_group_handle(struct request *request);

#endif
