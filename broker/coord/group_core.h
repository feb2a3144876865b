/*
 * One consumer group as its coordinator sees it: who is in it, which generation it is in, and everything that is decided about
 * that. Pure: no I/O, clock, memory, chance or trace. The rules are Kafka's for the classic protocol (kafka.md 6.2; KIP-62 134
 * 345 389 394 559 814).
 *
 *     JoinGroup ------> group_core_join ------.                     .-> struct group_actions: whom to answer, what to free,
 *     SyncGroup ------> group_core_sync ------+                     |   whether to append the group's record
 *     LeaveGroup -----> group_core_leave -----+--> struct group_core
 *     outcome of the -> group_core_stored ----+                     '-> error codes: Heartbeat, OffsetCommit, DeleteGroups
 *       append
 *     time -----------> group_core_tick ------+
 *     the log --------> group_core_install ---'
 *
 *                  a member joins                all have joined, or time is up
 *          EMPTY ------------------> PREPARING ------------------------------------> COMPLETING
 *            ^                       |   ^   ^                                         |    |
 *            |                       |   |   |  a join that says something new,        |    |
 *            |  nobody is left       |   |   |  a leave, an expiry, a sync that did    |    |  the leader's assignments
 *            `-----------------------'   |   |  not come, a store that failed          |    |  are stored
 *                                        |   `-----------------------------------------'    v
 *                                        `----------------------------------------------- STABLE
 *                                           a join that changes something, a leave, an expiry, a sync that did not come
 *
 *          any of them ---- unloaded; EMPTY also ---- deleted ----> DEAD
 *
 * Words: a request is *parked* while it waits for others; its opaque pointer is the shell's. A member is *new* until its first
 * generation has been told. A *pending id* was told to a client (MEMBER_ID_REQUIRED) that has not joined with it yet. A *store*
 * is an append of the group's record; its outcome may come late, but it comes, since a generation waits for it.
 *
 * Rules kept here, each with a test of its name: G1, L6, D13, and each sentence of kafka.md 6.2 about members.
 *
 * How the shell works: it makes one call, then works off all of struct group_actions (answers first, in order; then the record;
 * then what is to be freed) before the next call on the same group. Everything in an answer is valid until then.
 *
 * Threads: the group's owner. Memory: the core, the members and their bytes are the shell's (group_core_join says when they
 * change hands).
 */
#ifndef KLAMM_BROKER_COORD_GROUP_CORE_H
#define KLAMM_BROKER_COORD_GROUP_CORE_H

#include "common/limits.h"
#include "common/slice.h"

#include <stdbool.h>
#include <stdint.h>

#define GROUP_GENERATION_NONE (-1)
#define GROUP_NEVER INT64_MAX /* no deadline */
#define GROUP_STORE_NONE INT64_C(0)
#define GROUP_TIMESTAMP_NONE INT64_C(-1) /* a record of version 0 or 1 does not say when its state began */

/* A new member's JoinGroup waits this long at most, whatever its session timeout is. */
#define GROUP_NEW_MEMBER_MS 300000

/* The protocol type that says that metadata are subscriptions to topics (consumer_protocol_subscription.api). */
#define GROUP_CONSUMER_TYPE "consumer"

/* The moment of a call. */
struct group_now {
	int64_t ms;      /* monotonic */
	int64_t wall_ms; /* since 1970: for the time a state began, which is written to the log */
};

/* What the broker's configuration says; the core points to it. */
struct group_rules {
	int32_t members_max;      /* group.max.size; LIMIT_GROUP_MEMBERS bounds it, too */
	int32_t session_ms_min;   /* group.min.session.timeout.ms */
	int32_t session_ms_max;   /* group.max.session.timeout.ms */
	int32_t initial_delay_ms; /* group.initial.rebalance.delay.ms */
};

enum group_state {
	GROUP_EMPTY,      /* no members; it may have offsets */
	GROUP_PREPARING,  /* joins are collected */
	GROUP_COMPLETING, /* the generation is told, the assignments are awaited */
	GROUP_STABLE,
	GROUP_DEAD, /* nothing can be done with it any more; the shell forgets it */
};

