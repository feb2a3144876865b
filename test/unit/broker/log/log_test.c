/* One log: appending, rolling, reading, truncation, deletion, on a file system in memory. */
#include "test/unit/broker/log/log_fixture.h"

#include "broker/log/log_internal.h"

static int64_t read_at(struct fixture *fixture, int64_t offset, int64_t max_bytes, struct log_slice *ret_slice)
{
	struct log_read_args args = {.offset = offset, .max_offset = INT64_MAX, .max_bytes = max_bytes, .min_one_batch = true};

	return log_read(fixture->log, &args, ret_slice);
}

START_TEST(what_is_appended_is_read_and_there_after_a_clean_stop)
{
	struct fixture fixture;
	struct log_slice slice;
	uint8_t bytes[4096];
	struct buf *batch = fixture_batch(0, 3, 2, 5000, 50);

	fixture_init(&fixture, 1);
	ck_assert_int_eq(fixture_open(&fixture), 0);
	ck_assert_int_eq(fixture_append(&fixture, 3, 2, 5000, 50), 0);
	ck_assert_int_eq(fixture_append(&fixture, 3, 3, 5001, 50), 0);
	ck_assert_int_eq(log_end_offset(fixture.log), 5);
	ck_assert_int_eq(log_durable_end(fixture.log), 0);
	for (int round = 0; round < 2; round++) {
		ck_assert_int_eq(read_at(&fixture, 1, 10, &slice), 0);
		ck_assert_int_eq(slice.first_base_offset, 0);
		ck_assert_int_eq(slice.first_last_offset, 1);
		ck_assert_int_eq(slice.first_epoch, 3);
		ck_assert_int_eq(slice.len, (int64_t)batch->len);
		ck_assert_int_eq(log_slice_read(&slice, 0, bytes, batch->len), 0);
		ck_assert_mem_eq(bytes, batch->data, batch->len);
		log_slice_release(&slice);
		ck_assert_int_eq(read_at(&fixture, 5, 10, &slice), 0);
		ck_assert_ptr_null(slice.segment);
		ck_assert_int_eq(read_at(&fixture, 6, 10, &slice), ERR_OUT_OF_RANGE);
		if (round == 1)
			break;
		ck_assert_int_eq(fixture_close(&fixture), 0);
		ck_assert_int_eq(fixture_open(&fixture), 0);
		ck_assert_int_eq(log_dir_last_stop(fixture.dir), LOG_DIR_CLEAN);
		ck_assert_int_eq(log_end_offset(fixture.log), 5);
		ck_assert_int_eq(log_durable_end(fixture.log), 5);
		ck_assert_int_eq(log_latest_epoch(fixture.log), 3);
		ck_assert_int_eq(fixture.seen.last_offset, 4);
		ck_assert_int_eq(fixture.seen.n_batches, 0);
	}
	buf_release(batch);
	fixture_fini(&fixture);
}
END_TEST


START_TEST(a_log_rolls_by_size_time_and_offset)
{
	struct fixture fixture;
	struct buf *far;
	struct log_append_info info = {.now_ms = 1};

	fixture_init(&fixture, 1);
	fixture.config.segment_bytes = 400;
	fixture.config.segment_ms = 50;
	fixture.config.cleanup_compact = true;
	ck_assert_int_eq(fixture_open(&fixture), 0);
	ck_assert_int_eq(fixture_append(&fixture, 0, 1, 1000, 100), 0);
	ck_assert_int_eq(fixture_append(&fixture, 0, 1, 1050, 100), 0);
	ck_assert_int_eq(log_n_segments(fixture.log), 1);
	ck_assert_int_eq(fixture_append(&fixture, 0, 1, 1051, 0), 0);
	ck_assert_int_eq(log_n_segments(fixture.log), 2);
	ck_assert_int_eq(fixture_append(&fixture, 0, 1, 1051, 300), 0);
	ck_assert_int_eq(log_n_segments(fixture.log), 3);
	far = fixture_batch(INT64_C(3000000000), 0, 1, 1051, 0);
	ck_assert_int_eq(log_append(fixture.log, far->data, far->len, &info), 0);
	buf_release(far);
	ck_assert_int_eq(log_n_segments(fixture.log), 4);
	ck_assert_int_eq(log_end_offset(fixture.log), INT64_C(3000000001));
	ck_assert_int_eq(fixture_flush(&fixture), 0);
	fixture_crash(&fixture);
	ck_assert_int_eq(fixture_open(&fixture), 0);
	ck_assert_int_eq(log_end_offset(fixture.log), INT64_C(3000000001));
	fixture_fini(&fixture);
}
END_TEST

