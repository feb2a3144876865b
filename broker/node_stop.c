/*
 * How a broker stops; see node.h.
 *
 *     node_stop     SHUTDOWN to the controller, until it has moved what somebody else can lead, or for a bounded time; all is served meanwhile
 *       leave       no new connections, no controller; the registration is given up first, so that clients are sent elsewhere
 *       on_left     administration ends; the order of a controller that is at work is the last
 *       on_idle     on every worker: partitions closed (what waits for them ends), connections closed
 *       on_closed   all of them home -> the hub's loop ends; tear-down follows (node.c)
 *
 * A stop that comes while logs are loaded waits for those that are being looked at, not for all: their dirs are not called clean.
 */
#include "broker/node_internal.h"

#include "broker/coord/coordinator.h"
#include "common/clock.h"
#include "common/memory.h"
#include "common/trace.h"
#include "proto/kafka_error.h"

#include <stdlib.h>

/* How often a stop looks for a controller that is not connected at the moment. */
#define CONTROLLER_POLL_MS 100

/* A second word to stop that comes later than this means that handing over takes too long for somebody. */
#define SAME_CALL_MS 1000

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

	coordinator_stop(closing->shard->coordinator);
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

static void leave(struct node *node)
{
	if (node->phase == NODE_HANDING_OVER)
		timer_stop(&node->handover);
	node->phase = NODE_LEAVING;
	timer_stop(&node->welcome);
	store_stop_loading(&node->store);
	for (int i = 0; i < node->n_listeners_open; i++)
		listener_close(&node->listeners[i]);
	node->n_listeners_open = 0;
	channel_close(&node->channel);
	membership_close(&node->membership, on_left, node);
}

/* ---- handing over ---- */

/* In sync with another broker that lives: it could lead this one, or would have to wait until our absence is noticed. */
static bool is_shared(const struct view *view, const struct view_partition *partition, int32_t self)
{
	if (!view_ids_contain(partition->isr, partition->n_isr, self))
		return false;
	for (int i = 0; i < partition->n_isr; i++)
		if (partition->isr[i] != self && view_is_alive(view, partition->isr[i]))
			return true;
	return false;
}

static bool shares_anything(const struct view *view, int32_t self)
{
	for (int32_t i = 0; i < view->n_topics; i++)
		for (int32_t j = 0; j < view->topics[i]->n_partitions; j++)
			if (is_shared(view, &view->topics[i]->partitions[j], self))
				return true;
	return false;
}

static void give_up(struct node *node, const char *why)
{
	trace_warn("node", "leaderships could not be handed over: %s; stopping all the same", why);
	leave(node);
}

/* Asks the controller, again and again; one that is not there is waited for, but no longer than for an answer. */
static void hand_over(struct node *node)
{
	int64_t backoff_ms = node->config->controlled_shutdown_retry_backoff_ms, now_ms = clock_ms();

	if (node->n_handover_tries >= node->config->controlled_shutdown_max_retries) {
		give_up(node, "the controller has not done it");
	} else if (channel_ask_shutdown(&node->channel)) {
		node->n_handover_tries++;
		node->handover_asked_ms = now_ms;
		timer_set(&node->handover, now_ms + backoff_ms);
	} else if (now_ms - node->handover_asked_ms >= backoff_ms) {
		give_up(node, "no controller is connected");
	} else {
		timer_set(&node->handover, now_ms + (backoff_ms < CONTROLLER_POLL_MS ? backoff_ms : CONTROLLER_POLL_MS));
	}
}

static void on_handover_timer(struct timer *timer)
{
	hand_over(CONTAINER_OF(timer, struct node, handover));
}

void node_on_shutdown_answer(void *ctx, int32_t remaining, int16_t error)
{
	struct node *node = ctx;

	if (node->phase != NODE_HANDING_OVER)
		return;
	if (error) {
		trace_warn("node", "the controller does not take over leaderships: %s", kafka_error_name(error));
	} else if (remaining == 0) {
		trace_info("node", "leaderships are handed over");
		leave(node);
	} else if (remaining < node->n_left) {
		/* It gets on: what is left has its own time. */
		node->n_left = remaining;
		node->n_handover_tries = 0;
		timer_set(&node->handover, clock_ms() + node->config->controlled_shutdown_retry_backoff_ms);
	}
}

/* Who signals a group of processes, as systemd does, has us told twice: by the signal and by our parent, which passes it on. */
static bool is_same_call(const struct node *node)
{
	return node->phase == NODE_HANDING_OVER && clock_ms() - node->handover_began_ms < SAME_CALL_MS;
}

void node_stop(struct node *node)
{
	if (node->phase >= NODE_LEAVING || (is_same_call(node) && !node->failed))
		return;
	if (node->phase != NODE_RUNNING || node->failed || !node->config->controlled_shutdown_enable ||
	    !shares_anything(node->channel.view, node->config->broker_id)) {
		leave(node);
		return;
	}
	node->phase = NODE_HANDING_OVER;
	node->n_left = INT32_MAX;
	node->handover_began_ms = node->handover_asked_ms = clock_ms();
	timer_init(&node->handover, &node->hub.loop, on_handover_timer);
	hand_over(node);
}

void node_fail(struct node *node, const struct error *err)
{
	trace_error("node", "the broker stops: %s", err->text);
	node->exit_status = 1;
	node->failed = true;
	node_stop(node);
}
