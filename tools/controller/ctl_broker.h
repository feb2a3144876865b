/*
 * Brokers: who is alive, since when, and whether the controller can talk to them.
 *
 *     /brokers/ids read --> diff by id and czxid --> dead | bounced | new --> connect, decide all partitions again
 *
 * A broker is a full member from the moment it is registered. When no connection can be had for a session time-out it counts as
 * down for leadership and ISR until it has been reached and has answered the message with all its states.
 *
 * One that came back without all that it had (D9) is struck out of every ISR and ELR that holds an earlier incarnation of it, and
 * counts as down until these writes are done. Which those are follows from its znode and the states alone, so that every controller
 * comes to the same.
 */
#ifndef KLAMM_TOOLS_CONTROLLER_CTL_BROKER_H
#define KLAMM_TOOLS_CONTROLLER_CTL_BROKER_H

#include "tools/controller/ctl_elect.h"
#include "tools/controller/ctl_state.h"

/* The complete list of what is registered. */
void ctl_broker_on_read(struct ctl *ctl, const struct ctl_event *event);

void ctl_broker_on_reached(struct ctl *ctl, const struct ctl_event *event);
void ctl_broker_on_lost(struct ctl *ctl, const struct ctl_event *event);
void ctl_broker_on_gap(struct ctl *ctl, const struct ctl_event *event);

/* Its log dirs changed: all its states are sent again, the answer tells what is lost. */
void ctl_broker_on_log_dir_failed(struct ctl *ctl, const struct ctl_event *event);

/* It is about to stop. */
void ctl_broker_on_shutdown_asked(struct ctl *ctl, const struct ctl_event *event);

/* Brokers that are struck out everywhere count as alive. At the end of a bunch of events. */
void ctl_broker_take_in(struct ctl *ctl);

/* It has answered the request. */
void ctl_broker_on_answer(struct ctl *ctl, struct ctl_broker *broker, int64_t request);

/* Deadlines that have passed. */
void ctl_broker_on_timer(struct ctl *ctl);

/* The earliest deadline; 0: none. */
int64_t ctl_broker_deadline_ms(const struct ctl *ctl);

/* Alive and one of ours. */
static inline bool ctl_broker_is_live(const struct ctl_broker *broker)
{
	return broker && !broker->ignored && !broker->unreachable && !broker->waits;
}

/* How the replica on that broker is doing, as the partition's state sees it (ctl_elect.h). */
enum ctl_member ctl_broker_member(struct ctl *ctl, const struct ctl_topic *topic, const struct ctl_partition *partition,
				  int32_t broker_id);

/* Is this incarnation the one that the partition's state means? True for a broker that it does not name. */
bool ctl_broker_is_known(const struct ctl_partition *partition, const struct ctl_broker *broker);

/* The incarnation to be written into the partition's next state for a member of its ISR or ELR. */
int64_t ctl_broker_epoch_for(struct ctl *ctl, const struct ctl_topic *topic, const struct ctl_partition *partition, int32_t broker_id);

/* Sees to it that /controller names the lowest broker that is alive. */
void ctl_broker_choose_office(struct ctl *ctl);

#endif
