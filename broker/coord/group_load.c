/*
 * Reading what a partition of the offsets topic says of its groups, when it begins to be led here.
 *
 *     begin: from the log start to the log end of that moment
 *       read_more  log_read on the owner -> bytes on the reading thread (they may be cold) -> apply, some milliseconds a turn -> read_more ...
 *       at the end: AWAITING, until the high watermark has reached it. Kafka serves at once; but what is not committed may be lost with this
 *                   leader, and an offset that was told once would go back then (G2, G3)
 *       then INSTALLING: the newest record of each group becomes its members, and SERVING
 *
 * In order of the log: an offset or a group overrides what was there, a tombstone removes it, an offset of a transaction waits for its marker.
 * Records of other protocols are left alone, damaged ones are told and stepped over. What the reading thread brings when the leadership has
 * ended belongs to a load that was given up: it never meets a later load of the same partition (D13).
 */
#include "broker/coord/coordinator_internal.h"

#include "broker/log/log.h"
#include "common/clock.h"
#include "common/trace.h"

#include <stdlib.h>

/* All loads together, which may be fifty after a failover, hold up a turn of the loop for no longer; each goes on a little in any case. */
#define TURN_MS 5
/* When the log could not be read. */
#define AGAIN_MS 1000
/* What is read at a time, at least one batch; offsets.load.buffer.size where that is less. */
#define CHUNK_BYTES (1 << 20)

struct group_load {
	struct disk_job job;
	struct group_home *home; /* NULL: given up; it goes when the job is back */
	struct codec_context *codecs;
	struct timer timer;      /* the next step */
	struct partition_watch watch; /* AWAITING */
	int64_t began_ms;
	int64_t next_offset, end_offset;
	bool reading;            /* the job is out */
	struct log_slice slice;
	int64_t slice_end;       /* offset behind it */
	uint8_t *bytes;
	int error;               /* of the job */
	struct slice rest;       /* of bytes: not yet applied */
	struct group *installed_next;
	int64_t n_records;
	int64_t n_damaged;
};

static void load_free(struct group_load *load)
{
	codec_context_free(load->codecs);
	free(load->bytes);
	free(load);
}

/* ---- what a record says ---- */

static void note_damage(struct group_load *load, int64_t offset, const char *what)
{
	load->n_damaged++;
	trace_limited(TRACE_ERROR, "coord", "%.*s-%d: %s at offset %lld cannot be read, and is passed over",
		      SLICE_ARGS(load->home->partition->topic), load->home->key.index, what, (long long)offset);
}

static void apply_offset(struct group_load *load, const struct group_record *record, int64_t offset, int64_t producer_id)
{
	struct group *group = group_obtain(load->home, record->group);
	struct offset_value value = {
		.offset = record->offset.offset,
		.leader_epoch = record->offset.leader_epoch,
		.metadata = record->offset.metadata,
		.commit_ms = record->offset.commit_timestamp,
		.expire_ms = record->offset.expire_timestamp,
	};

	if (producer_id >= 0 && record->tombstone)
		txn_offsets_remove(group, producer_id, record->topic, record->partition);
	else if (producer_id >= 0)
		txn_offsets_add(group, producer_id, record->topic, record->partition, &value, offset);
	else if (record->tombstone)
		group_remove_offset(group, record->topic, record->partition, offset);
	else
		group_set_offset(group, record->topic, record->partition, &value, offset);
}

static void apply_group(struct group_load *load, const struct group_record *record, struct slice value)
{
	struct group *group = group_obtain(load->home, record->group);

	free(group->loaded);
	group->loaded = NULL;
	group->loaded_len = value.len;
	if (record->tombstone)
		return;
	group->loaded = memory_alloc(value.len ? value.len : 1);
	memcpy(group->loaded, value.data, value.len);
}

