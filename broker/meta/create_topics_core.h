/*
 * Decides on CreateTopics, CreatePartitions and DeleteTopics: from the request and the view to an error, or to a plan that the shell
 * writes to ZooKeeper. Checks, their order and their texts are those of a Kafka 3.9 broker, but for one: broker ids of a manual
 * assignment are checked (Kafka makes a topic that nobody can delete).
 *
 * Pure: borrowed inputs, results in the arena; chance comes in as `seed`.
 */
#ifndef KLAMM_BROKER_META_CREATE_TOPICS_CORE_H
#define KLAMM_BROKER_META_CREATE_TOPICS_CORE_H

#include "broker/meta/assign_core.h"
#include "broker/meta/broker_config.h"
#include "broker/meta/view.h"
#include "common/arena.h"
#include "common/config_table.h"

struct manual_assignment {
	int32_t partition; /* unused by CreatePartitions, where they come in order */
	const int32_t *brokers;
	int n_brokers;
};

struct create_topic_wish {
	struct slice name;
	int32_t n_partitions;       /* -1 = default */
	int16_t replication_factor; /* -1 = default */
	const struct manual_assignment *assignments;
	int n_assignments;
	const struct config_pair *configs; /* as in the request; a null value is refused */
	int n_configs;
};

/* What the decisions look at. */
struct topics_context {
	const struct view *view;
	const struct broker_config *config;
	uint64_t seed;
	struct arena *arena;
};

struct create_topic_plan {
	int16_t error;       /* Kafka error code; 0: the rest is set */
	const char *message; /* NULL without error */
	struct assignment assignment;
	struct config_pairs configs; /* sorted */
};

/* One plan for each wish, in order. The caller has removed nothing: names that stand twice are refused here, each entry. */
void create_topics_plan(const struct topics_context *context, const struct create_topic_wish *wishes, int n,
			struct create_topic_plan *ret_plans);

struct create_partitions_wish {
	struct slice name;
	int32_t n_partitions; /* the new total */
	const struct manual_assignment *assignments;
	int n_assignments; /* -1 = automatic */
};

struct create_partitions_plan {
	struct slice name;
	int16_t error;
	const char *message;
	const struct view_topic *topic;
	struct assignment added; /* of partitions topic->n_partitions and up */
};

/* One plan for each name (a name that stands twice has one, refused); ret_plans has room for n, *ret_n says how many are set. */
void create_partitions_plan(const struct topics_context *context, const struct create_partitions_wish *wishes, int n,
			    struct create_partitions_plan *ret_plans, int *ret_n);

struct delete_topic_wish {
	struct slice name; /* null when the id counts */
	struct uuid id;    /* zero when the name counts */
};

struct delete_topic_plan {
	int16_t error;
	const char *message;
	struct slice name;              /* for the answer; null when the topic is not known by its id */
	const struct view_topic *topic; /* to delete; NULL with an error */
};

void delete_topics_plan(const struct topics_context *context, const struct delete_topic_wish *wishes, int n,
			struct delete_topic_plan *ret_plans);

#endif
