/*
 * A step of reassignments of one topic: its node and the states of the partitions that move, in one multi with the check of
 * /controller_epoch, all or nothing (D15). The answer is told as one: DONE, MISSED (something was not as expected, or nobody knows), FAILED.
 */
#ifndef KLAMM_TOOLS_CONTROLLER_OFFICE_MOVES_H
#define KLAMM_TOOLS_CONTROLLER_OFFICE_MOVES_H

#include "tools/controller/ctl_action.h"
#include "zk/session.h"

struct office_moves;

struct office_moves_setup {
	struct zk_session *zk;
	struct office_moves **list; /* the owner's list of those under way */
	const struct ctl_write *what;
	void *ctx;
	/* CTL_WRITE_DONE of the topic and its partitions; not told after the fence or the session is lost. */
	void (*done)(void *ctx, const struct ctl_written *written, int n_written);
	void (*fenced)(void *ctx);
};

void office_moves_start(const struct office_moves_setup *setup);

/* Its answer is ignored. */
void office_moves_free(struct office_moves *moves);

#endif
