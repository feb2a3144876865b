/*
 * Committed offsets: OffsetCommit, OffsetFetch, OffsetDelete.
 *
 *     commit -> judged by the group -> each partition judged -> one batch -> high watermark -> table (G2) -> answer
 *     fetch  -> table
 *     delete -> tombstones in one batch -> high watermark -> table -> answer
 */
#include "broker/coord/coordinator_internal.h"

#include "common/limits.h"

#include <utlist.h>

/* ---- the table, counted ---- */

static int64_t bytes_of(const struct offset_table *table, struct slice topic, int32_t partition)
{
	const struct offset_entry *entry = offset_table_find(table, topic, partition);

	return entry ? (int64_t)(sizeof *entry + entry->value.metadata.len) : 0;
}

void group_set_offset(struct group *group, struct slice topic, int32_t partition, const struct offset_value *value, int64_t record_offset)
{
	struct coordinator *coordinator = group->home->coordinator;
	int32_t n_before = group->offsets.n;

	coordinator->offset_bytes -= bytes_of(&group->offsets, topic, partition);
	offset_table_set(&group->offsets, topic, partition, value, record_offset, ++coordinator->n_applied);
	coordinator->offset_bytes += bytes_of(&group->offsets, topic, partition);
	coordinator->counters->n_offsets += group->offsets.n - n_before;
}

void group_remove_offset(struct group *group, struct slice topic, int32_t partition, int64_t below_record_offset)
{
	struct coordinator *coordinator = group->home->coordinator;
	int64_t bytes = bytes_of(&group->offsets, topic, partition);

	if (!offset_table_remove(&group->offsets, topic, partition, below_record_offset))
		return;
	coordinator->offset_bytes -= bytes;
	coordinator->counters->n_offsets--;
}

void group_forget_offsets(struct group *group)
{
	struct coordinator *coordinator = group->home->coordinator;

	for (int32_t t = 0; t < group->offsets.n_topics; t++)
		for (int32_t i = 0; i < group->offsets.topics[t]->n; i++)
			coordinator->offset_bytes -=
				(int64_t)(sizeof(struct offset_entry) + group->offsets.topics[t]->entries[i].value.metadata.len);
	coordinator->counters->n_offsets -= group->offsets.n;
	offset_table_fini(&group->offsets);
}

/* ---- commit ---- */

/* A partition whose record is in the batch. */
struct commit_item {
	struct slice topic;
	int32_t partition;
	struct offset_value value;
};

struct commit_items {
	struct commit_item *list;
	int32_t n;
};

/* What clients are told when an append of offsets ends with this error (kafka.md 6.1). */
static int16_t commit_error(int16_t append_error)
{
	switch (append_error) {
	case KAFKA_UNKNOWN_TOPIC_OR_PARTITION:
	case KAFKA_NOT_ENOUGH_REPLICAS:
	case KAFKA_NOT_ENOUGH_REPLICAS_AFTER_APPEND:
		return KAFKA_COORDINATOR_NOT_AVAILABLE;
	case KAFKA_NOT_LEADER_OR_FOLLOWER:
	case KAFKA_STORAGE_ERROR:
		return KAFKA_NOT_COORDINATOR;
	case KAFKA_MESSAGE_TOO_LARGE:
	case KAFKA_RECORD_LIST_TOO_LARGE:
	case KAFKA_INVALID_FETCH_SIZE:
		return KAFKA_INVALID_COMMIT_OFFSET_SIZE;
	default:
		return append_error;
	}
}

static void make_results(struct coordinator_commit *commit)
{
	if (commit->results)
		return;
	commit->results = message_array(commit->call.arena, &offset_commit_response_topic_struct, (size_t)commit->n_topics);
	commit->n_results = commit->n_topics;
	for (int32_t t = 0; t < commit->n_topics; t++) {
		const struct offset_commit_request_topic *asked = &commit->topics[t];
		struct offset_commit_response_topic *told = &commit->results[t];

		told->name = asked->name;
		told->partitions =
			message_array(commit->call.arena, &offset_commit_response_partition_struct, (size_t)asked->n_partitions);
		told->n_partitions = asked->n_partitions;
		for (int32_t p = 0; p < asked->n_partitions; p++)
			told->partitions[p].partition_index = asked->partitions[p].partition_index;
	}
}

/* Those that have no error of their own get this one. */
static void set_errors(struct coordinator_commit *commit, int16_t error)
{
	for (int32_t t = 0; t < commit->n_results; t++)
		for (int32_t p = 0; p < commit->results[t].n_partitions; p++)
			if (commit->results[t].partitions[p].error_code == 0)
				commit->results[t].partitions[p].error_code = error;
}

