/*
 * Writes a log dir, or reads one, so that Kafka and we can be held against each other.
 *
 *     log_writer write DIR [crash]   topics w-0..w-3 in segments small and large, every codec, transactions, an epoch change, deleted
 *                                    records, a truncation; then a clean stop, or none (crash)
 *     log_writer read DIR            one line a partition: name, log start, log end, records, CRC-32C over all records, latest epoch
 *     log_writer many DIR N          N new partitions of topic m, then a clean stop; prints the milliseconds
 *     log_writer load DIR            opens all partitions and stops cleanly; prints the milliseconds
 *     log_writer bench DIR           CPU time of an append beside a bare pwrite's
 */
#include "broker/log/fd_cache.h"
#include "broker/log/log_dir.h"
#include "common/clock.h"
#include "common/crc32c.h"
#include "common/memory.h"
#include "common/trace.h"
#include "proto/record/batch_builder.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define PID 4001

/* The state of one producer, enough for snapshots that Kafka takes. */
struct producer {
	struct producer_snapshot_entry entry; /* producer_id -1: none */
	int64_t txn_first_offset;
};

struct writer {
	struct log_dir *dir;
	struct fd_cache *fds;
	struct codec_context *codecs;
	struct producer producer;
	int64_t now_ms;
};

static void die(const char *what, int rc, const struct error *err)
{
	fprintf(stderr, "log_writer: %s: %s\n", what, err && err->code ? err->text : error_text(rc));
	exit(1);
}

static void must(int rc, const char *what, const struct error *err)
{
	if (rc < 0)
		die(what, rc, err);
}

static void reset(void *ctx)
{
	struct producer *producer = ctx;

	*producer = (struct producer){.entry = {.producer_id = -1}, .txn_first_offset = -1};
}

static void load_snapshot(void *ctx, int64_t end_offset, const struct producer_snapshot_entry *entries, int32_t n)
{
	struct producer *producer = ctx;

	(void)end_offset;
	for (int32_t i = 0; i < n; i++) {
		if (entries[i].producer_id == PID)
			producer->entry = entries[i];
	}
	producer->txn_first_offset = producer->entry.txn_first_offset;
}

static bool on_batch(void *ctx, struct slice batch, struct aborted_txn *ret_aborted)
{
	struct producer *producer = ctx;
	struct batch_header header;
	bool aborted = false;

	batch_header_parse(batch, &header);
	if (header.producer_id != PID)
		return false;
	producer->entry.producer_id = PID;
	producer->entry.producer_epoch = header.producer_epoch;
	producer->entry.timestamp = header.max_timestamp;
	if (batch_is_control(header.attributes)) {
		aborted = producer->txn_first_offset >= 0;
		*ret_aborted = (struct aborted_txn){PID, producer->txn_first_offset, header.base_offset, header.base_offset + 1};
		producer->txn_first_offset = -1;
		producer->entry.coordinator_epoch = 0;
		return aborted;
	}
	producer->entry.last_sequence = batch_last_sequence(&header);
	producer->entry.last_offset = batch_last_offset(&header);
	producer->entry.offset_delta = header.last_offset_delta;
	if (producer->entry.coordinator_epoch == 0 && !batch_is_transactional(header.attributes))
		producer->entry.coordinator_epoch = -1;
	if (batch_is_transactional(header.attributes) && producer->txn_first_offset < 0)
		producer->txn_first_offset = header.base_offset;
	return false;
}

static void take_snapshot(void *ctx, struct producer_snapshot *snapshot)
{
	struct producer *producer = ctx;

	producer->entry.txn_first_offset = producer->txn_first_offset;
	if (producer->entry.producer_id == PID)
		producer_snapshot_add(snapshot, &producer->entry);
}

static struct log_observer observer_of(struct producer *producer)
{
	reset(producer);
	return (struct log_observer){producer, reset, load_snapshot, on_batch, take_snapshot, NULL};
}

static void open_dir(struct writer *writer, const char *path)
{
	struct log_dir_args args = {.fs = fs_real(), .path = path, .broker_id = 1};
	struct error err = {0};

	writer->fds = fd_cache_new(fs_real(), 512);
	args.fds = writer->fds;
	must(log_dir_open(&args, &writer->dir, &err), "opening", &err);
	must(log_dir_scan(writer->dir, &err), "scanning", &err);
}

