/*
 * Bytes from a socket into frames, without copying what is large.
 *
 *     small frames      recv into the worker's chunk (64 KiB, shared by its connections); the caller copies what it keeps
 *     middle frames     the same, but a reference to the chunk is kept instead of a copy
 *     a frame that the chunk does not end: its first bytes are copied into a buffer of its own; the rest is received straight
 * into that, and what follows it on the socket into the chunk, by one call
 *
 * The buffer of a frame grows as bytes arrive: to twice what is there, or at once to the size that frames of this connection
 * have had before; never by the claimed size alone.
 *
 * Turn of a caller: growth from the budget, receiver_fill, then receiver_bytes and receiver_take for each whole frame, then
 * receiver_settle. The chunk is shared: between fill and settle no other receiver of the pool is filled.
 */
#ifndef KLAMM_BROKER_NET_RECEIVER_H
#define KLAMM_BROKER_NET_RECEIVER_H

#include "broker/net/transport.h"
#include "common/buf.h"
#include "common/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RECEIVER_CHUNK_BYTES 65536
#define RECEIVER_HEAD_BYTES 8
/* Frames from here on are kept by reference to the chunk, smaller ones are to be copied. */
#define RECEIVER_COPY_BYTES 4096

/* The chunk of a worker. */
struct receive_pool {
	struct buf *chunk;
};

struct receiver {
	struct receive_pool *pool;
	struct buf *own;                   /* bytes kept between turns; NULL = none but those in head */
	size_t own_at;                     /* first one not taken */
	struct buf *spent;                 /* an own that is all taken; a small frame in it is looked at until the turn ends */
	size_t frame_bytes;                /* length of the frame that begins there, when it is not whole; 0 = not known */
	size_t frame_seen;                 /* largest frame that came whole: so much is granted to the next one at once */
	uint8_t head[RECEIVER_HEAD_BYTES]; /* or: so few bytes that the length of their frame may not be known */
	size_t n_head;
	size_t chunk_at, chunk_end; /* of this turn: bytes in the chunk not taken; they follow those of own */
};

/* A whole frame. buf is a reference for the caller, or NULL: the bytes are good until receiver_settle and are to be copied. */
struct received {
	struct slice bytes;
	struct buf *buf;
};

void receive_pool_init(struct receive_pool *pool);
void receive_pool_fini(struct receive_pool *pool);

void receiver_init(struct receiver *receiver, struct receive_pool *pool);
void receiver_fini(struct receiver *receiver);

/* By how many bytes the buffer has to grow before the next fill. The caller takes them from the budget; receiver_fill does it.
 */
size_t receiver_growth(const struct receiver *receiver);

/*
 * One receive, when receiver_bytes has no whole frame left. Bytes received (*ret_full: there may be more at once); 0 at the end
 * of the stream; ERR_BUSY: nothing there; ERR_CLOSED: reset and the like.
 */
int64_t receiver_fill(struct receiver *receiver, const struct transport *transport, bool *ret_full);

/* The bytes not taken that lie together: they begin with a frame, whole or not. */
struct slice receiver_bytes(const struct receiver *receiver);

/* Takes the first len bytes, a whole frame; the slice is without its first `skip` bytes. */
struct received receiver_take(struct receiver *receiver, size_t len, size_t skip);

/*
 * Ends the turn: what was not taken is kept. frame_bytes is the length of the frame that it begins with, 0 when the caller did
 * not look or there are too few bytes to tell.
 */
void receiver_settle(struct receiver *receiver, size_t frame_bytes);

/* Memory held between turns, for the budget. */
size_t receiver_held(const struct receiver *receiver);

/* Bytes kept of a frame that is not whole; 0 = between frames. */
size_t receiver_begun(const struct receiver *receiver);

/* Gives away what was not taken, after receiver_settle: a reference (NULL when there is nothing). */
struct received receiver_give_away(struct receiver *receiver);

/* Starts with such bytes; the reference is taken over. */
void receiver_start_with(struct receiver *receiver, struct buf *buf, struct slice bytes);

#endif
