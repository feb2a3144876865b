/*
 * Plans of `klamm reassign drain` and `add`: which replicas move, as few as will do.
 *
 * drain   every replica on a broker that leaves gets another broker, in the same place of the list: one that is not in the list yet, in a rack
 *         that the list lacks if there is one; of these the one with the fewest replicas (for a first place: the fewest first places).
 * add     brokers that come take replicas from the fullest ones, one at a time, until they have their share (replicas / brokers, rounded
 *         down) or nothing more can move without using a rack twice; first places until they lead their share, too.
 *
 * Pure. Partitions of topics that are not chosen count, but do not move.
 */
#ifndef KLAMM_TOOLS_KLAMM_REASSIGN_PLAN_CORE_H
#define KLAMM_TOOLS_KLAMM_REASSIGN_PLAN_CORE_H

#include "common/slice.h"

#include <stdbool.h>
#include <stdint.h>

struct plan_broker {
	int32_t id;
	struct slice rack; /* null: none */
	bool leaves;       /* nothing may stay, nothing may come */
	bool comes;        /* is to get its share */
	int n_before, n_now;             /* replicas */
	int n_first_before, n_first_now; /* first places */
};

struct plan_partition {
	struct slice topic;
	int32_t index;
	bool chosen;
	int32_t *replicas; /* changed in place */
	int n_replicas;
	int n_moved;       /* how many of them are new */
};

struct reassign_plan {
	struct plan_broker *brokers; /* alive, and those that leave even if they are not */
	int n_brokers;
	struct plan_partition *partitions;
	int n_partitions;
	bool use_racks;
};

/* Sets the counts of the brokers to what is. First. */
void reassign_plan_begin(struct reassign_plan *plan);

/* -1, or the partition whose replica finds no broker. */
int reassign_plan_drain(struct reassign_plan *plan);

void reassign_plan_add(struct reassign_plan *plan);

/* Replicas that move; partitions of which some do. */
int reassign_plan_moves(const struct reassign_plan *plan, int *ret_n_partitions);

#endif
