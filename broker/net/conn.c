/* See conn.h. */
#include "broker/net/conn.h"

#include "common/bytes.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/limits.h"
#include "common/memory.h"
#include "common/trace.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* The smallest request: key, version, correlation id. */
#define FRAME_BYTES_MIN 8
/* Receives in one turn of one connection, as long as each fills the room it had. */
#define RECEIVES_PER_TURN 4

static const struct net_limits *limits_of(const struct conn *conn)
{
	return &conn->net->setup->limits;
}

static struct budget *budget_of(const struct conn *conn)
{
	return conn->net->setup->budget;
}

static int64_t now_of(const struct conn *conn)
{
	return conn->net->worker->loop.turn_ms;
}

/* ---- The end ---- */

static void free_if_done(struct conn *conn)
{
	struct net *net = conn->net;

	if (!conn->closed || conn->pins > 0 || conn->n_requests > 0 || conn->waiting)
		return;
	if (conn->client)
		client_release(conn->client);
	free(conn);
	if (--net->n_alive == 0 && net->on_empty)
		net->on_empty(net->ctx);
}

static void pin(struct conn *conn)
{
	conn->pins++;
}

static void unpin(struct conn *conn)
{
	conn->pins--;
	free_if_done(conn);
}

static void settle_budget(struct conn *conn, size_t held)
{
	if (held > conn->charged)
		budget_force(budget_of(conn), held - conn->charged);
	else if (held < conn->charged)
		budget_give(budget_of(conn), conn->charged - held);
	conn->charged = held;
}

static void leave_budget(struct conn *conn)
{
	settle_budget(conn, 0);
	if (conn->rescued)
		budget_rescue_over(budget_of(conn));
	conn->rescued = false;
	/* When the grant is on its way the struct waits for it. */
	if (conn->waiting && budget_cancel(budget_of(conn), &conn->wait))
		conn->waiting = false;
}

static void tell_requests(struct conn *conn)
{
	struct request *request = conn->first;

	/* From the start again after each call: it may end any of them. */
	while (request) {
		if (request->phase != REQUEST_UNDER_WAY) {
			request = request->next;
			continue;
		}
		request->phase = REQUEST_TOLD_GONE;
		if (request->on_gone)
			request->on_gone(request);
		request = conn->first;
	}
}

/* All but the socket and the client, which may live on with another owner. */
static void conn_end(struct conn *conn)
{
	struct net *net = conn->net;

	conn->closed = true;
	loop_fd_watch(&conn->fd, 0);
	timer_stop(&conn->timer);
	loop_undefer(&net->worker->loop, &conn->turn);
	receiver_fini(&conn->receiver);
	leave_budget(conn);
	if (conn->prev)
		conn->prev->next = conn->next;
	else
		net->conns = conn->next;
	if (conn->next)
		conn->next->prev = conn->prev;
	net->counters.n_connections--;
}

void conn_close(struct conn *conn, const char *reason)
{
	if (conn->closed)
		return;
	pin(conn);
	trace_debug("net", "%s: connection on listener %s closed: %s", conn->client->address_text, conn->client->listener->name,
		    reason);
	conn_end(conn);
	transport_close(&conn->transport);
	send_list_drop(&conn->out);
	tell_requests(conn);
	if (conn->on_detached)
		conn->on_detached(conn->detach_ctx, NULL);
	unpin(conn);
}

void conn_refuse(struct conn *conn, const char *format, ...)
{
	char text[256];
	va_list args;

	if (conn->closed)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	conn->net->counters.n_bad_frames++;
	trace_limited(TRACE_WARN, "net", "%s: connection on listener %s closed: %s", conn->client->address_text,
		      conn->client->listener->name, text);
	conn_close(conn, text);
}

