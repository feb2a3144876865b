/* zk/session, call and watch against a real ZooKeeper: one server for all cases, each case below a chroot of its own. */
#include "zk/session.h"

#include "common/limits.h"
#include "test/lib/zk_test_loop.h"

#include <dlfcn.h>
#include <netdb.h>
#include <stdio.h>
#include <zookeeper/zookeeper.h>

START_TEST(operations_answer_with_data_stats_and_codes)
{
	struct zk_client client = {0};
	struct zk_session *s;
	struct zk_answer a;

	zk_client_open_at(&client, "session_test/operations");
	s = client.session;
	ZK_RUN(&a, zk_create(s, "/a", SLICE_LITERAL("one"), ZK_PERSISTENT, zk_answer_done, &a));
	ck_assert_int_eq(a.code, 0);
	ck_assert_str_eq(a.path, "/a");
	ck_assert(a.stat.czxid > 0);
	ZK_RUN(&a, zk_create(s, "/a", SLICE_NULL, ZK_PERSISTENT, zk_answer_done, &a));
	ck_assert_int_eq(a.code, ERR_EXISTS);
	ZK_RUN(&a, zk_get(s, "/a", NULL, zk_answer_done, &a));
	ck_assert_int_eq(a.code, 0);
	ck_assert_str_eq(a.data, "one");
	ck_assert_int_eq(a.stat.version, 0);
	ck_assert_int_eq(a.stat.data_len, 3);
	ZK_RUN(&a, zk_set(s, "/a", SLICE_LITERAL("two"), 0, zk_answer_done, &a));
	ck_assert_int_eq(a.code, 0);
	ck_assert_int_eq(a.stat.version, 1);
	ZK_RUN(&a, zk_set(s, "/a", SLICE_LITERAL("three"), 0, zk_answer_done, &a));
	ck_assert_int_eq(a.code, ERR_VERSION);
	ZK_RUN(&a, zk_create(s, "/a/b", SLICE_NULL, ZK_PERSISTENT, zk_answer_done, &a));
	ck_assert_int_eq(a.code, 0);
	ZK_RUN(&a, zk_get(s, "/a/b", NULL, zk_answer_done, &a));
	ck_assert_int_eq(a.data_len, -1);
	ZK_RUN(&a, zk_children(s, "/", NULL, zk_answer_done, &a));
	ck_assert_int_eq(a.n_children, 1);
	ZK_RUN(&a, zk_delete(s, "/a", ZK_VERSION_ANY, zk_answer_done, &a));
	ck_assert_int_eq(a.code, ERR_NOT_EMPTY);
	ZK_RUN(&a, zk_delete(s, "/a/b", 3, zk_answer_done, &a));
	ck_assert_int_eq(a.code, ERR_VERSION);
	ZK_RUN(&a, zk_delete(s, "/a/b", 0, zk_answer_done, &a));
	ck_assert_int_eq(a.code, 0);
	ZK_RUN(&a, zk_exists(s, "/a/b", NULL, zk_answer_done, &a));
	ck_assert_int_eq(a.code, ERR_NOT_FOUND);
	ZK_RUN(&a, zk_sync(s, zk_answer_done, &a));
	ck_assert_int_eq(a.code, 0);
	zk_client_close(&client);
}
END_TEST

START_TEST(nonsense_is_refused_without_reaching_the_server)
{
	static const char *const paths[] = {"", "a", "//", "/a/", "/a//b", "/a\nb", "/a/../b", "/.", "/a/."};
	struct zk_client client = {0};
	struct zk_op op = {.kind = ZK_OP_SET, .path = "/x"};
	struct zk_answer a;
	uint8_t *big = memory_zalloc(1, LIMIT_ZNODE_BYTES + 1);

	zk_client_open_at(&client, "session_test/nonsense");
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		ZK_RUN(&a, zk_get(client.session, paths[i], NULL, zk_answer_done, &a));
		ck_assert_msg(a.code == ERR_INVALID, "%s: %d", paths[i], a.code);
	}
	ZK_RUN(&a, zk_set(client.session, "/big", slice_of(big, LIMIT_ZNODE_BYTES + 1), -1, zk_answer_done, &a));
	ck_assert_int_eq(a.code, ERR_TOO_LARGE);
	op.data = slice_of(big, LIMIT_ZNODE_BYTES + 1);
	ZK_RUN(&a, zk_multi(client.session, &op, 1, zk_answer_done, &a));
	ck_assert_int_eq(a.code, ERR_TOO_LARGE);
	ZK_RUN(&a, zk_multi(client.session, &op, 0, zk_answer_done, &a));
	ck_assert_int_eq(a.code, ERR_INVALID);
	ck_assert_int_eq(client.n_suspended, 0);
	/* The largest that is let through is what the server takes. */
	ZK_RUN(&a,
	       zk_create(client.session, "/big", slice_of(big, LIMIT_ZNODE_BYTES - 1000), ZK_PERSISTENT, zk_answer_done, &a));
	ck_assert_int_eq(a.code, 0);
	zk_client_close(&client);
	free(big);
}
END_TEST

