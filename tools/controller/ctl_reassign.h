/*
 * Reassignment of replicas (KIP-455): brokers are added to a partition, and others taken out when those have all records.
 *
 *     asked: target --> [topic node: replicas = target and what else there was; adding; removing]    GROWING: adding ones copy, and join the
 *                       [states: leader epoch + 1]                             in one multi          ISR as every follower does
 *                                                                                  |
 *                       [topic node: replicas = target]                            |  all of target are alive and in the ISR
 *                       [states: leader and ISR out of target, leader epoch + 1] <-+
 *                                 |                            in one multi
 *                                 +--> STOP_REPLICAS with erasure to those that left (ctl_leftover.h)
 *
 * - Every step is one multi of assignment and states, fenced (S13, D15): no controller ever finds half of one. What is under way stands in
 *   the topic's node alone: whoever takes over goes on with it.
 * - The ISR is never made of fewer than it may lose: a step only takes out members that are not in the new assignment; the last step waits for
 *   all of target, which is at least min.insync.replicas, since that counts as the number of replicas where this is less (D15).
 * - A cancel, or another target, takes added replicas out at once. That is refused when fewer than min.insync.replicas in-sync ones were left
 *   and an acknowledged record could stand on less than was promised.
 * - A target that is in sync already is written in one step.
 * - One write of a topic's node is under way at most. All partitions of the topic that wait go in the next one.
 */
#ifndef KLAMM_TOOLS_CONTROLLER_CTL_REASSIGN_H
#define KLAMM_TOOLS_CONTROLLER_CTL_REASSIGN_H

#include "common/limits.h"
#include "tools/controller/ctl_state.h"

#define CTL_REASSIGN_CANCEL (-1)

/* Partitions in one write: their states and the topic's node stay well below ZooKeeper's bound of a request. */
#define CTL_REASSIGN_MOVES_MAX 1000

/* An assignment with what comes and goes. */
struct ctl_plan {
	int16_t n_replicas, n_adding, n_removing;
	int32_t replicas[LIMIT_REPLICAS];
	int32_t adding[LIMIT_REPLICAS];
	int32_t removing[LIMIT_REPLICAS];
};

static inline bool ctl_reassign_is_under_way(const struct ctl_partition *partition)
{
	return partition->n_adding > 0 || partition->n_removing > 0;
}

/* The replicas that a partition had before, and those that it is to have, in their order. Returns how many. */
int ctl_reassign_origin(const struct ctl_partition *partition, int32_t ret_ids[LIMIT_REPLICAS]);
int ctl_reassign_target(const struct ctl_partition *partition, int32_t ret_ids[LIMIT_REPLICAS]);

/* The assignment on the way from the partition's present one to target. False: together they have too many replicas. */
bool ctl_reassign_plan(const struct ctl_partition *partition, const int32_t *target, int n_target, struct ctl_plan *ret_plan);

/*
 * Asks for another target (CTL_REASSIGN_CANCEL: back to the origin); a later asking takes the place of one that is not written yet. Whether
 * it can be done is judged when it is written. The number is for ctl_reassign_outcome.
 */
uint32_t ctl_reassign_ask(struct ctl *ctl, struct ctl_topic *topic, int32_t index, const int32_t *target, int n_target);

/*
 * What became of it: true once it stands in ZooKeeper, was refused or was overtaken by a later asking; told once. Codes are Kafka's;
 * the message (null: none) lies in the arena of the step.
 */
bool ctl_reassign_outcome(struct ctl *ctl, struct ctl_topic *topic, int32_t index, uint32_t serial, int16_t *ret_error,
			  struct slice *ret_message);

/* Nobody waits for the outcome any more. */
void ctl_reassign_forget(struct ctl *ctl, struct ctl_topic *topic, int32_t index, uint32_t serial);

/* Something about the partition changed: may it go a step further? Decided at the flush. */
void ctl_reassign_check(struct ctl *ctl, struct ctl_topic *topic, struct ctl_partition *partition);

/* Writes all steps that are due. */
void ctl_reassign_flush(struct ctl *ctl);

/* The write of the topic's node that took moves with it ended; the ends of its states are told to ctl_partition_on_written afterwards. */
void ctl_reassign_on_written(struct ctl *ctl, struct ctl_topic *topic, const struct ctl_written *written);

/* The topic's node was read: what became of a write whose outcome was not known? Before the node is compared with the picture. */
void ctl_reassign_on_node_read(struct ctl *ctl, struct ctl_topic *topic, const struct ctl_topic_read *node);

/* It was read and says nothing: it is read again after a while, since no watch may tell that it can be read now. */
void ctl_reassign_on_node_odd(struct ctl *ctl, struct ctl_topic *topic);
void ctl_reassign_retry(struct ctl *ctl);

#endif
