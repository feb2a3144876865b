/* Connections of followers: adoption, frames, the end; see feed.h. */
#include "broker/replica/feed_internal.h"

#include "broker/net/net.h"
#include "broker/replica/partition_lead.h"
#include "broker/replica/shard.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/limits.h"
#include "common/trace.h"
#include "proto/cluster/frame_type.h"
#include "proto/cluster/unpack.h"
#include "proto/kafka_error.h"

#include <stdlib.h>
#include <utlist.h>

/*
 * What waits in memory and as file ranges to be sent on one connection. The kernel's buffers hold some more; all of it is what an append to
 * another partition waits behind.
 */
#define SEND_BYTES_MAX (1 << 20)

/* Handles in one CLOSE: its header holds ten bytes for each. */
#define CLOSE_HANDLES_MAX 2000

/* ---- streams ---- */

void feed_defer(struct feed *feed)
{
	loop_defer(&feed->feeds->shard->worker.loop, &feed->turn);
}

int32_t feed_stream_follower(const struct feed_stream *stream)
{
	return stream->feed->follower;
}

int64_t feed_stream_heard_ms(const struct feed_stream *stream)
{
	return peer_fresh_ms(stream->feed->peer);
}

void feed_stream_open(struct feed *feed, struct partition *partition, int64_t handle, int64_t log_end_offset,
		      const struct replica_judgement *judgement)
{
	struct feed_stream *stream = NEW(struct feed_stream);

	stream->feed = feed;
	stream->partition = partition;
	stream->handle = handle;
	stream->sent_offset = stream->acked_offset = log_end_offset;
	stream->told_high_watermark = judgement->high_watermark;
	stream->told_log_start = judgement->log_start_offset;
	HASH_ADD(hh, feed->streams, handle, sizeof stream->handle, stream);
	DL_APPEND(partition->streams, stream);
	feed_stream_wake(stream);
}

static void stream_free(struct feed_stream *stream)
{
	feed_stream_unqueue(stream);
	HASH_DEL(stream->feed->streams, stream);
	DL_DELETE(stream->partition->streams, stream);
	free(stream);
}

void feed_stream_close(struct feed_stream *stream, int16_t error)
{
	struct feed *feed = stream->feed;

	if (feed->n_goodbyes == feed->n_goodbyes_max) {
		feed->n_goodbyes_max = feed->n_goodbyes_max * 2 + 16;
		feed->goodbyes = memory_grow(feed->goodbyes, (size_t)feed->n_goodbyes_max * sizeof *feed->goodbyes);
	}
	feed->goodbyes[feed->n_goodbyes++] = (struct feed_goodbye){stream->handle, error};
	stream_free(stream);
	feed_defer(feed);
}

static struct feed_stream *find_stream(struct feed *feed, int64_t handle)
{
	struct feed_stream *stream;

	HASH_FIND(hh, feed->streams, &handle, sizeof handle, stream);
	return stream;
}

/* The follower does not want it any more, or its connection is gone. */
static void stream_lost(struct feed_stream *stream)
{
	struct partition *partition = stream->partition;
	int32_t follower = stream->feed->follower;
	int64_t handle = stream->handle;

	stream_free(stream);
	partition_lead_lost(partition, follower, handle);
}

/* ---- goodbyes ---- */

/* As many as one frame holds, with the same reason; returns how many. */
static int send_close(struct feed *feed, const struct feed_goodbye *goodbyes, int n_max)
{
	Klamm__Close close_message = KLAMM__CLOSE__INIT;
	int64_t handles[CLOSE_HANDLES_MAX];
	uint8_t header[LIMIT_PEER_HEADER_BYTES];
	int n = 0;

	while (n < n_max && n < CLOSE_HANDLES_MAX && goodbyes[n].error == goodbyes[0].error) {
		handles[n] = goodbyes[n].handle;
		n++;
	}
	close_message.handles = handles;
	close_message.n_handles = (size_t)n;
	close_message.error = goodbyes[0].error;
	peer_send(feed->peer, FRAME_CLOSE, slice_of(header, klamm__close__pack(&close_message, header)), SLICE_NULL, NULL);
	return n;
}

