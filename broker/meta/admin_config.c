/*
 * Replacing overrides. A change was decided on what a view showed (before); it is written only over that, at the version read:
 *
 *     get /config/topics/t              `after` already  -> written (a lost answer, or nothing to do)
 *                                       `before`         -> multi { check the topic, set or create, create /config/changes/config_change_ }
 *                                       something else   -> conflict: a notification makes the view catch up, then the handler decides anew
 *     VERSION, EXISTS, outcome unknown  -> again from the start
 *
 * Kafka writes the node and its notification one after the other; here they are one transaction, so that none is forgotten.
 */
#include "broker/meta/admin_internal.h"

#include "common/memory.h"
#include "proto/kafka_error.h"
#include "zk/json_config.h"
#include "zk/path.h"

struct config_task {
	struct admin_task task;
	struct slice topic; /* null: of a broker */
	struct uuid topic_id;
	int32_t broker_id;
	struct config_pairs before, after;
	int32_t version; /* of the node; -1 = there is none */
	bool is_empty;   /* the node, as it was found */
};

static void step_read(struct admin_task *task);

static struct config_task *config_of(struct admin_task *task)
{
	return CONTAINER_OF(task, struct config_task, task);
}

static const char *config_path(struct arena *arena, const struct config_task *config)
{
	return slice_is_null(config->topic) ? zk_path_config_broker(arena, config->broker_id) : zk_path_config_topic(arena, config->topic);
}

static struct slice change_json(struct arena *arena, const struct config_task *config)
{
	struct zk_config_target target = {.kind = slice_is_null(config->topic) ? ZK_CONFIG_BROKER : ZK_CONFIG_TOPIC,
					  .topic = config->topic,
					  .broker_id = config->broker_id};

	return config_change_encode(arena, &target);
}

static struct slice after_json(struct arena *arena, const struct config_task *config)
{
	struct config_znode node = {.n_entries = config->after.n};

	node.entries = arena_zalloc(arena, (size_t)node.n_entries, sizeof *node.entries);
	for (int i = 0; i < node.n_entries; i++)
		node.entries[i] = (struct config_entry){config->after.list[i].key, config->after.list[i].value};
	return config_znode_encode(arena, &node);
}

/* The node stands at a version that the view is to show. */
static void settle(struct config_task *config, int32_t version, bool emptied, int16_t error)
{
	struct admin_item *item = config->task.item;
	struct admin_wait wait = {.kind = ADMIN_WAIT_CONFIG,
				  .topic_id = slice_is_null(config->topic) ? UUID_ZERO : config->topic_id,
				  .broker_id = config->broker_id,
				  .number = version,
				  .emptied = emptied};

	admin_task_end(&config->task);
	if (!item)
		return;
	item->error = error;
	item->wait = wait;
	admin_wait(item);
}

static void write_done(void *ctx, const struct zk_result *result)
{
	struct config_task *config = ctx;

	if (result->code == 0)
		settle(config, config->version + 1, config->after.n == 0, 0);
	else if (admin_outcome_is_unknown(result->code))
		admin_task_go(&config->task, step_read);
	else if (result->code == ERR_VERSION || result->code == ERR_EXISTS)
		admin_task_again(&config->task, step_read);
	else if (result->code == ERR_NOT_FOUND && result->n_ops > 0 && result->ops[0].code == ERR_NOT_FOUND && !slice_is_null(config->topic))
		admin_task_fail(&config->task, KAFKA_UNKNOWN_TOPIC_OR_PARTITION, NULL);
	else if (result->code == ERR_NOT_FOUND)
		admin_task_again(&config->task, step_read);
	else
		admin_task_fail_code(&config->task, result->code, "changing a configuration");
}

