/*
 * Bytes from a socket into frames, without copying what is large.
 *
 *     small frames      recv into the worker's chunk (64 KiB, shared by its connections); the caller copies what it keeps
 *     middle frames     the same, but a reference to the chunk is kept instead of a copy
 *     a frame that the chunk does not end: its first bytes are copied into a buffer of its own; the rest is received straight into
 *                       that, and what follows it on the socket into the chunk, by one call
 *
 * The buffer of a frame grows as bytes arrive: to twice what is there, or at once to the size that frames of this connection have
 * had before; never by the claimed size alone. Who calls takes the growth from the budget first.
 *
 * Turn of a caller: receiver_fill, then receiver_bytes / receiver_take for each whole frame, then receiver_settle with the
 * length of the frame that is begun (0: not known yet).
 */
#ifndef KLAMM_BROKER_NET_RECEIVER_H
#define KLAMM_BROKER_NET_RECEIVER_H

#include "broker/net/transport.h"
#include "common/buf.h"
#include "common/slice.h"

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
	struct buf *own;      /* bytes kept between turns; NULL = none but those in head */
	size_t own_at;        /* first one not taken */
	size_t frame_bytes;   /* length of the frame that own begins with, when it is not whole; 0 = not known */
	size_t frame_seen;    /* largest frame taken from own: so much is granted at once */
	uint8_t head[RECEIVER_HEAD_BYTES]; /* or: so few bytes that the length of their frame is not known */
	size_t n_head;
	size_t chunk_at, chunk_end; /* of this turn: bytes in the chunk not taken */
};

/* A whole frame. buf is a reference for the caller, or NULL: the bytes are good until the next fill and are to be copied. */
struct received {
	struct slice bytes;
	struct buf *buf;
};

void receive_pool_init(struct receive_pool *pool);
void receive_pool_fini(struct receive_pool *pool);

void receiver_init(struct receiver *receiver, struct receive_pool *pool);
void receiver_fini(struct receiver *receiver);

/* By how many bytes the buffer will grow at the next fill; the caller takes them from the budget and then calls receiver_grow. */
size_t receiver_growth(const struct receiver *receiver);
void receiver_grow(struct receiver *receiver);

/* One receive. 0 or more: bytes; ERR_CLOSED: the end of the stream; ERR_BUSY: nothing there; ERR_IO: reset and the like. */
int64_t receiver_fill(struct receiver *receiver, const struct transport *transport);

/* The bytes not taken that lie together; when they end within a frame there are no more of this turn. */
struct slice receiver_bytes(const struct receiver *receiver);

/* Takes the first len bytes, a whole frame of which `head` bytes are left out of the slice. */
struct received receiver_take(struct receiver *receiver, size_t len, size_t head);

/*
 * Ends the turn: what was not taken is kept; frame_bytes is the length of the frame it begins with. Returns the bytes of memory
 * that this newly holds (for the budget); what own held before and gave away is the taker's.
 */
size_t receiver_settle(struct receiver *receiver, size_t frame_bytes);

/* Bytes held between turns. */
size_t receiver_held(const struct receiver *receiver);

#endif