/* A way to share out the work that a member offers, best first. */
struct group_protocol {
	struct slice name;
	struct slice metadata;
};

/* A name the group keeps by itself, since the members that brought it go. */
struct group_name {
	bool present;
	uint16_t len;
	uint8_t bytes[LIMIT_GROUP_NAME_BYTES];
};

/* The answer to a JoinGroup; as it is, every field is what goes on the wire (where the version has it). */
struct group_join_answer {
	void *request; /* NULL: no answer is due */
	int16_t error;
	int32_t generation;         /* GROUP_GENERATION_NONE on errors */
	struct slice protocol_type; /* null on errors, likewise the next */
	struct slice protocol;
	struct slice leader; /* empty on errors; with a version below 9 it may be a leader that is no more */
	struct slice member_id;
	bool skip_assignment;
	bool has_members; /* all of group->members go with it, in their order: id, instance id, group_core_metadata */
};

/* The answer to a SyncGroup; on errors null, null and empty. */
struct group_sync_answer {
	void *request; /* NULL: no answer is due */
	int16_t error;
	struct slice protocol_type;
	struct slice protocol;
	struct slice assignment;
};

struct group_member {
	/* Set by the shell before a join or an install; the bytes live as long as the member. */
	struct slice id;
	struct slice instance_id; /* null: a dynamic member */
	struct slice client_id;
	struct slice client_host; /* "/127.0.0.1" */
	int32_t session_ms;
	int32_t rebalance_ms; /* below 0: as session_ms */
	const struct group_protocol *protocols;
	int32_t n_protocols;
	struct slice assignment; /* set by install, else the core's; bytes of the group's block, or empty */
	size_t bytes;            /* the shell's: its memory with all that it points to */

	/* The core's; zeroed by the shell. Parked requests first, as the shell handed them in. */
	void *join; /* parked JoinGroup */
	void *sync; /* parked SyncGroup */
	struct group_join_answer join_answer;
	struct group_sync_answer sync_answer;
	struct group_member *next_answered; /* list of actions */
	struct group_member *next_freed;    /* list of actions */
	struct group_member *prev, *next;   /* utlist, of members or of pending ids */
	int64_t answered_call;              /* the call whose answers these are */
	uint32_t id_hash;
	bool is_new;                   /* no generation was told to it yet */
	bool sync_awaited;             /* it was told a generation and has not asked for its assignment */
	bool skip_told;                /* its parked join is of version 9 or above */
	int64_t deadline_ms;           /* of its session (a new member: of its join; a pending id: of that) */
	int64_t store_id;              /* store that its parked join waits for, GROUP_STORE_NONE else */
	struct group_member *replaced; /* whom it replaces as a static member as soon as that store has succeeded */
};

struct group_core {
	const struct group_rules *rules;
	enum group_state state;
	int64_t state_wall_ms;           /* when the state began; GROUP_TIMESTAMP_NONE */
	int32_t generation;              /* 0: none yet */
	struct group_name protocol_type; /* absent: a group that only commits offsets */
	struct group_name protocol;      /* absent: no generation with members yet, or an empty one */
	struct group_member *leader;     /* NULL: no members */
	struct group_member *members;    /* utlist, in the order they came in */
	int32_t n_members;
	int32_t n_joined; /* of them, with a parked join */
	int32_t n_sync_awaited;
	struct group_member *pending; /* utlist: pending ids; only id and deadline count */
	int32_t n_pending;
	int64_t metadata_bytes; /* of all protocols of members and pending ids */
	void *block;            /* the shell's memory with the assignments' bytes */
	/* The rebalance under way. */
	bool initial_delay;      /* the first joins of an empty group: waits, even if all known have joined */
	bool initial_joined;     /* somebody came since the delay began */
	int64_t initial_left_ms; /* how long it may be extended by */
	int64_t join_deadline_ms;
	int64_t sync_deadline_ms; /* who has not asked for its assignment by then is removed */
	/* Stores. */
	int64_t last_store_id;
	int64_t sync_store_id; /* of the assignments of this generation, GROUP_STORE_NONE: not under way */
	int64_t n_calls;
	int64_t due_ms; /* no deadline is earlier */
};

