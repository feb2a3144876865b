/*
 * Decisions on AlterConfigs, IncrementalAlterConfigs and the resources of DescribeConfigs; see alter_configs_core.h.
 *
 *     request as a whole (keys twice, null values) -> resource (type, name) -> changes one by one -> the result as a whole
 */
#include "broker/meta/alter_configs_core.h"

#include "broker/meta/topic_config.h"
#include "broker/meta/topic_name_core.h"
#include "common/limits.h"
#include "proto/kafka_error.h"

#include <stdlib.h>

/* A plan in the making: overrides in any order, a deleted one with a null key. */
struct altering {
	const struct view *view;
	const struct broker_config *broker;
	const struct alter_configs_wish *wish;
	struct arena *arena;
	struct alter_configs_plan *plan;
	struct config_pair *pairs;
	int n_pairs;
};

static int16_t refuse(struct altering *altering, int16_t error, const char *message)
{
	altering->plan->message = message;
	return error;
}

/* ---- The request as a whole ---- */

static int compare_changes(const void *a, const void *b)
{
	const struct alter_config *left = a, *right = b;

	return slice_compare(left->key, right->key);
}

static bool has_key_twice(const struct altering *altering)
{
	const struct alter_configs_wish *wish = altering->wish;
	struct alter_config *sorted = arena_alloc(altering->arena, (size_t)wish->n_changes * sizeof *sorted);

	if (wish->n_changes < 2)
		return false;
	memcpy(sorted, wish->changes, (size_t)wish->n_changes * sizeof *sorted);
	qsort(sorted, (size_t)wish->n_changes, sizeof *sorted, compare_changes);
	for (int i = 1; i < wish->n_changes; i++)
		if (slice_equal(sorted[i].key, sorted[i - 1].key))
			return true;
	return false;
}

static int16_t check_request(struct altering *altering)
{
	const struct alter_configs_wish *wish = altering->wish;
	const char *names = NULL;

	if (wish->n_changes > LIMIT_CONFIG_KEYS)
		return refuse(altering, KAFKA_INVALID_REQUEST,
			      arena_printf(altering->arena, "More than %d keys for one resource", LIMIT_CONFIG_KEYS));
	if (has_key_twice(altering))
		return refuse(altering, KAFKA_INVALID_REQUEST, "Error due to duplicate config keys");
	for (int i = 0; i < wish->n_changes; i++) {
		if (!slice_is_null(wish->changes[i].value) || wish->changes[i].op == ALTER_DELETE)
			continue;
		names = names ? arena_printf(altering->arena, "%s,%.*s", names, SLICE_ARGS(wish->changes[i].key))
			      : arena_printf(altering->arena, "%.*s", SLICE_ARGS(wish->changes[i].key));
	}
	if (!names)
		return 0;
	return refuse(altering, KAFKA_INVALID_REQUEST, arena_printf(altering->arena, "Null value not supported for : %s", names));
}

/* ---- The resource ---- */

/* A decimal number of 32 bits as Java reads it: "01" is 1. */
static bool read_id(struct slice text, int32_t *ret_id)
{
	static const struct config_row row = {.name = "id", .type = CONFIG_INT, .fallback = "0"};
	struct config_parsed parsed;
	const char *refusal;
	char room[64];
	struct arena arena;
	bool ok;

	if (text.len > 20 || (text.len && (text.data[0] <= ' ' || text.data[text.len - 1] <= ' ')))
		return false;
	arena_init_with(&arena, room, sizeof room);
	ok = config_parse(&row, text, &arena, &parsed, &refusal);
	arena_fini(&arena);
	if (ok)
		*ret_id = (int32_t)parsed.number;
	return ok;
}

static int16_t check_broker(struct altering *altering, bool describe)
{
	struct slice name = altering->wish->resource_name;
	int32_t own = altering->broker->broker_id;
	int32_t id;

	altering->plan->broker_id = VIEW_DEFAULT_BROKER;
	if (!name.len)
		return 0;
	if (!read_id(name, &id))
		return refuse(altering, KAFKA_INVALID_REQUEST,
			      arena_printf(altering->arena, "%s id must be an integer, but it is: %.*s", describe ? "Broker" : "Node",
					   SLICE_ARGS(name)));
	if (id != own)
		return refuse(altering, KAFKA_INVALID_REQUEST,
			      arena_printf(altering->arena, "Unexpected broker id, expected %d%s, but received %.*s", own,
					   describe ? " or empty string" : "", SLICE_ARGS(name)));
	altering->plan->broker_id = own;
	return 0;
}

