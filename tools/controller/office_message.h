/* From what brokers are to be told to the bytes of proto/cluster/cluster.proto, and back from their answers. */
#ifndef KLAMM_TOOLS_CONTROLLER_OFFICE_MESSAGE_H
#define KLAMM_TOOLS_CONTROLLER_OFFICE_MESSAGE_H

#include "common/buf.h"
#include "tools/controller/ctl_action.h"

/*
 * The frames of a view, in order: one, or for a large snapshot several (all but the last with `more`). The list lies in the
 * arena, each buffer has one reference for the caller.
 */
int office_message_view(struct arena *arena, const struct ctl_view *view, struct buf ***ret_frames);

struct buf *office_message_states(struct arena *arena, const struct ctl_states *states, int64_t broker_epoch, int64_t request);
struct buf *office_message_stops(struct arena *arena, const struct ctl_stops *stops, int64_t broker_epoch, int64_t request);

/* Fills request, error and errors (in the arena) of a CTL_RESULTS; ERR_CORRUPT. */
int office_message_results(struct arena *arena, struct slice payload, struct ctl_event *ret_event);

#endif
