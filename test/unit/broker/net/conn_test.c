/* Connections and requests over real sockets. */
#include "test/lib/loopback.h"
#include "test/lib/unit.h"

#include "common/bytes.h"
#include "common/clock.h"
#include "common/limits.h"
#include "common/memory.h"
#include "proto/kafka/fetch.gen.h"
#include "proto/kafka_error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define KEY_ECHO 20001   /* pipelined: the body comes back */
#define KEY_PARK 20002   /* pipelined: waits until released */
#define KEY_SERIAL 20003 /* waits until released */
#define KEY_NONE 20004   /* pipelined: no answer */
#define KEY_COUNT 20005  /* pipelined: answers with the length of the body */
#define KEY_DETACH 20006
#define KEY_SLOW 20007 /* echoes and throttles for 100 ms */
#define KEY_BIG 20008  /* answers with 256 KiB */

static struct loopback loopback;
static struct request *parked[LIMIT_CONN_REQUESTS * 4];
static int n_parked, n_gone, n_files_released;
static struct detached detached;
static int n_detached, n_detach_failed;

static void on_echo(struct request *request)
{
	request_answer_raw(request, request->raw_body);
}

static void on_gone(struct request *request)
{
	(void)request;
	n_gone++;
}

static void on_park(struct request *request)
{
	request->on_gone = on_gone;
	parked[n_parked++] = request;
}

static void on_none(struct request *request)
{
	request_answer_none(request);
}

static void on_count(struct request *request)
{
	uint8_t count[4];

	bytes_put_i32(count, (int32_t)request->raw_body.len);
	request_release_frame(request);
	request_answer_raw(request, slice_of(count, sizeof count));
}

static void on_detached(void *ctx, const struct detached *given)
{
	(void)ctx;
	if (given) {
		detached = *given;
		n_detached++;
	} else {
		n_detach_failed++;
	}
}

static void on_detach(struct request *request)
{
	request_detach(request, SLICE_LITERAL("welcome"), on_detached, NULL);
}

static void on_slow(struct request *request)
{
	request_throttle(request, clock_ms() + 100);
	request_answer_raw(request, request->raw_body);
}

static void on_big(struct request *request)
{
	static uint8_t big[256 << 10];

	request_answer_raw(request, slice_of(big, sizeof big));
}

static void on_fetch(struct request *request);

static const struct net_api apis[] = {
	{KEY_ECHO, 0, 3, NET_API_RAW | NET_API_PIPELINED, on_echo},
	{KEY_PARK, 0, 0, NET_API_RAW | NET_API_PIPELINED, on_park},
	{KEY_SERIAL, 0, 0, NET_API_RAW, on_park},
	{KEY_NONE, 0, 0, NET_API_RAW | NET_API_PIPELINED, on_none},
	{KEY_COUNT, 0, 0, NET_API_RAW | NET_API_PIPELINED, on_count},
	{KEY_DETACH, 0, 0, NET_API_RAW | NET_API_INTER_BROKER, on_detach},
	{KEY_SLOW, 0, 0, NET_API_RAW, on_slow},
	{KEY_BIG, 0, 0, NET_API_RAW | NET_API_PIPELINED, on_big},
	{API_FETCH, 4, 17, NET_API_PIPELINED, on_fetch},
	{API_API_VERSIONS, 0, 4, NET_API_BEFORE_AUTH, on_echo},
};

static void open_with(const struct net_limits *limits)
{
	n_parked = n_gone = n_detached = n_detach_failed = n_files_released = 0;
	loopback_open(&loopback, apis, ARRAY_LEN(apis), limits);
}

static void open_default(void)
{
	open_with(NULL);
}

static bool has_parked(void *ctx)
{
	return n_parked >= *(int *)ctx;
}

static void wait_parked(int n)
{
	loopback_until(&loopback, has_parked, &n);
}

static bool has_closed(void *ctx)
{
	return loopback.net.counters.n_opened > 0 && loopback.net.counters.n_connections <= *(int *)ctx;
}

static void wait_open(int n)
{
	loopback_until(&loopback, has_closed, &n);
}

/* Answers the i-th parked request with its own body, on the worker. */
static void on_release(struct message *message)
{
	struct request *request = CONTAINER_OF(message, struct request, message);

	request_answer_raw(request, request->raw_body);
}