START_TEST(a_config_that_cannot_work_is_told_at_once)
{
	static const char *const wrong[] = {"",           "/only/chroot", "host:",     "host:0",
					    "host:70000", "host:x",       "[::1:2181", "127.0.0.1:1//a"};
	struct zk_loop loop = {0};
	struct zk_listener listener = {0};
	struct zk_session *session;
	struct error err;

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct zk_config config = {.connect = wrong[i], .session_timeout_ms = 1000};

		ck_assert_msg(zk_session_open(&config, &loop, &listener, &session, &err) == ERR_CONFIG, "%s", wrong[i]);
		ck_assert_ptr_nonnull(strstr(err.text, "zookeeper.connect"));
	}
	struct zk_config config = {.connect = "no-such-host.invalid:2181", .session_timeout_ms = 1000};
	ck_assert_int_eq(zk_session_open(&config, &loop, &listener, &session, &err), ERR_NOT_FOUND);
}
END_TEST

START_TEST(sequential_nodes_tell_their_path_below_the_chroot)
{
	struct zk_client client = {0};
	struct zk_answer a;

	zk_client_open_at(&client, "session_test/sequence/deep/er");
	ZK_RUN(&a, zk_create(client.session, "/n_", SLICE_NULL, ZK_PERSISTENT_SEQUENTIAL, zk_answer_done, &a));
	ck_assert_str_eq(a.path, "/n_0000000000");
	ZK_RUN(&a, zk_create(client.session, "/n_", SLICE_NULL, ZK_EPHEMERAL_SEQUENTIAL, zk_answer_done, &a));
	ck_assert_str_eq(a.path, "/n_0000000001");
	zk_client_close(&client);
}
END_TEST

START_TEST(a_multi_is_all_or_nothing_and_tells_each_result)
{
	struct zk_client client = {0};
	struct zk_op ops[3] = {
		{.kind = ZK_OP_CREATE, .path = "/m", .data = SLICE_LITERAL(""), .mode = ZK_EPHEMERAL},
		{.kind = ZK_OP_SET, .path = "/m", .data = SLICE_LITERAL("data"), .version = 0},
		{.kind = ZK_OP_CREATE, .path = "/s_", .mode = ZK_PERSISTENT_SEQUENTIAL},
	};
	struct zk_op bad[3] = {
		{.kind = ZK_OP_CHECK, .path = "/m", .version = 1},
		{.kind = ZK_OP_SET, .path = "/m", .data = SLICE_LITERAL("x"), .version = 7},
		{.kind = ZK_OP_DELETE, .path = "/m", .version = 1},
	};
	struct zk_answer a;

	zk_client_open_at(&client, "session_test/multi");
	ZK_RUN(&a, zk_multi(client.session, ops, 3, zk_answer_done, &a));
	ck_assert_int_eq(a.code, 0);
	ck_assert_int_eq(a.n_ops, 3);
	ck_assert_int_eq(a.op_stats[1].version, 1);
	ck_assert(a.op_stats[1].czxid > 0);
	ck_assert(a.op_stats[1].ephemeral_owner == zk_session_id(client.session));
	ZK_RUN(&a, zk_multi(client.session, bad, 3, zk_answer_done, &a));
	ck_assert_int_eq(a.code, ERR_VERSION);
	ck_assert_int_eq(a.op_codes[0], ERR_ABORTED);
	ck_assert_int_eq(a.op_codes[1], ERR_VERSION);
	ck_assert_int_eq(a.op_codes[2], ERR_ABORTED);
	ZK_RUN(&a, zk_get(client.session, "/m", NULL, zk_answer_done, &a));
	ck_assert_str_eq(a.data, "data");
	bad[1].version = 1;
	bad[2].version = 2;
	ZK_RUN(&a, zk_multi(client.session, bad, 3, zk_answer_done, &a));
	ck_assert_int_eq(a.code, 0);
	zk_client_close(&client);
}
END_TEST

