/* zk/batch against a real ZooKeeper. */
#include "zk/batch.h"

#include "test/lib/zk_test_loop.h"

#include <stdio.h>

#define OPS_MAX 20000

static int codes[OPS_MAX];
static int n_done, n_fenced, n_idle;
static int order_ok, last_done;

struct op_ctx {
	int index;
};

static struct op_ctx contexts[OPS_MAX];

static void on_op(void *ctx, const struct zk_op_result *result)
{
	const struct op_ctx *op = ctx;

	ck_assert_int_eq(codes[op->index], 1);
	codes[op->index] = result->code;
	order_ok &= op->index > last_done;
	last_done = op->index;
	n_done++;
}

static void on_fenced(void *ctx)
{
	(void)ctx;
	n_fenced++;
}

static void on_idle(void *ctx)
{
	(void)ctx;
	n_idle++;
}

static struct zk_batch *batch_open(struct zk_client *client, int32_t version)
{
	struct zk_batch_config config = {"/epoch", version, NULL, on_fenced, on_idle};

	n_done = n_fenced = n_idle = 0;
	order_ok = 1;
	last_done = -1;
	for (int i = 0; i < OPS_MAX; i++) {
		codes[i] = 1;
		contexts[i].index = i;
	}
	return zk_batch_new(client->session, &config);
}

static void open_at(struct zk_client *client, const char *chroot)
{
	struct zk_answer a;

	zk_client_open_at(client, chroot);
	ZK_RUN(&a, zk_create(client->session, "/epoch", SLICE_NULL, ZK_PERSISTENT, zk_answer_done, &a));
	ck_assert_int_eq(a.code, 0);
}

static void add(struct zk_batch *batch, int index, enum zk_op_kind kind, const char *path, int32_t version)
{
	struct zk_op op = {.kind = kind, .path = path, .data = SLICE_LITERAL("x"), .version = version};

	zk_batch_add(batch, &op, on_op, &contexts[index]);
}

static int children_of(struct zk_client *client, const char *path)
{
	struct zk_answer a;

	ZK_RUN(&a, zk_children(client->session, path, NULL, zk_answer_done, &a));
	ck_assert_int_eq(a.code, 0);
	return a.n_children;
}

START_TEST(ten_thousand_creates_are_quick)
{
	static const char state[] = "{\"controller_epoch\":1,\"leader\":1,\"version\":1,\"leader_epoch\":0,\"isr\":[1,2,3]}";
	struct zk_client client = {.timeout_ms = 10000};
	struct zk_batch *batch;
	char path[100];
	int64_t begin_ns;

	open_at(&client, "batch/many");
	batch = batch_open(&client, 0);
	add(batch, 0, ZK_OP_CREATE, "/t", 0);
	begin_ns = clock_ns();
	for (int i = 1; i <= 10000; i++) {
		struct zk_op op = {.kind = ZK_OP_CREATE, .path = path, .data = slice_of_text(state)};

		snprintf(path, sizeof path, "/t/a-topic-name-of-usual-length-%d", i);
		zk_batch_add(batch, &op, on_op, &contexts[i]);
	}
	zk_batch_flush(batch);
	ck_assert_int_eq(zk_batch_pending(batch), 10001);
	ZK_WAIT(n_idle == 1);
	fprintf(stderr, "10000 creates: %lld ms\n", (long long)(clock_ns() - begin_ns) / 1000000);
	ck_assert_int_eq(n_done, 10001);
	ck_assert(order_ok);
	for (int i = 0; i <= 10000; i++)
		ck_assert_int_eq(codes[i], 0);
	ck_assert_int_eq(children_of(&client, "/t"), 10000);
	zk_batch_free(batch);
	zk_client_close(&client);
}
END_TEST

