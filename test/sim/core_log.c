/* The model of a replica's log, with the house's own epoch cache; see core_world.h. */
#include "test/sim/core_world.h"

#include "common/check.h"

void log_append_entry(struct model_log *log, struct entry entry)
{
	CHECK(log->end < LOG_MAX && log->epochs.n < EPOCHS_MAX);
	epoch_core_assign(&log->epochs, entry.epoch, log->end);
	log->at[log->end++] = entry;
}

void log_cut(struct model_log *log, int64_t offset)
{
	if (offset >= log->end)
		return;
	epoch_core_truncate_end(&log->epochs, offset);
	log->end = offset;
	if (log->durable_end > offset)
		log->durable_end = offset;
	if (log->start > offset)
		log->start = offset;
}

void log_restart_at(struct model_log *log, int64_t offset)
{
	log->epochs.n = 0;
	log->start = log->end = log->durable_end = offset;
}

int32_t log_last_epoch(const struct model_log *log)
{
	return log->end > log->start ? log->at[log->end - 1].epoch : -1;
}

struct log_epoch_end log_end_for(const struct model_log *log, int32_t epoch)
{
	return epoch_core_end(&log->epochs, epoch, log->end);
}

bool log_cache_is_right(const struct model_log *log)
{
	for (int64_t offset = log->start; offset < log->end; offset++)
		if (epoch_core_at(&log->epochs, offset) != log->at[offset].epoch)
			return false;
	return epoch_core_valid(&log->epochs);
}
