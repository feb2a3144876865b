/*
 * One request of one connection, from its frame to its answer.
 *
 *     conn: frame complete -> header, row of the api table, decode -> api->handle(request)
 *     handler: answers at once, or posts parts to their owners and answers later
 *     request_answer -> encoded -> sent after the answers of all earlier requests of the connection -> freed
 *
 * Rules
 * - A request and its connection belong to the worker that the connection was dealt to (request->worker): answers, closes and
 *   releases happen there. Others get parts by message and post them back.
 * - Each request ends exactly once, by request_answer, _answer_raw, _answer_last, _answer_none, _detach or _close; after that the
 * handler does not touch it. This holds also when the connection is gone in the meantime: ending it then only frees it.
 * - What the handler needs until the end lies in request->arena. Strings and records of the body are views into the frame: they
 *   are good until the end of the request or until request_release_frame, whichever comes first.
 * - What records.external points at must be a `struct send_files` (broker/net/send_list.h) whose files live until they are
 * sent.
 */
#ifndef KLAMM_BROKER_NET_REQUEST_H
#define KLAMM_BROKER_NET_REQUEST_H

#include "broker/net/client.h"
#include "broker/net/send_list.h"
#include "broker/rt/worker.h"
#include "common/arena.h"
#include "common/buf.h"
#include "common/slice.h"
#include "proto/frame.h"

#include <stdbool.h>
#include <stdint.h>

struct conn;
struct net;
struct request;

enum net_api_flag {
	/*
	 * May be handled while earlier requests of its connection that are also PIPELINED have no answer yet (Produce, Fetch).
	 * All others see every earlier request answered, as in Kafka, and hold up what comes after them.
	 */
	NET_API_PIPELINED = 1,
	NET_API_INTER_BROKER = 2,   /* only on the inter-broker listener; elsewhere the connection is closed */
	NET_API_CLUSTER_ACTION = 4, /* for the authorizer, when there is one */
	NET_API_BEFORE_AUTH = 8,    /* allowed on a connection that has not authenticated (ApiVersions, SASL) */
	NET_API_RAW = 16,           /* no schema: request->raw_body is the body, answered by request_answer_raw (Hello) */
};

/* A row of the table of what is served, given at set-up. Sorted or not; a key stands in it once. */
struct net_api {
	int16_t key;
	int16_t since, until; /* versions served, within those of the schema */
	unsigned flags;       /* NET_API_... */
	void (*handle)(struct request *request);
};

struct request {
	/* What the handler reads. */
	struct worker *worker;
	struct net *net;
	const struct client *client; /* who asks: address, listener, principal; lives as long as the request */
	const struct net_api *api;
	struct request_header header; /* client_id is good as long as the frame */
	void *body;                   /* the schema's struct, decoded; NULL with NET_API_RAW */
	struct slice raw_body;        /* the undecoded body, good as long as the frame */
	struct arena arena;
	int64_t arrived_ns; /* clock_ns when the frame was complete */

	/* What the handler may set. */
	void *state; /* its own */
	void (*on_gone)(
		struct request *request); /* the connection has closed; the request must still be ended, it may be now */
	struct message message;           /* free for posting the request to another worker and back */

	/* Of broker/net. */
	struct conn *conn;
	struct request *next;
	struct buf *frame; /* NULL when the frame was small and lies in the arena; a handler may retain it */
	size_t charged;    /* bytes taken from the budget for the frame */
	size_t arena_charged; /* and for the arena */
	bool rescued;      /* and beyond it */
	unsigned phase;
	int64_t mute_until_ms;
	struct send_item *items, **items_tail; /* the answer, in the arena or with references */
	struct send_item end;                  /* behind it: when this is sent the request is over */
	struct buf *output;                    /* a large answer's bytes */
};

/*
 * The connection has closed: whoever would begin to wait ends the request instead, for on_gone comes only to those that had it set when
 * the connection closed.
 */
bool request_is_gone(const struct request *request);

/* Encodes the response (a struct of the api's response schema, for the version asked) and queues it. */
void request_answer(struct request *request, const void *response);

/* The same with a version of the caller's choice: ApiVersions answers an unknown one in version 0. */
void request_answer_version(struct request *request, int version, const void *response);

/* Answers with these bytes as the body (NET_API_RAW). Copied. */
void request_answer_raw(struct request *request, struct slice body);

/* The same, and the connection is closed when that is sent; what came behind the request is nobody's. */
void request_answer_last(struct request *request, struct slice body);

/* Answers with these bytes and files behind them. */
void request_answer_raw_files(struct request *request, struct slice body, struct send_files *files);

/* The request has no answer on the wire (Produce with acks=0). */
void request_answer_none(struct request *request);

/*
 * Ends the request and closes its connection without an answer; reason is for the log, a constant text. Other requests of the
 * connection are told by their on_gone from inside this call.
 */
void request_close(struct request *request, const char *reason);

/*
 * Gives back the frame before the answer: its memory and its share of the budget. The views in the body are dangling then.
 * For Produce after the append (reliability: two full brokers must not wait for each other).
 */
void request_release_frame(struct request *request);

/*
 * Counts in the budget what the arena has grown by. It is counted when the body has been decoded and when the request ends, until the answer
 * is sent; a handler that waits for long calls it before.
 */
void request_count_arena(struct request *request);

/*
 * After this answer is sent the connection is muted until until_ms by clock_ms (quotas: throttle_time_ms).
 * To be called before request_answer.
 */
void request_throttle(struct request *request, int64_t until_ms);

/* A connection taken out of Kafka's protocol: what its new owner gets. */
struct detached {
	int fd;                    /* non-blocking; the new owner closes it and calls client_release */
	struct client *client;     /* a reference: the connection counts as open until it is released */
	struct buf *unread;        /* NULL, or bytes that came behind the request; a reference */
	struct slice unread_bytes; /* what of it is not read yet */
};

/* Nobody wants it after all. */
void detached_close(const struct detached *detached);

/*
 * Hello: answers with these bytes, and when they are all sent gives the connection away: on_detached is called on the worker's
 * thread with what the new owner needs. When the connection dies before that, on_detached is called with NULL. The handler's
 * last call for the request.
 */
void request_detach(struct request *request, struct slice answer,
		    void (*on_detached)(void *ctx, const struct detached *detached), void *ctx);

#endif
