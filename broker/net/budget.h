/*
 * The bytes that frames of all connections may hold together. A connection takes its share before it makes room for more bytes;
 * when there is none it stops reading its socket (the sender feels it) and is told when its share is granted, first come first
 * served.
 *
 *     total        for clients
 *     reserve      on top, only for the cluster's own connections: they go on when clients have filled the total
 *
 * So that frames received in part cannot wait for each other for ever, one at a time is rescued: the first in the queue that
 * holds a part of a frame may overdraw until that frame is given back. Worst case of memory: total + reserve + one frame of the
 * largest size + one receive chunk a worker (small frames are in memory before they are counted).
 *
 * Any thread. Taking and giving are one atomic addition; the mutex is only for those who wait.
 */
#ifndef KLAMM_BROKER_NET_BUDGET_H
#define KLAMM_BROKER_NET_BUDGET_H

#include "broker/rt/worker.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum budget_class { BUDGET_CLIENT, BUDGET_CLUSTER };

/* One who waits; embedded in what waits, whose thread alone calls the functions below on it. */
struct budget_wait {
	struct message message; /* tells the worker that the bytes are granted */
	struct worker *worker;
	/* On the worker's thread: `bytes` are taken for it; rescued: and the frame may take the rest by budget_force. */
	void (*on_granted)(struct budget_wait *wait, bool rescued);
	enum budget_class class;
	size_t bytes;
	bool wants_rescue;
	bool rescued;
	unsigned phase;
	struct budget_wait *next;
};

struct budget {
	int64_t total;
	int64_t reserve;
	struct shared_i64 used;
	struct shared_i64 n_waiting;
	pthread_mutex_t lock; /* guards what follows */
	bool rescuing;
	struct budget_wait *first;
	struct budget_wait **tail;
};

void budget_init(struct budget *budget, int64_t total_bytes, int64_t reserve_bytes);
void budget_fini(struct budget *budget);

/* Takes bytes if they are there and (for clients) nobody waits. */
bool budget_try(struct budget *budget, size_t bytes, enum budget_class class);

/* Takes them in any case: what is in memory already, and the growth of a rescued frame. */
void budget_force(struct budget *budget, size_t bytes);

void budget_give(struct budget *budget, size_t bytes);

/* True when nothing is left for this class. */
bool budget_is_full(const struct budget *budget, enum budget_class class);

/* Somebody waits. */
bool budget_is_short(const struct budget *budget);

/* Sets the fields that never change. */
void budget_wait_init(struct budget_wait *wait, struct worker *worker, enum budget_class class,
		      void (*on_granted)(struct budget_wait *wait, bool rescued));

/*
 * Joins the queue; on_granted comes later by message, never from inside. wants_rescue: the bytes belong to a frame that is here
 * in part. Not while it waits already. More than the total is granted only as a rescue.
 */
void budget_queue(struct budget *budget, struct budget_wait *wait, size_t bytes, bool wants_rescue);

/* The memory of a rescued frame is given back (budget_give comes on top): the next one may be rescued. */
void budget_rescue_over(struct budget *budget);

/*
 * Leaves the queue, between budget_queue and on_granted. True: done, nothing comes. False: the grant is on its way, on_granted
 * will be called (and gives the bytes back); the struct stays until then.
 */
bool budget_cancel(struct budget *budget, struct budget_wait *wait);

/* Bytes taken now, for metrics and tests. */
int64_t budget_used(const struct budget *budget);

#endif
