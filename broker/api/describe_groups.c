/* DescribeGroups: state and members of groups, each by its own coordinator. A group that nobody knows is "Dead", without an error. */
#include "broker/api/api.h"
#include "broker/api/group_call.h"
#include "broker/api/operations.h"
#include "broker/api/scatter.h"
#include "proto/kafka/describe_groups.gen.h"

struct describe_groups {
	struct group_call call;
	struct group_part *parts; /* in the order of the request */
	int32_t n_parts;
};

static void on_described(struct group_call *call)
{
	const struct describe_groups *describe = CONTAINER_OF(call, struct describe_groups, call);
	const struct describe_groups_request *body = call->request->body;
	struct describe_groups_response response = describe_groups_response_default;

	response.groups = message_array(&call->request->arena, &describe_groups_response_group_struct, (size_t)describe->n_parts);
	response.n_groups = describe->n_parts;
	for (int32_t i = 0; i < describe->n_parts; i++) {
		const struct group_part *part = &describe->parts[i];
		struct describe_groups_response_group *row = &response.groups[i];

		if (!part->call.error)
			*row = part->describe.description;
		row->group_id = part->call.group_id;
		if (part->call.error)
			row->error_code = part->call.error;
		else if (body->include_authorized_operations && !row->error_code)
			row->authorized_operations = OPERATIONS_GROUP;
	}
	group_call_answer(call, &response);
}

void describe_groups_handle(struct request *request)
{
	const struct describe_groups_request *body = request->body;
	struct describe_groups *describe = arena_zalloc(&request->arena, 1, sizeof *describe);

	if (!scatter_may_begin(request, body->n_groups))
		return;
	describe->n_parts = body->n_groups;
	describe->parts = arena_zalloc(&request->arena, (size_t)body->n_groups, sizeof *describe->parts);
	group_call_init(&describe->call, request, body->n_groups, on_described);
	for (int32_t i = 0; i < body->n_groups; i++) {
		describe->parts[i].describe = (struct coordinator_describe){
			.call = {.kind = COORDINATOR_DESCRIBE, .group_id = body->groups[i]},
			.description = describe_groups_response_group_default,
		};
		group_call_add(&describe->call, &describe->parts[i]);
	}
	group_call_run(&describe->call);
}