static void release(int i)
{
	parked[i]->message.run = on_release;
	worker_post(&loopback.worker, &parked[i]->message);
	worker_turn(&loopback.worker, 10);
}

static void expect_answer(int fd, int32_t correlation_id, const char *body)
{
	int32_t got;
	size_t len;
	uint8_t *bytes = loopback_answer(&loopback, fd, &got, &len);

	ck_assert_int_eq(got, correlation_id);
	ck_assert_str_eq((char *)bytes, body);
	free(bytes);
}

static void expect_any_answer(int fd)
{
	int32_t id;
	size_t len;

	free(loopback_answer(&loopback, fd, &id, &len));
}

static void expect_nothing(int fd)
{
	char byte;

	loopback_pass(&loopback, 30);
	ck_assert_int_eq(recv(fd, &byte, 1, 0), -1);
	ck_assert_int_eq(errno, EAGAIN);
}

static void request(int fd, int key, int32_t correlation_id, const char *body)
{
	loopback_request(&loopback, fd, key, 0, correlation_id, body, strlen(body));
}

START_TEST(answers_come_in_the_order_of_the_requests)
{
	int fd;

	open_default();
	fd = loopback_connect(&loopback);
	request(fd, KEY_PARK, 1, "one");
	request(fd, KEY_ECHO, 2, "two");
	request(fd, KEY_PARK, 3, "three");
	request(fd, KEY_NONE, 4, "four");
	request(fd, KEY_ECHO, 5, "five");
	wait_parked(2);
	expect_nothing(fd);
	release(1);
	expect_nothing(fd);
	release(0);
	expect_answer(fd, 1, "one");
	expect_answer(fd, 2, "two");
	expect_answer(fd, 3, "three");
	expect_answer(fd, 5, "five");
	close(fd);
	loopback_close(&loopback);
}
END_TEST

START_TEST(a_serial_request_waits_for_earlier_ones_and_holds_up_later_ones)
{
	int fd;

	open_default();
	fd = loopback_connect(&loopback);
	request(fd, KEY_PARK, 1, "one");
	request(fd, KEY_SERIAL, 2, "two");
	request(fd, KEY_PARK, 3, "three");
	wait_parked(1);
	loopback_pass(&loopback, 20);
	ck_assert_int_eq(n_parked, 1);
	release(0);
	expect_answer(fd, 1, "one");
	wait_parked(2);
	loopback_pass(&loopback, 20);
	ck_assert_int_eq(n_parked, 2);
	release(1);
	expect_answer(fd, 2, "two");
	wait_parked(3);
	release(2);
	expect_answer(fd, 3, "three");
	close(fd);
	loopback_close(&loopback);
}
END_TEST

START_TEST(ten_thousand_pipelined_requests_are_answered_in_order)
{
	enum { N = 10000 };
	uint8_t *all = memory_alloc((size_t)N * 64), *at = all;
	char body[16];
	int fd;

	open_default();
	fd = loopback_connect(&loopback);
	for (int i = 0; i < N; i++) {
		snprintf(body, sizeof body, "%d", i);
		at += loopback_frame(at, KEY_ECHO, 0, i, body, strlen(body));
	}
	loopback_send(&loopback, fd, all, (size_t)(at - all));
	for (int i = 0; i < N; i++) {
		snprintf(body, sizeof body, "%d", i);
		expect_answer(fd, i, body);
	}
	ck_assert_int_eq(loopback.net.counters.n_requests, N);
	free(all);
	close(fd);
	loopback_close(&loopback);
}
END_TEST

/* As many answers as one send takes pieces: the kernel must not be told that more follows. */
START_TEST(a_full_batch_of_answers_leaves_at_once)
{
	uint8_t all[LIMIT_CONN_REQUESTS * 32], *at = all;
	int64_t begun;
	int fd;

	open_default();
	fd = loopback_connect(&loopback);
	loopback_pass(&loopback, 10);
	for (int i = 0; i < LIMIT_CONN_REQUESTS; i++)
		at += loopback_frame(at, KEY_ECHO, 0, i, "x", 1);
	begun = clock_ms();
	loopback_send(&loopback, fd, all, (size_t)(at - all));
	for (int i = 0; i < LIMIT_CONN_REQUESTS; i++)
		expect_answer(fd, i, "x");
	ck_assert_int_lt(clock_ms() - begun, 150);
	close(fd);
	loopback_close(&loopback);
}
END_TEST

