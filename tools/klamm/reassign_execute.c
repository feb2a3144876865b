/* klamm reassign --execute, --cancel: what is asked of the controller; see reassign.h. */
#include "common/clock.h"
#include "proto/kafka_error.h"
#include "tools/klamm/kafka_admin.h"
#include "tools/klamm/progress.h"
#include "tools/klamm/reassign.h"

#include <time.h>

#define POLL_MS 250
#define VIEW_WAIT_MS 5000

#define EXISTING                                                                                                               \
	"Cannot execute because there is an existing partition assignment.  Use --additional to override this and create a "   \
	"new partition assignment in addition to the existing one. The --additional flag can also be used to change the "     \
	"throttle by resubmitting the current reassignment."

/* ---- the request ---- */

/* Targets, or cancels where `cancel`. Refused ones are gathered into err. */
static int alter(struct run *run, const struct reassign_rows *rows, bool cancel, const char *what, struct error *err)
{
	struct alter_partition_reassignments_request request = alter_partition_reassignments_request_default;
	struct alter_partition_reassignments_response response;
	const char *refused = "";
	int n_refused = 0;

	request.timeout_ms = kafka_client_timeout_ms(run->client);
	request.topics = message_array(&run->arena, &alter_partition_reassignments_request_topic_struct, (size_t)rows->n);
	for (int i = 0, next; i < rows->n; i = next) {
		struct alter_partition_reassignments_request_topic *topic = &request.topics[request.n_topics++];

		next = i + 1;
		while (next < rows->n && slice_equal(rows->list[next].topic, rows->list[i].topic))
			next++;
		topic->name = rows->list[i].topic;
		topic->partitions =
			message_array(&run->arena, &alter_partition_reassignments_request_partition_struct, (size_t)(next - i));
		for (int k = i; k < next; k++) {
			struct alter_partition_reassignments_request_partition *partition = &topic->partitions[topic->n_partitions++];

			partition->partition_index = rows->list[k].partition;
			partition->replicas = rows->list[k].replicas;
			partition->n_replicas = cancel ? -1 : rows->list[k].n_replicas;
		}
	}
	if (kafka_admin_alter_reassignments(run->client, &request, &response, err) != 0)
		return RUN_FAILED;
	for (int t = 0; t < response.n_responses; t++)
		for (int i = 0; i < response.responses[t].n_partitions; i++) {
			const struct alter_partition_reassignments_response_partition *partition = &response.responses[t].partitions[i];

			if (partition->error_code == KAFKA_NONE)
				continue;
			/* The first ones will do. */
			if (n_refused++ < 20)
				refused = arena_printf(&run->arena, "%s\n%.*s-%d: %s", refused, SLICE_ARGS(response.responses[t].name),
						       partition->partition_index,
						       run_kafka_error(run, partition->error_code, partition->error_message));
		}
	return n_refused ? run_failed(err, "%s%s", what, refused) : RUN_OK;
}

/* ---- waiting ---- */

static void nap(void)
{
	struct timespec time = {0, POLL_MS * 1000000L};

	nanosleep(&time, NULL);
}

static int count_open(const struct reassign_rows *rows, const struct list_partition_reassignments_response *list)
{
	int n = 0;

	for (int i = 0; i < rows->n && list->n_topics > 0; i++)
		n += reassign_find_under_way(list, &rows->list[i]) != NULL;
	return n;
}

static int wait_for(struct run *run, const struct reassign_rows *rows, struct error *err)
{
	struct progress progress;
	int64_t seconds;
	int64_t until_ms;
	int n_open;
	int r;

	if (args_number(&run->args, "wait-timeout", 1, INT32_MAX, INT32_MAX, &seconds, err) != 0)
		return RUN_USAGE;
	until_ms = clock_ms() + seconds * 1000;
	progress_begin(&progress, "partitions moved", rows->n);
	for (;;) {
		struct list_partition_reassignments_response list;

		r = reassign_under_way_read(run, &list, err);
		n_open = r == RUN_OK ? count_open(rows, &list) : 0;
		progress_show(&progress, rows->n - n_open);
		if (r != RUN_OK || n_open == 0 || clock_ms() >= until_ms)
			break;
		nap();
	}
	progress_end(&progress);
	if (r == RUN_OK && n_open > 0)
		r = run_failed(err, "%d of %d partitions are still moving after %lld s; they go on, throttles stay", n_open, rows->n,
			       (long long)seconds);
	return r;
}

/* The controller is done; the broker that is asked hears of it a moment later. */
static int wait_for_view(struct run *run, const struct reassign_rows *rows, struct error *err)
{
	int64_t until_ms = clock_ms() + VIEW_WAIT_MS;

	for (;;) {
		struct reassign_cluster cluster;
		struct reassign_rows now;
		bool same = true;
		int r = reassign_cluster_read(run, rows, &cluster, err);

		if (r == RUN_OK)
			r = reassign_current(run, &cluster, rows, &now, err);
		for (int i = 0; r == RUN_OK && i < rows->n; i++)
			same = same && reassign_is_same(rows->list[i].replicas, rows->list[i].n_replicas, now.list[i].replicas,
							now.list[i].n_replicas);
		if (r != RUN_OK || same || clock_ms() >= until_ms)
			return r;
		nap();
	}
}

