/* See receiver.h. */
#include "broker/net/receiver.h"

#include "common/check.h"
#include "common/error.h"

#include <errno.h>

/* Behind a frame with its own buffer so much of what follows is received by the same call: enough for the next head, little to
 * copy. */
#define RECEIVER_BEHIND_BYTES 16384
/* A chunk with less room than this is left to those who refer to it. */
#define RECEIVER_CHUNK_ROOM_MIN (RECEIVER_CHUNK_BYTES / 4)
/* History counts up to here; larger frames grow by doubling, which costs no copy where the allocator moves pages. */
#define RECEIVER_SEEN_BYTES_MAX (8u << 20)

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static size_t most(size_t a, size_t b)
{
	return a > b ? a : b;
}

void receive_pool_init(struct receive_pool *pool)
{
	pool->chunk = NULL;
}

void receive_pool_fini(struct receive_pool *pool)
{
	buf_release(pool->chunk);
	pool->chunk = NULL;
}

/* A chunk with room behind its len: from the start when nobody else refers to it, a new one when it is nearly full. */
static struct buf *pool_chunk(struct receive_pool *pool)
{
	if (pool->chunk && refcount_is_one(&pool->chunk->refs))
		pool->chunk->len = 0;
	if (pool->chunk && pool->chunk->cap - pool->chunk->len >= RECEIVER_CHUNK_ROOM_MIN)
		return pool->chunk;
	buf_release(pool->chunk);
	pool->chunk = buf_new(RECEIVER_CHUNK_BYTES);
	return pool->chunk;
}

void receiver_init(struct receiver *receiver, struct receive_pool *pool)
{
	*receiver = (struct receiver){.pool = pool};
}

void receiver_fini(struct receiver *receiver)
{
	buf_release(receiver->own);
	buf_release(receiver->spent);
	*receiver = (struct receiver){.pool = receiver->pool};
}

/* Room that a frame gets of which `have` bytes are here. */
static size_t room_for(const struct receiver *receiver, size_t have, size_t frame_bytes)
{
	size_t trusted = most(most(2 * have, RECEIVER_CHUNK_BYTES), receiver->frame_seen);

	return most(have, least(frame_bytes, trusted));
}

size_t receiver_growth(const struct receiver *receiver)
{
	const struct buf *own = receiver->own;

	if (!own || own->len < own->cap || own->len >= receiver->frame_bytes)
		return 0;
	return room_for(receiver, own->len, receiver->frame_bytes) - own->cap;
}

static ssize_t receive(const struct transport *transport, const struct iovec *pieces, int n_pieces)
{
	ssize_t n;

	do
		n = transport_recv(transport, pieces, n_pieces);
	while (n < 0 && errno == EINTR);
	return n;
}

/* Few bytes or none are kept: all goes into the chunk, the kept ones first. */
static int64_t fill_chunk(struct receiver *receiver, const struct transport *transport, bool *ret_full)
{
	struct buf *chunk = pool_chunk(receiver->pool);
	struct iovec piece;
	ssize_t n;

	receiver->chunk_at = chunk->len;
	receiver->chunk_end = chunk->len;
	piece.iov_base = chunk->data + chunk->len + receiver->n_head;
	piece.iov_len = chunk->cap - chunk->len - receiver->n_head;
	n = receive(transport, &piece, 1);
	if (n <= 0)
		return n;
	memcpy(chunk->data + chunk->len, receiver->head, receiver->n_head);
	receiver->chunk_end += receiver->n_head + (size_t)n;
	receiver->n_head = 0;
	*ret_full = (size_t)n == piece.iov_len;
	return n;
}

/* Into the frame's own buffer, and behind its end into the chunk. */
static int64_t fill_own(struct receiver *receiver, const struct transport *transport, bool *ret_full)
{
	struct buf *own = receiver->own, *chunk;
	struct iovec pieces[2];
	size_t room;
	ssize_t n;

	buf_reserve(own, own->cap + receiver_growth(receiver));
	room = least(own->cap, receiver->frame_bytes) - own->len;
	pieces[0] = (struct iovec){own->data + own->len, room};
	if (own->len + room < receiver->frame_bytes) {
		n = receive(transport, pieces, 1);
	} else {
		chunk = pool_chunk(receiver->pool);
		receiver->chunk_at = receiver->chunk_end = chunk->len;
		pieces[1] = (struct iovec){chunk->data + chunk->len, least(chunk->cap - chunk->len, RECEIVER_BEHIND_BYTES)};
		n = receive(transport, pieces, 2);
	}
	if (n <= 0)
		return n;
	*ret_full = (size_t)n >= room;
	own->len += least((size_t)n, room);
	if ((size_t)n > room)
		receiver->chunk_end += (size_t)n - room;
	return n;
}

int64_t receiver_fill(struct receiver *receiver, const struct transport *transport, bool *ret_full)
{
	int64_t n;

	CHECK(receiver->chunk_at == receiver->chunk_end && receiver->own_at == 0);
	*ret_full = false;
	if (receiver->own)
		CHECK(receiver->own->len < receiver->frame_bytes);
	n = receiver->own ? fill_own(receiver, transport, ret_full) : fill_chunk(receiver, transport, ret_full);
	if (n < 0)
		return errno == EAGAIN ? ERR_BUSY : ERR_CLOSED;
	return n;
}

