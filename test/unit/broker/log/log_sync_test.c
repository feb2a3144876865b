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
	  d10_an_error_of_one_file_in_the_background_fails_the_dir, a_group_commit_covers_all_that_are_prepared)
