/*
 * The event loop of one thread: sockets, timers and work put off to the end of a turn. libevent stands behind it and is seen
 * nowhere else.
 *
 *     wait -> on_ready of fds, on_timer, batch of the mailbox -> deferred work (flush of sockets) -> wait ...
 *
 * A loop and all that is registered on it belong to the thread that runs it; only loop_busy_ms may be called by others.
 * Nothing wakes a loop but a registered fd and a timer that someone set: an idle loop sleeps for good. Nothing blocks in a
 * callback (D14): what may block goes to the disk thread (broker/rt/disk.h).
 *
 * All structs are embedded in what they serve and are set up by their _init; they may not move while registered.
 */
#ifndef KLAMM_BROKER_RT_LOOP_H
#define KLAMM_BROKER_RT_LOOP_H

#include "common/refcount.h"

#include <stdbool.h>
#include <stdint.h>

struct loop;

enum { LOOP_READ = 1, LOOP_WRITE = 2 };

/* libevent's struct event, which only loop.c looks into. */
struct loop_event {
	uint64_t opaque[16];
};

/* One file descriptor watched for readiness (level-triggered). Hang-up and error are told as what was asked for. */
struct loop_fd {
	struct loop *loop;
	int fd;
	unsigned watched; /* LOOP_READ | LOOP_WRITE */
	void (*on_ready)(struct loop_fd *fd, unsigned what);
	struct loop_event event;
};

/* One point in time. Fires once; set again from on_timer when it is to come again. */
struct timer {
	struct loop *loop;
	int64_t due_ms; /* by clock_ms; -1 when not set */
	void (*on_timer)(struct timer *timer);
	struct loop_event event;
};

/* Work for the end of this turn of the loop, for what gains by being done once for many events. */
struct deferred {
	struct deferred *next;
	bool queued;
	void (*run)(struct deferred *deferred);
};

struct loop {
	void *base; /* struct event_base */
	bool stopping;
	bool busy;
	int64_t turn_ms;              /* clock_ms at the first callback of this turn */
	int64_t lag_ms_max;           /* longest turn since loop_take_lag_ms */
	struct shared_i64 busy_since; /* clock_ms when the turn under way began; 0 = waiting */
	struct deferred *deferred_first;
	struct deferred **deferred_tail;
};

/* ERR_LIMIT when the process has no descriptor left. */
int loop_init(struct loop *loop);
void loop_fini(struct loop *loop);

/* Runs turns until loop_stop is called from a callback. May be run again after it returned. */
void loop_run(struct loop *loop);

/* One turn: waits for at most wait_ms (-1: without end, 0: not at all), then runs what is ready. For tests and tear-down. */
void loop_turn(struct loop *loop, int64_t wait_ms);

/* From the loop's own thread: loop_run returns after this turn. */
void loop_stop(struct loop *loop);

/* Any thread: for how long the loop has been inside callbacks; 0 when it waits. Food for the watchdog. */
int64_t loop_busy_ms(const struct loop *loop, int64_t now_ms);

/* The longest turn since the last call, in ms. */
int64_t loop_take_lag_ms(struct loop *loop);

/* Ties the struct to its loop and fd; watches nothing yet. */
void loop_fd_init(struct loop_fd *fd, struct loop *loop, int fd_number, void (*on_ready)(struct loop_fd *fd, unsigned what));

/* Watches for exactly `what` from now on (0: nothing). Does nothing when that is so already. */
void loop_fd_watch(struct loop_fd *fd, unsigned what);

/* Like loop_fd_watch with edge-triggered readiness: for an eventfd that nobody reads. */
void loop_fd_watch_edge(struct loop_fd *fd, unsigned what);

void timer_init(struct timer *timer, struct loop *loop, void (*on_timer)(struct timer *timer));

/* Fires at due_ms by clock_ms (at once when that is past), never earlier; replaces the time set before. */
void timer_set(struct timer *timer, int64_t due_ms);

/* timer_set when nothing is set or due_ms is earlier than what is set. */
void timer_set_earlier(struct timer *timer, int64_t due_ms);

void timer_stop(struct timer *timer);

static inline bool timer_is_set(const struct timer *timer)
{
	return timer->due_ms >= 0;
}

/* Runs it once at the end of the present turn; again calls until then change nothing. From the loop's thread. */
void loop_defer(struct loop *loop, struct deferred *deferred);

/* Takes it out again when it still waits. */
void loop_undefer(struct loop *loop, struct deferred *deferred);

#endif
