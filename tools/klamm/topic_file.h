/*
 * The YAML file of `klamm topics apply`.
 *
 *     defaults:                     # optional: what topics below do not say themselves
 *       partitions: 6
 *       replication-factor: 3
 *       configs: {min.insync.replicas: 2}
 *     topics:
 *       - name: orders
 *         partitions: 12
 *         configs:
 *           cleanup.policy: [compact, delete]      # a list becomes "compact,delete"
 *           retention.ms: 86400000
 *       - name: clicks
 *
 * Whatever it does not say is left to the broker (new topics) or as it is (existing ones). Unknown keys, a topic twice and a
 * config twice are errors with file and line.
 */
#ifndef KLAMM_TOOLS_KLAMM_TOPIC_FILE_H
#define KLAMM_TOOLS_KLAMM_TOPIC_FILE_H

#include "common/arena.h"
#include "common/error.h"
#include "tools/klamm/topic_plan_core.h"

#include <stdio.h>

#define TOPIC_FILE_BYTES_MAX (64 << 20)

/* origin names the text in errors. ERR_CONFIG. Specs lie in the arena, in the order of the file. */
int topic_file_parse(struct arena *arena, struct slice text, const char *origin, struct topic_spec **ret_specs, int *ret_n,
		     struct error *err);

/* The same from a file; "-" is standard input. */
int topic_file_read(struct arena *arena, const char *path, struct topic_spec **ret_specs, int *ret_n, struct error *err);

#endif
