/*
 * How a broker starts; see node.h.
 *
 *     node_open_listeners   bind (a port in use stops the start before anything else is touched)
 *     node_join             connect to ZooKeeper
 *       on_cluster_id       the dirs are of this cluster? load the logs
 *       on_loaded           start the workers, accept connections of controllers, register
 *       on_registered       the new incarnation is written to the dirs; started
 *       on_view             the first one: clients are accepted, since now they can be told where things are
 */
#include "broker/node_internal.h"

#include "broker/coord/coordinator.h"
#include "common/clock.h"
#include "common/memory.h"
#include "common/trace.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* So long clients wait for the first view after the registration. */
#define WELCOME_MS_MAX 10000

/* ---- listeners ---- */

/* The numeric form of a host to bind to; blocking, at the start only. */
static int resolve(const char *key, const char *host, char *ret_numeric, size_t size, struct error *err)
{
	struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
	struct addrinfo *found;
	int r;

	if (!*host) {
		*ret_numeric = 0;
		return 0;
	}
	r = getaddrinfo(host, NULL, &hints, &found);
	if (r)
		return error_set(err, ERR_CONFIG, "%s: the host %s cannot be resolved: %s", key, host, gai_strerror(r));
	r = getnameinfo(found->ai_addr, found->ai_addrlen, ret_numeric, (socklen_t)size, NULL, 0, NI_NUMERICHOST);
	freeaddrinfo(found);
	return r ? error_set(err, ERR_CONFIG, "%s: the host %s cannot be resolved: %s", key, host, gai_strerror(r)) : 0;
}

/*
 * Where the operator does not set a receive buffer, the system's own sizing stands: Kafka's default of 100 KB has a producer's megabyte
 * come in by a dozen wake-ups.
 */
static int receive_buffer_bytes(const struct broker_config *config)
{
	struct slice set = broker_config_layer(config, CONFIG_FILE, SLICE_LITERAL("socket.receive.buffer.bytes"));

	return slice_is_null(set) ? -1 : config->socket_receive_buffer_bytes;
}

static int open_one(struct node *node, const struct listener_spec *spec, struct listener *listener, struct error *err)
{
	struct listener_options options = {
		.backlog = node->config->socket_listen_backlog_size,
		.receive_buffer_bytes = receive_buffer_bytes(node->config),
		.send_buffer_bytes = node->config->socket_send_buffer_bytes,
	};
	struct listener_info info = {
		.name = (const char *)spec->name.data,
		.protocol = SECURITY_PLAINTEXT,
		.inter_broker = spec->inter_broker,
		.port = (uint16_t)spec->port,
	};
	char numeric[NI_MAXHOST];
	int r = resolve("listeners", (const char *)spec->host.data, numeric, sizeof numeric, err);

	if (r)
		return r;
	info.host = numeric;
	return listener_open(listener, &node->acceptor, &info, &options, err);
}

/* max.connections.per.ip.overrides: "host:number,host:number"; checked when the configuration was loaded. */
static int read_overrides(struct node *node, struct error *err)
{
	struct slice list = slice_of_text(node->config->max_connections_per_ip_overrides), element;
	size_t at = 0;
	int n = 0;

	while (list.data && config_list_next(list, &at, &element)) {
		char text[256], *colon;

		snprintf(text, sizeof text, "%.*s", SLICE_ARGS(element));
		colon = strrchr(text, ':');
		if (!colon)
			return error_set(err, ERR_CONFIG, "max.connections.per.ip.overrides: '%s' is not host:number", text);
		*colon = 0;
		node->overrides = memory_grow(node->overrides, (size_t)(n + 1) * sizeof *node->overrides);
		node->overrides[n].n_max = atoi(colon + 1);
		if (resolve("max.connections.per.ip.overrides", text, node->overrides[n].host, sizeof node->overrides[n].host, err))
			return ERR_CONFIG;
		n++;
	}
	return n;
}

