/* Notifications and requests; see json_notification.h. {"version":1,"partitions":[{"topic":"t","partition":0}]} */
#include "zk/json_notification.h"

#include "common/limits.h"
#include "zk/json.h"

/* A node holds at most 1 MiB, an item at least 20 bytes. */
#define ITEMS_MAX 60000

static int decode_item(const struct json_reader *reader, const json_t *value, bool with_replicas,
		       struct topic_partition_replicas *item)
{
	int rc;

	if (!json_is_object(value))
		return json_fail(reader, "\"partitions\" holds something that is no object");
	rc = json_need_text(reader, value, "topic", &item->topic);
	if (rc == 0 && (item->topic.len == 0 || item->topic.len > LIMIT_TOPIC_NAME_BYTES))
		rc = json_fail(reader, "a topic name is empty or too long");
	if (rc == 0)
		rc = json_need_i32(reader, value, "partition", 0, &item->partition);
	if (rc == 0 && with_replicas)
		rc = json_ids(reader, json_member(value, "replicas"), "\"replicas\"", &item->replicas, &item->n_replicas);
	return rc;
}

static int decode_items(const struct json_reader *reader, bool with_replicas, struct topic_partition_list *list)
{
	int rc;
	const json_t *array = json_want_sort(reader, reader->root, "partitions", JSON_ARRAY, &rc);
	size_t n = json_array_size(array);

	if (!array)
		return rc ? rc : json_fail(reader, "\"partitions\" is missing");
	if (n > ITEMS_MAX)
		return json_fail(reader, "has %zu partitions, more than %d", n, ITEMS_MAX);
	list->items = arena_zalloc(reader->arena, n, sizeof *list->items);
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = decode_item(reader, json_array_get(array, i), with_replicas, &list->items[i]);
	list->n_items = (int32_t)n;
	return rc;
}

static int list_decode(struct arena *arena, const char *path, struct slice json, bool with_replicas,
		       struct topic_partition_list *ret_list, struct error *err)
{
	struct topic_partition_list list = {0};
	struct json_reader reader;
	int rc = json_reader_open(&reader, arena, path, json, err);

	if (rc != 0)
		return rc;
	rc = decode_items(&reader, with_replicas, &list);
	json_reader_close(&reader);
	if (rc == 0)
		*ret_list = list;
	return rc;
}

static struct slice list_encode(struct arena *arena, const struct topic_partition_list *list, bool with_replicas)
{
	struct json_writer writer;

	json_writer_init(&writer, arena, 64 + 64 * (size_t)list->n_items);
	json_put_raw(&writer, "{\"version\":1,\"partitions\":[");
	for (int32_t i = 0; i < list->n_items; i++) {
		const struct topic_partition_replicas *item = &list->items[i];

		json_put_raw(&writer, i > 0 ? ",{\"topic\":" : "{\"topic\":");
		json_put_text(&writer, item->topic);
		json_put_raw(&writer, ",\"partition\":");
		json_put_i64(&writer, item->partition);
		if (with_replicas) {
			json_put_raw(&writer, ",\"replicas\":");
			json_put_ids(&writer, item->replicas, item->n_replicas);
		}
		json_put_raw(&writer, "}");
	}
	json_put_raw(&writer, "]}");
	return json_writer_end(&writer);
}

int partition_list_decode(struct arena *arena, const char *path, struct slice json, struct topic_partition_list *ret_list,
			  struct error *err)
{
	return list_decode(arena, path, json, false, ret_list, err);
}

struct slice partition_list_encode(struct arena *arena, const struct topic_partition_list *list)
{
	return list_encode(arena, list, false);
}

int reassignment_decode(struct arena *arena, const char *path, struct slice json, struct topic_partition_list *ret_list,
			struct error *err)
{
	return list_decode(arena, path, json, true, ret_list, err);
}

struct slice reassignment_encode(struct arena *arena, const struct topic_partition_list *list)
{
	return list_encode(arena, list, true);
}

int log_dir_event_decode(struct arena *arena, const char *path, struct slice json, int32_t *ret_broker_id, struct error *err)
{
	struct json_reader reader;
	int rc = json_reader_open(&reader, arena, path, json, err);

	if (rc != 0)
		return rc;
	rc = json_need_i32(&reader, reader.root, "broker", 0, ret_broker_id);
	json_reader_close(&reader);
	return rc;
}

struct slice log_dir_event_encode(struct arena *arena, int32_t broker_id)
{
	return slice_of_text(arena_printf(arena, "{\"version\":1,\"broker\":%d,\"event\":1}", broker_id));
}
