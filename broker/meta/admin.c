/* Life of the admin, of its operations and of their tasks; see admin.h and admin_internal.h. */
#include "broker/meta/admin_internal.h"

#include "common/check.h"
#include "common/clock.h"
#include "common/memory.h"
#include "common/trace.h"
#include "proto/kafka_error.h"

#include <stdlib.h>

/* ---- runs and tasks ---- */

static struct admin_run *run_new(struct admin *admin)
{
	struct admin_run *run = NEW(struct admin_run);

	*run = (struct admin_run){.admin = admin, .next = admin->runs, .link = &admin->runs};
	arena_init(&run->arena);
	if (run->next)
		run->next->link = &run->next;
	admin->runs = run;
	return run;
}

static void run_free(struct admin_run *run)
{
	*run->link = run->next;
	if (run->next)
		run->next->link = run->link;
	arena_fini(&run->arena);
	free(run);
}

static void run_release(struct admin_run *run)
{
	if (--run->n_tasks == 0)
		run_free(run);
}

void *admin_task_new(struct admin_item *item, size_t bytes)
{
	struct admin_run *run = item->op->run;
	struct admin_task *task = arena_zalloc(&run->arena, 1, bytes);

	task->admin = run->admin;
	task->run = run;
	task->item = item;
	item->task = task;
	run->n_tasks++;
	return task;
}

void admin_task_end(struct admin_task *task)
{
	if (task->item)
		task->item->task = NULL;
	task->item = NULL;
	run_release(task->run);
}

void admin_task_fail(struct admin_task *task, int16_t error, const char *message)
{
	struct admin_item *item = task->item;

	admin_task_end(task);
	if (item)
		admin_finish(item, error, message);
}

static void park(struct admin_task *task)
{
	struct admin *admin = task->admin;

	task->next = NULL;
	task->link = admin->parked_tail;
	*admin->parked_tail = task;
	admin->parked_tail = &task->next;
}

static void unpark(struct admin_task *task)
{
	*task->link = task->next;
	if (task->next)
		task->next->link = task->link;
	else
		task->admin->parked_tail = task->link;
	task->link = NULL;
}

static bool is_connected(const struct admin *admin)
{
	return admin->session && zk_session_state(admin->session) == ZK_CONNECTED;
}

void admin_task_go(struct admin_task *task, void (*step)(struct admin_task *task))
{
	task->step = step;
	if (!task->item)
		admin_task_end(task);
	else if (is_connected(task->admin))
		step(task);
	else
		park(task);
}

void admin_task_again(struct admin_task *task, void (*step)(struct admin_task *task))
{
	if (++task->attempts > ADMIN_ATTEMPTS_MAX)
		admin_task_fail(task, KAFKA_UNKNOWN_SERVER_ERROR, "The same node in ZooKeeper is being changed by others all the time.");
	else
		admin_task_go(task, step);
}

bool admin_outcome_is_unknown(int code)
{
	return code == ERR_UNKNOWN_OUTCOME || code == ERR_SESSION_LOST;
}

void admin_task_fail_code(struct admin_task *task, int code, const char *what)
{
	if (code == ERR_CLOSED) {
		admin_task_fail(task, KAFKA_REQUEST_TIMED_OUT, "The broker is shutting down.");
		return;
	}
	trace_limited(TRACE_ERROR, "admin", "%s: ZooKeeper answers: %s", what, error_text(code));
	if (code == ERR_TOO_LARGE)
		admin_task_fail(task, KAFKA_INVALID_REQUEST, "The data is too large for one node in ZooKeeper.");
	else if (code == ERR_LIMIT)
		admin_task_fail(task, KAFKA_REQUEST_TIMED_OUT, "Too many operations wait for ZooKeeper.");
	else if (code == ERR_AUTH)
		admin_task_fail(task, KAFKA_CLUSTER_AUTHORIZATION_FAILED, "ZooKeeper does not let the broker write this node.");
	else
		admin_task_fail(task, KAFKA_UNKNOWN_SERVER_ERROR, "ZooKeeper refused the change; the broker's log has more.");
}

struct config_pairs admin_copy_pairs(struct arena *arena, struct config_pairs pairs)
{
	struct config_pair *list = arena_zalloc(arena, (size_t)pairs.n, sizeof *list);

	for (int i = 0; i < pairs.n; i++)
		list[i] = (struct config_pair){arena_copy(arena, pairs.list[i].key), arena_copy(arena, pairs.list[i].value)};
	return (struct config_pairs){list, pairs.n};
}

struct assignment admin_copy_assignment(struct arena *arena, const struct assignment *assignment)
{
	size_t n = (size_t)assignment->n_partitions * (size_t)assignment->replication_factor;
	struct assignment copy = *assignment;

	copy.replicas = arena_zalloc(arena, n, sizeof *copy.replicas);
	if (n)
		memcpy(copy.replicas, assignment->replicas, n * sizeof *copy.replicas);
	return copy;
}

/* ---- operations ---- */

static void op_deliver(struct message *message)
{
	struct admin_op *op = CONTAINER_OF(message, struct admin_op, message);

	op->done(op);
}

/* The requester may free the operation from here on. */
static void op_end(struct admin_op *op)
{
	timer_stop(&op->timer);
	*op->link = op->next;
	if (op->next)
		op->next->link = op->link;
	op->message.run = op_deliver;
	worker_post(op->reply_to, &op->message);
}

static void op_release(struct admin_op *op)
{
	if (--op->n_open == 0)
		op_end(op);
}

static struct admin_item *op_item(const struct admin_op *op, int i)
{
	return (struct admin_item *)((char *)op->items + (size_t)i * op->item_bytes);
}

