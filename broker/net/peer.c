/*
 * See peer.h. Sending is a list of frames that the end of the turn flushes; receiving is the receiver that connections use too:
 *
 *     CONNECTING --connected--> HELLO --answer accepted--> OPEN --> CLOSED
 */
#include "broker/net/peer.h"

#include "broker/net/address.h"
#include "common/bytes.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/limits.h"
#include "common/memory.h"
#include "common/trace.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define HELLO_CORRELATION_ID 1
#define TEXT_BYTES 192

enum peer_phase { PEER_CONNECTING, PEER_HELLO, PEER_OPEN, PEER_CLOSED };

struct peer {
	struct peer_setup setup;
	enum peer_phase phase;
	struct client *client; /* of an adopted connection */
	struct transport transport;
	struct loop_fd fd;
	struct timer timer;
	struct deferred turn;
	struct receive_pool own_pool;
	struct receiver receiver;
	struct budget_wait wait;
	struct send_list out;
	struct buf *hello; /* the request, until connected */
	size_t charged;
	bool waiting, rescued, blocked, paused, full;
	bool freed;
	int pins;
	int64_t begun_ms; /* of dialling, then of Hello */
	int64_t heard_ms, spoke_ms;
	int64_t moved_ms; /* when the other end last took something of what waits to be sent, or reading was paused */
	int64_t empty_ms; /* nothing was left in the socket then: what is read next came later */
	int64_t fresh_ms; /* what was read last came later than this */
	int64_t window_ms; /* the frame in part is timed since then; 0: there is none */
	int64_t window_bytes; /* so much came since */
	int failed; /* a failure to be told at the end of the turn */
	char text[TEXT_BYTES];
	char address[CLIENT_ADDRESS_BYTES];
};

const struct peer_limits peer_limits_default = {
	.payload_bytes_max = 64 << 20,
	.send_bytes_max = 4 << 20,
	.connect_ms = 10000,
	.ping_ms = 3000,
	.idle_ms = 10000,
	.frame_ms_max = 30000,
	.starved_ms_max = 5000,
};

static int64_t now_of(const struct peer *peer)
{
	return peer->setup.worker->loop.busy ? peer->setup.worker->loop.turn_ms : clock_ms();
}

/* ---- The end ---- */

static void free_if_done(struct peer *peer)
{
	if (!peer->freed || peer->pins > 0 || peer->waiting)
		return;
	receive_pool_fini(&peer->own_pool);
	free(peer);
}

static void pin(struct peer *peer)
{
	peer->pins++;
}

static void unpin(struct peer *peer)
{
	/* Not earlier: a callback that closes may go on reading its frame. */
	if (--peer->pins == 0 && peer->phase == PEER_CLOSED)
		receiver_fini(&peer->receiver);
	free_if_done(peer);
}

static void settle_budget(struct peer *peer, size_t held)
{
	struct budget *budget = peer->setup.budget;

	if (budget && held > peer->charged)
		budget_force(budget, held - peer->charged);
	else if (budget && held < peer->charged)
		budget_give(budget, peer->charged - held);
	peer->charged = held;
}

static void end_rescue(struct peer *peer)
{
	if (peer->rescued)
		budget_rescue_over(peer->setup.budget);
	peer->rescued = false;
}

void peer_close(struct peer *peer)
{
	if (peer->phase == PEER_CLOSED)
		return;
	pin(peer);
	peer->phase = PEER_CLOSED;
	loop_fd_watch(&peer->fd, 0);
	timer_stop(&peer->timer);
	loop_undefer(&peer->setup.worker->loop, &peer->turn);
	if (peer->transport.fd >= 0)
		transport_close(&peer->transport);
	settle_budget(peer, 0);
	end_rescue(peer);
	if (peer->waiting && budget_cancel(peer->setup.budget, &peer->wait))
		peer->waiting = false;
	send_list_drop(&peer->out);
	buf_release(peer->hello);
	peer->hello = NULL;
	if (peer->client)
		client_release(peer->client);
	peer->client = NULL;
	unpin(peer);
}

void peer_free(struct peer *peer)
{
	pin(peer);
	peer_close(peer);
	peer->freed = true;
	unpin(peer);
}

