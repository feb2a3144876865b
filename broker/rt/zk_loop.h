/*
 * A ZooKeeper session on a loop: what struct zk_loop (zk/session.h) asks for, out of a loop_fd and a timer.
 *
 *     loop: fd ready -> zk_session_on_ready;  timer -> zk_session_on_timer
 *     session: watch_fd, set_timer -> loop_fd, timer
 *
 * The library closes its sockets without a word before, and their numbers may be another file's at once, also one that another thread has opened.
 * So the loop watches a copy of the descriptor, which is ours to close; the number itself only where there is no descriptor left for a copy.
 *
 * Everything on the loop's thread. The struct may not move while the session lives.
 */
#ifndef KLAMM_BROKER_RT_ZK_LOOP_H
#define KLAMM_BROKER_RT_ZK_LOOP_H

#include "broker/rt/loop.h"
#include "zk/session.h"

struct zk_loop_glue {
	struct loop *loop;
	struct loop_fd fd;
	bool has_fd, is_copy;
	struct timer timer;
	struct zk_loop port;
	struct zk_session *session;
};

/* ret_port is what a session is opened with. */
void zk_loop_glue_init(struct zk_loop_glue *glue, struct loop *loop, struct zk_loop *ret_port);

/* zk_session_open on the loop of zk_loop_glue_init. */
int zk_loop_glue_open(struct zk_loop_glue *glue, const struct zk_config *config, const struct zk_listener *listener,
		      struct zk_session **ret_session, struct error *err);

/* After zk_session_free. */
void zk_loop_glue_fini(struct zk_loop_glue *glue);

#endif
