/*
 * Shared by the files of coordinator.h; nobody else includes it.
 *
 *     coordinator ---- homes (partitions of the offsets topic that are led here) ---- groups ---- offset table
 *        |                |    `- load: the log is being read                          `--- group_core
 *        |                `- writes: appends under way
 *        `- unsent, written, finished: what the end of the loop's turn works off, so that nothing here is entered from inside itself
 */
#ifndef KLAMM_BROKER_COORD_COORDINATOR_INTERNAL_H
#define KLAMM_BROKER_COORD_COORDINATOR_INTERNAL_H

#include "broker/coord/coordinator.h"
#include "broker/coord/group_core.h"
#include "broker/coord/group_record.h"
#include "broker/coord/offset_table.h"
#include "broker/replica/partition.h"
#include "common/memory.h"
#include "proto/kafka/offset_commit_key.gen.h"
#include "proto/kafka_error.h"

#include <uthash.h>

struct coord_write;
struct group_load;
struct txn_offsets;

/* In the order they came in. */
struct coord_queue {
	struct coord_write *first, **tail;
};

struct coordinator {
	struct shard *shard;
	struct lead_port port;
	struct group_rules rules;
	struct group_home *homes; /* uthash by key */
	struct coord_queue unsent;         /* that are to be appended */
	struct coord_queue written;        /* whose outcome is known */
	struct coordinator_call *finished; /* utlist: whose done is to be called */
	struct deferred settle;
	struct timer sweep;          /* of all groups, in turns (group_sweep.c) */
	bool sweeping;
	bool sweep_expires;          /* this one is for offsets that expire, too */
	int64_t expire_ms;           /* when the next one will be; clock_ms */
	struct gone_topic *gone;     /* utlist: deleted topics that this sweep is for; and those of the next */
	struct gone_topic *gone_next;
	struct view *view;           /* of the last coordinator_on_view */
	uint64_t n_applied;          /* changes of offsets, counted */
	struct group_counters *counters; /* of the shard; groups and offsets of all homes */
	int64_t offset_bytes;        /* of all offsets, with their metadata */
	int64_t group_bytes;         /* of all groups and members, as LIMIT_SHARD_GROUP_BYTES counts them */
	int64_t write_bytes;         /* of all batches that are sent */
	bool stopped;
};

enum home_state {
	HOME_LOADING,    /* the log is read up to what was its end when the leadership began */
	HOME_AWAITING,   /* the high watermark has yet to reach that end (G3) */
	HOME_INSTALLING, /* what the records say becomes groups */
	HOME_SERVING,
};

/* A partition of the offsets topic that is led here. */
struct group_home {
	struct partition_key key;
	struct coordinator *coordinator;
	struct partition *partition;
	int32_t leader_epoch;
	enum home_state state;
	struct group *groups;        /* uthash by id */
	struct coord_write *writes;  /* utlist: that are not forgotten yet */
	struct group_load *load;     /* NULL when it is over */
	struct txn_offsets *txns;    /* uthash by producer id: offsets of open transactions */
	struct group *swept_next;    /* where the sweep goes on; NULL: at the end */
	UT_hash_handle hh;
};

struct group {
	struct slice id; /* bytes behind the struct */
	struct group_home *home;
	struct group_core core;
	enum group_state counted; /* the state as which it is counted */
	struct offset_table offsets;
	struct timer timer;    /* of the core */
	uint8_t *loaded;       /* the newest record's value, until it is installed */
	size_t loaded_len;
	int32_t n_writes;      /* appends under way; it is not freed before they are over */
	int32_t n_txn_offsets; /* of it in home->txns */
	bool deleting;         /* a tombstone is under way */
	int32_t generation_before; /* deleting: what comes back when it fails, with the next two */
	int64_t state_before_ms;
	struct group_name type_before;
	UT_hash_handle hh;
};

/* ---- calls (coordinator.c) ---- */

