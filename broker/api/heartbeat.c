/* Heartbeat: a member of a group is there; the answer tells it when it has to join anew. */
#include "broker/api/api.h"
#include "broker/api/group_call.h"
#include "proto/kafka/heartbeat.gen.h"

struct heartbeat {
	struct group_call call;
	struct group_part part;
};

static void on_heard(struct group_call *call)
{
	struct heartbeat_response response = heartbeat_response_default;

	response.error_code = CONTAINER_OF(call, struct heartbeat, call)->part.call.error;
	group_call_answer(call, &response);
}

void heartbeat_handle(struct request *request)
{
	const struct heartbeat_request *body = request->body;
	struct heartbeat *heartbeat = arena_zalloc(&request->arena, 1, sizeof *heartbeat);

	heartbeat->part.heartbeat = (struct coordinator_heartbeat){
		.call = {.kind = COORDINATOR_HEARTBEAT, .group_id = body->group_id},
		.generation = body->generation_id,
		.member_id = body->member_id,
		.group_instance_id = body->group_instance_id,
	};
	group_call_one(&heartbeat->call, request, &heartbeat->part, on_heard);
}
