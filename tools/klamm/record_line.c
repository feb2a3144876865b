/* Records as lines; see record_line.h. */
#include "tools/klamm/record_line.h"

#include "common/nearest.h"

#include <stddef.h>
#include <string.h>

const struct line_format line_format_default = {
	.key_separator = {(const uint8_t *)"\t", 1},
	.headers_delimiter = {(const uint8_t *)"\t", 1},
	.headers_separator = {(const uint8_t *)",", 1},
	.headers_key_separator = {(const uint8_t *)":", 1},
	.print_value = true,
	.line_separator = {(const uint8_t *)"\n", 1},
	.null_literal = {(const uint8_t *)"null", 4},
};

struct property_row {
	const char *name;
	size_t offset;
	bool is_flag; /* true or false; else a text */
};

#define FLAG(name, field)                                                                                                      \
	{                                                                                                                      \
		name, offsetof(struct line_format, field), true                                                                \
	}
#define TEXT(name, field)                                                                                                      \
	{                                                                                                                      \
		name, offsetof(struct line_format, field), false                                                               \
	}

static const struct property_row rows[] = {
	FLAG("parse.key", parse_key),
	FLAG("parse.headers", parse_headers),
	FLAG("ignore.error", ignore_error),
	TEXT("key.separator", key_separator),
	TEXT("headers.delimiter", headers_delimiter),
	TEXT("headers.separator", headers_separator),
	TEXT("headers.key.separator", headers_key_separator),
	TEXT("null.marker", null_marker),
	FLAG("print.timestamp", print_timestamp),
	FLAG("print.partition", print_partition),
	FLAG("print.offset", print_offset),
	FLAG("print.headers", print_headers),
	FLAG("print.key", print_key),
	FLAG("print.value", print_value),
	TEXT("line.separator", line_separator),
	TEXT("null.literal", null_literal),
};

#define N_ROWS ((int)(sizeof rows / sizeof rows[0]))

static const char *row_name(const void *ctx, int i)
{
	(void)ctx;
	return rows[i].name;
}

/* A copy in which \t, \n and \\ are what they stand for. */
static struct slice unescape(struct arena *arena, const char *text)
{
	char *copy = arena_alloc(arena, strlen(text) + 1), *to = copy;

	for (; *text; text++) {
		bool escape = *text == '\\' && text[1] && strchr("tn\\", text[1]);

		if (escape)
			text++;
		*to++ = escape && *text == 't' ? '\t' : escape && *text == 'n' ? '\n' : *text;
	}
	return slice_of(copy, (size_t)(to - copy));
}

static int value_set(struct line_format *format, struct arena *arena, const struct property_row *row, const char *value,
		     struct error *err)
{
	void *field = (char *)format + row->offset;

	if (!row->is_flag) {
		*(struct slice *)field = unescape(arena, value);
		return 0;
	}
	if (strcmp(value, "true") != 0 && strcmp(value, "false") != 0)
		return error_set(err, ERR_INVALID, "--property %s=%s: true or false belongs there", row->name, value);
	*(bool *)field = *value == 't';
	return 0;
}

int line_format_set(struct line_format *format, struct arena *arena, const char *property, struct error *err)
{
	const char *equals = strchr(property, '='), *near;
	struct slice name = slice_of(property, equals ? (size_t)(equals - property) : strlen(property));

	for (int i = 0; i < N_ROWS; i++)
		if (slice_is_text(name, rows[i].name))
			return value_set(format, arena, &rows[i], equals ? equals + 1 : "true", err);
	near = nearest_name(name, row_name, NULL, N_ROWS);
	if (near)
		return error_set(err, ERR_INVALID, "there is no property '%.*s': did you mean %s?", SLICE_ARGS(name), near);
	return error_set(err, ERR_INVALID, "there is no property '%.*s'", SLICE_ARGS(name));
}

/* Cuts the text at the first separator: what is before it, and *rest behind it. False when there is none. */
static bool cut(struct slice *rest, struct slice separator, struct slice *ret_before)
{
	const uint8_t *at = separator.len ? memmem(rest->data, rest->len, separator.data, separator.len) : NULL;

	if (!at)
		return false;
	*ret_before = slice_of(rest->data, (size_t)(at - rest->data));
	*rest = slice_of(at + separator.len, rest->len - ret_before->len - separator.len);
	return true;
}

