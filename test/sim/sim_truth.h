/*
 * What the log of each replica holds, batch by batch, as the calls of its process have made it. A batch is known by its checksum and place.
 */
#ifndef KLAMM_TEST_SIM_SIM_TRUTH_H
#define KLAMM_TEST_SIM_SIM_TRUTH_H

#include "test/sim/sim.h"
#include "test/sim/sim_judge.h"

struct truth_batch {
	int64_t base, next; /* offsets */
	int32_t epoch;
	uint32_t crc;
	int64_t producer_id; /* and sequence: who sent it, and as what */
	int32_t sequence;
};

/* A replica on a machine's disk. */
struct truth {
	struct truth_batch *batches;
	int n, cap;
	int64_t end;         /* log end offset */
	int64_t durable_end; /* what the process last said */
	/* What was cut off and may be there again after a loss of power, until something behind the lowest cut is durable. */
	struct truth_batch *ghosts;
	int n_ghosts, ghosts_cap;
	int64_t cut_offset;
	bool lost;           /* the machine lost its power: unknown until the log is opened again */
	bool present;
};

struct truth *truth_of(int machine, int partition);

/* The batch that holds an offset, or NULL. */
const struct truth_batch *truth_at(const struct truth *truth, int64_t offset);

/* The first offset below `to` at which two logs differ (one may end), or `to`. */
int64_t truth_differs(const struct truth *a, const struct truth *b, int64_t to);

/* Partition number of the topic of the run; -1: another topic. */
int truth_partition(const char *topic, size_t len, int partition);

#endif