static void send_goodbyes(struct feed *feed)
{
	int sent = 0;

	while (sent < feed->n_goodbyes)
		sent += send_close(feed, feed->goodbyes + sent, feed->n_goodbyes - sent);
	feed->n_goodbyes = 0;
}

static void on_turn(struct deferred *deferred)
{
	struct feed *feed = CONTAINER_OF(deferred, struct feed, turn);

	/* A handle is told before what is sent on it, and its end after that. */
	feed_send_answers(feed);
	feed_pump(feed);
	send_goodbyes(feed);
}

/* ---- frames ---- */

static void refuse_ack(struct feed *feed, struct feed_stream *stream, const Klamm__AckMark *mark)
{
	struct partition *partition = stream->partition;

	feed->feeds->counters.n_acks_invalid++;
	trace_limited(TRACE_WARN, "feed", "%.*s-%d: broker %d (%s) acks what it cannot have: log end %lld, durable %lld, log start %lld; sent %lld",
		      SLICE_ARGS(partition->topic), partition->key.index, feed->follower, peer_address(feed->peer), (long long)mark->log_end,
		      (long long)mark->durable_end, (long long)mark->log_start, (long long)stream->sent_offset);
	partition_lead_lost(partition, feed->follower, stream->handle);
	feed_stream_close(stream, KAFKA_INVALID_REQUEST);
}

static void take_ack(struct feed *feed, const Klamm__AckMark *mark)
{
	struct feed_counters *counters = &feed->feeds->counters;
	struct feed_stream *stream = find_stream(feed, mark->handle);
	struct replica_ack ack = {.id = feed->follower,
				  .handle = mark->handle,
				  .log_end_offset = mark->log_end,
				  .durable_end_offset = mark->durable_end,
				  .log_start_offset = mark->log_start};

	counters->n_acks++;
	if (!stream) {
		counters->n_acks_dropped++;
		return;
	}
	if (mark->log_end > stream->sent_offset) {
		refuse_ack(feed, stream, mark);
		return;
	}
	if (mark->log_end > stream->acked_offset)
		feed_stream_settle_pieces(stream, mark->log_end);
	switch (partition_lead_ack(stream->partition, &ack, peer_fresh_ms(feed->peer))) {
	case REPLICA_ACK_TAKEN:
		break;
	case REPLICA_ACK_DROPPED:
		counters->n_acks_dropped++;
		break;
	case REPLICA_ACK_INVALID:
		/* The core has let it go; what was called back meanwhile has not closed it, or it is not found any more. */
		stream = find_stream(feed, mark->handle);
		if (stream)
			refuse_ack(feed, stream, mark);
		break;
	}
}

static int on_ack(struct feed *feed, struct slice payload)
{
	Klamm__Ack *ack = unpack_message(&klamm__ack__descriptor, payload);

	if (!ack)
		return ERR_CORRUPT;
	for (size_t i = 0; i < ack->n_marks; i++)
		take_ack(feed, ack->marks[i]);
	klamm__ack__free_unpacked(ack, NULL);
	return 0;
}

static int on_close(struct feed *feed, struct slice header)
{
	Klamm__Close *message = unpack_message(&klamm__close__descriptor, header);

	if (!message)
		return ERR_CORRUPT;
	for (size_t i = 0; i < message->n_handles; i++) {
		struct feed_stream *stream = find_stream(feed, message->handles[i]);

		if (!stream)
			continue;
		trace_limited(TRACE_INFO, "feed", "%.*s-%d: broker %d stops following: %s", SLICE_ARGS(stream->partition->topic),
			      stream->partition->key.index, feed->follower, kafka_error_name(message->error));
		stream_lost(stream);
	}
	klamm__close__free_unpacked(message, NULL);
	return 0;
}

