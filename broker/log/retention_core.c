/* What retention lets go; see retention_core.h. */
#include "broker/log/retention_core.h"

void retention_init(struct retention *retention, const struct retention_rules *rules)
{
	retention->rules = *rules;
	retention->excess_bytes = rules->retention_bytes >= 0 ? rules->total_bytes - rules->retention_bytes : 0;
}

enum retention_reason retention_step(struct retention *retention, const struct retention_segment *segment)
{
	const struct retention_rules *rules = &retention->rules;
	enum retention_reason reason = RETENTION_KEEP;

	/* An empty active segment is where the log goes on. */
	if (segment->end_offset > rules->high_watermark || (segment->is_last && segment->bytes == 0))
		return RETENTION_KEEP;
	if (!segment->is_last && segment->end_offset <= rules->log_start_offset)
		reason = RETENTION_LOG_START;
	else if (rules->by_policy && rules->retention_ms >= 0 && rules->now_ms - segment->newest_ms > rules->retention_ms)
		reason = RETENTION_TIME;
	else if (rules->by_policy && rules->retention_bytes >= 0 && retention->excess_bytes - segment->bytes >= 0)
		reason = RETENTION_SIZE;
	if (reason != RETENTION_KEEP)
		retention->excess_bytes -= segment->bytes;
	return reason;
}
