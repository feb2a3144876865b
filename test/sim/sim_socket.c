/*
 * Descriptors and sockets of the simulated machines; see sim.h.
 *
 *     send -> segment, some hundred microseconds on its way -> bytes to read at the other end        in order, one stream each way
 *
 * TCP as its users see it: bounded buffers (a full one stops the sender), a cut link holds bytes back until it heals (they are sent again
 * and again), a closed end answers with a reset, a machine without power with nothing: the other end is half open.
 */
#include "broker/rt/loop.h"
#include "common/check.h"
#include "common/memory.h"
#include "test/sim/sim.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define WINDOW_BYTES (128 * 1024)
#define RESEND_MS_MIN 200
#define RESEND_MS_MAX 400
/* How often a connect is tried, a second apart. */
#define SYNS_MAX 6

enum segment_kind { SEGMENT_DATA, SEGMENT_FIN, SEGMENT_RESET };

struct segment {
	struct segment *next;
	enum segment_kind kind;
	int64_t at_us;
	size_t len;
	uint8_t data[];
};

/* Bytes on their way to one end. */
struct stream {
	struct sim_event arrival;
	struct connection *connection;
	int to; /* side */
	struct segment *first, **tail;
	size_t on_way;
	int64_t last_us;
	uint8_t *data; /* arrived and not read */
	size_t at, len, cap;
	bool ended;
};

struct connection {
	struct vfd *ends[2]; /* NULL: closed, or not accepted yet */
	bool gone[2];        /* closed for good */
	int machines[2];
	uint16_t port;
	struct stream to[2];
	struct sim_event dialling;
	int n_syns;
	bool answered;
	struct connection *next_waiting;
	struct connection *next; /* all */
};

static struct {
	struct vfd **vfds; /* by number */
	int n, cap;
	struct connection *connections;
	int last_port;
} net;

/* ---- descriptors ---- */

struct vfd *vfd_new(enum vfd_kind kind)
{
	struct vfd *vfd = NEW(struct vfd);

	if (net.n == net.cap) {
		net.cap = net.cap ? net.cap * 2 : 256;
		net.vfds = memory_grow(net.vfds, (size_t)net.cap * sizeof(struct vfd *));
	}
	vfd->kind = kind;
	/* Numbers are not used again, so that one that is kept too long is found out. */
	vfd->number = VFD_BASE + net.n;
	net.vfds[net.n++] = vfd;
	vfd->process = sim.process;
	vfd->waiting_tail = &vfd->waiting;
	if (sim.process) {
		vfd->next = sim.process->vfds;
		vfd->link = &sim.process->vfds;
		if (vfd->next)
			vfd->next->link = &vfd->next;
		sim.process->vfds = vfd;
	}
	return vfd;
}

struct vfd *vfd_find(int number)
{
	return number >= VFD_BASE && number < VFD_BASE + net.n ? net.vfds[number - VFD_BASE] : NULL;
}

static unsigned socket_ready(const struct vfd *vfd)
{
	const struct connection *connection = vfd->connection;
	const struct stream *in, *out;

	if (vfd->error)
		return LOOP_READ | LOOP_WRITE;
	if (!connection || !vfd->connected)
		return 0;
	in = &connection->to[vfd->side];
	out = &connection->to[!vfd->side];
	return (in->len > in->at || in->ended ? LOOP_READ : 0u) | (out->on_way + out->len - out->at < WINDOW_BYTES ? LOOP_WRITE : 0u);
}

unsigned vfd_ready(const struct vfd *vfd)
{
	switch (vfd->kind) {
	case VFD_SOCKET:
		return socket_ready(vfd);
	case VFD_LISTENER:
		return vfd->waiting ? LOOP_READ : 0;
	default:
		return vfd->count > 0 ? LOOP_READ : 0;
	}
}

void vfd_news(struct vfd *vfd)
{
	vfd->fresh = true;
	if (vfd->watcher && (vfd_ready(vfd) & vfd->watcher->watched))
		sim_loop_wake(vfd->watcher->loop);
	else if (vfd->on_news)
		vfd->on_news(vfd->ctx);
}

/* ---- streams ---- */

static void arrive(struct sim_event *event);

static void push(struct connection *connection, int to, enum segment_kind kind, const void *data, size_t len)
{
	struct stream *stream = &connection->to[to];
	struct segment *segment = memory_alloc(sizeof *segment + len);
	int64_t at_us = sim.now_us + sim_delay_us(connection->machines[!to], connection->machines[to]);

	*segment = (struct segment){.kind = kind, .len = len};
	if (len > 0)
		memcpy(segment->data, data, len);
	segment->at_us = at_us > stream->last_us ? at_us : stream->last_us;
	stream->last_us = segment->at_us;
	stream->on_way += len;
	*stream->tail = segment;
	stream->tail = &segment->next;
	if (!sim_is_queued(&stream->arrival))
		sim_at(&stream->arrival, segment->at_us);
}

