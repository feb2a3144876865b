/* Tombstones of a group's offsets, in batches that fit the log. */
#include "broker/coord/coordinator_internal.h"

#include "common/trace.h"

/* The keys of one batch. */
struct tombstone_keys {
	int64_t *counter;
	int32_t n;
	struct offset_commit_key list[TOMBSTONES_MAX];
};

static void ended(struct coord_write *write, int16_t error)
{
	const struct tombstone_keys *keys = write->state;

	if (error) {
		trace_limited(TRACE_WARN, "coord", "group %.*s: %d tombstones could not be appended: %s", SLICE_ARGS(write->group->id), keys->n,
			      kafka_error_name(error));
		return;
	}
	for (int32_t i = 0; i < keys->n; i++)
		group_remove_offset(write->group, keys->list[i].topic, keys->list[i].partition, write->append.base_offset + i);
	*keys->counter += keys->n;
	group_tidy(write->group);
}

void tombstones_init(struct tombstones *tombstones, struct group *group, int16_t acks, int64_t *counter)
{
	*tombstones = (struct tombstones){.group = group, .acks = acks, .counter = counter};
}

void tombstones_send(struct tombstones *tombstones)
{
	const struct tombstone_keys *keys = tombstones->write ? tombstones->write->state : NULL;

	if (!keys)
		return;
	tombstones->n_sent += keys->n;
	write_send(tombstones->write, tombstones->acks);
	tombstones->write = NULL;
}

void tombstones_add(struct tombstones *tombstones, struct slice topic, int32_t partition)
{
	struct coord_write *write = tombstones->write;
	struct tombstone_keys *keys;

	if (!write) {
		tombstones->write = write = write_new(tombstones->group, BATCH_NO_SEQUENCE, ended);
		write->state = keys = arena_zalloc(&write->arena, 1, sizeof *keys);
		keys->counter = tombstones->counter;
	}
	keys = write->state;
	/* It stood in the log, so that it can be written there. */
	CHECK(group_record_add_offset(&write->builder, write->now_ms, tombstones->group->id, topic, partition, NULL));
	keys->list[keys->n].topic = arena_copy(&write->arena, topic);
	keys->list[keys->n].partition = partition;
	keys->n++;
	if (keys->n == TOMBSTONES_MAX || batch_builder_size(&write->builder) >= TOMBSTONES_BYTES)
		tombstones_send(tombstones);
}
