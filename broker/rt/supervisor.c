/* Parent and child; see supervisor.h. */
#include "broker/rt/supervisor.h"

#include "broker/rt/signals.h"
#include "common/clock.h"
#include "common/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define AREA "parent"

/* A parent that is told to stop waits so long for its closer. */
#define CLOSER_MS_MAX 2000

/* What goes through the pipe; one write, one read. */
struct credentials {
	int64_t id;
	uint8_t password[ZK_PASSWORD_BYTES];
};

struct supervisor {
	const struct supervisor_options *options;
	pid_t parent;
	pid_t child;  /* 0 = none */
	pid_t closer; /* the last one; 0 = none */
	int signal_fd;
	int pipe_fd;               /* reading end of the child's pipe; -1 = none */
	struct credentials known;  /* the child's session; id 0 = none */
	int64_t old_session_id;
	int64_t started_ms;
	int64_t start_at_ms; /* while there is no child */
	int64_t pause_ms;    /* the next one */
	int64_t end_at_ms;   /* of a parent that is done */
	bool stopping;       /* told to */
	bool done;
	int status;
};

struct supervisor_options supervisor_defaults(void)
{
	return (struct supervisor_options){
		.pause_ms_min = 100,
		.pause_ms_max = 10000,
		.calm_ms_min = 60000,
		.end_session = zk_session_end,
	};
}

/* ---- in the child ---- */

void supervised_tell_session(struct supervised *supervised, const struct zk_session *session)
{
	struct credentials credentials;

	if (!supervised || !session || !zk_session_credentials(session, &credentials.id, credentials.password))
		return;
	/* Once it is written the parent will read it, whatever becomes of this process. */
	if (credentials.id != supervised->told_id && write(supervised->fd, &credentials, sizeof credentials) != sizeof credentials)
		trace_warn(AREA, "the parent cannot be told of session 0x%llx: after a crash it will last until its time-out",
			   (unsigned long long)credentials.id);
	supervised->told_id = credentials.id;
	explicit_bzero(&credentials, sizeof credentials);
}

int64_t supervised_old_session(const struct supervised *supervised)
{
	return supervised ? supervised->old_session_id : 0;
}

static void let_signal_come(int signal_number)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, signal_number);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

/* True unless the parent is dead already. */
static bool die_with_parent(const struct supervisor *supervisor)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	return getppid() == supervisor->parent;
}

static int be_child(struct supervisor *supervisor, int fd)
{
	struct supervised supervised = {.old_session_id = supervisor->old_session_id, .fd = fd};
	int status;

	if (!die_with_parent(supervisor))
		return EXIT_FAILURE;
	prctl(PR_SET_NAME, supervisor->options->name);
	close(supervisor->signal_fd);
	close(supervisor->pipe_fd);
	let_signal_come(SIGCHLD);
	status = supervisor->options->run(supervisor->options->ctx, &supervised);
	close(fd);
	return status;
}

/* ---- in the parent ---- */

/* Returns in the parent, after a failure to fork as well (tried again later), and with true in the child: *ret_fd is its pipe. */
static bool start_child(struct supervisor *supervisor, int *ret_fd)
{
	int ends[2];

	supervisor->started_ms = clock_ms();
	supervisor->child = -1;
	/* Never waited for: a parent that is stopped must not stop its child, too. */
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0) {
		supervisor->pipe_fd = ends[0];
		supervisor->child = fork();
		if (supervisor->child == 0) {
			*ret_fd = ends[1];
			return true;
		}
		close(ends[1]);
	}
	if (supervisor->child > 0)
		return false;
	trace_error(AREA, "%s cannot be started: %s", supervisor->options->name, strerror(errno));
	if (supervisor->pipe_fd >= 0)
		close(supervisor->pipe_fd);
	supervisor->pipe_fd = -1;
	supervisor->child = 0;
	supervisor->start_at_ms = supervisor->started_ms + supervisor->options->pause_ms_max;
	return false;
}

static void read_sessions(struct supervisor *supervisor)
{
	struct credentials credentials;
	ssize_t n;

	while ((n = read(supervisor->pipe_fd, &credentials, sizeof credentials)) == sizeof credentials)
		supervisor->known = credentials;
	explicit_bzero(&credentials, sizeof credentials);
	/* The end: the child is dying, SIGCHLD tells the rest. */
	if (n == 0) {
		close(supervisor->pipe_fd);
		supervisor->pipe_fd = -1;
	}
}

static void close_session(const struct supervisor *supervisor)
{
	const struct credentials *known = &supervisor->known;
	int code = supervisor->options->end_session(supervisor->options->zookeeper_connect, known->id, known->password,
						    supervisor->options->session_timeout_ms);

	if (code)
		trace_warn(AREA, "session 0x%llx of the dead process is left to its time-out: %s", (unsigned long long)known->id, error_text(code));
	else
		trace_info(AREA, "session 0x%llx of the dead process is ended", (unsigned long long)known->id);
}

