/* Counted buffers; see buf.h. */
#include "common/buf.h"

#include "common/memory.h"

#include <stdlib.h>

struct buf *buf_new(size_t cap)
{
	struct buf *buf = NEW(struct buf);

	refcount_init(&buf->refs);
	buf->cap = cap;
	buf->data = memory_alloc(cap);
	return buf;
}

void buf_reserve(struct buf *buf, size_t cap)
{
	if (cap <= buf->cap)
		return;
	buf->data = memory_grow(buf->data, cap);
	buf->cap = cap;
}

struct buf *buf_retain(struct buf *buf)
{
	refcount_retain(&buf->refs);
	return buf;
}

void buf_release(struct buf *buf)
{
	if (!buf || !refcount_release(&buf->refs))
		return;
	if (buf->on_free)
		buf->on_free(buf);
	free(buf->data);
	free(buf);
}
