/*
 * Within the group core: a rebalance, from the event that asks for it until the next generation is told. Pure.
 *
 *     begin: parked syncs end, joins are collected
 *       from EMPTY        a fixed delay, longer while new members come (a group that starts should rebalance once)
 *       else              until all members have joined and no pending id is left, at most the longest rebalance timeout
 *     end:   who has not joined goes, but for static members; a leader that has joined; the protocol by vote; generation + 1
 *       some members      each join is answered; who does not sync within the longest rebalance timeout goes, and another
 * rebalance begins none              an empty generation, stored none has joined   waits again: sessions of the static members
 * end it
 */
#ifndef KLAMM_BROKER_COORD_GROUP_REBALANCE_CORE_H
#define KLAMM_BROKER_COORD_GROUP_REBALANCE_CORE_H

#include "broker/coord/group_core.h"

/* Something about the members changed. Begins a rebalance, unless one is under way, and ends it if all is there. Not for DEAD
 * groups. */
void group_rebalance(struct group_core *group, const struct group_now *now, struct group_actions *actions);

/* Ends the rebalance under way, if there is one and all is there or its time is up. */
void group_rebalance_check(struct group_core *group, const struct group_now *now, struct group_actions *actions);

/* The assignments of this generation are void: parked syncs end with the error, and sessions of who waited begin anew. */
void group_assignments_void(struct group_core *group, const struct group_now *now, int16_t error,
			    struct group_actions *actions);

/* Do all members support this one? */
bool group_supports(const struct group_core *group, struct slice protocol);

/* The protocol of the next generation: each member votes for its first one that all support. There is one. */
struct slice group_vote(const struct group_core *group);

/* Is the choice of the next generation that of this one? */
bool group_vote_stands(const struct group_core *group);

#endif
