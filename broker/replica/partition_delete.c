/*
 * DeleteRecords on the partition's worker; see partition.h.
 *
 *     leader: the log's start moves -> followers are told with the next Append or Advance -> their Acks tell their own start
 *     the lowest start of all replicas that live has come up -> done; the deadline before that -> REQUEST_TIMED_OUT, and it goes on all the same
 */
#include "broker/replica/partition_internal.h"

#include "broker/replica/replica_leader_core.h"
#include "broker/replica/shard.h"
#include "proto/kafka_error.h"

#include <utlist.h>

static void finish(struct partition_deletion *deletion, int16_t error, int64_t low_watermark)
{
	deletion->error = error;
	deletion->low_watermark = low_watermark;
	deletion->done(deletion);
}

static void take_out(struct partition_deletion *deletion)
{
	DL_DELETE(deletion->partition->deletions, deletion);
	timer_stop(&deletion->timer);
}

static void on_deadline(struct timer *timer)
{
	struct partition_deletion *deletion = CONTAINER_OF(timer, struct partition_deletion, timer);

	take_out(deletion);
	finish(deletion, KAFKA_REQUEST_TIMED_OUT, replica_low_watermark(&deletion->partition->core));
}

void partition_end_deletions(struct partition *partition, int16_t error)
{
	struct partition_deletion *deletion, *next;

	DL_FOREACH_SAFE(partition->deletions, deletion, next) {
		int64_t low_watermark = replica_low_watermark(&partition->core);

		if (!error && low_watermark < deletion->required_offset)
			continue;
		take_out(deletion);
		finish(deletion, error, error ? -1 : low_watermark);
	}
}

/* Kafka error. */
static int16_t delete_here(struct partition *partition, int64_t offset)
{
	int r;

	if (!partition->delete_allowed)
		return KAFKA_POLICY_VIOLATION;
	if (offset < 0 || offset > partition->core.high_watermark)
		return KAFKA_OFFSET_OUT_OF_RANGE;
	if (offset <= log_start_offset(partition->log))
		return 0;
	r = log_advance_start(partition->log, offset);
	if (r)
		return partition_log_failed(partition, r, "delete records");
	partition_log_moved(partition);
	return 0;
}

void partition_delete_records(struct partition *partition, struct partition_deletion *deletion)
{
	int16_t error = partition_may_read(partition, REPLICA_EPOCH_NONE);

	deletion->partition = partition;
	deletion->required_offset = deletion->offset == -1 ? partition->core.high_watermark : deletion->offset;
	if (!error)
		error = delete_here(partition, deletion->required_offset);
	if (error) {
		finish(deletion, error, -1);
		return;
	}
	DL_APPEND(partition->deletions, deletion);
	timer_init(&deletion->timer, &partition->shard->worker.loop, on_deadline);
	timer_set(&deletion->timer, deletion->deadline_ms);
	partition_end_deletions(partition, 0);
}