START_TEST(no_more_than_the_bound_of_requests_are_under_way)
{
	int fd;

	open_default();
	fd = loopback_connect(&loopback);
	for (int i = 0; i < LIMIT_CONN_REQUESTS + 10; i++)
		request(fd, KEY_PARK, i, "x");
	wait_parked(LIMIT_CONN_REQUESTS);
	loopback_pass(&loopback, 20);
	ck_assert_int_eq(n_parked, LIMIT_CONN_REQUESTS);
	for (int i = 0; i < LIMIT_CONN_REQUESTS + 10; i++) {
		wait_parked(i + 1);
		release(i);
		expect_answer(fd, i, "x");
	}
	close(fd);
	loopback_close(&loopback);
}
END_TEST

START_TEST(a_frame_that_comes_byte_by_byte_is_understood)
{
	uint8_t frame[64];
	size_t len = loopback_frame(frame, KEY_ECHO, 0, 7, "slow", 4);
	int fd;

	open_default();
	fd = loopback_connect(&loopback);
	for (size_t i = 0; i < len; i++)
		loopback_send(&loopback, fd, frame + i, 1);
	expect_answer(fd, 7, "slow");
	close(fd);
	loopback_close(&loopback);
}
END_TEST

START_TEST(frames_of_all_sizes_keep_their_bytes)
{
	static const size_t sizes[] = {0, 1, 4000, 4096, 5000, 16384, 65000, 65536, 65537, 100000, 1 << 20, 3000000, 10, 70000, 1 << 20};
	uint8_t *frame = memory_alloc((4 << 20) + 64), *body = memory_alloc(4 << 20), *answer;
	int32_t id;
	size_t len;
	int fd;

	for (size_t i = 0; i < 4 << 20; i++)
		body[i] = (uint8_t)(i * 31 + i / 251);
	open_default();
	fd = loopback_connect(&loopback);
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
			loopback_send(&loopback, fd, frame, loopback_frame(frame, KEY_ECHO, 0, (int32_t)i, body + i, sizes[i]));
			answer = loopback_answer(&loopback, fd, &id, &len);
			ck_assert_int_eq(id, (int)i);
			ck_assert_uint_eq(len, sizes[i]);
			ck_assert_int_eq(memcmp(answer, body + i, len), 0);
			free(answer);
		}
	}
	free(frame);
	free(body);
	close(fd);
	loopback_close(&loopback);
}
END_TEST

/* Frames of mixed sizes back to back, in pieces that end anywhere. */
START_TEST(frames_back_to_back_in_odd_pieces_keep_their_bytes)
{
	enum { N = 300 };
	uint8_t *all = memory_alloc((size_t)N * 70000), *at = all, *from = all;
	uint8_t *body = memory_alloc(70000);
	size_t sizes[N], piece;
	int fd;

	memset(body, 'b', 70000);
	open_default();
	fd = loopback_connect(&loopback);
	srand(7);
	for (int i = 0; i < N; i++) {
		sizes[i] = (size_t)rand() % (i % 3 == 0 ? 60000 : 3000);
		at += loopback_frame(at, KEY_COUNT, 0, i, body, sizes[i]);
	}
	while (from < at) {
		piece = (size_t)((from - all) * 7919 % 100000 + 1);
		if (piece > (size_t)(at - from))
			piece = (size_t)(at - from);
		loopback_send(&loopback, fd, from, piece);
		from += piece;
	}
	for (int i = 0; i < N; i++) {
		size_t len;
		int32_t id;
		uint8_t *answer = loopback_answer(&loopback, fd, &id, &len);

		ck_assert_int_eq(id, i);
		ck_assert_int_eq(bytes_get_i32(answer), (int32_t)sizes[i]);
		free(answer);
	}
	free(all);
	free(body);
	close(fd);
	loopback_close(&loopback);
}
END_TEST

