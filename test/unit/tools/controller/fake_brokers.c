/* Brokers that only listen; see fake_brokers.h. */
#include "test/unit/tools/controller/fake_brokers.h"

#include "broker/net/address.h"
#include "common/bytes.h"
#include "common/clock.h"
#include "common/memory.h"
#include "proto/cluster/cluster.pb-c.h"
#include "proto/cluster/frame_type.h"
#include "zk/json_broker.h"
#include "zk/path.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CLUSTER_ID "MBzKdwGSSMGfR5T0GO2hZQ"

/* ---- what a broker is told ---- */

static void forget(struct fake_partition **map)
{
	struct fake_partition *entry;
	struct fake_partition *next;

	HASH_ITER(hh, *map, entry, next) {
		HASH_DEL(*map, entry);
		free(entry);
	}
}

static struct fake_partition *entry_of(struct fake_partition **map, ProtobufCBinaryData id, int32_t partition)
{
	struct fake_partition *entry;
	struct fake_partition key;

	memset(&key, 0, sizeof key);
	ck_assert_uint_eq(id.len, 16);
	memcpy(key.key.id.bytes, id.data, 16);
	key.key.partition = partition;
	HASH_FIND(hh, *map, &key.key, sizeof key.key, entry);
	if (entry)
		return entry;
	entry = NEW(struct fake_partition);
	entry->key = key.key;
	entry->leader = -1;
	entry->leader_epoch = -1;
	entry->partition_epoch = -1;
	HASH_ADD(hh, *map, key, sizeof entry->key, entry);
	return entry;
}

static void take(struct fake_partition *entry, const Klamm__Partition *partition)
{
	/* S6: neither epoch ever goes back. */
	ck_assert_int_ge(partition->leader_epoch, entry->leader_epoch);
	ck_assert_int_ge(partition->partition_epoch, entry->partition_epoch);
	entry->leader = partition->leader;
	entry->leader_epoch = partition->leader_epoch;
	entry->partition_epoch = partition->partition_epoch;
}

static void remove_topic(struct fake_broker *broker, ProtobufCBinaryData id)
{
	struct fake_partition *entry;
	struct fake_partition *next;

	HASH_ITER(hh, broker->view, entry, next) {
		if (memcmp(entry->key.id.bytes, id.data, 16) != 0)
			continue;
		broker->n_with_leader -= entry->leader >= 0;
		HASH_DEL(broker->view, entry);
		free(entry);
	}
}

static void take_topic(struct fake_broker *broker, const Klamm__Topic *topic)
{
	for (size_t k = 0; k < topic->n_partitions; k++) {
		struct fake_partition *entry = entry_of(&broker->view, topic->id, topic->partitions[k]->index);

		broker->n_with_leader -= entry->leader >= 0;
		take(entry, topic->partitions[k]);
		broker->n_with_leader += entry->leader >= 0;
	}
	for (size_t k = 0; k < topic->n_configs; k++)
		snprintf(broker->last_config, sizeof broker->last_config, "%s=%s", topic->configs[k]->name, topic->configs[k]->value);
}

static void on_view(struct fake_broker *broker, struct slice payload)
{
	Klamm__View *view = klamm__view__unpack(NULL, payload.len, payload.data);

	ck_assert_ptr_nonnull(view);
	broker->n_views++;
	broker->n_snapshots += view->snapshot && !view->more;
	if (view->snapshot && view->has_brokers) {
		forget(&broker->view);
		broker->n_with_leader = 0;
	} else if (!view->snapshot && (view->controller_epoch != broker->controller_epoch || view->number != broker->view_number + 1)) {
		broker->n_gaps++;
	}
	broker->controller_epoch = view->controller_epoch;
	broker->view_number = view->number;
	broker->office = view->office_broker;
	if (view->has_brokers)
		broker->n_brokers_in_view = (int)view->n_brokers;
	for (size_t i = 0; i < view->n_removed_topics; i++)
		remove_topic(broker, view->removed_topics[i]);
	for (size_t i = 0; i < view->n_topics; i++)
		take_topic(broker, view->topics[i]);
	klamm__view__free_unpacked(view, NULL);
}

static void send_all(struct fake_broker *broker, const void *bytes, size_t len)
{
	const char *at = bytes;

	while (len > 0) {
		ssize_t n = send(broker->conn.fd, at, len, MSG_NOSIGNAL);

		if (n < 0 && (errno == EPIPE || errno == ECONNRESET))
			return;
		ck_assert_int_gt(n, 0);
		at += n;
		len -= (size_t)n;
	}
}

