/*
 * ISR changes that leaders ask for (KIP-497), decided here and written by nobody else (D3).
 *
 *     ISR_PROPOSALS --> judged in Kafka's order --refused-----------------------------------------> answer: error
 *                             |  '--the state says so already (an answer was lost)----------------> answer: the state
 *                             '--> state written at the version that both know --ZooKeeper says yes--> answer: the new state, view to all
 *                                                                              '--else------------> read again; answer
 *
 * Order of checks (Kafka's tryProcessAlterPartition, with those that its ZooKeeper mode lacks):
 *  NOT_CONTROLLER              not in office, the partition's state is not known, or the sender knows a newer one
 *  STALE_BROKER_EPOCH          the sender is not the registered incarnation
 *  UNKNOWN_TOPIC_ID, UNKNOWN_TOPIC_OR_PARTITION
 *  FENCED_LEADER_EPOCH         an older leader epoch, or that of the sender's earlier incarnation (S7)
 *  INVALID_REQUEST             the sender is not the leader; the ISR is empty, without the leader, or names strangers
 *  (success)                   it is the ISR already
 *  INVALID_UPDATE_VERSION      an older partition epoch; the state is sent again
 *  NOT_CONTROLLER              another write of this partition is under way: ask again
 *  INELIGIBLE_REPLICA          a replica that joins is not alive, is leaving, its log dir failed, it has to be struck out first, or it is
 *                              another incarnation than the leader heard (KIP-903)
 *
 * INELIGIBLE_REPLICA names all who may not join, so that the leader can propose the others at once. Kafka's answer does not, and its leader
 * proposes one at a time.
 *
 * After NOT_CONTROLLER the leader counts with both ISRs and asks the same again; who asks again while the write of it is under way waits
 * for that. Who leaves an ISR that gets smaller than min.insync.replicas becomes eligible; when it is large enough again nobody is (D9).
 */
#ifndef KLAMM_TOOLS_CONTROLLER_CTL_ISR_H
#define KLAMM_TOOLS_CONTROLLER_CTL_ISR_H

#include "tools/controller/ctl_state.h"

void ctl_isr_on_proposed(struct ctl *ctl, const struct ctl_event *event);

/* A write or a reading of the partition ended: who waits for it is answered by what the state says now. */
void ctl_isr_settle(struct ctl *ctl, struct ctl_topic *topic, struct ctl_partition *partition);

/* Sends the answers. After views and states: a leader has to know the configuration under which its new ISR was decided. */
void ctl_isr_flush(struct ctl *ctl);

#endif