struct heard {
	struct zk_watch watch;
	int n;
	enum zk_event last;
	struct zk_session *rearm;
	const char *path;
};

static void on_heard(struct zk_watch *watch, enum zk_event event)
{
	struct heard *heard = CONTAINER_OF(watch, struct heard, watch);

	heard->n++;
	heard->last = event;
	if (heard->rearm)
		zk_get(heard->rearm, heard->path, watch, NULL, NULL);
}

START_TEST(watches_fire_once_each_and_are_armed_by_reading)
{
	struct zk_client client = {0}, other = {0};
	struct heard data = {.watch = {.fired = on_heard}}, twin = data, children = data, absent = data, gone = data;
	struct zk_session *s;
	struct zk_answer a;

	zk_client_open_at(&client, "session_test/watches");
	zk_client_open_at(&other, "session_test/watches");
	s = client.session;
	ZK_RUN(&a, zk_create(s, "/w", SLICE_NULL, ZK_PERSISTENT, zk_answer_done, &a));
	ZK_RUN(&a, zk_exists(s, "/w/later", &absent.watch, zk_answer_done, &a));
	ZK_RUN(&a, zk_get(s, "/w/never", &gone.watch, zk_answer_done, &a));
	ZK_RUN(&a, zk_get(s, "/w", &data.watch, zk_answer_done, &a));
	ZK_RUN(&a, zk_get(s, "/w", &data.watch, zk_answer_done, &a));
	ZK_RUN(&a, zk_exists(s, "/w", &twin.watch, zk_answer_done, &a));
	ZK_RUN(&a, zk_children(s, "/w", &children.watch, zk_answer_done, &a));
	ZK_RUN(&a, zk_set(other.session, "/w", SLICE_LITERAL("1"), -1, zk_answer_done, &a));
	ZK_RUN(&a, zk_create(other.session, "/w/later", SLICE_NULL, ZK_PERSISTENT, zk_answer_done, &a));
	ZK_RUN(&a, zk_sync(s, zk_answer_done, &a));
	ck_assert_int_eq(data.n, 1);
	ck_assert_int_eq(data.last, ZK_EVENT_CHANGED);
	ck_assert_int_eq(twin.n, 1);
	ck_assert_int_eq(children.n, 1);
	ck_assert_int_eq(children.last, ZK_EVENT_CHILDREN);
	ck_assert_int_eq(absent.n, 1);
	ck_assert_int_eq(absent.last, ZK_EVENT_CREATED);
	ck_assert_int_eq(gone.n, 0);
	/* Not armed any more; then armed again and deleted: data and children hear of it. */
	ZK_RUN(&a, zk_delete(other.session, "/w/later", -1, zk_answer_done, &a));
	ZK_RUN(&a, zk_get(s, "/w", &data.watch, zk_answer_done, &a));
	ZK_RUN(&a, zk_children(s, "/w", &children.watch, zk_answer_done, &a));
	ZK_RUN(&a, zk_get(s, "/w", &twin.watch, zk_answer_done, &a));
	zk_watch_cancel(&twin.watch);
	ZK_RUN(&a, zk_delete(other.session, "/w", -1, zk_answer_done, &a));
	ZK_RUN(&a, zk_sync(s, zk_answer_done, &a));
	ck_assert_int_eq(data.n, 2);
	ck_assert_int_eq(data.last, ZK_EVENT_DELETED);
	ck_assert_int_eq(children.n, 2);
	ck_assert_int_eq(children.last, ZK_EVENT_DELETED);
	ck_assert_int_eq(twin.n, 1);
	ck_assert_int_eq(absent.n, 1);
	zk_watch_cancel(&data.watch);
	zk_watch_cancel(&children.watch);
	zk_watch_cancel(&absent.watch);
	zk_watch_cancel(&gone.watch);
	zk_client_close(&client);
	zk_client_close(&other);
}
END_TEST