/* frame holds 8 bytes and then header_len + payload_len. */
static void send_frame(struct fake_broker *broker, uint8_t *frame, enum frame_type type, size_t header_len, size_t payload_len)
{
	memset(frame, 0, 8);
	bytes_put_u32(frame, (uint32_t)payload_len);
	bytes_put_u16(frame + 4, (uint16_t)header_len);
	frame[6] = CLUSTER_PROTOCOL_VERSION;
	frame[7] = (uint8_t)type;
	send_all(broker, frame, 8 + header_len + payload_len);
}

static void answer(struct fake_broker *broker, int64_t request)
{
	Klamm__ReplicaResults results = KLAMM__REPLICA_RESULTS__INIT;
	uint8_t frame[64] = {0};
	size_t len;

	results.request = request;
	len = klamm__replica_results__pack(&results, frame + 8);
	send_frame(broker, frame, FRAME_REPLICA_RESULTS, 0, len);
}

int fake_broker_propose_alone(struct fake_cluster *cluster, int i)
{
	struct fake_broker *broker = &cluster->brokers[i];
	size_t n = HASH_COUNT(broker->states);
	Klamm__IsrProposals message = KLAMM__ISR_PROPOSALS__INIT;
	Klamm__IsrProposal *proposals = memory_zalloc(n, sizeof *proposals);
	Klamm__IsrProposal **list = memory_zalloc(n, sizeof *list);
	Klamm__IsrMember member = KLAMM__ISR_MEMBER__INIT;
	Klamm__IsrMember *members = &member;
	uint8_t *frame;
	size_t len;

	member.id = broker->id;
	member.epoch = -1;
	message.broker_epoch = broker->epoch;
	message.proposals = list;
	for (struct fake_partition *p = broker->states; p; p = p->hh.next) {
		Klamm__IsrProposal *proposal = &proposals[message.n_proposals];

		if (p->leader != broker->id)
			continue;
		klamm__isr_proposal__init(proposal);
		proposal->topic_id = (ProtobufCBinaryData){sizeof p->key.id.bytes, p->key.id.bytes};
		proposal->partition = p->key.partition;
		proposal->number = 1;
		proposal->leader_epoch = p->leader_epoch;
		proposal->partition_epoch = p->partition_epoch;
		proposal->isr = &members;
		proposal->n_isr = 1;
		list[message.n_proposals++] = proposal;
	}
	frame = memory_zalloc(8 + klamm__isr_proposals__get_packed_size(&message), 1);
	len = klamm__isr_proposals__pack(&message, frame + 8);
	send_frame(broker, frame, FRAME_ISR_PROPOSALS, 0, len);
	free(frame);
	free(list);
	free(proposals);
	return (int)message.n_proposals;
}

void fake_broker_ask_to_stop(struct fake_cluster *cluster, int i)
{
	Klamm__Shutdown message = KLAMM__SHUTDOWN__INIT;
	uint8_t frame[64];

	cluster->brokers[i].remaining = -1;
	message.broker_epoch = cluster->brokers[i].epoch;
	send_frame(&cluster->brokers[i], frame, FRAME_SHUTDOWN, klamm__shutdown__pack(&message, frame + 8), 0);
}

static void on_isr_answers(struct fake_broker *broker, struct slice payload)
{
	Klamm__IsrAnswers *answers = klamm__isr_answers__unpack(NULL, payload.len, payload.data);

	ck_assert_ptr_nonnull(answers);
	ck_assert_int_eq(answers->broker_epoch, broker->epoch);
	for (size_t i = 0; i < answers->n_answers; i++) {
		ck_assert_int_eq(answers->answers[i]->error, 0);
		ck_assert_int_eq((int)answers->answers[i]->n_isr, 1);
		ck_assert_int_eq(answers->answers[i]->isr[0], broker->id);
	}
	broker->n_isr_answers += (int)answers->n_answers;
	klamm__isr_answers__free_unpacked(answers, NULL);
}

static void on_shutdown_answer(struct fake_broker *broker, struct slice header)
{
	Klamm__ShutdownAnswer *said = klamm__shutdown_answer__unpack(NULL, header.len, header.data);

	ck_assert_ptr_nonnull(said);
	ck_assert_int_eq(said->broker_epoch, broker->epoch);
	broker->remaining = said->remaining;
	klamm__shutdown_answer__free_unpacked(said, NULL);
}

