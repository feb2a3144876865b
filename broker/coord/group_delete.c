/*
 * Deletion of a group without members: DeleteGroups, and what nobody uses any more.
 *
 *     group_erase: DEAD from now on -> tombstones of its offsets and of itself in one batch -> high watermark -> it is gone
 *                  the append fails -> it is there again, empty, as the log may still say
 *
 * A group that was DEAD and is there again lost nothing: only a group without members dies.
 */
#include "broker/coord/coordinator_internal.h"

/* What is left of the group that could not be deleted: its generation and protocol type, so that it is erased with a tombstone the next time. */
static void revive(struct group *group)
{
	struct group_now now = coordinator_now();
	struct group_name type = group->type_before;
	struct group_loaded loaded = {
		.protocol_type = group_core_name(&type),
		.generation = group->generation_before,
		.state_wall_ms = group->state_before_ms,
	};
	struct group_actions actions;

	group_core_init(&group->core, &group->home->coordinator->rules, &now);
	CHECK(group_core_install(&group->core, &now, &loaded, &actions));
	group->deleting = false;
	group_count(group);
}

static void end_call(struct coord_write *write, int16_t error)
{
	if (write->call && error)
		coordinator_refuse(write->home->coordinator, write->call, error);
	else if (write->call)
		coordinator_finish(write->home->coordinator, write->call);
	write->call = NULL;
}

static void forget_erased(struct group *group)
{
	group->home->coordinator->counters->n_deleted += group->offsets.n;
	group_forget(group);
}

static void erase_ended(struct coord_write *write, int16_t error)
{
	/* What the group's record says is not told to members here: the codes are those of an append of it. */
	end_call(write, error ? group_core_store_error(error) : 0);
	if (error)
		revive(write->group);
	else
		forget_erased(write->group);
}

static void erase_timed_out(struct coord_write *write)
{
	end_call(write, KAFKA_REQUEST_TIMED_OUT);
}

/* Those of the first offsets stand with that of the group, what does not fit goes before. How many stand in this batch. */
static int32_t add_tombstones(struct coord_write *write, bool has_record)
{
	int16_t acks = (int16_t)write->home->coordinator->shard->config->offsets_commit_required_acks;
	const struct group *group = write->group;
	struct tombstones before;
	int32_t n = 0;

	tombstones_init(&before, write->group, acks, &write->home->coordinator->counters->n_deleted);
	for (int32_t t = 0; t < group->offsets.n_topics; t++) {
		const struct offset_topic *topic = group->offsets.topics[t];

		for (int32_t i = 0; i < topic->n; i++) {
			int32_t partition = topic->entries[i].partition;

			if (batch_builder_size(&write->builder) >= TOMBSTONES_BYTES)
				tombstones_add(&before, topic->name, partition);
			else
				n += group_record_add_offset(&write->builder, write->now_ms, group->id, topic->name, partition, NULL);
		}
	}
	tombstones_send(&before);
	if (has_record)
		n += group_record_add_group(&write->builder, write->now_ms, group->id, NULL);
	return n;
}

void group_erase(struct group *group, struct coordinator_call *call)
{
	struct coordinator *coordinator = group->home->coordinator;
	struct coord_write *write = write_new(group, BATCH_NO_SEQUENCE, erase_ended);

	if (!add_tombstones(write, group->core.generation > 0)) {
		write_drop(write);
		group_forget(group);
		if (call)
			coordinator_finish(coordinator, call);
		return;
	}
	group->deleting = true;
	group_count(group);
	group->generation_before = group->core.generation;
	group->type_before = group->core.protocol_type;
	group->state_before_ms = group->core.state_wall_ms;
	write->call = call;
	write->timed_out = erase_timed_out;
	write_send(write, (int16_t)coordinator->shard->config->offsets_commit_required_acks);
}

void group_tidy(struct group *group)
{
	if (group->deleting || group->offsets.n || group->n_writes || group->n_txn_offsets || !group_core_is_unused(&group->core))
		return;
	if (group_die(group) == 0)
		group_erase(group, NULL);
}

void group_delete(struct group_home *home, struct coordinator_call *call)
{
	struct group *group = group_find(home, call->group_id);
	int16_t error;

	if (!group || group->deleting) {
		coordinator_refuse(home->coordinator, call, KAFKA_GROUP_ID_NOT_FOUND);
		return;
	}
	/* What is on its way to the log would come behind the tombstones, and be all that is left of the group. */
	if (group->n_writes || group->n_txn_offsets) {
		coordinator_refuse(home->coordinator, call, KAFKA_NON_EMPTY_GROUP);
		return;
	}
	error = group_die(group);
	if (error)
		coordinator_refuse(home->coordinator, call, error);
	else
		group_erase(group, call);
}
