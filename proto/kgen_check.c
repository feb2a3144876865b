/* The checks of kgen: resolves types and ranges of what was read and refuses what cannot be meant. See README.md. */
#include "proto/kgen.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define INT_TYPE(type_name, kind, c_type, meaning, bytes, min, max)                                                            \
	{                                                                                                                      \
		type_name, kind, c_type, meaning, SHAPE_INT, bytes, min, max                                                   \
	}
#define I16(type_name, meaning) INT_TYPE(type_name, "I16", "int16_t", meaning, 2, INT16_MIN_, 32767)
#define I32(type_name, meaning) INT_TYPE(type_name, "I32", "int32_t", meaning, 4, INT_MIN, INT_MAX)
#define I64(type_name, meaning) INT_TYPE(type_name, "I64", "int64_t", meaning, 8, LLONG_MIN, LLONG_MAX)
#define INT16_MIN_ (-32767 - 1)

static const struct builtin builtins[] = {
	{"bool", "BOOL", "bool", "NONE", SHAPE_BOOL, 1, 0, 1},
	INT_TYPE("i8", "I8", "int8_t", "NONE", 1, -128, 127),
	I16("i16", "NONE"),
	I16("error", "ERROR"),
	I16("producer_epoch", "NONE"),
	INT_TYPE("u16", "U16", "uint16_t", "NONE", 2, 0, 65535),
	I32("i32", "NONE"),
	I32("broker_id", "NONE"),
	I32("partition_id", "NONE"),
	I32("partition", "NONE"),
	I32("epoch", "NONE"),
	I32("generation", "NONE"),
	I32("ms", "NONE"),
	INT_TYPE("u32", "U32", "uint32_t", "NONE", 4, 0, 4294967295),
	I64("i64", "NONE"),
	I64("offset", "NONE"),
	I64("producer_id", "NONE"),
	I64("broker_epoch", "NONE"),
	I64("timestamp", "TIMESTAMP"),
	I64("ms64", "NONE"),
	{"f64", "F64", "double", "NONE", SHAPE_F64, 8, 0, 0},
	{"uuid", "UUID", "struct uuid", "NONE", SHAPE_UUID, 16, 0, 0},
	{"string", "STRING", "struct slice", "NONE", SHAPE_SLICE, 0, 0, 0},
	{"bytes", "BYTES", "struct slice", "NONE", SHAPE_SLICE, 0, 0, 0},
	{"records", "RECORDS", "struct records", "NONE", SHAPE_RECORDS, 0, 0, 0},
};

static const char *const c_words[] = {
	"auto",     "bool",     "break",  "case",  "char",     "const",  "continue", "default", "do",     "double",
	"else",     "enum",     "false",  "float", "for",      "goto",   "if",       "inline",  "int",    "long",
	"register", "restrict", "return", "short", "signed",   "sizeof", "static",   "struct",  "switch", "true",
	"typedef",  "typeof",   "asm",    "union", "unsigned", "void",   "volatile", "while",   "extern",
};

/* The encoder notes the tags of a struct in one word. */
#define TAG_MAX 63

struct check {
	const struct unit *unit;
	const struct section *section;
	bool in_tagged;
};

const struct builtin *builtin_find(const char *name)
{
	for (size_t i = 0; i < sizeof builtins / sizeof builtins[0]; i++) {
		if (strcmp(builtins[i].name, name) == 0)
			return &builtins[i];
	}
	return NULL;
}

static struct def *def_find(const struct section *section, const char *name)
{
	for (int i = 0; i < section->defs.n; i++) {
		struct def *def = section->defs.items[i];

		if (def->name && strcmp(def->name, name) == 0)
			return def;
	}
	return NULL;
}

