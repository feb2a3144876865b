/*
 * Command lines from tables: one row for each option says its name, its value and its help; parsing, checking and --help are
 * done from the rows.
 *
 *     --name VALUE   --name=VALUE   --flag   --na VALUE (an unambiguous beginning)   word   --   word ...
 *
 * So Kafka's own tools read their command lines. An unknown option is refused with the nearest known name. A row with
 * OPTION_ACTION may also be given as a word without dashes ("klamm topics list"), as the first one.
 */
#ifndef KLAMM_TOOLS_KLAMM_ARGS_H
#define KLAMM_TOOLS_KLAMM_ARGS_H

#include "common/arena.h"
#include "common/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum option_flag {
	OPTION_REPEATS = 1,  /* may be given more than once */
	OPTION_HIDDEN = 2,   /* not in the help: accepted for the sake of old scripts */
	OPTION_ACTION = 4,   /* one of the things that the command does */
	OPTION_MAY_LACK = 8, /* its value may be left out: then it is "" */
};

struct option_row {
	const char *name;  /* without dashes; NULL ends a table */
	const char *value; /* what stands for the value in the help; NULL = a flag */
	unsigned flags;
	const char *help; /* one sentence */
};

struct arg {
	const struct option_row *row;
	const char *text;
};

struct args {
	const struct option_row *const *tables; /* ended by NULL */
	struct arg *list;                       /* in the order of the command line */
	int n;
	const char **words; /* what is no option */
	int n_words;
};

/*
 * Reads argv[0..argc) (without the program's name). Texts are views into argv or lie in the arena. ERR_INVALID with a sentence
 * in err.
 */
int args_parse(struct arena *arena, const struct option_row *const *tables, int argc, char *const *argv, struct args *ret_args,
	       struct error *err);

/* The names below are rows of the tables: anything else is a bug. */
bool args_has(const struct args *args, const char *name);

/* The value of an option (of the last one), or `fallback`. */
const char *args_text(const struct args *args, const char *name, const char *fallback);

/* The i-th value of an option that repeats, NULL behind the last. */
const char *args_text_at(const struct args *args, const char *name, int i);

/* A whole number within bounds, `fallback` where the option is missing; ERR_INVALID. */
int args_number(const struct args *args, const char *name, int64_t min, int64_t max, int64_t fallback, int64_t *ret_number,
		struct error *err);

/* The one OPTION_ACTION that is given; ERR_INVALID when it is none or more than one. */
int args_action(const struct args *args, const char **ret_action, struct error *err);

/* ERR_INVALID when there are more words than n. */
int args_words_max(const struct args *args, int n, struct error *err);

/* All rows that are not hidden, wrapped at `width` columns. */
void args_help(const struct option_row *const *tables, FILE *out, int width);

#endif
