/*
 * Memory of the controller's picture of the cluster: pieces that come and go with topics, out of one arena.
 *
 * A piece given back is kept in the list of its size class and handed out again; the arena itself shrinks only when all is
 * dropped (the office is lost). Sizes are rounded up by at most a third. Used by one thread.
 */
#ifndef KLAMM_TOOLS_CONTROLLER_CTL_POOL_H
#define KLAMM_TOOLS_CONTROLLER_CTL_POOL_H

#include "common/arena.h"

#include <stddef.h>

#define CTL_POOL_CLASSES 64

struct ctl_pool {
	struct arena arena;
	void *free[CTL_POOL_CLASSES];
};

void ctl_pool_init(struct ctl_pool *pool);
void ctl_pool_fini(struct ctl_pool *pool);

/* count * size bytes set to zero; NULL for none. */
void *ctl_pool_get(struct ctl_pool *pool, size_t count, size_t size);

/* Gives back what ctl_pool_get returned for the same count and size; NULL is allowed. */
void ctl_pool_put(struct ctl_pool *pool, void *piece, size_t count, size_t size);

/* A copy of s with a 0 byte behind it; to be given back as (len + 1, 1). */
struct slice ctl_pool_copy(struct ctl_pool *pool, struct slice s);

#endif
