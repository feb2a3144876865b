/*
 * A log against a model: random work, interrupted anywhere by the end of the process or of the power, and looked at afterwards.
 *
 *     seed -> operations -> (a call of the file system fails for good, somewhere) -> crash or power cut -> recovery (interrupted, too)
 *          -> what the log holds is held against the model -> on with the next round
 *
 * After a process crash the log is what it was, give or take the operation under way. After a power cut all below the durable end is
 * what it was (S1, S14); what lies above is whole batches that were once written there, in order (S8, S15). A slice gives the bytes it
 * was made for, or none (D5). KLAMM_LOG_SEEDS: how many seeds; KLAMM_LOG_SEED: only this one;
 * KLAMM_LOG_VERBOSE: what it does. A failing seed is found with CK_FORK=no and KLAMM_LOG_VERBOSE=1.
 */
#include "test/unit/broker/log/log_fixture.h"

#include "common/clock.h"
#include "common/crc32c.h"
#include "common/memory.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define BATCHES_MAX 4000
#define SLICES_MAX 3
#define ROUNDS 4
#define OPS_PER_ROUND 40
#define SECONDS_DEFAULT 8

struct item {
	int64_t base, last, timestamp;
	int32_t epoch;
	uint32_t crc; /* of all bytes */
	size_t len;
	bool is_abort;
};

struct items {
	struct item at[BATCHES_MAX];
	int n;
};

struct held {
	struct log_slice slice;
	uint8_t *bytes;
};

struct run {
	struct fixture fixture;
	uint64_t seed;
	struct items now;      /* what the log holds, from its first segment on as far as the model knows */
	struct items ever;     /* what was ever written */
	int64_t end, start;
	int64_t promise;       /* all below is on the platter */
	int64_t least_end;     /* where the operation under way may leave the log end */
	int64_t fresh_start;   /* truncate_fully under way: the log may be empty at this offset; -1 */
	int32_t epoch;
	int64_t timestamp;
	struct held held[SLICES_MAX];
	bool has_fault;        /* syncs fail sooner or later */
	bool is_unnoted;       /* ... and the process dies before it can say so */
	int64_t n_states;
};

static int64_t roll(struct run *run, int64_t n)
{
	return (int64_t)(fs_mem_random(run->fixture.mem) % (uint64_t)n);
}

static struct item item_of(struct slice batch)
{
	struct batch_header header;

	ck_assert_int_eq(batch_header_parse(batch, &header), 0);
	return (struct item){.base = header.base_offset,
			     .last = batch_last_offset(&header),
			     .timestamp = header.max_timestamp,
			     .epoch = header.leader_epoch,
			     .crc = crc32c(batch.data, batch.len),
			     .len = batch.len,
			     .is_abort = batch_is_control(header.attributes)};
}

static void add_item(struct items *items, const struct item *item)
{
	ck_assert_int_lt(items->n, BATCHES_MAX);
	items->at[items->n++] = *item;
}

static bool same_item(const struct item *a, const struct item *b)
{
	return a->base == b->base && a->last == b->last && a->crc == b->crc;
}

static bool is_among(const struct items *items, const struct item *item)
{
	for (int i = items->n - 1; i >= 0; i--) {
		if (same_item(&items->at[i], item))
			return true;
	}
	return false;
}

/* ---- what the log holds ---- */

static void read_log(struct run *run, struct items *ret_items)
{
	struct log *log = run->fixture.log;
	struct log_read_args args = {.offset = log_start_offset(log), .max_offset = INT64_MAX, .max_bytes = 1, .min_one_batch = true};
	uint8_t bytes[8192];

	ret_items->n = 0;
	while (args.offset < log_end_offset(log)) {
		struct log_slice slice;
		struct item item;

		ck_assert_int_eq(log_read(log, &args, &slice), 0);
		if (!slice.segment)
			break;
		ck_assert_int_le(slice.len, (int64_t)sizeof bytes);
		ck_assert_int_eq(log_slice_read(&slice, 0, bytes, (size_t)slice.len), 0);
		item = item_of(slice_of(bytes, (size_t)slice.len));
		ck_assert(batch_crc_ok(slice_of(bytes, (size_t)slice.len)));
		ck_assert_int_eq(item.base, slice.first_base_offset);
		ck_assert_int_ge(item.last, args.offset);
		if (ret_items->n > 0)
			ck_assert_int_ge(item.epoch, ret_items->at[ret_items->n - 1].epoch);
		add_item(ret_items, &item);
		args.offset = item.last + 1;
		log_slice_release(&slice);
	}
	if (!run->fixture.config.cleanup_compact)
		ck_assert_int_eq(args.offset, log_end_offset(log));
}

