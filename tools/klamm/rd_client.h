/* Setting up librdkafka from the options of a command: producers, consumers, load. */
#ifndef KLAMM_TOOLS_KLAMM_RD_CLIENT_H
#define KLAMM_TOOLS_KLAMM_RD_CLIENT_H

#include "tools/klamm/command.h"

#include <librdkafka/rdkafka.h>

/*
 * A configuration with the cluster's address. Reaches the cluster once first, so that errors are told at once. One of run_code;
 * the caller owns *ret_conf.
 */
int rd_conf_new(struct run *run, rd_kafka_conf_t **ret_conf, struct error *err);

/*
 * What the user says himself, so that it wins: a properties file and single properties, by the names of their options (NULL:
 * the command has none). Keys of Java's clients that mean nothing to librdkafka are left aside with a note; a wrong value is
 * refused.
 */
int rd_conf_properties(struct run *run, rd_kafka_conf_t *conf, const char *file_option, const char *property_option,
		       struct error *err);

/* Sets "key=value". RUN_USAGE with a sentence for what is refused. */
int rd_conf_set(struct run *run, rd_kafka_conf_t *conf, const char *key, const char *value, struct error *err);

/* Takes conf. */
int rd_client_new(rd_kafka_type_t type, rd_kafka_conf_t *conf, rd_kafka_t **ret_client, struct error *err);

/*
 * Has librdkafka learn the leaders of a topic now: a partition whose leader it does not know when reading begins waits for half
 * a second. What goes wrong here is told later.
 */
void rd_leaders_learn(rd_kafka_t *client, rd_kafka_topic_t *topic);

#endif
