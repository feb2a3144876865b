/*
 * The world in which core_sim drives replica cores: one partition with three replicas, on virtual time, from one seed.
 *
 *     core_world   time, chance, events; connections (FIFO each, delays, loss), channels to the controller
 *     core_node    a broker: model log (array of epoch and value), the shell around its core, its ZooKeeper session
 *     core_office  a model controller: the znode (compare and set), elections with eligible replicas, epoch bumps, who is alive
 *     core_faults  what goes wrong, and the clients
 *     core_judge   invariants S1-S11 after every event
 *
 * A mutant is a fault of the core or its shell that the judge has to find. It is brought about at the seam between core and world: by
 * telling the core a lie, by not doing what it asks, or by changing one mark in it, so that the code under test stays as it is.
 */
#ifndef KLAMM_TEST_SIM_CORE_WORLD_H
#define KLAMM_TEST_SIM_CORE_WORLD_H

#include "broker/log/epoch_cache_core.h"
#include "broker/replica/replica_core.h"
#include "broker/replica/replica_follower_core.h"
#include "broker/replica/replica_isr_core.h"
#include "broker/replica/replica_leader_core.h"

#define N_NODES 3
#define LOG_MAX 2048
#define EPOCHS_MAX 512
#define CHUNK_MAX 8
#define PARKED_MAX 64
#define CONNS_MAX 4096
#define CREDIT 4

#define MUTANTS(X)                                                                            \
	X(NONE, "none")                                                                       \
	X(COMMIT_BELOW_MIN_ISR, "high watermark without min ISR")                             \
	X(JOIN_BELOW_EPOCH_START, "join below the epoch start")                               \
	X(LATE_ACK_TAKEN, "late ack of a closed handle taken")                                \
	X(TRUNCATE_TO_HIGH_WATERMARK, "truncate to the high watermark on becoming follower")  \
	X(COMMIT_NOT_DURABLE, "high watermark from ends that are not durable in fsync-isr")   \
	X(OWN_END_NOT_DURABLE, "the leader's own end is not durable in fsync-isr")            \
	X(ACK_BEFORE_COMMIT, "ack before the high watermark")                                 \
	X(OLD_APPEND_TAKEN, "append of a closed handle taken")                                \
	X(OLD_ENDS_KEPT, "ends of an older leader epoch count")                               \
	X(DIVERGENCE_SKIPPED, "logs are not compared on Follow")                              \
	X(OWN_EPOCH_END_SKIPPED, "cut to the leader's end of the epoch, not the lesser one")  \
	X(ADDITION_NOT_COUNTED, "pending additions do not hold the high watermark")           \
	X(REMOVAL_NOT_COUNTED, "pending removals do not hold the high watermark")             \
	X(UNKNOWN_IS_REFUSED, "an unknown outcome goes back to the committed ISR")            \
	X(ANY_INCARNATION_JOINS, "a proposal names the incarnation alive, not the one judged") \
	X(FOLLOWER_NOT_CAPPED, "a follower's high watermark passes its log end")              \
	X(SHORT_ISR_ACKED, "acks go on although the ISR fell below its minimum")              \
	X(LEASE_IGNORED, "a leader serves without lease and without hearing its ISR")         \
	X(LATEST_TOO_EARLY, "latest is told below the epoch start")                           \
	X(NEW_LEADER_COMMITS_ALL, "a new leader takes its log end as high watermark")

enum mutant {
#define X(name, text) MUTANT_##name,
	MUTANTS(X)
#undef X
	N_MUTANTS,
};

/* What happened in a run, so that one can see that the seeds hold what they are there for. */
#define COUNTERS(X)                                                                                                              \
	X(events) X(appends) X(acks) X(acks_refused) X(elections) X(elr_elections) X(moves) X(epoch_bumps) X(joins) X(leaves) X(ineligible) \
	X(unknown_outcomes) X(cuts) X(cut_rounds) X(resets) X(parked_follows) X(late_acks) X(crashes) X(lost_tails) X(pauses)       \
	X(lost_connections) X(partitions) X(controller_crashes) X(zk_away) X(expired_sessions) X(acks_without_lease) X(fenced)     \
	X(deletes) X(short_isr) X(hidden_latest)