static void give_away(struct conn *conn)
{
	struct received rest = receiver_give_away(&conn->receiver);
	struct detached detached = {
		.fd = conn->transport.fd, .client = conn->client, .unread = rest.buf, .unread_bytes = rest.bytes};

	pin(conn);
	conn_end(conn);
	conn->client = NULL;
	conn->on_detached(conn->detach_ctx, &detached);
	unpin(conn);
}

/* ---- Deadlines: one timer for all of them, set lazily ---- */

struct deadline {
	int64_t at_ms;
	const char *reason; /* NULL: only to look again */
	int64_t *counter;
};

static void consider(struct deadline *nearest, int64_t at_ms, const char *reason, int64_t *counter)
{
	if (at_ms < nearest->at_ms)
		*nearest = (struct deadline){at_ms, reason, counter};
}

static void consider_frame(const struct conn *conn, int64_t now, struct deadline *nearest)
{
	const struct net_limits *limits = limits_of(conn);
	int64_t *slow = &conn->net->counters.n_slow_closed;

	if (conn->window_ms == 0 || conn->waiting)
		return;
	consider(nearest, conn->window_ms + limits->request_ms_max, "a request came in too slowly", slow);
	if (conn->charged == 0)
		return;
	if (budget_is_short(budget_of(conn)))
		consider(nearest, conn->active_ms + limits->starved_ms_max,
			 "a request stopped half-way while others wait for memory", slow);
	else
		consider(nearest, now + limits->starved_ms_max, NULL, NULL);
}

static void consider_output(const struct conn *conn, struct deadline *nearest)
{
	const struct net_limits *limits = limits_of(conn);

	if (send_list_is_empty(&conn->out))
		return;
	if (conn->out.bytes > limits->output_bytes_max)
		consider(nearest, conn->progress_ms + limits->output_stall_ms_max, "the client does not read its answers",
			 &conn->net->counters.n_slow_closed);
	else
		consider(nearest, conn->progress_ms + limits->idle_ms, "the client does not read its answers",
			 &conn->net->counters.n_slow_closed);
}

static struct deadline nearest_deadline(const struct conn *conn, int64_t now)
{
	struct deadline nearest = {.at_ms = INT64_MAX};

	consider_frame(conn, now, &nearest);
	consider_output(conn, &nearest);
	if (conn->mute_until_ms)
		consider(&nearest, conn->mute_until_ms, NULL, NULL);
	/* Requests under way are their handlers' business: while there are any, nothing is idle. */
	if (conn->n_requests > 0 || conn->waiting || conn->mute_until_ms)
		consider(&nearest, now + limits_of(conn)->idle_ms, NULL, NULL);
	else
		consider(&nearest, conn->active_ms + limits_of(conn)->idle_ms, "idle", &conn->net->counters.n_idle_closed);
	return nearest;
}

/* A frame that came fast enough gets another window. */
static void renew_window(struct conn *conn, int64_t now)
{
	const struct net_limits *limits = limits_of(conn);
	int64_t passed = now - conn->window_ms;

	if (conn->window_ms == 0 || passed < limits->request_ms_max || conn->waiting)
		return;
	if (conn->window_bytes < limits->request_bytes_per_s_min * passed / 1000)
		return;
	conn->window_ms = now;
	conn->window_bytes = 0;
}

static void on_timer(struct timer *timer)
{
	struct conn *conn = CONTAINER_OF(timer, struct conn, timer);
	int64_t now = clock_ms();
	struct deadline nearest;

	if (conn->mute_until_ms && now >= conn->mute_until_ms) {
		conn->mute_until_ms = 0;
		loop_defer(&conn->net->worker->loop, &conn->turn);
	}
	renew_window(conn, now);
	nearest = nearest_deadline(conn, now);
	if (now < nearest.at_ms || !nearest.reason) {
		timer_set(timer, nearest.at_ms > now ? nearest.at_ms : now + 1);
		return;
	}
	++*nearest.counter;
	conn_close(conn, nearest.reason);
}

/* ---- Reading ---- */

