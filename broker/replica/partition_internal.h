/* Shared by partition.c, partition_append.c and partition_read.c; nobody else includes it. */
#ifndef KLAMM_BROKER_REPLICA_PARTITION_INTERNAL_H
#define KLAMM_BROKER_REPLICA_PARTITION_INTERNAL_H

#include "broker/replica/partition.h"

/*
 * The moment, for the core. A session that is lost ends leaderships by shard_resign_all; a leader whose ISR is itself alone hears all
 * of it (S9), so that no lease bounds it.
 */
struct replica_now partition_now(void);

/* The log has new marks: takes them into the core, and ends what has waited for them. */
void partition_log_moved(struct partition *partition);

/* Ends parked appends that the high watermark has passed; with error != 0 all of them. */
void partition_end_parked(struct partition *partition, int16_t error);

/* Fires all watches. */
void partition_fire_watches(struct partition *partition);

/* Starts a flush when the mode or the config asks for one and none is under way. */
void partition_flush_if_due(struct partition *partition, int64_t now_ms);

/* A call to the log has failed: what becomes of the partition, and the Kafka error to answer. */
int16_t partition_log_failed(struct partition *partition, int error, const char *what);

#endif
