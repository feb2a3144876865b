/*
 * A daemon as parent and child (D7): the child does the work, the parent sees it die and lets the cluster know at once.
 *
 *     parent --fork--> child: opens its sockets, disks, threads and ZooKeeper sessions
 *       | <--pipe-- id and password of each session, before anything is registered in it
 *       | <--SIGCHLD-- dead by a signal: a crash, kill -9, abort() of the watchdog
 *       +--fork--> closer: takes that session over and ends it, so that its ephemerals vanish now and not after the time-out
 *       +--fork--> child again, after a pause that doubles while it keeps dying
 *
 * Rules
 * - A session is ended only after waitpid has returned the child that had it: whoever is reaped can acknowledge nothing more.
 * - A child that exits has had its reason (a clean stop, a start that cannot succeed) and is not started again; its status becomes
 *   the parent's.
 * - SIGTERM, SIGINT and SIGHUP of the parent are passed on. The child dies with its parent.
 * - The parent has no thread, no socket and no timer of its own; between events it sleeps.
 *
 * supervise is called before the process has threads.
 */
#ifndef KLAMM_BROKER_RT_SUPERVISOR_H
#define KLAMM_BROKER_RT_SUPERVISOR_H

#include "zk/session.h"

/* What the child knows of its parent. Owned by supervise; of the child's thread that owns the ZooKeeper session. */
struct supervised {
	int64_t old_session_id; /* of the child before, which is dead: what it registered is ours; 0 = none */
	int64_t told_id;        /* the session that the parent knows */
	int fd;                 /* the pipe */
};

struct supervisor_options {
	const char *name; /* of the program */
	const char *zookeeper_connect;
	int64_t session_timeout_ms;                      /* for so long a closer tries: then the session is over anyway */
	int64_t pause_ms_min, pause_ms_max, calm_ms_min; /* after a life of calm_ms_min the next pause is the shortest again */
	int (*run)(void *ctx, struct supervised *supervised); /* the daemon; returns its exit status */
	void *ctx;
	int (*end_session)(const char *connect, int64_t id, const uint8_t password[ZK_PASSWORD_BYTES], int64_t timeout_ms);
};

/* 100 ms to 10 s, calm after a minute, and zk_session_end. */
struct supervisor_options supervisor_defaults(void);

/*
 * Returns twice: in each child what run returned, in the parent the exit status of the last child (128 + the signal that killed a
 * child which had been told to stop). The caller ends with it in both.
 */
int supervise(const struct supervisor_options *options);

/* In the child, on each change of the session and before anything is registered in a new one. Nothing when supervised is NULL. */
void supervised_tell_session(struct supervised *supervised, const struct zk_session *session);

/* old_session_id, 0 also when supervised is NULL. */
int64_t supervised_old_session(const struct supervised *supervised);

#endif
