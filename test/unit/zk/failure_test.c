/* zk/ when servers die, stop and come back: servers of each case's own. */
#include "test/lib/zk_test_loop.h"
#include "zk/batch.h"
#include "zk/election.h"
#include "zk/ephemeral.h"

#include <stdio.h>

static struct zk_server servers;

static void start(int n)
{
	ck_assert(zk_server_start(&servers, n));
}

static void open_client(struct zk_client *client)
{
	static char connect[200];

	snprintf(connect, sizeof connect, "%s/failure", servers.connect);
	client->connect = connect;
	zk_client_open(client);
	ZK_WAIT(client->state == ZK_CONNECTED);
}

START_TEST(a_server_killed_and_started_again_keeps_the_session)
{
	struct zk_client client = {.timeout_ms = 20000};
	struct zk_answer a, waiting, in_flight;
	int64_t id;

	start(1);
	memset(&waiting, 0, sizeof waiting);
	memset(&in_flight, 0, sizeof in_flight);
	open_client(&client);
	id = zk_session_id(client.session);
	ZK_RUN(&a, zk_create(client.session, "/e", SLICE_NULL, ZK_EPHEMERAL, zk_answer_done, &a));
	/* Stopped, the server takes the request into its socket and no further. */
	zk_server_pause(&servers, 0);
	zk_set(client.session, "/e", SLICE_LITERAL("x"), 0, zk_answer_done, &in_flight);
	zk_clients_run(50);
	zk_server_kill(&servers, 0);
	ZK_WAIT(client.n_suspended == 1);
	ck_assert(in_flight.done);
	ck_assert_int_eq(in_flight.code, ERR_UNKNOWN_OUTCOME);
	zk_exists(client.session, "/e", NULL, zk_answer_done, &waiting);
	zk_clients_run(300);
	ck_assert(!waiting.done);
	ck_assert(zk_server_restart(&servers, 0, false));
	ZK_WAIT(waiting.done);
	ck_assert_int_eq(waiting.code, 0);
	ck_assert_int_eq(waiting.stat.version, 0);
	ck_assert(zk_session_id(client.session) == id);
	ck_assert_int_eq(client.n_lost, 0);
	zk_client_close(&client);
	zk_server_stop(&servers);
}
END_TEST

START_TEST(a_server_that_stands_still_ends_the_lease_before_the_session)
{
	struct zk_client client = {.timeout_ms = 2000};
	struct zk_answer a;
	int64_t paused_ms;

	start(1);
	open_client(&client);
	ZK_RUN(&a, zk_exists(client.session, "/", NULL, zk_answer_done, &a));
	zk_server_pause(&servers, 0);
	paused_ms = clock_ms();
	ZK_WAIT(client.n_suspended == 1);
	ZK_WAIT(!lease_valid(zk_session_lease(client.session), clock_ms()));
	/* What was answered was sent before. */
	ck_assert_int_le(lease_deadline_ms(zk_session_lease(client.session)), paused_ms + 1600);
	zk_clients_run(500);
	ck_assert_int_eq(client.n_connected, 1);
	zk_server_resume(&servers, 0);
	ZK_WAIT(client.state == ZK_CONNECTED && lease_valid(zk_session_lease(client.session), clock_ms()));
	/* A server that wakes may find the session at its end. */
	ck_assert_int_eq(client.n_lease_back, client.n_lost == 0);
	zk_client_close(&client);
	zk_server_stop(&servers);
}
END_TEST

static int leader(void)
{
	for (int i = 0; i < servers.n; i++)
		if (servers.pids[i] && strcmp(zk_server_mode(&servers, i), "leader") == 0)
			return i;
	return -1;
}

/* One counter, written by compare-and-set with read-back: what a careful owner does. */
struct counter {
	struct zk_client *client;
	int n_confirmed, n_unknown, n_read_back;
	int32_t version;
	bool stop;
};

static void counter_write(struct counter *counter);

static void on_counter_read(void *ctx, const struct zk_result *result)
{
	struct counter *counter = ctx;

	if (counter->stop)
		return;
	ck_assert_int_eq(result->code, 0);
	ck_assert(result->stat.version == counter->version || result->stat.version == counter->version + 1);
	counter->n_read_back += result->stat.version > counter->version;
	counter->n_confirmed += result->stat.version > counter->version;
	counter->version = result->stat.version;
	counter_write(counter);
}

static void on_counter_written(void *ctx, const struct zk_result *result)
{
	struct counter *counter = ctx;

	if (counter->stop)
		return;
	if (result->code == ERR_UNKNOWN_OUTCOME) {
		counter->n_unknown++;
		zk_sync(counter->client->session, NULL, NULL);
		zk_get(counter->client->session, "/counter", NULL, on_counter_read, counter);
		return;
	}
	ck_assert_int_eq(result->code, 0);
	counter->version = result->stat.version;
	counter->n_confirmed++;
	counter_write(counter);
}

