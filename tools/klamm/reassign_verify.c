/* klamm reassign --verify, --list: how far it is; see reassign.h. */
#include "tools/klamm/reassign.h"
#include "tools/klamm/table.h"

#include <stdlib.h>

enum state { STATE_OPEN, STATE_DONE, STATE_OTHER };

static enum state state_of(const struct reassign_cluster *cluster, const struct reassign_row *row, const struct reassign_row *now)
{
	if (reassign_find_under_way(&cluster->reassignments, row))
		return STATE_OPEN;
	return reassign_is_same(row->replicas, row->n_replicas, now->replicas, now->n_replicas) ? STATE_DONE : STATE_OTHER;
}

static void print_state(struct run *run, enum state state, const struct reassign_row *row, const struct reassign_row *now)
{
	if (state == STATE_OPEN)
		fprintf(run->out, "Reassignment of partition %.*s-%d is still in progress.\n", SLICE_ARGS(row->topic), row->partition);
	else if (state == STATE_DONE)
		fprintf(run->out, "Reassignment of partition %.*s-%d is completed.\n", SLICE_ARGS(row->topic), row->partition);
	else
		fprintf(run->out, "There is no active reassignment of partition %.*s-%d, but replica set is %s rather than %s.\n",
			SLICE_ARGS(row->topic), row->partition, reassign_ids_text(run, now->replicas, now->n_replicas),
			reassign_ids_text(run, row->replicas, row->n_replicas));
}

static json_t *state_json(enum state state, const struct reassign_row *row, const struct reassign_row *now)
{
	static const char *const names[] = {[STATE_OPEN] = "in_progress", [STATE_DONE] = "completed", [STATE_OTHER] = "different"};

	return json_pack("{s:o, s:i, s:s, s:o, s:o}", "topic", json_slice(row->topic), "partition", row->partition, "state", names[state],
			 "replicas", reassign_ids_json(now->replicas, now->n_replicas), "target",
			 reassign_ids_json(row->replicas, row->n_replicas));
}

/* Whether anything of the rows is still under way. */
static bool print_states(struct run *run, const struct reassign_cluster *cluster, const struct reassign_rows *rows,
			 const struct reassign_rows *now, json_t *list)
{
	bool any_open = false;

	if (run->format != FORMAT_JSON)
		fprintf(run->out, "Status of partition reassignment:\n");
	for (int i = 0; i < rows->n; i++) {
		enum state state = state_of(cluster, &rows->list[i], &now->list[i]);

		any_open = any_open || state == STATE_OPEN;
		if (run->format == FORMAT_JSON)
			json_array_append_new(list, state_json(state, &rows->list[i], &now->list[i]));
		else
			print_state(run, state, &rows->list[i], &now->list[i]);
	}
	if (run->format != FORMAT_JSON)
		fputc('\n', run->out);
	return any_open;
}

int reassign_verify_rows(struct run *run, const struct reassign_rows *rows, struct error *err)
{
	struct reassign_cluster cluster;
	struct reassign_rows now;
	json_t *list;
	bool clears;
	int r = reassign_cluster_read(run, rows, &cluster, err);

	if (r == RUN_OK)
		r = reassign_current(run, &cluster, rows, &now, err);
	if (r != RUN_OK)
		return r;
	list = json_array();
	clears = !print_states(run, &cluster, rows, &now, list) && !args_has(&run->args, "preserve-throttles");
	if (clears)
		r = reassign_throttle_clear(run, rows, err);
	if (run->format == FORMAT_JSON)
		run_print_json(run, json_pack("{s:O, s:b}", "partitions", list, "throttles_cleared", clears && r == RUN_OK));
	json_decref(list);
	return r;
}

int reassign_verify(struct run *run, struct error *err)
{
	struct reassign_rows rows;
	int r = reassign_file_read(run, &rows, err);

	if (r == RUN_OK)
		r = run_client(run, err);
	return r == RUN_OK ? reassign_verify_rows(run, &rows, err) : r;
}

/* ---- list ---- */

static int by_name(const void *a, const void *b)
{
	const struct list_partition_reassignments_response_topic *x = a;
	const struct list_partition_reassignments_response_topic *y = b;

	return slice_compare(x->name, y->name);
}

static void print_line(struct run *run, struct slice topic, const struct list_partition_reassignments_response_partition *p)
{
	fprintf(run->out, "%.*s-%d: replicas: %s.", SLICE_ARGS(topic), p->partition_index, reassign_ids_text(run, p->replicas, p->n_replicas));
	if (p->n_adding_replicas > 0)
		fprintf(run->out, " adding: %s.", reassign_ids_text(run, p->adding_replicas, p->n_adding_replicas));
	if (p->n_removing_replicas > 0)
		fprintf(run->out, " removing: %s.", reassign_ids_text(run, p->removing_replicas, p->n_removing_replicas));
	fputc('\n', run->out);
}

static void print_item(struct run *run, struct slice topic, const struct list_partition_reassignments_response_partition *p, struct table *table,
		       json_t *rows)
{
	if (run->format == FORMAT_JSON)
		json_array_append_new(rows, json_pack("{s:o, s:i, s:o, s:o, s:o}", "topic", json_slice(topic), "partition", p->partition_index,
						      "replicas", reassign_ids_json(p->replicas, p->n_replicas), "adding",
						      reassign_ids_json(p->adding_replicas, p->n_adding_replicas), "removing",
						      reassign_ids_json(p->removing_replicas, p->n_removing_replicas)));
	else if (run->format == FORMAT_TABLE)
		table_row(table, "%.*s|%d|%s|%s|%s", SLICE_ARGS(topic), p->partition_index, reassign_ids_text(run, p->replicas, p->n_replicas),
			  reassign_ids_text(run, p->adding_replicas, p->n_adding_replicas),
			  reassign_ids_text(run, p->removing_replicas, p->n_removing_replicas));
	else
		print_line(run, topic, p);
}

int reassign_list(struct run *run, struct error *err)
{
	struct list_partition_reassignments_response list;
	struct table table;
	json_t *rows;
	int r = run_client(run, err);

	if (r == RUN_OK)
		r = reassign_under_way_read(run, &list, err);
	if (r != RUN_OK)
		return r;
	if (list.n_topics > 1)
		qsort(list.topics, (size_t)list.n_topics, sizeof *list.topics, by_name);
	if (run->format != FORMAT_JSON)
		fprintf(run->out, "%s\n", list.n_topics > 0 ? "Current partition reassignments:" : "No partition reassignments found.");
	rows = json_array();
	table_init(&table, &run->arena, "TOPIC|PARTITION|REPLICAS|ADDING|REMOVING");
	for (int t = 0; t < list.n_topics; t++)
		for (int i = 0; i < list.topics[t].n_partitions; i++)
			print_item(run, list.topics[t].name, &list.topics[t].partitions[i], &table, rows);
	table_print(&table, run->out);
	if (run->format == FORMAT_JSON)
		run_print_json(run, json_pack("{s:O}", "reassignments", rows));
	json_decref(rows);
	return RUN_OK;
}
