/* The lease clock; see lease.h. Pure. */
#include "zk/lease.h"

void lease_extend(struct lease *lease, int64_t sent_ms, int64_t timeout_ms)
{
	int64_t deadline_ms = sent_ms + timeout_ms * 8 / 10;

	if (deadline_ms > shared_i64_get(&lease->deadline_ms))
		shared_i64_set(&lease->deadline_ms, deadline_ms);
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
