/*
 * The limit of the machine: what a broker must do at the least, without being one. Each mode prints one line of JSON.
 *
 *     bare_loop receive PORT FILE     takes frames (u32 length, payload) from one sender: recv, CRC-32C, write to FILE
 *     bare_loop push PORT BYTES SIZE  sends BYTES in frames of SIZE to it
 *     bare_loop store PORT FILE SYNC  the same, and a thread of its own syncs FILE whenever SYNC bytes have come since
 *     bare_loop feed PORT FILE SIZE RATE  sends FILE to it by sendfile, in frames of SIZE, RATE MB a second (0: as fast as it
 * goes) bare_loop serve PORT FILE       sends FILE to one reader by sendfile bare_loop pull PORT             reads until the
 * end bare_loop echo PORT             answers each frame of one client with a frame of four bytes bare_loop append PORT FILE
 * the same, when the frame has been written to the end of FILE bare_loop ask PORT N SIZE RATE  sends N frames of SIZE at RATE a
 * second and prints percentiles of the time to the answer bare_loop touch BYTES           uses so much memory and ends: a
 * virtual machine whose host gives it memory when it is first used then writes into its page cache as fast as one that has run
 * for long
 *
 * Sizes of reads and writes are those of the broker: up to 1 MiB a call.
 */
#include "common/bytes.h"
#include "common/clock.h"
#include "common/crc32c.h"
#include "common/memory.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define CHUNK_BYTES (1 << 20)

static void die(const char *what)
{
	fprintf(stderr, "bare_loop: %s: %s\n", what, strerror(errno));
	exit(1);
}

static struct sockaddr_in loopback(const char *port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return address;
}

static void no_delay(int fd)
{
	int on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static int accept_one(const char *port)
{
	struct sockaddr_in address = loopback(port);
	int on = 1, fd, listener = socket(AF_INET, SOCK_STREAM, 0);

	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 1))
		die("listen");
	fd = accept(listener, NULL, NULL);
	if (fd < 0)
		die("accept");
	close(listener);
	no_delay(fd);
	return fd;
}

static int connect_to(const char *port)
{
	struct sockaddr_in address = loopback(port);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	for (int tries = 0; connect(fd, (struct sockaddr *)&address, sizeof address); tries++) {
		struct timespec pause = {0, 10000000};

		if (tries == 500)
			die("connect");
		nanosleep(&pause, NULL);
		close(fd);
		fd = socket(AF_INET, SOCK_STREAM, 0);
	}
	no_delay(fd);
	return fd;
}

static bool read_all(int fd, uint8_t *to, size_t len)
{
	while (len > 0) {
		ssize_t n = recv(fd, to, len, 0);

		if (n <= 0)
			return false;
		to += n;
		len -= (size_t)n;
	}
	return true;
}

static void write_all(int fd, const uint8_t *from, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, from, len);

		if (n <= 0)
			die("write");
		from += n;
		len -= (size_t)n;
	}
}

