/*
 * A leader that is played by the test, over a real socket, beside the partition of partition_fixture.h, which follows it as broker 1. The leader is
 * broker 2 in the view.
 *
 *     setup_follow();                      the view names the leader; nothing is dialled yet
 *     become(2, 5);                        the partition follows
 *     leader_accept(&leader, 3);           Hello is taken and answered: three workers
 *     message = leader_expect(FRAME_FOLLOW)
 *     leader_send(...)
 *
 * Nothing sleeps: every wait turns the shard's loop and ends with a failed test after WAIT_MS.
 */
#ifndef KLAMM_TEST_UNIT_BROKER_REPLICA_FOLLOW_FIXTURE_H
#define KLAMM_TEST_UNIT_BROKER_REPLICA_FOLLOW_FIXTURE_H

#include "test/unit/broker/replica/partition_fixture.h"

#include "broker/meta/view.h"
#include "broker/net/peer.h"
#include "broker/replica/links.h"
#include "common/bytes.h"
#include "proto/cluster/cluster.pb-c.h"
#include "proto/cluster/frame_type.h"
#include "proto/record/batch.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define WAIT_MS 10000
#define LEADER_EPOCH 100 /* the broker epoch of broker 2 */
#define OWN_EPOCH 50

/* One connection as the leader has it. */
struct leader_side {
	int fd;
	Klamm__Hello *hello;
	uint8_t header[LIMIT_PEER_HEADER_BYTES];
	size_t header_len;
	uint8_t payload[1 << 16];
	size_t payload_len;
};

static int leader_socket = -1;
static uint16_t leader_port;
static const char *leader_host = "127.0.0.1"; /* in the view */
static int64_t view_number;
static struct leader_side leader, second;

static bool turn_once(int64_t until)
{
	ck_assert_msg(clock_ms() < until, "waited too long");
	loop_turn(&shard.worker.loop, 1);
	return true;
}

/* A view in which broker 2 has this incarnation and port; epoch -1: it is not alive. */
static void set_leader(int64_t epoch, uint16_t port)
{
	struct view_endpoint endpoints[2] = {
		{SLICE_LITERAL("PLAINTEXT"), SLICE_LITERAL("PLAINTEXT"), slice_of_text(leader_host), port},
		{SLICE_LITERAL("PLAINTEXT"), SLICE_LITERAL("PLAINTEXT"), SLICE_LITERAL("127.0.0.1"), 1},
	};
	struct view_broker brokers[2] = {
		{.id = 1, .epoch = OWN_EPOCH, .ours = true, .n_endpoints = 1, .endpoints = &endpoints[1]},
		{.id = 2, .epoch = epoch, .ours = true, .n_endpoints = 1, .endpoints = &endpoints[0]},
	};
	struct view_delta delta = {.snapshot = true,
				   .has_brokers = true,
				   .controller_epoch = 1,
				   .number = ++view_number,
				   .office_broker = 1,
				   .cluster_id = SLICE_LITERAL("c"),
				   .brokers = brokers,
				   .n_brokers = epoch < 0 ? 1 : 2};
	struct view *view;

	ck_assert_int_eq(view_apply(shard.view, &delta, &view), 0);
	shard_set_view(&shard, view, broker_config_retain(config));
}

static void leader_listen(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof address;

	leader_socket = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(leader_socket, (struct sockaddr *)&address, sizeof address), 0);
	ck_assert_int_eq(listen(leader_socket, 8), 0);
	ck_assert_int_eq(getsockname(leader_socket, (struct sockaddr *)&address, &len), 0);
	leader_port = ntohs(address.sin_port);
}

static void leader_hang_up(struct leader_side *side)
{
	if (side->fd > 0)
		close(side->fd);
	if (side->hello)
		klamm__hello__free_unpacked(side->hello, NULL);
	side->fd = -1;
	side->hello = NULL;
}

static void setup_follow(void)
{
	setup();
	view_number = 0;
	leader.fd = second.fd = -1;
	leader_listen();
	set_leader(LEADER_EPOCH, leader_port);
	shard_set_incarnation(&shard, SLICE_LITERAL("c"), OWN_EPOCH);
}

