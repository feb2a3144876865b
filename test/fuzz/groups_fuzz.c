/*
 * A partition of the offsets topic, as a coordinator finds it when it begins to lead: records one after the other, each a byte for the kind, two
 * for the length of its key, two for that of its value (big endian), then both. Kind (its low four bits) 0: a record, 1: a tombstone, 2: of the
 * transaction of the producer that the high bits name, 3 and 4: its commit and abort, 5: in a batch whose checksum is wrong.
 * Whatever the log holds, it is loaded, every group can be described, read, left, joined and deleted, every call ends once, and the next
 * coordinator finds no more than what was left.
 */
#include "test/fuzz/fuzz.h"

#include "broker/coord/coordinator.h"
#include "broker/log/fd_cache.h"
#include "broker/log/log_dir.h"
#include "broker/meta/internal_topics_core.h"
#include "broker/replica/partition_internal.h"
#include "broker/rt/signals.h"
#include "common/bytes.h"
#include "common/clock.h"
#include "common/memory.h"
#include "common/trace.h"
#include "proto/kafka_error.h"
#include "proto/record/batch_builder.h"
#include "test/lib/fs_mem.h"

#include <stdlib.h>
#include <string.h>

#define TURNS_MAX 100000

static const struct uuid topic_id = {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}};
static const struct coordinator_place place = {{{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}}, 0};

static struct broker_config *config;
static struct shard shard, *shards[1] = {&shard};
static struct log_dir *dir;
static struct disk disk;
static struct producer_table producers;
static struct partition *partition;
static bool closed;

/* Once for the process. */
static void set_up(void)
{
	static const char text[] = "broker.id=1\nzookeeper.connect=127.0.0.1:1\nlisteners=PLAINTEXT://127.0.0.1:0\nlog.dirs=/data\n"
				   "group.initial.rebalance.delay.ms=0\n";
	static bool done;
	struct fs *fs;
	struct log_dir_args args = {.path = "/data", .broker_id = 1, .cluster_id = SLICE_LITERAL("c")};
	struct properties properties;
	struct error err;

	if (done)
		return;
	done = true;
	signals_block();
	trace_set_level(TRACE_ERROR);
	properties_init(&properties);
	CHECK(properties_parse(&properties, slice_of_text(text), "fuzz", &err) == 0);
	CHECK(broker_config_load(&properties, NULL, &config, &err) == 0);
	properties_fini(&properties);
	args.fs = fs = fs_mem_fs(fs_mem_new(1));
	args.fds = fd_cache_new(fs, 100);
	CHECK(log_dir_open(&args, &dir, &err) == 0);
	CHECK(log_dir_scan(dir, &err) == 0);
	CHECK(log_dir_load_done(dir) == 0);
	CHECK(disk_start(&disk, "disk", 10000) == 0);
	CHECK(shard_init(&shard, 0, 1, shards, config) == 0);
	coordinator_open(&shard);
}

/* ---- the log ---- */

static void open_partition(void)
{
	struct log_config log_config = LOG_CONFIG_DEFAULT;
	struct partition_key key = {topic_id, 0};
	struct log_observer observer;
	struct error err;
	struct log *log;

	producer_table_init(&producers);
	observer = partition_observer(&producers);
	CHECK(log_create(dir, SLICE_LITERAL(INTERNAL_TOPIC_OFFSETS), 0, &topic_id, &log_config, &observer, &log, &err) == 0);
	partition = partition_open(&shard, &key, SLICE_LITERAL(INTERNAL_TOPIC_OFFSETS), log, &disk, &producers);
}

static void append(uint8_t *batch, size_t len)
{
	struct log_append_info info = {.now_ms = 1};

	batch_stamp(batch, log_end_offset(partition->log), 0);
	CHECK(log_append(partition->log, batch, len, &info) == 0);
	partition_log_moved(partition);
}

