/* The leader's side of replication over a socket: broker 1 with partitions on a real folder, and followers that are frames. */
#ifndef KLAMM_TEST_UNIT_BROKER_REPLICA_FEED_FIXTURE_H
#define KLAMM_TEST_UNIT_BROKER_REPLICA_FEED_FIXTURE_H

#include "test/lib/unit.h"

#include "broker/log/fd_cache.h"
#include "broker/log/log_dir.h"
#include "broker/replica/feed_internal.h"
#include "broker/replica/partition.h"
#include "broker/replica/partition_lead.h"
#include "broker/replica/shard.h"
#include "common/clock.h"
#include "common/memory.h"
#include "proto/cluster/cluster.pb-c.h"
#include "proto/cluster/frame_type.h"
#include "proto/kafka_error.h"
#include "proto/record/batch_builder.h"

#include <stdio.h>
#include <sys/socket.h>

#define WAIT_MS 20000
#define N_PARTITIONS 3
#define OWN_EPOCH 10
#define EPOCH_OF(id) (10 * (id))

static const struct uuid topic_id = {{1, 2, 3}};

static struct broker_config *config;
static struct shard shard, *shards[1] = {&shard};
static struct fd_cache *fds;
static struct log_dir *dir;
static struct disk disk;
static struct producer_table producers[N_PARTITIONS];
static struct partition *partitions[N_PARTITIONS];
static int n_done;

/* The other end of a connection, and what came on it last. */
struct follower {
	int32_t id;
	struct peer *peer;
	bool closed;
	int n_answers, n_appends, n_advances, n_closes;
	Klamm__FollowAnswer__Verdict verdict;
	int32_t error;
	int64_t handle; /* of the last OPEN */
	int64_t high_watermark, log_start, epoch_start;
	int32_t diverged_epoch;
	int64_t diverged_end;
	int64_t handles[N_PARTITIONS]; /* by partition */
	int64_t ends[N_PARTITIONS];    /* the follower's log end, as appends bring it there */
	int64_t bytes;
	int64_t bytes_of[N_PARTITIONS];
	bool acks; /* every append at once */
	int64_t closed_handle;
	int32_t close_error;
};

static struct follower two, three, again;

/* ---- broker 1 ---- */

static __attribute__((unused)) void load_config(const char *path)
{
	struct properties properties;
	struct error err;
	char text[512];

	snprintf(text, sizeof text, "broker.id=1\nzookeeper.connect=127.0.0.1:1\nlisteners=PLAINTEXT://127.0.0.1:0\nlog.dirs=%s\n", path);
	properties_init(&properties);
	ck_assert_int_eq(properties_parse(&properties, slice_of_text(text), "test", &err), 0);
	ck_assert_msg(broker_config_load(&properties, NULL, &config, &err) == 0, "%s", err.text);
	properties_fini(&properties);
}

/* A view with broker 1 and those of the list, whose epochs are EPOCH_OF plus `later`. */
static __attribute__((unused)) void set_view(const int32_t *ids, int n, int64_t later)
{
	static int64_t number;
	struct view_broker brokers[4] = {{.id = 1, .epoch = OWN_EPOCH, .ours = true}};
	struct view_delta delta = {.snapshot = true, .has_brokers = true, .controller_epoch = 1, .number = ++number, .brokers = brokers, .n_brokers = n + 1};
	struct view *view;

	for (int i = 0; i < n; i++)
		brokers[i + 1] = (struct view_broker){.id = ids[i], .epoch = EPOCH_OF(ids[i]) + later, .ours = true};
	ck_assert_int_eq(view_apply(shard.view, &delta, &view), 0);
	shard_set_view(&shard, view, broker_config_retain(config));
}

static __attribute__((unused)) void become(int i, int32_t leader, int32_t leader_epoch, int32_t partition_epoch, const int32_t *isr, int32_t n_isr)
{
	const int32_t replicas[] = {1, 2, 3};
	struct replica_state state = {.leader = leader, .leader_epoch = leader_epoch, .partition_epoch = partition_epoch,
				      .replicas = replicas, .n_replicas = 3, .isr = isr, .n_isr = n_isr};

	ck_assert_int_eq(partition_become(partitions[i], &state), 0);
}

