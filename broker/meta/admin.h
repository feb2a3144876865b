/*
 * What this broker writes to ZooKeeper for its clients: topics, partitions, deletions, configurations, blocks of producer ids.
 *
 *     api handler, on its worker                          hub
 *       admin_create_topics(op) ------ message ---------> zk_multi ... -> znode there
 *                                                         wait for this broker's view to show it, or for the time to be up
 *       op->done(op) <---------------- message ---------- every item has its result
 *
 * Rules
 * - `struct admin` is the hub's: it is made, told of sessions and views, and freed there. Operations come from any thread that runs
 *   a worker and are answered on that worker.
 * - An operation struct and all that it points to belong to the admin from the call until `done`, which is called exactly once,
 *   at the latest when the operation's time is up; what has begun by then may still take effect, as in Kafka.
 * - Outcomes that a lost connection leaves unknown are read back. While ZooKeeper is away operations wait for it, and those whose time
 *   is up are forgotten: nothing is written for a client that has been told of the time-out before it began.
 * - Results of items are Kafka error codes; a message is a constant text or NULL (then the code says all).
 */
#ifndef KLAMM_BROKER_META_ADMIN_H
#define KLAMM_BROKER_META_ADMIN_H

#include "broker/meta/assign_core.h"
#include "broker/meta/broker_config.h"
#include "broker/meta/view.h"
#include "broker/rt/loop.h"
#include "broker/rt/mailbox.h"
#include "broker/rt/worker.h"
#include "common/config_table.h"
#include "common/uuid.h"

struct admin;
struct zk_session;

/* ---- For the hub, on its thread ---- */

/* broker_id is written into the blocks of producer ids. */
struct admin *admin_new(struct worker *hub, int32_t broker_id);

/*
 * On every change of the session's state (before the admin's first operation too, when there is a session by then). NULL: there is no
 * session any more, or it is about to be freed.
 */
void admin_on_session(struct admin *admin, struct zk_session *session);

/*
 * A new view or configuration; the admin takes references of its own. Call it after the view has been posted to all workers: an
 * operation that waited for this view is then answered where the view is already known.
 */
void admin_on_view(struct admin *admin, struct view *view, const struct broker_config *config);

/* The broker goes down: all operations end now, later ones at once. The workers must still take messages. */
void admin_stop(struct admin *admin);

/* After admin_stop, and after the ZooKeeper session has been closed or freed. */
void admin_free(struct admin *admin);

/* ---- Operations ---- */

struct admin_item;
struct admin_run;
struct admin_task;

/* Embedded first in each operation. */
struct admin_op {
	/* Set by the caller. */
	void (*done)(struct admin_op *op); /* on the worker that began it */
	int64_t wait_until_ms;             /* clock_ms: how long to wait until the view shows what was written */
	int64_t deadline_ms;               /* clock_ms: how long to try to write; not before wait_until_ms */
	/* The admin's. */
	struct message message;
	struct admin *admin;
	struct worker *reply_to;
	void (*start)(struct admin_item *item);
	void *items;
	size_t item_bytes;
	int n_items;
	int n_open;
	int16_t late_error; /* of what is written when the wait for the view is over */
	struct timer timer;
	struct admin_op *next, **link; /* among those under way */
	struct admin_run *run;
};

/* What an item waits for in the view. */
enum admin_wait_kind { ADMIN_WAIT_NOTHING, ADMIN_WAIT_LED, ADMIN_WAIT_GONE, ADMIN_WAIT_CONFIG };

struct admin_wait {
	enum admin_wait_kind kind;
	struct uuid topic_id; /* zero: a broker's configuration */
	int32_t broker_id;
	int32_t number; /* partitions that must be led; version of the configuration */
	bool emptied;   /* the configuration has no entries now, so that the view need not list it */
	struct admin_wait *next, **link;
};

/* Embedded first in each item of an operation. */
struct admin_item {
	/* The result. */
	int16_t error;
	const char *message;
	bool written; /* it stands in ZooKeeper, also when the wait for the view took too long */
	/* The admin's. */
	bool open;
	struct admin_op *op;
	struct admin_task *task;
	struct admin_wait wait;
};

struct admin_create_topic {
	struct admin_item item;
	struct slice name;
	struct assignment assignment;
	struct config_pairs configs;
	struct uuid topic_id; /* result, when written */
};

/* Writes topics and waits until all their partitions are led. TOPIC_ALREADY_EXISTS for a name that is taken. */
struct admin_create_topics {
	struct admin_op op;
	struct admin_create_topic *list;
	int n;
	bool no_wait; /* done once written */
};

void admin_create_topics(struct admin *admin, struct admin_create_topics *op);

struct admin_add_partition_set {
	struct admin_item item;
	struct slice name;
	struct uuid topic_id;
	int32_t n_before; /* partitions that the assignment was made for */
	struct assignment added;
};

/* Adds partitions to topics and waits until they are led. */
struct admin_add_partitions {
	struct admin_op op;
	struct admin_add_partition_set *list;
	int n;
};

void admin_add_partitions(struct admin *admin, struct admin_add_partitions *op);

struct admin_delete_topic {
	struct admin_item item;
	struct slice name;
	struct uuid topic_id;
};

/* Requests deletions and waits until the topics are gone from the view. */
struct admin_delete_topics {
	struct admin_op op;
	struct admin_delete_topic *list;
	int n;
};

void admin_delete_topics(struct admin *admin, struct admin_delete_topics *op);

struct admin_alter_config {
	struct admin_item item;
	struct slice topic;        /* null: of a broker */
	struct uuid topic_id;
	int32_t broker_id;         /* or VIEW_DEFAULT_BROKER */
	struct config_pairs before; /* sorted: what the change was decided on */
	struct config_pairs after;  /* sorted */
	bool conflict; /* result, with an error: ZooKeeper held neither; decide again on the view, which is newer now */
};

/*
 * Replaces the overrides of topics and brokers, each with its notification, and waits until the view shows them: an operation that
 * is written has no error even when that takes longer than its time.
 */
struct admin_alter_configs {
	struct admin_op op;
	struct admin_alter_config *list;
	int n;
};

void admin_alter_configs(struct admin *admin, struct admin_alter_configs *op);

/* One producer id that nobody had before; COORDINATOR_LOAD_IN_PROGRESS when no block can be had. */
struct admin_producer_id {
	struct admin_op op;
	struct admin_item item;
	int64_t producer_id; /* result */
};

void admin_producer_id(struct admin *admin, struct admin_producer_id *op);

struct admin_consumer_offset {
	struct admin_item item;
	struct slice group_id;
	struct slice topic; /* a topic's name */
	int32_t partition;
	int64_t offset; /* put: what to write; get: the result, without an error */
};

/* Offsets of the first consumers, which lie in ZooKeeper. */
struct admin_consumer_offsets {
	struct admin_op op;
	struct admin_consumer_offset *list;
	int n;
};

/* INVALID_GROUP_ID for a group that cannot be one node. get: UNKNOWN_TOPIC_OR_PARTITION where nothing was committed. */
void admin_put_consumer_offsets(struct admin *admin, struct admin_consumer_offsets *op);
void admin_get_consumer_offsets(struct admin *admin, struct admin_consumer_offsets *op);

#endif
