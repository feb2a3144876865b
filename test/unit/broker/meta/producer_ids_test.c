/* broker/meta/producer_ids behind InitProducerId, against a real ZooKeeper. */
#include "broker/meta/producer_ids.h"

#include "broker/api/api.h"
#include "proto/kafka/init_producer_id.gen.h"
#include "proto/kafka_error.h"
#include "test/lib/api_fixture.h"
#include "test/lib/unit.h"
#include "test/lib/zk_server.h"
#include "test/lib/zk_test_loop.h"
#include "zk/path.h"

#include <stdio.h>

static struct api_answer *ask(struct api_fixture *fixture)
{
	struct init_producer_id_request request = init_producer_id_request_default;

	request.transactional_id = SLICE_NULL;
	return api_fixture_send(fixture, API_INIT_PRODUCER_ID, 5, init_producer_id_handle, &request);
}

static const struct init_producer_id_response *got(struct api_fixture *fixture, struct api_answer *answer)
{
	api_fixture_wait(fixture, answer);
	return answer->body;
}

static int64_t next_id(struct api_fixture *fixture)
{
	const struct init_producer_id_response *response = got(fixture, ask(fixture));

	ck_assert_int_eq(response->error_code, 0);
	ck_assert_int_eq(response->producer_epoch, 0);
	return response->producer_id;
}

static void begin(struct api_fixture *fixture, const char *connect)
{
	api_fixture_init(fixture, NULL);
	api_fixture_zookeeper(fixture, connect);
}

START_TEST(ids_follow_each_other_and_blocks_are_taken_ahead)
{
	struct api_fixture fixture;

	begin(&fixture, zk_test_connect("follow"));
	for (int64_t id = 0; id < 2500; id++)
		ck_assert_int_eq(next_id(&fixture), id);
	for (int i = 0; i < 20; i++)
		api_fixture_turn(&fixture);
	ck_assert_str_eq(api_fixture_znode(&fixture, ZK_PATH_PRODUCER_ID_BLOCK, NULL),
			 "{\"version\":1,\"broker\":1,\"block_start\":\"2000\",\"block_end\":\"2999\"}");
	api_fixture_fini(&fixture);
}
END_TEST

START_TEST(two_brokers_share_no_id)
{
	struct api_fixture a, b;
	const char *connect = zk_test_connect("share");
	struct api_answer *answers[2];

	begin(&a, connect);
	begin(&b, connect);
	/* Both ask at the same time: one of them has to try again. */
	answers[0] = ask(&a);
	answers[1] = ask(&b);
	while (!answers[0]->done || !answers[1]->done) {
		api_fixture_turn(&a);
		api_fixture_turn(&b);
	}
	ck_assert_int_ne(got(&a, answers[0])->producer_id, got(&b, answers[1])->producer_id);
	ck_assert_int_eq(next_id(&a) / 1000, got(&a, answers[0])->producer_id / 1000);
	ck_assert_int_eq(next_id(&b) / 1000, got(&b, answers[1])->producer_id / 1000);
	ck_assert_int_eq(next_id(&a) / 1000 + next_id(&b) / 1000, 1);
	api_fixture_fini(&a);
	api_fixture_fini(&b);
}
END_TEST

START_TEST(blocks_go_on_behind_kafkas)
{
	struct api_fixture fixture;

	begin(&fixture, zk_test_connect("kafka"));
	api_fixture_put(&fixture, ZK_PATH_PRODUCER_ID_BLOCK,
			"{\"version\":1,\"broker\":2,\"block_start\":\"7000\",\"block_end\":\"7999\"}");
	ck_assert_int_eq(next_id(&fixture), 8000);
	api_fixture_fini(&fixture);
}
END_TEST

START_TEST(nonsense_in_the_node_gives_no_id_until_it_is_mended)
{
	struct api_fixture fixture;

	begin(&fixture, zk_test_connect("nonsense"));
	api_fixture_put(&fixture, ZK_PATH_PRODUCER_ID_BLOCK, "{\"version\":1}");
	ck_assert_int_eq(got(&fixture, ask(&fixture))->error_code, KAFKA_COORDINATOR_LOAD_IN_PROGRESS);
	ck_assert_int_eq(got(&fixture, ask(&fixture))->producer_id, -1);
	api_fixture_put(&fixture, ZK_PATH_PRODUCER_ID_BLOCK,
			"{\"version\":1,\"broker\":2,\"block_start\":\"9223372036854774000\",\"block_end\":\"9223372036854775000\"}");
	ck_assert_int_eq(got(&fixture, ask(&fixture))->error_code, KAFKA_COORDINATOR_LOAD_IN_PROGRESS);
	api_fixture_put(&fixture, ZK_PATH_PRODUCER_ID_BLOCK, "");
	ck_assert_int_eq(next_id(&fixture), 0);
	api_fixture_fini(&fixture);
}
END_TEST

