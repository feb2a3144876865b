/* Lines of production code, with virtual time and who says it (common/trace.h is implemented here): nothing but in verbose runs. */
#include "common/clock.h"
#include "common/trace.h"
#include "test/sim/sim.h"

#include <stdarg.h>
#include <stdio.h>

#define LIMIT_MS 1000

static enum trace_level level_max = TRACE_INFO;

void trace_set_level(enum trace_level level)
{
	level_max = level;
}

bool trace_enabled(enum trace_level level)
{
	return sim.verbose && level <= level_max;
}

void trace(enum trace_level level, const char *area, const char *format, ...)
{
	static const char *const names[] = {"ERROR", "WARN", "INFO", "DEBUG"};
	char line[1024];
	va_list args;

	if (!trace_enabled(level))
		return;
	va_start(args, format);
	vsnprintf(line, sizeof line, format, args);
	va_end(args);
	sim_say("  %s %s: %s", names[level], area, line);
}

bool trace_limit_pass(struct trace_limit *limit, int64_t *ret_dropped)
{
	int64_t now = clock_ms();

	/* Each machine has its own clock, but the place in the code is one. */
	if (now >= limit->next_ms - LIMIT_MS && now < limit->next_ms) {
		limit->dropped++;
		return false;
	}
	*ret_dropped = limit->dropped;
	limit->dropped = 0;
	limit->next_ms = now + LIMIT_MS;
	return true;
}
