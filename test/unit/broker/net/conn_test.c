/* Connections over real sockets: order, framing, bounds, ends, the budget. */
#include "test/unit/broker/net/fixture.h"

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
	int64_t end = clock_ms() + LOOPBACK_WAIT_MS, begun;
	int fd;

	open_default();
	fd = loopback_connect(&loopback);
	loopback_pass(&loopback, 10);
	for (int i = 0; i < LIMIT_CONN_REQUESTS; i++)
		at += loopback_frame(at, KEY_ECHO, 0, i, "x", 1);
	/* The kernel would hold it back for 200 ms, every time; a busy machine is quicker than that now and then. */
	do {
		ck_assert_int_lt(clock_ms(), end);
		begun = clock_ms();
		loopback_send(&loopback, fd, all, (size_t)(at - all));
		for (int i = 0; i < LIMIT_CONN_REQUESTS; i++)
			expect_answer(fd, i, "x");
	} while (clock_ms() - begun >= 150);
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
	static const size_t sizes[] = {0,     1,      4000,    4096,    5000, 16384, 65000,  65536,
				       65537, 100000, 1 << 20, 3000000, 10,   70000, 1 << 20};
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
	static const int32_t sizes[] = {-1,        0, 3, 7, INT32_MIN, INT32_MAX, (100 << 20) + 1, 0x47455420 /* GET */,
					0x16030100 /* TLS */};

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

/* Turns of the worker until there is something to receive. */
static int turns_until_answer(int fd)
{
	char byte;
	int n = 0;

	while (recv(fd, &byte, 1, MSG_PEEK) < 0) {
		worker_turn(&loopback.worker, 1);
		n++;
	}
	return n;
}

START_TEST(a_busy_client_does_not_starve_another)
{
	uint8_t *many = memory_alloc(40 * 4000), *at = many;
	size_t len, sent = 0;
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
		ck_assert_int_lt(turns_until_answer(modest), 50);
		expect_answer(modest, round, "me too");
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
	  a_serial_request_waits_for_earlier_ones_and_holds_up_later_ones,
	  ten_thousand_pipelined_requests_are_answered_in_order, a_full_batch_of_answers_leaves_at_once,
	  no_more_than_the_bound_of_requests_are_under_way, a_frame_that_comes_byte_by_byte_is_understood,
	  frames_of_all_sizes_keep_their_bytes, frames_back_to_back_in_odd_pieces_keep_their_bytes,
	  sizes_out_of_bounds_close_the_connection, a_half_closed_connection_gets_its_answers,
	  a_reset_connection_lives_until_its_requests_are_ended, a_reset_in_the_middle_of_an_answer_frees_all,
	  a_client_that_never_reads_is_bounded_and_cut_off, idle_and_slow_connections_are_closed,
	  a_claimed_size_takes_no_memory, who_finds_no_budget_waits_and_goes_on_when_there_is_some,
	  frames_in_part_do_not_wait_for_each_other_for_ever, a_frame_that_stops_half_way_is_cut_when_others_need_its_memory,
	  a_busy_client_does_not_starve_another)
