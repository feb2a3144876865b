/*
 * One partition on its owner's worker: the replica's role and marks (replica_core), its log, its producers, and who waits for it.
 *
 *     partition_append  may_append? -> batch_validate -> producer_check -> stamp -> log_append -> replica_core_log_moved
 *                       acks 0, 1: done; acks -1: done now when the high watermark has passed, else parked until it does
 *     partition_read    may_read? -> diverging epoch? -> log_read: a slice of a segment, no bytes move
 *     partition_moved   high watermark or role changed -> parked appends end, watches fire
 *
 * Owner's thread only. A part that is handed in (append, watch) is ended exactly once, by the owner (L7).
 */
#ifndef KLAMM_BROKER_REPLICA_PARTITION_H
#define KLAMM_BROKER_REPLICA_PARTITION_H

#include "broker/log/log.h"
#include "broker/meta/topic_config.h"
#include "broker/replica/link.h"
#include "broker/replica/producer_table.h"
#include "broker/replica/replica_core.h"
#include "broker/rt/disk.h"
#include "broker/rt/loop.h"
#include "proto/cluster/cluster.pb-c.h"
#include "proto/record/batch_validate.h"

#include <uthash.h>

struct feed_stream;
struct shard;

struct partition_key {
	struct uuid topic_id;
	int32_t index;
};

enum partition_state {
	PARTITION_ONLINE,
	PARTITION_FAILED, /* its log dir has failed or its log is damaged: KAFKA_STORAGE_ERROR */
};

struct partition {
	struct partition_key key;
	struct slice topic; /* its own copy */
	struct shard *shard;
	enum partition_state state;
	struct log *log; /* NULL when PARTITION_FAILED */
	struct disk *disk;
	struct replica_core core;
	struct producer_table *producers; /* lives as long as the log, with whoever loaded it */
	struct batch_rules rules; /* of the topic's configuration; version and time are set per request */
	bool delete_allowed;      /* cleanup.policy has delete */
	struct disk_job flush;
	bool flushing;
	struct disk_job keep;     /* of a follower: where its log starts is written down, before the leader is told */
	bool keeping;
	int64_t keep_start_offset;
	int64_t kept_start_offset;
	struct timer tick;        /* of the core (partition_isr.c) */
	struct link_member follow; /* a follower's place on the connection to its leader */
	bool closing;             /* ends when the flush under way is done */
	struct partition_closing *closer; /* who is told then */
	struct partition *prev, *next;    /* utlist: of the shard, while it closes */
	struct replica_member *members; /* of the core */
	struct partition_append *parked; /* acks -1, by required offset */
	int64_t refused_until_ms; /* so long a gap in a producer's sequence follows from a refusal of ours, and is told as that one */
	int16_t refused_error;
	struct partition_check *check;   /* a batch is with the disk thread (partition_check.c): later appends wait behind it */
	struct partition_watch *watches;
	struct partition_deletion *deletions; /* that wait for followers */
	struct feed_stream *streams; /* of followers: open handles (partition_lead.h) */
	bool leads;               /* as shard->lead has been told */
	int64_t led_since_ms;     /* since when no other broker can have led */
	int64_t followed_ms;      /* when a follower's handle was opened last */
	bool lead_throttled;      /* by its topic's configuration: who catches up gets it at a rate */
	int64_t watch_round; /* counts the firings */
	UT_hash_handle hh;
};

/* ---- life ---- */

/*
 * Takes a log and makes the partition part of its shard. log NULL: PARTITION_FAILED from the start. `producers` is the table that the
 * log's observer fills (partition_observer); it stays with the log, so that its last snapshot is right when the partition is closed.
 */
struct partition *partition_open(struct shard *shard, const struct partition_key *key, struct slice topic, struct log *log,
				 struct disk *disk, struct producer_table *producers);

/* The observer that keeps a producer table in step with its log. */
struct log_observer partition_observer(struct producer_table *table);

/* One who waits until a partition has let go of its log: only then it may be opened again, or its name be used anew. */
struct partition_closing {
	/* On the owner's thread, once. code: ERR_IO when the disk has failed and may never be done with the log, which is its dir's then. */
	void (*closed)(struct partition_closing *closing, int code);
};

/*
 * Ends all that waits with NOT_LEADER_OR_FOLLOWER, takes it out of its shard and gives up its log. Freed at once, or when the flush or the check
 * under way is done; `closing` (NULL: nobody asks) is told at that moment.
 */
void partition_close(struct partition *partition, struct partition_closing *closing);

/* The topic's effective configuration holds from now on. */
void partition_configure(struct partition *partition, const struct topic_config *config);

/*
 * A controller's state. Kafka error: 0, STALE_CONTROLLER_EPOCH (an older leader epoch), INVALID_REQUEST (it makes no sense),
 * KAFKA_STORAGE_ERROR.
 */
int16_t partition_become(struct partition *partition, const struct replica_state *state);

/* Leadership ends until a controller confirms it. */
void partition_resign(struct partition *partition);

/* The controller's answer to a proposal of this leader; one that it does not wait for any more is dropped. */
struct replica_isr_answer;
void partition_isr_answered(struct partition *partition, const struct replica_isr_answer *answer);

/* The time-out of the ZooKeeper session, as the server has granted it. */
void partition_set_session(struct partition *partition, int64_t session_ms);

/* Its log dir has failed (D10): nothing is acked any more, and who waits for its close waits no longer. */
void partition_fail(struct partition *partition);

/* Retention and expiry of producers; from the shard's timer. now_ms: calendar. */
void partition_clean_up(struct partition *partition, int64_t now_ms, int64_t producer_expiration_ms);

