/* A log dir: lock, identity, damage, names that come back, many partitions. */
#include "test/unit/broker/log/log_fixture.h"

#include "broker/log/dir_name.h"
#include "broker/log/run_file.h"

#include <stdio.h>
#include <stdlib.h>

static struct log_dir_args args_of(struct fixture *fixture)
{
	return (struct log_dir_args){.fs = fixture->fs, .fds = fixture->fds, .path = fixture->path, .broker_id = 1};
}

START_TEST(a_locked_dir_is_refused_and_free_after_the_end)
{
	struct fixture fixture;
	struct log_dir_args args;
	struct log_dir *other;
	struct error err;

	fixture_init(&fixture, 1);
	ck_assert_int_eq(fixture_open(&fixture), 0);
	args = args_of(&fixture);
	ck_assert_int_eq(log_dir_open(&args, &other, &err), ERR_BUSY);
	ck_assert_ptr_nonnull(strstr(err.text, "locked"));
	ck_assert_int_eq(fixture_close(&fixture), 0);
	ck_assert_int_eq(fixture_open(&fixture), 0);
	fixture_fini(&fixture);
}
END_TEST

START_TEST(the_dir_of_another_broker_or_cluster_is_refused_by_name)
{
	struct fixture fixture;
	struct log_dir_args args;
	struct log_dir *dir;
	struct error err;

	fixture_init(&fixture, 1);
	ck_assert_int_eq(fixture_open(&fixture), 0);
	ck_assert_int_eq(fixture_close(&fixture), 0);
	args = args_of(&fixture);
	args.broker_id = 2;
	ck_assert_int_eq(log_dir_open(&args, &dir, &err), ERR_CONFIG);
	ck_assert_ptr_nonnull(strstr(err.text, "broker.id=1"));
	args.broker_id = 1;
	args.cluster_id = SLICE_LITERAL("other");
	ck_assert_int_eq(log_dir_open(&args, &dir, &err), ERR_CONFIG);
	ck_assert_ptr_nonnull(strstr(err.text, "cluster.id=MBzKdwGSSMGfR5T0GO2hZQ"));
	fixture_fini(&fixture);
}
END_TEST

START_TEST(a_foreign_folder_ends_the_scan_by_name)
{
	struct fixture fixture;

	fixture_init(&fixture, 1);
	ck_assert_int_eq(fs_make_path(fixture.fs, FIXTURE_PATH "/lost+found"), 0);
	ck_assert_int_eq(fs_make_path(fixture.fs, FIXTURE_PATH "/remote-log-index-cache"), 0);
	ck_assert_int_eq(fixture_open(&fixture), 0);
	fixture_crash(&fixture);
	ck_assert_int_eq(fs_make_path(fixture.fs, FIXTURE_PATH "/backup"), 0);
	ck_assert_int_eq(fixture_open(&fixture), ERR_INVALID);
	ck_assert_ptr_nonnull(strstr(fixture.err.text, "/data/logs/backup"));
	fixture_fini(&fixture);
}
END_TEST

START_TEST(stops_are_told_apart)
{
	struct fixture fixture;

	fixture_init(&fixture, 1);
	ck_assert_int_eq(fixture_open(&fixture), 0);
	ck_assert_int_eq(log_dir_last_stop(fixture.dir), LOG_DIR_NEW);
	ck_assert_int_eq(log_dir_set_broker_epoch(fixture.dir, 77), 0);
	ck_assert_int_eq(fixture_close(&fixture), 0);
	ck_assert_int_eq(fixture_open(&fixture), 0);
	ck_assert_int_eq(log_dir_last_stop(fixture.dir), LOG_DIR_CLEAN);
	ck_assert_int_eq(log_dir_last_broker_epoch(fixture.dir), 77);
	fixture_crash(&fixture);
	ck_assert_int_eq(fixture_open(&fixture), 0);
	ck_assert_int_eq(log_dir_last_stop(fixture.dir), LOG_DIR_PROCESS_CRASH);
	fixture_power_cut(&fixture);
	ck_assert_int_eq(fixture_open(&fixture), 0);
	ck_assert_int_eq(log_dir_last_stop(fixture.dir), LOG_DIR_UNCLEAN);
	fixture_fini(&fixture);
}
END_TEST

START_TEST(what_the_controller_has_not_taken_in_is_owed_over_restarts)
{
	struct fixture fixture;

	fixture_init(&fixture, 1);
	ck_assert_int_eq(fixture_open(&fixture), 0);
	ck_assert_int_eq(log_dir_owed(fixture.dir), LOG_DIR_NEW);
	fixture_crash(&fixture);
	ck_assert_int_eq(fixture_open(&fixture), 0);
	ck_assert_int_eq(log_dir_last_stop(fixture.dir), LOG_DIR_PROCESS_CRASH);
	ck_assert_int_eq(log_dir_owed(fixture.dir), LOG_DIR_NEW);
	/* A clean stop does not settle it either. */
	ck_assert_int_eq(fixture_close(&fixture), 0);
	ck_assert_int_eq(fixture_open(&fixture), 0);
	ck_assert_int_eq(log_dir_owed(fixture.dir), LOG_DIR_NEW);
	ck_assert_int_eq(log_dir_settle(fixture.dir), 0);
	ck_assert_int_eq(log_dir_owed(fixture.dir), LOG_DIR_CLEAN);
	fixture_crash(&fixture);
	ck_assert_int_eq(fixture_open(&fixture), 0);
	ck_assert_int_eq(log_dir_owed(fixture.dir), LOG_DIR_PROCESS_CRASH);
	fixture_power_cut(&fixture);
	ck_assert_int_eq(fixture_open(&fixture), 0);
	fixture_crash(&fixture);
	ck_assert_int_eq(fixture_open(&fixture), 0);
	ck_assert_int_eq(log_dir_owed(fixture.dir), LOG_DIR_UNCLEAN);
	ck_assert_int_eq(log_dir_settle(fixture.dir), 0);
	ck_assert_int_eq(fixture_close(&fixture), 0);
	ck_assert_int_eq(fixture_open(&fixture), 0);
	ck_assert_int_eq(log_dir_owed(fixture.dir), LOG_DIR_CLEAN);
	fixture_fini(&fixture);
}
END_TEST