static __attribute__((unused)) void lead(int i, int32_t leader_epoch)
{
	become(i, 1, leader_epoch, leader_epoch, (const int32_t[]){1, 2}, 2);
}

static __attribute__((unused)) void configure(struct partition *partition)
{
	struct config_pairs none = {NULL, 0};
	struct topic_config topic;
	struct arena arena;

	arena_init(&arena);
	topic_config_compute(config, none, &arena, &topic, NULL);
	partition_configure(partition, &topic);
	arena_fini(&arena);
}

static __attribute__((unused)) void open_partition(int i)
{
	struct partition_key key = {topic_id, i};
	struct log_config log_config = LOG_CONFIG_DEFAULT;
	struct log_observer observer = partition_observer(&producers[i]);
	struct error err;
	struct log *log;

	producer_table_init(&producers[i]);
	ck_assert_int_eq(log_create(dir, SLICE_LITERAL("t"), i, &topic_id, &log_config, &observer, &log, &err), 0);
	partitions[i] = partition_open(&shard, &key, SLICE_LITERAL("t"), log, &disk, &producers[i]);
	configure(partitions[i]);
}

static __attribute__((unused)) void setup(void)
{
	struct log_dir_args args = {.fs = fs_real(), .path = unit_temp_dir(), .broker_id = 1, .cluster_id = SLICE_LITERAL("c")};
	struct error err;

	n_done = 0;
	two = (struct follower){.id = 2};
	three = (struct follower){.id = 3};
	again = (struct follower){.id = 2};
	load_config(args.path);
	ck_assert_int_eq(shard_init(&shard, 0, 1, shards, config), 0);
	args.fds = fds = fd_cache_new(fs_real(), 100);
	ck_assert_msg(log_dir_open(&args, &dir, &err) == 0, "%s", err.text);
	ck_assert_int_eq(log_dir_scan(dir, &err), 0);
	ck_assert_int_eq(log_dir_load_done(dir), 0);
	ck_assert_int_eq(disk_start(&disk, "disk", 1000), 0);
	shard_set_incarnation(&shard, SLICE_LITERAL("c"), OWN_EPOCH);
	set_view((const int32_t[]){2, 3}, 2, 0);
	for (int i = 0; i < N_PARTITIONS; i++)
		open_partition(i);
}

static __attribute__((unused)) void follower_close(struct follower *follower)
{
	if (follower->peer)
		peer_free(follower->peer);
	follower->peer = NULL;
}

static __attribute__((unused)) void teardown(void)
{
	follower_close(&two);
	follower_close(&three);
	follower_close(&again);
	shard_close_all(&shard);
	disk_stop(&disk);
	worker_drain(&shard.worker);
	ck_assert_int_eq(log_dir_close(dir), 0);
	for (int i = 0; i < N_PARTITIONS; i++)
		producer_table_fini(&producers[i]);
	fd_cache_free(fds);
	shard_fini(&shard);
	broker_config_release(config);
}

static __attribute__((unused)) void turn_until_int(const int *value, int wanted)
{
	int64_t until = clock_ms() + WAIT_MS;

	while (*value < wanted && clock_ms() < until)
		loop_turn(&shard.worker.loop, 100);
	ck_assert_int_eq(*value, wanted);
}

static __attribute__((unused)) void turn_until_i64(const int64_t *value, int64_t wanted)
{
	int64_t until = clock_ms() + WAIT_MS;

	while (*value < wanted && clock_ms() < until)
		loop_turn(&shard.worker.loop, 100);
	ck_assert_int_eq(*value, wanted);
}

static __attribute__((unused)) void turn_until_flag(const bool *flag)
{
	int64_t until = clock_ms() + WAIT_MS;

	while (!*flag && clock_ms() < until)
		loop_turn(&shard.worker.loop, 100);
	ck_assert(*flag);
}

/* Lets what is under way on sockets of this process arrive. */
static __attribute__((unused)) void turn_some(void)
{
	for (int i = 0; i < 20; i++)
		loop_turn(&shard.worker.loop, 1);
}

