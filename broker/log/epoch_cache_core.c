/* Leader epochs and where they begin; see epoch_cache_core.h. */
#include "broker/log/epoch_cache_core.h"

#include <string.h>

/* The newest entry says something else than that this epoch holds at the offset. */
static bool conflicts(const struct epoch_entry *newest, int32_t epoch, int64_t start_offset)
{
	return newest->epoch > epoch || (newest->start_offset >= start_offset && newest->epoch < epoch) || newest->start_offset > start_offset;
}

bool epoch_core_assign(struct epoch_entries *entries, int32_t epoch, int64_t start_offset)
{
	int32_t before = entries->n;

	if (epoch < 0)
		return false;
	while (entries->n > 0 && conflicts(&entries->at[entries->n - 1], epoch, start_offset))
		entries->n--;
	/* It began earlier: what stood behind it was the beginning of a leadership that never wrote anything. */
	if (entries->n > 0 && entries->at[entries->n - 1].epoch == epoch)
		return entries->n != before;
	entries->at[entries->n++] = (struct epoch_entry){epoch, start_offset};
	return true;
}

bool epoch_core_truncate_end(struct epoch_entries *entries, int64_t end_offset)
{
	int32_t before = entries->n;

	while (entries->n > 0 && entries->at[entries->n - 1].start_offset >= end_offset)
		entries->n--;
	return entries->n != before;
}

bool epoch_core_truncate_start(struct epoch_entries *entries, int64_t start_offset)
{
	int32_t n_below = 0;

	while (n_below < entries->n && entries->at[n_below].start_offset <= start_offset)
		n_below++;
	if (n_below == 0 || (n_below == 1 && entries->at[0].start_offset == start_offset))
		return false;
	entries->n -= n_below - 1;
	memmove(entries->at, entries->at + n_below - 1, (size_t)entries->n * sizeof *entries->at);
	entries->at[0].start_offset = start_offset;
	return true;
}

int32_t epoch_core_latest(const struct epoch_entries *entries)
{
	return entries->n > 0 ? entries->at[entries->n - 1].epoch : -1;
}

/* How many entries have an epoch at or below the given one. */
static int32_t count_to_epoch(const struct epoch_entries *entries, int32_t epoch)
{
	int32_t n = entries->n;

	while (n > 0 && entries->at[n - 1].epoch > epoch)
		n--;
	return n;
}

int32_t epoch_core_at(const struct epoch_entries *entries, int64_t offset)
{
	int32_t n = entries->n;

	while (n > 0 && entries->at[n - 1].start_offset > offset)
		n--;
	return n > 0 ? entries->at[n - 1].epoch : -1;
}

struct log_epoch_end epoch_core_end(const struct epoch_entries *entries, int32_t epoch, int64_t log_end)
{
	int32_t n;

	if (epoch < 0 || epoch > epoch_core_latest(entries))
		return (struct log_epoch_end){-1, -1};
	if (epoch == epoch_core_latest(entries))
		return (struct log_epoch_end){epoch, log_end};
	n = count_to_epoch(entries, epoch);
	if (n == 0)
		return (struct log_epoch_end){epoch, entries->at[0].start_offset};
	return (struct log_epoch_end){entries->at[n - 1].epoch, entries->at[n].start_offset};
}

bool epoch_core_valid(const struct epoch_entries *entries)
{
	for (int32_t i = 0; i < entries->n; i++) {
		const struct epoch_entry *entry = &entries->at[i];

		if (entry->epoch < 0 || entry->start_offset < 0)
			return false;
		if (i > 0 && (entry->epoch <= entry[-1].epoch || entry->start_offset <= entry[-1].start_offset))
			return false;
	}
	return true;
}
