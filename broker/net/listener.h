/*
 * Listening sockets and the doorman of them all: the hub accepts, counts, refuses what is too much, and deals connections to the
 * workers round robin.
 *
 *     max.connections reached      listeners for clients pause until a connection is closed; a tenth is kept for the inter-broker one
 *     too many of one address      accepted and closed at once
 *     creation rate                the listener pauses until the bucket has a token
 *     no descriptor left (EMFILE)  a spare one is given up to accept and close, then accepting pauses for a second (D10)
 *
 * All on the hub's thread but client_release.
 */
#ifndef KLAMM_BROKER_NET_LISTENER_H
#define KLAMM_BROKER_NET_LISTENER_H

#include "broker/net/client.h"
#include "broker/rt/loop.h"
#include "common/error.h"

struct net;

struct acceptor_override {
	char host[INET6_ADDRSTRLEN];
	int n_max;
};

struct acceptor_limits {
	int connections_max;               /* max.connections */
	int connections_per_ip_max;        /* max.connections.per.ip */
	const struct acceptor_override *overrides; /* max.connections.per.ip.overrides; the caller's */
	int n_overrides;
	int creation_rate_max;             /* max.connection.creation.rate: connections a second for each listener; 0 = no bound */
	int backlog;                       /* socket.listen.backlog.size */
	int receive_buffer_bytes;          /* -1 = the system's */
	int send_buffer_bytes;
};

extern const struct acceptor_limits acceptor_limits_default;

struct acceptor;

struct listener {
	struct listener_info info;
	struct acceptor *acceptor;
	struct loop_fd fd;
	struct timer resume;
	bool paused;
	int64_t tokens_milli; /* of the creation rate, in thousandths */
	int64_t tokens_ms;
	struct listener *next;
};

struct acceptor_counters {
	int64_t n_open;
	int64_t n_accepted;
	int64_t n_refused_ip;
	int64_t n_refused_fd; /* for want of descriptors */
	int64_t n_pauses;
};

struct acceptor_address; /* one address with its count */

struct acceptor {
	struct worker *hub;
	struct acceptor_limits limits;
	struct net **nets; /* one for each worker */
	int n_nets;
	int next_net;
	int spare_fd;
	uint64_t accept_number;
	struct listener *listeners;
	struct acceptor_address *addresses;
	struct acceptor_counters counters;
};

/* 0 or ERR_LIMIT. nets stays the caller's and must live until acceptor_fini. */
int acceptor_init(struct acceptor *acceptor, struct worker *hub, const struct acceptor_limits *limits, struct net **nets, int n_nets);

/* All connections are closed and released, all listeners closed. */
void acceptor_fini(struct acceptor *acceptor);

/* New limits from a changed configuration. */
void acceptor_set_limits(struct acceptor *acceptor, const struct acceptor_limits *limits);

/*
 * Binds and listens; connections queue up in the kernel until listener_start. info is copied, its texts are not. Fails with a
 * sentence that names listener, address and port: ERR_BUSY when the port is taken, ERR_INVALID for an address that is not ours.
 */
int listener_open(struct listener *listener, struct acceptor *acceptor, const struct listener_info *info, struct error *err);
void listener_start(struct listener *listener);
void listener_close(struct listener *listener);

#endif
