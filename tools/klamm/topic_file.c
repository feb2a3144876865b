/* YAML files of topics; see topic_file.h. libyaml makes a tree of nodes, which is walked here. */
#include "tools/klamm/topic_file.h"

#include "common/memory.h"
#include "common/nearest.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

struct reading {
	struct arena *arena;
	const char *origin;
	yaml_document_t *document;
	struct error *err;
	struct topic_spec defaults;
	struct topic_spec *specs;
	int n_specs;
};

/* One key that a mapping may have. */
struct key_row {
	const char *name;
	int (*read)(struct reading *reading, const yaml_node_t *value, struct topic_spec *spec);
};

#define fail(reading, node, ...) fail_at((reading), (int)(node)->start_mark.line + 1, __VA_ARGS__)

static int __attribute__((format(printf, 3, 4))) fail_at(struct reading *reading, int line, const char *format, ...)
{
	char text[400];
	va_list list;

	va_start(list, format);
	vsnprintf(text, sizeof text, format, list);
	va_end(list);
	return error_set(reading->err, ERR_CONFIG, "%s:%d: %s", reading->origin, line, text);
}

static const yaml_node_t *node_at(const struct reading *reading, int index)
{
	return yaml_document_get_node(reading->document, index);
}

static struct slice scalar(const yaml_node_t *node)
{
	return slice_of(node->data.scalar.value, node->data.scalar.length);
}

static const char *row_name_at(const void *ctx, int i)
{
	return ((const struct key_row *)ctx)[i].name;
}

/* Reads a mapping by its table of keys (ended by a NULL name). */
static int mapping_read(struct reading *reading, const yaml_node_t *node, const struct key_row *rows, const char *what,
			struct topic_spec *spec)
{
	int n_rows = 0;

	if (node->type != YAML_MAPPING_NODE)
		return fail(reading, node, "%s is a mapping of keys to values", what);
	while (rows[n_rows].name)
		n_rows++;
	for (yaml_node_pair_t *pair = node->data.mapping.pairs.start; pair < node->data.mapping.pairs.top; pair++) {
		const yaml_node_t *key = node_at(reading, pair->key);
		const char *near;
		int row = 0, r;

		if (key->type != YAML_SCALAR_NODE)
			return fail(reading, key, "a key is a text");
		while (row < n_rows && !slice_is_text(scalar(key), rows[row].name))
			row++;
		near = nearest_name(scalar(key), row_name_at, rows, n_rows);
		if (row == n_rows)
			return fail(reading, key, "%s has no key '%.*s'%s%s%s", what, SLICE_ARGS(scalar(key)),
				    near ? ": did you mean '" : "", near ? near : "", near ? "'?" : "");
		for (yaml_node_pair_t *other = node->data.mapping.pairs.start; other < pair; other++)
			if (slice_equal(scalar(node_at(reading, other->key)), scalar(key)))
				return fail(reading, key, "'%.*s' stands twice", SLICE_ARGS(scalar(key)));
		r = rows[row].read(reading, node_at(reading, pair->value), spec);
		if (r != 0)
			return r;
	}
	return 0;
}

static int number_read(struct reading *reading, const yaml_node_t *value, const char *what, int32_t max, int32_t *ret_number)
{
	char text[16] = "", *end;
	long number;

	if (value->type == YAML_SCALAR_NODE && value->data.scalar.length < sizeof text)
		memcpy(text, value->data.scalar.value, value->data.scalar.length);
	number = strtol(text, &end, 10);
	if (end == text || *end || number < 1 || number > max)
		return fail(reading, value, "%s is a whole number from 1 to %d", what, max);
	*ret_number = (int32_t)number;
	return 0;
}

static int partitions_read(struct reading *reading, const yaml_node_t *value, struct topic_spec *spec)
{
	return number_read(reading, value, "partitions", INT32_MAX, &spec->partitions);
}

static int replication_read(struct reading *reading, const yaml_node_t *value, struct topic_spec *spec)
{
	return number_read(reading, value, "replication-factor", INT16_MAX, &spec->replication_factor);
}

static int name_read(struct reading *reading, const yaml_node_t *value, struct topic_spec *spec)
{
	if (value->type != YAML_SCALAR_NODE || value->data.scalar.length == 0)
		return fail(reading, value, "a name is a text");
	spec->name = arena_copy(reading->arena, scalar(value));
	return 0;
}

