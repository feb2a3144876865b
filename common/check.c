/* Ends the process on a broken invariant; see check.h. */
#include "common/check.h"

#include <stdio.h>
#include <stdlib.h>

void check_failed(const char *condition, const char *file, int line)
{
	fprintf(stderr, "klamm: broken invariant: %s (%s:%d)\n", condition, file, line);
	abort();
}
