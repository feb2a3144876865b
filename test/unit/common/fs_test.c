/* The calls of the file system: the machine's and the double in memory answer alike. */
#include "test/lib/unit.h"

#include "common/error.h"
#include "common/fs.h"
#include "test/lib/fs_mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int count_entry(void *ctx, const char *name, bool is_dir)
{
	int *n = ctx;

	(void)name;
	*n += is_dir ? 100 : 1;
	return 0;
}

static void check_calls(struct fs *fs, const char *root)
{
	char a[256], b[256], c[256];
	struct fs_stat status;
	struct fs_space space;
	char *text, bytes[8];
	size_t len;
	int fd = -1, other = -1, n = 0;

	snprintf(a, sizeof a, "%s/x/y", root);
	snprintf(b, sizeof b, "%s/x/y/f", root);
	snprintf(c, sizeof c, "%s/x/y/g", root);
	ck_assert_int_eq(fs_make_path(fs, a), 0);
	ck_assert_int_eq(fs_make_path(fs, a), 0);
	ck_assert_int_eq(fs_mkdir(fs, a), ERR_EXISTS);
	ck_assert_int_eq(fs_open(fs, b, FS_READ, &fd), ERR_NOT_FOUND);
	ck_assert_int_eq(fs_open(fs, b, FS_WRITE | FS_CREATE | FS_EXCLUSIVE, &fd), 0);
	ck_assert_int_eq(fs_open(fs, b, FS_WRITE | FS_CREATE | FS_EXCLUSIVE, &other), ERR_EXISTS);
	ck_assert_int_eq(fs_write_all(fs, fd, "hello", 5, 3), 0);
	ck_assert_int_eq(fs_pread(fs, fd, bytes, 8, 0), 8);
	ck_assert_mem_eq(bytes, "\0\0\0hello", 8);
	ck_assert_int_eq(fs_read_exact(fs, fd, bytes, 8, 1), ERR_TRUNCATED);
	ck_assert_int_eq(fs_reserve(fs, fd, 4, 8192), 0);
	ck_assert_int_eq(fs_fd_stat(fs, fd, &status), 0);
	ck_assert_int_eq(status.size, 8);
	ck_assert_int_eq(fs_truncate(fs, fd, 4), 0);
	ck_assert_int_eq(fs_fd_stat(fs, fd, &status), 0);
	ck_assert_int_eq(status.size, 4);
	ck_assert_int_eq(fs_datasync(fs, fd), 0);
	ck_assert_int_eq(fs_sync_all(fs, fd), 0);
	ck_assert_int_eq(fs_load(fs, fd, 0, 4), 0);
	ck_assert_int_eq(fs_load(fs, fd, 2, 100), 0);
	ck_assert_int_eq(fs_close(fs, fd), 0);
	ck_assert_int_eq(fs_replace_file(fs, c, "new", 3, FS_SYNC), 0);
	ck_assert_int_eq(fs_replace_file(fs, c, "newer", 5, FS_SYNC_NOT), 0);
	ck_assert_int_eq(fs_read_file(fs, c, 100, &text, &len), 0);
	ck_assert_str_eq(text, "newer");
	free(text);
	ck_assert_int_eq(fs_read_file(fs, c, 4, &text, &len), ERR_TOO_LARGE);
	ck_assert_int_eq(fs_list(fs, a, count_entry, &n), 0);
	ck_assert_int_eq(n, 2);
	ck_assert_int_eq(fs_rename(fs, b, c), 0);
	ck_assert_int_eq(fs_stat(fs, c, &status), 0);
	ck_assert_int_eq(status.size, 4);
	ck_assert_int_eq(fs_rmdir(fs, a), ERR_NOT_EMPTY);
	ck_assert_int_eq(fs_sync_dir(fs, a), 0);
	ck_assert_int_eq(fs_space(fs, a, &space), 0);
	ck_assert_int_gt(space.free_bytes, 0);
	snprintf(a, sizeof a, "%s/x", root);
	ck_assert_int_eq(fs_remove_tree(fs, a), 0);
	ck_assert_int_eq(fs_remove_tree(fs, a), 0);
	ck_assert_int_eq(fs_stat(fs, a, &status), ERR_NOT_FOUND);
}