START_TEST(a_watch_armed_again_by_its_own_callback_misses_no_change)
{
	struct zk_client client = {0}, other = {0};
	struct heard heard = {.watch = {.fired = on_heard}, .path = "/w"};
	struct zk_answer a;
	int last = 0;

	zk_client_open_at(&client, "session_test/rearm");
	zk_client_open_at(&other, "session_test/rearm");
	heard.rearm = client.session;
	ZK_RUN(&a, zk_create(client.session, "/w", SLICE_NULL, ZK_PERSISTENT, zk_answer_done, &a));
	ZK_RUN(&a, zk_get(client.session, "/w", &heard.watch, zk_answer_done, &a));
	for (int i = 0; i < 50; i++) {
		ZK_RUN(&a, zk_set(other.session, "/w", SLICE_LITERAL("1"), -1, zk_answer_done, &a));
		ZK_WAIT(heard.n > last);
		last = heard.n;
		/* The read that arms it again was submitted before this one. */
		ZK_RUN(&a, zk_exists(client.session, "/", NULL, zk_answer_done, &a));
	}
	ck_assert_int_eq(heard.n, 50);
	zk_watch_cancel(&heard.watch);
	zk_client_close(&client);
	zk_client_close(&other);
}
END_TEST

START_TEST(a_lost_connection_retries_reads_and_keeps_session_watches_and_waiting_calls)
{
	struct zk_client client = {0}, other = {0};
	struct heard heard = {.watch = {.fired = on_heard}};
	struct zk_answer a, read, write, waiting;
	int64_t id;

	memset(&read, 0, sizeof read);
	memset(&write, 0, sizeof write);
	memset(&waiting, 0, sizeof waiting);
	zk_client_open_at(&client, "session_test/cut");
	zk_client_open_at(&other, "session_test/cut");
	id = zk_session_id(client.session);
	ZK_RUN(&a, zk_create(client.session, "/x", SLICE_LITERAL("0"), ZK_PERSISTENT, zk_answer_done, &a));
	ZK_RUN(&a, zk_get(client.session, "/x", &heard.watch, zk_answer_done, &a));
	/* Sent, and the connection gone before the server can answer. */
	zk_server_pause(&zk_test_server, 0);
	zk_get(client.session, "/x", NULL, zk_answer_done, &read);
	zk_set(client.session, "/x", SLICE_LITERAL("1"), -1, zk_answer_done, &write);
	zk_session_on_timer(client.session);
	zk_client_cut(&client);
	ZK_WAIT(client.n_suspended == 1);
	zk_server_resume(&zk_test_server, 0);
	ck_assert(write.done);
	ck_assert_int_eq(write.code, ERR_UNKNOWN_OUTCOME);
	ck_assert(!read.done);
	zk_create(client.session, "/waited", SLICE_NULL, ZK_PERSISTENT, zk_answer_done, &waiting);
	ZK_RUN(&a, zk_set(other.session, "/x", SLICE_LITERAL("2"), -1, zk_answer_done, &a));
	ZK_WAIT(read.done && waiting.done);
	ck_assert_int_eq(read.code, 0);
	ck_assert_int_eq(waiting.code, 0);
	ck_assert_int_eq(client.n_connected, 2);
	ck_assert_int_eq(client.n_new_sessions, 1);
	ck_assert(zk_session_id(client.session) == id);
	ZK_WAIT(heard.n == 1);
	zk_watch_cancel(&heard.watch);
	zk_client_close(&client);
	zk_client_close(&other);
}
END_TEST

/* What a session that has expired leaves to its owner. */
static struct zk_answer in_suspended_callback, in_lost_callback;

static void submit_when_lost(struct zk_client *client, enum zk_state state, bool new_session)
{
	(void)new_session;
	if (state == ZK_SUSPENDED && client->n_lost == 0)
		zk_create(client->session, "/old", SLICE_NULL, ZK_PERSISTENT, zk_answer_done, &in_suspended_callback);
	if (state == ZK_LOST)
		zk_exists(client->session, "/e", NULL, zk_answer_done, &in_lost_callback);
}