static __attribute__((unused)) void on_done(struct partition_append *append)
{
	(void)append;
	n_done++;
}

/* One append of one record of so many bytes. Ends last until the next of the same partition. */
/* producer_id -1: none. */
static __attribute__((unused)) struct partition_append *append_of(int i, int64_t producer_id, int32_t sequence, size_t value_bytes, int16_t acks)
{
	static struct partition_append last[N_PARTITIONS];
	static uint8_t bytes[1 << 20], value[1 << 20];
	struct batch_spec spec = batch_spec_default();
	struct batch_builder builder;
	struct slice batch;

	spec.producer_id = producer_id;
	spec.producer_epoch = producer_id < 0 ? -1 : 0;
	spec.base_sequence = sequence;
	batch_builder_init(&builder, &spec);
	batch_builder_add(&builder, 1000, SLICE_LITERAL("k"), slice_of(value, value_bytes), NULL, 0);
	batch = batch_builder_finish(&builder, NULL);
	memcpy(bytes, batch.data, batch.len);
	last[i] = (struct partition_append){.records = bytes, .records_len = batch.len, .acks = acks, .version = 11, .done = on_done};
	batch_builder_fini(&builder);
	partition_append(partitions[i], &last[i]);
	return &last[i];
}

static __attribute__((unused)) struct partition_append *append(int i, size_t value_bytes, int16_t acks)
{
	return append_of(i, -1, -1, value_bytes, acks);
}

/* ---- the followers ---- */

static __attribute__((unused)) void send_ack(struct follower *follower, int64_t handle, int64_t log_end)
{
	Klamm__Ack ack = KLAMM__ACK__INIT;
	Klamm__AckMark mark = KLAMM__ACK_MARK__INIT, *marks[] = {&mark};
	uint8_t bytes[100];

	mark.handle = handle;
	mark.log_end = mark.durable_end = log_end;
	ack.n_marks = 1;
	ack.marks = marks;
	peer_send(follower->peer, FRAME_ACK, SLICE_NULL, slice_of(bytes, klamm__ack__pack(&ack, bytes)), NULL);
}

static __attribute__((unused)) void send_follow_from(struct follower *follower, int i, int32_t leader_epoch, int32_t last_epoch, int64_t log_end, int64_t log_start)
{
	Klamm__Follow follow = KLAMM__FOLLOW__INIT;
	Klamm__FollowPartition partition = KLAMM__FOLLOW_PARTITION__INIT, *list[] = {&partition};
	uint8_t bytes[200];

	partition.topic_id = (ProtobufCBinaryData){sizeof topic_id.bytes, (uint8_t *)(uintptr_t)topic_id.bytes};
	partition.partition = i;
	partition.leader_epoch = leader_epoch;
	partition.last_epoch = last_epoch;
	partition.log_end = partition.durable_end = log_end;
	partition.log_start = log_start;
	follow.n_partitions = 1;
	follow.partitions = list;
	peer_send(follower->peer, FRAME_FOLLOW, SLICE_NULL, slice_of(bytes, klamm__follow__pack(&follow, bytes)), NULL);
}

static __attribute__((unused)) void send_follow(struct follower *follower, int i, int32_t leader_epoch)
{
	send_follow_from(follower, i, leader_epoch, -1, 0, 0);
}

static __attribute__((unused)) void take_following(struct follower *follower, struct slice payload)
{
	Klamm__Following *following = klamm__following__unpack(NULL, payload.len, payload.data);

	ck_assert_ptr_nonnull(following);
	for (size_t i = 0; i < following->n_answers; i++) {
		const Klamm__FollowAnswer *answer = following->answers[i];

		follower->n_answers++;
		follower->verdict = answer->verdict;
		follower->error = answer->error;
		follower->handle = answer->handle;
		follower->high_watermark = answer->high_watermark;
		follower->log_start = answer->log_start;
		follower->epoch_start = answer->epoch_start;
		follower->diverged_epoch = answer->diverged_epoch;
		follower->diverged_end = answer->diverged_end;
		if (answer->verdict == KLAMM__FOLLOW_ANSWER__VERDICT__OPEN)
			follower->handles[answer->partition] = answer->handle;
	}
	klamm__following__free_unpacked(following, NULL);
}

