/*
 * Leaders' proposals for other ISRs on their way to the controller (KIP-497), and the answers on their way back.
 *
 *     worker   partition_isr.c -> isr_port -> message
 *     hub      gathered until the end of the loop's turn -> ISR_PROPOSALS, many to a frame
 *              ISR_ANSWERS -> message to the owner's worker -> partition_isr_answered
 *
 * Hub's thread, but for the port. A proposal stays here until it is answered: when the connection ends meanwhile, or there is no controller
 * at all, it goes to the next one, unchanged (what a controller has written it answers again). There is one for each partition; a newer one
 * takes its place. A session that is lost drops them, since its leaderships end with it.
 */
#ifndef KLAMM_BROKER_ISR_LINE_H
#define KLAMM_BROKER_ISR_LINE_H

#include "broker/replica/isr_port.h"
#include "broker/rt/worker.h"
#include "common/slice.h"
#include "proto/cluster/cluster.pb-c.h"

#include <stdint.h>

struct isr_ask;

/* Where the frames go. */
struct isr_line_port {
	void *ctx;
	void (*send)(void *ctx, const Klamm__IsrProposals *proposals);
};

struct isr_line {
	struct worker *hub;
	struct isr_line_port out;
	struct isr_port port; /* for the shards */
	int64_t broker_epoch; /* of the connection; BROKER_EPOCH_NONE without one */
	struct isr_ask *asks; /* uthash by partition: all that are not answered */
	struct isr_ask *waiting; /* utlist: of these, those to be sent */
	struct deferred sending;
	int64_t number; /* of the last proposal on the wire: counts on over connections */
	bool closed;
};

void isr_line_init(struct isr_line *line, struct worker *hub, const struct isr_line_port *out);

/* A controller is connected, and speaks to this incarnation of ours: all that waits is sent at the end of this turn. */
void isr_line_up(struct isr_line *line, int64_t broker_epoch);

/* Its connection is over: all that it has not answered waits for the next one. */
void isr_line_down(struct isr_line *line);

/* The session is lost: nothing of it is asked any more. */
void isr_line_forget(struct isr_line *line);

/* A frame ISR_ANSWERS. 0 or ERR_CORRUPT. */
int isr_line_answers(struct isr_line *line, struct slice payload);

/* What comes later is dropped. */
void isr_line_fini(struct isr_line *line);

#endif
