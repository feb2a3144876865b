/* Expiry of offsets; see offset_expiry_core.h. */
#include "broker/coord/offset_expiry_core.h"

/* Since when the offset's time counts. */
static int64_t base_ms(const struct offset_expiry *offset)
{
	if (offset->rule == GROUP_EXPIRY_SINCE_EMPTY && offset->state_wall_ms != GROUP_TIMESTAMP_NONE)
		return offset->state_wall_ms;
	return offset->commit_ms;
}

bool offset_expired(const struct offset_expiry *offset, int64_t retention_ms, int64_t now_wall_ms)
{
	if (offset->rule == GROUP_EXPIRY_NONE || offset->pending)
		return false;
	if (offset->rule == GROUP_EXPIRY_UNSUBSCRIBED && offset->subscribed)
		return false;
	if (offset->expire_ms >= 0)
		return now_wall_ms >= offset->expire_ms;
	/* A time from the log may be any number: the difference is taken only where it cannot overflow. */
	return base_ms(offset) <= now_wall_ms && (base_ms(offset) < 0 || now_wall_ms - base_ms(offset) >= retention_ms);
}