static void close_dir(struct writer *writer)
{
	must(log_dir_close(writer->dir), "closing", NULL);
	fd_cache_free(writer->fds);
}

/* ---- write ---- */

static struct log *create(struct writer *writer, int32_t partition, const struct log_config *config)
{
	struct uuid id = uuid_random();
	struct log_observer observer = observer_of(&writer->producer);
	struct error err = {0};
	struct log *log;

	id.bytes[0] = 'w';
	must(log_create(writer->dir, SLICE_LITERAL("w"), partition, &id, config, &observer, &log, &err), "creating", &err);
	return log;
}

static void append_bytes(struct writer *writer, struct log *log, struct slice bytes)
{
	struct log_append_info info = {.now_ms = writer->now_ms, .tell_observer = true};

	must(log_append(log, bytes.data, bytes.len, &info), "appending", NULL);
}

static void append(struct writer *writer, struct log *log, int32_t epoch, enum codec codec, int n_records, bool transactional)
{
	struct batch_spec spec = batch_spec_default();
	struct batch_builder builder;
	char value[64];

	spec.base_offset = log_end_offset(log);
	spec.leader_epoch = epoch;
	spec.codec = codec;
	spec.producer_id = PID;
	spec.producer_epoch = 0;
	spec.base_sequence = writer->producer.entry.producer_id == PID ? writer->producer.entry.last_sequence + 1 : 0;
	spec.transactional = transactional;
	batch_builder_init(&builder, &spec);
	for (int i = 0; i < n_records; i++) {
		int len = snprintf(value, sizeof value, "value %" PRId64, spec.base_offset + i);

		batch_builder_add(&builder, writer->now_ms + i, SLICE_LITERAL("key"), slice_of(value, (size_t)len), NULL, 0);
	}
	append_bytes(writer, log, batch_builder_finish(&builder, writer->codecs));
	batch_builder_fini(&builder);
	writer->now_ms += 7;
}

static void append_abort(struct writer *writer, struct log *log, int32_t epoch)
{
	struct buf *marker = batch_build_marker(CONTROL_ABORT, 0, PID, 0, writer->now_ms);

	batch_stamp(marker->data, log_end_offset(log), epoch);
	append_bytes(writer, log, buf_slice(marker));
	buf_release(marker);
}

static void write_plain(struct writer *writer, struct log *log)
{
	for (int i = 0; i < 2000; i++)
		append(writer, log, 0, (enum codec)(i % N_CODECS), 1 + i % 20, false);
	for (int i = 0; i < 2000; i++)
		append(writer, log, 3, CODEC_NONE, 1, false);
}

static void write_transactions(struct writer *writer, struct log *log)
{
	for (int i = 0; i < 300; i++) {
		append(writer, log, 0, CODEC_LZ4, 3, true);
		append_abort(writer, log, 0);
	}
}

static void write_topic(struct writer *writer, bool crash)
{
	struct log_config small = LOG_CONFIG_DEFAULT, large = LOG_CONFIG_DEFAULT;
	struct log *log;

	small.segment_bytes = 40000;
	log = create(writer, 0, &small);
	write_plain(writer, log);
	log_set_high_watermark(log, log_end_offset(log));
	log = create(writer, 1, &large);
	write_transactions(writer, log);
	log_set_high_watermark(log, log_end_offset(log));
	log = create(writer, 2, &small);
	write_plain(writer, log);
	must(log_truncate_to(log, log_end_offset(log) - 777), "truncating", NULL);
	append(writer, log, 5, CODEC_ZSTD, 10, false);
	must(log_advance_start(log, 5001), "advancing", NULL);
	log_set_high_watermark(log, log_end_offset(log));
	must(log_delete_old_segments(log, writer->now_ms), "deleting", NULL);
	create(writer, 3, &large);
	if (crash) {
		must(log_dir_sync(writer->dir), "syncing", NULL);
		exit(0);
	}
}