static void type_resolve(const struct check *check, struct field *field)
{
	struct def *declared = def_find(check->section, field->type);

	if (field->declares)
		return;
	field->builtin = builtin_find(field->type);
	if (!field->builtin)
		field->sub = declared;
	if (!field->builtin && !declared)
		refuse(check->unit, field->line,
		       "unknown type `%s`: not of the language, and no struct with children has this name", field->type);
	if (field->builtin && declared && field->array)
		refuse(check->unit, field->line,
		       "`[]%s` may mean the type or the struct of line %d: give the struct another name", field->type,
		       declared->line);
	if (declared && !field->builtin && declared->line > field->line)
		refuse(check->unit, field->line, "struct `%s` is declared only below, in line %d: put its children here",
		       field->type, declared->line);
}

static struct range range_resolve(const struct check *check, const struct field *field, struct range range, struct range outer,
				  const char *what)
{
	bool open = range.until < 0;

	if (!range.given)
		return outer;
	if (open)
		range.until = check->unit->versions.until;
	if (range.since < outer.since || (range.until > outer.until && !open) || range.since > outer.until)
		refuse(check->unit, field->line, "%s %d-%d of `%s` are not within %d-%d", what, range.since, range.until,
		       field->name, outer.since, outer.until);
	return range;
}

static void ranges_resolve(const struct check *check, struct field *field, const struct def *def)
{
	if (field->tag >= 0 && field->tag_versions.given) {
		if (field->versions.given &&
		    (field->versions.since != field->tag_versions.since || field->versions.until != field->tag_versions.until))
			refuse(check->unit, field->line, "the versions of `%s` and of its tag differ", field->name);
		field->versions = field->tag_versions;
	}
	/* What has no range of its own is there whenever its struct is, wherever that is used; a tag only from its struct on. */
	field->has_versions = field->versions.given;
	if (field->versions.given)
		field->versions = range_resolve(check, field, field->versions, def->parent, "versions");
	else
		field->versions = check->unit->versions;
	if (!field->has_versions && field->tag >= 0)
		field->versions.since = def->parent.since;
	if (field->is_nullable) {
		field->nullable = range_resolve(check, field, field->nullable, field->versions, "nullable versions");
		if (!field->array && !field->sub && field->builtin->shape != SHAPE_SLICE &&
		    field->builtin->shape != SHAPE_RECORDS)
			refuse(check->unit, field->line, "type `%s` has no null", field->type);
	}
}

/* Whether the member for the count of an array would have the name of another field. */
static bool is_count_of(const struct field *field, const struct field *array)
{
	return array->array && strncmp(field->name, "n_", 2) == 0 && strcmp(field->name + 2, array->name) == 0;
}

static void name_check(const struct check *check, const struct def *def, const struct field *field)
{
	for (size_t i = 0; i < sizeof c_words / sizeof c_words[0]; i++) {
		if (strcmp(c_words[i], field->name) == 0)
			refuse(check->unit, field->line, "`%s` is a word of C or of ours: name the field otherwise",
			       field->name);
	}
	for (int i = 0; def->fields.items[i] != field; i++) {
		const struct field *other = def->fields.items[i];

		if (strcmp(other->name, field->name) == 0 || is_count_of(other, field) || is_count_of(field, other))
			refuse(check->unit, field->line, "`%s` is taken by the field of line %d", field->name, other->line);
	}
}

static bool value_fits(const struct field *field)
{
	const char *value = field->value;
	char *end;
	long long number;

	if (strcmp(value, "null") == 0)
		return field->is_nullable;
	if (field->array || field->sub)
		return false;
	switch (field->builtin->shape) {
	case SHAPE_BOOL:
		return strcmp(value, "true") == 0 || strcmp(value, "false") == 0;
	case SHAPE_INT:
		errno = 0;
		number = strtoll(value, &end, 0);
		return end != value && !*end && errno == 0 && number >= field->builtin->min && number <= field->builtin->max;
	case SHAPE_F64:
		strtod(value, &end);
		return end != value && !*end;
	case SHAPE_SLICE:
		return *value == '"' && strcmp(field->type, "string") == 0;
	default:
		return false;
	}
}

static void tag_check(const struct check *check, const struct field *field)
{
	if (field->tag < 0)
		return;
	if (field->versions.since < check->unit->flexible)
		refuse(check->unit, field->line, "`%s` is tagged from version %d on, but only versions from %d on are flexible",
		       field->name, field->versions.since, check->unit->flexible);
	if (field->tag > TAG_MAX)
		refuse(check->unit, field->line, "a tag beyond %d", TAG_MAX);
}

