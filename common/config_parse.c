/*
 * Text of a configuration value -> typed value, or the refusal in Kafka's words; see config_table.h.
 *
 *     trim -> read by type (Java's notations) -> check of the row
 */
#include "common/config_table.h"

#include "common/check.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static struct slice trim(struct slice s)
{
	while (s.len && s.data[0] <= ' ')
		s = slice_of(s.data + 1, s.len - 1);
	while (s.len && s.data[s.len - 1] <= ' ')
		s.len--;
	return s;
}

bool config_list_next(struct slice list, size_t *at, struct slice *ret_element)
{
	const uint8_t *comma;
	size_t len;

	if (*at > list.len || !trim(list).len)
		return false;
	comma = memchr(list.data + *at, ',', list.len - *at);
	len = comma ? (size_t)(comma - list.data) - *at : list.len - *at;
	*ret_element = trim(slice_of(list.data + *at, len));
	*at += len + 1;
	return true;
}

/* A decimal integer with an optional sign that lies in [min, max]. */
static bool read_integer(struct slice s, int64_t min, int64_t max, int64_t *ret_number)
{
	bool negative = s.len && s.data[0] == '-';
	int64_t number = 0;
	size_t i = s.len && (s.data[0] == '-' || s.data[0] == '+') ? 1 : 0;

	if (i == s.len)
		return false;
	/* Counted downwards, where there is room for one more than upwards. */
	for (; i < s.len; i++) {
		if (s.data[i] < '0' || s.data[i] > '9' || __builtin_mul_overflow(number, 10, &number) ||
		    __builtin_sub_overflow(number, s.data[i] - '0', &number))
			return false;
	}
	if (!negative && number == INT64_MIN)
		return false;
	number = negative ? number : -number;
	if (number < min || number > max)
		return false;
	*ret_number = number;
	return true;
}

/* Java's notation: digits, '.', an exponent, a suffix f or d; NaN and Infinity by these names. Not hexadecimal, nor C's words. */
static bool read_double(struct slice s, double *ret_real)
{
	char text[64];
	char *end;

	if (slice_is_text(s, "NaN") || slice_is_text(s, "+NaN") || slice_is_text(s, "-NaN")) {
		*ret_real = (double)NAN;
		return true;
	}
	if (slice_is_text(s, "Infinity") || slice_is_text(s, "+Infinity") || slice_is_text(s, "-Infinity")) {
		*ret_real = s.data[0] == '-' ? -(double)INFINITY : (double)INFINITY;
		return true;
	}
	if (s.len && strchr("fFdD", s.data[s.len - 1]))
		s.len--;
	if (!s.len || s.len >= sizeof text)
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (!s.data[i] || !strchr("0123456789+-.eE", s.data[i]))
			return false;
	memcpy(text, s.data, s.len);
	text[s.len] = 0;
	*ret_real = strtod(text, &end);
	return end == text + s.len;
}

/*
 * The shortest text that reads back as this double, as Java writes it: always with a fraction, an exponent as "E308" (Java uses one
 * from 10^7 on and below 10^-3; here it stands where printf sees need for it, which is far from any configuration value).
 */
static const char *show_double(struct arena *arena, double real)
{
	char text[40];
	char *exponent;

	if (isnan(real))
		return "NaN";
	if (isinf(real))
		return real > 0 ? "Infinity" : "-Infinity";
	for (int digits = 1; digits <= 17; digits++) {
		snprintf(text, sizeof text, "%.*g", digits, real);
		if (strtod(text, NULL) == real)
			break;
	}
	exponent = strchr(text, 'e');
	if (exponent)
		*exponent = 0;
	const char *fraction = strchr(text, '.') ? "" : ".0";

	return exponent ? arena_printf(arena, "%s%sE%d", text, fraction, atoi(exponent + 1))
			: arena_printf(arena, "%s%s", text, fraction);
}

static bool word_in(struct slice word, const char *words)
{
	struct slice list = slice_of_text(words), element;

	for (size_t at = 0; config_list_next(list, &at, &element);)
		if (slice_equal(word, element))
			return true;
	return false;
}

/* "0.8.0" to "4.0-IV1": a release that exists, with or without its patch number or sub-version. */
static bool is_version(struct slice s)
{
	static const char *const releases = "0.8.0, 0.8.1, 0.8.2, 0.9.0, 0.10.0, 0.10.1, 0.10.2, 0.11.0, 1.0, 1.1, 2.0, 2.1, 2.2, 2.3, 2.4, "
					    "2.5, 2.6, 2.7, 2.8, 3.0, 3.1, 3.2, 3.3, 3.4, 3.5, 3.6, 3.7, 3.8, 3.9, 4.0";
	size_t wanted_dots = s.len > 1 && s.data[0] == '0' && s.data[1] == '.' ? 2 : 1;
	size_t dots = 0, end = 0;

	for (; end < s.len && s.data[end] != '-'; end++) {
		if (s.data[end] != '.' && (s.data[end] < '0' || s.data[end] > '9'))
			return false;
		if (s.data[end] == '.' && dots++ == wanted_dots)
			break;
	}
	return word_in(slice_of(s.data, end), releases) &&
	       (end == s.len || s.data[end] == '.' || (s.len - end == 4 && memcmp(s.data + end, "-IV", 3) == 0));
}

