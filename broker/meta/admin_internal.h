/*
 * What the files of the admin share. Nobody else includes this. All of it is the hub's.
 *
 *     admin_op (requester's memory) --- item ---.            .--- task --- admin_run (ours, one an operation)
 *                                       item ---+-- 1 : 1 ---+--- task       copies of names, assignments, pairs
 *
 * An item ends when its result is known or its time is up. Its task goes on until ZooKeeper has answered, since an answer that is
 * under way needs somebody to come to; it then finds no item and ends too.
 */
#ifndef KLAMM_BROKER_META_ADMIN_INTERNAL_H
#define KLAMM_BROKER_META_ADMIN_INTERNAL_H

#include "broker/meta/admin.h"
#include "broker/meta/producer_ids.h"
#include "zk/session.h"

#include <uthash.h>

/* A task that meets conflicts gives up after so many attempts: somebody writes the same node all the time. */
#define ADMIN_ATTEMPTS_MAX 20

/* The items that wait for something of one topic. */
struct admin_topic_waits {
	struct uuid topic_id;
	struct admin_wait *first;
	UT_hash_handle hh;
};

struct admin {
	struct worker *hub;
	int32_t broker_id;
	bool stopped;
	struct zk_session *session;
	struct view *view;                  /* never NULL */
	const struct broker_config *config; /* NULL until the first view */
	struct admin_op *ops;
	struct admin_run *runs;
	struct admin_task *parked, **parked_tail; /* first in, first out */
	struct admin_topic_waits *topic_waits;
	struct admin_wait *broker_waits;
	struct producer_ids producer_ids;
};

/* The memory of an operation's tasks. */
struct admin_run {
	struct admin *admin;
	struct arena arena;
	int n_tasks;
	struct admin_run *next, **link;
};

/* Embedded first in what one item needs while it is written. */
struct admin_task {
	struct admin *admin;
	struct admin_run *run;
	struct admin_item *item; /* NULL: nobody waits for the outcome any more */
	void (*step)(struct admin_task *task);
	int attempts;
	struct admin_task *next, **link; /* while it waits for the session; link NULL otherwise */
};

/* Posts the operation to the hub, which calls start for each item; every item is finished exactly once. */
void admin_begin(struct admin *admin, struct admin_op *op, void *items, size_t item_bytes, int n_items,
		 void (*start)(struct admin_item *item));

/* Ends an item with a result, wherever it stands. */
void admin_finish(struct admin_item *item, int16_t error, const char *message);

/* Ends a written item when this broker's view shows it (item->wait is set but for its links), or when the time is up. */
void admin_wait(struct admin_item *item);

/* A task in the arena of its item's run, set to 0. */
void *admin_task_new(struct admin_item *item, size_t bytes);

/* The task is over; its memory goes with the last one of its run. Its item, if it still has one, must be finished or waiting. */
void admin_task_end(struct admin_task *task);

/* Finishes the item, if there is one, and ends the task. */
void admin_task_fail(struct admin_task *task, int16_t error, const char *message);

/* Does the step now, or when ZooKeeper is connected. A task whose item is gone ends instead. */
void admin_task_go(struct admin_task *task, void (*step)(struct admin_task *task));

/* The same for another attempt after a conflict; fails the task when there were too many. */
void admin_task_again(struct admin_task *task, void (*step)(struct admin_task *task));

/* Whether a code says that the write may or may not have been done. */
bool admin_outcome_is_unknown(int code);

/* Fails the task for a code that no step has an answer to. what is for the log. */
void admin_task_fail_code(struct admin_task *task, int code, const char *what);

/* Copies for tasks. */
struct config_pairs admin_copy_pairs(struct arena *arena, struct config_pairs pairs);
struct assignment admin_copy_assignment(struct arena *arena, const struct assignment *assignment);

/* ---- admin_wait.c ---- */

/* True when the view shows what is waited for. */
bool admin_wait_holds(const struct view *view, const struct admin_wait *wait);
void admin_wait_link(struct admin_wait **first, struct admin_wait *wait);
void admin_wait_add(struct admin *admin, struct admin_wait *wait);
void admin_wait_remove(struct admin *admin, struct admin_wait *wait);
/* Finishes the items whose wait is over in a new view. */
void admin_wait_on_view(struct admin *admin, const struct view *before, const struct view *after);

#endif