/* ---- execute ---- */

static int check_brokers(const struct reassign_cluster *cluster, const struct reassign_rows *rows, struct error *err)
{
	for (int i = 0; i < rows->n; i++)
		for (int k = 0; k < rows->list[i].n_replicas; k++) {
			bool known = false;

			for (int b = 0; b < cluster->metadata.n_brokers; b++)
				known = known || cluster->metadata.brokers[b].node_id == rows->list[i].replicas[k];
			if (!known)
				return run_failed(err, "Unknown broker id %d", rows->list[i].replicas[k]);
		}
	return RUN_OK;
}

static void print_before(struct run *run, const struct reassign_rows *before)
{
	if (run->format == FORMAT_JSON)
		return;
	fprintf(run->out, "Current partition replica assignment\n\n%s\n\nSave this to use as the --reassignment-json-file option during rollback\n",
		reassign_rows_text(run, before));
}

static int throttle(struct run *run, const struct reassign_cluster *cluster, const struct reassign_rows *rows, struct error *err)
{
	int64_t bytes;
	int r = reassign_throttle_read(run, &bytes, err);

	if (r != RUN_OK || bytes < 0)
		return r;
	if (run->format != FORMAT_JSON && !args_has(&run->args, "wait"))
		fprintf(run->out, "Warning: You must run --verify periodically, until the reassignment completes, to ensure the throttle is removed.\n");
	r = reassign_throttle_set(run, cluster, rows, bytes, err);
	if (r == RUN_OK && run->format != FORMAT_JSON)
		fprintf(run->out, "The inter-broker throttle limit was set to %lld B/s\n", (long long)bytes);
	return r;
}

static int start(struct run *run, const struct reassign_rows *rows, const struct reassign_rows *before, struct error *err)
{
	int r = alter(run, rows, false, "Error reassigning partition(s):", err);

	if (r != RUN_OK)
		return r;
	if (run->format == FORMAT_JSON)
		run_print_json(run, json_pack("{s:o, s:o}", "started", reassign_rows_json(rows), "before", reassign_rows_json(before)));
	else
		fprintf(run->out, "Successfully started partition reassignment%s for %s\n", rows->n == 1 ? "" : "s",
			reassign_names_text(run, rows));
	if (!args_has(&run->args, "wait"))
		return RUN_OK;
	fflush(run->out);
	r = wait_for(run, rows, err);
	if (r == RUN_OK)
		r = wait_for_view(run, rows, err);
	return r == RUN_OK ? reassign_verify_rows(run, rows, err) : r;
}

int reassign_execute_rows(struct run *run, const struct reassign_rows *rows, struct error *err)
{
	struct reassign_cluster cluster;
	struct reassign_rows before;
	int r = reassign_cluster_read(run, rows, &cluster, err);

	if (r != RUN_OK)
		return r;
	if (cluster.reassignments.n_topics > 0 && !args_has(&run->args, "additional"))
		return run_failed(err, "%s", EXISTING);
	r = check_brokers(&cluster, rows, err);
	if (r == RUN_OK)
		r = reassign_current(run, &cluster, rows, &before, err);
	if (r != RUN_OK)
		return r;
	print_before(run, &before);
	r = throttle(run, &cluster, rows, err);
	return r == RUN_OK ? start(run, rows, &before, err) : r;
}

int reassign_execute(struct run *run, struct error *err)
{
	struct reassign_rows rows;
	int r = reassign_file_read(run, &rows, err);

	if (r == RUN_OK)
		r = run_client(run, err);
	return r == RUN_OK ? reassign_execute_rows(run, &rows, err) : r;
}

/* ---- cancel ---- */

static struct reassign_rows open_rows(struct run *run, const struct reassign_rows *rows, const struct list_partition_reassignments_response *list)
{
	struct reassign_rows open = {arena_zalloc(&run->arena, (size_t)rows->n + 1, sizeof *open.list), 0};

	for (int i = 0; i < rows->n; i++)
		if (reassign_find_under_way(list, &rows->list[i]))
			open.list[open.n++] = rows->list[i];
	return open;
}

int reassign_cancel(struct run *run, struct error *err)
{
	struct list_partition_reassignments_response list;
	struct reassign_rows rows;
	struct reassign_rows open;
	int r = reassign_file_read(run, &rows, err);

	if (r == RUN_OK)
		r = run_client(run, err);
	if (r == RUN_OK)
		r = reassign_under_way_read(run, &list, err);
	if (r != RUN_OK)
		return r;
	open = open_rows(run, &rows, &list);
	if (open.n > 0)
		r = alter(run, &open, true,
			  open.n == 1 ? "Error cancelling partition reassignment for:" : "Error cancelling partition reassignments for:", err);
	if (r != RUN_OK)
		return r;
	if (run->format == FORMAT_JSON)
		run_print_json(run, json_pack("{s:o}", "cancelled", reassign_rows_json(&open)));
	else if (open.n > 0)
		fprintf(run->out, "Successfully cancelled partition reassignment%s for: %s\n", open.n == 1 ? "" : "s",
			reassign_names_text(run, &open));
	else
		fprintf(run->out, "None of the specified partition reassignments are active.\n");
	return args_has(&run->args, "preserve-throttles") ? RUN_OK : reassign_throttle_clear(run, &rows, err);
}
