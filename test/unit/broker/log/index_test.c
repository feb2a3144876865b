/* Files of sorted entries, the two indexes on them, and the cache of descriptors below. */
#include "test/lib/unit.h"

#include "broker/log/fd_cache.h"
#include "broker/log/offset_index.h"
#include "broker/log/time_index.h"
#include "common/error.h"
#include "common/memory.h"
#include "test/lib/fs_mem.h"

#include <stdio.h>

static int open_index(struct fd_file *file, struct fs *fs, int *ret_fd)
{
	(void)file;
	return fs_open(fs, "/index", FS_WRITE | FS_CREATE, ret_fd);
}

struct rig {
	struct fs_mem *mem;
	struct fd_cache *fds;
	struct index_file index;
};

static void rig_init(struct rig *rig, int32_t entry_bytes)
{
	rig->mem = fs_mem_new(1);
	rig->fds = fd_cache_new(fs_mem_fs(rig->mem), 2);
	index_file_init(&rig->index, open_index, entry_bytes, false);
}

static void rig_fini(struct rig *rig)
{
	index_file_fini(&rig->index, rig->fds);
	fd_cache_free(rig->fds);
	fs_mem_free(rig->mem);
}

/* As after a start: what was not written is gone. */
static void rig_reopen(struct rig *rig, int32_t entry_bytes)
{
	index_file_fini(&rig->index, rig->fds);
	index_file_init(&rig->index, open_index, entry_bytes, true);
}

START_TEST(offsets_are_found_in_memory_and_in_the_file)
{
	struct rig rig;
	struct offset_index_entry entry;

	rig_init(&rig, OFFSET_INDEX_ENTRY_BYTES);
	ck_assert_int_eq(offset_index_find(&rig.index, rig.fds, 5, &entry), 0);
	ck_assert_int_eq(entry.pos, 0);
	for (int32_t i = 1; i <= 3000; i++)
		ck_assert_int_eq(offset_index_append(&rig.index, rig.fds, (struct offset_index_entry){i * 10, i * 100}), 0);
	for (int round = 0; round < 2; round++) {
		for (int32_t offset = 0; offset < 30100; offset += 7) {
			int32_t want = offset / 10 > 3000 ? 3000 : offset / 10;

			ck_assert_int_eq(offset_index_find(&rig.index, rig.fds, offset, &entry), 0);
			ck_assert_int_eq(entry.pos, want * 100);
			ck_assert_int_eq(offset_index_find_pos(&rig.index, rig.fds, (int64_t)offset * 10, &entry), 0);
			ck_assert_int_eq(entry.relative_offset, want * 10);
		}
		ck_assert_int_eq(index_file_rest(&rig.index, rig.fds), 0);
		rig_reopen(&rig, OFFSET_INDEX_ENTRY_BYTES);
	}
	ck_assert_int_eq(offset_index_truncate(&rig.index, rig.fds, 25000), 0);
	ck_assert_int_eq(offset_index_last(&rig.index, rig.fds, &entry), 0);
	ck_assert_int_eq(entry.relative_offset, 24990);
	rig_fini(&rig);
}
END_TEST

START_TEST(a_zero_tail_and_a_part_of_an_entry_are_dropped)
{
	struct rig rig;
	struct offset_index_entry entry;
	uint8_t zeros[803] = {0};
	int fd = -1;

	rig_init(&rig, OFFSET_INDEX_ENTRY_BYTES);
	for (int32_t i = 1; i <= 10; i++)
		ck_assert_int_eq(offset_index_append(&rig.index, rig.fds, (struct offset_index_entry){i, i * 100}), 0);
	ck_assert_int_eq(index_file_rest(&rig.index, rig.fds), 0);
	ck_assert_int_eq(fs_open(fs_mem_fs(rig.mem), "/index", FS_WRITE, &fd), 0);
	ck_assert_int_eq(fs_write_all(fs_mem_fs(rig.mem), fd, zeros, sizeof zeros, 80), 0);
	fs_close(fs_mem_fs(rig.mem), fd);
	rig_reopen(&rig, OFFSET_INDEX_ENTRY_BYTES);
	ck_assert_int_eq(offset_index_recover(&rig.index, rig.fds, 1000000), 0);
	ck_assert_int_eq(rig.index.n_entries, 10);
	ck_assert_int_eq(offset_index_recover(&rig.index, rig.fds, 500), 0);
	ck_assert_int_eq(offset_index_last(&rig.index, rig.fds, &entry), 0);
	ck_assert_int_eq(entry.pos, 400);
	rig_fini(&rig);
}
END_TEST

