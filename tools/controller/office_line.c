/* Connections to brokers; see office_line.h. */
#include "tools/controller/office_line.h"

#include "broker/net/address.h"
#include "broker/net/hello.h"
#include "broker/net/lookup.h"
#include "broker/net/peer.h"
#include "common/clock.h"
#include "common/memory.h"
#include "common/trace.h"
#include "proto/cluster/cluster.pb-c.h"
#include "proto/cluster/frame_type.h"
#include "proto/kafka_error.h"
#include "tools/controller/office_message.h"
#include "tools/controller/office_notices.h"
#include "zk/json_cluster.h"
#include "zk/path.h"

#include <stdlib.h>
#include <string.h>

#define AREA "controller"
#define PAUSE_MS_MIN 50
#define PAUSE_MS_MAX 1000
#define SEND_BYTES_MAX (256 << 20)
#define HELLO_BYTES 1024

struct office_line {
	struct office_line *next, **link;
	struct office *office;
	int32_t broker;
	int64_t broker_epoch;
	struct peer *peer;       /* NULL: not dialled at the moment */
	struct lookup *lookup;   /* a host name is being looked up */
	struct timer retry;
	int64_t pause_ms;
	unsigned attempts;       /* since it was last reached */
	bool reached;
	bool choked;             /* it does not read what it is sent: to be dropped at the next turn */
	bool complained;
};

static void dial(struct office_line *line, const struct sockaddr_storage *address);
static void line_failed(struct office_line *line, const char *why);

/* ---- dialling ---- */

static const struct ctl_broker *broker_of(struct office_line *line)
{
	struct ctl_broker *broker = ctl_broker_find(&line->office->ctl, line->broker);

	return broker && broker->epoch == line->broker_epoch ? broker : NULL;
}

static void on_looked_up(void *ctx, const struct sockaddr_storage *address, const char *why)
{
	struct office_line *line = ctx;

	line->lookup = NULL;
	if (address)
		dial(line, address);
	else
		line_failed(line, why);
}

static void start(struct office_line *line)
{
	const struct ctl_broker *broker = broker_of(line);
	const struct ctl_endpoint *endpoint;
	struct sockaddr_storage address;
	char host[LOOKUP_HOST_BYTES];

	if (!broker || broker->n_endpoints == 0) {
		line_failed(line, "its registration names no endpoint");
		return;
	}
	if (broker->inter_broker >= 0)
		endpoint = &broker->endpoints[broker->inter_broker];
	else
		endpoint = &broker->endpoints[line->attempts % (unsigned)broker->n_endpoints];
	snprintf(host, sizeof host, "%.*s", SLICE_ARGS(endpoint->host));
	line->attempts++;
	if (host[0] != 0 && address_parse(host, (uint16_t)endpoint->port, &address) == 0)
		dial(line, &address);
	else
		line->lookup = lookup_start(line->office->setup.resolver, line->office->setup.worker, host, (uint16_t)endpoint->port,
					    on_looked_up, line);
}

static void on_retry(struct timer *timer)
{
	struct office_line *line = CONTAINER_OF(timer, struct office_line, retry);

	if (line->choked)
		line_failed(line, "it does not read what it is sent");
	else
		start(line);
}

static void tell(struct office_line *line, enum ctl_event_kind kind)
{
	struct ctl_event event = {.kind = kind, .broker = line->broker, .broker_epoch = line->broker_epoch};

	office_tell(line->office, &event);
}

/* The connection is gone or was not had: again after a pause. */
static void line_failed(struct office_line *line, const char *why)
{
	bool was_reached = line->reached;

	if (was_reached || !line->complained)
		trace_warn(AREA, "broker %d: %s: %s", line->broker, was_reached ? "connection lost" : "cannot be reached yet", why);
	line->complained = !was_reached;
	if (line->peer)
		peer_free(line->peer);
	line->peer = NULL;
	line->reached = false;
	line->choked = false;
	line->pause_ms = was_reached || line->pause_ms == 0 ? PAUSE_MS_MIN : line->pause_ms * 2;
	if (line->pause_ms > PAUSE_MS_MAX)
		line->pause_ms = PAUSE_MS_MAX;
	timer_set(&line->retry, clock_ms() + line->pause_ms);
	if (was_reached)
		tell(line, CTL_LOST);
}

/* ---- Hello ---- */

static bool on_hello(void *ctx, struct peer *peer, struct slice body)
{
	struct office_line *line = ctx;
	char why[HELLO_WHY_BYTES];
	int32_t n_workers;
	bool is_welcome = hello_answer_read(body, line->broker_epoch, &n_workers, why);

	(void)peer;
	if (!is_welcome && !line->complained)
		trace_warn(AREA, "broker %d: its answer to our Hello: %s", line->broker, why);
	line->complained |= !is_welcome;
	if (!is_welcome)
		return false;
	line->reached = true;
	line->complained = false;
	line->pause_ms = 0;
	line->attempts -= line->attempts > 0;
	tell(line, CTL_REACHED);
	return true;
}

