/*
 * One connection in Kafka's protocol, on its worker. Inside broker/net only: handlers see requests.
 *
 *     readable -> room from the budget -> receiver_fill -> parse: whole frames become requests, in order
 *     request ended -> conn_on_ended: answers at the head of the queue go to `out`
 *     end of the turn -> flush `out`; take frames that were held back; watch what is to be watched
 *
 *     requests (queue):  [first: waits] [answered] [waits]        out:  [answer] [answer] -> socket
 *
 * Invariants
 * - Answers leave in the order of the requests; a request that is not PIPELINED is taken only when the queue is empty, and
 *   nothing is taken behind it until it is ended.
 * - At most LIMIT_CONN_REQUESTS requests are not fully answered; beyond that, or beyond output_bytes_max, nothing is read.
 * - The memory of the frame under way and of all frames of requests is counted in the budget.
 * - The end of the stream (half-close) stops reading only: what was asked is answered, then the connection is closed.
 * - Closed, it lives until the last of its requests is ended.
 */
#ifndef KLAMM_BROKER_NET_CONN_H
#define KLAMM_BROKER_NET_CONN_H

#include "broker/net/net.h"
#include "broker/net/send_list.h"
#include "broker/net/transport.h"

struct conn {
	struct net *net;
	struct client *client;
	struct transport transport;
	struct loop_fd fd;
	struct timer timer;
	struct deferred turn;
	struct receiver receiver;
	struct budget_wait wait;
	struct send_list out;
	struct request *first, **tail; /* not ended, or ended behind one that is not */
	int n_requests;                /* of first and of out */

	bool authenticated;
	bool serial;  /* the request in the queue lets none pass */
	bool held;    /* bytes are here that may not be taken yet */
	bool waiting; /* for the budget */
	bool rescued; /* the frame under way has overdrawn it */
	bool blocked; /* the socket takes nothing more */
	bool eof;
	bool closed;
	int pins; /* functions under way that look at it */

	size_t charged;    /* taken from the budget for the frame under way */
	int64_t active_ms; /* last byte in */
	int64_t window_ms; /* since when the speed of the frame under way is measured; 0 = no frame */
	int64_t window_bytes;
	int64_t progress_ms;   /* the socket last took something of out */
	int64_t mute_until_ms; /* 0 = not muted */

	void (*on_detached)(void *ctx, const struct detached *detached);
	void *detach_ctx;

	struct conn *prev, *next; /* of net->conns */
};

/* Begins; the client is taken over. */
void conn_open(struct net *net, struct client *client);

/* Ends it now; reason for the log. The struct may be gone afterwards. */
void conn_close(struct conn *conn, const char *reason);

/* Ends it because of what the client sent: counted and traced, with the text of printf rules. */
void conn_refuse(struct conn *conn, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- for request.c ---- */

/* Puts a new request at the end of the queue. */
void conn_enqueue(struct conn *conn, struct request *request);

/* A request of the queue has been ended. */
void conn_on_ended(struct conn *conn);

/* The same, and the connection is to be closed. */
void conn_close_on_ended(struct conn *conn, const char *reason);

/* A request is gone for good. */
void conn_on_request_gone(struct conn *conn);

/* When all answers are out the connection is given away. */
void conn_detach(struct conn *conn, void (*on_detached)(void *ctx, const struct detached *detached), void *ctx);

/* ---- request.c, for conn.c ---- */

/* A whole frame (without its size) becomes a request and is handed to its handler, or the connection is closed. */
void request_begin(struct conn *conn, const struct received *received);

/* Whether the api of this frame's head may be handled while other requests are under way. */
bool request_may_pass(const struct net *net, struct slice frame);

enum request_phase { REQUEST_UNDER_WAY, REQUEST_TOLD_GONE, REQUEST_ENDED, REQUEST_SENDING };

#endif
