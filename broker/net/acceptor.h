/*
 * The doorman of all listeners: counts connections, refuses what is too much, and deals the rest to the workers round robin.
 *
 *     max.connections reached      listeners for clients pause until a connection is closed; where the inter-broker listener is
 * another one, a tenth of the connections is kept for it too many of one address      accepted and closed at once creation rate
 * the listener pauses until the bucket has a token no descriptor left (EMFILE)  a spare one is given up to accept and close,
 * then accepting pauses for a second (D10)
 *
 * All on the hub's thread but client_release.
 */
#ifndef KLAMM_BROKER_NET_ACCEPTOR_H
#define KLAMM_BROKER_NET_ACCEPTOR_H

#include "broker/net/client.h"

struct net;
struct listener;

struct acceptor_override {
	char host[INET6_ADDRSTRLEN]; /* numeric, as client.host */
	int n_max;
};

struct acceptor_limits {
	int connections_max;                       /* max.connections */
	int connections_per_ip_max;                /* max.connections.per.ip */
	const struct acceptor_override *overrides; /* max.connections.per.ip.overrides; the caller's */
	int n_overrides;
	int creation_rate_max; /* max.connection.creation.rate: a second, of each listener; INT32_MAX = no bound */
};

/* Kafka's defaults: no bounds. */
extern const struct acceptor_limits acceptor_limits_default;

struct acceptor_counters {
	int64_t n_open;
	int64_t n_accepted;
	int64_t n_refused_ip;
	int64_t n_refused_fd; /* for want of descriptors */
	int64_t n_pauses;     /* for want of connections, descriptors or tokens */
};

struct acceptor_address; /* one address and how many connections it has */

struct acceptor {
	struct worker *hub;
	struct acceptor_limits limits;
	struct net **nets; /* one for each worker */
	int n_nets;
	int next_net;
	int spare_fd;
	uint64_t accept_number;
	struct listener *listeners;
	bool has_inter_broker; /* a listener of its own for brokers */
	struct acceptor_address *addresses;
	struct acceptor_counters counters;
};

/* 0 or ERR_LIMIT. nets stays the caller's and lives until acceptor_fini. */
int acceptor_init(struct acceptor *acceptor, struct worker *hub, const struct acceptor_limits *limits, struct net **nets,
		  int n_nets);

/* When all listeners are closed and all clients released (and their messages run). */
void acceptor_fini(struct acceptor *acceptor);

/* New limits from a changed configuration. */
void acceptor_set_limits(struct acceptor *acceptor, const struct acceptor_limits *limits);

/* ---- for listener.c ---- */

/* Whether a connection to this listener may be accepted now. */
bool acceptor_has_room(const struct acceptor *acceptor, const struct listener *listener);

/* A connection that was accepted: counted and dealt, or closed. Takes over fd. */
void acceptor_take(struct acceptor *acceptor, const struct listener *listener, int fd, const struct sockaddr_storage *address);

/* accept said EMFILE or ENFILE: refuses one connection with the spare descriptor. */
void acceptor_refuse_one(struct acceptor *acceptor, int listener_fd);

#endif