struct counters {
#define X(name) int64_t name;
	COUNTERS(X)
#undef X
};

/* ---- the log of a replica ---- */

struct entry {
	int32_t epoch;
	int32_t value; /* given once in a run */
};

struct model_log {
	struct entry at[LOG_MAX]; /* by offset */
	int64_t start;
	int64_t end;
	int64_t durable_end;
	struct epoch_entry epoch_room[EPOCHS_MAX];
	struct epoch_entries epochs;
};

/* ---- what travels ---- */

enum frame_type {
	FRAME_FOLLOW,
	FRAME_FOLLOWING,
	FRAME_DIVERGED,
	FRAME_RESET,
	FRAME_APPEND, /* n 0: Advance */
	FRAME_ACK,
	FRAME_CLOSE,
	FRAME_PING,
};

struct frame {
	enum frame_type type;
	int32_t conn;
	int64_t handle;
	int32_t leader_epoch;
	struct replica_follow follow;
	struct log_epoch_end divergence;
	int64_t epoch_start;
	struct replica_leader_marks marks;
	int64_t from;
	int32_t n;
	struct entry entries[CHUNK_MAX];
	struct replica_ack ack;
};

/* The controller's state of the partition; sets of nodes are bit masks. */
struct znode {
	int32_t leader; /* node, -1 none */
	int32_t leader_epoch;
	int32_t partition_epoch;
	unsigned isr;
	unsigned elr;
};

struct order {
	struct znode state;
	int64_t target_epoch;
	int64_t listed[N_NODES];
};

struct answer {
	int64_t number;
	int16_t error;
	unsigned ineligible;
	struct znode state;
};

/* ---- events ---- */

enum event_type {
	EVENT_FRAME,      /* node: receiver */
	EVENT_CONN_OPEN,  /* a dialled connection is there, or not */
	EVENT_CONN_LOST,  /* node notices */
	EVENT_FOLLOW,     /* node asks its leader */
	EVENT_PARK_ENDS,
	EVENT_TICK,
	EVENT_PING,       /* to the leader, and to ZooKeeper */
	EVENT_FSYNCED,
	EVENT_RESTART,
	EVENT_REGISTER,
	EVENT_ORDER,      /* the controller's order comes to node */
	EVENT_ANSWER,
	EVENT_CHANNEL,    /* node and controller are connected again */
	EVENT_CHANNEL_LOST,
	EVENT_PROPOSAL,   /* comes to the controller from node */
	EVENT_WATCH,      /* the controller looks who is alive */
	EVENT_OFFICE,     /* a new controller begins */
	EVENT_PRODUCE,
	EVENT_LATEST,     /* a client asks for the latest offset */
	EVENT_FAULT,
	EVENT_HEAL,
	EVENT_ZK_BACK,
};

struct event {
	int64_t at_ms;
	uint64_t seq;
	enum event_type type;
	int node;  /* -1: the world */
	int boot;  /* of node; -1: any */
	int64_t arg;
	union {
		struct frame frame;
		struct order order;
		struct answer answer;
		struct replica_proposal proposal;
	} u;
};

struct conn {
	int ends[2];     /* 0 the follower, which dialled, 1 the leader */
	bool open[2];    /* not noticed as closed by that end */
	bool lost;
	int64_t last_ms[2];  /* delivery of the last frame to that end */
	int64_t until_ms[2]; /* lost: frames up to here still come, */
	int64_t late_ms[2];  /* so much later */
};

/* ---- nodes ---- */

struct sub {
	int32_t conn; /* -1 none */
	int64_t handle;
	int64_t sent;
	int32_t unacked;
	struct replica_leader_marks told;
};

struct parked_follow {
	bool used;
	struct frame frame;
	int64_t until_ms;
};

struct parked_ack {
	int64_t required;
	int32_t value;
	int32_t epoch;
	bool short_since; /* the ISR was seen below its minimum since */
};

