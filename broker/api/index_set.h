/* A set of partition indexes of one topic, bounded by the topic's size: to find what a request names twice. */
#ifndef KLAMM_BROKER_API_INDEX_SET_H
#define KLAMM_BROKER_API_INDEX_SET_H

#include "common/arena.h"

#include <stdbool.h>

struct index_set {
	uint8_t *bits;
	int32_t n;
};

/*
 * Room for the indexes 0 to n-1 of a topic, of which n_named are named: with less than two nothing can be named twice, and the set stays
 * empty, so that a request that names a large topic again and again costs no more than its own size.
 */
static inline struct index_set index_set_new(struct arena *arena, int32_t n, int32_t n_named)
{
	if (n_named < 2)
		return (struct index_set){NULL, 0};
	return (struct index_set){arena_zalloc(arena, (size_t)n / 8 + 1, 1), n};
}

static inline bool index_set_has(const struct index_set *set, int32_t index)
{
	return index < set->n && (set->bits[index >> 3] >> (index & 7) & 1) != 0;
}

/* Adds it; true when it was in before. */
static inline bool index_set_add(struct index_set *set, int32_t index)
{
	bool before = index_set_has(set, index);

	if (index < set->n)
		set->bits[index >> 3] |= (uint8_t)(1u << (index & 7));
	return before;
}

#endif
