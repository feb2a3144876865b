/* LeaveGroup: members leave, one (versions 0-2) or several (an administrator who removes static members by their instance ids). */
#include "broker/api/api.h"
#include "broker/api/group_call.h"
#include "broker/api/scatter.h"
#include "common/limits.h"
#include "proto/kafka/leave_group.gen.h"

#define VERSION_WITH_MEMBERS 3

struct leave_group {
	struct group_call call;
	struct group_part part;
	struct leave_group_request_member only; /* versions 0-2 */
};

static void on_left(struct group_call *call)
{
	const struct coordinator_leave *leave = &CONTAINER_OF(call, struct leave_group, call)->part.leave;
	struct leave_group_response response = leave_group_response_default;

	response.error_code = leave->call.error;
	response.members = leave->results;
	response.n_members = leave->n_results;
	/* Who left alone is told its own error. */
	if (call->request->header.api_version < VERSION_WITH_MEMBERS && !leave->call.error && leave->n_results > 0)
		response.error_code = leave->results[0].error_code;
	group_call_answer(call, &response);
}

void leave_group_handle(struct request *request)
{
	const struct leave_group_request *body = request->body;
	struct leave_group *leaving = arena_zalloc(&request->arena, 1, sizeof *leaving);
	bool alone = request->header.api_version < VERSION_WITH_MEMBERS;

	/* No group has more; each of them is looked for among all. */
	if (!scatter_may_name(request, body->n_members, LIMIT_GROUP_MEMBERS + LIMIT_GROUP_PENDING))
		return;
	leaving->only = (struct leave_group_request_member){.member_id = body->member_id};
	leaving->part.leave = (struct coordinator_leave){
		.call = {.kind = COORDINATOR_LEAVE, .group_id = body->group_id},
		.members = alone ? &leaving->only : body->members,
		.n_members = alone ? 1 : body->n_members,
	};
	group_call_one(&leaving->call, request, &leaving->part, on_left);
}
