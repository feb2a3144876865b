/* What a sync of a log dir covers, and whom it leaves alone. */
#include "test/unit/broker/log/log_fixture.h"

#include "broker/log/log_internal.h"

/* The second tick finds due what the first has seen. */
static void sync_in_background(struct fixture *fixture, int64_t *now_ms)
{
	int64_t wait;

	ck_assert_int_eq(log_dir_tick(fixture->dir, *now_ms += 10000, &wait), 0);
	ck_assert_int_eq(log_dir_tick(fixture->dir, *now_ms += 10000, &wait), 0);
}

START_TEST(the_background_sync_leaves_the_rest_of_the_file_system_alone)
{
	const struct fs_mem_fault none = {.calls = FS_MEM_SYNC_ALL, .skip = 1, .error = ERR_IO};
	struct fixture fixture;
	int64_t now_ms = 0, wait;

	fixture_init(&fixture, 1);
	ck_assert_int_eq(fixture_open(&fixture), 0);
	ck_assert_int_eq(fixture_append(&fixture, 1, 1, 1000, 50), 0);
	fs_mem_add_fault(fixture.mem, &none);
	/* A new file with its name and the name of its epochs' file needs one of all, */
	sync_in_background(&fixture, &now_ms);
	ck_assert_int_eq(log_durable_end(fixture.log), 1);
	/* and what is appended to it does not; it is on the platter all the same, */
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(fixture_append(&fixture, 1, 1, 1000, 50), 0);
		sync_in_background(&fixture, &now_ms);
		ck_assert_int_eq(log_durable_end(fixture.log), 2 + i);
	}
	/* but a file more does. */
	ck_assert_int_eq(log_roll(fixture.log, log_end_offset(fixture.log)), 0);
	ck_assert_int_eq(fixture_append(&fixture, 1, 1, 1000, 50), 0);
	ck_assert_int_eq(log_dir_tick(fixture.dir, now_ms += 10000, &wait), 0);
	ck_assert_int_eq(log_dir_tick(fixture.dir, now_ms += 10000, &wait), ERR_IO);
	ck_assert(log_dir_failed(fixture.dir));
	ck_assert_int_eq(log_durable_end(fixture.log), 4);
	fixture_power_cut(&fixture);
	fs_mem_clear_faults(fixture.mem);
	ck_assert_int_eq(fixture_open(&fixture), 0);
	ck_assert_int_ge(log_end_offset(fixture.log), 4);
	fixture_fini(&fixture);
}
END_TEST

static struct fixture *watched;
static int (*open_in_truth)(struct fs *fs, const char *path, unsigned flags, int *ret_fd);

/* The disk thread comes just before the file of the first segment is made. */
static int open_after_a_sync(struct fs *fs, const char *path, unsigned flags, int *ret_fd)
{
	if (flags & FS_CREATE && strstr(path, "00000000000000000000.log")) {
		fs->open = open_in_truth;
		ck_assert_int_eq(log_dir_sync(watched->dir), 0);
	}
	return open_in_truth(fs, path, flags, ret_fd);
}

START_TEST(a_file_that_is_made_while_a_sync_runs_is_not_taken_for_synced)
{
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct fixture fixture;
		int64_t now_ms = 0;

		fixture_init(&fixture, seed);
		ck_assert_int_eq(fixture_open(&fixture), 0);
		watched = &fixture;
		open_in_truth = fixture.fs->open;
		fixture.fs->open = open_after_a_sync;
		ck_assert_int_eq(fixture_append(&fixture, 1, 1, 1000, 50), 0);
		ck_assert(fixture.fs->open == open_in_truth);
		sync_in_background(&fixture, &now_ms);
		ck_assert_int_eq(log_durable_end(fixture.log), 1);
		fixture_power_cut(&fixture);
		ck_assert_msg(fixture_open(&fixture) == 0, "seed %d: %s", (int)seed, fixture.err.text);
		ck_assert_int_eq(log_end_offset(fixture.log), 1);
		fixture_fini(&fixture);
	}
}
END_TEST

