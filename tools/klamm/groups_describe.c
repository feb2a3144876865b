/*
 * klamm groups --describe: offsets with their lag, members, or the state of groups.
 *
 *     DescribeGroups -> state, members with their assignments;  OffsetFetch -> what is committed;  ListOffsets -> log ends
 */
#include "tools/klamm/groups.h"

#include "proto/kafka/consumer_protocol_assignment.gen.h"
#include "proto/kafka_error.h"
#include "tools/klamm/list_offsets.h"
#include "tools/klamm/table.h"

#include <stdlib.h>

enum view { OFFSETS, MEMBERS, STATE };

/* A partition that is assigned, committed or both. */
struct row {
	struct slice topic;
	int32_t partition;
	const struct describe_groups_response_member *member;              /* NULL: nobody reads it */
	const struct offset_fetch_response_group_partition *committed; /* NULL: nothing is committed */
	int64_t log_end;                                                   /* -1: not known */
};

struct description {
	struct groups_run *groups;
	enum view view;
	struct group_coordinator coordinator;
	struct describe_groups_response_group group;
	struct consumer_protocol_assignment *assignments; /* one for each member */
	struct row *rows;                                 /* by topic and partition */
	int n_rows;
	json_t *json; /* array that the group is added to, or NULL */
};

/* ---- asking ---- */

/* Other protocols than the consumers' have assignments that nobody here can read: those are taken for empty. */
static void assignments_read(struct description *description)
{
	struct arena *arena = &description->groups->run->arena;
	int n = description->group.n_members, version;

	description->assignments = arena_zalloc(arena, (size_t)n + 1, sizeof *description->assignments);
	for (int i = 0; i < n; i++) {
		struct slice bytes = description->group.members[i].member_assignment;

		if (bytes.len && message_decode_record(&consumer_protocol_assignment_schema, bytes, arena, &version,
						       &description->assignments[i], NULL) != 0)
			description->assignments[i] = consumer_protocol_assignment_default;
	}
}

static int partitions_count(const struct consumer_protocol_assignment *assignment)
{
	int n = 0;

	for (int t = 0; t < assignment->n_assigned_partitions; t++)
		n += assignment->assigned_partitions[t].n_partitions;
	return n;
}

static int by_place(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	int order = slice_compare(x->topic, y->topic);

	return order ? order : (x->partition > y->partition) - (x->partition < y->partition);
}

static void rows_assigned(struct description *description)
{
	for (int m = 0; m < description->group.n_members; m++) {
		const struct consumer_protocol_assignment *assignment = &description->assignments[m];

		for (int t = 0; t < assignment->n_assigned_partitions; t++)
			for (int p = 0; p < assignment->assigned_partitions[t].n_partitions; p++)
				description->rows[description->n_rows++] =
					(struct row){.topic = assignment->assigned_partitions[t].topic,
						     .partition = assignment->assigned_partitions[t].partitions[p],
						     .member = &description->group.members[m]};
	}
	if (description->n_rows > 1)
		qsort(description->rows, (size_t)description->n_rows, sizeof *description->rows, by_place);
}

static void rows_committed(struct description *description, const struct offset_fetch_response_group *offsets)
{
	int n_assigned = description->n_rows;

	for (int t = 0; t < offsets->n_topics; t++) {
		for (int p = 0; p < offsets->topics[t].n_partitions; p++) {
			const struct offset_fetch_response_group_partition *committed = &offsets->topics[t].partitions[p];
			struct row key = {.topic = offsets->topics[t].name, .partition = committed->partition_index}, *row;

			if (committed->error_code != KAFKA_NONE || committed->committed_offset < 0)
				continue;
			row = n_assigned ? bsearch(&key, description->rows, (size_t)n_assigned, sizeof key, by_place) : NULL;
			if (!row) {
				row = &description->rows[description->n_rows++];
				*row = key;
			}
			row->committed = committed;
		}
	}
	if (description->n_rows > 1)
		qsort(description->rows, (size_t)description->n_rows, sizeof *description->rows, by_place);
}

/* Ends of partitions that cannot be had (the topic is deleted) stay unknown. */
static int log_ends_ask(struct description *description, struct error *err)
{
	struct run *run = description->groups->run;
	struct part *parts = arena_zalloc(&run->arena, (size_t)description->n_rows + 1, sizeof *parts);

	for (int i = 0; i < description->n_rows; i++)
		parts[i] = (struct part){.topic = description->rows[i].topic, .partition = description->rows[i].partition, .asked = OFFSETS_LATEST};
	if (description->n_rows > 0 && parts_ask(run->client, parts, description->n_rows, list_offsets_ask, NULL, err) != 0)
		return RUN_FAILED;
	for (int i = 0; i < description->n_rows; i++)
		description->rows[i].log_end = parts[i].error == KAFKA_NONE ? parts[i].result : -1;
	return RUN_OK;
}