/* Ends a call with an error of the whole: its out-data says so. */
void coordinator_refuse(struct coordinator *coordinator, struct coordinator_call *call, int16_t error);

/* Ends a call whose out-data is set. */
void coordinator_finish(struct coordinator *coordinator, struct coordinator_call *call);

/* 0, or why no group of this home can be spoken for now: NOT_COORDINATOR, COORDINATOR_LOAD_IN_PROGRESS. */
int16_t home_error(const struct group_home *home);

/* The moment, for the core. */
struct group_now coordinator_now(void);

/* ---- homes and loads (group_load.c) ---- */

/* Begins to read the log of a home that is new. */
void group_load_begin(struct group_home *home);

/* The leadership has ended: what comes back from the reading thread is dropped. */
void group_load_give_up(struct group_load *load);

/* ---- offsets of open transactions (txn_offsets.c) ---- */

/* An offset that a transaction commits when it ends; SLICE_NULL metadata: what it has committed before for this partition is void. */
void txn_offsets_add(struct group *group, int64_t producer_id, struct slice topic, int32_t partition, const struct offset_value *value,
		     int64_t record_offset);
void txn_offsets_remove(struct group *group, int64_t producer_id, struct slice topic, int32_t partition);

/* The marker of a transaction. */
void txn_offsets_end(struct group_home *home, int64_t producer_id, bool committed);

/* An open transaction will commit an offset of this partition. */
bool txn_offsets_pending(const struct group *group, struct slice topic, int32_t partition);

void txn_offsets_free_all(struct group_home *home);

/* ---- groups (group.c) ---- */

struct group *group_find(const struct group_home *home, struct slice id);

/* A new group without members; NULL when there are LIMIT_GROUPS. */
struct group *group_add(struct group_home *home, struct slice id);

/* During a load, of which the log is the bound: the group of this id, made when there is none. */
struct group *group_obtain(struct group_home *home, struct slice id);

/* What the newest record says becomes the group's members. */
void group_install(struct group *group);

/* group_core_delete, with what it frees: 0 and DEAD, or a Kafka error. */
int16_t group_die(struct group *group);

/* All that waits ends with NOT_COORDINATOR, and the group is gone. */
void group_unload(struct group *group);

/* Forgets a group without members, offsets and writes. */
void group_forget(struct group *group);

/* Counts the group in the state that it is in. */
void group_count(struct group *group);

/* The partition of an append has answered. */
void group_stored(struct group *group, int64_t store_id, int16_t error);

void group_join(struct group_home *home, struct coordinator_call *call);
void group_sync(struct group_home *home, struct coordinator_call *call);
void group_heartbeat(struct group_home *home, struct coordinator_call *call);
void group_leave(struct group_home *home, struct coordinator_call *call);

/* ---- subscriptions (group_describe.c) ---- */

/* Topics that the members read; readable false: of one it cannot be told. */
struct group_subscriptions {
	bool readable;
	struct slice *topics; /* sorted, each once */
	int32_t n_topics;
	int32_t n_topics_max;
};

/* Slices of the members, in an array of the arena. */
struct group_subscriptions group_subscriptions_of(const struct group *group, struct arena *arena);

bool group_subscribes(const struct group_subscriptions *subscriptions, struct slice topic);

void group_describe(struct group_home *home, struct coordinator_call *call);

/* This coordinator's groups that the filters let pass. */
void coordinator_list(struct coordinator *coordinator, struct coordinator_call *call);

/* ---- offsets (group_offsets.c) ---- */

void group_commit(struct group_home *home, struct coordinator_call *call);
void group_fetch_offsets(struct group_home *home, struct coordinator_call *call);
void group_delete_offsets(struct group_home *home, struct coordinator_call *call);

/* The out-data of a commit whose partitions all have this error. */
void group_commit_refuse(struct coordinator_commit *commit, int16_t error);

/* A commit of this partition is under way. */
bool group_commit_pending(const struct group *group, struct slice topic, int32_t partition);

