/* Building and taking apart paths; see path.h. */
#include "zk/path.h"

#include <stdio.h>
#include <string.h>

const char *const zk_path_persistent[] = {
	ZK_PATH_CONSUMERS,      ZK_PATH_BROKERS,           ZK_PATH_BROKER_IDS,
	ZK_PATH_TOPICS,         ZK_PATH_BROKER_SEQID,      ZK_PATH_CONFIG,
	ZK_PATH_CONFIG_CHANGES, ZK_PATH_CONFIG_TOPICS,     ZK_PATH_CONFIG_CLIENTS,
	ZK_PATH_CONFIG_USERS,   ZK_PATH_CONFIG_BROKERS,    ZK_PATH_CONFIG_IPS,
	ZK_PATH_ADMIN,          ZK_PATH_DELETE_TOPICS,     ZK_PATH_ISR_CHANGES,
	ZK_PATH_LOG_DIR_EVENTS, ZK_PATH_PRODUCER_ID_BLOCK, NULL,
};

const char *zk_path_broker(struct arena *arena, int32_t broker_id)
{
	return arena_printf(arena, "%s/%d", ZK_PATH_BROKER_IDS, broker_id);
}

const char *zk_path_topic(struct arena *arena, struct slice topic)
{
	return arena_printf(arena, "%s/%.*s", ZK_PATH_TOPICS, SLICE_ARGS(topic));
}

const char *zk_path_consumer_offset(struct arena *arena, struct slice group_id, struct slice topic, int32_t partition)
{
	return arena_printf(arena, "%s/%.*s/offsets/%.*s/%d", ZK_PATH_CONSUMERS, SLICE_ARGS(group_id), SLICE_ARGS(topic), partition);
}

const char *zk_path_partitions(struct arena *arena, struct slice topic)
{
	return arena_printf(arena, "%s/%.*s/partitions", ZK_PATH_TOPICS, SLICE_ARGS(topic));
}

const char *zk_path_partition(struct arena *arena, struct slice topic, int32_t partition)
{
	return arena_printf(arena, "%s/%.*s/partitions/%d", ZK_PATH_TOPICS, SLICE_ARGS(topic), partition);
}

const char *zk_path_partition_state(struct arena *arena, struct slice topic, int32_t partition)
{
	return arena_printf(arena, "%s/%.*s/partitions/%d/state", ZK_PATH_TOPICS, SLICE_ARGS(topic), partition);
}

const char *zk_path_delete_topic(struct arena *arena, struct slice topic)
{
	return arena_printf(arena, "%s/%.*s", ZK_PATH_DELETE_TOPICS, SLICE_ARGS(topic));
}

const char *zk_path_config_topic(struct arena *arena, struct slice topic)
{
	return arena_printf(arena, "%s/%.*s", ZK_PATH_CONFIG_TOPICS, SLICE_ARGS(topic));
}

static const char *broker_entity(struct arena *arena, int32_t broker_id)
{
	return broker_id < 0 ? ZK_DEFAULT_ENTITY : arena_printf(arena, "%d", broker_id);
}

const char *zk_path_config_broker(struct arena *arena, int32_t broker_id)
{
	return arena_printf(arena, "%s/%s", ZK_PATH_CONFIG_BROKERS, broker_entity(arena, broker_id));
}

/* ---- Sanitized names ---- */

static bool is_plain(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
}

struct slice zk_path_sanitize(struct arena *arena, struct slice name)
{
	static const char digits[] = "0123456789ABCDEF";
	uint8_t *text = arena_alloc(arena, name.len * 3 + 1);
	size_t len = 0;

	for (size_t i = 0; i < name.len; i++) {
		uint8_t c = name.data[i];

		if (is_plain(c)) {
			text[len++] = c;
			continue;
		}
		text[len++] = '%';
		text[len++] = (uint8_t)digits[c >> 4];
		text[len++] = (uint8_t)digits[c & 15];
	}
	text[len] = '\0';
	return slice_of(text, len);
}

static int hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The byte that two hex digits at `at` stand for; -1 when they do not. */
static int hex_byte(struct slice text, size_t at)
{
	int high = at < text.len ? hex_digit(text.data[at]) : -1;
	int low = at + 1 < text.len ? hex_digit(text.data[at + 1]) : -1;

	return high < 0 || low < 0 ? -1 : high << 4 | low;
}

bool zk_path_desanitize(struct arena *arena, struct slice text, struct slice *ret_name)
{
	uint8_t *name = arena_alloc(arena, text.len + 1);
	size_t len = 0;

	for (size_t i = 0; i < text.len; i++) {
		int c = text.data[i];

		if (c == '%') {
			c = hex_byte(text, i + 1);
			if (c < 0)
				return false;
			i += 2;
		} else if (c == '+') {
			c = ' ';
		}
		name[len++] = (uint8_t)c;
	}
	name[len] = '\0';
	*ret_name = slice_of(name, len);
	return true;
}

/* ---- Config entities ---- */

static const char *entity_name(struct arena *arena, struct slice name)
{
	return name.data ? (const char *)zk_path_sanitize(arena, name).data : ZK_DEFAULT_ENTITY;
}

static const char *entity_text(struct arena *arena, const struct zk_entity *entity)
{
	if (entity->has_ip)
		return arena_printf(arena, "ips/%s", entity_name(arena, entity->ip));
	if (!entity->has_user)
		return arena_printf(arena, "clients/%s", entity_name(arena, entity->client));
	if (!entity->has_client)
		return arena_printf(arena, "users/%s", entity_name(arena, entity->user));
	return arena_printf(arena, "users/%s/clients/%s", entity_name(arena, entity->user), entity_name(arena, entity->client));
}

