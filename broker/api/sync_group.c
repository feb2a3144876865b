/*
 * SyncGroup: the second step of a rebalance. The leader hands in who reads what, and each member is answered with its own share; those who come
 * before the leader wait for it.
 */
#include "broker/api/api.h"
#include "broker/api/group_call.h"
#include "broker/api/scatter.h"
#include "common/limits.h"
#include "common/memory.h"
#include "proto/kafka/sync_group.gen.h"
#include "proto/kafka_error.h"

#define VERSION_WITH_PROTOCOL 5 /* KIP-559: must be said then, and is compared */

struct sync_group {
	struct group_call call;
	struct group_part part;
};

static void on_synced(struct group_call *call)
{
	const struct coordinator_sync *sync = &CONTAINER_OF(call, struct sync_group, call)->part.sync;
	struct sync_group_response response = sync_group_response_default;

	response.error_code = sync->call.error;
	response.protocol_type = sync->ret_protocol_type;
	response.protocol_name = sync->ret_protocol_name;
	response.assignment = sync->assignment;
	group_call_answer(call, &response);
}

static void refuse(struct request *request, int16_t error)
{
	struct sync_group_response response = sync_group_response_default;

	response.error_code = error;
	request_answer(request, &response);
}

static void own(struct request *request, struct sync_group_request *body)
{
	struct slice *texts[] = {&body->group_id, &body->member_id, &body->group_instance_id, &body->protocol_type, &body->protocol_name};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		group_call_own(request, texts[i]);
	for (int32_t i = 0; i < body->n_assignments; i++) {
		group_call_own(request, &body->assignments[i].member_id);
		group_call_own(request, &body->assignments[i].assignment);
	}
	group_call_give_back(request);
}

void sync_group_handle(struct request *request)
{
	struct sync_group_request *body = request->body;
	struct sync_group *syncing = arena_zalloc(&request->arena, 1, sizeof *syncing);

	if (request->header.api_version >= VERSION_WITH_PROTOCOL &&
	    (slice_is_null(body->protocol_type) || slice_is_null(body->protocol_name))) {
		refuse(request, KAFKA_INCONSISTENT_GROUP_PROTOCOL);
		return;
	}
	/* No group has more members; each of them is looked for among all. */
	if (!scatter_may_name(request, body->n_assignments, LIMIT_GROUP_MEMBERS))
		return;
	own(request, body);
	syncing->part.sync = (struct coordinator_sync){
		.call = {.kind = COORDINATOR_SYNC, .group_id = body->group_id},
		.generation = body->generation_id,
		.member_id = body->member_id,
		.group_instance_id = body->group_instance_id,
		.protocol_type = body->protocol_type,
		.protocol_name = body->protocol_name,
		.assignments = body->assignments,
		.n_assignments = body->n_assignments,
		.assignment = SLICE_LITERAL(""),
	};
	group_call_one(&syncing->call, request, &syncing->part, on_synced);
}
