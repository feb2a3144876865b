/*
 * Requests that change or describe the cluster, with what every command would have to do about them: the way to the controller
 * and once more when it has just moved, splitting what is too much for one request.
 *
 * All return 0 or a negative code with err: no answer. What the answer refuses stands in the answer.
 */
#ifndef KLAMM_TOOLS_KLAMM_KAFKA_ADMIN_H
#define KLAMM_TOOLS_KLAMM_KAFKA_ADMIN_H

#include "proto/kafka/alter_partition_reassignments.gen.h"
#include "proto/kafka/create_partitions.gen.h"
#include "proto/kafka/create_topics.gen.h"
#include "proto/kafka/delete_topics.gen.h"
#include "proto/kafka/describe_configs.gen.h"
#include "proto/kafka/elect_leaders.gen.h"
#include "proto/kafka/incremental_alter_configs.gen.h"
#include "proto/kafka/list_partition_reassignments.gen.h"
#include "tools/klamm/kafka_client.h"

#define RESOURCE_TOPIC 2
#define RESOURCE_BROKER 4
#define RESOURCE_BROKER_LOGGER 8

/* Values of config_source. */
enum config_source {
	SOURCE_UNKNOWN = 0,
	SOURCE_TOPIC = 1,
	SOURCE_BROKER = 2,
	SOURCE_BROKER_DEFAULT = 3,
	SOURCE_STATIC = 4,
	SOURCE_DEFAULT = 5,
	SOURCE_LOGGER = 6,
};

enum config_operation { CONFIG_SET = 0, CONFIG_DELETE = 1, CONFIG_APPEND = 2, CONFIG_SUBTRACT = 3 };

int kafka_admin_create_topics(struct kafka_client *client, const struct create_topics_request *request,
			      struct create_topics_response *ret_response, struct error *err);
int kafka_admin_create_partitions(struct kafka_client *client, const struct create_partitions_request *request,
				  struct create_partitions_response *ret_response, struct error *err);
int kafka_admin_delete_topics(struct kafka_client *client, const struct slice *names, int n_names,
			      struct delete_topics_response *ret_response, struct error *err);

/* Configs of topics by name; ret_results has one for each name, in their order. */
int kafka_admin_describe_topics(struct kafka_client *client, const struct slice *names, int n_names,
				struct describe_configs_response_result **ret_results, struct error *err);

/* To the broker that the resource names, or to any. */
int kafka_admin_alter_configs(struct kafka_client *client, int32_t node,
			      const struct incremental_alter_configs_request *request,
			      struct incremental_alter_configs_response *ret_response, struct error *err);

/* Reassignments under way; none when the cluster does not serve the API or has no controller. */
int kafka_admin_reassignments(struct kafka_client *client, struct list_partition_reassignments_response *ret_response,
			      struct error *err);

/* The same, where not knowing will not do: an answer that is an error is one, too. */
int kafka_admin_list_reassignments(struct kafka_client *client, struct list_partition_reassignments_response *ret_response,
				   struct error *err);
int kafka_admin_alter_reassignments(struct kafka_client *client, const struct alter_partition_reassignments_request *request,
				    struct alter_partition_reassignments_response *ret_response, struct error *err);
int kafka_admin_elect_leaders(struct kafka_client *client, const struct elect_leaders_request *request,
			      struct elect_leaders_response *ret_response, struct error *err);

#endif