static void append(struct stream *stream, const struct segment *segment)
{
	if (stream->at == stream->len)
		stream->at = stream->len = 0;
	if (stream->len + segment->len > stream->cap) {
		if (stream->at > 0)
			memmove(stream->data, stream->data + stream->at, stream->len - stream->at);
		stream->len -= stream->at;
		stream->at = 0;
		while (stream->len + segment->len > stream->cap)
			stream->cap = stream->cap ? stream->cap * 2 : 4096;
		stream->data = memory_grow(stream->data, stream->cap);
	}
	memcpy(stream->data + stream->len, segment->data, segment->len);
	stream->len += segment->len;
}

static void break_end(struct connection *connection, int side)
{
	struct vfd *vfd = connection->ends[side];

	if (!vfd || vfd->error)
		return;
	vfd->error = ECONNRESET;
	vfd_news(vfd);
}

static void take(struct connection *connection, int to, const struct segment *segment)
{
	struct stream *stream = &connection->to[to];

	stream->on_way -= segment->len;
	sim.contact_us[connection->machines[!to]][connection->machines[to]] = sim.now_us;
	if (connection->gone[to]) {
		if (segment->kind == SEGMENT_DATA && sim_machine(connection->machines[to])->powered)
			push(connection, !to, SEGMENT_RESET, NULL, 0);
	} else if (segment->kind == SEGMENT_RESET) {
		break_end(connection, to);
	} else {
		if (segment->kind == SEGMENT_DATA)
			append(stream, segment);
		else
			stream->ended = true;
		if (connection->ends[to])
			vfd_news(connection->ends[to]);
	}
}

static void arrive(struct sim_event *event)
{
	struct stream *stream = CONTAINER_OF(event, struct stream, arrival);
	struct connection *connection = stream->connection;

	if (!sim_passes(connection->machines[!stream->to], connection->machines[stream->to])) {
		sim_at(event, sim.now_us + sim_between(&sim.chance, RESEND_MS_MIN, RESEND_MS_MAX) * SIM_MS);
		return;
	}
	while (stream->first && stream->first->at_us <= sim.now_us) {
		struct segment *segment = stream->first;

		stream->first = segment->next;
		if (!stream->first)
			stream->tail = &stream->first;
		take(connection, stream->to, segment);
		free(segment);
	}
	if (stream->first && !sim_is_queued(event))
		sim_at(event, stream->first->at_us);
}

/* ---- connections ---- */

static struct vfd *find_listener(const struct sim_machine *machine, uint16_t port)
{
	struct vfd *vfd = machine->listeners;

	while (vfd && vfd->port != port)
		vfd = vfd->next_listener;
	return vfd;
}

static void fail_dial(struct connection *connection, int error)
{
	struct vfd *vfd = connection->ends[0];

	connection->gone[1] = true;
	if (!vfd)
		return;
	vfd->error = error;
	vfd_news(vfd);
}

/* The first packet arrives, then its answer. */
static void on_dial(struct sim_event *event)
{
	struct connection *connection = CONTAINER_OF(event, struct connection, dialling);
	int from = connection->machines[0], to = connection->machines[1];
	struct vfd *listener = find_listener(sim_machine(to), connection->port);

	if (connection->gone[0])
		return;
	if (!sim_passes(from, to) || !sim_passes(to, from)) {
		if (++connection->n_syns < SYNS_MAX)
			sim_at(event, sim.now_us + SIM_S);
		else
			fail_dial(connection, ETIMEDOUT);
	} else if (connection->answered) {
		connection->ends[0]->connected = true;
		vfd_news(connection->ends[0]);
	} else if (!listener) {
		fail_dial(connection, ECONNREFUSED);
	} else {
		connection->answered = true;
		*listener->waiting_tail = connection;
		listener->waiting_tail = &connection->next_waiting;
		vfd_news(listener);
		sim_at(event, sim.now_us + sim_delay_us(to, from));
	}
}

int vfd_connect(struct vfd *vfd, uint32_t ip, uint16_t port)
{
	struct connection *connection;
	int from = vfd->process ? vfd->process->machine->id : SIM_CLIENT;
	int to = (int)(ip & 0xff) - 1;

	if (ip >> 8 != (10u << 16) || to < 0 || to >= SIM_MACHINES) {
		errno = EHOSTUNREACH;
		return -1;
	}
	connection = NEW(struct connection);
	connection->ends[0] = vfd;
	connection->machines[0] = from;
	connection->machines[1] = to;
	connection->port = port;
	connection->dialling.run = on_dial;
	for (int side = 0; side < 2; side++) {
		struct stream *stream = &connection->to[side];

		*stream = (struct stream){.arrival = {.run = arrive}, .connection = connection, .to = side};
		stream->tail = &stream->first;
	}
	connection->next = net.connections;
	net.connections = connection;
	vfd->connection = connection;
	vfd->port = (uint16_t)(20000 + ++net.last_port % 10000);
	sim_at(&connection->dialling, sim.now_us + sim_delay_us(from, to));
	errno = EINPROGRESS;
	return -1;
}