static int16_t check_topic(struct altering *altering, bool describe)
{
	struct slice name = altering->wish->resource_name;

	altering->plan->of_topic = true;
	if (!describe && !name.len)
		return refuse(altering, KAFKA_INVALID_REQUEST, "Default topic resources are not allowed.");
	if (describe && !topic_name_check(name, altering->arena, &altering->plan->message))
		return KAFKA_INVALID_TOPIC_EXCEPTION;
	altering->plan->topic = view_topic(altering->view, name);
	if (altering->plan->topic)
		return 0;
	return refuse(altering, KAFKA_UNKNOWN_TOPIC_OR_PARTITION,
		      describe ? "" : arena_printf(altering->arena, "The topic '%.*s' does not exist.", SLICE_ARGS(name)));
}

static int16_t check_resource(struct altering *altering, bool describe)
{
	switch (altering->wish->resource_type) {
	case CONFIG_RESOURCE_TOPIC:
		return check_topic(altering, describe);
	case CONFIG_RESOURCE_BROKER:
		return check_broker(altering, describe);
	case CONFIG_RESOURCE_BROKER_LOGGER:
		return refuse(altering, describe ? KAFKA_INVALID_REQUEST : KAFKA_INVALID_CONFIG, "Klamm has no loggers to configure.");
	default:
		return refuse(altering, KAFKA_INVALID_REQUEST,
			      arena_printf(altering->arena, "Unknown resource type %d", altering->wish->resource_type));
	}
}

/* ---- Changes ---- */

/* The row of a key of this resource; NULL when nobody knows it. */
static const struct config_row *row_of(const struct altering *altering, struct slice key)
{
	const struct config_table *table = altering->plan->of_topic ? topic_config_table() : broker_config_table();
	struct slice base = altering->plan->of_topic ? SLICE_NULL : broker_config_listener_base(key);
	int row = config_table_find(table, slice_is_null(base) ? key : base);

	return row < 0 ? NULL : &table->rows[row];
}

static struct config_pair *find(const struct altering *altering, struct slice key)
{
	for (int i = 0; i < altering->n_pairs; i++)
		if (slice_equal(altering->pairs[i].key, key))
			return &altering->pairs[i];
	return NULL;
}

static void set(struct altering *altering, struct slice key, struct slice value)
{
	struct config_pair *pair = find(altering, key);

	if (!pair)
		pair = &altering->pairs[altering->n_pairs++];
	*pair = (struct config_pair){key, value};
}

static bool list_has(struct slice list, struct slice word)
{
	struct slice element;

	for (size_t at = 0; config_list_next(list, &at, &element);)
		if (slice_equal(element, word))
			return true;
	return false;
}

/* Joins those elements of `list` to `text` that do not stand in `without`. */
static const char *join(struct arena *arena, const char *text, struct slice list, struct slice without)
{
	struct slice element;

	for (size_t at = 0; config_list_next(list, &at, &element);)
		if (!list_has(without, element))
			text = text ? arena_printf(arena, "%s,%.*s", text, SLICE_ARGS(element))
				    : arena_printf(arena, "%.*s", SLICE_ARGS(element));
	return text;
}

/* The elements an "append" of nothing still adds: one that is empty, so that it is refused by the check of the list, as in Kafka. */
static struct slice added_elements(struct slice value)
{
	return value.len ? value : SLICE_LITERAL(",");
}

static int16_t change_list(struct altering *altering, const struct alter_config *change)
{
	const struct config_row *row = row_of(altering, change->key);
	const struct config_pair *pair = find(altering, change->key);
	const char *text;

	if (!row)
		return refuse(altering, altering->plan->of_topic ? KAFKA_INVALID_CONFIG : KAFKA_INVALID_REQUEST,
			      arena_printf(altering->arena, "Unknown %s config name: %.*s", altering->plan->of_topic ? "topic" : "broker",
					   SLICE_ARGS(change->key)));
	if (row->type != CONFIG_LIST)
		return refuse(altering, KAFKA_INVALID_CONFIG,
			      arena_printf(altering->arena, "Config value %s is not allowed for config key: %.*s",
					   change->op == ALTER_APPEND ? "append" : "subtract", SLICE_ARGS(change->key)));

	struct slice old = pair ? pair->value : slice_of_text(row->fallback);

	if (change->op == ALTER_APPEND) {
		text = join(altering->arena, NULL, old, SLICE_LITERAL(""));
		text = join(altering->arena, text, added_elements(change->value), old);
	} else {
		text = join(altering->arena, NULL, old, change->value);
	}
	set(altering, change->key, slice_of_text(text ? text : ""));
	return 0;
}

