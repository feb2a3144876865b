/*
 * The way into a thread: many post, one takes.
 *
 *     post: lock, append, unlock, and one write to the eventfd if the list was empty
 *     take: lock, splice the whole list, unlock; then each message's run() in the order of posting
 *
 * A message is embedded in what travels (a request part, a view, a closed connection). From post() on it belongs to the
 * receiver and the sender does not touch it; a message is in at most one mailbox at a time. Messages of one sender keep their
 * order.
 */
#ifndef KLAMM_BROKER_RT_MAILBOX_H
#define KLAMM_BROKER_RT_MAILBOX_H

#include <pthread.h>
#include <stdbool.h>

struct message {
	struct message *next;
	void (*run)(struct message *message); /* on the receiver's thread; may free or post the message anew */
};

struct mailbox {
	pthread_mutex_t lock;
	struct message *first;
	struct message **tail;
	int fd; /* eventfd: gets an edge whenever the list stops being empty; nobody reads it */
};

/* ERR_LIMIT when no descriptor is left. */
int mailbox_init(struct mailbox *mailbox);

/* Messages still inside are a bug of the tear-down. */
void mailbox_fini(struct mailbox *mailbox);

/* Any thread. */
void mailbox_post(struct mailbox *mailbox, struct message *message);

/* The receiver: all messages of this moment, oldest first, linked by next; NULL when there are none. */
struct message *mailbox_take(struct mailbox *mailbox);

#endif
