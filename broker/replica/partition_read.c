/* Reading a partition: what part of which segment an answer is made of; see partition.h. No bytes move here. */
#include "broker/replica/partition_internal.h"

#include "broker/replica/read_replica_core.h"
#include "broker/replica/shard.h"
#include "common/memory.h"
#include "common/mutant.h"
#include "proto/kafka_error.h"

int16_t partition_may_read(const struct partition *partition, int32_t current_epoch)
{
	struct replica_now now = partition_now(partition);

	if (partition->state == PARTITION_FAILED)
		return KAFKA_STORAGE_ERROR;
	if (shard_session_is_over(partition->shard))
		return KAFKA_NOT_LEADER_OR_FOLLOWER;
	return replica_may_read(&partition->core, &now, current_epoch);
}

int16_t partition_may_serve(const struct partition *partition, const struct partition_read *read)
{
	struct replica_now now = partition_now(partition);

	if (!read->here || partition->core.role == REPLICA_LEADER)
		return partition_may_read(partition, read->leader_epoch);
	return partition->state == PARTITION_FAILED ? KAFKA_STORAGE_ERROR : replica_may_read_here(&partition->core, &now, read->leader_epoch);
}

int64_t partition_last_stable_offset(const struct partition *partition)
{
	int64_t open = producer_table_first_open_txn(partition->producers);

	return open >= 0 && open < partition->core.high_watermark ? open : partition->core.high_watermark;
}

static int16_t refuse(struct partition_read *read, int16_t error)
{
	read->error = error;
	read->high_watermark = read->last_stable_offset = read->log_start_offset = -1;
	read->end_now = true;
	return error;
}

/*
 * Beyond our end. A follower cannot say that of the partition: it may lag, or have begun anew on an empty disk, and whoever comes to it with an
 * old picture of who leads must not begin anew too (KIP-392).
 */
static int16_t beyond_end(const struct partition *partition)
{
	return partition->core.role == REPLICA_LEADER ? KAFKA_OFFSET_OUT_OF_RANGE : KAFKA_OFFSET_NOT_AVAILABLE;
}

/* True when the reader's log and ours part before its offset (KIP-320, 595): it must cut, and gets no records. */
static bool diverges(struct partition *partition, struct partition_read *read)
{
	struct log_epoch_end end;

	if (read->last_fetched_epoch < 0)
		return false;
	end = log_end_for_epoch(partition->log, read->last_fetched_epoch);
	if (end.epoch < 0) {
		refuse(read, beyond_end(partition));
		return true;
	}
	if (end.epoch >= read->last_fetched_epoch && end.end_offset >= read->offset)
		return false;
	read->diverging = true;
	read->divergence = end;
	read->end_now = true;
	return true;
}

struct aborted_list {
	struct aborted_txn *list;
	int32_t n;
};

static void add_aborted(void *ctx, const struct aborted_txn *aborted)
{
	struct aborted_list *found = ctx;

	found->list = memory_grow(found->list, (size_t)(found->n + 1) * sizeof *found->list);
	found->list[found->n++] = *aborted;
}

/* The aborted transactions that overlap what may be read; clients drop their batches. */
static int find_aborted(struct partition *partition, struct partition_read *read)
{
	struct aborted_list found = {0};
	int r;

	if (!read->committed || !read->slice.segment)
		return 0;
	r = log_aborted_between(partition->log, read->offset, read->last_stable_offset, add_aborted, &found);
	read->aborted = found.list;
	read->n_aborted = found.n;
	return r;
}

/* The followers in sync that the client can reach; returns how many. */
static int list_followers(const struct partition *partition, struct slice listener, struct read_replica *ret_followers)
{
	const struct replica_core *core = &partition->core;
	int n = 0;

	for (int32_t i = 0; i < core->n_members && n < LIMIT_REPLICAS; i++) {
		const struct replica_member *member = &core->members[i];
		const struct view_broker *broker = view_broker(partition->shard->view, member->id);

		if (!member->in_isr || member->id == core->broker || !broker || !view_broker_endpoint(broker, listener))
			continue;
		ret_followers[n++] = (struct read_replica){
			.id = member->id,
			.rack = broker->rack,
			.log_start_offset = member->log_start_offset,
			.log_end_offset = member->log_end_offset,
			.caught_up_ms = member->caught_up_ms,
		};
	}
	return n;
}

static int32_t preferred_replica(const struct partition *partition, const struct partition_read *read)
{
	const struct broker_config *config = partition->shard->config;
	struct read_replica followers[LIMIT_REPLICAS];
	bool by_rack = config->replica_selector_class && strcmp(config->replica_selector_class, SELECTOR_RACK_AWARE) == 0;

	if (!by_rack || !read->here || read->rack.len == 0 || partition->core.role != REPLICA_LEADER)
		return READ_REPLICA_OF_LEADER;
	return read_replica_choose(READ_REPLICA_RACK_AWARE, read->rack, slice_of_text(config->broker_rack), read->offset, followers,
				   list_followers(partition, read->listener, followers));
}

static int read_log(struct partition *partition, struct partition_read *read)
{
	struct log_read_args args = {
		.offset = read->offset,
		.max_offset = MUTANT(READ_UNCOMMITTED) ? INT64_MAX : read->committed ? read->last_stable_offset : read->high_watermark,
		.max_bytes = read->bytes_max,
		.min_one_batch = true,
	};
	int r = log_read(partition->log, &args, &read->slice);

	return r ? r : find_aborted(partition, read);
}

void partition_read(struct partition *partition, struct partition_read *read)
{
	int16_t error = partition_may_serve(partition, read);
	int r;

	read->preferred = READ_REPLICA_OF_LEADER;
	if (error) {
		refuse(read, error);
		return;
	}
	read->high_watermark = partition->core.high_watermark;
	read->last_stable_offset = partition_last_stable_offset(partition);
	read->log_start_offset = log_start_offset(partition->log);
	read->preferred = preferred_replica(partition, read);
	if (read->preferred != READ_REPLICA_OF_LEADER) {
		read->end_now = true;
		return;
	}
	if (read->offset < read->log_start_offset) {
		refuse(read, KAFKA_OFFSET_OUT_OF_RANGE);
		return;
	}
	/* Comes before the log end is looked at: a reader beyond it may have to be told where its log parts from ours. */
	if (diverges(partition, read))
		return;
	if (read->offset > log_end_offset(partition->log)) {
		refuse(read, beyond_end(partition));
		return;
	}
	read->end_now = read->offset > read->high_watermark;
	r = read_log(partition, read);
	if (r == ERR_OUT_OF_RANGE)
		refuse(read, KAFKA_OFFSET_OUT_OF_RANGE);
	else if (r)
		refuse(read, partition_log_failed(partition, r, "read"));
}
