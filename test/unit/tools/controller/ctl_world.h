/*
 * A small world for the controller's decisions: ZooKeeper, brokers and two candidates as models, driven by a random number.
 *
 *     candidate --reads, writes--> queue (order kept) --> model of ZooKeeper --> event (or the answer is lost)
 *     candidate --messages------> queue per broker ---> model of a broker ----> results
 *
 * After every step the rules are asserted: S6, S7, S11, S12, S13 on what reaches ZooKeeper and brokers; ctl_world_settle lets everything come
 * to rest and compares what ZooKeeper, the candidate in office and each broker hold.
 */
#ifndef KLAMM_TEST_UNIT_TOOLS_CONTROLLER_CTL_WORLD_H
#define KLAMM_TEST_UNIT_TOOLS_CONTROLLER_CTL_WORLD_H

#include "tools/controller/ctl_step.h"

#define WORLD_BROKERS 4
#define WORLD_TOPICS 5
#define WORLD_PARTITIONS 4
#define WORLD_REPLICAS 3
#define WORLD_QUEUE 4096
#define WORLD_CANDIDATES 2
#define WORLD_LEADS 65536
#define WORLD_WISHES 4

struct world_state {
	bool exists;
	int32_t version, leader, leader_epoch, controller_epoch;
	int64_t mzxid;
	int n_isr, n_elr, n_lost;
	int32_t isr[WORLD_BROKERS], elr[WORLD_BROKERS], lost[WORLD_BROKERS];
	int64_t isr_epochs[WORLD_BROKERS], elr_epochs[WORLD_BROKERS];
	int32_t joined[WORLD_BROKERS]; /* leader epoch in which a leader last proposed this broker, and 1 */
};

struct world_assignment {
	int n_replicas, n_adding, n_removing;
	int32_t replicas[WORLD_BROKERS], adding[WORLD_BROKERS], removing[WORLD_BROKERS];
};

struct world_topic {
	bool exists, deletion;
	int32_t id; /* of ctl id: the number in it */
	int64_t czxid;
	int32_t version;
	int n_partitions;
	int n_replicas;
	struct world_assignment assignments[WORLD_PARTITIONS];
	bool has_parents;
	struct world_state states[WORLD_PARTITIONS];
};

/* A node below /admin: elections (without replicas) or reassignments. */
struct world_legacy {
	bool exists;
	int32_t version;
	int n_wishes;
	struct world_wish {
		int topic;
		int32_t partition;
		int n_replicas;
		int32_t replicas[WORLD_BROKERS];
	} wishes[WORLD_WISHES];
};

/* A question or write on its way to ZooKeeper. */
struct world_op {
	bool is_write;
	enum ctl_read read;
	bool asked;
	int topic; /* -1: none */
	int32_t first, n;
	enum ctl_write_kind write;
	uint32_t ticket;
	int32_t fence, partition, version;
	int64_t created;
	struct world_state state;
	struct world_legacy legacy; /* what a node below /admin is to be */
	int n_moves;
	struct {
		int32_t partition, version;
		struct world_assignment assignment;
		bool has_state;
		struct world_state state;
	} moves[WORLD_PARTITIONS];
};

/* A message on its way to a broker. */
struct world_message {
	enum ctl_message kind;
	int32_t controller_epoch;
	int64_t request;
	int64_t number; /* views */
	bool snapshot;
	int n_items;
	struct world_item {
		int32_t id;
		int32_t partition; /* -1: the topic is gone */
		int32_t leader, leader_epoch, version;
	} items[WORLD_TOPICS * (WORLD_PARTITIONS + 1) * 8];
};

struct world_candidate {
	struct ctl ctl;
	bool active;   /* believes that it is in office */
	bool gives_up;
	int64_t timer_ms;
	struct world_op queue[WORLD_QUEUE];
	int head, tail;
	/* Lines to brokers, of this candidate. */
	struct {
		bool wanted, reached;
		int64_t epoch;
		struct world_message *queue;
		int head, tail;
	} lines[WORLD_BROKERS];
};

