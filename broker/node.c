/* What a broker is made of, in one table that is walked forward to set up and back to tear down; see node.h. */
#include "broker/node_internal.h"

#include "broker/api/api.h"
#include "broker/coord/coordinator.h"
#include "broker/net/hello.h"
#include "broker/net/lookup.h"
#include "broker/replica/links.h"
#include "broker/replication_hello.h"
#include "common/clock.h"
#include "common/limits.h"
#include "common/memory.h"
#include "common/trace.h"
#include "proto/cluster/frame_type.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* How often the hub looks whether workers and disks are still alive. */
#define WATCHDOG_MS 5000

/* A disk call that hangs for so long fails its dir (D10): longer than any session time-out that is in use. */
#define DISK_HUNG_MS 60000

static int hub_setup(struct node *node, struct error *err)
{
	int r = worker_init(&node->hub, "hub", 0);

	return r ? error_set(err, r, "the hub's loop cannot be made: %s", error_text(r)) : 0;
}

static void hub_teardown(struct node *node)
{
	worker_drain(&node->hub);
	worker_fini(&node->hub);
}

/* ---- signals and watchdog ---- */

static void on_signal(void *ctx, int signal_number)
{
	struct node *node = ctx;

	if (signal_number == SIGHUP)
		return;
	trace_info("node", "told to stop (signal %d)", signal_number);
	node_stop(node);
}

static void check_disks(struct node *node, int64_t now_ms)
{
	for (int i = 0; i < node->store.n_dirs; i++) {
		struct store_dir *dir = &node->store.dirs[i];

		if (dir->started && watchdog_stuck_ms(&node->watchdog, disk_busy_ms(&dir->disk, now_ms), now_ms) > DISK_HUNG_MS)
			log_dir_fail(dir->dir, ERR_TIMEOUT, "a disk call hangs");
	}
	store_check_failures(&node->store);
}

/*
 * A worker that is stuck for a session time-out must not go on being taken for alive. A stop of the process that is shorter than a period of
 * the watchdog may not make it late, and is no reason either.
 */
static void check_workers(struct node *node, int64_t now_ms)
{
	int64_t session_ms = node->config->zookeeper_session_timeout_ms, most_ms = session_ms > 2 * WATCHDOG_MS ? session_ms : 2 * WATCHDOG_MS;

	for (int i = 0; i < node->n_shards_ready; i++) {
		int64_t busy_ms = watchdog_stuck_ms(&node->watchdog, loop_busy_ms(&node->shards[i]->worker.loop, now_ms), now_ms);

		if (busy_ms <= most_ms)
			continue;
		trace_error("node", "%s is stuck for %lld ms: the process ends", node->shards[i]->worker.name, (long long)busy_ms);
		abort();
	}
}

static void on_watchdog(struct timer *timer)
{
	struct node *node = CONTAINER_OF(timer, struct node, watchdog_timer);
	int64_t now_ms = clock_ms();

	watchdog_tick(&node->watchdog, now_ms, WATCHDOG_MS);
	if (node_serves(node)) {
		check_disks(node, now_ms);
		check_workers(node, now_ms);
	}
	timer_set(timer, now_ms + WATCHDOG_MS);
}

static int signals_setup(struct node *node, struct error *err)
{
	int r = signals_open(&node->signals, &node->hub.loop, on_signal, node);

	watchdog_init(&node->watchdog, clock_ms(), WATCHDOG_MS);
	timer_init(&node->watchdog_timer, &node->hub.loop, on_watchdog);
	timer_set(&node->watchdog_timer, clock_ms() + WATCHDOG_MS);
	return r ? error_set(err, r, "signals cannot be handled: %s", error_text(r)) : 0;
}

static void signals_teardown(struct node *node)
{
	timer_stop(&node->watchdog_timer);
	signals_close(&node->signals);
}

static void metrics_teardown(struct node *node)
{
	metrics_page_close(&node->metrics);
}

/* ---- store ---- */

static int store_setup(struct node *node, struct error *err)
{
	return store_open(&node->store, node->config, &node->hub, err);
}

static void store_teardown(struct node *node)
{
	int r;

	store_stop_disks(&node->store);
	worker_drain(&node->hub);
	r = store_close(&node->store);
	if (r) {
		trace_error("node", "not stopped cleanly: %s; the next start will look through the logs", error_text(r));
		node->exit_status = 1;
	}
}

/* ---- shards ---- */

static int worker_count(const struct broker_config *config)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	if (config->klamm_workers > 0)
		return config->klamm_workers;
	return cores <= 0 ? 1 : cores < LIMIT_WORKERS ? (int)cores : LIMIT_WORKERS;
}

static int shards_setup(struct node *node, struct error *err)
{
	node->resolver = resolver_new(NULL, 0);
	node->n_shards = worker_count(node->config);
	node->shards = memory_zalloc((size_t)node->n_shards, sizeof(struct shard *));
	for (int i = 0; i < node->n_shards; i++) {
		int r;

		node->shards[i] = NEW(struct shard);
		r = shard_init(node->shards[i], i, node->n_shards, node->shards, node->config);
		if (r)
			return error_set(err, r, "worker %d cannot be made: %s", i, error_text(r));
		node->shards[i]->hub = &node->hub;
		node->shards[i]->admin = node->admin;
		coordinator_open(node->shards[i]);
		node->n_shards_ready++;
	}
	return 0;
}