const char *zk_path_config_entity(struct arena *arena, const struct zk_entity *entity)
{
	return arena_printf(arena, "%s/%s", ZK_PATH_CONFIG, entity_text(arena, entity));
}

const char *zk_path_entity(struct arena *arena, const struct zk_config_target *target)
{
	switch (target->kind) {
	case ZK_CONFIG_TOPIC:
		return arena_printf(arena, "topics/%.*s", SLICE_ARGS(target->topic));
	case ZK_CONFIG_BROKER:
		return arena_printf(arena, "brokers/%s", broker_entity(arena, target->broker_id));
	default:
		return entity_text(arena, &target->entity);
	}
}

const char *zk_path_child(struct arena *arena, const char *parent, const char *name)
{
	return arena_printf(arena, "%s/%s", strcmp(parent, "/") == 0 ? "" : parent, name);
}

/* The part up to the next slash; null when there is none left. An empty part has len 0. */
static struct slice next_part(struct slice *rest)
{
	struct slice part = *rest;
	const uint8_t *slash;

	if (!rest->data)
		return SLICE_NULL;
	slash = memchr(rest->data, '/', rest->len);
	if (!slash) {
		*rest = SLICE_NULL;
		return part;
	}
	part.len = (size_t)(slash - rest->data);
	*rest = slice_of(slash + 1, rest->len - part.len - 1);
	return part;
}

static bool parse_name(struct arena *arena, struct slice part, struct slice *ret_name)
{
	if (slice_is_text(part, ZK_DEFAULT_ENTITY)) {
		*ret_name = SLICE_NULL;
		return true;
	}
	return part.len > 0 && zk_path_desanitize(arena, part, ret_name);
}

static bool parse_entity(struct arena *arena, struct slice type, struct slice name, struct zk_entity *ret_entity)
{
	if (slice_is_text(type, "users") && !ret_entity->has_user && !ret_entity->has_client) {
		ret_entity->has_user = true;
		return parse_name(arena, name, &ret_entity->user);
	}
	if (slice_is_text(type, "clients") && !ret_entity->has_client) {
		ret_entity->has_client = true;
		return parse_name(arena, name, &ret_entity->client);
	}
	if (slice_is_text(type, "ips") && !ret_entity->has_user && !ret_entity->has_client) {
		ret_entity->has_ip = true;
		return parse_name(arena, name, &ret_entity->ip);
	}
	return false;
}

static bool parse_broker(struct arena *arena, struct slice name, int32_t *ret_id)
{
	if (slice_is_text(name, ZK_DEFAULT_ENTITY)) {
		*ret_id = -1;
		return true;
	}
	return zk_path_parse_id(arena_printf(arena, "%.*s", SLICE_ARGS(name)), ret_id);
}

bool zk_path_parse_config(struct arena *arena, struct slice path, struct zk_config_target *ret_target)
{
	static const char prefix[] = ZK_PATH_CONFIG "/";
	struct zk_config_target target = {.broker_id = -1};
	struct slice rest = path, type, name;

	if (path.len > sizeof prefix - 1 && memcmp(path.data, prefix, sizeof prefix - 1) == 0)
		rest = slice_of(path.data + sizeof prefix - 1, path.len - (sizeof prefix - 1));
	type = next_part(&rest);
	name = next_part(&rest);
	if (!name.data || name.len == 0)
		return false;
	if (slice_is_text(type, "topics") && !rest.data) {
		target.kind = ZK_CONFIG_TOPIC;
		target.topic = name;
	} else if (slice_is_text(type, "brokers") && !rest.data) {
		target.kind = ZK_CONFIG_BROKER;
		if (!parse_broker(arena, name, &target.broker_id))
			return false;
	} else {
		target.kind = ZK_CONFIG_ENTITY;
		if (!parse_entity(arena, type, name, &target.entity))
			return false;
		if (rest.data) {
			type = next_part(&rest);
			name = next_part(&rest);
			if (!target.entity.has_user || rest.data || !slice_is_text(type, "clients") ||
			    !parse_entity(arena, type, name, &target.entity))
				return false;
		}
	}
	*ret_target = target;
	return true;
}

/* ---- Names of children ---- */

/* Digits only, no leading zero unless `zeros`, fits an int32. */
static bool parse_digits(const char *text, bool zeros, int64_t max, int64_t *ret_value)
{
	size_t len = strlen(text);
	int64_t value = 0;

	if (len == 0 || len > 10 || (!zeros && len > 1 && text[0] == '0'))
		return false;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		value = value * 10 + (text[i] - '0');
	}
	*ret_value = value;
	return value <= max;
}

bool zk_path_parse_id(const char *name, int32_t *ret_id)
{
	int64_t value;

	if (!parse_digits(name, false, INT32_MAX, &value))
		return false;
	*ret_id = (int32_t)value;
	return true;
}

bool zk_path_parse_sequence(const char *name, const char *prefix, int32_t *ret_number)
{
	size_t len = strlen(prefix);
	bool negative;
	int64_t value;

	if (strncmp(name, prefix, len) != 0)
		return false;
	negative = name[len] == '-';
	if (!parse_digits(name + len + negative, true, INT32_MAX + (int64_t)negative, &value))
		return false;
	*ret_number = (int32_t)(negative ? -value : value);
	return true;
}
