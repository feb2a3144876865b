#include "test/lib/golden.h"

#include "test/lib/unit.h"

#include <stdio.h>
#include <string.h>

struct slice golden_file(struct arena *arena, const char *name)
{
	char *path = arena_printf(arena, "%s/test/golden/%s", unit_source_dir(), name);
	FILE *file = fopen(path, "rb");
	uint8_t *data;
	long size;

	ck_assert_msg(file != NULL, "%s cannot be opened", path);
	ck_assert_int_eq(fseek(file, 0, SEEK_END), 0);
	size = ftell(file);
	ck_assert_int_ge(size, 0);
	rewind(file);
	data = arena_alloc(arena, (size_t)size + 1);
	ck_assert_uint_eq(fread(data, 1, (size_t)size, file), (size_t)size);
	data[size] = 0;
	fclose(file);
	return slice_of(data, (size_t)size);
}

static struct slice cut(struct slice *text, char end)
{
	const uint8_t *at = memchr(text->data, end, text->len);
	struct slice head = slice_of(text->data, at ? (size_t)(at - text->data) : text->len);
	size_t skip = head.len + (at ? 1 : 0);

	*text = slice_of(text->data + skip, text->len - skip);
	return head;
}

struct slice golden_line(struct slice *text)
{
	while (text->len > 0) {
		struct slice line = cut(text, '\n');

		if (line.len > 0 && line.data[0] != '#')
			return line;
	}
	return SLICE_NULL;
}

char *golden_word(struct arena *arena, struct slice *line)
{
	return (char *)arena_copy(arena, cut(line, ' ')).data;
}

static unsigned base64_digit(char c)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = strchr(digits, c);

	ck_assert_msg(c && at, "'%c' in a base64 text", c);
	return (unsigned)(at - digits);
}

struct slice golden_base64(struct arena *arena, const char *text)
{
	uint8_t *bytes = arena_alloc(arena, strlen(text) + 1);
	unsigned pending = 0;
	int n_bits = 0;
	size_t n = 0;

	if (strcmp(text, "-") == 0)
		return slice_of(bytes, 0);
	for (; *text && *text != '='; text++) {
		pending = pending << 6 | base64_digit(*text);
		n_bits += 6;
		if (n_bits >= 8) {
			n_bits -= 8;
			bytes[n++] = (uint8_t)(pending >> n_bits);
		}
	}
	return slice_of(bytes, n);
}
