/* How to reach the cluster, from options, a properties file and the environment. */
#ifndef KLAMM_TOOLS_KLAMM_CLIENT_OPTIONS_H
#define KLAMM_TOOLS_KLAMM_CLIENT_OPTIONS_H

#include "tools/klamm/command.h"

/*
 * Fills in the config of a client. Sources, the first that says something wins: options; --command-config (bootstrap.servers,
 * client.id, request.timeout.ms, socket.connection.setup.timeout.ms); KLAMM_BOOTSTRAP_SERVER; defaults. Security settings that
 * are not served are refused. A --zookeeper without a bootstrap server is asked where the brokers are. One of run_code.
 */
int client_options_read(struct run *run, struct kafka_client_config *ret_config, struct error *err);

#endif