START_TEST(sizes_out_of_bounds_close_the_connection)
{
	static const int32_t sizes[] = {-1, 0, 3, 7, INT32_MIN, INT32_MAX, (100 << 20) + 1, 0x47455420 /* GET */, 0x16030100 /* TLS */};

	open_default();
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		int fd = loopback_connect(&loopback);
		uint8_t bytes[8] = {0};

		bytes_put_i32(bytes, sizes[i]);
		loopback_send(&loopback, fd, bytes, sizeof bytes);
		loopback_expect_closed(&loopback, fd);
		ck_assert_int_eq(loopback.net.counters.n_bad_frames, (int64_t)i + 1);
		close(fd);
	}
	loopback_close(&loopback);
}
END_TEST

START_TEST(unknown_keys_and_versions_close_the_connection)
{
	static const int cases[][2] = {{9999, 0}, {KEY_ECHO, 4}, {KEY_ECHO, -1}, {API_FETCH, 3}, {API_FETCH, 99}, {API_PRODUCE, 3}, {-5, 0}};

	open_default();
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int fd = loopback_connect(&loopback);

		loopback_request(&loopback, fd, cases[i][0], cases[i][1], 1, "x", 1);
		loopback_expect_closed(&loopback, fd);
		close(fd);
	}
	loopback_close(&loopback);
}
END_TEST

START_TEST(an_unknown_version_of_api_versions_is_answered_in_version_0)
{
	static const uint8_t wanted[] = {0, 35, 0, 0, 0, 1, 0, 18, 0, 0, 0, 4};
	uint8_t *answer;
	int32_t id;
	size_t len;
	int fd;

	open_default();
	fd = loopback_connect(&loopback);
	loopback_request(&loopback, fd, API_API_VERSIONS, 99, 77, "", 0);
	answer = loopback_answer(&loopback, fd, &id, &len);
	ck_assert_int_eq(id, 77);
	ck_assert_uint_eq(len, sizeof wanted);
	ck_assert_int_eq(memcmp(answer, wanted, len), 0);
	free(answer);
	request(fd, KEY_ECHO, 78, "still here");
	expect_answer(fd, 78, "still here");
	close(fd);
	loopback_close(&loopback);
}
END_TEST

START_TEST(a_body_that_cannot_be_decoded_closes_the_connection)
{
	int fd;

	open_default();
	fd = loopback_connect(&loopback);
	loopback_request(&loopback, fd, API_FETCH, 4, 1, "\xff\xff", 2);
	loopback_expect_closed(&loopback, fd);
	ck_assert_int_eq(loopback.net.counters.n_bad_frames, 1);
	close(fd);
	loopback_close(&loopback);
}
END_TEST

START_TEST(a_half_closed_connection_gets_its_answers)
{
	int fd;

	open_default();
	fd = loopback_connect(&loopback);
	request(fd, KEY_PARK, 1, "one");
	request(fd, KEY_ECHO, 2, "two");
	wait_parked(1);
	shutdown(fd, SHUT_WR);
	loopback_pass(&loopback, 20);
	ck_assert_int_eq(loopback.net.counters.n_connections, 1);
	release(0);
	expect_answer(fd, 1, "one");
	expect_answer(fd, 2, "two");
	loopback_expect_closed(&loopback, fd);
	close(fd);
	loopback_close(&loopback);
}
END_TEST

static void reset(int fd)
{
	struct linger linger = {.l_onoff = 1};

	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger), 0);
	close(fd);
}

START_TEST(a_reset_connection_lives_until_its_requests_are_ended)
{
	int fd;

	open_default();
	fd = loopback_connect(&loopback);
	request(fd, KEY_PARK, 1, "one");
	request(fd, KEY_PARK, 2, "two");
	wait_parked(2);
	reset(fd);
	wait_open(0);
	ck_assert_int_eq(n_gone, 2);
	ck_assert_int_eq(loopback.net.n_alive, 1);
	release(1);
	ck_assert_int_eq(loopback.net.n_alive, 1);
	release(0);
	ck_assert_int_eq(loopback.net.n_alive, 0);
	loopback_close(&loopback);
}
END_TEST

START_TEST(a_reset_in_the_middle_of_an_answer_frees_all)
{
	int fd;

	open_default();
	fd = loopback_connect(&loopback);
	for (int i = 0; i < 60; i++)
		request(fd, KEY_BIG, i, "");
	loopback_pass(&loopback, 50);
	reset(fd);
	wait_open(0);
	loopback_close(&loopback);
}
END_TEST