/* Ten batches, all on the platter with a mark, then five more. */
static void fill(struct fixture *fixture)
{
	int64_t wait;

	fixture->config.segment_bytes = 100000;
	ck_assert_int_eq(fixture_open(fixture), 0);
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(fixture_append(fixture, 0, 1, 1000, 50), 0);
	ck_assert_int_eq(log_dir_tick(fixture->dir, 1, &wait), 0);
	ck_assert_int_eq(wait, 1000);
	ck_assert_int_eq(log_dir_tick(fixture->dir, 2000, &wait), 0);
	ck_assert_int_eq(log_dir_tick(fixture->dir, 9000, &wait), 0);
	ck_assert_int_eq(log_durable_end(fixture->log), 10);
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(fixture_append(fixture, 0, 1, 1000, 50), 0);
}

#define LOG_FILE FIXTURE_PATH "/t-0/00000000000000000000.log"

/* An unclean stop: what of it was by fsync-isr since all was synced last? */
static bool cut_is_durable(struct fixture *fixture)
{
	fixture_power_cut(fixture);
	ck_assert_int_eq(fixture_open(fixture), 0);
	ck_assert_int_eq(log_dir_owed(fixture->dir), LOG_DIR_UNCLEAN);
	return log_dir_owed_is_durable(fixture->dir);
}

static void restart(struct fixture *fixture, bool durable)
{
	ck_assert_int_eq(fixture_close(fixture), 0);
	fixture->durable = durable;
	ck_assert_int_eq(fixture_open(fixture), 0);
}

START_TEST(an_unclean_stop_is_durable_only_if_every_run_was_that_may_have_lost_something)
{
	struct fixture fixture;

	fixture_init(&fixture, 1);
	ck_assert_int_eq(fixture_open(&fixture), 0);
	ck_assert_int_eq(log_dir_settle(fixture.dir), 0);
	ck_assert(!cut_is_durable(&fixture));
	ck_assert_int_eq(log_dir_settle(fixture.dir), 0);
	/* All is synced, and then by fsync-isr. */
	restart(&fixture, true);
	ck_assert(cut_is_durable(&fixture));
	ck_assert(cut_is_durable(&fixture));
	/* The configuration of now is not what counts. */
	fixture.durable = false;
	ck_assert(cut_is_durable(&fixture));
	fixture.durable = true;
	ck_assert(!cut_is_durable(&fixture));
	ck_assert(!cut_is_durable(&fixture));
	ck_assert_int_eq(log_dir_settle(fixture.dir), 0);
	ck_assert(cut_is_durable(&fixture));
	ck_assert_int_eq(log_dir_settle(fixture.dir), 0);
	/* What was acknowledged in the page cache outlives a crash of the process, and goes with the next power cut. */
	restart(&fixture, false);
	fixture_crash(&fixture);
	fixture.durable = true;
	ck_assert_int_eq(fixture_open(&fixture), 0);
	ck_assert_int_eq(log_dir_owed(fixture.dir), LOG_DIR_PROCESS_CRASH);
	ck_assert(!cut_is_durable(&fixture));
	fixture_fini(&fixture);
}
END_TEST

START_TEST(a_torn_tail_is_cut_and_damage_below_the_mark_is_not)
{
	struct fixture fixture;
	int64_t one;

	fixture_init(&fixture, 1);
	fill(&fixture);
	one = log_size(fixture.log) / 15;
	fixture_crash(&fixture);
	ck_assert(fs_mem_flip(fixture.mem, LOG_FILE, 12 * one + 70, 1));
	ck_assert_int_eq(fixture_open(&fixture), 0);
	ck_assert_int_eq(log_end_offset(fixture.log), 12);
	ck_assert_int_eq(log_dir_n_torn(fixture.dir), 1);
	fixture_crash(&fixture);
	/* A length field that leads astray is noticed without reading what was synced again. */
	ck_assert(fs_mem_flip(fixture.mem, LOG_FILE, 5 * one + 10, 1));
	ck_assert_int_eq(fixture_open(&fixture), ERR_CORRUPT);
	ck_assert_ptr_nonnull(strstr(fixture.err.text, LOG_FILE));
	fixture_crash(&fixture);
	ck_assert_int_eq(fixture_open(&fixture), ERR_CORRUPT);
	fixture_crash(&fixture);
	ck_assert(fs_mem_flip(fixture.mem, LOG_FILE, 5 * one + 10, 1));
	ck_assert_int_eq(fixture_open(&fixture), 0);
	ck_assert_int_eq(log_end_offset(fixture.log), 12);
	fixture_fini(&fixture);
}
END_TEST

