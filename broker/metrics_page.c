/* The page of metrics; see metrics_page.h. */
#include "broker/metrics_page.h"

#include "common/clock.h"
#include "common/memory.h"

#include <stdlib.h>

/* ---- what is written ---- */

/* One figure of struct shard_figures: of all shards the sum, or the largest, or (again) what a row above has made of it. */
enum merge { MERGE_SUM, MERGE_MAX, MERGE_DONE };

struct row {
	const char *name;
	enum metric_type type;
	enum merge merge;
	size_t at;
	const char *help;
};

#define COUNTER(name, field, help) {name, METRIC_COUNTER, MERGE_SUM, offsetof(struct shard_figures, field), help}
#define AGAIN(name, field, help) {name, METRIC_COUNTER, MERGE_DONE, offsetof(struct shard_figures, field), help}
#define NUMBER(name, field, help) {name, METRIC_GAUGE, MERGE_SUM, offsetof(struct shard_figures, field), help}
#define LARGEST(name, field, help) {name, METRIC_GAUGE, MERGE_MAX, offsetof(struct shard_figures, field), help}

/* Kafka's names, as its JMX exporter makes them, where Kafka has such a figure; else ours. */
static const struct row rows[] = {
	NUMBER("kafka_server_replicamanager_partitioncount", partitions.n_partitions, "Replicas on this broker."),
	NUMBER("kafka_server_replicamanager_leadercount", partitions.n_leaders, "Partitions that this broker leads."),
	NUMBER("kafka_server_replicamanager_underreplicatedpartitions", partitions.n_under_replicated,
	       "Partitions led here with fewer replicas in sync than they are to have."),
	NUMBER("kafka_server_replicamanager_underminisrpartitioncount", partitions.n_under_min_isr,
	       "Partitions led here with fewer replicas in sync than min.insync.replicas."),
	NUMBER("kafka_server_replicamanager_atminisrpartitioncount", partitions.n_at_min_isr,
	       "Partitions led here with exactly min.insync.replicas replicas in sync."),
	NUMBER("kafka_server_replicamanager_offlinereplicacount", partitions.n_offline,
	       "Replicas here whose log directory has failed or whose log is damaged."),
	COUNTER("kafka_server_replicamanager_isrshrinks_total", isr.n_shrunk, "In-sync sets that a leader here has made smaller."),
	COUNTER("kafka_server_replicamanager_isrexpands_total", isr.n_expanded, "In-sync sets that a leader here has made larger."),
	COUNTER("kafka_server_replicamanager_failedisrupdates_total", isr.n_refused, "Changes of in-sync sets that the controller has refused."),
	LARGEST("kafka_server_replicafetchermanager_maxlag", partitions.fetch_lag_max,
		"Records by which the slowest replica that follows here is behind what its leader says is committed."),
	LARGEST("klamm_follower_lag_records_max", partitions.follower_lag_max,
		"Records by which the slowest follower of a partition led here is behind the end of its log."),
	LARGEST("klamm_durability_lag_records_max", partitions.durability_lag_max,
		"Records between the end of a log here and the end of what is surely on its disk, of the partition with the most."),
	NUMBER("klamm_stuck_replicas", partitions.n_stuck, "Replicas here that do not follow, since their leader contradicts what is committed."),
	COUNTER("klamm_replication_bytes_sent_total", feeds.bytes_sent, "Bytes of batches sent to followers."),
	COUNTER("klamm_replication_catch_up_bytes_sent_total", feeds.catch_up_bytes_sent,
		"Bytes of batches sent to followers that were not in sync; also in klamm_replication_bytes_sent_total."),
	COUNTER("klamm_replication_bytes_received_total", links.bytes_in, "Bytes of batches taken from leaders."),
	AGAIN("kafka_server_brokertopicmetrics_replicationbytesout_total", feeds.bytes_sent, "Bytes of batches sent to followers."),
	AGAIN("kafka_server_brokertopicmetrics_replicationbytesin_total", links.bytes_in, "Bytes of batches taken from leaders."),
	COUNTER("klamm_replication_refused_frames_total", feeds.n_frames_refused, "Frames of followers that could not be right."),
	COUNTER("klamm_replication_refused_acks_total", feeds.n_acks_invalid, "Acks of followers that could not be right."),
	COUNTER("klamm_replication_refused_batches_total", links.n_invalid, "Answers and batches of leaders that could not be right."),
	COUNTER("klamm_replication_unstored_batches_total", links.n_unstored, "Batches of leaders that a disk here did not take."),
	COUNTER("klamm_replication_follows_refused_total", feeds.n_follows_refused,
		"Followers that were told to ask again or elsewhere; some belong to every change of leaders."),
	COUNTER("klamm_replication_truncations_total", links.n_truncated, "Times that a replica here was cut to where its leader's log agrees."),
	COUNTER("klamm_replication_connections_failed_total", links.n_failed, "Connections to leaders that were lost or not to be had."),
	COUNTER("klamm_replication_throttle_pauses_total", feeds.n_throttled, "Pauses of sending because of a replication throttle."),
	NUMBER("kafka_coordinator_group_groupmetadatamanager_numgroups", groups.n_groups, "Consumer groups that this broker coordinates."),
	NUMBER("kafka_coordinator_group_groupmetadatamanager_numgroupsempty", groups.n_in_state[0], "Of them, those without members."),
	NUMBER("kafka_coordinator_group_groupmetadatamanager_numgroupspreparingrebalance", groups.n_in_state[1],
	       "Of them, those that wait for their members to join."),
	NUMBER("kafka_coordinator_group_groupmetadatamanager_numgroupscompletingrebalance", groups.n_in_state[2],
	       "Of them, those that wait for their leader's assignments."),
	NUMBER("kafka_coordinator_group_groupmetadatamanager_numgroupsstable", groups.n_in_state[3], "Of them, those whose members have assignments."),
	NUMBER("kafka_coordinator_group_groupmetadatamanager_numgroupsdead", groups.n_in_state[4], "Of them, those that are being deleted."),
	NUMBER("kafka_coordinator_group_groupmetadatamanager_numoffsets", groups.n_offsets, "Committed offsets of the groups here."),
	COUNTER("kafka_server_group_coordinator_metrics_offset_commit_total", groups.n_commits, "Offsets that were committed."),
	COUNTER("kafka_server_group_coordinator_metrics_offset_expiration_total", groups.n_expired, "Offsets that have expired."),
	COUNTER("kafka_server_group_coordinator_metrics_offset_deletion_total", groups.n_deleted,
		"Offsets that went with their topic or group, or that a client has deleted."),
	COUNTER("kafka_server_group_coordinator_metrics_group_completed_rebalance_total", groups.n_rebalances, "Rebalances that have ended."),
	COUNTER("klamm_group_loads_total", groups.n_loads, "Times that a partition of __consumer_offsets was loaded."),
	COUNTER("klamm_group_load_ms_total", groups.load_ms, "Milliseconds that these loads have taken."),
	LARGEST("kafka_server_group_coordinator_metrics_partition_load_time_max", groups.load_ms_max,
		"Milliseconds that the longest of these loads has taken."),
	COUNTER("klamm_group_damaged_records_total", groups.n_damaged, "Records of __consumer_offsets that could not be read."),
	NUMBER("klamm_connections", net.n_connections, "Connections of clients that are open."),
	COUNTER("klamm_connections_accepted_total", net.n_opened, "Connections that were accepted."),
	COUNTER("klamm_connections_idle_closed_total", net.n_idle_closed, "Connections closed since nothing was asked for connections.max.idle.ms."),
	COUNTER("klamm_connections_slow_closed_total", net.n_slow_closed, "Connections closed since a request or its answers did not get on."),
	COUNTER("klamm_requests_total", net.n_requests, "Requests that were read."),
	COUNTER("klamm_requests_malformed_total", net.n_bad_frames, "Frames that were refused for their size, header, key, version or body."),
	COUNTER("klamm_network_bytes_in_total", net.bytes_in, "Bytes received on connections of clients."),
	COUNTER("klamm_network_bytes_out_total", net.bytes_out, "Bytes sent on connections of clients."),
	COUNTER("klamm_memory_budget_waits_total", net.n_budget_waits, "Times that a connection had to wait for memory."),
};

