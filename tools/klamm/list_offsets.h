/* ListOffsets about partitions, at their leaders: an asker for parts_ask. */
#ifndef KLAMM_TOOLS_KLAMM_LIST_OFFSETS_H
#define KLAMM_TOOLS_KLAMM_LIST_OFFSETS_H

#include "tools/klamm/part.h"

/* Special times, as ListOffsets has them. */
#define OFFSETS_LATEST (-1)
#define OFFSETS_EARLIEST (-2)

/*
 * Asks for the first offset whose record is at or after part->asked (milliseconds, or a special time of -1 to -5); the result is -1 where there is
 * none. Parts that are asked together have the same kind of time. ERR_UNSUPPORTED when the broker does not know that special time.
 */
int list_offsets_ask(void *ctx, struct kafka_client *client, int32_t leader, struct part **parts, int n, struct error *err);

#endif
