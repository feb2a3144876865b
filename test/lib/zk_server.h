/*
 * Real ZooKeeper servers for tests: child processes on free ports of 127.0.0.1 with their data in a temporary folder. They die
 * with the process that started them. Where there is no java or no zookeeper.jar, tests that need them end with ZK_TEST_SKIP.
 */
#ifndef KLAMM_TEST_LIB_ZK_SERVER_H
#define KLAMM_TEST_LIB_ZK_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define ZK_TEST_SKIP 77
#define ZK_TEST_SERVERS_MAX 3

struct zk_server {
	int n;
	pid_t pids[ZK_TEST_SERVERS_MAX]; /* 0 = not running */
	int ports[ZK_TEST_SERVERS_MAX];
	char dir[64];
	char connect[128]; /* "127.0.0.1:p,127.0.0.1:p,..." */
};

/* Is there what it takes? */
bool zk_server_possible(void);

/* Starts n (1 or 3) servers and waits until they serve. False (with a line on standard error) when they do not come up. */
bool zk_server_start(struct zk_server *server, int n);

/* SIGKILL and reap one; its data stays. */
void zk_server_kill(struct zk_server *server, int i);

/* Starts one again on its port and data; waits until it answers when `wait`. */
bool zk_server_restart(struct zk_server *server, int i, bool wait);

/* SIGSTOP (and wait until it stands still), SIGCONT. */
void zk_server_pause(const struct zk_server *server, int i);
void zk_server_resume(const struct zk_server *server, int i);

/* Kills all and removes the data. */
void zk_server_stop(struct zk_server *server);

/* "leader", "follower", "standalone", or "" when it does not answer; in a static buffer. */
const char *zk_server_mode(const struct zk_server *server, int i);

#endif
