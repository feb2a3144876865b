/*
 * A ZooKeeper session as a source of events for its owner's loop. The only way of the house to ZooKeeper.
 *
 *     owner's loop --- zk_session_on_ready/_on_timer ---> session ---> libzookeeper_st ---> server
 *     owner        <-- state, done and fired callbacks --- session
 *     loop         <-- watch_fd, set_timer (struct zk_loop) --- session
 *
 * Rules
 * - One thread: everything here is called on, and calls back on, the owner's thread. Only the lease is read by others.
 * - Every operation calls `done` exactly once, never from inside the call that submits it; what the result points to lives
 *   until `done` returns. Paths and data that are handed in are copied.
 * - Operations are sent in the order of submission and, but for the exceptions below, answered in that order.
 * - While there is no connection operations wait. Reads whose connection is lost are asked again by the session (so later
 *   writes may overtake them); writes then end with ERR_UNKNOWN_OUTCOME: read back before believing either way (D2, D6),
 *   after a zk_sync, since the server that is reached next may lag.
 * - When the session is lost (expired) what was submitted before ends with ERR_SESSION_LOST, and is never sent in the new one.
 * - Watches are hints: one-shot, armed again only by the next read, gone with their session. Owners read, diff, and arm in
 *   one call.
 *
 * Result codes, beside those of common/error.h with their plain meaning: ERR_NOT_FOUND (no such node), ERR_EXISTS,
 * ERR_VERSION, ERR_NOT_EMPTY, ERR_AUTH (ACL), ERR_INVALID (bad path or argument), ERR_TOO_LARGE (above LIMIT_ZNODE_BYTES),
 * ERR_LIMIT (too much is waiting), ERR_ABORTED (this operation of a multi was undone because another one failed), ERR_CLOSED
 * (session closed by us).
 */
#ifndef KLAMM_ZK_SESSION_H
#define KLAMM_ZK_SESSION_H

#include "common/error.h"
#include "common/slice.h"
#include "zk/lease.h"

#include <stdbool.h>
#include <stdint.h>

#define ZK_PASSWORD_BYTES 16

/* Any version will do (set and delete). */
#define ZK_VERSION_ANY (-1)

/* What the session asks of its owner's loop. */
struct zk_loop {
	void *ctx;
	/*
	 * Watch this descriptor in these directions, level triggered, instead of any earlier one; -1 = none. The library closes
	 * and reopens sockets by itself, so each call is a new registration, also when the number is the same as before: the
	 * old one may be gone already (ENOENT and EBADF of its removal mean nothing).
	 */
	void (*watch_fd)(void *ctx, int fd, bool read, bool write);
	/* One timer: zk_session_on_timer once, delay_ms from now (0 = at the next turn); replaces what was set. -1 = never. */
	void (*set_timer)(void *ctx, int64_t delay_ms);
};

enum zk_state {
	ZK_CONNECTING,  /* no session yet (only at the start and after ZK_LOST) */
	ZK_CONNECTED,   /* operations flow */
	ZK_SUSPENDED,   /* connection lost; the session may still live: it is judged by the lease */
	ZK_LOST,        /* the session has expired: its ephemerals and watches are gone; the session itself opens a new one */
	ZK_AUTH_FAILED, /* the server refused our credentials: no expiry; asked again for the same session, a third of the
			   time-out later */
	ZK_CLOSED,      /* closed by us: no callback comes after this one */
};

struct zk_config {
	const char *connect; /* zookeeper.connect: "host:port,host:port/chroot"; port 2181 when left out, IPv6 in brackets */
	int64_t session_timeout_ms; /* asked for; the server answers with the one that holds */
	const char *auth_digest;    /* "user:password" or NULL */
	bool set_acl;               /* zookeeper.set.acl: creator all, world read but where secrets lie (kafka.md 2) */
	bool create_chroot;         /* create the chroot when it is missing */
	int64_t old_session_id;     /* of an earlier incarnation of this process, whose ephemerals are ours (D7); 0 = none */
};

/*
 * Told on each change of state. new_session is true with the first ZK_CONNECTED of every session: owners then register again,
 * read everything again and arm their watches. After a mere reconnect the library has armed the watches again, but reading
 * again is cheap (D6). The callback may submit operations and may close the session.
 */
struct zk_listener {
	void *ctx;
	void (*on_state)(void *ctx, enum zk_state state, bool new_session);
	/* The lease holds again after a gap (zk/lease.h), in the same session. NULL: not told. */
	void (*on_lease_back)(void *ctx);
};

struct zk_session;

/*
 * Resolves the host names (once, blocking: call it at start-up, not in a running loop) and begins to connect. Fails only on a
 * configuration that cannot work: syntax, no host resolves. A server that is away is no failure: the session waits for it.
 * The structs are copied, the texts too.
 */
int zk_session_open(const struct zk_config *config, const struct zk_loop *loop, const struct zk_listener *listener,
		    struct zk_session **ret_session, struct error *err);

/* The descriptor is ready, or has an error (counts as readable). */
void zk_session_on_ready(struct zk_session *session, bool readable, bool writable);

/* The timer ran out. Harmless when called too early. */
void zk_session_on_timer(struct zk_session *session);

/*
 * Ends the session on the server so that its ephemerals vanish at once. All operations end with ERR_CLOSED, all watches are
 * dropped. Never blocks: a thread of its own waits for the server, at most some seconds; then ZK_CLOSED is told from the loop.
 * Until then the loop must run. May be called from any callback.
 */
void zk_session_close(struct zk_session *session);

/*
 * Frees it. Closed already: at once. Otherwise operations end with ERR_CLOSED and the connection is dropped without ending the
 * session on the server, as a crash does. Not in a callback.
 */
void zk_session_free(struct zk_session *session);

