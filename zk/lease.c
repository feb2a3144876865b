/* The lease clock; see lease.h. Pure. */
#include "zk/lease.h"

bool lease_extend(struct lease *lease, int64_t sent_ms, int64_t timeout_ms)
{
	int64_t deadline_ms = sent_ms + timeout_ms * 8 / 10, before_ms = shared_i64_get(&lease->deadline_ms);
	/* An answer to what was sent before the end is late, but says that the session lived on. */
	bool is_gap = before_ms != 0 && sent_ms > before_ms;

	if (deadline_ms <= before_ms)
		return false;
	if (is_gap)
		shared_i64_add(&lease->n_gaps, 1);
	shared_i64_set(&lease->deadline_ms, deadline_ms);
	return is_gap;
}

void lease_end(struct lease *lease)
{
	shared_i64_set(&lease->deadline_ms, 0);
}

void lease_lose(struct lease *lease)
{
	lease_end(lease);
	shared_i64_add(&lease->n_lost, 1);
}
