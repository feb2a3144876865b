/*
 * The file system as a table of calls, so that a test can tear, delay and fail any of them and a simulation can run the storage
 * engine in memory. fs_real() is the machine's; test/lib/fs_mem.h is the double with a page cache and a platter.
 *
 * Every call returns 0 (or a count) or a negative code of common/error.h. Paths are absolute or relative to the process. A file
 * handle is a descriptor where the table is fs_real() (so that sendfile can use it) and only a number elsewhere. Any thread may
 * call; two threads do not write one handle at once. No call retries a failed sync: an error of fs_datasync, fs_write_out,
 * fs_sync_dir, fs_sync_all or fs_close is final for what was written (D10).
 */
#ifndef KLAMM_COMMON_FS_H
#define KLAMM_COMMON_FS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The longest path that the house builds, with its 0 byte. */
#define FS_PATH_MAX 1024

enum fs_open_flags {
	FS_READ = 1 << 0,
	FS_WRITE = 1 << 1,     /* also to read */
	FS_CREATE = 1 << 2,
	FS_EXCLUSIVE = 1 << 3, /* with FS_CREATE: ERR_EXISTS when there is one */
	FS_TRUNCATE = 1 << 4,
};

struct fs_stat {
	int64_t size;
	int64_t mtime_ms;
	uint64_t inode;
	bool is_dir;
};

struct fs_space {
	int64_t free_bytes;
	int64_t total_bytes;
	uint64_t fs_id; /* tells two file systems apart, also over a restart of the machine */
};

/* One entry of a folder; "." and ".." are left out. Returns 0 to go on, anything else ends the listing with that value. */
typedef int fs_entry_fn(void *ctx, const char *name, bool is_dir);

/* An implementation embeds this struct as its first member and gets itself back from the pointer. */
struct fs {
	int (*open)(struct fs *fs, const char *path, unsigned flags, int *ret_fd);
	int (*close)(struct fs *fs, int fd);
	int64_t (*pread)(struct fs *fs, int fd, void *data, size_t len, int64_t pos);
	int64_t (*pwrite)(struct fs *fs, int fd, const void *data, size_t len, int64_t pos);
	int (*datasync)(struct fs *fs, int fd);
	int (*write_out)(struct fs *fs, int fd, int64_t pos, int64_t len, bool wait);
	int (*truncate)(struct fs *fs, int fd, int64_t size);
	int (*allocate)(struct fs *fs, int fd, int64_t size);
	int (*reserve)(struct fs *fs, int fd, int64_t pos, int64_t len);
	int (*fd_stat)(struct fs *fs, int fd, struct fs_stat *ret_stat);
	int (*load)(struct fs *fs, int fd, int64_t pos, int64_t len);
	int (*lock)(struct fs *fs, int fd);
	int (*sync_dir)(struct fs *fs, const char *path);
	int (*sync_all)(struct fs *fs, int fd);
	int (*rename)(struct fs *fs, const char *from, const char *to);
	int (*unlink)(struct fs *fs, const char *path);
	int (*mkdir)(struct fs *fs, const char *path);
	int (*rmdir)(struct fs *fs, const char *path);
	int (*open_dir)(struct fs *fs, const char *path, int *ret_fd);
	int (*list)(struct fs *fs, const char *path, fs_entry_fn *each, void *ctx);
	int (*stat)(struct fs *fs, const char *path, struct fs_stat *ret_stat);
	int (*space)(struct fs *fs, const char *path, struct fs_space *ret_space);
};

/* The machine's file system; has no state and is never freed. */
struct fs *fs_real(void);

static inline int fs_open(struct fs *fs, const char *path, unsigned flags, int *ret_fd)
{
	return fs->open(fs, path, flags, ret_fd);
}

/* The handle is gone whatever is returned; an error means that a write may be lost. */
static inline int fs_close(struct fs *fs, int fd)
{
	return fs->close(fs, fd);
}

/* Bytes read: fewer than len only at the end of the file. */
static inline int64_t fs_pread(struct fs *fs, int fd, void *data, size_t len, int64_t pos)
{
	return fs->pread(fs, fd, data, len, pos);
}

/* Bytes written by one call: fewer than len when the device is full or the call was cut short; fs_write_all tells which. */
static inline int64_t fs_pwrite(struct fs *fs, int fd, const void *data, size_t len, int64_t pos)
{
	return fs->pwrite(fs, fd, data, len, pos);
}

/* The data of the file and what is needed to read it back (its length) are on the device when this returns 0. */
static inline int fs_datasync(struct fs *fs, int fd)
{
	return fs->datasync(fs, fd);
}

/*
 * Begins to write out what is dirty in a range, or (wait) waits until that is written. Nothing is promised of it, but a datasync that follows has
 * less to do. What fails here fails for good, as there: a later sync may not tell of it. Where the file system cannot, nothing happens.
 */
