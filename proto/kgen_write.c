/*
 * The writer of kgen: a header of structs for each schema, one enum of the keys, one C file of constant tables.
 * What the tables mean is said in proto/message.h.
 */
#include "proto/kgen.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

static const char *c_type_of(const struct field *field)
{
	return field->sub ? text_of("struct %s", field->sub->c_name) : field->builtin->c_type;
}

/* Comment text, one line after the other behind `start`. */
static void comment_write(FILE *out, const char *start, const char *comment)
{
	while (*comment) {
		size_t len = strcspn(comment, "\n");

		fprintf(out, "%s%.*s\n", start, (int)len, comment);
		comment += len + (comment[len] == '\n');
	}
}

static const char *range_text(struct range range)
{
	return range.since == range.until ? text_of("%d", range.since) : text_of("%d-%d", range.since, range.until);
}

/* What the schema says about a field, as a comment behind the member. */
static void remark_write(FILE *out, const struct unit *unit, const struct field *field)
{
	const char *remark = "";
	bool whole = field->versions.since == unit->versions.since && field->versions.until == unit->versions.until;

	if (!whole)
		remark = text_of("versions %s; ", range_text(field->versions));
	if (field->builtin && strcasecmp(field->builtin->kind, field->type) != 0)
		remark = text_of("%s%s; ", remark, field->type);
	if (field->is_nullable)
		remark = text_of("%snullable%s%s; ", remark, field->nullable.given ? " " : "",
				 field->nullable.given ? range_text(field->nullable) : "");
	if (field->tag >= 0)
		remark = text_of("%stag %d; ", remark, field->tag);
	if (field->value)
		remark = text_of("%sdefault %s; ", remark, field->value);
	remark = text_of("%s%s", remark, field->comment);
	if (!*remark) {
		fputc('\n', out);
		return;
	}
	fputs(" /* ", out);
	for (const char *c = remark; *c && strcmp(c, "; ") != 0; c++)
		fputc(*c == '\n' ? ' ' : *c, out);
	fputs(" */\n", out);
}

static void member_write(FILE *out, const struct unit *unit, const struct field *field)
{
	const char *type = c_type_of(field);
	bool pointer = field->array || (field->sub && field->is_nullable);

	fprintf(out, "\t%s %s%s;", type, pointer ? "*" : "", field->name);
	remark_write(out, unit, field);
	if (field->array)
		fprintf(out, "\tint32_t n_%s;\n", field->name);
}

static void struct_write(FILE *out, const struct unit *unit, const struct def *def)
{
	fprintf(out, "\nstruct %s {\n", def->c_name);
	for (int i = 0; i < def->fields.n; i++)
		member_write(out, unit, def->fields.items[i]);
	if (!def->fields.n)
		fputs("\tbool empty; /* the message has no fields */\n", out);
	fputs("};\n", out);
	fprintf(out, "extern const struct %s %s_default;\n", def->c_name, def->c_name);
	fprintf(out, "extern const struct message_struct %s_struct;\n", def->c_name);
}

static const char *upper_of(const char *name)
{
	char *upper = text_of("%s", name);

	for (char *c = upper; *c; c++)
		*c = (char)toupper((unsigned char)*c);
	return upper;
}

void write_header(FILE *out, const struct list *units, const struct unit *unit)
{
	const char *guard = upper_of(unit->snake);

	(void)units;
	fprintf(out, "/* Made by kgen from %s.api.\n *\n", unit->snake);
	comment_write(out, " * ", unit->comment);
	fprintf(out,
		" */\n#ifndef KLAMM_PROTO_KAFKA_%s_GEN_H\n#define KLAMM_PROTO_KAFKA_%s_GEN_H\n\n#include \"proto/message.h\"\n",
		guard, guard);
	for (int i = 0; i < unit->n_sections; i++) {
		const struct section *section = &unit->sections[i];

		for (int j = 0; j < section->defs.n; j++)
			struct_write(out, unit, section->defs.items[j]);
		fprintf(out, "extern const struct message_schema %s_schema;\n", section->c_name);
	}
	fputs("\n#endif\n", out);
}

