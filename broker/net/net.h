/*
 * The network side of one worker: its connections, and what they share.
 *
 *     hub: acceptor --client--> net (one for each worker) --> conn ... --> request --> handler
 *
 * struct net_setup is the same for all workers and constant while they run; it is filled in by broker/main.
 */
#ifndef KLAMM_BROKER_NET_NET_H
#define KLAMM_BROKER_NET_NET_H

#include "broker/net/budget.h"
#include "broker/net/receiver.h"
#include "broker/net/request.h"
#include "broker/rt/worker.h"

#include <stdint.h>

/* Limits of connections, most of them config keys; net_limits_default has Kafka's defaults or ours (see reliability notes
 * there). */
struct net_limits {
	int32_t frame_bytes_max; /* socket.request.max.bytes */
	int32_t frame_bytes_max_unauthenticated;
	int64_t idle_ms;        /* connections.max.idle.ms */
	int64_t request_ms_max; /* a frame begun must be complete by then, as long as its sender is slower than: */
	int64_t request_bytes_per_s_min;
	int64_t starved_ms_max;      /* no byte of a frame begun while others wait for the budget */
	size_t output_bytes_max;     /* answers in memory of one connection; more: no request is read until they are sent */
	int64_t output_stall_ms_max; /* that many bytes waiting and none taken by the other end: cut off */
	int receive_buffer_bytes;    /* socket.receive.buffer.bytes, -1 = the system's */
	int send_buffer_bytes;       /* socket.send.buffer.bytes, -1 = the system's */
};

extern const struct net_limits net_limits_default;

struct net_setup {
	const struct net_api *apis; /* what is served */
	int n_apis;
	struct net_limits limits;
	struct budget *budget;
	void *owner; /* of broker/main, for handlers: request_owner(request) */
};

/* Since the start; read on the worker's thread. */
struct net_counters {
	int64_t n_connections; /* open now */
	int64_t n_opened;
	int64_t n_requests;
	int64_t bytes_in;
	int64_t bytes_out;
	int64_t n_bad_frames; /* size, header, key, version or body refused */
	int64_t n_idle_closed;
	int64_t n_slow_closed; /* frame or answers stalled */
	int64_t n_budget_waits;
};

#define NET_KEYS_DIRECT 128
#define NET_SPARE_REQUESTS 64

struct net {
	struct worker *worker;
	const struct net_setup *setup;
	const struct net_api *rows[NET_KEYS_DIRECT]; /* by key; keys beyond are searched for */
	struct receive_pool pool;
	struct buf *scratch;   /* answers are encoded here */
	struct request *spare; /* freed ones, for the next */
	int n_spare;
	struct conn *conns; /* open */
	int64_t n_alive;    /* open, or closed with requests that are not ended */
	struct net_counters counters;
	bool closing;
	void (*on_empty)(void *ctx);
	void *ctx;
};

/* On the worker's thread or before it starts. */
void net_init(struct net *net, struct worker *worker, const struct net_setup *setup);

/* On the worker's thread: a connection begins with this client (fd connected, non-blocking; both are taken over). */
void net_adopt(struct net *net, struct client *client);

/* Any thread: posts the client to the worker, where net_adopt takes it. */
void net_deal(struct net *net, struct client *client);

/* On the worker's thread: closes all connections; on_empty is called (soon or at once) when the last request has been ended. */
void net_close(struct net *net, void (*on_empty)(void *ctx), void *ctx);

/* After that, when the worker is drained. */
void net_fini(struct net *net);

/* The served row of a key, or NULL. */
const struct net_api *net_find_api(const struct net *net, int key);

/* net_setup.owner of the request's net. */
void *request_owner(const struct request *request);

#endif