static bool may_take(const struct conn *conn)
{
	return !conn->serial && !conn->on_detached && !conn->mute_until_ms && conn->n_requests < LIMIT_CONN_REQUESTS &&
	       conn->out.bytes <= limits_of(conn)->output_bytes_max;
}

static void update_watch(struct conn *conn)
{
	/* While a serial request is under way the socket is read on, so that its end is noticed; the first byte then holds. */
	bool read = !conn->eof && !conn->held && !conn->waiting && (may_take(conn) || (conn->serial && !conn->mute_until_ms));

	loop_fd_watch(&conn->fd, (read ? LOOP_READ : 0u) | (conn->blocked ? LOOP_WRITE : 0u));
}

/* What speaks another protocol gets a line that helps. */
static void refuse_size(struct conn *conn, struct slice bytes, int32_t size)
{
	if (memcmp(bytes.data, "GET ", 4) == 0 || memcmp(bytes.data, "POST", 4) == 0 || memcmp(bytes.data, "HEAD", 4) == 0 ||
	    memcmp(bytes.data, "PUT ", 4) == 0)
		conn_refuse(conn, "an HTTP request came to a Kafka listener");
	else if (bytes.data[0] == 0x16 && bytes.data[1] == 0x03)
		conn_refuse(conn, "a TLS handshake came to a %s listener: the client's security.protocol does not fit",
			    security_protocol_name(conn->client->listener->protocol));
	else
		conn_refuse(conn, "invalid frame size %d (from %d to %d are allowed)", size, FRAME_BYTES_MIN,
			    limits_of(conn)->frame_bytes_max);
}

/* The length of the frame at the head of bytes with its size field; 0 = not known yet; -1 = refused, the connection is closed.
 */
static int64_t frame_length(struct conn *conn, struct slice bytes)
{
	int32_t size,
		max = conn->authenticated ? limits_of(conn)->frame_bytes_max : limits_of(conn)->frame_bytes_max_unauthenticated;

	if (bytes.len < FRAME_SIZE_BYTES)
		return 0;
	size = bytes_get_i32(bytes.data);
	if (size < FRAME_BYTES_MIN || size > max) {
		refuse_size(conn, bytes, size);
		return -1;
	}
	return (int64_t)FRAME_SIZE_BYTES + size;
}

static void take_frame(struct conn *conn, size_t len)
{
	struct received received = receiver_take(&conn->receiver, len, FRAME_SIZE_BYTES);

	conn->window_ms = 0;
	request_begin(conn, &received);
}

/* A frame under way is timed, but not one that is only held back. */
static void watch_speed(struct conn *conn)
{
	if (conn->held || receiver_begun(&conn->receiver) == 0) {
		conn->window_ms = 0;
	} else if (conn->window_ms == 0) {
		conn->window_ms = now_of(conn);
		conn->window_bytes = 0;
		timer_set_earlier(&conn->timer, conn->window_ms + limits_of(conn)->starved_ms_max);
	}
}

/* All whole frames that may be taken become requests; what is left is kept. */
static void parse(struct conn *conn)
{
	int64_t len = 0;

	while (!conn->closed) {
		struct slice bytes = receiver_bytes(&conn->receiver);

		len = 0;
		conn->held = bytes.len > 0 && !may_take(conn);
		if (conn->held)
			break;
		len = frame_length(conn, bytes);
		if (len <= 0 || bytes.len < (size_t)len)
			break;
		conn->held = conn->first && !request_may_pass(conn->net, slice_of(bytes.data + FRAME_SIZE_BYTES, bytes.len));
		if (conn->held)
			break;
		take_frame(conn, (size_t)len);
	}
	if (conn->closed)
		return;
	receiver_settle(&conn->receiver, (size_t)len);
	settle_budget(conn, receiver_held(&conn->receiver));
	watch_speed(conn);
}

