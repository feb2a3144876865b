/* libevent behind loop.h. */
#include "broker/rt/loop.h"

#include "common/clock.h"
#include "common/error.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stddef.h>

_Static_assert(sizeof(struct event) <= sizeof(struct loop_event), "struct loop_event is too small for this libevent");

static struct event *event_of(struct loop_event *event)
{
	return (struct event *)(void *)event;
}

int loop_init(struct loop *loop)
{
	struct event_config *config = event_config_new();

	*loop = (struct loop){0};
	loop->deferred_tail = &loop->deferred_first;
	if (!config)
		return ERR_NO_MEMORY;
	/* A loop has one thread: libevent needs no locks, and no environment variable changes how it works. */
	event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_IGNORE_ENV);
	loop->base = event_base_new_with_config(config);
	event_config_free(config);
	return loop->base ? 0 : ERR_LIMIT;
}

void loop_fini(struct loop *loop)
{
	CHECK(!loop->deferred_first);
	event_base_free(loop->base);
	loop->base = NULL;
}

/* At the head of every callback: the first one of a turn starts the watchdog's clock. */
static void loop_enter(struct loop *loop)
{
	if (loop->busy)
		return;
	loop->busy = true;
	loop->turn_ms = clock_ms();
	shared_i64_set(&loop->busy_since, loop->turn_ms);
}

static void loop_run_deferred(struct loop *loop)
{
	struct deferred *first = loop->deferred_first;

	/* What is put off by deferred work itself is done in this turn too, so that nothing is left when the loop waits. */
	while (first) {
		loop->deferred_first = first->next;
		if (!loop->deferred_first)
			loop->deferred_tail = &loop->deferred_first;
		first->queued = false;
		first->run(first);
		first = loop->deferred_first;
	}
}

static void loop_leave(struct loop *loop)
{
	int64_t lag;

	loop_run_deferred(loop);
	if (!loop->busy)
		return;
	loop->busy = false;
	shared_i64_set(&loop->busy_since, 0);
	lag = clock_ms() - loop->turn_ms;
	if (lag > loop->lag_ms_max)
		loop->lag_ms_max = lag;
}

static void on_wait_over(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
}

void loop_turn(struct loop *loop, int64_t wait_ms)
{
	struct timeval wait = {.tv_sec = wait_ms / 1000, .tv_usec = (wait_ms % 1000) * 1000};
	struct event over;

	loop_run_deferred(loop);
	if (wait_ms > 0) {
		evtimer_assign(&over, loop->base, on_wait_over, NULL);
		evtimer_add(&over, &wait);
	}
	event_base_loop(loop->base, wait_ms ? EVLOOP_ONCE : EVLOOP_NONBLOCK);
	if (wait_ms > 0)
		event_del(&over);
	loop_leave(loop);
}

void loop_run(struct loop *loop)
{
	loop->stopping = false;
	/* What was put off before the loop ran, at set-up. */
	loop_run_deferred(loop);
	while (!loop->stopping) {
		event_base_loop(loop->base, EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY);
		loop_leave(loop);
	}
}

void loop_stop(struct loop *loop)
{
	loop->stopping = true;
}

int64_t loop_busy_ms(const struct loop *loop, int64_t now_ms)
{
	int64_t since = shared_i64_get(&loop->busy_since);

	return since == 0 || now_ms < since ? 0 : now_ms - since;
}

int64_t loop_take_lag_ms(struct loop *loop)
{
	int64_t lag = loop->lag_ms_max;

	loop->lag_ms_max = 0;
	return lag;
}

static void on_fd_event(evutil_socket_t number, short what, void *arg)
{
	struct loop_fd *fd = arg;
	unsigned ready = (what & EV_READ ? LOOP_READ : 0u) | (what & EV_WRITE ? LOOP_WRITE : 0u);

	(void)number;
	loop_enter(fd->loop);
	fd->on_ready(fd, ready);
}

void loop_fd_init(struct loop_fd *fd, struct loop *loop, int fd_number, void (*on_ready)(struct loop_fd *fd, unsigned what))
{
	*fd = (struct loop_fd){.loop = loop, .fd = fd_number, .on_ready = on_ready};
}

static void watch(struct loop_fd *fd, unsigned what, short flags)
{
	struct event *event = event_of(&fd->event);

	if (fd->watched == what)
		return;
	if (fd->watched)
		event_del(event);
	fd->watched = what;
	if (!what)
		return;
	flags = (short)(flags | (what & LOOP_READ ? EV_READ : 0) | (what & LOOP_WRITE ? EV_WRITE : 0));
	event_assign(event, fd->loop->base, fd->fd, flags, on_fd_event, fd);
	/* Fails only for memory and for descriptors that cannot be polled; the kernel's socket buffers bound the rest. */
	CHECK(event_add(event, NULL) == 0);
}

void loop_fd_watch(struct loop_fd *fd, unsigned what)
{
	watch(fd, what, EV_PERSIST);
}

void loop_fd_watch_edge(struct loop_fd *fd, unsigned what)
{
	watch(fd, what, EV_PERSIST | EV_ET);
}

static void timer_arm(struct timer *timer, int64_t now_ms)
{
	int64_t wait_ms = timer->due_ms > now_ms ? timer->due_ms - now_ms : 0;
	struct timeval wait = {.tv_sec = wait_ms / 1000, .tv_usec = (wait_ms % 1000) * 1000};

	CHECK(evtimer_add(event_of(&timer->event), &wait) == 0);
}

static void on_timer_event(evutil_socket_t number, short what, void *arg)
{
	struct timer *timer = arg;
	int64_t now = clock_ms();

	(void)number;
	(void)what;
	loop_enter(timer->loop);
	/* libevent's clock is coarse and may run a few milliseconds behind ours. */
	if (now < timer->due_ms) {
		timer_arm(timer, now - 1);
		return;
	}
	timer->due_ms = -1;
	timer->on_timer(timer);
}

void timer_init(struct timer *timer, struct loop *loop, void (*on_timer)(struct timer *timer))
{
	*timer = (struct timer){.loop = loop, .due_ms = -1, .on_timer = on_timer};
	evtimer_assign(event_of(&timer->event), loop->base, on_timer_event, timer);
}

void timer_set(struct timer *timer, int64_t due_ms)
{
	if (due_ms < 0)
		due_ms = 0;
	if (timer->due_ms == due_ms)
		return;
	timer->due_ms = due_ms;
	timer_arm(timer, clock_ms());
}

void timer_set_earlier(struct timer *timer, int64_t due_ms)
{
	if (!timer_is_set(timer) || due_ms < timer->due_ms)
		timer_set(timer, due_ms);
}

void timer_stop(struct timer *timer)
{
	if (!timer_is_set(timer))
		return;
	event_del(event_of(&timer->event));
	timer->due_ms = -1;
}

void loop_defer(struct loop *loop, struct deferred *deferred)
{
	if (deferred->queued)
		return;
	deferred->queued = true;
	deferred->next = NULL;
	*loop->deferred_tail = deferred;
	loop->deferred_tail = &deferred->next;
}

void loop_undefer(struct loop *loop, struct deferred *deferred)
{
	struct deferred **at = &loop->deferred_first;

	if (!deferred->queued)
		return;
	while (*at != deferred)
		at = &(*at)->next;
	*at = deferred->next;
	if (!deferred->next)
		loop->deferred_tail = at;
	deferred->queued = false;
}
