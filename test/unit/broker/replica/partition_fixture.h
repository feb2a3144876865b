/* One partition, of topic t unless a test says another name, on a shard of its own, on a real folder; its broker is 1, and leads alone in epoch 0 after setup. */
#ifndef KLAMM_TEST_UNIT_BROKER_REPLICA_PARTITION_FIXTURE_H
#define KLAMM_TEST_UNIT_BROKER_REPLICA_PARTITION_FIXTURE_H

#include "test/lib/unit.h"

#include "broker/log/fd_cache.h"
#include "broker/log/log_dir.h"
#include "broker/replica/partition.h"
#include "broker/replica/shard.h"
#include "common/clock.h"
#include "common/memory.h"
#include "proto/kafka_error.h"
#include "proto/record/batch_builder.h"

#include <stdio.h>

static const struct uuid topic_id = {{1, 2, 3}};

static struct broker_config *config;
static struct shard shard, *shards[1] = {&shard};
static struct fd_cache *fds;
static struct log_dir *dir;
static struct disk disk;
static bool dir_fails;          /* a test expects that the dir cannot be closed clean */
static struct fs *partition_fs; /* a test's own file system; NULL: a folder on the real one */
static struct producer_table producers;
static struct partition *partition;
static const char *more_properties = ""; /* lines of server.properties that a test adds before setup */
static const char *topic_name = "t";
static void (*shard_made)(void);  /* a test's own: called when there is a shard and no partition yet */
static void (*shard_goes)(void);  /* likewise: when everything on it is closed */
static int n_done;

static void load_config(const char *path)
{
	struct properties properties;
	struct error err;
	char text[1024];

	snprintf(text, sizeof text, "broker.id=1\nzookeeper.connect=127.0.0.1:1\nlisteners=PLAINTEXT://127.0.0.1:0\nlog.dirs=%s\n%s", path,
		 more_properties);
	properties_init(&properties);
	ck_assert_int_eq(properties_parse(&properties, slice_of_text(text), "test", &err), 0);
	ck_assert_msg(broker_config_load(&properties, NULL, &config, &err) == 0, "%s", err.text);
	properties_fini(&properties);
}

static __attribute__((unused)) void become(int32_t leader, int32_t leader_epoch)
{
	const int32_t replicas[] = {1, 2};
	struct replica_state state = {
		.leader = leader, .leader_epoch = leader_epoch, .replicas = replicas, .n_replicas = 2, .isr = &leader, .n_isr = 1};

	ck_assert_int_eq(partition_become(partition, &state), 0);
}

static void configure(const char *key, const char *value)
{
	struct config_pair pair = {slice_of_text(key), slice_of_text(value)};
	struct config_pairs pairs = {&pair, key ? 1 : 0};
	struct topic_config topic;
	struct arena arena;

	arena_init(&arena);
	topic_config_compute(config, pairs, &arena, &topic, NULL);
	partition_configure(partition, &topic);
	arena_fini(&arena);
}

static void setup(void)
{
	struct fs *fs = partition_fs ? partition_fs : fs_real();
	struct log_dir_args args = {.fs = fs, .path = partition_fs ? "/data" : unit_temp_dir(), .broker_id = 1, .cluster_id = SLICE_LITERAL("c")};
	struct partition_key key = {topic_id, 0};
	struct log_config log_config = LOG_CONFIG_DEFAULT;
	struct log_observer observer;
	struct error err;
	struct log *log;

	n_done = 0;
	load_config(args.path);
	ck_assert_int_eq(shard_init(&shard, 0, 1, shards, config), 0);
	if (shard_made)
		shard_made();
	args.fds = fds = fd_cache_new(fs, 100);
	ck_assert_msg(log_dir_open(&args, &dir, &err) == 0, "%s", err.text);
	ck_assert_int_eq(log_dir_scan(dir, &err), 0);
	ck_assert_int_eq(log_dir_load_done(dir), 0);
	producer_table_init(&producers);
	observer = partition_observer(&producers);
	ck_assert_int_eq(log_create(dir, slice_of_text(topic_name), 0, &topic_id, &log_config, &observer, &log, &err), 0);
	ck_assert_int_eq(disk_start(&disk, "disk", 1000), 0);
	partition = partition_open(&shard, &key, slice_of_text(topic_name), log, &disk, &producers);
	configure(NULL, NULL);
	become(1, 0);
}

static void teardown(void)
{
	shard_close_all(&shard);
	disk_stop(&disk);
	worker_drain(&shard.worker);
	ck_assert_int_eq(log_dir_close(dir) != 0, dir_fails);
	producer_table_fini(&producers);
	fd_cache_free(fds);
	if (shard_goes)
		shard_goes();
	shard_fini(&shard);
	broker_config_release(config);
}

static void on_done(struct partition_append *append)
{
	(void)append;
	n_done++;
}

/* One append with a batch of n records of a producer; -1: none. The records live until the next call. */
static __attribute__((unused)) struct partition_append *append(int64_t producer_id, int32_t sequence, int n, int16_t acks)
{
	static struct partition_append last;
	static uint8_t bytes[4096];
	struct batch_spec spec = batch_spec_default();
	struct batch_builder builder;
	struct slice batch;

	spec.producer_id = producer_id;
	spec.producer_epoch = producer_id < 0 ? -1 : 0;
	spec.base_sequence = sequence;
	batch_builder_init(&builder, &spec);
	for (int i = 0; i < n; i++)
		batch_builder_add(&builder, 1000 + i, SLICE_LITERAL("k"), SLICE_LITERAL("value"), NULL, 0);
	batch = batch_builder_finish(&builder, NULL);
	memcpy(bytes, batch.data, batch.len);
	last = (struct partition_append){.records = bytes, .records_len = batch.len, .acks = acks, .version = 11, .done = on_done};
	batch_builder_fini(&builder);
	partition_append(partition, &last);
	return &last;
}

static __attribute__((unused)) struct partition_read read_at(int64_t offset)
{
	struct partition_read read = {.offset = offset, .bytes_max = 1 << 20, .leader_epoch = -1, .last_fetched_epoch = -1};

	partition_read(partition, &read);
	return read;
}

/* Runs what is posted and due, until the condition holds or ten seconds are over. */
static __attribute__((unused)) void turn_until(const int *count, int wanted)
{
	int64_t until = clock_ms() + 10000;

	while (*count < wanted && clock_ms() < until)
		loop_turn(&shard.worker.loop, 100);
	ck_assert_int_eq(*count, wanted);
}

#endif
