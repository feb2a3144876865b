/* zk_get_many against a real ZooKeeper. */
#include "test/lib/zk_test_loop.h"
#include "zk/batch.h"

#include <stdio.h>
#include <sys/socket.h>

#define N 10000

static char texts[N][40];
static const char *paths[N];
static int n_told[N], code_told[N], version_told[N];
static int n_all, n_done, code_done;

static void on_each(void *ctx, int index, const struct zk_result *result)
{
	(void)ctx;
	n_told[index]++;
	code_told[index] = result->code;
	version_told[index] = result->stat.version;
	n_all++;
}

static void on_done(void *ctx, int code)
{
	(void)ctx;
	n_done++;
	code_done = code;
}

static void forget(void)
{
	memset(n_told, 0, sizeof n_told);
	n_all = n_done = code_done = 0;
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
		paths[i] = texts[i];
		if (i % 100 != 99)
			zk_batch_add(batch, &op, NULL, NULL);
	}
	zk_batch_flush(batch);
	ZK_WAIT(idle);
	zk_batch_free(batch);
	forget();
}

static void assert_all_told(void)
{
	for (int i = 0; i < N; i++) {
		ck_assert_int_eq(n_told[i], 1);
		ck_assert_int_eq(code_told[i], i % 100 == 99 ? ERR_NOT_FOUND : 0);
	}
}

START_TEST(ten_thousand_nodes_are_read_by_helpers_and_the_session_goes_on)
{
	struct zk_client client = {.timeout_ms = 10000};
	struct zk_answer a;
	int64_t begin_ns;

	make_nodes(&client, "many/plain");
	for (int round = 0; round < 3; round++) {
		begin_ns = clock_ns();
		zk_get_many(client.session, paths, N, on_each, on_done, NULL);
		ck_assert_int_eq(n_done, 0);
		ZK_WAIT(n_done == 1);
		fprintf(stderr, "%d nodes: %lld ms\n", N, (long long)(clock_ns() - begin_ns) / 1000000);
		ck_assert_int_eq(code_done, 0);
		assert_all_told();
		forget();
		zk_clients_run(round * 100);
	}
	ZK_RUN(&a, zk_exists(client.session, "/", NULL, zk_answer_done, &a));
	ck_assert_int_eq(a.code, 0);
	zk_clients_run(300);
	ZK_RUN(&a, zk_exists(client.session, "/", NULL, zk_answer_done, &a));
	ck_assert_int_eq(client.n_connected, 1);
	zk_client_close(&client);
}
END_TEST

START_TEST(few_nodes_and_none_need_no_help)
{
	struct zk_client client = {0};

	make_nodes(&client, "many/few");
	zk_get_many(client.session, paths, 10, on_each, on_done, NULL);
	ZK_WAIT(n_done == 1);
	ck_assert_int_eq(n_all, 10);
	zk_get_many(client.session, paths, 0, on_each, on_done, NULL);
	ZK_WAIT(n_done == 2);
	ck_assert_int_eq(n_all, 10);
	zk_client_close(&client);
}
END_TEST

START_TEST(two_at_a_time_and_other_operations_beside_them_work)
{
	struct zk_client client = {.timeout_ms = 10000};
	struct zk_answer a;

	make_nodes(&client, "many/two");
	zk_get_many(client.session, paths, N, on_each, on_done, NULL);
	zk_get_many(client.session, paths, N, on_each, on_done, NULL);
	ZK_RUN(&a, zk_set(client.session, "/node-0", SLICE_LITERAL("x"), -1, zk_answer_done, &a));
	ck_assert_int_eq(a.code, 0);
	ZK_WAIT(n_done == 2);
	for (int i = 0; i < N; i++)
		ck_assert_int_eq(n_told[i], 2);
	zk_client_close(&client);
}
END_TEST

START_TEST(a_lost_connection_in_between_does_not_show)
{
	struct zk_client client = {.timeout_ms = 10000};

	make_nodes(&client, "many/cut");
	zk_get_many(client.session, paths, N, on_each, on_done, NULL);
	ZK_WAIT(n_all > 1000);
	/* The descriptor that the loop sees is not the socket any more: all there are, but the standard ones, are cut. */
	for (int fd = 3; fd < 64; fd++)
		shutdown(fd, SHUT_RDWR);
	ZK_WAIT(n_done == 1);
	ck_assert_int_eq(code_done, 0);
	assert_all_told();
	ck_assert_int_eq(client.n_new_sessions, 1);
	zk_client_close(&client);
}
END_TEST

START_TEST(an_expired_session_ends_it)
{
	struct zk_client client = {.timeout_ms = 10000};
	uint8_t password[ZK_PASSWORD_BYTES];
	struct zk_answer a;
	int64_t id;

	make_nodes(&client, "many/expired");
	zk_get_many(client.session, paths, N, on_each, on_done, NULL);
	ZK_WAIT(n_all > 0);
	ck_assert(zk_session_credentials(client.session, &id, password));
	ck_assert_int_eq(zk_session_end(zk_test_server.connect, id, password, 5000), 0);
	ZK_WAIT(n_done == 1);
	ck_assert(code_done == ERR_SESSION_LOST || n_all == N);
	ZK_WAIT(client.n_new_sessions == 2);
	forget();
	zk_get_many(client.session, paths, N, on_each, on_done, NULL);
	ZK_WAIT(n_done == 1);
	ck_assert_int_eq(code_done, 0);
	assert_all_told();
	ZK_RUN(&a, zk_exists(client.session, "/", NULL, zk_answer_done, &a));
	zk_client_close(&client);
}
END_TEST

START_TEST(closing_and_freeing_in_between_end_it)
{
	struct zk_client closed = {.timeout_ms = 10000}, freed = {.timeout_ms = 10000};

	make_nodes(&closed, "many/closed");
	zk_get_many(closed.session, paths, N, on_each, on_done, NULL);
	ZK_WAIT(n_all > 100);
	zk_client_close(&closed);
	ck_assert_int_eq(n_done, 1);
	ck_assert_int_eq(code_done, ERR_CLOSED);
	forget();
	zk_client_open_at(&freed, "many/closed");
	zk_get_many(freed.session, paths, N, on_each, on_done, NULL);
	ZK_WAIT(n_all > 100);
	zk_client_crash(&freed);
	ck_assert_int_eq(n_done, 1);
	ck_assert_int_eq(code_done, ERR_CLOSED);
}
END_TEST

ZK_TEST_MAIN("zk/many", ten_thousand_nodes_are_read_by_helpers_and_the_session_goes_on, few_nodes_and_none_need_no_help,
	     two_at_a_time_and_other_operations_beside_them_work, a_lost_connection_in_between_does_not_show, an_expired_session_ends_it,
	     closing_and_freeing_in_between_end_it)