START_TEST(a_configuration_takes_effect_at_once)
{
	struct fixture fixture;

	fixture_init(&fixture, 1);
	ck_assert_int_eq(fixture_open(&fixture), 0);
	ck_assert_int_eq(fixture_append(&fixture, 0, 1, 1000, 100), 0);
	fixture.config.segment_bytes = 200;
	fixture.config.durability = LOG_FSYNC_ISR;
	log_configure(fixture.log, &fixture.config);
	ck_assert_int_eq(fixture_append(&fixture, 0, 1, 1000, 100), 0);
	ck_assert_int_eq(log_n_segments(fixture.log), 2);
	ck_assert_int_eq(log_promised_end(fixture.log), 0);
	ck_assert_int_eq(fixture_flush(&fixture), 0);
	ck_assert_int_eq(log_promised_end(fixture.log), 2);
	fixture_fini(&fixture);
}
END_TEST

START_TEST(batches_out_of_order_or_in_part_are_refused_whole)
{
	struct fixture fixture;
	struct log_append_info info = {.now_ms = 1};
	struct buf *batch = fixture_batch(5, 0, 2, 1000, 10);

	fixture_init(&fixture, 1);
	ck_assert_int_eq(fixture_open(&fixture), 0);
	ck_assert_int_eq(log_append(fixture.log, batch->data, batch->len - 1, &info), ERR_INVALID);
	ck_assert_int_eq(log_append(fixture.log, batch->data, 0, &info), ERR_INVALID);
	ck_assert_int_eq(log_append(fixture.log, batch->data, batch->len, &info), 0);
	ck_assert_int_eq(log_append(fixture.log, batch->data, batch->len, &info), ERR_INVALID);
	ck_assert_int_eq(log_end_offset(fixture.log), 7);
	buf_release(batch);
	fixture_fini(&fixture);
}
END_TEST

START_TEST(a_read_obeys_its_bounds)
{
	struct fixture fixture;
	struct log_slice slice;
	struct log_read_args args = {.offset = 0, .max_offset = 3, .max_bytes = 1000000};
	int64_t one;

	fixture_init(&fixture, 1);
	fixture.config.segment_bytes = 100000;
	ck_assert_int_eq(fixture_open(&fixture), 0);
	for (int i = 0; i < 200; i++)
		ck_assert_int_eq(fixture_append(&fixture, 0, 1, 1000, 20), 0);
	one = log_size(fixture.log) / 200;
	ck_assert_int_eq(log_read(fixture.log, &args, &slice), 0);
	ck_assert_int_eq(slice.len, 3 * one);
	log_slice_release(&slice);
	args.max_bytes = one - 1;
	ck_assert_int_eq(log_read(fixture.log, &args, &slice), 0);
	ck_assert_ptr_null(slice.segment);
	args.min_one_batch = true;
	ck_assert_int_eq(log_read(fixture.log, &args, &slice), 0);
	ck_assert_int_eq(slice.len, one);
	log_slice_release(&slice);
	args = (struct log_read_args){.offset = 2, .max_offset = INT64_MAX, .max_bytes = one * 5 + 3};
	ck_assert_int_eq(log_read(fixture.log, &args, &slice), 0);
	ck_assert_int_eq(slice.len, one * 5 + 3);
	log_slice_release(&slice);
	for (args.offset = 0; args.offset < 195; args.offset += 13) {
		args.whole_batches = true;
		ck_assert_int_eq(log_read(fixture.log, &args, &slice), 0);
		ck_assert_int_eq(slice.len, one * 5);
		ck_assert_int_eq(slice.pos, one * args.offset);
		log_slice_release(&slice);
	}
	ck_assert_int_eq(log_bytes_between(fixture.log, 3, 10, INT64_MAX), one * 7);
	ck_assert_int_eq(log_bytes_between(fixture.log, 3, 200, INT64_MAX), one * 197);
	ck_assert_int_eq(log_bytes_between(fixture.log, 3, 200, 50), 50);
	ck_assert_int_eq(log_bytes_between(fixture.log, 10, 10, 50), 0);
	fixture_fini(&fixture);
}
END_TEST