struct node {
	int index;
	bool up;
	int boot;
	int64_t paused_until_ms;
	int64_t broker_epoch;  /* -1: not registered */
	bool lost_tail;        /* told at each registration until a controller is seen to have taken it in (D9) */
	int64_t lease_end_ms;
	int64_t zk_cut_until_ms;
	int64_t slow_until_ms; /* its network is slow */
	struct model_log log;
	int64_t checkpoint;    /* of the high watermark */
	int64_t fsync_target;  /* -1: none under way */
	int64_t next_tick_ms;
	struct replica_core core;
	struct replica_member members[2 * N_NODES];
	/* As leader. */
	struct sub subs[N_NODES];
	struct parked_follow parked[N_NODES];
	struct parked_ack acks[PARKED_MAX];
	int32_t n_acks;
	/* As follower. */
	int32_t conn; /* to its leader, -1 none */
	int64_t proposal; /* that waits for its answer, -1 none */
	/* The channel to the controller. */
	bool channel_up;
	int64_t channel_last_ms[2];
	int channel_gen;
	/* Of the judge. */
	int64_t checked;
	int64_t matched;
	int64_t hw_seen;
	int32_t epoch_seen;
	int64_t heard_ms[N_NODES];
	int64_t true_epoch_start;
};

struct office {
	bool up;
	int generation;
	struct znode znode;
	int64_t live[N_NODES]; /* incarnation as the state knows it, -1 dead */
};

struct zk {
	bool away;
	int64_t zxid;
	int64_t session[N_NODES];    /* broker epoch, -1 none */
	int64_t expires_ms[N_NODES];
	bool unclean[N_NODES];       /* as registered */
};

struct judge {
	struct entry canon[LOG_MAX]; /* what is committed */
	int64_t canon_end;
	int64_t acked_end;
	int64_t latest_shown;
	int32_t n_lost[2 * LOG_MAX]; /* by value: replicas that lost it in a crash */
	int32_t value_offset[2 * LOG_MAX]; /* where a value is committed, -1 */
	struct {
		int node, boot;
	} leader_of[EPOCHS_MAX]; /* who appended in an epoch */
};

struct plan {
	int32_t min_isr;
	bool fsync;
	int64_t lag_ms;
	int64_t session_ms;
	int64_t produce_ms; /* between appends, on average */
	int64_t fault_ms;
	int64_t faults_end_ms;
	int64_t end_ms;
};

struct heap_slot {
	int64_t at_ms;
	uint64_t seq;
	int32_t event;
};

struct world {
	uint64_t seed;
	uint64_t chance;
	uint64_t hash;
	enum mutant mutant;
	bool trace;
	int64_t now_ms;
	uint64_t seq;
	struct heap_slot *heap;
	int32_t n_heap, heap_room;
	struct event *events; /* a pool */
	int32_t *free_events;
	int32_t n_events, n_free, events_room;
	struct plan plan;
	struct node nodes[N_NODES];
	struct conn conns[CONNS_MAX];
	int32_t n_conns;
	bool cut[N_NODES][N_NODES];
	struct office office;
	struct zk zk;
	struct judge judge;
	struct counters counters;
	int32_t n_values;
	int64_t next_handle;
	bool failed;
	char failure[256];
};

/* ---- core_world.c ---- */

void world_init(struct world *world, uint64_t seed, enum mutant mutant);
void world_fini(struct world *world);

/* Runs it to its end or the first violation; false: violated (world->failure). */
bool world_run(struct world *world);

uint64_t world_chance(struct world *world, uint64_t below);
/* Uniform in [from, to]. */
int64_t world_between(struct world *world, int64_t from, int64_t to);
bool world_happens(struct world *world, int percent);