/* ---- append ---- */

struct partition_append {
	/* In. The records are stamped in place. */
	uint8_t *records;
	size_t records_len;
	struct buf *frame;        /* in which the records lie; NULL: in memory of the request */
	int16_t acks;
	int16_t version; /* of the Produce request */
	/* Out. */
	int16_t error;
	int64_t base_offset;     /* -1 on errors */
	int64_t append_time_ms;  /* -1 with create time */
	int64_t log_start_offset; /* -1 where Kafka does not tell it */
	const char *message;      /* NULL, or why: a constant text */
	int32_t n_record_errors;  /* all of them; the first BATCH_RECORD_ERRORS_MAX are told */
	struct batch_record_error record_errors[BATCH_RECORD_ERRORS_MAX];
	/* Called once, on the owner's thread: before partition_append returns, or later. */
	void (*done)(struct partition_append *append);
	/* Of the partition while parked, or waiting for a check. */
	struct partition *partition;
	bool checking;
	bool expired; /* its time was up meanwhile: it is not parked any more */
	struct partition_append *prev, *next; /* utlist */
	int64_t required_offset;
};

void partition_append(struct partition *partition, struct partition_append *append);

/* The time of a parked append is up: it ends with REQUEST_TIMED_OUT. One that is checked ends with its check. */
void partition_append_time_out(struct partition_append *append);

/* ---- read ---- */

struct partition_read {
	/* In. */
	int64_t offset;
	int32_t bytes_max;
	int32_t leader_epoch;       /* -1: not said */
	int32_t last_fetched_epoch; /* -1: not said */
	bool committed;             /* isolation level read_committed: up to the last stable offset */
	bool here;                  /* a follower may answer, and a leader may name one that is nearer (KIP-392) */
	struct slice rack;          /* here: of the client; empty: not said */
	struct slice listener;      /* here: that the client came by */
	/* Out. */
	int16_t error;
	bool end_now;               /* Kafka answers at once, whatever min_bytes (an offset above the high watermark) */
	int32_t preferred;          /* the broker to read from instead, and no records; -1: none */
	bool diverging;
	struct log_epoch_end divergence;
	int64_t high_watermark; /* -1 on errors, like the next two */
	int64_t last_stable_offset;
	int64_t log_start_offset;
	struct log_slice slice;       /* the caller releases */
	struct aborted_txn *aborted;  /* committed: the aborted transactions in reach; free() */
	int32_t n_aborted;
	bool zstd;                    /* the first batch is packed by zstd */
};

void partition_read(struct partition *partition, struct partition_read *read);

/* Kafka error for such a read, for its epoch and this replica's role alone. */
int16_t partition_may_serve(const struct partition *partition, const struct partition_read *read);

/* First offset that is neither committed nor aborted yet, at most the high watermark. */
int64_t partition_last_stable_offset(const struct partition *partition);

/* One who waits for news of a partition. fired is called once; the watch is out of the partition by then, and may watch it again. */
struct partition_watch {
	void (*fired)(struct partition_watch *watch);
	struct partition *partition; /* NULL: not watching */
	int64_t round;               /* the partition's when it began */
	struct partition_watch *prev, *next; /* utlist */
};

void partition_watch(struct partition *partition, struct partition_watch *watch);
void partition_unwatch(struct partition_watch *watch);

/* ---- following (partition_follow.c): what a link asks and brings; on the owner's thread ---- */

struct replica_follow;
struct replica_leader_marks;

/* What is to be asked of the leader; false: nothing now. */
bool partition_follow_ask(struct partition *partition, struct replica_follow *ret_follow);

void partition_follow_answered(struct partition *partition, const Klamm__FollowAnswer *answer);

/* Of a handle that is open on the link. batches are not trusted. */
void partition_follow_append(struct partition *partition, int64_t from, const struct replica_leader_marks *marks, struct slice batches);
void partition_follow_advance(struct partition *partition, const struct replica_leader_marks *marks);

/* The log is cut for what the leader has answered, unless that is out of date by now. */
void partition_follow_cut(struct partition *partition, const struct link_cut *cut);

/* The leader has closed the handle; error: Kafka error, not trusted. */
void partition_follow_closed(struct partition *partition, int32_t error);

/* The connection is lost. */
void partition_follow_lost(struct partition *partition);

/* ---- other questions ---- */

/* Of the last batch there is, -1 without any: the newest entry of the epoch cache may be of a leadership that wrote nothing. */
int32_t partition_last_epoch(const struct partition *partition);

/* Kafka error for a request to the leader; current_epoch -1: not said. Covers a failed log dir. */
int16_t partition_may_read(const struct partition *partition, int32_t current_epoch);

/* DeleteRecords: everything below an offset goes, here at once, and on the replicas that live before it is done. */
struct partition_deletion {
	/* In. */
	int64_t offset;      /* -1: the high watermark */
	int64_t deadline_ms; /* clock_ms; then REQUEST_TIMED_OUT */
	/* Out. */
	int16_t error;
	int64_t low_watermark; /* the lowest log start of all replicas that live; -1 on errors but for a time-out */
	/* Called once, on the owner's thread: before partition_delete_records returns, or later. */
	void (*done)(struct partition_deletion *deletion);
	/* Of the partition. */
	struct partition *partition; /* also in done, unless it has failed */
	struct timer timer;
	struct partition_deletion *prev, *next; /* utlist */
	int64_t required_offset;
};

void partition_delete_records(struct partition *partition, struct partition_deletion *deletion);

#endif
