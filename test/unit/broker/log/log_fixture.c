/* What the tests of logs share; see log_fixture.h. */
#include "test/unit/broker/log/log_fixture.h"

#include <stdlib.h>

static void reset(void *ctx)
{
	struct seen *seen = ctx;

	seen->n_resets++;
	seen->last_offset = -1;
	seen->n_batches = 0;
	seen->next = 0;
	seen->snapshot = -1;
}

static void load_snapshot(void *ctx, int64_t end_offset, const struct producer_snapshot_entry *entries, int32_t n)
{
	struct seen *seen = ctx;

	ck_assert_int_le(n, 1);
	if (n == 1) {
		ck_assert_int_eq(entries[0].producer_id, FIXTURE_PID);
		seen->last_offset = entries[0].last_offset;
		ck_assert_int_lt(seen->last_offset, end_offset);
	}
	/* The batch that holds the end offset of a snapshot may begin below it only when it was cut. */
	seen->next = end_offset;
	seen->snapshot = end_offset;
}

static bool on_batch(void *ctx, struct slice batch, struct aborted_txn *ret_aborted)
{
	struct seen *seen = ctx;
	struct batch_header header;

	ck_assert_int_eq(batch_header_parse(batch, &header), 0);
	ck_assert_int_ge(header.base_offset, seen->next);
	seen->next = batch_next_offset(&header);
	seen->last_offset = batch_last_offset(&header);
	seen->n_batches++;
	if (!batch_is_control(header.attributes))
		return false;
	ck_assert_uint_eq(batch.len, header.size);
	*ret_aborted = (struct aborted_txn){FIXTURE_PID, header.base_offset > 2 ? header.base_offset - 2 : 0, seen->last_offset,
					    seen->next};
	return true;
}

static void take_snapshot(void *ctx, struct producer_snapshot *snapshot)
{
	struct seen *seen = ctx;
	struct producer_snapshot_entry entry = {.producer_id = FIXTURE_PID, .last_offset = seen->last_offset, .txn_first_offset = -1};

	if (seen->last_offset >= 0)
		producer_snapshot_add(snapshot, &entry);
}

static void init(struct fixture *fixture)
{
	fixture->fds = fd_cache_new(fixture->fs, 4);
	fixture->config = LOG_CONFIG_DEFAULT;
	fixture->config.segment_bytes = 2000;
	fixture->config.index_interval_bytes = 200;
	fixture->config.retention_ms = -1;
	fixture->observer = (struct log_observer){.ctx = &fixture->seen,
						  .reset = reset,
						  .load_snapshot = load_snapshot,
						  .on_batch = on_batch,
						  .take_snapshot = take_snapshot};
	fixture->now_ms = 1000;
	fixture->seen.last_offset = -1;
}

void fixture_init(struct fixture *fixture, uint64_t seed)
{
	*fixture = (struct fixture){.mem = fs_mem_new(seed), .path = FIXTURE_PATH};
	fixture->fs = fs_mem_fs(fixture->mem);
	init(fixture);
	fs_make_path(fixture->fs, "/data");
}

void fixture_init_real(struct fixture *fixture, const char *path)
{
	*fixture = (struct fixture){.fs = fs_real(), .path = path};
	init(fixture);
}

void fixture_fini(struct fixture *fixture)
{
	log_dir_free(fixture->dir);
	fd_cache_free(fixture->fds);
	if (fixture->mem)
		fs_mem_free(fixture->mem);
}

static int load(struct fixture *fixture)
{
	int rc = log_dir_scan(fixture->dir, &fixture->err);
	struct uuid id = UUID_ZERO;

	id.bytes[3] = 9;
	for (int i = 0; rc == 0 && i < log_dir_n_entries(fixture->dir); i++) {
		ck_assert_str_eq(log_dir_entry(fixture->dir, i)->topic, "t");
		if (log_dir_entry(fixture->dir, i)->is_stray)
			continue;
		rc = log_dir_load(fixture->dir, i, &fixture->config, &fixture->observer, &fixture->log, &fixture->err);
	}
	if (rc == 0)
		rc = log_dir_load_done(fixture->dir);
	if (rc == 0 && !fixture->log)
		rc = log_create(fixture->dir, SLICE_LITERAL("t"), 0, &id, &fixture->config, &fixture->observer, &fixture->log,
				&fixture->err);
	return rc;
}

int fixture_open(struct fixture *fixture)
{
	struct log_dir_args args = {.fs = fixture->fs,
				    .fds = fixture->fds,
				    .path = fixture->path,
				    .broker_id = 1,
				    .durable = fixture->durable,
				    .reserve_bytes = fixture->reserve_bytes,
				    .cluster_id = SLICE_LITERAL("MBzKdwGSSMGfR5T0GO2hZQ")};
	int rc;

	fixture->err.code = 0;
	reset(&fixture->seen);
	fixture->log = NULL;
	rc = log_dir_open(&args, &fixture->dir, &fixture->err);
	if (rc < 0)
		fixture->dir = NULL;
	return rc < 0 ? rc : load(fixture);
}

int fixture_close(struct fixture *fixture)
{
	int rc = log_dir_close(fixture->dir);

	fixture->dir = NULL;
	fixture->log = NULL;
	return rc;
}

static void forget(struct fixture *fixture)
{
	log_dir_free(fixture->dir);
	fixture->dir = NULL;
	fixture->log = NULL;
}

void fixture_crash(struct fixture *fixture)
{
	forget(fixture);
	if (fixture->mem)
		fs_mem_crash(fixture->mem);
}

void fixture_power_cut(struct fixture *fixture)
{
	forget(fixture);
	fs_mem_power_cut(fixture->mem);
}

struct buf *fixture_batch(int64_t base_offset, int32_t epoch, int n_records, int64_t timestamp, size_t value_bytes)
{
	struct batch_spec spec = batch_spec_default();
	struct batch_builder builder;
	uint8_t *value = calloc(1, value_bytes + 1);

	spec.base_offset = base_offset;
	spec.leader_epoch = epoch;
	spec.producer_id = FIXTURE_PID;
	spec.producer_epoch = 0;
	spec.base_sequence = (int32_t)base_offset;
	for (size_t i = 0; i < value_bytes; i++)
		value[i] = (uint8_t)((uint64_t)base_offset * 31 + (uint64_t)epoch * 7 + i);
	batch_builder_init(&builder, &spec);
	for (int i = 0; i < n_records; i++)
		batch_builder_add(&builder, timestamp, SLICE_NULL, slice_of(value, value_bytes), NULL, 0);
	batch_builder_finish(&builder, NULL);
	free(value);
	return batch_builder_take(&builder);
}

struct buf *fixture_abort(int64_t base_offset, int32_t epoch, int64_t timestamp)
{
	struct buf *buf = batch_build_marker(CONTROL_ABORT, 0, FIXTURE_PID, 0, timestamp);

	batch_stamp(buf->data, base_offset, epoch);
	return buf;
}

int fixture_append(struct fixture *fixture, int32_t epoch, int n_records, int64_t timestamp, size_t value_bytes)
{
	struct buf *batch = fixture_batch(log_end_offset(fixture->log), epoch, n_records, timestamp, value_bytes);
	struct log_append_info info = {.now_ms = fixture->now_ms, .tell_observer = true};
	int rc = log_append(fixture->log, batch->data, batch->len, &info);

	buf_release(batch);
	return rc;
}

int fixture_flush(struct fixture *fixture)
{
	if (!log_flush_prepare(fixture->log))
		return 0;
	log_flush_run(fixture->log);
	return log_flush_finish(fixture->log);
}
