/*
 * ListOffsets: the offset that belongs to a time stamp, or to one of the special ones (kafka.md 4.8).
 *
 *     list_offsets_handle --scatter--> owner: latest, earliest, greatest, or the first record at or after a time --> answer
 *
 * Clients see up to the high watermark, or the last stable offset with read_committed; a debugging client (replica id -2) sees the log end
 * of any replica, and the epoch of its last batch: what an operator compares when a partition has no leader.
 */
#include "broker/api/api.h"
#include "broker/api/index_set.h"
#include "broker/api/scatter.h"
#include "common/limits.h"
#include "proto/kafka/list_offsets.gen.h"
#include "proto/kafka_error.h"

enum special_timestamp {
	TIMESTAMP_LATEST = -1,
	TIMESTAMP_EARLIEST = -2,
	TIMESTAMP_MAX = -3,            /* version 7 */
	TIMESTAMP_EARLIEST_LOCAL = -4, /* version 8 */
	TIMESTAMP_LATEST_TIERED = -5,  /* version 9 */
};

#define REPLICA_DEBUG (-2)
#define VERSION_WITH_NOT_AVAILABLE 5

/* Segments of one partition that an answer of version 0 may list. */
#define OLD_OFFSETS_MAX 1000

struct list_part {
	struct scatter_part part;
	const struct list_offsets_request_partition *asked;
	struct list_offsets_response_partition *answer;
	int64_t *old_offsets; /* version 0; room for n_old_max */
	int n_old_max;
};

struct list_offsets {
	struct scatter scatter;
	struct list_offsets_response response;
	int version;
	bool committed;
	bool debug;
	int n_old_left; /* version 0: offsets that the answer has room for yet */
};

static struct list_offsets *list_of(const struct list_part *part)
{
	return CONTAINER_OF(part->part.group->scatter, struct list_offsets, scatter);
}

/* ---- on the owner ---- */

/* The first offset that this reader may not see. */
static int64_t end_for(const struct list_offsets *list, const struct partition *partition)
{
	if (list->debug)
		return log_end_offset(partition->log);
	return list->committed ? partition_last_stable_offset(partition) : partition->core.high_watermark;
}

static void set_found(struct list_part *part, int64_t timestamp, int64_t offset, int32_t epoch)
{
	part->answer->timestamp = timestamp;
	part->answer->offset = offset;
	part->answer->leader_epoch = epoch;
}

/*
 * A new leader whose end for this reader has not reached the start of its epoch may have shown more under the leader before (S4, D4): it does
 * not know the latest yet. 0 or the Kafka error that has clients ask again.
 */
static int16_t check_end(const struct list_part *part, const struct partition *partition)
{
	const struct list_offsets *list = list_of(part);
	bool knows = list->committed ? partition_last_stable_offset(partition) >= partition->core.epoch_start_offset
				     : replica_knows_latest(&partition->core);

	if (list->debug || knows)
		return 0;
	return list->version >= VERSION_WITH_NOT_AVAILABLE ? KAFKA_OFFSET_NOT_AVAILABLE : KAFKA_LEADER_NOT_AVAILABLE;
}

static int16_t find_latest(struct list_part *part, struct partition *partition)
{
	int16_t error = check_end(part, partition);
	int32_t epoch = list_of(part)->debug ? partition_last_epoch(partition) : log_latest_epoch(partition->log);

	if (!error)
		set_found(part, -1, end_for(list_of(part), partition), epoch);
	return error;
}

/* A record that the reader may not see yet counts as none, unless it may have been seen before. */
static int16_t take_record(struct list_part *part, struct partition *partition, int r, const struct log_time_offset *found)
{
	if (r)
		return KAFKA_STORAGE_ERROR;
	if (found->offset >= 0 && found->offset < end_for(list_of(part), partition)) {
		set_found(part, found->timestamp, found->offset, found->epoch);
		return 0;
	}
	set_found(part, -1, -1, -1);
	return check_end(part, partition);
}

static int16_t find(struct list_part *part, struct partition *partition)
{
	struct log_time_offset found;
	int version = list_of(part)->version;
	int64_t timestamp = part->asked->timestamp;
	int64_t start = log_start_offset(partition->log);

	switch (timestamp) {
	case TIMESTAMP_LATEST:
		return find_latest(part, partition);
	case TIMESTAMP_EARLIEST_LOCAL:
		if (version < 8)
			return KAFKA_UNSUPPORTED_VERSION;
		/* fallthrough */
	case TIMESTAMP_EARLIEST:
		set_found(part, -1, start, log_epoch_at(partition->log, start));
		return 0;
	case TIMESTAMP_MAX:
		if (version < 7)
			return KAFKA_UNSUPPORTED_VERSION;
		return take_record(part, partition, log_offset_of_max_timestamp(partition->log, &found), &found);
	case TIMESTAMP_LATEST_TIERED:
		if (version < 9)
			return KAFKA_UNSUPPORTED_VERSION;
		set_found(part, -1, -1, -1);
		return 0;
	default:
		if (timestamp < 0)
			return KAFKA_UNSUPPORTED_VERSION;
		return take_record(part, partition, log_offset_for_time(partition->log, timestamp, &found), &found);
	}
}

