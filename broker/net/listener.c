/* See listener.h. */
#include "broker/net/listener.h"

#include "broker/net/address.h"
#include "common/clock.h"
#include "common/memory.h"
#include "common/trace.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* Connections accepted in one turn of the hub, so that a storm does not hold up ZooKeeper. */
#define ACCEPTS_PER_TURN 64
/* How long accepting rests when the process has no descriptor left. */
#define EXHAUSTED_PAUSE_MS 1000

const struct listener_options listener_options_default = {
	.backlog = 50, .receive_buffer_bytes = 102400, .send_buffer_bytes = 102400};

static void pause_accepting(struct listener *listener, int64_t ms)
{
	loop_fd_watch(&listener->fd, 0);
	listener->acceptor->counters.n_pauses++;
	if (ms >= 0)
		timer_set(&listener->resume, clock_ms() + ms);
}

/* The bucket holds the connections of one second; takes one, or says in how many ms there will be one. */
static int64_t token_wait_ms(struct listener *listener)
{
	int64_t rate = listener->acceptor->limits.creation_rate_max, now = clock_ms();

	if (rate == INT32_MAX)
		return 0;
	/* rate a second is rate thousandths a ms. */
	listener->tokens_milli += (now - listener->tokens_ms) * rate;
	if (listener->tokens_milli > rate * 1000)
		listener->tokens_milli = rate * 1000;
	listener->tokens_ms = now;
	if (listener->tokens_milli < 1000)
		return rate > 0 ? (1000 - listener->tokens_milli + rate - 1) / rate : EXHAUSTED_PAUSE_MS;
	listener->tokens_milli -= 1000;
	return 0;
}

/* False when this turn has no more. */
static bool accept_one(struct listener *listener)
{
	struct sockaddr_storage address = {0};
	socklen_t len = sizeof address;
	int64_t wait_ms;
	int fd;

	if (!acceptor_has_room(listener->acceptor, listener)) {
		pause_accepting(listener, -1);
		return false;
	}
	wait_ms = token_wait_ms(listener);
	if (wait_ms > 0) {
		pause_accepting(listener, wait_ms);
		return false;
	}
	fd = accept4(listener->fd.fd, (struct sockaddr *)&address, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd >= 0) {
		acceptor_take(listener->acceptor, listener, fd, &address);
		return true;
	}
	listener->tokens_milli += 1000;
	if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
		trace_limited(TRACE_WARN, "net", "listener %s: a connection was refused: %s", listener->info.name,
			      strerror(errno));
		acceptor_refuse_one(listener->acceptor, listener->fd.fd);
		pause_accepting(listener, EXHAUSTED_PAUSE_MS);
		return false;
	}
	/* Anything else concerns the one connection that went away before it was accepted. */
	return errno != EAGAIN;
}

static void on_ready(struct loop_fd *fd, unsigned what)
{
	struct listener *listener = CONTAINER_OF(fd, struct listener, fd);
	int n = 0;

	(void)what;
	while (n < ACCEPTS_PER_TURN && accept_one(listener))
		n++;
}

static void on_resume(struct timer *timer)
{
	listener_on_room(CONTAINER_OF(timer, struct listener, resume));
}

static int bind_and_listen(int fd, const struct sockaddr_storage *address, const struct listener_options *options)
{
	int on = 1, off = 0;

	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0)
		return -1;
	if (address->ss_family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) < 0)
		return -1;
	/* What is accepted inherits the sizes, and the window of the first packets depends on them. */
	if (options->receive_buffer_bytes > 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &options->receive_buffer_bytes, sizeof(int));
	if (options->send_buffer_bytes > 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &options->send_buffer_bytes, sizeof(int));
	if (bind(fd, (const struct sockaddr *)address, address_len(address)) < 0)
		return -1;
	return listen(fd, options->backlog);
}

static int open_socket(struct sockaddr_storage *address, const char *host, uint16_t port,
		       const struct listener_options *options)
{
	int fd = socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), saved;

	/* A machine without IPv6 has its "all addresses" in IPv4. */
	if (fd < 0 && errno == EAFNOSUPPORT && !*host) {
		CHECK(address_parse("0.0.0.0", port, address) == 0);
		fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	}
	if (fd < 0)
		return -1;
	if (bind_and_listen(fd, address, options) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

static int open_failed(const struct listener_info *info, struct error *err)
{
	int code = errno == EADDRINUSE ? ERR_BUSY : errno == EADDRNOTAVAIL ? ERR_INVALID : error_from_errno(errno);

	return error_set(err, code, "listener %s: cannot listen on %s:%u: %s", info->name, *info->host ? info->host : "*",
			 info->port, strerror(errno));
}

int listener_open(struct listener *listener, struct acceptor *acceptor, const struct listener_info *info,
		  const struct listener_options *options, struct error *err)
{
	struct sockaddr_storage address;
	socklen_t len = sizeof address;
	int fd;

	if (address_parse(info->host, info->port, &address) < 0)
		return error_set(err, ERR_INVALID, "listener %s: '%s' is not a numeric address", info->name, info->host);
	fd = open_socket(&address, info->host, info->port, options);
	if (fd < 0)
		return open_failed(info, err);
	*listener =
		(struct listener){.info = *info, .acceptor = acceptor, .next = acceptor->listeners, .tokens_ms = clock_ms()};
	/* A full bucket at the start: the clients of a whole cluster come back at once after a restart. */
	listener->tokens_milli = INT32_MAX * (int64_t)1000;
	if (getsockname(fd, (struct sockaddr *)&address, &len) == 0)
		listener->info.port = address_port(&address);
	loop_fd_init(&listener->fd, &acceptor->hub->loop, fd, on_ready);
	timer_init(&listener->resume, &acceptor->hub->loop, on_resume);
	acceptor->listeners = listener;
	acceptor->has_inter_broker = acceptor->has_inter_broker || info->inter_broker;
	return 0;
}

void listener_start(struct listener *listener)
{
	listener->started = true;
	listener_on_room(listener);
}

void listener_on_room(struct listener *listener)
{
	if (listener->started && !timer_is_set(&listener->resume))
		loop_fd_watch(&listener->fd, LOOP_READ);
}

void listener_close(struct listener *listener)
{
	struct listener **at = &listener->acceptor->listeners;

	while (*at != listener)
		at = &(*at)->next;
	*at = listener->next;
	loop_fd_watch(&listener->fd, 0);
	timer_stop(&listener->resume);
	close(listener->fd.fd);
}
