/* Requests of an administrator; see kafka_admin.h. */
#include "tools/klamm/kafka_admin.h"

#include "common/clock.h"
#include "proto/kafka_error.h"

#include <time.h>

/* Topics of which the configs are asked for at once: some 40 rows come back for each. */
#define DESCRIBE_TOPICS_MAX 1000

#define CONTROLLER_RETRY_MS 100
/* As long as it takes the cluster to notice that a controller is gone, and to choose another one. */
#define CONTROLLER_WAIT_MS 20000

static bool create_topics_stale(const void *response)
{
	const struct create_topics_response *answer = response;

	return answer->n_topics > 0 && answer->topics[0].error_code == KAFKA_NOT_CONTROLLER;
}

static bool create_partitions_stale(const void *response)
{
	const struct create_partitions_response *answer = response;

	return answer->n_results > 0 && answer->results[0].error_code == KAFKA_NOT_CONTROLLER;
}

static bool delete_topics_stale(const void *response)
{
	const struct delete_topics_response *answer = response;

	return answer->n_responses > 0 && answer->responses[0].error_code == KAFKA_NOT_CONTROLLER;
}

static void nap(void)
{
	struct timespec time = {0, CONTROLLER_RETRY_MS * 1000000L};

	nanosleep(&time, NULL);
}

/* Asks the controller; where it has moved, learns where it is now and asks again. Nothing was done by who was not the
 * controller. */
static int controller_call(struct kafka_client *client, enum api_key key, const void *request,
			   bool (*stale)(const void *response), void *ret_response, struct error *err)
{
	int64_t until_ms = clock_ms() + CONTROLLER_WAIT_MS;
	struct metadata_response metadata;
	struct slice none = SLICE_NULL;

	for (;;) {
		int r = kafka_client_call(client, CLIENT_CONTROLLER, key, request, ret_response, err);

		if (r != ERR_BUSY && (r != 0 || !stale(ret_response)))
			return r;
		if (clock_ms() >= until_ms)
			return r;
		nap();
		r = kafka_client_metadata(client, &none, 0, &metadata, err);
		if (r != 0)
			return r;
	}
}

int kafka_admin_create_topics(struct kafka_client *client, const struct create_topics_request *request,
			      struct create_topics_response *ret_response, struct error *err)
{
	return controller_call(client, API_CREATE_TOPICS, request, create_topics_stale, ret_response, err);
}

int kafka_admin_create_partitions(struct kafka_client *client, const struct create_partitions_request *request,
				  struct create_partitions_response *ret_response, struct error *err)
{
	return controller_call(client, API_CREATE_PARTITIONS, request, create_partitions_stale, ret_response, err);
}

int kafka_admin_delete_topics(struct kafka_client *client, const struct slice *names, int n_names,
			      struct delete_topics_response *ret_response, struct error *err)
{
	struct delete_topics_request request = delete_topics_request_default;

	/* Names stand in one place up to version 5 and in another from 6 on; the encoder takes what the version has. */
	request.timeout_ms = kafka_client_timeout_ms(client);
	request.topic_names = arena_alloc(kafka_client_arena(client), (size_t)n_names * sizeof *request.topic_names);
	request.topics = message_array(kafka_client_arena(client), &delete_topics_request_topic_struct, (size_t)n_names);
	request.n_topics = request.n_topic_names = n_names;
	for (int i = 0; i < n_names; i++)
		request.topic_names[i] = request.topics[i].name = names[i];
	return controller_call(client, API_DELETE_TOPICS, &request, delete_topics_stale, ret_response, err);
}

static int describe_some(struct kafka_client *client, const struct slice *names, int n_names,
			 struct describe_configs_response_result *ret_results, struct error *err)
{
	struct describe_configs_request request = describe_configs_request_default;
	struct describe_configs_response response;
	int r;

	request.resources =
		message_array(kafka_client_arena(client), &describe_configs_request_resource_struct, (size_t)n_names);
	request.n_resources = n_names;
	for (int i = 0; i < n_names; i++) {
		request.resources[i].resource_type = RESOURCE_TOPIC;
		request.resources[i].resource_name = names[i];
		request.resources[i].n_configuration_keys = -1;
	}
	r = kafka_client_call(client, CLIENT_ANY, API_DESCRIBE_CONFIGS, &request, &response, err);
	if (r != 0)
		return r;
	/* Answers are usually in the order of the request, but nobody promises it. */
	for (int i = 0; i < response.n_results; i++) {
		int at = i;

		for (int tried = 0; tried < n_names && !slice_equal(names[at % n_names], response.results[i].resource_name);
		     tried++)
			at++;
		ret_results[at % n_names] = response.results[i];
	}
	return 0;
}

