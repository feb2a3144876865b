/*
 * What leaves on a follower's connection, and when; see feed.h.
 *
 *     feed_stream_wake --more to send--> live or catch-up queue --end of the turn--> feed_pump: APPEND, piece by piece
 *                      --marks moved---> advances --a moment later--> ADVANCE, unless an APPEND has carried them by then
 *
 * Live: the follower is in the ISR, or lacks only what is not committed, so that it may be about to join; acks wait for it. All others catch up.
 * Within a queue streams take turns.
 *
 * Live data that fills the connection leaves them one piece at a time.
 *
 * What catches up shares socket, checks and disk of the follower with what is live, and is in its way as long as it is under way. So much may be
 * that it is acked within WINDOW_NS: each ack of a piece tells how many bytes the follower stores in that time at the moment.
 *
 * What catches up may also be throttled by the operator (leader.replication.throttled.*): then it is out of its queue for a while.
 *
 * What catches up may be cold, and a sendfile that waits for a disk holds up the whole worker: one cold page is enough, and beside a disk that
 * is busy writing it comes after tens of milliseconds. So only what the reading thread of the disk has brought into memory is sent; a stream
 * without that is in no queue until it is there.
 *
 *     loaded: [ sent next ...... AHEAD_BYTES )    less than half of it left --> struct feed_load --> feed_stream_wake
 *
 * A small piece is copied into its frame, so that those of many partitions leave in one call; a large one goes by sendfile.
 */
#include "broker/replica/feed_internal.h"

#include "broker/replica/partition_internal.h"
#include "broker/replica/partition_lead.h"
#include "broker/replica/shard.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/trace.h"
#include "proto/cluster/frame_type.h"
#include "proto/kafka_error.h"

#include <stdlib.h>
#include <utlist.h>

/* One APPEND: at most so much, or one batch. */
#define PIECE_BYTES_MAX (256 << 10)
#define PIECE_BYTES_MIN (64 << 10)

/* The window of a connection: what it may have under way to streams that catch up. Beyond its bounds no measurement leads. */
#define WINDOW_NS INT64_C(1000000)
#define WINDOW_BYTES_MIN (128 << 10)
#define WINDOW_BYTES_MAX (2 << 20)
/* One ack moves it by this part of the difference: a moment in which the follower did not get a processor is no trend. */
#define WINDOW_SLOWNESS 4

/* So far ahead of what is sent is read, and anew when less than half of it is left. */
#define AHEAD_BYTES (8 << 20)

/* A payload up to here is copied. */
#define COPY_BYTES_MAX (16 << 10)

/* So long moved marks wait for data that carries them. */
#define ADVANCE_MS 50

/* Marks in one ADVANCE. */
#define ADVANCE_MARKS_MAX 500

/* ---- what is cold ---- */

static void run_load(struct disk_job *job)
{
	struct feed_load *load = CONTAINER_OF(job, struct feed_load, job);

	log_slice_load(&load->slice, load->skip);
	log_slice_release(&load->slice);
}

static void load_done(struct disk_job *job)
{
	struct feed_load *load = CONTAINER_OF(job, struct feed_load, job);
	struct feed_stream *stream = load->stream;

	if (stream) {
		stream->loaded_bytes += load->slice.len - load->skip;
		stream->load = NULL;
		feed_stream_wake(stream);
	}
	free(load);
}

static void start_load(struct feed_stream *stream, const struct log_slice *slice)
{
	struct partition *partition = stream->partition;
	struct feed_load *load = NEW(struct feed_load);

	load->job = (struct disk_job){.run = run_load, .done = load_done, .reply_to = &partition->shard->worker};
	load->slice = *slice;
	load->skip = stream->loaded_bytes;
	load->stream = stream;
	stream->load = load;
	disk_post_read(partition->disk, &load->job);
}

/* Sees to it that what is sent next is in memory in time. False when nothing of it is: the stream is woken when that has changed. */
static bool load_ahead(struct feed_stream *stream)
{
	struct log_read_args args = {.offset = stream->sent_offset, .max_offset = INT64_MAX, .max_bytes = AHEAD_BYTES, .min_one_batch = true};
	struct log_slice slice = {0};

	if (stream->load || stream->loaded_bytes > AHEAD_BYTES / 2)
		return stream->loaded_bytes > 0;
	/* What cannot be read is told when it is to be sent. */
	if (log_read(stream->partition->log, &args, &slice) || !slice.segment)
		return true;
	if (slice.len > stream->loaded_bytes)
		start_load(stream, &slice);
	else
		log_slice_release(&slice);
	return stream->loaded_bytes > 0;
}

