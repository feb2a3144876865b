/*
 * Tables for people: columns as wide as their widest cell, numbers to the right.
 *
 *     TOPIC    PARTITIONS  REPLICAS
 *     orders           12         3
 */
#ifndef KLAMM_TOOLS_KLAMM_TABLE_H
#define KLAMM_TOOLS_KLAMM_TABLE_H

#include "common/arena.h"

#include <stdio.h>

#define TABLE_COLUMNS_MAX 16

struct table {
	struct arena *arena;
	int n_columns;
	const char *heads[TABLE_COLUMNS_MAX];
	const char **cells; /* n_rows * n_columns */
	int n_rows;
	int cap_rows;
};

/* heads: one word for each column, separated by '|'. Texts of cells are copied into the arena; control characters become '?'.
 */
void table_init(struct table *table, struct arena *arena, const char *heads);

/* One row: a printf format whose result has its cells separated by '|'. */
void table_row(struct table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Prints head and rows; nothing at all without rows. */
void table_print(const struct table *table, FILE *out);

#endif
