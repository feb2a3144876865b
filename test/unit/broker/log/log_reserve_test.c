/* The reserve of a log dir: starts on a disk that is full (D10). */
#include "test/unit/broker/log/log_fixture.h"

#define RESERVE FIXTURE_PATH "/klamm.reserve"
#define FILLER "/data/filler"
#define DISK_BYTES (8 << 20)
#define RESERVE_BYTES (DISK_BYTES / 256)

static void init(struct fixture *fixture)
{
	fixture_init(fixture, 1);
	fs_mem_set_capacity(fixture->mem, DISK_BYTES);
	fixture->reserve_bytes = 1 << 30;
}

/* -1: there is none. */
static int64_t size_on_disk(struct fixture *fixture)
{
	struct fs_stat status;

	return fs_stat(fixture->fs, RESERVE, &status) == 0 ? status.size : -1;
}

static int64_t free_bytes(struct fixture *fixture)
{
	struct fs_space space;

	ck_assert_int_eq(fs_space(fixture->fs, FIXTURE_PATH, &space), 0);
	return space.free_bytes;
}

/* Leaves so much room. */
static void fill_up(struct fixture *fixture, int64_t left)
{
	int fd;

	ck_assert_int_eq(fs_open(fixture->fs, FILLER, FS_WRITE | FS_CREATE, &fd), 0);
	ck_assert_int_eq(fs_allocate(fixture->fs, fd, free_bytes(fixture) - left), 0);
	ck_assert_int_eq(fs_sync_dir(fixture->fs, "/data"), 0);
	fs_close(fixture->fs, fd);
}

static void make_room(struct fixture *fixture)
{
	ck_assert_int_eq(fs_unlink(fixture->fs, FILLER), 0);
	ck_assert_int_eq(fs_sync_dir(fixture->fs, "/data"), 0);
}

static int64_t tick(struct fixture *fixture, int64_t now_ms)
{
	int64_t wait;

	ck_assert_int_eq(log_dir_tick(fixture->dir, now_ms, &wait), 0);
	return wait;
}

/* A log with a tail that a start after a crash has to look through, and to write again. */
static void fill_log(struct fixture *fixture)
{
	fixture->config.segment_bytes = 2000;
	ck_assert_int_eq(fixture_open(fixture), 0);
	for (int i = 0; i < 30; i++)
		ck_assert_int_eq(fixture_append(fixture, 0, 1, 1000, 300), 0);
}

START_TEST(room_is_kept_after_the_first_start_and_only_a_part_of_a_small_disk)
{
	struct fixture fixture;

	init(&fixture);
	ck_assert_int_eq(fixture_open(&fixture), 0);
	ck_assert_int_eq(size_on_disk(&fixture), RESERVE_BYTES);
	ck_assert_int_eq(log_dir_reserve_bytes(fixture.dir), RESERVE_BYTES);
	ck_assert_int_eq(fixture_close(&fixture), 0);
	ck_assert_int_eq(size_on_disk(&fixture), RESERVE_BYTES);
	/* At most what is asked for; what is there is left. */
	fixture.reserve_bytes = 5000;
	ck_assert_int_eq(fixture_open(&fixture), 0);
	ck_assert_int_eq(log_dir_reserve_bytes(fixture.dir), RESERVE_BYTES);
	ck_assert_int_eq(log_dir_last_stop(fixture.dir), LOG_DIR_CLEAN);
	fixture_fini(&fixture);
}
END_TEST

START_TEST(d10_a_start_on_a_full_disk_gives_the_reserve_up)
{
	struct fixture fixture;

	for (int after_crash = 0; after_crash < 2; after_crash++) {
		init(&fixture);
		fill_log(&fixture);
		if (after_crash)
			fixture_crash(&fixture);
		else
			ck_assert_int_eq(fixture_close(&fixture), 0);
		fill_up(&fixture, 0);
		ck_assert_msg(fixture_open(&fixture) == 0, "%s", fixture.err.text);
		ck_assert_int_eq(log_end_offset(fixture.log), 30);
		ck_assert_int_eq(log_dir_n_reserves_given_up(fixture.dir), 1);
		ck_assert(!log_dir_failed(fixture.dir));
		/* Half of what the start has left of it is taken again, at once. */
		ck_assert_int_gt(size_on_disk(&fixture), RESERVE_BYTES / 4);
		ck_assert_int_lt(size_on_disk(&fixture), RESERVE_BYTES * 3 / 4);
		ck_assert_int_eq(log_dir_reserve_bytes(fixture.dir), size_on_disk(&fixture));
		fixture_fini(&fixture);
	}
}
END_TEST