static int take_frame(struct feed *feed, const struct peer_frame *frame)
{
	if (frame->version > CLUSTER_PROTOCOL_VERSION)
		return ERR_UNSUPPORTED;
	switch (frame->type) {
	case FRAME_FOLLOW:
		return feed_on_follow(feed, frame->payload);
	case FRAME_ACK:
		return on_ack(feed, frame->payload);
	case FRAME_CLOSE:
		return on_close(feed, frame->header);
	default:
		/* A newer follower may know frames that we do not. */
		trace_limited(TRACE_WARN, "feed", "frame of unknown type %d from broker %d is ignored", frame->type, feed->follower);
		return 0;
	}
}

static int on_frame(void *ctx, struct peer *peer, const struct peer_frame *frame)
{
	struct feed *feed = ctx;
	int r = take_frame(feed, frame);

	if (r) {
		feed->feeds->counters.n_frames_refused++;
		trace_limited(TRACE_WARN, "feed", "frame of type %d from broker %d (%s) is refused: %s", frame->type, feed->follower,
			      peer_address(peer), error_text(r));
	}
	return r;
}

static void on_drained(void *ctx, struct peer *peer)
{
	struct feed *feed = ctx;

	peer_resume(peer);
	/* Not in this turn: a socket that takes all there is would else keep the loop to itself. */
	timer_set(&feed->resume, clock_ms());
}

static void on_resume(struct timer *timer)
{
	struct feed *feed = CONTAINER_OF(timer, struct feed, resume);

	feed->full = false;
	feed_defer(feed);
	if (feed->advances)
		timer_set_earlier(&feed->advance_timer, clock_ms());
}

/* ---- life ---- */

static void feed_free(struct feed *feed)
{
	struct feed_stream *stream, *next;

	feed_forget_parked(feed);
	HASH_ITER(hh, feed->streams, stream, next)
		stream_lost(stream);
	DL_DELETE(feed->feeds->list, feed);
	loop_undefer(&feed->feeds->shard->worker.loop, &feed->turn);
	timer_stop(&feed->advance_timer);
	timer_stop(&feed->resume);
	timer_stop(&feed->unthrottle);
	peer_free(feed->peer);
	free(feed->answers);
	free(feed->goodbyes);
	free(feed);
}

static void on_closed(void *ctx, struct peer *peer, int code, const char *text)
{
	struct feed *feed = ctx;

	(void)peer;
	(void)code;
	trace_info("feed", "connection of broker %d (epoch %lld) from %s is over: %s", feed->follower, (long long)feed->follower_epoch,
		   peer_address(feed->peer), text);
	feed_free(feed);
}

/* The view knows a later incarnation of the broker than this. One that it does not know yet, or not at the moment, may come. */
static bool is_over(const struct feeds *feeds, int32_t broker, int64_t epoch)
{
	const struct view_broker *listed = view_broker(feeds->shard->view, broker);

	return listed && listed->epoch > epoch;
}

static struct peer_setup setup_of(struct feed *feed)
{
	struct shard *shard = feed->feeds->shard;
	struct peer_setup setup = {
		.worker = &shard->worker,
		.pool = shard->net ? &shard->net->pool : NULL,
		.budget = shard->net ? shard->net->setup->budget : NULL,
		.version = CLUSTER_PROTOCOL_VERSION,
		.limits = peer_limits_default,
		.port = {.on_frame = on_frame, .on_drained = on_drained, .on_closed = on_closed, .ctx = feed},
	};

	setup.limits.payload_bytes_max = LIMIT_REPLICATION_FRAME_BYTES;
	setup.limits.send_bytes_max = SEND_BYTES_MAX;
	setup.limits.ping_type = FRAME_PING;
	/* So that a loop that stood still for a part of a session time-out is told by a ping that is overdue. */
	if (shard->session_ms / 4 < setup.limits.ping_ms)
		setup.limits.ping_ms = shard->session_ms / 4;
	return setup;
}

