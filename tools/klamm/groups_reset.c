/*
 * klamm groups --reset-offsets: the offsets of groups that nobody is in.
 *
 *     partitions (--topic, --all-topics, --from-file) -> rows -> scenario: ListOffsets, what is committed -> new offsets -> OffsetCommit (--execute)
 */
#include "tools/klamm/groups.h"

#include "common/clock.h"
#include "proto/kafka_error.h"
#include "tools/klamm/group_reset_core.h"
#include "tools/klamm/list_offsets.h"
#include "tools/klamm/table.h"

#include <errno.h>
#include <stdlib.h>

enum scenario { TO_EARLIEST, TO_LATEST, TO_CURRENT, TO_OFFSET, TO_DATETIME, BY_DURATION, SHIFT_BY, FROM_FILE, SCENARIOS };

static const char *const scenario_names[SCENARIOS] = {"to-earliest", "to-latest",   "to-current", "to-offset",
						      "to-datetime", "by-duration", "shift-by",   "from-file"};

/* One partition of one group. */
struct row {
	struct slice topic;
	int32_t partition;
	int64_t committed; /* -1: nothing is */
	int64_t wish;      /* the offset that a file asks for */
	int64_t offset;    /* the new one */
};

struct rows {
	struct row *list; /* by topic and partition */
	int n;
};

struct reset {
	struct groups_run *groups;
	enum scenario scenario;
	int64_t number; /* of --to-offset, --shift-by; milliseconds of --to-datetime, --by-duration */
	struct group_line *lines;
	int n_lines;
	bool execute, export;
	struct table table;
	json_t *json; /* rows of all groups */
};

/* ---- what is asked for ---- */

static int lines_read(struct reset *reset, const char *path, struct error *err)
{
	struct arena *arena = &reset->groups->run->arena;
	FILE *file = fopen(path, "r");
	int cap = 0, number = 0, r = RUN_OK;
	char *text = NULL;
	size_t size = 0;
	ssize_t len;

	if (!file)
		return run_failed(err, "%s: %s", path, strerror(errno));
	while (r == RUN_OK && (len = getline(&text, &size, file)) >= 0) {
		struct slice line = arena_copy(arena, slice_of(text, strcspn(text, "\r\n")));
		struct error why;

		number++;
		if (line.len == 0)
			continue;
		if (reset->n_lines == cap) {
			struct group_line *more = arena_alloc(arena, (size_t)(cap = cap ? 2 * cap : 64) * sizeof *more);

			if (reset->n_lines)
				memcpy(more, reset->lines, (size_t)reset->n_lines * sizeof *more);
			reset->lines = more;
		}
		if (group_line_parse(line, &reset->lines[reset->n_lines], &why) != 0)
			r = run_usage(err, "%s:%d: %s", path, number, why.text);
		else if (slice_is_null(reset->lines[reset->n_lines++].group) && reset->groups->n_names > 1)
			r = run_usage(err, "%s:%d: there are several groups: write group,topic,partition,offset", path, number);
	}
	free(text);
	fclose(file);
	return r;
}

static int scenario_value(struct reset *reset, struct error *err)
{
	const struct args *args = &reset->groups->run->args;
	const char *text = args_text(args, scenario_names[reset->scenario], NULL);

	switch (reset->scenario) {
	case TO_OFFSET:
		return run_code_of_args(args_number(args, "to-offset", 0, INT64_MAX, 0, &reset->number, err));
	case SHIFT_BY:
		return run_code_of_args(args_number(args, "shift-by", -INT64_MAX / 2, INT64_MAX / 2, 0, &reset->number, err));
	case TO_DATETIME:
		return run_code_of_args(group_datetime_parse(text, &reset->number, err));
	case BY_DURATION:
		return run_code_of_args(group_duration_parse(text, &reset->number, err));
	case FROM_FILE:
		return lines_read(reset, text, err);
	default:
		return RUN_OK;
	}
}

static int scenario_read(struct reset *reset, struct error *err)
{
	const struct args *args = &reset->groups->run->args;
	int n = 0;

	for (enum scenario scenario = 0; scenario < SCENARIOS; scenario++) {
		if (args_has(args, scenario_names[scenario])) {
			reset->scenario = scenario;
			n++;
		}
	}
	if (n != 1)
		return run_usage(err, "one of --to-earliest, --to-latest, --to-current, --to-offset, --to-datetime, --by-duration, --shift-by and "
				      "--from-file belongs to --reset-offsets");
	if (args_has(args, "topic") + args_has(args, "all-topics") + (reset->scenario == FROM_FILE) != 1)
		return run_usage(err, reset->scenario == FROM_FILE ? "--from-file says which topics: leave out --topic and --all-topics"
								   : "--reset-offsets needs --topic NAME or --all-topics");
	if (args_has(args, "execute") && args_has(args, "dry-run"))
		return run_usage(err, "--execute and --dry-run exclude each other");
	reset->execute = args_has(args, "execute");
	reset->export = args_has(args, "export");
	return scenario_value(reset, err);
}

