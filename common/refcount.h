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

/*
 * Users of something that can be shut while nobody uses it (a descriptor in a cache). Shut at first. pin_take fails while it is shut;
 * the opener, alone under its lock, calls pin_open and is the first user; pin_shut succeeds only without users.
 */
struct pin {
	atomic_int users; /* -1 shut */
};

static inline void pin_init(struct pin *pin)
{
	atomic_init(&pin->users, -1);
}

static inline bool pin_take(struct pin *pin)
{
	int users = atomic_load_explicit(&pin->users, memory_order_relaxed);

	while (users >= 0) {
		if (atomic_compare_exchange_weak_explicit(&pin->users, &users, users + 1, memory_order_acquire, memory_order_relaxed))
			return true;
	}
	return false;
}

static inline void pin_drop(struct pin *pin)
{
	CHECK(atomic_fetch_sub_explicit(&pin->users, 1, memory_order_release) > 0);
}

static inline void pin_open(struct pin *pin)
{
	CHECK(atomic_exchange_explicit(&pin->users, 1, memory_order_acq_rel) == -1);
}

static inline bool pin_shut(struct pin *pin)
{
	int nobody = 0;

	return atomic_compare_exchange_strong_explicit(&pin->users, &nobody, -1, memory_order_acq_rel, memory_order_relaxed);
}

/* A mark that any thread sets or clears; ordered with nothing else. */
struct shared_flag {
	atomic_bool set;
};

static inline bool shared_flag_get(const struct shared_flag *flag)
{
	return atomic_load_explicit(&flag->set, memory_order_relaxed);
}

static inline void shared_flag_put(struct shared_flag *flag, bool set)
{
	/* Most writes change nothing: the line then stays shared between the cores. */
	if (shared_flag_get(flag) != set)
		atomic_store_explicit(&flag->set, set, memory_order_relaxed);
}

/*
 * Hand-over by a mark: a writer publishes, then raises; the taker lowers, then reads. Raising one that is up already tells that the
 * taker has still to come, and it will see what was published before. True when it was up.
 */
static inline bool shared_flag_raise(struct shared_flag *flag)
{
	return atomic_exchange_explicit(&flag->set, true, memory_order_acq_rel);
}

static inline bool shared_flag_lower(struct shared_flag *flag)
{
	return atomic_exchange_explicit(&flag->set, false, memory_order_acq_rel);
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
