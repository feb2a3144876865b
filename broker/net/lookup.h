/*
 * Host names of those who are dialled: looked up on threads of their own, since that may block for long.
 *
 *     lookup_start -> question of the resolver, one for each name, whoever asks for it -> getaddrinfo on one of its threads
 *                  -> done on the asking worker, once; or never, after lookup_cancel
 *
 * A name server that hangs holds up its own names alone: a thread is made for each name that is asked for while the others are at work, up to
 * RESOLVER_THREADS_MAX. Who asks waits for LOOKUP_MS_MAX at most, and then asks again when it wants: the question that hangs is the same.
 */
#ifndef KLAMM_BROKER_NET_LOOKUP_H
#define KLAMM_BROKER_NET_LOOKUP_H

#include "broker/rt/worker.h"

#include <stdint.h>
#include <sys/socket.h>

#define LOOKUP_HOST_BYTES 256

/* The C library goes from one name server to the next after 5 s: the last of three is heard in time. */
#define LOOKUP_MS_MAX 15000
#define RESOLVER_THREADS_MAX 8

struct resolver;
struct lookup;

/* 0 and an address of this host, or a code of getaddrinfo. On the resolver's threads, several at a time. */
typedef int resolver_ask(const char *host, struct sockaddr_storage *ret_address);

/* ask NULL: getaddrinfo; ms_max 0: LOOKUP_MS_MAX. Others are for tests. */
struct resolver *resolver_new(resolver_ask *ask, int64_t ms_max);

/* Nobody is answered any more; who has asked still cancels. A thread that waits for a name server ends when that has answered. */
void resolver_free(struct resolver *resolver);

/* address NULL: there is none, and why says so. The lookup is gone afterwards. */
typedef void lookup_done(void *ctx, const struct sockaddr_storage *address, const char *why);

/* A longer host is cut. On the thread of `worker`. */
struct lookup *lookup_start(struct resolver *resolver, struct worker *worker, const char *host, uint16_t port, lookup_done *done, void *ctx);

/* The same thread: its outcome is no longer wanted. Also after resolver_free. */
void lookup_cancel(struct lookup *lookup);

#endif
