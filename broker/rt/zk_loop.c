/* A ZooKeeper session on a loop; see zk_loop.h. */
#include "broker/rt/zk_loop.h"

#include "common/clock.h"
#include "common/memory.h"

#include <fcntl.h>
#include <unistd.h>

static void on_ready(struct loop_fd *fd, unsigned what)
{
	struct zk_loop_glue *glue = CONTAINER_OF(fd, struct zk_loop_glue, fd);

	if (glue->session)
		zk_session_on_ready(glue->session, (what & LOOP_READ) != 0, (what & LOOP_WRITE) != 0);
}

static void on_timer(struct timer *timer)
{
	struct zk_loop_glue *glue = CONTAINER_OF(timer, struct zk_loop_glue, timer);

	if (glue->session)
		zk_session_on_timer(glue->session);
}

static void unwatch(struct zk_loop_glue *glue)
{
	if (!glue->has_fd)
		return;
	loop_fd_watch(&glue->fd, 0);
	if (glue->is_copy)
		close(glue->fd.fd);
	glue->has_fd = false;
}

static void watch_fd(void *ctx, int fd, bool read, bool write)
{
	struct zk_loop_glue *glue = ctx;
	int copy;

	/* Each call is a new registration: the number may be an old one on a new socket. */
	unwatch(glue);
	if (fd < 0)
		return;
	copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	glue->has_fd = true;
	glue->is_copy = copy >= 0;
	loop_fd_init(&glue->fd, glue->loop, glue->is_copy ? copy : fd, on_ready);
	loop_fd_watch(&glue->fd, (read ? LOOP_READ : 0u) | (write ? LOOP_WRITE : 0u));
}

static void set_timer(void *ctx, int64_t delay_ms)
{
	struct zk_loop_glue *glue = ctx;

	if (delay_ms < 0)
		timer_stop(&glue->timer);
	else
		timer_set(&glue->timer, clock_ms() + delay_ms);
}

void zk_loop_glue_init(struct zk_loop_glue *glue, struct loop *loop, struct zk_loop *ret_port)
{
	*glue = (struct zk_loop_glue){.loop = loop};
	glue->port = (struct zk_loop){.ctx = glue, .watch_fd = watch_fd, .set_timer = set_timer};
	timer_init(&glue->timer, loop, on_timer);
	*ret_port = glue->port;
}

int zk_loop_glue_open(struct zk_loop_glue *glue, const struct zk_config *config, const struct zk_listener *listener,
		      struct zk_session **ret_session, struct error *err)
{
	int code = zk_session_open(config, &glue->port, listener, &glue->session, err);

	if (code == 0)
		*ret_session = glue->session;
	return code;
}

void zk_loop_glue_fini(struct zk_loop_glue *glue)
{
	glue->session = NULL;
	timer_stop(&glue->timer);
	unwatch(glue);
}
