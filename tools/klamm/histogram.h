/*
 * Latencies in microseconds, counted in buckets that are at most 1/128 of their value wide: percentiles of any number of
 * samples in 64 KiB.
 */
#ifndef KLAMM_TOOLS_KLAMM_HISTOGRAM_H
#define KLAMM_TOOLS_KLAMM_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_SUB_BITS 7
#define HISTOGRAM_BUCKETS ((64 - HISTOGRAM_SUB_BITS + 1) << HISTOGRAM_SUB_BITS)

struct histogram {
	uint64_t buckets[HISTOGRAM_BUCKETS];
	uint64_t n;
	uint64_t sum;
	uint64_t max;
};

void histogram_add(struct histogram *histogram, uint64_t value);

/* The value that share (0..1) of the samples do not exceed, rounded up to the end of its bucket; 0 without samples. */
uint64_t histogram_percentile(const struct histogram *histogram, double share);

double histogram_mean(const struct histogram *histogram);

#endif