/* Make a change, and count it. */
void group_set_offset(struct group *group, struct slice topic, int32_t partition, const struct offset_value *value, int64_t record_offset);
void group_remove_offset(struct group *group, struct slice topic, int32_t partition, int64_t below_record_offset);

/* All of them, from memory alone. */
void group_forget_offsets(struct group *group);

/* ---- deletion (group_delete.c) ---- */

void group_delete(struct group_home *home, struct coordinator_call *call);

/* Tombstones for a group without members and all of its offsets; call may be NULL: nobody asks. */
void group_erase(struct group *group, struct coordinator_call *call);

/* A group that has nothing any more goes; the last call with it. */
void group_tidy(struct group *group);

/* ---- tombstones of offsets (tombstones.c) ---- */

/* A batch of them: so many, or about so many bytes. */
#define TOMBSTONES_MAX 1000
#define TOMBSTONES_BYTES (256 << 10)

struct tombstones {
	struct group *group;
	struct coord_write *write; /* NULL: none begun */
	int16_t acks;
	int64_t *counter;          /* of offsets that are gone */
	int32_t n_sent;
};

void tombstones_init(struct tombstones *tombstones, struct group *group, int16_t acks, int64_t *counter);

/* An offset that the group has; the topic is copied. A full batch is sent. */
void tombstones_add(struct tombstones *tombstones, struct slice topic, int32_t partition);

/* What is left. The offsets go when their batches are written. */
void tombstones_send(struct tombstones *tombstones);

/* ---- sweeps (group_sweep.c) ---- */

void group_sweep_open(struct coordinator *coordinator);
void group_sweep_close(struct coordinator *coordinator);

/* The group is going: a sweep under way steps over it. */
void group_sweep_forget(struct group *group);

/* ---- appends (coord_write.c) ---- */

/* One batch for the log. Made by write_new, filled, sent; freed after `ended`. */
struct coord_write {
	struct partition_append append;
	struct coordinator *coordinator;
	struct group_home *home; /* NULL: the leadership has ended, and nobody wants to know the outcome */
	struct group *group;     /* likewise */
	struct arena arena;      /* what `ended` needs */
	struct batch_builder builder;
	int64_t bytes;           /* counted in write_bytes, when it is sent */
	int64_t now_ms;          /* calendar: the time of the records */
	/* Once: the outcome is known. error: of the append; 0: every record is below the high watermark. */
	void (*ended)(struct coord_write *write, int16_t error);
	/* NULL, or once, before `ended`: offsets.commit.timeout.ms are over. What was appended may yet be committed. */
	void (*timed_out)(struct coord_write *write);
	struct coordinator_call *call; /* whom the one or the other ends; NULL: nobody, or ended already */
	void *state;
	int64_t store_id;
	struct timer timer;
	struct coord_write *prev, *next;   /* utlist: of home */
	struct coord_write *next_queued;
};

void coord_queue_init(struct coord_queue *queue);

/* sequence: what the batch's header has, as Kafka writes it: 0 with offsets, -1 elsewhere. */
struct coord_write *write_new(struct group *group, int32_t sequence, void (*ended)(struct coord_write *write, int16_t error));

/* Appends what was added, at the end of the turn. Beyond LIMIT_SHARD_WRITE_BYTES it ends with NOT_ENOUGH_REPLICAS. */
void write_send(struct coord_write *write, int16_t acks);

/* Instead of write_send: it ends with this error, as if the append had. */
void write_fail(struct coord_write *write, int16_t error);

/* Instead of write_send: nothing is appended, and nobody is told. */
void write_drop(struct coord_write *write);

/* The leadership has ended: calls of its writes end with NOT_COORDINATOR. */
void writes_orphan(struct group_home *home);

/* Appends those that are sent; the leadership may end inside, and its home be gone. */
void writes_append(struct coordinator *coordinator);

/* Works off those that are written. */
void writes_settle(struct coordinator *coordinator);

#endif
