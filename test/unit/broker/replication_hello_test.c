/* Hello of a follower over a socket: who is let in, and which shard gets the connection. */
#include "test/lib/loopback.h"
#include "test/lib/unit.h"

#include "broker/net/address.h"
#include "broker/net/hello.h"
#include "broker/net/peer.h"
#include "broker/replication_hello.h"
#include "common/memory.h"
#include "common/properties.h"
#include "proto/cluster/frame_type.h"
#include "proto/kafka_error.h"

#include <stdlib.h>
#include <unistd.h>

#define OWN_EPOCH 10

static struct loopback loopback;
static struct broker_config *config;
static struct shard first, second, *shards[2] = {&first, &second};

/* The dialling side. */
static struct peer *peer;
static bool answered, closed;
static int32_t error, n_workers;
static int64_t broker_epoch;

static void handle(struct request *request)
{
	Klamm__Hello *said = hello_read(request->raw_body);

	ck_assert_ptr_nonnull(said);
	/* The connection's own shard; the test's thread runs all of them. */
	replication_hello(request, said, &first);
}

static const struct net_api apis[] = {{HELLO_API_KEY, HELLO_API_VERSION, HELLO_API_VERSION, NET_API_RAW | NET_API_INTER_BROKER, handle}};

static void load_config(void)
{
	static const char text[] = "broker.id=1\nzookeeper.connect=127.0.0.1:1\nlisteners=PLAINTEXT://127.0.0.1:0\nlog.dirs=/nowhere\n";
	struct properties properties;
	struct error err;

	properties_init(&properties);
	ck_assert_int_eq(properties_parse(&properties, slice_of_text(text), "test", &err), 0);
	ck_assert_msg(broker_config_load(&properties, NULL, &config, &err) == 0, "%s", err.text);
	properties_fini(&properties);
}

static void list_brokers(struct shard *shard)
{
	const struct view_broker brokers[] = {{.id = 1, .epoch = OWN_EPOCH, .ours = true}, {.id = 2, .epoch = 20, .ours = true}};
	struct view_delta delta = {.snapshot = true, .has_brokers = true, .controller_epoch = 1, .number = 1, .brokers = brokers, .n_brokers = 2};
	struct view *view;

	ck_assert_int_eq(view_apply(shard->view, &delta, &view), 0);
	shard_set_view(shard, view, broker_config_retain(config));
}

static void setup(void)
{
	load_config();
	loopback_open(&loopback, apis, 1, NULL);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(shard_init(shards[i], i, 2, shards, config), 0);
		shard_set_incarnation(shards[i], SLICE_LITERAL("cluster"), OWN_EPOCH);
		list_brokers(shards[i]);
	}
}

static void teardown(void)
{
	if (peer)
		peer_free(peer);
	peer = NULL;
	for (int i = 0; i < 2; i++) {
		shard_close_all(shards[i]);
		worker_drain(&shards[i]->worker);
		shard_fini(shards[i]);
	}
	loopback_close(&loopback);
	broker_config_release(config);
}

static bool on_hello(void *ctx, struct peer *dialled, struct slice bytes)
{
	Klamm__HelloAnswer *answer = klamm__hello_answer__unpack(NULL, bytes.len, bytes.data);

	(void)ctx;
	(void)dialled;
	ck_assert_ptr_nonnull(answer);
	answered = true;
	error = answer->error;
	n_workers = answer->n_workers;
	broker_epoch = answer->broker_epoch;
	ck_assert_uint_eq(answer->version, CLUSTER_PROTOCOL_VERSION);
	klamm__hello_answer__free_unpacked(answer, NULL);
	return error == 0;
}

static int on_frame(void *ctx, struct peer *dialled, const struct peer_frame *frame)
{
	(void)ctx;
	(void)dialled;
	(void)frame;
	return 0;
}

static void on_closed(void *ctx, struct peer *dialled, int code, const char *text)
{
	(void)ctx;
	(void)code;
	(void)text;
	closed = true;
	peer = NULL;
	peer_free(dialled);
}

static bool all_done(void *ctx)
{
	(void)ctx;
	worker_turn(&first.worker, 0);
	worker_turn(&second.worker, 0);
	return answered && (closed || first.feeds.list || second.feeds.list);
}

/* What a follower says that is let in. */
static Klamm__Hello right(void)
{
	Klamm__Hello hello = KLAMM__HELLO__INIT;

	hello.version = CLUSTER_PROTOCOL_VERSION;
	hello.cluster_id = (char *)(uintptr_t) "cluster";
	hello.role = KLAMM__HELLO__ROLE__FOLLOWER;
	hello.sender_id = 2;
	hello.sender_epoch = 20;
	hello.target_id = 1;
	hello.target_epoch = OWN_EPOCH;
	return hello;
}

