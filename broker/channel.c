/* The controller's connection: frames; see channel.h. Hello is in channel_hello.c. */
#include "broker/channel_internal.h"

#include "broker/leftovers.h"
#include "common/limits.h"
#include "common/trace.h"
#include "proto/cluster/frame_type.h"
#include "proto/cluster/unpack.h"
#include "proto/kafka_error.h"

/* A state message of ten thousand partitions is about 1 MB. */
#define PAYLOAD_BYTES_MAX (64 << 20)

/* ---- to the controller ---- */

/* What may be long travels as the payload of its frame. */
static void send_payload(struct channel *channel, enum frame_type type, const ProtobufCMessage *message)
{
	struct buf *buf;
	size_t len;

	if (!channel->peer)
		return;
	len = protobuf_c_message_get_packed_size(message);
	buf = buf_new(len);
	buf->len = protobuf_c_message_pack(message, buf->data);
	peer_send_buf(channel->peer, (uint8_t)type, SLICE_LITERAL(""), buf, buf_slice(buf));
	buf_release(buf);
}

static void send_proposals(void *ctx, const Klamm__IsrProposals *proposals)
{
	send_payload(ctx, FRAME_ISR_PROPOSALS, &proposals->base);
}

static void send_forward(void *ctx, const Klamm__Forward *forward)
{
	send_payload(ctx, FRAME_FORWARD, &forward->base);
}

bool channel_ask_shutdown(struct channel *channel)
{
	Klamm__Shutdown shutdown = KLAMM__SHUTDOWN__INIT;
	uint8_t header[32];

	if (!channel->peer)
		return false;
	shutdown.broker_epoch = channel->membership->broker_epoch;
	peer_send(channel->peer, FRAME_SHUTDOWN, slice_of(header, klamm__shutdown__pack(&shutdown, header)), SLICE_LITERAL(""), NULL);
	return true;
}

/* ---- life ---- */

void channel_init(struct channel *channel, struct worker *hub, struct membership *membership, struct replicas *replicas,
		  struct budget *budget, const struct channel_port *port)
{
	struct isr_line_port isr_line_port = {channel, send_proposals};
	struct forward_line_port forward_line_port = {channel, send_forward};

	*channel = (struct channel){
		.membership = membership,
		.replicas = replicas,
		.hub = hub,
		.budget = budget,
		.port = *port,
		.controller_epoch = -1,
		.view = view_new_empty(),
	};
	view_messages_init(&channel->gathering);
	isr_line_init(&channel->isr_line, hub, &isr_line_port);
	forward_line_init(&channel->forward_line, hub, &forward_line_port);
}

void channel_drop(struct channel *channel)
{
	if (channel->peer) {
		peer_free(channel->peer);
		channel->peer = NULL;
	}
	replicas_forget(channel->replicas, channel);
	channel->snapshot_asked = false;
	view_messages_fini(&channel->gathering);
	isr_line_down(&channel->isr_line);
	forward_line_down(&channel->forward_line);
}

void channel_renew(struct channel *channel)
{
	if (!channel->peer)
		return;
	trace_info("channel", "ZooKeeper was not heard for longer than a lease lasts: controller %d has to tell all states again",
		   channel->controller_id);
	channel_drop(channel);
}

void channel_lose(struct channel *channel)
{
	channel_drop(channel);
	isr_line_forget(&channel->isr_line);
}

void channel_close(struct channel *channel)
{
	channel->closing = true;
	channel_drop(channel);
}

void channel_fini(struct channel *channel)
{
	channel_drop(channel);
	isr_line_fini(&channel->isr_line);
	view_release(channel->view);
}

/* ---- answers ---- */

static ProtobufCBinaryData bytes_of(const struct uuid *id)
{
	return (ProtobufCBinaryData){sizeof id->bytes, (uint8_t *)(uintptr_t)id->bytes};
}

static Klamm__ReplicaError **make_errors(struct arena *arena, const struct replica_results *results)
{
	Klamm__ReplicaError *list = arena_alloc(arena, (size_t)results->n_errors * sizeof *list);
	Klamm__ReplicaError **pointers = arena_alloc(arena, (size_t)results->n_errors * sizeof(Klamm__ReplicaError *));

	for (int i = 0; i < results->n_errors; i++) {
		klamm__replica_error__init(&list[i]);
		list[i].topic_id = bytes_of(&results->errors[i].topic_id);
		list[i].partition = results->errors[i].partition;
		list[i].error = results->errors[i].error;
		list[i].again = results->errors[i].again;
		pointers[i] = &list[i];
	}
	return pointers;
}

