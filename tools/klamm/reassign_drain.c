/* klamm reassign drain, add: a plan from the cluster as it is, shown, then carried out; see reassign.h and reassign_plan_core.h. */
#include "tools/klamm/reassign.h"
#include "tools/klamm/reassign_plan_core.h"
#include "tools/klamm/table.h"
#include "tools/klamm/topic_match.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN_MAX 40

/* ---- the cluster as the plan sees it ---- */

static int by_id(const void *a, const void *b)
{
	int32_t x = ((const struct plan_broker *)a)->id;
	int32_t y = ((const struct plan_broker *)b)->id;

	return (x > y) - (x < y);
}

/* Partition 0 of all topics first, then 1, ...: what moves is spread over topics. */
static int by_index(const void *a, const void *b)
{
	const struct plan_partition *x = a;
	const struct plan_partition *y = b;

	return x->index != y->index ? (x->index > y->index) - (x->index < y->index) : slice_compare(x->topic, y->topic);
}

static int find_broker(const struct plan_broker *brokers, int n, int32_t id)
{
	for (int i = 0; i < n; i++)
		if (brokers[i].id == id)
			return i;
	return -1;
}

static int brokers_read(struct run *run, const struct metadata_response *metadata, bool drain, struct reassign_plan *plan, struct error *err)
{
	int32_t *ids;
	int n_ids;
	int r = reassign_ids_read(run, "broker", &ids, &n_ids, err);

	if (r != RUN_OK)
		return r;
	plan->brokers = arena_zalloc(&run->arena, (size_t)metadata->n_brokers + (size_t)n_ids, sizeof *plan->brokers);
	plan->use_racks = !args_has(&run->args, "disable-rack-aware");
	for (int i = 0; i < metadata->n_brokers; i++) {
		plan->brokers[plan->n_brokers++] = (struct plan_broker){.id = metadata->brokers[i].node_id, .rack = metadata->brokers[i].rack};
		plan->use_racks = plan->use_racks && metadata->brokers[i].rack.data;
	}
	for (int i = 0; i < n_ids; i++) {
		int at = find_broker(plan->brokers, plan->n_brokers, ids[i]);

		/* One that is down can be emptied all the same: the others have what it has. */
		if (at < 0 && drain) {
			at = plan->n_brokers++;
			plan->brokers[at].id = ids[i];
		}
		if (at < 0)
			return run_failed(err, "Unknown broker id %d: it is not running", ids[i]);
		plan->brokers[at].leaves = drain;
		plan->brokers[at].comes = !drain;
	}
	qsort(plan->brokers, (size_t)plan->n_brokers, sizeof *plan->brokers, by_id);
	return RUN_OK;
}

/* The replicas that a partition has, or is on the way to. */
static void partition_read(struct run *run, const struct reassign_cluster *cluster, const struct metadata_response_topic *topic,
			   const struct metadata_response_partition *partition, struct plan_partition *ret_partition)
{
	struct reassign_row row = {.topic = topic->name, .partition = partition->partition_index};
	const struct list_partition_reassignments_response_partition *moving = reassign_find_under_way(&cluster->reassignments, &row);

	*ret_partition = (struct plan_partition){.topic = topic->name, .index = partition->partition_index};
	ret_partition->replicas = arena_alloc(&run->arena, (size_t)partition->n_replica_nodes * sizeof *ret_partition->replicas + 1);
	for (int i = 0; i < partition->n_replica_nodes; i++)
		if (!moving || !reassign_has(moving->removing_replicas, moving->n_removing_replicas, partition->replica_nodes[i]))
			ret_partition->replicas[ret_partition->n_replicas++] = partition->replica_nodes[i];
}

static int partitions_read(struct run *run, const struct reassign_cluster *cluster, struct reassign_plan *plan, struct error *err)
{
	struct topic_match match;
	size_t n = 0;

	if (topic_match_init(&match, &run->arena, args_text(&run->args, "topic", NULL), err) != 0)
		return RUN_USAGE;
	for (int t = 0; t < cluster->metadata.n_topics; t++)
		n += (size_t)cluster->metadata.topics[t].n_partitions;
	plan->partitions = arena_zalloc(&run->arena, n + 1, sizeof *plan->partitions);
	for (int t = 0; t < cluster->metadata.n_topics; t++) {
		const struct metadata_response_topic *topic = &cluster->metadata.topics[t];
		bool chosen = topic_match_name(&match, topic->name);

		for (int i = 0; i < topic->n_partitions; i++) {
			partition_read(run, cluster, topic, &topic->partitions[i], &plan->partitions[plan->n_partitions]);
			plan->partitions[plan->n_partitions++].chosen = chosen;
		}
	}
	topic_match_fini(&match);
	qsort(plan->partitions, n, sizeof *plan->partitions, by_index);
	return RUN_OK;
}

/* ---- the plan as rows ---- */

static struct reassign_rows rows_of(struct run *run, const struct reassign_plan *plan)
{
	struct reassign_rows rows = {arena_zalloc(&run->arena, (size_t)plan->n_partitions + 1, sizeof *rows.list), 0};

	for (int i = 0; i < plan->n_partitions; i++) {
		const struct plan_partition *partition = &plan->partitions[i];

		if (partition->n_moved > 0)
			rows.list[rows.n++] = (struct reassign_row){partition->topic, partition->index, partition->replicas, partition->n_replicas};
	}
	reassign_rows_sort(&rows);
	return rows;
}

static int write_file(const char *path, const char *text, struct error *err)
{
	FILE *file = fopen(path, "w");
	bool done;

	if (!file)
		return run_failed(err, "%s: %s", path, strerror(errno));
	done = fprintf(file, "%s\n", text) > 0;
	done = fclose(file) == 0 && done;
	return done ? RUN_OK : run_failed(err, "%s: %s", path, strerror(errno));
}

