/* When a committed offset is over (kafka.md 6.2, end; KIP-211). Pure. */
#ifndef KLAMM_BROKER_COORD_OFFSET_EXPIRY_CORE_H
#define KLAMM_BROKER_COORD_OFFSET_EXPIRY_CORE_H

#include "broker/coord/group_core.h"

/* What is known of one offset and its group. */
struct offset_expiry {
	enum group_expiry rule;
	int64_t state_wall_ms; /* when the group became empty; GROUP_TIMESTAMP_NONE */
	int64_t commit_ms;     /* calendar */
	int64_t expire_ms;     /* as the client asked (old versions); -1: not said */
	bool subscribed;       /* a member of the group reads its topic; looked at with GROUP_EXPIRY_UNSUBSCRIBED */
	bool pending;          /* a commit is under way */
};

/* retention_ms: offsets.retention.minutes. now_wall_ms: calendar. */
bool offset_expired(const struct offset_expiry *offset, int64_t retention_ms, int64_t now_wall_ms);

#endif
