/*
 * The leader's part of replica_core: what it knows of its followers, and how far all is committed. Pure.
 *
 *     follower            leader
 *        | Follow           | replica_leader_follow   right epoch, incarnation? do the logs agree? -> open, cut, start anew, wait, refused
 *        | Ack              | replica_leader_ack      ends move; those of a closed handle are dropped
 *        | lost connection  | replica_leader_close
 *        | Ping             | replica_leader_hear     counts for S9
 *     cluster view -------->| replica_leader_list     which incarnation of a broker is alive (KIP-903)
 *
 * The high watermark is the least promised end over the maximal ISR, told in this leader epoch (S3). It stands still while the committed
 * ISR is smaller than its minimum (S3) and while the leader may not serve (S9). One that is about to join holds it, too, but for at most
 * REPLICA_HOLD_MS_MAX and once in a lag time, so that joining under load ends and a slow one cannot hold it up.
 *
 * Caught up is measured by samples of (time, promised end), noted at most each lag time/REPLICA_SAMPLES: a follower was last caught up
 * at the newest sample whose end it has.
 */
#ifndef KLAMM_BROKER_REPLICA_REPLICA_LEADER_CORE_H
#define KLAMM_BROKER_REPLICA_REPLICA_LEADER_CORE_H

#include "broker/log/epoch_cache_core.h"
#include "broker/replica/replica_core.h"

/* A follower asks for the log from its own end on. */
struct replica_follow {
	int32_t id;
	int64_t broker_epoch;
	int32_t leader_epoch;
	int32_t last_epoch; /* leader epoch of its last batch; -1: its log is empty */
	int64_t log_end_offset;
	int64_t durable_end_offset;
	int64_t log_start_offset;
	int64_t unread_ms; /* so long it may have lain there before it was read: what it says counts, as a sign of life it is as old (S9) */
};

enum replica_verdict {
	REPLICA_OPEN,     /* the handle is open; this was its first ack */
	REPLICA_DIVERGED, /* it must cut: divergence tells the largest epoch at or below its own that the leader has, and where that ends */
	REPLICA_RESET,    /* its end lies below log_start_offset: it starts anew there */
	REPLICA_WAIT,     /* it is ahead of what this broker has been told: to be judged again after the next state or view */
	REPLICA_REFUSED,  /* error says why */
};

struct replica_judgement {
	enum replica_verdict verdict;
	int16_t error; /* Kafka error of REPLICA_REFUSED */
	struct log_epoch_end divergence;
	int64_t log_start_offset;
	int64_t high_watermark;
	int64_t epoch_start_offset;
	int64_t closed_handle; /* that it had open until now; a Close of it goes out on its connection, if that is another one: the Follow may
				  be a late one of a connection that was lost, and the follower would wait on the newer one for ever */
};

/*
 * Judges a Follow, which comes from the network. end: where follow->last_epoch ends in this log (log_end_for_epoch). handle: a number
 * that was never used before on this core; it is the follower's when REPLICA_OPEN, and replaces the one it had.
 */
void replica_leader_follow(struct replica_core *core, const struct replica_now *now, const struct replica_follow *follow,
			   struct log_epoch_end end, int64_t handle, struct replica_judgement *ret_judgement,
			   struct replica_actions *ret_actions);

struct replica_ack {
	int32_t id;
	int64_t handle;
	int64_t log_end_offset;
	int64_t durable_end_offset;
	int64_t log_start_offset;
	int64_t unread_ms; /* as of a Follow */
};

enum replica_ack_result {
	REPLICA_ACK_TAKEN,
	REPLICA_ACK_DROPPED, /* of a handle that is closed */
	REPLICA_ACK_INVALID, /* of what the follower cannot have: its handle is closed now */
};

enum replica_ack_result replica_leader_ack(struct replica_core *core, const struct replica_now *now, const struct replica_ack *ack,
					   struct replica_actions *ret_actions);

/* A handle is closed, by either side or with its connection. Its ends stay: what it has acked it still has. */
void replica_leader_close(struct replica_core *core, int32_t id, int64_t handle);

/* A sign of life on the connection of a handle (S9). */
void replica_leader_hear(struct replica_core *core, int32_t id, int64_t handle, int64_t heard_ms);

/* The cluster view lists a broker under this epoch (REPLICA_BROKER_EPOCH_NONE: not alive). Handles of others are closed (KIP-903). */
void replica_leader_list(struct replica_core *core, const struct replica_now *now, int32_t id, int64_t broker_epoch,
			 struct replica_actions *ret_actions);

/* The lowest log start of all replicas that are alive; REPLICA_OFFSET_NONE while one has not told its own. DeleteRecords waits for it. */
int64_t replica_low_watermark(const struct replica_core *core);

/* The end of what every member of the maximal ISR has; REPLICA_OFFSET_NONE while one has not told its own in this epoch (S3). */
int64_t replica_committed_end(const struct replica_core *core);

/* ---- between the files of the core ---- */

/* NULL when there is none. */
struct replica_member *replica_leader_member(const struct replica_core *core, int32_t id);

/* What was told in an older leader epoch counts no more. */
void replica_leader_forget(struct replica_member *member);

/* A leader epoch begins. */
void replica_leader_begin(struct replica_core *core, const struct replica_now *now);

/* The log is about to move: who has all of it was caught up until now. */
void replica_leader_before_move(struct replica_core *core, const struct replica_now *now);

/* Something has changed: high watermark, ISR. Nothing happens unless it leads. */
void replica_leader_settle(struct replica_core *core, const struct replica_now *now, struct replica_actions *actions);

/* Every other member of the committed ISR was heard within a session time-out, and they are enough (S9). */
bool replica_leader_hears_isr(const struct replica_core *core, int64_t now_ms);

int64_t replica_leader_next_ms(const struct replica_core *core, int64_t now_ms);

/* The promised end of a member as told in this epoch; REPLICA_OFFSET_NONE unknown. */
int64_t replica_member_end(const struct replica_core *core, const struct replica_member *member);

/* Follows now, under the incarnation that is alive. */
bool replica_member_follows(const struct replica_member *member);

#endif