void group_commit_refuse(struct coordinator_commit *commit, int16_t error)
{
	make_results(commit);
	set_errors(commit, error);
}

static void end_commit(struct coord_write *write, int16_t error)
{
	struct coordinator_commit *commit = CONTAINER_OF(write->call, struct coordinator_commit, call);

	write->call = NULL;
	commit->call.error = error;
	set_errors(commit, error);
	coordinator_finish(write->home->coordinator, &commit->call);
}

static void commit_ended(struct coord_write *write, int16_t error)
{
	const struct commit_items *items = write->state;

	for (int32_t i = 0; i < items->n && !error; i++)
		group_set_offset(write->group, items->list[i].topic, items->list[i].partition, &items->list[i].value,
				 write->append.base_offset + i);
	if (!error)
		write->home->coordinator->counters->n_commits += items->n;
	if (write->call)
		end_commit(write, commit_error(error));
}

static void commit_timed_out(struct coord_write *write)
{
	if (write->call)
		end_commit(write, KAFKA_REQUEST_TIMED_OUT);
}

bool group_commit_pending(const struct group *group, struct slice topic, int32_t partition)
{
	const struct coord_write *write;

	DL_FOREACH(group->home->writes, write) {
		const struct commit_items *items = write->state;

		if (write->group != group || write->ended != commit_ended)
			continue;
		for (int32_t i = 0; i < items->n; i++)
			if (items->list[i].partition == partition && slice_equal(items->list[i].topic, topic))
				return true;
	}
	return false;
}

/* Memory that clients may fill; what the log holds already is loaded without a bound. */
static bool has_room(const struct group *group, struct slice topic, int32_t partition, struct slice metadata)
{
	int64_t before = bytes_of(&group->offsets, topic, partition);
	int64_t after = (int64_t)(sizeof(struct offset_entry) + metadata.len);

	if (!before && group->offsets.n >= LIMIT_GROUP_OFFSETS)
		return false;
	return after <= before || group->home->coordinator->offset_bytes + after - before <= LIMIT_SHARD_OFFSET_BYTES;
}

/* -1: as the broker is configured. A client may say any number. */
static int64_t expire_ms_of(int64_t retention_ms, int64_t now_ms)
{
	if (retention_ms == -1)
		return -1;
	return retention_ms < INT64_MAX - now_ms ? now_ms + retention_ms : INT64_MAX;
}

static struct offset_value value_of(const struct coordinator_commit *commit, const struct offset_commit_request_partition *asked,
				    int64_t now_ms)
{
	return (struct offset_value){
		.offset = asked->committed_offset,
		.leader_epoch = asked->committed_leader_epoch,
		.metadata = slice_is_null(asked->committed_metadata) ? SLICE_LITERAL("") : asked->committed_metadata,
		.commit_ms = asked->commit_timestamp == -1 ? now_ms : asked->commit_timestamp,
		.expire_ms = expire_ms_of(commit->retention_time_ms, now_ms),
	};
}

/* Adds one partition to the batch; its Kafka error. */
static int16_t add_item(struct coord_write *write, struct commit_items *items, struct slice topic, int32_t partition,
			const struct offset_value *value)
{
	struct group *group = write->group;
	struct offset_commit_value record = {
		.offset = value->offset,
		.leader_epoch = value->leader_epoch,
		.metadata = value->metadata,
		.commit_timestamp = value->commit_ms,
		.expire_timestamp = value->expire_ms,
	};
	struct commit_item *item = &items->list[items->n];

	if ((int64_t)value->metadata.len > group->home->coordinator->shard->config->offset_metadata_max_bytes)
		return KAFKA_OFFSET_METADATA_TOO_LARGE;
	if (!has_room(group, topic, partition, value->metadata) ||
	    !group_record_add_offset(&write->builder, write->now_ms, group->id, topic, partition, &record))
		return KAFKA_INVALID_COMMIT_OFFSET_SIZE;
	*item = (struct commit_item){topic, partition, *value};
	item->value.metadata = arena_copy(&write->arena, value->metadata);
	items->n++;
	return 0;
}

static void add_items(struct coord_write *write, struct coordinator_commit *commit)
{
	struct commit_items *items = write->state;
	size_t n = 0;

	for (int32_t t = 0; t < commit->n_topics; t++)
		n += (size_t)commit->topics[t].n_partitions;
	items->list = arena_zalloc(&write->arena, n, sizeof *items->list);
	for (int32_t t = 0; t < commit->n_topics; t++) {
		struct slice topic = arena_copy(&write->arena, commit->topics[t].name);

		for (int32_t p = 0; p < commit->topics[t].n_partitions; p++) {
			const struct offset_commit_request_partition *asked = &commit->topics[t].partitions[p];
			struct offset_value value = value_of(commit, asked, write->now_ms);

			commit->results[t].partitions[p].error_code =
				add_item(write, items, topic, asked->partition_index, &value);
		}
	}
}