static struct slice or_null(const struct line_format *format, struct slice text)
{
	return !slice_is_null(format->null_marker) && slice_equal(text, format->null_marker) ? SLICE_NULL : text;
}

static int missing(const struct line_format *format, const char *what, struct slice line, int64_t number, struct error *err)
{
	if (format->ignore_error)
		return 0;
	return error_set(err, ERR_INVALID, "line %lld has no %s: '%.*s' (--property ignore.error=true takes it as a value)",
			 (long long)number, what, line.len > 100 ? 100 : (int)line.len, (const char *)line.data);
}

static int headers_read(const struct line_format *format, struct arena *arena, struct slice text, int64_t number,
			struct line_record *record, struct error *err)
{
	struct slice line = text, one;
	bool more = text.len > 0;

	record->headers = arena_zalloc(arena, text.len + 1, sizeof *record->headers);
	while (more) {
		struct line_header *header = &record->headers[record->n_headers++];

		more = cut(&text, format->headers_separator, &one);
		if (!more)
			one = text;
		if (!cut(&one, format->headers_key_separator, &header->key)) {
			int r = missing(format, "separator between a header's key and value", line, number, err);

			if (r != 0)
				return r;
			header->key = one;
			one = SLICE_NULL;
		}
		header->value = or_null(format, one);
	}
	return 0;
}

int line_read(const struct line_format *format, struct arena *arena, struct slice line, int64_t number,
	      struct line_record *ret_record, struct error *err)
{
	struct slice rest = line, headers;
	int r = 0;

	*ret_record = (struct line_record){.key = SLICE_NULL};
	if (format->parse_headers) {
		if (!cut(&rest, format->headers_delimiter, &headers))
			r = missing(format, "headers.delimiter", line, number, err);
		else if (!slice_is_null(or_null(format, headers)))
			r = headers_read(format, arena, headers, number, ret_record, err);
	}
	if (r == 0 && format->parse_key) {
		if (cut(&rest, format->key_separator, &ret_record->key))
			ret_record->key = or_null(format, ret_record->key);
		else
			r = missing(format, "key.separator", line, number, err);
	}
	ret_record->value = or_null(format, rest);
	return r;
}

static void slice_print(struct slice text, FILE *out)
{
	fwrite(text.data, 1, text.len, out);
}

static void text_print(const struct line_format *format, struct slice text, FILE *out)
{
	slice_print(slice_is_null(text) ? format->null_literal : text, out);
}

static void headers_print(const struct line_format *format, const struct line_record *record, FILE *out)
{
	if (record->n_headers == 0)
		fputs("NO_HEADERS", out);
	for (int i = 0; i < record->n_headers; i++) {
		if (i)
			slice_print(format->headers_separator, out);
		slice_print(record->headers[i].key, out);
		fputc(':', out);
		text_print(format, record->headers[i].value, out);
	}
}

void line_print(const struct line_format *format, const struct line_place *place, const struct line_record *record, FILE *out)
{
	bool behind = false;

#define PART(wanted, ...)                                                                                                      \
	do {                                                                                                                   \
		if (wanted) {                                                                                                  \
			if (behind)                                                                                            \
				slice_print(format->key_separator, out);                                                       \
			behind = true;                                                                                         \
			__VA_ARGS__;                                                                                           \
		}                                                                                                              \
	} while (0)
	if (place->timestamp_type)
		PART(format->print_timestamp, fprintf(out, "%s:%lld", place->timestamp_type, (long long)place->timestamp));
	else
		PART(format->print_timestamp, fputs("NO_TIMESTAMP", out));
	PART(format->print_partition, fprintf(out, "Partition:%d", place->partition));
	PART(format->print_offset, fprintf(out, "Offset:%lld", (long long)place->offset));
	PART(format->print_headers, headers_print(format, record, out));
	PART(format->print_key, text_print(format, record->key, out));
	PART(format->print_value, text_print(format, record->value, out));
#undef PART
	slice_print(format->line_separator, out);
}
