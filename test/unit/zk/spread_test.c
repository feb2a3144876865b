/* zk_get_anywhere against a real ZooKeeper. */
#include "test/lib/zk_test_loop.h"
#include "zk/batch.h"

#include <stdio.h>
#include <sys/socket.h>

#define N 10000

static char texts[N][40];
static int n_told[N], code_told[N];
static int n_all;

static void on_got(void *ctx, const struct zk_result *result)
{
	int i = (int)((char(*)[40])ctx - texts);

	n_told[i]++;
	code_told[i] = result->code;
	n_all++;
}

static void read_all(struct zk_client *client)
{
	memset(n_told, 0, sizeof n_told);
	n_all = 0;
	for (int i = 0; i < N; i++)
		zk_get_anywhere(client->session, texts[i], on_got, texts[i]);
	ck_assert_int_eq(n_all, 0);
}

static void assert_all_told(int code)
{
	ck_assert_int_eq(n_all, N);
	for (int i = 0; i < N; i++) {
		ck_assert_int_eq(n_told[i], 1);
		ck_assert(code_told[i] == (i % 100 == 99 ? ERR_NOT_FOUND : 0) || (code != 0 && code_told[i] == code));
	}
}

static void on_idle(void *ctx)
{
	*(bool *)ctx = true;
}

/* Every node but each hundredth. */
static void make_nodes(struct zk_client *client, const char *chroot)
{
	bool idle = false;
	struct zk_batch_config config = {.ctx = &idle, .on_idle = on_idle};
	struct zk_batch *batch;

	zk_client_open_at(client, chroot);
	batch = zk_batch_new(client->session, &config);
	for (int i = 0; i < N; i++) {
		struct zk_op op = {.kind = ZK_OP_CREATE, .path = texts[i], .data = SLICE_LITERAL("some data")};

		snprintf(texts[i], sizeof texts[i], "/node-%d", i);
		if (i % 100 != 99)
			zk_batch_add(batch, &op, NULL, NULL);
	}
	zk_batch_flush(batch);
	ZK_WAIT(idle);
	zk_batch_free(batch);
}

START_TEST(ten_thousand_nodes_are_read_by_helpers_and_the_session_goes_on)
{
	struct zk_client client = {.timeout_ms = 10000};
	struct zk_answer a;
	int64_t begin_ns, end_ms;
	int turns;

	make_nodes(&client, "spread/plain");
	for (int round = 0; round < 4; round++) {
		begin_ns = clock_ns();
		read_all(&client);
		ZK_WAIT(n_all == N);
		fprintf(stderr, "%d nodes: %lld ms\n", N, (long long)(clock_ns() - begin_ns) / 1000000);
		assert_all_told(0);
		/* At once, while helpers are there, and when they are gone. */
		zk_clients_run(round == 1 ? 2500 : round * 20);
	}
	ZK_RUN(&a, zk_exists(client.session, "/", NULL, zk_answer_done, &a));
	ck_assert_int_eq(a.code, 0);
	zk_clients_run(2500);
	end_ms = clock_ms() + ZK_WAIT_MS;
	ZK_RUN(&a, zk_exists(client.session, "/", NULL, zk_answer_done, &a));
	ck_assert_int_eq(client.n_connected, 1);
	/* Without helpers it is as idle as before; on a busy machine their sessions take a while to end. */
	do {
		ck_assert_int_lt(clock_ms(), end_ms);
		turns = client.n_turns;
		zk_clients_run(1000);
	} while (client.n_turns - turns >= 8);
	zk_client_close(&client);
}
END_TEST

START_TEST(a_read_sees_what_was_answered_to_others_before_it)
{
	struct zk_client client = {.timeout_ms = 10000}, other = {.timeout_ms = 10000};
	struct zk_answer a, b;

	make_nodes(&client, "spread/fresh");
	zk_client_open_at(&other, "spread/fresh");
	read_all(&client);
	for (int i = 0; n_all < N || i < 50; i++) {
		ZK_RUN(&a, zk_set(other.session, "/node-0", SLICE_LITERAL("x"), -1, zk_answer_done, &a));
		ZK_RUN(&b, zk_get_anywhere(client.session, "/node-0", zk_answer_done, &b));
		ck_assert_int_ge(b.stat.version, a.stat.version);
	}
	assert_all_told(0);
	zk_client_close(&client);
	zk_client_close(&other);
}
END_TEST

START_TEST(a_lost_connection_in_between_does_not_show)
{
	struct zk_client client = {.timeout_ms = 10000};

	make_nodes(&client, "spread/cut");
	read_all(&client);
	ZK_WAIT(n_all > 1000);
	/* The descriptor that the loop sees is not the socket any more: all sockets there are are cut. */
	for (int fd = 3; fd < 64; fd++)
		shutdown(fd, SHUT_RDWR);
	ZK_WAIT(n_all == N);
	assert_all_told(0);
	ck_assert_int_eq(client.n_new_sessions, 1);
	zk_client_close(&client);
}
END_TEST

START_TEST(an_expired_session_ends_them)
{
	struct zk_client client = {.timeout_ms = 10000};
	uint8_t password[ZK_PASSWORD_BYTES];
	struct zk_answer a;
	int64_t id;

	make_nodes(&client, "spread/expired");
	read_all(&client);
	ZK_WAIT(n_all > 0);
	ck_assert(zk_session_credentials(client.session, &id, password));
	ck_assert_int_eq(zk_session_end(zk_test_server.connect, id, password, 5000), 0);
	ZK_WAIT(n_all == N);
	assert_all_told(ERR_SESSION_LOST);
	ZK_WAIT(client.n_new_sessions == 2);
	read_all(&client);
	ZK_WAIT(n_all == N);
	assert_all_told(0);
	ZK_RUN(&a, zk_exists(client.session, "/", NULL, zk_answer_done, &a));
	zk_client_close(&client);
}
END_TEST

START_TEST(closing_and_freeing_in_between_end_them)
{
	struct zk_client closed = {.timeout_ms = 10000}, freed = {.timeout_ms = 10000};

	make_nodes(&closed, "spread/closed");
	read_all(&closed);
	ZK_WAIT(n_all > 100);
	zk_client_close(&closed);
	assert_all_told(ERR_CLOSED);
	zk_client_open_at(&freed, "spread/closed");
	read_all(&freed);
	ZK_WAIT(n_all > 100);
	zk_client_crash(&freed);
	assert_all_told(ERR_CLOSED);
}
END_TEST

ZK_TEST_MAIN("zk/spread", ten_thousand_nodes_are_read_by_helpers_and_the_session_goes_on,
	     a_read_sees_what_was_answered_to_others_before_it, a_lost_connection_in_between_does_not_show,
	     an_expired_session_ends_them, closing_and_freeing_in_between_end_them)