static int command_write(const char *path, bool crash)
{
	struct writer writer = {.codecs = codec_context_new(), .now_ms = clock_wall_ms() - 3600000};
	struct error err = {0};

	open_dir(&writer, path);
	must(log_dir_set_cluster_id(writer.dir, SLICE_LITERAL("MBzKdwGSSMGfR5T0GO2hZQ"), &err), "cluster id", &err);
	must(log_dir_load_done(writer.dir), "loading", NULL);
	write_topic(&writer, crash);
	log_dir_remove_all_due(writer.dir, clock_ms());
	close_dir(&writer);
	codec_context_free(writer.codecs);
	return 0;
}

/* ---- read ---- */

/* Counts the records of a slice and mixes them into a checksum. */
static void read_records(struct writer *writer, struct slice bytes, int64_t *n_records, uint32_t *crc)
{
	struct codec_limits limits = codec_limits_for_log();
	struct batch_header header;
	struct record_iter iter;
	struct record record;
	struct slice batch;

	while (batch_next(&bytes, &batch, &header) == 1) {
		if (!batch_crc_ok(batch))
			die("checking a batch", ERR_CORRUPT, NULL);
		must(record_iter_init(&iter, writer->codecs, batch, &limits), "reading records", NULL);
		while (record_iter_next(&iter, &record) == 1) {
			*n_records += 1;
			*crc = crc32c_extend(*crc, record.value.data, record.value.len);
		}
		record_iter_fini(&iter);
	}
}

static void read_log(struct writer *writer, struct log *log)
{
	struct log_read_args args = {.max_offset = INT64_MAX, .max_bytes = 100000, .min_one_batch = true, .whole_batches = true};
	int64_t n_records = 0;
	uint32_t crc = 0;

	args.offset = log_start_offset(log);
	while (args.offset < log_end_offset(log)) {
		struct log_slice slice;
		uint8_t *bytes;
		struct slice rest, batch;
		struct batch_header header;

		must(log_read(log, &args, &slice), "reading", NULL);
		if (!slice.segment)
			break;
		bytes = memory_alloc((size_t)slice.len);
		must(log_slice_read(&slice, 0, bytes, (size_t)slice.len), "reading a slice", NULL);
		rest = slice_of(bytes, (size_t)slice.len);
		read_records(writer, rest, &n_records, &crc);
		while (batch_next(&rest, &batch, &header) == 1)
			args.offset = batch_next_offset(&header);
		log_slice_release(&slice);
		free(bytes);
	}
	printf("%.*s-%" PRId32 " start %" PRId64 " end %" PRId64 " hw %" PRId64 " records %" PRId64 " crc %08" PRIx32 " epoch %" PRId32 "\n",
	       SLICE_ARGS(log_topic(log)), log_partition(log), log_start_offset(log), log_end_offset(log), log_high_watermark(log),
	       n_records, crc, log_latest_epoch(log));
}

static void load_all(struct writer *writer, bool read)
{
	struct log_config config = LOG_CONFIG_DEFAULT;
	int n = log_dir_n_entries(writer->dir);
	struct producer *producers = memory_zalloc((size_t)n + 1, sizeof *producers);
	struct error err = {0};
	struct log *log;

	for (int i = 0; i < n; i++) {
		struct log_observer observer = observer_of(&producers[i]);

		must(log_dir_load(writer->dir, i, &config, &observer, &log, &err), "loading", &err);
		if (read)
			read_log(writer, log);
	}
	must(log_dir_load_done(writer->dir), "loading", NULL);
	if (read)
		printf("stop %d torn %" PRId64 "\n", (int)log_dir_last_stop(writer->dir), log_dir_n_torn(writer->dir));
	close_dir(writer);
	free(producers);
}

static int command_read(const char *path)
{
	struct writer writer = {.codecs = codec_context_new()};

	open_dir(&writer, path);
	load_all(&writer, true);
	codec_context_free(writer.codecs);
	return 0;
}

static int command_load(const char *path)
{
	struct writer writer = {0};
	int64_t began = clock_ns();

	open_dir(&writer, path);
	load_all(&writer, false);
	printf("%.1f ms\n", (double)(clock_ns() - began) / 1e6);
	return 0;
}

