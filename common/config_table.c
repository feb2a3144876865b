/* Finding, storing and comparing of configuration; see config_table.h. Reading and checking of values is in config_parse.c. */
#include "common/config_table.h"

#include "common/check.h"
#include "common/memory.h"
#include "common/nearest.h"

#include <stdlib.h>

int config_table_find(const struct config_table *table, struct slice name)
{
	int low = 0, high = table->n_rows;

	while (low < high) {
		int middle = (low + high) / 2;
		int order = slice_compare(slice_of_text(table->rows[middle].name), name);

		if (order == 0)
			return middle;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return -1;
}

static const char *row_name(const void *ctx, int i)
{
	const struct config_table *table = ctx;

	return table->rows[i].name;
}

const char *config_table_nearest(const struct config_table *table, struct slice name)
{
	return nearest_name(name, row_name, table, table->n_rows);
}

void config_store(const struct config_row *row, const struct config_parsed *parsed, void *typed)
{
	char *field = (char *)typed + row->offset;

	if (row->offset == CONFIG_NO_FIELD)
		return;
	switch (row->type) {
	case CONFIG_BOOLEAN:
		*(bool *)(void *)field = parsed->boolean;
		break;
	case CONFIG_INT:
	case CONFIG_SHORT:
		*(int32_t *)(void *)field = parsed->is_null ? -1 : (int32_t)parsed->number;
		break;
	case CONFIG_LONG:
		*(int64_t *)(void *)field = parsed->is_null ? -1 : parsed->number;
		break;
	case CONFIG_DOUBLE:
		*(double *)(void *)field = parsed->is_null ? -1 : parsed->real;
		break;
	default:
		*(const char **)(void *)field = (const char *)parsed->text.data;
	}
}

void config_store_defaults(const struct config_table *table, void *typed, struct arena *arena)
{
	for (int i = 0; i < table->n_rows; i++) {
		const struct config_row *row = &table->rows[i];
		struct config_parsed parsed;
		const char *refusal;

		CHECK(config_parse(row, slice_of_text(row->fallback), arena, &parsed, &refusal));
		config_store(row, &parsed, typed);
	}
}

struct slice config_pairs_get(struct config_pairs pairs, struct slice key)
{
	int low = 0, high = pairs.n;

	while (low < high) {
		int middle = (low + high) / 2;
		int order = slice_compare(pairs.list[middle].key, key);

		if (order == 0)
			return pairs.list[middle].value;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return SLICE_NULL;
}

/* Equal keys stay in their order: both point into one array. */
static int compare_pairs(const void *a, const void *b)
{
	const struct config_pair *left = *(const struct config_pair *const *)a, *right = *(const struct config_pair *const *)b;
	int order = slice_compare(left->key, right->key);

	return order ? order : (left > right) - (left < right);
}

struct config_pairs config_pairs_sorted(struct arena *arena, const struct config_pair *list, int n)
{
	const struct config_pair **order = arena_alloc(arena, (size_t)n * sizeof *order);
	struct config_pair *sorted = arena_alloc(arena, (size_t)n * sizeof *sorted);
	int kept = 0;

	for (int i = 0; i < n; i++)
		order[i] = &list[i];
	if (n > 1)
		qsort(order, (size_t)n, sizeof *order, compare_pairs);
	for (int i = 0; i < n; i++) {
		if (kept && slice_equal(sorted[kept - 1].key, order[i]->key))
			kept--;
		sorted[kept++] = *order[i];
	}
	return (struct config_pairs){sorted, kept};
}

bool config_pairs_equal(struct config_pairs a, struct config_pairs b)
{
	if (a.n != b.n)
		return false;
	for (int i = 0; i < a.n; i++)
		if (!slice_equal(a.list[i].key, b.list[i].key) || !slice_equal(a.list[i].value, b.list[i].value))
			return false;
	return true;
}
