/*
 * The id of a broker whose configuration leaves it open (broker.id=-1): what its log dirs say, else the next free one.
 *
 *     meta.properties of any log dir -> that id
 *     else /brokers/seqid set to nothing: reserved.broker.max.id + the node's new version (kafka.md 2)
 *
 * Before anything else of the broker is set up; blocks until ZooKeeper answers.
 */
#ifndef KLAMM_BROKER_BROKER_ID_H
#define KLAMM_BROKER_BROKER_ID_H

#include "broker/meta/broker_config.h"

/* Sets broker_id and node_id of a configuration that has none yet. 0, or an error with its reason. */
int broker_id_choose(struct broker_config *config, struct error *err);

#endif
