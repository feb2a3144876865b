/*
 * Who leads a partition and who stays in its ISR: the pure election rules (S11, S12; Kafka's strategies, with one difference
 * named below). Nothing here knows topics, znodes or brokers, only the replicas of one partition and how each is doing.
 *
 * Order of choice is always the order of the assignment. A broker that came back under a new incarnation since the state was
 * written (BOUNCED) is alive, but it may not go on as leader under the old epoch (S7), and it stays in the ISR only when nobody
 * else of the ISR is alive; then it is elected anew with a higher epoch.
 *
 * Kafka removes dying members of the last ISR one by one, so that the accident of order decides who may come back. Here an
 * ISR of which nobody is alive is kept as it is, without a leader: all of its members hold all that was acknowledged.
 */
#ifndef KLAMM_TOOLS_CONTROLLER_CTL_ELECT_H
#define KLAMM_TOOLS_CONTROLLER_CTL_ELECT_H

#include "common/limits.h"

#include <stdbool.h>
#include <stdint.h>

enum ctl_member {
	CTL_MEMBER_DEAD,     /* not registered, unreachable, or this replica's log dir failed */
	CTL_MEMBER_BOUNCED,  /* alive, but under another incarnation than when the state was written */
	CTL_MEMBER_LEAVING,  /* alive, in controlled shutdown */
	CTL_MEMBER_LIVE,
};

struct ctl_election {
	const int32_t *replicas;                /* assignment, order of preference */
	const enum ctl_member *replica_members; /* how each of them is doing */
	int n_replicas;
	const int32_t *isr;
	const enum ctl_member *isr_members;
	int n_isr;
	int32_t leader;                         /* now; -1: none */
	bool unclean;                           /* a leader from outside of the ISR is allowed */
};

enum ctl_verdict {
	CTL_KEEP,      /* the state is right as it is */
	CTL_CHANGE,    /* write what is in the result */
	CTL_NOBODY,    /* the strategy finds no leader; nothing is to be written */
};

struct ctl_elected {
	int32_t leader; /* -1: none */
	int n_isr;
	int32_t isr[LIMIT_REPLICAS];
	bool unclean;   /* the leader was not in the ISR: records may be lost */
};

/*
 * The rule for every change of who is alive: keeps a live leader and drops the dead from the ISR; replaces a dead or bounced
 * leader by a live member of the ISR, else (unclean) by any live replica; else leaves the partition without leader and keeps the ISR.
 */
enum ctl_verdict ctl_elect_offline(const struct ctl_election *election, struct ctl_elected *ret_elected);

/* The first of the assignment, if it is alive and in the ISR; the ISR stays. */
enum ctl_verdict ctl_elect_preferred(const struct ctl_election *election, struct ctl_elected *ret_elected);

/* `replicas` are the target replicas: the first that is alive and in the ISR; the ISR stays. */
enum ctl_verdict ctl_elect_reassign(const struct ctl_election *election, struct ctl_elected *ret_elected);

/* Moves the leader away from brokers that are leaving, and takes these from the ISR. */
enum ctl_verdict ctl_elect_controlled_shutdown(const struct ctl_election *election, struct ctl_elected *ret_elected);

/* The first state of a partition: all that are alive (and stay, if any does) are the ISR, the first of them leads. */
enum ctl_verdict ctl_elect_new(const struct ctl_election *election, struct ctl_elected *ret_elected);

bool ctl_contains(const int32_t *ids, int n_ids, int32_t id);

#endif