START_TEST(an_expired_session_is_replaced_and_old_calls_never_run_in_the_new_one)
{
	struct zk_client client = {.on_state = submit_when_lost}, other = {0};
	struct heard heard = {.watch = {.fired = on_heard}};
	struct zk_answer a;
	uint8_t password[ZK_PASSWORD_BYTES];
	int64_t id;

	zk_client_open_at(&client, "session_test/expiry");
	zk_client_open_at(&other, "session_test/expiry");
	ZK_RUN(&a, zk_create(client.session, "/e", SLICE_NULL, ZK_EPHEMERAL, zk_answer_done, &a));
	ZK_RUN(&a, zk_get(client.session, "/e", &heard.watch, zk_answer_done, &a));
	ck_assert(lease_valid(zk_session_lease(client.session), clock_ms()));
	ck_assert(zk_session_credentials(client.session, &id, password));
	ck_assert_int_eq(zk_session_end(zk_test_server.connect, id, password, 5000), 0);
	ZK_RUN(&a, zk_exists(other.session, "/e", NULL, zk_answer_done, &a));
	ck_assert_int_eq(a.code, ERR_NOT_FOUND);
	ZK_WAIT(in_suspended_callback.done && client.state == ZK_CONNECTED && in_lost_callback.done);
	ck_assert_int_eq(in_suspended_callback.code, ERR_SESSION_LOST);
	ck_assert_int_eq(in_lost_callback.code, ERR_NOT_FOUND);
	ck_assert_int_eq(client.n_lost, 1);
	ck_assert_int_eq(client.n_new_sessions, 2);
	ck_assert(zk_session_id(client.session) != id);
	ck_assert(zk_session_was_ours(client.session, id));
	ck_assert(!zk_session_was_ours(client.session, id + 1));
	ck_assert(!zk_session_was_ours(client.session, 0));
	ZK_RUN(&a, zk_exists(client.session, "/old", NULL, zk_answer_done, &a));
	ck_assert_int_eq(a.code, ERR_NOT_FOUND);
	ck_assert_int_eq(heard.n, 0);
	/* Ending it once more finds it gone. */
	ck_assert_int_eq(zk_session_end(zk_test_server.connect, id, password, 5000), 0);
	zk_watch_cancel(&heard.watch);
	zk_client_close(&client);
	zk_client_close(&other);
}
END_TEST

START_TEST(closing_removes_ephemerals_at_once_and_a_crash_leaves_them)
{
	struct zk_client client = {.timeout_ms = 60000}, crash = {.timeout_ms = 3000}, other = {0};
	struct zk_answer a, left;
	int64_t before_ms;

	memset(&left, 0, sizeof left);
	zk_client_open_at(&client, "session_test/close");
	zk_client_open_at(&crash, "session_test/close");
	zk_client_open_at(&other, "session_test/close");
	ZK_RUN(&a, zk_create(client.session, "/e", SLICE_NULL, ZK_EPHEMERAL, zk_answer_done, &a));
	ZK_RUN(&a, zk_create(crash.session, "/c", SLICE_NULL, ZK_EPHEMERAL, zk_answer_done, &a));
	before_ms = clock_ms();
	zk_get(client.session, "/e", NULL, zk_answer_done, &left);
	zk_client_close(&client);
	ck_assert(left.done);
	ck_assert_int_eq(left.code, ERR_CLOSED);
	zk_client_crash(&crash);
	ZK_RUN(&a, zk_exists(other.session, "/e", NULL, zk_answer_done, &a));
	ck_assert_int_eq(a.code, ERR_NOT_FOUND);
	ZK_RUN(&a, zk_exists(other.session, "/c", NULL, zk_answer_done, &a));
	ck_assert_int_eq(a.code, 0);
	do
		ZK_RUN(&a, zk_exists(other.session, "/c", NULL, zk_answer_done, &a));
	while (a.code == 0 && clock_ms() - before_ms < 60000);
	ck_assert_int_eq(a.code, ERR_NOT_FOUND);
	zk_client_close(&other);
}
END_TEST

static void close_in_callback(void *ctx, const struct zk_result *result)
{
	(void)result;
	zk_session_close(ctx);
	zk_session_close(ctx);
}