enum zk_state zk_session_state(const struct zk_session *session);

/* The id of the live or suspended session; 0 before the first and after ZK_LOST. */
int64_t zk_session_id(const struct zk_session *session);

/* True for the id of the session and of the ones that this struct or old_session_id had before. */
bool zk_session_was_ours(const struct zk_session *session, int64_t session_id);

/* With id and password another process can end the session (D7). A secret. False when there is no session. */
bool zk_session_credentials(const struct zk_session *session, int64_t *ret_id, uint8_t ret_password[ZK_PASSWORD_BYTES]);

/* The time-out the server granted, in ms; 0 before the first session. */
int64_t zk_session_timeout_ms(const struct zk_session *session);

/* clock_ms when the connection there is, or the last one, began; 0 before the first. */
int64_t zk_session_connected_ms(const struct zk_session *session);

/* Extended by every answer (S9). Lives as long as the session struct. */
const struct lease *zk_session_lease(const struct zk_session *session);

/*
 * Ends a session of a process that is surely dead (D7: only after waitpid). Blocks up to timeout_ms. 0 also when it has expired
 * already; ERR_TIMEOUT when no server was reached.
 */
int zk_session_end(const char *connect, int64_t session_id, const uint8_t password[ZK_PASSWORD_BYTES], int64_t timeout_ms);

/* ---- Timers: for the state machines of this folder that live on the session's loop. ---- */

struct zk_timer {
	int64_t at_ms; /* clock_ms; 0 = not set */
	void (*fired)(struct zk_timer *timer);
	struct zk_timer *next;
};

/* Calls timer->fired once, delay_ms from now; set again before that, it moves. The struct is the caller's. */
void zk_timer_set(struct zk_session *session, struct zk_timer *timer, int64_t delay_ms);
void zk_timer_clear(struct zk_session *session, struct zk_timer *timer);

/* ---- Watches ---- */

enum zk_event { ZK_EVENT_CREATED, ZK_EVENT_DELETED, ZK_EVENT_CHANGED, ZK_EVENT_CHILDREN };

struct zk_watch_slot;

/*
 * One path and one kind of read that its owner wants to hear about; embedded in the owner. Pass it to each read of that path:
 * arming an armed watch costs nothing. To use it for another path, cancel it first.
 */
struct zk_watch {
	void (*fired)(struct zk_watch *watch, enum zk_event event);
	struct zk_watch_slot *slot; /* the session's; NULL at first */
};

/* No `fired` comes after this. Needed before the memory of the watch goes, unless the session is freed already. */
void zk_watch_cancel(struct zk_watch *watch);

/* ---- Operations ---- */

struct zk_stat {
	int64_t czxid, mzxid, pzxid;
	int64_t ctime_ms, mtime_ms;
	int64_t ephemeral_owner; /* session id; 0 = persistent */
	int32_t version, cversion;
	int32_t data_len, n_children;
};

enum zk_create_mode { ZK_PERSISTENT, ZK_EPHEMERAL, ZK_PERSISTENT_SEQUENTIAL, ZK_EPHEMERAL_SEQUENTIAL };

enum zk_op_kind { ZK_OP_CHECK, ZK_OP_CREATE, ZK_OP_SET, ZK_OP_DELETE };

/* One operation of a multi. */
struct zk_op {
	enum zk_op_kind kind;
	const char *path;
	struct slice data;        /* create, set; null is allowed */
	int32_t version;          /* check, set, delete: expected, or ZK_VERSION_ANY */
	enum zk_create_mode mode; /* create */
};

struct zk_op_result {
	int code;            /* in a failed multi: the reason for the one that failed, ERR_ABORTED for all others */
	struct zk_stat stat; /* set, when it succeeded */
	const char *path;    /* create, when it succeeded: with the number of a sequential one; else NULL */
};

struct zk_result {
	int code;                    /* 0 or negative; of a multi: that of the operation that failed */
	struct slice data;           /* get */
	struct zk_stat stat;         /* get, children, exists, set */
	const char *path;            /* create: the path made (relative to the chroot) */
	const char *const *children; /* children: names, in no order */
	int n_children;
	const struct zk_op_result *ops; /* multi: one for each operation, also when it failed with an answer; else NULL */
	int n_ops;
};

#define ZK_DONE void (*done)(void *ctx, const struct zk_result *result), void *ctx

/* Data and stat. A watch is armed only if the node is there. */
void zk_get(struct zk_session *session, const char *path, struct zk_watch *watch, ZK_DONE);

/* Names of the children and the stat of the parent. A watch is armed only if the node is there. */
void zk_children(struct zk_session *session, const char *path, struct zk_watch *watch, ZK_DONE);

/* Stat, or ERR_NOT_FOUND; a watch is armed in both cases. */
void zk_exists(struct zk_session *session, const char *path, struct zk_watch *watch, ZK_DONE);

void zk_create(struct zk_session *session, const char *path, struct slice data, enum zk_create_mode mode, ZK_DONE);

void zk_set(struct zk_session *session, const char *path, struct slice data, int32_t version, ZK_DONE);

void zk_delete(struct zk_session *session, const char *path, int32_t version, ZK_DONE);

/*
 * Data and stat of a node by whichever connection is free: when thousands are asked for, as at a takeover, the session opens
 * helper connections for a while, and reads several times as fast. The answer is as new as this call or newer; unlike others it
 * does not wait for operations submitted before it, and answers come in no order. No watch; done must be there.
 */
void zk_get_anywhere(struct zk_session *session, const char *path, ZK_DONE);

/* All or nothing, in order. */
void zk_multi(struct zk_session *session, const struct zk_op *ops, int n_ops, ZK_DONE);

/* Later reads see all that was written by anyone before this was answered. */
void zk_sync(struct zk_session *session, ZK_DONE);

#endif
