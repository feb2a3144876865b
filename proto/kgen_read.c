/*
 * The reader of kgen: lines to struct unit. Line by line; a field that is followed by a deeper line declares a struct.
 * What a line says about others (types, ranges, tags) is checked later, in kgen_check.c.
 */
#include "proto/kgen.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define TOKENS_MAX 32

struct line {
	int number;
	int level; /* two spaces each */
	int n;
	const char *tokens[TOKENS_MAX + 1]; /* NULL behind the last */
	const char *comment;                /* "" = none */
};

struct reader {
	struct unit *unit;
	struct section *section;
	struct def *open[DEPTH_MAX + 2];   /* by level: the struct that lines of this level belong to */
	struct field *last[DEPTH_MAX + 2]; /* by level: the field read last, NULL = none */
	int level;                         /* of the line before */
	char *comment;                     /* whole-line comments that wait for what they are about */
};

static bool is_name(const char *text)
{
	if (!islower((unsigned char)*text))
		return false;
	for (; *text; text++) {
		if (!islower((unsigned char)*text) && !isdigit((unsigned char)*text) && *text != '_')
			return false;
	}
	return true;
}

/* "3+", "0-12", "5"; false when it is none of these. */
static bool range_parse(const char *text, struct range *ret_range)
{
	struct range range = {.given = true};
	char *end;

	if (!text || !isdigit((unsigned char)*text))
		return false;
	range.since = range.until = (int)strtol(text, &end, 10);
	if (*end == '+') {
		range.until = -1;
		end++;
	} else if (*end == '-' && isdigit((unsigned char)end[1])) {
		range.until = (int)strtol(end + 1, &end, 10);
	}
	if (*end || range.since > 1000 || range.until > 1000 || (range.until >= 0 && range.until < range.since))
		return false;
	*ret_range = range;
	return true;
}

static int number_of(const struct reader *reader, const struct line *line, const char *text, const char *what)
{
	char *end;
	long value = text ? strtol(text, &end, 10) : 0;

	if (!text || !isdigit((unsigned char)*text) || *end || value > 2147483647)
		refuse(reader->unit, line->number, "%s needs a number", what);
	return (int)value;
}

/* Splits a line in place into its level, its words and the comment behind them. */
static void line_split(const struct unit *unit, char *text, struct line *line)
{
	char *at = text + strspn(text, " ");

	line->n = 0;
	line->comment = "";
	line->level = (int)(at - text) / 2;
	if (strchr(text, '\t'))
		refuse(unit, line->number, "a tab: indent by two spaces and separate words by spaces");
	if (strstr(text, "*/"))
		refuse(unit, line->number, "*/ would end a comment of the generated header");
	while (*at) {
		char *start = at;

		if (*at == '#') {
			line->comment = at + 1 + strspn(at + 1, " ");
			break;
		}
		if (*at == '"') {
			at = strchr(at + 1, '"');
			if (!at)
				refuse(unit, line->number, "a text without its closing quote");
			at++;
		} else {
			at += strcspn(at, " ");
		}
		if (line->n == TOKENS_MAX)
			refuse(unit, line->number, "too many words");
		line->tokens[line->n++] = start;
		if (*at && *at != ' ')
			refuse(unit, line->number, "words need a space between them");
		start = at;
		at += strspn(at, " ");
		*start = 0;
	}
	line->tokens[line->n] = NULL;
	if (line->n && (int)(line->tokens[0] - text) != line->level * 2)
		refuse(unit, line->number, "indent by two spaces a level");
}

static char *comment_take(struct reader *reader)
{
	char *comment = reader->comment;

	reader->comment = text_of("%s", "");
	return comment;
}

static void head_read(struct reader *reader, const struct line *line)
{
	struct unit *unit = reader->unit;
	int at = 1;

	unit->line = line->number;
	unit->record = strcmp(line->tokens[0], "record") == 0;
	if (!unit->record && strcmp(line->tokens[0], "api") != 0)
		refuse(unit, line->number, "a schema begins with `api Name key` or `record Name`");
	if (line->n < 2 || !isupper((unsigned char)line->tokens[1][0]))
		refuse(unit, line->number, "the name must be Kafka's, in capitals and small letters");
	unit->name = line->tokens[at++];
	unit->snake = snake_of(unit->name);
	if (!unit->record)
		unit->key = number_of(reader, line, line->tokens[at++], "the api key");
	if (line->n != at + 4 || strcmp(line->tokens[at], "versions") != 0 ||
	    !range_parse(line->tokens[at + 1], &unit->versions) || unit->versions.until < 0 ||
	    strcmp(line->tokens[at + 2], "flexible") != 0)
		refuse(unit, line->number, "the head goes on with `versions FROM-TO  flexible FROM+` or `flexible none`");
	unit->flexible = NONE_SINCE;
	if (strcmp(line->tokens[at + 3], "none") != 0) {
		struct range flexible;

		if (!range_parse(line->tokens[at + 3], &flexible) || flexible.until >= 0 ||
		    flexible.since > unit->versions.until)
			refuse(unit, line->number, "flexible takes none, or the first version and a +");
		unit->flexible = flexible.since;
	}
	unit->comment = comment_take(reader);
}

