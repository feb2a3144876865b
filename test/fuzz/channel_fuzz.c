/*
 * What a controller says to a broker: messages one after the other, each a byte for the kind, two for its length (big endian), then its bytes.
 * Kind 0: answers to proposals of a leader that has one under way (its number on the wire is 1), 1: the answer to a client's request (number 1),
 * 2: a view. Whatever comes, the leader stays in its ISR, every request ends once, and a view that is taken is whole.
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
#include "broker/rt/signals.h"
#include "broker/view_message.h"
#include "common/clock.h"
#include "common/memory.h"
#include "common/trace.h"
#include "test/lib/fs_mem.h"

#include <string.h>

#define OWN_EPOCH 10

static const struct uuid topic_id = {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}};

static struct broker_config *config;
static struct worker hub;
static struct shard shard, *shards[1] = {&shard};
static struct disk disk; /* not started: nothing here is ever synced */
static struct producer_table producers;
static struct log *partition_log;

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

static void make_log(void)
{
	struct fs *fs = fs_mem_fs(fs_mem_new(1));
	struct log_dir_args args = {.fs = fs, .path = "/data", .broker_id = 1, .cluster_id = SLICE_LITERAL("c"), .fds = fd_cache_new(fs, 100)};
	struct log_config log_config = LOG_CONFIG_DEFAULT;
	struct log_observer observer = partition_observer(&producers);
	struct log_dir *dir;
	struct error err;

	producer_table_init(&producers);
	CHECK(log_dir_open(&args, &dir, &err) == 0);
	CHECK(log_dir_scan(dir, &err) == 0);
	CHECK(log_dir_load_done(dir) == 0);
	CHECK(log_create(dir, SLICE_LITERAL("t"), 0, &topic_id, &log_config, &observer, &partition_log, &err) == 0);
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
	make_log();
	CHECK(worker_init(&hub, "hub", 0) == 0);
	CHECK(shard_init(&shard, 0, 1, shards, config) == 0);
	shard.hub = &hub;
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
static struct partition *open_partition(void)
{
	const int32_t replicas[] = {1, 2, 3}, isr[] = {1};
	struct replica_state state = {
		.leader = 1, .leader_epoch = 5, .partition_epoch = 5, .replicas = replicas, .n_replicas = 3, .isr = isr, .n_isr = 1};
	struct replica_follow follow = {.id = 2, .broker_epoch = 20, .leader_epoch = 5, .last_epoch = -1};
	struct replica_now now = {clock_ms(), INT64_MAX};
	struct partition_key key = {topic_id, 0};
	struct partition *partition = partition_open(&shard, &key, SLICE_LITERAL("t"), partition_log, &disk, &producers);
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
	return partition;
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct isr_line isr_line;
	struct forward_line forward_line;
	struct forward_call call = {.worker = &shard.worker, .api_key = 43, .principal = "User:ANONYMOUS", .done = on_done};
	struct view_messages gathering;
	struct view *view = view_new_empty();
	struct partition *partition;

	set_up();
	isr_line_init(&isr_line, &hub, &(struct isr_line_port){NULL, send_proposals});
	forward_line_init(&forward_line, &hub, &(struct forward_line_port){NULL, send_forward});
	view_messages_init(&gathering);
	isr_line_up(&isr_line, OWN_EPOCH);
	forward_line_up(&forward_line);
	shard.isr = &isr_line.port;
	partition = open_partition();
	call.body = buf_new(1);
	call.deadline_ms = clock_ms() + 600000;
	forward_line.port.send(forward_line.port.ctx, &call);
	worker_turn(&hub, 0);
	for (size_t at = 0; at + 3 <= len;) {
		size_t size = (size_t)data[at + 1] << 8 | data[at + 2];
		struct slice payload = slice_of(data + at + 3, size < len - at - 3 ? size : len - at - 3);

		if (data[at] % 3 == 0)
			isr_line_answers(&isr_line, payload);
		else if (data[at] % 3 == 1)
			forward_line_answer(&forward_line, payload);
		else
			take_view(&gathering, &view, payload);
		at += 3 + payload.len;
	}
	worker_turn(&shard.worker, 0);
	CHECK(replica_leader_member(&partition->core, 1)->in_isr && partition->core.n_isr >= 1);
	forward_line_down(&forward_line);
	worker_turn(&shard.worker, 0);
	CHECK(!call.worker);
	buf_release(call.body);
	view_messages_fini(&gathering);
	view_release(view);
	partition_close(partition, false, NULL);
	isr_line_fini(&isr_line);
	worker_turn(&hub, 0);
	return 0;
}