/* A log whose first batch is on disk, while the sync of four more fails. note: whether the process can still say so. */
static void fail_sync(struct fixture *fixture, bool note)
{
	fixture_init(fixture, 1);
	ck_assert_int_eq(fixture_open(fixture), 0);
	ck_assert_int_eq(fixture_append(fixture, 1, 1, 1000, 100), 0);
	ck_assert_int_eq(fixture_flush(fixture), 0);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(fixture_append(fixture, i < 2 ? 1 : 3, 1, 1000, i == 3 ? 400 << 10 : 5000), 0);
	fs_mem_add_fault(fixture->mem, &(struct fs_mem_fault){.calls = FS_MEM_SYNCS, .error = ERR_IO, .times = 1});
	if (!note)
		fs_mem_add_fault(fixture->mem, &(struct fs_mem_fault){.calls = FS_MEM_CREATE, .path = "klamm.failed", .error = ERR_IO});
	ck_assert_int_eq(fixture_flush(fixture), ERR_IO);
}

START_TEST(d10_what_a_failed_sync_left_in_the_cache_only_is_written_again)
{
	struct log_epoch_end end;
	struct fixture fixture;
	struct uuid id;

	fail_sync(&fixture, false);
	fixture_crash(&fixture);
	ck_assert_int_eq(fixture_open(&fixture), 0);
	id = log_topic_id(fixture.log);
	ck_assert(!uuid_is_zero(&id));
	/* Nobody knows of the failure, but all is there. */
	ck_assert_int_eq(log_dir_last_stop(fixture.dir), LOG_DIR_PROCESS_CRASH);
	ck_assert_int_eq(log_end_offset(fixture.log), 5);
	ck_assert_int_eq(log_durable_end(fixture.log), 5);
	fixture_power_cut(&fixture);
	ck_assert_int_eq(fixture_open(&fixture), 0);
	ck_assert_int_eq(log_end_offset(fixture.log), 5);
	ck_assert_int_eq(log_durable_end(fixture.log), 5);
	end = log_end_for_epoch(fixture.log, 1);
	ck_assert_int_eq(end.end_offset, 3);
	ck_assert_int_eq(log_latest_epoch(fixture.log), 3);
	ck_assert_mem_eq(log_topic_id(fixture.log).bytes, id.bytes, sizeof id.bytes);
	fixture_fini(&fixture);
}
END_TEST

START_TEST(d10_a_failed_sync_is_noted_at_once)
{
	struct fixture fixture;
	struct fs_stat status;

	fail_sync(&fixture, true);
	ck_assert_int_eq(fs_stat(fixture.fs, FIXTURE_PATH "/klamm.failed", &status), 0);
	fixture_crash(&fixture);
	fs_mem_evict(fixture.mem);
	ck_assert_int_eq(fixture_open(&fixture), 0);
	ck_assert_int_eq(log_dir_last_stop(fixture.dir), LOG_DIR_UNCLEAN);
	ck_assert_int_eq(log_end_offset(fixture.log), 1);
	ck_assert_int_eq(fs_stat(fixture.fs, FIXTURE_PATH "/klamm.failed", &status), ERR_NOT_FOUND);
	fixture_fini(&fixture);
}
END_TEST

/* The kernel writes back by itself, and tells the next sync, be it that of another process. */
START_TEST(d10_a_write_back_that_failed_behind_our_back_is_no_mere_crash)
{
	for (int evict = 0; evict < 2; evict++) {
		struct fixture fixture;

		fixture_init(&fixture, 1);
		fill(&fixture);
		ck_assert_int_eq(fixture_append(&fixture, 1, 1, 1000, 5000), 0);
		fs_mem_fail_write_back(fixture.mem, LOG_FILE);
		fixture_crash(&fixture);
		if (evict)
			fs_mem_evict(fixture.mem);
		ck_assert_int_eq(fixture_open(&fixture), ERR_IO);
		ck_assert(log_dir_failed(fixture.dir));
		fixture_crash(&fixture);
		ck_assert_int_eq(fixture_open(&fixture), 0);
		ck_assert_int_eq(log_dir_last_stop(fixture.dir), LOG_DIR_UNCLEAN);
		ck_assert_int_eq(log_end_offset(fixture.log), evict ? 10 : 16);
		fixture_power_cut(&fixture);
		ck_assert_int_eq(fixture_open(&fixture), 0);
		ck_assert_int_eq(log_end_offset(fixture.log), evict ? 10 : 16);
		fixture_fini(&fixture);
	}
}
END_TEST

static bool run_file_says(struct fixture *fixture, const char *line)
{
	char *text;
	size_t len;
	bool says;

	ck_assert_int_eq(fs_read_file(fixture->fs, FIXTURE_PATH "/klamm.run", 10000, &text, &len), 0);
	says = strstr(text, line) != NULL;
	free(text);
	return says;
}

START_TEST(marks_are_written_again_after_so_many_bytes)
{
	struct log_dir_args args;
	struct fixture fixture;
	int64_t wait_ms;

	fixture_init(&fixture, 1);
	ck_assert_int_eq(fixture_open(&fixture), 0);
	ck_assert_int_eq(fixture_close(&fixture), 0);
	args = args_of(&fixture);
	args.sync_bytes = 1000;
	args.mark_bytes = 3000;
	ck_assert_int_eq(log_dir_open(&args, &fixture.dir, &fixture.err), 0);
	ck_assert_int_eq(log_dir_scan(fixture.dir, &fixture.err), 0);
	ck_assert_int_eq(log_dir_load(fixture.dir, 0, &fixture.config, &fixture.observer, &fixture.log, &fixture.err), 0);
	ck_assert_int_eq(log_dir_load_done(fixture.dir), 0);
	for (int i = 1; i <= 5; i++) {
		ck_assert_int_eq(fixture_append(&fixture, 1, 1, 1000, 1000), 0);
		ck_assert_int_eq(log_dir_tick(fixture.dir, 10, &wait_ms), 0);
		ck_assert_int_eq(log_durable_end(fixture.log), i);
		ck_assert_int_eq(run_file_says(&fixture, "\nt 0 3\n"), i >= 3);
	}
	fixture_fini(&fixture);
}
END_TEST

