/*
 * Where the last few batches of the active segment lie: most reads are near the end, and the high watermark is nearly always one of
 * these, so that finding a position needs no look at the file.
 */
#ifndef KLAMM_BROKER_LOG_BATCH_TAIL_H
#define KLAMM_BROKER_LOG_BATCH_TAIL_H

#include "broker/log/batch_scan.h"

#include <stdbool.h>
#include <stdint.h>

#define BATCH_TAIL_SIZE 64 /* a power of two */

struct batch_place {
	int32_t base; /* relative to the segment's base offset */
	int32_t last;
	int32_t pos;
	int32_t bytes;
	int32_t epoch;
};

struct batch_tail {
	uint32_t n; /* batches noted since the start; place i is in slot i % BATCH_TAIL_SIZE */
	struct batch_place places[BATCH_TAIL_SIZE];
};

static inline void batch_tail_add(struct batch_tail *tail, struct batch_place place)
{
	tail->places[tail->n++ % BATCH_TAIL_SIZE] = place;
}

/* The first batch that ends at or above the offset; NULL when it may lie before those that are known, or there is none. */
const struct batch_place *batch_tail_find(const struct batch_tail *tail, int64_t relative_offset);

/* The end of the last known batch that ends at or below a position; -1 when that lies before those that are known. */
int64_t batch_tail_boundary(const struct batch_tail *tail, int64_t pos);

#endif
