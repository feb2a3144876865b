/*
 * Where leaderships should be: with the first replica of each assignment, and not with brokers that are about to stop.
 *
 *     every leader.imbalance.check.interval.seconds --> a broker lacks more than leader.imbalance.per.broker.percentage of the
 *                                                       leaderships it should have --> preferred elections of these
 *     SHUTDOWN --> broker.leaving --> every partition is decided again --> SHUTDOWN_ANSWER: how many it is still needed for; 0: it may go
 */
#ifndef KLAMM_TOOLS_CONTROLLER_CTL_BALANCE_H
#define KLAMM_TOOLS_CONTROLLER_CTL_BALANCE_H

#include "tools/controller/ctl_state.h"

/* The office begins: the first look comes soon. */
void ctl_balance_begin(struct ctl *ctl);

void ctl_balance_on_timer(struct ctl *ctl);

/* Answers brokers that are about to stop. */
void ctl_balance_flush(struct ctl *ctl);

#endif
