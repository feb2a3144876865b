/*
 * Who is at the other end of a connection: address, listener, principal. Made by the hub when it accepts, travels with the
 * connection, and goes back to the hub when the connection is closed, so that the hub can count.
 *
 *     hub: accept -> client_new, counted -> message to a worker -> connection (or, after Hello, peer)
 *     worker: closed -> client_release -> message back to the hub: counts one less, frees
 */
#ifndef KLAMM_BROKER_NET_CLIENT_H
#define KLAMM_BROKER_NET_CLIENT_H

#include "broker/rt/worker.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define CLIENT_ADDRESS_BYTES 64

enum security_protocol { SECURITY_PLAINTEXT = 0, SECURITY_SSL = 1, SECURITY_SASL_PLAINTEXT = 2, SECURITY_SASL_SSL = 3 };

/* "PLAINTEXT", ... */
const char *security_protocol_name(enum security_protocol protocol);

/* What is known of a listener. Constant from set-up on and alive as long as any connection. */
struct listener_info {
	const char *name; /* as in `listeners`: PLAINTEXT, INTERNAL, ... */
	enum security_protocol protocol;
	bool inter_broker;
	const char *host; /* bind address; "" = all */
	uint16_t port;    /* 0 = any free one; listener_open then sets the one it got */
};

/* Kafka's principal, "User:alice". */
struct principal {
	const char *type;
	const char *name;
};

/* Of connections that have not authenticated: User:ANONYMOUS. */
extern const struct principal principal_anonymous;

struct acceptor;

struct client {
	struct message message; /* hub to worker, and back when it is closed */
	int fd;
	uint64_t accept_number; /* ascending in the life of the process: which of two connections is newer (D12) */
	int64_t accepted_ms;
	const struct listener_info *listener;
	const struct principal *principal;
	struct sockaddr_storage address;
	char host[INET6_ADDRSTRLEN]; /* numeric; an IPv4 address in its own form also when it came in through IPv6 */
	uint16_t port;
	char address_text[CLIENT_ADDRESS_BYTES]; /* "10.1.2.3:4567", "[::1]:4567": for logs */
	struct acceptor *acceptor;               /* who counts it; NULL in tests */
	void *deal_to;                           /* of broker/net: the struct net it goes to */
};

/* Fills in host, port and address_text from address. */
void client_describe(struct client *client);

/* The connection is closed and its fd gone: the hub counts it out and frees the struct. Any thread. */
void client_release(struct client *client);

#endif