void write_keys(FILE *out, const struct list *units, const struct unit *none)
{
	(void)none;
	fputs("/* Made by kgen: the keys of all APIs that have a schema. */\n#ifndef KLAMM_PROTO_KAFKA_API_KEYS_GEN_H\n"
	      "#define KLAMM_PROTO_KAFKA_API_KEYS_GEN_H\n\nenum api_key {\n",
	      out);
	for (int i = 0; i < units->n; i++) {
		const struct unit *unit = units->items[i];

		if (!unit->record)
			fprintf(out, "\tAPI_%s = %d,\n", upper_of(unit->snake), unit->key);
	}
	fputs("};\n\n#endif\n", out);
}

/* The default of one member where it is not all zero bytes. */
static void default_write(FILE *out, const struct field *field)
{
	bool null = field->value && strcmp(field->value, "null") == 0;

	if (field->array) {
		if (null)
			fprintf(out, " .n_%s = -1,", field->name);
		return;
	}
	if (field->sub) {
		if (!field->is_nullable) {
			fprintf(out, " .%s = {", field->name);
			for (int i = 0; i < field->sub->fields.n; i++)
				default_write(out, field->sub->fields.items[i]);
			fputs("},", out);
		}
		return;
	}
	if (field->builtin->shape == SHAPE_SLICE && !null) {
		const char *text = field->value ? field->value : "\"\"";

		fprintf(out, " .%s = {(const uint8_t *)%s, sizeof(%s) - 1},", field->name, text, text);
	} else if (field->value && !null) {
		bool smallest = field->builtin->shape == SHAPE_INT && strcmp(field->value, "-9223372036854775808") == 0;

		fprintf(out, " .%s = %s,", field->name, smallest ? "INT64_MIN" : field->value);
	}
}

static void field_row_write(FILE *out, const struct def *def, const struct field *field)
{
	const char *kind = field->sub ? "STRUCT" : field->builtin->kind;
	struct range nullable = field->is_nullable ? field->nullable : (struct range){.since = NONE_SINCE, .until = -1};

	fprintf(out, "\t{\"%s\", %s%s%s, FIELD_%s, %d, %d, MEANING_%s, %d, %d, %d, %d, %d, offsetof(struct %s, %s), ",
		field->name, field->sub ? "&" : "", field->sub ? field->sub->c_name : "NULL", field->sub ? "_struct" : "", kind,
		field->array, field->lossy, field->sub ? "NONE" : field->builtin->meaning, field->versions.since,
		field->versions.until, nullable.since, nullable.until, field->tag, def->c_name, field->name);
	if (field->array)
		fprintf(out, "offsetof(struct %s, n_%s), ", def->c_name, field->name);
	else
		fputs("0, ", out);
	fprintf(out, "%d},\n", field->limit);
}

static int bytes_min(const struct unit *unit, const struct def *def, int version);

static int field_bytes_min(const struct unit *unit, const struct field *field, int version)
{
	bool flexible = version >= unit->flexible;

	if (field->array)
		return flexible ? 1 : 4;
	if (field->sub)
		return field->is_nullable ? 1 : bytes_min(unit, field->sub, version);
	if (field->builtin->wire_bytes)
		return field->builtin->wire_bytes;
	if (flexible)
		return 1;
	return strcmp(field->type, "string") == 0 ? 2 : 4;
}

/* The fewest bytes of a struct on the wire. */
static int bytes_min(const struct unit *unit, const struct def *def, int version)
{
	int bytes = version >= unit->flexible;

	for (int i = 0; i < def->fields.n; i++) {
		const struct field *field = def->fields.items[i];

		if (field->tag < 0 && in_range(field->versions, version))
			bytes += field_bytes_min(unit, field, version);
	}
	return bytes;
}

