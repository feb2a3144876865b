/*
 * Appends of the coordinator's records.
 *
 *     write_new -> records -> write_send -> end of the turn: partition_append, parked until the high watermark is past it (G2)
 *       append_done, from inside the partition -> written -> end of the turn: ended(error) -> memory changes, in the order of the log
 *       offsets.commit.timeout.ms are over     -> timed_out: the client is told; the append stays, and what it says holds once it is committed,
 *                                                 so that memory never says less than the committed log
 *       the leadership ends                    -> writes_orphan: NOT_COORDINATOR; the append ends by itself, and is freed then
 *
 * An append on a disk that fails ends the leadership, and with it all groups of the home, from inside partition_append. So that is called by
 * nobody who works on a group.
 */
#include "broker/coord/coordinator_internal.h"

#include "common/clock.h"
#include "common/limits.h"
#include "common/trace.h"

#include <stdlib.h>
#include <utlist.h>

/* The version of Produce whose rules hold for our batches: the newest that is not about topic ids. */
#define PRODUCE_VERSION 11

static void write_free(struct coord_write *write)
{
	write->coordinator->write_bytes -= write->bytes;
	timer_stop(&write->timer);
	batch_builder_fini(&write->builder);
	arena_fini(&write->arena);
	free(write);
}

/* Out of its home and group. */
static void leave_home(struct coord_write *write)
{
	DL_DELETE(write->home->writes, write);
	write->group->n_writes--;
	write->home = NULL;
	write->group = NULL;
}

static void queue(struct coord_write *write, struct coord_queue *queue)
{
	struct coordinator *coordinator = write->home->coordinator;

	write->next_queued = NULL;
	*queue->tail = write;
	queue->tail = &write->next_queued;
	loop_defer(&coordinator->shard->worker.loop, &coordinator->settle);
}

/* NULL: it is empty. */
static struct coord_write *take(struct coord_queue *queue)
{
	struct coord_write *write = queue->first;

	if (!write)
		return NULL;
	queue->first = write->next_queued;
	if (!queue->first)
		queue->tail = &queue->first;
	return write;
}

void coord_queue_init(struct coord_queue *queue)
{
	queue->first = NULL;
	queue->tail = &queue->first;
}

/* Its outcome is known, and is worked off at the end of the turn. */
static void queue_written(struct coord_write *write)
{
	timer_stop(&write->timer);
	queue(write, &write->home->coordinator->written);
}

static void append_done(struct partition_append *append)
{
	struct coord_write *write = CONTAINER_OF(append, struct coord_write, append);

	if (write->home)
		queue_written(write);
	else
		write_free(write);
}

static void on_timer(struct timer *timer)
{
	struct coord_write *write = CONTAINER_OF(timer, struct coord_write, timer);

	if (write->timed_out)
		write->timed_out(write);
}

struct coord_write *write_new(struct group *group, int32_t sequence, void (*ended)(struct coord_write *write, int16_t error))
{
	struct coord_write *write = NEW(struct coord_write);
	struct batch_spec spec = batch_spec_default();
	struct group_home *home = group->home;
	int32_t codec = home->coordinator->shard->config->offsets_topic_compression_codec;

	spec.base_sequence = sequence;
	spec.codec = codec > CODEC_NONE && codec <= CODEC_ZSTD ? (enum codec)codec : CODEC_NONE;
	batch_builder_init(&write->builder, &spec);
	arena_init(&write->arena);
	timer_init(&write->timer, &home->coordinator->shard->worker.loop, on_timer);
	write->coordinator = home->coordinator;
	write->home = home;
	write->group = group;
	write->now_ms = clock_wall_ms();
	write->ended = ended;
	group->n_writes++;
	DL_APPEND(home->writes, write);
	return write;
}

void write_send(struct coord_write *write, int16_t acks)
{
	struct shard *shard = write->home->coordinator->shard;
	struct slice batch = batch_builder_finish(&write->builder, shard->codecs);

	write->bytes = (int64_t)(sizeof *write + write->builder.buf->cap + write->arena.total);
	write->coordinator->write_bytes += write->bytes;
	if (write->coordinator->write_bytes > LIMIT_SHARD_WRITE_BYTES) {
		trace_limited(TRACE_WARN, "coord", "no more than %lld bytes of a worker wait for the replicas of %.*s",
			      (long long)LIMIT_SHARD_WRITE_BYTES, SLICE_ARGS(write->home->partition->topic));
		write_fail(write, KAFKA_NOT_ENOUGH_REPLICAS);
		return;
	}

	write->append = (struct partition_append){
		.records = write->builder.buf->data,
		.records_len = batch.len,
		.frame = write->builder.buf,
		.acks = acks,
		.version = PRODUCE_VERSION,
		.done = append_done,
	};
	timer_set(&write->timer, clock_ms() + shard->config->offsets_commit_timeout_ms);
	queue(write, &write->home->coordinator->unsent);
}

void write_fail(struct coord_write *write, int16_t error)
{
	write->append.error = error;
	queue_written(write);
}

void write_drop(struct coord_write *write)
{
	leave_home(write);
	write_free(write);
}

void writes_orphan(struct group_home *home)
{
	struct coord_write *write, *next;

	DL_FOREACH_SAFE(home->writes, write, next) {
		if (write->call)
			coordinator_refuse(home->coordinator, write->call, KAFKA_NOT_COORDINATOR);
		write->call = NULL;
		timer_stop(&write->timer);
		leave_home(write);
	}
}

void writes_append(struct coordinator *coordinator)
{
	struct coord_write *write;

	while ((write = take(&coordinator->unsent)) != NULL) {
		if (write->home)
			partition_append(write->home->partition, &write->append);
		else
			write_free(write);
	}
}

void writes_settle(struct coordinator *coordinator)
{
	struct coord_write *write;

	while ((write = take(&coordinator->written)) != NULL) {
		if (write->home) {
			/* First, since the group may go with it. */
			DL_DELETE(write->home->writes, write);
			write->group->n_writes--;
			write->ended(write, write->append.error);
		}
		write_free(write);
	}
}