static Klamm__ReplicaEnd **make_ends(struct arena *arena, const struct replica_results *results)
{
	Klamm__ReplicaEnd *list = arena_alloc(arena, (size_t)results->n_ends * sizeof *list);
	Klamm__ReplicaEnd **pointers = arena_alloc(arena, (size_t)results->n_ends * sizeof(Klamm__ReplicaEnd *));

	for (int i = 0; i < results->n_ends; i++) {
		klamm__replica_end__init(&list[i]);
		list[i].topic_id = bytes_of(&results->ends[i].topic_id);
		list[i].partition = results->ends[i].partition;
		list[i].leader_epoch = results->ends[i].leader_epoch;
		list[i].last_epoch = results->ends[i].last_epoch;
		list[i].end_offset = results->ends[i].end_offset;
		pointers[i] = &list[i];
	}
	return pointers;
}

static void send_results(void *ctx, const struct replica_results *results)
{
	struct channel *channel = ctx;
	Klamm__ReplicaResults message = KLAMM__REPLICA_RESULTS__INIT;
	struct arena arena;

	arena_init(&arena);
	message.request = results->request;
	message.errors = make_errors(&arena, results);
	message.n_errors = (size_t)results->n_errors;
	message.ends = make_ends(&arena, results);
	message.n_ends = (size_t)results->n_ends;
	send_payload(channel, FRAME_REPLICA_RESULTS, &message.base);
	arena_fini(&arena);
}

static void on_told(void *ctx, const struct replica_results *results)
{
	struct channel *channel = ctx;

	channel->port.on_told(channel->port.ctx, channel->n_gaps);
	send_results(channel, results);
}

static void refuse_order(struct channel *channel, int64_t request, int16_t error)
{
	Klamm__ReplicaResults results = KLAMM__REPLICA_RESULTS__INIT;

	results.request = request;
	results.error = error;
	send_payload(channel, FRAME_REPLICA_RESULTS, &results.base);
}

static void ask_for_snapshot(struct channel *channel)
{
	Klamm__ViewGap gap = KLAMM__VIEW_GAP__INIT;
	uint8_t header[64];

	if (!channel->peer)
		return;
	gap.controller_epoch = channel->controller_epoch;
	gap.number = channel->view->number > 0 ? channel->view->number : 0;
	peer_send(channel->peer, FRAME_VIEW_GAP, slice_of(header, klamm__view_gap__pack(&gap, header)), SLICE_LITERAL(""), NULL);
}

/* ---- frames ---- */

/*
 * A view that cannot be taken. Out of turn: all of it is asked for, once; what is on its way meanwhile is out of turn, too. What cannot be
 * right however often it is sent ends the connection: the answer to such an asking, or a frame amid the frames of a snapshot, whose
 * last would else pass for the whole.
 */
static int refuse_view(struct channel *channel, int code, bool was_gathering)
{
	if (code == ERR_CORRUPT || code == ERR_TOO_LARGE || was_gathering)
		return code;
	if (channel->snapshot_asked)
		return code == ERR_VERSION ? 0 : code;
	trace_warn("channel", "a view does not follow number %lld of controller epoch %d: %s; asking for all of it",
		   (long long)channel->view->number, channel->view->controller_epoch, error_text(code));
	channel->snapshot_asked = true;
	ask_for_snapshot(channel);
	return 0;
}

static int on_view(struct channel *channel, struct slice payload)
{
	bool was_gathering = channel->gathering.n > 0;
	struct view *view;
	int r = view_message_take(&channel->gathering, channel->view, slice_of_text(channel->membership->cluster_id), payload, &view);

	if (r)
		return refuse_view(channel, r, was_gathering);
	if (!view)
		return 0;
	channel->snapshot_asked = false;
	channel->view_came = true;
	view_release(channel->view);
	channel->view = view;
	channel->port.on_view(channel->port.ctx, view_retain(view));
	return 0;
}

/* Kafka error for an order with these epochs. */
static int16_t judge(const struct channel *channel, int32_t controller_epoch, int64_t broker_epoch)
{
	if (controller_epoch != channel->controller_epoch)
		return KAFKA_STALE_CONTROLLER_EPOCH;
	if (broker_epoch != channel->membership->broker_epoch)
		return KAFKA_STALE_BROKER_EPOCH;
	return 0;
}

static int16_t judge_states(const struct channel *channel, const Klamm__PartitionStates *states)
{
	int16_t error = judge(channel, states->controller_epoch, states->broker_epoch);
	size_t n = states->n_topics;

	for (size_t i = 0; i < states->n_topics; i++)
		n += states->topics[i]->n_partitions;
	return error ? error : n > LIMIT_ORDER_PARTITIONS ? KAFKA_INVALID_REQUEST : 0;
}

