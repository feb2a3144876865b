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

/* What brokers ask for; the same, with the incarnation that the message names in broker_epoch where it names one. */
int office_message_proposals(struct arena *arena, struct slice payload, struct ctl_event *ret_event);
int office_message_shutdown(struct arena *arena, struct slice header, struct ctl_event *ret_event);
int office_message_forward(struct arena *arena, struct slice payload, struct ctl_event *ret_event);

struct buf *office_message_isr_answers(struct arena *arena, const struct ctl_isr_answers *answers, int64_t broker_epoch);
struct buf *office_message_forward_answer(const struct ctl_forward_answer *answer);

/* A header, in the caller's bytes. */
struct slice office_message_shutdown_answer(uint8_t bytes[64], int64_t broker_epoch, int32_t remaining);

#endif
