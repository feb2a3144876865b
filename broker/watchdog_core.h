/*
 * How long somebody else in the process has been stuck, as far as this one can tell. Pure.
 *
 * A process that was stopped (SIGSTOP, a suspended machine) finds everybody in the middle of what he was at, hours ago; nobody was stuck.
 * A tick that comes late shows it: then only the time since counts.
 *
 *     every period: watchdog_tick, then watchdog_stuck_ms for each
 */
#ifndef KLAMM_BROKER_WATCHDOG_CORE_H
#define KLAMM_BROKER_WATCHDOG_CORE_H

#include <stdint.h>

struct watchdog {
	int64_t due_ms;   /* of the next tick */
	int64_t awake_ms; /* the process surely runs since then */
};

void watchdog_init(struct watchdog *watchdog, int64_t now_ms, int64_t period_ms);

/* Now; the next one is due a period later. */
void watchdog_tick(struct watchdog *watchdog, int64_t now_ms, int64_t period_ms);

/* Of one that has been at the same thing for busy_ms. */
int64_t watchdog_stuck_ms(const struct watchdog *watchdog, int64_t busy_ms, int64_t now_ms);

#endif