static int offsets_ask(struct description *description, struct error *err)
{
	struct offset_fetch_response_group offsets;
	size_t most = 1;

	if (group_admin_offsets(&description->groups->admin, description->group.group_id, &offsets, err) != 0)
		return RUN_FAILED;
	for (int m = 0; m < description->group.n_members; m++)
		most += (size_t)partitions_count(&description->assignments[m]);
	for (int t = 0; t < offsets.n_topics; t++)
		most += (size_t)offsets.topics[t].n_partitions;
	description->rows = arena_zalloc(&description->groups->run->arena, most, sizeof *description->rows);
	rows_assigned(description);
	rows_committed(description, &offsets);
	return log_ends_ask(description, err);
}

/* ---- text ---- */

static const char *number_text(struct run *run, bool known, int64_t number)
{
	return known ? arena_printf(&run->arena, "%lld", (long long)number) : "-";
}

static void offsets_print(struct description *description)
{
	struct run *run = description->groups->run;
	struct table table;

	table_init(&table, &run->arena, "GROUP|TOPIC|PARTITION|CURRENT-OFFSET|LOG-END-OFFSET|LAG|CONSUMER-ID|HOST|CLIENT-ID");
	for (int i = 0; i < description->n_rows; i++) {
		const struct row *row = &description->rows[i];
		const struct describe_groups_response_member none = {0}, *member = row->member ? row->member : &none;
		int64_t offset = row->committed ? row->committed->committed_offset : 0;

		table_row(&table, "%s|%s|%d|%s|%s|%s|%s|%s|%s", groups_cell(run, description->group.group_id), groups_cell(run, row->topic),
			  row->partition, number_text(run, row->committed, offset), number_text(run, row->log_end >= 0, row->log_end),
			  number_text(run, row->committed && row->log_end >= 0, row->log_end - offset), groups_cell(run, member->member_id),
			  groups_cell(run, member->client_host), groups_cell(run, member->client_id));
	}
	table_print(&table, run->out);
}

/* "orders(0,1), items(3)" */
static const char *assignment_text(struct run *run, const struct consumer_protocol_assignment *assignment)
{
	char *text = "";

	for (int t = 0; t < assignment->n_assigned_partitions; t++) {
		const struct consumer_protocol_assignment_topic *topic = &assignment->assigned_partitions[t];

		text = arena_printf(&run->arena, "%s%s%s(", text, t ? ", " : "", groups_cell(run, topic->topic));
		for (int p = 0; p < topic->n_partitions; p++)
			text = arena_printf(&run->arena, "%s%s%d", text, p ? "," : "", topic->partitions[p]);
		text = arena_printf(&run->arena, "%s)", text);
	}
	return *text ? text : "-";
}

static bool has_static_members(const struct description *description)
{
	for (int i = 0; i < description->group.n_members; i++)
		if (description->group.members[i].group_instance_id.len)
			return true;
	return false;
}

static void members_print(struct description *description)
{
	struct run *run = description->groups->run;
	bool statics = has_static_members(description), verbose = args_has(&run->args, "verbose");
	struct table table;

	table_init(&table, &run->arena,
		   arena_printf(&run->arena, "GROUP|CONSUMER-ID%s|HOST|CLIENT-ID|#PARTITIONS%s", statics ? "|GROUP-INSTANCE-ID" : "",
				verbose ? "|ASSIGNMENT" : ""));
	for (int i = 0; i < description->group.n_members; i++) {
		const struct describe_groups_response_member *member = &description->group.members[i];
		const char *instance =
			statics ? arena_printf(&run->arena, "|%s", groups_cell(run, member->group_instance_id)) : "";
		const char *assigned = verbose ? assignment_text(run, &description->assignments[i]) : "";

		table_row(&table, "%s|%s%s|%s|%s|%d%s%s", groups_cell(run, description->group.group_id), groups_cell(run, member->member_id),
			  instance, groups_cell(run, member->client_host), groups_cell(run, member->client_id), partitions_count(&description->assignments[i]), verbose ? "|" : "",
			  assigned);
	}
	table_print(&table, run->out);
}

static void state_print(struct description *description)
{
	struct run *run = description->groups->run;
	const struct describe_groups_response_group *group = &description->group;
	struct table table;

	table_init(&table, &run->arena, "GROUP|COORDINATOR (ID)|ASSIGNMENT-STRATEGY|STATE|#MEMBERS");
	table_row(&table, "%s|%s:%d (%d)|%s|%s|%d", groups_cell(run, group->group_id), groups_cell(run, description->coordinator.host),
		  description->coordinator.port, description->coordinator.node, group->protocol_data.len ? groups_cell(run, group->protocol_data) : "",
		  groups_cell(run, group->group_state), group->n_members);
	table_print(&table, run->out);
}

static void group_print(struct description *description)
{
	struct slice state = description->group.group_state;

	if (slice_is_text(state, "Empty"))
		fprintf(stderr, "\nConsumer group '%.*s' has no active members.\n", SLICE_ARGS(description->group.group_id));
	else if (!slice_is_text(state, "Stable"))
		fprintf(stderr, "\nWarning: Consumer group '%.*s' is rebalancing.\n", SLICE_ARGS(description->group.group_id));
	fputc('\n', description->groups->run->out);
	if (description->view == STATE)
		state_print(description);
	else if (description->view == MEMBERS)
		members_print(description);
	else
		offsets_print(description);
}

