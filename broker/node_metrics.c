/* The page of metrics in a broker (metrics_page.h): where it listens, and the figures of the hub. */
#include "broker/node_internal.h"

#include "common/clock.h"
#include "common/memory.h"
#include "common/trace.h"

static void write_network(const struct node *node, struct metrics *metrics)
{
	const struct acceptor_counters *counters = &node->acceptor.counters;

	metrics_family(metrics, "klamm_connections_refused_total", METRIC_COUNTER,
		       "Connections refused, since their address has too many or no descriptor was left.");
	metrics_value_of(metrics, "reason", SLICE_LITERAL("address"), counters->n_refused_ip);
	metrics_value_of(metrics, "reason", SLICE_LITERAL("descriptors"), counters->n_refused_fd);
	metrics_one(metrics, "klamm_accept_pauses_total", METRIC_COUNTER, "Times that accepting paused because of a bound.", counters->n_pauses);
	metrics_one(metrics, "klamm_memory_budget_bytes", METRIC_GAUGE,
		    "The most that requests of clients may hold together (klamm.memory.bytes).", node->budget.total);
	metrics_one(metrics, "klamm_memory_budget_used_bytes", METRIC_GAUGE,
		    "What requests of clients and of the cluster hold now; those of the cluster have an eighth on top.",
		    budget_used(&node->budget));
}

static void write_zookeeper(const struct node *node, struct metrics *metrics)
{
	static const char *const states[] = {
		[ZK_CONNECTING] = "connecting", [ZK_CONNECTED] = "connected",     [ZK_SUSPENDED] = "suspended",
		[ZK_LOST] = "lost",             [ZK_AUTH_FAILED] = "auth_failed", [ZK_CLOSED] = "closed",
	};
	const struct zk_session *zk = node->membership.zk;

	metrics_family(metrics, "klamm_zookeeper_session_state", METRIC_GAUGE, "1 for the state that the ZooKeeper session is in.");
	for (size_t i = 0; i < ARRAY_LEN(states); i++)
		metrics_value_of(metrics, "state", slice_of_text(states[i]), zk_session_state(zk) == (enum zk_state)i);
	metrics_one(metrics, "kafka_server_sessionexpirelistener_zookeeperexpires_total", METRIC_COUNTER, "ZooKeeper sessions that have expired.",
		    lease_n_lost(zk_session_lease(zk)));
	metrics_one(metrics, "kafka_server_sessionexpirelistener_zookeeperdisconnects_total", METRIC_COUNTER,
		    "Times that the connection to ZooKeeper was lost.", node->n_disconnects);
	metrics_one(metrics, "klamm_registered", METRIC_GAUGE, "1 while this broker is registered in ZooKeeper.",
		    node->membership.broker_epoch != BROKER_EPOCH_NONE);
	metrics_one(metrics, "klamm_controller_connected", METRIC_GAUGE, "1 while a controller is connected to this broker.",
		    node->channel.peer != NULL);
}

static void write_reserves(const struct node *node, struct metrics *metrics)
{
	metrics_family(metrics, "klamm_log_dir_reserve_bytes", METRIC_GAUGE,
		       "Room that a log directory keeps for a start on a full disk (klamm.reserve).");
	for (int i = 0; i < node->store.n_dirs; i++) {
		const struct store_dir *dir = &node->store.dirs[i];

		metrics_value_of(metrics, "dir", slice_of_text(dir->path), dir->dir ? log_dir_reserve_bytes(dir->dir) : 0);
	}
	metrics_family(metrics, "klamm_log_dir_reserves_given_up_total", METRIC_COUNTER,
		       "Times that this start of the broker has given up the reserve of a log directory, whose disk was full.");
	for (int i = 0; i < node->store.n_dirs; i++) {
		const struct store_dir *dir = &node->store.dirs[i];

		metrics_value_of(metrics, "dir", slice_of_text(dir->path), dir->dir ? log_dir_n_reserves_given_up(dir->dir) : 0);
	}
}

static void write_disks(const struct node *node, struct metrics *metrics)
{
	int64_t busy_ms_max = 0, n_failed = 0, now_ms = clock_ms();

	for (int i = 0; i < node->store.n_dirs; i++) {
		const struct store_dir *dir = &node->store.dirs[i];
		int64_t busy_ms = dir->started ? disk_busy_ms(&dir->disk, now_ms) : 0;

		n_failed += !dir->dir || log_dir_failed(dir->dir);
		busy_ms_max = busy_ms > busy_ms_max ? busy_ms : busy_ms_max;
	}
	metrics_one(metrics, "kafka_log_logmanager_offlinelogdirectorycount", METRIC_GAUGE, "Log directories that have failed.", n_failed);
	metrics_one(metrics, "klamm_disk_busy_ms_max", METRIC_GAUGE,
		    "Milliseconds for which the longest disk call of a log directory has been under way; one that hangs for a minute fails it.",
		    busy_ms_max);
	write_reserves(node, metrics);
}

static void write_hub(void *ctx, struct metrics *metrics)
{
	const struct node *node = ctx;

	write_network(node, metrics);
	write_zookeeper(node, metrics);
	write_disks(node, metrics);
}

static bool serves(void *ctx)
{
	return node_serves(ctx);
}

int node_open_metrics(struct node *node, struct error *err)
{
	struct metrics_port port = {node, serves, write_hub};
	struct error failure;
	struct slice host;
	int32_t port_number;
	int r;

	if (!*node->config->klamm_metrics_listener)
		return 0;
	if (!listeners_read_address(slice_of_text(node->config->klamm_metrics_listener), &host, &port_number))
		return error_set(err, ERR_CONFIG, "klamm.metrics.listener: '%s' is not host:port", node->config->klamm_metrics_listener);
	r = metrics_page_open(&node->metrics, &node->hub, host, port_number, &port, &failure);
	if (r)
		return error_set(err, r, "klamm.metrics.listener: %s", failure.text);
	trace_info("node", "metrics at http://%s/metrics", node->config->klamm_metrics_listener);
	return 0;
}