static struct slice make_hello(struct office_line *line, uint8_t bytes[HELLO_BYTES])
{
	const struct office_setup *setup = &line->office->setup;
	Klamm__Hello hello = KLAMM__HELLO__INIT;

	hello.version = CLUSTER_PROTOCOL_VERSION;
	hello.cluster_id = line->office->cluster_id;
	hello.role = KLAMM__HELLO__ROLE__CONTROLLER;
	hello.sender_id = setup->config->id;
	hello.sender_epoch = setup->epoch;
	hello.nonce = (char *)(uintptr_t)setup->nonce;
	hello.target_id = line->broker;
	hello.target_epoch = line->broker_epoch;
	if (klamm__hello__get_packed_size(&hello) > HELLO_BYTES)
		return SLICE_NULL;
	return slice_of(bytes, klamm__hello__pack(&hello, bytes));
}

/* ---- frames from the broker ---- */

/* A payload that makes an event, by a decoder of office_message.h. */
static int on_payload(struct office_line *line, enum ctl_event_kind kind, struct slice payload,
		      int (*decode)(struct arena *arena, struct slice payload, struct ctl_event *ret_event))
{
	struct ctl_event event = {.kind = kind, .broker = line->broker, .broker_epoch = line->broker_epoch};
	struct arena arena;
	int code;

	arena_init(&arena);
	code = decode(&arena, payload, &event);
	/* Another incarnation has a line of its own. */
	if (code == 0 && event.broker_epoch != line->broker_epoch)
		code = ERR_INVALID;
	if (code == 0)
		office_tell(line->office, &event);
	arena_fini(&arena);
	return code;
}

static int on_frame(void *ctx, struct peer *peer, const struct peer_frame *frame)
{
	struct office_line *line = ctx;

	(void)peer;
	switch (frame->type) {
	case FRAME_REPLICA_RESULTS:
		return on_payload(line, CTL_RESULTS, frame->payload, office_message_results);
	case FRAME_ISR_PROPOSALS:
		return on_payload(line, CTL_ISR_PROPOSED, frame->payload, office_message_proposals);
	case FRAME_SHUTDOWN:
		return on_payload(line, CTL_SHUTDOWN_ASKED, frame->header, office_message_shutdown);
	case FRAME_FORWARD:
		return on_payload(line, CTL_FORWARDED, frame->payload, office_message_forward);
	case FRAME_VIEW_GAP:
		tell(line, CTL_GAP);
		return 0;
	case FRAME_PING:
		return 0;
	default:
		return ERR_INVALID;
	}
}

static void on_drained(void *ctx, struct peer *peer)
{
	(void)ctx;
	(void)peer;
}

static void on_closed(void *ctx, struct peer *peer, int code, const char *text)
{
	(void)peer;
	(void)code;
	line_failed(ctx, text);
}

static void dial(struct office_line *line, const struct sockaddr_storage *address)
{
	const struct office_setup *setup = &line->office->setup;
	struct peer_setup peer = {.worker = setup->worker,
				  .version = CLUSTER_PROTOCOL_VERSION,
				  .limits = peer_limits_default,
				  .port = {on_hello, on_frame, on_drained, on_closed, line}};
	struct peer_target target = {.address = *address,
				     .hello_key = HELLO_API_KEY,
				     .hello_version = HELLO_API_VERSION,
				     .client_id = "klamm-controller"};
	uint8_t bytes[HELLO_BYTES];

	target.hello = make_hello(line, bytes);
	peer.limits.send_bytes_max = SEND_BYTES_MAX;
	peer.limits.connect_ms = zk_session_timeout_ms(setup->zk) / 2;
	peer.limits.ping_type = FRAME_PING;
	line->peer = peer_dial(&peer, &target);
}

/* ---- the cluster's id: brokers make it, and none is registered without it ---- */

static void start_all(struct office *office)
{
	for (struct office_line *line = office->lines; line; line = line->next)
		if (!line->peer && !line->lookup && !timer_is_set(&line->retry))
			start(line);
}

void office_line_on_cluster_id(struct office *office, struct slice json)
{
	struct arena arena;
	struct slice id;
	struct error err;

	arena_init(&arena);
	if (cluster_id_decode(&arena, ZK_PATH_CLUSTER_ID, json, &id, &err) == 0) {
		office->cluster_id = memory_printf("%.*s", SLICE_ARGS(id));
		start_all(office);
	} else {
		trace_error(AREA, "%s", err.text);
	}
	arena_fini(&arena);
}

/* ---- lines ---- */

