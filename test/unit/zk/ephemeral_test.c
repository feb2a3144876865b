/* zk/ephemeral against a real ZooKeeper. */
#include "zk/ephemeral.h"

#include "test/lib/zk_test_loop.h"

struct registered {
	bool done;
	int code;
	struct zk_stat stat;
	char text[512];
};

static void on_registered(void *ctx, int code, const struct zk_stat *stat, const struct error *err)
{
	struct registered *registered = ctx;

	ck_assert(!registered->done);
	registered->done = true;
	registered->code = code;
	if (stat)
		registered->stat = *stat;
	if (err)
		strcpy(registered->text, err->text);
}

static struct zk_ephemeral *begin(struct zk_client *client, const char *data, int64_t wait_ms,
				  struct registered *ret_registered)
{
	struct zk_ephemeral_config config = {"/id", "broker id 3", slice_of_text(data), wait_ms};

	memset(ret_registered, 0, sizeof *ret_registered);
	return zk_ephemeral_register(client->session, &config, on_registered, ret_registered);
}

START_TEST(a_registration_is_the_node_at_version_one)
{
	struct zk_client client = {0};
	struct registered r;
	struct zk_answer a;

	zk_client_open_at(&client, "ephemeral/plain");
	begin(&client, "data", 0, &r);
	ZK_WAIT(r.done);
	ck_assert_int_eq(r.code, 0);
	ck_assert_int_eq(r.stat.version, 1);
	ck_assert(r.stat.czxid > 0);
	ZK_RUN(&a, zk_get(client.session, "/id", NULL, zk_answer_done, &a));
	ck_assert_str_eq(a.data, "data");
	ck_assert(a.stat.ephemeral_owner == zk_session_id(client.session));
	ck_assert(a.stat.czxid == r.stat.czxid);
	zk_client_close(&client);
}
END_TEST

START_TEST(registering_again_in_the_same_session_keeps_the_incarnation)
{
	struct zk_client client = {0};
	struct registered r;
	struct zk_answer a;
	int64_t czxid;

	zk_client_open_at(&client, "ephemeral/twice");
	begin(&client, "one", 0, &r);
	ZK_WAIT(r.done);
	czxid = r.stat.czxid;
	begin(&client, "one", 0, &r);
	ZK_WAIT(r.done);
	ck_assert_int_eq(r.code, 0);
	ck_assert(r.stat.czxid == czxid);
	begin(&client, "two", 0, &r);
	ZK_WAIT(r.done);
	ck_assert_int_eq(r.code, 0);
	ck_assert(r.stat.czxid == czxid);
	ZK_RUN(&a, zk_get(client.session, "/id", NULL, zk_answer_done, &a));
	ck_assert_str_eq(a.data, "two");
	zk_client_close(&client);
}
END_TEST

START_TEST(a_lost_answer_is_found_out)
{
	struct zk_client client = {0};
	struct registered r;

	zk_client_open_at(&client, "ephemeral/lost");
	for (int i = 0; i < 20; i++) {
		struct zk_answer a;

		begin(&client, "data", 0, &r);
		zk_session_on_timer(client.session);
		zk_client_cut(&client);
		ZK_WAIT(r.done);
		ck_assert_int_eq(r.code, 0);
		ck_assert(r.stat.ephemeral_owner == zk_session_id(client.session));
		ZK_RUN(&a, zk_delete(client.session, "/id", -1, zk_answer_done, &a));
		ck_assert_int_eq(a.code, 0);
	}
	ck_assert_int_eq(client.n_new_sessions, 1);
	zk_client_close(&client);
}
END_TEST