START_TEST(the_machine_and_the_double_answer_alike)
{
	struct fs_mem *mem = fs_mem_new(1);

	check_calls(fs_real(), unit_temp_dir());
	check_calls(fs_mem_fs(mem), "/root");
	fs_mem_free(mem);
}
END_TEST

START_TEST(what_was_synced_survives_a_power_cut_and_the_rest_in_parts)
{
	int n_old = 0, n_new = 0, n_mixed = 0;

	for (uint64_t seed = 1; seed <= 200; seed++) {
		struct fs_mem *mem = fs_mem_new(seed);
		struct fs *fs = fs_mem_fs(mem);
		uint8_t old[2048], new[2048], found[2048];
		struct fs_stat status;
		int fd = -1;

		memset(old, 'o', sizeof old);
		memset(new, 'n', sizeof new);
		ck_assert_int_eq(fs_open(fs, "/f", FS_WRITE | FS_CREATE, &fd), 0);
		ck_assert_int_eq(fs_write_all(fs, fd, old, sizeof old, 0), 0);
		ck_assert_int_eq(fs_sync_all(fs, fd), 0);
		ck_assert_int_eq(fs_write_all(fs, fd, new, sizeof new, 0), 0);
		ck_assert_int_eq(fs_replace_file(fs, "/unsynced", "x", 1, FS_SYNC_NOT), 0);
		fs_mem_power_cut(mem);
		ck_assert_int_eq(fs_mem_n_open(mem), 0);
		ck_assert_int_eq(fs_open(fs, "/f", FS_READ, &fd), 0);
		ck_assert_int_eq(fs_read_exact(fs, fd, found, sizeof found, 0), 0);
		fs_close(fs, fd);
		if (memcmp(found, old, sizeof old) == 0)
			n_old++;
		else if (memcmp(found, new, sizeof new) == 0)
			n_new++;
		else
			n_mixed++;
		if (fs_stat(fs, "/unsynced", &status) == 0)
			ck_assert_int_le(status.size, 1);
		fs_mem_free(mem);
	}
	ck_assert_int_gt(n_old, 20);
	ck_assert_int_gt(n_new, 20);
	ck_assert_int_gt(n_mixed, 20);
}
END_TEST

START_TEST(faults_hit_the_call_and_the_path_they_name)
{
	struct fs_mem *mem = fs_mem_new(1);
	struct fs *fs = fs_mem_fs(mem);
	int fd = -1;

	fs_mem_add_fault(mem, &(struct fs_mem_fault){.calls = FS_MEM_PWRITE, .path = "bad", .skip = 1, .times = 1, .error = ERR_IO});
	ck_assert_int_eq(fs_open(fs, "/bad", FS_WRITE | FS_CREATE, &fd), 0);
	ck_assert_int_eq(fs_pwrite(fs, fd, "x", 1, 0), 1);
	ck_assert_int_eq(fs_pwrite(fs, fd, "x", 1, 0), ERR_IO);
	ck_assert_int_eq(fs_pwrite(fs, fd, "x", 1, 0), 1);
	fs_close(fs, fd);
	fs_mem_add_fault(mem, &(struct fs_mem_fault){.calls = FS_MEM_PWRITE, .path = "full", .error = ERR_NO_SPACE, .short_write = true});
	ck_assert_int_eq(fs_open(fs, "/full", FS_WRITE | FS_CREATE, &fd), 0);
	ck_assert_int_eq(fs_write_all(fs, fd, "0123456789", 10, 0), ERR_NO_SPACE);
	fs_close(fs, fd);
	fs_mem_free(mem);
}
END_TEST

UNIT_MAIN("common/fs", the_machine_and_the_double_answer_alike, what_was_synced_survives_a_power_cut_and_the_rest_in_parts,
	  faults_hit_the_call_and_the_path_they_name)
