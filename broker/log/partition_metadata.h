/* `partition.metadata` of a partition folder: `version: 0` LF `topic_id: <22 characters>`, with no LF at the end. */
#ifndef KLAMM_BROKER_LOG_PARTITION_METADATA_H
#define KLAMM_BROKER_LOG_PARTITION_METADATA_H

#include "common/fs.h"
#include "common/slice.h"
#include "common/uuid.h"

#define PARTITION_METADATA_FILE "partition.metadata"

int partition_metadata_parse(struct slice text, struct uuid *ret_topic_id);

/* ERR_NOT_FOUND without a file, ERR_CORRUPT for a damaged one. */
int partition_metadata_read(struct fs *fs, const char *path, struct uuid *ret_topic_id);

/* For a folder that is new: written in place, not synced. A torn one reads as ERR_CORRUPT and is written again. */
int partition_metadata_create(struct fs *fs, const char *path, const struct uuid *topic_id);

/* What was read of it is written once more to where it is, not synced. */
int partition_metadata_write_again(struct fs *fs, const char *path, const struct uuid *topic_id);

/* For a folder in use: replaced in one step. */
int partition_metadata_write(struct fs *fs, const char *path, const struct uuid *topic_id);

#endif