static int64_t *field_of(struct shard_figures *figures, const struct row *row)
{
	return (int64_t *)(void *)((char *)figures + row->at);
}

static int64_t value_of(const struct shard_figures *figures, const struct row *row)
{
	return *(const int64_t *)(const void *)((const char *)figures + row->at);
}

static void add_shard(struct shard_figures *total, const struct shard_figures *figures)
{
	const struct topic_lag *lag;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int64_t *merged = field_of(total, &rows[i]), value = value_of(figures, &rows[i]);

		if (rows[i].merge == MERGE_SUM)
			*merged += value;
		else if (rows[i].merge == MERGE_MAX && value > *merged)
			*merged = value;
	}
	for (lag = figures->topics.list; lag; lag = lag->hh.next)
		topic_lags_raise(&total->topics, &lag->id, slice_of_text(lag->name), lag->durability_lag_max);
	total->topics.n_left_out += figures->topics.n_left_out;
}

static void write_figures(struct metrics *metrics, const struct shard_figures *figures)
{
	const struct topic_lag *lag;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		metrics_one(metrics, rows[i].name, rows[i].type, rows[i].help, value_of(figures, &rows[i]));
	metrics_family(metrics, "klamm_topic_durability_lag_records_max", METRIC_GAUGE,
		       "The same as klamm_durability_lag_records_max for each topic with klamm.durability=fsync-isr, whose records wait for the disk.");
	for (lag = figures->topics.list; lag; lag = lag->hh.next)
		metrics_value_of(metrics, "topic", slice_of_text(lag->name), lag->durability_lag_max);
	metrics_one(metrics, "klamm_metrics_partitions_left_out", METRIC_GAUGE,
		    "Replicas that are missing in klamm_topic_durability_lag_records_max, since there are too many topics.",
		    figures->topics.n_left_out);
}

