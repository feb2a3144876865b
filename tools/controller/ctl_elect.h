/*
 * Who leads a partition, who stays in its ISR and who else is eligible: the pure election rules (S11, S12, D9; Kafka's strategies, KIP-966).
 * Nothing here knows topics, znodes or brokers, only the replicas of one partition and how each is doing.
 *
 *     ISR, ELR --lost ones struck out--> who is alive in the ISR --else--> alive in the ELR --else--> (unclean) anybody --else--> wait
 *                                             '--> leader, new ISR --> fewer than min.insync.replicas: who left is eligible
 *                                                                  '-> enough: nobody but the ISR is
 *
 * While the ISR is smaller than min.insync.replicas nothing is acknowledged (strict high watermark, S3), so whoever left it since has all
 * that ever was: the eligible leader replicas. Order of choice is always the order of the assignment. A broker that came back under a new
 * incarnation since the state was written (BOUNCED) has what it had, but it may not go on as leader under the old epoch (S7), and it stays in
 * the ISR only when nobody else of the ISR is alive; then it is elected anew with a higher epoch.
 *
 * One that came back without its tail (LOST) is struck out of both. min.insync.replicas M promises a record to survive M - 1 losses: where it
 * is 1, the last one that is left stays eligible, for there is nothing better and nothing else was promised.
 *
 * Who is elected without being eligible is the one whose log has the newest last batch, and of these the longest (KIP-966, unclean recovery), as
 * far as logs are known; else the first that is alive.
 *
 * Kafka removes dying members of the last ISR one by one, so that the accident of order decides who may come back. Here all of an ISR of which
 * nobody is alive stay eligible: each of them holds all that was acknowledged.
 */
#ifndef KLAMM_TOOLS_CONTROLLER_CTL_ELECT_H
#define KLAMM_TOOLS_CONTROLLER_CTL_ELECT_H

#include "common/limits.h"

#include <stdbool.h>
#include <stdint.h>

/* The order matters: each may do all that those before it may. */
enum ctl_member {
	CTL_MEMBER_LOST,     /* alive or not, but without all that it had */
	CTL_MEMBER_DEAD,     /* not registered, unreachable, or this replica's log dir failed */
	CTL_MEMBER_BOUNCED,  /* alive, but under another incarnation than when the state was written */
	CTL_MEMBER_LEAVING,  /* alive, in controlled shutdown */
	CTL_MEMBER_LIVE,
};

/* What is known of a replica's log while there is no leader; both -1: nothing. */
struct ctl_log_end {
	int32_t last_epoch;  /* of its last batch */
	int64_t end_offset;
};

struct ctl_election {
	const int32_t *replicas;                /* assignment, order of preference */
	const enum ctl_member *replica_members; /* how each of them is doing */
	const struct ctl_log_end *replica_ends; /* of each of them; NULL: nothing is known of any */
	int n_replicas;
	const int32_t *isr;                     /* without leader: those of it that are eligible */
	const enum ctl_member *isr_members;
	int n_isr;
	const int32_t *elr;                     /* the others that are eligible */
	const enum ctl_member *elr_members;
	int n_elr;
	const int32_t *lost;                    /* were eligible until they lost something */
	int n_lost;
	const int32_t *shown;                   /* the ISR as it stands in the state */
	int n_shown;
	int32_t leader;                         /* now; -1: none */
	int32_t min_isr;                        /* min.insync.replicas, not above the number of replicas; 0 is 1 */
	bool drops_elr;                         /* the state names an ELR that no longer counts: it has to go */
	bool unclean;                           /* a leader from outside of ISR and ELR is allowed */
};

enum ctl_verdict {
	CTL_KEEP,      /* the state is right as it is */
	CTL_CHANGE,    /* write what is in the result */
	CTL_NOBODY,    /* the strategy finds no leader; nothing is to be written */
};

struct ctl_elected {
	int32_t leader; /* -1: none */
	int n_isr, n_elr, n_lost;
	int32_t isr[LIMIT_REPLICAS];
	int32_t elr[LIMIT_REPLICAS]; /* without leader: all that are eligible */
	int32_t lost[LIMIT_REPLICAS];
	bool unclean;   /* the leader was not eligible: records may be lost */
	bool from_elr;  /* the leader was eligible, but not in the ISR */
	bool new_epoch; /* the leader epoch goes up: another leader, or another incarnation of it */
};

/*
 * The rule for every change of who is alive: keeps a live leader and drops the dead from the ISR; replaces a dead or bounced leader by a live
 * member of the ISR, else of the ELR, else (unclean) by any live replica; else leaves the partition without leader and keeps who is eligible.
 */
enum ctl_verdict ctl_elect_offline(const struct ctl_election *election, struct ctl_elected *ret_elected);

/* The first of the assignment, if it is alive, stays and is in the ISR; the ISR stays. */
enum ctl_verdict ctl_elect_preferred(const struct ctl_election *election, struct ctl_elected *ret_elected);

/* `replicas` are the target replicas: the first that is alive and in the ISR; the ISR stays. */
enum ctl_verdict ctl_elect_reassign(const struct ctl_election *election, struct ctl_elected *ret_elected);

/* Moves the leader away from brokers that are leaving, and takes these from the ISR; as ctl_elect_offline for everything else. */
enum ctl_verdict ctl_elect_controlled_shutdown(const struct ctl_election *election, struct ctl_elected *ret_elected);

/* The first state of a partition: all that are alive (and stay, if any does) are the ISR, the first of them leads. */
enum ctl_verdict ctl_elect_new(const struct ctl_election *election, struct ctl_elected *ret_elected);

/*
 * Who is eligible beside a new ISR that has a leader (D9): nobody when it is large enough, else all that were eligible and are not in it. ISR,
 * ELR and lost ones before are `election`'s; fills elr and lost of the result, whose leader and ISR are given.
 */
void ctl_elect_eligible(const struct ctl_election *election, struct ctl_elected *elected);

bool ctl_contains(const int32_t *ids, int n_ids, int32_t id);

#endif
