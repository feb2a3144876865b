/* Prometheus' text format; see metrics.h. */
#include "common/metrics.h"

#include "common/check.h"
#include "common/error.h"
#include "common/memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void metrics_init(struct metrics *metrics, size_t bytes_max)
{
	*metrics = (struct metrics){.bytes_max = bytes_max};
}

void metrics_fini(struct metrics *metrics)
{
	free(metrics->text);
	*metrics = (struct metrics){0};
}

static bool is_name(const char *text)
{
	if (!*text || (*text >= '0' && *text <= '9'))
		return false;
	for (; *text; text++)
		if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789_", *text))
			return false;
	return true;
}

/* ---- lines ---- */

static void add(struct metrics *metrics, const char *bytes, size_t len)
{
	if (metrics->overflowed)
		return;
	if (len > metrics->bytes_max - metrics->len) {
		metrics->overflowed = true;
		return;
	}
	if (metrics->len + len > metrics->cap) {
		metrics->cap = metrics->cap * 2 > metrics->len + len ? metrics->cap * 2 : metrics->len + len + 1024;
		metrics->text = memory_grow(metrics->text, metrics->cap);
	}
	memcpy(metrics->text + metrics->len, bytes, len);
	metrics->len += len;
}

static void add_text(struct metrics *metrics, const char *text)
{
	add(metrics, text, strlen(text));
}

/* Nothing of a line that did not fit stays: what comes after it is left out, too. */
static void end_line(struct metrics *metrics, size_t began)
{
	add(metrics, "\n", 1);
	if (metrics->overflowed)
		metrics->len = began;
}

static void add_value(struct metrics *metrics, int64_t value)
{
	char digits[24];

	snprintf(digits, sizeof digits, " %" PRId64, value);
	add_text(metrics, digits);
}

/* ---- label values ---- */

/* How many bytes the UTF-8 character at the head of the text has; 0: it is none (overlong, a surrogate, cut off, out of range). */
static size_t character_len(struct slice text)
{
	uint8_t first = text.data[0], low = 0x80, high = 0xbf;
	size_t len = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;

	if (len > text.len)
		return 0;
	if (first == 0xe0)
		low = 0xa0;
	else if (first == 0xed)
		high = 0x9f;
	else if (first == 0xf0)
		low = 0x90;
	else if (first == 0xf4)
		high = 0x8f;
	for (size_t i = 1; i < len; i++, low = 0x80, high = 0xbf)
		if (text.data[i] < low || text.data[i] > high)
			return 0;
	return len;
}

static void add_label_value(struct metrics *metrics, struct slice value)
{
	for (size_t at = 0; at < value.len;) {
		struct slice rest = slice_of(value.data + at, value.len - at);
		size_t len = character_len(rest);

		if (len == 0)
			add_text(metrics, "\xef\xbf\xbd");
		else if (rest.data[0] == '\\')
			add_text(metrics, "\\\\");
		else if (rest.data[0] == '"')
			add_text(metrics, "\\\"");
		else if (rest.data[0] == '\n')
			add_text(metrics, "\\n");
		else
			add(metrics, (const char *)rest.data, len);
		at += len ? len : 1;
	}
}

/* ---- what is written ---- */

void metrics_family(struct metrics *metrics, const char *name, enum metric_type type, const char *help)
{
	size_t began = metrics->len;

	CHECK(is_name(name) && !strpbrk(help, "\\\n"));
	metrics->name = name;
	add_text(metrics, "# HELP ");
	add_text(metrics, name);
	add_text(metrics, " ");
	add_text(metrics, help);
	add_text(metrics, "\n# TYPE ");
	add_text(metrics, name);
	add_text(metrics, type == METRIC_COUNTER ? " counter" : " gauge");
	end_line(metrics, began);
}

void metrics_value(struct metrics *metrics, int64_t value)
{
	size_t began = metrics->len;

	CHECK(metrics->name);
	add_text(metrics, metrics->name);
	add_value(metrics, value);
	end_line(metrics, began);
}

void metrics_value_of(struct metrics *metrics, const char *label, struct slice label_value, int64_t value)
{
	size_t began = metrics->len;

	CHECK(metrics->name && is_name(label));
	add_text(metrics, metrics->name);
	add_text(metrics, "{");
	add_text(metrics, label);
	add_text(metrics, "=\"");
	add_label_value(metrics, label_value);
	add_text(metrics, "\"}");
	add_value(metrics, value);
	end_line(metrics, began);
}

void metrics_one(struct metrics *metrics, const char *name, enum metric_type type, const char *help, int64_t value)
{
	metrics_family(metrics, name, type, help);
	metrics_value(metrics, value);
}

int metrics_text(const struct metrics *metrics, struct slice *ret_text)
{
	if (metrics->overflowed)
		return ERR_TOO_LARGE;
	*ret_text = slice_of(metrics->text, metrics->len);
	return 0;
}
