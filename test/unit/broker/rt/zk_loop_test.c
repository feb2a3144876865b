/* zk_loop: what the loop watches for a session, whose sockets the library opens and closes as it likes. */
#include "test/lib/unit.h"

#include "broker/rt/zk_loop.h"
#include "common/clock.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#define WAIT_MS 10000

static int n_ready;

static void on_ready(struct loop_fd *fd, unsigned what)
{
	(void)what;
	loop_fd_watch(fd, 0);
	n_ready++;
}

/* The session has not said yet that the library has closed its socket: meanwhile the number may be another's. */
START_TEST(a_number_that_the_library_has_closed_may_be_anothers_at_once)
{
	int64_t until_ms = clock_ms() + WAIT_MS;
	struct zk_loop_glue glue;
	struct zk_loop port;
	struct loop_fd other;
	struct loop loop;
	int old[2], new[2], before;

	ck_assert_int_eq(loop_init(&loop), 0);
	zk_loop_glue_init(&glue, &loop, &port);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, old), 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, new), 0);
	port.watch_fd(port.ctx, old[0], true, false);
	ck_assert_int_eq(dup2(new[0], old[0]), old[0]);
	loop_fd_init(&other, &loop, old[0], on_ready);
	loop_fd_watch(&other, LOOP_READ);
	port.watch_fd(port.ctx, -1, false, false);
	ck_assert_int_eq(write(new[1], "x", 1), 1);
	while (n_ready == 0) {
		ck_assert(clock_ms() < until_ms);
		loop_turn(&loop, 10);
	}
	before = fcntl(old[1], F_DUPFD, 0);
	close(before);
	/* Nothing of it stays open. */
	port.watch_fd(port.ctx, new[0], true, true);
	port.watch_fd(port.ctx, new[0], true, false);
	zk_loop_glue_fini(&glue);
	ck_assert_int_eq(fcntl(old[1], F_DUPFD, 0), before);
	loop_fini(&loop);
}
END_TEST

UNIT_MAIN("broker/rt/zk_loop", a_number_that_the_library_has_closed_may_be_anothers_at_once)