static int16_t judge_stop(const struct channel *channel, const Klamm__StopReplicas *stop)
{
	int16_t error = judge(channel, stop->controller_epoch, stop->broker_epoch);
	size_t n = stop->n_topics;

	for (size_t i = 0; i < stop->n_topics; i++)
		n += stop->topics[i]->n_partitions;
	return error ? error : n > LIMIT_ORDER_PARTITIONS ? KAFKA_INVALID_REQUEST : 0;
}

/* Behind the first states of a connection: what they and the view leave out (leftovers.h). */
static void sweep(struct channel *channel)
{
	Klamm__StopReplicas *stop;

	if (channel->swept || !channel->view_came)
		return;
	channel->swept = true;
	stop = leftovers_find(channel->replicas->store, channel->view, channel->replicas->broker);
	if (stop)
		replicas_stop(channel->replicas, stop, NULL, NULL);
}

static int on_states(struct channel *channel, struct slice payload)
{
	Klamm__PartitionStates *states = unpack_message(&klamm__partition_states__descriptor, payload);
	int16_t error;

	if (!states)
		return ERR_CORRUPT;
	error = judge_states(channel, states);
	if (error) {
		refuse_order(channel, states->request, error);
		klamm__partition_states__free_unpacked(states, NULL);
		return 0;
	}
	replicas_apply(channel->replicas, states, channel->told ? send_results : on_told, channel);
	channel->told = true;
	sweep(channel);
	return 0;
}

static int on_stop(struct channel *channel, struct slice payload)
{
	Klamm__StopReplicas *stop = unpack_message(&klamm__stop_replicas__descriptor, payload);
	int16_t error;

	if (!stop)
		return ERR_CORRUPT;
	error = judge_stop(channel, stop);
	if (error) {
		refuse_order(channel, stop->request, error);
		klamm__stop_replicas__free_unpacked(stop, NULL);
		return 0;
	}
	replicas_stop(channel->replicas, stop, send_results, channel);
	return 0;
}

static int on_shutdown_answer(struct channel *channel, struct slice header)
{
	Klamm__ShutdownAnswer *answer = unpack_message(&klamm__shutdown_answer__descriptor, header);

	if (!answer)
		return ERR_CORRUPT;
	if (answer->broker_epoch == channel->membership->broker_epoch)
		channel->port.on_shutdown_answer(channel->port.ctx, answer->remaining, kafka_error_of(answer->error));
	klamm__shutdown_answer__free_unpacked(answer, NULL);
	return 0;
}

static int on_frame(void *ctx, struct peer *peer, const struct peer_frame *frame)
{
	struct channel *channel = ctx;

	(void)peer;
	switch (frame->type) {
	case FRAME_VIEW:
		return on_view(channel, frame->payload);
	case FRAME_PARTITION_STATES:
		return on_states(channel, frame->payload);
	case FRAME_STOP_REPLICAS:
		return on_stop(channel, frame->payload);
	case FRAME_ISR_ANSWERS:
		return isr_line_answers(&channel->isr_line, frame->payload);
	case FRAME_FORWARD_ANSWER:
		return forward_line_answer(&channel->forward_line, frame->payload);
	case FRAME_SHUTDOWN_ANSWER:
		return on_shutdown_answer(channel, frame->header);
	default:
		/* A newer controller may know frames that we do not. */
		trace_limited(TRACE_WARN, "channel", "frame of unknown type %d from the controller is ignored", frame->type);
		return 0;
	}
}

static void on_closed(void *ctx, struct peer *peer, int code, const char *text)
{
	struct channel *channel = ctx;

	(void)code;
	if (channel->peer != peer)
		return;
	trace_warn("channel", "connection of controller %d (epoch %d) is over: %s; serving on", channel->controller_id,
		   channel->controller_epoch, text);
	channel_drop(channel);
}

void channel_adopt(struct channel *channel, const struct detached *detached, int32_t controller_id, int32_t controller_epoch)
{
	struct peer_setup setup = {
		.worker = channel->hub,
		.budget = channel->budget,
		.limits = peer_limits_default,
		.port = {.on_frame = on_frame, .on_closed = on_closed, .ctx = channel},
	};

	setup.limits.payload_bytes_max = PAYLOAD_BYTES_MAX;
	setup.limits.ping_type = FRAME_PING;
	channel_drop(channel);
	channel->controller_id = controller_id;
	channel->controller_epoch = controller_epoch;
	channel->view_came = channel->told = channel->swept = false;
	channel->n_gaps = lease_n_gaps(zk_session_lease(channel->membership->zk));
	channel->peer = peer_adopt(&setup, detached);
	isr_line_up(&channel->isr_line, channel->membership->broker_epoch);
	forward_line_up(&channel->forward_line);
	trace_info("channel", "controller %d, epoch %d, is connected from %s", controller_id, controller_epoch, peer_address(channel->peer));
}
