/*
 * The controller as one pure function: an event in, actions out.
 *
 *     ctl_init -> CTL_ELECTED -> reads ... all answered -> decisions -> (events -> actions)* -> office lost -> ctl_fini
 *
 * ctl_step takes one event; ctl_flush, called once after each bunch of them, gathers what brokers are to be told, so that a
 * thousand written states become one message to each broker. The memory of actions is the caller's arena.
 *
 * The office is won by one event and lost by dropping the whole picture: there is no way back to an earlier epoch, and no write
 * leaves without the fencing token of the epoch it was decided in (S13).
 */
#ifndef KLAMM_TOOLS_CONTROLLER_CTL_STEP_H
#define KLAMM_TOOLS_CONTROLLER_CTL_STEP_H

#include "tools/controller/ctl_state.h"

void ctl_step(struct ctl *ctl, const struct ctl_event *event, int64_t now_ms, struct ctl_actions *actions);
void ctl_flush(struct ctl *ctl, int64_t now_ms, struct ctl_actions *actions);

/* ---- for the ctl_ files ---- */

/* A read; while loading nothing is decided until all are answered. */
struct ctl_action *ctl_ask(struct ctl *ctl, enum ctl_read read, struct slice topic);

/* Holds the office, has read everything, and its epoch is above all that were ever written (KAFKA-20488). */
static inline bool ctl_may_decide(const struct ctl *ctl)
{
	return ctl->active && !ctl->loading && !ctl->raising;
}

/* Never 0. */
static inline uint32_t ctl_next_ticket(struct ctl *ctl)
{
	ctl->tickets += ctl->tickets == UINT32_MAX ? 2 : 1;
	return ctl->tickets;
}

/* A controller epoch in a znode: when it is above ours, nothing more is decided and the office is taken anew above it. */
void ctl_epoch_seen(struct ctl *ctl, int32_t epoch);

/* Everything is looked at again after a while, since ZooKeeper or a broker refused something. */
void ctl_retry_later(struct ctl *ctl, int64_t delay_ms);

#endif
