/* Carrying out a controller's orders; see replicas.h. */
#include "broker/replicas.h"

#include "broker/log/log_dir.h"
#include "broker/meta/topic_name_core.h"
#include "broker/replica/partition.h"
#include "common/memory.h"
#include "common/trace.h"
#include "proto/cluster/cluster.pb-c.h"
#include "proto/kafka_error.h"

#include <stdlib.h>
#include <utlist.h>

/* One partition of an order. */
struct replica_task {
	struct slice topic;
	struct partition_key key;
	struct replica_state state;
	const Klamm__PartitionTopic *configs; /* of the topic's message, for configs; NULL when stopping */
	bool erase;
	bool is_new;     /* the controller has just made it: no log of it can lie anywhere */
	struct store_log *log;
	bool claimed;    /* by this order */
	bool missing;    /* the log is to be made */
	bool deletes;    /* the log is to be deleted by the store, which is not under way yet */
	int16_t error;
	bool again;      /* the error is one of a full disk */
	struct partition_closing closing;
	bool let_go;     /* the shard has given up the log */
	bool ended;      /* it has no leader, and its log goes so far: */
	int32_t last_epoch;
	int64_t end_offset;
	struct shard_work *work;
	struct replica_task *next; /* of a shard's work */
};

struct shard_work {
	struct message message;
	struct replica_order *order;
	struct shard *shard;
	struct replica_task *tasks;
	int n_open; /* the shard's: tasks that have not ended, and one for the walk over them */
};

struct replica_order {
	struct replicas *replicas;
	struct replica_order *next;
	struct replica_order *deleting_next, *deleting_prev;
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
	int n_deleting; /* sets of deletions under way */
	bool detached;  /* only they are left of it: others have their turn */
	struct shard_work *work; /* by shard */
	int n_working;
	bool abandoned;
};

static void order_begin(struct replica_order *order);

void replicas_init(struct replicas *replicas, struct store *store, struct shard **shards, int n_shards, struct worker *hub, int32_t broker)
{
	*replicas = (struct replicas){.store = store, .shards = shards, .n_shards = n_shards, .hub = hub, .broker = broker};
	replicas->tail = &replicas->first;
}