START_TEST(a_session_may_be_closed_from_its_own_callback)
{
	struct zk_client client = {0};
	struct zk_answer a;

	memset(&a, 0, sizeof a);
	zk_client_open_at(&client, "session_test/close_inside");
	zk_exists(client.session, "/", NULL, close_in_callback, client.session);
	zk_exists(client.session, "/", NULL, zk_answer_done, &a);
	ZK_WAIT(client.state == ZK_CLOSED);
	ck_assert(a.done);
	zk_client_crash(&client);
}
END_TEST

START_TEST(a_session_that_never_reached_a_server_waits_and_can_be_closed)
{
	struct zk_client client = {.connect = "127.0.0.1:41199"};
	struct zk_answer a;
	int turns;

	memset(&a, 0, sizeof a);
	zk_client_open(&client);
	zk_exists(client.session, "/", NULL, zk_answer_done, &a);
	zk_clients_run(1000);
	ck_assert(!a.done);
	ck_assert_int_eq(client.state, ZK_CONNECTING);
	ck_assert(!lease_valid(zk_session_lease(client.session), clock_ms()));
	turns = client.n_turns;
	ck_assert_int_lt(turns, 200);
	zk_client_close(&client);
	ck_assert_int_eq(a.code, ERR_CLOSED);
}
END_TEST

START_TEST(an_idle_session_wakes_seldom_and_keeps_its_lease)
{
	struct zk_client client = {.timeout_ms = 6000};
	int turns;

	zk_client_open_at(&client, "session_test/idle");
	zk_clients_run(200);
	turns = client.n_turns;
	for (int i = 0; i < 35; i++) {
		zk_clients_run(100);
		ck_assert(lease_valid(zk_session_lease(client.session), clock_ms()));
	}
	/* 3.5 s: at most four signs of life, each a timer and an answer; zk_clients_run wakes by itself each time. */
	ck_assert_int_le(client.n_turns - turns, 35 + 12);
	/* As after each answer. */
	ZK_WAIT(lease_deadline_ms(zk_session_lease(client.session)) - clock_ms() > 3500);
	zk_client_close(&client);
}
END_TEST

START_TEST(a_stopped_process_finds_its_lease_ended_and_then_its_session_gone)
{
	struct zk_client client = {.timeout_ms = 1000}, other = {0};
	struct zk_answer a;

	zk_client_open_at(&client, "session_test/stopped");
	zk_client_open_at(&other, "session_test/stopped");
	ZK_RUN(&a, zk_create(client.session, "/e", SLICE_NULL, ZK_EPHEMERAL, zk_answer_done, &a));
	client.frozen = true;
	do {
		bool led = lease_valid(zk_session_lease(client.session), clock_ms());

		ZK_RUN(&a, zk_exists(other.session, "/e", NULL, zk_answer_done, &a));
		/* The lease never outlives the session. */
		ck_assert(!led || a.code == 0 || !lease_valid(zk_session_lease(client.session), clock_ms()));
	} while (a.code == 0);
	ck_assert(!lease_valid(zk_session_lease(client.session), clock_ms()));
	client.frozen = false;
	ZK_WAIT(client.n_lost == 1 && client.state == ZK_CONNECTED);
	ck_assert_int_eq(client.n_new_sessions, 2);
	zk_client_close(&client);
	zk_client_close(&other);
}
END_TEST

START_TEST(credentials_make_acls_as_kafka_does)
{
	struct zk_client owner = {.auth_digest = "klamm:secret", .set_acl = true}, other = {0};
	struct zk_answer a;

	zk_client_open_at(&owner, "session_test/acl");
	zk_client_open_at(&other, "session_test/acl");
	ZK_RUN(&a, zk_create(owner.session, "/config", SLICE_NULL, ZK_PERSISTENT, zk_answer_done, &a));
	ck_assert_int_eq(a.code, 0);
	ZK_RUN(&a, zk_create(owner.session, "/config/users", SLICE_LITERAL("s"), ZK_PERSISTENT, zk_answer_done, &a));
	ck_assert_int_eq(a.code, 0);
	ZK_RUN(&a, zk_create(owner.session, "/config/topics", SLICE_LITERAL("t"), ZK_PERSISTENT, zk_answer_done, &a));
	ZK_RUN(&a, zk_create(owner.session, "/consumers", SLICE_NULL, ZK_PERSISTENT, zk_answer_done, &a));
	ZK_RUN(&a, zk_get(other.session, "/config/users", NULL, zk_answer_done, &a));
	ck_assert_int_eq(a.code, ERR_AUTH);
	ZK_RUN(&a, zk_get(other.session, "/config/topics", NULL, zk_answer_done, &a));
	ck_assert_int_eq(a.code, 0);
	ZK_RUN(&a, zk_set(other.session, "/config/topics", SLICE_NULL, -1, zk_answer_done, &a));
	ck_assert_int_eq(a.code, ERR_AUTH);
	ZK_RUN(&a, zk_create(other.session, "/consumers/g", SLICE_NULL, ZK_PERSISTENT, zk_answer_done, &a));
	ck_assert_int_eq(a.code, 0);
	/* The credentials are given again with a new connection. */
	zk_client_cut(&owner);
	ZK_WAIT(owner.n_connected == 2);
	ZK_RUN(&a, zk_set(owner.session, "/config/users", SLICE_LITERAL("x"), -1, zk_answer_done, &a));
	ck_assert_int_eq(a.code, 0);
	zk_client_close(&owner);
	zk_client_close(&other);
}
END_TEST

