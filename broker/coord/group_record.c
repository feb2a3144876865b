/* Records of __consumer_offsets; see group_record.h. */
#include "broker/coord/group_record.h"

#include "common/bytes.h"
#include "proto/kafka/group_metadata_key.gen.h"
#include "proto/kafka/offset_commit_key.gen.h"

#define OFFSET_KEY_VERSION 1
#define GROUP_KEY_VERSION 2
#define VALUE_VERSION 3
/* The one version of an offset that has a time of expiry. */
#define EXPIRING_VALUE_VERSION 1

/* ---- reading ---- */

static bool decode(const struct message_schema *schema, struct slice bytes, struct arena *arena, void *ret_message)
{
	int version;

	return message_decode_record(schema, bytes, arena, &version, ret_message, NULL) == 0;
}

static bool parse_offset(struct slice key, struct slice value, struct arena *arena, struct group_record *record)
{
	struct offset_commit_key parsed;

	if (!decode(&offset_commit_key_schema, key, arena, &parsed))
		return false;
	record->group = parsed.group;
	record->topic = parsed.topic;
	record->partition = parsed.partition;
	return record->tombstone || decode(&offset_commit_value_schema, value, arena, &record->offset);
}

static bool parse_group(struct slice key, struct slice value, struct arena *arena, struct group_record *record)
{
	struct group_metadata_key parsed;

	if (!decode(&group_metadata_key_schema, key, arena, &parsed))
		return false;
	record->group = parsed.group;
	return record->tombstone || decode(&group_metadata_value_schema, value, arena, &record->membership);
}

void group_record_parse(struct slice key, struct slice value, struct arena *arena, struct group_record *ret_record)
{
	int version = key.len >= 2 ? bytes_get_i16(key.data) : -1;
	bool readable;

	*ret_record = (struct group_record){.tombstone = slice_is_null(value), .kind = GROUP_RECORD_DAMAGED};
	if (version < 0)
		return;
	if (version > GROUP_KEY_VERSION) {
		ret_record->kind = GROUP_RECORD_FOREIGN;
		return;
	}
	if (version == GROUP_KEY_VERSION)
		readable = parse_group(key, value, arena, ret_record);
	else
		readable = parse_offset(key, value, arena, ret_record);
	if (readable)
		ret_record->kind = version == GROUP_KEY_VERSION ? GROUP_RECORD_GROUP : GROUP_RECORD_OFFSET;
}

/* ---- writing ---- */

static struct buf *encode(const struct message_schema *schema, int version, const void *message)
{
	struct buf *buf = buf_new(128);
	struct wire_writer out;

	wire_writer_init(&out, buf);
	if (message_encode_record(schema, version, message, &out) == 0)
		return buf;
	buf_release(buf);
	return NULL;
}

/* key and value become this function's; key_only: a tombstone. */
static bool add(struct batch_builder *builder, int64_t now_ms, struct buf *key, struct buf *value, bool key_only)
{
	bool complete = key && (value || key_only);

	if (complete)
		batch_builder_add(builder, now_ms, buf_slice(key), value ? buf_slice(value) : SLICE_NULL, NULL, 0);
	buf_release(key);
	buf_release(value);
	return complete;
}

bool group_record_add_offset(struct batch_builder *builder, int64_t now_ms, struct slice group, struct slice topic, int32_t partition,
			     const struct offset_commit_value *value)
{
	struct offset_commit_key key = {.group = group, .topic = topic, .partition = partition};
	int version = value && value->expire_timestamp >= 0 ? EXPIRING_VALUE_VERSION : VALUE_VERSION;

	return add(builder, now_ms, encode(&offset_commit_key_schema, OFFSET_KEY_VERSION, &key),
		   value ? encode(&offset_commit_value_schema, version, value) : NULL, !value);
}

bool group_record_add_group(struct batch_builder *builder, int64_t now_ms, struct slice group, const struct group_metadata_value *value)
{
	struct group_metadata_key key = {.group = group};

	return add(builder, now_ms, encode(&group_metadata_key_schema, GROUP_KEY_VERSION, &key),
		   value ? encode(&group_metadata_value_schema, VALUE_VERSION, value) : NULL, !value);
}