/* ---- queues ---- */

static bool is_live(const struct feed_stream *stream)
{
	const struct replica_core *core = &stream->partition->core;
	const struct replica_member *member = replica_leader_member(core, stream->feed->follower);

	return (member && member->in_isr) || stream->sent_offset >= core->high_watermark;
}

static void dequeue(struct feed_stream *stream)
{
	struct feed *feed = stream->feed;

	if (stream->queue == FEED_QUEUE_LIVE)
		DL_DELETE2(feed->live, stream, queue_prev, queue_next);
	else if (stream->queue == FEED_QUEUE_CATCH_UP)
		DL_DELETE2(feed->catch_up, stream, queue_prev, queue_next);
	stream->queue = FEED_QUEUE_NONE;
}

static void enqueue(struct feed_stream *stream)
{
	struct feed *feed = stream->feed;
	enum feed_queue queue = is_live(stream) ? FEED_QUEUE_LIVE : FEED_QUEUE_CATCH_UP;

	if (stream->queue == queue)
		return;
	dequeue(stream);
	if (queue == FEED_QUEUE_LIVE) {
		DL_APPEND2(feed->live, stream, queue_prev, queue_next);
	} else if (stream->n_pieces < FEED_PIECES && load_ahead(stream)) {
		DL_APPEND2(feed->catch_up, stream, queue_prev, queue_next);
	} else {
		/* The next ack wakes it, or what is being loaded. */
		return;
	}
	stream->queue = queue;
	feed_defer(feed);
}

static bool marks_moved(const struct feed_stream *stream)
{
	const struct replica_core *core = &stream->partition->core;

	return stream->told_high_watermark != core->high_watermark || stream->told_log_start != core->log_start_offset;
}

static void leave_advances(struct feed_stream *stream)
{
	if (stream->advances)
		DL_DELETE2(stream->feed->advances, stream, advances_prev, advances_next);
	stream->advances = false;
}

static void join_advances(struct feed_stream *stream)
{
	struct feed *feed = stream->feed;

	if (stream->advances)
		return;
	if (!feed->advances)
		timer_set_earlier(&feed->advance_timer, clock_ms() + ADVANCE_MS);
	stream->advances = true;
	DL_APPEND2(feed->advances, stream, advances_prev, advances_next);
}

void feed_stream_wake(struct feed_stream *stream)
{
	if (stream->sent_offset < stream->partition->core.log_end_offset)
		enqueue(stream);
	else if (marks_moved(stream))
		join_advances(stream);
}

static int64_t clamp(int64_t value, int64_t min, int64_t max)
{
	return value < min ? min : value > max ? max : value;
}

/* All that was under way with a piece is acked with it: so much fits into the time that it took. */
static void learn_window(struct feed *feed, const struct feed_piece *piece)
{
	int64_t took_ns = clock_ns() - piece->sent_ns;
	int64_t fits = piece->under_way * WINDOW_NS / (took_ns > 0 ? took_ns : 1);

	feed->catch_up_window += (clamp(fits, WINDOW_BYTES_MIN, WINDOW_BYTES_MAX) - feed->catch_up_window) / WINDOW_SLOWNESS;
}

static void drop_piece(struct feed_stream *stream)
{
	stream->feed->catch_up_unacked -= stream->pieces[stream->first_piece].bytes;
	stream->first_piece = (stream->first_piece + 1) % FEED_PIECES;
	stream->n_pieces--;
}

void feed_stream_settle_pieces(struct feed_stream *stream, int64_t acked_offset)
{
	struct feed *feed = stream->feed;

	stream->acked_offset = acked_offset;
	while (stream->n_pieces > 0 && stream->pieces[stream->first_piece].end_offset <= acked_offset) {
		learn_window(feed, &stream->pieces[stream->first_piece]);
		drop_piece(stream);
	}
	feed_stream_wake(stream);
	if (feed->catch_up)
		feed_defer(feed);
}

void feed_stream_unqueue(struct feed_stream *stream)
{
	dequeue(stream);
	leave_advances(stream);
	if (stream->load)
		stream->load->stream = NULL;
	while (stream->n_pieces > 0)
		drop_piece(stream);
	if (stream->feed->catch_up)
		feed_defer(stream->feed);
}

static void note_piece(struct feed_stream *stream, int64_t bytes)
{
	struct feed *feed = stream->feed;

	feed->catch_up_unacked += bytes;
	stream->pieces[(stream->first_piece + stream->n_pieces) % FEED_PIECES] =
		(struct feed_piece){stream->sent_offset, bytes, feed->catch_up_unacked, clock_ns()};
	stream->n_pieces++;
	feed->feeds->counters.catch_up_bytes_sent += bytes;
}

