/*
 * The leader's end of replication: connections that workers of followers have dialled, and what flows on them (DESIGN: cluster protocol).
 *
 *     Hello accepted (broker/replication_hello.c) -> feeds_adopt -> struct feed: one connection, one incarnation of one follower
 *     FOLLOW  -> feed_follow.c  judged by the partition, or parked up to a second; answers go out in one FOLLOWING a turn
 *     OPEN    -> a stream: the open handle of one partition on this connection
 *     append, high watermark, log start move -> feed_stream_wake -> feed_send.c: APPEND, or later ADVANCE
 *     ACK     -> partition_lead_ack -> the core: high watermark, ISR
 *
 * What is sent when (feed_send.c): streams that have something to send wait in two queues. Those in sync go first; those that catch up share
 * what is left, in pieces, and with a bound on what is not acked yet, so that live data never waits long behind them.
 *
 * Invariants: a handle is given once in the life of a shard (D1). A stream is open as long as the core has its handle: whatever closes that
 * (another leader epoch, another incarnation, a Follow on a newer connection) ends in partition_lead_settle, which closes the stream and
 * tells the follower. What a follower acks was sent to it on that handle; one that says otherwise loses the handle.
 *
 * Owner's thread only. Feeds, streams and parked Follows belong to the shard; a stream is also in the list of its partition.
 */
#ifndef KLAMM_BROKER_REPLICA_FEED_H
#define KLAMM_BROKER_REPLICA_FEED_H

#include "broker/meta/view.h"
#include "broker/net/peer.h"
#include "broker/replica/throttle.h"
#include "broker/rt/loop.h"

#include <stdbool.h>
#include <stdint.h>
#include <uthash.h>

struct feed;
struct parked_follow;
struct parked_key;
struct partition;
struct shard;

/* Pieces of one stream that are sent and not acked, of those that catch up. */
#define FEED_PIECES 4

struct feed_piece {
	int64_t end_offset;
	int64_t bytes;
	int64_t under_way; /* bytes of the connection that were not acked when it was sent, its own too */
	int64_t sent_ns;
};

enum feed_queue {
	FEED_QUEUE_NONE,
	FEED_QUEUE_LIVE,
	FEED_QUEUE_CATCH_UP,
};

/* One open handle. */
struct feed_stream {
	struct feed *feed;
	struct partition *partition;
	int64_t handle;
	int64_t sent_offset;  /* all below is sent */
	int64_t acked_offset; /* and acked */
	int64_t told_high_watermark;
	int64_t told_log_start;
	struct feed_piece pieces[FEED_PIECES]; /* a ring: first_piece, n_pieces */
	int first_piece;
	int n_pieces;
	int64_t loaded_bytes;    /* so much of what is sent next is in memory, of one that catches up */
	struct feed_load *load;  /* more is being read; NULL: not */
	enum feed_queue queue;
	bool advances;                                      /* is in the feed's list of those */
	struct feed_stream *prev, *next;                    /* of the partition */
	struct feed_stream *queue_prev, *queue_next;        /* of a queue of the feed */
	struct feed_stream *advances_prev, *advances_next;  /* marks are to be told without data */
	UT_hash_handle hh;                                  /* of the feed, by handle */
};

/* What followers did that they should not; counted since the start. */
struct feed_counters {
	int64_t n_follows;
	int64_t n_follows_refused;
	int64_t n_follows_parked;
	int64_t n_acks;
	int64_t n_acks_dropped; /* of handles that are closed: no fault */
	int64_t n_acks_invalid;
	int64_t n_frames_refused;
	int64_t n_throttled; /* pauses because of a throttle */
	int64_t bytes_sent;
	int64_t catch_up_bytes_sent;
};

/* All of a shard. */
struct feeds {
	struct shard *shard;
	struct feed *list;
	int64_t next_handle;
	struct parked_key *parked; /* uthash by partition */
	struct parked_follow *parked_first; /* by the end of their time */
	int n_parked;
	struct timer parked_timer;
	struct throttle *throttle; /* of all shards; NULL: there is none */
	int64_t throttle_rate;     /* leader.replication.throttled.rate */
	bool closed;
	struct feed_counters counters;
};

void feeds_init(struct feeds *feeds, struct shard *shard);

/*
 * The connection of a Hello that was accepted, from this incarnation of this follower, for our own incarnation own_epoch. `detached` is
 * taken over; closed at once when either incarnation is over by now.
 */
void feeds_adopt(struct feeds *feeds, const struct detached *detached, int32_t follower, int64_t follower_epoch, int64_t own_epoch);

/* This broker has another incarnation, or none: every connection belongs to one that is over. */
void feeds_on_own_epoch(struct feeds *feeds);

/* The shard has a new view; diff to the one before. */
void feeds_on_view(struct feeds *feeds, const struct view_diff *diff);

/* A partition has taken a state: Follows that wait for it are judged again. */
void feeds_on_state(struct feeds *feeds, struct partition *partition);

/* Closes all connections; none is adopted any more. */
void feeds_close(struct feeds *feeds);

/* ---- for partition_lead.c ---- */

/* The partition's log end, high watermark or log start may have moved. */
void feed_stream_wake(struct feed_stream *stream);

/* The handle is closed on this side: the follower is told why (Kafka error), the stream is gone. */
void feed_stream_close(struct feed_stream *stream, int16_t error);

/* The connection's follower, and when it was last heard. */
int32_t feed_stream_follower(const struct feed_stream *stream);
int64_t feed_stream_heard_ms(const struct feed_stream *stream);

#endif