static __attribute__((unused)) int partition_of(const struct follower *follower, int64_t handle)
{
	for (int i = 0; i < N_PARTITIONS; i++)
		if (follower->handles[i] == handle)
			return i;
	ck_abort_msg("data on a handle that was not given");
}

static __attribute__((unused)) void take_append(struct follower *follower, const struct peer_frame *frame)
{
	Klamm__Append *append_message = klamm__append__unpack(NULL, frame->header.len, frame->header.data);
	struct slice left = frame->payload;
	struct batch_header header;
	int i = partition_of(follower, append_message->handle);

	ck_assert_int_eq(append_message->from, follower->ends[i]);
	while (left.len > 0) {
		ck_assert_int_eq(batch_header_parse(left, &header), 0);
		ck_assert_int_eq(header.base_offset, follower->ends[i]);
		ck_assert_uint_le(header.size, left.len);
		follower->ends[i] = batch_next_offset(&header);
		left = slice_of(left.data + header.size, left.len - header.size);
	}
	follower->n_appends++;
	follower->bytes += (int64_t)frame->payload.len;
	follower->bytes_of[i] += (int64_t)frame->payload.len;
	follower->high_watermark = append_message->high_watermark;
	if (follower->acks)
		send_ack(follower, append_message->handle, follower->ends[i]);
	klamm__append__free_unpacked(append_message, NULL);
}

static __attribute__((unused)) void take_advance(struct follower *follower, struct slice payload)
{
	Klamm__Advance *advance = klamm__advance__unpack(NULL, payload.len, payload.data);

	for (size_t i = 0; i < advance->n_marks; i++) {
		follower->high_watermark = advance->marks[i]->high_watermark;
		follower->log_start = advance->marks[i]->log_start;
	}
	follower->n_advances++;
	klamm__advance__free_unpacked(advance, NULL);
}

static __attribute__((unused)) void take_close(struct follower *follower, struct slice header)
{
	Klamm__Close *message = klamm__close__unpack(NULL, header.len, header.data);

	follower->n_closes += (int)message->n_handles;
	follower->closed_handle = message->handles[0];
	follower->close_error = message->error;
	klamm__close__free_unpacked(message, NULL);
}

static __attribute__((unused)) int on_frame(void *ctx, struct peer *peer, const struct peer_frame *frame)
{
	struct follower *follower = ctx;

	(void)peer;
	if (frame->type == FRAME_FOLLOWING)
		take_following(follower, frame->payload);
	else if (frame->type == FRAME_APPEND)
		take_append(follower, frame);
	else if (frame->type == FRAME_ADVANCE)
		take_advance(follower, frame->payload);
	else if (frame->type == FRAME_CLOSE)
		take_close(follower, frame->header);
	return 0;
}

static __attribute__((unused)) void on_closed(void *ctx, struct peer *peer, int code, const char *text)
{
	struct follower *follower = ctx;

	(void)code;
	(void)text;
	follower->closed = true;
	follower->peer = NULL;
	peer_free(peer);
}

static __attribute__((unused)) void connect_as(struct follower *follower, int64_t follower_epoch, int64_t own_epoch)
{
	struct peer_setup peer_setup = {
		.worker = &shard.worker,
		.version = CLUSTER_PROTOCOL_VERSION,
		.limits = peer_limits_default,
		.port = {.on_frame = on_frame, .on_closed = on_closed, .ctx = follower},
	};
	int ends[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	follower->peer = peer_adopt(&peer_setup, &(struct detached){.fd = ends[0]});
	feeds_adopt(&shard.feeds, &(struct detached){.fd = ends[1]}, follower->id, follower_epoch, own_epoch);
}

static __attribute__((unused)) void connect_follower(struct follower *follower)
{
	connect_as(follower, EPOCH_OF(follower->id), OWN_EPOCH);
}

static __attribute__((unused)) const struct replica_member *member(int i, int32_t id)
{
	return replica_leader_member(&partitions[i]->core, id);
}

static __attribute__((unused)) void on_deleted(struct partition_deletion *deletion)
{
	(void)deletion;
}

#endif
