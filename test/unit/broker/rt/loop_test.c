/* loop: fds, timers, deferred work; signals on top of it. */
#include "test/lib/unit.h"

#include "broker/rt/loop.h"
#include "broker/rt/signals.h"
#include "common/clock.h"

#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

static struct loop loop;
static int n_ready, n_fired, n_deferred;
static int64_t fired_ms;

static void on_ready(struct loop_fd *fd, unsigned what)
{
	char byte;

	ck_assert_uint_eq(what, LOOP_READ);
	ck_assert_int_eq(read(fd->fd, &byte, 1), 1);
	n_ready++;
}

START_TEST(a_readable_descriptor_calls_back_until_it_is_not_watched)
{
	struct loop_fd fd;
	int pair[2];

	ck_assert_int_eq(loop_init(&loop), 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	loop_fd_init(&fd, &loop, pair[0], on_ready);
	loop_fd_watch(&fd, LOOP_READ);
	ck_assert_int_eq(write(pair[1], "abc", 3), 3);
	loop_turn(&loop, 1000);
	loop_turn(&loop, 1000);
	ck_assert_int_eq(n_ready, 2);
	loop_fd_watch(&fd, 0);
	loop_turn(&loop, 10);
	ck_assert_int_eq(n_ready, 2);
	loop_fd_watch(&fd, LOOP_READ);
	loop_turn(&loop, 1000);
	ck_assert_int_eq(n_ready, 3);
	loop_fd_watch(&fd, 0);
	close(pair[0]);
	close(pair[1]);
	loop_fini(&loop);
}
END_TEST

static void on_timer(struct timer *timer)
{
	ck_assert(!timer_is_set(timer));
	fired_ms = clock_ms();
	n_fired++;
}

START_TEST(timers_fire_once_and_never_early)
{
	struct timer timer;
	int64_t late_ms_min = INT64_MAX;

	ck_assert_int_eq(loop_init(&loop), 0);
	timer_init(&timer, &loop, on_timer);
	for (int wait = 0; wait < 40; wait += 3) {
		int64_t due = clock_ms() + wait;

		n_fired = 0;
		timer_set(&timer, due);
		while (n_fired == 0)
			loop_turn(&loop, 1000);
		ck_assert_int_ge(fired_ms, due);
		late_ms_min = fired_ms - due < late_ms_min ? fired_ms - due : late_ms_min;
	}
	/* A busy machine may be late with some. */
	ck_assert_int_lt(late_ms_min, 500);
	timer_set(&timer, clock_ms() + 10);
	timer_stop(&timer);
	loop_turn(&loop, 50);
	ck_assert_int_eq(n_fired, 1);
	timer_set(&timer, clock_ms() + 100000);
	timer_set_earlier(&timer, clock_ms() + 200000);
	timer_set_earlier(&timer, clock_ms() + 5);
	while (n_fired == 1)
		loop_turn(&loop, 1000);
	loop_fini(&loop);
}
END_TEST

static struct deferred first, second;

static void on_deferred(struct deferred *deferred)
{
	n_deferred++;
	/* Work that is put off by such work is done in the same turn. */
	if (deferred == &first)
		loop_defer(&loop, &second);
}

static void defer_twice(struct timer *timer)
{
	(void)timer;
	loop_defer(&loop, &first);
	loop_defer(&loop, &first);
	ck_assert_int_eq(n_deferred, 0);
	ck_assert_int_eq(loop_busy_ms(&loop, loop.turn_ms + 7), 7);
}

START_TEST(deferred_work_runs_once_at_the_end_of_the_turn)
{
	struct timer timer;

	ck_assert_int_eq(loop_init(&loop), 0);
	first.run = on_deferred;
	second.run = on_deferred;
	timer_init(&timer, &loop, defer_twice);
	timer_set(&timer, clock_ms());
	while (n_deferred == 0)
		loop_turn(&loop, 1000);
	ck_assert_int_eq(n_deferred, 2);
	ck_assert_int_eq(loop_busy_ms(&loop, clock_ms() + 1000), 0);
	loop_defer(&loop, &first);
	loop_defer(&loop, &second);
	loop_undefer(&loop, &second);
	loop_undefer(&loop, &first);
	loop_turn(&loop, 0);
	ck_assert_int_eq(n_deferred, 2);
	loop_fini(&loop);
}
END_TEST

static void sleep_long(struct timer *timer)
{
	(void)timer;
	/* A callback that takes its time is what lag measures; there is no condition to wait for. */
	usleep(30000);
	loop_stop(&loop);
}

START_TEST(lag_is_the_longest_turn)
{
	struct timer timer;
	int64_t lag;

	ck_assert_int_eq(loop_init(&loop), 0);
	timer_init(&timer, &loop, sleep_long);
	timer_set(&timer, clock_ms());
	loop_run(&loop);
	lag = loop_take_lag_ms(&loop);
	ck_assert_int_ge(lag, 29);
	ck_assert_int_eq(loop_take_lag_ms(&loop), 0);
	loop_fini(&loop);
}
END_TEST

static int signals_seen[2], n_signals;

static void on_signal(void *ctx, int signal_number)
{
	ck_assert_ptr_eq(ctx, &loop);
	signals_seen[n_signals++] = signal_number;
}

START_TEST(signals_come_as_events)
{
	struct signals signals;

	ck_assert_int_eq(loop_init(&loop), 0);
	ck_assert_int_eq(signals_open(&signals, &loop, on_signal, &loop), 0);
	kill(getpid(), SIGTERM);
	kill(getpid(), SIGHUP);
	while (n_signals < 2)
		loop_turn(&loop, 1000);
	ck_assert_int_eq(signals_seen[0] + signals_seen[1], SIGTERM + SIGHUP);
	signals_close(&signals);
	loop_fini(&loop);
}
END_TEST

static int pair_of_changes[2], n_changes;

/* As ZooKeeper's client library does: closes its socket and opens another of the same number in the middle of its work. */
static void on_changing(struct loop_fd *fd, unsigned what)
{
	int before = pair_of_changes[0];

	ck_assert_uint_eq(what, LOOP_READ);
	n_changes++;
	close(pair_of_changes[0]);
	close(pair_of_changes[1]);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair_of_changes), 0);
	ck_assert_int_eq(pair_of_changes[0], before);
	loop_fd_watch(fd, 0);
	loop_fd_init(fd, &loop, pair_of_changes[0], on_changing);
	loop_fd_watch(fd, LOOP_READ);
}

START_TEST(a_socket_that_changes_under_the_same_number_is_watched)
{
	struct loop_fd fd;

	ck_assert_int_eq(loop_init(&loop), 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair_of_changes), 0);
	loop_fd_init(&fd, &loop, pair_of_changes[0], on_changing);
	loop_fd_watch(&fd, LOOP_READ);
	for (int i = 0; i < 5; i++) {
		ck_assert_int_eq(write(pair_of_changes[1], "x", 1), 1);
		loop_turn(&loop, 1000);
		ck_assert_int_eq(n_changes, i + 1);
	}
	loop_fd_watch(&fd, 0);
	close(pair_of_changes[0]);
	close(pair_of_changes[1]);
	loop_fini(&loop);
}
END_TEST

UNIT_MAIN("broker/rt/loop", a_readable_descriptor_calls_back_until_it_is_not_watched, timers_fire_once_and_never_early,
	  deferred_work_runs_once_at_the_end_of_the_turn, lag_is_the_longest_turn, signals_come_as_events,
	  a_socket_that_changes_under_the_same_number_is_watched)
