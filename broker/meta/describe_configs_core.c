/*
 * Entries of DescribeConfigs; see describe_configs_core.h.
 *
 * The synonyms of a key are gathered layer by layer (one broker, all brokers, file, default), in each layer in the order in which
 * keys of one meaning take precedence; then all before the first that bears the described name is dropped.
 */
#include "broker/meta/describe_configs_core.h"

#include "common/memory.h"

#include <stdlib.h>

/* Room for the synonyms of one key: four layers of at most four names, and the topic's own. */
#define SYNONYMS_MAX 20

static const int8_t source_of_layer[CONFIG_LAYERS] = {
	[CONFIG_DYNAMIC_BROKER] = CONFIG_SOURCE_DYNAMIC_BROKER,
	[CONFIG_DYNAMIC_DEFAULT] = CONFIG_SOURCE_DYNAMIC_DEFAULT,
	[CONFIG_FILE] = CONFIG_SOURCE_STATIC,
	[CONFIG_FALLBACK] = CONFIG_SOURCE_DEFAULT,
};

/* A list that is being made; room is for all that can come. */
struct list {
	struct config_entry *entries;
	int n;
	const struct slice *keys;
	int n_keys;
	struct arena *arena;
};

static bool is_wanted(const struct list *list, struct slice name)
{
	for (int i = 0; i < list->n_keys; i++)
		if (slice_equal(list->keys[i], name))
			return true;
	return list->n_keys < 0;
}

/* Row of a broker key: of the table, one that is dynamic only, or that of a listener key's base; NULL for unknown ones. */
static const struct config_row *broker_row(struct slice key)
{
	int row = config_table_find(broker_config_table(), key);
	struct slice base = broker_config_listener_base(key);

	if (row >= 0)
		return &broker_config_table()->rows[row];
	if (!slice_is_null(base))
		return broker_row(base);
	return broker_config_dynamic_row(key);
}

/* Nobody knows what an unknown key holds, so it is hidden like a password. */
static bool is_sensitive(const struct config_row *row)
{
	return !row || config_is_sensitive(row);
}

/* The names under which a broker key may be set, in order of precedence. */
static int names_of(struct slice key, struct slice names[4])
{
	int n;
	const char *const *group = broker_config_synonyms(key, &n);
	struct slice base = broker_config_listener_base(key);

	for (int i = 0; i < n; i++)
		names[i] = slice_of_text(group[i]);
	if (n)
		return n;
	names[0] = key;
	names[1] = base;
	return slice_is_null(base) ? 1 : 2;
}

/* The synonyms of a broker key; returns how many. */
static int broker_synonyms(const struct broker_config *broker, struct slice key, struct config_synonym *synonyms)
{
	bool sensitive = is_sensitive(broker_row(key));
	struct slice names[4];
	int n_names = names_of(key, names);
	int n = 0;

	for (int layer = 0; layer < CONFIG_LAYERS; layer++) {
		for (int i = 0; i < n_names; i++) {
			struct slice value = broker_config_layer(broker, (enum config_layer)layer, names[i]);

			if (slice_is_null(value) || (n == 0 && !slice_equal(names[i], key)))
				continue;
			synonyms[n++] = (struct config_synonym){names[i], sensitive ? SLICE_NULL : value, source_of_layer[layer]};
		}
	}
	return n;
}

static void add(struct list *list, struct config_entry entry, const struct config_synonym *synonyms, int n_synonyms)
{
	struct config_synonym *kept = arena_alloc(list->arena, (size_t)n_synonyms * sizeof *kept);

	if (n_synonyms)
		memcpy(kept, synonyms, (size_t)n_synonyms * sizeof *kept);
	entry.synonyms = kept;
	entry.n_synonyms = n_synonyms;
	entry.source = n_synonyms ? synonyms[0].source : CONFIG_SOURCE_DEFAULT;
	entry.is_default = entry.source == CONFIG_SOURCE_DEFAULT;
	list->entries[list->n++] = entry;
}

/* ---- Topics ---- */

/* What a typed value of the defaults looks like; text fields as they are. */
static struct slice show_field(const struct config_row *row, const struct topic_config *config, struct arena *arena)
{
	const char *field = (const char *)config + row->offset;
	struct config_parsed parsed = {0};

	switch (row->type) {
	case CONFIG_BOOLEAN:
		parsed.boolean = *(const bool *)field;
		break;
	case CONFIG_INT:
		parsed.number = *(const int32_t *)(const void *)field;
		break;
	case CONFIG_LONG:
		parsed.number = *(const int64_t *)(const void *)field;
		break;
	case CONFIG_DOUBLE:
		parsed.real = *(const double *)(const void *)field;
		break;
	default:
		parsed.text = slice_of_text(*(const char *const *)(const void *)field);
	}
	return config_show(row, &parsed, arena);
}

static struct slice topic_value(const struct config_row *row, const struct topic_config *config, struct config_pairs overrides,
				const struct config_synonym *synonyms, int n_synonyms, struct arena *arena)
{
	struct slice value = config_pairs_get(overrides, slice_of_text(row->name));
	struct config_parsed parsed;
	const char *refusal;

	if (!slice_is_null(value) && config_parse(row, value, arena, &parsed, &refusal))
		return config_show(row, &parsed, arena);
	if (row->offset != CONFIG_NO_FIELD)
		return show_field(row, config, arena);
	for (int i = 0; i < n_synonyms; i++)
		if (synonyms[i].source != CONFIG_SOURCE_TOPIC && config_parse(row, synonyms[i].value, arena, &parsed, &refusal))
			return config_show(row, &parsed, arena);
	return slice_of_text(row->fallback);
}

