/* The calls of fs.h on the machine's own file system. */
#include "common/fs.h"

#include "common/error.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

static int result(int rc)
{
	return rc < 0 ? error_from_errno(errno) : 0;
}

static int real_open(struct fs *fs, const char *path, unsigned flags, int *ret_fd)
{
	int how = O_CLOEXEC | (flags & FS_WRITE ? O_RDWR : O_RDONLY);
	int fd;

	(void)fs;
	if (flags & FS_CREATE)
		how |= O_CREAT;
	if (flags & FS_EXCLUSIVE)
		how |= O_EXCL;
	if (flags & FS_TRUNCATE)
		how |= O_TRUNC;
	do
		fd = open(path, how, 0644);
	while (fd < 0 && errno == EINTR);
	if (fd < 0)
		return error_from_errno(errno);
	*ret_fd = fd;
	return 0;
}

static int real_close(struct fs *fs, int fd)
{
	(void)fs;
	/* EINTR closes the descriptor on Linux; a second close could hit somebody else's. */
	return close(fd) < 0 && errno != EINTR ? error_from_errno(errno) : 0;
}

static int64_t real_pread(struct fs *fs, int fd, void *data, size_t len, int64_t pos)
{
	size_t done = 0;

	(void)fs;
	while (done < len) {
		ssize_t n = pread(fd, (char *)data + done, len - done, pos + (off_t)done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_from_errno(errno);
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (int64_t)done;
}

static int64_t real_pwrite(struct fs *fs, int fd, const void *data, size_t len, int64_t pos)
{
	ssize_t n;

	(void)fs;
	do
		n = pwrite(fd, data, len, pos);
	while (n < 0 && errno == EINTR);
	return n < 0 ? error_from_errno(errno) : n;
}

static int real_datasync(struct fs *fs, int fd)
{
	(void)fs;
	return result(fdatasync(fd));
}

static int real_write_out(struct fs *fs, int fd, int64_t pos, int64_t len, bool wait)
{
	unsigned how = wait ? SYNC_FILE_RANGE_WAIT_BEFORE : SYNC_FILE_RANGE_WRITE;

	(void)fs;
	if (sync_file_range(fd, pos, len, how) == 0 || errno == ENOSYS || errno == ESPIPE || errno == EINVAL)
		return 0;
	return error_from_errno(errno);
}

static int real_truncate(struct fs *fs, int fd, int64_t size)
{
	int rc;

	(void)fs;
	do
		rc = ftruncate(fd, size);
	while (rc < 0 && errno == EINTR);
	return result(rc);
}

static int real_allocate(struct fs *fs, int fd, int64_t size)
{
	int rc;

	(void)fs;
	do
		rc = posix_fallocate(fd, 0, size);
	while (rc == EINTR);
	return rc == 0 ? 0 : error_from_errno(rc);
}

static int real_reserve(struct fs *fs, int fd, int64_t pos, int64_t len)
{
	int rc;

	(void)fs;
	do
		rc = fallocate(fd, FALLOC_FL_KEEP_SIZE, pos, len);
	while (rc < 0 && errno == EINTR);
	return result(rc);
}

static void fill_stat(const struct stat *status, struct fs_stat *ret_stat)
{
	ret_stat->size = status->st_size;
	ret_stat->mtime_ms = (int64_t)status->st_mtim.tv_sec * 1000 + status->st_mtim.tv_nsec / 1000000;
	ret_stat->inode = status->st_ino;
	ret_stat->is_dir = S_ISDIR(status->st_mode);
}

static int real_fd_stat(struct fs *fs, int fd, struct fs_stat *ret_stat)
{
	struct stat status;

	(void)fs;
	if (fstat(fd, &status) < 0)
		return error_from_errno(errno);
	fill_stat(&status, ret_stat);
	return 0;
}

/* Linux 6.5; headers may be older. */
#define CACHESTAT_NUMBER 451

struct cachestat_range {
	uint64_t pos, len;
};

struct cachestat_answer {
	uint64_t n_cached, n_dirty, n_under_way, n_evicted, n_evicted_recently;
};

/* Whether all of it is in the page cache; false where the kernel does not tell. */
static bool is_loaded(int fd, int64_t pos, int64_t len)
{
	struct cachestat_range range = {(uint64_t)pos, (uint64_t)len};
	struct cachestat_answer answer;
	int64_t page = sysconf(_SC_PAGESIZE), n_pages = (pos + len - 1) / page - pos / page + 1;

	return syscall(CACHESTAT_NUMBER, fd, &range, &answer, 0) == 0 && (int64_t)answer.n_cached >= n_pages;
}

/* Sent to nobody: the kernel waits for each page, as it does when the range is sent to somebody, and copies none. */
static int real_load(struct fs *fs, int fd, int64_t pos, int64_t len)
{
	off_t at = pos;
	ssize_t n = 1;
	int nobody;

	(void)fs;
	if (len <= 0 || is_loaded(fd, pos, len))
		return 0;
	nobody = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (nobody < 0)
		return error_from_errno(errno);
	posix_fadvise(fd, pos, len, POSIX_FADV_WILLNEED);
	while (at < pos + len && n > 0)
		n = sendfile(nobody, fd, &at, (size_t)(pos + len - at));
	n = result((int)(n < 0 ? -1 : 0));
	close(nobody);
	return (int)n;
}

static int real_lock(struct fs *fs, int fd)
{
	struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 0};

	(void)fs;
	if (fcntl(fd, F_SETLK, &whole) == 0)
		return 0;
	return errno == EACCES || errno == EAGAIN ? ERR_BUSY : error_from_errno(errno);
}

static int real_open_dir(struct fs *fs, const char *path, int *ret_fd)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)fs;
	if (fd < 0)
		return error_from_errno(errno);
	*ret_fd = fd;
	return 0;
}