/*
 * What the shell has to do after a call. Every call sets all of it.
 *
 * Answers: walk `answered` by next_answered; a member has a join_answer, a sync_answer or both (request not NULL). Then sync,
 * the answer to the SyncGroup of this call. Each request handed in is answered exactly once, by the call that took it or a
 * later one.
 */
struct group_actions {
	struct group_member *answered; /* may hold members that are to be freed, too */
	struct group_member *last_answered;
	struct group_sync_answer sync;
	int64_t store_id; /* not GROUP_STORE_NONE: append the group's record as the group is now, and tell group_core_stored */
	bool generation_told;       /* a rebalance has ended (a figure for metrics) */
	struct group_member *freed; /* by next_freed: theirs no more */
	void *freed_block;          /* NULL: none */
};

/* ---- Life ---- */

/* A group without members. Its state begins now. */
void group_core_init(struct group_core *group, const struct group_rules *rules, const struct group_now *now);

/* What the group's newest record in the log says. */
struct group_loaded {
	struct slice protocol_type; /* null or empty: none */
	int32_t generation;
	struct slice protocol; /* null: none */
	struct slice leader;   /* null: none */
	int64_t state_wall_ms;
	struct group_member
		*members; /* by next, in the record's order; each with one protocol: that of the group, with its subscription */
	void *block;      /* of the assignments; NULL: none */
};

/*
 * Takes a record into a group that was just initialised. Sessions begin anew; a group with more members than it may have
 * rebalances. False: the record makes no sense (a member or an instance twice, members without protocol, a name that is too
 * long, a negative generation): the group is left without members. Members and block are the core's in any case; what it does
 * not keep stands in the actions.
 */
bool group_core_install(struct group_core *group, const struct group_now *now, const struct group_loaded *loaded,
			struct group_actions *ret_actions);

/* The partition is led no more: everything parked ends with NOT_COORDINATOR, all members are freed, the group is DEAD. */
void group_core_unload(struct group_core *group, struct group_actions *ret_actions);

/* DeleteGroups, and expiry of a group without offsets: 0 and DEAD (a tombstone is due where generation > 0), NON_EMPTY_GROUP,
 * GROUP_ID_NOT_FOUND. */
int16_t group_core_delete(struct group_core *group, struct group_actions *ret_actions);

/* ---- Requests ---- */

/* Asked before a group is made for a join: 0 or INVALID_SESSION_TIMEOUT. */
int16_t group_core_session_error(const struct group_rules *rules, int32_t session_ms);

struct group_join {
	/*
	 * Who wants to join, filled in and otherwise zero. The core owns it from here on: it becomes a member or a pending id,
	 * or it stands in the actions' freed list, at once or later.
	 */
	struct group_member *member;
	bool id_is_new;   /* the request named no member id: member->id is one that the shell has made up */
	bool id_required; /* version 4 and above: a new dynamic member is sent away with its id (KIP-394) */
	bool knows_skip;  /* version 9 and above: a static leader can be told to skip the assignment (KIP-814) */
	struct slice protocol_type;
	void *request;
};

/*
 * A JoinGroup; the session timeout is judged already, and the reason is for the shell's trace. Its answer stands in the actions
 * of this call or of a later one. A join that is parked and superseded by another of the same member ends with
 * REBALANCE_IN_PROGRESS. A static member that joins again by its id alone is a dynamic one from then on.
 */
void group_core_join(struct group_core *group, const struct group_now *now, const struct group_join *join,
		     struct group_actions *ret_actions);

struct group_assignment {
	struct slice member_id;
	struct slice assignment;
};

struct group_sync {
	int32_t generation;
	struct slice member_id;
	struct slice instance_id;   /* null: not said */
	struct slice protocol_type; /* null: not said, likewise the next */
	struct slice protocol;
	const struct group_assignment *assignments; /* the slices of bytes point into the block */
	int32_t n_assignments;
	void *block; /* NULL without assignments; the core's from here on, until it stands in the actions */
	void *request;
};

