/* Who is stuck; see watchdog_core.h. Pure. */
#include "broker/watchdog_core.h"

/* Later than a loaded machine makes a timer. */
#define LATE_MS 1000

void watchdog_init(struct watchdog *watchdog, int64_t now_ms, int64_t period_ms)
{
	*watchdog = (struct watchdog){.due_ms = now_ms + period_ms, .awake_ms = now_ms};
}

void watchdog_tick(struct watchdog *watchdog, int64_t now_ms, int64_t period_ms)
{
	if (now_ms - watchdog->due_ms > LATE_MS)
		watchdog->awake_ms = now_ms;
	watchdog->due_ms = now_ms + period_ms;
}

int64_t watchdog_stuck_ms(const struct watchdog *watchdog, int64_t busy_ms, int64_t now_ms)
{
	int64_t awake_ms = now_ms - watchdog->awake_ms;

	return busy_ms < awake_ms ? busy_ms : awake_ms;
}
