/*
 * Messages as text: indented lines for people, JSON for programs. Both name the fields as the schemas do.
 *
 *     topics:                              {"topics":[{"name":"a","error_code":3}]}
 *       - name: "a"
 *         error_code: 3 (UNKNOWN_TOPIC_OR_PARTITION)
 */
#include "proto/message.h"

#include "common/check.h"
#include "proto/kafka_error.h"
#include "proto/message_field.h"

#include <inttypes.h>
#include <math.h>
#include <time.h>

struct dumper {
	FILE *out;
	int version;
	bool json;
	int depth;
};

static void dump_struct(struct dumper *d, const struct message_struct *type, const void *object);

/* Bytes of the UTF-8 character at the start of s; 0 when it is not one. */
static size_t utf8_len(struct slice s)
{
	static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t len = s.data[0] < 0x80 ? 1 : s.data[0] >> 5 == 6 ? 2 : s.data[0] >> 4 == 14 ? 3 : s.data[0] >> 3 == 30 ? 4 : 0;
	uint32_t value;

	if (len <= 1)
		return len;
	if (len > s.len)
		return 0;
	value = s.data[0] & (0x7fU >> len);
	for (size_t i = 1; i < len; i++) {
		if (s.data[i] >> 6 != 2)
			return 0;
		value = value << 6 | (s.data[i] & 0x3f);
	}
	return value < smallest[len] || value > 0x10ffff || (value >= 0xd800 && value < 0xe000) ? 0 : len;
}

/* A quoted text with JSON's escapes; bytes that are no UTF-8 become U+FFFD. */
static void dump_text(FILE *out, struct slice s)
{
	fputc('"', out);
	while (s.len) {
		uint8_t c = s.data[0];
		size_t len = utf8_len(s);

		if (c == '"' || c == '\\')
			fprintf(out, "\\%c", c);
		else if (c < 0x20 || c == 0x7f)
			fprintf(out, "\\u%04x", c);
		else if (len == 0)
			fputs("\\ufffd", out);
		else
			fwrite(s.data, 1, len, out);
		len = len ? len : 1;
		s.data += len;
		s.len -= len;
	}
	fputc('"', out);
}

/* Bytes in base64, as Kafka's own tools print them. */
static void dump_bytes(FILE *out, struct slice s)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	fputc('"', out);
	for (size_t i = 0; i < s.len; i += 3) {
		size_t n = s.len - i < 3 ? s.len - i : 3;
		uint32_t bits =
			(uint32_t)s.data[i] << 16 | (n > 1 ? (uint32_t)s.data[i + 1] << 8 : 0) | (n > 2 ? s.data[i + 2] : 0);

		for (size_t j = 0; j < 4; j++)
			fputc(j <= n ? digits[bits >> (18 - 6 * j) & 63] : '=', out);
	}
	fputc('"', out);
}

static void dump_timestamp(FILE *out, int64_t ms)
{
	time_t seconds = (time_t)(ms / 1000);
	struct tm tm;
	char text[32];

	/* Up to the year 9999. */
	if (ms < 0 || ms > INT64_C(253402300799999) || !gmtime_r(&seconds, &tm) ||
	    !strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm))
		return;
	fprintf(out, " (%s.%03dZ)", text, (int)(ms % 1000));
}

static void dump_number(struct dumper *d, const struct message_field *field, int64_t value)
{
	fprintf(d->out, "%" PRId64, value);
	if (d->json)
		return;
	if (field->meaning == MEANING_ERROR)
		fprintf(d->out, " (%s)", kafka_error_name((int)value));
	else if (field->meaning == MEANING_TIMESTAMP)
		dump_timestamp(d->out, value);
}

static void dump_f64(struct dumper *d, double value)
{
	if (isfinite(value))
		fprintf(d->out, "%.17g", value);
	else
		fputs(d->json ? "null" : isnan(value) ? "nan" : "inf", d->out);
}

static void dump_records(struct dumper *d, const struct records *records)
{
	int64_t size = records->external ? records->size : (int64_t)records->bytes.len;

	fprintf(d->out, d->json ? "{\"bytes\":%" PRId64 "}" : "%" PRId64 " bytes", size);
}