START_TEST(a_slice_of_a_deleted_segment_is_read_to_its_end)
{
	struct fixture fixture;
	struct log_slice slice;
	uint8_t before[300], after[300];
	int64_t wait;

	fixture_init(&fixture, 1);
	fixture.config.segment_bytes = 300;
	fixture.config.file_delete_delay_ms = 0;
	ck_assert_int_eq(fixture_open(&fixture), 0);
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(fixture_append(&fixture, 0, 1, 1000, 100), 0);
	ck_assert_int_eq(read_at(&fixture, 0, 300, &slice), 0);
	ck_assert_int_eq(log_slice_read(&slice, 0, before, (size_t)slice.len), 0);
	log_set_high_watermark(fixture.log, 10);
	ck_assert_int_eq(log_advance_start(fixture.log, 10), 0);
	ck_assert_int_gt(log_delete_old_segments(fixture.log, 1), 0);
	ck_assert_int_eq(log_start_offset(fixture.log), 10);
	ck_assert_int_eq(log_dir_tick(fixture.dir, 1, &wait), 0);
	ck_assert_int_eq(log_slice_read(&slice, 0, after, (size_t)slice.len), 0);
	ck_assert_mem_eq(before, after, (size_t)slice.len);
	ck_assert_int_eq(read_at(&fixture, 9, 10, &(struct log_slice){0}), ERR_OUT_OF_RANGE);
	log_free(fixture.log);
	ck_assert_int_eq(log_slice_read(&slice, 0, after, (size_t)slice.len), 0);
	log_slice_release(&slice);
	fixture_fini(&fixture);
}
END_TEST

START_TEST(a_full_disk_leaves_the_log_as_it_was)
{
	struct fixture fixture;
	struct fs_space space;

	fixture_init(&fixture, 1);
	ck_assert_int_eq(fixture_open(&fixture), 0);
	ck_assert_int_eq(fixture_append(&fixture, 0, 1, 1000, 100), 0);
	fs_space(fixture.fs, "/", &space);
	fs_mem_set_capacity(fixture.mem, space.total_bytes - space.free_bytes + 50);
	ck_assert_int_eq(fixture_append(&fixture, 0, 1, 1000, 100), ERR_NO_SPACE);
	ck_assert_int_eq(log_end_offset(fixture.log), 1);
	ck_assert(!log_dir_failed(fixture.dir));
	fs_mem_set_capacity(fixture.mem, INT64_MAX);
	ck_assert_int_eq(fixture_append(&fixture, 0, 1, 1000, 100), 0);
	ck_assert_int_eq(fixture_close(&fixture), 0);
	ck_assert_int_eq(fixture_open(&fixture), 0);
	ck_assert_int_eq(log_end_offset(fixture.log), 2);
	fixture_fini(&fixture);
}
END_TEST

static int64_t reserved_by(struct fixture *fixture)
{
	char path[FS_PATH_MAX];

	segment_path(log_active(fixture->log), LOG_FILE_LOG, path);
	return fs_mem_reserved(fixture->mem, path);
}