struct aborts {
	const struct items *items;
	int at;
};

static void check_abort(void *ctx, const struct aborted_txn *aborted)
{
	struct aborts *aborts = ctx;

	while (aborts->at < aborts->items->n && !aborts->items->at[aborts->at].is_abort)
		aborts->at++;
	ck_assert_int_lt(aborts->at, aborts->items->n);
	ck_assert_int_eq(aborted->last_offset, aborts->items->at[aborts->at].last);
	aborts->at++;
}

static void check_aborts(struct run *run, const struct items *items)
{
	struct aborts aborts = {items, 0};

	if (items->n == 0)
		return;
	ck_assert_int_eq(log_aborted_between(run->fixture.log, items->at[0].base, INT64_MAX, check_abort, &aborts), 0);
	while (aborts.at < items->n)
		ck_assert(!items->at[aborts.at++].is_abort);
}

static void check_derived(struct run *run, const struct items *items)
{
	struct log *log = run->fixture.log;
	bool known = false;

	for (int i = 0; i < items->n; i++) {
		int64_t at = items->at[i].base < log_start_offset(log) ? log_start_offset(log) : items->at[i].base;

		/* Deleted records may come back with a lost checkpoint of the log start; their epochs do not. */
		known |= log_epoch_at(log, at) >= 0;
		if (known)
			ck_assert_int_eq(log_epoch_at(log, at), items->at[i].epoch);
	}
	check_aborts(run, items);
	if (items->n > 0 && items->at[items->n - 1].last + 1 == log_end_offset(log))
		ck_assert_int_eq(run->fixture.seen.last_offset, items->at[items->n - 1].last);
	ck_assert_int_le(log_start_offset(log), log_end_offset(log));
	ck_assert_int_le(log_durable_end(log), log_end_offset(log));
	ck_assert_int_le(log_high_watermark(log), log_end_offset(log));
}

static void check_time(struct run *run, const struct items *items)
{
	int64_t target = 1000 + roll(run, run->timestamp - 900), start = log_start_offset(run->fixture.log);
	struct log_time_offset found, wanted = {-1, -1, -1};

	ck_assert_int_eq(log_offset_for_time(run->fixture.log, target, &found), 0);
	for (int i = 0; i < items->n && wanted.offset < 0; i++) {
		const struct item *item = &items->at[i];

		if (item->timestamp >= target)
			wanted = (struct log_time_offset){item->timestamp, item->base < start ? start : item->base, item->epoch};
	}
	ck_assert_int_eq(found.offset, wanted.offset);
	ck_assert_int_eq(found.timestamp, wanted.timestamp);
	ck_assert_int_eq(found.epoch, wanted.epoch);
}

/* The log is exactly what the model says. */
static void check_same(struct run *run)
{
	static struct items found;
	int skip = 0;

	ck_assert_int_eq(log_end_offset(run->fixture.log), run->end);
	ck_assert_int_eq(log_start_offset(run->fixture.log), run->start);
	read_log(run, &found);
	while (skip < run->now.n && run->now.at[skip].last < run->start)
		skip++;
	ck_assert_int_eq(found.n, run->now.n - skip);
	for (int i = 0; i < found.n; i++)
		ck_assert(same_item(&found.at[i], &run->now.at[skip + i]));
	check_derived(run, &found);
	check_time(run, &found);
}

/* ---- slices that somebody is still sending ---- */

static void check_held(struct run *run)
{
	for (int i = 0; i < SLICES_MAX; i++) {
		struct held *held = &run->held[i];
		uint8_t bytes[8192];

		if (held->slice.segment && log_slice_read(&held->slice, 0, bytes, (size_t)held->slice.len) == 0)
			ck_assert_mem_eq(bytes, held->bytes, (size_t)held->slice.len);
	}
}

static void drop_held(struct run *run, int i)
{
	log_slice_release(&run->held[i].slice);
	free(run->held[i].bytes);
	run->held[i].bytes = NULL;
}