static int16_t change_one(struct altering *altering, const struct alter_config *change)
{
	struct config_pair *pair;

	switch (change->op) {
	case ALTER_SET:
		set(altering, change->key, change->value);
		return 0;
	case ALTER_DELETE:
		pair = find(altering, change->key);
		if (pair)
			*pair = altering->pairs[--altering->n_pairs];
		return 0;
	case ALTER_APPEND:
	case ALTER_SUBTRACT:
		return change_list(altering, change);
	default:
		return refuse(altering, KAFKA_UNKNOWN_SERVER_ERROR,
			      arena_printf(altering->arena, "Unknown operation %d", change->op));
	}
}

static struct config_pairs present(const struct altering *altering)
{
	if (altering->plan->of_topic)
		return altering->plan->topic->config;
	return view_broker_config(altering->view, altering->plan->broker_id);
}

/* ---- The result as a whole ---- */

/* Refused values are told with the resource they are for; unknown keys and contradictions without, as Kafka does. */
static const char *topic_message(const struct altering *altering, const char *refusal)
{
	if (strncmp(refusal, "Invalid value", 13) != 0)
		return refusal;
	return arena_printf(altering->arena, "Invalid config value for resource ConfigResource(type=TOPIC, name='%.*s'): %s",
			    SLICE_ARGS(altering->wish->resource_name), refusal);
}

static int16_t check_result(struct altering *altering)
{
	struct alter_configs_plan *plan = altering->plan;
	const char *refusal;

	plan->configs = config_pairs_sorted(altering->arena, altering->pairs, altering->n_pairs);
	if (plan->of_topic) {
		if (!topic_config_check(altering->broker, plan->configs, altering->arena, &refusal))
			return refuse(altering, KAFKA_INVALID_CONFIG, topic_message(altering, refusal));
		return 0;
	}
	if (!broker_config_check_dynamic(altering->broker, plan->configs, plan->broker_id == VIEW_DEFAULT_BROKER, altering->arena,
					 &refusal))
		return refuse(altering, KAFKA_INVALID_REQUEST, refusal);
	return 0;
}

static int16_t alter(struct altering *altering)
{
	const struct alter_configs_wish *wish = altering->wish;
	int16_t error = check_request(altering);
	struct config_pairs now;

	if (!error)
		error = check_resource(altering, false);
	if (error)
		return error;
	now = wish->replace ? (struct config_pairs){NULL, 0} : present(altering);
	altering->pairs = arena_alloc(altering->arena, (size_t)(now.n + wish->n_changes) * sizeof *altering->pairs);
	for (int i = 0; i < now.n; i++)
		altering->pairs[altering->n_pairs++] = now.list[i];
	for (int i = 0; i < wish->n_changes && !error; i++)
		error = change_one(altering, &wish->changes[i]);
	return error ? error : check_result(altering);
}

void alter_configs_plan(const struct view *view, const struct broker_config *broker, const struct alter_configs_wish *wish,
			struct arena *arena, struct alter_configs_plan *ret_plan)
{
	struct altering altering = {view, broker, wish, arena, ret_plan, NULL, 0};

	*ret_plan = (struct alter_configs_plan){0};
	ret_plan->error = alter(&altering);
}

void describe_configs_plan(const struct view *view, const struct broker_config *broker, const struct alter_configs_wish *wish,
			   struct arena *arena, struct alter_configs_plan *ret_plan)
{
	struct altering altering = {view, broker, wish, arena, ret_plan, NULL, 0};

	*ret_plan = (struct alter_configs_plan){0};
	ret_plan->error = check_resource(&altering, true);
	if (!ret_plan->error)
		ret_plan->configs = present(&altering);
}
