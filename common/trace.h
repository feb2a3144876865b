/*
 * What a process tells its operator: one line an event on standard error, "time LEVEL area: text key=value ...".
 *
 * Log or return, never both. Lines that an outsider can cause are written through trace_limited. Any thread may trace; a line
 * is written by one write call.
 */
#ifndef KLAMM_COMMON_TRACE_H
#define KLAMM_COMMON_TRACE_H

#include <stdbool.h>
#include <stdint.h>

enum trace_level { TRACE_ERROR, TRACE_WARN, TRACE_INFO, TRACE_DEBUG };

/* Lines above this level are dropped; TRACE_INFO at the start. Set once before threads begin. */
void trace_set_level(enum trace_level level);

bool trace_enabled(enum trace_level level);

void trace(enum trace_level level, const char *area, const char *format, ...) __attribute__((format(printf, 3, 4)));

#define trace_error(area, ...) trace(TRACE_ERROR, area, __VA_ARGS__)
#define trace_warn(area, ...) trace(TRACE_WARN, area, __VA_ARGS__)
#define trace_info(area, ...) trace(TRACE_INFO, area, __VA_ARGS__)
#define trace_debug(area, ...) (trace_enabled(TRACE_DEBUG) ? trace(TRACE_DEBUG, area, __VA_ARGS__) : (void)0)

/*
 * At most one line a second from each place; what was dropped is counted in the next line. Static storage per place, so that a
 * flood by an outsider cannot fill the disk.
 */
struct trace_limit {
	int64_t next_ms;
	int64_t dropped;
};

/* True when the line may be written now; *ret_dropped is how many were not since the last. */
bool trace_limit_pass(struct trace_limit *limit, int64_t *ret_dropped);

#define trace_limited(level, area, format, ...)                                                             \
	do {                                                                                                \
		static __thread struct trace_limit trace_limit_here;                                        \
		int64_t trace_dropped;                                                                      \
		if (trace_limit_pass(&trace_limit_here, &trace_dropped))                                    \
			trace(level, area, format " (%lld like it not shown)", ##__VA_ARGS__, (long long)trace_dropped); \
	} while (0)

#endif
