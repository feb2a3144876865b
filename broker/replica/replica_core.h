/*
 * One replica of a partition: its role, its marks and everything that is decided about them. Pure: no I/O, clock, memory or trace.
 *
 *     controller's state --> replica_core_become ----> leader | follower | idle; epochs only grow (S6, D1)
 *     append, fsync -------> replica_core_log_moved --.
 *     Follow, Ack, Close --> replica_leader_core.h ---+-> high watermark (S2, S3, D8), who is caught up, who may join or must go
 *     controller's answer -> replica_isr_core.h ------'        '--> struct replica_actions: what the shell has to do
 *     time ----------------> replica_core_tick -------'
 *     Following, Diverged, Reset, Append, Advance --> replica_follower_core.h: where to cut, what to append, own high watermark
 *     a request -----------> replica_may_append, replica_may_read, replica_knows_latest
 *
 * Words: the *promised end* of a replica is its log end, or in topics with fsync-isr its durable end, which then stands for the log end
 * in every rule (D8). The *committed* ISR is what the controller has written; the *maximal* ISR is that and what a proposal under way
 * adds; one that it removes still counts.
 *
 * Rules kept here, each with a test of its name: S2 S3 S4 S6 S7 S9 S10 S11, D3 D4 D8, KIP-101 279 320 497 841 903 966.
 *
 * Threads: the partition's owner. Memory: the core itself and the members' array belong to the caller (replica_core_give_room).
 */
#ifndef KLAMM_BROKER_REPLICA_REPLICA_CORE_H
#define KLAMM_BROKER_REPLICA_REPLICA_CORE_H

#include "common/limits.h"

#include <stdbool.h>
#include <stdint.h>

#define REPLICA_LEADER_NONE (-1)
#define REPLICA_EPOCH_NONE (-1)
#define REPLICA_OFFSET_NONE INT64_C(-1) /* not told in this leader epoch */
#define REPLICA_HANDLE_NONE INT64_C(-1)
#define REPLICA_BROKER_EPOCH_NONE INT64_C(-1) /* not alive, or not known */
#define REPLICA_NEVER (INT64_MIN / 4) /* before every time */
#define REPLICA_NOT_SOON INT64_MAX

/* How long a replica that is about to join may hold the high watermark, and how long one that was refused is not proposed. */
#define REPLICA_HOLD_MS_MAX 1000
#define REPLICA_PROPOSE_AGAIN_MS 500

/* The log end is noted this many times in a lag time, at most; so much finer is "caught up at". */
#define REPLICA_SAMPLES 32

enum replica_role {
	REPLICA_IDLE, /* no state from a controller yet, resigned, or not one of the replicas */
	REPLICA_FOLLOWER,
	REPLICA_LEADER,
};

/* The moment of a call. */
struct replica_now {
	int64_t ms;           /* monotonic */
	int64_t lease_end_ms; /* of the broker's ZooKeeper session (zk/lease.h) */
};

/* What a controller says of a partition. */
struct replica_state {
	int32_t leader;
	int32_t leader_epoch;
	int32_t partition_epoch;
	bool recovering; /* the leader was elected uncleanly by an operator's leave: records may be lost (KIP-966) */
	const int32_t *replicas;
	int32_t n_replicas;
	const int32_t *isr;
	int32_t n_isr;
};

/* What the topic's and the broker's configuration say. */
struct replica_rules {
	bool durable_counts;  /* fsync-isr */
	bool unclean_allowed; /* unclean.leader.election.enable: a follower may be told to cut below its high watermark */
	int32_t min_isr;      /* min.insync.replicas; counts as the number of replicas where that is less */
	int64_t lag_ms_max;   /* replica.lag.time.max.ms */
	int64_t session_ms;   /* the ZooKeeper session's time-out */
};

/* A replica as its leader sees it; ends are those told in this leader epoch. */
struct replica_member {
	int32_t id;
	bool in_isr;           /* committed */
	bool in_proposal;      /* of the proposal under way */
	int64_t proposed_epoch; /* its incarnation then, which an asking again may not renew (KIP-903) */
	int64_t listed_epoch;  /* broker epoch by the cluster view */
	int64_t broker_epoch;  /* incarnation that last followed in this leader epoch */
	int64_t handle;        /* open now */
	int64_t log_end_offset;
	int64_t durable_end_offset;
	int64_t log_start_offset;
	int64_t caught_up_ms;  /* when it last had all that the leader had */
	int64_t heard_ms;      /* last sign of life on a handle of this epoch */
	int64_t hold_from_ms;  /* since when it holds the high watermark, or last did */
	int64_t join_from_ms;  /* it is not proposed before: the controller did not let it in */
};

struct replica_sample {
	int64_t ms;
	int64_t end_offset; /* promised end of the leader then */
};

enum replica_proposal_stage {
	REPLICA_PROPOSAL_NONE,
	REPLICA_PROPOSAL_SENT,
	REPLICA_PROPOSAL_UNKNOWN, /* no answer came: the same is sent again at again_ms */
	REPLICA_PROPOSAL_HELD,    /* refused as out of date: counts until a newer state comes */
};

enum replica_follow_stage {
	REPLICA_FOLLOW_NONE,  /* a Follow is to be sent */
	REPLICA_FOLLOW_ASKED,
	REPLICA_FOLLOW_OPEN,  /* a handle is open */
	REPLICA_FOLLOW_STUCK, /* the leader's log contradicts what is committed here (S10): waits for another leader epoch */
};

