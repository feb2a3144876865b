/* Carrying out a controller's orders; see replicas.h. */
#include "broker/replicas.h"

#include "broker/log/log_dir.h"
#include "broker/replica/partition.h"
#include "common/memory.h"
#include "common/trace.h"
#include "proto/cluster/cluster.pb-c.h"
#include "proto/kafka_error.h"

#include <stdlib.h>

/* One partition of an order. */
struct replica_task {
	struct slice topic;
	struct partition_key key;
	struct replica_state state;
	const Klamm__PartitionTopic *configs; /* of the topic's message, for configs; NULL when stopping */
	bool erase;
	struct store_log *log;
	bool fresh;      /* the log is to be made */
	int16_t error;
	bool log_gone;   /* the shard has renamed its folder: the store forgets it */
	struct replica_task *next; /* of a shard's work */
};

struct shard_work {
	struct message message;
	struct replica_order *order;
	struct shard *shard;
	struct replica_task *tasks;
};

struct replica_order {
	struct replicas *replicas;
	struct replica_order *next;
	Klamm__PartitionStates *states; /* one of these two */
	Klamm__StopReplicas *stop;
	int64_t request;
	replica_order_done *done;
	void *ctx;
	struct arena arena;
	struct replica_task *tasks;
	int n_tasks;
	struct store_creation *creations;
	int n_creations;
	struct shard_work *work; /* by shard */
	int n_working;
};

static void order_begin(struct replica_order *order);

void replicas_init(struct replicas *replicas, struct store *store, struct shard **shards, int n_shards, struct worker *hub, int32_t broker)
{
	*replicas = (struct replicas){.store = store, .shards = shards, .n_shards = n_shards, .hub = hub, .broker = broker};
	replicas->tail = &replicas->first;
}

bool replicas_are_idle(const struct replicas *replicas)
{
	return !replicas->first;
}

static bool uuid_of(const ProtobufCBinaryData *from, struct uuid *ret_uuid)
{
	if (from->len != sizeof ret_uuid->bytes)
		return false;
	memcpy(ret_uuid->bytes, from->data, sizeof ret_uuid->bytes);
	return true;
}

/* ---- the end of an order ---- */

static void order_free(struct replica_order *order)
{
	if (order->states)
		klamm__partition_states__free_unpacked(order->states, NULL);
	if (order->stop)
		klamm__stop_replicas__free_unpacked(order->stop, NULL);
	arena_fini(&order->arena);
	free(order);
}

static void order_end(struct replica_order *order)
{
	struct replicas *replicas = order->replicas;
	struct replica_error *errors = arena_zalloc(&order->arena, (size_t)order->n_tasks, sizeof *errors);
	int n = 0;

	for (int i = 0; i < order->n_tasks; i++) {
		struct replica_task *task = &order->tasks[i];

		if (task->log_gone && task->log)
			store_forget(replicas->store, task->log);
		if (task->error)
			errors[n++] = (struct replica_error){task->key.topic_id, task->key.index, task->error};
	}
	replicas->first = order->next;
	if (!replicas->first)
		replicas->tail = &replicas->first;
	if (order->done)
		order->done(order->ctx, order->request, errors, n);
	order_free(order);
	if (replicas->first)
		order_begin(replicas->first);
}

/* ---- on a shard ---- */

static void configure(struct shard *shard, struct partition *partition, const struct replica_task *task)
{
	size_t n = task->configs->n_configs;
	struct topic_config config;
	struct config_pair *pairs;
	struct arena arena;

	arena_init(&arena);
	if (view_topic_by_id(shard->view, &task->key.topic_id)) {
		shard_topic_config(shard, &task->key.topic_id, &arena, &config);
	} else {
		/* The view has not brought the topic yet: what came with the state holds until it does. */
		pairs = arena_zalloc(&arena, n, sizeof *pairs);
		for (size_t i = 0; i < n; i++)
			pairs[i] = (struct config_pair){slice_of_text(task->configs->configs[i]->name),
							slice_of_text(task->configs->configs[i]->value)};
		topic_config_compute(shard->config, config_pairs_sorted(&arena, pairs, (int)n), &arena, &config, NULL);
	}
	partition_configure(partition, &config);
	arena_fini(&arena);
}

static void apply_task(struct shard *shard, struct replica_task *task)
{
	struct partition *partition = shard_find(shard, &task->key.topic_id, task->key.index);
	struct store_log *log = task->log;

	if (!partition) {
		partition = partition_open(shard, &task->key, task->topic, log->log, &log->dir->disk, &log->producers);
		configure(shard, partition, task);
	}
	task->error = partition_become(partition, &task->state);
}