START_TEST(d11_a_mark_that_could_not_be_lowered_keeps_the_log_from_being_cut)
{
	const struct fs_mem_fault full = {.calls = FS_MEM_PWRITE | FS_MEM_CREATE, .error = ERR_NO_SPACE};
	struct fixture fixture;

	fixture_init(&fixture, 1);
	ck_assert_int_eq(fixture_open(&fixture), 0);
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(fixture_append(&fixture, 1, 1, 1000, 100), 0);
	ck_assert_int_eq(fixture_flush(&fixture), 0);
	/* Writes what is durable by now. */
	ck_assert_int_eq(log_dir_set_broker_epoch(fixture.dir, 7), 0);
	fs_mem_add_fault(fixture.mem, &full);
	ck_assert_int_eq(log_truncate_to(fixture.log, 4), ERR_NO_SPACE);
	ck_assert_int_eq(log_truncate_to(fixture.log, 4), ERR_NO_SPACE);
	fs_mem_clear_faults(fixture.mem);
	fixture_power_cut(&fixture);
	ck_assert_int_eq(fixture_open(&fixture), 0);
	ck_assert_int_eq(log_end_offset(fixture.log), 10);
	fixture_fini(&fixture);
}
END_TEST

/* After a truncation that a full disk refused. */
static void check_whole(struct fixture *fixture, const struct fs_mem_fault *full, int64_t offset)
{
	int64_t wait;

	fs_mem_add_fault(fixture->mem, full);
	ck_assert_int_eq(log_truncate_to(fixture->log, offset), ERR_NO_SPACE);
	fs_mem_clear_faults(fixture->mem);
	ck_assert_int_eq(log_end_offset(fixture->log), 10);
	/* A sync waits for its time. */
	ck_assert_int_eq(log_dir_tick(fixture->dir, 100000, &wait), 0);
	ck_assert_int_eq(log_dir_tick(fixture->dir, 200000, &wait), 0);
	ck_assert_int_eq(log_durable_end(fixture->log), 10);
}

START_TEST(d10_a_log_that_a_full_disk_keeps_from_being_cut_becomes_durable_again)
{
	const struct fs_mem_fault full = {.calls = FS_MEM_PWRITE | FS_MEM_CREATE, .error = ERR_NO_SPACE};
	const struct fs_mem_fault aside = {.calls = FS_MEM_CREATE, .path = ".swap", .error = ERR_NO_SPACE};
	struct fixture fixture;

	fixture_init(&fixture, 1);
	ck_assert_int_eq(fixture_open(&fixture), 0);
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(fixture_append(&fixture, 1, 1, 1000, 100), 0);
	ck_assert_int_eq(fixture_flush(&fixture), 0);
	ck_assert_int_eq(log_dir_set_broker_epoch(fixture.dir, 7), 0);
	check_whole(&fixture, &full, 4);
	/* All of it, when only the file that is to begin it anew cannot be made. */
	check_whole(&fixture, &aside, 0);
	ck_assert_int_eq(fixture_append(&fixture, 1, 1, 1000, 100), 0);
	fixture_power_cut(&fixture);
	ck_assert_int_eq(fixture_open(&fixture), 0);
	ck_assert_int_ge(log_end_offset(fixture.log), 10);
	fixture_fini(&fixture);
}
END_TEST

/* Above the durable mark, so that nothing has to be written before the cut; the file that goes on, or an index, finds no room. */
START_TEST(d10_a_log_that_is_cut_on_a_full_disk_is_cut_as_a_whole)
{
	static const struct fs_mem_fault full[] = {{.calls = FS_MEM_CREATE, .path = ".log", .error = ERR_NO_SPACE},
						   {.calls = FS_MEM_PWRITE, .path = "index", .error = ERR_NO_SPACE},
						   {.calls = FS_MEM_PWRITE | FS_MEM_CREATE, .error = ERR_NO_SPACE}};

	for (size_t i = 0; i < sizeof full / sizeof full[0]; i++) {
		struct fixture fixture;
		struct fs_stat status;
		int64_t size;

		fixture_init(&fixture, 1);
		fixture.config.segment_bytes = 100000;
		ck_assert_int_eq(fixture_open(&fixture), 0);
		for (int k = 0; k < 10; k++)
			ck_assert_int_eq(fixture_append(&fixture, k < 6 ? 1 : 2, 1, 1000, 100), 0);
		fs_mem_add_fault(fixture.mem, &full[i]);
		ck_assert_int_eq(log_truncate_to(fixture.log, 4), 0);
		ck_assert_int_eq(log_end_offset(fixture.log), 4);
		ck_assert_int_eq(log_latest_epoch(fixture.log), 1);
		/* The producers know nothing of what is gone: a retry of it is no duplicate. */
		ck_assert_int_eq(fixture.seen.last_offset, 3);
		ck_assert_int_eq(fs_stat(fixture.fs, LOG_FILE, &status), 0);
		size = status.size;
		ck_assert_int_eq(fixture_append(&fixture, 1, 1, 1000, 100), ERR_NO_SPACE);
		fs_mem_clear_faults(fixture.mem);
		ck_assert_int_eq(fixture_append(&fixture, 1, 1, 1000, 100), 0);
		/* Not to where other bytes were (D5). */
		ck_assert_int_eq(fs_stat(fixture.fs, LOG_FILE, &status), 0);
		ck_assert_int_eq(status.size, size);
		ck_assert_int_eq(log_n_segments(fixture.log), 2);
		ck_assert_int_eq(fixture_close(&fixture), 0);
		ck_assert_int_eq(fixture_open(&fixture), 0);
		ck_assert_int_eq(log_end_offset(fixture.log), 5);
		fixture_fini(&fixture);
	}
}
END_TEST

