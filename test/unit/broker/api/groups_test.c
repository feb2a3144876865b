/* The handlers of consumer groups: what they find, refuse and pass on, on views made by hand. */
#include "broker/api/api.h"
#include "common/memory.h"
#include "proto/kafka/find_coordinator.gen.h"
#include "proto/kafka_error.h"
#include "test/lib/api_fixture.h"
#include "test/lib/unit.h"

#define OFFSETS "__consumer_offsets"
#define TRANSACTIONS "__transaction_state"

/* ---- FindCoordinator ---- */

static const struct find_coordinator_response *find(struct api_fixture *fixture, int version, int8_t type, const char *key)
{
	struct slice keys[] = {slice_of_text(key), SLICE_LITERAL("")};
	struct find_coordinator_request request = {
		.key = keys[0], .key_type = type, .coordinator_keys = keys, .n_coordinator_keys = 2};

	return api_fixture_call(fixture, API_FIND_COORDINATOR, version, find_coordinator_handle, &request)->body;
}

static int16_t error_of(const struct find_coordinator_response *response, int version)
{
	return version >= 4 ? response->coordinators[0].error_code : response->error_code;
}

START_TEST(a_coordinator_is_the_leader_of_the_partition_of_the_key)
{
	struct api_fixture fixture;
	struct uuid id = uuid_random();

	api_fixture_init(&fixture, NULL);
	api_fixture_broker(&fixture, 2);
	api_fixture_topic(&fixture, OFFSETS, 50, 2);
	api_fixture_topic_with(&fixture, TRANSACTIONS, &id, 50, 1, NULL, 0, 0);
	for (int version = 0; version <= 6; version++) {
		const struct find_coordinator_response *response = find(&fixture, version, 0, "g");

		ck_assert_int_eq(error_of(response, version), 0);
		if (version < 4) {
			ck_assert_int_eq(response->node_id, 2);
			ck_assert(slice_is_text(response->host, "host2"));
			ck_assert_int_eq(response->port, 9092);
			ck_assert(slice_is_text(response->error_message, version == 0 ? "" : "NONE"));
		} else {
			ck_assert_int_eq(response->n_coordinators, 2);
			ck_assert(slice_is_text(response->coordinators[0].key, "g"));
			ck_assert_int_eq(response->coordinators[0].node_id, 2);
			ck_assert(slice_is_text(response->coordinators[1].key, ""));
			ck_assert_int_eq(response->coordinators[1].error_code, 0);
			ck_assert(slice_is_text(response->coordinators[1].error_message, ""));
		}
		if (version >= 1)
			ck_assert_int_eq(version < 4 ? find(&fixture, version, 1, "t")->node_id
						     : find(&fixture, version, 1, "t")->coordinators[0].node_id,
					 1);
	}
	api_fixture_fini(&fixture);
}
END_TEST

START_TEST(without_a_leader_or_its_listener_there_is_no_coordinator)
{
	struct api_fixture fixture;
	const struct find_coordinator_response *response;

	api_fixture_init(&fixture, NULL);
	api_fixture_topic(&fixture, OFFSETS, 4, VIEW_NO_LEADER);
	response = find(&fixture, 2, 0, "g");
	ck_assert_int_eq(response->error_code, KAFKA_COORDINATOR_NOT_AVAILABLE);
	ck_assert_int_eq(response->node_id, -1);
	ck_assert(slice_is_text(response->host, ""));
	ck_assert_int_eq(response->port, -1);
	api_fixture_remove_topic(&fixture, OFFSETS);
	api_fixture_topic(&fixture, OFFSETS, 4, 3);
	ck_assert_int_eq(find(&fixture, 4, 0, "g")->coordinators[1].error_code, KAFKA_COORDINATOR_NOT_AVAILABLE);
	api_fixture_fini(&fixture);
}
END_TEST

START_TEST(unknown_types_are_refused)
{
	struct api_fixture fixture;

	api_fixture_init(&fixture, NULL);
	api_fixture_topic(&fixture, OFFSETS, 4, 1);
	for (int version = 1; version <= 6; version++) {
		ck_assert_int_eq(error_of(find(&fixture, version, 3, "g"), version), KAFKA_INVALID_REQUEST);
		ck_assert_int_eq(error_of(find(&fixture, version, -1, "g"), version), KAFKA_INVALID_REQUEST);
		ck_assert_int_eq(error_of(find(&fixture, version, 2, "g"), version),
				 version == 6 ? KAFKA_COORDINATOR_NOT_AVAILABLE : KAFKA_INVALID_REQUEST);
	}
	api_fixture_fini(&fixture);
}
END_TEST

/* There is no ZooKeeper, so that nothing can be made: what counts is that there is an answer, and when. */
START_TEST(a_topic_that_cannot_be_made_is_no_coordinator)
{
	struct api_fixture fixture;

	/* Three replicas are more than one broker can hold: said at once. */
	api_fixture_init(&fixture, NULL);
	api_fixture_topic(&fixture, "t", 1, 1);
	ck_assert_int_eq(find(&fixture, 3, 0, "g")->error_code, KAFKA_COORDINATOR_NOT_AVAILABLE);
	api_fixture_fini(&fixture);

	api_fixture_init(&fixture, "offsets.topic.replication.factor=1\ntransaction.state.log.replication.factor=1\n");
	api_fixture_topic(&fixture, "t", 1, 1);
	ck_assert_int_eq(find(&fixture, 3, 0, "g")->error_code, KAFKA_COORDINATOR_NOT_AVAILABLE);
	ck_assert_int_eq(find(&fixture, 4, 1, "g")->coordinators[0].error_code, KAFKA_COORDINATOR_NOT_AVAILABLE);
	api_fixture_fini(&fixture);
}
END_TEST

UNIT_MAIN("broker/api/groups", a_coordinator_is_the_leader_of_the_partition_of_the_key,
	  without_a_leader_or_its_listener_there_is_no_coordinator, unknown_types_are_refused,
	  a_topic_that_cannot_be_made_is_no_coordinator)
