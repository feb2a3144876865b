/* The nearest known name to a misspelled one, for messages that help. */
#ifndef KLAMM_COMMON_NEAREST_H
#define KLAMM_COMMON_NEAREST_H

#include "common/slice.h"

/*
 * Least number of single letters inserted, removed, replaced or swapped with their neighbour that turns one text into the other;
 * limit + 1 as soon as it is known to be more than limit.
 */
int nearest_distance(struct slice a, struct slice b, int limit);

/*
 * The name, of n names that name_at(ctx, i) gives, that is nearest to `text`; NULL when none is near enough to be meant (more
 * than a third of the letters differ).
 */
const char *nearest_name(struct slice text, const char *(*name_at)(const void *ctx, int i), const void *ctx, int n);

#endif