static void on_states(struct fake_broker *broker, struct slice payload)
{
	Klamm__PartitionStates *states = klamm__partition_states__unpack(NULL, payload.len, payload.data);

	ck_assert_ptr_nonnull(states);
	ck_assert_int_eq(states->broker_epoch, broker->epoch);
	broker->n_states++;
	for (size_t i = 0; i < states->n_topics; i++)
		for (size_t k = 0; k < states->topics[i]->n_partitions; k++) {
			const Klamm__Partition *partition = states->topics[i]->partitions[k];
			struct fake_partition *entry = entry_of(&broker->states, states->topics[i]->id, partition->index);

			broker->n_led -= entry->leader == broker->id;
			take(entry, partition);
			broker->n_led += entry->leader == broker->id;
		}
	answer(broker, states->request);
	klamm__partition_states__free_unpacked(states, NULL);
}

static void on_stops(struct fake_broker *broker, struct slice payload)
{
	Klamm__StopReplicas *stops = klamm__stop_replicas__unpack(NULL, payload.len, payload.data);

	ck_assert_ptr_nonnull(stops);
	for (size_t i = 0; i < stops->n_topics; i++)
		for (size_t k = 0; k < stops->topics[i]->n_partitions; k++) {
			struct fake_partition *entry = entry_of(&broker->states, stops->topics[i]->id, stops->topics[i]->partitions[k]);

			broker->n_led -= entry->leader == broker->id;
			broker->n_erased += stops->topics[i]->erase;
			HASH_DEL(broker->states, entry);
			free(entry);
		}
	answer(broker, stops->request);
	klamm__stop_replicas__free_unpacked(stops, NULL);
}

/* ---- connection ---- */

static void drop_conn(struct fake_broker *broker)
{
	if (!broker->has_conn)
		return;
	loop_fd_watch(&broker->conn, 0);
	close(broker->conn.fd);
	broker->has_conn = false;
	broker->welcomed = false;
	broker->len = 0;
}

/* The request's header v1: key, version, correlation id, client id; then the protobuf body. */
static void on_hello(struct fake_broker *broker, const uint8_t *at, size_t len)
{
	int16_t client_len = bytes_get_i16(at + 8);
	size_t head = 10 + (client_len > 0 ? (size_t)client_len : 0);
	Klamm__Hello *hello = klamm__hello__unpack(NULL, len - head, at + head);
	Klamm__HelloAnswer said = KLAMM__HELLO_ANSWER__INIT;
	uint8_t bytes[128];
	size_t n;

	ck_assert_int_eq(bytes_get_i16(at), HELLO_API_KEY);
	ck_assert_ptr_nonnull(hello);
	ck_assert_str_eq(hello->cluster_id, CLUSTER_ID);
	ck_assert_int_eq(hello->target_id, broker->id);
	said.error = hello->target_epoch == broker->epoch ? 0 : 77;
	said.message = (char *)(uintptr_t) "";
	said.version = CLUSTER_PROTOCOL_VERSION;
	said.broker_epoch = broker->epoch;
	n = klamm__hello_answer__pack(&said, bytes + 8);
	bytes_put_u32(bytes, (uint32_t)(n + 4));
	memcpy(bytes + 4, at + 4, 4);
	send_all(broker, bytes, 8 + n);
	broker->welcomed = said.error == 0;
	klamm__hello__free_unpacked(hello, NULL);
}

/* Takes one frame from the bytes received; 0 when it is not whole. */
static size_t take_frame(struct fake_broker *broker, const uint8_t *at, size_t len)
{
	size_t header;
	size_t size;
	struct slice payload;

	if (!broker->welcomed) {
		if (len < 4 || len < 4 + bytes_get_u32(at))
			return 0;
		size = bytes_get_u32(at);
		on_hello(broker, at + 4, size);
		return 4 + size;
	}
	if (len < 8)
		return 0;
	header = bytes_get_u16(at + 4);
	size = bytes_get_u32(at);
	if (len < 8 + header + size)
		return 0;
	payload = slice_of(at + 8 + header, size);
	if (at[7] == FRAME_VIEW)
		on_view(broker, payload);
	else if (at[7] == FRAME_PARTITION_STATES)
		on_states(broker, payload);
	else if (at[7] == FRAME_STOP_REPLICAS)
		on_stops(broker, payload);
	else if (at[7] == FRAME_ISR_ANSWERS)
		on_isr_answers(broker, payload);
	else if (at[7] == FRAME_SHUTDOWN_ANSWER)
		on_shutdown_answer(broker, slice_of(at + 8, header));
	else
		ck_assert_int_eq(at[7], FRAME_PING);
	return 8 + header + size;
}