void admin_finish(struct admin_item *item, int16_t error, const char *message)
{
	struct admin_task *task = item->task;

	CHECK(item->open);
	item->open = false;
	item->error = error;
	item->message = message;
	if (item->wait.link)
		admin_wait_remove(item->op->admin, &item->wait);
	if (task) {
		item->task = NULL;
		task->item = NULL;
		if (task->link) {
			unpark(task);
			admin_task_end(task);
		}
	}
	op_release(item->op);
}

/* A conflict is told when the view has caught up with it, or when it could have. */
static void finish_written(struct admin_item *item, int16_t error)
{
	admin_finish(item, item->error ? item->error : error, item->message);
}

void admin_wait(struct admin_item *item)
{
	struct admin *admin = item->op->admin;

	item->written = true;
	if (item->wait.kind == ADMIN_WAIT_NOTHING || admin_wait_holds(admin->view, &item->wait))
		finish_written(item, 0);
	else if (clock_ms() >= item->op->wait_until_ms)
		finish_written(item, item->op->late_error);
	else
		admin_wait_add(admin, &item->wait);
}

static void on_timer(struct timer *timer)
{
	struct admin_op *op = CONTAINER_OF(timer, struct admin_op, timer);
	int64_t now_ms = clock_ms();

	op->n_open++;
	for (int i = 0; i < op->n_items; i++) {
		struct admin_item *item = op_item(op, i);

		if (item->open && item->wait.link && now_ms >= op->wait_until_ms)
			finish_written(item, op->late_error);
		else if (item->open && now_ms >= op->deadline_ms)
			admin_finish(item, KAFKA_REQUEST_TIMED_OUT, NULL);
	}
	if (op->n_open > 1)
		timer_set(&op->timer, op->deadline_ms);
	op_release(op);
}

static void op_refuse(struct admin_op *op)
{
	op->n_open++;
	for (int i = 0; i < op->n_items; i++)
		if (op_item(op, i)->open)
			admin_finish(op_item(op, i), KAFKA_REQUEST_TIMED_OUT, "The broker is shutting down.");
	op_release(op);
}

static void op_start_items(struct admin_op *op)
{
	op->run = run_new(op->admin);
	op->run->n_tasks = 1;
	for (int i = 0; i < op->n_items; i++)
		op->start(op_item(op, i));
	run_release(op->run);
}

static void op_run(struct message *message)
{
	struct admin_op *op = CONTAINER_OF(message, struct admin_op, message);
	struct admin *admin = op->admin;
	int64_t now_ms = clock_ms();

	op->next = admin->ops;
	op->link = &admin->ops;
	if (op->next)
		op->next->link = &op->next;
	admin->ops = op;
	timer_init(&op->timer, &admin->hub->loop, on_timer);
	op->n_open = op->n_items + 1;
	for (int i = 0; i < op->n_items; i++) {
		struct admin_item *item = op_item(op, i);

		item->error = 0;
		item->message = NULL;
		item->written = false;
		item->open = true;
		item->op = op;
		item->task = NULL;
		item->wait = (struct admin_wait){.kind = ADMIN_WAIT_NOTHING};
	}
	if (admin->stopped)
		op_refuse(op);
	else
		op_start_items(op);
	if (op->n_open > 1)
		timer_set(&op->timer, now_ms < op->wait_until_ms ? op->wait_until_ms : op->deadline_ms);
	op_release(op);
}

void admin_begin(struct admin *admin, struct admin_op *op, void *items, size_t item_bytes, int n_items,
		 void (*start)(struct admin_item *item))
{
	op->admin = admin;
	op->reply_to = worker_current();
	op->items = items;
	op->item_bytes = item_bytes;
	op->n_items = n_items;
	op->start = start;
	op->message.run = op_run;
	if (op->deadline_ms < op->wait_until_ms)
		op->deadline_ms = op->wait_until_ms;
	worker_post(admin->hub, &op->message);
}

/* ---- the hub's side ---- */

struct admin *admin_new(struct worker *hub, int32_t broker_id)
{
	struct admin *admin = NEW(struct admin);

	*admin = (struct admin){.hub = hub, .broker_id = broker_id, .view = view_new_empty()};
	admin->parked_tail = &admin->parked;
	producer_ids_init(&admin->producer_ids);
	return admin;
}

void admin_on_session(struct admin *admin, struct zk_session *session)
{
	const struct admin_task *last;
	bool more;

	admin->session = session;
	if (!is_connected(admin) || !admin->parked)
		return;
	/* What parks itself anew while this goes on waits for the next time. */
	last = CONTAINER_OF(admin->parked_tail, struct admin_task, next);
	do {
		struct admin_task *task = admin->parked;

		more = task != last;
		unpark(task);
		task->step(task);
	} while (more && admin->parked);
}

void admin_on_view(struct admin *admin, struct view *view, const struct broker_config *config)
{
	struct view *before = admin->view;
	const struct broker_config *config_before = admin->config;

	admin->view = view_retain(view);
	admin->config = broker_config_retain(config);
	admin_wait_on_view(admin, before, view);
	view_release(before);
	broker_config_release(config_before);
}

void admin_stop(struct admin *admin)
{
	struct admin_op *op, *next;

	admin->stopped = true;
	for (op = admin->ops; op; op = next) {
		next = op->next;
		op_refuse(op);
	}
}

void admin_free(struct admin *admin)
{
	struct admin_run *run, *next;

	CHECK(!admin->ops);
	for (run = admin->runs; run; run = next) {
		next = run->next;
		run_free(run);
	}
	view_release(admin->view);
	broker_config_release(admin->config);
	free(admin);
}
