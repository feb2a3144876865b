/* Command lines from tables; see args.h. */
#include "tools/klamm/args.h"

#include "common/check.h"
#include "common/nearest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Steps through the rows of all tables: start with table 0 and row 0. */
struct row_walk {
	const struct option_row *const *table;
	int row;
};

static const struct option_row *row_next(struct row_walk *walk)
{
	while (*walk->table && !(*walk->table)[walk->row].name) {
		walk->table++;
		walk->row = 0;
	}
	return *walk->table ? &(*walk->table)[walk->row++] : NULL;
}

static const struct option_row *row_find(const struct option_row *const *tables, struct slice name)
{
	struct row_walk walk = {tables, 0};
	const struct option_row *row;

	while ((row = row_next(&walk)))
		if (slice_is_text(name, row->name))
			return row;
	return NULL;
}

static const char *row_name_at(const void *ctx, int i)
{
	struct row_walk walk = {ctx, 0};
	const struct option_row *row = row_next(&walk);

	while (i-- > 0)
		row = row_next(&walk);
	return row->name;
}

static int rows_count(const struct option_row *const *tables)
{
	struct row_walk walk = {tables, 0};
	int n = 0;

	while (row_next(&walk))
		n++;
	return n;
}

/* The row of a name or of the beginning of just one name. */
static int row_match(const struct option_row *const *tables, struct slice name, const struct option_row **ret_row,
		     struct error *err)
{
	const struct option_row *row = row_find(tables, name), *first = NULL;
	struct row_walk walk = {tables, 0};
	const char *near;

	if (row) {
		*ret_row = row;
		return 0;
	}
	while (name.len && (row = row_next(&walk))) {
		if (strncmp(row->name, (const char *)name.data, name.len) != 0)
			continue;
		if (first)
			return error_set(err, ERR_INVALID, "--%.*s may be --%s or --%s: write more of it", SLICE_ARGS(name),
					 first->name, row->name);
		first = row;
	}
	if (first) {
		*ret_row = first;
		return 0;
	}
	near = nearest_name(name, row_name_at, tables, rows_count(tables));
	if (near)
		return error_set(err, ERR_INVALID, "unknown option --%.*s: did you mean --%s?", SLICE_ARGS(name), near);
	return error_set(err, ERR_INVALID, "unknown option --%.*s", SLICE_ARGS(name));
}

static int arg_add(struct args *args, const struct option_row *row, const char *text, struct error *err)
{
	for (int i = 0; i < args->n && !(row->flags & OPTION_REPEATS); i++)
		if (args->list[i].row == row)
			return error_set(err, ERR_INVALID, "--%s is given twice", row->name);
	args->list[args->n++] = (struct arg){row, text};
	return 0;
}

struct line {
	struct arena *arena;
	int argc;
	char *const *argv;
	int at;
};

/* The value of the option in argv[at]: behind its '=', or the next word. */
static int value_read(struct line *line, const struct option_row *row, const char *behind, const char **ret_text,
		      struct error *err)
{
	bool next_is_value = line->at + 1 < line->argc && strncmp(line->argv[line->at + 1], "--", 2) != 0;

	*ret_text = "";
	if (behind) {
		if (!row->value)
			return error_set(err, ERR_INVALID, "--%s takes no value", row->name);
		*ret_text = behind;
	} else if (row->value && next_is_value) {
		*ret_text = line->argv[++line->at];
	} else if (row->value && !(row->flags & OPTION_MAY_LACK)) {
		return error_set(err, ERR_INVALID, "--%s needs a value: --%s %s", row->name, row->name, row->value);
	}
	return 0;
}

static int option_read(struct line *line, struct args *args, struct error *err)
{
	const char *name = line->argv[line->at] + 2, *equals = strchr(name, '='), *text = "";
	struct slice bare = slice_of(name, equals ? (size_t)(equals - name) : strlen(name));
	const struct option_row *row = NULL;
	int r = row_match(args->tables, bare, &row, err);

	if (r == 0)
		r = value_read(line, row, equals ? equals + 1 : NULL, &text, err);
	return r ? r : arg_add(args, row, text, err);
}

/* An action without its dashes stands for the option. */
static int word_read(struct args *args, const char *word, struct error *err)
{
	const struct option_row *row = row_find(args->tables, slice_of_text(word));

	if (args->n_words == 0 && row && row->flags & OPTION_ACTION)
		return arg_add(args, row, "", err);
	args->words[args->n_words++] = word;
	return 0;
}

int args_parse(struct arena *arena, const struct option_row *const *tables, int argc, char *const *argv, struct args *ret_args,
	       struct error *err)
{
	struct line line = {arena, argc, argv, 0};
	struct args args = {.tables = tables};
	bool options = true;
	int r = 0;

