/* Sockets with time-outs; see dial.h. */
#include "tools/klamm/dial.h"

#include "common/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PORT_DEFAULT 9092

/* 0 when the descriptor is ready, ERR_TIMEOUT when the time is up. */
static int wait_ready(int fd, short events, int64_t deadline_ms)
{
	struct pollfd poller = {.fd = fd, .events = events};

	for (;;) {
		int64_t left_ms = deadline_ms - clock_ms();
		int n;

		if (left_ms <= 0)
			return ERR_TIMEOUT;
		n = poll(&poller, 1, left_ms > 60000 ? 60000 : (int)left_ms);
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return error_from_errno(errno);
	}
}

/* Connects to one address; the errno of what went wrong, or 0. */
static int connect_one(const struct addrinfo *address, int64_t deadline_ms, int *ret_fd)
{
	int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), one = 1, failure = 0;
	socklen_t size = sizeof failure;

	if (fd < 0)
		return errno;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (connect(fd, address->ai_addr, address->ai_addrlen) != 0) {
		if (errno != EINPROGRESS)
			failure = errno;
		else if (wait_ready(fd, POLLOUT, deadline_ms) != 0)
			failure = ETIMEDOUT;
		else
			(void)getsockopt(fd, SOL_SOCKET, SO_ERROR, &failure, &size);
	}
	if (failure) {
		close(fd);
		return failure;
	}
	*ret_fd = fd;
	return 0;
}

int dial(const char *host, int port, int64_t deadline_ms, int *ret_fd, struct error *err)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV}, *list;
	int failure = 0, r;
	char service[16];

	snprintf(service, sizeof service, "%d", port);
	r = getaddrinfo(host, service, &hints, &list);
	if (r != 0)
		return error_set(err, ERR_NOT_FOUND, "%s:%d: %s", host, port, gai_strerror(r));
	for (struct addrinfo *at = list; at; at = at->ai_next) {
		failure = connect_one(at, deadline_ms, ret_fd);
		if (!failure)
			break;
	}
	freeaddrinfo(list);
	if (failure)
		return error_set(err, failure == ETIMEDOUT ? ERR_TIMEOUT : ERR_IO, "%s:%d: %s", host, port, strerror(failure));
	return 0;
}

int dial_send(int fd, const void *data, size_t len, int64_t deadline_ms)
{
	const char *at = data;

	while (len) {
		ssize_t n = send(fd, at, len, MSG_NOSIGNAL);

		if (n > 0) {
			at += n;
			len -= (size_t)n;
		} else if (n < 0 && errno == EAGAIN) {
			int r = wait_ready(fd, POLLOUT, deadline_ms);

			if (r != 0)
				return r;
		} else if (n < 0 && errno != EINTR) {
			return errno == EPIPE || errno == ECONNRESET ? ERR_CLOSED : error_from_errno(errno);
		}
	}
	return 0;
}

int dial_receive(int fd, void *data, size_t len, int64_t deadline_ms)
{
	char *at = data;

	while (len) {
		ssize_t n = recv(fd, at, len, 0);

		if (n > 0) {
			at += n;
			len -= (size_t)n;
		} else if (n == 0) {
			return ERR_CLOSED;
		} else if (errno == EAGAIN) {
			int r = wait_ready(fd, POLLIN, deadline_ms);

			if (r != 0)
				return r;
		} else if (errno != EINTR) {
			return errno == ECONNRESET ? ERR_CLOSED : error_from_errno(errno);
		}
	}
	return 0;
}

static int port_parse(const char *text, size_t len, int *ret_port)
{
	int port = 0;

	if (len == 0 || len > 5)
		return ERR_INVALID;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return ERR_INVALID;
		port = port * 10 + text[i] - '0';
	}
	if (port < 1 || port > 65535)
		return ERR_INVALID;
	*ret_port = port;
	return 0;
}

int dial_parse(const char *text, size_t len, char *ret_host, size_t host_size, int *ret_port, struct error *err)
{
	const char *scheme = memmem(text, len, "://", 3), *whole = text, *bracket, *colon;
	size_t host_len, whole_len = len;
	int port = PORT_DEFAULT;

	/* A listener as a properties file has it: PLAINTEXT://host:port. */
	if (scheme) {
		len -= (size_t)(scheme + 3 - text);
		text = scheme + 3;
	}
	bracket = len && *text == '[' ? memchr(text, ']', len) : NULL;
	colon = bracket ? memchr(bracket, ':', len - (size_t)(bracket - text)) : memrchr(text, ':', len);
	host_len = colon ? (size_t)(colon - text) : len;
	if (colon && port_parse(colon + 1, len - host_len - 1, &port) != 0)
		return error_set(err, ERR_INVALID, "'%.*s' has no valid port: write HOST:PORT", (int)whole_len, whole);
	if (bracket) {
		text++;
		host_len = (size_t)(bracket - text);
	}
	if (host_len == 0 || host_len >= host_size)
		return error_set(err, ERR_INVALID, "'%.*s' is no address: write HOST:PORT", (int)whole_len, whole);
	memcpy(ret_host, text, host_len);
	ret_host[host_len] = 0;
	*ret_port = port;
	return 0;
}
