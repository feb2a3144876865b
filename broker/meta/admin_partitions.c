/*
 * Adding partitions: the topic node is read, grown and set at its version. The topic id and reassignments under way are carried
 * through (KAFKA-14190).
 *
 *     get /brokers/topics/t      -> gone, or another id: UNKNOWN_TOPIC_OR_PARTITION
 *                                -> has our partitions already (after an unknown outcome): written
 *                                -> another count than the assignment was made for: somebody else was faster
 *     set at its version         -> VERSION, outcome unknown: again from the start
 */
#include "broker/meta/admin_internal.h"

#include "common/memory.h"
#include "proto/kafka_error.h"
#include "zk/json_topic.h"
#include "zk/path.h"

struct grow_task {
	struct admin_task task;
	struct slice name;
	struct uuid id;
	int32_t n_before;
	struct assignment added;
	bool tried; /* a set was sent whose outcome is not known */
};

static void step_read(struct admin_task *task);

static struct grow_task *grow_of(struct admin_task *task)
{
	return CONTAINER_OF(task, struct grow_task, task);
}

static int32_t n_after(const struct grow_task *grow)
{
	return grow->n_before + grow->added.n_partitions;
}

static void grown(struct grow_task *grow)
{
	struct admin_item *item = grow->task.item;
	struct admin_wait wait = {.kind = ADMIN_WAIT_LED, .topic_id = grow->id, .number = n_after(grow)};

	admin_task_end(&grow->task);
	if (!item)
		return;
	item->wait = wait;
	admin_wait(item);
}

static void set_done(void *ctx, const struct zk_result *result)
{
	struct grow_task *grow = ctx;

	if (result->code == 0) {
		grown(grow);
	} else if (admin_outcome_is_unknown(result->code)) {
		grow->tried = true;
		admin_task_go(&grow->task, step_read);
	} else if (result->code == ERR_VERSION || result->code == ERR_NOT_FOUND) {
		admin_task_again(&grow->task, step_read);
	} else {
		admin_task_fail_code(&grow->task, result->code, "adding partitions to a topic");
	}
}

static bool has_ours(const struct grow_task *grow, const struct topic_znode *topic)
{
	int16_t n = grow->added.replication_factor;

	if (!grow->tried || topic->n_partitions != n_after(grow))
		return false;
	for (int32_t i = 0; i < grow->added.n_partitions; i++) {
		const struct partition_assignment *partition = &topic->partitions[grow->n_before + i];

		if (partition->n_replicas != n ||
		    memcmp(partition->replicas, assignment_replicas(&grow->added, i), (size_t)n * sizeof *partition->replicas))
			return false;
	}
	return true;
}

static void set(struct grow_task *grow, const struct topic_znode *topic, int32_t version, struct arena *arena)
{
	struct topic_znode larger = {.topic_id = topic->topic_id, .n_partitions = n_after(grow)};

	if (!grow->task.item) {
		admin_task_end(&grow->task);
		return;
	}
	larger.partitions = arena_zalloc(arena, (size_t)larger.n_partitions, sizeof *larger.partitions);
	memcpy(larger.partitions, topic->partitions, (size_t)topic->n_partitions * sizeof *larger.partitions);
	for (int32_t i = 0; i < grow->added.n_partitions; i++)
		larger.partitions[grow->n_before + i] =
			(struct partition_assignment){.partition = grow->n_before + i,
						      .n_replicas = grow->added.replication_factor,
						      .replicas = (int32_t *)(uintptr_t)assignment_replicas(&grow->added, i)};
	zk_set(grow->task.admin->session, zk_path_topic(arena, grow->name), topic_znode_encode(arena, &larger), version, set_done, grow);
}

/* Partition numbers without gaps, so that new ones can go behind them. */
static bool is_whole(const struct topic_znode *topic)
{
	return topic->n_partitions > 0 && topic->partitions[topic->n_partitions - 1].partition == topic->n_partitions - 1;
}

static void on_topic(struct grow_task *grow, const struct topic_znode *topic, int32_t version, struct arena *arena)
{
	if (!uuid_equal(&topic->topic_id, &grow->id))
		admin_task_fail(&grow->task, KAFKA_UNKNOWN_TOPIC_OR_PARTITION, NULL);
	else if (has_ours(grow, topic))
		grown(grow);
	else if (topic->n_partitions != grow->n_before)
		admin_task_fail(&grow->task, KAFKA_INVALID_PARTITIONS,
				"Another request has changed the number of partitions at the same time.");
	else
		set(grow, topic, version, arena);
}

static void read_done(void *ctx, const struct zk_result *result)
{
	struct grow_task *grow = ctx;
	struct topic_znode topic;
	struct arena arena;

	if (result->code == ERR_NOT_FOUND) {
		admin_task_fail(&grow->task, KAFKA_UNKNOWN_TOPIC_OR_PARTITION, NULL);
		return;
	}
	if (admin_outcome_is_unknown(result->code)) {
		admin_task_go(&grow->task, step_read);
		return;
	}
	if (result->code) {
		admin_task_fail_code(&grow->task, result->code, "reading a topic that is to get partitions");
		return;
	}
	arena_init(&arena);
	if (topic_znode_decode(&arena, "", result->data, &topic, NULL) || !is_whole(&topic))
		admin_task_fail(&grow->task, KAFKA_UNKNOWN_SERVER_ERROR, "The topic's node in ZooKeeper is damaged.");
	else
		on_topic(grow, &topic, result->stat.version, &arena);
	arena_fini(&arena);
}

static void step_read(struct admin_task *task)
{
	struct arena arena;

	arena_init(&arena);
	zk_get(task->admin->session, zk_path_topic(&arena, grow_of(task)->name), NULL, read_done, grow_of(task));
	arena_fini(&arena);
}

static void start(struct admin_item *item)
{
	const struct admin_add_partition_set *wish = CONTAINER_OF(item, struct admin_add_partition_set, item);
	struct grow_task *task = admin_task_new(item, sizeof *task);

	task->name = arena_copy(&task->task.run->arena, wish->name);
	task->id = wish->topic_id;
	task->n_before = wish->n_before;
	task->added = admin_copy_assignment(&task->task.run->arena, &wish->added);
	admin_task_go(&task->task, step_read);
}

void admin_add_partitions(struct admin *admin, struct admin_add_partitions *op)
{
	op->op.late_error = KAFKA_REQUEST_TIMED_OUT;
	admin_begin(admin, &op->op, op->list, sizeof *op->list, op->n, start);
}
