/*
 * Bytes on a socket: of a cluster peer (first byte even) or of a Kafka client (odd), sent in pieces whose length the second
 * byte chooses. Whatever comes, the connection ends, its memory is given back, and what handlers see is whole.
 */
#include "test/fuzz/fuzz.h"

#include "broker/net/net.h"
#include "broker/net/peer.h"
#include "broker/rt/signals.h"
#include "common/memory.h"
#include "common/trace.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define APIS_MAX 128
#define TURNS_MAX 100000

static struct worker worker;
static struct budget budget;
static struct net_api apis[APIS_MAX];
static struct net_setup setup = {.apis = apis, .budget = &budget};
static struct net net;
static bool peer_ended;

static void touch(struct slice bytes)
{
	volatile uint8_t sum = 0;

	for (size_t i = 0; i < bytes.len; i++)
		sum = (uint8_t)(sum + bytes.data[i]);
}

static void on_request(struct request *request)
{
	touch(request->raw_body);
	request_answer_none(request);
}

static int on_frame(void *ctx, struct peer *peer, const struct peer_frame *frame)
{
	(void)ctx;
	touch(frame->header);
	touch(frame->payload);
	peer_send(peer, frame->type, frame->header, SLICE_NULL, NULL);
	return frame->type == 255 ? ERR_INVALID : 0;
}

static void on_closed(void *ctx, struct peer *peer, int code, const char *text)
{
	(void)ctx;
	CHECK(code < 0 && *text);
	peer_ended = true;
	peer_free(peer);
}

/* Once for the process: a worker, and every API that has a schema, every other one pipelined. */
static void set_up(void)
{
	static bool done;

	if (done)
		return;
	done = true;
	signals_block();
	trace_set_level(TRACE_ERROR);
	CHECK(worker_init(&worker, "fuzz", 0) == 0);
	budget_init(&budget, 1 << 20, 1 << 18);
	setup.limits = net_limits_default;
	for (int i = 0; i < api_count() && i < APIS_MAX; i++) {
		const struct api *api = api_at(i);

		apis[setup.n_apis++] =
			(struct net_api){api->key, api->since, api->until, i % 2 ? NET_API_PIPELINED : 0u, on_request};
	}
	net_init(&net, &worker, &setup);
}

static bool has_ended(bool kafka)
{
	return kafka ? net.n_alive == 0 : peer_ended;
}

static void begin(int fd, bool kafka)
{
	static const struct listener_info listener = {.name = "FUZZ", .inter_broker = true};
	struct peer_setup peer = {.worker = &worker, .pool = &net.pool, .budget = &budget, .limits = peer_limits_default};
	struct detached detached = {.fd = fd};
	struct client *client;

	if (kafka) {
		client = NEW(struct client);
		*client = (struct client){.fd = fd, .listener = &listener, .principal = &principal_anonymous};
		net_adopt(&net, client);
		return;
	}
	peer_ended = false;
	peer.port.on_frame = on_frame;
	peer.port.on_closed = on_closed;
	peer_adopt(&peer, &detached);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	int pair[2], n_turns = 0;
	size_t piece;
	bool kafka;

	if (len < 2)
		return 0;
	set_up();
	kafka = data[0] % 2;
	piece = (size_t)data[1] + 1;
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
	begin(pair[0], kafka);
	for (size_t at = 2; at < len && !has_ended(kafka); at += piece) {
		(void)!send(pair[1], data + at, len - at < piece ? len - at : piece, MSG_NOSIGNAL);
		worker_turn(&worker, 0);
	}
	shutdown(pair[1], SHUT_WR);
	while (!has_ended(kafka)) {
		char answers[4096];

		CHECK(n_turns++ < TURNS_MAX);
		(void)!recv(pair[1], answers, sizeof answers, 0);
		worker_turn(&worker, 0);
	}
	close(pair[1]);
	CHECK(budget_used(&budget) == 0);
	return 0;
}