START_TEST(damaged_small_files_are_made_anew_from_the_batches)
{
	static const char *const files[] = {"leader-epoch-checkpoint", "00000000000000000000.index", "00000000000000000000.timeindex",
					    "00000000000000000015.snapshot", "partition.metadata"};

	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
		struct fixture fixture;
		struct log_time_offset found;
		char path[256];

		fixture_init(&fixture, 1);
		fill(&fixture);
		ck_assert_int_eq(fixture_close(&fixture), 0);
		snprintf(path, sizeof path, FIXTURE_PATH "/t-0/%s", files[i]);
		ck_assert_msg(fs_unlink(fixture.fs, path) == 0, "%s", path);
		ck_assert_int_eq(fixture_open(&fixture), 0);
		ck_assert_int_eq(log_end_offset(fixture.log), 15);
		ck_assert_int_eq(log_latest_epoch(fixture.log), 0);
		ck_assert_int_eq(fixture.seen.last_offset, 14);
		ck_assert_int_eq(log_offset_for_time(fixture.log, 1000, &found), 0);
		ck_assert_int_eq(found.offset, 0);
		fixture_crash(&fixture);
		fs_mem_flip(fixture.mem, path, 0, 0x40);
		ck_assert_int_eq(fixture_open(&fixture), 0);
		ck_assert_int_eq(log_end_offset(fixture.log), 15);
		ck_assert_int_eq(fixture.seen.last_offset, 14);
		fixture_fini(&fixture);
	}
}
END_TEST

START_TEST(damaged_checkpoints_count_as_empty)
{
	static const char *const files[] = {"log-start-offset-checkpoint", "replication-offset-checkpoint",
					    "recovery-point-offset-checkpoint", "klamm.run"};

	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
		struct fixture fixture;
		char path[256];

		fixture_init(&fixture, 1);
		fill(&fixture);
		ck_assert_int_eq(fixture_close(&fixture), 0);
		snprintf(path, sizeof path, FIXTURE_PATH "/%s", files[i]);
		ck_assert(fs_mem_flip(fixture.mem, path, 0, 0x40));
		ck_assert_int_eq(fixture_open(&fixture), 0);
		ck_assert_int_eq(log_end_offset(fixture.log), 15);
		fixture_fini(&fixture);
	}
}
END_TEST

START_TEST(a_clean_log_that_is_damaged_at_its_end_is_not_opened)
{
	struct fixture fixture;
	int fd = -1;

	fixture_init(&fixture, 1);
	fill(&fixture);
	ck_assert_int_eq(fixture_close(&fixture), 0);
	ck_assert_int_eq(fs_open(fixture.fs, LOG_FILE, FS_WRITE, &fd), 0);
	ck_assert_int_eq(fs_truncate(fixture.fs, fd, 1000), 0);
	fs_close(fixture.fs, fd);
	ck_assert_int_eq(fixture_open(&fixture), ERR_CORRUPT);
	fixture_fini(&fixture);
}
END_TEST

START_TEST(a_partition_made_again_does_not_inherit_offsets)
{
	struct fixture fixture;
	struct uuid id = uuid_random();
	struct error err;
	int64_t wait;

	fixture_init(&fixture, 1);
	fill(&fixture);
	ck_assert_int_eq(log_advance_start(fixture.log, 9), 0);
	log_set_high_watermark(fixture.log, 15);
	ck_assert_int_eq(log_dir_tick(fixture.dir, 100000, &wait), 0);
	ck_assert_int_eq(log_dir_tick(fixture.dir, 200000, &wait), 0);
	ck_assert_int_eq(log_delete(fixture.log), 0);
	fixture.observer.reset(&fixture.seen);
	ck_assert_int_eq(log_create(fixture.dir, SLICE_LITERAL("t"), 0, &id, &fixture.config, &fixture.observer, &fixture.log, &err), 0);
	ck_assert_int_eq(fixture_append(&fixture, 0, 2, 1000, 50), 0);
	fixture_crash(&fixture);
	ck_assert_int_eq(fixture_open(&fixture), 0);
	ck_assert_int_eq(log_start_offset(fixture.log), 0);
	ck_assert_int_eq(log_end_offset(fixture.log), 2);
	ck_assert_int_eq(log_high_watermark(fixture.log), 0);
	fixture_crash(&fixture);
	ck_assert_int_eq(fixture_open(&fixture), 0);
	ck_assert_int_eq(log_end_offset(fixture.log), 2);
	fixture_fini(&fixture);
}
END_TEST