/* ---- the partitions of one group ---- */

static int by_place(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	int order = slice_compare(x->topic, y->topic);

	return order ? order : (x->partition > y->partition) - (x->partition < y->partition);
}

static struct row *row_find(const struct rows *rows, struct slice topic, int32_t partition)
{
	struct row key = {.topic = topic, .partition = partition};

	return rows->n ? bsearch(&key, rows->list, (size_t)rows->n, sizeof key, by_place) : NULL;
}

static void row_add(struct rows *rows, struct slice topic, int32_t partition, int64_t wish)
{
	rows->list[rows->n++] = (struct row){.topic = topic, .partition = partition, .committed = -1, .wish = wish};
}

/* Sorts, and leaves out what is named twice. */
static void rows_order(struct rows *rows)
{
	int n = 0;

	if (rows->n > 1)
		qsort(rows->list, (size_t)rows->n, sizeof *rows->list, by_place);
	for (int i = 0; i < rows->n; i++)
		if (n == 0 || by_place(&rows->list[n - 1], &rows->list[i]) != 0)
			rows->list[n++] = rows->list[i];
	rows->n = n;
}

static int rows_named(struct reset *reset, struct rows *rows, struct error *err)
{
	struct groups_run *groups = reset->groups;
	const char *text;
	int cap = 0;

	for (int i = 0; (text = args_text_at(&groups->run->args, "topic", i)); i++) {
		struct group_topic wanted;
		struct row *more;

		if (group_topic_parse(&groups->run->arena, text, &wanted, err) != 0)
			return RUN_USAGE;
		if (wanted.n_partitions < 0 && groups_partitions(groups, wanted.topic, &wanted.partitions, &wanted.n_partitions, err) != 0)
			return RUN_FAILED;
		cap += wanted.n_partitions;
		more = arena_alloc(&groups->run->arena, ((size_t)cap + 1) * sizeof *more);
		if (rows->n)
			memcpy(more, rows->list, (size_t)rows->n * sizeof *more);
		rows->list = more;
		for (int p = 0; p < wanted.n_partitions; p++)
			row_add(rows, wanted.topic, wanted.partitions[p], 0);
	}
	return RUN_OK;
}

static void rows_of_file(struct reset *reset, struct slice group, struct rows *rows)
{
	rows->list = arena_alloc(&reset->groups->run->arena, ((size_t)reset->n_lines + 1) * sizeof *rows->list);
	for (int i = 0; i < reset->n_lines; i++)
		if (slice_is_null(reset->lines[i].group) || slice_equal(reset->lines[i].group, group))
			row_add(rows, reset->lines[i].topic, reset->lines[i].partition, reset->lines[i].offset);
}

static void rows_of_group(struct reset *reset, const struct offset_fetch_response_group *offsets, struct rows *rows)
{
	size_t most = 1;

	for (int t = 0; t < offsets->n_topics; t++)
		most += (size_t)offsets->topics[t].n_partitions;
	rows->list = arena_alloc(&reset->groups->run->arena, most * sizeof *rows->list);
	for (int t = 0; t < offsets->n_topics; t++)
		for (int p = 0; p < offsets->topics[t].n_partitions; p++)
			row_add(rows, offsets->topics[t].name, offsets->topics[t].partitions[p].partition_index, 0);
}

static int rows_select(struct reset *reset, struct slice group, struct rows *rows, struct error *err)
{
	struct offset_fetch_response_group offsets;
	int r = RUN_OK;

	if (group_admin_offsets(&reset->groups->admin, group, &offsets, err) != 0)
		return RUN_FAILED;
	if (reset->scenario == FROM_FILE)
		rows_of_file(reset, group, rows);
	else if (args_has(&reset->groups->run->args, "all-topics"))
		rows_of_group(reset, &offsets, rows);
	else
		r = rows_named(reset, rows, err);
	rows_order(rows);
	for (int t = 0; t < offsets.n_topics; t++) {
		for (int p = 0; p < offsets.topics[t].n_partitions; p++) {
			const struct offset_fetch_response_group_partition *committed = &offsets.topics[t].partitions[p];
			struct row *row = row_find(rows, offsets.topics[t].name, committed->partition_index);

			if (row && committed->error_code == KAFKA_NONE)
				row->committed = committed->committed_offset;
		}
	}
	return r;
}

/* ---- new offsets ---- */

