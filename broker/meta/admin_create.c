/*
 * Creating topics. The configuration and the topic node are one transaction, so that no topic is left half made and none that
 * exists loses its configuration to a creation that comes too late:
 *
 *     multi { create /config/topics/t, create /brokers/topics/t }
 *       EXISTS at the topic          -> TOPIC_ALREADY_EXISTS
 *       EXISTS at the configuration  -> left by somebody, or t is just being deleted:
 *                                       multi { create and delete /admin/delete_topics/t, set configuration, create topic }
 *       outcome unknown              -> read the topic node: ours if it has the id that we drew
 *
 * What Kafka writes for the same is the same: both nodes at version 0.
 */
#include "broker/meta/admin_internal.h"

#include "common/memory.h"
#include "proto/kafka_error.h"
#include "zk/json_config.h"
#include "zk/json_topic.h"
#include "zk/path.h"

struct create_task {
	struct admin_task task;
	struct slice name;
	struct assignment assignment;
	struct config_pairs configs;
	struct uuid id;
	bool config_exists;
};

static void step_create(struct admin_task *task);
static void step_read_back(struct admin_task *task);

static struct create_task *create_of(struct admin_task *task)
{
	return CONTAINER_OF(task, struct create_task, task);
}

/* ---- what is written ---- */

static struct slice config_json(struct arena *arena, struct config_pairs pairs)
{
	struct config_entry *entries = arena_zalloc(arena, (size_t)pairs.n, sizeof *entries);
	struct config_znode config = {entries, pairs.n};

	for (int i = 0; i < pairs.n; i++)
		entries[i] = (struct config_entry){pairs.list[i].key, pairs.list[i].value};
	return config_znode_encode(arena, &config);
}

static struct slice topic_json(struct arena *arena, const struct uuid *id, const struct assignment *assignment)
{
	struct topic_znode topic = {.topic_id = *id, .n_partitions = assignment->n_partitions};

	topic.partitions = arena_zalloc(arena, (size_t)topic.n_partitions, sizeof *topic.partitions);
	for (int32_t i = 0; i < topic.n_partitions; i++)
		topic.partitions[i] = (struct partition_assignment){.partition = i,
								    .n_replicas = assignment->replication_factor,
								    .replicas = (int32_t *)(uintptr_t)assignment_replicas(assignment, i)};
	return topic_znode_encode(arena, &topic);
}

/* ---- answers ---- */

static void created(struct create_task *create)
{
	struct admin_item *item = create->task.item;
	int32_t n = create->assignment.n_partitions;
	struct uuid id = create->id;
	struct admin_create_topics *op;

	admin_task_end(&create->task);
	if (!item)
		return;
	op = CONTAINER_OF(item->op, struct admin_create_topics, op);
	CONTAINER_OF(item, struct admin_create_topic, item)->topic_id = id;
	item->wait = (struct admin_wait){
		.kind = op->no_wait ? ADMIN_WAIT_NOTHING : ADMIN_WAIT_LED, .topic_id = id, .number = n};
	admin_wait(item);
}

/* Which operation of a refused transaction was the one that failed; -1 when the answer does not say. */
static int failed_op(const struct zk_result *result)
{
	for (int i = 0; i < result->n_ops; i++)
		if (result->ops[i].code && result->ops[i].code != ERR_ABORTED)
			return i;
	return -1;
}

static void create_done(void *ctx, const struct zk_result *result)
{
	struct create_task *create_task = ctx;
	struct admin_task *task = &create_task->task;
	int failed = failed_op(result);

	if (result->code == 0) {
		created(create_task);
	} else if (admin_outcome_is_unknown(result->code)) {
		admin_task_go(task, step_read_back);
	} else if (result->code == ERR_EXISTS && failed == 0 && !create_task->config_exists) {
		create_task->config_exists = true;
		admin_task_again(task, step_create);
	} else if (result->code == ERR_NOT_FOUND && create_task->config_exists && failed == 2) {
		create_task->config_exists = false;
		admin_task_again(task, step_create);
	} else if (result->code == ERR_EXISTS) {
		admin_task_fail(task, KAFKA_TOPIC_ALREADY_EXISTS, NULL);
	} else {
		admin_task_fail_code(task, result->code, "creating a topic");
	}
}

