/* DescribeCluster: the brokers that have the listener of the request, and who is told to be the controller. */
#include "broker/api/api.h"
#include "broker/api/operations.h"
#include "broker/replica/shard.h"
#include "proto/kafka/describe_cluster.gen.h"
#include "proto/kafka_error.h"

enum endpoint_type { ENDPOINT_BROKER = 1, ENDPOINT_CONTROLLER = 2 };

static void refuse(struct request *request, struct describe_cluster_response *response, int8_t type)
{
	if (type == ENDPOINT_CONTROLLER) {
		response->error_code = KAFKA_MISMATCHED_ENDPOINT_TYPE;
		response->error_message =
			SLICE_LITERAL("The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type CONTROLLER");
	} else {
		response->error_code = KAFKA_UNSUPPORTED_ENDPOINT_TYPE;
		response->error_message = slice_of_text(arena_printf(&request->arena, "Unsupported endpoint type %d", type));
	}
	response->cluster_id = SLICE_LITERAL("");
	request_answer(request, response);
}

static void list_brokers(struct request *request, const struct view *view, struct describe_cluster_response *response)
{
	struct slice listener = slice_of_text(request->client->listener->name);

	response->brokers = message_array(&request->arena, &describe_cluster_response_broker_struct, (size_t)view->n_brokers);
	for (int i = 0; i < view->n_brokers; i++) {
		const struct view_endpoint *endpoint = view_broker_endpoint(view->brokers[i], listener);
		struct describe_cluster_response_broker *row = &response->brokers[response->n_brokers];

		if (!endpoint)
			continue;
		response->n_brokers++;
		row->broker_id = view->brokers[i]->id;
		row->host = endpoint->host;
		row->port = endpoint->port;
		row->rack = view->brokers[i]->rack;
	}
}

void describe_cluster_handle(struct request *request)
{
	const struct describe_cluster_request *body = request->body;
	const struct view *view = shard_of(request->worker)->view;
	struct describe_cluster_response response = describe_cluster_response_default;

	if (body->endpoint_type != ENDPOINT_BROKER) {
		refuse(request, &response, body->endpoint_type);
		return;
	}
	response.cluster_id = view->cluster_id;
	response.controller_id = view->office_broker;
	if (body->include_cluster_authorized_operations)
		response.cluster_authorized_operations = OPERATIONS_CLUSTER;
	list_brokers(request, view, &response);
	request_answer(request, &response);
}