static int hold_slice(struct run *run)
{
	struct log_read_args args = {.max_offset = INT64_MAX, .max_bytes = 1 + roll(run, 3000), .min_one_batch = true};
	struct held *held = &run->held[roll(run, SLICES_MAX)];
	int rc;

	args.whole_batches = roll(run, 2);
	args.offset = run->start + roll(run, run->end - run->start + 1);
	drop_held(run, (int)(held - run->held));
	rc = log_read(run->fixture.log, &args, &held->slice);
	if (rc < 0 || !held->slice.segment)
		return rc;
	held->bytes = memory_alloc((size_t)held->slice.len);
	rc = log_slice_read(&held->slice, 0, held->bytes, (size_t)held->slice.len);
	if (rc == 0 && args.whole_batches) {
		struct slice rest = slice_of(held->bytes, (size_t)held->slice.len), batch;
		struct batch_header header;

		while (batch_next(&rest, &batch, &header) == 1)
			;
		ck_assert_uint_eq(rest.len, 0);
	}
	if (rc < 0)
		drop_held(run, (int)(held - run->held));
	return rc;
}

/* ---- operations: each returns 0, or the error that ends the process ---- */

static struct buf *make_batch(struct run *run, int64_t base)
{
	int64_t timestamp = run->timestamp + roll(run, 20) - 8;

	run->timestamp += roll(run, 4);
	if (timestamp < 1000)
		timestamp = 1000;
	if (roll(run, 12) == 0)
		return fixture_abort(base, run->epoch, timestamp);
	return fixture_batch(base, run->epoch, 1 + (int)roll(run, 4), timestamp, (size_t)roll(run, 120));
}

static int op_append(struct run *run)
{
	struct log_append_info info = {.now_ms = run->fixture.now_ms, .tell_observer = true};
	struct buf *all = buf_new(16384);
	int n = roll(run, 3) ? 1 : 1 + (int)roll(run, 8), rc;
	int64_t base = run->end;

	for (int i = 0; i < n; i++) {
		struct buf *batch;
		struct item item;

		if (run->fixture.config.cleanup_compact && roll(run, 4) == 0)
			base += roll(run, 5);
		batch = make_batch(run, base);
		item = item_of(slice_of(batch->data, batch->len));
		memcpy(all->data + all->len, batch->data, batch->len);
		all->len += batch->len;
		add_item(&run->now, &item);
		add_item(&run->ever, &item);
		base = item.last + 1;
		buf_release(batch);
		if (roll(run, 9) == 0)
			run->epoch++;
	}
	rc = log_append(run->fixture.log, all->data, all->len, &info);
	buf_release(all);
	if (rc == 0)
		run->end = base;
	if (rc == ERR_NO_SPACE) {
		/* What went into an earlier segment stays; nothing of the rest does. */
		run->end = log_end_offset(run->fixture.log);
		while (run->now.n > 0 && run->now.at[run->now.n - 1].base >= run->end)
			run->now.n--;
		return 0;
	}
	return rc;
}

static int op_full_disk(struct run *run)
{
	struct fs_space space;
	int rc;

	fs_space(run->fixture.fs, "/", &space);
	fs_mem_set_capacity(run->fixture.mem, space.total_bytes - space.free_bytes + roll(run, 400));
	rc = op_append(run);
	fs_mem_set_capacity(run->fixture.mem, INT64_MAX);
	return rc;
}

/* Between compacted batches a log ends behind the last one. */
static int64_t without_gap(const struct run *run, int64_t end)
{
	int64_t solid = run->now.n > 0 && run->now.at[0].base < end ? run->now.at[0].base : end;

	for (int i = 0; i < run->now.n && run->now.at[i].last < end; i++)
		solid = run->now.at[i].last + 1;
	return solid;
}

static void model_truncate(struct run *run, int64_t offset)
{
	int64_t end = offset;

	while (run->now.n > 0 && run->now.at[run->now.n - 1].last >= offset) {
		run->now.n--;
		end = run->now.at[run->now.n].base < end ? run->now.at[run->now.n].base : end;
	}
	run->end = end;
	if (run->promise > end)
		run->promise = end;
	if (run->start > end)
		run->start = end;
}

