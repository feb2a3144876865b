/*
 * Reading the controller's znodes: children and nodes in one pipelined burst, decoded, told as one event; watches read again. Nodes without
 * watches (states, configs of topics) may be read over several connections at once (zk_get_anywhere).
 *
 *     office_read_asked(action) --> gather: ask, ask, ask ... --> last answer --> tell(CTL_READ_DONE, asked)
 *     watch fired -------------------> the same ------------------------------> tell(CTL_READ_DONE)
 *
 * A watch is a hint: whatever it says, the whole thing is read and the decisions compare (D6). Nodes that cannot be decoded are told as
 * nonsense, so that only their owner waits; a list that cannot be read at all (ACL) ends the office.
 */
#ifndef KLAMM_TOOLS_CONTROLLER_OFFICE_READ_H
#define KLAMM_TOOLS_CONTROLLER_OFFICE_READ_H

#include "tools/controller/ctl_action.h"
#include "zk/session.h"

struct office_read;

struct office_read_port {
	void *ctx;
	void (*tell)(void *ctx, const struct ctl_event *event);
	void (*failed)(void *ctx, const char *path, int code);
};

/* listener: name of the brokers' inter-broker listener where their znodes do not say; NULL: not configured. */
struct office_read *office_read_new(struct zk_session *zk, const char *listener, const struct office_read_port *port);

/* Cancels all watches; answers under way are dropped. */
void office_read_free(struct office_read *read);

/* Carries out a CTL_DO_READ. */
void office_read_asked(struct office_read *read, const struct ctl_action *action);

/* Reads again what may have changed: brokers, topics, deletions, a topic's node or config, broker configs, the nodes below /admin. */
void office_read_news(struct office_read *read, enum ctl_read what, struct slice topic);

#endif