int vfd_listen(struct vfd *vfd)
{
	struct sim_machine *machine = vfd->process->machine;

	if (find_listener(machine, vfd->port)) {
		errno = EADDRINUSE;
		return -1;
	}
	vfd->kind = VFD_LISTENER;
	vfd->next_listener = machine->listeners;
	machine->listeners = vfd;
	return 0;
}

struct vfd *vfd_accept(struct vfd *listener, uint32_t *ret_ip, uint16_t *ret_port)
{
	struct connection *connection = listener->waiting;
	struct vfd *vfd;

	if (!connection)
		return NULL;
	listener->waiting = connection->next_waiting;
	if (!listener->waiting)
		listener->waiting_tail = &listener->waiting;
	vfd = vfd_new(VFD_SOCKET);
	vfd->connection = connection;
	vfd->side = 1;
	vfd->connected = true;
	connection->ends[1] = vfd;
	*ret_ip = 10u << 24 | (uint32_t)(connection->machines[0] + 1);
	*ret_port = connection->ends[0] ? connection->ends[0]->port : 1;
	return vfd;
}

int64_t vfd_send(struct vfd *vfd, const void *data, size_t len)
{
	struct stream *out;
	size_t room, waiting;

	if (vfd->error || !vfd->connected || vfd->connection->gone[vfd->side]) {
		errno = vfd->error ? vfd->error : ENOTCONN;
		return -1;
	}
	out = &vfd->connection->to[!vfd->side];
	waiting = out->on_way + out->len - out->at;
	room = waiting < WINDOW_BYTES ? WINDOW_BYTES - waiting : 0;
	if (room == 0) {
		errno = EAGAIN;
		return -1;
	}
	if (len > room)
		len = room;
	push(vfd->connection, !vfd->side, SEGMENT_DATA, data, len);
	return (int64_t)len;
}

int64_t vfd_recv(struct vfd *vfd, void *data, size_t len)
{
	struct stream *in;
	struct vfd *other;

	if (vfd->error || !vfd->connected) {
		errno = vfd->error ? vfd->error : ENOTCONN;
		return -1;
	}
	in = &vfd->connection->to[vfd->side];
	if (in->at == in->len) {
		errno = EAGAIN;
		return in->ended ? 0 : -1;
	}
	if (len > in->len - in->at)
		len = in->len - in->at;
	memcpy(data, in->data + in->at, len);
	in->at += len;
	other = vfd->connection->ends[!vfd->side];
	if (other && other->watcher && other->watcher->watched & LOOP_WRITE)
		vfd_news(other);
	return (int64_t)len;
}

/* ---- the end ---- */

static void close_listener(struct vfd *vfd)
{
	struct vfd **at = &vfd->process->machine->listeners;

	while (*at && *at != vfd)
		at = &(*at)->next_listener;
	if (*at)
		*at = vfd->next_listener;
	for (struct connection *connection = vfd->waiting; connection; connection = connection->next_waiting) {
		connection->gone[1] = true;
		push(connection, 0, SEGMENT_RESET, NULL, 0);
	}
}

static void close_end(struct vfd *vfd, bool silent)
{
	struct connection *connection = vfd->connection;
	struct stream *in = &connection->to[vfd->side];
	bool unread = in->len > in->at;

	connection->ends[vfd->side] = NULL;
	connection->gone[vfd->side] = true;
	sim_cancel(&connection->dialling);
	free(in->data);
	in->data = NULL;
	in->at = in->len = in->cap = 0;
	if (!silent && vfd->connected && !vfd->error)
		push(connection, !vfd->side, unread ? SEGMENT_RESET : SEGMENT_FIN, NULL, 0);
}

static void close_one(struct vfd *vfd, bool silent)
{
	if (vfd->kind == VFD_LISTENER)
		close_listener(vfd);
	else if (vfd->connection)
		close_end(vfd, silent);
	if (vfd->link) {
		*vfd->link = vfd->next;
		if (vfd->next)
			vfd->next->link = vfd->link;
	}
	net.vfds[vfd->number - VFD_BASE] = NULL;
	free(vfd);
}

void vfd_close(struct vfd *vfd)
{
	close_one(vfd, false);
}

void sim_close_all(struct sim_process *process, bool silent)
{
	while (process->vfds)
		close_one(process->vfds, silent);
}

void sim_reset_connections(int a, int b, bool one_sided)
{
	for (struct connection *connection = net.connections; connection; connection = connection->next) {
		int side = connection->machines[0] == a && connection->machines[1] == b   ? 0
			   : connection->machines[0] == b && connection->machines[1] == a ? 1
											  : -1;

		if (side < 0 || !connection->answered)
			continue;
		break_end(connection, side);
		if (!one_sided)
			break_end(connection, !side);
	}
}

struct vfd *sim_dial(int from, int to, uint16_t port, void (*on_news)(void *ctx), void *ctx)
{
	struct vfd *vfd = vfd_new(VFD_SOCKET);

	CHECK(from == SIM_CLIENT && !sim.process);
	vfd->on_news = on_news;
	vfd->ctx = ctx;
	vfd_connect(vfd, 10u << 24 | (uint32_t)(to + 1), port);
	return vfd;
}