/* ---- Append ---- */

static void release_file(struct send_file *file)
{
	struct log_slice *slice = file->owner;

	log_slice_unpin(slice);
	log_slice_release(slice);
	free(slice);
}

/* The slice is released in any case. */
static int send_file(struct peer *peer, struct slice header, struct log_slice *slice)
{
	struct log_slice *owner;
	struct send_file file;
	struct send_files files = {1, &file};
	int fd, r = log_slice_pin(slice, &fd);

	if (r) {
		log_slice_release(slice);
		return r;
	}
	owner = NEW(struct log_slice);
	*owner = *slice;
	file = (struct send_file){fd, slice->pos, (size_t)slice->len, release_file, owner};
	return peer_send(peer, FRAME_APPEND, header, SLICE_NULL, &files);
}

static int send_copy(struct peer *peer, struct slice header, struct log_slice *slice)
{
	uint8_t bytes[COPY_BYTES_MAX];
	size_t len = (size_t)slice->len;
	int r = log_slice_read(slice, 0, bytes, len);

	log_slice_release(slice);
	return r ? r : peer_send(peer, FRAME_APPEND, header, slice_of(bytes, len), NULL);
}

/* The stream cannot go on: it is closed, and the follower asks again. */
static int64_t give_up(struct feed_stream *stream, int r)
{
	struct partition *partition = stream->partition;
	/* Retention has passed the follower, and it will be told where to start anew; or else nothing is where the log says there is. */
	bool is_gone = r == ERR_OUT_OF_RANGE || r == 0;

	trace_limited(TRACE_WARN, "feed", "%.*s-%d: nothing to send to broker %d from offset %lld on: %s", SLICE_ARGS(partition->topic),
		      partition->key.index, stream->feed->follower, (long long)stream->sent_offset, error_text(r));
	partition_lead_lost(partition, stream->feed->follower, stream->handle);
	feed_stream_close(stream, is_gone ? KAFKA_OFFSET_OUT_OF_RANGE : KAFKA_STORAGE_ERROR);
	if (!is_gone)
		partition_log_failed(partition, r, "read");
	return -1;
}

static int send_append(struct feed_stream *stream, struct log_slice *slice)
{
	const struct replica_core *core = &stream->partition->core;
	struct peer *peer = stream->feed->peer;
	Klamm__Append append = KLAMM__APPEND__INIT;
	uint8_t bytes[64];
	struct slice header;

	append.handle = stream->handle;
	append.from = stream->sent_offset;
	append.high_watermark = stream->told_high_watermark = core->high_watermark;
	append.log_start = stream->told_log_start = core->log_start_offset;
	header = slice_of(bytes, klamm__append__pack(&append, bytes));
	return slice->len <= COPY_BYTES_MAX ? send_copy(peer, header, slice) : send_file(peer, header, slice);
}

/*
 * Sends the next piece: its bytes, 0 when it is not in memory as a whole yet (of one that catches up: load_done wakes it), or -1 when the stream is
 * closed now.
 */
static int64_t send_piece(struct feed_stream *stream, int64_t bytes_max, bool catches_up)
{
	struct feed *feed = stream->feed;
	struct log *log = stream->partition->log;
	struct log_read_args args = {
		.offset = stream->sent_offset,
		.max_offset = INT64_MAX,
		.max_bytes = bytes_max,
		.min_one_batch = true,
		.whole_batches = true,
	};
	struct log_slice slice = {0};
	int64_t end_offset, bytes;
	int r = log_read(log, &args, &slice);

	if (r || !slice.segment)
		return give_up(stream, r);
	bytes = slice.len;
	if (catches_up && stream->load && bytes > stream->loaded_bytes) {
		log_slice_release(&slice);
		return 0;
	}
	r = log_slice_end(log, &slice, &end_offset);
	if (r) {
		log_slice_release(&slice);
		return give_up(stream, r);
	}
	r = send_append(stream, &slice);
	if (r && r != ERR_BUSY && r != ERR_CLOSED)
		return give_up(stream, r);
	/* A peer that is closed says so by on_closed. */
	feed->full = r != 0;
	feed->feeds->counters.bytes_sent += bytes;
	stream->sent_offset = end_offset;
	stream->loaded_bytes = bytes < stream->loaded_bytes ? stream->loaded_bytes - bytes : 0;
	return bytes;
}

