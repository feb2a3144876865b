/*
 * A library to be preloaded (LD_PRELOAD) into a broker: the disk below its log directory fails as a control file says, and its calendar is
 * wrong by as much as that says. Calls on other files pass.
 *
 *     CHAOS_FAULTIO         the control file, mapped: struct control
 *     CHAOS_FAULTIO_PREFIX  the folder whose files are concerned
 *
 *     test harness --- writes ---> control file <--- maps --- this library --- wraps ---> write, pwrite, fsync, fdatasync, rename, ...
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum mode {
	MODE_NONE,
	MODE_SYNC_HANGS,  /* fsync and its like do not come back before the mode changes */
	MODE_SYNC_EIO,	  /* they fail */
	MODE_WRITE_EIO,	  /* writing fails */
	MODE_WRITE_FULL,  /* writing says that the disk is full */
	MODE_WRITE_SHORT, /* writing writes half of it */
	MODE_SLOW,	  /* each call takes `slow_ms` longer */
	MODE_DELETE_HANGS, /* renaming a partition for deletion does not come back before the mode changes */
};

/* Byte format of the control file; nemeses.py writes it. */
struct control {
	uint32_t mode, slow_ms;
	int64_t calendar_ms;
};

static const volatile struct control *control;
static const char *prefix;

__attribute__((constructor)) static void open_control(void)
{
	const char *path = getenv("CHAOS_FAULTIO");
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	void *map;

	prefix = getenv("CHAOS_FAULTIO_PREFIX");
	if (fd < 0)
		return;
	map = mmap(NULL, sizeof *control, PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	if (map != MAP_FAILED)
		control = map;
}

static enum mode mode_now(void)
{
	return control ? (enum mode)control->mode : MODE_NONE;
}

static bool concerns(int fd)
{
	char link[64], path[PATH_MAX];
	ssize_t len;

	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	len = readlink(link, path, sizeof path - 1);
	return len > 0 && prefix && strncmp(path, prefix, strlen(prefix)) == 0;
}

static void rest_ms(uint32_t ms)
{
	struct timespec rest = {ms / 1000, (long)(ms % 1000) * 1000000};

	nanosleep(&rest, NULL);
}

/* 0, or -1 with errno: what a call that makes data durable meets. */
static int before_sync(int fd)
{
	if (mode_now() == MODE_NONE || !concerns(fd))
		return 0;
	while (mode_now() == MODE_SYNC_HANGS)
		rest_ms(10);
	if (mode_now() == MODE_SLOW)
		rest_ms(control->slow_ms);
	if (mode_now() != MODE_SYNC_EIO)
		return 0;
	errno = EIO;
	return -1;
}

/* 0, or -1 with errno: what a call that writes meets; of its bytes `*len` may be written. */
static int before_write(int fd, size_t *len)
{
	enum mode mode = mode_now();

	if (mode == MODE_NONE || !concerns(fd))
		return 0;
	if (mode == MODE_SLOW)
		rest_ms(control->slow_ms);
	if (mode == MODE_WRITE_SHORT && len && *len > 1)
		*len /= 2;
	if (mode != MODE_WRITE_EIO && mode != MODE_WRITE_FULL)
		return 0;
	errno = mode == MODE_WRITE_EIO ? EIO : ENOSPC;
	return -1;
}

/* The next definition of a function: the C library's. */
#define NEXT(name)                                                                                                                     \
	static __typeof__(name) *next;                                                                                                 \
	if (!next)                                                                                                                     \
	next = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

int fsync(int fd)
{
	NEXT(fsync);
	return before_sync(fd) ? -1 : next(fd);
}

int fdatasync(int fd)
{
	NEXT(fdatasync);
	return before_sync(fd) ? -1 : next(fd);
}

int syncfs(int fd)
{
	NEXT(syncfs);
	return before_sync(fd) ? -1 : next(fd);
}

int sync_file_range(int fd, off64_t from, off64_t len, unsigned int flags)
{
	NEXT(sync_file_range);
	return before_sync(fd) ? -1 : next(fd, from, len, flags);
}

ssize_t write(int fd, const void *bytes, size_t len)
{
	NEXT(write);
	return before_write(fd, &len) ? -1 : next(fd, bytes, len);
}

ssize_t pwrite(int fd, const void *bytes, size_t len, off_t at)
{
	NEXT(pwrite);
	return before_write(fd, &len) ? -1 : next(fd, bytes, len, at);
}

ssize_t pwrite64(int fd, const void *bytes, size_t len, off64_t at)
{
	NEXT(pwrite64);
	return before_write(fd, &len) ? -1 : next(fd, bytes, len, at);
}

ssize_t writev(int fd, const struct iovec *parts, int n)
{
	NEXT(writev);
	return before_write(fd, NULL) ? -1 : next(fd, parts, n);
}

ssize_t pwritev(int fd, const struct iovec *parts, int n, off_t at)
{
	NEXT(pwritev);
	return before_write(fd, NULL) ? -1 : next(fd, parts, n, at);
}

ssize_t pwritev64(int fd, const struct iovec *parts, int n, off64_t at)
{
	NEXT(pwritev64);
	return before_write(fd, NULL) ? -1 : next(fd, parts, n, at);
}

int rename(const char *from, const char *to)
{
	static const char deleted[] = "-delete";
	size_t len = strlen(to), n = sizeof deleted - 1;
	bool deletes = len > n && strcmp(to + len - n, deleted) == 0;

	NEXT(rename);
	while (deletes && mode_now() == MODE_DELETE_HANGS && prefix && strncmp(to, prefix, strlen(prefix)) == 0)
		rest_ms(10);
	return next(from, to);
}

int clock_gettime(clockid_t clock, struct timespec *ret_now)
{
	int status;

	NEXT(clock_gettime);
	status = next(clock, ret_now);
	if (status == 0 && clock == CLOCK_REALTIME && control)
		ret_now->tv_sec += control->calendar_ms / 1000;
	return status;
}

time_t time(time_t *ret_now)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (ret_now)
		*ret_now = now.tv_sec;
	return now.tv_sec;
}