static int op_truncate(struct run *run)
{
	int64_t offset = run->start + roll(run, run->end - run->start + 1), before = run->promise;
	int64_t end = offset;
	int rc;

	for (int i = run->now.n - 1; i >= 0 && run->now.at[i].last >= offset; i--)
		end = run->now.at[i].base < end ? run->now.at[i].base : end;
	end = without_gap(run, end);
	/* When no batch is left the log begins anew at the base of its first segment. */
	if (run->now.n == 0 || run->now.at[0].last >= offset)
		end = 0;
	if (offset < run->end) {
		run->least_end = end;
		if (run->promise > end)
			run->promise = end;
		run->fresh_start = end;
	}
	rc = log_truncate_to(run->fixture.log, offset);
	if (rc < 0)
		return rc;
	if (offset < run->end) {
		model_truncate(run, offset);
		run->end = log_end_offset(run->fixture.log);
		run->start = log_start_offset(run->fixture.log);
		/* All of the log went: nothing is promised. */
		if (run->now.n == 0)
			run->promise = 0;
	} else {
		run->promise = before;
	}
	return 0;
}

static int op_truncate_fully(struct run *run)
{
	int64_t offset = roll(run, run->end + 50);
	int rc;

	run->least_end = 0;
	run->fresh_start = offset;
	run->promise = 0;
	rc = log_truncate_fully(run->fixture.log, offset);
	if (rc < 0)
		return rc;
	run->now.n = 0;
	run->start = run->end = offset;
	return 0;
}

static int op_advance_start(struct run *run)
{
	int64_t offset = run->start + roll(run, run->end - run->start + 1);
	int rc = log_advance_start(run->fixture.log, offset);

	if (rc == 0)
		run->start = offset;
	return rc;
}

static int op_retention(struct run *run)
{
	int rc;

	log_set_high_watermark(run->fixture.log, run->end);
	run->fixture.config.retention_bytes = roll(run, 3) ? -1 : roll(run, 8000);
	run->fixture.config.retention_ms = roll(run, 3) ? -1 : roll(run, 60);
	log_configure(run->fixture.log, &run->fixture.config);
	rc = log_delete_old_segments(run->fixture.log, run->timestamp);
	if (rc < 0)
		return rc;
	ck_assert_int_ge(log_start_offset(run->fixture.log), run->start);
	run->start = log_start_offset(run->fixture.log);
	return 0;
}

static int op_begin_epoch(struct run *run)
{
	run->epoch += 1 + (int32_t)roll(run, 2);
	log_begin_epoch(run->fixture.log, run->epoch);
	ck_assert_int_eq(log_latest_epoch(run->fixture.log), run->epoch);
	return 0;
}

static int op_flush(struct run *run)
{
	int64_t end = run->end;
	int rc = fixture_flush(&run->fixture);

	if (rc < 0)
		return rc;
	ck_assert_int_ge(log_durable_end(run->fixture.log), end);
	run->promise = end;
	return 0;
}

/* A group commit during which the owner goes on. */
static int op_flush_overtaken(struct run *run)
{
	int64_t end = run->end;
	int rc, done;

	if (!log_flush_prepare(run->fixture.log))
		return 0;
	rc = roll(run, 2) ? op_append(run) : op_truncate(run);
	log_flush_run(run->fixture.log);
	done = log_flush_finish(run->fixture.log);
	if (rc < 0 || done < 0)
		return rc < 0 ? rc : done;
	ck_assert_int_le(log_durable_end(run->fixture.log), run->end);
	if (run->end >= end && log_durable_end(run->fixture.log) >= end)
		run->promise = end;
	return 0;
}

static int op_tick(struct run *run)
{
	int64_t wait;
	int rc;

	run->fixture.now_ms += roll(run, 70000);
	rc = log_dir_tick(run->fixture.dir, run->fixture.now_ms, &wait);
	if (rc == 0 && log_durable_end(run->fixture.log) == run->end)
		run->promise = run->end;
	return rc;
}

static int op_look(struct run *run)
{
	check_same(run);
	return 0;
}

static int op_reopen(struct run *run)
{
	int rc;

	for (int i = 0; i < SLICES_MAX; i++)
		drop_held(run, i);
	rc = fixture_close(&run->fixture);
	if (rc < 0)
		return rc;
	run->promise = run->end;
	rc = fixture_open(&run->fixture);
	if (rc == 0)
		check_same(run);
	return rc;
}

typedef int op_fn(struct run *run);

