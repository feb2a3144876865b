/* DeleteGroups: groups without members, and their offsets, are forgotten (KIP-229). What is named twice is deleted and answered once. */
#include "broker/api/api.h"
#include "broker/api/group_call.h"
#include "broker/api/scatter.h"
#include "proto/kafka/delete_groups.gen.h"

#include <uthash.h>

struct doomed {
	struct group_part part;
	UT_hash_handle hh; /* while they are listed */
};

struct delete_groups {
	struct group_call call;
	struct doomed *list;
	int32_t n;
};

static void on_deleted(struct group_call *call)
{
	const struct delete_groups *delete = CONTAINER_OF(call, struct delete_groups, call);
	struct delete_groups_response response = delete_groups_response_default;

	response.results = message_array(&call->request->arena, &delete_groups_response_result_struct, (size_t)delete->n);
	response.n_results = delete->n;
	for (int32_t i = 0; i < delete->n; i++) {
		response.results[i].group_id = delete->list[i].part.call.group_id;
		response.results[i].error_code = delete->list[i].part.call.error;
	}
	group_call_answer(call, &response);
}

/* Each name once, in the order of the request. */
static void list_doomed(struct delete_groups *delete, const struct delete_groups_request *body)
{
	struct doomed *met = NULL, *same;

	for (int32_t i = 0; i < body->n_groups_names; i++) {
		struct slice name = body->groups_names[i];
		struct doomed *doomed = &delete->list[delete->n];

		HASH_FIND(hh, met, name.data, name.len, same);
		if (same)
			continue;
		doomed->part.delete_group.call = (struct coordinator_call){.kind = COORDINATOR_DELETE_GROUP, .group_id = name};
		HASH_ADD_KEYPTR(hh, met, name.data, name.len, doomed);
		delete->n++;
	}
	HASH_CLEAR(hh, met);
}

void delete_groups_handle(struct request *request)
{
	const struct delete_groups_request *body = request->body;
	struct delete_groups *delete = arena_zalloc(&request->arena, 1, sizeof *delete);

	if (!scatter_may_begin(request, body->n_groups_names))
		return;
	delete->list = arena_zalloc(&request->arena, (size_t)body->n_groups_names, sizeof *delete->list);
	list_doomed(delete, body);
	group_call_init(&delete->call, request, delete->n, on_deleted);
	for (int32_t i = 0; i < delete->n; i++)
		group_call_add(&delete->call, &delete->list[i].part);
	group_call_run(&delete->call);
}