START_TEST(deleted_records_do_not_come_back_once_their_start_is_kept)
{
	struct fixture fixture;
	struct uuid id = uuid_random();
	struct error err;
	int64_t n_changes, wait;

	fixture_init(&fixture, 1);
	fill(&fixture);
	/* Also of a partition that was made a moment ago under the name of another one. */
	ck_assert_int_eq(log_advance_start(fixture.log, 5), 0);
	ck_assert_int_eq(log_dir_keep_starts(fixture.dir), 0);
	ck_assert_int_eq(log_delete(fixture.log), 0);
	fixture.observer.reset(&fixture.seen);
	ck_assert_int_eq(log_create(fixture.dir, SLICE_LITERAL("t"), 0, &id, &fixture.config, &fixture.observer, &fixture.log, &err), 0);
	for (int i = 0; i < 15; i++)
		ck_assert_int_eq(fixture_append(&fixture, 0, 1, 1000, 50), 0);
	ck_assert_int_eq(log_advance_start(fixture.log, 9), 0);
	ck_assert_int_eq(log_dir_keep_starts(fixture.dir), 0);
	/* Nothing has moved since: others that come together with it have no work. */
	n_changes = fs_mem_n_changes(fixture.mem);
	ck_assert_int_eq(log_dir_keep_starts(fixture.dir), 0);
	ck_assert_int_eq(fs_mem_n_changes(fixture.mem), n_changes);
	fixture_crash(&fixture);
	ck_assert_int_eq(fixture_open(&fixture), 0);
	ck_assert_int_eq(log_start_offset(fixture.log), 9);
	ck_assert_int_eq(log_advance_start(fixture.log, 11), 0);
	ck_assert_int_eq(log_dir_keep_starts(fixture.dir), 0);
	fixture_power_cut(&fixture);
	ck_assert_int_eq(fixture_open(&fixture), 0);
	ck_assert_int_eq(log_start_offset(fixture.log), 11);
	ck_assert_int_ge(log_end_offset(fixture.log), 11);
	/* Without room it is left to the next checkpoint. */
	ck_assert_int_eq(log_advance_start(fixture.log, log_end_offset(fixture.log)), 0);
	fs_mem_set_capacity(fixture.mem, 0);
	ck_assert_int_eq(log_dir_keep_starts(fixture.dir), ERR_NO_SPACE);
	ck_assert(!log_dir_failed(fixture.dir));
	fs_mem_set_capacity(fixture.mem, INT64_MAX);
	ck_assert_int_eq(log_dir_tick(fixture.dir, 100000, &wait), 0);
	ck_assert_int_eq(log_dir_tick(fixture.dir, 200000, &wait), 0);
	fixture_crash(&fixture);
	ck_assert_int_eq(fixture_open(&fixture), 0);
	ck_assert_int_eq(log_start_offset(fixture.log), log_end_offset(fixture.log));
	fixture_fini(&fixture);
}
END_TEST

START_TEST(d10_a_partition_that_a_full_disk_keeps_from_being_made_leaves_nothing_behind)
{
	const struct fs_mem_fault full = {.calls = FS_MEM_PWRITE | FS_MEM_CREATE, .path = "u-0", .error = ERR_NO_SPACE};
	const struct uuid id = {{1}};
	struct fixture fixture;
	struct log *log;
	struct fs_stat status;
	struct error err;

	fixture_init(&fixture, 1);
	ck_assert_int_eq(fixture_open(&fixture), 0);
	fs_mem_add_fault(fixture.mem, &full);
	ck_assert_int_eq(log_create(fixture.dir, SLICE_LITERAL("u"), 0, &id, &fixture.config, NULL, &log, &err), ERR_NO_SPACE);
	ck_assert_int_eq(fs_stat(fixture.fs, FIXTURE_PATH "/u-0", &status), ERR_NOT_FOUND);
	fs_mem_clear_faults(fixture.mem);
	ck_assert_int_eq(log_create(fixture.dir, SLICE_LITERAL("u"), 0, &id, &fixture.config, NULL, &log, &err), 0);
	fixture_fini(&fixture);
}
END_TEST

START_TEST(d8_a_name_that_is_kept_away_does_not_come_back)
{
	/* Of some seeds a power cut would bring it back otherwise. */
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct fixture fixture;
		struct fs_stat status;

		fixture_init(&fixture, seed);
		fill(&fixture);
		ck_assert_int_eq(log_dir_sync(fixture.dir), 0);
		ck_assert_int_eq(log_delete(fixture.log), 0);
		log_dir_keep_names(fixture.dir);
		fixture_power_cut(&fixture);
		ck_assert_int_eq(fs_stat(fixture.fs, FIXTURE_PATH "/t-0", &status), ERR_NOT_FOUND);
		fixture_fini(&fixture);
	}
}
END_TEST

START_TEST(a_deleted_partition_is_renamed_and_removed_after_the_delay)
{
	struct fixture fixture;
	struct fs_stat status;
	int64_t wait;

	fixture_init(&fixture, 1);
	fill(&fixture);
	ck_assert_int_eq(log_delete(fixture.log), 0);
	ck_assert_int_eq(fs_stat(fixture.fs, FIXTURE_PATH "/t-0", &status), ERR_NOT_FOUND);
	ck_assert_int_eq(log_dir_tick(fixture.dir, 10000, &wait), 0);
	ck_assert_int_eq(log_dir_tick(fixture.dir, 69999, &wait), 0);
	ck_assert_int_eq(wait, 1);
	fixture_crash(&fixture);
	ck_assert_int_eq(fixture_open(&fixture), 0);
	ck_assert_int_eq(log_end_offset(fixture.log), 0);
	log_dir_remove_all_due(fixture.dir, 1);
	fixture_fini(&fixture);
}
END_TEST

static void count_wake(void *ctx)
{
	int *n = ctx;

	*n += 1;
}

