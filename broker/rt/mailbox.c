/* Intrusive list under one mutex; see mailbox.h. */
#include "broker/rt/mailbox.h"

#include "common/check.h"
#include "common/error.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

int mailbox_init(struct mailbox *mailbox)
{
	mailbox->first = NULL;
	mailbox->tail = &mailbox->first;
	mailbox->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (mailbox->fd < 0)
		return ERR_LIMIT;
	CHECK(pthread_mutex_init(&mailbox->lock, NULL) == 0);
	return 0;
}

void mailbox_fini(struct mailbox *mailbox)
{
	CHECK(!mailbox->first);
	close(mailbox->fd);
	pthread_mutex_destroy(&mailbox->lock);
}

void mailbox_post(struct mailbox *mailbox, struct message *message)
{
	uint64_t one = 1;
	bool was_empty;

	message->next = NULL;
	pthread_mutex_lock(&mailbox->lock);
	was_empty = !mailbox->first;
	*mailbox->tail = message;
	mailbox->tail = &message->next;
	pthread_mutex_unlock(&mailbox->lock);
	/* The message may be gone by now. The counter cannot overflow in the life of a machine, so the write cannot fail. */
	if (was_empty)
		CHECK(write(mailbox->fd, &one, sizeof one) == sizeof one);
}

struct message *mailbox_take(struct mailbox *mailbox)
{
	struct message *first;

	pthread_mutex_lock(&mailbox->lock);
	first = mailbox->first;
	mailbox->first = NULL;
	mailbox->tail = &mailbox->first;
	pthread_mutex_unlock(&mailbox->lock);
	return first;
}
