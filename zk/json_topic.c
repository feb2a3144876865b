/*
 * Topic nodes; see json_topic.h.
 * {"partitions":{"0":[1,2]},"topic_id":"...","adding_replicas":{},"removing_replicas":{},"version":3}
 */
#include "zk/json_topic.h"

#include "common/limits.h"
#include "zk/json.h"
#include "zk/path.h"

#include <stdio.h>
#include <stdlib.h>

static int compare_partitions(const void *left, const void *right)
{
	const struct partition_assignment *a = left;
	const struct partition_assignment *b = right;

	return a->partition < b->partition ? -1 : a->partition > b->partition;
}

static int decode_partitions(const struct json_reader *reader, struct topic_znode *topic)
{
	int rc;
	json_t *map = json_want_sort(reader, reader->root, "partitions", JSON_OBJECT, &rc);
	struct partition_assignment *at;
	const char *key;
	json_t *ids;

	if (!map)
		return rc ? rc : json_fail(reader, "\"partitions\" is missing");
	if (json_object_size(map) > LIMIT_TOPIC_PARTITIONS)
		return json_fail(reader, "has %zu partitions, more than %d", json_object_size(map), LIMIT_TOPIC_PARTITIONS);
	at = topic->partitions = arena_zalloc(reader->arena, json_object_size(map), sizeof *at);
	json_object_foreach(map, key, ids)
	{
		if (!zk_path_parse_id(key, &at->partition))
			return json_fail(reader, "\"%.20s\" is no partition number", key);
		rc = json_ids(reader, ids, "an assignment", &at->replicas, &at->n_replicas);
		if (rc != 0)
			return rc;
		if (at->n_replicas == 0)
			return json_fail(reader, "partition %d has no replicas", at->partition);
		at++;
	}
	topic->n_partitions = (int32_t)(at - topic->partitions);
	qsort(topic->partitions, (size_t)topic->n_partitions, sizeof *topic->partitions, compare_partitions);
	return 0;
}

/* Adding and removing replicas of the partitions under reassignment. */
static int decode_changes(const struct json_reader *reader, struct topic_znode *topic, const char *name, bool adding)
{
	int rc;
	json_t *map = json_want_sort(reader, reader->root, name, JSON_OBJECT, &rc);
	const char *key;
	json_t *ids;

	if (!map)
		return rc;
	json_object_foreach(map, key, ids)
	{
		struct partition_assignment wanted = {0}, *found = NULL;
		int32_t *list = NULL;
		int32_t n = 0;

		if (zk_path_parse_id(key, &wanted.partition))
			found = bsearch(&wanted, topic->partitions, (size_t)topic->n_partitions, sizeof wanted,
					compare_partitions);
		if (!found)
			return json_fail(reader, "\"%s\" names partition \"%.20s\", which has no replicas", name, key);
		rc = json_ids(reader, ids, name, &list, &n);
		if (rc != 0)
			return rc;
		*(adding ? &found->adding : &found->removing) = list;
		*(adding ? &found->n_adding : &found->n_removing) = n;
	}
	return 0;
}

static int decode_topic_id(const struct json_reader *reader, struct topic_znode *topic)
{
	struct slice text;
	int rc = json_want_text(reader, reader->root, "topic_id", &text);

	if (rc != 0 || !text.data)
		return rc;
	if (!uuid_parse(text, &topic->topic_id))
		return json_fail(reader, "\"topic_id\" is no uuid: %.40s", (const char *)text.data);
	return 0;
}

int topic_znode_decode(struct arena *arena, const char *path, struct slice json, struct topic_znode *ret_topic,
		       struct error *err)
{
	struct topic_znode topic = {.topic_id = UUID_ZERO};
	struct json_reader reader;
	int32_t version;
	int rc = json_reader_open(&reader, arena, path, json, err);

	if (rc != 0)
		return rc;
	rc = json_want_i32(&reader, reader.root, "version", 1, 1, &version);
	if (rc == 0)
		rc = decode_partitions(&reader, &topic);
	if (rc == 0)
		rc = decode_changes(&reader, &topic, "adding_replicas", true);
	if (rc == 0)
		rc = decode_changes(&reader, &topic, "removing_replicas", false);
	if (rc == 0)
		rc = decode_topic_id(&reader, &topic);
	json_reader_close(&reader);
	if (rc == 0)
		*ret_topic = topic;
	return rc;
}

enum which { REPLICAS, ADDING, REMOVING };

static int32_t ids_of(const struct partition_assignment *partition, enum which which, const int32_t **ret_ids)
{
	switch (which) {
	case ADDING:
		*ret_ids = partition->adding;
		return partition->n_adding;
	case REMOVING:
		*ret_ids = partition->removing;
		return partition->n_removing;
	default:
		*ret_ids = partition->replicas;
		return partition->n_replicas;
	}
}

/*
 * A map from partition number to broker ids, in the order of Scala's mutable map (it grows at three quarters of 16, 32, ...).
 * /
 */
static void encode_map(struct json_writer *writer, const struct topic_znode *topic, enum which which)
{
	size_t total = (size_t)topic->n_partitions;
	struct slice *keys = arena_alloc(writer->arena, total * sizeof *keys);
	const struct partition_assignment **members = arena_alloc(writer->arena, total * sizeof *members);
	uint32_t n_buckets = 16;
	int32_t *order;
	const int32_t *ids;
	int32_t n = 0;

	for (int32_t i = 0; i < topic->n_partitions; i++) {
		const struct partition_assignment *partition = &topic->partitions[i];

		if (ids_of(partition, which, &ids) == 0)
			continue;
		keys[n] = slice_of_text(arena_printf(writer->arena, "%d", partition->partition));
		members[n++] = partition;
		if ((uint32_t)n >= n_buckets / 4 * 3)
			n_buckets *= 2;
	}
	json_jvm_order(writer->arena, keys, n, n_buckets, true, &order);
	json_put_raw(writer, "{");
	for (int32_t i = 0; i < n; i++) {
		int32_t n_ids = ids_of(members[order[i]], which, &ids);

		json_put_raw(writer, i > 0 ? "," : "");
		json_put_text(writer, keys[order[i]]);
		json_put_raw(writer, ":");
		json_put_ids(writer, ids, n_ids);
	}
	json_put_raw(writer, "}");
}

struct slice topic_znode_encode(struct arena *arena, const struct topic_znode *topic)
{
	char id[UUID_TEXT_LEN + 1];
	struct json_writer writer;
	bool has_id = !uuid_is_zero(&topic->topic_id);

	json_writer_init(&writer, arena, 128 + 24 * (size_t)topic->n_partitions);
	json_put_raw(&writer, "{\"partitions\":");
	encode_map(&writer, topic, REPLICAS);
	if (has_id) {
		uuid_format(&topic->topic_id, id);
		json_put_raw(&writer, ",\"topic_id\":");
		json_put_text(&writer, slice_of_text(id));
	}
	json_put_raw(&writer, ",\"adding_replicas\":");
	encode_map(&writer, topic, ADDING);
	json_put_raw(&writer, ",\"removing_replicas\":");
	encode_map(&writer, topic, REMOVING);
	json_put_raw(&writer, has_id ? ",\"version\":3}" : ",\"version\":2}");
	return json_writer_end(&writer);
}