/* ---- scrapes ---- */

static void refuse(struct http_request *request, const char *why)
{
	http_reply(request, 503, "text/plain; charset=utf-8", slice_of_text(why));
}

/* Those whose time is over are told so; the timer is for the first of the others. */
static void refuse_late(struct metrics_page *page, int64_t now_ms)
{
	int n = 0;

	for (int i = 0; i < page->n_scrapes; i++) {
		if (now_ms < page->scrapes[i].deadline_ms)
			page->scrapes[n++] = page->scrapes[i];
		else
			refuse(page->scrapes[i].request, "A worker has not said its figures in time.\n");
	}
	page->n_scrapes = n;
	if (n > 0)
		timer_set(&page->timer, page->scrapes[0].deadline_ms);
}

static void on_timer(struct timer *timer)
{
	refuse_late(CONTAINER_OF(timer, struct metrics_page, timer), clock_ms());
}

static void refuse_all(struct metrics_page *page, const char *why)
{
	for (int i = 0; i < page->n_scrapes; i++)
		refuse(page->scrapes[i].request, why);
	page->n_scrapes = 0;
	timer_stop(&page->timer);
}

static void answer_all(struct metrics_page *page, struct shard_figures *total)
{
	struct metrics metrics;
	struct slice text;
	int r;

	/* What the hub's figures are taken from may be gone already. */
	if (!page->port.serves(page->port.ctx)) {
		refuse_all(page, "The broker stops.\n");
		return;
	}
	metrics_init(&metrics, LIMIT_METRICS_BYTES);
	write_figures(&metrics, total);
	page->port.write(page->port.ctx, &metrics);
	r = metrics_text(&metrics, &text);
	for (int i = 0; i < page->n_scrapes; i++) {
		if (r == 0)
			http_reply(page->scrapes[i].request, 200, METRICS_CONTENT_TYPE, text);
		else
			http_reply(page->scrapes[i].request, 500, "text/plain; charset=utf-8", SLICE_LITERAL("There are too many figures.\n"));
	}
	page->n_scrapes = 0;
	timer_stop(&page->timer);
	metrics_fini(&metrics);
}

static void on_figures(struct shard_asking *asking)
{
	struct metrics_page *page = asking->ctx;
	struct shard_figures total = {0};

	if (--page->n_out > 0)
		return;
	for (int i = 0; i < page->n_shards; i++) {
		add_shard(&total, &page->askings[i].figures);
		topic_lags_fini(&page->askings[i].figures.topics);
	}
	answer_all(page, &total);
	topic_lags_fini(&total.topics);
}

static void ask_shards(struct metrics_page *page)
{
	if (!page->askings)
		page->askings = memory_zalloc((size_t)page->n_shards, sizeof *page->askings);
	page->n_out = page->n_shards;
	for (int i = 0; i < page->n_shards; i++) {
		struct shard_asking *asking = &page->askings[i];

		asking->shard = page->shards[i];
		asking->reply_to = page->hub;
		asking->done = on_figures;
		asking->ctx = page;
		shard_figures_ask(asking);
	}
}

static void on_get(void *ctx, struct http_request *request)
{
	struct metrics_page *page = ctx;
	struct metrics_scrape *scrape = &page->scrapes[page->n_scrapes];

	if (!page->port.serves(page->port.ctx)) {
		refuse(request, "The broker is starting or stopping.\n");
		return;
	}
	if (page->n_scrapes == LIMIT_METRICS_SCRAPES) {
		refuse(request, "Too many scrapes wait already.\n");
		return;
	}
	*scrape = (struct metrics_scrape){request, clock_ms() + METRICS_WAIT_MS};
	page->n_scrapes++;
	timer_set_earlier(&page->timer, scrape->deadline_ms);
	/* Those that are at it answer this one, too. */
	if (page->n_out == 0)
		ask_shards(page);
}

static const struct http_page pages[] = {{"/metrics", on_get}};

/* ---- life ---- */

int metrics_page_open(struct metrics_page *page, struct worker *hub, struct slice host, int32_t port_number, const struct metrics_port *port,
		      struct error *err)
{
	struct http_server_args args = {.host = host, .port = port_number, .pages = pages, .n_pages = ARRAY_LEN(pages), .ctx = page};

	page->hub = hub;
	page->port = *port;
	timer_init(&page->timer, &hub->loop, on_timer);
	return http_server_open(&hub->loop, &args, &page->server, err);
}

void metrics_page_set_shards(struct metrics_page *page, struct shard **shards, int n_shards)
{
	page->shards = shards;
	page->n_shards = n_shards;
}

void metrics_page_close(struct metrics_page *page)
{
	if (!page->server)
		return;
	CHECK(page->n_out == 0);
	refuse_all(page, "The broker stops.\n");
	http_server_close(page->server);
	page->server = NULL;
	free(page->askings);
}
