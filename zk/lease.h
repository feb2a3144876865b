/*
 * The lease of a ZooKeeper session: until when we may be sure that nobody has taken our place (S9, D6).
 *
 * The server ends a session when it has heard nothing for the negotiated time-out; the client learns of it only when it
 * reconnects. So the client counts itself: deadline = time of *sending* the last request that got an answer + 0.8 x time-out,
 * on the clock that also runs while the machine is suspended (common/clock.h, clock_ms).
 *
 *     session (one thread) -- lease_extend, lease_end --> deadline <-- lease_valid -- any thread
 *
 * Safety does not rest on it (it rests on epochs); it bounds how long a cut-off leader goes on. Pure but for the shared number.
 */
#ifndef KLAMM_ZK_LEASE_H
#define KLAMM_ZK_LEASE_H

#include "common/refcount.h"

#include <stdbool.h>
#include <stdint.h>

struct lease {
	struct shared_i64 deadline_ms; /* 0 = none */
	struct shared_i64 n_lost;      /* sessions that were lost: a deadline after that is another session's */
	struct shared_i64 n_gaps;      /* times that it had run out before it was extended */
};

static inline void lease_init(struct lease *lease)
{
	shared_i64_set(&lease->deadline_ms, 0);
	shared_i64_set(&lease->n_lost, 0);
	shared_i64_set(&lease->n_gaps, 0);
}

/*
 * A request sent at sent_ms was answered. Never shortens. Only the session's thread. True: there was a gap between what it held before and
 * what it holds now, in which another may have taken our place, though the session lives: to a controller that does not reach us we are down.
 */
bool lease_extend(struct lease *lease, int64_t sent_ms, int64_t timeout_ms);

/* The session is closed. Only the session's thread. */
void lease_end(struct lease *lease);

/* The session is lost: the same, and what was held under it is not under the next one. */
void lease_lose(struct lease *lease);

/* Any thread. To be looked at after the deadline: who finds it unchanged has seen one of the session that he knows. */
static inline int64_t lease_n_lost(const struct lease *lease)
{
	return shared_i64_get(&lease->n_lost);
}

/* Any thread. To be looked at after the deadline, too. */
static inline int64_t lease_n_gaps(const struct lease *lease)
{
	return shared_i64_get(&lease->n_gaps);
}

/* clock_ms at which it ends; 0 = ended. Any thread. */
static inline int64_t lease_deadline_ms(const struct lease *lease)
{
	return shared_i64_get(&lease->deadline_ms);
}

/* Any thread. Check after each wake-up before handling events, and again just before an answer that promises something. */
static inline bool lease_valid(const struct lease *lease, int64_t now_ms)
{
	return now_ms < lease_deadline_ms(lease);
}

#endif
