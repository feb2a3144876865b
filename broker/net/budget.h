/*
 * The bytes that frames of all connections may hold together. A connection takes its share before it makes room for more bytes; when
 * there is none it stops reading its socket (the sender feels it) and is told when its share is granted, first come first served.
 *
 *     total        for clients
 *     reserve      on top, only for the cluster's own connections: they go on when clients have filled the total
 *
 * So that frames received in part cannot wait for each other for ever, one connection at a time may overdraw: the first in the
 * queue that holds a part of a frame, when nothing else can end the wait (`rescue`). Worst case: total + reserve + one frame of the
 * largest size + one receive chunk a worker.
 * Any thread; one mutex, held for a few instructions.
 */
#ifndef KLAMM_BROKER_NET_BUDGET_H
#define KLAMM_BROKER_NET_BUDGET_H

#include "broker/rt/worker.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum budget_class { BUDGET_CLIENT, BUDGET_CLUSTER };

/* One who waits; embedded in what waits. */
struct budget_wait {
	struct message message; /* tells the worker that the bytes are granted */
	struct worker *worker;
	void (*on_granted)(struct budget_wait *wait); /* on the worker's thread; `bytes` are taken for it */
	size_t bytes;
	enum budget_class class;
	bool rescue;            /* holds part of a frame: may overdraw */
	unsigned phase;
	struct budget_wait *next;
};

struct budget {
	pthread_mutex_t lock;
	int64_t total;
	int64_t reserve;
	int64_t used;
	struct budget_wait *rescued; /* who overdraws; NULL = nobody */
	struct budget_wait *first;
	struct budget_wait **tail;
	struct shared_i64 n_waiting;
	struct shared_i64 n_waits; /* since the start */
};

void budget_init(struct budget *budget, int64_t total_bytes, int64_t reserve_bytes);
void budget_fini(struct budget *budget);

/* Takes bytes if they are there and nobody of the class waits. */
bool budget_try(struct budget *budget, size_t bytes, enum budget_class class);

/* Takes them in any case: small things that are in memory already. */
void budget_force(struct budget *budget, size_t bytes);

void budget_give(struct budget *budget, size_t bytes);

/* Sets the fields that never change. */
void budget_wait_init(struct budget_wait *wait, struct worker *worker, enum budget_class class,
		      void (*on_granted)(struct budget_wait *wait));

/* Joins the queue for bytes (of a frame under way: rescue). on_granted comes later, never from inside. Not while it waits already. */
void budget_queue(struct budget *budget, struct budget_wait *wait, size_t bytes, bool rescue);

/* The frame that the wait belonged to is complete or gone: who was rescued is so no longer. Cheap when it was not. */
void budget_rescue_over(struct budget *budget, struct budget_wait *wait);

/*
 * Leaves the queue. True: it was in it and nothing comes. False: the grant is on its way: on_granted will be called and must give
 * the bytes back; the struct stays until then.
 */
bool budget_cancel(struct budget *budget, struct budget_wait *wait);

/* Used bytes, for metrics and tests. */
int64_t budget_used(struct budget *budget);

#endif
