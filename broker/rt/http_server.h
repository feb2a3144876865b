/*
 * A few pages for machines that ask now and then (metrics), over HTTP on a loop. evhttp of libevent speaks the protocol; this bounds what it
 * may cost.
 *
 *     GET of a page  -> its on_get(request) -> http_reply, then or later        the connection is closed with the answer
 *     other paths 404, other methods 405, a body above 4 KB 413, headers above 8 KB and nonsense 400
 *
 * Bounds: HTTP_CONNECTIONS_MAX connections at a time, each for connection_ms at most, whatever the other end does or does not. When there are
 * so many, the next one takes the place of the oldest that has asked for nothing in a tenth of that time; else it waits in the kernel.
 *
 * The loop's thread alone.
 */
#ifndef KLAMM_BROKER_RT_HTTP_SERVER_H
#define KLAMM_BROKER_RT_HTTP_SERVER_H

#include "broker/rt/loop.h"
#include "common/error.h"
#include "common/slice.h"

#define HTTP_CONNECTIONS_MAX 8

struct http_server;
struct http_request; /* one that waits for its answer */

struct http_page {
	const char *path;
	void (*on_get)(void *ctx, struct http_request *request); /* ends in http_reply, once */
};

struct http_server_args {
	struct slice host;             /* an address, or a name that is looked up, which may block: open it at the start */
	int32_t port;                  /* 0: the system chooses */
	const struct http_page *pages; /* the caller's, for as long as the server lives */
	int n_pages;
	void *ctx;             /* of the pages */
	int64_t connection_ms; /* 0 = 10,000 */
};

/*
 * Listens from now on. Fails with a sentence that names address and port: ERR_BUSY when the port is taken, ERR_INVALID for an address that is
 * not ours, ERR_NOT_FOUND for a name that nobody has, ERR_LIMIT.
 */
int http_server_open(struct loop *loop, const struct http_server_args *args, struct http_server **ret_server, struct error *err);

/* Closes all connections. Requests without an answer are still to be answered, which then does nothing. Not from a callback. NULL is allowed. */
void http_server_close(struct http_server *server);

/* The port that it listens on: where 0 was asked for, the one that the system chose. */
uint16_t http_server_port(const struct http_server *server);

/* Answers; the request is gone. status: 200, 500 or 503. body is copied. */
void http_reply(struct http_request *request, int status, const char *content_type, struct slice body);

#endif
