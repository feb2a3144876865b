/* Ending the session of a dead process (D7); see zk_session_end in session.h. A small loop of its own: it blocks. */
#include "zk/session_internal.h"

#include "common/clock.h"
#include "common/trace.h"

#include <poll.h>

static void on_log(const char *message)
{
	trace_debug("zookeeper", "library: %s", message);
}

enum end_state { END_CONNECTING, END_LINKED, END_GONE };

static void on_event(zhandle_t *handle, int type, int state, const char *path, void *ctx)
{
	enum end_state *end = ctx;

	(void)handle;
	(void)path;
	if (type != ZOO_SESSION_EVENT)
		return;
	if (state == ZOO_CONNECTED_STATE)
		*end = END_LINKED;
	else if (state == ZOO_EXPIRED_SESSION_STATE)
		*end = END_GONE;
}

/* One wait for the library's socket, at most until the deadline. */
static void end_turn(zhandle_t *handle, int64_t left_ms)
{
	struct timeval wait = {0, 0};
	struct pollfd ready = {.fd = -1};
	int interest = 0, events = 0;
	int64_t wait_ms;

	if (zookeeper_interest(handle, &ready.fd, &interest, &wait) != ZOK) {
		ready.fd = -1;
		wait.tv_usec = 10000;
	}
	ready.events = (short)(((interest & ZOOKEEPER_READ) ? POLLIN : 0) | ((interest & ZOOKEEPER_WRITE) ? POLLOUT : 0));
	wait_ms = (int64_t)wait.tv_sec * 1000 + wait.tv_usec / 1000 + 1;
	poll(&ready, 1, (int)(wait_ms < left_ms ? wait_ms : left_ms));
	if (ready.revents & (POLLIN | POLLHUP | POLLERR))
		events |= ZOOKEEPER_READ;
	if (ready.revents & POLLOUT)
		events |= ZOOKEEPER_WRITE;
	zookeeper_process(handle, events);
}

int zk_session_end(const char *connect, int64_t session_id, const uint8_t password[ZK_PASSWORD_BYTES], int64_t timeout_ms)
{
	int64_t deadline_ms = clock_ms() + timeout_ms;
	enum end_state end = END_CONNECTING;
	clientid_t id = {.client_id = session_id};
	struct zk_connect where;
	zhandle_t *handle;
	int rc = zk_connect_resolve(connect, &where, NULL);

	if (rc != 0)
		return rc;
	memcpy(id.passwd, password, ZK_PASSWORD_BYTES);
	zoo_set_debug_level(ZOO_LOG_LEVEL_ERROR);
	handle = zookeeper_init2(where.servers, on_event, (int)timeout_ms, &id, &end, ZOO_NO_LOG_CLIENTENV, on_log);
	zk_connect_fini(&where);
	if (!handle)
		return ERR_IO;
	zoo_set_servers_resolution_delay(handle, -1);
	while (end == END_CONNECTING && clock_ms() < deadline_ms)
		end_turn(handle, deadline_ms - clock_ms());
	rc = end == END_CONNECTING ? ERR_TIMEOUT : 0;
	zookeeper_close(handle);
	return rc;
}
