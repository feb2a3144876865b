/* The words of --reset-offsets; see group_reset_core.h. */
#include "tools/klamm/group_reset_core.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>

#define DAY_MS 86400000LL
#define LINE_FIELDS_MAX 4
#define NUMBER_DIGITS_MAX 18

/* A number without a sign, of at most NUMBER_DIGITS_MAX digits; the text behind it, NULL when there is none. */
static const char *number_take(const char *text, int64_t *ret_number)
{
	int64_t number = 0;
	int n = 0;

	while (isdigit((unsigned char)text[n]) && n < NUMBER_DIGITS_MAX)
		number = number * 10 + (text[n++] - '0');
	if (n == 0 || isdigit((unsigned char)text[n]))
		return NULL;
	*ret_number = number;
	return text + n;
}

/* ---- topics ---- */

int group_topic_parse(struct arena *arena, const char *text, struct group_topic *ret_topic, struct error *err)
{
	size_t len = strcspn(text, ":");
	struct group_topic topic = {.topic = slice_of(text, len), .n_partitions = -1};
	const char *at = text + len;
	int64_t number;

	if (len == 0)
		return error_set(err, ERR_INVALID, "--topic '%s' names no topic", text);
	if (*at) {
		topic.partitions = arena_zalloc(arena, strlen(at), sizeof *topic.partitions);
		topic.n_partitions = 0;
	}
	while (*at) {
		at = number_take(at + 1, &number);
		if (!at || number > INT32_MAX || (*at && *at != ','))
			return error_set(err, ERR_INVALID, "--topic '%s': write NAME or NAME:0,1,2", text);
		topic.partitions[topic.n_partitions++] = (int32_t)number;
	}
	*ret_topic = topic;
	return 0;
}

/* ---- times ---- */

/* Days since 1970-01-01 in the Gregorian calendar, counted from years that begin with March. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
	int64_t y = month > 2 ? year : year - 1, m = month > 2 ? month - 3 : month + 9;

	return y * 365 + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;
}

static int64_t days_in(int64_t year, int64_t month)
{
	return month == 12 ? 31 : days_of(year, month + 1, 1) - days_of(year, month, 1);
}

/* One field of a fixed width with a bound; NULL when it is none, or when `before` does not stand in front of it. */
static const char *field_take(const char *text, char before, int width, int64_t max, int64_t *ret_value)
{
	*ret_value = 0;
	if (!text || (before && *text++ != before))
		return NULL;
	for (int i = 0; i < width; i++) {
		if (!isdigit((unsigned char)text[i]))
			return NULL;
		*ret_value = *ret_value * 10 + (text[i] - '0');
	}
	return *ret_value <= max ? text + width : NULL;
}

/* Z, +HH, +HHMM or +HH:MM; nothing is UTC. */
static const char *zone_take(const char *text, int64_t *ret_ms)
{
	int64_t hours, minutes = 0, sign = *text == '-' ? -1 : 1;

	*ret_ms = 0;
	if (*text == 'Z')
		return text + 1;
	if (*text != '+' && *text != '-')
		return text;
	text = field_take(text, *text, 2, 18, &hours);
	if (text && *text)
		text = field_take(text, *text == ':' ? ':' : 0, 2, 59, &minutes);
	*ret_ms = sign * (hours * 60 + minutes) * 60000;
	return text;
}

int group_datetime_parse(const char *text, int64_t *ret_ms, struct error *err)
{
	int64_t year, month, day, hour, minute, second, ms = 0, zone_ms = 0;
	const char *at = field_take(text, 0, 4, 9999, &year);

	at = field_take(at, '-', 2, 12, &month);
	at = field_take(at, '-', 2, 31, &day);
	at = field_take(at, 'T', 2, 23, &hour);
	at = field_take(at, ':', 2, 59, &minute);
	at = field_take(at, ':', 2, 59, &second);
	if (at && *at == '.')
		at = field_take(at, '.', 3, 999, &ms);
	if (at)
		at = zone_take(at, &zone_ms);
	if (!at || *at || month < 1 || day < 1 || day > days_in(year, month))
		return error_set(err, ERR_INVALID, "'%s' is no time: write YYYY-MM-DDTHH:MM:SS.sss, and a zone (+01:00) where it is not UTC", text);
	*ret_ms = days_of(year, month, day) * DAY_MS + ((hour * 60 + minute) * 60 + second) * 1000 + ms - zone_ms;
	return 0;
}

