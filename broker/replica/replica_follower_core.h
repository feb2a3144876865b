/*
 * The follower's part of replica_core: the dialogue with its leader. Pure.
 *
 *        follower                                    leader
 *     NONE  | replica_follower_ask    --- Follow ----> |
 *     ASKED | replica_follower_opened <-- Following -- |   handle, high watermark, epoch start
 *           | replica_follower_cut    <-- Diverged --- |   cut, and ask again until both agree (KIP-101, 279, 320)
 *           | replica_follower_cut    <-- Reset ------ |   own end lies below the leader's log start: start anew there
 *     OPEN  | replica_follower_may_append <-- Append - |   from, epochs; the shell has checked the CRC of each batch (D5)
 *           | replica_follower_advance    <-- Append, Advance   high watermark = min(leader's, own log end), never down; log start
 *           |                         --- Ack -------> |   log end, durable end, log start (of struct replica_core)
 *     NONE  | replica_follower_closed <-- Close -----> |   or the connection is lost, or another leader epoch came
 *
 * Nothing is cut on becoming a follower, and never below the own high watermark (S10): a leader that asks for that contradicts what was
 * committed, so the replica waits for another leader epoch (STUCK), unless the operator has allowed unclean elections or this leader is one.
 * Answers of another leader epoch, or to a question that was not asked, are dropped.
 */
#ifndef KLAMM_BROKER_REPLICA_REPLICA_FOLLOWER_CORE_H
#define KLAMM_BROKER_REPLICA_REPLICA_FOLLOWER_CORE_H

#include "broker/log/epoch_cache_core.h"
#include "broker/replica/replica_core.h"
#include "broker/replica/replica_leader_core.h"

/*
 * What is to be asked of core->leader. last_epoch: leader epoch of the last batch of the log (not the newest entry of the epoch cache, which
 * may have no batch); -1 for an empty one. False: nothing is to be asked now.
 */
bool replica_follower_ask(struct replica_core *core, int64_t broker_epoch, int32_t last_epoch, struct replica_follow *ret_follow);

enum replica_follow_result {
	REPLICA_FOLLOW_TAKEN,
	REPLICA_FOLLOW_DROPPED, /* not of this epoch, or of a handle that is closed: nothing done */
	REPLICA_FOLLOW_INVALID, /* the leader says what cannot be: nothing done; close the handle and ask again after a while */
};

/* Following. The first ack was the question. The marks that came with it are taken by replica_follower_advance next. */
enum replica_follow_result replica_follower_opened(struct replica_core *core, int32_t leader_epoch, int64_t handle,
						   int64_t epoch_start_offset);

enum replica_cut {
	REPLICA_CUT_TO,      /* drop all from *ret_offset on, tell replica_core_log_moved, and ask again */
	REPLICA_CUT_ALL,     /* drop everything; the next offset is *ret_offset; then the same */
	REPLICA_CUT_STUCK,   /* S10 */
	REPLICA_CUT_DROPPED, /* as REPLICA_FOLLOW_DROPPED */
	REPLICA_CUT_INVALID, /* as REPLICA_FOLLOW_INVALID */
};

/* Diverged. own_end: where divergence.epoch ends in the own log, and the largest epoch at or below it there (log_end_for_epoch). */
enum replica_cut replica_follower_diverged(struct replica_core *core, int32_t leader_epoch, struct log_epoch_end divergence,
					   struct log_epoch_end own_end, int64_t *ret_offset);

/* Reset. */
enum replica_cut replica_follower_reset(struct replica_core *core, int32_t leader_epoch, int64_t log_start_offset, int64_t *ret_offset);

/* Batches of an Append, whose CRC is right, whose base offsets ascend without overlap and whose epochs do not fall. */
struct replica_batches {
	int64_t from;        /* the log end that the leader believes in */
	int64_t base_offset; /* of the first */
	int64_t end_offset;  /* behind the last */
	int32_t first_epoch;
	int32_t last_epoch;
};

/* last_epoch: of the own last batch, -1 none. TAKEN: append them. */
enum replica_follow_result replica_follower_may_append(const struct replica_core *core, int64_t handle, const struct replica_batches *batches,
						       int32_t last_epoch);

/* The leader's marks, as every frame but Close brings them. */
struct replica_leader_marks {
	int64_t high_watermark;
	int64_t log_start_offset;
};

/*
 * The marks of a Following, an Append (after what it brought is in the log) or an Advance. *ret_log_start: where the log has to start from now on.
 * INVALID also when the leader's log start has passed the own end: it will answer the next question by Reset.
 */
enum replica_follow_result replica_follower_advance(struct replica_core *core, int64_t handle, const struct replica_leader_marks *marks,
						    int64_t *ret_log_start, struct replica_actions *ret_actions);

/* The handle is closed or the connection lost (REPLICA_HANDLE_NONE: whatever there was); true when it is to be asked again after a while. */
bool replica_follower_closed(struct replica_core *core, int64_t handle);

#endif
