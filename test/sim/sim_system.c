/*
 * What production code asks of the system, link-time wrapped (local.mk names the calls): sockets, event descriptors, files, chance.
 * A number from VFD_BASE on is a simulated descriptor, one from FS_MEM_FD_BASE on a file of the machine; anything else goes to the system.
 */
#include "common/check.h"
#include "common/fs.h"
#include "test/sim/sim.h"
#include "test/sim/sim_zk.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

int __wrap_socket(int domain, int type, int protocol);
int __wrap_bind(int fd, const struct sockaddr *address, socklen_t len);
int __wrap_listen(int fd, int backlog);
int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *len, int flags);
int __wrap_connect(int fd, const struct sockaddr *address, socklen_t len);
int __wrap_getsockname(int fd, struct sockaddr *address, socklen_t *len);
int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *len);
int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t len);
ssize_t __wrap_recv(int fd, void *data, size_t len, int flags);
ssize_t __wrap_recvmsg(int fd, struct msghdr *message, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags);
ssize_t __wrap_sendfile(int out, int in, off_t *pos, size_t len);
int __wrap_shutdown(int fd, int how);
int __wrap_eventfd(unsigned initial, int flags);
ssize_t __real_write(int fd, const void *data, size_t len);
ssize_t __wrap_write(int fd, const void *data, size_t len);
ssize_t __real_pread(int fd, void *data, size_t len, off_t pos);
ssize_t __wrap_pread(int fd, void *data, size_t len, off_t pos);
int __real_close(int fd);
int __wrap_close(int fd);
int __wrap_RAND_bytes(unsigned char *bytes, int len);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *arg);
int __wrap_pthread_join(pthread_t thread, void **ret_value);

struct fs *fs_real(void)
{
	CHECK(sim.process && sim.process->machine->disk);
	return fs_mem_fs(sim.process->machine->disk);
}

int __wrap_socket(int domain, int type, int protocol)
{
	(void)domain;
	(void)type;
	(void)protocol;
	return vfd_new(VFD_SOCKET)->number;
}

static struct vfd *need(int fd)
{
	struct vfd *vfd = vfd_find(fd);

	CHECK(vfd);
	return vfd;
}

static void split(const struct sockaddr *address, uint32_t *ret_ip, uint16_t *ret_port)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)address;

	CHECK(address->sa_family == AF_INET);
	*ret_ip = ntohl(in->sin_addr.s_addr);
	*ret_port = ntohs(in->sin_port);
}

static void join(struct sockaddr *address, socklen_t *len, uint32_t ip, uint16_t port)
{
	struct sockaddr_in *in = (struct sockaddr_in *)(void *)address;

	if (!address)
		return;
	*in = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(ip)}};
	*len = sizeof *in;
}

int __wrap_bind(int fd, const struct sockaddr *address, socklen_t len)
{
	struct vfd *vfd = need(fd);

	(void)len;
	split(address, &vfd->ip, &vfd->port);
	return 0;
}

int __wrap_listen(int fd, int backlog)
{
	(void)backlog;
	return vfd_listen(need(fd));
}

int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *len, int flags)
{
	uint32_t ip;
	uint16_t port;
	struct vfd *vfd = vfd_accept(need(fd), &ip, &port);

	(void)flags;
	if (!vfd) {
		errno = EAGAIN;
		return -1;
	}
	join(address, len, ip, port);
	return vfd->number;
}

int __wrap_connect(int fd, const struct sockaddr *address, socklen_t len)
{
	uint32_t ip;
	uint16_t port;

	(void)len;
	split(address, &ip, &port);
	return vfd_connect(need(fd), ip, port);
}

int __wrap_getsockname(int fd, struct sockaddr *address, socklen_t *len)
{
	const struct vfd *vfd = need(fd);

	join(address, len, vfd->ip, vfd->port);
	return 0;
}

int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
	const struct vfd *vfd = need(fd);

	CHECK(level == SOL_SOCKET && name == SO_ERROR);
	memcpy(value, &vfd->error, sizeof vfd->error);
	*len = sizeof vfd->error;
	return 0;
}

int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	(void)fd;
	(void)level;
	(void)name;
	(void)value;
	(void)len;
	return 0;
}

ssize_t __wrap_recv(int fd, void *data, size_t len, int flags)
{
	(void)flags;
	return (ssize_t)vfd_recv(need(fd), data, len);
}

ssize_t __wrap_recvmsg(int fd, struct msghdr *message, int flags)
{
	ssize_t total = 0;

	(void)flags;
	for (size_t i = 0; i < message->msg_iovlen; i++) {
		const struct iovec *piece = &message->msg_iov[i];
		ssize_t n = (ssize_t)vfd_recv(need(fd), piece->iov_base, piece->iov_len);

		if (n <= 0)
			return total > 0 ? total : n;
		total += n;
		if ((size_t)n < piece->iov_len)
			break;
	}
	return total;
}

ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags)
{
	uint8_t gathered[65536];
	size_t total = 0;

	(void)flags;
	for (size_t i = 0; i < message->msg_iovlen && total < sizeof gathered; i++) {
		const struct iovec *piece = &message->msg_iov[i];
		size_t len = piece->iov_len < sizeof gathered - total ? piece->iov_len : sizeof gathered - total;

		memcpy(gathered + total, piece->iov_base, len);
		total += len;
	}
	return (ssize_t)vfd_send(need(fd), gathered, total);
}

ssize_t __wrap_sendfile(int out, int in, off_t *pos, size_t len)
{
	uint8_t bytes[65536];
	int64_t n = fs_pread(fs_real(), in, bytes, len < sizeof bytes ? len : sizeof bytes, *pos);

	if (n <= 0) {
		errno = EIO;
		return n < 0 ? -1 : 0;
	}
	return (ssize_t)vfd_send(need(out), bytes, (size_t)n);
}

int __wrap_shutdown(int fd, int how)
{
	(void)how;
	sim_zk_cut(need(fd));
	return 0;
}

int __wrap_eventfd(unsigned initial, int flags)
{
	(void)flags;
	CHECK(initial == 0);
	return vfd_new(VFD_EVENT)->number;
}

ssize_t __wrap_write(int fd, const void *data, size_t len)
{
	struct vfd *vfd = vfd_find(fd);

	if (fd < VFD_BASE)
		return __real_write(fd, data, len);
	if (vfd) {
		vfd->count++;
		vfd_news(vfd);
	}
	return (ssize_t)len;
}

ssize_t __wrap_pread(int fd, void *data, size_t len, off_t pos)
{
	if (fd < FS_MEM_FD_BASE)
		return __real_pread(fd, data, len, pos);
	return (ssize_t)fs_pread(fs_real(), fd, data, len, pos);
}

int __wrap_close(int fd)
{
	struct vfd *vfd = vfd_find(fd);

	if (fd < VFD_BASE)
		return __real_close(fd);
	if (vfd)
		vfd_close(vfd);
	return 0;
}

int __wrap_RAND_bytes(unsigned char *bytes, int len)
{
	for (int i = 0; i < len; i++)
		bytes[i] = (unsigned char)(sim_random(&sim.identity) >> 33);
	return 1;
}

/* The one thread that is left is what ends a ZooKeeper session (zk/session_close.c): it is over at once. */
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *arg)
{
	(void)attributes;
	*thread = 0;
	run(arg);
	return 0;
}

int __wrap_pthread_join(pthread_t thread, void **ret_value)
{
	(void)thread;
	(void)ret_value;
	return 0;
}