static void stop_task(struct shard *shard, struct replica_task *task)
{
	struct partition *partition = shard_find(shard, &task->key.topic_id, task->key.index);

	if (!partition)
		return;
	task->log_gone = task->erase && partition->state == PARTITION_ONLINE;
	partition_close(partition, task->erase);
}

static void on_work_home(struct message *message)
{
	struct shard_work *work = CONTAINER_OF(message, struct shard_work, message);

	if (--work->order->n_working == 0)
		order_end(work->order);
}

static void on_work(struct message *message)
{
	struct shard_work *work = CONTAINER_OF(message, struct shard_work, message);

	for (struct replica_task *task = work->tasks; task; task = task->next) {
		if (work->order->states)
			apply_task(work->shard, task);
		else
			stop_task(work->shard, task);
	}
	work->message.run = on_work_home;
	worker_post(work->order->replicas->hub, &work->message);
}

/* Sends every task without an error to its shard. */
static void order_work(struct replica_order *order)
{
	struct replicas *replicas = order->replicas;

	order->work = arena_zalloc(&order->arena, (size_t)replicas->n_shards, sizeof *order->work);
	for (int i = order->n_tasks - 1; i >= 0; i--) {
		struct replica_task *task = &order->tasks[i];
		struct shard_work *work;

		if (task->error)
			continue;
		work = &order->work[shard_owner(replicas->shards[0], &task->key.topic_id, task->key.index)->index];
		task->next = work->tasks;
		work->tasks = task;
	}
	order->n_working = replicas->n_shards;
	for (int i = 0; i < replicas->n_shards; i++) {
		order->work[i].order = order;
		order->work[i].shard = replicas->shards[i];
		order->work[i].message.run = on_work;
		worker_post(&replicas->shards[i]->worker, &order->work[i].message);
	}
}

/* ---- logs ---- */

/* A log under this name: is it the topic's, or left from one of the same name that was deleted (M2)? */
static int16_t claim(struct replica_task *task)
{
	struct uuid have;

	task->log->claimed = true;
	if (!task->log->log)
		return 0;
	if (log_dir_failed(task->log->dir->dir))
		return KAFKA_STORAGE_ERROR;
	have = log_topic_id(task->log->log);
	if (uuid_is_zero(&have))
		return log_set_topic_id(task->log->log, &task->key.topic_id) ? KAFKA_STORAGE_ERROR : 0;
	if (uuid_equal(&have, &task->key.topic_id))
		return 0;
	task->log->claimed = false;
	return KAFKA_INCONSISTENT_TOPIC_ID;
}

static void take_created(void *ctx)
{
	struct replica_order *order = ctx;
	int at = 0;

	for (int i = 0; i < order->n_tasks; i++) {
		struct replica_task *task = &order->tasks[i];

		if (!task->fresh)
			continue;
		task->log = order->creations[at].log;
		if (task->log)
			task->log->claimed = true;
		else
			task->error = KAFKA_STORAGE_ERROR;
		at++;
	}
	order_work(order);
}

static void find_logs(struct replica_order *order)
{
	for (int i = 0; i < order->n_tasks; i++) {
		struct replica_task *task = &order->tasks[i];

		task->log = store_find(order->replicas->store, task->topic, task->key.index);
		task->fresh = !task->error && !task->log;
		order->n_creations += task->fresh;
		if (!task->error && task->log)
			task->error = task->log->claimed ? 0 : claim(task);
	}
}

static void make_logs(struct replica_order *order)
{
	int at = 0;

	order->creations = arena_zalloc(&order->arena, (size_t)order->n_creations, sizeof *order->creations);
	for (int i = 0; i < order->n_tasks; i++) {
		struct replica_task *task = &order->tasks[i];

		if (task->fresh)
			order->creations[at++] = (struct store_creation){
				.topic = task->topic,
				.partition = task->key.index,
				.topic_id = task->key.topic_id,
				.config = LOG_CONFIG_DEFAULT,
			};
	}
	store_create(order->replicas->store, order->creations, order->n_creations, take_created, order);
}

/* ---- the beginning of an order ---- */

static bool holds(const Klamm__Partition *partition, int32_t broker)
{
	for (size_t i = 0; i < partition->n_replicas; i++)
		if (partition->replicas[i] == broker)
			return true;
	return false;
}

static void read_states_topic(struct replica_order *order, const Klamm__PartitionTopic *topic)
{
	struct uuid id = UUID_ZERO;
	bool known = uuid_of(&topic->id, &id);

	for (size_t i = 0; i < topic->n_partitions; i++) {
		const Klamm__Partition *from = topic->partitions[i];
		bool ours = holds(from, order->replicas->broker);

		order->tasks[order->n_tasks++] = (struct replica_task){
			.topic = slice_of_text(topic->name),
			.key = {id, from->index},
			.state = {
				.leader = from->leader,
				.leader_epoch = from->leader_epoch,
				.partition_epoch = from->partition_epoch,
				.recovering = from->recovering,
				.replicas = from->replicas,
				.n_replicas = (int32_t)from->n_replicas,
				.isr = from->isr,
				.n_isr = (int32_t)from->n_isr,
			},
			.configs = topic,
			/* Not one of its replicas: Kafka's broker says so, too. */
			.error = known && ours ? 0 : KAFKA_UNKNOWN_TOPIC_OR_PARTITION,
		};
	}
}