static void dial(const Klamm__Hello *hello)
{
	struct peer_target target = {.hello_key = HELLO_API_KEY, .hello_version = HELLO_API_VERSION, .client_id = "broker-2"};
	struct peer_setup peer_setup = {
		.worker = &loopback.worker,
		.version = CLUSTER_PROTOCOL_VERSION,
		.limits = peer_limits_default,
		.port = {.on_hello = on_hello, .on_frame = on_frame, .on_closed = on_closed},
	};
	uint8_t bytes[300];

	answered = closed = false;
	target.hello = slice_of(bytes, klamm__hello__pack(hello, bytes));
	ck_assert_int_eq(address_parse("127.0.0.1", loopback.port, &target.address), 0);
	ck_assert_int_eq(address_parse("127.0.0.1", 0, &target.source), 0);
	peer = peer_dial(&peer_setup, &target);
	loopback_until(&loopback, all_done, NULL);
}

START_TEST(a_follower_is_let_in_and_comes_to_the_worker_it_asked_for)
{
	Klamm__Hello hello = right();

	setup();
	hello.worker = 7;
	dial(&hello);
	ck_assert_int_eq(error, 0);
	ck_assert_int_eq(n_workers, 2);
	ck_assert_int_eq(broker_epoch, OWN_EPOCH);
	ck_assert_ptr_null(first.feeds.list);
	ck_assert_ptr_nonnull(second.feeds.list);
	teardown();
}
END_TEST

START_TEST(one_that_the_view_does_not_list_yet_is_let_in)
{
	Klamm__Hello hello = right();

	setup();
	hello.sender_epoch = 33;
	dial(&hello);
	ck_assert_int_eq(error, 0);
	peer_free(peer);
	hello.sender_id = 3;
	dial(&hello);
	ck_assert_int_eq(error, 0);
	teardown();
}
END_TEST

static void expect_refused(Klamm__Hello hello, int16_t expected)
{
	dial(&hello);
	ck_assert_int_eq(error, expected);
	ck_assert(closed);
	ck_assert(!first.feeds.list && !second.feeds.list);
}

START_TEST(others_are_refused_with_the_reason)
{
	Klamm__Hello hello;

	setup();
	hello = right();
	hello.cluster_id = (char *)(uintptr_t) "another";
	expect_refused(hello, KAFKA_INCONSISTENT_CLUSTER_ID);
	hello = right();
	hello.target_id = 4;
	expect_refused(hello, KAFKA_INVALID_REQUEST);
	hello = right();
	hello.sender_id = 1;
	expect_refused(hello, KAFKA_INVALID_REQUEST);
	hello = right();
	hello.target_epoch = OWN_EPOCH - 1;
	expect_refused(hello, KAFKA_STALE_BROKER_EPOCH);
	hello = right();
	hello.sender_epoch = 19;
	expect_refused(hello, KAFKA_STALE_BROKER_EPOCH);
	/* Not registered at the moment. */
	shard_set_incarnation(&first, SLICE_NULL, -1);
	expect_refused(right(), KAFKA_STALE_BROKER_EPOCH);
	hello = right();
	hello.target_epoch = -1;
	expect_refused(hello, KAFKA_STALE_BROKER_EPOCH);
	teardown();
}
END_TEST

static bool is_counted_out(void *ctx)
{
	(void)ctx;
	return loopback.acceptor.counters.n_open == 0;
}

/* What a stranger asks behind its Hello is nobody's any more. */
START_TEST(a_refused_one_gets_its_answer_and_then_the_connection_is_closed)
{
	Klamm__Hello hello = right();
	Klamm__HelloAnswer *said;
	uint8_t bytes[300], frames[700];
	int32_t correlation_id;
	uint8_t *answer;
	size_t len, n;
	int fd;

	setup();
	hello.target_id = 4;
	n = klamm__hello__pack(&hello, bytes);
	len = loopback_frame(frames, HELLO_API_KEY, HELLO_API_VERSION, 7, bytes, n);
	len += loopback_frame(frames + len, HELLO_API_KEY, HELLO_API_VERSION, 8, bytes, n);
	fd = loopback_connect(&loopback);
	loopback_send(&loopback, fd, frames, len);
	answer = loopback_answer(&loopback, fd, &correlation_id, &len);
	ck_assert_int_eq(correlation_id, 7);
	said = klamm__hello_answer__unpack(NULL, len, answer);
	ck_assert_int_eq(said->error, KAFKA_INVALID_REQUEST);
	klamm__hello_answer__free_unpacked(said, NULL);
	free(answer);
	loopback_expect_closed(&loopback, fd);
	loopback_until(&loopback, is_counted_out, NULL);
	close(fd);
	teardown();
}
END_TEST

START_TEST(a_worker_number_below_zero_is_as_good_as_another)
{
	Klamm__Hello hello = right();

	setup();
	hello.worker = -1;
	dial(&hello);
	ck_assert_int_eq(error, 0);
	ck_assert(first.feeds.list || second.feeds.list);
	teardown();
}
END_TEST

UNIT_MAIN("broker/replication_hello", a_follower_is_let_in_and_comes_to_the_worker_it_asked_for, one_that_the_view_does_not_list_yet_is_let_in,
	  others_are_refused_with_the_reason, a_worker_number_below_zero_is_as_good_as_another,
	  a_refused_one_gets_its_answer_and_then_the_connection_is_closed)
