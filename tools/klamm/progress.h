/* A line on standard error that tells how far long work is: only on a terminal, at most five times a second, gone at the end.
 */
#ifndef KLAMM_TOOLS_KLAMM_PROGRESS_H
#define KLAMM_TOOLS_KLAMM_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
	const char *what; /* "records" */
	int64_t total;    /* 0 = not known */
	int64_t begin_ms, shown_ms;
	bool visible, on_terminal;
};

void progress_begin(struct progress *progress, const char *what, int64_t total);
void progress_show(struct progress *progress, int64_t done);
void progress_end(struct progress *progress);

#endif