static void teardown_follow(void)
{
	leader_hang_up(&leader);
	leader_hang_up(&second);
	close(leader_socket);
	teardown();
}

/* ---- bytes ---- */

static void leader_read(struct leader_side *side, void *ret_bytes, size_t len)
{
	int64_t until = clock_ms() + WAIT_MS;
	size_t at = 0;

	while (at < len) {
		ssize_t n = recv(side->fd, (uint8_t *)ret_bytes + at, len - at, MSG_DONTWAIT);

		ck_assert_msg(n != 0, "the follower has hung up");
		if (n > 0)
			at += (size_t)n;
		else
			turn_once(until);
	}
}

static void leader_write(struct leader_side *side, const void *bytes, size_t len)
{
	int64_t until = clock_ms() + WAIT_MS;
	size_t at = 0;

	while (at < len) {
		ssize_t n = send(side->fd, (const uint8_t *)bytes + at, len - at, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n > 0)
			at += (size_t)n;
		else
			turn_once(until);
	}
}

static __attribute__((unused)) void leader_expect_hang_up(struct leader_side *side)
{
	int64_t until = clock_ms() + WAIT_MS;
	uint8_t bytes[4096];

	while (recv(side->fd, bytes, sizeof bytes, MSG_DONTWAIT) != 0)
		if (errno == ECONNRESET || !turn_once(until))
			break;
	leader_hang_up(side);
}

/* ---- Hello ---- */

static void leader_take(struct leader_side *side)
{
	int64_t until = clock_ms() + WAIT_MS;
	uint8_t head[4], request[2048];
	size_t len, id_len;
	int on = 1;

	while ((side->fd = accept(leader_socket, NULL, NULL)) < 0)
		turn_once(until);
	ck_assert_int_eq(setsockopt(side->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on), 0);
	leader_read(side, head, sizeof head);
	len = bytes_get_u32(head);
	ck_assert_uint_le(len, sizeof request);
	leader_read(side, request, len);
	ck_assert_int_eq(bytes_get_u16(request), HELLO_API_KEY);
	id_len = bytes_get_u16(request + 8);
	side->hello = klamm__hello__unpack(NULL, len - 10 - id_len, request + 10 + id_len);
	ck_assert_ptr_nonnull(side->hello);
}

static void leader_answer(struct leader_side *side, int32_t error, int64_t broker_epoch, int32_t n_workers)
{
	Klamm__HelloAnswer answer = KLAMM__HELLO_ANSWER__INIT;
	uint8_t bytes[256];
	size_t len;

	answer.error = error;
	answer.version = 1;
	answer.broker_epoch = broker_epoch;
	answer.n_workers = n_workers;
	len = klamm__hello_answer__pack(&answer, bytes + 8);
	bytes_put_u32(bytes, (uint32_t)len + 4);
	bytes_put_u32(bytes + 4, 1);
	leader_write(side, bytes, len + 8);
}

static __attribute__((unused)) void leader_accept(struct leader_side *side, int32_t n_workers)
{
	leader_take(side);
	leader_answer(side, 0, LEADER_EPOCH, n_workers);
}

/* ---- frames ---- */

/* The next frame but pings: it lies in the side. */
static void leader_expect(struct leader_side *side, uint8_t type)
{
	uint8_t head[PEER_FRAME_HEAD_BYTES];

	do {
		leader_read(side, head, sizeof head);
		side->payload_len = bytes_get_u32(head);
		side->header_len = bytes_get_u16(head + 4);
		ck_assert_uint_le(side->payload_len, sizeof side->payload);
		leader_read(side, side->header, side->header_len);
		leader_read(side, side->payload, side->payload_len);
	} while (head[7] == FRAME_PING);
	ck_assert_uint_eq(head[7], type);
}

static void leader_send(struct leader_side *side, uint8_t type, const ProtobufCMessage *header, const void *payload, size_t payload_len)
{
	uint8_t bytes[4096];
	size_t len = header ? protobuf_c_message_pack(header, bytes + PEER_FRAME_HEAD_BYTES) : 0;

	bytes_put_u32(bytes, (uint32_t)payload_len);
	bytes_put_u16(bytes + 4, (uint16_t)len);
	bytes[6] = 1;
	bytes[7] = type;
	leader_write(side, bytes, PEER_FRAME_HEAD_BYTES + len);
	leader_write(side, payload, payload_len);
}