static void commit_to(struct group *group, struct coordinator_commit *commit)
{
	struct coord_write *write = write_new(group, 0, commit_ended);
	struct commit_items *items = arena_zalloc(&write->arena, 1, sizeof *items);

	make_results(commit);
	write->state = items;
	write->timed_out = commit_timed_out;
	add_items(write, commit);
	if (!items->n) {
		write_drop(write);
		coordinator_finish(group->home->coordinator, &commit->call);
		return;
	}
	write->call = &commit->call;
	write_send(write, (int16_t)group->home->coordinator->shard->config->offsets_commit_required_acks);
}

void group_commit(struct group_home *home, struct coordinator_call *call)
{
	struct coordinator_commit *commit = CONTAINER_OF(call, struct coordinator_commit, call);
	struct group_caller caller = {commit->generation, commit->member_id, commit->group_instance_id};
	struct group *group = group_find(home, call->group_id);
	struct group_now now = coordinator_now();
	int16_t error = group_core_commit(group ? &group->core : NULL, &now, &caller, false);

	commit->results = NULL;
	if (!error && !group) {
		group = group_add(home, call->group_id);
		error = group ? 0 : KAFKA_POLICY_VIOLATION;
	}
	if (error)
		coordinator_refuse(home->coordinator, call, error);
	else
		commit_to(group, commit);
}

/* ---- fetch ---- */

static struct offset_fetch_response_group_partition told_of(const struct group *group, struct slice topic, int32_t partition,
							    bool require_stable, struct arena *arena)
{
	struct offset_fetch_response_group_partition told = offset_fetch_response_group_partition_default;
	const struct offset_entry *entry = group ? offset_table_find(&group->offsets, topic, partition) : NULL;

	told.partition_index = partition;
	told.committed_offset = -1;
	told.metadata = SLICE_LITERAL("");
	if (arena->total >= LIMIT_GROUP_ANSWER_BYTES) {
		told.error_code = KAFKA_POLICY_VIOLATION;
	} else if (group && require_stable && txn_offsets_pending(group, topic, partition)) {
		told.error_code = KAFKA_UNSTABLE_OFFSET_COMMIT;
	} else if (entry) {
		told.committed_offset = entry->value.offset;
		told.committed_leader_epoch = entry->value.leader_epoch;
		told.metadata = arena_copy(arena, entry->value.metadata);
	}
	return told;
}

static struct offset_fetch_response_group_topic *make_topic(struct coordinator_fetch_offsets *fetch, struct slice name, int32_t n)
{
	struct offset_fetch_response_group_topic *told = &fetch->results[fetch->n_results++];

	told->name = name;
	told->partitions = message_array(fetch->call.arena, &offset_fetch_response_group_partition_struct, (size_t)n);
	told->n_partitions = n;
	return told;
}

static void make_topics(struct coordinator_fetch_offsets *fetch, int32_t n)
{
	fetch->results = message_array(fetch->call.arena, &offset_fetch_response_group_topic_struct, (size_t)n);
	fetch->n_results = 0;
}

static void fetch_named(const struct group *group, struct coordinator_fetch_offsets *fetch)
{
	make_topics(fetch, fetch->n_topics);
	for (int32_t t = 0; t < fetch->n_topics; t++) {
		const struct offset_fetch_request_group_topic *asked = &fetch->topics[t];
		struct offset_fetch_response_group_topic *told = make_topic(fetch, asked->name, asked->n_partition_indexes);

		for (int32_t p = 0; p < asked->n_partition_indexes; p++)
			told->partitions[p] =
				told_of(group, asked->name, asked->partition_indexes[p], fetch->require_stable, fetch->call.arena);
	}
}

static void fetch_all(const struct group *group, struct coordinator_fetch_offsets *fetch)
{
	int32_t n_topics = group ? group->offsets.n_topics : 0;

	make_topics(fetch, n_topics);
	for (int32_t t = 0; t < n_topics; t++) {
		const struct offset_topic *topic = group->offsets.topics[t];
		struct offset_fetch_response_group_topic *told =
			make_topic(fetch, arena_copy(fetch->call.arena, topic->name), topic->n);

		for (int32_t p = 0; p < topic->n; p++)
			told->partitions[p] =
				told_of(group, topic->name, topic->entries[p].partition, fetch->require_stable, fetch->call.arena);
	}
}