static double cpu_s(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void report(const char *mode, int64_t bytes, int64_t started_ns)
{
	double seconds = (double)(clock_ns() - started_ns) / 1e9;

	printf("{\"mode\": \"%s\", \"bytes\": %lld, \"seconds\": %.3f, \"cpu_s\": %.3f, \"cpu_s_per_gb\": %.3f}\n", mode,
	       (long long)bytes, seconds, cpu_s(), bytes ? cpu_s() / ((double)bytes / 1e9) : 0.0);
}

/* Syncs a file each time it is told to. */
struct syncer {
	pthread_t thread;
	sem_t due;
	int file;
};

static void *sync_main(void *arg)
{
	struct syncer *syncer = arg;

	for (;;) {
		sem_wait(&syncer->due);
		if (fdatasync(syncer->file))
			die("fdatasync");
	}
	return NULL;
}

static int open_new(const char *path)
{
	int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	if (file < 0)
		die(path);
	return file;
}

/* Takes all frames into the file; sync_bytes 0: they are left to the kernel. */
static int take_frames(const char *mode, char **args, int64_t sync_bytes)
{
	int fd = accept_one(args[0]);
	struct syncer syncer = {.file = open_new(args[1])};
	uint8_t *frame = memory_alloc(CHUNK_BYTES);
	int64_t total = 0, unsynced = 0, started = clock_ns();
	volatile uint32_t sum = 0;
	uint8_t head[4];

	sem_init(&syncer.due, 0, 0);
	if (sync_bytes > 0)
		pthread_create(&syncer.thread, NULL, sync_main, &syncer);
	while (read_all(fd, head, sizeof head)) {
		size_t len = bytes_get_u32(head);

		if (len > CHUNK_BYTES || !read_all(fd, frame, len))
			die("frame");
		sum ^= crc32c(frame, len);
		write_all(syncer.file, frame, len);
		total += (int64_t)len;
		unsynced += (int64_t)len;
		if (sync_bytes > 0 && unsynced >= sync_bytes) {
			unsynced = 0;
			sem_post(&syncer.due);
		}
	}
	report(mode, total, started);
	return 0;
}

static int mode_receive(char **args)
{
	return take_frames("receive", args, 0);
}

static int mode_store(char **args)
{
	return take_frames("store", args, atoll(args[2]));
}

static int mode_push(char **args)
{
	int fd = connect_to(args[0]);
	int64_t left = atoll(args[1]);
	size_t size = (size_t)atol(args[2]);
	uint8_t *frame = memory_zalloc(1, size + 4);

	bytes_put_u32(frame, (uint32_t)size);
	for (; left > 0; left -= (int64_t)size)
		write_all(fd, frame, size + 4);
	return 0;
}

static void sendfile_all(int fd, int file, off_t from, off_t to)
{
	while (from < to)
		if (sendfile(fd, file, &from, (size_t)(to - from < CHUNK_BYTES ? to - from : CHUNK_BYTES)) <= 0)
			die("sendfile");
}

static off_t open_whole(const char *path, int *ret_file)
{
	struct stat status;

	*ret_file = open(path, O_RDONLY);
	if (*ret_file < 0 || fstat(*ret_file, &status))
		die(path);
	return status.st_size;
}

static void sleep_until(int64_t ns)
{
	struct timespec until = {ns / 1000000000, ns % 1000000000};

	clock_nanosleep(CLOCK_BOOTTIME, TIMER_ABSTIME, &until, NULL);
}

static int mode_feed(char **args)
{
	int file, fd = connect_to(args[0]);
	off_t size = open_whole(args[1], &file), step = atol(args[2]);
	int64_t started = clock_ns(), mb_per_s = atoll(args[3]);
	uint8_t head[4];

	for (off_t at = 0; at < size; at += step) {
		off_t end = at + step < size ? at + step : size;

		if (mb_per_s > 0)
			sleep_until(started + at * 1000 / mb_per_s);
		bytes_put_u32(head, (uint32_t)(end - at));
		write_all(fd, head, sizeof head);
		sendfile_all(fd, file, at, end);
	}
	return 0;
}

static int mode_serve(char **args)
{
	int file, fd = accept_one(args[0]);
	off_t size = open_whole(args[1], &file);
	int64_t started = clock_ns();

	sendfile_all(fd, file, 0, size);
	report("serve", size, started);
	return 0;
}

static int mode_pull(char **args)
{
	int fd = connect_to(args[0]);
	uint8_t *chunk = memory_alloc(CHUNK_BYTES);
	int64_t total = 0, started = clock_ns();
	ssize_t n;

	while ((n = recv(fd, chunk, CHUNK_BYTES, 0)) > 0)
		total += n;
	report("pull", total, started);
	return 0;
}

/* file -1: what comes is not kept. */
static int answer_frames(const char *port, int file)
{
	int fd = accept_one(port);
	uint8_t *frame = memory_alloc(CHUNK_BYTES);
	uint8_t head[4], answer[8] = {0, 0, 0, 4};

	while (read_all(fd, head, sizeof head)) {
		size_t len = bytes_get_u32(head);

		if (len > CHUNK_BYTES || !read_all(fd, frame, len))
			die("frame");
		if (file >= 0)
			write_all(file, frame, len);
		write_all(fd, answer, sizeof answer);
	}
	return 0;
}

static int mode_echo(char **args)
{
	return answer_frames(args[0], -1);
}

static int mode_append(char **args)
{
	return answer_frames(args[0], open_new(args[1]));
}

static int by_size(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static int mode_ask(char **args)
{
	int fd = connect_to(args[0]);
	long n = atol(args[1]);
	size_t size = (size_t)atol(args[2]);
	int64_t step_ns = 1000000000 / atol(args[3]), next = clock_ns();
	uint8_t *frame = memory_zalloc(1, size + 4), answer[8];
	int64_t *times = memory_zalloc((size_t)n, sizeof *times);

	bytes_put_u32(frame, (uint32_t)size);
	for (long i = 0; i < n; i++) {
		int64_t sent;

		sleep_until(next += step_ns);
		sent = clock_ns();
		write_all(fd, frame, size + 4);
		if (!read_all(fd, answer, sizeof answer))
			die("answer");
		times[i] = clock_ns() - sent;
	}
	qsort(times, (size_t)n, sizeof *times, by_size);
	printf("{\"mode\": \"echo\", \"n\": %ld, \"p50_ms\": %.3f, \"p99_ms\": %.3f, \"max_ms\": %.3f}\n", n,
	       (double)times[n / 2] / 1e6, (double)times[n * 99 / 100] / 1e6, (double)times[n - 1] / 1e6);
	return 0;
}

static int mode_touch(char **args)
{
	size_t len = strtoull(args[0], NULL, 10);
	uint8_t *memory = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int64_t started = clock_ns();

	if (memory == MAP_FAILED)
		die("mmap");
	for (size_t at = 0; at < len; at += 4096)
		memory[at] = 1;
	report("touch", (int64_t)len, started);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int n_args;
		int (*run)(char **args);
	} modes[] = {
		{"receive", 2, mode_receive}, {"store", 3, mode_store}, {"push", 3, mode_push}, {"feed", 4, mode_feed},
		{"serve", 2, mode_serve},     {"pull", 1, mode_pull},   {"echo", 1, mode_echo}, {"append", 2, mode_append},
		{"ask", 4, mode_ask},         {"touch", 1, mode_touch},
	};

	for (size_t i = 0; i < ARRAY_LEN(modes); i++)
		if (argc == modes[i].n_args + 2 && strcmp(argv[1], modes[i].name) == 0)
			return modes[i].run(argv + 2);
	fprintf(stderr, "usage: bare_loop receive|store|push|feed|serve|pull|echo|append|ask ... (see the head of "
			"test/bench/bare_loop.c)\n");
	return 2;
}
