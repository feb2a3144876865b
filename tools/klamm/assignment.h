/* --replica-assignment 1:2,2:3: the brokers of each partition, the first one preferred as leader. */
#ifndef KLAMM_TOOLS_KLAMM_ASSIGNMENT_H
#define KLAMM_TOOLS_KLAMM_ASSIGNMENT_H

#include "common/arena.h"
#include "common/error.h"

#include <stdint.h>

struct assignment {
	int32_t *broker_ids;
	int32_t n_broker_ids;
};

/* ERR_INVALID for what is no list, a broker twice in a partition, or partitions with different numbers of brokers. */
int assignment_parse(struct arena *arena, const char *text, struct assignment **ret_partitions, int32_t *ret_n,
		     struct error *err);

#endif
