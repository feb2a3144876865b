/*
 * Replicas that a reassignment took away from brokers and that these have not erased yet. A broker is asked over its connection, again
 * whenever it comes back, and again after a while when it said no. A replica that is given to the broker again is no longer one of them.
 *
 * The list is of this office: a controller that takes over does not know what its predecessor had not yet had erased.
 */
#ifndef KLAMM_TOOLS_CONTROLLER_CTL_LEFTOVER_H
#define KLAMM_TOOLS_CONTROLLER_CTL_LEFTOVER_H

#include "tools/controller/ctl_state.h"

void ctl_leftover_add(struct ctl *ctl, const struct ctl_topic *topic, int32_t partition, int32_t broker);
void ctl_leftover_remove(struct ctl *ctl, const struct ctl_topic *topic, int32_t partition, int32_t broker);

/* Those that this broker is to be asked to erase now, by topic; they count as asked by `request`. NULL with *ret_n 0: none. */
struct ctl_stop_topic *ctl_leftover_ask(struct ctl *ctl, const struct ctl_broker *broker, int64_t request, int32_t *ret_n);

/* What was asked over this broker's connection is to be asked again. */
void ctl_leftover_broker_lost(struct ctl *ctl, const struct ctl_broker *broker);

/* Brokers that refused are asked again. */
void ctl_leftover_retry(struct ctl *ctl);

/* A broker's answer to a request that may have been of this kind. */
void ctl_leftover_on_results(struct ctl *ctl, const struct ctl_broker *broker, const struct ctl_event *event);

#endif