static void shards_teardown(struct node *node)
{
	for (int i = 0; i < node->n_workers_started; i++) {
		worker_stop(&node->shards[i]->worker);
		worker_join(&node->shards[i]->worker);
	}
	/* The disks' last answers go to the shards: they come in before these are gone. */
	store_stop_disks(&node->store);
	resolver_free(node->resolver);
	for (int i = 0; i < node->n_shards_ready; i++)
		worker_drain(&node->shards[i]->worker);
	worker_drain(&node->hub);
	for (int i = 0; i < node->n_shards; i++) {
		if (i < node->n_shards_ready) {
			coordinator_free(node->shards[i]->coordinator);
			shard_fini(node->shards[i]);
		}
		free(node->shards[i]);
	}
	free(node->shards);
}

/* ---- connections ---- */

static struct node *node_of(const struct request *request)
{
	return request_owner(request);
}

/* Who opens a connection of the cluster: a controller, or a worker of a follower. */
static void hello_handle(struct request *request)
{
	struct node *node = node_of(request);
	Klamm__Hello *said = hello_read(request->raw_body);

	if (said && said->role == KLAMM__HELLO__ROLE__FOLLOWER)
		replication_hello(request, said, shard_of(request->worker));
	else
		channel_hello(request, said, &node->channel);
}

/* What is served: Kafka's APIs, and Hello for the cluster. */
static void set_apis(struct node *node)
{
	static const struct net_api hello = {HELLO_API_KEY, HELLO_API_VERSION, HELLO_API_VERSION,
					     NET_API_RAW | NET_API_INTER_BROKER | NET_API_CLUSTER_ACTION, hello_handle};
	int n;
	const struct net_api *served = served_apis(&n);

	node->apis = memory_zalloc((size_t)n + 1, sizeof *node->apis);
	memcpy(node->apis, served, (size_t)n * sizeof *served);
	node->apis[n] = hello;
	node->net_setup.apis = node->apis;
	node->net_setup.n_apis = n + 1;
}

/* Bytes that requests may hold together; a quarter of the machine's memory when the configuration leaves it open. */
static int64_t memory_budget(const struct broker_config *config)
{
	if (config->queued_max_request_bytes > 0)
		return config->queued_max_request_bytes;
	if (config->klamm_memory_bytes > 0)
		return config->klamm_memory_bytes;
	return (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE) / 4;
}

static int nets_setup(struct node *node, struct error *err)
{
	const struct broker_config *config = node->config;

	(void)err;
	set_apis(node);
	/* An eighth on top is kept for the cluster's own connections. */
	budget_init(&node->budget, memory_budget(config), memory_budget(config) / 8);
	node->net_setup.budget = &node->budget;
	node->net_setup.owner = node;
	node->net_setup.limits = net_limits_default;
	node->net_setup.limits.frame_bytes_max = config->socket_request_max_bytes;
	node->net_setup.limits.idle_ms = config->connections_max_idle_ms;
	node->net_setup.limits.request_ms_max = config->klamm_request_slow_ms;
	node->nets = memory_zalloc((size_t)node->n_shards, sizeof(struct net *));
	for (int i = 0; i < node->n_shards; i++) {
		node->nets[i] = NEW(struct net);
		net_init(node->nets[i], &node->shards[i]->worker, &node->net_setup);
		links_share(node->shards[i]->links, &node->nets[i]->pool, &node->budget, node->resolver, &node->follow_throttle);
		node->shards[i]->net = node->nets[i];
		node->shards[i]->feeds.throttle = &node->lead_throttle;
	}
	return 0;
}

static void nets_teardown(struct node *node)
{
	for (int i = 0; node->nets && i < node->n_shards; i++) {
		net_fini(node->nets[i]);
		free(node->nets[i]);
	}
	free(node->nets);
	budget_fini(&node->budget);
	free(node->apis);
}

static void listeners_teardown(struct node *node)
{
	for (int i = 0; i < node->n_listeners_open; i++)
		listener_close(&node->listeners[i]);
	worker_drain(&node->hub);
	acceptor_fini(&node->acceptor);
	free(node->listeners);
	free(node->overrides);
}

/* ---- administration, replicas, ZooKeeper ---- */

static int admin_setup(struct node *node, struct error *err)
{
	(void)err;
	node->admin = admin_new(&node->hub, node->config->broker_id);
	return 0;
}

static void admin_teardown(struct node *node)
{
	admin_free(node->admin);
}

static void join_teardown(struct node *node)
{
	channel_fini(&node->channel);
	membership_fini(&node->membership);
}

/* In the order of set-up. */
static const struct node_part {
	const char *name;
	int (*setup)(struct node *node, struct error *err);
	void (*teardown)(struct node *node);
} parts[] = {
	{"hub", hub_setup, hub_teardown},
	{"signals", signals_setup, signals_teardown},
	{"metrics", node_open_metrics, metrics_teardown},
	{"store", store_setup, store_teardown},
	{"admin", admin_setup, admin_teardown},
	{"workers", shards_setup, shards_teardown},
	{"connections", nets_setup, nets_teardown},
	{"listeners", node_open_listeners, listeners_teardown},
	{"membership", node_join, join_teardown},
};

int node_run(const struct broker_config *config, struct supervised *supervised)
{
	struct node *node = NEW(struct node);
	struct error err = {0};
	size_t n = 0;
	int exit_status;

	node->config = config;
	node->supervised = supervised;
	node->derived = broker_config_retain(config);
	while (n < ARRAY_LEN(parts) && parts[n].setup(node, &err) == 0)
		n++;
	if (n == ARRAY_LEN(parts)) {
		worker_run(&node->hub);
	} else {
		trace_error("node", "cannot start (%s): %s", parts[n].name, err.text);
		node->exit_status = 1;
		/* What a failed set-up has made in part is taken down, too: every teardown bears that. */
		n++;
	}
	while (n > 0)
		parts[--n].teardown(node);
	exit_status = node->exit_status;
	broker_config_release(node->derived);
	free(node->closing);
	free(node);
	if (exit_status == 0)
		trace_info("node", "stopped");
	return exit_status;
}