/* A SyncGroup: the answer stands in the actions of this call (sync) or of a later one (answered). */
void group_core_sync(struct group_core *group, const struct group_now *now, const struct group_sync *sync,
		     struct group_actions *ret_actions);

/* Who says so, and of which generation. */
struct group_caller {
	int32_t generation;
	struct slice member_id;
	struct slice instance_id; /* null: not said */
};

/* A Heartbeat: its Kafka error. group NULL: there is none. */
int16_t group_core_heartbeat(struct group_core *group, const struct group_now *now, const struct group_caller *caller);

/*
 * One member of a LeaveGroup: its Kafka error. By member id, or with an empty one by instance id. Joins and syncs of who leaves
 * end with UNKNOWN_MEMBER_ID. group NULL: there is none.
 */
int16_t group_core_leave(struct group_core *group, const struct group_now *now, struct slice member_id,
			 struct slice instance_id, struct group_actions *ret_actions);

/*
 * May these offsets be committed? 0 or a Kafka error for all of them; a commit of a member counts as a heartbeat. group NULL:
 * there is none, and 0 means that one is to be made (group_core_init). in_txn: TxnOffsetCommit, which may come without member
 * and generation.
 */
int16_t group_core_commit(struct group_core *group, const struct group_now *now, const struct group_caller *caller,
			  bool in_txn);

/* ---- The log and time ---- */

/*
 * The outcome of a store: 0 or what group_core_store_error makes of the append's error. Numbers of stores count from
 * group_core_init. One that the group has gone beyond changes nothing, and so does one that is told twice.
 */
void group_core_stored(struct group_core *group, const struct group_now *now, int64_t store_id, int16_t error,
		       struct group_actions *ret_actions);

/* What members are told when an append of the group's record ends with this Kafka error. */
int16_t group_core_store_error(int16_t append_error);

/* Time has passed; due at group_core_next_ms, an earlier one does no harm. */
void group_core_tick(struct group_core *group, const struct group_now *now, struct group_actions *ret_actions);

/* When the next tick is due, GROUP_NEVER without any; to be asked after every call but a heartbeat and a commit, which only put
 * it off. */
int64_t group_core_next_ms(const struct group_core *group);

/* ---- Questions ---- */

/* "PreparingRebalance", as DescribeGroups and ListGroups spell it. */
const char *group_core_state_name(enum group_state state);

/* NULL: none of this id. */
struct group_member *group_core_member(const struct group_core *group, struct slice id);

/* What a member said to the group's protocol; empty where there is none. Goes into the leader's answer, the record, and
 * DescribeGroups. */
struct slice group_core_metadata(const struct group_core *group, const struct group_member *member);

/* Null when absent. The bytes are the group's. */
struct slice group_core_name(const struct group_name *name);

/* DescribeGroups tells protocol, metadata and assignments only of a stable group; of others empty ones. */
static inline bool group_core_tells_assignments(const struct group_core *group)
{
	return group->state == GROUP_STABLE;
}

/* Which offsets may expire, and from when their time counts. */
enum group_expiry {
	GROUP_EXPIRY_NONE,
	GROUP_EXPIRY_SINCE_EMPTY,  /* all, since state_wall_ms (GROUP_TIMESTAMP_NONE: since their commit) */
	GROUP_EXPIRY_SINCE_COMMIT, /* all, each since its commit */
	GROUP_EXPIRY_UNSUBSCRIBED, /* those of topics that no member subscribes to, each since its commit; none where
				      subscriptions cannot be read */
};
enum group_expiry group_core_expiry(const struct group_core *group);

/*
 * OffsetDelete: 0 (all may go), GROUP_SUBSCRIBED_TO_TOPIC (those of subscribed topics have this error, the others go; all are
 * subscribed where subscriptions cannot be read), NON_EMPTY_GROUP or GROUP_ID_NOT_FOUND for the whole. group NULL: there is
 * none.
 */
int16_t group_core_offset_delete(const struct group_core *group);

/* May a group without offsets be forgotten (group_core_delete)? */
bool group_core_is_unused(const struct group_core *group);

#endif
