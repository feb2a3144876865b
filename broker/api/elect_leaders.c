/* ElectLeaders: the controller elects (KIP-183, 460); see forward.h. */
#include "broker/api/api.h"
#include "broker/api/forward.h"
#include "proto/kafka/elect_leaders.gen.h"

#define VERSION_WITH_ERROR 1 /* of the whole */

/* Before that each partition that was named says it. */
static void list_errors(struct request *request, int16_t error, struct slice message, struct elect_leaders_response *response)
{
	const struct elect_leaders_request *body = request->body;
	int32_t n = body->n_topic_partitions > 0 ? body->n_topic_partitions : 0;

	response->replica_election_results = message_array(&request->arena, &elect_leaders_response_topic_struct, (size_t)n);
	response->n_replica_election_results = n;
	for (int32_t i = 0; i < n; i++) {
		const struct elect_leaders_request_topic *asked = &body->topic_partitions[i];
		struct elect_leaders_response_topic *topic = &response->replica_election_results[i];

		topic->topic = asked->topic;
		topic->n_partition_result = asked->n_partitions;
		topic->partition_result =
			message_array(&request->arena, &elect_leaders_response_partition_struct, (size_t)asked->n_partitions);
		for (int32_t j = 0; j < asked->n_partitions; j++) {
			topic->partition_result[j].partition_id = asked->partitions[j];
			topic->partition_result[j].error_code = error;
			topic->partition_result[j].error_message = message;
		}
	}
}

static void refuse(struct request *request, int16_t error, const char *text)
{
	struct elect_leaders_response response = elect_leaders_response_default;

	response.error_code = error;
	if (request->header.api_version < VERSION_WITH_ERROR)
		list_errors(request, error, slice_of_text(text), &response);
	request_answer(request, &response);
}

void elect_leaders_handle(struct request *request)
{
	const struct elect_leaders_request *body = request->body;

	forward_request(request, body->timeout_ms, refuse);
}
