/* Small text files; see text_file.h. */
#include "broker/log/text_file.h"

#include "common/check.h"
#include "common/error.h"
#include "common/memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

bool text_take_line(struct slice *rest, struct slice *ret_line)
{
	const uint8_t *end = rest->len ? memchr(rest->data, '\n', rest->len) : NULL;

	if (!end)
		return false;
	*ret_line = slice_of(rest->data, (size_t)(end - rest->data));
	*rest = slice_of(end + 1, rest->len - ret_line->len - 1);
	return true;
}

bool text_take_word(struct slice *rest, struct slice *ret_word)
{
	size_t len = 0;

	while (len < rest->len && rest->data[len] != ' ')
		len++;
	if (len == 0)
		return false;
	*ret_word = slice_of(rest->data, len);
	if (len < rest->len)
		len++;
	*rest = slice_of(rest->data + len, rest->len - len);
	return true;
}

bool text_number(struct slice word, int64_t min, int64_t max, int64_t *ret_number)
{
	bool negative = word.len > 0 && word.data[0] == '-';
	int64_t number = 0;

	if (word.len == (negative ? 1u : 0u) || word.len > 20)
		return false;
	for (size_t i = negative; i < word.len; i++) {
		if (word.data[i] < '0' || word.data[i] > '9')
			return false;
		/* Counted downwards, so that the smallest number has no special case. */
		if (__builtin_mul_overflow(number, 10, &number) || __builtin_sub_overflow(number, word.data[i] - '0', &number))
			return false;
	}
	if (!negative && __builtin_sub_overflow(0, number, &number))
		return false;
	if (number < min || number > max)
		return false;
	*ret_number = number;
	return true;
}

int text_file_parse(struct slice text, int64_t version, text_line_fn *each, void *ctx)
{
	struct slice line;
	int64_t found, n;
	int rc = 0;

	if (!text_take_line(&text, &line) || !text_number(line, 0, INT32_MAX, &found) || found != version)
		return ERR_CORRUPT;
	if (!text_take_line(&text, &line) || !text_number(line, 0, INT32_MAX, &n))
		return ERR_CORRUPT;
	for (int64_t i = 0; rc == 0 && i < n; i++)
		rc = text_take_line(&text, &line) ? each(ctx, line) : ERR_CORRUPT;
	if (rc == 0 && text.len > 0)
		rc = ERR_CORRUPT;
	return rc;
}

void text_add(struct text_out *out, const char *format, ...)
{
	va_list args;
	int n;

	for (;;) {
		size_t room = out->cap - out->len;

		va_start(args, format);
		n = vsnprintf(out->at ? out->at + out->len : NULL, room, format, args);
		va_end(args);
		CHECK(n >= 0);
		if ((size_t)n < room)
			break;
		out->cap = out->cap * 2 + (size_t)n + 256;
		out->at = memory_grow(out->at, out->cap);
	}
	out->len += (size_t)n;
}

void text_fini(struct text_out *out)
{
	free(out->at);
	*out = (struct text_out){0};
}
