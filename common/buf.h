/*
 * A counted buffer: the bytes of one frame. Strings and records of a request are slices into it; whoever keeps a slice beyond
 * the request retains the buffer. Any thread may retain and release; only the one that fills it writes.
 */
#ifndef KLAMM_COMMON_BUF_H
#define KLAMM_COMMON_BUF_H

#include "common/refcount.h"
#include "common/slice.h"

struct buf {
	struct refcount refs;
	size_t cap;
	size_t len;                     /* bytes filled */
	void (*on_free)(struct buf *);  /* NULL, or told just before the memory goes (to give back a budget) */
	void *owner;                    /* for on_free */
	uint8_t *data;
};

/* A buffer of cap bytes with one reference, len 0. */
struct buf *buf_new(size_t cap);

/* Makes room for cap bytes; contents stay. Only while there is one reference and no slice into it. */
void buf_reserve(struct buf *buf, size_t cap);

struct buf *buf_retain(struct buf *buf);

/* NULL is allowed. */
void buf_release(struct buf *buf);

static inline struct slice buf_slice(const struct buf *buf)
{
	return slice_of(buf->data, buf->len);
}

#endif
