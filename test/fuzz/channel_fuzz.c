/*
 * What a controller says to a broker: messages one after the other, each a byte for the kind, two for its length (big endian), then its bytes.
 * Kind 0: answers to proposals of a leader that has one under way (its number on the wire is 1), 1: the answer to a client's request (number 1),
 * 2: a view, 3: states of partitions, 4: partitions to be stopped, or erased. This broker has the log of t-0, and leads it; no other log can be made.
 * Whatever comes, a leader stays in its ISR, every request and every order ends once, and a view that is taken is whole.
 */
#include "test/fuzz/fuzz.h"

#include "broker/forward_line.h"
#include "broker/isr_line.h"
#include "broker/log/fd_cache.h"
#include "broker/log/log_dir.h"
#include "broker/replica/partition.h"
#include "broker/replica/replica_isr_core.h"
#include "broker/replica/replica_leader_core.h"
#include "broker/replica/shard.h"
#include "broker/replicas.h"
#include "broker/rt/signals.h"
#include "broker/view_message.h"
#include "common/clock.h"
#include "common/memory.h"
#include "common/trace.h"
#include "proto/cluster/unpack.h"
#include "test/lib/fs_mem.h"

#include <stdlib.h>
#include <string.h>

#define OWN_EPOCH 10
#define TURNS_MAX 100000

static const struct uuid topic_id = {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}};

static struct broker_config *config;
static struct worker hub;
static struct shard shard, *shards[1] = {&shard};
static struct store_dir dirs[2]; /* the first answers that it can make nothing; in the second lies the log */
static struct store store = {.dirs = dirs, .n_dirs = 2};
static struct replicas replicas;
static int n_ordered, n_ended, n_closing;

static void load_config(void)
{
	static const char text[] = "broker.id=1\nzookeeper.connect=127.0.0.1:1\nlisteners=PLAINTEXT://127.0.0.1:0\nlog.dirs=/data\n";
	struct properties properties;
	struct error err;

	properties_init(&properties);
	CHECK(properties_parse(&properties, slice_of_text(text), "fuzz", &err) == 0);
	CHECK(broker_config_load(&properties, NULL, &config, &err) == 0);
	properties_fini(&properties);
}

static void on_dir_failed(void *ctx, struct store_dir *dir)
{
	(void)ctx, (void)dir;
}

static void open_store(void)
{
	struct fs *fs = fs_mem_fs(fs_mem_new(1));
	struct log_dir_args args = {.fs = fs, .path = "/data", .broker_id = 1, .cluster_id = SLICE_LITERAL("c"), .fds = fd_cache_new(fs, 100)};
	struct error err;

	store.config = config;
	store.hub = &hub;
	store.on_dir_failed = on_dir_failed;
	for (int i = 0; i < 2; i++) {
		dirs[i].store = &store;
		dirs[i].path = i == 0 ? "/nowhere" : "/data";
		dirs[i].started = i == 0;
		CHECK(disk_start(&dirs[i].disk, "disk", 10000) == 0);
	}
	CHECK(log_dir_open(&args, &dirs[1].dir, &err) == 0);
	CHECK(log_dir_scan(dirs[1].dir, &err) == 0);
	CHECK(log_dir_load_done(dirs[1].dir) == 0);
}

/* The log of t-0 as the hub has it: as it was before, or, where the last input has erased it, a new one. */
static struct store_log *need_log(void)
{
	struct store_log *log = store_find(&store, SLICE_LITERAL("t"), 0);
	struct log_config log_config = LOG_CONFIG_DEFAULT;
	struct log_observer observer;
	struct error err;

	if (!log) {
		log_dir_remove_all_due(dirs[1].dir, INT64_MAX / 2);
		log = NEW(struct store_log);
		log->key = memory_printf("t-0");
		log->dir = &dirs[1];
		producer_table_init(&log->producers);
		observer = partition_observer(&log->producers);
		CHECK(log_create(dirs[1].dir, SLICE_LITERAL("t"), 0, &topic_id, &log_config, &observer, &log->log, &err) == 0);
		HASH_ADD_KEYPTR(hh, store.logs, log->key, (unsigned)strlen(log->key), log);
	}
	log->claimed = true;
	log->topic_id = topic_id;
	return log;
}

/* Once for the process. */
static void set_up(void)
{
	static bool done;

	if (done)
		return;
	done = true;
	signals_block();
	trace_set_level(TRACE_ERROR);
	load_config();
	CHECK(worker_init(&hub, "hub", 0) == 0);
	open_store();
	CHECK(shard_init(&shard, 0, 1, shards, config) == 0);
	shard.hub = &hub;
	replicas_init(&replicas, &store, shards, 1, &hub, 1);
}

static void send_proposals(void *ctx, const Klamm__IsrProposals *proposals)
{
	(void)ctx, (void)proposals;
}

static void send_forward(void *ctx, const Klamm__Forward *forward)
{
	(void)ctx, (void)forward;
}

static void on_done(struct forward_call *call)
{
	CHECK(call->worker);
	call->worker = NULL;
	buf_release(call->answer);
}

