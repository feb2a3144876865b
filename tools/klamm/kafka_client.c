/* A blocking client of a cluster; see kafka_client.h. Connections and frames are in kafka_link.c. */
#include "tools/klamm/kafka_client.h"

#include "common/clock.h"
#include "common/memory.h"
#include "tools/klamm/dial.h"
#include "tools/klamm/kafka_link.h"

#include <stdlib.h>
#include <string.h>

/* Connections to brokers and to bootstrap addresses that have been used. */
struct kafka_client {
	struct kafka_client_config config;
	struct arena arena;
	struct kafka_link *links;
	int n_links;
	struct kafka_link *any; /* the bootstrap connection */
	struct metadata_response_broker *brokers;
	int n_brokers;
	int32_t controller_id;
	bool knows_brokers;
};

struct arena *kafka_client_arena(struct kafka_client *client)
{
	return &client->arena;
}

int32_t kafka_client_timeout_ms(const struct kafka_client *client)
{
	return (int32_t)client->config.request_timeout_ms;
}

static struct kafka_link *link_add(struct kafka_client *client, struct kafka_link *link)
{
	link->next = client->links;
	client->links = link;
	return link;
}

static int link_dial(struct kafka_client *client, int32_t node_id, const char *host, int port, struct kafka_link **ret_link,
		     struct error *err)
{
	struct kafka_link *link;
	int r = kafka_link_open(&client->config, &client->arena, host, port, &link, err);

	if (r != 0)
		return r;
	link->node_id = node_id;
	*ret_link = link_add(client, link);
	return 0;
}

/* Tries the addresses one after the other; the error names each and why. */
static int bootstrap_dial(struct kafka_client *client, struct error *err)
{
	const char *at = client->config.bootstrap;
	struct error first = {0};
	int n = 0, port, r = ERR_INVALID;
	char host[256];

	while (*at) {
		size_t len = strcspn(at, ",");
		struct error why = {0};

		if (len) {
			if (dial_parse(at, len, host, sizeof host, &port, err) != 0)
				return ERR_INVALID;
			r = link_dial(client, CLIENT_ANY, host, port, &client->any, &why);
			if (r == 0)
				return 0;
			if (n++ == 0)
				first = why;
		}
		at += len + (at[len] == ',');
	}
	if (n == 0)
		return error_set(err, ERR_INVALID, "--bootstrap-server is empty: write HOST:PORT of a broker");
	return error_set(err, r, "no broker answers at %s (%s). Is it running, and is this the port of its client listener?",
			 client->config.bootstrap, first.text);
}

int kafka_client_open(const struct kafka_client_config *config, struct kafka_client **ret_client, struct error *err)
{
	struct kafka_client *client = NEW(struct kafka_client);
	int r;

	client->config = *config;
	client->controller_id = -1;
	arena_init(&client->arena);
	r = bootstrap_dial(client, err);
	if (r != 0) {
		kafka_client_free(client);
		return r;
	}
	*ret_client = client;
	return 0;
}

void kafka_client_free(struct kafka_client *client)
{
	if (!client)
		return;
	while (client->links) {
		struct kafka_link *link = client->links;

		client->links = link->next;
		kafka_link_close(link);
	}
	arena_fini(&client->arena);
	free(client);
}

static void brokers_learn(struct kafka_client *client, const struct metadata_response *metadata)
{
	client->brokers = metadata->brokers;
	client->n_brokers = metadata->n_brokers;
	client->controller_id = metadata->controller_id;
	client->knows_brokers = true;
}

int kafka_client_metadata(struct kafka_client *client, const struct slice *names, int n_names,
			  struct metadata_response *ret_metadata, struct error *err)
{
	struct metadata_request request = metadata_request_default;
	int r;

	request.allow_auto_topic_creation = false;
	request.n_topics = names ? n_names : -1;
	if (names) {
		request.topics = message_array(&client->arena, &metadata_request_topic_struct, (size_t)n_names);
		for (int i = 0; i < n_names; i++)
			request.topics[i].name = names[i];
	}
	r = kafka_client_call(client, CLIENT_ANY, API_METADATA, &request, ret_metadata, err);
	if (r == 0)
		brokers_learn(client, ret_metadata);
	return r;
}

static int brokers_need(struct kafka_client *client, struct error *err)
{
	struct metadata_response metadata;
	struct slice none = SLICE_NULL;

	return client->knows_brokers ? 0 : kafka_client_metadata(client, &none, 0, &metadata, err);
}

static const struct metadata_response_broker *broker_find(const struct kafka_client *client, int32_t id)
{
	for (int i = 0; i < client->n_brokers; i++)
		if (client->brokers[i].node_id == id)
			return &client->brokers[i];
	return NULL;
}

/* Dials a broker where the cluster says that it listens. */
static int broker_dial(struct kafka_client *client, int32_t id, struct kafka_link **ret_link, struct error *err)
{
	const struct metadata_response_broker *broker = broker_find(client, id);
	struct error why = {0};
	const char *host;
	int r;

	if (!broker)
		return error_set(err, ERR_NOT_FOUND, "there is no live broker %d in the cluster", id);
	host = (const char *)arena_copy(&client->arena, broker->host).data;
	r = link_dial(client, id, host, broker->port, ret_link, &why);
	if (r != 0)
		return error_set(err, ERR_BUSY,
				 "broker %d does not answer at %s:%d, where it says that it listens (%s). "
				 "Can this machine reach its advertised.listeners?",
				 id, host, broker->port, why.text);
	return 0;
}

/* The connection for a node, made when it is first asked for. */
static int link_for(struct kafka_client *client, int32_t node, struct kafka_link **ret_link, struct error *err)
{
	bool controller = node == CLIENT_CONTROLLER;
	int r;

	*ret_link = client->any;
	if (node == CLIENT_ANY)
		return 0;
	r = brokers_need(client, err);
	if (r != 0)
		return r;
	if (controller)
		node = client->controller_id;
	if (node < 0 || (controller && !broker_find(client, node)))
		return error_set(err, ERR_BUSY,
				 "the cluster has no controller at the moment; is a controller running? Try again");
	for (struct kafka_link *link = client->links; link; link = link->next) {
		if (link->node_id == node) {
			*ret_link = link;
			return 0;
		}
	}
	return broker_dial(client, node, ret_link, err);
}

int kafka_client_call(struct kafka_client *client, int32_t node, enum api_key key, const void *request, void *ret_response,
		      struct error *err)
{
	struct kafka_link *link;
	int r = link_for(client, node, &link, err);

	return r ? r : kafka_link_call(link, key, request, ret_response, err);
}

int kafka_client_version(struct kafka_client *client, int32_t node, enum api_key key, int *ret_version, struct error *err)
{
	struct kafka_link *link;
	int r = link_for(client, node, &link, err);

	if (r == 0)
		*ret_version = kafka_link_version(link, key);
	return r;
}

int kafka_client_ranges(struct kafka_client *client, int32_t node, const struct kafka_range **ret_ranges, int *ret_n,
			struct error *err)
{
	struct kafka_link *link;
	int r = link_for(client, node, &link, err);

	if (r != 0)
		return r;
	*ret_ranges = link->ranges;
	*ret_n = link->n_ranges;
	return 0;
}