static void counter_write(struct counter *counter)
{
	zk_set(counter->client->session, "/counter", SLICE_LITERAL("x"), counter->version, on_counter_written, counter);
}

START_TEST(an_ensemble_that_loses_its_leader_loses_no_write_and_no_session)
{
	struct zk_client client = {.timeout_ms = 20000};
	struct counter counter = {.client = &client};
	struct zk_answer a;
	int before;
	int64_t id;

	start(3);
	open_client(&client);
	id = zk_session_id(client.session);
	ZK_RUN(&a, zk_create(client.session, "/counter", SLICE_NULL, ZK_PERSISTENT, zk_answer_done, &a));
	counter_write(&counter);
	ck_assert_int_ge(leader(), 0);
	ZK_WAIT(counter.n_confirmed > 50);
	zk_server_kill(&servers, leader());
	before = counter.n_confirmed;
	ZK_WAIT(counter.n_confirmed > before + 50);
	counter.stop = true;
	ZK_RUN(&a, zk_sync(client.session, zk_answer_done, &a));
	ZK_RUN(&a, zk_get(client.session, "/counter", NULL, zk_answer_done, &a));
	ck_assert(a.stat.version == counter.n_confirmed || a.stat.version == counter.n_confirmed + 1);
	ck_assert(zk_session_id(client.session) == id);
	ck_assert_int_eq(client.n_lost, 0);
	fprintf(stderr, "%d writes, %d unknown, %d of them found done\n", counter.n_confirmed, counter.n_unknown,
		counter.n_read_back);
	zk_client_close(&client);
	zk_server_stop(&servers);
}
END_TEST

static int n_told[8000];
static int code_told[8000];
static int n_batch_done;

static void on_batched(void *ctx, const struct zk_op_result *result)
{
	int i = (int)((int *)ctx - n_told);

	n_told[i]++;
	code_told[i] = result->code;
	n_batch_done++;
}

static void on_existence(void *ctx, const struct zk_result *result)
{
	*(int *)ctx = result->code;
}

START_TEST(a_batch_over_a_dying_leader_tells_the_truth_of_each_operation)
{
	struct zk_client client = {.timeout_ms = 20000};
	struct zk_batch_config config = {0};
	struct zk_batch *batch;
	struct zk_answer a;
	int existence[ARRAY_LEN(n_told)];
	char path[40];
	int victim;

	start(3);
	open_client(&client);
	victim = leader();
	batch = zk_batch_new(client.session, &config);
	for (size_t i = 0; i < ARRAY_LEN(n_told); i++) {
		struct zk_op op = {.kind = ZK_OP_CREATE, .path = path};

		snprintf(path, sizeof path, "/b%zu", i);
		zk_batch_add(batch, &op, on_batched, &n_told[i]);
	}
	zk_batch_flush(batch);
	zk_session_on_timer(client.session);
	zk_server_kill(&servers, victim);
	ZK_WAIT(n_batch_done == (int)ARRAY_LEN(n_told));
	ZK_RUN(&a, zk_sync(client.session, zk_answer_done, &a));
	for (size_t i = 0; i < ARRAY_LEN(n_told); i++) {
		existence[i] = 1;
		snprintf(path, sizeof path, "/b%zu", i);
		zk_exists(client.session, path, NULL, on_existence, &existence[i]);
	}
	ZK_RUN(&a, zk_sync(client.session, zk_answer_done, &a));
	for (size_t i = 0; i < ARRAY_LEN(n_told); i++) {
		ck_assert_int_eq(n_told[i], 1);
		ck_assert(code_told[i] == 0 || code_told[i] == ERR_UNKNOWN_OUTCOME);
		ck_assert(code_told[i] != 0 || existence[i] == 0);
	}
	zk_batch_free(batch);
	zk_client_close(&client);
	zk_server_stop(&servers);
}
END_TEST

START_TEST(without_a_majority_operations_wait_and_the_lease_ends)
{
	struct zk_client client = {.timeout_ms = 2000};
	struct zk_answer a, waiting;
	int first, second;

	start(3);
	memset(&waiting, 0, sizeof waiting);
	open_client(&client);
	ZK_RUN(&a, zk_create(client.session, "/x", SLICE_NULL, ZK_PERSISTENT, zk_answer_done, &a));
	first = leader();
	second = (first + 1) % 3;
	zk_server_kill(&servers, first);
	zk_server_kill(&servers, second);
	ZK_WAIT(client.state == ZK_SUSPENDED);
	zk_exists(client.session, "/x", NULL, zk_answer_done, &waiting);
	ZK_WAIT(!lease_valid(zk_session_lease(client.session), clock_ms()));
	ck_assert(!waiting.done);
	ck_assert(zk_server_restart(&servers, first, false));
	ZK_WAIT(waiting.done && client.state == ZK_CONNECTED);
	/* Whether the session outlived this is the servers' affair. */
	ck_assert(waiting.code == 0 || waiting.code == ERR_SESSION_LOST);
	ZK_RUN(&a, zk_exists(client.session, "/x", NULL, zk_answer_done, &a));
	ck_assert_int_eq(a.code, 0);
	zk_client_close(&client);
	zk_server_stop(&servers);
}
END_TEST