/* Leads alone out of three replicas; broker 2 follows, and is proposed to join. */
static void open_partition(void)
{
	const int32_t all[] = {1, 2, 3};
	struct replica_state state = {
		.leader = 1, .leader_epoch = 5, .partition_epoch = 5, .replicas = all, .n_replicas = 3, .isr = all, .n_isr = 1};
	struct replica_follow follow = {.id = 2, .broker_epoch = 20, .leader_epoch = 5, .last_epoch = -1};
	struct replica_now now = {clock_ms(), INT64_MAX};
	struct partition_key key = {topic_id, 0};
	struct store_log *log = need_log();
	struct partition *partition = partition_open(&shard, &key, SLICE_LITERAL("t"), log->log, &log->dir->disk, &log->producers);
	struct replica_judgement judgement;
	struct replica_actions actions;

	CHECK(partition_become(partition, &state) == 0);
	replica_leader_list(&partition->core, &now, 2, 20, &actions);
	replica_leader_follow(&partition->core, &now, &follow, (struct log_epoch_end){-1, -1}, 1, &judgement, &actions);
	if (actions.propose) {
		struct replica_proposal proposal;

		replica_isr_proposal(&partition->core, &proposal);
		shard.isr->propose(shard.isr->ctx, &shard, &key, &proposal);
	}
}

static void take_view(struct view_messages *gathering, struct view **view, struct slice payload)
{
	struct view *next;

	if (view_message_take(gathering, *view, SLICE_LITERAL("c"), payload, &next) || !next)
		return;
	for (int32_t i = 0; i < next->n_topics; i++) {
		CHECK(next->topics[i]->n_partitions > 0);
		CHECK(view_topic_by_id(next, &next->topics[i]->id) == next->topics[i]);
	}
	view_release(*view);
	*view = next;
}

/* ---- orders ---- */

static void on_results(void *ctx, const struct replica_results *results)
{
	int n = *(int *)ctx;

	CHECK(results->n_errors <= n && results->n_ends <= n);
	for (int i = 0; i < results->n_errors; i++)
		CHECK(results->errors[i].error != 0);
	n_ended++;
}

static void finish_orders(void)
{
	for (int n = 0; n_ended < n_ordered; n++) {
		CHECK(n < TURNS_MAX);
		worker_turn(&shard.worker, 0);
		worker_turn(&hub, n_ended < n_ordered);
	}
}

static void take_states(struct slice payload)
{
	Klamm__PartitionStates *states = unpack_message(&klamm__partition_states__descriptor, payload);
	int n = 0;

	for (size_t i = 0; states && i < states->n_topics; i++)
		n += (int)states->topics[i]->n_partitions;
	if (!states)
		return;
	n_ordered++;
	replicas_apply(&replicas, states, on_results, &n);
	finish_orders();
}

static void take_stop(struct slice payload)
{
	Klamm__StopReplicas *stop = unpack_message(&klamm__stop_replicas__descriptor, payload);
	int n = 0;

	for (size_t i = 0; stop && i < stop->n_topics; i++)
		n += (int)stop->topics[i]->n_partitions;
	if (!stop)
		return;
	n_ordered++;
	replicas_stop(&replicas, stop, on_results, &n);
	finish_orders();
}

static void on_partition_closed(struct partition_closing *closing, int code)
{
	(void)code;
	free(closing);
	n_closing--;
}

/* What was stopped and what was not: a leader leads with itself in sync. */
static void close_partitions(void)
{
	struct partition *partition, *next;

	HASH_ITER(hh, shard.partitions, partition, next) {
		struct partition_closing *closing = NEW(struct partition_closing);

		if (partition->core.role == REPLICA_LEADER)
			CHECK(replica_leader_member(&partition->core, 1)->in_isr && partition->core.n_isr >= 1);
		closing->closed = on_partition_closed;
		n_closing++;
		partition_close(partition, closing);
	}
	for (int n = 0; n_closing > 0; n++) {
		CHECK(n < TURNS_MAX);
		worker_turn(&shard.worker, 1);
	}
}

static void take(struct isr_line *isr_line, struct forward_line *forward_line, struct view_messages *gathering, struct view **view, uint8_t kind,
		 struct slice payload)
{
	switch (kind % 5) {
	case 0:
		isr_line_answers(isr_line, payload);
		break;
	case 1:
		forward_line_answer(forward_line, payload);
		break;
	case 2:
		take_view(gathering, view, payload);
		break;
	case 3:
		take_states(payload);
		break;
	default:
		take_stop(payload);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct isr_line isr_line;
	struct forward_line forward_line;
	struct forward_call call = {.worker = &shard.worker, .api_key = 43, .principal = "User:ANONYMOUS", .done = on_done};
	struct view_messages gathering;
	struct view *view = view_new_empty();

	set_up();
	isr_line_init(&isr_line, &hub, &(struct isr_line_port){NULL, send_proposals});
	forward_line_init(&forward_line, &hub, &(struct forward_line_port){NULL, send_forward});
	view_messages_init(&gathering);
	isr_line_up(&isr_line, OWN_EPOCH);
	forward_line_up(&forward_line);
	shard.isr = &isr_line.port;
	open_partition();
	call.body = buf_new(1);
	call.deadline_ms = clock_ms() + 600000;
	forward_line.port.send(forward_line.port.ctx, &call);
	worker_turn(&hub, 0);
	for (size_t at = 0; at + 3 <= len;) {
		size_t size = (size_t)data[at + 1] << 8 | data[at + 2];
		struct slice payload = slice_of(data + at + 3, size < len - at - 3 ? size : len - at - 3);

		take(&isr_line, &forward_line, &gathering, &view, data[at], payload);
		at += 3 + payload.len;
	}
	worker_turn(&shard.worker, 0);
	forward_line_down(&forward_line);
	/* A disk thread may be about to wake the worker. */
	for (int n = 0; call.worker; n++) {
		CHECK(n < TURNS_MAX);
		worker_turn(&shard.worker, 1);
	}
	buf_release(call.body);
	view_messages_fini(&gathering);
	view_release(view);
	close_partitions();
	isr_line_fini(&isr_line);
	worker_turn(&hub, 0);
	return 0;
}