START_TEST(a_refused_operation_does_not_stop_the_others)
{
	struct zk_client client = {0};
	struct zk_batch *batch;
	char path[40];
	int n_failed = 0;

	open_at(&client, "batch/refused");
	batch = batch_open(&client, 0);
	add(batch, 0, ZK_OP_CREATE, "/t", 0);
	for (int i = 1; i < 3000; i++) {
		bool bad = i % 97 == 0;

		snprintf(path, sizeof path, "/t/%d", bad ? i - 1 : i);
		add(batch, i, ZK_OP_CREATE, path, 0);
		n_failed += bad;
	}
	add(batch, 3000, ZK_OP_SET, "/t/1", 5);
	add(batch, 3001, ZK_OP_DELETE, "/t/none", -1);
	add(batch, 3002, ZK_OP_DELETE, "/t", -1);
	add(batch, 3003, ZK_OP_SET, "/t/1", 0);
	zk_batch_flush(batch);
	ZK_WAIT(n_idle == 1);
	for (int i = 0; i < 3000; i++)
		ck_assert_int_eq(codes[i], i > 0 && i % 97 == 0 ? ERR_EXISTS : 0);
	ck_assert_int_eq(codes[3000], ERR_VERSION);
	ck_assert_int_eq(codes[3001], ERR_NOT_FOUND);
	ck_assert_int_eq(codes[3002], ERR_NOT_EMPTY);
	ck_assert_int_eq(codes[3003], 0);
	ck_assert_int_eq(children_of(&client, "/t"), 2999 - n_failed);
	ck_assert_int_eq(n_fenced, 0);
	zk_batch_free(batch);
	zk_client_close(&client);
}
END_TEST

START_TEST(children_are_not_refused_because_their_parent_had_to_go_again)
{
	struct zk_client client = {0};
	struct zk_batch *batch;
	char path[40];
	int i = 0;

	/*
	 * The first operation fails, so the first multi with the parents is undone while those with the children are under way.
	 * /
	 */
	open_at(&client, "batch/parents");
	batch = batch_open(&client, 0);
	add(batch, i++, ZK_OP_DELETE, "/none", -1);
	for (int parent = 0; parent < 500; parent++) {
		snprintf(path, sizeof path, "/p%d", parent);
		add(batch, i++, ZK_OP_CREATE, path, 0);
	}
	for (int child = 0; child < 5000; child++) {
		snprintf(path, sizeof path, "/p%d/%d", child % 500, child);
		add(batch, i++, ZK_OP_CREATE, path, 0);
	}
	zk_batch_flush(batch);
	ZK_WAIT(n_idle == 1);
	ck_assert_int_eq(codes[0], ERR_NOT_FOUND);
	for (int k = 1; k < i; k++)
		ck_assert_int_eq(codes[k], 0);
	zk_batch_free(batch);
	zk_client_close(&client);
}
END_TEST

START_TEST(a_raised_epoch_stops_everything)
{
	struct zk_client client = {0}, rival = {0};
	struct zk_batch *batch;
	struct zk_answer a;
	char path[40];

	open_at(&client, "batch/fenced");
	zk_client_open_at(&rival, "batch/fenced");
	batch = batch_open(&client, 0);
	add(batch, 0, ZK_OP_CREATE, "/before", 0);
	zk_batch_flush(batch);
	ZK_WAIT(n_idle == 1);
	ck_assert_int_eq(codes[0], 0);
	ZK_RUN(&a, zk_set(rival.session, "/epoch", SLICE_LITERAL("2"), -1, zk_answer_done, &a));
	for (int i = 1; i < 9000; i++) {
		snprintf(path, sizeof path, "/after%d", i);
		add(batch, i, ZK_OP_CREATE, path, 0);
	}
	zk_batch_flush(batch);
	ZK_WAIT(n_idle == 2);
	for (int i = 1; i < 9000; i++)
		ck_assert_int_eq(codes[i], ERR_FENCED);
	ck_assert_int_eq(n_fenced, 1);
	/* What comes later is answered, too, and never sent. */
	add(batch, 9000, ZK_OP_CREATE, "/late", 0);
	zk_batch_flush(batch);
	ck_assert_int_eq(codes[9000], 1);
	ZK_WAIT(codes[9000] != 1);
	ck_assert_int_eq(codes[9000], ERR_FENCED);
	ck_assert_int_eq(children_of(&client, "/"), 2);
	zk_batch_free(batch);
	zk_client_close(&client);
	zk_client_close(&rival);
}
END_TEST

