/* Requests at coordinators; see group_admin.h. */
#include "tools/klamm/group_admin.h"

#include "common/clock.h"
#include "proto/kafka/delete_groups.gen.h"
#include "proto/kafka/find_coordinator.gen.h"
#include "proto/kafka_error.h"

#include <stdlib.h>
#include <time.h>

#define RETRY_EVERY_MS 100

/* Kafka's code in an answer that tells whether this was the coordinator. */
typedef int16_t code_fn(const void *response);

/* One request to the coordinator of a group. */
struct errand {
	const struct group_admin *admin;
	struct slice group;
	enum api_key key;
	const void *request;
	void *ret_response;
	code_fn *code;
	struct group_coordinator coordinator;
};

static void nap(void)
{
	struct timespec time = {0, RETRY_EVERY_MS * 1000000L};

	nanosleep(&time, NULL);
}

static bool is_passing(int16_t code)
{
	return code == KAFKA_COORDINATOR_LOAD_IN_PROGRESS || code == KAFKA_COORDINATOR_NOT_AVAILABLE || code == KAFKA_NOT_COORDINATOR;
}

static int find(struct errand *errand, int16_t *ret_code, struct error *err)
{
	struct find_coordinator_request request = find_coordinator_request_default;
	struct find_coordinator_response response;
	int r;

	request.key = errand->group;
	request.coordinator_keys = &errand->group;
	request.n_coordinator_keys = 1;
	r = kafka_client_call(errand->admin->client, CLIENT_ANY, API_FIND_COORDINATOR, &request, &response, err);
	if (r != 0)
		return r;
	if (response.n_coordinators > 0) {
		const struct find_coordinator_response_coordinator *row = &response.coordinators[0];

		*ret_code = row->error_code;
		errand->coordinator = (struct group_coordinator){row->node_id, row->host, row->port};
	} else {
		*ret_code = response.error_code;
		errand->coordinator = (struct group_coordinator){response.node_id, response.host, response.port};
	}
	return 0;
}

/* A broker that has just come back is not yet where it was known to be. */
static int brokers_refresh(struct errand *errand, struct error *err)
{
	struct metadata_response metadata;
	struct slice none = SLICE_NULL;

	return kafka_client_metadata(errand->admin->client, &none, 0, &metadata, err);
}

static int attempt(struct errand *errand, int16_t *ret_code, struct error *err)
{
	int r = find(errand, ret_code, err);

	if (r != 0 || *ret_code != KAFKA_NONE)
		return r;
	r = kafka_client_call(errand->admin->client, errand->coordinator.node, errand->key, errand->request, errand->ret_response, err);
	if (r == 0)
		*ret_code = errand->code(errand->ret_response);
	return r;
}

static int errand_run(struct errand *errand, struct error *err)
{
	int64_t until_ms = clock_ms() + errand->admin->timeout_ms;

	for (;;) {
		int16_t code = KAFKA_NONE;
		int r = attempt(errand, &code, err);

		if (r == 0 && !is_passing(code))
			return 0;
		if (r != 0 && r != ERR_BUSY && r != ERR_NOT_FOUND)
			return r;
		if (clock_ms() >= until_ms)
			return r ? r
				 : error_set(err, ERR_TIMEOUT, "group '%.*s': %s (%s) for %lld ms; --timeout waits longer", SLICE_ARGS(errand->group),
					     kafka_error_text(code), kafka_error_name(code), (long long)errand->admin->timeout_ms);
		nap();
		r = brokers_refresh(errand, err);
		if (r != 0)
			return r;
	}
}

/* ---- one group ---- */

static int16_t describe_code(const void *response)
{
	const struct describe_groups_response *answer = response;

	return answer->n_groups > 0 ? answer->groups[0].error_code : KAFKA_UNKNOWN_SERVER_ERROR;
}

static int refused(struct slice group, int16_t code, struct error *err)
{
	return error_set(err, ERR_IO, "group '%.*s': %s (%s)", SLICE_ARGS(group), kafka_error_text(code), kafka_error_name(code));
}

int group_admin_describe(const struct group_admin *admin, struct slice group, struct group_coordinator *ret_coordinator,
			 struct describe_groups_response_group *ret_group, struct error *err)
{
	struct describe_groups_request request = describe_groups_request_default;
	struct describe_groups_response response;
	struct errand errand = {admin, group, API_DESCRIBE_GROUPS, &request, &response, describe_code, {0}};
	int r;

	request.groups = &group;
	request.n_groups = 1;
	r = errand_run(&errand, err);
	if (r != 0)
		return r;
	if (describe_code(&response) != KAFKA_NONE)
		return refused(group, describe_code(&response), err);
	*ret_group = response.groups[0];
	if (ret_coordinator)
		*ret_coordinator = errand.coordinator;
	return 0;
}

static int16_t fetch_code(const void *response)
{
	const struct offset_fetch_response *answer = response;

	return answer->n_groups > 0 ? answer->groups[0].error_code : KAFKA_UNKNOWN_SERVER_ERROR;
}