START_TEST(a_client_that_never_reads_is_bounded_and_cut_off)
{
	struct net_limits limits = net_limits_default;
	uint8_t frame[64];
	size_t len = loopback_frame(frame, KEY_BIG, 0, 1, "", 0);
	int fd;

	limits.output_stall_ms_max = 200;
	open_with(&limits);
	fd = loopback_connect(&loopback);
	loopback_pass(&loopback, 10);
	/* More answers than all sockets and the output bound hold: reading must stop long before. */
	for (int i = 0; i < 1000; i++)
		if (send(fd, frame, len, MSG_NOSIGNAL) != (ssize_t)len)
			break;
	loopback_pass(&loopback, 50);
	ck_assert_int_lt(loopback.net.counters.n_requests, 200);
	wait_open(0);
	ck_assert_int_eq(loopback.net.counters.n_slow_closed, 1);
	close(fd);
	loopback_close(&loopback);
}
END_TEST

START_TEST(idle_and_slow_connections_are_closed)
{
	struct net_limits limits = net_limits_default;
	uint8_t frame[64];
	size_t len = loopback_frame(frame, KEY_ECHO, 0, 1, "abc", 3);
	int idle, slow, busy;

	limits.idle_ms = 300;
	limits.request_ms_max = 100;
	open_with(&limits);
	idle = loopback_connect(&loopback);
	slow = loopback_connect(&loopback);
	busy = loopback_connect(&loopback);
	loopback_send(&loopback, slow, frame, len - 1);
	request(busy, KEY_PARK, 1, "parked");
	wait_parked(1);
	wait_open(1);
	ck_assert_int_eq(loopback.net.counters.n_idle_closed, 1);
	ck_assert_int_eq(loopback.net.counters.n_slow_closed, 1);
	loopback_expect_closed(&loopback, idle);
	loopback_expect_closed(&loopback, slow);
	loopback_pass(&loopback, 400);
	ck_assert_int_eq(loopback.net.counters.n_connections, 1);
	release(0);
	expect_answer(busy, 1, "parked");
	loopback_expect_closed(&loopback, busy);
	close(idle);
	close(slow);
	close(busy);
	loopback_close(&loopback);
}
END_TEST

START_TEST(a_throttled_connection_is_muted_after_its_answer)
{
	int64_t begun;
	int fd;

	open_default();
	fd = loopback_connect(&loopback);
	begun = clock_ms();
	request(fd, KEY_SLOW, 1, "one");
	request(fd, KEY_ECHO, 2, "two");
	expect_answer(fd, 1, "one");
	ck_assert_int_lt(clock_ms() - begun, 90);
	expect_answer(fd, 2, "two");
	ck_assert_int_ge(clock_ms() - begun, 90);
	close(fd);
	loopback_close(&loopback);
}
END_TEST

static bool is_detached(void *ctx)
{
	(void)ctx;
	return n_detached + n_detach_failed > 0;
}

START_TEST(a_detached_connection_keeps_its_bytes)
{
	uint8_t bytes[128];
	size_t len;
	int fd;

	open_default();
	fd = loopback_connect(&loopback);
	len = loopback_frame(bytes, KEY_DETACH, 0, 9, "hello", 5);
	memcpy(bytes + len, "frames follow", 13);
	loopback_send(&loopback, fd, bytes, len + 13);
	expect_answer(fd, 9, "welcome");
	loopback_until(&loopback, is_detached, NULL);
	ck_assert_int_eq(n_detached, 1);
	ck_assert(slice_is_text(detached.unread_bytes, "frames follow"));
	ck_assert_int_eq(loopback.net.counters.n_connections, 0);
	ck_assert_int_eq(loopback.acceptor.counters.n_open, 1);
	ck_assert_int_eq(send(detached.fd, "x", 1, 0), 1);
	loopback_receive(&loopback, fd, bytes, 1);
	close(detached.fd);
	buf_release(detached.unread);
	client_release(detached.client);
	close(fd);
	loopback_close(&loopback);
}
END_TEST

/* ---- The budget ---- */

