/*
 * What broker/net costs: bytes in, small requests, bytes out of a file; each beside a bare loop that does only the system
 * calls.
 *
 *     test/bench/net_bench [seconds for each line, default 2] [connections, default 4] [workers, default 2]
 *
 * Clients are threads of this program on loopback; CPU is that of the server's threads alone.
 */
#include "broker/net/listener.h"
#include "broker/net/net.h"
#include "broker/rt/signals.h"
#include "common/bytes.h"
#include "common/clock.h"
#include "common/memory.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sendfile.h>
#include <time.h>
#include <unistd.h>

#define KEY_SINK 20001
#define KEY_FILE 20002
#define FILE_BYTES (1 << 20)
#define WORKERS_MAX 64

struct line {
	const char *name;
	int key;
	size_t frame_bytes; /* of a request */
	size_t answer_bytes;
	int window; /* requests under way on a connection */
	bool bare;
};

static const struct line lines[] = {
	{"bare receive, 1 MiB", 0, 1 << 20, 12, 4, true},
	{"receive, frames of 1 MiB", KEY_SINK, 1 << 20, 12, 4, false},
	{"receive, frames of 100 KiB", KEY_SINK, 100 << 10, 12, 4, false},
	{"receive, frames of 16 KiB", KEY_SINK, 16 << 10, 12, 16, false},
	{"receive, frames of 1 KiB", KEY_SINK, 1 << 10, 12, 64, false},
	{"requests of 100 B, 64 under way", KEY_SINK, 100, 12, 64, false},
	{"requests of 100 B, one at a time", KEY_SINK, 100, 12, 1, false},
	{"bare sendfile, 1 MiB", 0, 100, 8 + FILE_BYTES, 2, true},
	{"send, 1 MiB of a file", KEY_FILE, 100, 8 + FILE_BYTES, 2, false},
};

static int n_connections = 4, n_workers = 2, file_fd;
static struct shared_i64 stop, n_requests;

/* ---- Server ---- */

static struct worker hub, workers[WORKERS_MAX];
static struct net nets[WORKERS_MAX], *net_list[WORKERS_MAX];
static struct budget budget;
static struct acceptor acceptor;
static struct listener listener;
static struct net_setup setup;

static void on_sink(struct request *request)
{
	request_answer_raw(request, slice_of("done", 4));
}

/* The answer of a fetch without the rest: a file range behind the size and correlation id. */
static void on_file(struct request *request)
{
	struct send_files *files = arena_alloc(&request->arena, sizeof *files);

	files->n_files = 1;
	files->files = arena_alloc(&request->arena, sizeof *files->files);
	files->files[0] = (struct send_file){.fd = file_fd, .len = FILE_BYTES};
	request_answer_raw_files(request, slice_of("", 0), files);
}

static const struct net_api apis[] = {
	{KEY_SINK, 0, 0, NET_API_RAW | NET_API_PIPELINED, on_sink},
	{KEY_FILE, 0, 0, NET_API_RAW | NET_API_PIPELINED, on_file},
};

static void server_start(void)
{
	struct listener_info info = {.name = "BENCH", .host = "127.0.0.1", .inter_broker = true};
	struct listener_options options = {.backlog = 128, .receive_buffer_bytes = -1, .send_buffer_bytes = -1};
	struct error err;

	budget_init(&budget, 1 << 30, 0);
	setup = (struct net_setup){.apis = apis, .n_apis = ARRAY_LEN(apis), .limits = net_limits_default, .budget = &budget};
	CHECK(worker_init(&hub, "hub", 0) == 0);
	for (int i = 0; i < n_workers; i++) {
		CHECK(worker_init(&workers[i], "worker", (unsigned)i) == 0);
		net_init(&nets[i], &workers[i], &setup);
		net_list[i] = &nets[i];
	}
	CHECK(acceptor_init(&acceptor, &hub, &acceptor_limits_default, net_list, n_workers) == 0);
	CHECK(listener_open(&listener, &acceptor, &info, &options, &err) == 0);
	listener_start(&listener);
	for (int i = 0; i < n_workers; i++)
		CHECK(worker_start(&workers[i]) == 0);
	CHECK(worker_start(&hub) == 0);
}