static bool is_throttled_list(struct slice list)
{
	struct slice element;

	if (slice_is_text(trim(list), "*"))
		return true;
	for (size_t at = 0; config_list_next(list, &at, &element);) {
		const uint8_t *colon = memchr(element.data, ':', element.len);
		int64_t number;

		if (!colon)
			return false;
		struct slice partition = slice_of(element.data, (size_t)(colon - element.data));
		struct slice broker = slice_of(colon + 1, element.len - partition.len - 1);

		if (!read_integer(partition, 0, INT32_MAX, &number) || !read_integer(broker, 0, INT32_MAX, &number))
			return false;
	}
	return true;
}

static const char *refuse(struct arena *arena, const struct config_row *row, struct slice value, const char *why)
{
	if (slice_is_null(value))
		value = SLICE_LITERAL("null");
	return arena_printf(arena, "Invalid value %.*s for configuration %s: %s", SLICE_ARGS(value), row->name, why);
}

/* Reads by type; the reason when it is none of the type. */
static const char *read_typed(const struct config_row *row, struct slice text, struct config_parsed *parsed)
{
	switch (row->type) {
	case CONFIG_BOOLEAN:
		parsed->boolean = text.len == 4 && strncasecmp((const char *)text.data, "true", 4) == 0;
		if (parsed->boolean || (text.len == 5 && strncasecmp((const char *)text.data, "false", 5) == 0))
			return NULL;
		return "Expected value to be either true or false";
	case CONFIG_INT:
		return read_integer(text, INT32_MIN, INT32_MAX, &parsed->number) ? NULL : "Not a number of type INT";
	case CONFIG_SHORT:
		return read_integer(text, INT16_MIN, INT16_MAX, &parsed->number) ? NULL : "Not a number of type SHORT";
	case CONFIG_LONG:
		return read_integer(text, INT64_MIN, INT64_MAX, &parsed->number) ? NULL : "Not a number of type LONG";
	case CONFIG_DOUBLE:
		return read_double(text, &parsed->real) ? NULL : "Not a number of type DOUBLE";
	default:
		return NULL;
	}
}

static const char *check_list(const struct config_row *row, const struct config_parsed *parsed, struct arena *arena)
{
	struct slice element;

	for (size_t at = 0; config_list_next(parsed->text, &at, &element);)
		if (!word_in(element, row->allowed))
			return refuse(arena, row, element, arena_printf(arena, "String must be one of: %s", row->allowed));
	return NULL;
}

static const char *refuse_throttled(const struct config_row *row, const struct config_parsed *parsed, struct arena *arena)
{
	const char *shown = "";
	struct slice element;

	for (size_t at = 0; config_list_next(parsed->text, &at, &element);)
		shown = arena_printf(arena, "%s%s%.*s", shown, *shown ? ", " : "", SLICE_ARGS(element));
	return arena_printf(arena,
			    "Invalid value [%s] for configuration %s: %s must be the literal '*' or a list of replicas in the following "
			    "format: [partitionId]:[brokerId],[partitionId]:[brokerId],...",
			    shown, row->name, row->name);
}

static const char *check_number(const struct config_row *row, const struct config_parsed *parsed, struct slice text,
				struct arena *arena)
{
	if (row->check == CHECK_LEVEL) {
		if (parsed->number == -1 || (parsed->number >= row->min && parsed->number <= row->max))
			return NULL;
		return refuse(arena, row, text,
			      arena_printf(arena, "Value must be between %lld and %lld or equal to -1", (long long)row->min,
					   (long long)row->max));
	}
	if (parsed->number < row->min)
		return refuse(arena, row, text, arena_printf(arena, "Value must be at least %lld", (long long)row->min));
	if (row->check == CHECK_BETWEEN && parsed->number > row->max)
		return refuse(arena, row, text, arena_printf(arena, "Value must be no more than %lld", (long long)row->max));
	return NULL;
}

static const char *check_ratio(const struct config_row *row, const struct config_parsed *parsed, struct arena *arena)
{
	struct slice shown = slice_of_text(show_double(arena, parsed->real));

	if (parsed->real < 0)
		return refuse(arena, row, shown, "Value must be at least 0");
	if (parsed->real > 1)
		return refuse(arena, row, shown, "Value must be no more than 1");
	return NULL;
}

