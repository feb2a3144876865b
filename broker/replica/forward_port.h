/*
 * The way of a client's request to the controller, handed to every shard at set-up: what only the controller can carry out.
 *
 *     handler (broker/api/forward.h), worker -- send --> port (the broker's forward_line.h) --> controller
 *     handler                                <-- done, once: its answer, or why there is none
 */
#ifndef KLAMM_BROKER_REPLICA_FORWARD_PORT_H
#define KLAMM_BROKER_REPLICA_FORWARD_PORT_H

#include "broker/rt/worker.h"
#include "common/buf.h"

#include <stdint.h>

/* Embedded in what the handler allocates; from send to done it is the port's. */
struct forward_call {
	struct message message;
	struct worker *worker; /* where done is called */
	int16_t api_key, api_version;
	struct buf *body;          /* the request in Kafka's encoding, without header; the caller's reference until done */
	const char *principal;     /* "User:alice"; lives until done */
	int64_t deadline_ms;       /* clock_ms; then REQUEST_TIMED_OUT */
	void (*done)(struct forward_call *call);
	/* Set when done. */
	int16_t error;      /* Kafka error code of the whole; 0: answer is set */
	char text[256];     /* why */
	struct buf *answer; /* the response, likewise; the receiver's reference */
	/* Of the port. */
	void *port_ctx;
	int64_t number;
	struct timer timer;
	struct forward_call *prev, *next; /* utlist */
};

struct forward_port {
	void *ctx;
	/* On call->worker. */
	void (*send)(void *ctx, struct forward_call *call);
};

#endif