static int n_won, last_epoch;

static void on_election(void *ctx, const struct zk_election_news *news)
{
	(void)ctx;
	if (news->event != ZK_ELECTION_WON)
		return;
	n_won++;
	ck_assert_int_gt(news->epoch, last_epoch);
	last_epoch = news->epoch;
}

START_TEST(an_election_while_the_leader_dies_has_one_winner)
{
	struct zk_client clients[2] = {{.timeout_ms = 20000}, {.timeout_ms = 20000}};
	struct zk_election *elections[2];
	struct zk_election_listener listener = {NULL, on_election};
	struct zk_answer a;
	int victim;

	start(3);
	for (int i = 0; i < 2; i++) {
		open_client(&clients[i]);
		elections[i] = zk_election_new(clients[i].session, i ? "one" : "two", &listener);
	}
	victim = leader();
	for (int i = 0; i < 2; i++)
		zk_election_stand(elections[i], i, 0);
	zk_clients_turn(0);
	zk_server_kill(&servers, victim);
	ZK_WAIT(n_won == 1);
	ZK_WAIT(clients[0].state == ZK_CONNECTED && clients[1].state == ZK_CONNECTED);
	for (int i = 0; i < 2; i++) {
		ZK_RUN(&a, zk_sync(clients[i].session, zk_answer_done, &a));
		ZK_RUN(&a, zk_get(clients[i].session, "/controller_epoch", NULL, zk_answer_done, &a));
		ck_assert_int_eq(atoi(a.data), last_epoch);
	}
	ck_assert_int_eq(n_won, 1);
	for (int i = 0; i < 2; i++) {
		zk_election_free(elections[i]);
		zk_client_close(&clients[i]);
	}
	zk_server_stop(&servers);
}
END_TEST

struct registered {
	bool done;
	int code;
};

static void on_registered(void *ctx, int code, const struct zk_stat *stat, const struct error *err)
{
	struct registered *registered = ctx;

	(void)stat;
	(void)err;
	registered->done = true;
	registered->code = code;
}

START_TEST(a_dead_owner_is_not_waited_for_while_there_is_no_server)
{
	const struct zk_ephemeral_config config = {"/id", "broker id 3", SLICE_LITERAL("x"), 2500};
	struct zk_client dying = {.timeout_ms = 1500}, client = {.timeout_ms = 1500};
	struct registered old = {0}, new = {0};
	struct zk_answer a;
	int64_t began_ms;

	start(1);
	open_client(&dying);
	zk_ephemeral_register(dying.session, &config, on_registered, &old);
	ZK_WAIT(old.done);
	zk_client_crash(&dying);
	open_client(&client);
	zk_ephemeral_register(client.session, &config, on_registered, &new);
	/* Answers come in the order asked: after two it has found the other one's node. */
	ZK_RUN(&a, zk_sync(client.session, zk_answer_done, &a));
	ZK_RUN(&a, zk_sync(client.session, zk_answer_done, &a));
	zk_server_kill(&servers, 0);
	began_ms = clock_ms();
	ZK_WAIT(clock_ms() > began_ms + 3000);
	ck_assert(zk_server_restart(&servers, 0, true));
	/* The session of the dead one has its whole time again. */
	ZK_WAIT(new.done);
	ck_assert_int_eq(new.code, 0);
	zk_client_close(&client);
	zk_server_stop(&servers);
}
END_TEST

int main(void)
{
	const TTest *const cases[] = {
		a_server_killed_and_started_again_keeps_the_session,
		a_server_that_stands_still_ends_the_lease_before_the_session,
		an_ensemble_that_loses_its_leader_loses_no_write_and_no_session,
		a_batch_over_a_dying_leader_tells_the_truth_of_each_operation,
		without_a_majority_operations_wait_and_the_lease_ends,
		an_election_while_the_leader_dies_has_one_winner,
		a_dead_owner_is_not_waited_for_while_there_is_no_server,
	};

	return zk_server_possible() ? unit_run("zk/failure", cases, (int)ARRAY_LEN(cases)) : ZK_TEST_SKIP;
}
