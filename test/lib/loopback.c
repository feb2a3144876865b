/* See loopback.h. */
#include "test/lib/loopback.h"

#include "broker/rt/signals.h"
#include "common/bytes.h"
#include "common/clock.h"
#include "common/memory.h"
#include "test/lib/unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

void loopback_open(struct loopback *loopback, const struct net_api *apis, int n_apis, const struct net_limits *limits)
{
	struct listener_info info = {.name = "TEST", .host = "127.0.0.1", .inter_broker = true};
	struct error err;

	signals_block();
	ck_assert_int_eq(worker_init(&loopback->worker, "test", 0), 0);
	budget_init(&loopback->budget, 64 << 20, 16 << 20);
	loopback->setup = (struct net_setup){
		.apis = apis, .n_apis = n_apis, .limits = limits ? *limits : net_limits_default, .budget = &loopback->budget};
	loopback->setup.owner = loopback;
	net_init(&loopback->net, &loopback->worker, &loopback->setup);
	loopback->nets[0] = &loopback->net;
	ck_assert_int_eq(acceptor_init(&loopback->acceptor, &loopback->worker, &acceptor_limits_default, loopback->nets, 1), 0);
	ck_assert_msg(listener_open(&loopback->listener, &loopback->acceptor, &info, &listener_options_default, &err) == 0,
		      "%s", err.text);
	loopback->port = loopback->listener.info.port;
	listener_start(&loopback->listener);
}

static void on_close(struct message *message)
{
	net_close(&CONTAINER_OF(message, struct loopback, close)->net, NULL, NULL);
}

void loopback_close(struct loopback *loopback)
{
	loopback->close.run = on_close;
	worker_post(&loopback->worker, &loopback->close);
	worker_drain(&loopback->worker);
	listener_close(&loopback->listener);
	worker_drain(&loopback->worker);
	acceptor_fini(&loopback->acceptor);
	net_fini(&loopback->net);
	ck_assert_int_eq(budget_used(&loopback->budget), 0);
	budget_fini(&loopback->budget);
	worker_fini(&loopback->worker);
}

int loopback_connect(struct loopback *loopback)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(loopback->port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ck_assert_int_ge(fd, 0);
	if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
		ck_assert_int_eq(errno, EINPROGRESS);
	return fd;
}

void loopback_until(struct loopback *loopback, bool (*condition)(void *ctx), void *ctx)
{
	int64_t end = clock_ms() + LOOPBACK_WAIT_MS;

	while (!condition(ctx)) {
		ck_assert_msg(clock_ms() < end, "waited too long");
		worker_turn(&loopback->worker, 1);
	}
}

void loopback_pass(struct loopback *loopback, int64_t ms)
{
	int64_t end = clock_ms() + ms;

	while (clock_ms() < end)
		worker_turn(&loopback->worker, 1);
}

void loopback_send(struct loopback *loopback, int fd, const void *bytes, size_t len)
{
	int64_t end = clock_ms() + LOOPBACK_WAIT_MS;
	const uint8_t *at = bytes;

	while (len > 0) {
		ssize_t n = send(fd, at, len, MSG_NOSIGNAL);

		if (n > 0) {
			at += n;
			len -= (size_t)n;
			continue;
		}
		ck_assert_int_eq(errno, EAGAIN);
		ck_assert_msg(clock_ms() < end, "waited too long to send");
		worker_turn(&loopback->worker, 1);
	}
	worker_turn(&loopback->worker, 0);
}

void loopback_receive(struct loopback *loopback, int fd, void *ret_bytes, size_t len)
{
	int64_t end = clock_ms() + LOOPBACK_WAIT_MS;
	uint8_t *at = ret_bytes;

	while (len > 0) {
		ssize_t n = recv(fd, at, len, 0);

		ck_assert_msg(n != 0, "closed by the other end");
		if (n > 0) {
			at += n;
			len -= (size_t)n;
			continue;
		}
		ck_assert_int_eq(errno, EAGAIN);
		ck_assert_msg(clock_ms() < end, "waited too long to receive");
		worker_turn(&loopback->worker, 1);
	}
}

void loopback_expect_closed(struct loopback *loopback, int fd)
{
	int64_t end = clock_ms() + LOOPBACK_WAIT_MS;
	char byte;

	for (;;) {
		ssize_t n = recv(fd, &byte, 1, 0);

		ck_assert_msg(n <= 0, "a byte came instead of the end");
		if (n == 0 || errno == ECONNRESET)
			return;
		ck_assert_int_eq(errno, EAGAIN);
		ck_assert_msg(clock_ms() < end, "waited too long for the end");
		worker_turn(&loopback->worker, 1);
	}
}

size_t loopback_frame(uint8_t *ret_frame, int key, int version, int32_t correlation_id, const void *body, size_t len)
{
	bytes_put_i32(ret_frame, (int32_t)(14 + len));
	bytes_put_i16(ret_frame + 4, (int16_t)key);
	bytes_put_i16(ret_frame + 6, (int16_t)version);
	bytes_put_i32(ret_frame + 8, correlation_id);
	bytes_put_i16(ret_frame + 12, 4);
	memcpy(ret_frame + 14, "test", 4);
	memcpy(ret_frame + 18, body, len);
	return 18 + len;
}

void loopback_request(struct loopback *loopback, int fd, int key, int version, int32_t correlation_id, const void *body,
		      size_t len)
{
	uint8_t *frame = memory_alloc(len + 32);

	loopback_send(loopback, fd, frame, loopback_frame(frame, key, version, correlation_id, body, len));
	free(frame);
}

uint8_t *loopback_answer(struct loopback *loopback, int fd, int32_t *ret_correlation_id, size_t *ret_len)
{
	uint8_t head[8], *body;
	int32_t size;

	loopback_receive(loopback, fd, head, sizeof head);
	size = bytes_get_i32(head);
	ck_assert_int_ge(size, 4);
	*ret_correlation_id = bytes_get_i32(head + 4);
	*ret_len = (size_t)size - 4;
	body = memory_alloc(*ret_len + 1);
	loopback_receive(loopback, fd, body, *ret_len);
	body[*ret_len] = 0;
	return body;
}