static void step_write(struct admin_task *task)
{
	struct config_task *config = config_of(task);
	struct zk_op ops[3];
	struct arena arena;
	int n = 0;

	arena_init(&arena);
	if (!slice_is_null(config->topic))
		ops[n++] = (struct zk_op){.kind = ZK_OP_CHECK, .path = zk_path_topic(&arena, config->topic), .version = ZK_VERSION_ANY};
	ops[n++] = (struct zk_op){.kind = config->version < 0 ? ZK_OP_CREATE : ZK_OP_SET,
				  .path = config_path(&arena, config),
				  .data = after_json(&arena, config),
				  .version = config->version};
	ops[n++] = (struct zk_op){.kind = ZK_OP_CREATE,
				  .path = ZK_PREFIX_CONFIG_CHANGE,
				  .data = change_json(&arena, config),
				  .mode = ZK_PERSISTENT_SEQUENTIAL};
	zk_multi(task->admin->session, ops, n, write_done, config);
	arena_fini(&arena);
}

static void tell_done(void *ctx, const struct zk_result *result)
{
	struct config_task *config = ctx;

	(void)result;
	settle(config, config->version, config->is_empty, KAFKA_INVALID_REQUEST);
}

/* What the view does not show yet may have been written by somebody who told nobody. */
static void conflict(struct config_task *config)
{
	struct arena arena;

	if (config->task.item)
		CONTAINER_OF(config->task.item, struct admin_alter_config, item)->conflict = true;
	if (config->version < 0) {
		settle(config, -1, true, KAFKA_INVALID_REQUEST);
		return;
	}
	arena_init(&arena);
	zk_create(config->task.admin->session, ZK_PREFIX_CONFIG_CHANGE, change_json(&arena, config), ZK_PERSISTENT_SEQUENTIAL, tell_done,
		  config);
	arena_fini(&arena);
}

static void on_found(struct config_task *config, struct config_pairs found)
{
	config->is_empty = found.n == 0;
	if (config->version >= 0 && config_pairs_equal(found, config->after))
		settle(config, config->version, config->is_empty, 0);
	else if (config_pairs_equal(found, config->before))
		admin_task_go(&config->task, step_write);
	else
		conflict(config);
}

static void read_done(void *ctx, const struct zk_result *result)
{
	struct config_task *config = ctx;
	struct config_pair *list = NULL;
	struct config_znode node = {0};
	struct arena arena;

	if (admin_outcome_is_unknown(result->code)) {
		admin_task_go(&config->task, step_read);
		return;
	}
	if (result->code && result->code != ERR_NOT_FOUND) {
		admin_task_fail_code(&config->task, result->code, "reading a configuration");
		return;
	}
	arena_init(&arena);
	config->version = result->code ? -1 : result->stat.version;
	/* What nobody can read holds nothing, for the controller too: it is written over. */
	if (result->code || config_znode_decode(&arena, "", result->data, &node, NULL))
		node.n_entries = 0;
	list = arena_zalloc(&arena, (size_t)node.n_entries, sizeof *list);
	for (int i = 0; i < node.n_entries; i++)
		list[i] = (struct config_pair){node.entries[i].key, node.entries[i].value};
	on_found(config, config_pairs_sorted(&arena, list, node.n_entries));
	arena_fini(&arena);
}

static void step_read(struct admin_task *task)
{
	struct arena arena;

	arena_init(&arena);
	zk_get(task->admin->session, config_path(&arena, config_of(task)), NULL, read_done, config_of(task));
	arena_fini(&arena);
}

static void start(struct admin_item *item)
{
	const struct admin_alter_config *wish = CONTAINER_OF(item, struct admin_alter_config, item);
	struct config_task *task = admin_task_new(item, sizeof *task);

	task->topic = arena_copy(&task->task.run->arena, wish->topic);
	task->topic_id = wish->topic_id;
	task->broker_id = wish->broker_id;
	task->before = admin_copy_pairs(&task->task.run->arena, wish->before);
	task->after = admin_copy_pairs(&task->task.run->arena, wish->after);
	admin_task_go(&task->task, step_read);
}

void admin_alter_configs(struct admin *admin, struct admin_alter_configs *op)
{
	op->op.late_error = 0;
	for (int i = 0; i < op->n; i++)
		op->list[i].conflict = false;
	admin_begin(admin, &op->op, op->list, sizeof *op->list, op->n, start);
}