static inline int fs_write_out(struct fs *fs, int fd, int64_t pos, int64_t len, bool wait)
{
	return fs->write_out(fs, fd, pos, len, wait);
}

static inline int fs_truncate(struct fs *fs, int fd, int64_t size)
{
	return fs->truncate(fs, fd, size);
}

/* Makes the file size bytes long with its blocks taken (log.preallocate). */
static inline int fs_allocate(struct fs *fs, int fd, int64_t size)
{
	return fs->allocate(fs, fd, size);
}

/*
 * Takes blocks for a range, which may lie behind the end, and leaves the length and all bytes as they are: what is written there needs
 * none then. fs_truncate gives back what lies behind the end. ERR_UNSUPPORTED where the file system cannot.
 */
static inline int fs_reserve(struct fs *fs, int fd, int64_t pos, int64_t len)
{
	return fs->reserve(fs, fd, pos, len);
}

static inline int fs_fd_stat(struct fs *fs, int fd, struct fs_stat *ret_stat)
{
	return fs->fd_stat(fs, fd, ret_stat);
}

/* Reads a range into the page cache and waits for it: who then reads or sends it finds it there. What fails is told by that read. */
static inline int fs_load(struct fs *fs, int fd, int64_t pos, int64_t len)
{
	return fs->load(fs, fd, pos, len);
}

/*
 * An exclusive advisory lock on the whole file, of the kind that Java's FileChannel.tryLock takes (POSIX fcntl), so that Kafka and
 * Klamm exclude each other. ERR_BUSY when another process has it. Closing *any* handle of the file in this process drops it.
 */
static inline int fs_lock(struct fs *fs, int fd)
{
	return fs->lock(fs, fd);
}

/* Names made, renamed and removed in this folder are on the device when this returns 0. */
static inline int fs_sync_dir(struct fs *fs, const char *path)
{
	return fs->sync_dir(fs, path);
}

/* All data and names of the file system that holds the open file or folder are on the device when this returns 0. */
static inline int fs_sync_all(struct fs *fs, int fd)
{
	return fs->sync_all(fs, fd);
}

static inline int fs_rename(struct fs *fs, const char *from, const char *to)
{
	return fs->rename(fs, from, to);
}

static inline int fs_unlink(struct fs *fs, const char *path)
{
	return fs->unlink(fs, path);
}

static inline int fs_mkdir(struct fs *fs, const char *path)
{
	return fs->mkdir(fs, path);
}

static inline int fs_rmdir(struct fs *fs, const char *path)
{
	return fs->rmdir(fs, path);
}

/* A handle of a folder, for fs_sync_all; kept open, so that it sees every write error since. */
static inline int fs_open_dir(struct fs *fs, const char *path, int *ret_fd)
{
	return fs->open_dir(fs, path, ret_fd);
}

/* Calls each for every entry, in no order. The folder may be changed by `each`; what it adds may or may not be seen. */
static inline int fs_list(struct fs *fs, const char *path, fs_entry_fn *each, void *ctx)
{
	return fs->list(fs, path, each, ctx);
}

static inline int fs_stat(struct fs *fs, const char *path, struct fs_stat *ret_stat)
{
	return fs->stat(fs, path, ret_stat);
}

static inline int fs_space(struct fs *fs, const char *path, struct fs_space *ret_space)
{
	return fs->space(fs, path, ret_space);
}

/* Writes all bytes; ERR_NO_SPACE and the like when it cannot, with an unknown part written. */
int fs_write_all(struct fs *fs, int fd, const void *data, size_t len, int64_t pos);

/* Reads exactly len bytes; ERR_TRUNCATED when the file ends before. */
int fs_read_exact(struct fs *fs, int fd, void *data, size_t len, int64_t pos);

/* The whole of a small file, malloc'ed with a 0 byte behind it; ERR_TOO_LARGE beyond len_max. */
int fs_read_file(struct fs *fs, const char *path, size_t len_max, char **ret_data, size_t *ret_len);

enum fs_durability { FS_SYNC_NOT, FS_SYNC };

/*
 * Replaces a small file in one step: writes PATH.tmp and renames it, so that a reader sees the old or the new one. With FS_SYNC the
 * bytes are synced before the rename and the folder after it. On failure the old file stays and the .tmp is removed.
 */
int fs_replace_file(struct fs *fs, const char *path, const void *data, size_t len, enum fs_durability durability);

/* Removes a folder and what is in it, links not followed; what is gone already is no error. */
int fs_remove_tree(struct fs *fs, const char *path);

/* Makes the folder and those above it as far as they are missing. */
int fs_make_path(struct fs *fs, const char *path);

#endif
