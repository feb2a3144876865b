/* What is built on the calls of fs.h, the same for every implementation. */
#include "common/fs.h"

#include "common/error.h"
#include "common/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int fs_write_all(struct fs *fs, int fd, const void *data, size_t len, int64_t pos)
{
	const uint8_t *at = data;

	while (len > 0) {
		int64_t n = fs_pwrite(fs, fd, at, len, pos);

		if (n < 0)
			return (int)n;
		if (n == 0)
			return ERR_NO_SPACE;
		at += n;
		pos += n;
		len -= (size_t)n;
	}
	return 0;
}

int fs_read_exact(struct fs *fs, int fd, void *data, size_t len, int64_t pos)
{
	int64_t n = fs_pread(fs, fd, data, len, pos);

	if (n < 0)
		return (int)n;
	return (size_t)n == len ? 0 : ERR_TRUNCATED;
}

static int read_open_file(struct fs *fs, int fd, size_t len_max, char **ret_data, size_t *ret_len)
{
	struct fs_stat status;
	int64_t n;
	char *data;
	int rc = fs_fd_stat(fs, fd, &status);

	if (rc < 0)
		return rc;
	if ((uint64_t)status.size > len_max)
		return ERR_TOO_LARGE;
	data = memory_alloc((size_t)status.size + 1);
	n = fs_pread(fs, fd, data, (size_t)status.size, 0);
	if (n < 0) {
		free(data);
		return (int)n;
	}
	data[n] = 0;
	*ret_data = data;
	*ret_len = (size_t)n;
	return 0;
}

int fs_read_file(struct fs *fs, const char *path, size_t len_max, char **ret_data, size_t *ret_len)
{
	int fd, rc = fs_open(fs, path, FS_READ, &fd);

	if (rc < 0)
		return rc;
	rc = read_open_file(fs, fd, len_max, ret_data, ret_len);
	fs_close(fs, fd);
	return rc;
}

/* The folder part of a path; "." where there is none. */
static void folder_of(const char *path, char ret_folder[FS_PATH_MAX])
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		snprintf(ret_folder, FS_PATH_MAX, ".");
	else
		snprintf(ret_folder, FS_PATH_MAX, "%.*s", slash == path ? 1 : (int)(slash - path), path);
}

static int write_whole_file(struct fs *fs, const char *path, const void *data, size_t len, enum fs_durability durability)
{
	int fd, closed, rc = fs_open(fs, path, FS_WRITE | FS_CREATE | FS_TRUNCATE, &fd);

	if (rc < 0)
		return rc;
	rc = fs_write_all(fs, fd, data, len, 0);
	if (rc == 0 && durability == FS_SYNC)
		rc = fs_datasync(fs, fd);
	closed = fs_close(fs, fd);
	return rc < 0 ? rc : closed;
}

int fs_replace_file(struct fs *fs, const char *path, const void *data, size_t len, enum fs_durability durability)
{
	char tmp[FS_PATH_MAX], folder[FS_PATH_MAX];
	int rc;

	if ((size_t)snprintf(tmp, sizeof tmp, "%s.tmp", path) >= sizeof tmp)
		return ERR_TOO_LARGE;
	rc = write_whole_file(fs, tmp, data, len, durability);
	if (rc == 0)
		rc = fs_rename(fs, tmp, path);
	if (rc < 0) {
		fs_unlink(fs, tmp);
		return rc;
	}
	if (durability == FS_SYNC_NOT)
		return 0;
	folder_of(path, folder);
	return fs_sync_dir(fs, folder);
}

struct removal {
	struct fs *fs;
	const char *path;
};

static int remove_entry(void *ctx, const char *name, bool is_dir)
{
	struct removal *removal = ctx;
	char path[FS_PATH_MAX];
	int rc;

	if ((size_t)snprintf(path, sizeof path, "%s/%s", removal->path, name) >= sizeof path)
		return ERR_TOO_LARGE;
	rc = is_dir ? fs_remove_tree(removal->fs, path) : fs_unlink(removal->fs, path);
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

int fs_remove_tree(struct fs *fs, const char *path)
{
	struct removal removal = {fs, path};
	int rc = fs_list(fs, path, remove_entry, &removal);

	if (rc == 0)
		rc = fs_rmdir(fs, path);
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

int fs_make_path(struct fs *fs, const char *path)
{
	char folder[FS_PATH_MAX];
	struct fs_stat status;
	int rc = fs_stat(fs, path, &status);

	if (rc == 0)
		return status.is_dir ? 0 : ERR_EXISTS;
	if (rc != ERR_NOT_FOUND)
		return rc;
	folder_of(path, folder);
	if (strcmp(folder, path) != 0) {
		rc = fs_make_path(fs, folder);
		if (rc < 0)
			return rc;
	}
	rc = fs_mkdir(fs, path);
	return rc == ERR_EXISTS ? 0 : rc;
}