START_TEST(an_idle_dir_has_nothing_to_do)
{
	struct fixture fixture;
	int64_t wait = 0, n_changes;
	int n_wakes = 0;

	fixture_init(&fixture, 1);
	fill(&fixture);
	log_dir_set_wake(fixture.dir, count_wake, &n_wakes);
	for (int64_t now = 100000; now < 400000; now += 20000)
		ck_assert_int_eq(log_dir_tick(fixture.dir, now, &wait), 0);
	ck_assert_int_eq(wait, -1);
	n_changes = fs_mem_n_changes(fixture.mem);
	ck_assert_int_eq(log_dir_tick(fixture.dir, 1000000, &wait), 0);
	ck_assert_int_eq(fs_mem_n_changes(fixture.mem), n_changes);
	ck_assert_int_eq(n_wakes, 0);
	ck_assert_int_eq(fixture_append(&fixture, 0, 1, 1000, 50), 0);
	ck_assert_int_eq(fixture_append(&fixture, 0, 1, 1000, 50), 0);
	ck_assert_int_eq(n_wakes, 1);
	fixture_fini(&fixture);
}
END_TEST

START_TEST(many_idle_partitions_hold_no_file)
{
	struct fixture fixture;
	struct uuid id = uuid_random();
	struct error err;
	struct log *log;

	fixture_init_real(&fixture, unit_temp_dir());
	ck_assert_int_eq(fixture_open(&fixture), 0);
	for (int32_t i = 1; i < 500; i++) {
		ck_assert_int_eq(log_create(fixture.dir, SLICE_LITERAL("t"), i, &id, &fixture.config, NULL, &log, &err), 0);
		ck_assert_int_eq(log_create(fixture.dir, SLICE_LITERAL("t"), i, &id, &fixture.config, NULL, &log, &err), ERR_EXISTS);
	}
	ck_assert_int_eq(fd_cache_n_open(fixture.fds), 0);
	ck_assert_int_eq(fixture_append(&fixture, 0, 1, 1000, 50), 0);
	ck_assert_int_eq(fixture_close(&fixture), 0);
	ck_assert_int_eq(fixture_open(&fixture), 0);
	ck_assert_int_eq(fd_cache_n_open(fixture.fds), 0);
	fixture_fini(&fixture);
}
END_TEST

/* A start that does not come to the loading of the logs, and a stop. */
static void open_and_close(struct fixture *fixture)
{
	struct log_dir_args args = args_of(fixture);
	struct log_dir *dir;
	struct error err;

	ck_assert_int_eq(log_dir_open(&args, &dir, &err), 0);
	ck_assert_int_eq(log_dir_close(dir), 0);
}

START_TEST(a_dir_that_was_not_loaded_is_left_as_it_was_found)
{
	struct fixture fixture;
	struct log_dir_args args;
	int64_t one;

	fixture_init(&fixture, 1);
	fill(&fixture);
	one = log_size(fixture.log) / 15;
	fixture_crash(&fixture);
	ck_assert(fs_mem_flip(fixture.mem, LOG_FILE, 12 * one + 70, 1));
	/* Such a stop vouches for nothing: the torn tail is found by the next start. */
	open_and_close(&fixture);
	open_and_close(&fixture);
	args = args_of(&fixture);
	ck_assert_int_eq(log_dir_open(&args, &fixture.dir, &fixture.err), 0);
	ck_assert_int_eq(log_dir_scan(fixture.dir, &fixture.err), 0);
	ck_assert_int_eq(log_dir_close(fixture.dir), 0);
	ck_assert_int_eq(fixture_open(&fixture), 0);
	ck_assert_int_ne(log_dir_last_stop(fixture.dir), LOG_DIR_CLEAN);
	ck_assert_int_eq(log_end_offset(fixture.log), 12);
	/* And a clean stop stays one. */
	ck_assert_int_eq(fixture_close(&fixture), 0);
	open_and_close(&fixture);
	ck_assert_int_eq(fixture_open(&fixture), 0);
	ck_assert_int_eq(log_dir_last_stop(fixture.dir), LOG_DIR_CLEAN);
	ck_assert_int_eq(log_end_offset(fixture.log), 12);
	ck_assert_int_eq(log_durable_end(fixture.log), 12);
	fixture_fini(&fixture);
}
END_TEST

START_TEST(a_damaged_partition_stays_offline_after_a_clean_stop)
{
	struct log_dir_args args;
	struct fixture fixture;
	int64_t one;

	fixture_init(&fixture, 1);
	fill(&fixture);
	one = log_size(fixture.log) / 15;
	fixture_crash(&fixture);
	ck_assert(fs_mem_flip(fixture.mem, LOG_FILE, 5 * one + 10, 1));
	for (int i = 0; i < 2; i++) {
		args = args_of(&fixture);
		ck_assert_int_eq(log_dir_open(&args, &fixture.dir, &fixture.err), 0);
		ck_assert_int_eq(log_dir_scan(fixture.dir, &fixture.err), 0);
		ck_assert_int_eq(log_dir_load(fixture.dir, 0, &fixture.config, &fixture.observer, &fixture.log, &fixture.err), ERR_CORRUPT);
		ck_assert_int_eq(log_dir_load_done(fixture.dir), 0);
		ck_assert_int_eq(fixture_close(&fixture), 0);
	}
	/* The operator restores the file. */
	ck_assert(fs_mem_flip(fixture.mem, LOG_FILE, 5 * one + 10, 1));
	ck_assert_int_eq(fixture_open(&fixture), 0);
	ck_assert_int_eq(log_end_offset(fixture.log), 15);
	ck_assert_int_eq(fixture_close(&fixture), 0);
	ck_assert_int_eq(fixture_open(&fixture), 0);
	ck_assert_int_eq(log_dir_last_stop(fixture.dir), LOG_DIR_CLEAN);
	fixture_fini(&fixture);
}
END_TEST