static void leader_send_payload(struct leader_side *side, uint8_t type, const ProtobufCMessage *message)
{
	uint8_t bytes[4096];

	leader_send(side, type, NULL, bytes, protobuf_c_message_pack(message, bytes));
}

/* The one partition of the next FOLLOW. */
static __attribute__((unused)) Klamm__FollowPartition leader_expect_follow(struct leader_side *side)
{
	Klamm__Follow *follow;
	Klamm__FollowPartition found;

	leader_expect(side, FRAME_FOLLOW);
	follow = klamm__follow__unpack(NULL, side->payload_len, side->payload);
	ck_assert_ptr_nonnull(follow);
	ck_assert_uint_eq(follow->n_partitions, 1);
	found = *follow->partitions[0];
	ck_assert_mem_eq(found.topic_id.data, topic_id.bytes, sizeof topic_id.bytes);
	found.topic_id = (ProtobufCBinaryData){0};
	klamm__follow__free_unpacked(follow, NULL);
	return found;
}

static __attribute__((unused)) Klamm__AckMark leader_expect_ack(struct leader_side *side)
{
	Klamm__Ack *ack;
	Klamm__AckMark found;

	leader_expect(side, FRAME_ACK);
	ack = klamm__ack__unpack(NULL, side->payload_len, side->payload);
	ck_assert_ptr_nonnull(ack);
	ck_assert_uint_eq(ack->n_marks, 1);
	found = *ack->marks[0];
	klamm__ack__free_unpacked(ack, NULL);
	return found;
}

static __attribute__((unused)) Klamm__FollowAnswer leader_says(int32_t leader_epoch, int verdict)
{
	Klamm__FollowAnswer answer = KLAMM__FOLLOW_ANSWER__INIT;

	answer.topic_id = (ProtobufCBinaryData){sizeof topic_id.bytes, (uint8_t *)(uintptr_t)topic_id.bytes};
	answer.leader_epoch = leader_epoch;
	answer.verdict = (Klamm__FollowAnswer__Verdict)verdict;
	return answer;
}

static __attribute__((unused)) void leader_tell(struct leader_side *side, Klamm__FollowAnswer *answer)
{
	Klamm__Following following = KLAMM__FOLLOWING__INIT;

	following.answers = &answer;
	following.n_answers = 1;
	leader_send_payload(side, FRAME_FOLLOWING, &following.base);
}

static __attribute__((unused)) void leader_opens(struct leader_side *side, int32_t leader_epoch, int64_t handle, int64_t high_watermark)
{
	Klamm__FollowAnswer answer = leader_says(leader_epoch, KLAMM__FOLLOW_ANSWER__VERDICT__OPEN);

	answer.handle = handle;
	answer.high_watermark = high_watermark;
	leader_tell(side, &answer);
}

/* n records at an offset in an epoch, written behind what is in bytes already. Returns the new length. */
static __attribute__((unused)) size_t put_batch(uint8_t *bytes, size_t at, int64_t base_offset, int32_t leader_epoch, int n)
{
	struct batch_spec spec = batch_spec_default();
	struct batch_builder builder;
	struct slice batch;

	batch_builder_init(&builder, &spec);
	for (int i = 0; i < n; i++)
		batch_builder_add(&builder, 1000 + i, SLICE_LITERAL("k"), SLICE_LITERAL("value"), NULL, 0);
	batch = batch_builder_finish(&builder, NULL);
	memcpy(bytes + at, batch.data, batch.len);
	batch_stamp(bytes + at, base_offset, leader_epoch);
	at += batch.len;
	batch_builder_fini(&builder);
	return at;
}

static __attribute__((unused)) void leader_appends(struct leader_side *side, int64_t handle, int64_t from, int64_t high_watermark,
						    const uint8_t *batches, size_t len)
{
	Klamm__Append append = KLAMM__APPEND__INIT;

	append.handle = handle;
	append.from = from;
	append.high_watermark = high_watermark;
	leader_send(side, FRAME_APPEND, &append.base, batches, len);
}

#endif