static void apply_record(struct group_load *load, const struct record *bytes, int64_t producer_id, struct arena *arena)
{
	struct group_record record;

	load->n_records++;
	group_record_parse(bytes->key, bytes->value, arena, &record);
	switch (record.kind) {
	case GROUP_RECORD_OFFSET:
		apply_offset(load, &record, bytes->offset, producer_id);
		break;
	case GROUP_RECORD_GROUP:
		apply_group(load, &record, bytes->value);
		break;
	case GROUP_RECORD_DAMAGED:
		note_damage(load, bytes->offset, "a record");
		break;
	case GROUP_RECORD_FOREIGN:
		break;
	}
}

static void apply_marker(struct group_load *load, struct record_iter *iter, const struct batch_header *header)
{
	struct record record;
	int32_t coordinator_epoch;
	int16_t type;

	if (record_iter_next(iter, &record) == 1 && record_control_parse(&record, &type, &coordinator_epoch))
		txn_offsets_end(load->home, header->producer_id, type == CONTROL_COMMIT);
	else
		note_damage(load, header->base_offset, "a marker");
}

static void apply_batch(struct group_load *load, struct slice batch, const struct batch_header *header)
{
	struct codec_limits limits = codec_limits_for_log();
	int64_t producer_id = batch_is_transactional(header->attributes) ? header->producer_id : -1;
	struct record_iter iter;
	struct record record;
	struct arena arena;
	int r;

	if (!batch_crc_ok(batch) || record_iter_init(&iter, load->codecs, batch, &limits)) {
		note_damage(load, header->base_offset, "a batch");
		return;
	}
	if (batch_is_control(header->attributes)) {
		apply_marker(load, &iter, header);
		record_iter_fini(&iter);
		return;
	}
	while ((r = record_iter_next(&iter, &record)) == 1) {
		arena_init(&arena);
		apply_record(load, &record, producer_id, &arena);
		arena_fini(&arena);
	}
	if (r)
		note_damage(load, header->base_offset, "a batch");
	record_iter_fini(&iter);
}

/* ---- installing and serving ---- */

static void load_over(struct group_load *load)
{
	struct group_home *home = load->home;
	struct group_counters *counters = home->coordinator->counters;
	int64_t took_ms = clock_ms() - load->began_ms;

	if (load->n_records)
		trace_info("coord", "%.*s-%d: coordinator of %u groups in leader epoch %d: %lld records in %lld ms",
			   SLICE_ARGS(home->partition->topic), home->key.index, HASH_COUNT(home->groups), home->leader_epoch,
			   (long long)load->n_records, (long long)took_ms);
	counters->n_loads++;
	counters->load_ms += took_ms;
	counters->n_damaged += load->n_damaged;
	if (took_ms > counters->load_ms_max)
		counters->load_ms_max = took_ms;
	home->load = NULL;
	home->state = HOME_SERVING;
	load_free(load);
}

static int64_t turn_ends_ms(const struct group_load *load)
{
	return load->home->coordinator->shard->worker.loop.turn_ms + TURN_MS;
}

static void install_some(struct group_load *load)
{
	int64_t until_ms = turn_ends_ms(load);

	while (load->installed_next) {
		struct group *group = load->installed_next;

		load->installed_next = group->hh.next;
		group_install(group);
		if (clock_ms() >= until_ms)
			break;
	}
	if (load->installed_next)
		timer_set(&load->timer, clock_ms());
	else
		load_over(load);
}

static void on_high_watermark(struct partition_watch *watch)
{
	struct group_load *load = CONTAINER_OF(watch, struct group_load, watch);
	struct group_home *home = load->home;

	if (home->partition->core.high_watermark < load->end_offset) {
		partition_watch(home->partition, watch);
		return;
	}
	home->state = HOME_INSTALLING;
	load->installed_next = home->groups;
	timer_set(&load->timer, clock_ms());
}

/* ---- reading ---- */

static void read_run(struct disk_job *job)
{
	struct group_load *load = CONTAINER_OF(job, struct group_load, job);

	load->error = log_slice_read(&load->slice, 0, load->bytes, (size_t)load->slice.len);
}