START_TEST(times_that_do_not_ascend_are_left_out)
{
	struct rig rig;
	struct time_index_entry entry;

	rig_init(&rig, TIME_INDEX_ENTRY_BYTES);
	ck_assert_int_eq(time_index_append(&rig.index, rig.fds, (struct time_index_entry){-1, 0}), 0);
	ck_assert_int_eq(time_index_append(&rig.index, rig.fds, (struct time_index_entry){100, 3}), 0);
	ck_assert_int_eq(time_index_append(&rig.index, rig.fds, (struct time_index_entry){100, 5}), 0);
	ck_assert_int_eq(time_index_append(&rig.index, rig.fds, (struct time_index_entry){200, 8}), 0);
	ck_assert_int_eq(rig.index.n_entries, 2);
	ck_assert_int_eq(time_index_find(&rig.index, rig.fds, 199, &entry), 0);
	ck_assert_int_eq(entry.relative_offset, 3);
	ck_assert_int_eq(time_index_find(&rig.index, rig.fds, 99, &entry), 0);
	ck_assert_int_eq(entry.timestamp, -1);
	ck_assert_int_eq(time_index_truncate(&rig.index, rig.fds, 8), 0);
	ck_assert_int_eq(time_index_last(&rig.index, rig.fds, &entry), 0);
	ck_assert_int_eq(entry.timestamp, 100);
	rig_fini(&rig);
}
END_TEST

START_TEST(an_index_without_room_leaves_entries_out)
{
	struct rig rig;
	struct offset_index_entry entry;
	int rc = 0;

	rig_init(&rig, OFFSET_INDEX_ENTRY_BYTES);
	fs_mem_set_capacity(rig.mem, 0);
	for (int32_t i = 1; i <= 2000 && rc == 0; i++)
		rc = offset_index_append(&rig.index, rig.fds, (struct offset_index_entry){i, i});
	ck_assert_int_eq(rc, ERR_NO_SPACE);
	ck_assert_int_eq(rig.index.n_entries, INDEX_TAIL_ENTRIES);
	fs_mem_set_capacity(rig.mem, INT64_MAX);
	ck_assert_int_eq(offset_index_append(&rig.index, rig.fds, (struct offset_index_entry){5000, 5000}), 0);
	ck_assert_int_eq(offset_index_find(&rig.index, rig.fds, 4999, &entry), 0);
	ck_assert_int_eq(entry.pos, INDEX_TAIL_ENTRIES);
	rig_fini(&rig);
}
END_TEST

struct numbered {
	struct fd_file file;
	int number;
};

static int open_numbered(struct fd_file *file, struct fs *fs, int *ret_fd)
{
	char path[32];

	snprintf(path, sizeof path, "/f%d", CONTAINER_OF(file, struct numbered, file)->number);
	return fs_open(fs, path, FS_WRITE | FS_CREATE, ret_fd);
}

START_TEST(descriptors_stay_within_the_budget_but_for_those_in_use)
{
	struct fs_mem *mem = fs_mem_new(1);
	struct fd_cache *fds = fd_cache_new(fs_mem_fs(mem), 3);
	struct numbered files[10];
	int fd;

	for (int i = 0; i < 10; i++) {
		files[i].number = i;
		fd_file_init(&files[i].file, open_numbered);
		ck_assert_int_eq(fd_cache_pin(fds, &files[i].file, &fd), 0);
		if (i >= 5)
			fd_cache_unpin(&files[i].file);
	}
	ck_assert_int_ge(fd_cache_n_open(fds), 5);
	ck_assert_int_le(fd_cache_n_open(fds), 6);
	for (int i = 0; i < 5; i++) {
		fd_cache_shut(fds, &files[i].file);
		ck_assert_int_ge(files[i].file.fd, 0);
		fd_cache_unpin(&files[i].file);
	}
	for (int i = 0; i < 10; i++) {
		ck_assert_int_eq(fd_cache_pin(fds, &files[i].file, &fd), 0);
		fd_cache_unpin(&files[i].file);
	}
	ck_assert_int_le(fd_cache_n_open(fds), 4);
	for (int i = 0; i < 10; i++)
		fd_cache_forget(fds, &files[i].file);
	ck_assert_int_eq(fs_mem_n_open(mem), 0);
	fd_cache_free(fds);
	fs_mem_free(mem);
}
END_TEST

UNIT_MAIN("broker/log/index", offsets_are_found_in_memory_and_in_the_file, a_zero_tail_and_a_part_of_an_entry_are_dropped,
	  times_that_do_not_ascend_are_left_out, an_index_without_room_leaves_entries_out,
	  descriptors_stay_within_the_budget_but_for_those_in_use)