/* Recovery writes again what may be in the page cache only; that must not put at risk what was on disk for long. */
START_TEST(the_topic_id_outlives_a_power_cut_during_recovery)
{
	for (uint64_t seed = 1; seed <= 200; seed++) {
		struct fixture fixture;
		int64_t now_ms = 0;

		fixture_init(&fixture, seed);
		ck_assert_int_eq(fixture_open(&fixture), 0);
		ck_assert_int_eq(fixture_append(&fixture, 1, 1, 1000, 50), 0);
		sync_in_background(&fixture, &now_ms);
		ck_assert_int_eq(fixture_append(&fixture, 1, 1, 1000, 50), 0);
		fixture_crash(&fixture);
		fs_mem_stop_at(fixture.mem, fs_mem_n_changes(fixture.mem) + 1 + (int64_t)(seed % 25));
		(void)fixture_open(&fixture);
		fixture_power_cut(&fixture);
		ck_assert_msg(fixture_open(&fixture) == 0, "seed %d: %s", (int)seed, fixture.err.text);
		ck_assert_msg(log_topic_id(fixture.log).bytes[3] == 9, "seed %d", (int)seed);
		fixture_fini(&fixture);
	}
}
END_TEST

START_TEST(d10_an_error_of_one_file_in_the_background_fails_the_dir)
{
	const struct fs_mem_fault fault = {.calls = FS_MEM_DATASYNC, .error = ERR_IO};
	struct fixture fixture;
	int64_t now_ms = 0, wait;

	fixture_init(&fixture, 1);
	ck_assert_int_eq(fixture_open(&fixture), 0);
	ck_assert_int_eq(fixture_append(&fixture, 1, 1, 1000, 50), 0);
	sync_in_background(&fixture, &now_ms);
	ck_assert_int_eq(fixture_append(&fixture, 1, 1, 1000, 50), 0);
	fs_mem_add_fault(fixture.mem, &fault);
	ck_assert_int_eq(log_dir_tick(fixture.dir, now_ms += 10000, &wait), 0);
	ck_assert_int_eq(log_dir_tick(fixture.dir, now_ms += 10000, &wait), ERR_IO);
	ck_assert(log_dir_failed(fixture.dir));
	ck_assert_int_eq(log_durable_end(fixture.log), 1);
	fixture_fini(&fixture);
}
END_TEST

static int (*write_out_in_truth)(struct fs *fs, int fd, int64_t pos, int64_t len, bool wait);
static int (*datasync_in_truth)(struct fs *fs, int fd);
static int64_t n_begun, n_awaited, n_under_way_max, n_at_sync;

static int write_out_counted(struct fs *fs, int fd, int64_t pos, int64_t len, bool wait)
{
	if (wait)
		n_awaited += len;
	else
		n_begun += len;
	if (n_begun - n_awaited > n_under_way_max)
		n_under_way_max = n_begun - n_awaited;
	return write_out_in_truth(fs, fd, pos, len, wait);
}

static int datasync_counted(struct fs *fs, int fd)
{
	n_at_sync = n_begun;
	return datasync_in_truth(fs, fd);
}

static void append_megabytes(struct fixture *fixture, int n)
{
	for (int i = 0; i < n; i++)
		ck_assert_int_eq(fixture_append(fixture, 1, 1, 1000, 1000000), 0);
}