START_TEST(ids_are_given_while_zookeeper_is_away_as_long_as_there_are_some)
{
	struct api_fixture fixture;
	struct zk_server server;
	struct api_answer *answer;
	int64_t last;

	ck_assert(zk_server_start(&server, 1));
	begin(&fixture, server.connect);
	last = next_id(&fixture);
	zk_server_kill(&server, 0);
	for (int i = 1; i < 1000; i++) {
		int64_t id = next_id(&fixture);

		ck_assert_int_eq(id, last + 1);
		last = id;
	}
	ck_assert_int_eq(got(&fixture, ask(&fixture))->error_code, KAFKA_COORDINATOR_LOAD_IN_PROGRESS);
	answer = ask(&fixture);
	ck_assert(zk_server_restart(&server, 0, true));
	/* One who waits is served; should its time be up before the server is, it asks again, as clients do. */
	for (int tries = 0; got(&fixture, answer)->error_code == KAFKA_COORDINATOR_LOAD_IN_PROGRESS && tries < 10; tries++)
		answer = ask(&fixture);
	ck_assert_int_eq(got(&fixture, answer)->error_code, 0);
	ck_assert_int_eq(got(&fixture, answer)->producer_id, last + 1);
	api_fixture_fini(&fixture);
	zk_server_stop(&server);
}
END_TEST

static int16_t refused(struct api_fixture *fixture, const char *transactional_id, int64_t id, int16_t epoch)
{
	struct init_producer_id_request request = init_producer_id_request_default;

	request.transactional_id = slice_of_text(transactional_id);
	request.producer_id = id;
	request.producer_epoch = epoch;
	return ((const struct init_producer_id_response *)api_fixture_call(fixture, API_INIT_PRODUCER_ID, 4, init_producer_id_handle,
									   &request)
			->body)
		->error_code;
}

START_TEST(transactions_are_refused_clearly)
{
	struct api_fixture fixture;

	api_fixture_init(&fixture, NULL);
	ck_assert_int_eq(refused(&fixture, "", -1, -1), KAFKA_INVALID_REQUEST);
	ck_assert_int_eq(refused(&fixture, "x", -1, -1), KAFKA_UNSUPPORTED_VERSION);
	ck_assert_int_eq(refused(&fixture, NULL, 7, -1), KAFKA_INVALID_REQUEST);
	ck_assert_int_eq(refused(&fixture, NULL, -1, 7), KAFKA_INVALID_REQUEST);
	/* Without a session there is no block. */
	ck_assert_int_eq(refused(&fixture, NULL, -1, -1), KAFKA_COORDINATOR_LOAD_IN_PROGRESS);
	api_fixture_fini(&fixture);
}
END_TEST

START_TEST(a_known_producer_gets_a_new_id_in_every_version)
{
	struct api_fixture fixture;

	begin(&fixture, zk_test_connect("versions"));
	for (int version = 0; version <= 5; version++) {
		struct init_producer_id_request request = init_producer_id_request_default;
		const struct init_producer_id_response *response;

		request.transactional_id = SLICE_NULL;
		request.producer_id = version >= 3 ? 5 : -1;
		request.producer_epoch = version >= 3 ? 3 : -1;
		response = api_fixture_call(&fixture, API_INIT_PRODUCER_ID, version, init_producer_id_handle, &request)->body;
		ck_assert_int_eq(response->error_code, 0);
		ck_assert_int_eq(response->producer_id, version);
		ck_assert_int_eq(response->producer_epoch, 0);
	}
	api_fixture_fini(&fixture);
}
END_TEST

ZK_TEST_MAIN("broker/meta/producer_ids", ids_follow_each_other_and_blocks_are_taken_ahead, two_brokers_share_no_id,
	     blocks_go_on_behind_kafkas, nonsense_in_the_node_gives_no_id_until_it_is_mended,
	     ids_are_given_while_zookeeper_is_away_as_long_as_there_are_some, transactions_are_refused_clearly,
	     a_known_producer_gets_a_new_id_in_every_version)