void feeds_adopt(struct feeds *feeds, const struct detached *detached, int32_t follower, int64_t follower_epoch, int64_t own_epoch)
{
	struct feed *feed;
	struct peer_setup setup;

	if (feeds->closed || own_epoch != feeds->shard->broker_epoch || is_over(feeds, follower, follower_epoch)) {
		detached_close(detached);
		return;
	}
	feed = NEW(struct feed);
	feed->feeds = feeds;
	feed->follower = follower;
	feed->follower_epoch = follower_epoch;
	feed->turn.run = on_turn;
	feed->catch_up_window = FEED_WINDOW_FIRST;
	timer_init(&feed->advance_timer, &feeds->shard->worker.loop, feed_on_advance_timer);
	timer_init(&feed->resume, &feeds->shard->worker.loop, on_resume);
	timer_init(&feed->unthrottle, &feeds->shard->worker.loop, feed_on_unthrottle);
	setup = setup_of(feed);
	feed->peer = peer_adopt(&setup, detached);
	DL_APPEND(feeds->list, feed);
	trace_info("feed", "broker %d (epoch %lld) is connected from %s", follower, (long long)follower_epoch, peer_address(feed->peer));
}

/* ---- all of a shard ---- */

void feeds_init(struct feeds *feeds, struct shard *shard)
{
	*feeds = (struct feeds){.shard = shard, .next_handle = 1, .throttle_rate = THROTTLE_NONE};
	timer_init(&feeds->parked_timer, &shard->worker.loop, feeds_on_parked_timer);
}

static void close_all(struct feeds *feeds)
{
	struct feed *feed, *next;

	DL_FOREACH_SAFE(feeds->list, feed, next)
		feed_free(feed);
}

void feeds_on_own_epoch(struct feeds *feeds)
{
	close_all(feeds);
}

static void list_everywhere(struct feeds *feeds, int32_t broker, int64_t broker_epoch)
{
	struct partition *partition, *next;

	HASH_ITER(hh, feeds->shard->partitions, partition, next)
		partition_lead_list(partition, broker, broker_epoch);
}

static void set_rate(struct feeds *feeds, int64_t rate)
{
	struct feed *feed;

	if (rate == feeds->throttle_rate)
		return;
	feeds->throttle_rate = rate;
	if (feeds->throttle)
		throttle_forget(feeds->throttle);
	/* Whoever pauses for the old rate asks anew. */
	DL_FOREACH(feeds->list, feed)
		feed_on_unthrottle(&feed->unthrottle);
}

void feeds_on_view(struct feeds *feeds, const struct view_diff *diff)
{
	struct feed *feed, *next;

	set_rate(feeds, throttle_rate(feeds->shard->config, SLICE_LITERAL("leader.replication.throttled.rate")));
	DL_FOREACH_SAFE(feeds->list, feed, next)
		if (is_over(feeds, feed->follower, feed->follower_epoch))
			feed_free(feed);
	for (int i = 0; i < diff->n_brokers; i++) {
		const struct view_broker *before = diff->brokers[i].before, *after = diff->brokers[i].after;

		if (!before || !after || before->epoch != after->epoch)
			list_everywhere(feeds, after ? after->id : before->id, after ? after->epoch : REPLICA_BROKER_EPOCH_NONE);
	}
	if (diff->n_brokers > 0)
		feeds_judge_parked(feeds, NULL);
}

void feeds_on_state(struct feeds *feeds, struct partition *partition)
{
	feeds_judge_parked(feeds, &partition->key);
}

void feeds_close(struct feeds *feeds)
{
	feeds->closed = true;
	close_all(feeds);
	timer_stop(&feeds->parked_timer);
}