/* By a process of its own: no server may answer, and the child's next start does not wait for it. */
static void end_session(struct supervisor *supervisor)
{
	if (supervisor->known.id == 0)
		return;
	supervisor->old_session_id = supervisor->known.id;
	supervisor->closer = fork();
	if (supervisor->closer == 0) {
		if (die_with_parent(supervisor)) {
			prctl(PR_SET_NAME, "klamm-closer");
			close(supervisor->signal_fd);
			close_session(supervisor);
		}
		_exit(0);
	}
	explicit_bzero(&supervisor->known, sizeof supervisor->known);
}

static void finish(struct supervisor *supervisor, int status)
{
	supervisor->done = true;
	supervisor->status = status;
	supervisor->end_at_ms = clock_ms() + CLOSER_MS_MAX;
}

/* Killed without having been told to: once more, after a pause. */
static void start_again(struct supervisor *supervisor, int signal_number)
{
	const struct supervisor_options *options = supervisor->options;
	int64_t now_ms = clock_ms();

	if (now_ms - supervisor->started_ms >= options->calm_ms_min)
		supervisor->pause_ms = options->pause_ms_min;
	trace_error(AREA, "%s was ended by signal %d (%s); it is started again in %lld ms", options->name, signal_number,
		    strsignal(signal_number), (long long)supervisor->pause_ms);
	supervisor->start_at_ms = now_ms + supervisor->pause_ms;
	supervisor->pause_ms = supervisor->pause_ms * 2 < options->pause_ms_max ? supervisor->pause_ms * 2 : options->pause_ms_max;
}

static void on_child_end(struct supervisor *supervisor, int wait_status)
{
	if (supervisor->pipe_fd >= 0)
		read_sessions(supervisor);
	if (supervisor->pipe_fd >= 0)
		close(supervisor->pipe_fd);
	supervisor->pipe_fd = -1;
	supervisor->child = 0;
	/* After a clean stop there is none any more. */
	if (wait_status != 0)
		end_session(supervisor);
	if (WIFEXITED(wait_status))
		finish(supervisor, WEXITSTATUS(wait_status));
	else if (supervisor->stopping)
		finish(supervisor, 128 + WTERMSIG(wait_status));
	else
		start_again(supervisor, WTERMSIG(wait_status));
}

/* Orphans, too, when this is the first process of a container. */
static void reap(struct supervisor *supervisor)
{
	int wait_status;
	pid_t pid;

	while ((pid = waitpid(-1, &wait_status, WNOHANG)) > 0) {
		if (pid == supervisor->child)
			on_child_end(supervisor, wait_status);
		else if (pid == supervisor->closer)
			supervisor->closer = 0;
	}
}

static void pass_on(struct supervisor *supervisor, int signal_number)
{
	if (signal_number != SIGHUP)
		supervisor->stopping = true;
	if (supervisor->child > 0)
		kill(supervisor->child, signal_number);
	else if (supervisor->stopping && !supervisor->done)
		finish(supervisor, EXIT_SUCCESS);
}

static void on_signals(struct supervisor *supervisor)
{
	struct signalfd_siginfo info;

	while (read(supervisor->signal_fd, &info, sizeof info) == sizeof info) {
		if (info.ssi_signo == SIGCHLD)
			reap(supervisor);
		else
			pass_on(supervisor, (int)info.ssi_signo);
	}
}

/* -1 = no end. */
static int64_t sleep_ms(const struct supervisor *supervisor, int64_t now_ms)
{
	int64_t until_ms = supervisor->done ? supervisor->end_at_ms : supervisor->start_at_ms;

	if (supervisor->child > 0)
		return -1;
	return until_ms > now_ms ? until_ms - now_ms : 0;
}

static void sleep_until_news(struct supervisor *supervisor)
{
	struct pollfd ready[] = {
		{.fd = supervisor->signal_fd, .events = POLLIN},
		{.fd = supervisor->pipe_fd, .events = POLLIN},
	};

	if (poll(ready, 2, (int)sleep_ms(supervisor, clock_ms())) <= 0)
		return;
	if (ready[1].revents)
		read_sessions(supervisor);
	if (ready[0].revents)
		on_signals(supervisor);
}

static bool may_end(const struct supervisor *supervisor)
{
	return supervisor->done && (supervisor->closer <= 0 || clock_ms() >= supervisor->end_at_ms);
}

static bool must_start(const struct supervisor *supervisor)
{
	return !supervisor->done && supervisor->child == 0 && clock_ms() >= supervisor->start_at_ms;
}

static int open_signals(void)
{
	sigset_t set;

	signals_block();
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

int supervise(const struct supervisor_options *options)
{
	struct supervisor supervisor = {.options = options, .parent = getpid(), .pipe_fd = -1, .pause_ms = options->pause_ms_min};
	int fd;

	supervisor.signal_fd = open_signals();
	if (supervisor.signal_fd < 0) {
		trace_error(AREA, "signals cannot be handled: %s", strerror(errno));
		return EXIT_FAILURE;
	}
	prctl(PR_SET_NAME, "klamm-parent");
	while (!may_end(&supervisor)) {
		if (must_start(&supervisor) && start_child(&supervisor, &fd))
			return be_child(&supervisor, fd);
		sleep_until_news(&supervisor);
	}
	close(supervisor.signal_fd);
	return supervisor.status;
}
