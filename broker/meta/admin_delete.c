/*
 * Requesting deletions. The topic that is asked for is the one with this id: its node is read first, and the request is written
 * only while that node is there unchanged, so that a topic made anew under the name is never hit.
 *
 *     get /brokers/topics/t                      -> gone, or another id: what was asked for is gone already
 *     multi { check its version, create /admin/delete_topics/t }
 *       EXISTS                                   -> somebody has asked before
 *       VERSION, NOT_FOUND, outcome unknown      -> again from the start
 */
#include "broker/meta/admin_internal.h"

#include "common/memory.h"
#include "proto/kafka_error.h"
#include "zk/json_topic.h"
#include "zk/path.h"

struct delete_task {
	struct admin_task task;
	struct slice name;
	struct uuid id;
	int32_t version;
};

static void step_read(struct admin_task *task);

static struct delete_task *delete_of(struct admin_task *task)
{
	return CONTAINER_OF(task, struct delete_task, task);
}

static void requested(struct delete_task *delete)
{
	struct admin_item *item = delete->task.item;
	struct uuid id = delete->id;

	admin_task_end(&delete->task);
	if (!item)
		return;
	item->wait = (struct admin_wait){.kind = ADMIN_WAIT_GONE, .topic_id = id};
	admin_wait(item);
}

static void request_done(void *ctx, const struct zk_result *result)
{
	struct delete_task *delete = ctx;

	if (result->code == 0 || result->code == ERR_EXISTS)
		requested(delete);
	else if (admin_outcome_is_unknown(result->code))
		admin_task_go(&delete->task, step_read);
	else if (result->code == ERR_VERSION || result->code == ERR_NOT_FOUND)
		admin_task_again(&delete->task, step_read);
	else
		admin_task_fail_code(&delete->task, result->code, "requesting the deletion of a topic");
}

static void step_request(struct admin_task *task)
{
	struct delete_task *delete = delete_of(task);
	struct arena arena;

	arena_init(&arena);
	zk_multi(task->admin->session,
		 (struct zk_op[]){
			 {.kind = ZK_OP_CHECK, .path = zk_path_topic(&arena, delete->name), .version = delete->version},
			 {.kind = ZK_OP_CREATE, .path = zk_path_delete_topic(&arena, delete->name), .data = SLICE_NULL},
		 },
		 2, request_done, delete);
	arena_fini(&arena);
}

static void read_done(void *ctx, const struct zk_result *result)
{
	struct delete_task *delete = ctx;
	struct topic_znode topic = {.topic_id = UUID_ZERO};
	struct arena arena;
	int r;

	if (result->code == ERR_NOT_FOUND) {
		requested(delete);
		return;
	}
	if (admin_outcome_is_unknown(result->code)) {
		admin_task_go(&delete->task, step_read);
		return;
	}
	if (result->code) {
		admin_task_fail_code(&delete->task, result->code, "reading a topic that is to be deleted");
		return;
	}
	arena_init(&arena);
	r = topic_znode_decode(&arena, "", result->data, &topic, NULL);
	arena_fini(&arena);
	/* A node that nobody can read is deleted for the one it stands for. */
	if (r == 0 && !uuid_is_zero(&topic.topic_id) && !uuid_equal(&topic.topic_id, &delete->id)) {
		requested(delete);
		return;
	}
	delete->version = result->stat.version;
	admin_task_go(&delete->task, step_request);
}

static void step_read(struct admin_task *task)
{
	struct arena arena;

	arena_init(&arena);
	zk_get(task->admin->session, zk_path_topic(&arena, delete_of(task)->name), NULL, read_done, delete_of(task));
	arena_fini(&arena);
}

static void start(struct admin_item *item)
{
	const struct admin_delete_topic *wish = CONTAINER_OF(item, struct admin_delete_topic, item);
	struct delete_task *task = admin_task_new(item, sizeof *task);

	task->name = arena_copy(&task->task.run->arena, wish->name);
	task->id = wish->topic_id;
	admin_task_go(&task->task, step_read);
}

void admin_delete_topics(struct admin *admin, struct admin_delete_topics *op)
{
	op->op.late_error = KAFKA_REQUEST_TIMED_OUT;
	admin_begin(admin, &op->op, op->list, sizeof *op->list, op->n, start);
}
