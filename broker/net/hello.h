/*
 * Hello and the answer to it, as both ends of a connection of the cluster read them (proto/cluster/README.md). What comes in here is of somebody
 * of whom nothing is known yet.
 */
#ifndef KLAMM_BROKER_NET_HELLO_H
#define KLAMM_BROKER_NET_HELLO_H

#include "common/slice.h"
#include "proto/cluster/cluster.pb-c.h"

#include <stdbool.h>
#include <stdint.h>

#define HELLO_WHY_BYTES 320

/* The body of a Hello; NULL when it cannot be read, or is longer than any is. For klamm__hello__free_unpacked. */
Klamm__Hello *hello_read(struct slice body);

/* The answer to a Hello for this incarnation. True: welcome. Else ret_why is the reason, for the log. */
bool hello_answer_read(struct slice body, int64_t target_epoch, int32_t *ret_n_workers, char ret_why[HELLO_WHY_BYTES]);

#endif
