/* The table of what is served; see api.h. */
#include "broker/api/api.h"

#include "common/memory.h"

/*
 * Produce and Fetch begin at version 0 because old clients read features from that (KAFKA-18659); requests below the first version
 * that speaks record format 2 are answered with an error for each partition unless they carry it.
 */
static const struct net_api rows[] = {
	{API_PRODUCE, 0, 11, NET_API_PIPELINED, produce_handle},
	{API_FETCH, 0, 17, NET_API_PIPELINED, fetch_handle},
	{API_LIST_OFFSETS, 0, 9, 0, list_offsets_handle},
	{API_METADATA, 0, 12, 0, metadata_handle},
	{API_OFFSET_COMMIT, 0, 9, 0, offset_commit_handle},
	{API_OFFSET_FETCH, 0, 9, 0, offset_fetch_handle},
	{API_FIND_COORDINATOR, 0, 6, 0, find_coordinator_handle},
	{API_JOIN_GROUP, 0, 9, 0, join_group_handle},
	{API_HEARTBEAT, 0, 4, 0, heartbeat_handle},
	{API_LEAVE_GROUP, 0, 5, 0, leave_group_handle},
	{API_SYNC_GROUP, 0, 5, 0, sync_group_handle},
	{API_DESCRIBE_GROUPS, 0, 5, 0, describe_groups_handle},
	{API_LIST_GROUPS, 0, 5, 0, list_groups_handle},
	{API_API_VERSIONS, 0, 4, NET_API_BEFORE_AUTH, api_versions_handle},
	{API_CREATE_TOPICS, 0, 7, 0, create_topics_handle},
	{API_DELETE_TOPICS, 0, 6, 0, delete_topics_handle},
	{API_DELETE_RECORDS, 0, 2, 0, delete_records_handle},
	{API_INIT_PRODUCER_ID, 0, 5, 0, init_producer_id_handle},
	{API_OFFSET_FOR_LEADER_EPOCH, 0, 4, 0, offset_for_leader_epoch_handle},
	{API_DESCRIBE_CONFIGS, 0, 4, 0, describe_configs_handle},
	{API_ALTER_CONFIGS, 0, 2, 0, alter_configs_handle},
	{API_CREATE_PARTITIONS, 0, 3, 0, create_partitions_handle},
	{API_DELETE_GROUPS, 0, 2, 0, delete_groups_handle},
	{API_ELECT_LEADERS, 0, 2, 0, elect_leaders_handle},
	{API_INCREMENTAL_ALTER_CONFIGS, 0, 1, 0, incremental_alter_configs_handle},
	{API_ALTER_PARTITION_REASSIGNMENTS, 0, 0, 0, alter_partition_reassignments_handle},
	{API_LIST_PARTITION_REASSIGNMENTS, 0, 0, 0, list_partition_reassignments_handle},
	{API_OFFSET_DELETE, 0, 0, 0, offset_delete_handle},
	{API_DESCRIBE_CLUSTER, 0, 1, 0, describe_cluster_handle},
};

const struct net_api *served_apis(int *ret_n)
{
	*ret_n = (int)ARRAY_LEN(rows);
	return rows;
}
