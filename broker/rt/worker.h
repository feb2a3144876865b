/*
 * A thread with a loop and a mailbox. Workers proper own sockets and partitions; the hub and klamm-controller are workers too
 * (run on the calling thread by worker_run, the process's first).
 *
 * Life: worker_init -> set up what lives on its loop -> worker_start (or worker_run) -> worker_stop from anywhere ->
 * worker_join -> worker_drain -> worker_fini.
 */
#ifndef KLAMM_BROKER_RT_WORKER_H
#define KLAMM_BROKER_RT_WORKER_H

#include "broker/rt/loop.h"
#include "broker/rt/mailbox.h"

struct worker {
	struct loop loop;
	struct mailbox mailbox;
	struct loop_fd mail;
	struct message stop;
	struct shared_i64 n_stops; /* calls of worker_stop */
	pthread_t thread;
	bool started;
	unsigned index; /* of workers proper: 0..N-1; the owner of a partition is hash mod N */
	char name[16];  /* also the thread's name */
};

/* 0 or ERR_LIMIT. name is copied (15 bytes at most count). */
int worker_init(struct worker *worker, const char *name, unsigned index);

/* Starts its thread, with all signals blocked. 0 or ERR_LIMIT. */
int worker_start(struct worker *worker);

/* Runs it on the calling thread until worker_stop. */
void worker_run(struct worker *worker);

/* Any thread, also more than once: messages posted before are still run, then the loop ends. */
void worker_stop(struct worker *worker);

/* Waits for the thread of worker_start. */
void worker_join(struct worker *worker);

/* After join, on the thread that tears down: runs the messages that came too late, and those that they post to it. */
void worker_drain(struct worker *worker);

/* One turn of a worker that has no thread, on the calling one: waits at most wait_ms for something to do. For tests and
 * tear-down. */
void worker_turn(struct worker *worker, int64_t wait_ms);

void worker_fini(struct worker *worker);

/* Any thread, also its own: message->run on the worker's thread, in order of posting. */
void worker_post(struct worker *worker, struct message *message);

/* The worker whose loop or tear-down runs on this thread; NULL elsewhere. */
struct worker *worker_current(void);

/* CHECK(worker_is_current(x)) stands where something may only be touched by its owner. */
static inline bool worker_is_current(const struct worker *worker)
{
	return worker_current() == worker;
}

#endif
