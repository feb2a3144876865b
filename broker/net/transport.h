/*
 * How bytes pass a connection's socket: plain now; TLS is another table with its own context.
 *
 * recv and send behave as the system calls do: bytes moved, 0 at the end of the stream (recv), or -1 and errno (EAGAIN: wait).
 * Used by one thread at a time. SIGPIPE must be ignored in the process (signals_block does it), since sendfile has no flag
 * against it.
 */
#ifndef KLAMM_BROKER_NET_TRANSPORT_H
#define KLAMM_BROKER_NET_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

struct transport;

struct transport_ops {
	ssize_t (*recv)(const struct transport *transport, const struct iovec *pieces, int n_pieces);
	/* more: something follows at once, so that the kernel need not send a small segment. */
	ssize_t (*send)(const struct transport *transport, const struct iovec *pieces, int n_pieces, bool more);
	ssize_t (*send_file)(const struct transport *transport, int fd, int64_t pos, size_t len);
	void (*close)(const struct transport *transport);
};

struct transport {
	const struct transport_ops *ops;
	int fd;
	void *ctx;
};

/* The plain transport of a connected socket; close closes it. */
struct transport transport_plain(int fd);

static inline ssize_t transport_recv(const struct transport *transport, const struct iovec *pieces, int n_pieces)
{
	return transport->ops->recv(transport, pieces, n_pieces);
}

static inline ssize_t transport_send(const struct transport *transport, const struct iovec *pieces, int n_pieces, bool more)
{
	return transport->ops->send(transport, pieces, n_pieces, more);
}

static inline ssize_t transport_send_file(const struct transport *transport, int fd, int64_t pos, size_t len)
{
	return transport->ops->send_file(transport, fd, pos, len);
}

static inline void transport_close(const struct transport *transport)
{
	transport->ops->close(transport);
}

#endif
