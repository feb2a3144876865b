/*
 * One broker: every part of it in the order of set-up, and how it starts and stops.
 *
 *     node_run:  hub, store (locks, identity), shards and connections, listeners bound, ZooKeeper
 * *        ZooKeeper connected -> cluster id known -> logs loaded -> workers started, controllers accepted -> registered: started
 *        controller says Hello -> view, partition states (broker/channel.h) -> clients accepted
 *        SIGTERM -> registration given up -> connections closed, requests ended -> partitions closed -> logs closed: clean stop
 *
 * The hub is the thread that calls node_run.
 */
#ifndef KLAMM_BROKER_NODE_H
#define KLAMM_BROKER_NODE_H

#include "broker/meta/broker_config.h"
#include "broker/rt/supervisor.h"

/*
 * Runs a broker until it is told to stop. The exit status of the process: 0 after a clean stop, 1 when it could not start or go on.
 * supervised: what it knows of its parent; NULL without one.
 */
int node_run(const struct broker_config *config, struct supervised *supervised);

#endif