/* Ends it and tells the owner. */
static void fail(struct peer *peer, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

static void fail(struct peer *peer, int code, const char *format, ...)
{
	va_list args;

	if (peer->phase == PEER_CLOSED)
		return;
	va_start(args, format);
	vsnprintf(peer->text, sizeof peer->text, format, args);
	va_end(args);
	pin(peer);
	peer_close(peer);
	peer->setup.port.on_closed(peer->setup.port.ctx, peer, code, peer->text);
	unpin(peer);
}

/* The same, but told at the end of the turn: the owner is in the middle of a call. */
static void fail_later(struct peer *peer, int code, const char *what)
{
	peer->failed = code;
	snprintf(peer->text, sizeof peer->text, "%s: %s", what, strerror(errno));
	loop_defer(&peer->setup.worker->loop, &peer->turn);
}

/* ---- Sending ---- */

struct out_bytes {
	struct send_item item;
	struct buf *buf; /* NULL: the bytes follow */
	uint8_t bytes[];
};

static void on_bytes_sent(struct send_item *item)
{
	struct out_bytes *out = CONTAINER_OF(item, struct out_bytes, item);

	buf_release(out->buf);
	free(out);
}

struct out_file {
	struct send_item item;
	struct send_file file;
};

static void on_file_sent(struct send_item *item)
{
	struct out_file *out = CONTAINER_OF(item, struct out_file, item);

	if (out->file.release)
		out->file.release(&out->file);
	free(out);
}

static void put_files(struct peer *peer, const struct send_files *files)
{
	for (int i = 0; files && i < files->n_files; i++) {
		struct out_file *out = NEW(struct out_file);
		const struct send_file *file = &files->files[i];

		out->file = *file;
		out->item = (struct send_item){.fd = file->fd, .pos = file->pos, .len = file->len, .sent = on_file_sent};
		send_list_append(&peer->out, &out->item);
	}
}

/* len bytes at the end of the list, to be set by the caller. */
static uint8_t *put_bytes(struct peer *peer, size_t len)
{
	struct out_bytes *out = memory_alloc(sizeof *out + len);

	out->buf = NULL;
	out->item = (struct send_item){.data = out->bytes, .len = len, .sent = on_bytes_sent};
	send_list_append(&peer->out, &out->item);
	return out->bytes;
}

/* Head and header, with room for `copied` bytes of payload behind them, which are returned. */
static uint8_t *put_head(struct peer *peer, uint8_t type, struct slice header, size_t payload_len, size_t copied)
{
	uint8_t *at;

	CHECK(header.len <= LIMIT_PEER_HEADER_BYTES && payload_len <= UINT32_MAX);
	at = put_bytes(peer, PEER_FRAME_HEAD_BYTES + header.len + copied);
	bytes_put_u32(at, (uint32_t)payload_len);
	bytes_put_u16(at + 4, (uint16_t)header.len);
	at[6] = peer->setup.version;
	at[7] = type;
	if (header.len > 0)
		memcpy(at + PEER_FRAME_HEAD_BYTES, header.data, header.len);
	return at + PEER_FRAME_HEAD_BYTES + header.len;
}

static size_t unsent(const struct peer *peer)
{
	return peer->out.bytes + peer->out.file_bytes;
}

static int queued(struct peer *peer)
{
	peer->spoke_ms = now_of(peer);
	loop_defer(&peer->setup.worker->loop, &peer->turn);
	if (unsent(peer) > peer->setup.limits.send_bytes_max)
		peer->full = true;
	return peer->full ? ERR_BUSY : 0;
}

int peer_send(struct peer *peer, uint8_t type, struct slice header, struct slice payload, const struct send_files *files)
{
	size_t total = payload.len;
	uint8_t *at;

	for (int i = 0; files && i < files->n_files; i++)
		total += files->files[i].len;
	if (peer->phase != PEER_OPEN || peer->failed) {
		for (int i = 0; files && i < files->n_files; i++)
			if (files->files[i].release)
				files->files[i].release(&files->files[i]);
		return ERR_CLOSED;
	}
	at = put_head(peer, type, header, total, payload.len);
	if (payload.len > 0)
		memcpy(at, payload.data, payload.len);
	put_files(peer, files);
	return queued(peer);
}

int peer_send_buf(struct peer *peer, uint8_t type, struct slice header, struct buf *buf, struct slice payload)
{
	struct out_bytes *out;

	if (peer->phase != PEER_OPEN || peer->failed)
		return ERR_CLOSED;
	put_head(peer, type, header, payload.len, 0);
	out = memory_alloc(sizeof *out);
	out->buf = buf_retain(buf);
	out->item = (struct send_item){.data = payload.data, .len = payload.len, .sent = on_bytes_sent};
	send_list_append(&peer->out, &out->item);
	return queued(peer);
}

static void flush(struct peer *peer)
{
	size_t sent;
	int rc;

	if (peer->phase == PEER_CONNECTING || send_list_is_empty(&peer->out))
		return;
	rc = send_list_flush(&peer->out, &peer->transport, &sent);
	if (sent > 0)
		peer->moved_ms = now_of(peer);
	peer->blocked = rc == ERR_BUSY;
	if (rc < 0 && rc != ERR_BUSY) {
		fail(peer, rc, rc == ERR_TRUNCATED ? "a file ended within a frame" : "the other end is gone");
		return;
	}
	if (peer->full && unsent(peer) <= peer->setup.limits.send_bytes_max / 2) {
		peer->full = false;
		if (peer->setup.port.on_drained)
			peer->setup.port.on_drained(peer->setup.port.ctx, peer);
	}
}

/* ---- Receiving ---- */

static void begin_window(struct peer *peer)
{
	peer->window_ms = now_of(peer);
	peer->window_bytes = 0;
}

static void update_watch(struct peer *peer)
{
	bool read = peer->phase != PEER_CONNECTING && !peer->paused && !peer->waiting;
	bool write = peer->phase == PEER_CONNECTING || peer->blocked;

	if (peer->phase != PEER_CLOSED)
		loop_fd_watch(&peer->fd, (read ? LOOP_READ : 0u) | (write ? LOOP_WRITE : 0u));
}

/* Length of the frame at the head of bytes; 0: not known yet; -1: refused. */
static int64_t hello_length(struct peer *peer, struct slice bytes)
{
	int32_t size;

	if (bytes.len < FRAME_SIZE_BYTES)
		return 0;
	size = bytes_get_i32(bytes.data);
	if (size >= 4 && size <= LIMIT_PEER_HELLO_BYTES)
		return (int64_t)FRAME_SIZE_BYTES + size;
	fail(peer, ERR_CORRUPT, "an answer to Hello of %d bytes", size);
	return -1;
}

static int64_t frame_length(struct peer *peer, struct slice bytes)
{
	uint32_t payload;
	uint16_t header;

	if (bytes.len < PEER_FRAME_HEAD_BYTES)
		return 0;
	payload = bytes_get_u32(bytes.data);
	header = bytes_get_u16(bytes.data + 4);
	if (payload <= peer->setup.limits.payload_bytes_max && header <= LIMIT_PEER_HEADER_BYTES)
		return (int64_t)PEER_FRAME_HEAD_BYTES + header + payload;
	fail(peer, ERR_TOO_LARGE, "a frame of type %u with a header of %u and a payload of %u bytes (at most %d and %u)",
	     bytes.data[7], header, payload, LIMIT_PEER_HEADER_BYTES, peer->setup.limits.payload_bytes_max);
	return -1;
}

static void take_hello(struct peer *peer, size_t len)
{
	struct received received = receiver_take(&peer->receiver, len, FRAME_SIZE_BYTES);
	struct slice answer = slice_of(received.bytes.data + 4, received.bytes.len - 4);
	bool accepted = false;

	if (bytes_get_i32(received.bytes.data) == HELLO_CORRELATION_ID) {
		/* Open before the owner is told, so that it can send from on_hello. */
		peer->phase = PEER_OPEN;
		timer_set_earlier(&peer->timer, now_of(peer) + peer->setup.limits.ping_ms);
		accepted = peer->setup.port.on_hello(peer->setup.port.ctx, peer, answer);
	}
	buf_release(received.buf);
	if (!accepted)
		fail(peer, ERR_AUTH, "the answer to Hello was not accepted");
}

static void take_frame(struct peer *peer, size_t len)
{
	struct received received = receiver_take(&peer->receiver, len, 0);
	const uint8_t *head = received.bytes.data;
	size_t header_len = bytes_get_u16(head + 4);
	struct peer_frame frame = {
		.version = head[6],
		.type = head[7],
		.header = slice_of(head + PEER_FRAME_HEAD_BYTES, header_len),
		.payload = slice_of(head + PEER_FRAME_HEAD_BYTES + header_len, len - PEER_FRAME_HEAD_BYTES - header_len),
		.buf = received.buf,
	};
	int rc;

	peer->window_ms = 0;
	end_rescue(peer);
	if (frame.type == peer->setup.limits.ping_type && len == PEER_FRAME_HEAD_BYTES)
		return;
	rc = peer->setup.port.on_frame(peer->setup.port.ctx, peer, &frame);
	buf_release(received.buf);
	if (rc < 0)
		fail(peer, rc, "a frame of type %u was not understood: %s", frame.type, error_text(rc));
}

/* A frame in part is timed, but not what is only held back. */
static void watch_speed(struct peer *peer)
{
	if (peer->paused || receiver_begun(&peer->receiver) == 0)
		peer->window_ms = 0;
	else if (peer->window_ms == 0)
		begin_window(peer);
}

static void parse(struct peer *peer)
{
	int64_t len = 0;

	while (peer->phase != PEER_CLOSED && !peer->paused) {
		struct slice bytes = receiver_bytes(&peer->receiver);

		len = peer->phase == PEER_HELLO ? hello_length(peer, bytes) : frame_length(peer, bytes);
		if (len <= 0 || bytes.len < (size_t)len)
			break;
		if (peer->phase == PEER_HELLO)
			take_hello(peer, (size_t)len);
		else
			take_frame(peer, (size_t)len);
		len = 0;
	}
	if (peer->phase == PEER_CLOSED)
		return;
	receiver_settle(&peer->receiver, (size_t)len);
	settle_budget(peer, receiver_held(&peer->receiver));
	watch_speed(peer);
}

static bool get_room(struct peer *peer)
{
	size_t growth = receiver_growth(&peer->receiver);

	if (growth == 0 || !peer->setup.budget)
		return true;
	if (peer->rescued) {
		budget_force(peer->setup.budget, growth);
	} else if (!budget_try(peer->setup.budget, growth, BUDGET_CLUSTER)) {
		peer->waiting = true;
		update_watch(peer);
		budget_queue(peer->setup.budget, &peer->wait, growth, true);
		return false;
	}
	peer->charged += growth;
	return true;
}

/*
 * A process that was stopped, or a machine that slept, finds bytes of any age: all that is known is that they came after the socket was last
 * seen empty.
 */
static void note_heard(struct peer *peer, bool is_empty)
{
	int64_t now = now_of(peer);

	peer->heard_ms = now;
	peer->fresh_ms = peer->empty_ms;
	if (is_empty)
		peer->empty_ms = now;
}

static void receive(struct peer *peer)
{
	bool full;
	int64_t n = receiver_fill(&peer->receiver, &peer->transport, &full);

	if (n == ERR_BUSY)
		return;
	if (n <= 0) {
		fail(peer, ERR_CLOSED, n == 0 ? "closed by the other end" : "the other end is gone");
		return;
	}
	note_heard(peer, !full);
	peer->window_bytes += n;
	parse(peer);
}

static void read_turn(struct peer *peer, bool has_room)
{
	pin(peer);
	if (has_room || get_room(peer))
		receive(peer);
	update_watch(peer);
	unpin(peer);
}

static void on_granted(struct budget_wait *wait, bool rescued)
{
	struct peer *peer = CONTAINER_OF(wait, struct peer, wait);

	peer->waiting = false;
	peer->rescued = rescued;
	if (peer->phase == PEER_CLOSED) {
		budget_give(peer->setup.budget, wait->bytes);
		end_rescue(peer);
		free_if_done(peer);
		return;
	}
	peer->charged += wait->bytes;
	/* The time of waiting is not the other end's. */
	peer->heard_ms = now_of(peer);
	if (peer->window_ms)
		begin_window(peer);
	read_turn(peer, true);
}

void peer_pause(struct peer *peer)
{
	if (!peer->paused)
		peer->moved_ms = now_of(peer);
	peer->paused = true;
	update_watch(peer);
}

void peer_resume(struct peer *peer)
{
	if (!peer->paused || peer->phase == PEER_CLOSED)
		return;
	peer->paused = false;
	/* What it said meanwhile lies in the socket. */
	peer->heard_ms = now_of(peer);
	/* Frames that are here already come at the end of the turn, not from inside. */
	loop_defer(&peer->setup.worker->loop, &peer->turn);
}

/* ---- Time ---- */

/* Whoever is not heard is told by what it takes: one who is gone for good, while what it was sent holds up its reading here. */
static bool is_silent(const struct peer *peer, int64_t now)
{
	int64_t idle_ms = peer->setup.limits.idle_ms;

	if (idle_ms == 0 || peer->waiting)
		return false;
	if (peer->paused)
		return !send_list_is_empty(&peer->out) && now >= peer->moved_ms + idle_ms;
	return now >= peer->heard_ms + idle_ms;
}

/* Why a frame in part is not waited for any longer; NULL: it gets on. */
static const char *too_slow(struct peer *peer, int64_t now)
{
	const struct peer_limits *limits = &peer->setup.limits;
	struct budget *budget = peer->setup.budget;
	int64_t passed = now - peer->window_ms;

	if (peer->window_ms == 0 || peer->waiting)
		return NULL;
	if (peer->charged > 0 && budget && budget_is_short(budget) && now >= peer->heard_ms + limits->starved_ms_max)
		return "a frame stopped half-way while others wait for memory";
	if (passed < limits->frame_ms_max)
		return NULL;
	if (peer->window_bytes < passed)
		return "a frame came in too slowly";
	begin_window(peer);
	return NULL;
}

static void on_open_timer(struct peer *peer, int64_t now)
{
	const struct peer_limits *limits = &peer->setup.limits;
	int64_t due = INT64_MAX;
	const char *slow = too_slow(peer, now);

	if (slow) {
		fail(peer, ERR_TIMEOUT, "%s", slow);
		return;
	}
	if (is_silent(peer, now)) {
		fail(peer, ERR_TIMEOUT, "nothing %s for %lld ms", peer->paused ? "taken" : "heard", (long long)limits->idle_ms);
		return;
	}
	if (limits->ping_ms > 0 && now >= peer->spoke_ms + limits->ping_ms) {
		/* What still waits to be sent says as much as a ping. */
		if (send_list_is_empty(&peer->out))
			peer_send(peer, limits->ping_type, SLICE_NULL, SLICE_NULL, NULL);
		peer->spoke_ms = now;
	}
	if (limits->ping_ms > 0)
		due = peer->spoke_ms + limits->ping_ms;
	if (limits->idle_ms > 0 && peer->heard_ms + limits->idle_ms < due)
		due = peer->heard_ms + limits->idle_ms;
	if (due != INT64_MAX)
		timer_set(&peer->timer, due > now ? due : now + limits->idle_ms / 2 + 1);
}

static void on_timer(struct timer *timer)
{
	struct peer *peer = CONTAINER_OF(timer, struct peer, timer);
	int64_t now = clock_ms();

	if (peer->phase == PEER_OPEN)
		on_open_timer(peer, now);
	else if (now >= peer->begun_ms + peer->setup.limits.connect_ms)
		fail(peer, ERR_TIMEOUT, peer->phase == PEER_HELLO ? "no answer to Hello" : "connect timed out");
	else
		timer_set(timer, peer->begun_ms + peer->setup.limits.connect_ms);
}

/* ---- Beginning ---- */

static void on_connected(struct peer *peer)
{
	struct out_bytes *out;
	int code = 0, on = 1;
	socklen_t len = sizeof code;

	if (getsockopt(peer->transport.fd, SOL_SOCKET, SO_ERROR, &code, &len) < 0 || code != 0) {
		fail(peer, ERR_CLOSED, "connect: %s", strerror(code ? code : errno));
		return;
	}
	(void)setsockopt(peer->transport.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	(void)setsockopt(peer->transport.fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
	peer->phase = PEER_HELLO;
	peer->begun_ms = peer->heard_ms = peer->empty_ms = peer->fresh_ms = peer->spoke_ms = now_of(peer);
	out = memory_alloc(sizeof *out);
	out->buf = peer->hello;
	out->item = (struct send_item){.data = peer->hello->data, .len = peer->hello->len, .sent = on_bytes_sent};
	peer->hello = NULL;
	send_list_append(&peer->out, &out->item);
	flush(peer);
}

static void on_ready(struct loop_fd *fd, unsigned what)
{
	struct peer *peer = CONTAINER_OF(fd, struct peer, fd);

	pin(peer);
	if (peer->phase == PEER_CONNECTING)
		on_connected(peer);
	else if (what & LOOP_WRITE)
		flush(peer);
	if (peer->phase != PEER_CLOSED && (what & LOOP_READ))
		read_turn(peer, false);
	update_watch(peer);
	unpin(peer);
}

static void on_turn(struct deferred *deferred)
{
	struct peer *peer = CONTAINER_OF(deferred, struct peer, turn);

	pin(peer);
	if (peer->failed) {
		char text[TEXT_BYTES];

		memcpy(text, peer->text, sizeof text);
		fail(peer, peer->failed, "%s", text);
	}
	if (peer->phase == PEER_HELLO || peer->phase == PEER_OPEN) {
		if (!peer->paused && receiver_begun(&peer->receiver) > 0 && !peer->waiting)
			parse(peer);
		if (peer->phase != PEER_CLOSED)
			flush(peer);
	}
	update_watch(peer);
	unpin(peer);
}

static struct peer *peer_new(const struct peer_setup *setup, int fd)
{
	struct peer *peer = NEW(struct peer);
	struct loop *loop = &setup->worker->loop;

	peer->setup = *setup;
	peer->transport = transport_plain(fd);
	receive_pool_init(&peer->own_pool);
	receiver_init(&peer->receiver, setup->pool ? setup->pool : &peer->own_pool);
	send_list_init(&peer->out);
	budget_wait_init(&peer->wait, setup->worker, BUDGET_CLUSTER, on_granted);
	loop_fd_init(&peer->fd, loop, fd, on_ready);
	timer_init(&peer->timer, loop, on_timer);
	peer->turn.run = on_turn;
	peer->begun_ms = peer->heard_ms = peer->empty_ms = peer->fresh_ms = peer->spoke_ms = now_of(peer);
	return peer;
}

static struct buf *encode_hello(const struct peer_target *target)
{
	struct request_header header = {
		.api_key = target->hello_key,
		.api_version = target->hello_version,
		.correlation_id = HELLO_CORRELATION_ID,
		.client_id = slice_of_text(target->client_id),
	};
	struct buf *buf = buf_new(target->hello.len + 256);
	struct wire_writer out;
	size_t start;

	wire_writer_init(&out, buf);
	start = frame_begin(&out);
	request_header_encode(&header, &out);
	wire_put_raw(&out, target->hello.data, target->hello.len);
	frame_end(&out, start, 0);
	return buf;
}

static void dial(struct peer *peer, const struct peer_target *target)
{
	const struct sockaddr_storage *address = &target->address, *source = &target->source;
	int on = 1;

	if (peer->transport.fd < 0) {
		fail_later(peer, ERR_LIMIT, "no socket");
		return;
	}
	if (source->ss_family) {
		/* The port is chosen by connect, so that many connections may share one. */
		(void)setsockopt(peer->transport.fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
		if (bind(peer->transport.fd, (const struct sockaddr *)source, address_len(source)) < 0) {
			fail_later(peer, ERR_INVALID, "the own address");
			return;
		}
	}
	if (connect(peer->transport.fd, (const struct sockaddr *)address, address_len(address)) < 0 && errno != EINPROGRESS) {
		fail_later(peer, ERR_CLOSED, "connect");
		return;
	}
	timer_set(&peer->timer, peer->begun_ms + peer->setup.limits.connect_ms);
	update_watch(peer);
}

struct peer *peer_dial(const struct peer_setup *setup, const struct peer_target *target)
{
	struct client described = {.address = target->address};
	struct peer *peer = peer_new(setup, socket(target->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));

	client_describe(&described);
	memcpy(peer->address, described.address_text, sizeof peer->address);
	peer->hello = encode_hello(target);
	dial(peer, target);
	return peer;
}

struct peer *peer_adopt(const struct peer_setup *setup, const struct detached *detached)
{
	struct peer *peer = peer_new(setup, detached->fd);

	peer->phase = PEER_OPEN;
	peer->client = detached->client;
	if (peer->client)
		memcpy(peer->address, peer->client->address_text, sizeof peer->address);
	receiver_start_with(&peer->receiver, detached->unread, detached->unread_bytes);
	settle_budget(peer, receiver_held(&peer->receiver));
	timer_set(&peer->timer, peer->begun_ms + setup->limits.ping_ms);
	loop_defer(&setup->worker->loop, &peer->turn);
	return peer;
}

bool peer_is_open(const struct peer *peer)
{
	return peer->phase == PEER_OPEN;
}

const char *peer_address(const struct peer *peer)
{
	return peer->address;
}

int64_t peer_fresh_ms(const struct peer *peer)
{
	return peer->fresh_ms;
}