/* A violated invariant; the first one is kept. */
void world_fail(struct world *world, const char *format, ...) __attribute__((format(printf, 2, 3)));
void world_trace(const struct world *world, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* An empty event of a node's present boot, to be filled and left alone; it happens after delay_ms. */
struct event *world_after(struct world *world, int64_t delay_ms, enum event_type type, int node);

struct replica_now world_now(const struct world *world, const struct node *node);

/* Dials; EVENT_CONN_OPEN follows (arg: the connection, -1 failed). */
void world_dial(struct world *world, int from, int to);
/* Sends on a connection that this node has not noticed as closed. */
void world_send(struct world *world, int node, const struct frame *frame);
/* It breaks: frames under way may come or not, and each end notices in its own time. */
void world_lose(struct world *world, int32_t conn);
/* A node is gone: all its connections are. */
void world_lose_all(struct world *world, int node);

/* ---- core_node.c ---- */

void node_init(struct world *world, int index);
void node_crash(struct world *world, struct node *node, bool lose_tail);
void node_restart(struct world *world, struct node *node);
void node_on_event(struct world *world, struct node *node, const struct event *event);
/* True when it was appended. */
bool node_produce(struct world *world, struct node *node, int n, int16_t acks);
void node_delete_records(struct world *world, struct node *node);
/* The controller's channel is gone, as the node sees it. */
void node_channel_lost(struct world *world, struct node *node);
/* Its ZooKeeper session has ended: nothing it was told holds any more. */
void node_session_lost(struct world *world, struct node *node);
/* After any call of its core: what it asks for. */
void node_carry_out(struct world *world, struct node *node, const struct replica_actions *actions);
void node_tell_log(struct world *world, struct node *node);

/* ---- core_stream.c: the leader's and the follower's end of the stream ---- */

void stream_follow(struct world *world, struct node *node);
void stream_on_frame(struct world *world, struct node *node, const struct frame *frame);
void stream_on_conn(struct world *world, struct node *node, int32_t conn, bool open);
/* Sends what is new to all that follow. */
void stream_pump(struct world *world, struct node *node);
/* Judges parked Follows again; those whose time is up are refused. */
void stream_unpark(struct world *world, struct node *node);
void stream_ack(struct world *world, struct node *node);
void stream_ping(struct world *world, struct node *node);
/* Every handle of a former epoch or role is closed. */
void stream_close_all(struct world *world, struct node *node);

/* ---- core_log.c ---- */

void log_append_entry(struct model_log *log, struct entry entry);
void log_cut(struct model_log *log, int64_t offset);
void log_restart_at(struct model_log *log, int64_t offset);
int32_t log_last_epoch(const struct model_log *log);
struct log_epoch_end log_end_for(const struct model_log *log, int32_t epoch);
/* The epoch cache says of every offset what stands there (S6). */
bool log_cache_is_right(const struct model_log *log);

/* ---- core_office.c ---- */

void office_init(struct world *world);
void office_on_proposal(struct world *world, int from, const struct replica_proposal *proposal);
/* Who is alive has changed: compares and writes. */
void office_on_watch(struct world *world);
void office_on_channel(struct world *world, int node);
/* Another member of the ISR leads, or the same one in another epoch. */
void office_move_leader(struct world *world);
void office_crash(struct world *world, int64_t for_ms);
void office_begin(struct world *world);

/* ---- core_faults.c ---- */

void faults_plan(struct world *world);
void faults_begin(struct world *world);
void faults_on_event(struct world *world, const struct event *event);

/* ---- core_judge.c ---- */

void judge_init(struct world *world);
/* All that can be seen at any time. */
void judge_all(struct world *world);
void judge_append(struct world *world, const struct node *node);
void judge_ack(struct world *world, const struct node *node, const struct parked_ack *ack);
void judge_cut(struct world *world, const struct node *node, int64_t offset);
void judge_join(struct world *world, const struct node *leader, unsigned joining);
void judge_latest(struct world *world, const struct node *node, int64_t offset);
/* Its log was cut: what was looked at above is looked at again. */
void judge_forget(struct node *node, int64_t offset);
/* A replica loses values in a crash. */
void judge_lost(struct world *world, const struct node *node, int64_t from);
/* Whether it may, by the promise of S1. */
bool judge_may_lose(const struct world *world, const struct node *node);
/* After the faults: everything must have come together (L5, L6). */
void judge_end(struct world *world);

#endif