/* The refusal of the row's check; NULL when the value passes. */
static const char *check_parsed(const struct config_row *row, const struct config_parsed *parsed, struct arena *arena)
{
	switch ((enum config_check)row->check) {
	case CHECK_ANY:
		return NULL;
	case CHECK_AT_LEAST:
	case CHECK_BETWEEN:
	case CHECK_LEVEL:
		/* Kafka shows the number it read, not the text. */
		return check_number(row, parsed, slice_of_text(arena_printf(arena, "%lld", (long long)parsed->number)), arena);
	case CHECK_RATIO:
		return check_ratio(row, parsed, arena);
	case CHECK_ONE_OF:
		if (word_in(parsed->text, row->allowed))
			return NULL;
		return refuse(arena, row, parsed->text, arena_printf(arena, "String must be one of: %s", row->allowed));
	case CHECK_LIST_OF:
		return check_list(row, parsed, arena);
	case CHECK_NOT_EMPTY:
		return parsed->text.len ? NULL : refuse(arena, row, parsed->text, "String must be non-empty");
	case CHECK_VERSION:
		if (is_version(parsed->text))
			return NULL;
		return refuse(arena, row, parsed->text,
			      arena_printf(arena, "Version %.*s is not a valid version", SLICE_ARGS(parsed->text)));
	case CHECK_THROTTLED:
		return is_throttled_list(parsed->text) ? NULL : refuse_throttled(row, parsed, arena);
	}
	return NULL;
}

bool config_parse(const struct config_row *row, struct slice value, struct arena *arena, struct config_parsed *ret_parsed,
		  const char **ret_refusal)
{
	struct config_parsed parsed = {.is_null = slice_is_null(value)};
	const char *why;

	if (parsed.is_null) {
		if (row->fallback) {
			*ret_refusal = refuse(arena, row, value, "entry must be non null");
			return false;
		}
		*ret_parsed = parsed;
		return true;
	}
	/* A password may well begin or end with a blank. */
	parsed.text = arena_copy(arena, row->type == CONFIG_PASSWORD ? value : trim(value));
	why = read_typed(row, parsed.text, &parsed);
	*ret_refusal = why ? refuse(arena, row, value, why) : check_parsed(row, &parsed, arena);
	if (*ret_refusal)
		return false;
	*ret_parsed = parsed;
	return true;
}

static struct slice show_list(const struct config_parsed *parsed, struct arena *arena)
{
	const char *shown = "";
	struct slice element;

	for (size_t at = 0; config_list_next(parsed->text, &at, &element);)
		shown = arena_printf(arena, "%s%s%.*s", shown, *shown ? "," : "", SLICE_ARGS(element));
	return slice_of_text(shown);
}

struct slice config_show(const struct config_row *row, const struct config_parsed *parsed, struct arena *arena)
{
	if (parsed->is_null)
		return SLICE_NULL;
	switch (row->type) {
	case CONFIG_BOOLEAN:
		return parsed->boolean ? SLICE_LITERAL("true") : SLICE_LITERAL("false");
	case CONFIG_INT:
	case CONFIG_SHORT:
	case CONFIG_LONG:
		return slice_of_text(arena_printf(arena, "%lld", (long long)parsed->number));
	case CONFIG_DOUBLE:
		return slice_of_text(show_double(arena, parsed->real));
	case CONFIG_LIST:
		return show_list(parsed, arena);
	default:
		return parsed->text;
	}
}

static const char *type_text(const struct config_row *row)
{
	switch (row->type) {
	case CONFIG_BOOLEAN:
		return "true or false";
	case CONFIG_INT:
		return "an integer of 32 bits";
	case CONFIG_SHORT:
		return "an integer of 16 bits";
	case CONFIG_LONG:
		return "an integer";
	case CONFIG_DOUBLE:
		return "a number";
	case CONFIG_LIST:
		return "a list separated by commas";
	default:
		return "a text";
	}
}

const char *config_allowed_text(const struct config_row *row, struct arena *arena)
{
	switch ((enum config_check)row->check) {
	case CHECK_AT_LEAST:
		return arena_printf(arena, "%s, at least %lld", type_text(row), (long long)row->min);
	case CHECK_BETWEEN:
		return arena_printf(arena, "%s from %lld to %lld", type_text(row), (long long)row->min, (long long)row->max);
	case CHECK_LEVEL:
		return arena_printf(arena, "%s from %lld to %lld, or -1", type_text(row), (long long)row->min, (long long)row->max);
	case CHECK_RATIO:
		return "a number from 0 to 1";
	case CHECK_ONE_OF:
		return arena_printf(arena, "one of: %s", row->allowed);
	case CHECK_LIST_OF:
		return arena_printf(arena, "a list of: %s", row->allowed);
	case CHECK_NOT_EMPTY:
		return arena_printf(arena, "%s that is not empty", type_text(row));
	case CHECK_VERSION:
		return "a version of Kafka, such as 3.9";
	case CHECK_THROTTLED:
		return "* or a list of partition:broker";
	case CHECK_ANY:
		break;
	}
	return type_text(row);
}
