/*
 * What session*.c (life of the handle), call.c (operations), watch.c (watches) and others share. Nobody else includes this.
 *
 *     zk_get ... --> waiting --(connected, window)--> in flight --> answered: done, freed
 *                      ^                                  |
 *                      +------------- retry <-------------+ connection lost, reads only
 *
 * No function of the library is called from inside a callback of the library: callbacks only queue and set flags, session_turn
 * acts on them. So owners may do anything in their callbacks.
 */
#ifndef KLAMM_ZK_SESSION_INTERNAL_H
#define KLAMM_ZK_SESSION_INTERNAL_H

#include "zk/connect.h"
#include "zk/session.h"

#include <pthread.h>
#include <uthash.h>
#include <zookeeper/zookeeper.h>

enum call_kind { CALL_GET, CALL_CHILDREN, CALL_EXISTS, CALL_SYNC, CALL_CREATE, CALL_SET, CALL_DELETE, CALL_MULTI };

struct zk_call {
	struct zk_call *next, **link; /* in one list of the session; link = what points to us */
	struct zk_session *session;   /* NULL: abandoned, the library's answer only frees it */
	enum call_kind kind;
	enum zk_create_mode mode;
	int32_t version;
	int code;     /* of a call that ends without having been sent */
	int attempts; /* times its connection was lost */
	int64_t sent_ms;
	size_t bytes;
	char *path; /* with the chroot; behind the struct, as data is */
	struct slice data;
	struct zk_watch_slot *slot;
	struct call_multi *multi;
	void (*done)(void *ctx, const struct zk_result *result);
	void *ctx;
};

/* First in, first out; calls can leave from anywhere. */
struct call_list {
	struct zk_call *head;
	struct zk_call **tail;
	int n;
};

struct spread;
struct mux;
struct watched_path;

struct zk_session {
	struct zk_config config;
	struct zk_connect connect;
	size_t chroot_len;
	struct zk_loop loop;
	struct zk_listener listener;
	struct lease lease;

	zhandle_t *handle;
	enum zk_state state;
	bool linked; /* the library is connected; state follows when the chroot is there */
	bool chroot_ready;
	size_t chroot_pos; /* end of the level being created */
	bool in_turn;      /* a turn or a callback is under way: whatever is queued is seen before it ends */
	bool wake_set;     /* the loop was asked for an immediate turn */
	bool close_asked;
	bool reattach; /* take a new handle for the same session at the next turn */
	bool fire_all; /* after such a change: no event can tell what was missed */
	int64_t reattach_at_ms;
	struct zk_resolving *resolving; /* names are looked up again while no server is reached */
	int64_t resolve_at_ms;
	int64_t unreachable_ms; /* when it may next be said that no server is reached */
	int64_t timeout_ms;
	int64_t connected_ms;
	int64_t last_sent_ms;
	clientid_t id;      /* zero = no session */
	int64_t old_ids[8]; /* of sessions that were ours */
	int n_old_ids;

	int fd; /* as last told to the loop */
	bool fd_read, fd_write;
	bool fd_stale; /* the library may have opened another one */

	struct call_list urgent; /* our own: chroot, life signs; sent as soon as linked */
	struct call_list retry;  /* reads to ask again, before waiting */
	struct call_list waiting;
	struct call_list in_flight;
	struct call_list failed; /* end at the next turn with call->code */
	size_t call_bytes;       /* of all calls, against LIMIT_ZK_CALL_BYTES */
	int n_calls;
	int n_answers; /* counts answers and events, to see progress */

	struct watched_path *watched; /* uthash by path */
	size_t watched_bytes;
	struct zk_timer *timers;

	struct spread *spread; /* of zk_get_anywhere, once it was used */
	struct mux *mux;       /* while it has helpers, they share our place in the loop */
	bool helper;           /* we are such a helper: no chroot to make, little to say */

	pthread_t closer;
	bool closer_runs;
	int closed_fd; /* eventfd, written by the closer */
	zhandle_t *closing_handle;
};

/* session.c */
void session_tell(struct zk_session *session, enum zk_state state, bool new_session);
void session_on_event(zhandle_t *handle, int type, int state, const char *path, void *ctx);
void session_wake(struct zk_session *session);
void session_on_ready(struct zk_session *session, bool readable, bool writable);
void session_on_timer(struct zk_session *session);
/* zk_session_open for addresses that are known. connect is moved. */
int session_new(const struct zk_config *config, struct zk_connect *connect, const struct zk_loop *loop,
		const struct zk_listener *listener, struct zk_session **ret_session);
const char *session_relative(const struct zk_session *session, const char *path);

/* session_close.c */
void session_begin_close(struct zk_session *session);
/* The thread has ended the session. */
void session_finish_close(struct zk_session *session);

/* timer.c */
void timers_run(struct zk_session *session, int64_t now);
/* delay_ms, or less when a timer is due earlier. */
int64_t timers_delay(const struct zk_session *session, int64_t now, int64_t delay_ms);

/* call.c */
void call_list_init(struct call_list *list);
void call_list_splice(struct call_list *from, struct call_list *to);
struct zk_call *call_new(struct zk_session *session, enum call_kind kind, const char *path, struct slice data, ZK_DONE);
void call_push(struct call_list *list, struct zk_call *call);
/* Sends what may be sent now. */
void call_send_all(struct zk_session *session);
/* Ends every call of the list with the code. */
void call_end_all(struct call_list *list, int code);
/* Answers with the code at the next turn. */
void call_refuse(struct zk_session *session, int code, ZK_DONE);
/* Ends what is under way with ERR_CLOSED; the library keeps the memory until it would answer. */
void call_abandon_all(struct zk_session *session);
/* Creates the node of the first len bytes of an absolute path, outside of the chroot, before all that waits. */
void call_create_above(struct zk_session *session, const char *path, size_t len, ZK_DONE);
/*
 * Asks for the stat of an absolute path before all that waits; only on this connection, never again. Also the sign of life of
 * the lease.
 */
void call_ask_exists(struct zk_session *session, const char *path, ZK_DONE);

/* mux.c: one place in the loop for several sessions; port 0 is the one that was there. */
#define MUX_PORTS_MAX 8
struct mux *mux_new(struct zk_session *session);
/* The place of another session. */
void mux_port(struct mux *mux, int i, struct zk_loop *ret_loop);
void mux_set_session(struct mux *mux, int i, struct zk_session *session);
/* The loop woke up. */
void mux_on_ready(struct mux *mux);
void mux_on_timer(struct mux *mux);
/* Only port 0 is in use: it takes its place back. */
void mux_free(struct mux *mux);

/* spread.c: the session ends; later it is freed, and its own calls have been answered. */
void spread_end(struct zk_session *session, int code);
void spread_free(struct zk_session *session);

/* watch.c */
void watch_slot_release(struct zk_watch_slot *slot);
struct zk_watch_slot *watch_slot_take(struct zk_watch *watch);
void watch_arm(struct zk_session *session, struct zk_watch_slot *slot, const char *path, bool children);
void watch_on_event(struct zk_session *session, int type, const char *path);
/* Everything is forgotten; with `fire` each owner is told to look again. */
void watch_drop_all(struct zk_session *session, bool fire);

#endif