static int count_strays(void *ctx, const char *name, bool is_dir)
{
	int *n = ctx;

	*n += is_dir && dir_name_parse(slice_of_text(name)).kind == DIR_STRAY;
	return 0;
}

START_TEST(what_is_set_aside_stays_and_leaves_nothing_to_a_new_partition_of_its_name)
{
	struct fixture fixture;
	struct fs_stat status;
	char path[FS_PATH_MAX];
	int n = 0;

	fixture_init(&fixture, 1);
	fill(&fixture);
	ck_assert_int_eq(log_set_aside(fixture.log, path), 0);
	fixture.log = NULL;
	log_dir_keep_names(fixture.dir);
	fixture_power_cut(&fixture);
	/* A mark of the old one would be above the end of this. */
	ck_assert_int_eq(fixture_open(&fixture), 0);
	ck_assert_int_eq(log_end_offset(fixture.log), 0);
	ck_assert_int_eq(fixture_append(&fixture, 0, 1, 1000, 50), 0);
	fixture_crash(&fixture);
	ck_assert_msg(fixture_open(&fixture) == 0, "%s", fixture.err.text);
	ck_assert_int_eq(log_end_offset(fixture.log), 1);
	ck_assert_int_eq(fs_list(fixture.fs, FIXTURE_PATH, count_strays, &n), 0);
	ck_assert_int_eq(n, 1);
	strcat(path, "/00000000000000000000.log");
	ck_assert_int_eq(fs_stat(fixture.fs, path, &status), 0);
	ck_assert_int_gt(status.size, 0);
	fixture_fini(&fixture);
}
END_TEST

START_TEST(the_last_use_is_known_unless_another_program_came_between)
{
	struct run_use use = {.broker_epoch = 12, .n_away = 1}, read;
	struct fixture fixture;

	fixture_init(&fixture, 1);
	ck_assert_int_eq(fixture_open(&fixture), 0);
	ck_assert(!log_dir_last_use(fixture.dir, &read));
	log_dir_set_use(fixture.dir, &use);
	ck_assert_int_eq(log_dir_settle(fixture.dir), 0);
	fixture_power_cut(&fixture);
	ck_assert_int_eq(fixture_open(&fixture), 0);
	ck_assert(log_dir_last_use(fixture.dir, &read));
	ck_assert_int_eq(read.broker_epoch, 12);
	ck_assert_int_eq(read.n_away, 1);
	/* What is made says so before it is there. */
	use.n_away = 2;
	log_dir_set_use(fixture.dir, &use);
	ck_assert_int_eq(log_delete(fixture.log), 0);
	fixture.log = NULL;
	ck_assert_int_eq(log_create(fixture.dir, SLICE_LITERAL("t"), 0, &UUID_ZERO, &fixture.config, &fixture.observer, &fixture.log,
				    &fixture.err), 0);
	fixture_power_cut(&fixture);
	ck_assert_int_eq(fixture_open(&fixture), 0);
	ck_assert(log_dir_last_use(fixture.dir, &read));
	ck_assert_int_eq(read.n_away, 2);
	ck_assert_int_eq(fixture_close(&fixture), 0);
	ck_assert_int_eq(fs_replace_file(fixture.fs, FIXTURE_PATH "/replication-offset-checkpoint", "0\n0\n", 4, FS_SYNC), 0);
	ck_assert_int_eq(fixture_open(&fixture), 0);
	ck_assert(!log_dir_last_use(fixture.dir, &read));
	fixture_fini(&fixture);
}
END_TEST

UNIT_MAIN("broker/log/log_dir", what_is_set_aside_stays_and_leaves_nothing_to_a_new_partition_of_its_name,
	  the_last_use_is_known_unless_another_program_came_between, a_dir_that_was_not_loaded_is_left_as_it_was_found,
	  a_damaged_partition_stays_offline_after_a_clean_stop, a_locked_dir_is_refused_and_free_after_the_end, the_dir_of_another_broker_or_cluster_is_refused_by_name,
	  a_foreign_folder_ends_the_scan_by_name, stops_are_told_apart, what_the_controller_has_not_taken_in_is_owed_over_restarts,
	  an_unclean_stop_is_durable_only_if_every_run_was_that_may_have_lost_something, a_torn_tail_is_cut_and_damage_below_the_mark_is_not,
	  d11_a_mark_that_could_not_be_lowered_keeps_the_log_from_being_cut,
	  d10_a_log_that_a_full_disk_keeps_from_being_cut_becomes_durable_again,
	  d10_a_log_that_is_cut_on_a_full_disk_is_cut_as_a_whole, d10_what_a_failed_sync_left_in_the_cache_only_is_written_again, d10_a_failed_sync_is_noted_at_once,
	  d10_a_write_back_that_failed_behind_our_back_is_no_mere_crash, marks_are_written_again_after_so_many_bytes,
	  damaged_small_files_are_made_anew_from_the_batches, damaged_checkpoints_count_as_empty,
	  a_clean_log_that_is_damaged_at_its_end_is_not_opened, a_partition_made_again_does_not_inherit_offsets,
	  deleted_records_do_not_come_back_once_their_start_is_kept, d8_a_name_that_is_kept_away_does_not_come_back,
	  d10_a_partition_that_a_full_disk_keeps_from_being_made_leaves_nothing_behind,
	  a_deleted_partition_is_renamed_and_removed_after_the_delay, an_idle_dir_has_nothing_to_do, many_idle_partitions_hold_no_file)