static void put_record(int64_t producer_id, struct slice key, struct slice value, bool damaged)
{
	struct batch_spec spec = batch_spec_default();
	struct batch_builder builder;
	struct slice batch;

	spec.producer_id = producer_id;
	spec.producer_epoch = producer_id < 0 ? -1 : 0;
	spec.transactional = producer_id >= 0;
	batch_builder_init(&builder, &spec);
	batch_builder_add(&builder, 1, key, value, NULL, 0);
	batch = batch_builder_finish(&builder, NULL);
	builder.buf->data[batch.len - 1] ^= damaged;
	append(builder.buf->data, batch.len);
	batch_builder_fini(&builder);
}

static void put_marker(int64_t producer_id, enum control_type type)
{
	struct buf *marker = batch_build_marker(type, 0, producer_id, 0, 1);

	append(marker->data, marker->len);
	buf_release(marker);
}

static void put(uint8_t kind, struct slice key, struct slice value)
{
	int64_t producer_id = kind >> 4;

	switch (kind & 15) {
	case 1:
		put_record(-1, key, SLICE_NULL, false);
		break;
	case 2:
		put_record(producer_id, key, value, false);
		break;
	case 3:
		put_marker(producer_id, CONTROL_COMMIT);
		break;
	case 4:
		put_marker(producer_id, CONTROL_ABORT);
		break;
	default:
		put_record(-1, key, value, (kind & 15) == 5);
	}
}

static struct slice take(const uint8_t **at, const uint8_t *end, size_t len)
{
	struct slice taken = slice_of(*at, len < (size_t)(end - *at) ? len : (size_t)(end - *at));

	*at += taken.len;
	return taken;
}

static void put_all(const uint8_t *data, size_t len)
{
	const uint8_t *at = data, *end = data + len;

	while (end - at >= 5) {
		uint8_t kind = at[0];
		size_t key_len = (size_t)(uint16_t)bytes_get_i16(at + 1), value_len = (size_t)(uint16_t)bytes_get_i16(at + 3);
		struct slice key, value;

		at += 5;
		key = take(&at, end, key_len);
		value = take(&at, end, value_len);
		put(kind, key, value);
	}
}

/* ---- calls ---- */

static void on_done(struct coordinator_call *call)
{
	CHECK(call->arena);
	call->arena = NULL;
}

static void ask(struct coordinator_call *call, enum coordinator_kind kind, struct slice group, struct arena *arena)
{
	call->kind = kind;
	call->group_id = group;
	call->arena = arena;
	call->done = on_done;
	call->place = place;
	coordinator_run(shard.coordinator, call);
	for (int n = 0; call->arena; n++) {
		CHECK(n < TURNS_MAX);
		worker_turn(&shard.worker, kind == COORDINATOR_JOIN ? 1 : 0);
		/* Others may have to join again first, for whom nobody speaks here. */
		if (kind == COORDINATOR_JOIN)
			return;
	}
}

static struct coordinator_list *list_groups(struct arena *arena)
{
	struct coordinator_list *list = arena_zalloc(arena, 1, sizeof *list);

	for (int n = 0;; n++) {
		CHECK(n < TURNS_MAX);
		ask(&list->call, COORDINATOR_LIST, SLICE_NULL, arena);
		if (list->call.error != KAFKA_COORDINATOR_LOAD_IN_PROGRESS)
			break;
		worker_turn(&shard.worker, 1);
	}
	CHECK(!list->call.error);
	return list;
}

static void leave_all(struct slice group, const struct describe_groups_response_group *description, struct arena *arena)
{
	for (int32_t i = 0; i < description->n_members; i++) {
		struct leave_group_request_member member = {.member_id = description->members[i].member_id};
		struct coordinator_leave leave = {.members = &member, .n_members = 1};
		struct coordinator_heartbeat beat = {.generation = 0, .member_id = member.member_id};

		ask(&beat.call, COORDINATOR_HEARTBEAT, group, arena);
		ask(&leave.call, COORDINATOR_LEAVE, group, arena);
		CHECK(leave.n_results == 1 && leave.results[0].error_code == 0);
	}
}

