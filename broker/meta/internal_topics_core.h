/*
 * The topics that Kafka's coordinators keep their records in: how they are made when they are first needed, by a client that asks
 * for their metadata or for its coordinator. Partition counts, replication and overrides are those of Kafka 3.9.
 */
#ifndef KLAMM_BROKER_META_INTERNAL_TOPICS_CORE_H
#define KLAMM_BROKER_META_INTERNAL_TOPICS_CORE_H

#include "broker/meta/create_topics_core.h"

#define INTERNAL_TOPIC_OFFSETS "__consumer_offsets"
#define INTERNAL_TOPIC_TRANSACTIONS "__transaction_state"

/* The wish for a topic that nobody has described: an internal one with its own settings, any other with the defaults. */
struct create_topic_wish internal_topics_wish(const struct broker_config *config, struct slice name, struct arena *arena);

#endif
