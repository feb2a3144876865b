/*
 * Where replicas of new partitions go: Kafka's rules, so that the balance is the one that its users know.
 *
 * Without racks, brokers sorted by id: partition p is led by brokers[(p + start) % n]; follower j (from 0) is
 * (leader index + 1 + (shift + j) % (n - 1)) % n; shift grows by 1 each time p goes round. With racks the list is interleaved by
 * rack and a rack is taken twice only when all have been taken.
 */
#ifndef KLAMM_BROKER_META_ASSIGN_CORE_H
#define KLAMM_BROKER_META_ASSIGN_CORE_H

#include "common/arena.h"
#include "common/slice.h"

#include <stdbool.h>
#include <stdint.h>

struct assign_broker {
	int32_t id;
	struct slice rack; /* null = none */
};

/* Replicas of n_partitions partitions, replication_factor each, in one array. */
struct assignment {
	int32_t n_partitions;
	int16_t replication_factor;
	int32_t *replicas;
};

static inline const int32_t *assignment_replicas(const struct assignment *assignment, int32_t partition)
{
	return assignment->replicas + (int64_t)partition * assignment->replication_factor;
}

/* Whether the brokers can be used together: all have a rack or none has. */
bool assign_racks_agree(const struct assign_broker *brokers, int n);

/*
 * Assigns partitions first to first + n_partitions - 1. brokers are sorted by id, at least replication_factor of them; racks are
 * used when all have one. start and shift: any numbers >= 0 (drawn by the caller); the same inputs give the same result.
 */
void assign_replicas(const struct assign_broker *brokers, int n_brokers, int32_t first, int32_t n_partitions,
		     int16_t replication_factor, int32_t start, int32_t shift, struct arena *arena, struct assignment *ret_assignment);

/* Whether an id stands twice in a list. */
bool assign_has_duplicate(const int32_t *ids, int n);

#endif