/* Tagged fields by tag: 0, 1, 2... without a gap. */
static void tags_sort(const struct check *check, struct def *def)
{
	int n_tagged = 0;

	for (int i = 0; i < def->fields.n; i++) {
		const struct field *field = def->fields.items[i];

		n_tagged += field->tag >= 0;
	}
	for (int tag = 0; tag < n_tagged; tag++) {
		for (int i = 0; i < def->fields.n; i++) {
			struct field *field = def->fields.items[i];

			if (field->tag != tag)
				continue;
			if (def->tagged.n > tag)
				refuse(check->unit, field->line, "tag %d is used twice in a struct", tag);
			list_add(&def->tagged, field);
		}
		if (def->tagged.n != tag + 1)
			refuse(check->unit, def->line, "the tags of this struct are not 0 to %d: %d is missing", n_tagged - 1,
			       tag);
	}
}

static void def_check(struct check *check, struct def *def, struct list *done);

static void field_check(struct check *check, struct def *def, struct field *field, struct list *done)
{
	bool outer_tagged = check->in_tagged;

	type_resolve(check, field);
	ranges_resolve(check, field, def);
	name_check(check, def, field);
	tag_check(check, field);
	if (field->value && !value_fits(field))
		refuse(check->unit, field->line, "the default %s does not fit type `%s%s`%s", field->value,
		       field->array ? "[]" : "", field->type, strcmp(field->value, "null") == 0 ? " that is not nullable" : "");
	if (field->limit && !field->array && (field->sub || field->builtin->shape != SHAPE_SLICE))
		refuse(check->unit, field->line, "limit is for arrays, strings and bytes");
	check->in_tagged = outer_tagged || field->tag >= 0;
	if (check->in_tagged && field->builtin && field->builtin->shape == SHAPE_RECORDS)
		refuse(check->unit, field->line, "records cannot stand in a tagged field");
	if (field->array && field->builtin && (field->builtin->shape == SHAPE_RECORDS || field->builtin->shape == SHAPE_BOOL))
		refuse(check->unit, field->line, "there are no arrays of %s", field->type);
	if (field->sub) {
		if (field->declares)
			field->sub->parent = field->has_versions ? field->versions : def->parent;
		def_check(check, field->sub, done);
	}
	check->in_tagged = outer_tagged;
}

static void def_check(struct check *check, struct def *def, struct list *done)
{
	if (def->state == 1)
		refuse(check->unit, def->line, "struct `%s` contains itself", def->name);
	if (def->state == 2)
		return;
	def->state = 1;
	for (int i = 0; i < def->fields.n; i++)
		field_check(check, def, def->fields.items[i], done);
	tags_sort(check, def);
	def->state = 2;
	list_add(done, def);
}

static void unit_check(struct unit *unit)
{
	const char *slash = strrchr(unit->path, '/');
	const char *file = slash ? slash + 1 : unit->path;

	if (strcmp(file, text_of("%s.api", unit->snake)) != 0)
		refuse(unit, unit->line, "the schema of %s belongs into %s.api", unit->name, unit->snake);
	for (int i = 0; i < unit->n_sections; i++) {
		struct section *section = &unit->sections[i];
		struct check check = {.unit = unit, .section = section};
		struct list done = {0};

		def_check(&check, section->root, &done);
		section->defs = done;
	}
}

void units_check(const struct list *units)
{
	for (int i = 0; i < units->n; i++) {
		struct unit *unit = units->items[i];

		for (int j = 0; j < i; j++) {
			const struct unit *other = units->items[j];

			if (strcmp(unit->name, other->name) == 0)
				refuse(unit, unit->line, "%s is defined in %s already", unit->name, other->path);
			if (!unit->record && !other->record && unit->key == other->key)
				refuse(unit, unit->line, "api key %d is taken by %s", unit->key, other->path);
		}
		unit_check(unit);
	}
}
