/* One log: appending, rolling, reading, truncation, deletion, on a file system in memory. */
#include "test/unit/broker/log/log_fixture.h"

#include <string.h>

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

UNIT_MAIN("broker/log/log", what_is_appended_is_read_and_there_after_a_clean_stop)