int kafka_admin_describe_topics(struct kafka_client *client, const struct slice *names, int n_names,
				struct describe_configs_response_result **ret_results, struct error *err)
{
	struct describe_configs_response_result *results =
		arena_zalloc(kafka_client_arena(client), (size_t)n_names + 1, sizeof *results);

	for (int at = 0; at < n_names; at += DESCRIBE_TOPICS_MAX) {
		int n = n_names - at < DESCRIBE_TOPICS_MAX ? n_names - at : DESCRIBE_TOPICS_MAX;
		int r = describe_some(client, names + at, n, results + at, err);

		if (r != 0)
			return r;
	}
	*ret_results = results;
	return 0;
}

int kafka_admin_alter_configs(struct kafka_client *client, int32_t node,
			      const struct incremental_alter_configs_request *request,
			      struct incremental_alter_configs_response *ret_response, struct error *err)
{
	return kafka_client_call(client, node, API_INCREMENTAL_ALTER_CONFIGS, request, ret_response, err);
}

int kafka_admin_reassignments(struct kafka_client *client, struct list_partition_reassignments_response *ret_response,
			      struct error *err)
{
	struct list_partition_reassignments_request request = list_partition_reassignments_request_default;
	int version, r;

	*ret_response = list_partition_reassignments_response_default;
	r = kafka_client_version(client, CLIENT_CONTROLLER, API_LIST_PARTITION_REASSIGNMENTS, &version, err);
	if (r == ERR_BUSY || (r == 0 && version < 0))
		return 0;
	if (r != 0)
		return r;
	request.n_topics = -1;
	request.timeout_ms = kafka_client_timeout_ms(client);
	return kafka_client_call(client, CLIENT_CONTROLLER, API_LIST_PARTITION_REASSIGNMENTS, &request, ret_response, err);
}

static bool list_stale(const void *response)
{
	return ((const struct list_partition_reassignments_response *)response)->error_code == KAFKA_NOT_CONTROLLER;
}

static bool alter_stale(const void *response)
{
	return ((const struct alter_partition_reassignments_response *)response)->error_code == KAFKA_NOT_CONTROLLER;
}

/* An older answer has no error of the whole: each partition says it. */
static bool elect_stale(const void *response)
{
	const struct elect_leaders_response *answer = response;
	const struct elect_leaders_response_topic *topics = answer->replica_election_results;

	if (answer->error_code == KAFKA_NOT_CONTROLLER)
		return true;
	return answer->n_replica_election_results > 0 && topics[0].n_partition_result > 0 &&
	       topics[0].partition_result[0].error_code == KAFKA_NOT_CONTROLLER;
}

static int refused(int16_t code, struct slice message, struct error *err)
{
	if (code == KAFKA_NONE)
		return 0;
	if (message.len)
		return error_set(err, ERR_IO, "%.*s (%s)", SLICE_ARGS(message), kafka_error_name(code));
	return error_set(err, ERR_IO, "%s (%s)", kafka_error_text(code), kafka_error_name(code));
}

int kafka_admin_list_reassignments(struct kafka_client *client, struct list_partition_reassignments_response *ret_response,
				   struct error *err)
{
	struct list_partition_reassignments_request request = list_partition_reassignments_request_default;
	int r;

	request.n_topics = -1;
	request.timeout_ms = kafka_client_timeout_ms(client);
	r = controller_call(client, API_LIST_PARTITION_REASSIGNMENTS, &request, list_stale, ret_response, err);
	return r == 0 ? refused(ret_response->error_code, ret_response->error_message, err) : r;
}

int kafka_admin_alter_reassignments(struct kafka_client *client, const struct alter_partition_reassignments_request *request,
				    struct alter_partition_reassignments_response *ret_response, struct error *err)
{
	int r = controller_call(client, API_ALTER_PARTITION_REASSIGNMENTS, request, alter_stale, ret_response, err);

	return r == 0 ? refused(ret_response->error_code, ret_response->error_message, err) : r;
}

int kafka_admin_elect_leaders(struct kafka_client *client, const struct elect_leaders_request *request,
			      struct elect_leaders_response *ret_response, struct error *err)
{
	int r = controller_call(client, API_ELECT_LEADERS, request, elect_stale, ret_response, err);

	return r == 0 ? refused(ret_response->error_code, SLICE_NULL, err) : r;
}