static void fill(struct fixture *fixture, int64_t bytes)
{
	int64_t size = log_size(fixture->log);

	while (log_size(fixture->log) < size + bytes)
		ck_assert_int_eq(fixture_append(fixture, 0, 1, 1000, 100000), 0);
}

START_TEST(blocks_are_taken_ahead_of_a_file_that_grows_and_given_back_when_it_rests)
{
	struct fixture fixture;

	fixture_init(&fixture, 1);
	fixture.config.segment_bytes = 6 << 20;
	ck_assert_int_eq(fixture_open(&fixture), 0);
	fill(&fixture, 1 << 20);
	ck_assert_int_eq(reserved_by(&fixture), 0);
	fill(&fixture, 3 << 20);
	ck_assert_int_ge(reserved_by(&fixture), log_size(fixture.log));
	ck_assert_int_lt(reserved_by(&fixture), log_size(fixture.log) * 9 / 8 + 1);
	fixture_crash(&fixture);
	ck_assert_int_eq(fixture_open(&fixture), 0);
	ck_assert_int_gt(reserved_by(&fixture), 0);
	ck_assert_int_eq(log_roll(fixture.log, log_end_offset(fixture.log)), 0);
	ck_assert_int_eq(fs_mem_reserved(fixture.mem, FIXTURE_PATH "/t-0/00000000000000000000.log"), 0);
	fill(&fixture, 5 << 20);
	ck_assert_int_eq(fixture_close(&fixture), 0);
	ck_assert_int_eq(fs_mem_reserved(fixture.mem, FIXTURE_PATH "/t-0/00000000000000000041.log"), 0);
	fixture_fini(&fixture);
}
END_TEST

START_TEST(blocks_that_are_not_to_be_had_in_advance_are_no_error)
{
	struct fixture fixture;
	struct fs_mem_fault fault = {.calls = FS_MEM_RESERVE, .error = ERR_UNSUPPORTED};

	fixture_init(&fixture, 1);
	fixture.config.segment_bytes = 6 << 20;
	fs_mem_add_fault(fixture.mem, &fault);
	ck_assert_int_eq(fixture_open(&fixture), 0);
	fill(&fixture, 4 << 20);
	ck_assert_int_eq(reserved_by(&fixture), 0);
	ck_assert_int_eq(fixture_close(&fixture), 0);
	fixture_fini(&fixture);
}
END_TEST

START_TEST(a_failing_disk_fails_the_dir_for_good)
{
	static const struct fs_mem_fault faults[] = {{.calls = FS_MEM_PWRITE, .path = ".log", .error = ERR_IO, .times = 1},
						     {.calls = FS_MEM_PWRITE, .path = ".log", .error = ERR_READ_ONLY, .times = 1},
						     {.calls = FS_MEM_SYNCS, .error = ERR_IO, .times = 1}};

	for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
		struct fixture fixture;
		int rc;

		fixture_init(&fixture, 1);
		ck_assert_int_eq(fixture_open(&fixture), 0);
		ck_assert_int_eq(fixture_append(&fixture, 0, 1, 1000, 100), 0);
		ck_assert_int_eq(fixture_flush(&fixture), 0);
		fs_mem_add_fault(fixture.mem, &faults[i]);
		rc = fixture_append(&fixture, 0, 1, 1000, 100);
		if (rc == 0)
			rc = fixture_flush(&fixture);
		ck_assert_int_eq(rc, faults[i].error);
		ck_assert(log_dir_failed(fixture.dir));
		ck_assert_int_eq(log_durable_end(fixture.log), 1);
		ck_assert_int_eq(fixture_append(&fixture, 0, 1, 1000, 100), ERR_IO);
		ck_assert_int_eq(log_dir_sync(fixture.dir), ERR_IO);
		ck_assert_int_lt(fixture_close(&fixture), 0);
		fs_mem_crash(fixture.mem);
		ck_assert_int_eq(fixture_open(&fixture), 0);
		ck_assert_int_ne(log_dir_last_stop(fixture.dir), LOG_DIR_CLEAN);
		ck_assert_int_ge(log_end_offset(fixture.log), 1);
		fixture_fini(&fixture);
	}
}
END_TEST

