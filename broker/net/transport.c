/* The plain transport; see transport.h. */
#include "broker/net/transport.h"

#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

static ssize_t plain_recv(const struct transport *transport, const struct iovec *pieces, int n_pieces)
{
	struct msghdr message = {.msg_iov = (struct iovec *)pieces, .msg_iovlen = (size_t)n_pieces};

	if (n_pieces == 1)
		return recv(transport->fd, pieces->iov_base, pieces->iov_len, MSG_DONTWAIT);
	return recvmsg(transport->fd, &message, MSG_DONTWAIT);
}

static ssize_t plain_send(const struct transport *transport, const struct iovec *pieces, int n_pieces, bool more)
{
	struct msghdr message = {.msg_iov = (struct iovec *)pieces, .msg_iovlen = (size_t)n_pieces};

	return sendmsg(transport->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL | (more ? MSG_MORE : 0));
}

static ssize_t plain_send_file(const struct transport *transport, int fd, int64_t pos, size_t len)
{
	off_t from = pos;

	return sendfile(transport->fd, fd, &from, len);
}

static void plain_close(const struct transport *transport)
{
	close(transport->fd);
}

struct transport transport_plain(int fd)
{
	static const struct transport_ops ops = {plain_recv, plain_send, plain_send_file, plain_close};

	return (struct transport){.ops = &ops, .fd = fd};
}