static op_fn *const ops[] = {op_append,	 op_append,	  op_append,	 op_append,	   op_append, op_append, op_append,
			     op_append,	 op_append,	  op_full_disk,	 op_truncate,	   op_flush,  op_flush,	 op_flush_overtaken,
			     op_tick,	 op_tick,	  op_retention,	 op_advance_start, op_look,   op_reopen, op_begin_epoch,
			     hold_slice, hold_slice,	  op_truncate_fully};

/* ---- after the end ---- */

/* What must be there is there, and nothing that never was. */
static void check_survivors(struct run *run, const struct items *found, bool power_cut)
{
	struct log *log = run->fixture.log;
	int64_t end = log_end_offset(log), start = log_start_offset(log), from = start > run->start ? start : run->start;
	int at = 0;

	if (end != run->fresh_start) {
		ck_assert_int_ge(end, without_gap(run, run->promise));
		if (!power_cut)
			ck_assert_int_ge(end, without_gap(run, run->least_end));
	}
	for (int i = 0; i < found->n; i++)
		ck_assert(is_among(&run->ever, &found->at[i]));
	/* All below the promise (after a mere crash: all below where the operation under way may have left it) is as it was. */
	for (int i = 0; i < run->now.n; i++) {
		const struct item *item = &run->now.at[i];

		if (item->last < from || item->last >= (power_cut ? run->promise : run->least_end) || end == run->fresh_start)
			continue;
		while (at < found->n && found->at[at].base < item->base)
			at++;
		ck_assert_int_lt(at, found->n);
		ck_assert(same_item(&found->at[at], item));
	}
}

static void adopt(struct run *run, const struct items *found)
{
	run->now = *found;
	run->end = log_end_offset(run->fixture.log);
	run->start = log_start_offset(run->fixture.log);
	run->promise = log_durable_end(run->fixture.log);
	for (int i = 0; i < found->n; i++) {
		if (found->at[i].epoch > run->epoch)
			run->epoch = found->at[i].epoch;
	}
	/* Truncated epochs may come back with the next batches, but only rising ones. */
	if (log_latest_epoch(run->fixture.log) > run->epoch)
		run->epoch = log_latest_epoch(run->fixture.log);
}

/* Opens the log again, with the process ending once more or twice on the way. */
static void recover(struct run *run, bool *power_cut)
{
	for (int i = (int)roll(run, 3); i > 0; i--) {
		fs_mem_stop_at(run->fixture.mem, fs_mem_n_changes(run->fixture.mem) + 1 + roll(run, 25));
		if (fixture_open(&run->fixture) == 0)
			ck_assert_int_ge(log_end_offset(run->fixture.log), 0);
		run->n_states++;
		if (roll(run, 2)) {
			fixture_crash(&run->fixture);
		} else {
			fixture_power_cut(&run->fixture);
			*power_cut = true;
		}
	}
	ck_assert_msg(fixture_open(&run->fixture) == 0, "seed %" PRIu64 ": %s", run->seed, run->fixture.err.text);
}

static void end_and_recover(struct run *run)
{
	static struct items found, again;
	/* After a failed sync the kernel may forget what it has not written: it is as if the power had gone. */
	bool power_cut = roll(run, 2), forgets = run->has_fault && !run->is_unnoted && roll(run, 2);

	int64_t end, start;

	run->has_fault = run->is_unnoted = false;

	for (int i = 0; i < SLICES_MAX; i++)
		drop_held(run, i);
	if (power_cut)
		fixture_power_cut(&run->fixture);
	else
		fixture_crash(&run->fixture);
	if (forgets)
		fs_mem_evict(run->fixture.mem);
	power_cut |= forgets;
	recover(run, &power_cut);
	run->n_states++;
	read_log(run, &found);
	check_survivors(run, &found, power_cut);
	check_derived(run, &found);
	end = log_end_offset(run->fixture.log);
	start = log_start_offset(run->fixture.log);
	/* What recovery found it has also made durable, and a second one finds the same (S14). */
	ck_assert_int_eq(log_durable_end(run->fixture.log), end);
	fixture_power_cut(&run->fixture);
	ck_assert_msg(fixture_open(&run->fixture) == 0, "seed %" PRIu64 ": %s", run->seed, run->fixture.err.text);
	ck_assert_int_eq(log_end_offset(run->fixture.log), end);
	ck_assert_int_le(log_start_offset(run->fixture.log), start);
	read_log(run, &again);
	for (int i = 0, k = 0; i < found.n; i++) {
		while (k < again.n && again.at[k].base < found.at[i].base)
			k++;
		ck_assert(k < again.n && same_item(&again.at[k], &found.at[i]));
	}
	adopt(run, &again);
}

