/*
 * Frames of a follower to its leader: the first byte chooses which follower, the second how long the pieces are that the bytes come in. Broker 1
 * leads t-0 in epoch 5 with three records; after half of the bytes one more is appended, and then, if the first byte is odd, epoch 6 begins.
 * Whatever comes, the connection ends, its handles are closed, and the high watermark is one that the followers can have acked.
 */
#include "test/fuzz/fuzz.h"

#include "broker/log/fd_cache.h"
#include "broker/log/log_dir.h"
#include "broker/replica/partition.h"
#include "broker/replica/shard.h"
#include "broker/rt/signals.h"
#include "common/memory.h"
#include "common/trace.h"
#include "proto/record/batch_builder.h"
#include "test/lib/fs_mem.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define OWN_EPOCH 10
#define TURNS_MAX 100000

static const struct uuid topic_id = {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}};

static struct broker_config *config;
static struct shard shard, *shards[1] = {&shard};
static struct disk disk; /* not started: nothing here is ever synced */
static struct producer_table producers;
static struct log *partition_log;
static struct topic_config topic;
static struct arena arena;

static void load_config(void)
{
	static const char text[] = "broker.id=1\nzookeeper.connect=127.0.0.1:1\nlisteners=PLAINTEXT://127.0.0.1:0\nlog.dirs=/data\n";
	struct config_pairs none = {NULL, 0};
	struct properties properties;
	struct error err;

	properties_init(&properties);
	CHECK(properties_parse(&properties, slice_of_text(text), "fuzz", &err) == 0);
	CHECK(broker_config_load(&properties, NULL, &config, &err) == 0);
	properties_fini(&properties);
	arena_init(&arena);
	topic_config_compute(config, none, &arena, &topic, NULL);
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

static void list_brokers(void)
{
	const struct view_broker brokers[] = {{.id = 1, .epoch = OWN_EPOCH, .ours = true}, {.id = 2, .epoch = 20, .ours = true},
					      {.id = 3, .epoch = 30, .ours = true}};
	struct view_delta delta = {.snapshot = true, .has_brokers = true, .controller_epoch = 1, .number = 1, .brokers = brokers, .n_brokers = 3};
	struct view *view;

	CHECK(view_apply(shard.view, &delta, &view) == 0);
	shard_set_view(&shard, view, broker_config_retain(config));
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
	CHECK(shard_init(&shard, 0, 1, shards, config) == 0);
	shard_set_incarnation(&shard, SLICE_LITERAL("c"), OWN_EPOCH);
	list_brokers();
}

static void on_done(struct partition_append *append)
{
	(void)append;
}

static void append(struct partition *partition)
{
	struct batch_spec spec = batch_spec_default();
	struct partition_append append = {.acks = 1, .version = 11, .done = on_done};
	struct batch_builder builder;
	struct slice batch;

	batch_builder_init(&builder, &spec);
	batch_builder_add(&builder, 1000, SLICE_LITERAL("k"), SLICE_LITERAL("value"), NULL, 0);
	batch = batch_builder_finish(&builder, NULL);
	append.records = (uint8_t *)(uintptr_t)batch.data;
	append.records_len = batch.len;
	partition_append(partition, &append);
	batch_builder_fini(&builder);
}

static void lead(struct partition *partition, int32_t leader_epoch)
{
	const int32_t replicas[] = {1, 2, 3}, isr[] = {1, 2};
	struct replica_state state = {.leader = 1, .leader_epoch = leader_epoch, .partition_epoch = leader_epoch, .replicas = replicas,
				      .n_replicas = 3, .isr = isr, .n_isr = 2};

	CHECK(partition_become(partition, &state) == 0);
}

static struct partition *open_partition(void)
{
	struct partition_key key = {topic_id, 0};
	struct partition *partition;

	CHECK(log_truncate_fully(partition_log, 0) == 0);
	log_set_high_watermark(partition_log, 0);
	partition = partition_open(&shard, &key, SLICE_LITERAL("t"), partition_log, &disk, &producers);
	partition_configure(partition, &topic);
	lead(partition, 5);
	for (int i = 0; i < 3; i++)
		append(partition);
	return partition;
}

static void take_answers(int fd)
{
	char answers[4096];

	while (recv(fd, answers, sizeof answers, 0) > 0)
		;
}

/* Something happens to the partition while the follower talks. */
static void go_on(struct partition *partition, bool new_epoch)
{
	append(partition);
	if (new_epoch)
		lead(partition, 6);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const int32_t followers[] = {2, 3, 9, 1};
	struct partition *partition;
	int32_t follower;
	int pair[2], n_turns = 0;
	size_t piece;
	bool went_on = false;

	if (len < 2)
		return 0;
	set_up();
	follower = followers[data[0] / 2 % 4];
	piece = (size_t)data[1] + 1;
	partition = open_partition();
	/* Handles begin anew, so that inputs may name them: no stream is open. */
	shard.feeds.next_handle = 1;
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
	feeds_adopt(&shard.feeds, &(struct detached){.fd = pair[0]}, follower, follower * 10, OWN_EPOCH);
	for (size_t at = 2; at < len && shard.feeds.list; at += piece) {
		(void)!send(pair[1], data + at, len - at < piece ? len - at : piece, MSG_NOSIGNAL);
		worker_turn(&shard.worker, 0);
		take_answers(pair[1]);
		if (at >= len / 2 && !went_on)
			go_on(partition, data[0] % 2);
		went_on = at >= len / 2;
	}
	shutdown(pair[1], SHUT_WR);
	while (shard.feeds.list) {
		CHECK(n_turns++ < TURNS_MAX);
		take_answers(pair[1]);
		worker_turn(&shard.worker, 0);
	}
	close(pair[1]);
	CHECK(!partition->streams && shard.feeds.n_parked == 0);
	CHECK(partition->core.high_watermark <= log_end_offset(partition_log));
	partition_close(partition, NULL);
	return 0;
}
