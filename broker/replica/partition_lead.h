/*
 * A partition as the leader of its followers: what their connections (feed.h) tell it, and what it tells them. Owner's thread.
 *
 * The core decides which handle is open; partition->streams are the open ones, and partition_lead_settle closes those that the core has closed.
 */
#ifndef KLAMM_BROKER_REPLICA_PARTITION_LEAD_H
#define KLAMM_BROKER_REPLICA_PARTITION_LEAD_H

#include "broker/replica/partition.h"
#include "broker/replica/replica_leader_core.h"

/*
 * Judges a Follow. After REPLICA_OPEN the caller opens a stream for the handle. Another stream that the follower had is closed by then.
 * heard_ms: when its connection last gave a sign of life.
 */
void partition_lead_follow(struct partition *partition, const struct replica_follow *follow, int64_t heard_ms, int64_t handle,
			   struct replica_judgement *ret_judgement);

/* Likewise. Waiting appends may end inside. */
enum replica_ack_result partition_lead_ack(struct partition *partition, const struct replica_ack *ack, int64_t heard_ms);

/* The handle is closed by the follower, or lost with its connection. */
void partition_lead_lost(struct partition *partition, int32_t follower, int64_t handle);

/* The cluster view lists this broker under this epoch; REPLICA_BROKER_EPOCH_NONE: not at all. */
void partition_lead_list(struct partition *partition, int32_t broker, int64_t broker_epoch);

/* After a state was taken: the brokers alive are listed, streams of an older epoch closed, Follows that waited for it judged. */
void partition_lead_on_state(struct partition *partition);

/* Closes the streams whose handles the core has closed. */
void partition_lead_settle(struct partition *partition);

/* Log end, high watermark or log start may have moved. */
void partition_lead_wake(struct partition *partition);

/* Takes over when each follower was last heard on its connection: before a question to a leader whose lease is over (S9). */
void partition_hear(const struct partition *partition);

#endif
