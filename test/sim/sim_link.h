/*
 * A client's connection to one broker, over the simulated network: Kafka requests out, answers in, in order.
 *
 *     link_call -> (dials) -> request;  answer -> done(ctx, response);  connection over, time up -> done(ctx, NULL), all of them
 */
#ifndef KLAMM_TEST_SIM_SIM_LINK_H
#define KLAMM_TEST_SIM_SIM_LINK_H

#include "common/arena.h"
#include "proto/api.h"
#include "test/sim/sim.h"

struct link_call {
	struct link_call *next;
	int32_t correlation_id;
	enum api_key key;
	int version;
	int64_t due_us;
	void (*done)(void *ctx, const void *response);
	void *ctx;
};

struct sim_link {
	int broker; /* machine */
	struct vfd *vfd; /* NULL: not connected */
	struct link_call *calls, **calls_tail;
	int32_t correlation_id;
	uint8_t *out; /* not sent yet */
	size_t out_len, out_cap;
	uint8_t *in;
	size_t in_len, in_cap;
	struct sim_event timer;
	bool busy; /* in a callback */
	bool broken; /* to be closed when the callback is over */
};

void link_init(struct sim_link *link, int broker);

/* done is called once, never from inside. response is good during the call. */
void link_call(struct sim_link *link, enum api_key key, int version, const void *request, int64_t timeout_us,
	       void (*done)(void *ctx, const void *response), void *ctx);

/* Ends all calls without an answer. */
void link_close(struct sim_link *link);

#endif