struct replica_core {
	int32_t broker;
	enum replica_role role;
	struct replica_rules rules;
	/* From the controller's state. */
	int32_t leader;
	int32_t leader_epoch;
	int32_t partition_epoch;
	bool recovering;
	int32_t n_replicas;
	int32_t n_isr;
	struct replica_member *members; /* replicas and ISR, this one too */
	int32_t n_members;
	int32_t n_members_max;
	/* Of the log. */
	int64_t log_start_offset;
	int64_t log_end_offset;
	int64_t durable_end_offset;
	int64_t high_watermark;
	int64_t epoch_start_offset; /* the leader's log end when its leadership began */
	/* Leader. */
	struct replica_sample samples[REPLICA_SAMPLES + 1];
	int32_t n_samples;
	int32_t newest_sample;
	bool below_min_isr;
	enum replica_proposal_stage proposal_stage;
	int64_t proposal_number; /* of the last proposal */
	int64_t again_ms;        /* no proposal before */
	/* Follower. */
	enum replica_follow_stage follow_stage;
	int64_t follow_handle;
	int64_t leader_high_watermark; /* as it was last told in this leader epoch; nothing is decided by it */
};

/* What the shell has to do after a call. Every call sets all of it. */
struct replica_actions {
	bool high_watermark_moved; /* end parked acks that it has passed, fire watches, tell followers */
	bool acks_failed;          /* the ISR fell below its minimum: what is parked above the high watermark ends with
				      NOT_ENOUGH_REPLICAS_AFTER_APPEND (S2) */
	bool propose;              /* send replica_isr_proposal to the controller */
	bool follow;               /* ask the leader (replica_follower_ask) */
};

/* A replica that is told nothing yet; its high watermark is what was last checkpointed, held between log start and log end. */
void replica_core_init(struct replica_core *core, int32_t broker, int64_t log_start_offset, int64_t log_end_offset,
		       int64_t durable_end_offset, int64_t high_watermark);

/* How many members a state asks room for. */
static inline int32_t replica_members_of(const struct replica_state *state)
{
	return state->n_replicas + state->n_isr;
}

/* Memory for members, which holds those there were (as from realloc). Before a state that asks for more. */
void replica_core_give_room(struct replica_core *core, struct replica_member *members, int32_t n_members_max);

/* New rules. A mode that is changed never lowers a high watermark. */
void replica_core_configure(struct replica_core *core, const struct replica_now *now, const struct replica_rules *rules,
			    struct replica_actions *ret_actions);

enum replica_change {
	REPLICA_UNCHANGED, /* the same state again */
	REPLICA_STALE,     /* an older leader epoch, or the same with an older partition epoch: nothing done */
	REPLICA_INVALID,   /* makes no sense (leader not in the ISR, an id twice, too many, two leaders of one epoch): nothing done */
	REPLICA_UPDATED,   /* same leader epoch, newer ISR */
	REPLICA_NEW_EPOCH, /* role may have changed; every handle is closed */
};

/* Takes a controller's state. The shell begins the epoch in its log before anything is appended (D4). */
enum replica_change replica_core_become(struct replica_core *core, const struct replica_now *now, const struct replica_state *state,
					struct replica_actions *ret_actions);

/* Forgets leadership (session lost, log dir failed, replica stopped); handles are closed. */
void replica_core_resign(struct replica_core *core);

/* The log has new marks. A durable end never counts beyond the log end. */
void replica_core_log_moved(struct replica_core *core, const struct replica_now *now, int64_t log_start_offset, int64_t log_end_offset,
			    int64_t durable_end_offset, struct replica_actions *ret_actions);

/* Time has passed; due at replica_core_next_ms and when the broker's lease ends or is renewed. */
void replica_core_tick(struct replica_core *core, const struct replica_now *now, struct replica_actions *ret_actions);
int64_t replica_core_next_ms(const struct replica_core *core, int64_t now_ms);

/* ---- questions ---- */

/* Leads and may say so: its lease holds, or all of an ISR that is large enough has been heard within a session time-out (S9). */
bool replica_serves(const struct replica_core *core, const struct replica_now *now);

/* Kafka error: 0, NOT_LEADER_OR_FOLLOWER, NOT_ENOUGH_REPLICAS (acks -1 below min ISR). */
int16_t replica_may_append(const struct replica_core *core, const struct replica_now *now, int16_t acks);

/*
 * Kafka error for a request that believes in leader epoch `current_epoch` (-1: does not say) and wants the leader:
 * 0, NOT_LEADER_OR_FOLLOWER, FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH.
 */
int16_t replica_may_read(const struct replica_core *core, const struct replica_now *now, int32_t current_epoch);

/*
 * The same where a follower may answer, too (KIP-392): it tells what it knows to be committed, and a reader that it cannot serve goes to the
 * leader.
 */
int16_t replica_may_read_here(const struct replica_core *core, const struct replica_now *now, int32_t current_epoch);

/* May "latest" be told? False while a new leader's high watermark has not reached its epoch start (S4, D4). */
bool replica_knows_latest(const struct replica_core *core);

/* min.insync.replicas, but never more than there are replicas. */
int32_t replica_min_isr(const struct replica_core *core);

/* The promised end of this replica (D8). */
int64_t replica_promised_end(const struct replica_core *core);

#endif
