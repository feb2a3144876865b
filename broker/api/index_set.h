/* A set of partition indexes of one topic, bounded by the topic's size: to find what a request names twice. */
#ifndef KLAMM_BROKER_API_INDEX_SET_H
#define KLAMM_BROKER_API_INDEX_SET_H

#include "common/arena.h"

#include <stdbool.h>

struct index_set {
	uint8_t *bits;
};

/* Room for the indexes 0 to n-1. */
static inline struct index_set index_set_new(struct arena *arena, int32_t n)
{
	return (struct index_set){arena_zalloc(arena, (size_t)n / 8 + 1, 1)};
}

static inline bool index_set_has(const struct index_set *set, int32_t index)
{
	return (set->bits[index >> 3] >> (index & 7) & 1) != 0;
}

/* Adds it; true when it was in before. */
static inline bool index_set_add(struct index_set *set, int32_t index)
{
	bool before = index_set_has(set, index);

	set->bits[index >> 3] |= (uint8_t)(1u << (index & 7));
	return before;
}

#endif