static void pump_live(struct feed *feed)
{
	while (feed->live && !feed->full) {
		struct feed_stream *stream = feed->live;

		dequeue(stream);
		/* It goes to the end of its queue when it has more. */
		if (send_piece(stream, PIECE_BYTES_MAX, false) >= 0)
			feed_stream_wake(stream);
	}
}

/* Counts bytes of a throttled partition (0: only asks). True when no more of it may be sent for now: a timer wakes it. */
static bool is_throttled(struct feed *feed, const struct partition *partition, int64_t bytes)
{
	struct feeds *feeds = feed->feeds;
	int64_t pause_ms;

	if (!partition->lead_throttled || !feeds->throttle)
		return false;
	pause_ms = throttle_take(feeds->throttle, feeds->throttle_rate, bytes, clock_ns());
	if (pause_ms == 0)
		return false;
	feeds->counters.n_throttled++;
	timer_set_earlier(&feed->unthrottle, clock_ms() + pause_ms);
	return true;
}

void feed_on_unthrottle(struct timer *timer)
{
	struct feed *feed = CONTAINER_OF(timer, struct feed, unthrottle);
	struct feed_stream *stream, *next;

	HASH_ITER(hh, feed->streams, stream, next)
		feed_stream_wake(stream);
}

/* One piece is under way at all times: however much live data there is, it must not keep a replica from joining for good. */
static bool may_catch_up(const struct feed *feed)
{
	return feed->catch_up && (feed->catch_up_unacked == 0 || (!feed->full && feed->catch_up_unacked < feed->catch_up_window));
}

static int64_t piece_bytes(const struct feed_stream *stream)
{
	int64_t bytes = clamp(stream->feed->catch_up_window / 2, PIECE_BYTES_MIN, PIECE_BYTES_MAX);

	return stream->loaded_bytes > 0 && stream->loaded_bytes < bytes ? stream->loaded_bytes : bytes;
}

static void pump_catch_up(struct feed *feed)
{
	while (may_catch_up(feed)) {
		struct feed_stream *stream = feed->catch_up;
		int64_t bytes;

		dequeue(stream);
		if (is_throttled(feed, stream->partition, 0))
			continue;
		bytes = send_piece(stream, piece_bytes(stream), true);
		if (bytes <= 0)
			continue;
		note_piece(stream, bytes);
		is_throttled(feed, stream->partition, bytes);
		feed_stream_wake(stream);
	}
}

void feed_pump(struct feed *feed)
{
	pump_live(feed);
	pump_catch_up(feed);
	/* One that has all but the newest by now is live. */
	pump_live(feed);
}

/* ---- Advance ---- */

static void send_advance(struct feed *feed, Klamm__AdvanceMark *marks, int n)
{
	Klamm__Advance advance = KLAMM__ADVANCE__INIT;
	Klamm__AdvanceMark *pointers[ADVANCE_MARKS_MAX];
	struct buf *payload;

	for (int i = 0; i < n; i++)
		pointers[i] = &marks[i];
	advance.marks = pointers;
	advance.n_marks = (size_t)n;
	payload = buf_new(klamm__advance__get_packed_size(&advance));
	payload->len = klamm__advance__pack(&advance, payload->data);
	feed->full |= peer_send_buf(feed->peer, FRAME_ADVANCE, SLICE_NULL, payload, buf_slice(payload)) == ERR_BUSY;
	buf_release(payload);
}

/* The marks of the first stream in the list; false when they were told meanwhile. */
static bool take_mark(struct feed *feed, Klamm__AdvanceMark *mark)
{
	struct feed_stream *stream = feed->advances;
	const struct replica_core *core = &stream->partition->core;

	leave_advances(stream);
	/* What is still to be sent will carry them. */
	if (!marks_moved(stream) || stream->sent_offset < core->log_end_offset)
		return false;
	klamm__advance_mark__init(mark);
	mark->handle = stream->handle;
	mark->high_watermark = stream->told_high_watermark = core->high_watermark;
	mark->log_start = stream->told_log_start = core->log_start_offset;
	return true;
}

void feed_on_advance_timer(struct timer *timer)
{
	struct feed *feed = CONTAINER_OF(timer, struct feed, advance_timer);
	Klamm__AdvanceMark marks[ADVANCE_MARKS_MAX];
	int n = 0;

	while (feed->advances && n < ADVANCE_MARKS_MAX && !feed->full)
		if (take_mark(feed, &marks[n]))
			n++;
	if (n > 0)
		send_advance(feed, marks, n);
	if (feed->advances && !feed->full)
		timer_set(timer, clock_ms());
}
