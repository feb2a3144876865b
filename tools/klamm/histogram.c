/* Counted latencies; see histogram.h. Values below 128 have a bucket each, then 128 buckets for each power of two. */
#include "tools/klamm/histogram.h"

#define SUBS (1u << HISTOGRAM_SUB_BITS)

static unsigned bucket_of(uint64_t value)
{
	unsigned shift;

	if (value < SUBS)
		return (unsigned)value;
	shift = 63u - (unsigned)__builtin_clzll(value) - HISTOGRAM_SUB_BITS;
	return ((shift + 1) << HISTOGRAM_SUB_BITS) + (unsigned)(value >> shift) - SUBS;
}

static uint64_t bucket_end(unsigned bucket)
{
	unsigned shift;

	if (bucket < SUBS)
		return bucket;
	shift = (bucket >> HISTOGRAM_SUB_BITS) - 1;
	return (((uint64_t)(bucket & (SUBS - 1)) + SUBS + 1) << shift) - 1;
}

void histogram_add(struct histogram *histogram, uint64_t value)
{
	histogram->buckets[bucket_of(value)]++;
	histogram->n++;
	histogram->sum += value;
	if (value > histogram->max)
		histogram->max = value;
}

uint64_t histogram_percentile(const struct histogram *histogram, double share)
{
	uint64_t wanted = (uint64_t)(share * (double)histogram->n + 0.5), seen = 0;

	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		seen += histogram->buckets[i];
		if (seen > 0 && seen >= wanted)
			return bucket_end(i) < histogram->max ? bucket_end(i) : histogram->max;
	}
	return histogram->max;
}

double histogram_mean(const struct histogram *histogram)
{
	return histogram->n ? (double)histogram->sum / (double)histogram->n : 0;
}
