/* Clients' requests between workers and controller; see forward_line.h. */
#include "broker/forward_line.h"

#include "common/error.h"
#include "common/limits.h"
#include "common/memory.h"
#include "proto/cluster/unpack.h"
#include "proto/kafka_error.h"

#include <stdio.h>
#include <utlist.h>

static void on_done(struct message *message)
{
	struct forward_call *call = CONTAINER_OF(message, struct forward_call, message);

	call->done(call);
}

static void go_home(struct forward_call *call, int16_t error, const char *text)
{
	call->error = error;
	snprintf(call->text, sizeof call->text, "%s", text ? text : "");
	call->message.run = on_done;
	worker_post(call->worker, &call->message);
}

static void end(struct forward_line *line, struct forward_call *call, int16_t error, const char *text)
{
	DL_DELETE(line->calls, call);
	line->n_calls--;
	timer_stop(&call->timer);
	go_home(call, error, text);
}

/* ---- to the controller ---- */

static void on_deadline(struct timer *timer)
{
	struct forward_call *call = CONTAINER_OF(timer, struct forward_call, timer);

	end(call->port_ctx, call, KAFKA_REQUEST_TIMED_OUT, "The controller has not answered in time.");
}

static void send_frame(struct forward_line *line, struct forward_call *call)
{
	Klamm__Forward forward = KLAMM__FORWARD__INIT;

	forward.number = call->number;
	forward.api_key = call->api_key;
	forward.api_version = call->api_version;
	forward.body = (ProtobufCBinaryData){call->body->len, call->body->data};
	forward.principal = (char *)(uintptr_t)call->principal;
	line->out.send(line->out.ctx, &forward);
}

static void on_call(struct message *message)
{
	struct forward_call *call = CONTAINER_OF(message, struct forward_call, message);
	struct forward_line *line = call->port_ctx;

	if (!line->up) {
		go_home(call, KAFKA_NOT_CONTROLLER, "No controller is connected to this broker at the moment.");
		return;
	}
	if (call->body->len > LIMIT_FORWARD_BYTES) {
		go_home(call, KAFKA_INVALID_REQUEST, "The request is too large for the controller.");
		return;
	}
	if (line->n_calls == FORWARD_CALLS_MAX) {
		go_home(call, KAFKA_REQUEST_TIMED_OUT, "Too many requests wait for the controller.");
		return;
	}
	call->number = ++line->number;
	DL_APPEND(line->calls, call);
	line->n_calls++;
	timer_init(&call->timer, &line->hub->loop, on_deadline);
	timer_set(&call->timer, call->deadline_ms);
	send_frame(line, call);
}

static void send_call(void *ctx, struct forward_call *call)
{
	struct forward_line *line = ctx;

	call->port_ctx = line;
	call->answer = NULL;
	call->message.run = on_call;
	worker_post(line->hub, &call->message);
}

/* ---- from the controller ---- */

static struct forward_call *find(const struct forward_line *line, int64_t number)
{
	struct forward_call *call;

	DL_FOREACH(line->calls, call)
		if (call->number == number)
			return call;
	return NULL;
}

static void take_answer(struct forward_line *line, const Klamm__ForwardAnswer *answer)
{
	struct forward_call *call = find(line, answer->number);

	/* One whose time was up. */
	if (!call)
		return;
	if (answer->error == 0) {
		call->answer = buf_new(answer->body.len);
		call->answer->len = answer->body.len;
		if (answer->body.len)
			memcpy(call->answer->data, answer->body.data, answer->body.len);
	}
	end(line, call, kafka_error_of(answer->error), answer->message);
}

int forward_line_answer(struct forward_line *line, struct slice payload)
{
	Klamm__ForwardAnswer *answer = unpack_message(&klamm__forward_answer__descriptor, payload);

	if (!answer)
		return ERR_CORRUPT;
	take_answer(line, answer);
	klamm__forward_answer__free_unpacked(answer, NULL);
	return 0;
}

/* ---- life ---- */

void forward_line_init(struct forward_line *line, struct worker *hub, const struct forward_line_port *out)
{
	*line = (struct forward_line){.hub = hub, .out = *out, .port = {.ctx = line, .send = send_call}};
}

void forward_line_up(struct forward_line *line)
{
	line->up = true;
}

void forward_line_down(struct forward_line *line)
{
	line->up = false;
	while (line->calls)
		end(line, line->calls, KAFKA_NOT_CONTROLLER, "The connection of the controller was lost before it answered.");
}