/* One value or element, which is not null. */
static void dump_value(struct dumper *d, const struct message_field *field, const void *at)
{
	char text[UUID_TEXT_LEN + 1];

	switch (field->kind) {
	case FIELD_BOOL:
		fputs(*(const bool *)at ? "true" : "false", d->out);
		break;
	case FIELD_I8:
		dump_number(d, field, *(const int8_t *)at);
		break;
	case FIELD_I16:
		dump_number(d, field, *(const int16_t *)at);
		break;
	case FIELD_U16:
		dump_number(d, field, *(const uint16_t *)at);
		break;
	case FIELD_I32:
		dump_number(d, field, *(const int32_t *)at);
		break;
	case FIELD_U32:
		dump_number(d, field, *(const uint32_t *)at);
		break;
	case FIELD_I64:
		dump_number(d, field, *(const int64_t *)at);
		break;
	case FIELD_F64:
		dump_f64(d, *(const double *)at);
		break;
	case FIELD_UUID:
		uuid_format(at, text);
		fprintf(d->out, d->json ? "\"%s\"" : "%s", text);
		break;
	case FIELD_STRING:
		dump_text(d->out, *(const struct slice *)at);
		break;
	case FIELD_BYTES:
		dump_bytes(d->out, *(const struct slice *)at);
		break;
	case FIELD_RECORDS:
		dump_records(d, at);
		break;
	case FIELD_STRUCT:
		dump_struct(d, field->sub, at);
		break;
	default:
		check_failed("a kind of field", __FILE__, __LINE__);
	}
}

static void dump_indent(struct dumper *d)
{
	fprintf(d->out, "\n%*s", d->depth * 2, "");
}

static void dump_array(struct dumper *d, const struct message_field *field, const void *object)
{
	const char *elements = field_elements(field, object);
	int32_t count = field_count(field, object);
	bool lines = !d->json && field->kind == FIELD_STRUCT && count > 0;

	if (!lines)
		fputc('[', d->out);
	d->depth++;
	for (int32_t i = 0; i < count; i++) {
		if (lines) {
			dump_indent(d);
			fputs("- ", d->out);
			d->depth++;
		} else if (i > 0) {
			fputs(d->json ? "," : ", ", d->out);
		}
		dump_value(d, field, elements + (size_t)i * field_size(field));
		d->depth -= lines;
	}
	d->depth--;
	if (!lines)
		fputc(']', d->out);
}

static void dump_field(struct dumper *d, const struct message_field *field, const void *object)
{
	const void *at = field_of(field, object);

	fprintf(d->out, d->json ? "\"%s\":" : "%s:", field->name);
	if (!d->json &&
	    (field_is_null(field, object) || field->kind != FIELD_STRUCT || (field->array && field_count(field, object) == 0)))
		fputc(' ', d->out);
	if (field_is_null(field, object)) {
		fputs("null", d->out);
	} else if (field->array) {
		dump_array(d, field, object);
	} else if (field->kind == FIELD_STRUCT) {
		d->depth++;
		if (!d->json)
			dump_indent(d);
		dump_struct(d, field->sub, field_is_pointer(field) ? *(const void *const *)at : at);
		d->depth--;
	} else {
		dump_value(d, field, at);
	}
}

/* The fields of a struct; as lines, the first goes where the cursor is. Elements of arrays stand two columns further right. */
static void dump_struct(struct dumper *d, const struct message_struct *type, const void *object)
{
	bool first = true;

	if (d->json)
		fputc('{', d->out);
	for (int i = 0; i < type->n_fields + type->n_tagged; i++) {
		const struct message_field *field = &type->fields[i];

		if (!field_in_version(field, d->version))
			continue;
		if (!first && d->json)
			fputc(',', d->out);
		else if (!first)
			dump_indent(d);
		first = false;
		dump_field(d, field, object);
	}
	if (d->json)
		fputc('}', d->out);
}

void message_dump(const struct message_schema *schema, int version, const void *message, FILE *out)
{
	struct dumper d = {.out = out, .version = version};

	CHECK(message_has_version(schema, version));
	dump_struct(&d, schema->root, message);
	fputc('\n', out);
}

void message_dump_json(const struct message_schema *schema, int version, const void *message, FILE *out)
{
	struct dumper d = {.out = out, .version = version, .json = true};

	CHECK(message_has_version(schema, version));
	dump_struct(&d, schema->root, message);
}
