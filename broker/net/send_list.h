/*
 * What is to be sent on a socket: byte ranges and file ranges in order, sent by sendmsg (with MSG_MORE in front of a file
 * range) and sendfile. Ends of sends that the kernel took only in part are kept.
 *
 * Items are embedded or allocated by the caller and belong to the list from the append on; the list gives each back through its
 * `sent` exactly once: when it is sent, or when the list is dropped. Lists belong to one thread.
 */
#ifndef KLAMM_BROKER_NET_SEND_LIST_H
#define KLAMM_BROKER_NET_SEND_LIST_H

#include "broker/net/transport.h"
#include "common/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct send_item {
	struct send_item *next;
	const uint8_t *data; /* NULL: a file range */
	int fd;
	int64_t pos;
	size_t len;                           /* not yet sent */
	void (*sent)(struct send_item *item); /* NULL: nothing to do. May free the item */
};

struct send_list {
	struct send_item *first;
	struct send_item **tail;
	size_t bytes;      /* not yet sent, of byte ranges: they lie in memory */
	size_t file_bytes; /* not yet sent, of file ranges */
};

/* A file range as those who answer a fetch describe it; release is called exactly once, when it is sent or given up. */
struct send_file {
	int fd;
	int64_t pos;
	size_t len;
	void (*release)(struct send_file *file); /* NULL: nothing to release */
	void *owner;                             /* for release: the retained segment */
};

/* What records.external of a response points at: files that follow each other; their lengths add up to records.size. */
struct send_files {
	int n_files;
	struct send_file *files; /* both in the request's arena */
};

void send_list_init(struct send_list *list);

/* Appends; an item of length 0 is only a mark whose sent() is called when all before it is out. */
void send_list_append(struct send_list *list, struct send_item *item);

static inline bool send_list_is_empty(const struct send_list *list)
{
	return !list->first;
}

/*
 * Sends as much as the socket takes. 0: all is out. ERR_BUSY: the socket is full; call again when it is writable. ERR_CLOSED:
 * the other end is gone. ERR_TRUNCATED: a file was shorter than its range (the log was cut): the connection must be closed,
 * since the length has been promised. Others: ERR_IO. *ret_sent (NULL allowed) gets the bytes that went out, also on failure.
 */
int send_list_flush(struct send_list *list, const struct transport *transport, size_t *ret_sent);

/* Gives all items back unsent. */
void send_list_drop(struct send_list *list);

#endif
