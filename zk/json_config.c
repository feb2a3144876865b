/*
 * Config nodes and their notifications; see json_config.h. {"version":1,"config":{"k":"v"}},
 * {"version":2,"entity_path":"topics/t"}
 */
#include "zk/json_config.h"

#include "zk/json.h"

#include <stdio.h>
#include <string.h>

#define CONFIG_ENTRIES_MAX 4096

/* Kafka writes texts; what other tools wrote as numbers or booleans is taken as their text. */
static int entry_value(const struct json_reader *reader, const char *key, const json_t *value, struct slice *ret_value)
{
	if (json_is_string(value))
		*ret_value = json_text(reader, value);
	else if (json_is_integer(value))
		*ret_value = slice_of_text(arena_printf(reader->arena, "%lld", (long long)json_integer_value(value)));
	else if (json_is_real(value))
		*ret_value = slice_of_text(arena_printf(reader->arena, "%.17g", json_real_value(value)));
	else if (json_is_boolean(value))
		*ret_value = slice_of_text(json_is_true(value) ? "true" : "false");
	else
		return json_fail(reader, "the value of \"%.80s\" is no text", key);
	return 0;
}

static int decode_entries(const struct json_reader *reader, struct config_znode *config)
{
	int rc;
	json_t *map = json_want_sort(reader, reader->root, "config", JSON_OBJECT, &rc);
	struct config_entry *at;
	const char *key;
	json_t *value;

	if (!map)
		return rc ? rc : json_fail(reader, "\"config\" is missing");
	if (json_object_size(map) > CONFIG_ENTRIES_MAX)
		return json_fail(reader, "has %zu entries, more than %d", json_object_size(map), CONFIG_ENTRIES_MAX);
	at = config->entries = arena_zalloc(reader->arena, json_object_size(map), sizeof *at);
	json_object_foreach(map, key, value)
	{
		at->key = arena_copy(reader->arena, slice_of_text(key));
		rc = entry_value(reader, key, value, &at->value);
		if (rc != 0)
			return rc;
		at++;
	}
	config->n_entries = (int32_t)(at - config->entries);
	return 0;
}

int config_znode_decode(struct arena *arena, const char *path, struct slice json, struct config_znode *ret_config,
			struct error *err)
{
	struct config_znode config = {0};
	struct json_reader reader;
	int32_t version;
	int rc;

	if (json.len == 0) {
		*ret_config = config;
		return 0;
	}
	rc = json_reader_open(&reader, arena, path, json, err);
	if (rc != 0)
		return rc;
	rc = json_need_i32(&reader, reader.root, "version", 1, &version);
	if (rc == 0)
		rc = decode_entries(&reader, &config);
	json_reader_close(&reader);
	if (rc == 0)
		*ret_config = config;
	return rc;
}

/* java.util.Properties: a concurrent table of 16 buckets that doubles at three quarters. */
struct slice config_znode_encode(struct arena *arena, const struct config_znode *config)
{
	struct slice *keys = arena_alloc(arena, (size_t)config->n_entries * sizeof *keys);
	uint32_t n_buckets = 16;
	struct json_writer writer;
	int32_t *order;

	for (int32_t i = 0; i < config->n_entries; i++)
		keys[i] = config->entries[i].key;
	while ((uint32_t)config->n_entries >= n_buckets / 4 * 3)
		n_buckets *= 2;
	json_jvm_order(arena, keys, config->n_entries, n_buckets, false, &order);
	json_writer_init(&writer, arena, 256);
	json_put_raw(&writer, "{\"version\":1,\"config\":{");
	for (int32_t i = 0; i < config->n_entries; i++) {
		json_put_raw(&writer, i > 0 ? "," : "");
		json_put_text(&writer, config->entries[order[i]].key);
		json_put_raw(&writer, ":");
		json_put_text(&writer, config->entries[order[i]].value);
	}
	json_put_raw(&writer, "}}");
	return json_writer_end(&writer);
}

const struct config_entry *config_znode_find(const struct config_znode *config, const char *key)
{
	for (int32_t i = 0; i < config->n_entries; i++)
		if (slice_is_text(config->entries[i].key, key))
			return &config->entries[i];
	return NULL;
}

/* Version 1 named type and entity apart. */
static int change_path(const struct json_reader *reader, struct slice *ret_path)
{
	struct slice type, name;
	int32_t version;
	int rc = json_need_i32(reader, reader->root, "version", 1, &version);

	if (rc != 0)
		return rc;
	if (version >= 2)
		return json_need_text(reader, reader->root, "entity_path", ret_path);
	rc = json_need_text(reader, reader->root, "entity_type", &type);
	if (rc == 0)
		rc = json_need_text(reader, reader->root, "entity_name", &name);
	if (rc == 0)
		*ret_path = slice_of_text(arena_printf(reader->arena, "%.*s/%.*s", SLICE_ARGS(type), SLICE_ARGS(name)));
	return rc;
}

int config_change_decode(struct arena *arena, const char *path, struct slice json, struct zk_config_target *ret_target,
			 struct error *err)
{
	struct slice entity;
	struct json_reader reader;
	int rc = json_reader_open(&reader, arena, path, json, err);

	if (rc != 0)
		return rc;
	rc = change_path(&reader, &entity);
	if (rc == 0 && !zk_path_parse_config(arena, entity, ret_target))
		rc = json_fail(&reader, "\"%.80s\" is no entity", (const char *)entity.data);
	json_reader_close(&reader);
	return rc;
}

struct slice config_change_encode(struct arena *arena, const struct zk_config_target *target)
{
	struct json_writer writer;

	json_writer_init(&writer, arena, 128);
	json_put_raw(&writer, "{\"version\":2,\"entity_path\":");
	json_put_text(&writer, slice_of_text(zk_path_entity(arena, target)));
	json_put_raw(&writer, "}");
	return json_writer_end(&writer);
}