struct slice receiver_bytes(const struct receiver *receiver)
{
	const struct buf *own = receiver->own;

	if (own)
		return slice_of(own->data + receiver->own_at, own->len - receiver->own_at);
	if (receiver->n_head > 0)
		return slice_of(receiver->head, receiver->n_head);
	if (receiver->chunk_at < receiver->chunk_end)
		return slice_of(receiver->pool->chunk->data + receiver->chunk_at, receiver->chunk_end - receiver->chunk_at);
	return slice_of("", 0);
}

/* The frame is kept by reference when it is large; what refers to the chunk keeps all before its end from being written again.
 */
static struct received take_from(struct buf *buf, size_t at, size_t len, size_t skip)
{
	struct received received = {.bytes = slice_of(buf->data + at + skip, len - skip)};

	if (len >= RECEIVER_COPY_BYTES)
		received.buf = buf_retain(buf);
	return received;
}

/* Own is all taken; it stays until the turn ends, for those who look at its last frame. */
static void spend(struct receiver *receiver)
{
	buf_release(receiver->spent);
	receiver->spent = receiver->own;
	receiver->own = NULL;
	receiver->own_at = 0;
}

struct received receiver_take(struct receiver *receiver, size_t len, size_t skip)
{
	struct buf *own = receiver->own, *chunk = receiver->pool->chunk;
	struct received received;

	receiver->frame_seen = least(most(receiver->frame_seen, len), RECEIVER_SEEN_BYTES_MAX);
	receiver->frame_bytes = 0;
	if (!own) {
		CHECK(receiver->chunk_end - receiver->chunk_at >= len);
		received = take_from(chunk, receiver->chunk_at, len, skip);
		receiver->chunk_at += len;
		if (received.buf)
			chunk->len = most(chunk->len, receiver->chunk_at);
		return received;
	}
	CHECK(own->len - receiver->own_at >= len);
	received = take_from(own, receiver->own_at, len, skip);
	receiver->own_at += len;
	if (receiver->own_at == own->len)
		spend(receiver);
	return received;
}

/* Copies all that is kept into `to` and forgets it. */
static void gather(struct receiver *receiver, uint8_t *to)
{
	struct buf *own = receiver->own;

	if (own) {
		memcpy(to, own->data + receiver->own_at, own->len - receiver->own_at);
		to += own->len - receiver->own_at;
		spend(receiver);
	}
	memcpy(to, receiver->head, receiver->n_head);
	to += receiver->n_head;
	receiver->n_head = 0;
	if (receiver->chunk_at < receiver->chunk_end)
		memcpy(to, receiver->pool->chunk->data + receiver->chunk_at, receiver->chunk_end - receiver->chunk_at);
	receiver->chunk_at = receiver->chunk_end;
}

/* Keeps what is not taken in one new place: a few bytes in head, more in a buffer with room for the frame. */
static void move_rest(struct receiver *receiver, size_t rest, size_t frame_bytes)
{
	uint8_t few[RECEIVER_HEAD_BYTES];
	struct buf *own;

	if (rest < RECEIVER_HEAD_BYTES) {
		gather(receiver, few);
		memcpy(receiver->head, few, rest);
		receiver->n_head = rest;
		return;
	}
	own = buf_new(room_for(receiver, rest, frame_bytes));
	gather(receiver, own->data);
	own->len = rest;
	receiver->own = own;
}

void receiver_settle(struct receiver *receiver, size_t frame_bytes)
{
	size_t in_chunk = receiver->chunk_end - receiver->chunk_at;

	if (in_chunk > 0 || receiver->own_at > 0)
		move_rest(receiver, receiver_begun(receiver) + in_chunk, frame_bytes);
	receiver->frame_bytes = frame_bytes;
	buf_release(receiver->spent);
	receiver->spent = NULL;
}

size_t receiver_held(const struct receiver *receiver)
{
	return receiver->own ? receiver->own->cap : 0;
}

size_t receiver_begun(const struct receiver *receiver)
{
	return receiver->own ? receiver->own->len - receiver->own_at : receiver->n_head;
}

struct received receiver_give_away(struct receiver *receiver)
{
	struct received rest = {0};
	size_t len = receiver_begun(receiver);

	if (len == 0)
		return rest;
	rest.buf = buf_new(len);
	rest.buf->len = len;
	rest.bytes = buf_slice(rest.buf);
	gather(receiver, rest.buf->data);
	receiver_settle(receiver, 0);
	return rest;
}

void receiver_start_with(struct receiver *receiver, struct buf *buf, struct slice bytes)
{
	if (!buf)
		return;
	receiver->own = buf_new(bytes.len);
	memcpy(receiver->own->data, bytes.data, bytes.len);
	receiver->own->len = bytes.len;
	buf_release(buf);
	if (bytes.len >= RECEIVER_HEAD_BYTES)
		return;
	/* So few are kept where a fill looks for them. */
	memcpy(receiver->head, receiver->own->data, bytes.len);
	receiver->n_head = bytes.len;
	spend(receiver);
}