static void on_close_net(struct message *message)
{
	net_close(&nets[worker_current()->index], NULL, NULL);
	free(message);
}

/* Everything closed in order, so that leaks and races are seen under the sanitizers. */
static void server_stop(void)
{
	for (int i = 0; i < n_workers; i++) {
		struct message *message = NEW(struct message);

		message->run = on_close_net;
		worker_post(&workers[i], message);
		worker_stop(&workers[i]);
		worker_join(&workers[i]);
		worker_drain(&workers[i]);
		net_fini(&nets[i]);
		worker_fini(&workers[i]);
	}
	worker_stop(&hub);
	worker_join(&hub);
	listener_close(&listener);
	worker_drain(&hub);
	acceptor_fini(&acceptor);
	worker_fini(&hub);
	budget_fini(&budget);
}

static double cpu_of(pthread_t thread)
{
	struct timespec used = {0};
	clockid_t clock;

	if (pthread_getcpuclockid(thread, &clock) == 0)
		clock_gettime(clock, &used);
	return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

static double server_cpu(void)
{
	double sum = cpu_of(hub.thread);

	for (int i = 0; i < n_workers; i++)
		sum += cpu_of(workers[i].thread);
	return sum;
}

/* ---- The bare loops: one thread for a connection, nothing but system calls ---- */

struct bare {
	pthread_t thread;
	int fd;
	const struct line *line;
};

static void *bare_main(void *arg)
{
	struct bare *bare = arg;
	size_t want = bare->line->frame_bytes, have = 0, left;
	uint8_t *bytes = memory_alloc(want), answer[12] = {0, 0, 0, 8};
	off_t pos;
	ssize_t n;

	while ((n = recv(bare->fd, bytes + have, want - have, 0)) > 0) {
		have += (size_t)n;
		if (have < want)
			continue;
		have = 0;
		left = bare->line->answer_bytes > FILE_BYTES ? FILE_BYTES : 0;
		if (send(bare->fd, answer, bare->line->answer_bytes - left, MSG_NOSIGNAL | (left ? MSG_MORE : 0)) < 0)
			break;
		for (pos = 0; left > 0; left -= (size_t)n)
			if ((n = sendfile(bare->fd, file_fd, &pos, left)) <= 0)
				goto out;
	}
out:
	free(bytes);
	return NULL;
}

/* ---- Clients ---- */

struct bench_client {
	pthread_t thread;
	struct bare bare;
	int fd;
	const struct line *line;
};

static void *client_send(void *arg)
{
	struct bench_client *client = arg;
	const struct line *line = client->line;
	size_t batch = line->window > 1 && line->frame_bytes < 65536 ? (size_t)line->window / 2 : 1;
	uint8_t *frames = memory_zalloc(batch, line->frame_bytes), *scratch = memory_alloc(1 << 20);
	int64_t n_sent = 0;
	uint64_t received = 0;

	for (size_t i = 0; i < batch; i++) {
		uint8_t *frame = frames + i * line->frame_bytes;

		bytes_put_i32(frame, (int32_t)line->frame_bytes - 4);
		bytes_put_i16(frame + 4, (int16_t)line->key);
		bytes_put_i16(frame + 12, -1);
	}
	while (!shared_i64_get(&stop)) {
		ssize_t n = 0;

		while (n_sent - (int64_t)(received / line->answer_bytes) + (int64_t)batch <= line->window) {
			size_t sent = 0;

			while (sent < batch * line->frame_bytes) {
				n = send(client->fd, frames + sent, batch * line->frame_bytes - sent, MSG_NOSIGNAL);
				if (n < 0)
					goto out;
				sent += (size_t)n;
			}
			n_sent += (int64_t)batch;
		}
		n = recv(client->fd, scratch, 1 << 20, 0);
		if (n <= 0)
			break;
		shared_i64_add(&n_requests, (int64_t)((received + (uint64_t)n) / line->answer_bytes) -
						    (int64_t)(received / line->answer_bytes));
		received += (uint64_t)n;
	}
out:
	shutdown(client->fd, SHUT_RDWR);
	free(frames);
	free(scratch);
	return NULL;
}

static void connect_client(struct bench_client *client)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof address;
	int door = -1, on = 1;

	address.sin_port = htons(listener.info.port);
	if (client->line->bare) {
		door = socket(AF_INET, SOCK_STREAM, 0);
		address.sin_port = 0;
		CHECK(bind(door, (struct sockaddr *)&address, sizeof address) == 0 && listen(door, 1) == 0);
		CHECK(getsockname(door, (struct sockaddr *)&address, &len) == 0);
	}
	client->fd = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(connect(client->fd, (struct sockaddr *)&address, sizeof address) == 0);
	setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (!client->line->bare)
		return;
	client->bare = (struct bare){.fd = accept(door, NULL, NULL), .line = client->line};
	setsockopt(client->bare.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	close(door);
	pthread_create(&client->bare.thread, NULL, bare_main, &client->bare);
}

static double cpu_of_line(const struct line *line, struct bench_client *clients)
{
	double sum = 0;

	if (!line->bare)
		return server_cpu();
	for (int i = 0; i < n_connections; i++)
		sum += cpu_of(clients[i].bare.thread);
	return sum;
}

static void run_line(const struct line *line, double seconds)
{
	struct bench_client *clients = memory_zalloc((size_t)n_connections, sizeof *clients);
	struct timespec pause = {.tv_sec = (time_t)seconds, .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9)};
	struct timespec warm_up = {.tv_nsec = 200000000};
	double cpu, gb, took;
	int64_t n, begun;

	shared_i64_set(&stop, 0);
	for (int i = 0; i < n_connections; i++) {
		clients[i].line = line;
		connect_client(&clients[i]);
		pthread_create(&clients[i].thread, NULL, client_send, &clients[i]);
	}
	nanosleep(&warm_up, NULL);
	begun = clock_ns();
	cpu = cpu_of_line(line, clients);
	n = shared_i64_get(&n_requests);
	nanosleep(&pause, NULL);
	n = shared_i64_get(&n_requests) - n;
	cpu = cpu_of_line(line, clients) - cpu;
	took = (double)(clock_ns() - begun) / 1e9;
	shared_i64_set(&stop, 1);
	gb = (double)n * (double)(line->frame_bytes > line->answer_bytes ? line->frame_bytes : line->answer_bytes) / 1e9;
	printf("%-36s %7.2f GB/s %8.3f CPU-s/GB %9.0f requests/s %7.2f CPU-us/request\n", line->name, gb / took, cpu / gb,
	       (double)n / took, cpu / (double)n * 1e6);
	fflush(stdout);
	for (int i = 0; i < n_connections; i++) {
		shutdown(clients[i].fd, SHUT_RDWR);
		pthread_join(clients[i].thread, NULL);
		if (line->bare) {
			shutdown(clients[i].bare.fd, SHUT_RDWR);
			pthread_join(clients[i].bare.thread, NULL);
			close(clients[i].bare.fd);
		}
		close(clients[i].fd);
	}
	free(clients);
}

static void make_file(void)
{
	char path[] = "/tmp/klamm-net-bench-XXXXXX";
	uint8_t *bytes = memory_zalloc(1, FILE_BYTES);

	file_fd = mkstemp(path);
	CHECK(file_fd >= 0 && write(file_fd, bytes, FILE_BYTES) == FILE_BYTES);
	unlink(path);
	free(bytes);
}

int main(int argc, char **argv)
{
	double seconds = argc > 1 ? atof(argv[1]) : 2;

	if (argc > 2)
		n_connections = atoi(argv[2]);
	if (argc > 3)
		n_workers = atoi(argv[3]);
	if (seconds <= 0 || n_connections < 1 || n_workers < 1 || n_workers > WORKERS_MAX) {
		fprintf(stderr, "usage: net_bench [seconds] [connections] [workers, at most %d]\n", WORKERS_MAX);
		return 2;
	}
	memory_keep_freed();
	signals_block();
	make_file();
	server_start();
	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		run_line(&lines[i], seconds);
	server_stop();
	return 0;
}