struct world_broker {
	bool alive, cut; /* cut: cannot be reached */
	bool full;       /* no replica can be made */
	int64_t epoch;
	int32_t highest_controller_epoch;
	int64_t view_number;
	int32_t view_epoch;
	struct world_item view[WORLD_TOPICS * WORLD_PARTITIONS * 4];
	int n_view;
	struct world_item states[WORLD_TOPICS * WORLD_PARTITIONS * 64];
	int n_states;
};

struct world {
	uint64_t random;
	int64_t now_ms, zxid;
	int32_t controller_epoch, fence;
	int32_t next_id;
	int in_office; /* candidate; -1 none */
	bool settling; /* every step is flushed */
	struct world_topic topics[WORLD_TOPICS];
	struct world_legacy elections, reassignments;
	int32_t node_version; /* the largest that one of the two had */
	struct world_broker brokers[WORLD_BROKERS];
	struct world_candidate candidates[WORLD_CANDIDATES];
	/* Who led (topic id, partition, leader epoch): one incarnation (S7). */
	struct {
		int32_t id, partition, leader_epoch;
		int64_t broker_epoch;
	} *leads;
	int n_leads;
	int64_t proposals;
	/* What happened, for the floors. */
	int n_elections, n_writes, n_fenced, n_bounces, n_deleted, n_created, n_takeovers, n_lost_answers;
	int n_moves_begun, n_moves_ended, n_moves_lost;
	int n_wished, n_taken_out, n_nodes_deleted;
	int n_not_made;
};

void ctl_world_init(struct world *world, uint64_t seed);
void ctl_world_fini(struct world *world);

/* One random step. */
void ctl_world_step(struct world *world);

/*
 * Without chance: four brokers, one office, topic 0 with one partition on brokers 0 and 1, all at rest. Then one thing at a time that is under
 * way (false: nothing is), and what a test does in between.
 */
void ctl_world_quiet(struct world *world);
bool ctl_world_quiet_step(struct world *world);
void ctl_world_elect(struct world *world);
void ctl_world_register(struct world *world, int broker);
void ctl_world_move(struct world *world, const int32_t *target, int n_target);
bool ctl_world_is_moved(const struct world *world, const int32_t *target, int n_target);

/* Without chance: /admin/reassign_partitions wants partition 0 of topic 0 on these brokers. */
void ctl_world_wish_move(struct world *world, const int32_t *target, int n_target);

/* For the world's own files. */
unsigned ctl_world_draw(struct world *world, unsigned n);
void ctl_world_tell(struct world *world, struct world_candidate *candidate, const struct ctl_event *event);
const struct world_item *ctl_world_state_of(const struct world *world, int broker, int32_t id, int32_t partition);
bool ctl_world_holds(const int32_t *ids, int n, int32_t id);
struct slice ctl_world_topic_name(int topic);
struct uuid ctl_world_id(int32_t n);
struct world_state ctl_world_lead(const struct ctl_lead *lead);
void ctl_world_check_state(const struct world_topic *topic, int partition, const struct world_state *before, const struct world_state *after);

/* ctl_world_moves.c: somebody asks for another assignment or cancels; a leader proposes a follower that has caught up. */
void ctl_world_ask(struct world *world);
bool ctl_world_propose(struct world *world, int topic, int partition);
void ctl_world_note_moves(struct world_op *op, const struct ctl_write *write);
int ctl_world_write_moves(struct world *world, const struct world_op *op);
void ctl_world_tell_moves(struct world *world, struct world_candidate *candidate, const struct world_op *op, enum ctl_outcome outcome);
void ctl_world_check_moved(const struct world *world, const struct world_topic *topic, int partition);

/* ctl_world_legacy.c: somebody writes or deletes a node below /admin. */
void ctl_world_wish(struct world *world);
void ctl_world_answer_legacy(const struct world *world, struct ctl_event *event, struct arena *arena);
void ctl_world_note_wishes(struct world_op *op, const struct ctl_write *write);
int ctl_world_write_legacy(struct world *world, const struct world_op *op, int32_t *ret_version);
void ctl_world_push_news(struct world *world, enum ctl_read read, int topic);

/* No more accidents: everything comes to rest, then all is compared. */
void ctl_world_settle(struct world *world);

#endif
