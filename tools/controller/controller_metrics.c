/*
 * GET /metrics of a controller: the picture's numbers under Kafka's names where Kafka's controller has them. One that stands by answers, too,
 * with 0 for what only the one in office knows, so that sums over all controllers are right.
 */
#include "tools/controller/controller.h"

#include "broker/meta/listeners_core.h"
#include "common/limits.h"
#include "common/memory.h"
#include "common/metrics.h"
#include "common/trace.h"
#include "tools/controller/ctl_figures.h"
#include "tools/controller/office_drift.h"

static const struct row {
	const char *name;
	size_t at; /* in struct ctl_figures */
	const char *help;
} rows[] = {
#define NUMBER(name, field, help) {name, offsetof(struct ctl_figures, field), help}
	NUMBER("kafka_controller_kafkacontroller_globaltopiccount", n_topics, "Topics of the cluster."),
	NUMBER("kafka_controller_kafkacontroller_globalpartitioncount", n_partitions, "Partitions of the cluster."),
	NUMBER("kafka_controller_kafkacontroller_offlinepartitionscount", n_offline, "Partitions without a leader that is alive."),
	NUMBER("kafka_controller_kafkacontroller_preferredreplicaimbalancecount", n_imbalanced,
	       "Partitions that are not led by the first replica of their assignment."),
	NUMBER("kafka_controller_kafkacontroller_topicstodeletecount", n_to_delete, "Topics that are to be deleted."),
	NUMBER("kafka_controller_kafkacontroller_activebrokercount", n_brokers, "Brokers that are alive."),
	NUMBER("klamm_controller_brokers_away", n_brokers_away,
	       "Brokers that are registered and do not count as alive: not reached, not ready to lead yet, or not of Klamm."),
	NUMBER("klamm_controller_reassigning_partitions", n_reassigning, "Partitions whose replicas are being moved."),
	NUMBER("klamm_controller_odd_topics", n_odd, "Topics whose znode is nonsense, and which wait until it is mended."),
};

static void write_figures(struct controller *controller, struct metrics *metrics)
{
	struct office *office = controller->office;
	struct ctl_figures figures = {0};

	if (office)
		ctl_figures_count(&office->ctl, &figures);
	metrics_one(metrics, "kafka_controller_kafkacontroller_activecontrollercount", METRIC_GAUGE, "1 for the controller in office.",
		    office != NULL);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		metrics_one(metrics, rows[i].name, METRIC_GAUGE, rows[i].help, *(int64_t *)(void *)((char *)&figures + rows[i].at));
	metrics_one(metrics, "klamm_controller_drift_found", METRIC_GAUGE,
		    "Nodes that had changed in ZooKeeper without this office hearing of it; 0 unless somebody edits states by hand.",
		    office ? office_drift_found(office->drift) : 0);
	metrics_one(metrics, "klamm_controller_elections_won_total", METRIC_COUNTER, "Times that this controller took the office.",
		    controller->n_offices);
	metrics_one(metrics, "kafka_server_sessionexpirelistener_zookeeperexpires_total", METRIC_COUNTER, "ZooKeeper sessions that have expired.",
		    controller->n_expired);
	metrics_one(metrics, "kafka_server_sessionexpirelistener_zookeeperdisconnects_total", METRIC_COUNTER,
		    "Times that the connection to ZooKeeper was lost.", controller->n_disconnects);
}

static void on_get(void *ctx, struct http_request *request)
{
	struct metrics metrics;
	struct slice text;

	metrics_init(&metrics, LIMIT_METRICS_BYTES);
	write_figures(ctx, &metrics);
	CHECK(metrics_text(&metrics, &text) == 0);
	http_reply(request, 200, METRICS_CONTENT_TYPE, text);
	metrics_fini(&metrics);
}

static const struct http_page pages[] = {{"/metrics", on_get}};

int controller_open_metrics(struct controller *controller, struct error *err)
{
	struct http_server_args args = {.pages = pages, .n_pages = ARRAY_LEN(pages), .ctx = controller};
	const char *listener = controller->config->metrics_listener;
	struct error failure;
	int r;

	if (!*listener)
		return 0;
	CHECK(listeners_read_address(slice_of_text(listener), &args.host, &args.port));
	r = http_server_open(&controller->worker->loop, &args, &controller->metrics, &failure);
	if (r)
		return error_set(err, r, "klamm.metrics.listener: %s", failure.text);
	trace_info("controller", "metrics at http://%s/metrics", listener);
	return 0;
}