static int save(struct run *run, const struct reassign_rows *rows, const struct reassign_rows *before, struct error *err)
{
	const char *path = args_text(&run->args, "save", NULL);
	int r;

	if (!path)
		return RUN_OK;
	r = write_file(path, reassign_rows_text(run, rows), err);
	return r == RUN_OK ? write_file(arena_printf(&run->arena, "%s.before", path), reassign_rows_text(run, before), err) : r;
}

static void print_moves(struct run *run, const struct reassign_rows *rows, const struct reassign_rows *before)
{
	struct table table;

	table_init(&table, &run->arena, "TOPIC|PARTITION|REPLICAS|BECOME");
	for (int i = 0; i < rows->n && i < SHOWN_MAX; i++)
		table_row(&table, "%.*s|%d|%s|%s", SLICE_ARGS(rows->list[i].topic), rows->list[i].partition,
			  reassign_ids_text(run, before->list[i].replicas, before->list[i].n_replicas),
			  reassign_ids_text(run, rows->list[i].replicas, rows->list[i].n_replicas));
	table_print(&table, run->out);
	if (rows->n > SHOWN_MAX)
		fprintf(run->out, "... and %d more; --save FILE writes them all\n", rows->n - SHOWN_MAX);
}

static void print_plan(struct run *run, const struct reassign_plan *plan, const struct reassign_rows *rows, const struct reassign_rows *before)
{
	struct table table;
	int n_partitions;
	int n_moves = reassign_plan_moves(plan, &n_partitions);

	if (run->format == FORMAT_JSON) {
		run_print_json(run, json_pack("{s:i, s:o, s:o}", "moves", n_moves, "plan", reassign_rows_json(rows), "before",
					      reassign_rows_json(before)));
		return;
	}
	print_moves(run, rows, before);
	table_init(&table, &run->arena, "BROKER|RACK|REPLICAS|BECOME|PREFERRED LEADER OF|BECOME");
	for (int i = 0; i < plan->n_brokers; i++) {
		const struct plan_broker *broker = &plan->brokers[i];

		table_row(&table, "%d|%.*s|%d|%d|%d|%d", broker->id, SLICE_ARGS(broker->rack), broker->n_before, broker->n_now,
			  broker->n_first_before, broker->n_first_now);
	}
	fputc('\n', run->out);
	table_print(&table, run->out);
	fprintf(run->out, "\n%d replica%s of %d partition%s move%s.\n", n_moves, n_moves == 1 ? "" : "s", n_partitions,
		n_partitions == 1 ? "" : "s", n_moves == 1 ? "s" : "");
}

/* A throttle has to be taken away by somebody who knows what was moved. */
static int check_throttle(struct run *run, struct error *err)
{
	if (args_has(&run->args, "throttle") && !args_has(&run->args, "wait") && !args_has(&run->args, "save") &&
	    !args_has(&run->args, "dry-run"))
		return run_usage(err, "--throttle needs --wait, which removes it at the end, or --save FILE for --verify to remove it");
	return RUN_OK;
}

static int carry_out(struct run *run, const struct reassign_cluster *cluster, const struct reassign_plan *plan, struct error *err)
{
	struct reassign_rows rows = rows_of(run, plan);
	struct reassign_rows before;
	int r;

	if (rows.n == 0) {
		if (run->format == FORMAT_JSON)
			run_print_json(run, json_pack("{s:i, s:o}", "moves", 0, "plan", reassign_rows_json(&rows)));
		else
			fprintf(run->out, "Nothing has to move.\n");
		return RUN_OK;
	}
	r = reassign_current(run, cluster, &rows, &before, err);
	if (r != RUN_OK)
		return r;
	print_plan(run, plan, &rows, &before);
	r = save(run, &rows, &before, err);
	if (r != RUN_OK || args_has(&run->args, "dry-run"))
		return r;
	if (run->format != FORMAT_JSON)
		fputc('\n', run->out);
	return reassign_execute_rows(run, &rows, err);
}

static int plan_read(struct run *run, bool drain, struct reassign_cluster *ret_cluster, struct reassign_plan *ret_plan, struct error *err)
{
	int r = check_throttle(run, err);

	*ret_plan = (struct reassign_plan){0};
	if (r == RUN_OK)
		r = run_client(run, err);
	if (r == RUN_OK)
		r = reassign_cluster_read(run, NULL, ret_cluster, err);
	if (r == RUN_OK)
		r = brokers_read(run, &ret_cluster->metadata, drain, ret_plan, err);
	if (r == RUN_OK)
		r = partitions_read(run, ret_cluster, ret_plan, err);
	if (r == RUN_OK)
		reassign_plan_begin(ret_plan);
	return r;
}

int reassign_drain(struct run *run, struct error *err)
{
	struct reassign_cluster cluster;
	struct reassign_plan plan;
	int stuck;
	int r = plan_read(run, true, &cluster, &plan, err);

	if (r != RUN_OK)
		return r;
	stuck = reassign_plan_drain(&plan);
	if (stuck >= 0)
		return run_failed(err, "%.*s-%d has %d replicas, but there are not as many other brokers: add a broker first, or give the topic fewer "
				       "replicas",
				  SLICE_ARGS(plan.partitions[stuck].topic), plan.partitions[stuck].index, plan.partitions[stuck].n_replicas);
	return carry_out(run, &cluster, &plan, err);
}

int reassign_add(struct run *run, struct error *err)
{
	struct reassign_cluster cluster;
	struct reassign_plan plan;
	int r = plan_read(run, false, &cluster, &plan, err);

	if (r != RUN_OK)
		return r;
	reassign_plan_add(&plan);
	return carry_out(run, &cluster, &plan, err);
}
