/*
 * Replicas that their brokers have not got, as they answer to a state: they lead nothing, are in no ISR and are shown as offline.
 *
 *     RESULTS, STORAGE_ERROR --> failure --- the log dir failed ----------------------> until the broker is registered again
 *                                   |
 *                                   '------- the disk was full (again) --> the state is told again CTL_FAILURE_AGAIN_MS after each
 *                                                                          answer of that kind
 *     RESULTS, no error, to a request that told the state --> the replica is there: the failure is over
 *
 * Where a replica could not be made for want of room nothing of it is anywhere, so that it is told as a new one until it is made.
 */
#ifndef KLAMM_TOOLS_CONTROLLER_CTL_FAILURE_H
#define KLAMM_TOOLS_CONTROLLER_CTL_FAILURE_H

#include "tools/controller/ctl_state.h"

#define CTL_FAILURE_AGAIN_MS 5000

/* NULL: the broker has its replica, as far as is known. */
struct ctl_failure *ctl_failure_of(const struct ctl_partition *partition, int32_t broker);

/* A broker's answer to states or stops. */
void ctl_failure_on_results(struct ctl *ctl, struct ctl_broker *broker, const struct ctl_event *event);

/* These states go out to the broker under its present request number. */
void ctl_failure_told(struct ctl *ctl, const struct ctl_broker *broker, const struct ctl_part *parts, int32_t n_parts);

/* Answers that were to come over this broker's connection will not. */
void ctl_failure_broker_lost(struct ctl *ctl, struct ctl_broker *broker);

/* A new incarnation is registered: what was said of an earlier one is over. */
void ctl_failure_forget(struct ctl *ctl, int32_t broker);

/* States that are due are told again with the next flush (ctl_broker.again_due). */
void ctl_failure_on_timer(struct ctl *ctl);

/* When the next ones are; 0: none. */
int64_t ctl_failure_deadline_ms(const struct ctl *ctl);

#endif