#define MANY_WATCHES 8000

START_TEST(more_watches_than_one_request_holds_survive_a_reconnect)
{
	static struct heard heard[MANY_WATCHES];
	struct zk_client client = {.timeout_ms = 6000};
	struct zk_answer a, last;
	char path[200];
	int n_heard = 0;
	int64_t id;

	zk_client_open_at(&client, "session_test/many");
	id = zk_session_id(client.session);
	for (int i = 0; i < MANY_WATCHES; i++) {
		heard[i].watch.fired = on_heard;
		snprintf(path, sizeof path,
			 "/a-rather-long-name-so-that-all-of-them-together-are-larger-than-what-fits-one-request-to-it-%d", i);
		zk_exists(client.session, path, &heard[i].watch, NULL, NULL);
	}
	ZK_RUN(&a, zk_sync(client.session, zk_answer_done, &a));
	zk_client_cut(&client);
	ZK_WAIT(client.n_connected == 2);
	ck_assert(zk_session_id(client.session) == id);
	for (int i = 0; i < MANY_WATCHES; i++)
		n_heard += heard[i].n;
	ck_assert_int_eq(n_heard, MANY_WATCHES);
	memset(&last, 0, sizeof last);
	ZK_RUN(&last, zk_exists(client.session, "/", NULL, zk_answer_done, &last));
	for (int i = 0; i < MANY_WATCHES; i++)
		zk_watch_cancel(&heard[i].watch);
	zk_client_close(&client);
}
END_TEST

static void on_timer(struct zk_timer *timer)
{
	timer->next = timer;
}

START_TEST(timers_fire_once_in_time)
{
	struct zk_client client = {0};
	struct zk_timer first = {.fired = on_timer}, second = {.fired = on_timer}, never = {.fired = on_timer};
	int64_t begin_ms;

	zk_client_open_at(&client, "session_test/timers");
	begin_ms = clock_ms();
	zk_timer_set(client.session, &first, 100);
	zk_timer_set(client.session, &never, 50);
	zk_timer_set(client.session, &second, 200);
	zk_timer_clear(client.session, &never);
	ZK_WAIT(second.next == &second);
	ck_assert(first.next == &first);
	ck_assert(never.next != &never);
	ck_assert_int_ge(clock_ms() - begin_ms, 200);
	zk_client_close(&client);
}
END_TEST

static const char *moving_host = "127.0.0.2";

/* Instead of libc's: one name whose address the test can change. */
int getaddrinfo(const char *restrict node, const char *restrict service, const struct addrinfo *restrict hints,
		struct addrinfo **restrict ret_found)
{
	typedef int resolve(const char *, const char *, const struct addrinfo *, struct addrinfo **);
	resolve *next = (resolve *)dlsym(RTLD_NEXT, "getaddrinfo");

	if (node && strcmp(node, "moving.test") == 0) {
		if (hints->ai_flags & AI_NUMERICHOST)
			return EAI_NONAME;
		node = moving_host;
	}
	return next(node, service, hints, ret_found);
}

