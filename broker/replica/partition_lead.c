/* The leader's side of a partition; see partition_lead.h. */
#include "broker/replica/partition_lead.h"

#include "broker/replica/feed.h"
#include "broker/replica/partition_internal.h"
#include "broker/replica/shard.h"
#include "proto/kafka_error.h"

#include <utlist.h>

/* Why a stream that the core has let go is closed. */
static int16_t reason(const struct partition *partition)
{
	if (partition->state == PARTITION_FAILED)
		return KAFKA_STORAGE_ERROR;
	return partition->core.role == REPLICA_LEADER ? KAFKA_FENCED_LEADER_EPOCH : KAFKA_NOT_LEADER_OR_FOLLOWER;
}

static bool is_open(const struct partition *partition, const struct feed_stream *stream)
{
	const struct replica_member *member = replica_leader_member(&partition->core, feed_stream_follower(stream));

	return partition->state != PARTITION_FAILED && partition->core.role == REPLICA_LEADER && member && member->handle == stream->handle;
}

void partition_lead_settle(struct partition *partition)
{
	struct feed_stream *stream, *next;

	DL_FOREACH_SAFE(partition->streams, stream, next)
		if (!is_open(partition, stream))
			feed_stream_close(stream, reason(partition));
}

void partition_lead_wake(struct partition *partition)
{
	struct feed_stream *stream;

	DL_FOREACH(partition->streams, stream)
		feed_stream_wake(stream);
}

/* What a follower has, it has; but one whose word lay in the socket while this process stood still may be gone by now (S9). */
static int64_t unread_ms(const struct replica_now *now, int64_t heard_ms)
{
	return now->ms > heard_ms ? now->ms - heard_ms : 0;
}

void partition_lead_follow(struct partition *partition, const struct replica_follow *follow, int64_t heard_ms, int64_t handle,
			   struct replica_judgement *ret_judgement)
{
	struct replica_now now = partition_now(partition);
	struct replica_follow asked = *follow;
	struct replica_actions actions;

	if (partition->state == PARTITION_FAILED) {
		*ret_judgement = (struct replica_judgement){.verdict = REPLICA_REFUSED, .error = KAFKA_STORAGE_ERROR};
		return;
	}
	asked.unread_ms = unread_ms(&now, heard_ms);
	replica_leader_follow(&partition->core, &now, &asked, log_end_for_epoch(partition->log, follow->last_epoch), handle, ret_judgement,
			      &actions);
	if (ret_judgement->verdict == REPLICA_OPEN)
		partition->followed_ms = now.ms;
	/* Streams are settled first: what is called back next may look at them. */
	partition_lead_settle(partition);
	partition_carry_out(partition, &now, &actions);
}

enum replica_ack_result partition_lead_ack(struct partition *partition, const struct replica_ack *ack, int64_t heard_ms)
{
	struct replica_now now = partition_now(partition);
	struct replica_ack told = *ack;
	struct replica_actions actions;
	enum replica_ack_result result;

	told.unread_ms = unread_ms(&now, heard_ms);
	result = replica_leader_ack(&partition->core, &now, &told, &actions);
	if (result == REPLICA_ACK_TAKEN)
		partition_carry_out(partition, &now, &actions);
	return result;
}

void partition_lead_lost(struct partition *partition, int32_t follower, int64_t handle)
{
	replica_leader_close(&partition->core, follower, handle);
}

void partition_lead_list(struct partition *partition, int32_t broker, int64_t broker_epoch)
{
	struct replica_now now = partition_now(partition);
	struct replica_actions actions;

	if (partition->state == PARTITION_FAILED)
		return;
	replica_leader_list(&partition->core, &now, broker, broker_epoch, &actions);
	partition_lead_settle(partition);
	partition_carry_out(partition, &now, &actions);
}

static void list_members(struct partition *partition)
{
	const struct view *view = partition->shard->view;

	for (int32_t i = 0; i < partition->core.n_members; i++) {
		int32_t id = partition->core.members[i].id;
		const struct view_broker *broker = view_broker(view, id);

		partition_lead_list(partition, id, broker ? broker->epoch : REPLICA_BROKER_EPOCH_NONE);
	}
}

void partition_lead_on_state(struct partition *partition)
{
	partition_lead_settle(partition);
	list_members(partition);
	feeds_on_state(&partition->shard->feeds, partition);
}

void partition_hear(const struct partition *partition)
{
	/* To whom a partition is constant, it is not in this: the connections are asked only when it counts. */
	struct replica_core *core = (struct replica_core *)(uintptr_t)&partition->core;
	struct feed_stream *stream;

	DL_FOREACH(partition->streams, stream)
		replica_leader_hear(core, feed_stream_follower(stream), stream->handle, feed_stream_heard_ms(stream));
}