static struct office_line *find(struct office *office, int32_t broker)
{
	struct office_line *line = office->lines;

	while (line && line->broker != broker)
		line = line->next;
	return line;
}

void office_line_open(struct office *office, int32_t broker, int64_t broker_epoch)
{
	struct office_line *line = NEW(struct office_line);

	line->office = office;
	line->broker = broker;
	line->broker_epoch = broker_epoch;
	timer_init(&line->retry, &office->setup.worker->loop, on_retry);
	line->next = office->lines;
	if (line->next)
		line->next->link = &line->next;
	line->link = &office->lines;
	office->lines = line;
	if (office->cluster_id)
		start(line);
	else
		office_notices_read_cluster_id(office->notices);
}

static void line_free(struct office_line *line)
{
	if (line->peer)
		peer_free(line->peer);
	if (line->lookup)
		lookup_cancel(line->lookup);
	timer_stop(&line->retry);
	*line->link = line->next;
	if (line->next)
		line->next->link = line->link;
	free(line);
}

void office_line_close(struct office *office, int32_t broker)
{
	struct office_line *line = find(office, broker);

	if (line)
		line_free(line);
}

void office_line_close_all(struct office *office)
{
	while (office->lines)
		line_free(office->lines);
}

/* ---- sending ---- */

/* Not dropped here: this is in the middle of a list of actions. */
static void choke(struct office_line *line)
{
	line->choked = true;
	timer_set(&line->retry, clock_ms());
}

static void send_buf(struct office_line *line, enum frame_type type, struct buf *buf)
{
	if (!line->peer || !line->reached || line->choked)
		return;
	if (peer_send_buf(line->peer, (uint8_t)type, SLICE_LITERAL(""), buf, buf_slice(buf)) == ERR_BUSY)
		choke(line);
}

/* The same view goes to several brokers in a row: it is encoded once. */
static void send_view(struct office *office, struct office_line *line, const struct ctl_view *view)
{
	if (office->encoded_view != view) {
		office_line_forget_view(office);
		office->encoded_view = view;
		office->n_view_frames = office_message_view(&office->view_arena, view, &office->view_frames);
	}
	for (int i = 0; i < office->n_view_frames; i++)
		send_buf(line, FRAME_VIEW, office->view_frames[i]);
}

void office_line_forget_view(struct office *office)
{
	for (int i = 0; i < office->n_view_frames; i++)
		buf_release(office->view_frames[i]);
	office->n_view_frames = 0;
	office->encoded_view = NULL;
	arena_fini(&office->view_arena);
}

/* What goes as header: short and without payload. */
static void send_shutdown_answer(struct office_line *line, int32_t remaining)
{
	uint8_t bytes[64];

	if (line->peer && !line->choked &&
	    peer_send(line->peer, FRAME_SHUTDOWN_ANSWER, office_message_shutdown_answer(bytes, line->broker_epoch, remaining),
		      SLICE_LITERAL(""), NULL) == ERR_BUSY)
		choke(line);
}

/* The payload of an action for one broker, and its frame. */
static struct buf *encode(struct arena *arena, const struct ctl_action *action, enum frame_type *ret_type)
{
	switch (action->message) {
	case CTL_SEND_STATES:
		*ret_type = FRAME_PARTITION_STATES;
		return office_message_states(arena, action->states, action->broker_epoch, action->request);
	case CTL_SEND_STOP:
		*ret_type = FRAME_STOP_REPLICAS;
		return office_message_stops(arena, action->stops, action->broker_epoch, action->request);
	case CTL_SEND_ISR_ANSWERS:
		*ret_type = FRAME_ISR_ANSWERS;
		return office_message_isr_answers(arena, action->answers, action->broker_epoch);
	case CTL_SEND_FORWARD_ANSWER:
		*ret_type = FRAME_FORWARD_ANSWER;
		return office_message_forward_answer(action->forward);
	case CTL_SEND_VIEW:
	case CTL_SEND_SHUTDOWN_ANSWER:
		break;
	}
	return NULL;
}

void office_line_send(struct office *office, const struct ctl_action *action)
{
	struct office_line *line = find(office, action->broker);
	enum frame_type type = FRAME_PING;
	struct arena arena;
	struct buf *buf;

	if (!line || line->broker_epoch != action->broker_epoch || !line->reached)
		return;
	if (action->message == CTL_SEND_VIEW) {
		send_view(office, line, action->view);
		return;
	}
	if (action->message == CTL_SEND_SHUTDOWN_ANSWER) {
		send_shutdown_answer(line, action->remaining);
		return;
	}
	arena_init(&arena);
	buf = encode(&arena, action, &type);
	if (buf) {
		send_buf(line, type, buf);
		buf_release(buf);
	}
	arena_fini(&arena);
}