/* The offsets of all rows at a time, in an array of their own. */
static int offsets_at(struct reset *reset, const struct rows *rows, int64_t when, int64_t **ret_offsets, struct error *err)
{
	struct run *run = reset->groups->run;
	struct part *parts = arena_zalloc(&run->arena, (size_t)rows->n + 1, sizeof *parts);
	int64_t *offsets = arena_alloc(&run->arena, ((size_t)rows->n + 1) * sizeof *offsets);

	for (int i = 0; i < rows->n; i++)
		parts[i] = (struct part){.topic = rows->list[i].topic, .partition = rows->list[i].partition, .asked = when};
	if (parts_ask(run->client, parts, rows->n, list_offsets_ask, NULL, err) != 0)
		return RUN_FAILED;
	for (int i = 0; i < rows->n; i++) {
		if (parts[i].error != KAFKA_NONE)
			return run_failed(err, "%.*s-%d: %s", SLICE_ARGS(parts[i].topic), parts[i].partition,
					  run_kafka_error(run, parts[i].error, SLICE_NULL));
		offsets[i] = parts[i].result;
	}
	*ret_offsets = offsets;
	return RUN_OK;
}

/* What a scenario with numbers asks of one row. */
static int wish_of(const struct reset *reset, const struct row *row, int64_t *ret_wish, struct error *err)
{
	*ret_wish = reset->scenario == FROM_FILE ? row->wish : reset->number;
	if (reset->scenario != SHIFT_BY)
		return RUN_OK;
	if (row->committed < 0)
		return run_failed(err, "Cannot shift offset for partition %.*s-%d since there is no current committed offset", SLICE_ARGS(row->topic),
				  row->partition);
	*ret_wish = row->committed + reset->number;
	return RUN_OK;
}

static int offsets_by_wish(struct reset *reset, struct rows *rows, struct error *err)
{
	int64_t *starts, *ends, wish;
	int r = offsets_at(reset, rows, OFFSETS_EARLIEST, &starts, err);

	if (r == RUN_OK)
		r = offsets_at(reset, rows, OFFSETS_LATEST, &ends, err);
	for (int i = 0; i < rows->n && r == RUN_OK; i++) {
		struct row *row = &rows->list[i];

		r = wish_of(reset, row, &wish, err);
		if (r != RUN_OK)
			break;
		row->offset = group_offset_within(wish, starts[i], ends[i]);
		if (row->offset != wish)
			run_note(reset->groups->run, "New offset (%lld) is %s offset for topic partition %.*s-%d. Value will be set to %lld",
				 (long long)wish, wish < starts[i] ? "lower than earliest" : "higher than latest", SLICE_ARGS(row->topic),
				 row->partition, (long long)row->offset);
	}
	return r;
}

static int offsets_by_time(struct reset *reset, struct rows *rows, int64_t when, struct error *err)
{
	int64_t *offsets, *ends;
	int r = offsets_at(reset, rows, when, &offsets, err);

	if (r == RUN_OK && when >= 0)
		r = offsets_at(reset, rows, OFFSETS_LATEST, &ends, err);
	for (int i = 0; i < rows->n && r == RUN_OK; i++) {
		struct row *row = &rows->list[i];

		row->offset = offsets[i];
		if (row->offset >= 0)
			continue;
		row->offset = ends[i];
		run_note(reset->groups->run, "%.*s-%d has no record from then on: it is reset to its end", SLICE_ARGS(row->topic), row->partition);
	}
	return r;
}

static int offsets_to_current(struct reset *reset, struct rows *rows, struct error *err)
{
	int64_t *ends;
	int r = offsets_at(reset, rows, OFFSETS_LATEST, &ends, err);

	for (int i = 0; i < rows->n && r == RUN_OK; i++)
		rows->list[i].offset = rows->list[i].committed >= 0 ? rows->list[i].committed : ends[i];
	return r;
}

static int offsets_choose(struct reset *reset, struct rows *rows, struct error *err)
{
	int64_t since_ms;

	switch (reset->scenario) {
	case TO_EARLIEST:
		return offsets_by_time(reset, rows, OFFSETS_EARLIEST, err);
	case TO_LATEST:
		return offsets_by_time(reset, rows, OFFSETS_LATEST, err);
	case TO_CURRENT:
		return offsets_to_current(reset, rows, err);
	case TO_DATETIME:
		return offsets_by_time(reset, rows, reset->number > 0 ? reset->number : 0, err);
	case BY_DURATION:
		since_ms = clock_wall_ms() - reset->number;
		return offsets_by_time(reset, rows, since_ms > 0 ? since_ms : 0, err);
	default:
		return offsets_by_wish(reset, rows, err);
	}
}

/* ---- committing ---- */

