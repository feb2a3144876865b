/* A ZooKeeper session driven by poll; see zk_reader.h. */
#include "tools/klamm/zk_reader.h"

#include "common/clock.h"

#include <poll.h>

#define SESSION_TIMEOUT_MS 10000
#define TURN_MS 1000

static void watch_fd(void *ctx, int fd, bool wants_read, bool wants_write)
{
	struct zk_reader *reader = ctx;

	reader->fd = fd;
	reader->wants_read = wants_read;
	reader->wants_write = wants_write;
}

static void set_timer(void *ctx, int64_t delay_ms)
{
	struct zk_reader *reader = ctx;

	reader->timer_at_ms = delay_ms < 0 ? -1 : clock_ms() + delay_ms;
}

static void on_state(void *ctx, enum zk_state state, bool new_session)
{
	struct zk_reader *reader = ctx;

	(void)new_session;
	reader->state = state;
}

/* Waits at most until a time and serves what is ready. */
static void turn(struct zk_reader *reader, int64_t until_ms)
{
	struct pollfd poller = {.fd = reader->fd};
	int64_t now = clock_ms(), wait_ms = until_ms - now;

	if (reader->timer_at_ms >= 0 && reader->timer_at_ms - now < wait_ms)
		wait_ms = reader->timer_at_ms - now;
	wait_ms = wait_ms < 0 ? 0 : wait_ms > TURN_MS ? TURN_MS : wait_ms;
	poller.events = (short)((reader->wants_read ? POLLIN : 0) | (reader->wants_write ? POLLOUT : 0));
	poll(&poller, 1, (int)wait_ms);
	if (poller.revents)
		zk_session_on_ready(reader->session, (poller.revents & (POLLIN | POLLERR | POLLHUP)) != 0,
				    (poller.revents & POLLOUT) != 0);
	if (reader->timer_at_ms >= 0 && reader->timer_at_ms <= clock_ms()) {
		reader->timer_at_ms = -1;
		zk_session_on_timer(reader->session);
	}
}

int zk_reader_open(struct zk_reader *reader, const char *connect, int64_t timeout_ms, struct error *err)
{
	struct zk_config config = {.connect = connect, .session_timeout_ms = SESSION_TIMEOUT_MS};
	struct zk_loop loop = {reader, watch_fd, set_timer};
	struct zk_listener listener = {.ctx = reader, .on_state = on_state};
	int64_t until_ms = clock_ms() + timeout_ms;
	int r;

	*reader = (struct zk_reader){.fd = -1, .timer_at_ms = -1};
	r = zk_session_open(&config, &loop, &listener, &reader->session, err);
	if (r != 0)
		return r;
	while (reader->state != ZK_CONNECTED && clock_ms() < until_ms)
		turn(reader, until_ms);
	if (reader->state == ZK_CONNECTED)
		return 0;
	zk_reader_close(reader);
	return error_set(err, ERR_TIMEOUT, "no ZooKeeper answers at %s", connect);
}

int zk_reader_run(struct zk_reader *reader, const int *busy, int64_t timeout_ms, struct error *err)
{
	int64_t until_ms = clock_ms() + timeout_ms;

	while (*busy > 0) {
		if (reader->state == ZK_CONNECTED)
			until_ms = clock_ms() + timeout_ms;
		if (clock_ms() >= until_ms)
			return error_set(err, ERR_SESSION_LOST, "the connection to ZooKeeper was lost and did not come back");
		turn(reader, until_ms);
	}
	return 0;
}

void zk_reader_close(struct zk_reader *reader)
{
	int64_t until_ms = clock_ms() + 1000;

	/* A session that is not ended would stay at the server until its time-out. */
	if (reader->state == ZK_CONNECTED) {
		zk_session_close(reader->session);
		while (reader->state != ZK_CLOSED && clock_ms() < until_ms)
			turn(reader, until_ms);
	}
	zk_session_free(reader->session);
}