static void step_create(struct admin_task *task)
{
	struct create_task *create = create_of(task);
	struct zk_op ops[4];
	struct arena arena;
	const char *config_path, *deletion_path;
	struct slice config;
	int n = 0;

	arena_init(&arena);
	config_path = zk_path_config_topic(&arena, create->name);
	config = config_json(&arena, create->configs);
	if (create->config_exists) {
		deletion_path = zk_path_delete_topic(&arena, create->name);
		ops[n++] = (struct zk_op){.kind = ZK_OP_CREATE, .path = deletion_path, .data = SLICE_NULL};
		ops[n++] = (struct zk_op){.kind = ZK_OP_DELETE, .path = deletion_path, .version = ZK_VERSION_ANY};
		ops[n++] = (struct zk_op){.kind = ZK_OP_SET, .path = config_path, .data = config, .version = ZK_VERSION_ANY};
	} else {
		ops[n++] = (struct zk_op){.kind = ZK_OP_CREATE, .path = config_path, .data = config};
	}
	ops[n++] = (struct zk_op){.kind = ZK_OP_CREATE,
				  .path = zk_path_topic(&arena, create->name),
				  .data = topic_json(&arena, &create->id, &create->assignment)};
	zk_multi(task->admin->session, ops, n, create_done, create);
	arena_fini(&arena);
}

static void read_back_done(void *ctx, const struct zk_result *result)
{
	struct create_task *create_task = ctx;
	struct topic_znode topic;
	struct arena arena;
	bool ours;

	if (result->code == ERR_NOT_FOUND) {
		admin_task_again(&create_task->task, step_create);
		return;
	}
	if (result->code) {
		admin_task_fail_code(&create_task->task, result->code, "reading a topic back");
		return;
	}
	arena_init(&arena);
	ours = topic_znode_decode(&arena, "", result->data, &topic, NULL) == 0 && uuid_equal(&topic.topic_id, &create_task->id);
	arena_fini(&arena);
	if (ours)
		created(create_task);
	else
		admin_task_fail(&create_task->task, KAFKA_TOPIC_ALREADY_EXISTS, NULL);
}

static void step_read_back(struct admin_task *task)
{
	struct arena arena;

	arena_init(&arena);
	zk_get(task->admin->session, zk_path_topic(&arena, create_of(task)->name), NULL, read_back_done, create_of(task));
	arena_fini(&arena);
}

static void start(struct admin_item *item)
{
	const struct admin_create_topic *wish = CONTAINER_OF(item, struct admin_create_topic, item);
	struct create_task *task;

	/* The hub's view may be newer than the one the handler looked at. */
	if (view_topic(item->op->admin->view, wish->name)) {
		admin_finish(item, KAFKA_TOPIC_ALREADY_EXISTS, NULL);
		return;
	}
	task = admin_task_new(item, sizeof *task);
	task->name = arena_copy(&task->task.run->arena, wish->name);
	task->assignment = admin_copy_assignment(&task->task.run->arena, &wish->assignment);
	task->configs = admin_copy_pairs(&task->task.run->arena, wish->configs);
	task->id = uuid_random();
	admin_task_go(&task->task, step_create);
}

void admin_create_topics(struct admin *admin, struct admin_create_topics *op)
{
	op->op.late_error = KAFKA_REQUEST_TIMED_OUT;
	for (int i = 0; i < op->n; i++)
		op->list[i].topic_id = UUID_ZERO;
	admin_begin(admin, &op->op, op->list, sizeof *op->list, op->n, start);
}
