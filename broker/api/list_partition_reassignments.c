/* ListPartitionReassignments: the controller tells what moves (KIP-455); see forward.h. */
#include "broker/api/api.h"
#include "broker/api/forward.h"
#include "proto/kafka/list_partition_reassignments.gen.h"

static void refuse(struct request *request, int16_t error, const char *text)
{
	struct list_partition_reassignments_response response = list_partition_reassignments_response_default;

	response.error_code = error;
	response.error_message = slice_of_text(text);
	request_answer(request, &response);
}

void list_partition_reassignments_handle(struct request *request)
{
	const struct list_partition_reassignments_request *body = request->body;

	forward_request(request, body->timeout_ms, refuse);
}
