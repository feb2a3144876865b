/* A loop for tests of zk/; see zk_test_loop.h. */
#include "test/lib/zk_test_loop.h"

#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>

#define CLIENTS_MAX 16

struct zk_server zk_test_server;
static struct zk_client *clients[CLIENTS_MAX];

const char *zk_test_connect(const char *chroot)
{
	static char texts[4][256];
	static int n;

	n = (n + 1) % 4;
	snprintf(texts[n], sizeof texts[n], "%s/%s", zk_test_server.connect, chroot);
	return texts[n];
}

int zk_test_run(const char *name, const TTest *const *cases, int n_cases)
{
	int status = EXIT_FAILURE;

	if (!zk_server_possible())
		return ZK_TEST_SKIP;
	if (zk_server_start(&zk_test_server, 1))
		status = unit_run(name, cases, n_cases);
	zk_server_stop(&zk_test_server);
	return status;
}

static void watch_fd(void *ctx, int fd, bool wants_read, bool wants_write)
{
	struct zk_client *client = ctx;

	client->fd = fd;
	client->wants_read = wants_read;
	client->wants_write = wants_write;
}

static void set_timer(void *ctx, int64_t delay_ms)
{
	struct zk_client *client = ctx;

	client->timer_at_ms = delay_ms < 0 ? -1 : clock_ms() + delay_ms;
}

static void on_lease_back(void *ctx)
{
	struct zk_client *client = ctx;

	client->n_lease_back++;
}

static void on_state(void *ctx, enum zk_state state, bool new_session)
{
	struct zk_client *client = ctx;

	client->state = state;
	client->n_connected += state == ZK_CONNECTED;
	client->n_new_sessions += state == ZK_CONNECTED && new_session;
	client->n_suspended += state == ZK_SUSPENDED;
	client->n_lost += state == ZK_LOST;
	client->n_auth_failed += state == ZK_AUTH_FAILED;
	if (client->on_state)
		client->on_state(client, state, new_session);
}

void zk_client_open(struct zk_client *client)
{
	struct zk_config config = {
		.connect = client->connect,
		.session_timeout_ms = client->timeout_ms ? client->timeout_ms : 3000,
		.auth_digest = client->auth_digest,
		.set_acl = client->set_acl,
		.create_chroot = true,
		.old_session_id = client->old_session_id,
	};
	struct zk_loop loop = {client, watch_fd, set_timer};
	struct zk_listener listener = {client, on_state, on_lease_back};
	struct error err;
	int place = 0;

	client->fd = -1;
	client->timer_at_ms = -1;
	while (clients[place])
		ck_assert_int_lt(++place, CLIENTS_MAX);
	clients[place] = client;
	ck_assert_int_eq(zk_session_open(&config, &loop, &listener, &client->session, &err), 0);
}

void zk_client_open_at(struct zk_client *client, const char *chroot)
{
	client->connect = zk_test_connect(chroot);
	zk_client_open(client);
	ZK_WAIT(client->state == ZK_CONNECTED);
}

void zk_client_cut(struct zk_client *client)
{
	ck_assert_int_eq(shutdown(client->fd, SHUT_RDWR), 0);
}

static void client_forget(struct zk_client *client)
{
	for (int i = 0; i < CLIENTS_MAX; i++)
		if (clients[i] == client)
			clients[i] = NULL;
	zk_session_free(client->session);
	client->session = NULL;
}

void zk_client_close(struct zk_client *client)
{
	zk_session_close(client->session);
	ZK_WAIT(client->state == ZK_CLOSED);
	client_forget(client);
}

void zk_client_crash(struct zk_client *client)
{
	client_forget(client);
}

static int wait_ms_of(const struct zk_client *client, int64_t now, int wait_ms)
{
	if (client->timer_at_ms < 0)
		return wait_ms;
	if (client->timer_at_ms <= now)
		return 0;
	return client->timer_at_ms - now < wait_ms ? (int)(client->timer_at_ms - now) : wait_ms;
}

static void client_serve(struct zk_client *client, short ready)
{
	bool readable = (ready & (POLLIN | POLLHUP | POLLERR)) != 0;

	client->n_turns++;
	if (readable || (ready & POLLOUT))
		zk_session_on_ready(client->session, readable, (ready & POLLOUT) != 0);
	if (client->session && client->timer_at_ms >= 0 && client->timer_at_ms <= clock_ms()) {
		client->timer_at_ms = -1;
		zk_session_on_timer(client->session);
	}
}

void zk_clients_turn(int wait_ms)
{
	struct pollfd ready[CLIENTS_MAX];
	int64_t now = clock_ms();

	for (int i = 0; i < CLIENTS_MAX; i++) {
		struct zk_client *client = clients[i];

		ready[i] = (struct pollfd){.fd = -1};
		if (!client || client->frozen)
			continue;
		ready[i].fd = client->fd;
		ready[i].events = (short)((client->wants_read ? POLLIN : 0) | (client->wants_write ? POLLOUT : 0));
		wait_ms = wait_ms_of(client, now, wait_ms);
	}
	poll(ready, CLIENTS_MAX, wait_ms);
	for (int i = 0; i < CLIENTS_MAX; i++)
		if (clients[i] && !clients[i]->frozen) {
			ck_assert_msg(!(ready[i].revents & POLLNVAL), "the session left a closed descriptor in the loop");
			client_serve(clients[i], ready[i].revents);
		}
}

void zk_clients_run(int64_t ms)
{
	int64_t until_ms = clock_ms() + ms;

	for (int64_t now = clock_ms(); now < until_ms; now = clock_ms())
		zk_clients_turn((int)(until_ms - now));
}

void zk_answer_done(void *ctx, const struct zk_result *result)
{
	struct zk_answer *answer = ctx;

	ck_assert(!answer->done);
	answer->done = true;
	answer->code = result->code;
	answer->stat = result->stat;
	answer->data_len = result->data.data ? (int)result->data.len : -1;
	if (result->data.len > 0 && result->data.len < sizeof answer->data)
		memcpy(answer->data, result->data.data, result->data.len);
	if (result->path)
		snprintf(answer->path, sizeof answer->path, "%s", result->path);
	answer->n_children = result->n_children;
	answer->n_ops = result->n_ops;
	for (int i = 0; i < result->n_ops && i < 64; i++) {
		answer->op_codes[i] = result->ops[i].code;
		answer->op_stats[i] = result->ops[i].stat;
	}
	answer->at_ms = clock_ms();
}