/* A scalar as it stands; the elements of a list with commas between them. */
static int config_value_read(struct reading *reading, const yaml_node_t *value, struct slice *ret_value)
{
	const char *text = "";

	if (value->type == YAML_SCALAR_NODE) {
		*ret_value = arena_copy(reading->arena, scalar(value));
		return 0;
	}
	if (value->type != YAML_SEQUENCE_NODE)
		return fail(reading, value, "the value of a config is a text, a number or a list of them");
	for (yaml_node_item_t *item = value->data.sequence.items.start; item < value->data.sequence.items.top; item++) {
		const yaml_node_t *element = node_at(reading, *item);

		if (element->type != YAML_SCALAR_NODE)
			return fail(reading, element, "an element of a list is a text or a number");
		text = arena_printf(reading->arena, "%s%s%.*s", text, *text ? "," : "", SLICE_ARGS(scalar(element)));
	}
	*ret_value = slice_of_text(text);
	return 0;
}

static struct config_pair *config_find(struct topic_spec *spec, struct slice key)
{
	for (int i = 0; i < spec->n_configs; i++)
		if (slice_equal(spec->configs[i].key, key))
			return &spec->configs[i];
	return NULL;
}

static int configs_read(struct reading *reading, const yaml_node_t *value, struct topic_spec *spec)
{
	if (value->type == YAML_SCALAR_NODE && value->data.scalar.length == 0)
		return 0;
	if (value->type != YAML_MAPPING_NODE)
		return fail(reading, value, "configs is a mapping of names to values");
	spec->configs =
		arena_zalloc(reading->arena, (size_t)(value->data.mapping.pairs.top - value->data.mapping.pairs.start) + 1,
			     sizeof *spec->configs);
	spec->n_configs = 0;
	for (yaml_node_pair_t *pair = value->data.mapping.pairs.start; pair < value->data.mapping.pairs.top; pair++) {
		const yaml_node_t *key = node_at(reading, pair->key);
		struct config_pair config;
		int r;

		if (key->type != YAML_SCALAR_NODE || key->data.scalar.length == 0)
			return fail(reading, key, "the name of a config is a text");
		config.key = arena_copy(reading->arena, scalar(key));
		if (config_find(spec, config.key))
			return fail(reading, key, "config '%.*s' stands twice", SLICE_ARGS(config.key));
		r = config_value_read(reading, node_at(reading, pair->value), &config.value);
		if (r != 0)
			return r;
		spec->configs[spec->n_configs++] = config;
	}
	return 0;
}

/* What the topic does not say itself comes from the defaults. */
static void defaults_take(struct reading *reading, struct topic_spec *spec)
{
	const struct topic_spec *defaults = &reading->defaults;
	struct config_pair *own = spec->configs;
	int n_own = spec->n_configs;

	if (spec->partitions < 0)
		spec->partitions = defaults->partitions;
	if (spec->replication_factor < 0)
		spec->replication_factor = defaults->replication_factor;
	spec->configs = arena_zalloc(reading->arena, (size_t)(n_own + defaults->n_configs) + 1, sizeof *own);
	if (n_own)
		memcpy(spec->configs, own, (size_t)n_own * sizeof *own);
	for (int i = 0; i < defaults->n_configs; i++)
		if (!config_find(spec, defaults->configs[i].key))
			spec->configs[spec->n_configs++] = defaults->configs[i];
}

static int topic_read(struct reading *reading, const yaml_node_t *node)
{
	static const struct key_row rows[] = {{"name", name_read},
					      {"partitions", partitions_read},
					      {"replication-factor", replication_read},
					      {"configs", configs_read},
					      {NULL, NULL}};
	struct topic_spec spec = {.partitions = -1, .replication_factor = -1, .line = (int)node->start_mark.line + 1};
	int r = mapping_read(reading, node, rows, "a topic", &spec);

	if (r != 0)
		return r;
	if (slice_is_null(spec.name))
		return fail(reading, node, "a topic needs a name");
	for (int i = 0; i < reading->n_specs; i++)
		if (slice_equal(reading->specs[i].name, spec.name))
			return fail(reading, node, "topic '%.*s' stands twice, first in line %d", SLICE_ARGS(spec.name),
				    reading->specs[i].line);
	reading->specs[reading->n_specs++] = spec;
	return 0;
}