static void def_tables_write(FILE *out, const struct unit *unit, const struct def *def)
{
	const char *name = def->c_name;

	fprintf(out, "\nconst struct %s %s_default = {", name, name);
	for (int i = 0; i < def->fields.n; i++)
		default_write(out, def->fields.items[i]);
	fprintf(out, "};\nstatic const uint16_t %s_bytes[] = {", name);
	for (int version = unit->versions.since; version <= unit->versions.until; version++) {
		int bytes = bytes_min(unit, def, version);

		fprintf(out, "%d, ", bytes ? bytes : 1);
	}
	fputs("};\n", out);
	if (def->fields.n) {
		fprintf(out, "static const struct message_field %s_fields[] = {\n", name);
		for (int i = 0; i < def->fields.n; i++) {
			const struct field *field = def->fields.items[i];

			if (field->tag < 0)
				field_row_write(out, def, field);
		}
		for (int i = 0; i < def->tagged.n; i++)
			field_row_write(out, def, def->tagged.items[i]);
		fputs("};\n", out);
	}
	fprintf(out,
		"const struct message_struct %s_struct = {\"%s\", %s%s, &%s_default, %s_bytes, sizeof(struct %s), %d, %d};\n",
		name, def->name ? def->name : name, def->fields.n ? name : "NULL", def->fields.n ? "_fields" : "", name, name,
		name, def->fields.n - def->tagged.n, def->tagged.n);
}

static void unit_tables_write(FILE *out, const struct unit *unit)
{
	for (int i = 0; i < unit->n_sections; i++) {
		const struct section *section = &unit->sections[i];

		for (int j = 0; j < section->defs.n; j++)
			def_tables_write(out, unit, section->defs.items[j]);
		fprintf(out, "const struct message_schema %s_schema = {\"%s\", &%s_struct, %d, %d, %d};\n", section->c_name,
			section->schema_name, section->c_name, unit->versions.since, unit->versions.until, unit->flexible);
	}
}

/* The row of the api whose key is the next one above `after`; NULL = there is none. */
static const struct unit *next_api(const struct list *units, int after)
{
	const struct unit *next = NULL;

	for (int i = 0; i < units->n; i++) {
		const struct unit *unit = units->items[i];

		if (!unit->record && unit->key > after && (!next || unit->key < next->key))
			next = unit;
	}
	return next;
}

void write_tables(FILE *out, const struct list *units, const struct unit *none)
{
	int n_apis = 0, n_records = 0;

	(void)none;
	fputs("/* Made by kgen: the tables of all messages. */\n#include \"proto/api.h\"\n", out);
	for (int i = 0; i < units->n; i++)
		fprintf(out, "#include \"proto/kafka/%s.gen.h\"\n", ((const struct unit *)units->items[i])->snake);
	fputs("\n#include <stddef.h>\n", out);
	for (int i = 0; i < units->n; i++)
		unit_tables_write(out, units->items[i]);
	fputs("\nconst struct api api_table[] = {\n", out);
	for (const struct unit *unit = next_api(units, -1); unit; unit = next_api(units, unit->key), n_apis++)
		fprintf(out, "\t{%d, \"%s\", \"%s\", %d, %d, %d, &%s_schema, &%s_schema},\n", unit->key, unit->name,
			unit->snake, unit->versions.since, unit->versions.until, unit->flexible, unit->sections[0].c_name,
			unit->sections[1].c_name);
	fprintf(out,
		"\t{.key = -1},\n};\nconst int api_table_n = %d;\n\nconst struct message_schema *const api_record_table[] = "
		"{\n",
		n_apis);
	for (int i = 0; i < units->n; i++) {
		const struct unit *unit = units->items[i];

		if (unit->record)
			fprintf(out, "\t&%s_schema,\n", unit->sections[0].c_name);
		n_records += unit->record;
	}
	fprintf(out, "\tNULL,\n};\nconst int api_record_table_n = %d;\n", n_records);
}
