/*
 * What brokers are told: the view of the whole cluster to each of them, and the states of its replicas to each broker.
 *
 *     picture changed --> ctl_view_flush --> VIEW delta n+1 to all that have a view      (one message, the same bytes for all)
 *                                       \--> PARTITION_STATES to the brokers of the replicas
 *                                       \--> STOP_REPLICAS to those that must erase
 *     connection new  --> VIEW snapshot n, PARTITION_STATES of all its replicas
 *
 * Nothing is told that ZooKeeper has not confirmed. Views are numbered by (controller epoch, number) without gaps. A topic shows in
 * a view when all its new partitions have their first state, so that no client sees half of it; replicas hear of theirs at once.
 * States go before the view that shows them, so that a client finds a leader that knows of it; but after one that has new brokers, and
 * after one that has new configurations: no leader may act on an ISR without the min.insync.replicas under which it was decided (D9).
 */
#ifndef KLAMM_TOOLS_CONTROLLER_CTL_VIEW_H
#define KLAMM_TOOLS_CONTROLLER_CTL_VIEW_H

#include "tools/controller/ctl_state.h"

void ctl_view_flush(struct ctl *ctl);

/* Tells the brokers of a topic that is about to be forgotten to stop serving it; files stay. */
void ctl_view_stop(struct ctl *ctl, const struct ctl_topic *topic);

#endif