/* ---- JSON ---- */

static json_t *members_json(const struct description *description)
{
	json_t *list = json_array();

	for (int i = 0; i < description->group.n_members; i++) {
		const struct describe_groups_response_member *member = &description->group.members[i];
		const struct consumer_protocol_assignment *assignment = &description->assignments[i];
		json_t *assigned = json_array();

		for (int t = 0; t < assignment->n_assigned_partitions; t++)
			for (int p = 0; p < assignment->assigned_partitions[t].n_partitions; p++)
				json_array_append_new(assigned,
						      json_pack("{s:o, s:i}", "topic", json_slice(assignment->assigned_partitions[t].topic),
								"partition", assignment->assigned_partitions[t].partitions[p]));
		json_array_append_new(list, json_pack("{s:o, s:o, s:o, s:o, s:o}", "member", json_slice(member->member_id), "instance",
						      json_slice(member->group_instance_id), "host", json_slice(member->client_host), "client",
						      json_slice(member->client_id), "assigned", assigned));
	}
	return list;
}

static json_t *offsets_json(const struct description *description)
{
	json_t *list = json_array();

	for (int i = 0; i < description->n_rows; i++) {
		const struct row *row = &description->rows[i];
		json_t *object = json_pack("{s:o, s:i, s:o}", "topic", json_slice(row->topic), "partition", row->partition, "member",
					   json_slice(row->member ? row->member->member_id : SLICE_NULL));

		if (row->committed) {
			json_object_set_new(object, "offset", json_integer(row->committed->committed_offset));
			json_object_set_new(object, "leader_epoch", json_integer(row->committed->committed_leader_epoch));
			json_set_bytes(object, "metadata", row->committed->metadata);
		}
		if (row->log_end >= 0)
			json_object_set_new(object, "log_end", json_integer(row->log_end));
		if (row->log_end >= 0 && row->committed)
			json_object_set_new(object, "lag", json_integer(row->log_end - row->committed->committed_offset));
		json_array_append_new(list, object);
	}
	return list;
}

static void group_json(struct description *description)
{
	const struct describe_groups_response_group *group = &description->group;
	json_t *object = json_pack("{s:o, s:o, s:o, s:o, s:{s:i, s:o, s:i}, s:o}", "group", json_slice(group->group_id), "state",
				   json_slice(group->group_state), "protocol_type", json_slice(group->protocol_type), "protocol",
				   json_slice(group->protocol_data), "coordinator", "broker", description->coordinator.node, "host",
				   json_slice(description->coordinator.host), "port", description->coordinator.port, "members",
				   members_json(description));

	if (description->view == OFFSETS)
		json_object_set_new(object, "offsets", offsets_json(description));
	json_array_append_new(description->json, object);
}

/* ---- one group after the other ---- */

static int view_read(const struct run *run, enum view *ret_view, struct error *err)
{
	bool members = args_has(&run->args, "members"), state = args_has(&run->args, "state");

	if (members + state + args_has(&run->args, "offsets") > 1)
		return run_usage(err, "--offsets, --members and --state exclude each other");
	if (state && *args_text(&run->args, "state", ""))
		return run_usage(err, "--state has no value with --describe");
	*ret_view = members ? MEMBERS : state ? STATE : OFFSETS;
	return RUN_OK;
}

static int group_describe(struct description *description, struct slice name, struct error *err)
{
	struct groups_run *groups = description->groups;
	struct describe_groups_response_group *group = &description->group;

	if (group_admin_describe(&groups->admin, name, &description->coordinator, group, err) != 0)
		return RUN_FAILED;
	if (slice_is_text(group->group_state, "Dead")) {
		groups_refuse(groups, "Consumer group '%.*s' does not exist.", SLICE_ARGS(name));
		return RUN_OK;
	}
	if (group->protocol_type.len && !slice_is_text(group->protocol_type, "consumer")) {
		groups_refuse(groups, "GroupId %.*s is not a consumer group (%.*s).", SLICE_ARGS(name), SLICE_ARGS(group->protocol_type));
		return RUN_OK;
	}
	assignments_read(description);
	description->n_rows = 0;
	if (description->view == OFFSETS && offsets_ask(description, err) != RUN_OK)
		return RUN_FAILED;
	if (description->json)
		group_json(description);
	else
		group_print(description);
	return RUN_OK;
}

int groups_describe(struct groups_run *groups, struct error *err)
{
	struct description description = {.groups = groups};
	int r = view_read(groups->run, &description.view, err);

	if (r != RUN_OK)
		return r;
	description.json = groups->run->format == FORMAT_JSON ? json_array() : NULL;
	for (int i = 0; i < groups->n_names && r == RUN_OK; i++)
		r = group_describe(&description, groups->names[i], err);
	if (description.json && r == RUN_OK)
		run_print_json(groups->run, json_pack("{s:O}", "groups", description.json));
	json_decref(description.json);
	if (r == RUN_OK && groups->n_failures)
		return RUN_FAILED;
	return r;
}