START_TEST(special_timestamps_are_answered_as_kafka_does)
{
	struct fixture fixture;
	struct log_time_offset found;
	int64_t offsets[10];

	fixture_init(&fixture, 1);
	fixture.config.segment_bytes = 250;
	ck_assert_int_eq(fixture_open(&fixture), 0);
	ck_assert_int_eq(log_offset_of_max_timestamp(fixture.log, &found), 0);
	ck_assert_int_eq(found.offset, -1);
	ck_assert_int_eq(log_offset_for_time(fixture.log, 0, &found), 0);
	ck_assert_int_eq(found.offset, -1);
	ck_assert_int_eq(fixture_append(&fixture, 2, 2, -1, 10), 0);
	ck_assert_int_eq(log_offset_of_max_timestamp(fixture.log, &found), 0);
	ck_assert_int_eq(found.offset, 0);
	ck_assert_int_eq(found.timestamp, -1);
	ck_assert_int_eq(fixture_append(&fixture, 2, 2, 500, 100), 0);
	ck_assert_int_eq(fixture_append(&fixture, 3, 2, 500, 100), 0);
	ck_assert_int_eq(fixture_append(&fixture, 3, 2, 400, 100), 0);
	ck_assert_int_eq(log_offset_of_max_timestamp(fixture.log, &found), 0);
	ck_assert_int_eq(found.offset, 2);
	ck_assert_int_eq(found.epoch, 2);
	ck_assert_int_eq(log_offset_for_time(fixture.log, 501, &found), 0);
	ck_assert_int_eq(found.offset, -1);
	ck_assert_int_eq(log_advance_start(fixture.log, 5), 0);
	ck_assert_int_eq(log_offset_for_time(fixture.log, 100, &found), 0);
	ck_assert_int_eq(found.offset, 5);
	ck_assert_int_eq(log_segment_offsets(fixture.log, INT64_MAX, offsets, 10), log_n_segments(fixture.log) + 1);
	ck_assert_int_eq(offsets[0], 8);
	ck_assert_int_eq(offsets[log_n_segments(fixture.log)], 5);
	ck_assert_int_eq(log_segment_offsets(fixture.log, 0, offsets, 10), 0);
	fixture_fini(&fixture);
}
END_TEST

START_TEST(a_new_epoch_is_there_without_data_and_after_truncation_is_gone)
{
	struct fixture fixture;
	struct log_epoch_end end;

	fixture_init(&fixture, 1);
	ck_assert_int_eq(fixture_open(&fixture), 0);
	log_begin_epoch(fixture.log, 4);
	end = log_end_for_epoch(fixture.log, 4);
	ck_assert_int_eq(end.epoch, 4);
	ck_assert_int_eq(end.end_offset, 0);
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(fixture_append(&fixture, 4, 1, 1000, 10), 0);
	log_begin_epoch(fixture.log, 6);
	ck_assert_int_eq(fixture_append(&fixture, 6, 3, 1000, 10), 0);
	ck_assert_int_eq(log_end_for_epoch(fixture.log, 5).end_offset, 10);
	ck_assert_int_eq(log_truncate_to(fixture.log, 12), 0);
	ck_assert_int_eq(log_end_offset(fixture.log), 10);
	ck_assert_int_eq(log_latest_epoch(fixture.log), 4);
	ck_assert_int_eq(log_n_segments(fixture.log), 2);
	ck_assert_int_eq(fixture_append(&fixture, 7, 1, 1000, 10), 0);
	ck_assert_int_eq(log_end_offset(fixture.log), 11);
	fixture_fini(&fixture);
}
END_TEST

