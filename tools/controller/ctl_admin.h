/*
 * Requests of clients that only the controller can carry out, handed on by brokers: ElectLeaders, AlterPartitionReassignments,
 * ListPartitionReassignments.
 *
 *     CTL_FORWARDED --decode--> request: an item for each partition --flush--> elections, moves (ctl_reassign.h)
 *                                                                         '--> all items settled, or time up --> CTL_SEND_FORWARD_ANSWER
 *
 * Answered as Kafka does: when ZooKeeper has what was asked for, or has refused it; elections within the request's time. The answer goes
 * behind the view that shows it, so that the broker that hands it on has it. A request whose connection is lost goes on, unanswered.
 * Requests of a broker are bounded (LIMIT_FORWARDED_REQUESTS), partitions of a request by its frame.
 */
#ifndef KLAMM_TOOLS_CONTROLLER_CTL_ADMIN_H
#define KLAMM_TOOLS_CONTROLLER_CTL_ADMIN_H

#include "tools/controller/ctl_state.h"

/* The values of ElectLeaders' election_type. */
enum ctl_election_type { CTL_ELECTION_PREFERRED, CTL_ELECTION_UNCLEAN };

void ctl_admin_on_forwarded(struct ctl *ctl, const struct ctl_event *event);

/* Preferred elections that /admin/preferred_replica_election asks for; ctl_legacy_on_elected is told when all have ended. */
void ctl_admin_elect_preferred(struct ctl *ctl, const struct ctl_legacy_wish *wishes, int32_t n_wishes);

/* Goes on with every request: begins what may begin, takes what has ended. Before what is due is written. */
void ctl_admin_flush(struct ctl *ctl);

/* Answers those that have ended. Behind the view. */
void ctl_admin_answer(struct ctl *ctl);

/* Nobody waits for the answers any more. */
void ctl_admin_broker_lost(struct ctl *ctl, const struct ctl_broker *broker);

/* When the first of them runs out of time; 0: never. */
int64_t ctl_admin_deadline_ms(const struct ctl *ctl);

#endif