	args.list = arena_zalloc(arena, (size_t)argc + 1, sizeof *args.list);
	args.words = arena_zalloc(arena, (size_t)argc + 1, sizeof *args.words);
	for (; r == 0 && line.at < argc; line.at++) {
		const char *word = argv[line.at];

		if (options && strcmp(word, "--") == 0)
			options = false;
		else if (options && strncmp(word, "--", 2) == 0)
			r = option_read(&line, &args, err);
		else if (options && word[0] == '-' && word[1])
			r = error_set(err, ERR_INVALID, "unknown option %s: options begin with two dashes", word);
		else
			r = word_read(&args, word, err);
	}
	if (r == 0)
		*ret_args = args;
	return r;
}

/* The last arg of a name that is in the tables. */
static const struct arg *arg_find(const struct args *args, const char *name)
{
	const struct arg *found = NULL;

	CHECK(row_find(args->tables, slice_of_text(name)));
	for (int i = 0; i < args->n; i++)
		if (strcmp(args->list[i].row->name, name) == 0)
			found = &args->list[i];
	return found;
}

bool args_has(const struct args *args, const char *name)
{
	return arg_find(args, name) != NULL;
}

const char *args_text(const struct args *args, const char *name, const char *fallback)
{
	const struct arg *arg = arg_find(args, name);

	return arg ? arg->text : fallback;
}

const char *args_text_at(const struct args *args, const char *name, int i)
{
	for (int at = 0; at < args->n; at++)
		if (strcmp(args->list[at].row->name, name) == 0 && i-- == 0)
			return args->list[at].text;
	return NULL;
}

int args_number(const struct args *args, const char *name, int64_t min, int64_t max, int64_t fallback, int64_t *ret_number,
		struct error *err)
{
	const char *text = args_text(args, name, NULL);
	long long number;
	char *end;

	if (!text) {
		*ret_number = fallback;
		return 0;
	}
	errno = 0;
	number = strtoll(text, &end, 10);
	if (end == text || *end || errno || number < min || number > max)
		return error_set(err, ERR_INVALID, "--%s %s: a whole number from %lld to %lld belongs there", name, text,
				 (long long)min, (long long)max);
	*ret_number = number;
	return 0;
}

/* "--create, --list, --delete" */
static const char *actions_text(const struct args *args, char *text, size_t size)
{
	struct row_walk walk = {args->tables, 0};
	const struct option_row *row;
	size_t len = 0;

	*text = 0;
	while ((row = row_next(&walk)))
		if (row->flags & OPTION_ACTION && !(row->flags & OPTION_HIDDEN) && len < size)
			len += (size_t)snprintf(text + len, size - len, "%s--%s", len ? ", " : "", row->name);
	return text;
}

int args_action(const struct args *args, const char **ret_action, struct error *err)
{
	const char *action = NULL;
	char text[256];

	for (int i = 0; i < args->n; i++) {
		if (!(args->list[i].row->flags & OPTION_ACTION))
			continue;
		if (action)
			return error_set(err, ERR_INVALID, "--%s and --%s exclude each other: give one of %s", action,
					 args->list[i].row->name, actions_text(args, text, sizeof text));
		action = args->list[i].row->name;
	}
	if (!action)
		return error_set(err, ERR_INVALID, "say what to do: one of %s", actions_text(args, text, sizeof text));
	*ret_action = action;
	return 0;
}

int args_words_max(const struct args *args, int n, struct error *err)
{
	if (args->n_words <= n)
		return 0;
	return error_set(err, ERR_INVALID, "'%s' is not understood here", args->words[n]);
}

/* Text in lines of at most `width` columns, all but the first indented. */
static void wrap(FILE *out, const char *text, int indent, int width)
{
	int column = indent;

	while (*text) {
		int len = (int)strcspn(text, " ");

		if (column > indent && column + 1 + len > width) {
			fprintf(out, "\n%*s", indent, "");
			column = indent;
		}
		column += fprintf(out, "%s%.*s", column > indent ? " " : "", len, text);
		text += len + (text[len] == ' ');
	}
	fputc('\n', out);
}

#define HELP_INDENT 34

void args_help(const struct option_row *const *tables, FILE *out, int width)
{
	struct row_walk walk = {tables, 0};
	const struct option_row *row;

	while ((row = row_next(&walk))) {
		int column;

		if (row->flags & OPTION_HIDDEN)
			continue;
		column = fprintf(out, "  --%s", row->name);
		if (row->value && row->flags & OPTION_MAY_LACK)
			column += fprintf(out, " [%s]", row->value);
		else if (row->value)
			column += fprintf(out, " %s", row->value);
		if (column > HELP_INDENT - 2)
			column = fprintf(out, "\n") - 1;
		fprintf(out, "%*s", HELP_INDENT - column, "");
		wrap(out, row->help, HELP_INDENT, width);
	}
}