START_TEST(a_lost_connection_leaves_what_was_under_way_unknown_and_goes_on)
{
	struct zk_client client = {.timeout_ms = 10000};
	struct zk_batch *batch;
	struct zk_answer a;
	char path[40];
	int n_unknown = 0;

	open_at(&client, "batch/cut");
	batch = batch_open(&client, 0);
	for (int i = 0; i < 10000; i++) {
		snprintf(path, sizeof path, "/n%d", i);
		add(batch, i, ZK_OP_CREATE, path, 0);
	}
	zk_server_pause(&zk_test_server, 0);
	zk_batch_flush(batch);
	zk_session_on_timer(client.session);
	zk_client_cut(&client);
	ZK_WAIT(client.n_suspended == 1);
	zk_server_resume(&zk_test_server, 0);
	ZK_WAIT(n_idle == 1);
	ck_assert_int_eq(n_done, 10000);
	for (int i = 0; i < 10000; i++) {
		ck_assert(codes[i] == 0 || codes[i] == ERR_UNKNOWN_OUTCOME);
		n_unknown += codes[i] == ERR_UNKNOWN_OUTCOME;
	}
	ck_assert_int_gt(n_unknown, 0);
	ck_assert_int_lt(n_unknown, 10000);
	/* After a sync each one is there or not, and reading tells which. */
	ZK_RUN(&a, zk_sync(client.session, zk_answer_done, &a));
	ck_assert_int_ge(children_of(&client, "/"), 10000 - n_unknown + 1);
	zk_batch_free(batch);
	zk_client_close(&client);
}
END_TEST

START_TEST(an_expired_session_ends_the_batch)
{
	struct zk_client client = {0};
	uint8_t password[ZK_PASSWORD_BYTES];
	struct zk_batch *batch;
	int64_t id;

	open_at(&client, "batch/expired");
	batch = batch_open(&client, 0);
	ck_assert(zk_session_credentials(client.session, &id, password));
	ck_assert_int_eq(zk_session_end(zk_test_server.connect, id, password, 5000), 0);
	ZK_WAIT(client.n_suspended == 1 || client.n_lost == 1);
	add(batch, 0, ZK_OP_CREATE, "/a", 0);
	if (client.n_lost == 0) {
		zk_batch_flush(batch);
		ZK_WAIT(codes[0] != 1);
		ck_assert_int_eq(codes[0], ERR_SESSION_LOST);
		add(batch, 1, ZK_OP_CREATE, "/b", 0);
		zk_batch_flush(batch);
		ZK_WAIT(codes[1] != 1);
		ck_assert_int_eq(codes[1], ERR_SESSION_LOST);
	}
	zk_batch_free(batch);
	zk_client_close(&client);
}
END_TEST

static struct zk_batch *to_free;

static void free_in_callback(void *ctx, const struct zk_op_result *result)
{
	(void)ctx;
	(void)result;
	n_done++;
	zk_batch_free(to_free);
}

START_TEST(a_batch_may_be_freed_in_its_callback)
{
	struct zk_client client = {0};
	struct zk_op op = {.kind = ZK_OP_CREATE, .path = "/a"};
	struct zk_answer a;

	open_at(&client, "batch/free");
	to_free = batch_open(&client, 0);
	zk_batch_add(to_free, &op, free_in_callback, NULL);
	op.path = "/b";
	zk_batch_add(to_free, &op, free_in_callback, NULL);
	zk_batch_flush(to_free);
	ZK_RUN(&a, zk_sync(client.session, zk_answer_done, &a));
	ck_assert_int_eq(n_done, 1);
	zk_client_close(&client);
}
END_TEST

START_TEST(without_a_fence_it_is_a_plain_pipeline)
{
	struct zk_client client = {0};
	struct zk_batch_config config = {.on_idle = on_idle};
	struct zk_batch *batch;

	open_at(&client, "batch/plain");
	zk_batch_free(batch_open(&client, 0));
	batch = zk_batch_new(client.session, &config);
	add(batch, 0, ZK_OP_CREATE, "/a", 0);
	add(batch, 1, ZK_OP_CREATE, "/a", 0);
	add(batch, 2, ZK_OP_SET, "/a", 0);
	zk_batch_flush(batch);
	ZK_WAIT(n_idle == 1);
	ck_assert_int_eq(codes[0], 0);
	ck_assert_int_eq(codes[1], ERR_EXISTS);
	ck_assert_int_eq(codes[2], 0);
	zk_batch_free(batch);
	zk_client_close(&client);
}
END_TEST

ZK_TEST_MAIN("zk/batch", ten_thousand_creates_are_quick, a_refused_operation_does_not_stop_the_others,
	     children_are_not_refused_because_their_parent_had_to_go_again, a_raised_epoch_stops_everything,
	     a_lost_connection_leaves_what_was_under_way_unknown_and_goes_on, an_expired_session_ends_the_batch,
	     a_batch_may_be_freed_in_its_callback, without_a_fence_it_is_a_plain_pipeline)
