/* Where brokers listen, as ZooKeeper knows it: for command lines that still say --zookeeper. */
#ifndef KLAMM_TOOLS_KLAMM_ZK_BROKERS_H
#define KLAMM_TOOLS_KLAMM_ZK_BROKERS_H

#include "common/arena.h"
#include "common/error.h"

#include <stdint.h>

/* "host:port,host:port" of the PLAINTEXT listeners of the live brokers. ERR_NOT_FOUND when there are none. */
int zk_brokers_find(const char *connect, int64_t timeout_ms, struct arena *arena, const char **ret_bootstrap,
		    struct error *err);

#endif
