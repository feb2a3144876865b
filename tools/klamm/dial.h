/* One TCP connection to HOST:PORT with time-outs: what the command line needs of sockets. Blocking; one thread. */
#ifndef KLAMM_TOOLS_KLAMM_DIAL_H
#define KLAMM_TOOLS_KLAMM_DIAL_H

#include "common/error.h"

#include <stddef.h>
#include <stdint.h>

/*
 * Connects, trying all addresses of the host until clock_ms reaches deadline_ms. The descriptor does not block and is the
 * caller's. Negative code with "host:port: why" in err.
 */
int dial(const char *host, int port, int64_t deadline_ms, int *ret_fd, struct error *err);

/* All bytes, or ERR_TIMEOUT, ERR_CLOSED, ERR_IO. */
int dial_send(int fd, const void *data, size_t len, int64_t deadline_ms);
int dial_receive(int fd, void *data, size_t len, int64_t deadline_ms);

/*
 * Takes "host:port" apart; port 9092 where it is left out, IPv6 in brackets. The host is written to ret_host. ERR_INVALID.
 */
int dial_parse(const char *text, size_t len, char *ret_host, size_t host_size, int *ret_port, struct error *err);

#endif