static void begin_states(struct replica_order *order)
{
	size_t n = 0;

	for (size_t i = 0; i < order->states->n_topics; i++)
		n += order->states->topics[i]->n_partitions;
	order->tasks = arena_zalloc(&order->arena, n, sizeof *order->tasks);
	for (size_t i = 0; i < order->states->n_topics; i++)
		read_states_topic(order, order->states->topics[i]);
	find_logs(order);
	if (order->n_creations)
		make_logs(order);
	else
		order_work(order);
}

/* A log that no shard has: it is the hub's to delete, if it is of this topic. */
static void stop_unclaimed(struct replica_order *order, struct replica_task *task)
{
	struct uuid have;

	if (!task->log || task->log->claimed || !task->erase || !task->log->log)
		return;
	have = log_topic_id(task->log->log);
	if (!uuid_is_zero(&have) && !uuid_equal(&have, &task->key.topic_id))
		return;
	if (store_delete(order->replicas->store, task->log))
		task->error = KAFKA_STORAGE_ERROR;
	task->log = NULL;
}

static void begin_stop(struct replica_order *order)
{
	size_t n = 0;

	for (size_t i = 0; i < order->stop->n_topics; i++)
		n += order->stop->topics[i]->n_partitions;
	order->tasks = arena_zalloc(&order->arena, n, sizeof *order->tasks);
	for (size_t i = 0; i < order->stop->n_topics; i++) {
		const Klamm__StopTopic *topic = order->stop->topics[i];
		struct uuid id = UUID_ZERO;
		bool known = uuid_of(&topic->id, &id);

		for (size_t p = 0; p < topic->n_partitions; p++) {
			struct replica_task *task = &order->tasks[order->n_tasks++];

			*task = (struct replica_task){
				.topic = slice_of_text(topic->name),
				.key = {id, topic->partitions[p]},
				.erase = topic->erase,
				.error = known ? 0 : KAFKA_UNKNOWN_TOPIC_OR_PARTITION,
			};
			task->log = store_find(order->replicas->store, task->topic, task->key.index);
			if (known)
				stop_unclaimed(order, task);
		}
	}
	order_work(order);
}

static void order_begin(struct replica_order *order)
{
	if (order->states)
		begin_states(order);
	else
		begin_stop(order);
}

static void order_add(struct replicas *replicas, struct replica_order *order, int64_t request, replica_order_done *done, void *ctx)
{
	bool was_idle = replicas_are_idle(replicas);

	order->replicas = replicas;
	order->request = request;
	order->done = done;
	order->ctx = ctx;
	arena_init(&order->arena);
	*replicas->tail = order;
	replicas->tail = &order->next;
	if (was_idle)
		order_begin(order);
}

void replicas_apply(struct replicas *replicas, Klamm__PartitionStates *states, replica_order_done *done, void *ctx)
{
	struct replica_order *order = NEW(struct replica_order);

	order->states = states;
	order_add(replicas, order, states->request, done, ctx);
}

void replicas_stop(struct replicas *replicas, Klamm__StopReplicas *stop, replica_order_done *done, void *ctx)
{
	struct replica_order *order = NEW(struct replica_order);

	order->stop = stop;
	order_add(replicas, order, stop->request, done, ctx);
}

void replicas_forget(struct replicas *replicas, void *ctx)
{
	for (struct replica_order *order = replicas->first; order; order = order->next)
		if (order->ctx == ctx)
			order->done = NULL;
}

/* ---- a failed dir ---- */

struct dir_failure {
	struct message message;
	struct shard *shard;
	struct log_dir *dir;
};

static void on_dir_failure(struct message *message)
{
	struct dir_failure *failure = CONTAINER_OF(message, struct dir_failure, message);
	struct partition *partition, *next;

	HASH_ITER(hh, failure->shard->partitions, partition, next)
		if (partition->log && log_dir_of(partition->log) == failure->dir)
			partition_fail(partition);
	free(failure);
}

void replicas_fail_dir(struct replicas *replicas, struct store_dir *dir)
{
	for (int i = 0; i < replicas->n_shards; i++) {
		struct dir_failure *failure = NEW(struct dir_failure);

		failure->shard = replicas->shards[i];
		failure->dir = dir->dir;
		failure->message.run = on_dir_failure;
		worker_post(&replicas->shards[i]->worker, &failure->message);
	}
}