static void send_part(int fd, size_t claimed, size_t sent)
{
	uint8_t *frame = memory_zalloc(1, sent + 64), head[64];

	loopback_frame(head, KEY_COUNT, 0, 1, "", 0);
	memcpy(frame, head, 18);
	bytes_put_i32(frame, (int32_t)(claimed + 14));
	loopback_send(&loopback, fd, frame, sent);
	free(frame);
}

START_TEST(a_claimed_size_takes_no_memory)
{
	int fds[50];

	open_default();
	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		fds[i] = loopback_connect(&loopback);
		send_part(fds[i], 99 << 20, 5000);
	}
	loopback_pass(&loopback, 20);
	ck_assert_int_le(budget_used(&loopback.budget), (int64_t)ARRAY_LEN(fds) * RECEIVER_CHUNK_BYTES);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		close(fds[i]);
	loopback_close(&loopback);
}
END_TEST

static bool has_waited(void *ctx)
{
	(void)ctx;
	return loopback.net.counters.n_budget_waits > 0;
}

START_TEST(who_finds_no_budget_waits_and_goes_on_when_there_is_some)
{
	uint8_t *body = memory_zalloc(1, 600000), *frame = memory_alloc(600064);
	size_t len = loopback_frame(frame, KEY_PARK, 0, 1, body, 600000), sent = 0;
	int one, two;

	open_default();
	loopback.budget.total = 1000000;
	one = loopback_connect(&loopback);
	two = loopback_connect(&loopback);
	loopback_send(&loopback, one, frame, len);
	wait_parked(1);
	while (!has_waited(NULL)) {
		ssize_t n = send(two, frame + sent, len - sent < 10000 ? len - sent : 10000, MSG_NOSIGNAL);

		sent += n > 0 ? (size_t)n : 0;
		worker_turn(&loopback.worker, 1);
	}
	/* It holds a part of its frame, so it is rescued. */
	loopback_send(&loopback, two, frame + sent, len - sent);
	wait_parked(2);
	ck_assert_int_gt(budget_used(&loopback.budget), loopback.budget.total);
	request(one, KEY_ECHO, 2, "waits");
	expect_nothing(two);
	ck_assert_int_eq(loopback.net.counters.n_requests, 2);
	release(0);
	release(1);
	expect_any_answer(one);
	expect_any_answer(two);
	expect_answer(one, 2, "waits");
	close(one);
	close(two);
	free(body);
	free(frame);
	loopback_close(&loopback);
}
END_TEST

START_TEST(frames_in_part_do_not_wait_for_each_other_for_ever)
{
	enum { N = 8, BYTES = 500000 };
	uint8_t *body = memory_zalloc(1, BYTES), *frame = memory_alloc(BYTES + 64);
	size_t len = loopback_frame(frame, KEY_COUNT, 0, 1, body, BYTES), sent[N] = {0};
	int64_t end = clock_ms() + LOOPBACK_WAIT_MS;
	int fds[N], n_done = 0;

	open_default();
	loopback.budget.total = 600000;
	for (int i = 0; i < N; i++)
		fds[i] = loopback_connect(&loopback);
	loopback_pass(&loopback, 10);
	while (n_done < N) {
		n_done = 0;
		for (int i = 0; i < N; i++) {
			size_t piece = len - sent[i] < 20000 ? len - sent[i] : 20000;
			ssize_t n = piece ? send(fds[i], frame + sent[i], piece, MSG_NOSIGNAL) : 0;

			sent[i] += n > 0 ? (size_t)n : 0;
			n_done += sent[i] == len;
		}
		ck_assert(clock_ms() < end);
		worker_turn(&loopback.worker, 1);
	}
	for (int i = 0; i < N; i++) {
		expect_any_answer(fds[i]);
		close(fds[i]);
	}
	ck_assert_int_gt(loopback.net.counters.n_budget_waits, 0);
	free(body);
	free(frame);
	loopback_close(&loopback);
}
END_TEST