void group_fetch_offsets(struct group_home *home, struct coordinator_call *call)
{
	struct coordinator_fetch_offsets *fetch = CONTAINER_OF(call, struct coordinator_fetch_offsets, call);
	const struct group *group = group_find(home, call->group_id);

	if (fetch->n_topics < 0)
		fetch_all(group, fetch);
	else
		fetch_named(group, fetch);
	coordinator_finish(home->coordinator, call);
}

/* ---- delete ---- */

static void delete_ended(struct coord_write *write, int16_t error)
{
	const struct commit_items *items = write->state;

	for (int32_t i = 0; i < items->n && !error; i++)
		group_remove_offset(write->group, items->list[i].topic, items->list[i].partition, write->append.base_offset + i);
	if (!error)
		write->home->coordinator->counters->n_deleted += items->n;
	if (write->call && error)
		coordinator_refuse(write->home->coordinator, write->call, commit_error(error));
	else if (write->call)
		coordinator_finish(write->home->coordinator, write->call);
	write->call = NULL;
	if (!error)
		group_tidy(write->group);
}

static void delete_timed_out(struct coord_write *write)
{
	if (write->call)
		coordinator_refuse(write->home->coordinator, write->call, KAFKA_REQUEST_TIMED_OUT);
	write->call = NULL;
}

/* A tombstone for one partition, if the group has an offset of it; how many there are. */
static int32_t add_tombstone(struct coord_write *write, struct slice topic, int32_t partition, struct commit_item *ret_item)
{
	if (!offset_table_find(&write->group->offsets, topic, partition) ||
	    !group_record_add_offset(&write->builder, write->now_ms, write->group->id, topic, partition, NULL))
		return 0;
	*ret_item = (struct commit_item){.topic = topic, .partition = partition};
	return 1;
}

static void add_tombstones(struct coord_write *write, struct coordinator_delete_offsets *deletion,
			   const struct group_subscriptions *subscriptions)
{
	struct commit_items *items = write->state;
	size_t n = 0;

	for (int32_t t = 0; t < deletion->n_topics; t++)
		n += (size_t)deletion->topics[t].n_partitions;
	items->list = arena_zalloc(&write->arena, n, sizeof *items->list);
	for (int32_t t = 0; t < deletion->n_topics; t++) {
		const struct offset_delete_request_topic *asked = &deletion->topics[t];
		struct offset_delete_response_topic *told = &deletion->results[t];
		bool subscribed = subscriptions && group_subscribes(subscriptions, asked->name);
		struct slice topic = arena_copy(&write->arena, asked->name);

		told->name = asked->name;
		told->partitions = message_array(deletion->call.arena, &offset_delete_response_partition_struct, (size_t)asked->n_partitions);
		told->n_partitions = asked->n_partitions;
		for (int32_t p = 0; p < asked->n_partitions; p++) {
			told->partitions[p].partition_index = asked->partitions[p].partition_index;
			told->partitions[p].error_code = subscribed ? KAFKA_GROUP_SUBSCRIBED_TO_TOPIC : 0;
			if (!subscribed)
				items->n += add_tombstone(write, topic, asked->partitions[p].partition_index, &items->list[items->n]);
		}
	}
}

static void delete_from(struct group *group, struct coordinator_delete_offsets *deletion, const struct group_subscriptions *subscriptions)
{
	struct coord_write *write = write_new(group, BATCH_NO_SEQUENCE, delete_ended);
	struct commit_items *items = arena_zalloc(&write->arena, 1, sizeof *items);

	deletion->results = message_array(deletion->call.arena, &offset_delete_response_topic_struct, (size_t)deletion->n_topics);
	deletion->n_results = deletion->n_topics;
	write->state = items;
	write->timed_out = delete_timed_out;
	add_tombstones(write, deletion, subscriptions);
	if (!items->n) {
		write_drop(write);
		coordinator_finish(group->home->coordinator, &deletion->call);
		return;
	}
	write->call = &deletion->call;
	write_send(write, (int16_t)group->home->coordinator->shard->config->offsets_commit_required_acks);
}

void group_delete_offsets(struct group_home *home, struct coordinator_call *call)
{
	struct coordinator_delete_offsets *deletion = CONTAINER_OF(call, struct coordinator_delete_offsets, call);
	struct group *group = group_find(home, call->group_id);
	int16_t error = group_core_offset_delete(group ? &group->core : NULL);
	struct group_subscriptions subscriptions;

	if (error && error != KAFKA_GROUP_SUBSCRIBED_TO_TOPIC) {
		coordinator_refuse(home->coordinator, call, error);
		return;
	}
	subscriptions = group_subscriptions_of(group, call->arena);
	delete_from(group, deletion, error ? &subscriptions : NULL);
}
