/*
 * A record as a line of text, as Kafka's console programs read and print it.
 *
 *     read    [headers <headers.delimiter>] [key <key.separator>] value         headers: k:v,k:v
 *     print   CreateTime:1 <sep> Partition:0 <sep> Offset:7 <sep> headers <sep> key <sep> value
 *
 * Both are set up by properties (--property name=value).
 */
#ifndef KLAMM_TOOLS_KLAMM_RECORD_LINE_H
#define KLAMM_TOOLS_KLAMM_RECORD_LINE_H

#include "common/arena.h"
#include "common/error.h"
#include "common/slice.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct line_header {
	struct slice key;
	struct slice value; /* may be null */
};

/* Parts of a line: views into it. */
struct line_record {
	struct slice key, value; /* null: none */
	struct line_header *headers;
	int n_headers;
};

struct line_format {
	/* reading */
	bool parse_key, parse_headers, ignore_error;
	struct slice key_separator, headers_delimiter, headers_separator, headers_key_separator;
	struct slice null_marker; /* null: none */
	/* printing */
	bool print_timestamp, print_partition, print_offset, print_headers, print_key, print_value;
	struct slice line_separator, null_literal;
};

extern const struct line_format line_format_default;

/* Takes one "name=value"; \t, \n and \\ in the value are understood. ERR_INVALID for an unknown name or a bad value. */
int line_format_set(struct line_format *format, struct arena *arena, const char *property, struct error *err);

/* ERR_INVALID when a separator is missing and ignore_error is not set; `number` of the line is for the message. */
int line_read(const struct line_format *format, struct arena *arena, struct slice line, int64_t number,
	      struct line_record *ret_record, struct error *err);

/* What is printed of a record beside key, value and headers. */
struct line_place {
	const char *timestamp_type; /* "CreateTime"; NULL: no time stamp */
	int64_t timestamp;
	int32_t partition;
	int64_t offset;
};

void line_print(const struct line_format *format, const struct line_place *place, const struct line_record *record, FILE *out);

#endif
