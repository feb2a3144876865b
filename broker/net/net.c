/* See net.h. */
#include "broker/net/net.h"

#include "broker/net/conn.h"
#include "common/clock.h"
#include "common/memory.h"

#include <stdlib.h>
#include <unistd.h>

const struct net_limits net_limits_default = {
	.frame_bytes_max = 100 << 20,
	.frame_bytes_max_unauthenticated = 512 << 10,
	.idle_ms = 600000,
	.request_ms_max = 30000,
	.request_bytes_per_s_min = 1024,
	.starved_ms_max = 5000,
	.output_bytes_max = 1 << 20,
	.output_stall_ms_max = 60000,
};

void net_init(struct net *net, struct worker *worker, const struct net_setup *setup)
{
	*net = (struct net){.worker = worker, .setup = setup};
	receive_pool_init(&net->pool);
	for (int i = 0; i < setup->n_apis; i++) {
		const struct net_api *api = &setup->apis[i];

		if (api->key >= 0 && api->key < NET_KEYS_DIRECT)
			net->rows[api->key] = api;
	}
}

const struct net_api *net_find_api(const struct net *net, int key)
{
	if (key >= 0 && key < NET_KEYS_DIRECT)
		return net->rows[key];
	for (int i = 0; i < net->setup->n_apis; i++)
		if (net->setup->apis[i].key == key)
			return &net->setup->apis[i];
	return NULL;
}

void net_adopt(struct net *net, struct client *client)
{
	if (net->closing) {
		close(client->fd);
		client_release(client);
		return;
	}
	conn_open(net, client);
}

static void on_dealt(struct message *message)
{
	struct client *client = CONTAINER_OF(message, struct client, message);

	net_adopt(client->deal_to, client);
}

void net_deal(struct net *net, struct client *client)
{
	client->deal_to = net;
	client->message.run = on_dealt;
	worker_post(net->worker, &client->message);
}

void net_close(struct net *net, void (*on_empty)(void *ctx), void *ctx)
{
	net->closing = true;
	/* One more alive, so that on_empty is called once and not before all are closed. */
	net->n_alive++;
	net->on_empty = on_empty;
	net->ctx = ctx;
	while (net->conns)
		conn_close(net->conns, "the broker stops");
	net->n_alive--;
	if (net->n_alive == 0 && on_empty)
		on_empty(ctx);
}

void net_fini(struct net *net)
{
	CHECK(net->n_alive == 0);
	while (net->spare) {
		struct request *next = net->spare->next;

		free(net->spare);
		net->spare = next;
	}
	buf_release(net->scratch);
	receive_pool_fini(&net->pool);
}

void *request_owner(const struct request *request)
{
	return request->net->setup->owner;
}