START_TEST(the_node_of_our_own_earlier_session_is_replaced_at_once)
{
	struct zk_client before = {.timeout_ms = 30000}, after = {0};
	struct registered r;
	int64_t czxid;

	zk_client_open_at(&before, "ephemeral/stale");
	begin(&before, "data", 0, &r);
	ZK_WAIT(r.done);
	czxid = r.stat.czxid;
	after.old_session_id = zk_session_id(before.session);
	zk_client_crash(&before);
	/* Sooner than that session ends by itself. */
	zk_client_open_at(&after, "ephemeral/stale");
	begin(&after, "data", 0, &r);
	ZK_WAIT(r.done);
	ck_assert_int_eq(r.code, 0);
	ck_assert(r.stat.czxid > czxid);
	zk_client_close(&after);
}
END_TEST

START_TEST(somebody_elses_node_is_waited_for_while_it_dies)
{
	struct zk_client dying = {.timeout_ms = 1500}, client = {0};
	struct registered r;

	zk_client_open_at(&dying, "ephemeral/dying");
	begin(&dying, "old", 0, &r);
	ZK_WAIT(r.done);
	zk_client_crash(&dying);
	zk_client_open_at(&client, "ephemeral/dying");
	begin(&client, "new", 0, &r);
	ZK_WAIT(r.done);
	ck_assert_int_eq(r.code, 0);
	ck_assert(r.stat.ephemeral_owner == zk_session_id(client.session));
	zk_client_close(&client);
}
END_TEST

START_TEST(somebody_elses_living_node_is_a_clear_failure)
{
	struct zk_client other = {0}, client = {0};
	struct registered r;
	int64_t began_ms;

	zk_client_open_at(&other, "ephemeral/other");
	zk_client_open_at(&client, "ephemeral/other");
	begin(&other, "old", 0, &r);
	ZK_WAIT(r.done);
	began_ms = clock_ms();
	begin(&client, "new", 700, &r);
	ZK_WAIT(r.done);
	ck_assert_int_eq(r.code, ERR_BUSY);
	ck_assert_int_ge(clock_ms() - began_ms, 700);
	ck_assert_ptr_nonnull(strstr(r.text, "broker id 3 is registered by another session"));
	zk_client_close(&client);
	zk_client_close(&other);
}
END_TEST

START_TEST(a_missing_parent_and_a_dead_session_are_told)
{
	struct zk_client client = {0};
	struct zk_ephemeral_config config = {"/no/such/parent", "broker id 3", SLICE_LITERAL("x"), 0};
	struct registered r;

	zk_client_open_at(&client, "ephemeral/errors");
	memset(&r, 0, sizeof r);
	zk_ephemeral_register(client.session, &config, on_registered, &r);
	ZK_WAIT(r.done);
	ck_assert_int_eq(r.code, ERR_NOT_FOUND);
	ck_assert_ptr_nonnull(strstr(r.text, "/no/such/parent"));
	begin(&client, "x", 0, &r);
	zk_session_close(client.session);
	ZK_WAIT(r.done && client.state == ZK_CLOSED);
	ck_assert_int_eq(r.code, ERR_CLOSED);
	zk_client_crash(&client);
}
END_TEST

START_TEST(a_cancelled_registration_tells_nothing)
{
	struct zk_client client = {0};
	struct zk_ephemeral *ephemeral;
	struct registered r;
	struct zk_answer a;

	zk_client_open_at(&client, "ephemeral/cancel");
	ephemeral = begin(&client, "x", 0, &r);
	zk_ephemeral_cancel(ephemeral);
	ZK_RUN(&a, zk_sync(client.session, zk_answer_done, &a));
	ck_assert(!r.done);
	zk_client_close(&client);
}
END_TEST

ZK_TEST_MAIN("zk/ephemeral", a_registration_is_the_node_at_version_one,
	     registering_again_in_the_same_session_keeps_the_incarnation, a_lost_answer_is_found_out,
	     the_node_of_our_own_earlier_session_is_replaced_at_once, somebody_elses_node_is_waited_for_while_it_dies,
	     somebody_elses_living_node_is_a_clear_failure, a_missing_parent_and_a_dead_session_are_told,
	     a_cancelled_registration_tells_nothing)