START_TEST(an_epoch_without_a_batch_gives_way_to_older_batches_of_a_leader)
{
	struct fixture fixture;

	fixture_init(&fixture, 1);
	ck_assert_int_eq(fixture_open(&fixture), 0);
	ck_assert_int_eq(fixture_append(&fixture, 4, 10, 1000, 10), 0);
	/* It led in epoch 7 and wrote nothing; the leader of epoch 8 has batches of epoch 6. */
	log_begin_epoch(fixture.log, 7);
	ck_assert_int_eq(fixture_append(&fixture, 6, 2, 1000, 10), 0);
	ck_assert_int_eq(log_epoch_at(fixture.log, 10), 6);
	ck_assert_int_eq(log_latest_epoch(fixture.log), 6);
	ck_assert_int_eq(log_end_for_epoch(fixture.log, 4).end_offset, 10);
	fixture_fini(&fixture);
}
END_TEST

START_TEST(flush_settings_ask_for_a_flush)
{
	struct fixture fixture;

	fixture_init(&fixture, 1);
	fixture.config.flush_messages = 3;
	fixture.config.flush_ms = 500;
	ck_assert_int_eq(fixture_open(&fixture), 0);
	ck_assert(!log_flush_due(fixture.log, 100000));
	ck_assert_int_eq(fixture_append(&fixture, 0, 2, 1000, 10), 0);
	ck_assert(!log_flush_due(fixture.log, fixture.now_ms + 499));
	ck_assert(log_flush_due(fixture.log, fixture.now_ms + 500));
	ck_assert_int_eq(fixture_append(&fixture, 0, 1, 1000, 10), 0);
	ck_assert(log_flush_due(fixture.log, fixture.now_ms));
	ck_assert_int_eq(fixture_flush(&fixture), 0);
	ck_assert(!log_flush_due(fixture.log, fixture.now_ms + 1000));
	fixture_fini(&fixture);
}
END_TEST

/* The last entry of the time index that is left need not tell the newest batch that is left: no reason to read the whole segment. */
START_TEST(a_truncation_keeps_the_indexes_up_to_the_cut)
{
	struct fixture fixture;
	struct segment *segment;
	int32_t n;

	fixture_init(&fixture, 19);
	fixture.config.segment_bytes = 1 << 20;
	fixture.config.index_interval_bytes = 1000;
	ck_assert_int_eq(fixture_open(&fixture), 0);
	for (int i = 0; i < 200; i++)
		ck_assert_int_eq(fixture_append(&fixture, 0, 1, 1000 + i, 100), 0);
	segment = fixture.log->segments[0];
	n = segment->offsets.n_entries;
	ck_assert_int_gt(n, 20);
	/* Just before the last entry but one batch: some batches behind the entry before are left. */
	ck_assert_int_eq(log_truncate_to(fixture.log, 195), 0);
	ck_assert_int_ge(segment->offsets.n_entries, n - 1);
	ck_assert_int_eq(segment->max_timestamp, 1000 + 194);
	ck_assert_int_eq(segment->max_timestamp_offset, 194);
	fixture_fini(&fixture);
}
END_TEST

UNIT_MAIN("broker/log/log", what_is_appended_is_read_and_there_after_a_clean_stop, a_log_rolls_by_size_time_and_offset,
	  a_configuration_takes_effect_at_once, batches_out_of_order_or_in_part_are_refused_whole, a_read_obeys_its_bounds,
	  a_slice_of_a_deleted_segment_is_read_to_its_end, a_full_disk_leaves_the_log_as_it_was, a_failing_disk_fails_the_dir_for_good,
	  blocks_are_taken_ahead_of_a_file_that_grows_and_given_back_when_it_rests, blocks_that_are_not_to_be_had_in_advance_are_no_error,
	  special_timestamps_are_answered_as_kafka_does, a_new_epoch_is_there_without_data_and_after_truncation_is_gone,
	  an_epoch_without_a_batch_gives_way_to_older_batches_of_a_leader,
	  flush_settings_ask_for_a_flush, a_truncation_keeps_the_indexes_up_to_the_cut)
