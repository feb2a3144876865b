/* signalfd on a loop; see signals.h. */
#include "broker/rt/signals.h"

#include "common/error.h"
#include "common/memory.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

static sigset_t handled(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	return set;
}

void signals_block(void)
{
	sigset_t set = handled();

	signal(SIGPIPE, SIG_IGN);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
}

void signals_unblock(void)
{
	sigset_t set = handled();

	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

static void on_readable(struct loop_fd *fd, unsigned what)
{
	struct signals *signals = CONTAINER_OF(fd, struct signals, fd);
	struct signalfd_siginfo info;

	(void)what;
	if (read(fd->fd, &info, sizeof info) == sizeof info)
		signals->on_signal(signals->ctx, (int)info.ssi_signo);
}

int signals_open(struct signals *signals, struct loop *loop, void (*on_signal)(void *ctx, int signal_number), void *ctx)
{
	sigset_t set = handled();
	int fd;

	signals_block();
	fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0)
		return ERR_LIMIT;
	*signals = (struct signals){.on_signal = on_signal, .ctx = ctx};
	loop_fd_init(&signals->fd, loop, fd, on_readable);
	loop_fd_watch(&signals->fd, LOOP_READ);
	return 0;
}

void signals_close(struct signals *signals)
{
	loop_fd_watch(&signals->fd, 0);
	close(signals->fd.fd);
}
