/* Requests for the controller; see forward.h. */
#include "broker/api/forward.h"

#include "broker/replica/shard.h"
#include "common/clock.h"
#include "common/memory.h"
#include "common/trace.h"
#include "proto/api.h"
#include "proto/kafka_error.h"

#include <stdlib.h>

/* The controller counts the client's time itself; this is for one that hangs. */
#define TIMEOUT_MS_MAX 600000
#define GRACE_MS 2000

struct forwarding {
	struct forward_call call;
	struct request *request;
	void (*refuse)(struct request *request, int16_t error, const char *text);
	char principal[300];
};

/* Whoever answers for another says only what it understands itself. */
static void answer(struct forwarding *forwarding)
{
	struct request *request = forwarding->request;
	const struct api *api = api_find(request->header.api_key);
	void *response = arena_zalloc(&request->arena, 1, api->response->root->size);
	struct wire_reader in;
	struct error err;

	wire_reader_init(&in, buf_slice(forwarding->call.answer));
	if (message_decode(api->response, request->header.api_version, &in, &request->arena, response, &err)) {
		trace_limited(TRACE_ERROR, "api", "the controller's answer to %s cannot be read: %s", api->name, err.text);
		forwarding->refuse(request, KAFKA_UNKNOWN_SERVER_ERROR, "The controller's answer cannot be read.");
		return;
	}
	request_answer(request, response);
}

static void on_done(struct forward_call *call)
{
	struct forwarding *forwarding = CONTAINER_OF(call, struct forwarding, call);

	buf_release(call->body);
	if (call->error)
		forwarding->refuse(forwarding->request, call->error, call->text);
	else
		answer(forwarding);
	if (call->answer)
		buf_release(call->answer);
	free(forwarding);
}

/* The body, encoded anew: what the client sent, and nothing else that its frame had. */
static struct buf *encode(const struct request *request)
{
	const struct api *api = api_find(request->header.api_key);
	struct buf *body = buf_new(1024);
	struct wire_writer out;

	wire_writer_init(&out, body);
	if (message_encode(api->request, request->header.api_version, request->body, &out, NULL) == 0)
		return out.buf;
	buf_release(out.buf);
	return NULL;
}

void forward_request(struct request *request, int32_t timeout_ms,
		     void (*refuse)(struct request *request, int16_t error, const char *text))
{
	const struct forward_port *port = shard_of(request->worker)->forward;
	const struct principal *principal = request->client->principal;
	int64_t wait_ms = timeout_ms < 0 ? 0 : timeout_ms > TIMEOUT_MS_MAX ? TIMEOUT_MS_MAX : timeout_ms;
	struct forwarding *forwarding;
	struct buf *body;

	if (!port) {
		refuse(request, KAFKA_NOT_CONTROLLER, "There is no way to a controller.");
		return;
	}
	body = encode(request);
	if (!body) {
		refuse(request, KAFKA_INVALID_REQUEST, "The request cannot be sent on.");
		return;
	}
	forwarding = NEW(struct forwarding);
	forwarding->request = request;
	forwarding->refuse = refuse;
	snprintf(forwarding->principal, sizeof forwarding->principal, "%s:%s", principal->type, principal->name);
	forwarding->call = (struct forward_call){
		.worker = request->worker,
		.api_key = request->header.api_key,
		.api_version = request->header.api_version,
		.body = body,
		.principal = forwarding->principal,
		.deadline_ms = clock_ms() + wait_ms + GRACE_MS,
		.done = on_done,
	};
	port->send(port->ctx, &forwarding->call);
}
