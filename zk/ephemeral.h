/*
 * Registration of an ephemeral node with data: multi[create empty ephemeral, setData version 0], as Kafka does it
 * (kafka.md 2.1), so that the node's version is 1 and its czxid names the incarnation (the broker epoch).
 *
 * A node that is there already is ours (an answer was lost), or of one of our earlier sessions (deleted and made anew,
 * KAFKA-7165), or of somebody else: then its deletion is waited for up to wait_ms (a process killed a moment ago), and the
 * registration fails when it stays.
 */
#ifndef KLAMM_ZK_EPHEMERAL_H
#define KLAMM_ZK_EPHEMERAL_H

#include "zk/session.h"

struct zk_ephemeral;

struct zk_ephemeral_config {
	const char *path;  /* "/brokers/ids/3" */
	const char *label; /* for people: "broker id 3" */
	struct slice data;
	int64_t wait_ms; /* for a foreign owner; 0 = the session's time-out and a tick */
};

/*
 * Starts a registration in the current session. done comes once: 0 with the stat of the node (czxid = epoch), ERR_BUSY with err
 * "... is registered by another session", ERR_SESSION_LOST (register again with the next session), or another error. After a
 * connection loss it finds out by itself. The struct lives until done returns or zk_ephemeral_cancel.
 */
struct zk_ephemeral *
zk_ephemeral_register(struct zk_session *session, const struct zk_ephemeral_config *config,
		      void (*done)(void *ctx, int code, const struct zk_stat *stat, const struct error *err), void *ctx);

/* No done will come; what was sent already may still take effect. */
void zk_ephemeral_cancel(struct zk_ephemeral *ephemeral);

#endif
