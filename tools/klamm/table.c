/* Tables for people; see table.h. */
#include "tools/klamm/table.h"

#include "common/check.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Splits text at '|' in place. */
static int cells_split(char *text, const char **ret_cells, int max)
{
	int n = 0;

	for (char *at = text;; at++) {
		char *bar = strchr(at, '|');

		CHECK(n < max);
		ret_cells[n++] = at;
		if (!bar)
			return n;
		*bar = 0;
		at = bar;
	}
}

void table_init(struct table *table, struct arena *arena, const char *heads)
{
	*table = (struct table){.arena = arena};
	table->n_columns = cells_split(arena_printf(arena, "%s", heads), table->heads, TABLE_COLUMNS_MAX);
}

static void rows_grow(struct table *table)
{
	size_t row = (size_t)table->n_columns * sizeof *table->cells;
	const char **cells;

	if (table->n_rows < table->cap_rows)
		return;
	table->cap_rows = table->cap_rows ? 2 * table->cap_rows : 16;
	cells = arena_alloc(table->arena, (size_t)table->cap_rows * row);
	if (table->n_rows)
		memcpy(cells, table->cells, (size_t)table->n_rows * row);
	table->cells = cells;
}

void table_row(struct table *table, const char *format, ...)
{
	const char *cells[TABLE_COLUMNS_MAX];
	va_list list;
	char *text;
	int n;

	va_start(list, format);
	n = vasprintf(&text, format, list);
	va_end(list);
	CHECK(n >= 0);
	for (char *at = text; *at; at++)
		if (iscntrl((unsigned char)*at))
			*at = '?';
	CHECK(cells_split((char *)arena_copy(table->arena, slice_of(text, (size_t)n)).data, cells, TABLE_COLUMNS_MAX) ==
	      table->n_columns);
	free(text);
	rows_grow(table);
	memcpy(table->cells + table->n_rows++ * table->n_columns, cells, (size_t)table->n_columns * sizeof *cells);
}

/* Columns that a text of UTF-8 takes, one for each character. */
static int text_width(const char *text)
{
	int width = 0;

	for (; *text; text++)
		width += ((unsigned char)*text & 0xc0) != 0x80;
	return width;
}

static bool text_is_number(const char *text)
{
	if (*text == '-')
		return !text[1] || text_is_number(text + 1);
	for (const char *at = text; *at; at++)
		if (!isdigit((unsigned char)*at) && *at != '.')
			return false;
	return *text != 0;
}

struct column {
	int width;
	bool is_number;
};

static struct column column_measure(const struct table *table, int column)
{
	struct column measured = {text_width(table->heads[column]), true};

	for (int row = 0; row < table->n_rows; row++) {
		const char *cell = table->cells[row * table->n_columns + column];
		int width = text_width(cell);

		measured.width = width > measured.width ? width : measured.width;
		measured.is_number = measured.is_number && text_is_number(cell);
	}
	return measured;
}

static void row_print(const struct table *table, const struct column *columns, const char *const *cells, FILE *out)
{
	for (int i = 0; i < table->n_columns; i++) {
		int space = columns[i].width - text_width(cells[i]);
		bool last = i == table->n_columns - 1;

		fprintf(out, "%*s%s%*s%s", columns[i].is_number ? space : 0, "", cells[i],
			columns[i].is_number || last ? 0 : space, "", last ? "\n" : "  ");
	}
}

void table_print(const struct table *table, FILE *out)
{
	struct column columns[TABLE_COLUMNS_MAX];

	if (table->n_rows == 0)
		return;
	for (int i = 0; i < table->n_columns; i++)
		columns[i] = column_measure(table, i);
	row_print(table, columns, table->heads, out);
	for (int row = 0; row < table->n_rows; row++)
		row_print(table, columns, table->cells + row * table->n_columns, out);
}