bool replicas_are_idle(const struct replicas *replicas)
{
	return !replicas->first && !replicas->deleting;
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

/* A stopped partition's log is the hub's again. */
static void settle_stopped(struct replica_task *task)
{
	if (!task->let_go)
		return;
	task->log->claimed = false;
	task->deletes = task->erase && !task->error;
}

static void tell_idle(struct replicas *replicas)
{
	if (replicas->on_idle && replicas_are_idle(replicas))
		replicas->on_idle(replicas->idle_ctx);
}

static void order_tell(struct replica_order *order)
{
	struct replica_error *errors = arena_zalloc(&order->arena, (size_t)order->n_tasks, sizeof *errors);
	struct replica_end *ends = arena_zalloc(&order->arena, (size_t)order->n_tasks, sizeof *ends);
	struct replica_results results = {.request = order->request, .errors = errors, .ends = ends};

	for (int i = 0; i < order->n_tasks; i++) {
		const struct replica_task *task = &order->tasks[i];

		if (task->error)
			errors[results.n_errors++] = (struct replica_error){task->key.topic_id, task->key.index, task->error, task->again};
		if (task->ended)
			ends[results.n_ends++] = (struct replica_end){task->key.topic_id, task->key.index, task->state.leader_epoch,
								      task->last_epoch, task->end_offset};
	}
	if (order->done)
		order->done(order->ctx, &results);
	order_free(order);
}

/* Logs of an order that the store deletes together. */
struct replica_deletions {
	struct replica_order *order;
	struct replica_task **tasks;
	struct store_deletion *list;
	int n;
};

static void on_deleted(void *ctx)
{
	struct replica_deletions *deletions = ctx;
	struct replica_order *order = deletions->order;
	struct replicas *replicas = order->replicas;

	for (int i = 0; i < deletions->n; i++) {
		int code = deletions->list[i].code;

		/* A damaged one tells only now whose it is. */
		if (code && code != ERR_VERSION)
			deletions->tasks[i]->error = KAFKA_STORAGE_ERROR;
	}
	if (--order->n_deleting > 0 || !order->detached)
		return;
	DL_DELETE2(replicas->deleting, order, deleting_prev, deleting_next);
	order_tell(order);
	tell_idle(replicas);
}

/* What the tasks that say so have of logs is deleted, and the order does not end before it is. */
static void delete_logs(struct replica_order *order)
{
	struct replica_deletions *deletions = arena_zalloc(&order->arena, 1, sizeof *deletions);
	int n = 0;

	for (int i = 0; i < order->n_tasks; i++)
		n += order->tasks[i].deletes;
	if (n == 0)
		return;
	deletions->order = order;
	deletions->tasks = arena_zalloc(&order->arena, (size_t)n, sizeof(struct replica_task *));
	deletions->list = arena_zalloc(&order->arena, (size_t)n, sizeof *deletions->list);
	for (int i = 0; i < order->n_tasks; i++) {
		struct replica_task *task = &order->tasks[i];

		if (!task->deletes)
			continue;
		deletions->list[deletions->n] = (struct store_deletion){.log = task->log, .key = task->key, .topic = task->topic};
		deletions->tasks[deletions->n++] = task;
		task->deletes = false;
		task->log = NULL;
	}
	order->n_deleting++;
	store_delete(order->replicas->store, deletions->list, n, on_deleted, deletions);
}

/* A disk that hangs over a deletion holds up the answer to that, but nothing that comes after it. */
static void order_end(struct replica_order *order)
{
	struct replicas *replicas = order->replicas;
	struct replica_order *next = order->next;

	for (int i = 0; i < order->n_tasks; i++)
		settle_stopped(&order->tasks[i]);
	delete_logs(order);
	replicas->first = next;
	if (!next)
		replicas->tail = &replicas->first;
	order->detached = true;
	if (order->n_deleting > 0)
		DL_APPEND2(replicas->deleting, order, deleting_prev, deleting_next);
	else
		order_tell(order);
	if (next)
		order_begin(next);
	else
		tell_idle(replicas);
}

/* What was claimed or made for shards that will not hear of it is the hub's again. */
static void order_cancel(struct replica_order *order)
{
	for (int i = 0; i < order->n_tasks; i++)
		if (order->tasks[i].claimed)
			order->tasks[i].log->claimed = false;
	order_end(order);
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
	if (task->error || task->state.leader >= 0)
		return;
	task->ended = true;
	task->last_epoch = partition_last_epoch(partition);
	task->end_offset = log_end_offset(partition->log);
}

static void on_work_home(struct message *message)
{
	struct shard_work *work = CONTAINER_OF(message, struct shard_work, message);

	if (--work->order->n_working == 0)
		order_end(work->order);
}

static void task_done(struct shard_work *work)
{
	if (--work->n_open > 0)
		return;
	work->message.run = on_work_home;
	worker_post(work->order->replicas->hub, &work->message);
}

static void on_partition_closed(struct partition_closing *closing, int code)
{
	struct replica_task *task = CONTAINER_OF(closing, struct replica_task, closing);

	task->let_go = true;
	if (code)
		task->error = KAFKA_STORAGE_ERROR;
	task_done(task->work);
}

static void stop_task(struct shard *shard, struct replica_task *task)
{
	struct partition *partition = shard_find(shard, &task->key.topic_id, task->key.index);

	if (!partition)
		return;
	task->work->n_open++;
	task->closing.closed = on_partition_closed;
	partition_close(partition, &task->closing);
}

static void on_work(struct message *message)
{
	struct shard_work *work = CONTAINER_OF(message, struct shard_work, message);

	work->n_open = 1;
	for (struct replica_task *task = work->tasks; task; task = task->next) {
		if (work->order->states)
			apply_task(work->shard, task);
		else
			stop_task(work->shard, task);
	}
	task_done(work);
}

/* Whether the shard has to do with it: a partition is stopped there only under the name and id that its log is claimed for. */
static bool is_for_shard(const struct replica_order *order, const struct replica_task *task)
{
	if (task->error)
		return false;
	return order->states || (task->log && task->log->claimed && uuid_equal(&task->log->topic_id, &task->key.topic_id));
}

/* Sends every task that is left to its shard. */
static void order_work(struct replica_order *order)
{
	struct replicas *replicas = order->replicas;

	if (order->abandoned) {
		order_cancel(order);
		return;
	}
	order->work = arena_zalloc(&order->arena, (size_t)replicas->n_shards, sizeof *order->work);
	for (int i = order->n_tasks - 1; i >= 0; i--) {
		struct replica_task *task = &order->tasks[i];
		struct shard_work *work;

		if (!is_for_shard(order, task))
			continue;
		work = &order->work[shard_owner(replicas->shards[0], &task->key.topic_id, task->key.index)->index];
		task->work = work;
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

static int16_t refuse_other_id(const struct replica_task *task, const struct uuid *have)
{
	char ours[UUID_TEXT_LEN + 1], theirs[UUID_TEXT_LEN + 1];

	uuid_format(have, ours);
	uuid_format(&task->key.topic_id, theirs);
	trace_limited(TRACE_ERROR, "replicas",
		      "%s/%s holds the log of topic id %s, but the topic of that name has id %s now: the partition stays offline. Nothing is "
		      "deleted; when its data is not wanted, stop the broker and move the folder away",
		      task->log->dir->path, task->log->key, ours, theirs);
	return KAFKA_INCONSISTENT_TOPIC_ID;
}

static int16_t storage_error(struct replica_task *task, int code)
{
	task->again = code == ERR_NO_SPACE;
	return KAFKA_STORAGE_ERROR;
}

/* A log under this name: is it the topic's, or left from one of the same name that was deleted (M2)? */
static int16_t claim(struct replica_task *task)
{
	struct store_log *log = task->log;
	struct uuid have;
	int r;

	if (log->claimed)
		return uuid_equal(&log->topic_id, &task->key.topic_id) ? 0 : refuse_other_id(task, &log->topic_id);
	if (log_dir_failed(log->dir->dir))
		return KAFKA_STORAGE_ERROR;
	if (log->log) {
		have = log_topic_id(log->log);
		r = uuid_is_zero(&have) ? log_set_topic_id(log->log, &task->key.topic_id) : 0;
		if (r)
			return storage_error(task, r);
		if (!uuid_is_zero(&have) && !uuid_equal(&have, &task->key.topic_id))
			return refuse_other_id(task, &have);
	}
	log->claimed = task->claimed = true;
	log->topic_id = task->key.topic_id;
	return 0;
}

static void take_created(void *ctx)
{
	struct replica_order *order = ctx;
	int at = 0;

	for (int i = 0; i < order->n_tasks; i++) {
		struct replica_task *task = &order->tasks[i];

		if (!task->missing)
			continue;
		task->log = order->creations[at].log;
		task->error = task->log ? claim(task) : storage_error(task, order->creations[at].code);
		at++;
	}
	order_work(order);
}

/*
 * A log that is not found may lie in a dir that does not work. To begin it anew elsewhere would be to lose it; and taken for erased it would
 * come back beside another of its name.
 */
static int16_t lies_nowhere(const struct replica_order *order)
{
	return store_is_whole(order->replicas->store) ? 0 : KAFKA_STORAGE_ERROR;
}

static int16_t may_make(const struct replica_order *order, const struct replica_task *task)
{
	return task->is_new ? 0 : lies_nowhere(order);
}

static void find_logs(struct replica_order *order)
{
	for (int i = 0; i < order->n_tasks; i++) {
		struct replica_task *task = &order->tasks[i];

		if (task->error)
			continue;
		task->log = store_find(order->replicas->store, task->topic, task->key.index);
		task->error = task->log ? claim(task) : may_make(order, task);
		task->missing = !task->log && !task->error;
		order->n_creations += task->missing;
	}
}

static void make_logs(struct replica_order *order)
{
	int at = 0;

	order->creations = arena_zalloc(&order->arena, (size_t)order->n_creations, sizeof *order->creations);
	for (int i = 0; i < order->n_tasks; i++) {
		struct replica_task *task = &order->tasks[i];

		if (task->missing)
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

/* The topic of an order: its name becomes a path, its id the key. */
static bool is_topic(const char *name, const ProtobufCBinaryData *id, struct uuid *ret_id)
{
	*ret_id = UUID_ZERO;
	return uuid_of(id, ret_id) && !uuid_is_zero(ret_id) && topic_name_is_valid(slice_of_text(name));
}

static int compare_indexes(const void *a, const void *b)
{
	int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;

	return x < y ? -1 : x > y;
}

static const int32_t *sorted_copy(struct arena *arena, const int32_t *indexes, size_t n)
{
	int32_t *copy = arena_alloc(arena, n * sizeof *copy);

	if (n > 0) {
		memcpy(copy, indexes, n * sizeof *copy);
		qsort(copy, n, sizeof *copy, compare_indexes);
	}
	return copy;
}

/* Kafka error for a partition of a state order; not one of its replicas: Kafka's broker says so, too. */
static int16_t judge_states(const struct replica_order *order, bool known, const Klamm__Partition *from)
{
	if (!known || from->index < 0)
		return KAFKA_INVALID_REQUEST;
	return holds(from, order->replicas->broker) ? 0 : KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
}

static void read_states_topic(struct replica_order *order, const Klamm__PartitionTopic *topic)
{
	const int32_t *new = sorted_copy(&order->arena, topic->fresh, topic->n_fresh);
	struct uuid id;
	bool known = is_topic(topic->name, &topic->id, &id);

	for (size_t i = 0; i < topic->n_partitions; i++) {
		const Klamm__Partition *from = topic->partitions[i];

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
			.is_new = bsearch(&from->index, new, topic->n_fresh, sizeof *new, compare_indexes) != NULL,
			.error = judge_states(order, known, from),
		};
	}
}

static void carry_out_states(struct replica_order *order);

static void on_names_free(void *ctx)
{
	carry_out_states(ctx);
}

static struct store_log *log_in_deletion(const struct replica_order *order, const struct replica_task *task)
{
	struct store_log *log = task->error ? NULL : store_find(order->replicas->store, task->topic, task->key.index);

	return log && log->deletion ? log : NULL;
}

/* A log of that name is still being deleted, since its disk takes its time: what comes after it waits (M2). False: there is none. */
static bool await_names(struct replica_order *order)
{
	struct store_deletion *list = arena_zalloc(&order->arena, (size_t)order->n_tasks, sizeof *list);
	int n = 0;

	for (int i = 0; i < order->n_tasks; i++) {
		const struct replica_task *task = &order->tasks[i];
		struct store_log *log = log_in_deletion(order, task);

		if (log)
			list[n++] = (struct store_deletion){.log = log, .key = task->key, .topic = task->topic};
	}
	if (n > 0)
		store_delete(order->replicas->store, list, n, on_names_free, order);
	return n > 0;
}

static void carry_out_states(struct replica_order *order)
{
	if (await_names(order))
		return;
	find_logs(order);
	if (order->n_creations)
		make_logs(order);
	else
		order_work(order);
}

static void begin_states(struct replica_order *order)
{
	size_t n = 0;

	for (size_t i = 0; i < order->states->n_topics; i++)
		n += order->states->topics[i]->n_partitions;
	order->tasks = arena_zalloc(&order->arena, n, sizeof *order->tasks);
	for (size_t i = 0; i < order->states->n_topics; i++)
		read_states_topic(order, order->states->topics[i]);
	carry_out_states(order);
}

/* A log that no shard has: it is the hub's to delete, if it is of this topic. */
static void stop_unclaimed(struct replica_order *order, struct replica_task *task)
{
	struct uuid have;

	if (!task->log && task->erase)
		task->error = lies_nowhere(order);
	if (!task->log || task->log->claimed || !task->erase)
		return;
	have = task->log->log ? log_topic_id(task->log->log) : UUID_ZERO;
	if (!uuid_is_zero(&have) && !uuid_equal(&have, &task->key.topic_id))
		return;
	task->deletes = true;
}

static void read_stop_topic(struct replica_order *order, const Klamm__StopTopic *topic)
{
	struct uuid id;
	bool known = is_topic(topic->name, &topic->id, &id);

	for (size_t i = 0; i < topic->n_partitions; i++) {
		struct replica_task *task = &order->tasks[order->n_tasks++];

		*task = (struct replica_task){
			.topic = slice_of_text(topic->name),
			.key = {id, topic->partitions[i]},
			.erase = topic->erase,
			.error = known && topic->partitions[i] >= 0 ? 0 : KAFKA_INVALID_REQUEST,
		};
		if (task->error)
			continue;
		task->log = store_find(order->replicas->store, task->topic, task->key.index);
		stop_unclaimed(order, task);
	}
}

static void begin_stop(struct replica_order *order)
{
	size_t n = 0;

	for (size_t i = 0; i < order->stop->n_topics; i++)
		n += order->stop->topics[i]->n_partitions;
	order->tasks = arena_zalloc(&order->arena, n, sizeof *order->tasks);
	for (size_t i = 0; i < order->stop->n_topics; i++)
		read_stop_topic(order, order->stop->topics[i]);
	delete_logs(order);
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
	bool is_first = !replicas->first;

	order->replicas = replicas;
	order->request = request;
	order->done = done;
	order->ctx = ctx;
	arena_init(&order->arena);
	if (replicas->closed) {
		order_free(order);
		return;
	}
	*replicas->tail = order;
	replicas->tail = &order->next;
	if (is_first)
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
	struct replica_order *order;

	for (order = replicas->first; order; order = order->next)
		if (order->ctx == ctx)
			order->done = NULL;
	DL_FOREACH2(replicas->deleting, order, deleting_next)
		if (order->ctx == ctx)
			order->done = NULL;
}

void replicas_abandon(struct replicas *replicas)
{
	struct replica_order *at_work = replicas->first, *order;

	DL_FOREACH2(replicas->deleting, order, deleting_next)
		order->done = NULL;
	if (!at_work)
		return;
	at_work->abandoned = true;
	at_work->done = NULL;
	while ((order = at_work->next) != NULL) {
		at_work->next = order->next;
		order_free(order);
	}
	replicas->tail = &at_work->next;
}

void replicas_close(struct replicas *replicas, void (*on_idle)(void *ctx), void *ctx)
{
	replicas->closed = true;
	replicas->on_idle = on_idle;
	replicas->idle_ctx = ctx;
	replicas_abandon(replicas);
	tell_idle(replicas);
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
	DL_FOREACH_SAFE(failure->shard->closing, partition, next)
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
