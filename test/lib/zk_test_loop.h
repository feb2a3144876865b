/*
 * A loop for tests of zk/: clients with one session each, driven together by poll(). Not for anything that must be fast.
 *
 *     struct zk_client a = {.connect = server.connect};
 *     zk_client_open(&a);
 *     ZK_WAIT(a.state == ZK_CONNECTED);
 */
#ifndef KLAMM_TEST_LIB_ZK_TEST_LOOP_H
#define KLAMM_TEST_LIB_ZK_TEST_LOOP_H

#include "common/clock.h"
#include "common/memory.h"
#include "test/lib/unit.h"
#include "test/lib/zk_server.h"
#include "zk/session.h"

#include <stdlib.h>
#include <string.h>

struct zk_client {
	/* Set by the test before zk_client_open. */
	const char *connect;
	int64_t timeout_ms; /* 0 = 3000 */
	const char *auth_digest;
	bool set_acl;
	int64_t old_session_id;
	void (*on_state)(struct zk_client *client, enum zk_state state, bool new_session);

	struct zk_session *session;
	enum zk_state state;
	int n_connected, n_new_sessions, n_suspended, n_lost, n_auth_failed, n_lease_back;

	bool frozen; /* the loop does not serve it: a process that is stopped */
	int fd;
	bool wants_read, wants_write;
	int64_t timer_at_ms; /* -1 = none */
	int n_turns;
};

void zk_client_open(struct zk_client *client);

/* Below a chroot of the test's server (created when missing); waits for the session. */
void zk_client_open_at(struct zk_client *client, const char *chroot);

/* Breaks the connection under the library, as a network does. */
void zk_client_cut(struct zk_client *client);

/* Ends the session and waits for it. */
void zk_client_close(struct zk_client *client);

/* Drops the connection; the session lives on at the server, as after a crash. */
void zk_client_crash(struct zk_client *client);

/* Serves all clients for up to wait_ms or until something happened. */
void zk_clients_turn(int wait_ms);

/* Serves all clients for so long. */
void zk_clients_run(int64_t ms);

#define ZK_WAIT_MS 20000

#define ZK_WAIT(condition)                                                                                                     \
	do {                                                                                                                   \
		int64_t zk_until_ms = clock_ms() + ZK_WAIT_MS;                                                                 \
		while (!(condition)) {                                                                                         \
			ck_assert_msg(clock_ms() < zk_until_ms, "waited in vain for %s", #condition);                          \
			zk_clients_turn(50);                                                                                   \
		}                                                                                                              \
	} while (0)

/* What an operation was answered; pass zk_answer_done and the struct. */
struct zk_answer {
	bool done;
	int code;
	struct zk_stat stat;
	char data[256];
	int data_len; /* -1 = null */
	char path[256];
	int n_children;
	int n_ops;
	int op_codes[64];
	struct zk_stat op_stats[64];
	int64_t at_ms;
};

void zk_answer_done(void *ctx, const struct zk_result *result);

/* Runs one operation to its answer: ZK_RUN(&answer, zk_get(s, path, NULL, zk_answer_done, &answer)). */
#define ZK_RUN(answer, call)                                                                                                   \
	do {                                                                                                                   \
		memset((answer), 0, sizeof *(answer));                                                                         \
		call;                                                                                                          \
		ck_assert(!(answer)->done);                                                                                    \
		ZK_WAIT((answer)->done);                                                                                       \
	} while (0)

/* The one server of a test program, for all its cases. */
extern struct zk_server zk_test_server;

/* Its connect string with a chroot; lives until the fourth call after this one. */
const char *zk_test_connect(const char *chroot);

/* Runs the cases with zk_test_server up, or skips them all where there is none. */
int zk_test_run(const char *name, const TTest *const *cases, int n_cases);

#define ZK_TEST_MAIN(name, ...)                                                                                                \
	int main(void)                                                                                                         \
	{                                                                                                                      \
		const TTest *const cases[] = {__VA_ARGS__};                                                                    \
		return zk_test_run(name, cases, (int)(sizeof cases / sizeof cases[0]));                                        \
	}

#endif