static void use_group(struct slice group, struct arena *arena)
{
	struct coordinator_describe describe = {0};
	struct coordinator_fetch_offsets fetch = {.n_topics = -1, .require_stable = true};
	struct coordinator_delete_group deletion = {0};

	ask(&describe.call, COORDINATOR_DESCRIBE, group, arena);
	CHECK(!describe.call.error && !slice_is_text(describe.description.group_state, "Dead"));
	ask(&fetch.call, COORDINATOR_FETCH_OFFSETS, group, arena);
	CHECK(!fetch.call.error);
	leave_all(group, &describe.description, arena);
	ask(&deletion.call, COORDINATOR_DELETE_GROUP, group, arena);
	/* One with offsets of an open transaction stays. */
	CHECK(deletion.call.error == 0 || deletion.call.error == KAFKA_NON_EMPTY_GROUP);
}

/* One more member in every group; the answers come when the leadership ends. */
static struct coordinator_join *join_all(const struct coordinator_list *list, struct arena *arena)
{
	static const struct join_group_request_protocol protocol = {SLICE_LITERAL("range"), SLICE_LITERAL("")};
	struct coordinator_join *joins = arena_zalloc(arena, (size_t)list->n_groups, sizeof *joins);

	for (int32_t i = 0; i < list->n_groups; i++) {
		joins[i] = (struct coordinator_join){
			.member_id = SLICE_LITERAL(""),
			.client_id = SLICE_LITERAL("c"),
			.client_host = SLICE_LITERAL("/h"),
			.protocol_type = SLICE_LITERAL("consumer"),
			.protocols = &protocol,
			.n_protocols = 1,
			.session_timeout_ms = 10000,
			.rebalance_timeout_ms = 10000,
		};
		ask(&joins[i].call, COORDINATOR_JOIN, list->groups[i].group_id, arena);
	}
	return joins;
}

/* ---- one input ---- */

static void lead(int32_t leader_epoch)
{
	const int32_t self = 1;
	struct replica_state state = {
		.leader = 1, .leader_epoch = leader_epoch, .replicas = &self, .n_replicas = 1, .isr = &self, .n_isr = 1};

	CHECK(partition_become(partition, &state) == 0);
}

static void on_partition_closed(struct partition_closing *closing, int code)
{
	(void)closing;
	CHECK(code == 0);
	closed = true;
}

static void close_partition(void)
{
	struct partition_closing closing = {.closed = on_partition_closed};
	struct log *log = partition->log;

	closed = false;
	partition_close(partition, &closing);
	for (int n = 0; !closed; n++) {
		CHECK(n < TURNS_MAX);
		worker_turn(&shard.worker, 1);
	}
	CHECK(log_delete(log) == 0);
	log_dir_remove_all_due(dir, INT64_MAX / 2);
	producer_table_fini(&producers);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct coordinator_list *list;
	struct coordinator_join *joins;
	struct arena arena;
	int32_t n_before;

	set_up();
	arena_init(&arena);
	open_partition();
	put_all(data, len);
	lead(1);
	list = list_groups(&arena);
	n_before = list->n_groups;
	joins = join_all(list, &arena);
	partition_resign(partition);
	worker_turn(&shard.worker, 0);
	for (int32_t i = 0; i < n_before; i++)
		CHECK(!joins[i].call.arena);
	lead(2);
	list = list_groups(&arena);
	CHECK(list->n_groups <= n_before);
	for (int32_t i = 0; i < list->n_groups; i++)
		use_group(list->groups[i].group_id, &arena);
	partition_resign(partition);
	lead(3);
	CHECK(list_groups(&arena)->n_groups <= n_before);
	close_partition();
	arena_fini(&arena);
	return 0;
}