START_TEST(a_server_that_gets_another_address_is_found)
{
	static char connect[64];
	struct zk_client client = {.connect = connect};
	struct zk_answer waiting;

	memset(&waiting, 0, sizeof waiting);
	snprintf(connect, sizeof connect, "moving.test:%d", zk_test_server.ports[0]);
	zk_client_open(&client);
	zk_exists(client.session, "/", NULL, zk_answer_done, &waiting);
	zk_clients_run(300);
	ck_assert_int_eq(client.state, ZK_CONNECTING);
	moving_host = "127.0.0.1";
	ZK_WAIT(waiting.done);
	ck_assert_int_eq(waiting.code, 0);
	ck_assert_int_eq(client.state, ZK_CONNECTED);
	zk_client_close(&client);
}
END_TEST

static const char *auth_scheme = "digest";

/* Instead of the library's: an unknown scheme is what a server refuses. */
int zoo_add_auth(zhandle_t *handle, const char *scheme, const char *cert, int cert_len, void_completion_t done,
		 const void *data)
{
	typedef int add_auth(zhandle_t *, const char *, const char *, int, void_completion_t, const void *);
	add_auth *next = (add_auth *)dlsym(RTLD_NEXT, "zoo_add_auth");

	(void)scheme;
	return next(handle, auth_scheme, cert, cert_len, done, data);
}

START_TEST(refused_credentials_are_no_expiry)
{
	struct zk_client client = {.auth_digest = "klamm:secret", .connect = zk_test_server.connect};
	struct zk_answer refused, a;
	int64_t id;

	memset(&refused, 0, sizeof refused);
	auth_scheme = "nonsense";
	zk_client_open(&client);
	zk_exists(client.session, "/", NULL, zk_answer_done, &refused);
	ZK_WAIT(client.n_auth_failed == 1);
	ZK_WAIT(refused.done);
	id = zk_session_id(client.session);
	/* Once more, for the same session; then they are the right ones. */
	ZK_WAIT(client.n_auth_failed == 2);
	auth_scheme = "digest";
	ZK_RUN(&a, zk_exists(client.session, "/", NULL, zk_answer_done, &a));
	ZK_WAIT(client.state == ZK_CONNECTED);
	ZK_RUN(&a, zk_exists(client.session, "/", NULL, zk_answer_done, &a));
	ck_assert_int_eq(a.code, 0);
	ck_assert(zk_session_id(client.session) == id);
	ck_assert_int_eq(client.n_lost, 0);
	ck_assert_int_eq(client.n_new_sessions, 1);
	zk_client_close(&client);
}
END_TEST

static int n_read;

static void count_read(void *ctx, const struct zk_result *result)
{
	(void)ctx;
	n_read += result->code == ERR_NOT_FOUND;
}

START_TEST(reads_are_pipelined)
{
	struct zk_client client = {0};
	int64_t begin_ns;

	zk_client_open_at(&client, "session_test/pipeline");
	begin_ns = clock_ns();
	for (int i = 0; i < 20000; i++)
		zk_get(client.session, "/none", NULL, count_read, NULL);
	ZK_WAIT(n_read == 20000);
	fprintf(stderr, "20000 reads: %lld ms\n", (long long)(clock_ns() - begin_ns) / 1000000);
	zk_client_close(&client);
}
END_TEST

ZK_TEST_MAIN("zk/session", operations_answer_with_data_stats_and_codes, nonsense_is_refused_without_reaching_the_server,
	     a_config_that_cannot_work_is_told_at_once, sequential_nodes_tell_their_path_below_the_chroot,
	     a_multi_is_all_or_nothing_and_tells_each_result, watches_fire_once_each_and_are_armed_by_reading,
	     a_watch_armed_again_by_its_own_callback_misses_no_change,
	     a_lost_connection_retries_reads_and_keeps_session_watches_and_waiting_calls,
	     an_expired_session_is_replaced_and_old_calls_never_run_in_the_new_one,
	     closing_removes_ephemerals_at_once_and_a_crash_leaves_them, a_session_may_be_closed_from_its_own_callback,
	     a_session_that_never_reached_a_server_waits_and_can_be_closed, a_server_that_gets_another_address_is_found,
	     refused_credentials_are_no_expiry, an_idle_session_wakes_seldom_and_keeps_its_lease,
	     a_stopped_process_finds_its_lease_ended_and_then_its_session_gone, credentials_make_acls_as_kafka_does,
	     more_watches_than_one_request_holds_survive_a_reconnect, timers_fire_once_in_time, reads_are_pipelined)
