/*
 * The records of __consumer_offsets: from bytes to structs and back (kafka.md 5.7). Keys begin with their version.
 *
 *     key 0, 1   group, topic, partition -> an offset     value 0-4; 3 is written, 1 when the commit named a time of expiry
 *     key 2      group                   -> a group       value 0-4; 3 is written
 *     others     of protocols that this coordinator does not speak: kept in the log, and not looked at
 *
 * A record without value is a tombstone. What is read is not trusted.
 */
#ifndef KLAMM_BROKER_COORD_GROUP_RECORD_H
#define KLAMM_BROKER_COORD_GROUP_RECORD_H

#include "common/arena.h"
#include "common/buf.h"
#include "common/slice.h"
#include "proto/kafka/group_metadata_value.gen.h"
#include "proto/kafka/offset_commit_value.gen.h"
#include "proto/record/batch_builder.h"

enum group_record_kind {
	GROUP_RECORD_OFFSET,
	GROUP_RECORD_GROUP,
	GROUP_RECORD_FOREIGN, /* a key version that is not known */
	GROUP_RECORD_DAMAGED, /* key or value cannot be read, or the value has a version that is not known */
};

struct group_record {
	enum group_record_kind kind;
	bool tombstone;
	struct slice group;
	struct slice topic; /* of an offset, likewise the next */
	int32_t partition;
	struct offset_commit_value offset;      /* GROUP_RECORD_OFFSET, no tombstone */
	struct group_metadata_value membership; /* GROUP_RECORD_GROUP, no tombstone */
};

/* Text and bytes are views of key and value, arrays lie in the arena. Any bytes may come. */
void group_record_parse(struct slice key, struct slice value, struct arena *arena, struct group_record *ret_record);

/*
 * Adds records to a batch; value NULL is a tombstone. False: a text is longer than the format can say (32,767 bytes), nothing is added then.
 */
bool group_record_add_offset(struct batch_builder *builder, int64_t now_ms, struct slice group, struct slice topic, int32_t partition,
			     const struct offset_commit_value *value);
bool group_record_add_group(struct batch_builder *builder, int64_t now_ms, struct slice group, const struct group_metadata_value *value);

#endif