/* The milliseconds of one unit of a duration; units come in this order. */
static int64_t unit_ms(char unit, bool is_time, int *place)
{
	static const struct {
		char unit;
		bool is_time;
		int64_t ms;
	} units[] = {{'D', false, DAY_MS}, {'H', true, 3600000}, {'M', true, 60000}, {'S', true, 1000}};

	for (; *place < 4; (*place)++)
		if (units[*place].unit == unit && units[*place].is_time == is_time)
			return units[(*place)++].ms;
	return 0;
}

/* The digits behind the point of a number of seconds, to the millisecond. */
static const char *fraction_take(const char *text, int64_t *ret_ms)
{
	int n = 0;

	*ret_ms = 0;
	for (; isdigit((unsigned char)text[n]); n++)
		if (n < 3)
			*ret_ms = *ret_ms * 10 + (text[n] - '0');
	for (int i = n; i < 3; i++)
		*ret_ms *= 10;
	return n ? text + n : NULL;
}

int group_duration_parse(const char *text, int64_t *ret_ms, struct error *err)
{
	const char *at = *text == 'P' ? text + 1 : NULL;
	int64_t total = 0, number, fraction_ms = 0, ms = 0;
	bool is_time = false;
	int place = 0;

	while (at && *at) {
		if (*at == 'T' && !is_time) {
			is_time = true;
			at++;
		}
		at = number_take(at, &number);
		fraction_ms = 0;
		if (at && *at == '.' && is_time)
			at = fraction_take(at + 1, &fraction_ms);
		ms = at ? unit_ms(*at, is_time, &place) : 0;
		if (ms == 0 || (fraction_ms && ms != 1000) || number > INT64_MAX / 2 / ms - total / ms) {
			at = NULL;
			break;
		}
		total += number * ms + fraction_ms;
		at++;
	}
	if (!at || ms == 0)
		return error_set(err, ERR_INVALID, "'%s' is no duration: write PnDTnHnMnS, such as P1DT12H or PT5M", text);
	*ret_ms = total;
	return 0;
}

/* ---- files ---- */

static struct slice field_of(struct slice text)
{
	while (text.len && isspace(text.data[0]))
		text = slice_of(text.data + 1, text.len - 1);
	while (text.len && isspace(text.data[text.len - 1]))
		text.len--;
	if (text.len >= 2 && text.data[0] == '"' && text.data[text.len - 1] == '"')
		text = slice_of(text.data + 1, text.len - 2);
	return text;
}

static bool field_number(struct slice field, int64_t max, int64_t *ret_number)
{
	char text[NUMBER_DIGITS_MAX + 2];
	const char *end;

	if (field.len >= sizeof text)
		return false;
	memcpy(text, field.data, field.len);
	text[field.len] = 0;
	end = number_take(text, ret_number);
	return end && !*end && *ret_number <= max;
}

int group_line_parse(struct slice line, struct group_line *ret_line, struct error *err)
{
	struct slice fields[LINE_FIELDS_MAX];
	struct group_line read = {.group = SLICE_NULL};
	int64_t partition;
	int n = 0;

	for (const uint8_t *at = line.data, *end = line.data + line.len; at && n < LINE_FIELDS_MAX; n++) {
		const uint8_t *comma = memchr(at, ',', (size_t)(end - at));

		fields[n] = field_of(slice_of(at, (size_t)((comma ? comma : end) - at)));
		at = comma ? comma + 1 : NULL;
		if (at && n + 1 == LINE_FIELDS_MAX)
			n = LINE_FIELDS_MAX;
	}
	if (n == 4)
		read.group = fields[0];
	if ((n != 3 && n != 4) || fields[n - 3].len == 0 || !field_number(fields[n - 2], INT32_MAX, &partition) ||
	    !field_number(fields[n - 1], INT64_MAX, &read.offset))
		return error_set(err, ERR_INVALID, "'%.*s': write topic,partition,offset or group,topic,partition,offset", SLICE_ARGS(line));
	read.topic = fields[n - 3];
	read.partition = (int32_t)partition;
	*ret_line = read;
	return 0;
}

int64_t group_offset_within(int64_t offset, int64_t start, int64_t end)
{
	if (offset < start)
		return start;
	return offset > end ? end : offset;
}
