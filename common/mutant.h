/*
 * Faults put into the house on purpose, one at a time, to see that the simulation (test/sim) finds them.
 *
 * Only the program test/sim/sim_mutants is built with KLAMM_MUTANT. Anywhere else a mutant is the constant false, and what stands behind it
 * is not in the program.
 */
#ifndef KLAMM_COMMON_MUTANT_H
#define KLAMM_COMMON_MUTANT_H

#include <stdbool.h>

#define HOUSE_MUTANTS(X)                                                                              \
	X(ACK_BEFORE_COMMIT, "acks=all is answered before the high watermark has passed")             \
	X(TRUNCATE_TO_HIGH_WATERMARK, "a follower cuts its log to its high watermark")                \
	X(JOIN_BELOW_EPOCH_START, "a replica joins the ISR below the epoch start")                    \
	X(JOIN_BELOW_HIGH_WATERMARK, "a replica joins the ISR below the high watermark")              \
	X(CONTROLLER_UNCHECKED, "the controller writes without the check of its epoch")               \
	X(STALE_ELR_ELECTED, "an eligible replica that lost its tail is elected")                     \
	X(UNCLEAN_IN_ISR, "a replica that lost its tail stays in the ISR")                            \
	X(COMMIT_NOT_DURABLE, "in fsync-isr ends of followers count that are not durable")            \
	X(OWN_END_NOT_DURABLE, "in fsync-isr the leader's own end counts before it is durable")       \
	X(MIN_ISR_IGNORED, "the high watermark moves with an ISR below its minimum")                  \
	X(ADDITIONS_NOT_COUNTED, "who is about to join does not hold the high watermark")             \
	X(DIVERGENCE_SKIPPED, "logs are not compared on Follow")                                      \
	X(ACK_UNSYNCED, "a follower acks as durable what is not synced")                              \
	X(NEW_LEADER_COMMITS_ALL, "a new leader takes its log end as high watermark")                 \
	X(ANY_REPLICA_ELECTED, "any live replica is elected")                                         \
	X(RETRIES_STORED, "a retry that is known is stored again")                                    \
	X(PRODUCERS_NOT_FOLLOWED, "followers do not keep the state of producers")                     \
	X(READ_UNCOMMITTED, "consumers are given what is above the high watermark")                   \
	X(DURABLE_UNSYNCED, "the durable end moves without a sync")                                   \
	X(EPOCH_NOT_BUMPED, "a leader that bounced leads on in its old epoch")                        \
	X(SNAPSHOT_IGNORED, "the state of producers is not loaded from their snapshot")                  \
	X(STARTS_CLEAN, "a broker registers as whole after a loss of power")                          \
	X(LEASE_IGNORED, "a leader without a lease serves without hearing its ISR")

enum house_mutant {
	HOUSE_MUTANT_NONE,
#define X(name, text) HOUSE_MUTANT_##name,
	HOUSE_MUTANTS(X)
#undef X
	N_HOUSE_MUTANTS,
};

#ifdef KLAMM_MUTANT
extern enum house_mutant house_mutant;
#define MUTANT(name) (house_mutant == HOUSE_MUTANT_##name)
#else
#define MUTANT(name) false
#endif

#endif