int node_open_listeners(struct node *node, struct error *err)
{
	const struct listeners *specs = &node->config->listener_list;
	struct acceptor_limits limits = {
		.connections_max = node->config->max_connections,
		.connections_per_ip_max = node->config->max_connections_per_ip,
		.creation_rate_max = node->config->max_connection_creation_rate,
	};
	int r = read_overrides(node, err);

	if (r < 0)
		return r;
	limits.overrides = node->overrides;
	limits.n_overrides = r;
	r = acceptor_init(&node->acceptor, &node->hub, &limits, node->nets, node->n_shards);
	if (r)
		return error_set(err, r, "connections cannot be accepted: %s", error_text(r));
	node->n_listeners = specs->n;
	node->listeners = memory_zalloc((size_t)specs->n, sizeof *node->listeners);
	for (int i = 0; i < specs->n; i++) {
		r = open_one(node, &specs->list[i], &node->listeners[i], err);
		if (r)
			return r;
		node->n_listeners_open++;
	}
	return 0;
}

/* What is told to ZooKeeper: advertised hosts and ports; an empty host is this machine's name. */
static void register_broker(struct node *node)
{
	const struct listeners *specs = &node->config->listener_list;
	struct broker_endpoint *endpoints = memory_zalloc((size_t)specs->n, sizeof *endpoints);
	char host[HOST_NAME_MAX + 1] = "localhost";
	enum broker_start start;
	int64_t previous_epoch;
	bool durable;
	int n = 0;

	gethostname(host, sizeof host - 1);
	for (int i = 0; i < specs->n; i++) {
		const struct listener_spec *spec = &specs->list[i];

		if (!spec->advertised)
			continue;
		endpoints[n++] = (struct broker_endpoint){
			.listener = spec->name,
			.protocol = spec->protocol,
			.host = spec->advertised_host.len ? spec->advertised_host : slice_of_text(host),
			.port = spec->advertised_port ? spec->advertised_port : node->listeners[i].info.port,
		};
	}
	start = store_start(&node->store, &previous_epoch, &durable);
	membership_register(&node->membership, endpoints, n, start, previous_epoch, durable);
	free(endpoints);
}

/* Without a view a broker would tell clients that their topics do not exist: they wait for the first one, but not for ever. */
static void welcome_clients(struct node *node)
{
	if (node->clients_welcome || node->phase != NODE_RUNNING)
		return;
	node->clients_welcome = true;
	timer_stop(&node->welcome);
	for (int i = 0; i < node->n_listeners; i++)
		if (!node->listeners[i].info.inter_broker)
			listener_start(&node->listeners[i]);
}

static void on_welcome(struct timer *timer)
{
	trace_warn("node", "no controller has come yet; clients are accepted all the same");
	welcome_clients(CONTAINER_OF(timer, struct node, welcome));
}

/* ---- what ZooKeeper and the store tell ---- */

static int start_workers(struct node *node)
{
	for (int i = 0; i < node->n_shards; i++) {
		int r;

		node->shards[i]->lease = zk_session_lease(node->membership.zk);
		node->shards[i]->n_sessions_lost = lease_n_lost(node->shards[i]->lease);
		node->shards[i]->isr = &node->channel.isr_line.port;
		node->shards[i]->forward = &node->channel.forward_line.port;
		r = worker_start(&node->shards[i]->worker);

		if (r)
			return r;
		node->n_workers_started++;
	}
	metrics_page_set_shards(&node->metrics, node->shards, node->n_shards);
	return 0;
}

static void on_dir_failed(void *ctx, struct store_dir *dir)
{
	struct node *node = ctx;
	bool any_left = false;
	struct error err;

	for (int i = 0; i < node->store.n_dirs; i++)
		any_left |= node->store.dirs[i].dir && !log_dir_failed(node->store.dirs[i].dir);
	/* In the last phase of a stop nobody is left to be told. */
	if (dir->dir && node->phase < NODE_CLOSING) {
		replicas_fail_dir(&node->replicas, dir);
		membership_tell_dir_failure(&node->membership);
	}
	if (any_left)
		return;
	error_set(&err, ERR_IO, "all log dirs have failed");
	node_fail(node, &err);
}