static void on_conn(struct loop_fd *fd, unsigned what)
{
	struct fake_broker *broker = CONTAINER_OF(fd, struct fake_broker, conn);
	size_t taken = 0;
	size_t n;
	ssize_t got;

	(void)what;
	if (broker->room - broker->len < 1 << 20) {
		broker->room = broker->room * 2 + (1 << 20);
		broker->bytes = memory_grow(broker->bytes, broker->room);
	}
	got = recv(fd->fd, broker->bytes + broker->len, broker->room - broker->len, 0);
	if (got <= 0) {
		drop_conn(broker);
		return;
	}
	broker->len += (size_t)got;
	while ((n = take_frame(broker, broker->bytes + taken, broker->len - taken)) > 0)
		taken += n;
	memmove(broker->bytes, broker->bytes + taken, broker->len - taken);
	broker->len -= taken;
}

static void on_accept(struct loop_fd *fd, unsigned what)
{
	struct fake_broker *broker = CONTAINER_OF(fd, struct fake_broker, listener);
	int number = accept(fd->fd, NULL, NULL);

	(void)what;
	if (number < 0)
		return;
	if (broker->deaf) {
		close(number);
		return;
	}
	drop_conn(broker);
	loop_fd_init(&broker->conn, &broker->cluster->loop, number, on_conn);
	loop_fd_watch(&broker->conn, LOOP_READ);
	broker->has_conn = true;
}

static void listen_at(struct fake_broker *broker)
{
	struct sockaddr_storage address;
	socklen_t len = sizeof address;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(address_parse("127.0.0.1", 0, &address), 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, address_len(&address)), 0);
	ck_assert_int_eq(listen(fd, 16), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	broker->port = address_port(&address);
	loop_fd_init(&broker->listener, &broker->cluster->loop, fd, on_accept);
	loop_fd_watch(&broker->listener, LOOP_READ);
}

/* ---- registration ---- */

static void on_registered(void *ctx, int code, const struct zk_stat *stat, const struct error *err)
{
	struct fake_broker *broker = ctx;

	(void)err;
	ck_assert_int_eq(code, 0);
	broker->registration = NULL;
	broker->epoch = stat->czxid;
}

static bool is_registered(struct fake_cluster *cluster, int i)
{
	return cluster->brokers[i].epoch >= 0;
}

void fake_broker_start(struct fake_cluster *cluster, int i)
{
	struct fake_broker *broker = &cluster->brokers[i];
	struct broker_endpoint endpoints[2] = {
		{SLICE_LITERAL("PLAINTEXT"), SLICE_LITERAL("PLAINTEXT"), SLICE_LITERAL("127.0.0.1"), 1},
		{SLICE_LITERAL("INTERNAL"), SLICE_LITERAL("PLAINTEXT"), SLICE_LITERAL("127.0.0.1"), broker->port}};
	struct broker_znode znode = {.jmx_port = -1, .timestamp_ms = 1, .rack = SLICE_NULL, .endpoints = endpoints, .n_endpoints = 2,
				     .klamm = SLICE_LITERAL("0.1.0 INTERNAL")};
	struct zk_ephemeral_config config = {.label = "fake broker"};
	struct arena arena;

	arena_init(&arena);
	broker_znode_choose_host(&znode);
	config.path = zk_path_broker(&arena, broker->id);
	config.data = broker_znode_encode(&arena, &znode);
	broker->registration = zk_ephemeral_register(cluster->zk, &config, on_registered, broker);
	ck_assert_int_ge(fake_cluster_wait(cluster, is_registered, i, 10000), 0);
	arena_fini(&arena);
}

static void on_done(void *ctx, const struct zk_result *result)
{
	struct fake_cluster *cluster = ctx;

	cluster->n_done++;
	cluster->n_failed += result->code != 0 && result->code != ERR_EXISTS;
}

static bool all_done(struct fake_cluster *cluster, int n)
{
	return cluster->n_done >= n;
}

static void wait_done(struct fake_cluster *cluster, int before)
{
	ck_assert_int_ge(fake_cluster_wait(cluster, all_done, before + 1, 10000), 0);
	ck_assert_int_eq(cluster->n_failed, 0);
}