static void commit_fill(struct reset *reset, struct slice group, const struct rows *rows, struct offset_commit_request *request)
{
	struct arena *arena = &reset->groups->run->arena;

	request->group_id = group;
	request->topics = message_array(arena, &offset_commit_request_topic_struct, (size_t)rows->n);
	for (int i = 0; i < rows->n; i++) {
		const struct row *row = &rows->list[i];
		struct offset_commit_request_topic *topic = &request->topics[request->n_topics];

		if (i > 0 && slice_equal(rows->list[i - 1].topic, row->topic)) {
			topic--;
		} else {
			request->n_topics++;
			topic->name = row->topic;
			topic->partitions = message_array(arena, &offset_commit_request_partition_struct, (size_t)(rows->n - i));
		}
		topic->partitions[topic->n_partitions].partition_index = row->partition;
		topic->partitions[topic->n_partitions].committed_metadata = SLICE_LITERAL("");
		topic->partitions[topic->n_partitions++].committed_offset = row->offset;
	}
}

static int rows_commit(struct reset *reset, struct slice group, const struct rows *rows, struct error *err)
{
	struct offset_commit_request request = offset_commit_request_default;
	struct offset_commit_response response;

	commit_fill(reset, group, rows, &request);
	if (group_admin_commit(&reset->groups->admin, &request, &response, err) != 0)
		return RUN_FAILED;
	for (int t = 0; t < response.n_topics; t++)
		for (int p = 0; p < response.topics[t].n_partitions; p++)
			if (response.topics[t].partitions[p].error_code != KAFKA_NONE)
				groups_refuse(reset->groups, "%.*s-%d of group '%.*s': %s", SLICE_ARGS(response.topics[t].name),
					      response.topics[t].partitions[p].partition_index, SLICE_ARGS(group),
					      run_kafka_error(reset->groups->run, response.topics[t].partitions[p].error_code, SLICE_NULL));
	return RUN_OK;
}

/* ---- results ---- */

static void rows_tell(struct reset *reset, struct slice group, const struct rows *rows)
{
	struct run *run = reset->groups->run;

	for (int i = 0; i < rows->n; i++) {
		const struct row *row = &rows->list[i];

		if (reset->json)
			json_array_append_new(reset->json, json_pack("{s:o, s:o, s:i, s:I}", "group", json_slice(group), "topic", json_slice(row->topic),
								     "partition", row->partition, "offset", (json_int_t)row->offset));
		else if (!reset->export)
			table_row(&reset->table, "%s|%s|%d|%lld", groups_cell(run, group), groups_cell(run, row->topic), row->partition,
				  (long long)row->offset);
		else if (reset->groups->n_names > 1)
			fprintf(run->out, "%.*s,%.*s,%d,%lld\n", SLICE_ARGS(group), SLICE_ARGS(row->topic), row->partition, (long long)row->offset);
		else
			fprintf(run->out, "%.*s,%d,%lld\n", SLICE_ARGS(row->topic), row->partition, (long long)row->offset);
	}
}

static int group_reset(struct reset *reset, struct slice name, struct error *err)
{
	struct describe_groups_response_group group;
	struct rows rows = {0};
	int n_failures = reset->groups->n_failures, r = RUN_OK;

	if (group_admin_describe(&reset->groups->admin, name, NULL, &group, err) != 0)
		return RUN_FAILED;
	if (!slice_is_text(group.group_state, "Empty") && !slice_is_text(group.group_state, "Dead")) {
		groups_refuse(reset->groups, "Assignments can only be reset if the group '%.*s' is inactive, but the current state is %.*s.",
			      SLICE_ARGS(name), SLICE_ARGS(group.group_state));
		return RUN_OK;
	}
	r = rows_select(reset, name, &rows, err);
	if (r == RUN_OK && rows.n > 0)
		r = offsets_choose(reset, &rows, err);
	if (r == RUN_OK && rows.n > 0 && reset->execute)
		r = rows_commit(reset, name, &rows, err);
	if (r == RUN_OK && n_failures == reset->groups->n_failures)
		rows_tell(reset, name, &rows);
	return r;
}

int groups_reset(struct groups_run *groups, struct error *err)
{
	struct reset reset = {.groups = groups};
	int r = scenario_read(&reset, err);

	if (r != RUN_OK)
		return r;
	table_init(&reset.table, &groups->run->arena, "GROUP|TOPIC|PARTITION|NEW-OFFSET");
	reset.json = groups->run->format == FORMAT_JSON ? json_array() : NULL;
	for (int i = 0; i < groups->n_names && r == RUN_OK; i++)
		r = group_reset(&reset, groups->names[i], err);
	table_print(&reset.table, groups->run->out);
	if (reset.json && r == RUN_OK)
		run_print_json(groups->run, json_pack("{s:b, s:O}", "executed", reset.execute, "offsets", reset.json));
	json_decref(reset.json);
	if (r == RUN_OK && !reset.execute && !args_has(&groups->run->args, "dry-run"))
		run_note(groups->run, "nothing is changed without --execute");
	if (r == RUN_OK && groups->n_failures)
		return RUN_FAILED;
	return r;
}
