/*
 * Clients' requests on their way to the controller, and its answers on their way back.
 *
 *     worker   handler -> forward_port -> message
 *     hub      FORWARD on the controller's connection, a timer for each; FORWARD_ANSWER, time-out or lost connection -> message to the worker
 *
 * Hub's thread, but for the port. Every call ends once: without a controller, and with those that wait when its connection ends, by
 * NOT_CONTROLLER, which clients answer by asking again; at its deadline by REQUEST_TIMED_OUT. What a controller has begun by then it goes on
 * with, as Kafka's does.
 */
#ifndef KLAMM_BROKER_FORWARD_LINE_H
#define KLAMM_BROKER_FORWARD_LINE_H

#include "broker/replica/forward_port.h"
#include "common/slice.h"
#include "proto/cluster/cluster.pb-c.h"

/* Calls that wait at a time; more are told to come again. */
#define FORWARD_CALLS_MAX 1000

/* Where the frames go. */
struct forward_line_port {
	void *ctx;
	void (*send)(void *ctx, const Klamm__Forward *forward);
};

struct forward_line {
	struct worker *hub;
	struct forward_line_port out;
	struct forward_port port; /* for the shards */
	struct forward_call *calls; /* utlist: sent and not answered */
	int n_calls;
	int64_t number; /* of the last call */
	bool up;
};

void forward_line_init(struct forward_line *line, struct worker *hub, const struct forward_line_port *out);

/* A controller is connected; its connection is over. */
void forward_line_up(struct forward_line *line);
void forward_line_down(struct forward_line *line);

/* A frame FORWARD_ANSWER. 0 or ERR_CORRUPT. */
int forward_line_answer(struct forward_line *line, struct slice payload);

#endif