void fake_broker_stop(struct fake_cluster *cluster, int i)
{
	struct fake_broker *broker = &cluster->brokers[i];
	int before = cluster->n_done;
	struct arena arena;

	arena_init(&arena);
	zk_delete(cluster->zk, zk_path_broker(&arena, broker->id), ZK_VERSION_ANY, on_done, cluster);
	wait_done(cluster, before);
	arena_fini(&arena);
	drop_conn(broker);
	broker->epoch = -1;
	broker->n_led = 0;
	forget(&broker->states);
}

void fake_broker_set_deaf(struct fake_cluster *cluster, int i, bool deaf)
{
	cluster->brokers[i].deaf = deaf;
	if (deaf)
		drop_conn(&cluster->brokers[i]);
}

void fake_cluster_delete(struct fake_cluster *cluster, const char *path)
{
	int before = cluster->n_done;

	zk_delete(cluster->zk, path, ZK_VERSION_ANY, on_done, cluster);
	wait_done(cluster, before);
}

void fake_cluster_create(struct fake_cluster *cluster, const char *path, const char *data)
{
	int before = cluster->n_done;

	zk_create(cluster->zk, path, slice_of_text(data), ZK_PERSISTENT, on_done, cluster);
	wait_done(cluster, before);
}

void fake_cluster_set(struct fake_cluster *cluster, const char *path, const char *data)
{
	int before = cluster->n_done;

	zk_set(cluster->zk, path, slice_of_text(data), ZK_VERSION_ANY, on_done, cluster);
	wait_done(cluster, before);
}

static void on_exists(void *ctx, const struct zk_result *result)
{
	struct fake_cluster *cluster = ctx;

	cluster->n_done++;
	cluster->exists = result->code == 0;
}

bool fake_cluster_has(struct fake_cluster *cluster, const char *path)
{
	int before = cluster->n_done;

	zk_exists(cluster->zk, path, NULL, on_exists, cluster);
	wait_done(cluster, before);
	return cluster->exists;
}

/* ---- life ---- */

static void on_state(void *ctx, enum zk_state state, bool new_session)
{
	struct fake_cluster *cluster = ctx;

	(void)new_session;
	cluster->connected = state == ZK_CONNECTED;
}

static bool is_connected(struct fake_cluster *cluster, int n)
{
	(void)n;
	return cluster->connected;
}

void fake_cluster_open(struct fake_cluster *cluster, const char *connect)
{
	struct zk_config config = {.connect = connect, .session_timeout_ms = 10000, .create_chroot = true};
	struct zk_listener listener = {.ctx = cluster, .on_state = on_state};
	struct zk_loop port;
	struct error err;

	memset(cluster, 0, sizeof *cluster);
	ck_assert_int_eq(loop_init(&cluster->loop), 0);
	zk_loop_glue_init(&cluster->glue, &cluster->loop, &port);
	ck_assert_int_eq(zk_loop_glue_open(&cluster->glue, &config, &listener, &cluster->zk, &err), 0);
	ck_assert_int_ge(fake_cluster_wait(cluster, is_connected, 0, 20000), 0);
	for (int i = 0; i < FAKE_BROKERS_MAX; i++) {
		cluster->brokers[i].cluster = cluster;
		cluster->brokers[i].id = i + 1;
		cluster->brokers[i].epoch = -1;
		listen_at(&cluster->brokers[i]);
	}
	for (const char *const *path = zk_path_persistent; *path; path++)
		fake_cluster_create(cluster, *path, NULL);
	fake_cluster_create(cluster, "/cluster", NULL);
	fake_cluster_create(cluster, ZK_PATH_CLUSTER_ID, "{\"version\":\"1\",\"id\":\"" CLUSTER_ID "\"}");
}

void fake_cluster_close(struct fake_cluster *cluster)
{
	for (int i = 0; i < FAKE_BROKERS_MAX; i++) {
		struct fake_broker *broker = &cluster->brokers[i];

		drop_conn(broker);
		loop_fd_watch(&broker->listener, 0);
		close(broker->listener.fd);
		forget(&broker->states);
		forget(&broker->view);
		free(broker->bytes);
	}
	zk_session_free(cluster->zk);
	zk_loop_glue_fini(&cluster->glue);
	loop_fini(&cluster->loop);
}

int64_t fake_cluster_wait(struct fake_cluster *cluster, bool (*condition)(struct fake_cluster *cluster, int n), int n, int64_t limit_ms)
{
	int64_t begin_ms = clock_ms();
	int64_t now_ms = begin_ms;

	while (!condition(cluster, n)) {
		if (now_ms - begin_ms > limit_ms)
			return -1;
		loop_turn(&cluster->loop, 20);
		now_ms = clock_ms();
	}
	return clock_ms() - begin_ms;
}