static int topics_read(struct reading *reading, const yaml_node_t *value, struct topic_spec *unused)
{
	(void)unused;
	if (value->type == YAML_SCALAR_NODE && value->data.scalar.length == 0)
		return 0;
	if (value->type != YAML_SEQUENCE_NODE)
		return fail(reading, value, "topics is a list: each begins with '- name: ...'");
	reading->specs =
		arena_zalloc(reading->arena, (size_t)(value->data.sequence.items.top - value->data.sequence.items.start) + 1,
			     sizeof *reading->specs);
	for (yaml_node_item_t *item = value->data.sequence.items.start; item < value->data.sequence.items.top; item++) {
		int r = topic_read(reading, node_at(reading, *item));

		if (r != 0)
			return r;
	}
	return 0;
}

static int defaults_read(struct reading *reading, const yaml_node_t *value, struct topic_spec *unused)
{
	static const struct key_row rows[] = {{"partitions", partitions_read},
					      {"replication-factor", replication_read},
					      {"configs", configs_read},
					      {NULL, NULL}};

	(void)unused;
	return mapping_read(reading, value, rows, "defaults", &reading->defaults);
}

static int document_read(struct reading *reading)
{
	static const struct key_row rows[] = {{"defaults", defaults_read}, {"topics", topics_read}, {NULL, NULL}};
	const yaml_node_t *root = yaml_document_get_root_node(reading->document);
	int r;

	if (!root)
		return error_set(reading->err, ERR_CONFIG, "%s is empty: it needs a list of topics", reading->origin);
	r = mapping_read(reading, root, rows, "the file", NULL);
	for (int i = 0; r == 0 && i < reading->n_specs; i++)
		defaults_take(reading, &reading->specs[i]);
	return r;
}

int topic_file_parse(struct arena *arena, struct slice text, const char *origin, struct topic_spec **ret_specs, int *ret_n,
		     struct error *err)
{
	struct reading reading = {.arena = arena, .origin = origin, .err = err};
	yaml_document_t document;
	yaml_parser_t parser;
	int r;

	reading.defaults = (struct topic_spec){.partitions = -1, .replication_factor = -1};
	if (!yaml_parser_initialize(&parser))
		return error_set(err, ERR_NO_MEMORY, "%s: out of memory", origin);
	yaml_parser_set_input_string(&parser, text.data, text.len);
	if (yaml_parser_load(&parser, &document)) {
		reading.document = &document;
		r = document_read(&reading);
		yaml_document_delete(&document);
	} else {
		r = error_set(err, ERR_CONFIG, "%s:%d: no valid YAML: %s", origin, (int)parser.problem_mark.line + 1,
			      parser.problem ? parser.problem : "unreadable");
	}
	yaml_parser_delete(&parser);
	if (r == 0) {
		*ret_specs = reading.specs;
		*ret_n = reading.n_specs;
	}
	return r;
}

static int file_load(FILE *file, const char *path, char **ret_text, size_t *ret_len, struct error *err)
{
	size_t cap = 1 << 16, len = 0;
	char *text = memory_alloc(cap);

	for (;;) {
		size_t n = fread(text + len, 1, cap - len, file);

		len += n;
		if (n == 0)
			break;
		if (len > TOPIC_FILE_BYTES_MAX) {
			free(text);
			return error_set(err, ERR_TOO_LARGE, "%s is larger than %d bytes", path, TOPIC_FILE_BYTES_MAX);
		}
		if (len == cap)
			text = memory_grow(text, cap *= 2);
	}
	if (ferror(file)) {
		free(text);
		return error_set(err, ERR_IO, "%s cannot be read: %s", path, strerror(errno));
	}
	*ret_text = text;
	*ret_len = len;
	return 0;
}

int topic_file_read(struct arena *arena, const char *path, struct topic_spec **ret_specs, int *ret_n, struct error *err)
{
	FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	const char *origin = arena_printf(arena, "%s", file == stdin ? "standard input" : path);
	char *text = NULL;
	size_t len = 0;
	int r;

	if (!file)
		return error_set(err, ERR_NOT_FOUND, "%s cannot be read: %s", path, strerror(errno));
	r = file_load(file, origin, &text, &len, err);
	if (file != stdin)
		fclose(file);
	if (r != 0)
		return r;
	r = topic_file_parse(arena, slice_of(text, len), origin, ret_specs, ret_n, err);
	free(text);
	return r;
}
