/*
 * Partitions: from nothing to a leader, and what every change does to leader and ISR. One write of a partition's state is under
 * way at most; what happens meanwhile is decided when ZooKeeper has answered.
 *
 *     (absent)                              (state says a leader)
 *        NEW ----- first state written ----------> ONLINE <----------+
 *                                                  |    ^            | elected
 *                                    nobody to lead|    +--ISR, leader written
 *                                                  v                 |
 *                                               OFFLINE -------------+
 *
 * Writes name the version they replace; one that misses is read again and decided anew (S11, S13).
 */
#ifndef KLAMM_TOOLS_CONTROLLER_CTL_PARTITION_H
#define KLAMM_TOOLS_CONTROLLER_CTL_PARTITION_H

#include "tools/controller/ctl_elect.h"
#include "tools/controller/ctl_state.h"

enum ctl_partition_event {
	CTL_ON_CHECK,         /* who is alive changed, or a write ended: is the state still right? */
	CTL_ON_ABSENT,        /* read: there is no state znode */
	CTL_ON_STATE,         /* read: the state that partition->now holds */
	CTL_ON_WRITTEN,       /* the write under way was done */
	CTL_ON_MISSED,        /* it met something unexpected, or its outcome is unknown */
	CTL_ON_FAILED,        /* ZooKeeper refused it */
	CTL_PARTITION_EVENTS,
};

/* One step of the state machine; partition->now holds what was read before CTL_ON_ABSENT and CTL_ON_STATE. */
void ctl_partition_step(struct ctl *ctl, struct ctl_topic *topic, int32_t index, enum ctl_partition_event event);

/* Decides about one partition, all of a topic, all. Nothing happens while loading or while the topic is being deleted. */
void ctl_partition_check(struct ctl *ctl, struct ctl_topic *topic, int32_t index);
void ctl_partition_check_topic(struct ctl *ctl, struct ctl_topic *topic);
void ctl_partition_check_all(struct ctl *ctl);

/* Decides about one for which that was put off while something of it was being written or read. */
void ctl_partition_check_if_due(struct ctl *ctl, struct ctl_topic *topic, struct ctl_partition *partition);

/*
 * Puts into partition->next the leader and members of those that are in another assignment, under the next leader epoch: the leader stays
 * where it may, else the first of the assignment that is eligible. The caller sends the write, with this ticket.
 */
void ctl_partition_begin_move(struct ctl *ctl, struct ctl_topic *topic, struct ctl_partition *partition, const int32_t *replicas,
			      int n_replicas, uint32_t ticket);

/* A state znode was read. */
void ctl_partition_on_read(struct ctl *ctl, struct ctl_topic *topic, const struct ctl_state_read *read);

/*
 * Sends the write of partition->next, which the caller has filled, at the version that is known; none may be under way. What it means when
 * ZooKeeper has answered is the same for all writes: next becomes now, or the state is read again.
 */
void ctl_partition_write(struct ctl *ctl, struct ctl_topic *topic, struct ctl_partition *partition);

/* Puts into partition->next who is eligible beside an ISR whose leader and members are given in `elected`. */
void ctl_partition_fill_eligible(struct ctl *ctl, const struct ctl_topic *topic, struct ctl_partition *partition,
				 struct ctl_elected *elected);

enum ctl_election_by {
	CTL_ELECT_PREFERRED, /* the first replica of the assignment, which is in the ISR */
	CTL_ELECT_UNCLEAN,   /* whoever is eligible, else anybody who is alive; only for partitions without leader */
};

/* The write under way has to end first: ask again then (partition->ticket is 0 and it is not `reading`). */
#define CTL_ELECT_BUSY (-2)

/* A broker tells how far the log of a replica without leader goes; what is out of date is left out. */
void ctl_partition_on_end(struct ctl *ctl, const struct ctl_broker *broker, const struct ctl_replica_end *end);

/*
 * An election that somebody asked for (ElectLeaders, rebalancing). 0: it is being written, and done when partition->now names another leader
 * or the write has ended without that. Else a Kafka error: ELECTION_NOT_NEEDED, PREFERRED_LEADER_NOT_AVAILABLE,
 * ELIGIBLE_LEADERS_NOT_AVAILABLE, NOT_CONTROLLER; or CTL_ELECT_BUSY.
 */
int16_t ctl_partition_elect(struct ctl *ctl, struct ctl_topic *topic, int32_t index, enum ctl_election_by by);

/* A state write ended. */
void ctl_partition_on_written(struct ctl *ctl, struct ctl_topic *topic, const struct ctl_written *written);

/*
 * The topic waits for an operator, or is being deleted: what holds back the news of all others (eligible leaders to be dropped) is let go, and no eligible leader of
 * it counts after that.
 */
void ctl_partition_let_tell(struct ctl *ctl, struct ctl_topic *topic);

/* Something about it is being written or read. */
static inline bool ctl_partition_is_busy(const struct ctl_partition *partition)
{
	const struct ctl_move *move = partition->move;

	return partition->ticket != 0 || partition->reading || (move && (move->writing || move->unknown));
}

/* Has a state that can be told to anyone. */
static inline bool ctl_partition_has_state(const struct ctl_partition *partition)
{
	return !partition->odd && partition->version >= 0;
}

#endif
