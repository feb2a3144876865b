/*
 * One place in the loop for several sessions; see session_internal.h.
 *
 *     outer loop: one descriptor, one timer --> epoll --> port 0: the session that was there
 *                                                    \--> ports 1..: its helpers
 *
 * A session's descriptor and timer go where its zk_loop says: here, to a port, which puts them into an epoll descriptor and the
 * earliest of all timers. So a session can have helpers without its owner knowing.
 */
#include "zk/session_internal.h"

#include "common/clock.h"
#include "common/memory.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

struct port {
	struct mux *mux;
	struct zk_session *session; /* NULL = not in use */
	int fd;
	bool wants_read, wants_write;
	int64_t at_ms; /* of the timer; -1 = none */
};

struct mux {
	struct zk_loop outer;
	struct port ports[MUX_PORTS_MAX];
	int epoll_fd;
	bool busy; /* a session is being served: the outer timer is set once, at the end */
	bool dead; /* given up while busy: freed at the end */
};

static void mux_set_timer(struct mux *mux)
{
	int64_t now_ms = clock_ms();
	int64_t at_ms = -1;

	if (mux->busy)
		return;
	for (int i = 0; i < MUX_PORTS_MAX; i++)
		if (mux->ports[i].session && mux->ports[i].at_ms >= 0 && (at_ms < 0 || mux->ports[i].at_ms < at_ms))
			at_ms = mux->ports[i].at_ms;
	mux->outer.set_timer(mux->outer.ctx, at_ms < 0 ? -1 : at_ms > now_ms ? at_ms - now_ms : 0);
}

static void port_watch_fd(void *ctx, int fd, bool wants_read, bool wants_write)
{
	struct port *port = ctx;
	struct epoll_event event = {.data.ptr = port};

	/* The old one may be closed, and thereby gone, already. */
	if (port->fd >= 0)
		epoll_ctl(port->mux->epoll_fd, EPOLL_CTL_DEL, port->fd, NULL);
	port->fd = fd;
	port->wants_read = wants_read;
	port->wants_write = wants_write;
	event.events = (wants_read ? EPOLLIN : 0) | (wants_write ? EPOLLOUT : 0);
	if (fd >= 0)
		epoll_ctl(port->mux->epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

static void port_set_timer(void *ctx, int64_t delay_ms)
{
	struct port *port = ctx;

	port->at_ms = delay_ms < 0 ? -1 : clock_ms() + delay_ms;
	mux_set_timer(port->mux);
}

void mux_port(struct mux *mux, int i, struct zk_loop *ret_loop)
{
	struct port *port = &mux->ports[i];

	*port = (struct port){.mux = mux, .fd = -1, .at_ms = -1};
	*ret_loop = (struct zk_loop){port, port_watch_fd, port_set_timer};
}

void mux_set_session(struct mux *mux, int i, struct zk_session *session)
{
	mux->ports[i].session = session;
	mux_set_timer(mux);
}

struct mux *mux_new(struct zk_session *session)
{
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	struct mux *mux;

	if (epoll_fd < 0)
		return NULL;
	mux = NEW(struct mux);
	mux->epoll_fd = epoll_fd;
	mux->outer = session->loop;
	mux->busy = true;
	for (int i = 0; i < MUX_PORTS_MAX; i++)
		mux->ports[i] = (struct port){.mux = mux, .fd = -1, .at_ms = -1};
	mux->outer.watch_fd(mux->outer.ctx, -1, false, false);
	mux_port(mux, 0, &session->loop);
	mux_set_session(mux, 0, session);
	session->loop.watch_fd(session->loop.ctx, session->fd, session->fd_read, session->fd_write);
	mux->outer.watch_fd(mux->outer.ctx, epoll_fd, true, false);
	mux->busy = false;
	/* What timer the session had is not known here: its next turn sets one. */
	session->loop.set_timer(session->loop.ctx, 0);
	return mux;
}

static void mux_served(struct mux *mux)
{
	mux->busy = false;
	if (mux->dead)
		free(mux);
	else
		mux_set_timer(mux);
}

void mux_on_ready(struct mux *mux)
{
	struct epoll_event events[MUX_PORTS_MAX];
	int n = epoll_wait(mux->epoll_fd, events, MUX_PORTS_MAX, 0);

	mux->busy = true;
	for (int i = 0; i < n && !mux->dead; i++) {
		struct port *port = events[i].data.ptr;
		uint32_t ready = events[i].events;

		if (port->session)
			session_on_ready(port->session, (ready & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0,
					 (ready & EPOLLOUT) != 0);
	}
	mux_served(mux);
}

void mux_on_timer(struct mux *mux)
{
	int64_t now_ms = clock_ms();

	mux->busy = true;
	for (int i = 0; i < MUX_PORTS_MAX && !mux->dead; i++) {
		struct port *port = &mux->ports[i];

		if (!port->session || port->at_ms < 0 || port->at_ms > now_ms)
			continue;
		port->at_ms = -1;
		session_on_timer(port->session);
	}
	mux_served(mux);
}

void mux_free(struct mux *mux)
{
	struct port *port = &mux->ports[0];
	struct zk_session *session = port->session;
	struct zk_loop outer = mux->outer;

	outer.watch_fd(outer.ctx, -1, false, false);
	close(mux->epoll_fd);
	session->loop = outer;
	if (port->fd >= 0)
		outer.watch_fd(outer.ctx, port->fd, port->wants_read, port->wants_write);
	outer.set_timer(outer.ctx, 0);
	mux->dead = true;
	if (!mux->busy)
		free(mux);
}