START_TEST(much_is_written_out_in_steps_before_it_is_synced)
{
	struct fixture fixture;
	int64_t now_ms = 0;

	fixture_init(&fixture, 1);
	fixture.config.segment_bytes = 100 << 20;
	ck_assert_int_eq(fixture_open(&fixture), 0);
	ck_assert_int_eq(fixture_append(&fixture, 1, 1, 1000, 50), 0);
	sync_in_background(&fixture, &now_ms);
	write_out_in_truth = fixture.fs->write_out;
	datasync_in_truth = fixture.fs->datasync;
	fixture.fs->write_out = write_out_counted;
	fixture.fs->datasync = datasync_counted;
	append_megabytes(&fixture, 30);
	sync_in_background(&fixture, &now_ms);
	ck_assert_int_eq(log_durable_end(fixture.log), log_end_offset(fixture.log));
	ck_assert_int_ge(n_at_sync, 25 << 20);
	ck_assert_int_le(n_under_way_max, 8 << 20);
	/* Nothing is begun twice, and little not at all. */
	append_megabytes(&fixture, 2);
	sync_in_background(&fixture, &now_ms);
	ck_assert_int_le(n_begun, 32 << 20);
	fixture_fini(&fixture);
}
END_TEST

START_TEST(d10_what_cannot_be_written_out_fails_the_dir)
{
	const struct fs_mem_fault fault = {.calls = FS_MEM_DATASYNC, .skip = 3, .error = ERR_IO, .times = 1};
	struct fixture fixture;
	int64_t now_ms = 0, wait, durable_end;

	fixture_init(&fixture, 1);
	fixture.config.segment_bytes = 100 << 20;
	ck_assert_int_eq(fixture_open(&fixture), 0);
	ck_assert_int_eq(fixture_append(&fixture, 1, 1, 1000, 50), 0);
	sync_in_background(&fixture, &now_ms);
	durable_end = log_durable_end(fixture.log);
	append_megabytes(&fixture, 30);
	fs_mem_add_fault(fixture.mem, &fault);
	(void)log_dir_tick(fixture.dir, now_ms += 10000, &wait);
	(void)log_dir_tick(fixture.dir, now_ms += 10000, &wait);
	ck_assert(log_dir_failed(fixture.dir));
	ck_assert_int_eq(log_durable_end(fixture.log), durable_end);
	fixture_fini(&fixture);
}
END_TEST

START_TEST(a_group_commit_covers_all_that_are_prepared)
{
	struct fixture fixture;
	struct log *logs[6];
	struct uuid id = uuid_random();
	struct error err;
	int64_t n_changes;

	fixture_init(&fixture, 1);
	ck_assert_int_eq(fixture_open(&fixture), 0);
	for (int32_t i = 0; i < 6; i++) {
		struct log *mine = fixture.log;

		ck_assert_int_eq(log_create(fixture.dir, SLICE_LITERAL("u"), i, &id, &fixture.config, NULL, &logs[i], &err), 0);
		fixture.log = logs[i];
		ck_assert_int_eq(fixture_append(&fixture, 0, 1, 1000, 50), 0);
		fixture.log = mine;
		ck_assert(log_flush_prepare(logs[i]));
		ck_assert(!log_flush_prepare(logs[i]));
	}
	log_flush_run(logs[3]);
	n_changes = fs_mem_n_changes(fixture.mem);
	for (int i = 0; i < 6; i++)
		log_flush_run(logs[i]);
	ck_assert_int_eq(fs_mem_n_changes(fixture.mem), n_changes);
	for (int i = 0; i < 6; i++) {
		ck_assert_int_eq(log_flush_finish(logs[i]), 0);
		ck_assert_int_eq(log_durable_end(logs[i]), 1);
		ck_assert(!log_flush_prepare(logs[i]));
	}
	fixture_fini(&fixture);
}
END_TEST

UNIT_MAIN("broker/log/log_sync", the_background_sync_leaves_the_rest_of_the_file_system_alone,
	  a_file_that_is_made_while_a_sync_runs_is_not_taken_for_synced, the_topic_id_outlives_a_power_cut_during_recovery,
	  d10_an_error_of_one_file_in_the_background_fails_the_dir, much_is_written_out_in_steps_before_it_is_synced,
	  d10_what_cannot_be_written_out_fails_the_dir, a_group_commit_covers_all_that_are_prepared)
