/*
 * Offsets of the first consumers: /consumers/<group>/offsets/<topic>/<partition>, a number as text (OffsetCommit and OffsetFetch of version 0).
 *
 *     put   set, whatever the version --- no such node ---> create its parents and it, in order --- it is there now ---> set again
 *     get   the number, or UNKNOWN_TOPIC_OR_PARTITION without a node
 *
 * A set is done again when its outcome is unknown: the last commit of a group stands, as with any other.
 */
#include "broker/meta/admin_internal.h"

#include "common/memory.h"
#include "proto/kafka_error.h"
#include "zk/path.h"

#include <errno.h>
#include <stdlib.h>

#define OFFSET_TEXT_BYTES 24

struct offset_task {
	struct admin_task task;
	struct slice group_id;
	struct slice topic;
	int32_t partition;
	int64_t offset;
};

static void step_set(struct admin_task *task);
static void step_get(struct admin_task *task);

static struct offset_task *offset_of(struct admin_task *task)
{
	return CONTAINER_OF(task, struct offset_task, task);
}

static const char *path_of(struct arena *arena, const struct offset_task *offset)
{
	return zk_path_consumer_offset(arena, offset->group_id, offset->topic, offset->partition);
}

static struct slice text_of(struct arena *arena, int64_t offset)
{
	return slice_of_text(arena_printf(arena, "%lld", (long long)offset));
}

static void succeed(struct offset_task *offset, int64_t found)
{
	struct admin_item *item = offset->task.item;

	admin_task_end(&offset->task);
	if (!item)
		return;
	CONTAINER_OF(item, struct admin_consumer_offset, item)->offset = found;
	admin_finish(item, 0, NULL);
}

/* ---- put ---- */

static void parent_done(void *ctx, const struct zk_result *result)
{
	/* What became of it is seen at the last node. */
	(void)ctx, (void)result;
}

static void create_done(void *ctx, const struct zk_result *result)
{
	struct offset_task *offset = ctx;

	if (result->code == 0)
		succeed(offset, offset->offset);
	else if (result->code == ERR_EXISTS || result->code == ERR_NOT_FOUND)
		admin_task_again(&offset->task, step_set);
	else if (admin_outcome_is_unknown(result->code))
		admin_task_go(&offset->task, step_set);
	else
		admin_task_fail_code(&offset->task, result->code, "writing the offset of a group");
}

static void step_create(struct admin_task *task)
{
	struct offset_task *offset = offset_of(task);
	struct zk_session *session = task->admin->session;
	struct arena arena;
	char *path;

	arena_init(&arena);
	path = arena_printf(&arena, "%s", path_of(&arena, offset));
	for (char *slash = strchr(path + sizeof ZK_PATH_CONSUMERS, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		zk_create(session, path, SLICE_NULL, ZK_PERSISTENT, parent_done, NULL);
		*slash = '/';
	}
	zk_create(session, path, text_of(&arena, offset->offset), ZK_PERSISTENT, create_done, offset);
	arena_fini(&arena);
}

static void set_done(void *ctx, const struct zk_result *result)
{
	struct offset_task *offset = ctx;

	if (result->code == 0)
		succeed(offset, offset->offset);
	else if (result->code == ERR_NOT_FOUND)
		admin_task_go(&offset->task, step_create);
	else if (admin_outcome_is_unknown(result->code))
		admin_task_go(&offset->task, step_set);
	else
		admin_task_fail_code(&offset->task, result->code, "writing the offset of a group");
}

static void step_set(struct admin_task *task)
{
	struct arena arena;

	arena_init(&arena);
	zk_set(task->admin->session, path_of(&arena, offset_of(task)), text_of(&arena, offset_of(task)->offset), ZK_VERSION_ANY, set_done,
	       offset_of(task));
	arena_fini(&arena);
}

/* ---- get ---- */

/* False: no number stands there. */
static bool read_offset(struct slice data, int64_t *ret_offset)
{
	char text[OFFSET_TEXT_BYTES], *end;
	long long offset;

	if (data.len == 0 || data.len >= sizeof text)
		return false;
	memcpy(text, data.data, data.len);
	text[data.len] = '\0';
	errno = 0;
	offset = strtoll(text, &end, 10);
	if (errno || end == text || *end)
		return false;
	*ret_offset = offset;
	return true;
}

static void get_done(void *ctx, const struct zk_result *result)
{
	struct offset_task *offset = ctx;
	int64_t found;

	if (admin_outcome_is_unknown(result->code))
		admin_task_go(&offset->task, step_get);
	else if (result->code == ERR_NOT_FOUND)
		admin_task_fail(&offset->task, KAFKA_UNKNOWN_TOPIC_OR_PARTITION, NULL);
	else if (result->code)
		admin_task_fail_code(&offset->task, result->code, "reading the offset of a group");
	else if (!read_offset(result->data, &found))
		admin_task_fail(&offset->task, KAFKA_UNKNOWN_SERVER_ERROR, NULL);
	else
		succeed(offset, found);
}

static void step_get(struct admin_task *task)
{
	struct arena arena;

	arena_init(&arena);
	zk_get(task->admin->session, path_of(&arena, offset_of(task)), NULL, get_done, offset_of(task));
	arena_fini(&arena);
}

/* ---- the operations ---- */

/* A group id becomes one node, and nothing else. */
static bool may_be_node(struct slice group_id)
{
	if (group_id.len == 0 || slice_is_text(group_id, ".") || slice_is_text(group_id, ".."))
		return false;
	for (size_t i = 0; i < group_id.len; i++)
		if (group_id.data[i] < ' ' || group_id.data[i] == '/' || group_id.data[i] >= 0x7f)
			return false;
	return true;
}

static void start(struct admin_item *item, void (*step)(struct admin_task *task))
{
	const struct admin_consumer_offset *wish = CONTAINER_OF(item, struct admin_consumer_offset, item);
	struct offset_task *task;

	if (!may_be_node(wish->group_id)) {
		admin_finish(item, KAFKA_INVALID_GROUP_ID, NULL);
		return;
	}
	task = admin_task_new(item, sizeof *task);
	task->group_id = arena_copy(&task->task.run->arena, wish->group_id);
	task->topic = arena_copy(&task->task.run->arena, wish->topic);
	task->partition = wish->partition;
	task->offset = wish->offset;
	admin_task_go(&task->task, step);
}

static void start_put(struct admin_item *item)
{
	start(item, step_set);
}

static void start_get(struct admin_item *item)
{
	start(item, step_get);
}

void admin_put_consumer_offsets(struct admin *admin, struct admin_consumer_offsets *op)
{
	op->op.late_error = KAFKA_REQUEST_TIMED_OUT;
	admin_begin(admin, &op->op, op->list, sizeof *op->list, op->n, start_put);
}

void admin_get_consumer_offsets(struct admin *admin, struct admin_consumer_offsets *op)
{
	op->op.late_error = KAFKA_REQUEST_TIMED_OUT;
	admin_begin(admin, &op->op, op->list, sizeof *op->list, op->n, start_get);
}
