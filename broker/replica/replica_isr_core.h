/*
 * The leader's proposals for another ISR (KIP-497). Pure. The controller alone writes; the leader asks, one at a time:
 *
 *                  replica_isr_propose                              committed, or a newer state
 *     NONE ------------------------------------> SENT ---------------------------------------------> NONE
 *       ^                                        |  | no answer (connection lost, another controller)
 *       |   somebody is not eligible             |  '-----------------> UNKNOWN --- the same again ---> SENT
 *       '----------------------------------------+
 *                                                '-- out of date ----> HELD ------- a newer state ----> NONE
 *
 * Goes: who has not all that the leader has and had not for a lag time. Joins: who follows under the incarnation that is alive (KIP-903)
 * and has the high watermark and the epoch's start (S11, D4). Until the answer is known, what is proposed counts for the high watermark
 * and what is committed counts for min.insync.replicas (D3). Whom the controller does not let in stays out for REPLICA_PROPOSE_AGAIN_MS;
 * the others are proposed without it at once, since one that may not join for long must not keep them out. (Kafka's leader proposes
 * one follower at a time.)
 */
#ifndef KLAMM_BROKER_REPLICA_REPLICA_ISR_CORE_H
#define KLAMM_BROKER_REPLICA_REPLICA_ISR_CORE_H

#include "broker/replica/replica_core.h"

struct replica_isr_member {
	int32_t id;
	int64_t broker_epoch; /* that the leader has heard in this leader epoch; REPLICA_BROKER_EPOCH_NONE: none, it was in before */
};

/* An AlterPartition of one partition. The leader recovery state is always RECOVERED: a leader serves only what it stands for. */
struct replica_proposal {
	int64_t number; /* the same when the same is asked again */
	int32_t leader_epoch;
	int32_t partition_epoch;
	int32_t n_isr;
	struct replica_isr_member isr[LIMIT_REPLICAS];
};

/* What is to be sent after actions.propose. */
void replica_isr_proposal(const struct replica_core *core, struct replica_proposal *ret_proposal);

/* The controller's answer; state fields hold when error is 0, the ineligible when it is INELIGIBLE_REPLICA: none named is all that join. */
struct replica_isr_answer {
	int64_t number;
	int16_t error; /* Kafka error */
	int32_t leader_epoch;
	int32_t partition_epoch;
	const int32_t *isr;
	int32_t n_isr;
	const int32_t *ineligible;
	int32_t n_ineligible;
};

/* True when it answered the proposal under way; another one's is dropped. */
bool replica_isr_answered(struct replica_core *core, const struct replica_now *now, const struct replica_isr_answer *answer,
			  struct replica_actions *ret_actions);

/* The answer will not come: it may be written or not. It goes on counting, and is asked again by the next tick after again_ms. */
void replica_isr_unanswered(struct replica_core *core, int64_t number, int64_t again_ms);

/* ---- between the files of the core ---- */

/* Makes a proposal when one is due; true: it is to be sent. */
bool replica_isr_propose(struct replica_core *core, const struct replica_now *now);

int64_t replica_isr_next_ms(const struct replica_core *core, int64_t now_ms);

#endif
