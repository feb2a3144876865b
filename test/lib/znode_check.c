/* See znode_check.h. */
#include "test/lib/znode_check.h"

#include "zk/json_broker.h"
#include "zk/json_cluster.h"
#include "zk/json_config.h"
#include "zk/json_controller.h"
#include "zk/json_notification.h"
#include "zk/json_partition_state.h"
#include "zk/json_topic.h"

#include <string.h>

static bool starts(const char *path, const char *prefix)
{
	return strncmp(path, prefix, strlen(prefix)) == 0;
}

static bool ends(const char *path, const char *suffix)
{
	size_t len = strlen(path), tail = strlen(suffix);

	return len >= tail && strcmp(path + len - tail, suffix) == 0;
}

int znode_family_of(const char *path)
{
	static const struct {
		const char *prefix;
		enum znode_family family;
	} table[] = {
		{ZK_PATH_BROKER_IDS "/", ZNODE_BROKER},
		{ZK_PATH_CONTROLLER_EPOCH, ZNODE_CONTROLLER_EPOCH},
		{ZK_PATH_CONTROLLER, ZNODE_CONTROLLER},
		{ZK_PATH_CONFIG_CHANGES "/", ZNODE_CONFIG_CHANGE},
		{ZK_PATH_CONFIG "/", ZNODE_CONFIG},
		{ZK_PATH_CLUSTER_ID, ZNODE_CLUSTER_ID},
		{ZK_PATH_PRODUCER_ID_BLOCK, ZNODE_PRODUCER_ID_BLOCK},
		{ZK_PATH_ISR_CHANGES "/", ZNODE_PARTITION_LIST},
		{ZK_PATH_PREFERRED_REPLICA_ELECTION, ZNODE_PARTITION_LIST},
		{ZK_PATH_REASSIGN_PARTITIONS, ZNODE_REASSIGNMENT},
		{ZK_PATH_LOG_DIR_EVENTS "/", ZNODE_LOG_DIR_EVENT},
		{ZK_PATH_MIGRATION, ZNODE_MIGRATION},
	};

	if (starts(path, ZK_PATH_TOPICS "/")) {
		if (ends(path, "/state"))
			return ZNODE_PARTITION_STATE;
		return strchr(path + strlen(ZK_PATH_TOPICS "/"), '/') ? -1 : ZNODE_TOPIC;
	}
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
		if (starts(path, table[i].prefix))
			return (int)table[i].family;
	return -1;
}

#define RECODE(type, name)                                                                                                     \
	do {                                                                                                                   \
		struct type value;                                                                                             \
		int rc = name##_decode(arena, path, data, &value, err);                                                        \
		if (rc == 0)                                                                                                   \
			*ret_again = name##_encode(arena, &value);                                                             \
		return rc;                                                                                                     \
	} while (0)

/* The families whose value is one number. */
static int recode_number(struct arena *arena, enum znode_family family, const char *path, struct slice data,
			 struct slice *ret_again, struct error *err)
{
	int32_t number = 0;
	int rc;

	if (family == ZNODE_CONTROLLER_EPOCH) {
		rc = controller_epoch_decode(path, data, &number, err);
		*ret_again = rc ? SLICE_NULL : controller_epoch_encode(arena, number);
		return rc;
	}
	if (family == ZNODE_LOG_DIR_EVENT) {
		rc = log_dir_event_decode(arena, path, data, &number, err);
		*ret_again = rc ? SLICE_NULL : log_dir_event_encode(arena, number);
		return rc;
	}
	return migration_decode(arena, path, data, &number, err);
}

static int recode_cluster_id(struct arena *arena, const char *path, struct slice data, struct slice *ret_again,
			     struct error *err)
{
	struct slice id;
	int rc = cluster_id_decode(arena, path, data, &id, err);

	if (rc == 0)
		*ret_again = cluster_id_encode(arena, id);
	return rc;
}

int znode_recode(struct arena *arena, enum znode_family family, const char *path, struct slice data, struct slice *ret_again,
		 struct error *err)
{
	*ret_again = SLICE_NULL;
	switch (family) {
	case ZNODE_BROKER:
		RECODE(broker_znode, broker_znode);
	case ZNODE_TOPIC:
		RECODE(topic_znode, topic_znode);
	case ZNODE_PARTITION_STATE:
		RECODE(partition_state_znode, partition_state_znode);
	case ZNODE_CONTROLLER:
		RECODE(controller_znode, controller_znode);
	case ZNODE_CONFIG:
		RECODE(config_znode, config_znode);
	case ZNODE_CONFIG_CHANGE:
		RECODE(zk_config_target, config_change);
	case ZNODE_PRODUCER_ID_BLOCK:
		RECODE(producer_id_block, producer_id_block);
	case ZNODE_PARTITION_LIST:
		RECODE(topic_partition_list, partition_list);
	case ZNODE_REASSIGNMENT:
		RECODE(topic_partition_list, reassignment);
	case ZNODE_CLUSTER_ID:
		return recode_cluster_id(arena, path, data, ret_again, err);
	default:
		return recode_number(arena, family, path, data, ret_again, err);
	}
}
