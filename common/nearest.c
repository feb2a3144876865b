/* Edit distance with swaps; see nearest.h. */
#include "common/nearest.h"

#include <stdlib.h>

/* Longer texts are not compared: no key is that long, and the rows below lie on the stack. */
#define NEAREST_BYTES_MAX 120

static int min3(int a, int b, int c)
{
	int least = a < b ? a : b;

	return least < c ? least : c;
}

int nearest_distance(struct slice a, struct slice b, int limit)
{
	int rows[3][NEAREST_BYTES_MAX + 1];
	int *before = rows[0], *last = rows[1], *row = rows[2];

	if (a.len > NEAREST_BYTES_MAX || b.len > NEAREST_BYTES_MAX || abs((int)a.len - (int)b.len) > limit)
		return limit + 1;
	for (size_t j = 0; j <= b.len; j++)
		last[j] = (int)j;
	for (size_t i = 1; i <= a.len; i++) {
		int least = row[0] = (int)i;

		for (size_t j = 1; j <= b.len; j++) {
			row[j] = min3(last[j] + 1, row[j - 1] + 1, last[j - 1] + (a.data[i - 1] != b.data[j - 1]));
			if (i > 1 && j > 1 && a.data[i - 1] == b.data[j - 2] && a.data[i - 2] == b.data[j - 1])
				row[j] = min3(row[j], before[j - 2] + 1, row[j]);
			least = row[j] < least ? row[j] : least;
		}
		if (least > limit)
			return limit + 1;
		int *spare = before;

		before = last;
		last = row;
		row = spare;
	}
	return last[b.len] > limit ? limit + 1 : last[b.len];
}

const char *nearest_name(struct slice text, const char *(*name_at)(const void *ctx, int i), const void *ctx, int n)
{
	int limit = (int)(text.len < NEAREST_BYTES_MAX ? text.len : NEAREST_BYTES_MAX) / 3;
	const char *nearest = NULL;

	for (int i = 0; i < n && limit > 0; i++) {
		const char *name = name_at(ctx, i);
		int distance = nearest_distance(text, slice_of_text(name), limit);

		if (distance > limit)
			continue;
		nearest = name;
		limit = distance - 1;
	}
	return nearest;
}
