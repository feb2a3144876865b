/* Shared by feed.c (connections, frames), feed_follow.c (Follow) and feed_send.c (Append, Advance); nobody else includes it. */
#ifndef KLAMM_BROKER_REPLICA_FEED_INTERNAL_H
#define KLAMM_BROKER_REPLICA_FEED_INTERNAL_H

#include "broker/replica/feed.h"

#include "broker/replica/partition.h"
#include "broker/replica/replica_leader_core.h"
#include "proto/cluster/cluster.pb-c.h"

/* One answer to a Follow that waits for the end of the turn. */
struct feed_answer {
	struct partition_key key;
	int32_t leader_epoch; /* of the Follow */
	int64_t handle;
	struct replica_judgement judgement;
};

/* A handle that the follower is to be told the end of. */
struct feed_goodbye {
	int64_t handle;
	int16_t error;
};

/* A part of a log that the reading thread of its disk brings into memory. */
struct feed_load {
	struct disk_job job;
	struct log_slice slice;
	int64_t skip;               /* of the slice; is there already */
	struct feed_stream *stream; /* NULL: is gone */
};

/* One connection. */
struct feed {
	struct feeds *feeds;
	struct feed *prev, *next; /* of the shard */
	int32_t follower;
	int64_t follower_epoch;
	struct peer *peer;
	struct feed_stream *streams; /* uthash by handle */
	struct feed_stream *live;     /* queues */
	struct feed_stream *catch_up;
	struct feed_stream *advances;
	int64_t catch_up_unacked; /* bytes */
	int64_t catch_up_window;  /* so many may be (feed_send.c) */
	bool full;                /* the peer has enough until it says on_drained */
	struct deferred turn;
	struct timer resume;      /* goes on after other connections had their turn */
	struct timer unthrottle;  /* those that a throttle holds go on */
	struct timer advance_timer;
	struct feed_answer *answers;
	int n_answers, n_answers_max;
	struct feed_goodbye *goodbyes;
	int n_goodbyes, n_goodbyes_max;
};

/* ---- feed.c ---- */

/* What there is to send goes out at the end of this turn. */
void feed_defer(struct feed *feed);

/* A stream for a handle that the core has opened. */
void feed_stream_open(struct feed *feed, struct partition *partition, int64_t handle, int64_t log_end_offset,
		      const struct replica_judgement *judgement);

/* ---- feed_follow.c ---- */

/* A frame of type FOLLOW: 0 or a negative code. */
int feed_on_follow(struct feed *feed, struct slice payload);

/* Judges what waits, of one partition or (NULL) of all, again. */
void feeds_judge_parked(struct feeds *feeds, const struct partition_key *key);

/* The parked Follows of a connection that is over. */
void feed_forget_parked(struct feed *feed);

/* The time of parked ones is up. */
void feeds_on_parked_timer(struct timer *timer);

/* Sends the answers of this turn. */
void feed_send_answers(struct feed *feed);

/* ---- feed_send.c ---- */

/* Sends what the queues have, as far as the peer and the bounds allow. */
void feed_pump(struct feed *feed);

/* An ack has come: pieces below it are not under way any more. */
void feed_stream_settle_pieces(struct feed_stream *stream, int64_t acked_offset);

/* Takes a stream out of queues and lists. */
void feed_stream_unqueue(struct feed_stream *stream);

void feed_on_advance_timer(struct timer *timer);
void feed_on_unthrottle(struct timer *timer);

/* What a connection may have under way to those that catch up before anything is known of it. */
#define FEED_WINDOW_FIRST (256 << 10)

#endif