static void wait_for_budget(struct conn *conn, size_t bytes, bool wants_rescue)
{
	conn->waiting = true;
	conn->net->counters.n_budget_waits++;
	update_watch(conn);
	budget_queue(budget_of(conn), &conn->wait, bytes, wants_rescue);
}

/* Room for the next receive; false: the connection waits for it. */
static bool get_room(struct conn *conn)
{
	size_t growth = receiver_growth(&conn->receiver);

	if (growth == 0) {
		if (conn->rescued || conn->charged > 0 || !budget_is_full(budget_of(conn), BUDGET_CLIENT))
			return true;
		wait_for_budget(conn, 1, false);
		return false;
	}
	if (conn->rescued) {
		budget_force(budget_of(conn), growth);
	} else if (!budget_try(budget_of(conn), growth, BUDGET_CLIENT)) {
		wait_for_budget(conn, growth, true);
		return false;
	}
	conn->charged += growth;
	return true;
}

/* One receive and what follows from it. True: there may be more at once. */
static bool receive(struct conn *conn)
{
	bool full;
	int64_t n = receiver_fill(&conn->receiver, &conn->transport, &full);

	if (n == ERR_BUSY)
		return false;
	if (n < 0) {
		conn_close(conn, "the other end is gone");
		return false;
	}
	if (n == 0) {
		conn->eof = true;
		loop_defer(&conn->net->worker->loop, &conn->turn);
		return false;
	}
	conn->active_ms = now_of(conn);
	conn->window_bytes += n;
	conn->net->counters.bytes_in += n;
	parse(conn);
	return full && !conn->closed && !conn->held && may_take(conn);
}

static void read_turn(struct conn *conn, bool has_room)
{
	pin(conn);
	for (int i = 0; i < RECEIVES_PER_TURN; i++) {
		if (!has_room && !get_room(conn))
			break;
		has_room = false;
		if (!receive(conn))
			break;
	}
	if (!conn->closed)
		update_watch(conn);
	unpin(conn);
}

static void on_granted(struct budget_wait *wait, bool rescued)
{
	struct conn *conn = CONTAINER_OF(wait, struct conn, wait);
	bool grows = receiver_growth(&conn->receiver) > 0;

	conn->waiting = false;
	conn->rescued = rescued;
	if (conn->closed || !grows)
		budget_give(budget_of(conn), wait->bytes);
	else
		conn->charged += wait->bytes;
	if (conn->closed) {
		leave_budget(conn);
		free_if_done(conn);
		return;
	}
	/* The time spent waiting is not the sender's. */
	if (conn->window_ms) {
		conn->window_ms = now_of(conn);
		conn->window_bytes = 0;
	}
	conn->active_ms = now_of(conn);
	read_turn(conn, true);
}

/* ---- Answers ---- */

void conn_enqueue(struct conn *conn, struct request *request)
{
	request->next = NULL;
	*conn->tail = request;
	conn->tail = &request->next;
	conn->n_requests++;
	conn->serial = !(request->api->flags & NET_API_PIPELINED);
}

static void queue_answer(struct conn *conn, struct request *request)
{
	struct send_item *item = request->items;

	request->phase = REQUEST_SENDING;
	if (request->mute_until_ms > conn->mute_until_ms && !conn->closed) {
		conn->mute_until_ms = request->mute_until_ms;
		timer_set_earlier(&conn->timer, conn->mute_until_ms);
	}
	if (send_list_is_empty(&conn->out))
		conn->progress_ms = now_of(conn);
	while (item) {
		struct send_item *next = item->next;

		send_list_append(&conn->out, item);
		item = next;
	}
	send_list_append(&conn->out, &request->end);
}

void conn_on_ended(struct conn *conn)
{
	pin(conn);
	while (conn->first && conn->first->phase == REQUEST_ENDED) {
		struct request *request = conn->first;

		conn->first = request->next;
		if (!conn->first) {
			conn->tail = &conn->first;
			conn->serial = false;
		}
		queue_answer(conn, request);
	}
	if (conn->closed)
		send_list_drop(&conn->out);
	else
		loop_defer(&conn->net->worker->loop, &conn->turn);
	unpin(conn);
}