static void add_topic_key(const struct broker_config *broker, const struct topic_config *config, const struct config_row *row,
			  struct config_pairs overrides, struct list *list)
{
	struct config_synonym synonyms[SYNONYMS_MAX];
	struct slice name = slice_of_text(row->name);
	struct slice override = config_pairs_get(overrides, name);
	int n_broker_keys, n = 0;
	const struct topic_config_synonym *broker_key = topic_config_synonyms(row->name, &n_broker_keys);

	if (!slice_is_null(override))
		synonyms[n++] = (struct config_synonym){name, override, CONFIG_SOURCE_TOPIC};
	if (n_broker_keys)
		n += broker_synonyms(broker, slice_of_text(broker_key->broker_key), synonyms + n);
	add(list,
	    (struct config_entry){
		    .name = name,
		    .value = topic_value(row, config, overrides, synonyms, n, list->arena),
		    .type = (int8_t)row->type,
		    .doc = row->doc,
	    },
	    synonyms, n);
}

void describe_topic_configs(const struct broker_config *broker, struct config_pairs overrides, const struct slice *keys, int n_keys,
			    struct arena *arena, struct config_entries *ret_entries)
{
	const struct config_table *table = topic_config_table();
	struct list list = {arena_alloc(arena, (size_t)table->n_rows * sizeof *list.entries), 0, keys, n_keys, arena};
	struct topic_config config;

	topic_config_compute(broker, overrides, arena, &config, NULL);
	for (int i = 0; i < table->n_rows; i++)
		if (is_wanted(&list, slice_of_text(table->rows[i].name)))
			add_topic_key(broker, &config, &table->rows[i], overrides, &list);
	*ret_entries = (struct config_entries){list.entries, list.n};
}

/* ---- Brokers ---- */

static void add_broker_key(const struct broker_config *broker, struct slice key, struct slice value, struct list *list)
{
	struct config_synonym synonyms[SYNONYMS_MAX];
	const struct config_row *row = broker_row(key);
	bool in_table = config_table_find(broker_config_table(), key) >= 0;
	int n = broker_synonyms(broker, key, synonyms);

	add(list,
	    (struct config_entry){
		    .name = key,
		    .value = is_sensitive(row) ? SLICE_NULL : value,
		    .read_only = !in_table || row->scope == CONFIG_STATIC,
		    .sensitive = is_sensitive(row),
		    .type = row ? (int8_t)row->type : 0,
		    .doc = row ? row->doc : NULL,
	    },
	    synonyms, n);
}

static int compare_entries(const void *a, const void *b)
{
	const struct config_entry *left = a, *right = b;

	return slice_compare(left->name, right->name);
}

/* Keys of a layer that have no row, unless a layer above has had them. */
static void add_extra(const struct broker_config *broker, struct config_pairs pairs, const struct config_pairs *above, int n_above,
		      struct list *list)
{
	for (int i = 0; i < pairs.n; i++) {
		bool had = config_table_find(broker_config_table(), pairs.list[i].key) >= 0;

		for (int j = 0; j < n_above; j++)
			had |= !slice_is_null(config_pairs_get(above[j], pairs.list[i].key));
		if (!had && is_wanted(list, pairs.list[i].key))
			add_broker_key(broker, pairs.list[i].key, pairs.list[i].value, list);
	}
}

void describe_broker_configs(const struct broker_config *broker, const struct slice *keys, int n_keys, struct arena *arena,
			     struct config_entries *ret_entries)
{
	const struct config_table *table = broker_config_table();
	const struct config_pairs layers[] = {broker->dynamic_broker, broker->dynamic_default, broker->extra};
	size_t room = (size_t)(table->n_rows + layers[0].n + layers[1].n + layers[2].n);
	struct list list = {arena_alloc(arena, room * sizeof *list.entries), 0, keys, n_keys, arena};

	for (int i = 0; i < table->n_rows; i++)
		if (!table->rows[i].internal && is_wanted(&list, slice_of_text(table->rows[i].name)))
			add_broker_key(broker, slice_of_text(table->rows[i].name), broker->values[i], &list);
	for (int i = 0; i < (int)ARRAY_LEN(layers); i++)
		add_extra(broker, layers[i], layers, i, &list);
	qsort(list.entries, (size_t)list.n, sizeof *list.entries, compare_entries);
	*ret_entries = (struct config_entries){list.entries, list.n};
}

void describe_default_broker_configs(const struct broker_config *broker, const struct slice *keys, int n_keys, struct arena *arena,
				     struct config_entries *ret_entries)
{
	struct config_pairs pairs = broker->dynamic_default;
	struct list list = {arena_alloc(arena, (size_t)pairs.n * sizeof *list.entries), 0, keys, n_keys, arena};

	for (int i = 0; i < pairs.n; i++) {
		const struct config_row *row = broker_row(pairs.list[i].key);
		struct slice value = is_sensitive(row) ? SLICE_NULL : pairs.list[i].value;
		struct config_synonym synonym = {pairs.list[i].key, value, CONFIG_SOURCE_DYNAMIC_DEFAULT};

		if (!is_wanted(&list, pairs.list[i].key))
			continue;
		add(&list,
		    (struct config_entry){
			    .name = pairs.list[i].key,
			    .value = value,
			    .read_only = config_table_find(broker_config_table(), pairs.list[i].key) < 0,
			    .sensitive = is_sensitive(row),
			    .type = row ? (int8_t)row->type : 0,
			    .doc = row ? row->doc : NULL,
		    },
		    &synonym, 1);
	}
	*ret_entries = (struct config_entries){list.entries, list.n};
}