static void section_read(struct reader *reader, const struct line *line)
{
	static const char *const names[] = {"request", "response", "body"};
	static const char *const suffixes[] = {"Request", "Response", ""};
	struct unit *unit = reader->unit;
	int kind = unit->record ? 2 : unit->n_sections;
	struct section *section;

	if (unit->n_sections == (unit->record ? 1 : 2) || line->n != 1 || strcmp(line->tokens[0], names[kind]) != 0)
		refuse(unit, line->number, "expected %s",
		       unit->record ? "`body`, once" : "`request`, then `response`, once each");
	section = &unit->sections[unit->n_sections++];
	section->schema_name = text_of("%s%s", unit->name, suffixes[kind]);
	section->c_name = snake_of(section->schema_name);
	section->root = get_memory(sizeof *section->root);
	section->root->c_name = section->c_name;
	section->root->line = line->number;
	section->root->parent = unit->versions;
	reader->section = section;
	reader->open[1] = section->root;
	reader->last[1] = NULL;
	free(comment_take(reader));
}

static void modifiers_read(const struct reader *reader, const struct line *line, struct field *field)
{
	const char *const *at = line->tokens + 2;

	while (*at) {
		const char *word = *at++;

		if (range_parse(word, &(struct range){0})) {
			if (field->versions.given)
				refuse(reader->unit, line->number, "versions are given twice");
			range_parse(word, &field->versions);
		} else if (strcmp(word, "nullable") == 0 && !field->is_nullable) {
			field->is_nullable = true;
			if (range_parse(*at, &field->nullable))
				at++;
		} else if (strcmp(word, "tag") == 0 && field->tag < 0) {
			field->tag = number_of(reader, line, *at, "tag");
			at++;
			if (range_parse(*at, &field->tag_versions))
				at++;
		} else if (strcmp(word, "=") == 0 && !field->value) {
			if (!*at)
				refuse(reader->unit, line->number, "= needs a value");
			field->value = *at++;
		} else if (strcmp(word, "lossy") == 0 && !field->lossy) {
			field->lossy = true;
		} else if (strcmp(word, "limit") == 0 && !field->limit) {
			field->limit = number_of(reader, line, *at, "limit");
			at++;
		} else {
			refuse(reader->unit, line->number, "`%s` is unknown or stands twice", word);
		}
	}
}

/* The field of the line before gets children: it declares a struct of its type's name. */
static void struct_open(struct reader *reader, const struct line *line)
{
	struct field *field = reader->last[line->level - 1];
	struct def *def = get_memory(sizeof *def);

	if (!field || line->level > DEPTH_MAX)
		refuse(reader->unit, line->number,
		       field ? "nested too deep" : "there is no field above that this could belong to");
	if (!is_name(field->type))
		refuse(reader->unit, field->line, "`%s` is no name for a struct", field->type);
	for (int i = 0; i < reader->section->defs.n; i++) {
		const struct def *other = reader->section->defs.items[i];

		if (strcmp(other->name, field->type) == 0)
			refuse(reader->unit, field->line,
			       "struct `%s` is declared in line %d already: use it without children, or name this one "
			       "otherwise",
			       field->type, other->line);
	}
	def->name = field->type;
	def->c_name = text_of("%s_%s", reader->section->c_name, field->type);
	def->line = field->line;
	field->sub = def;
	field->declares = true;
	list_add(&reader->section->defs, def);
	reader->open[line->level] = def;
}

static void field_read(struct reader *reader, const struct line *line)
{
	struct field *field = get_memory(sizeof *field);
	const char *above = comment_take(reader);

	if (!reader->section || line->level > reader->level + 1)
		refuse(reader->unit, line->number, "indented too deep");
	if (line->n < 2)
		refuse(reader->unit, line->number, "a field needs a name and a type");
	if (line->level > 1 && line->level == reader->level + 1)
		struct_open(reader, line);
	field->name = line->tokens[0];
	field->line = line->number;
	field->tag = -1;
	field->array = strncmp(line->tokens[1], "[]", 2) == 0;
	field->type = line->tokens[1] + (field->array ? 2 : 0);
	field->comment = text_of("%s%s%s", above, *above && *line->comment ? " " : "", line->comment);
	if (!is_name(field->name))
		refuse(reader->unit, line->number, "`%s` is no name for a field: small letters, digits and _", field->name);
	modifiers_read(reader, line, field);
	list_add(&reader->open[line->level]->fields, field);
	reader->last[line->level] = field;
}

static void line_read(struct reader *reader, const struct line *line)
{
	if (!line->n) {
		if (*line->comment)
			reader->comment = text_of("%s%s%s", reader->comment, *reader->comment ? "\n" : "", line->comment);
		return;
	}
	if (!reader->unit->name)
		head_read(reader, line);
	else if (line->level == 0)
		section_read(reader, line);
	else
		field_read(reader, line);
	reader->level = line->level;
}

struct unit *unit_read(const char *path)
{
	struct reader reader = {.unit = get_memory(sizeof(struct unit))};
	struct line line = {0};
	char *text = file_read(path);

	reader.unit->path = path;
	reader.comment = text_of("%s", "");
	if (!text)
		refuse(reader.unit, 0, "cannot be read");
	for (char *next; text; text = next) {
		next = strchr(text, '\n');
		if (next)
			*next++ = 0;
		line.number++;
		line_split(reader.unit, text, &line);
		line_read(&reader, &line);
	}
	if (!reader.unit->name || reader.unit->n_sections != (reader.unit->record ? 1 : 2))
		refuse(reader.unit, line.number,
		       reader.unit->record ? "a record needs `body`" : "an api needs `request` and `response`");
	return reader.unit;
}
