/* Lines for the operator; see trace.h. */
#include "common/trace.h"

#include "common/clock.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define TRACE_LINE_BYTES 2048
#define TRACE_LIMIT_MS 1000

static enum trace_level level_max = TRACE_INFO;

void trace_set_level(enum trace_level level)
{
	level_max = level;
}

bool trace_enabled(enum trace_level level)
{
	return level <= level_max;
}

static size_t trace_head(char *line, size_t size, enum trace_level level, const char *area)
{
	static const char *const names[] = {"ERROR", "WARN", "INFO", "DEBUG"};
	struct timeval now;
	struct tm calendar;
	size_t len;

	gettimeofday(&now, NULL);
	localtime_r(&now.tv_sec, &calendar);
	len = strftime(line, size, "%Y-%m-%d %H:%M:%S", &calendar);
	return len + (size_t)snprintf(line + len, size - len, ",%03d %s %s: ", (int)(now.tv_usec / 1000), names[level], area);
}

void trace(enum trace_level level, const char *area, const char *format, ...)
{
	char line[TRACE_LINE_BYTES];
	size_t len;
	va_list args;

	if (!trace_enabled(level))
		return;
	len = trace_head(line, sizeof line - 1, level, area);
	va_start(args, format);
	vsnprintf(line + len, sizeof line - 1 - len, format, args);
	va_end(args);
	len = strlen(line);
	/* One event, one line: what came from outside may not forge another. */
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)line[i] < ' ')
			line[i] = ' ';
	line[len++] = '\n';
	/* Nothing can be done about a closed or full standard error. */
	if (write(STDERR_FILENO, line, len) < 0)
		return;
}

bool trace_limit_pass(struct trace_limit *limit, int64_t *ret_dropped)
{
	int64_t now = clock_ms();

	if (now < limit->next_ms) {
		limit->dropped++;
		return false;
	}
	*ret_dropped = limit->dropped;
	limit->dropped = 0;
	limit->next_ms = now + TRACE_LIMIT_MS;
	return true;
}
