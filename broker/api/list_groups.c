/* ListGroups: the groups that this broker coordinates, from all its shards. While one of them still loads some the answer says so. */
#include "broker/api/api.h"
#include "broker/api/group_call.h"
#include "proto/kafka/list_groups.gen.h"

struct list_groups {
	struct group_call call;
	struct group_part *parts; /* by shard */
};

static void on_listed(struct group_call *call)
{
	const struct list_groups *list = CONTAINER_OF(call, struct list_groups, call);
	struct list_groups_response response = list_groups_response_default;
	size_t n = 0;

	for (int i = 0; i < call->shard->n_shards; i++)
		n += (size_t)list->parts[i].list.n_groups;
	response.groups = message_array(&call->request->arena, &list_groups_response_group_struct, n);
	for (int i = 0; i < call->shard->n_shards; i++) {
		const struct coordinator_list *part = &list->parts[i].list;

		if (part->call.error)
			response.error_code = part->call.error;
		for (int32_t g = 0; g < part->n_groups; g++)
			response.groups[response.n_groups++] = part->groups[g];
	}
	group_call_answer(call, &response);
}

void list_groups_handle(struct request *request)
{
	const struct list_groups_request *body = request->body;
	struct list_groups *list = arena_zalloc(&request->arena, 1, sizeof *list);
	int n_shards = shard_of(request->worker)->n_shards;

	list->parts = arena_zalloc(&request->arena, (size_t)n_shards, sizeof *list->parts);
	group_call_init(&list->call, request, n_shards, on_listed);
	for (int i = 0; i < n_shards; i++) {
		list->parts[i].list = (struct coordinator_list){
			.call = {.kind = COORDINATOR_LIST},
			.states = body->states_filter,
			.n_states = body->n_states_filter,
			.types = body->types_filter,
			.n_types = body->n_types_filter,
		};
		group_call_add_to(&list->call, &list->parts[i], i);
	}
	group_call_run(&list->call);
}
