/* See send_list.h. */
#include "broker/net/send_list.h"

#include "common/check.h"
#include "common/error.h"

#include <errno.h>

#define SEND_PIECES 64
/* One flush sends at most about this much, so that one fast reader does not hold up the other connections of its worker. */
#define SEND_TURN_BYTES (1 << 20)

void send_list_init(struct send_list *list)
{
	*list = (struct send_list){0};
	list->tail = &list->first;
}

static size_t *counter_of(struct send_list *list, const struct send_item *item)
{
	return item->data ? &list->bytes : &list->file_bytes;
}

void send_list_append(struct send_list *list, struct send_item *item)
{
	item->next = NULL;
	*list->tail = item;
	list->tail = &item->next;
	*counter_of(list, item) += item->len;
}

static void pop(struct send_list *list)
{
	struct send_item *item = list->first;

	list->first = item->next;
	if (!list->first)
		list->tail = &list->first;
	*counter_of(list, item) -= item->len;
	if (item->sent)
		item->sent(item);
}

/* The first n bytes of the list are out; items that are done are given back. */
static void advance(struct send_list *list, size_t n)
{
	while (list->first) {
		struct send_item *item = list->first;
		size_t part = n < item->len ? n : item->len;

		*counter_of(list, item) -= part;
		item->len -= part;
		n -= part;
		if (item->data)
			item->data += part;
		else
			item->pos += (int64_t)part;
		if (item->len > 0)
			break;
		pop(list);
	}
	CHECK(n == 0);
}

static ssize_t send_bytes(struct send_list *list, const struct transport *transport)
{
	struct iovec pieces[SEND_PIECES];
	const struct send_item *item = list->first;
	int n = 0;

	for (; item && n < SEND_PIECES && (item->data || item->len == 0); item = item->next)
		if (item->len > 0)
			pieces[n++] = (struct iovec){.iov_base = (void *)item->data, .iov_len = item->len};
	/* A mark at the end is nothing that follows: the kernel would wait for more in vain. */
	while (item && item->len == 0)
		item = item->next;
	return transport_send(transport, pieces, n, item != NULL);
}

static int error_of_send(int errno_value)
{
	switch (errno_value) {
	case EAGAIN:
		return ERR_BUSY;
	case EPIPE:
	case ECONNRESET:
	case ETIMEDOUT:
		return ERR_CLOSED;
	default:
		return ERR_IO;
	}
}

int send_list_flush(struct send_list *list, const struct transport *transport, size_t *ret_sent)
{
	size_t sent = 0;
	int rc = 0;

	advance(list, 0);
	while (list->first && rc == 0) {
		const struct send_item *item = list->first;
		ssize_t n;

		do
			n = item->data ? send_bytes(list, transport)
				       : transport_send_file(transport, item->fd, item->pos, item->len);
		while (n < 0 && errno == EINTR);
		if (n < 0) {
			rc = error_of_send(errno);
		} else if (n == 0) {
			rc = ERR_TRUNCATED;
		} else {
			sent += (size_t)n;
			advance(list, (size_t)n);
			if (sent >= SEND_TURN_BYTES && list->first)
				rc = ERR_BUSY;
		}
	}
	if (ret_sent)
		*ret_sent = sent;
	return rc;
}

void send_list_drop(struct send_list *list)
{
	while (list->first)
		pop(list);
}
