/*
 * Configuration as tables: one row for each key says all there is to know about it. Reading, checking, describing, defaults and
 * suggestions are done from the rows, so that a new key is a new row.
 *
 *     rows (sorted by name)     "socket.request.max.bytes", INT, "104857600", at least 1, ..., offset in a typed struct
 *        |            |
 *        |            `-- config_table_apply(): text -> checked -> field of the typed struct
 *        `-- config_parse(): text -> struct config_parsed, or the refusal in Kafka's words
 *
 * Texts of refusals are Kafka's ("Value must be at least 14"), since its tools and tests show and match them. Pure: no I/O, no
 * heap, no tracing. Codes of types are those of DescribeConfigs on the wire.
 */
#ifndef KLAMM_COMMON_CONFIG_TABLE_H
#define KLAMM_COMMON_CONFIG_TABLE_H

#include "common/arena.h"
#include "common/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum config_type {
	CONFIG_BOOLEAN = 1,
	CONFIG_STRING = 2,
	CONFIG_INT = 3,
	CONFIG_SHORT = 4,
	CONFIG_LONG = 5,
	CONFIG_DOUBLE = 6,
	CONFIG_LIST = 7, /* a string with commas */
	CONFIG_CLASS = 8,
	CONFIG_PASSWORD = 9,
};

/* Who may change a key while the broker runs. */
enum config_scope {
	CONFIG_STATIC,     /* nobody: read at the start */
	CONFIG_PER_BROKER, /* for one broker */
	CONFIG_CLUSTER,    /* for one broker, or for all of them by the default entity */
};

enum config_importance { CONFIG_HIGH, CONFIG_MEDIUM, CONFIG_LOW };

enum config_check {
	CHECK_ANY,          /* whatever the type takes */
	CHECK_AT_LEAST,     /* min */
	CHECK_BETWEEN,      /* min to max */
	CHECK_LEVEL,        /* min to max, or -1 */
	CHECK_RATIO,        /* a double from 0 to 1 */
	CHECK_ONE_OF,       /* one of the words in allowed */
	CHECK_LIST_OF,      /* each element one of the words in allowed */
	CHECK_NOT_EMPTY,    /* a text or list with something in it */
	CHECK_VERSION,      /* a version of Kafka up to 3.9 (or 4.0, which its tables know already) */
	CHECK_THROTTLED,    /* "*" or partition:broker,... */
};

#define CONFIG_NO_FIELD UINT16_MAX

struct config_row {
	const char *name;
	const char *fallback;   /* default; NULL = null */
	const char *allowed;    /* CHECK_ONE_OF, CHECK_LIST_OF: "a, b, c" */
	const char *doc;        /* one sentence */
	int64_t min, max;
	uint8_t type;           /* enum config_type */
	uint8_t check;          /* enum config_check */
	uint8_t importance;
	uint8_t scope;
	bool no_effect;         /* accepted and shown, but Klamm has no use for it */
	bool of_controller;     /* what counts is the controller's file: Kafka's controllers are brokers, ours are not */
	bool internal;          /* not listed, as in Kafka */
	uint16_t offset;        /* of the field in the typed struct of the table, or CONFIG_NO_FIELD */
};

struct config_table {
	const struct config_row *rows; /* sorted by name */
	int n_rows;
};

/* A key and its value, as znodes and requests have them. A null value (IncrementalAlterConfigs) is SLICE_NULL. */
struct config_pair {
	struct slice key;
	struct slice value;
};

/* Pairs sorted by key, each key once, where they describe overrides. */
struct config_pairs {
	const struct config_pair *list;
	int n;
};

struct config_parsed {
	bool is_null;
	bool boolean;
	int64_t number; /* int, short, long */
	double real;
	struct slice text; /* string, list, class, password: trimmed; a 0 byte behind it */
};

/* Index of a key; -1 when the table does not have it. */
int config_table_find(const struct config_table *table, struct slice name);

/* The name of the nearest row to a misspelled key; NULL when none is near. */
const char *config_table_nearest(const struct config_table *table, struct slice name);

/*
 * Reads and checks one value. True: ret_parsed is set. False: ret_refusal is set, to what Kafka says, "Invalid value x for
 * configuration k: Not a number of type INT". A null value is allowed where the default is null.
 */
bool config_parse(const struct config_row *row, struct slice value, struct arena *arena, struct config_parsed *ret_parsed,
		  const char **ret_refusal);

/* A value as DescribeConfigs shows it: numbers without '+' and leading zeros, lists without blanks; null stays null. */
struct slice config_show(const struct config_row *row, const struct config_parsed *parsed, struct arena *arena);

/* Puts a parsed value into the typed struct at row->offset: bool, int32_t (INT, SHORT), int64_t, double, const char *. */
void config_store(const struct config_row *row, const struct config_parsed *parsed, void *typed);

/* Puts every row's default into the typed struct. */
void config_store_defaults(const struct config_table *table, void *typed, struct arena *arena);

/* What may stand there, for error messages: "an integer from 1 to 9", "one of: a, b"; in the arena or static. */
const char *config_allowed_text(const struct config_row *row, struct arena *arena);

static inline bool config_is_sensitive(const struct config_row *row)
{
	return row->type == CONFIG_PASSWORD;
}

/* The value of a key in sorted pairs; SLICE_NULL when it is not there. */
struct slice config_pairs_get(struct config_pairs pairs, struct slice key);

/* A copy of pairs sorted by key; of equal keys the last one stays. Only the list is copied, not the text. */
struct config_pairs config_pairs_sorted(struct arena *arena, const struct config_pair *list, int n);

bool config_pairs_equal(struct config_pairs a, struct config_pairs b);

/*
 * Steps through the elements of a list value: trimmed text between commas, as Kafka splits (an empty list has none, "a," has two,
 * the second empty). Start with *at = 0; false at the end.
 */
bool config_list_next(struct slice list, size_t *at, struct slice *ret_element);

#endif
