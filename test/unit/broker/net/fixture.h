/* What the tests of connections and of requests share: a server with APIs that echo, park, count, and so on, and helpers of
 * clients. */
#ifndef KLAMM_TEST_UNIT_BROKER_NET_FIXTURE_H
#define KLAMM_TEST_UNIT_BROKER_NET_FIXTURE_H

#include "test/lib/loopback.h"
#include "test/lib/unit.h"

#include "common/bytes.h"
#include "common/clock.h"
#include "common/limits.h"
#include "common/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define KEY_ECHO 20001   /* pipelined: the body comes back */
#define KEY_PARK 20002   /* pipelined: waits until released */
#define KEY_SERIAL 20003 /* waits until released */
#define KEY_NONE 20004   /* pipelined: no answer */
#define KEY_COUNT 20005  /* pipelined: answers with the length of the body */
#define KEY_DETACH 20006
#define KEY_SLOW 20007 /* echoes and throttles for slow_ms */
#define KEY_BIG 20008  /* answers with 256 KiB */

static struct loopback loopback;
static struct request *parked[LIMIT_CONN_REQUESTS * 4];
static int n_parked, n_gone;
static struct detached detached;
static int n_detached, n_detach_failed;

static inline void on_echo(struct request *request)
{
	request_answer_raw(request, request->raw_body);
}

static inline void on_gone(struct request *request)
{
	(void)request;
	n_gone++;
}

static inline void on_park(struct request *request)
{
	request->on_gone = on_gone;
	parked[n_parked++] = request;
}

static inline void on_none(struct request *request)
{
	request_answer_none(request);
}

static inline void on_count(struct request *request)
{
	uint8_t count[4];

	bytes_put_i32(count, (int32_t)request->raw_body.len);
	request_release_frame(request);
	request_answer_raw(request, slice_of(count, sizeof count));
}

static inline void on_detached(void *ctx, const struct detached *given)
{
	(void)ctx;
	if (given) {
		detached = *given;
		n_detached++;
	} else {
		n_detach_failed++;
	}
}

static inline void on_detach(struct request *request)
{
	request_detach(request, SLICE_LITERAL("welcome"), on_detached, NULL);
}

static int64_t slow_ms = 100;

static inline void on_slow(struct request *request)
{
	request_throttle(request, clock_ms() + slow_ms);
	request_answer_raw(request, request->raw_body);
}

static inline void on_big(struct request *request)
{
	static uint8_t big[256 << 10];

	request_answer_raw(request, slice_of(big, sizeof big));
}

static void (*on_fetch)(struct request *request);

static inline void on_any_fetch(struct request *request)
{
	on_fetch(request);
}

static const struct net_api apis[] = {
	{KEY_ECHO, 0, 3, NET_API_RAW | NET_API_PIPELINED, on_echo},
	{KEY_PARK, 0, 0, NET_API_RAW | NET_API_PIPELINED, on_park},
	{KEY_SERIAL, 0, 0, NET_API_RAW, on_park},
	{KEY_NONE, 0, 0, NET_API_RAW | NET_API_PIPELINED, on_none},
	{KEY_COUNT, 0, 0, NET_API_RAW | NET_API_PIPELINED, on_count},
	{KEY_DETACH, 0, 0, NET_API_RAW | NET_API_INTER_BROKER, on_detach},
	{KEY_SLOW, 0, 0, NET_API_RAW, on_slow},
	{KEY_BIG, 0, 0, NET_API_RAW | NET_API_PIPELINED, on_big},
	{API_FETCH, 4, 17, NET_API_PIPELINED, on_any_fetch},
	{API_API_VERSIONS, 0, 4, NET_API_BEFORE_AUTH, on_echo},
};

static inline void open_with(const struct net_limits *limits)
{
	n_parked = n_gone = n_detached = n_detach_failed = 0;
	(void)on_fetch;
	loopback_open(&loopback, apis, ARRAY_LEN(apis), limits);
}

static inline void open_default(void)
{
	open_with(NULL);
}

static inline bool has_parked(void *ctx)
{
	return n_parked >= *(int *)ctx;
}

static inline void wait_parked(int n)
{
	loopback_until(&loopback, has_parked, &n);
}

static inline bool has_closed(void *ctx)
{
	return loopback.net.counters.n_opened > 0 && loopback.net.counters.n_connections <= *(int *)ctx;
}

static inline void wait_open(int n)
{
	loopback_until(&loopback, has_closed, &n);
}

/* Answers the i-th parked request with its own body, on the worker. */
static inline void on_release(struct message *message)
{
	struct request *request = CONTAINER_OF(message, struct request, message);

	request_answer_raw(request, request->raw_body);
}

static inline void release(int i)
{
	parked[i]->message.run = on_release;
	worker_post(&loopback.worker, &parked[i]->message);
	worker_turn(&loopback.worker, 10);
}

static inline void expect_answer(int fd, int32_t correlation_id, const char *body)
{
	int32_t got;
	size_t len;
	uint8_t *bytes = loopback_answer(&loopback, fd, &got, &len);

	ck_assert_int_eq(got, correlation_id);
	ck_assert_str_eq((char *)bytes, body);
	free(bytes);
}

static inline void expect_any_answer(int fd)
{
	int32_t id;
	size_t len;

	free(loopback_answer(&loopback, fd, &id, &len));
}

static inline void expect_nothing(int fd)
{
	char byte;

	loopback_pass(&loopback, 30);
	ck_assert_int_eq(recv(fd, &byte, 1, 0), -1);
	ck_assert_int_eq(errno, EAGAIN);
}

static inline void request(int fd, int key, int32_t correlation_id, const char *body)
{
	loopback_request(&loopback, fd, key, 0, correlation_id, body, strlen(body));
}

static inline void reset(int fd)
{
	struct linger linger = {.l_onoff = 1};

	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger), 0);
	close(fd);
}

#endif