/* Version 0: the log end, then starts of segments from the newest down. */
static int16_t find_old(struct list_part *part, struct partition *partition)
{
	int64_t timestamp = part->asked->timestamp;
	int n = 0;

	if (part->n_old_max > 0 && timestamp == TIMESTAMP_EARLIEST)
		part->old_offsets[n++] = log_start_offset(partition->log);
	else if (part->n_old_max > 0)
		n = log_segment_offsets(partition->log, timestamp == TIMESTAMP_LATEST ? INT64_MAX : timestamp, part->old_offsets,
					part->n_old_max);
	part->answer->old_style_offsets = part->old_offsets;
	part->answer->n_old_style_offsets = n;
	return 0;
}

static int16_t may_list(const struct list_part *part, const struct partition *partition)
{
	int16_t error;

	if (!partition)
		return KAFKA_NOT_LEADER_OR_FOLLOWER;
	error = partition_may_read(partition, part->asked->current_leader_epoch);
	return error == KAFKA_NOT_LEADER_OR_FOLLOWER && list_of(part)->debug ? 0 : error;
}

static void list_part(struct scatter_part *scattered, struct partition *partition)
{
	struct list_part *part = CONTAINER_OF(scattered, struct list_part, part);
	int16_t error = may_list(part, partition);

	if (!error)
		error = list_of(part)->version == 0 ? find_old(part, partition) : find(part, partition);
	part->answer->error_code = error;
	scatter_part_done(scattered);
}

/* ---- on the request's shard ---- */

static void list_done(struct scatter *scatter)
{
	request_answer(scatter->request, &CONTAINER_OF(scatter, struct list_offsets, scatter)->response);
}

static void add_part(struct list_offsets *list, const struct view_topic *topic, const struct list_offsets_request_partition *asked,
		     struct list_offsets_response_partition *answer)
{
	struct arena *arena = &list->scatter.request->arena;
	struct list_part *part = arena_zalloc(arena, 1, sizeof *part);

	part->part.topic_id = topic->id;
	part->part.partition = asked->partition_index;
	part->asked = asked;
	part->answer = answer;
	if (list->version == 0 && asked->max_num_offsets > 0) {
		part->n_old_max = asked->max_num_offsets < OLD_OFFSETS_MAX ? asked->max_num_offsets : OLD_OFFSETS_MAX;
		if (part->n_old_max > list->n_old_left)
			part->n_old_max = list->n_old_left;
		list->n_old_left -= part->n_old_max;
		part->old_offsets = arena_alloc(arena, (size_t)part->n_old_max * sizeof *part->old_offsets);
	}
	scatter_add(&list->scatter, &part->part);
}

/* Kafka refuses all of them when a partition is named twice. */
static struct index_set find_repeated(struct arena *arena, const struct list_offsets_request_topic *asked, const struct view_topic *topic)
{
	int32_t n = topic ? topic->n_partitions : 0;
	struct index_set met = index_set_new(arena, n, asked->n_partitions), repeated = index_set_new(arena, n, asked->n_partitions);

	for (int32_t p = 0; p < asked->n_partitions; p++) {
		int32_t index = asked->partitions[p].partition_index;

		if (topic && view_partition(topic, index) && index_set_add(&met, index))
			index_set_add(&repeated, index);
	}
	return repeated;
}

static void add_topic(struct list_offsets *list, const struct list_offsets_request_topic *asked, struct list_offsets_response_topic *answer)
{
	struct arena *arena = &list->scatter.request->arena;
	const struct view_topic *topic = view_topic(list->scatter.shard->view, asked->name);
	struct index_set repeated = find_repeated(arena, asked, topic);

	answer->name = asked->name;
	answer->partitions = message_array(arena, &list_offsets_response_partition_struct, (size_t)asked->n_partitions);
	answer->n_partitions = asked->n_partitions;
	for (int32_t p = 0; p < asked->n_partitions; p++) {
		int32_t index = asked->partitions[p].partition_index;

		answer->partitions[p].partition_index = index;
		if (!topic || !view_partition(topic, index))
			answer->partitions[p].error_code = KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
		else if (index_set_has(&repeated, index))
			answer->partitions[p].error_code = KAFKA_INVALID_REQUEST;
		else
			add_part(list, topic, &asked->partitions[p], &answer->partitions[p]);
	}
}

void list_offsets_handle(struct request *request)
{
	const struct list_offsets_request *body = request->body;
	struct list_offsets *list = arena_zalloc(&request->arena, 1, sizeof *list);
	int64_t n = body->n_topics;

	for (int32_t t = 0; t < body->n_topics; t++)
		n += body->topics[t].n_partitions;
	if (!scatter_may_begin(request, n))
		return;
	scatter_init(&list->scatter, request);
	list->scatter.work = list_part;
	list->scatter.done = list_done;
	list->version = request->header.api_version;
	list->committed = body->isolation_level == 1;
	list->n_old_left = LIMIT_OLD_OFFSETS;
	list->debug = body->replica_id == REPLICA_DEBUG;
	list->response = list_offsets_response_default;
	list->response.topics = message_array(&request->arena, &list_offsets_response_topic_struct, (size_t)body->n_topics);
	list->response.n_topics = body->n_topics;
	for (int32_t t = 0; t < body->n_topics; t++)
		add_topic(list, &body->topics[t], &list->response.topics[t]);
	scatter_run(&list->scatter);
}