static void on_loaded(void *ctx, int code, const struct error *err)
{
	struct node *node = ctx;
	struct error failure;
	int r = code;

	if (node->phase != NODE_STARTING)
		return;
	if (code) {
		node_fail(node, err);
		return;
	}
	trace_info("node", "%u partitions loaded", HASH_COUNT(node->store.logs));
	r = start_workers(node);
	if (r) {
		error_set(&failure, r, "the workers cannot be started: %s", error_text(r));
		node_fail(node, &failure);
		return;
	}
	node->phase = NODE_RUNNING;
	for (int i = 0; i < node->n_listeners; i++)
		if (node->listeners[i].info.inter_broker)
			listener_start(&node->listeners[i]);
	register_broker(node);
}

static void on_cluster_id(void *ctx, struct slice id)
{
	struct node *node = ctx;
	struct error err;

	if (node->phase != NODE_STARTING)
		return;
	trace_info("node", "cluster id %.*s", SLICE_ARGS(id));
	if (store_set_cluster_id(&node->store, id, &err)) {
		node_fail(node, &err);
		return;
	}
	/* A dir may have failed over it, and it may have been the last. */
	if (node->phase == NODE_STARTING)
		store_load(&node->store, on_loaded, node);
}

/* A word about the session, from the hub to each shard. */
struct session_post {
	struct message message;
	struct shard *shard;
	int64_t session_ms; /* of the one that has begun; 0: it is lost */
	int64_t n_lost;     /* by then */
	int64_t broker_epoch;
	const char *cluster_id; /* lives as long as the membership, which outlives the workers */
};

static void on_session_post(struct message *message)
{
	struct session_post *post = CONTAINER_OF(message, struct session_post, message);

	post->shard->n_sessions_lost = post->n_lost;
	if (post->session_ms)
		shard_set_session(post->shard, post->session_ms);
	else
		shard_resign_all(post->shard);
	shard_set_incarnation(post->shard, slice_of_text(post->cluster_id), post->broker_epoch);
	free(post);
}

static void post_session(struct node *node, int64_t session_ms, int64_t broker_epoch)
{
	for (int i = 0; i < node->n_shards; i++) {
		struct session_post *post = NEW(struct session_post);

		post->shard = node->shards[i];
		post->session_ms = session_ms;
		post->n_lost = lease_n_lost(zk_session_lease(node->membership.zk));
		post->broker_epoch = broker_epoch;
		post->cluster_id = node->membership.cluster_id;
		post->message.run = on_session_post;
		worker_post(&node->shards[i]->worker, &post->message);
	}
}

static void on_registered(void *ctx, int64_t broker_epoch)
{
	struct node *node = ctx;

	if (node_serves(node))
		post_session(node, zk_session_timeout_ms(node->membership.zk), broker_epoch);
	if (store_set_broker_epoch(&node->store, node->membership.broker_epoch, membership_whole_since(&node->membership)))
		store_check_failures(&node->store);
	if (node->announced)
		return;
	node->announced = true;
	if (!node->clients_welcome)
		timer_set(&node->welcome, clock_ms() + WELCOME_MS_MAX);
	/* The words that tools which wait for a Kafka broker look for. */
	trace_info("node", "[KafkaServer id=%d] started (Klamm)", node->config->broker_id);
}

/* The session has expired: the controller counts us as dead, and so leaderships end here, too (D6). */
static void on_lost(void *ctx)
{
	struct node *node = ctx;

	channel_lose(&node->channel);
	replicas_abandon(&node->replicas);
	if (node_serves(node))
		post_session(node, 0, BROKER_EPOCH_NONE);
}

static void on_session(void *ctx, struct zk_session *zk)
{
	struct node *node = ctx;

	node->n_disconnects += zk && zk_session_state(zk) == ZK_SUSPENDED;
	supervised_tell_session(node->supervised, zk);
	admin_on_session(node->admin, zk);
}