static void add_sync_fault(struct run *run)
{
	fs_mem_add_fault(run->fixture.mem, &(struct fs_mem_fault){.calls = FS_MEM_SYNCS, .skip = roll(run, 4), .error = ERR_IO});
	run->has_fault = true;
	run->is_unnoted = roll(run, 2);
	if (run->is_unnoted)
		fs_mem_add_fault(run->fixture.mem, &(struct fs_mem_fault){.calls = FS_MEM_CREATE, .path = "klamm.failed", .error = ERR_IO});
}

static void one_round(struct run *run)
{
	int n_ops = (int)roll(run, OPS_PER_ROUND) + 1, rc = 0;

	if (roll(run, 4))
		fs_mem_stop_at(run->fixture.mem, fs_mem_n_changes(run->fixture.mem) + 1 + roll(run, 150));
	else if (roll(run, 4) == 0)
		add_sync_fault(run);
	for (int i = 0; i < n_ops && rc == 0; i++) {
		run->least_end = run->end;
		run->fresh_start = -1;
		int op = (int)roll(run, (int64_t)(sizeof ops / sizeof ops[0]));

		if (getenv("KLAMM_LOG_VERBOSE"))
			fprintf(stderr, "op %d end %" PRId64 " start %" PRId64 " promise %" PRId64 "\n", op, run->end, run->start, run->promise);
		rc = ops[op](run);
		if (rc == 0 && fs_mem_stopped(run->fixture.mem))
			rc = ERR_IO;
		if (rc == 0)
			check_held(run);
	}
	ck_assert_msg(rc == 0 || rc == ERR_IO, "seed %" PRIu64 ": %s", run->seed, error_text(rc));
	if (rc == 0) {
		run->least_end = run->end;
		run->fresh_start = -1;
	}
	end_and_recover(run);
}

static int64_t run_seed(uint64_t seed)
{
	static struct run run;

	memset(&run, 0, sizeof run);
	run.seed = seed;
	run.epoch = 1;
	run.timestamp = 1000;
	fixture_init(&run.fixture, seed);
	run.fixture.config.segment_bytes = 300 + (int32_t)roll(&run, 3000);
	run.fixture.config.index_interval_bytes = (int32_t)roll(&run, 400);
	run.fixture.config.segment_ms = roll(&run, 3) ? 1000000 : 10 + roll(&run, 60);
	run.fixture.config.cleanup_compact = roll(&run, 4) == 0;
	run.fixture.config.preallocate = roll(&run, 8) == 0;
	run.fixture.config.file_delete_delay_ms = roll(&run, 2) ? 0 : 60000;
	ck_assert_int_eq(fixture_open(&run.fixture), 0);
	for (int i = 0; i < ROUNDS; i++)
		one_round(&run);
	for (int i = 0; i < SLICES_MAX; i++)
		drop_held(&run, i);
	ck_assert_int_eq(fixture_close(&run.fixture), 0);
	fixture_fini(&run.fixture);
	return run.n_states;
}

START_TEST(random_logs_survive_their_crashes)
{
	const char *only = getenv("KLAMM_LOG_SEED"), *many = getenv("KLAMM_LOG_SEEDS");
	int64_t until = clock_ms() + SECONDS_DEFAULT * 1000, n_states = 0;
	uint64_t n_seeds = many ? strtoull(many, NULL, 10) : UINT64_MAX, seed;

	/* Every crash is told; only who looks for one seed wants to read it. */
	if (!getenv("KLAMM_LOG_VERBOSE"))
		ck_assert_int_ge(dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), STDERR_FILENO), 0);
	if (only) {
		run_seed(strtoull(only, NULL, 10));
		return;
	}
	for (seed = 1; seed <= n_seeds && (many || clock_ms() < until); seed++) {
		/* The last words tell which seed it was. */
		if (getenv("KLAMM_LOG_VERBOSE"))
			fprintf(stderr, "seed %" PRIu64 "\n", seed);
		n_states += run_seed(seed);
	}
	printf("log_property_test: %" PRIu64 " seeds, %" PRId64 " ends survived\n", seed - 1, n_states);
}
END_TEST

UNIT_MAIN("broker/log/log_property", random_logs_survive_their_crashes)
