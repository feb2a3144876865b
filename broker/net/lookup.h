/*
 * Host names of those who are dialled: looked up on a thread of their own, since that may block for long.
 *
 *     lookup_start -> getaddrinfo on the resolver's thread -> done on the asking worker, once; or never, after lookup_cancel
 */
#ifndef KLAMM_BROKER_NET_LOOKUP_H
#define KLAMM_BROKER_NET_LOOKUP_H

#include "broker/rt/disk.h"

#include <stdint.h>
#include <sys/socket.h>

#define LOOKUP_HOST_BYTES 256

struct lookup;

/* address NULL: there is none, and why says so. The lookup is gone afterwards. */
typedef void lookup_done(void *ctx, const struct sockaddr_storage *address, const char *why);

/* A longer host is cut. On the thread of `worker`. */
struct lookup *lookup_start(struct disk *resolver, struct worker *worker, const char *host, uint16_t port, lookup_done *done, void *ctx);

/* The same thread: its outcome is no longer wanted. */
void lookup_cancel(struct lookup *lookup);

#endif
