/*
 * The clocks. Pure code never calls these: it is given `now`.
 *
 * clock_ms and clock_ns are CLOCK_BOOTTIME: they count suspended time and never jump; for timers, leases and latencies.
 * clock_wall_ms is the calendar, for time stamps in records, files and znodes only.
 */
#ifndef KLAMM_COMMON_CLOCK_H
#define KLAMM_COMMON_CLOCK_H

#include <stdint.h>

int64_t clock_ms(void);
int64_t clock_ns(void);
int64_t clock_wall_ms(void);

#endif
