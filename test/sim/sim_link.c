/* A client's connection to one broker; see sim_link.h. */
#include "test/sim/sim_link.h"

#include "common/buf.h"
#include "common/bytes.h"
#include "common/check.h"
#include "common/memory.h"
#include "proto/frame.h"
#include "proto/message.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CLIENT_PORT 9092

static void on_timer(struct sim_event *event);

void link_init(struct sim_link *link, int broker)
{
	*link = (struct sim_link){.broker = broker, .timer = {.run = on_timer}};
	link->calls_tail = &link->calls;
}

void link_close(struct sim_link *link)
{
	struct link_call *calls = link->calls;

	if (link->busy) {
		link->broken = true;
		return;
	}
	link->broken = false;
	if (link->vfd)
		vfd_close(link->vfd);
	link->vfd = NULL;
	link->out_len = link->in_len = 0;
	link->calls = NULL;
	link->calls_tail = &link->calls;
	sim_cancel(&link->timer);
	while (calls) {
		struct link_call *call = calls;

		calls = call->next;
		call->done(call->ctx, NULL);
		free(call);
	}
}

static void on_timer(struct sim_event *event)
{
	struct sim_link *link = CONTAINER_OF(event, struct sim_link, timer);

	/* What was broken inside a call ends here, too. */
	if (link->broken || (link->calls && link->calls->due_us <= sim.now_us))
		link_close(link);
	else if (link->calls)
		sim_at(event, link->calls->due_us);
}

static void flush(struct sim_link *link)
{
	int64_t n;

	if (!link->vfd || !link->vfd->connected || link->out_len == 0)
		return;
	n = vfd_send(link->vfd, link->out, link->out_len);
	if (n <= 0)
		return;
	memmove(link->out, link->out + n, link->out_len - (size_t)n);
	link->out_len -= (size_t)n;
}

static void take_answer(struct sim_link *link, const uint8_t *bytes, size_t len)
{
	struct link_call *call = link->calls;
	const struct api *api;
	struct wire_reader in;
	struct arena arena;
	struct error err;
	int32_t correlation_id;
	void *response;

	if (!call)
		sim_violation("protocol", "an answer that nobody asked for");
	api = api_find((int)call->key);
	wire_reader_init(&in, slice_of(bytes, len));
	if (response_header_decode(api->key, call->version, &in, &correlation_id) || correlation_id != call->correlation_id)
		sim_violation("protocol", "an answer out of order");
	arena_init(&arena);
	response = arena_alloc(&arena, api->response->root->size);
	if (message_decode(api->response, call->version, &in, &arena, response, &err))
		sim_violation("protocol", "%s", err.text);
	link->calls = call->next;
	if (!link->calls)
		link->calls_tail = &link->calls;
	call->done(call->ctx, response);
	arena_fini(&arena);
	free(call);
}

static bool receive(struct sim_link *link)
{
	for (;;) {
		int64_t n;

		if (link->in_len + 65536 > link->in_cap) {
			link->in_cap = link->in_len + 131072;
			link->in = memory_grow(link->in, link->in_cap);
		}
		n = vfd_recv(link->vfd, link->in + link->in_len, link->in_cap - link->in_len);
		if (n <= 0)
			return n < 0 && errno == EAGAIN;
		link->in_len += (size_t)n;
	}
}

static void on_news(void *ctx)
{
	struct sim_link *link = ctx;
	size_t at = 0;
	bool open;

	if (link->vfd->error) {
		link_close(link);
		return;
	}
	if (!link->vfd->connected)
		return;
	flush(link);
	open = receive(link);
	link->busy = true;
	while (!link->broken && link->in_len - at >= 4 && link->in_len - at - 4 >= bytes_get_u32(link->in + at)) {
		size_t len = bytes_get_u32(link->in + at);

		take_answer(link, link->in + at + 4, len);
		at += 4 + len;
	}
	link->busy = false;
	memmove(link->in, link->in + at, link->in_len - at);
	link->in_len -= at;
	if (!open || link->broken)
		link_close(link);
}

static void encode(struct sim_link *link, const struct api *api, int version, const void *request)
{
	struct request_header header = {.api_key = api->key,
					.api_version = (int16_t)version,
					.correlation_id = ++link->correlation_id,
					.client_id = slice_of_text("sim")};
	struct buf *buf = buf_new(1024);
	struct wire_writer out;
	size_t start;

	wire_writer_init(&out, buf);
	start = frame_begin(&out);
	request_header_encode(&header, &out);
	CHECK(message_encode(api->request, version, request, &out, NULL) == 0);
	frame_end(&out, start, 0);
	if (link->out_len + buf->len > link->out_cap) {
		link->out_cap = (link->out_len + buf->len) * 2;
		link->out = memory_grow(link->out, link->out_cap);
	}
	memcpy(link->out + link->out_len, buf->data, buf->len);
	link->out_len += buf->len;
	buf_release(buf);
}

void link_call(struct sim_link *link, enum api_key key, int version, const void *request, int64_t timeout_us,
	       void (*done)(void *ctx, const void *response), void *ctx)
{
	struct link_call *call = NEW(struct link_call);

	encode(link, api_find((int)key), version, request);
	*call = (struct link_call){.correlation_id = link->correlation_id,
				   .key = key,
				   .version = version,
				   .due_us = sim.now_us + timeout_us,
				   .done = done,
				   .ctx = ctx};
	*link->calls_tail = call;
	link->calls_tail = &call->next;
	if (!link->vfd)
		link->vfd = sim_dial(SIM_CLIENT, link->broker, CLIENT_PORT, on_news, link);
	if (!sim_is_queued(&link->timer) || link->timer.at_us > call->due_us)
		sim_at(&link->timer, call->due_us);
	flush(link);
}