/* Each write of a start may be the one that finds the disk full. */
START_TEST(d10_a_start_that_finds_the_disk_full_at_any_point_gets_to_its_end)
{
	struct fs_mem_fault full = {.calls = FS_MEM_PWRITE | FS_MEM_CREATE, .error = ERR_NO_SPACE, .times = 1};
	struct fixture fixture;
	int64_t n_hit = 1;

	for (full.skip = 0; n_hit > 0; full.skip++) {
		init(&fixture);
		fill_log(&fixture);
		fixture_crash(&fixture);
		fs_mem_add_fault(fixture.mem, &full);
		ck_assert_msg(fixture_open(&fixture) == 0, "write %d: %s", (int)full.skip, fixture.err.text);
		fs_mem_clear_faults(fixture.mem);
		ck_assert_int_eq(log_end_offset(fixture.log), 30);
		ck_assert_int_eq(fixture.seen.last_offset, 29);
		n_hit = log_dir_n_reserves_given_up(fixture.dir);
		ck_assert_int_eq(fixture_close(&fixture), 0);
		fixture_fini(&fixture);
	}
	ck_assert_int_gt(full.skip, 10);
}
END_TEST

START_TEST(where_the_reserve_is_not_enough_the_error_names_the_dir_and_what_to_do)
{
	struct fs_mem_fault full = {.calls = FS_MEM_PWRITE | FS_MEM_CREATE, .error = ERR_NO_SPACE};
	struct fixture fixture;

	init(&fixture);
	fill_log(&fixture);
	fixture_crash(&fixture);
	fs_mem_add_fault(fixture.mem, &full);
	ck_assert_int_eq(fixture_open(&fixture), ERR_NO_SPACE);
	ck_assert_ptr_nonnull(strstr(fixture.err.text, FIXTURE_PATH));
	ck_assert_ptr_nonnull(strstr(fixture.err.text, "make room"));
	ck_assert_int_eq(size_on_disk(&fixture), -1);
	fs_mem_clear_faults(fixture.mem);
	fs_mem_crash(fixture.mem);
	ck_assert_int_eq(fixture_open(&fixture), 0);
	ck_assert_int_eq(log_end_offset(fixture.log), 30);
	ck_assert_int_eq(size_on_disk(&fixture), RESERVE_BYTES);
	fixture_fini(&fixture);
}
END_TEST

START_TEST(what_was_given_up_is_taken_again_when_there_is_room_and_looked_for_once_a_minute)
{
	struct fixture fixture;
	int64_t part, wait;

	init(&fixture);
	fill_log(&fixture);
	ck_assert_int_eq(fixture_close(&fixture), 0);
	fill_up(&fixture, 0);
	ck_assert_int_eq(fixture_open(&fixture), 0);
	part = size_on_disk(&fixture);
	ck_assert_int_lt(part, RESERVE_BYTES);
	wait = tick(&fixture, 1000);
	ck_assert_int_le(wait, 60000);
	make_room(&fixture);
	/* Nothing else has to be done by then. */
	tick(&fixture, 50000);
	ck_assert_int_eq(size_on_disk(&fixture), part);
	tick(&fixture, 61000);
	ck_assert_int_eq(size_on_disk(&fixture), RESERVE_BYTES);
	tick(&fixture, 200000);
	ck_assert_int_eq(tick(&fixture, 300000), -1);
	fixture_fini(&fixture);
}
END_TEST

START_TEST(a_full_disk_keeps_the_thread_waiting_for_a_minute_at_a_time)
{
	struct fixture fixture;

	init(&fixture);
	fill_up(&fixture, 20000);
	ck_assert_int_eq(fixture_open(&fixture), 0);
	ck_assert_int_gt(log_dir_reserve_bytes(fixture.dir), 0);
	ck_assert_int_le(log_dir_reserve_bytes(fixture.dir), 10000);
	/* At first there are other things to do. */
	for (int64_t now_ms = 1000000; now_ms < 1600000; now_ms += 60000)
		tick(&fixture, now_ms);
	ck_assert_int_gt(tick(&fixture, 1600000), 1000);
	fixture_fini(&fixture);
}
END_TEST

UNIT_MAIN("broker/log/log_reserve", room_is_kept_after_the_first_start_and_only_a_part_of_a_small_disk,
	  d10_a_start_on_a_full_disk_gives_the_reserve_up, d10_a_start_that_finds_the_disk_full_at_any_point_gets_to_its_end,
	  where_the_reserve_is_not_enough_the_error_names_the_dir_and_what_to_do,
	  what_was_given_up_is_taken_again_when_there_is_room_and_looked_for_once_a_minute,
	  a_full_disk_keeps_the_thread_waiting_for_a_minute_at_a_time)