static void read_done(struct disk_job *job)
{
	struct group_load *load = CONTAINER_OF(job, struct group_load, job);

	if (!load->home) {
		log_slice_release(&load->slice);
		load_free(load);
		return;
	}
	load->reading = false;
	if (!load->error)
		load->rest = slice_of(load->bytes, (size_t)load->slice.len);
	log_slice_release(&load->slice);
	timer_set(&load->timer, load->error ? clock_ms() + AGAIN_MS : clock_ms());
}

/* The batches of the log from next_offset on; an empty slice at the end. */
static int find_more(struct group_load *load)
{
	struct log *log = load->home->partition->log;
	int32_t buffer_bytes = load->home->coordinator->shard->config->offsets_load_buffer_size;
	struct log_read_args args = {
		.offset = load->next_offset,
		.max_offset = load->end_offset,
		.max_bytes = buffer_bytes < CHUNK_BYTES ? buffer_bytes : CHUNK_BYTES,
		.min_one_batch = true,
		.whole_batches = true,
	};
	int r;

	if (args.offset < log_start_offset(log))
		args.offset = log_start_offset(log);
	r = log_read(log, &args, &load->slice);
	if (r || !load->slice.segment)
		return r;
	r = log_slice_end(log, &load->slice, &load->slice_end);
	if (r)
		log_slice_release(&load->slice);
	return r;
}

static void read_more(struct group_load *load)
{
	struct group_home *home = load->home;
	int r = load->next_offset < load->end_offset ? find_more(load) : 0;

	if (r) {
		trace_limited(TRACE_ERROR, "coord", "%.*s-%d: cannot be read at offset %lld: %s; tried again", SLICE_ARGS(home->partition->topic),
			      home->key.index, (long long)load->next_offset, error_text(r));
		timer_set(&load->timer, clock_ms() + AGAIN_MS);
		return;
	}
	if (load->next_offset >= load->end_offset || !load->slice.segment) {
		home->state = HOME_AWAITING;
		on_high_watermark(&load->watch);
		return;
	}
	load->bytes = memory_grow(load->bytes, (size_t)load->slice.len);
	load->reading = true;
	load->job = (struct disk_job){.run = read_run, .done = read_done, .reply_to = &home->coordinator->shard->worker};
	disk_post_read(home->partition->disk, &load->job);
}

static void apply_some(struct group_load *load)
{
	int64_t until_ms = turn_ends_ms(load);
	struct batch_header header;
	struct slice batch;
	int r;

	while ((r = batch_next(&load->rest, &batch, &header)) == 1) {
		apply_batch(load, batch, &header);
		if (clock_ms() >= until_ms)
			break;
	}
	if (r < 0)
		note_damage(load, load->next_offset, "what lies behind a batch");
	if (r <= 0) {
		load->rest = SLICE_NULL;
		load->next_offset = load->slice_end;
	}
	timer_set(&load->timer, clock_ms());
}

static void on_timer(struct timer *timer)
{
	struct group_load *load = CONTAINER_OF(timer, struct group_load, timer);

	if (load->home->state == HOME_INSTALLING)
		install_some(load);
	else if (load->rest.data)
		apply_some(load);
	else
		read_more(load);
}

void group_load_begin(struct group_home *home)
{
	struct group_load *load = NEW(struct group_load);

	load->home = home;
	load->codecs = codec_context_new();
	load->began_ms = clock_ms();
	load->next_offset = log_start_offset(home->partition->log);
	load->end_offset = log_end_offset(home->partition->log);
	load->watch.fired = on_high_watermark;
	timer_init(&load->timer, &home->coordinator->shard->worker.loop, on_timer);
	timer_set(&load->timer, load->began_ms);
	home->load = load;
}

void group_load_give_up(struct group_load *load)
{
	timer_stop(&load->timer);
	partition_unwatch(&load->watch);
	load->home = NULL;
	if (!load->reading)
		load_free(load);
}
