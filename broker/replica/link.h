/*
 * One dialled connection to a worker of a leader, and the partitions that follow over it.
 *
 *     dial -> Hello -> open: every member asks ----- FOLLOW (all that ask in a turn) ----->
 *                                              <---- FOLLOWING -----------------------------  partition_follow_answered
 *                                              <---- APPEND, ADVANCE -----------------------  partition_follow_append, _advance
 *                       members that moved ---------- ACK (all that moved in a turn) ------->
 *                                              <---- CLOSE, or link_close_handle ---------->  asked again after a pause
 *     lost -> every member is told (partition_follow_lost) -> dialled again after a pause that grows from 50 ms to 1 s, with jitter
 *
 * A member in trouble pauses by itself: the connection and the other members go on. What a leader sends is not trusted: sizes are bounded, handles
 * are looked up, and a frame that cannot be read ends the connection.
 *
 * The shard's thread alone. Memory: the member is part of its partition.
 */
#ifndef KLAMM_BROKER_REPLICA_LINK_H
#define KLAMM_BROKER_REPLICA_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include <uthash.h>

struct link;

/* What a member waits for. */
enum link_wait {
	LINK_WAITS_NOT,
	LINK_WAITS_TO_ASK, /* in the next FOLLOW */
	LINK_WAITS_TO_ACK, /* in the next ACK */
	LINK_PAUSES,       /* until again_ms, then it asks, or cuts */
};

/* A leader's answer that the log has to be cut for. */
struct link_cut {
	bool is_due;
	bool anew; /* Reset: start anew at leader_start_offset; else Diverged */
	int32_t leader_epoch;
	int32_t diverged_epoch;
	int64_t diverged_end_offset;
	int64_t leader_start_offset;
};

/* A partition's place; embedded in the partition as `follow`. Zero: follows nobody. */
struct link_member {
	bool wanted;                           /* between links_follow and links_leave */
	struct link *link;                     /* NULL: its leader cannot be dialled by the view */
	struct link_member *prev, *next;       /* utlist: of the link, or of those without one */
	enum link_wait waits;
	struct link_member *wait_prev, *wait_next; /* utlist: of those that wait for the same */
	int64_t again_ms;
	struct link_cut cut; /* while it pauses for it */
	int64_t pause_ms; /* the last one; 0: none since something went well */
	int64_t handle;   /* with is_open */
	bool is_open;
	bool is_throttled; /* by its topic's configuration */
	UT_hash_handle hh; /* of the link's open handles */
	/* What the leader has been told last on this handle. */
	int64_t told_end_offset;
	int64_t told_durable_offset;
	int64_t told_start_offset;
};

/* Asks soon: at the end of the turn, or when the connection is there. A handle that it had is forgotten. */
void link_ask(struct link_member *member);

/* The same after a pause, which grows each time until link_went_well. */
void link_ask_later(struct link_member *member);

/* The same after this pause. */
void link_ask_after(struct link_member *member, int64_t pause_ms);

/* What it may pause for is over: it asks, unless it is to cut first. */
void link_pause_no_more(struct link_member *member);

/*
 * The log is cut for this answer soon (partition_follow_cut). To cut may be to read much (producers are counted anew), and many partitions have to at
 * once after a failover: they share the loop with all else that it does.
 */
void link_cut_soon(struct link_member *member, const struct link_cut *cut);

/* The leader has given it a handle. False: that is another partition's, and nothing is done. */
bool link_open_handle(struct link_member *member, int64_t handle);

/* Its marks go out at the end of the turn. */
void link_ack(struct link_member *member);

/* Tells the leader that nothing more is wanted on its handle, if it has one. error: Kafka error, 0 none. */
void link_close_handle(struct link_member *member, int16_t error);

/* The handle is not its own any more; the leader knows. */
void link_forget_handle(struct link_member *member);

/* The next pause is a short one again. */
void link_went_well(struct link_member *member);

#endif
