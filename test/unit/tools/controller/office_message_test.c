/* office_message: what a broker's channel takes, and what it does not. */
#include "test/lib/unit.h"

#include "common/limits.h"
#include "common/memory.h"
#include "proto/cluster/cluster.pb-c.h"
#include "proto/kafka/elect_leaders.gen.h"
#include "proto/kafka_error.h"
#include "tools/controller/office_message.h"

#include <stdlib.h>
#include <string.h>

/* What ElectLeaders is answered for so many partitions, each with a text of 400 bytes. */
static Klamm__ForwardAnswer *answer_for(int n)
{
	struct elect_leaders_response_partition *list = memory_zalloc((size_t)n, sizeof *list);
	struct elect_leaders_response_topic topic = {.topic = SLICE_LITERAL("t"), .partition_result = list, .n_partition_result = n};
	struct elect_leaders_response response = {.replica_election_results = &topic, .n_replica_election_results = 1};
	struct ctl_forward_answer answer = {.number = 7, .schema = &elect_leaders_response_schema, .response = &response, .version = 2};
	Klamm__ForwardAnswer *told;
	struct buf *frame;
	char text[400];

	memset(text, 'x', sizeof text);
	for (int i = 0; i < n; i++)
		list[i] = (struct elect_leaders_response_partition){i, KAFKA_PREFERRED_LEADER_NOT_AVAILABLE, slice_of(text, sizeof text)};
	frame = office_message_forward_answer(&answer);
	told = klamm__forward_answer__unpack(NULL, frame->len, frame->data);
	ck_assert_ptr_nonnull(told);
	ck_assert_int_eq(told->number, 7);
	buf_release(frame);
	free(list);
	return told;
}

/* The broker would close its connection over the frame, and lose its controller because of what one client asked. */
START_TEST(an_answer_to_a_client_that_no_frame_holds_is_an_error)
{
	Klamm__ForwardAnswer *told = answer_for(1000);

	ck_assert_int_eq(told->error, 0);
	ck_assert_uint_gt(told->body.len, 400000);
	klamm__forward_answer__free_unpacked(told, NULL);
	told = answer_for(LIMIT_FORWARD_BYTES / 400);
	ck_assert_int_eq(told->error, KAFKA_UNKNOWN_SERVER_ERROR);
	ck_assert_uint_eq(told->body.len, 0);
	klamm__forward_answer__free_unpacked(told, NULL);
}
END_TEST

UNIT_MAIN("tools/controller/office_message", an_answer_to_a_client_that_no_frame_holds_is_an_error)