void conn_close_on_ended(struct conn *conn, const char *reason)
{
	pin(conn);
	conn_close(conn, reason);
	conn_on_ended(conn);
	unpin(conn);
}

void conn_on_request_gone(struct conn *conn)
{
	conn->n_requests--;
	free_if_done(conn);
}

void conn_detach(struct conn *conn, void (*on_detached)(void *ctx, const struct detached *detached), void *ctx)
{
	if (conn->closed) {
		on_detached(ctx, NULL);
		return;
	}
	conn->on_detached = on_detached;
	conn->detach_ctx = ctx;
}

/* False when the connection did not survive it. */
static bool flush(struct conn *conn)
{
	size_t sent;
	int rc;

	if (send_list_is_empty(&conn->out))
		return true;
	rc = send_list_flush(&conn->out, &conn->transport, &sent);
	conn->net->counters.bytes_out += (int64_t)sent;
	if (sent > 0)
		conn->progress_ms = now_of(conn);
	conn->blocked = rc == ERR_BUSY;
	if (rc == 0 || rc == ERR_BUSY) {
		if (conn->out.bytes > limits_of(conn)->output_bytes_max)
			timer_set_earlier(&conn->timer, conn->progress_ms + limits_of(conn)->output_stall_ms_max);
		return true;
	}
	conn_close(conn, rc == ERR_TRUNCATED ? "a file ended within an answer" : "the other end is gone");
	return false;
}

/* The end of a turn of the loop in which something happened to the connection. */
static void turn(struct conn *conn)
{
	bool done;

	if (!flush(conn))
		return;
	done = conn->n_requests == 0 && send_list_is_empty(&conn->out);
	if (done && conn->on_detached) {
		give_away(conn);
		return;
	}
	if (conn->held)
		parse(conn);
	if (conn->closed)
		return;
	if (conn->eof && conn->n_requests == 0 && !conn->held) {
		conn_close(conn, "closed by the client");
		return;
	}
	update_watch(conn);
}

static void on_turn(struct deferred *deferred)
{
	struct conn *conn = CONTAINER_OF(deferred, struct conn, turn);

	pin(conn);
	turn(conn);
	unpin(conn);
}

static void on_ready(struct loop_fd *fd, unsigned what)
{
	struct conn *conn = CONTAINER_OF(fd, struct conn, fd);

	if (what & LOOP_WRITE)
		loop_defer(&conn->net->worker->loop, &conn->turn);
	if (what & LOOP_READ)
		read_turn(conn, false);
}

/* ---- The beginning ---- */

void conn_open(struct net *net, struct client *client)
{
	struct conn *conn = NEW(struct conn);
	struct loop *loop = &net->worker->loop;

	conn->net = net;
	conn->client = client;
	conn->transport = transport_plain(client->fd);
	conn->authenticated = client->listener->protocol == SECURITY_PLAINTEXT || client->listener->protocol == SECURITY_SSL;
	conn->turn.run = on_turn;
	conn->tail = &conn->first;
	conn->active_ms = clock_ms();
	receiver_init(&conn->receiver, &net->pool);
	budget_wait_init(&conn->wait, net->worker, BUDGET_CLIENT, on_granted);
	send_list_init(&conn->out);
	loop_fd_init(&conn->fd, loop, client->fd, on_ready);
	timer_init(&conn->timer, loop, on_timer);
	timer_set(&conn->timer, conn->active_ms + net->setup->limits.idle_ms);
	conn->next = net->conns;
	if (net->conns)
		net->conns->prev = conn;
	net->conns = conn;
	net->n_alive++;
	net->counters.n_connections++;
	net->counters.n_opened++;
	loop_fd_watch(&conn->fd, LOOP_READ);
}
