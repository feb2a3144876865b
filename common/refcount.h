/*
 * Reference counts of immutable or hand-over objects that cross threads. The atomics of the house are here (and the lease of
 * zk/lease.h reads one through it).
 */
#ifndef KLAMM_COMMON_REFCOUNT_H
#define KLAMM_COMMON_REFCOUNT_H

#include "common/check.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct refcount {
	atomic_int count;
};

static inline void refcount_init(struct refcount *refs)
{
	atomic_init(&refs->count, 1);
}

static inline void refcount_retain(struct refcount *refs)
{
	CHECK(atomic_fetch_add_explicit(&refs->count, 1, memory_order_relaxed) > 0);
}

/* True when this was the last reference: the caller frees. */
static inline bool refcount_release(struct refcount *refs)
{
	int before = atomic_fetch_sub_explicit(&refs->count, 1, memory_order_acq_rel);

	CHECK(before > 0);
	return before == 1;
}

/* True when the caller's reference is the only one: nobody else can read or write the object. */
static inline bool refcount_is_one(const struct refcount *refs)
{
	return atomic_load_explicit(&refs->count, memory_order_acquire) == 1;
}

/* A number that one thread writes and any reads (the lease deadline, gauges). */
struct shared_i64 {
	_Atomic int64_t value;
};

static inline int64_t shared_i64_get(const struct shared_i64 *shared)
{
	return atomic_load_explicit(&shared->value, memory_order_acquire);
}

static inline void shared_i64_set(struct shared_i64 *shared, int64_t value)
{
	atomic_store_explicit(&shared->value, value, memory_order_release);
}

static inline int64_t shared_i64_add(struct shared_i64 *shared, int64_t more)
{
	return atomic_fetch_add_explicit(&shared->value, more, memory_order_acq_rel) + more;
}

/*
 * The same in one total order of all threads: where two of them each write one number and then read the other's (a resource is
 * given back, somebody begins to wait for it), at least one sees what the other wrote.
 */
static inline int64_t shared_i64_get_ordered(const struct shared_i64 *shared)
{
	return atomic_load_explicit(&shared->value, memory_order_seq_cst);
}

static inline int64_t shared_i64_add_ordered(struct shared_i64 *shared, int64_t more)
{
	return atomic_fetch_add_explicit(&shared->value, more, memory_order_seq_cst) + more;
}

#endif