static void on_lease_back(void *ctx)
{
	struct node *node = ctx;

	channel_renew(&node->channel);
}

static void on_failed(void *ctx, const struct error *err)
{
	node_fail(ctx, err);
}

/* ---- views ---- */

struct view_post {
	struct message message;
	struct shard *shard;
	struct view *view;
	const struct broker_config *config;
};

static void on_view_post(struct message *message)
{
	struct view_post *post = CONTAINER_OF(message, struct view_post, message);

	shard_set_view(post->shard, post->view, post->config);
	coordinator_on_view(post->shard->coordinator);
	free(post);
}

static void warn_config(void *ctx, const char *text)
{
	(void)ctx;
	trace_warn("config", "%s", text);
}

/* The configuration with what /config/brokers says in this view; the present one when nothing has changed. */
static const struct broker_config *config_of(struct node *node, const struct view *view)
{
	struct config_pairs all = view_broker_config(view, VIEW_DEFAULT_BROKER);
	struct config_pairs own = view_broker_config(view, node->config->broker_id);
	struct config_warnings warnings = {warn_config, node};

	if (config_pairs_equal(all, node->derived->dynamic_default) && config_pairs_equal(own, node->derived->dynamic_broker))
		return node->derived;
	return broker_config_derive(node->derived, all, own, &warnings);
}

/*
 * A view that lists this incarnation as alive comes from a controller that has read its registration, and has struck its replicas from what they
 * may not be in any more.
 */
static void settle_start(struct node *node, const struct view *view)
{
	const struct view_broker *self = view_broker(view, node->config->broker_id);

	if (!membership_owes(&node->membership) || !self || self->epoch != node->membership.broker_epoch)
		return;
	if (store_settle(&node->store))
		store_check_failures(&node->store);
	else
		membership_settle(&node->membership);
}

static void on_view(void *ctx, struct view *view)
{
	struct node *node = ctx;
	const struct broker_config *config = config_of(node, view);

	settle_start(node, view);
	if (config != node->derived) {
		broker_config_release(node->derived);
		node->derived = config;
	}
	for (int i = 0; i < node->n_shards; i++) {
		struct view_post *post = NEW(struct view_post);

		post->shard = node->shards[i];
		post->view = view_retain(view);
		post->config = broker_config_retain(config);
		post->message.run = on_view_post;
		worker_post(&node->shards[i]->worker, &post->message);
	}
	admin_on_view(node->admin, view, config);
	view_release(view);
	welcome_clients(node);
}

struct told_post {
	struct message message;
	struct shard *shard;
	int64_t n_gaps;
};

static void on_told_post(struct message *message)
{
	struct told_post *post = CONTAINER_OF(message, struct told_post, message);

	post->shard->n_gaps = post->n_gaps;
	free(post);
}

/* Behind the states in every shard's queue. */
static void on_told(void *ctx, int64_t n_gaps)
{
	struct node *node = ctx;

	for (int i = 0; i < node->n_shards && node_serves(node); i++) {
		struct told_post *post = NEW(struct told_post);

		post->shard = node->shards[i];
		post->n_gaps = n_gaps;
		post->message.run = on_told_post;
		worker_post(&node->shards[i]->worker, &post->message);
	}
}

int node_join(struct node *node, struct error *err)
{
	struct membership_port membership_port = {node, on_cluster_id, on_registered, on_lost, on_session, on_lease_back, on_failed};
	struct channel_port channel_port = {node, on_view, on_told, node_on_shutdown_answer};

	timer_init(&node->welcome, &node->hub.loop, on_welcome);
	node->store.on_dir_failed = on_dir_failed;
	node->store.ctx = node;
	replicas_init(&node->replicas, &node->store, node->shards, node->n_shards, &node->hub, node->config->broker_id);
	channel_init(&node->channel, &node->hub, &node->membership, &node->replicas, &node->budget, &channel_port);
	return membership_open(&node->membership, &node->hub, node->config, store_cluster_id(&node->store),
			       supervised_old_session(node->supervised), &membership_port, err);
}