int group_admin_offsets(const struct group_admin *admin, struct slice group, struct offset_fetch_response_group *ret_offsets, struct error *err)
{
	struct offset_fetch_request request = offset_fetch_request_default;
	struct offset_fetch_request_group wanted = {.group_id = group, .member_epoch = -1, .n_topics = -1};
	struct offset_fetch_response response;
	struct errand errand = {admin, group, API_OFFSET_FETCH, &request, &response, fetch_code, {0}};
	int version, r = kafka_client_version(admin->client, CLIENT_ANY, API_OFFSET_FETCH, &version, err);

	if (r == 0 && version < 8)
		r = error_set(err, ERR_UNSUPPORTED, "the broker does not serve OffsetFetch 8: Kafka 3.0 is the oldest that `klamm groups` speaks to");
	if (r != 0)
		return r;
	request.groups = &wanted;
	request.n_groups = 1;
	r = errand_run(&errand, err);
	if (r != 0)
		return r;
	if (fetch_code(&response) != KAFKA_NONE)
		return refused(group, fetch_code(&response), err);
	*ret_offsets = response.groups[0];
	return 0;
}

/* The coordinator refuses all partitions alike when it is none. */
static int16_t commit_code(const void *response)
{
	const struct offset_commit_response *answer = response;

	if (answer->n_topics == 0 || answer->topics[0].n_partitions == 0)
		return KAFKA_NONE;
	return answer->topics[0].partitions[0].error_code;
}

int group_admin_commit(const struct group_admin *admin, const struct offset_commit_request *request, struct offset_commit_response *ret_response,
		       struct error *err)
{
	struct errand errand = {admin, request->group_id, API_OFFSET_COMMIT, request, ret_response, commit_code, {0}};

	return errand_run(&errand, err);
}

static int16_t offset_delete_code(const void *response)
{
	return ((const struct offset_delete_response *)response)->error_code;
}

int group_admin_delete_offsets(const struct group_admin *admin, const struct offset_delete_request *request,
			       struct offset_delete_response *ret_response, struct error *err)
{
	struct errand errand = {admin, request->group_id, API_OFFSET_DELETE, request, ret_response, offset_delete_code, {0}};

	return errand_run(&errand, err);
}

static int16_t delete_code(const void *response)
{
	const struct delete_groups_response *answer = response;

	return answer->n_results > 0 ? answer->results[0].error_code : KAFKA_UNKNOWN_SERVER_ERROR;
}

int group_admin_delete(const struct group_admin *admin, struct slice group, int16_t *ret_code, struct error *err)
{
	struct delete_groups_request request = delete_groups_request_default;
	struct delete_groups_response response;
	struct errand errand = {admin, group, API_DELETE_GROUPS, &request, &response, delete_code, {0}};
	int r;

	request.groups_names = &group;
	request.n_groups_names = 1;
	r = errand_run(&errand, err);
	if (r == 0)
		*ret_code = delete_code(&response);
	return r;
}

/* ---- all groups ---- */

static int list_one(const struct group_admin *admin, int32_t node, const struct list_groups_request *request, struct list_groups_response *ret_response,
		    struct error *err)
{
	int64_t until_ms = clock_ms() + admin->timeout_ms;
	int version, r = kafka_client_version(admin->client, node, API_LIST_GROUPS, &version, err);

	if (r == 0 && (version < 4 ? request->n_states_filter > 0 : version < 5 && request->n_types_filter > 0))
		r = error_set(err, ERR_UNSUPPORTED, "broker %d does not know this filter of ListGroups", node);
	if (r != 0)
		return r;
	for (;;) {
		r = kafka_client_call(admin->client, node, API_LIST_GROUPS, request, ret_response, err);
		if (r != 0 || ret_response->error_code == KAFKA_NONE)
			return r;
		if (!is_passing(ret_response->error_code) || clock_ms() >= until_ms)
			return error_set(err, ERR_IO, "broker %d does not list its groups: %s (%s)", node, kafka_error_text(ret_response->error_code),
					 kafka_error_name(ret_response->error_code));
		nap();
	}
}

static int by_id(const void *a, const void *b)
{
	return slice_compare(((const struct list_groups_response_group *)a)->group_id, ((const struct list_groups_response_group *)b)->group_id);
}

int group_admin_list(const struct group_admin *admin, const struct list_groups_request *request, struct list_groups_response_group **ret_groups,
		     int *ret_n, struct error *err)
{
	struct arena *arena = kafka_client_arena(admin->client);
	struct list_groups_response_group *groups = NULL;
	struct metadata_response metadata;
	struct slice none = SLICE_NULL;
	int n = 0, r = kafka_client_metadata(admin->client, &none, 0, &metadata, err);

	for (int i = 0; r == 0 && i < metadata.n_brokers; i++) {
		struct list_groups_response response;
		struct list_groups_response_group *more;

		r = list_one(admin, metadata.brokers[i].node_id, request, &response, err);
		if (r != 0 || response.n_groups <= 0)
			continue;
		more = arena_alloc(arena, (size_t)(n + response.n_groups) * sizeof *more);
		if (n)
			memcpy(more, groups, (size_t)n * sizeof *more);
		memcpy(more + n, response.groups, (size_t)response.n_groups * sizeof *more);
		groups = more;
		n += response.n_groups;
	}
	if (r != 0)
		return r;
	if (n > 1)
		qsort(groups, (size_t)n, sizeof *groups, by_id);
	*ret_groups = groups;
	*ret_n = n;
	return 0;
}