static int command_many(const char *path, int n)
{
	struct log_config config = LOG_CONFIG_DEFAULT;
	struct writer writer = {0};
	struct uuid id = uuid_random();
	struct error err = {0};
	struct log *log;
	int64_t began;

	open_dir(&writer, path);
	must(log_dir_load_done(writer.dir), "loading", NULL);
	began = clock_ns();
	for (int i = 0; i < n; i++)
		must(log_create(writer.dir, SLICE_LITERAL("m"), i, &id, &config, NULL, &log, &err), "creating", &err);
	printf("made %.1f ms", (double)(clock_ns() - began) / 1e6);
	must(log_dir_sync(writer.dir), "syncing", NULL);
	printf(", synced %.1f ms, open files %d\n", (double)(clock_ns() - began) / 1e6, fd_cache_n_open(writer.fds));
	close_dir(&writer);
	return 0;
}

/* CPU time of this thread. */
static int64_t cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Appends n batches of a size and prints the CPU time of one, beside that of a bare pwrite to another file. */
static void bench_size(struct writer *writer, int32_t partition, size_t value_bytes, int n)
{
	struct log_config config = LOG_CONFIG_DEFAULT;
	struct log_append_info info = {.now_ms = 1};
	struct batch_spec spec = batch_spec_default();
	struct uuid id = uuid_random();
	struct batch_builder builder;
	struct error err = {0};
	struct log *log;
	char path[FS_PATH_MAX];
	uint8_t *value = memory_zalloc(1, value_bytes);
	int64_t began, bare, whole;
	int fd;

	must(log_create(writer->dir, SLICE_LITERAL("b"), partition, &id, &config, NULL, &log, &err), "creating", &err);
	spec.leader_epoch = 0;
	batch_builder_init(&builder, &spec);
	batch_builder_add(&builder, 5, SLICE_NULL, slice_of(value, value_bytes), NULL, 0);
	batch_builder_finish(&builder, NULL);
	began = cpu_ns();
	for (int i = 0; i < n; i++) {
		batch_stamp(builder.buf->data, log_end_offset(log), 0);
		must(log_append(log, builder.buf->data, builder.buf->len, &info), "appending", NULL);
	}
	whole = cpu_ns() - began;
	snprintf(path, sizeof path, "%s/bare", log_dir_path(writer->dir));
	must(fs_open(fs_real(), path, FS_WRITE | FS_CREATE | FS_TRUNCATE, &fd), "opening", NULL);
	began = cpu_ns();
	for (int i = 0; i < n; i++)
		must(fs_write_all(fs_real(), fd, builder.buf->data, builder.buf->len, (int64_t)i * (int64_t)builder.buf->len), "writing", NULL);
	bare = cpu_ns() - began;
	fs_close(fs_real(), fd);
	fs_unlink(fs_real(), path);
	printf("%zu bytes: append %.2f us, bare pwrite %.2f us, more %.2f us\n", builder.buf->len, (double)whole / n / 1e3,
	       (double)bare / n / 1e3, (double)(whole - bare) / n / 1e3);
	batch_builder_fini(&builder);
	free(value);
}

static int command_bench(const char *path)
{
	struct writer writer = {0};

	open_dir(&writer, path);
	must(log_dir_load_done(writer.dir), "loading", NULL);
	bench_size(&writer, 0, 30, 1000000);
	bench_size(&writer, 1, 16000, 20000);
	bench_size(&writer, 2, 1000000, 400);
	bench_size(&writer, 3, 30, 1000000);
	log_dir_free(writer.dir);
	fd_cache_free(writer.fds);
	return 0;
}

int main(int argc, char **argv)
{
	trace_set_level(TRACE_WARN);
	if (argc >= 3 && strcmp(argv[1], "write") == 0)
		return command_write(argv[2], argc > 3);
	if (argc == 3 && strcmp(argv[1], "read") == 0)
		return command_read(argv[2]);
	if (argc == 3 && strcmp(argv[1], "load") == 0)
		return command_load(argv[2]);
	if (argc == 3 && strcmp(argv[1], "bench") == 0)
		return command_bench(argv[2]);
	if (argc == 4 && strcmp(argv[1], "many") == 0)
		return command_many(argv[2], atoi(argv[3]));
	fprintf(stderr, "usage: log_writer write|read|load|bench DIR, log_writer many DIR N\n");
	return 2;
}
