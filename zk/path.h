/*
 * Paths of Kafka's znodes, relative to the chroot (kafka.md 2): building and taking apart.
 *
 * Names that users choose (users, clients, addresses) are sanitized where Kafka does it: URL-encoded as UTF-8, a space as %20,
 * '*' as %2A. `<default>` stands unencoded for the default entity. Topic names are checked elsewhere (broker/meta) and hold
 * nothing to encode. Built texts lie in the arena and end with a 0 byte.
 */
#ifndef KLAMM_ZK_PATH_H
#define KLAMM_ZK_PATH_H

#include "common/arena.h"
#include "common/slice.h"

#include <stdbool.h>
#include <stdint.h>

#define ZK_PATH_KLAMM "/klamm"
#define ZK_PATH_KLAMM_CONTROLLER_EPOCH "/klamm/controller_epoch"
#define ZK_PATH_CLUSTER "/cluster"
#define ZK_PATH_CLUSTER_ID "/cluster/id"
#define ZK_PATH_CONTROLLER "/controller"
#define ZK_PATH_CONTROLLER_EPOCH "/controller_epoch"
#define ZK_PATH_BROKERS "/brokers"
#define ZK_PATH_BROKER_IDS "/brokers/ids"
#define ZK_PATH_BROKER_SEQID "/brokers/seqid"
#define ZK_PATH_TOPICS "/brokers/topics"
#define ZK_PATH_CONFIG "/config"
#define ZK_PATH_CONFIG_TOPICS "/config/topics"
#define ZK_PATH_CONFIG_BROKERS "/config/brokers"
#define ZK_PATH_CONFIG_CLIENTS "/config/clients"
#define ZK_PATH_CONFIG_USERS "/config/users"
#define ZK_PATH_CONFIG_IPS "/config/ips"
#define ZK_PATH_CONFIG_CHANGES "/config/changes"
#define ZK_PATH_ADMIN "/admin"
#define ZK_PATH_DELETE_TOPICS "/admin/delete_topics"
#define ZK_PATH_REASSIGN_PARTITIONS "/admin/reassign_partitions"
#define ZK_PATH_PREFERRED_REPLICA_ELECTION "/admin/preferred_replica_election"
#define ZK_PATH_ISR_CHANGES "/isr_change_notification"
#define ZK_PATH_LOG_DIR_EVENTS "/log_dir_event_notification"
#define ZK_PATH_PRODUCER_ID_BLOCK "/latest_producer_id_block"
#define ZK_PATH_FEATURE "/feature"
#define ZK_PATH_CONSUMERS "/consumers"
#define ZK_PATH_MIGRATION "/migration"
#define ZK_PATH_ACL "/kafka-acl"
#define ZK_PATH_ACL_CHANGES "/kafka-acl-changes"
#define ZK_PATH_ACL_EXTENDED "/kafka-acl-extended"
#define ZK_PATH_ACL_EXTENDED_CHANGES "/kafka-acl-extended-changes"
#define ZK_PATH_DELEGATION_TOKENS "/delegation_token/tokens"
#define ZK_PATH_DELEGATION_TOKEN_CHANGES "/delegation_token/token_changes"

/* The name prefixes of sequential nodes; the server appends ten digits. */
#define ZK_PREFIX_CONFIG_CHANGE "/config/changes/config_change_"
#define ZK_PREFIX_ISR_CHANGE "/isr_change_notification/isr_change_"
#define ZK_PREFIX_LOG_DIR_EVENT "/log_dir_event_notification/log_dir_event_"

/* The name of the default entity in /config. */
#define ZK_DEFAULT_ENTITY "<default>"

/* The persistent nodes that every broker makes sure of at its start, parents before children; ends with NULL. */
extern const char *const zk_path_persistent[];

const char *zk_path_broker(struct arena *arena, int32_t broker_id);
const char *zk_path_topic(struct arena *arena, struct slice topic);
const char *zk_path_partitions(struct arena *arena, struct slice topic);
const char *zk_path_partition(struct arena *arena, struct slice topic, int32_t partition);
const char *zk_path_partition_state(struct arena *arena, struct slice topic, int32_t partition);
const char *zk_path_delete_topic(struct arena *arena, struct slice topic);
const char *zk_path_config_topic(struct arena *arena, struct slice topic);
/* broker_id -1: the default of all brokers. */
const char *zk_path_config_broker(struct arena *arena, int32_t broker_id);

/* "/consumers/g/offsets/t/0": what OffsetCommit and OffsetFetch of version 0 write and read. The group id is taken as it is. */
const char *zk_path_consumer_offset(struct arena *arena, struct slice group_id, struct slice topic, int32_t partition);

/*
 * A quota or credential entity: which levels are set. A set level with a null name is `<default>`. Names are plain, not
 * sanitized.
 */
struct zk_entity {
	bool has_user, has_client, has_ip;
	struct slice user, client, ip;
};

/* Below /config: "/config/users/alice/clients/app", ...; at least one level is set, ip stands alone. */
const char *zk_path_config_entity(struct arena *arena, const struct zk_entity *entity);

/* A node below a parent: parent + "/" + name. */
const char *zk_path_child(struct arena *arena, const char *parent, const char *name);

/* Kafka's sanitized form of a name, and back; false when text is no such form. */
struct slice zk_path_sanitize(struct arena *arena, struct slice name);
bool zk_path_desanitize(struct arena *arena, struct slice text, struct slice *ret_name);

/* What an entity path of a change notification means ("topics/t", "brokers/1", "users/<u>/clients/<c>", "ips/<ip>"). */
enum zk_config_kind { ZK_CONFIG_TOPIC, ZK_CONFIG_BROKER, ZK_CONFIG_ENTITY };

struct zk_config_target {
	enum zk_config_kind kind;
	struct slice topic;      /* ZK_CONFIG_TOPIC */
	int32_t broker_id;       /* ZK_CONFIG_BROKER; -1 = default */
	struct zk_entity entity; /* ZK_CONFIG_ENTITY */
};

/* Also takes an absolute "/config/..." path. False for what is none of them; texts are in the arena or in path. */
bool zk_path_parse_config(struct arena *arena, struct slice path, struct zk_config_target *ret_target);

/* "topics/t": the entity path of a notification, for the same targets. */
const char *zk_path_entity(struct arena *arena, const struct zk_config_target *target);

/* A child name that is a decimal int32 >= 0 (broker id, partition). */
bool zk_path_parse_id(const char *name, int32_t *ret_id);

/* The number of a sequential node's name with this prefix ("config_change_"); may be negative after a wrap. */
bool zk_path_parse_sequence(const char *name, const char *prefix, int32_t *ret_number);

#endif
