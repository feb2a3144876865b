/*
 * How a broker stops; see node.h.
 *
 *     node_stop     no new connections, no controller; the registration is given up first, so that clients are sent elsewhere
 *       on_left     administration ends; the order of a controller that is at work is the last
 *       on_idle     on every worker: partitions closed (what waits for them ends), connections closed
 *       on_closed   all of them home -> the hub's loop ends; tear-down follows (node.c)
 *
 * A stop that comes while logs are loaded waits for those that are being looked at, not for all: their dirs are not called clean.
 */
#include "broker/node_internal.h"

#include "common/memory.h"
#include "common/trace.h"

#include <stdlib.h>

static void end_if_done(struct node *node)
{
	if (node->phase == NODE_CLOSING && node->n_closing == 0) {
		node->phase = NODE_STOPPED;
		worker_stop(&node->hub);
	}
}

static void on_closed(struct message *message)
{
	struct node_closing *closing = CONTAINER_OF(message, struct node_closing, message);

	closing->node->n_closing--;
	end_if_done(closing->node);
}

/* On the worker: the last request of the last connection has ended. */
static void on_empty(void *ctx)
{
	struct node_closing *closing = ctx;

	closing->message.run = on_closed;
	worker_post(&closing->node->hub, &closing->message);
}

static void close_worker(struct message *message)
{
	struct node_closing *closing = CONTAINER_OF(message, struct node_closing, message);

	shard_close_all(closing->shard);
	net_close(closing->net, on_empty, closing);
}

static void close_workers(struct node *node)
{
	node->closing = memory_zalloc((size_t)node->n_shards, sizeof *node->closing);
	node->n_closing = node->n_workers_started;
	for (int i = 0; i < node->n_workers_started; i++) {
		struct node_closing *closing = &node->closing[i];

		closing->node = node;
		closing->shard = node->shards[i];
		closing->net = node->nets[i];
		closing->message.run = close_worker;
		worker_post(&node->shards[i]->worker, &closing->message);
	}
}

static void on_idle(void *ctx)
{
	close_workers(ctx);
	end_if_done(ctx);
}

static void on_left(void *ctx)
{
	struct node *node = ctx;

	node->phase = NODE_CLOSING;
	admin_stop(node->admin);
	replicas_close(&node->replicas, on_idle, node);
}

void node_stop(struct node *node)
{
	if (node->phase >= NODE_LEAVING)
		return;
	node->phase = NODE_LEAVING;
	timer_stop(&node->welcome);
	store_stop_loading(&node->store);
	for (int i = 0; i < node->n_listeners_open; i++)
		listener_close(&node->listeners[i]);
	node->n_listeners_open = 0;
	channel_close(&node->channel);
	membership_close(&node->membership, on_left, node);
}

void node_fail(struct node *node, const struct error *err)
{
	trace_error("node", "the broker stops: %s", err->text);
	node->exit_status = 1;
	node->failed = true;
	node_stop(node);
}
