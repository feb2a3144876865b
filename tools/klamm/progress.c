/* How far long work is; see progress.h. */
#include "tools/klamm/progress.h"

#include "common/clock.h"

#include <stdio.h>
#include <unistd.h>

#define SHOW_EVERY_MS 200

void progress_begin(struct progress *progress, const char *what, int64_t total)
{
	*progress =
		(struct progress){.what = what, .total = total, .begin_ms = clock_ms(), .on_terminal = isatty(STDERR_FILENO)};
	progress->shown_ms = progress->begin_ms;
}

void progress_show(struct progress *progress, int64_t done)
{
	int64_t now_ms;

	if (!progress->on_terminal)
		return;
	now_ms = clock_ms();
	if (now_ms - progress->shown_ms < SHOW_EVERY_MS)
		return;
	progress->shown_ms = now_ms;
	progress->visible = true;
	if (progress->total > 0)
		fprintf(stderr, "\r\033[K%lld of %lld %s (%lld%%)", (long long)done, (long long)progress->total, progress->what,
			(long long)(done * 100 / progress->total));
	else
		fprintf(stderr, "\r\033[K%lld %s", (long long)done, progress->what);
}

void progress_end(struct progress *progress)
{
	if (progress->visible)
		fputs("\r\033[K", stderr);
	progress->visible = false;
}