static int real_sync_dir(struct fs *fs, const char *path)
{
	int fd = -1, rc = real_open_dir(fs, path, &fd);

	if (rc < 0)
		return rc;
	rc = result(fsync(fd));
	close(fd);
	return rc;
}

static int real_sync_all(struct fs *fs, int fd)
{
	(void)fs;
	return result(syncfs(fd));
}

static int real_rename(struct fs *fs, const char *from, const char *to)
{
	(void)fs;
	return result(rename(from, to));
}

static int real_unlink(struct fs *fs, const char *path)
{
	(void)fs;
	return result(unlink(path));
}

static int real_mkdir(struct fs *fs, const char *path)
{
	(void)fs;
	return result(mkdir(path, 0755));
}

static int real_rmdir(struct fs *fs, const char *path)
{
	(void)fs;
	return result(rmdir(path));
}

static bool entry_is_dir(DIR *dir, const struct dirent *entry)
{
	struct stat status;

	if (entry->d_type != DT_UNKNOWN && entry->d_type != DT_LNK)
		return entry->d_type == DT_DIR;
	return fstatat(dirfd(dir), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(status.st_mode);
}

static int real_list(struct fs *fs, const char *path, fs_entry_fn *each, void *ctx)
{
	DIR *dir = opendir(path);
	const struct dirent *entry;
	int rc = 0;

	(void)fs;
	if (!dir)
		return error_from_errno(errno);
	while (rc == 0) {
		errno = 0;
		entry = readdir(dir);
		if (!entry) {
			rc = errno ? error_from_errno(errno) : 0;
			break;
		}
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			rc = each(ctx, entry->d_name, entry_is_dir(dir, entry));
	}
	closedir(dir);
	return rc;
}

static int real_stat(struct fs *fs, const char *path, struct fs_stat *ret_stat)
{
	struct stat status;

	(void)fs;
	if (stat(path, &status) < 0)
		return error_from_errno(errno);
	fill_stat(&status, ret_stat);
	return 0;
}

static int real_space(struct fs *fs, const char *path, struct fs_space *ret_space)
{
	struct statvfs status;

	(void)fs;
	if (statvfs(path, &status) < 0)
		return error_from_errno(errno);
	ret_space->free_bytes = (int64_t)(status.f_bavail * status.f_frsize);
	ret_space->total_bytes = (int64_t)(status.f_blocks * status.f_frsize);
	ret_space->fs_id = status.f_fsid;
	return 0;
}

struct fs *fs_real(void)
{
	static struct fs real = {
		.open = real_open,
		.close = real_close,
		.pread = real_pread,
		.pwrite = real_pwrite,
		.datasync = real_datasync,
		.write_out = real_write_out,
		.truncate = real_truncate,
		.allocate = real_allocate,
		.reserve = real_reserve,
		.fd_stat = real_fd_stat,
		.load = real_load,
		.lock = real_lock,
		.sync_dir = real_sync_dir,
		.sync_all = real_sync_all,
		.rename = real_rename,
		.unlink = real_unlink,
		.mkdir = real_mkdir,
		.rmdir = real_rmdir,
		.open_dir = real_open_dir,
		.list = real_list,
		.stat = real_stat,
		.space = real_space,
	};

	return &real;
}
