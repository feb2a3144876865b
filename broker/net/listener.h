/*
 * One listening socket of the hub. What it accepts goes to the acceptor.
 */
#ifndef KLAMM_BROKER_NET_LISTENER_H
#define KLAMM_BROKER_NET_LISTENER_H

#include "broker/net/acceptor.h"
#include "broker/rt/loop.h"
#include "common/error.h"

struct listener_options {
	int backlog;              /* socket.listen.backlog.size */
	int receive_buffer_bytes; /* socket.receive.buffer.bytes; -1 = the system's */
	int send_buffer_bytes;    /* socket.send.buffer.bytes; -1 = the system's */
};

extern const struct listener_options listener_options_default;

struct listener {
	struct listener_info info;
	struct acceptor *acceptor;
	struct listener *next; /* of the acceptor's */
	struct loop_fd fd;
	struct timer resume;
	bool started;
	int64_t tokens_milli; /* of the creation rate, in thousandths of a connection */
	int64_t tokens_ms;    /* when they were counted */
};

/*
 * Binds and listens; connections queue up in the kernel until listener_start. info is copied, its texts are not. With port 0
 * info.port gets the one that the system chose. Fails with a sentence that names listener, address and port: ERR_BUSY when the
 * port is taken, ERR_INVALID for an address that is not ours or not numeric.
 */
int listener_open(struct listener *listener, struct acceptor *acceptor, const struct listener_info *info,
		  const struct listener_options *options, struct error *err);

/* Accepts from now on. */
void listener_start(struct listener *listener);

/* A connection has been closed, or limits have changed: accepts again if it may. */
void listener_on_room(struct listener *listener);

void listener_close(struct listener *listener);

#endif