START_TEST(a_frame_that_stops_half_way_is_cut_when_others_need_its_memory)
{
	struct net_limits limits = net_limits_default;
	uint8_t *body = memory_zalloc(1, 300000), *frame = memory_alloc(300064);
	size_t len = loopback_frame(frame, KEY_PARK, 0, 1, body, 300000);
	int full, stuck, other;

	limits.starved_ms_max = 100;
	open_with(&limits);
	loopback.budget.total = 400000;
	full = loopback_connect(&loopback);
	loopback_send(&loopback, full, frame, len);
	wait_parked(1);
	stuck = loopback_connect(&loopback);
	send_part(stuck, 300000, 90000);
	loopback_pass(&loopback, 300);
	ck_assert_int_eq(loopback.net.counters.n_connections, 2);
	other = loopback_connect(&loopback);
	request(other, KEY_ECHO, 1, "patient");
	wait_open(2);
	ck_assert_int_eq(loopback.net.counters.n_slow_closed, 1);
	loopback_expect_closed(&loopback, stuck);
	release(0);
	expect_any_answer(full);
	expect_answer(other, 1, "patient");
	close(full);
	close(stuck);
	close(other);
	free(body);
	free(frame);
	loopback_close(&loopback);
}
END_TEST

/* ---- File ranges ---- */

static int file_fd;
static struct send_file *next_files;
static int n_next_files;

static void on_file_release(struct send_file *file)
{
	(void)file;
	n_files_released++;
}

static void on_fetch(struct request *request)
{
	struct fetch_response response = fetch_response_default;
	struct send_files *files = arena_alloc(&request->arena, sizeof *files);
	struct fetch_response_partition *partition;

	response.responses = message_array(&request->arena, &fetch_response_topic_struct, 1);
	response.n_responses = 1;
	response.responses[0].topic = SLICE_LITERAL("t");
	partition = message_array(&request->arena, &fetch_response_partition_struct, 1);
	response.responses[0].partitions = partition;
	response.responses[0].n_partitions = 1;
	files->n_files = n_next_files;
	files->files = next_files;
	partition->records.external = files;
	for (int i = 0; i < n_next_files; i++)
		partition->records.size += (int64_t)next_files[i].len;
	request_answer(request, &response);
}

/* A Fetch of version 4 without topics. */
static const uint8_t fetch_body[] = {0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};

static void make_file(size_t len)
{
	char *path = memory_printf("%s/file", unit_temp_dir());
	uint8_t *bytes = memory_alloc(len);

	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)(i * 13 + i / 777);
	file_fd = open(path, O_RDWR | O_CREAT, 0600);
	ck_assert_int_eq(write(file_fd, bytes, len), (ssize_t)len);
	free(bytes);
	free(path);
}

static void expect_file_bytes(const uint8_t *at, const struct send_file *file)
{
	for (size_t i = 0; i < file->len; i++) {
		size_t pos = (size_t)file->pos + i;

		ck_assert_uint_eq(at[i], (uint8_t)(pos * 13 + pos / 777));
	}
}

START_TEST(external_records_come_from_the_file)
{
	struct send_file files[] = {
		{.pos = 10, .len = 100, .release = on_file_release},
		{.pos = 0, .len = 3000000, .release = on_file_release},
		{.pos = 5, .len = 5000, .release = on_file_release},
	};
	/* Throttle time, one topic of name "t", one partition: index, error, hw, lso, aborted, then the length of the records. */
	size_t head = 4 + 4 + 3 + 4 + 4 + 2 + 8 + 8 + 4 + 4, len;
	uint8_t *answer;
	int32_t id;
	int fd;

	make_file(3000000);
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		files[i].fd = file_fd;
	next_files = files;
	n_next_files = ARRAY_LEN(files);
	open_default();
	fd = loopback_connect(&loopback);
	loopback_request(&loopback, fd, API_FETCH, 4, 5, fetch_body, sizeof fetch_body);
	answer = loopback_answer(&loopback, fd, &id, &len);
	ck_assert_uint_eq(len, head + 100 + 3000000 + 5000);
	ck_assert_int_eq(bytes_get_i32(answer + head - 4), 100 + 3000000 + 5000);
	expect_file_bytes(answer + head, &files[0]);
	expect_file_bytes(answer + head + 100, &files[1]);
	expect_file_bytes(answer + head + 100 + 3000000, &files[2]);
	free(answer);
	loopback_pass(&loopback, 10);
	ck_assert_int_eq(n_files_released, 3);
	close(fd);
	close(file_fd);
	loopback_close(&loopback);
}
END_TEST

