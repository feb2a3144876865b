/*
 * What elections are for: no acknowledged record is lost, whatever order things happen in (S1, S11, S12, S13, D9). One topic of three replicas,
 * the controller's decisions themselves, and models of ZooKeeper, of leaders and of followers, driven by a random number.
 *
 *     candidates (two) --reads, fenced writes--> ZooKeeper       every answer later, or never
 *     candidate in office --states, views, answers--> brokers    a queue for each line, cut now and then
 *     brokers --proposals--> candidate                           leaders append, followers copy, high watermarks move by the strict rule
 *
 * Brokers die by crash, by power cut (the tail of the log is gone) or come back with an empty disk; sessions expire under leaders that go on;
 * controllers change with writes under way; min.insync.replicas changes. A log is a list of leader epochs: two records at one offset are the
 * same when their epochs are. After every step each replica that may be elected has to hold each acknowledged record.
 */
#ifndef KLAMM_TEST_UNIT_TOOLS_CONTROLLER_CTL_RECORDS_H
#define KLAMM_TEST_UNIT_TOOLS_CONTROLLER_CTL_RECORDS_H

#include "tools/controller/ctl_step.h"

#define BROKERS 4
#define PARTITIONS 2
#define REPLICAS 3
#define RECORDS 160
#define QUEUE 256

extern const int32_t records_assignment[PARTITIONS][REPLICAS];

struct log {
	int n;
	int32_t epochs[RECORDS];
};

/* What a state says. */
struct state {
	bool exists;
	int32_t version, leader, leader_epoch, controller_epoch;
	int64_t mzxid;
	int n_isr, n_elr, n_lost;
	int32_t isr[REPLICAS], elr[REPLICAS], lost[REPLICAS];
	int64_t isr_epochs[REPLICAS], elr_epochs[REPLICAS];
};

enum stage { NONE, SENT, UNKNOWN, HELD };

/* A replica as its process knows it. */
struct replica {
	bool told;
	struct state state; /* leader, epochs, ISR */
	int epoch_start, high_watermark;
	int ends[BROKERS];  /* of followers in this leader epoch; -1: not heard */
	int64_t heard[BROKERS];
	enum stage stage;
	int64_t number;
	struct ctl_isr_member proposed[REPLICAS];
	int n_proposed;
	int32_t proposed_version;
};

struct broker {
	bool up;           /* the process */
	bool registered;   /* the znode: epoch, start, previous */
	int64_t epoch;
	enum ctl_start start;
	int64_t previous;
	int64_t own_epoch; /* what the process believes; 0: not registered yet */
	int64_t whole_since, run_epoch; /* of the process, and on its disk */
	enum ctl_start owed;
	int64_t last_loss; /* zxid */
	int64_t listed[BROKERS];
	int32_t min_isr, controller_epoch;
	struct log logs[PARTITIONS];
	struct replica replicas[PARTITIONS];
};

struct op {
	bool is_write;
	enum ctl_read read;
	bool asked;
	enum ctl_write_kind kind;
	uint32_t ticket;
	int32_t fence, partition, version;
	int32_t first, n;
	struct state state;
};

struct message {
	int32_t controller_epoch;
	int64_t request; /* 0: no answer is due */
	bool has_brokers;
	int64_t listed[BROKERS];
	int32_t min_isr; /* 0: nothing said */
	bool has_state[PARTITIONS];
	struct state states[PARTITIONS];
	bool has_answer[PARTITIONS];
	int16_t errors[PARTITIONS];
	int64_t numbers[PARTITIONS];
	struct state answers[PARTITIONS];
};

struct candidate {
	struct ctl ctl;
	bool active;
	int64_t timer_ms;
	struct op ops[QUEUE];
	unsigned head, tail;
	struct {
		bool wanted, reached;
		int64_t epoch;
		struct message queue[QUEUE];
		unsigned head, tail;
	} lines[BROKERS];
};

struct world {
	uint64_t random;
	int64_t now_ms, zxid;
	int32_t controller_epoch, fence;
	int in_office;
	bool calm;
	unsigned chaos, losses_in_ten; /* of this seed: brokers that change in a thousand steps, and how many of ten crashes lose something */
	int32_t min_isr, config_version;
	struct state states[PARTITIONS];
	struct broker brokers[BROKERS];
	struct candidate candidates[2];
	/* Acknowledged: the epoch of each record, how many losses it may see, how many it saw. */
	struct {
		int n;
		int32_t epochs[RECORDS];
		int32_t minimum[RECORDS];
		int losses[RECORDS];
	} acked[PARTITIONS];
	int n_acked, n_losses, n_elections, n_from_elr, n_proposals, n_joins, n_fenced, n_terms, n_waiting;
};

/* A new world, one random step, and the end: everything comes to rest and is compared. */
void records_begin(struct world *w, unsigned seed);
void records_step(struct world *w);
void records_come_to_rest(struct world *w);
void records_end(struct world *w);

/* ---- between the world's files ---- */

/* ck_assert writes into a pipe each time; this only when it fails. */
#define MUST(condition)                             \
	do {                                        \
		if (!(condition))                   \
			ck_abort_msg("%s", #condition); \
	} while (0)

unsigned records_draw(struct world *w, unsigned n);
struct uuid records_topic_id(void);
bool records_is_in(const int32_t *ids, int n, int32_t id);
void records_push_news(struct world *w, enum ctl_read read);
void records_drop_line(struct world *w, struct candidate *c, int broker);
void records_tell(struct world *w, struct candidate *c, const struct ctl_event *event);
void records_elect(struct world *w);
bool records_run_op(struct world *w, struct candidate *c);
void records_resign(struct world *w, struct candidate *c);

/* S1: whoever may be elected, and lost nothing since the incarnation that is listed, holds each acknowledged record. */
void records_check_electable(const struct world *w);
void records_check_holds_all(const struct world *w, int p, int broker, const char *what);
bool records_change_line(struct world *w, struct candidate *c, int at, bool cut);
bool records_run_line(struct world *w, struct candidate *c, int at);
void records_append(struct world *w, int at, int p);
void records_replicate(struct world *w, int from, int to, int p, int n_max);
void records_propose(struct world *w, int at, int p);
void records_register(struct world *w, int at);
void records_change_broker(struct world *w, int at);

#endif
