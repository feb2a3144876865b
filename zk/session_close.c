/*
 * The end of a session; see session.h and session_internal.h.
 *
 *     zk_session_close -> next turn: session_begin_close -> a thread ends the session on the server -> eventfd
 *                      -> session_finish_close: ZK_CLOSED is told
 *
 * What was submitted ends first, so that owners hear of it before the ZK_CLOSED that nothing follows.
 */
#include "zk/session_internal.h"

#include "common/trace.h"

#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Steps the library may need to notice that its socket is shut. */
#define CUT_STEPS_MAX 1000

/* Whoever asks again on every failure gets as many answers as there are rounds. */
static void session_end_calls(struct zk_session *session)
{
	call_end_all(&session->urgent, ERR_CLOSED);
	call_end_all(&session->retry, ERR_CLOSED);
	call_abandon_all(session);
	call_end_all(&session->waiting, ERR_CLOSED);
	for (int rounds = 0; rounds < 100 && session->failed.head; rounds++)
		call_end_all(&session->failed, 0);
}

static void *closer_run(void *arg)
{
	struct zk_session *session = arg;
	uint64_t one = 1;

	zookeeper_close(session->closing_handle);
	/* An eventfd takes this write always. */
	if (write(session->closed_fd, &one, sizeof one) < 0)
		return NULL;
	return NULL;
}

static void session_closed(struct zk_session *session)
{
	session->loop.watch_fd(session->loop.ctx, -1, false, false);
	session->loop.set_timer(session->loop.ctx, -1);
	session->fd = -1;
	session_end_calls(session);
	trace(session->helper ? TRACE_DEBUG : TRACE_INFO, "zookeeper", "session closed");
	session_tell(session, ZK_CLOSED, false);
}

static void closer_join(struct zk_session *session)
{
	pthread_join(session->closer, NULL);
	close(session->closed_fd);
	session->closer_runs = false;
	session->closed_fd = -1;
}

static bool closer_start(struct zk_session *session)
{
	session->closed_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (session->closed_fd < 0)
		return false;
	session->closing_handle = session->handle;
	session->handle = NULL;
	if (pthread_create(&session->closer, NULL, closer_run, session) == 0) {
		session->closer_runs = true;
		return true;
	}
	close(session->closed_fd);
	session->closed_fd = -1;
	session->handle = session->closing_handle;
	return false;
}

/* The library blocks while it ends a session, so a thread does it; without one (no descriptor, no thread) it blocks here. */
void session_begin_close(struct zk_session *session)
{
	bool linked = session->linked;

	lease_end(&session->lease);
	session->loop.watch_fd(session->loop.ctx, -1, false, false);
	session->loop.set_timer(session->loop.ctx, -1);
	session_end_calls(session);
	spread_end(session, ERR_CLOSED);
	watch_drop_all(session, false);
	session->timers = NULL;
	session->linked = false;
	if (session->handle && linked && closer_start(session)) {
		session->loop.watch_fd(session->loop.ctx, session->closed_fd, true, false);
		return;
	}
	if (session->handle) {
		zhandle_t *handle = session->handle;

		session->handle = NULL;
		zookeeper_close(handle);
	}
	session_closed(session);
}

void session_finish_close(struct zk_session *session)
{
	closer_join(session);
	session_closed(session);
}

void zk_session_close(struct zk_session *session)
{
	if (session->close_asked)
		return;
	session_wake(session);
	session->close_asked = true;
}

/* Shutting the socket down first makes the library believe that the connection is lost: it then tells the server nothing. */
static void session_cut(struct zk_session *session)
{
	struct timeval wait;
	int interest, fd = -1;

	if (session->linked && zookeeper_interest(session->handle, &fd, &interest, &wait) == ZOK && fd >= 0) {
		shutdown(fd, SHUT_RDWR);
		for (int i = 0; i < CUT_STEPS_MAX && session->linked; i++)
			zookeeper_process(session->handle, ZOOKEEPER_READ);
	}
}

void zk_session_free(struct zk_session *session)
{
	if (!session)
		return;
	if (session->closer_runs)
		closer_join(session);
	session->close_asked = session->in_turn = true;
	session->listener.on_state = NULL;
	session_end_calls(session);
	spread_free(session);
	watch_drop_all(session, false);
	if (session->handle) {
		session_cut(session);
		session->loop.watch_fd(session->loop.ctx, -1, false, false);
		session->loop.set_timer(session->loop.ctx, -1);
		zookeeper_close(session->handle);
	}
	zk_resolving_drop(session->resolving);
	zk_connect_fini(&session->connect);
	free((char *)session->config.connect);
	free((char *)session->config.auth_digest);
	free(session);
}