START_TEST(a_file_that_is_too_short_closes_the_connection)
{
	struct send_file file = {.pos = 0, .len = 100000, .release = on_file_release};
	int fd;

	make_file(50000);
	file.fd = file_fd;
	next_files = &file;
	n_next_files = 1;
	open_default();
	fd = loopback_connect(&loopback);
	loopback_request(&loopback, fd, API_FETCH, 4, 5, fetch_body, sizeof fetch_body);
	wait_open(0);
	ck_assert_int_eq(n_files_released, 1);
	close(fd);
	close(file_fd);
	loopback_close(&loopback);
}
END_TEST

START_TEST(file_ranges_of_a_dead_connection_are_released)
{
	struct send_file file = {.pos = 0, .len = 3000000, .release = on_file_release};
	int fd;

	make_file(3000000);
	file.fd = file_fd;
	next_files = &file;
	n_next_files = 1;
	open_default();
	fd = loopback_connect(&loopback);
	request(fd, KEY_PARK, 1, "first");
	loopback_request(&loopback, fd, API_FETCH, 4, 5, fetch_body, sizeof fetch_body);
	wait_parked(1);
	reset(fd);
	wait_open(0);
	ck_assert_int_eq(n_files_released, 0);
	release(0);
	ck_assert_int_eq(n_files_released, 1);
	close(file_fd);
	loopback_close(&loopback);
}
END_TEST

START_TEST(a_busy_client_does_not_starve_another)
{
	uint8_t *many = memory_alloc(40 * 4000), *at = many;
	size_t len, sent = 0;
	int64_t begun;
	int greedy, modest;

	open_default();
	greedy = loopback_connect(&loopback);
	modest = loopback_connect(&loopback);
	loopback_pass(&loopback, 10);
	for (int i = 0; i < 4000; i++)
		at += loopback_frame(at, KEY_NONE, 0, i, "x", 1);
	len = (size_t)(at - many);
	for (int round = 0; round < 20; round++) {
		ssize_t n = send(greedy, many + sent % len, len - sent % len, MSG_NOSIGNAL);

		sent += n > 0 ? (size_t)n : 0;
		request(modest, KEY_ECHO, round, "me too");
		begun = clock_ms();
		expect_answer(modest, round, "me too");
		ck_assert_int_lt(clock_ms() - begun, 1000);
	}
	ck_assert_int_eq(loopback.net.counters.n_bad_frames, 0);
	ck_assert_int_gt(loopback.net.counters.n_requests, 4000);
	free(many);
	close(greedy);
	close(modest);
	loopback_close(&loopback);
}
END_TEST

UNIT_MAIN("broker/net/conn", answers_come_in_the_order_of_the_requests,
	  a_serial_request_waits_for_earlier_ones_and_holds_up_later_ones, ten_thousand_pipelined_requests_are_answered_in_order,
	  a_full_batch_of_answers_leaves_at_once, no_more_than_the_bound_of_requests_are_under_way, a_frame_that_comes_byte_by_byte_is_understood,
	  frames_of_all_sizes_keep_their_bytes, frames_back_to_back_in_odd_pieces_keep_their_bytes,
	  sizes_out_of_bounds_close_the_connection, unknown_keys_and_versions_close_the_connection,
	  an_unknown_version_of_api_versions_is_answered_in_version_0, a_body_that_cannot_be_decoded_closes_the_connection,
	  a_half_closed_connection_gets_its_answers, a_reset_connection_lives_until_its_requests_are_ended,
	  a_reset_in_the_middle_of_an_answer_frees_all, a_client_that_never_reads_is_bounded_and_cut_off,
	  idle_and_slow_connections_are_closed, a_throttled_connection_is_muted_after_its_answer, a_detached_connection_keeps_its_bytes,
	  a_claimed_size_takes_no_memory, who_finds_no_budget_waits_and_goes_on_when_there_is_some,
	  frames_in_part_do_not_wait_for_each_other_for_ever, a_frame_that_stops_half_way_is_cut_when_others_need_its_memory,
	  external_records_come_from_the_file, a_file_that_is_too_short_closes_the_connection,
	  file_ranges_of_a_dead_connection_are_released, a_busy_client_does_not_starve_another)
