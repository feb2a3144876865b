/* The last batches of the active segment; see batch_tail.h. */
#include "broker/log/batch_tail.h"

static uint32_t first_known(const struct batch_tail *tail)
{
	return tail->n > BATCH_TAIL_SIZE ? tail->n - BATCH_TAIL_SIZE : 0;
}

static const struct batch_place *place(const struct batch_tail *tail, uint32_t i)
{
	return &tail->places[i % BATCH_TAIL_SIZE];
}

const struct batch_place *batch_tail_find(const struct batch_tail *tail, int64_t relative_offset)
{
	uint32_t low = first_known(tail), high = tail->n;

	if (low == high || relative_offset < place(tail, low)->base)
		return NULL;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (place(tail, middle)->last >= relative_offset)
			high = middle;
		else
			low = middle + 1;
	}
	return low == tail->n ? NULL : place(tail, low);
}

int64_t batch_tail_boundary(const struct batch_tail *tail, int64_t pos)
{
	uint32_t low = first_known(tail), high = tail->n;

	if (low == high || pos < place(tail, low)->pos)
		return -1;
	/* The first batch that ends above pos begins where the range ends. */
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if ((int64_t)place(tail, middle)->pos + place(tail, middle)->bytes > pos)
			high = middle;
		else
			low = middle + 1;
	}
	if (low == tail->n)
		return (int64_t)place(tail, low - 1)->pos + place(tail, low - 1)->bytes;
	return place(tail, low)->pos;
}
