/* Lists of configs; see config_list.h. */
#include "tools/klamm/config_list.h"

#include <string.h>

/* Length of one pair: to the next comma outside of brackets. -1 for brackets that do not match. */
static int pair_len(const char *text)
{
	int depth = 0, len = 0;

	for (; text[len] && (depth || text[len] != ','); len++) {
		depth += text[len] == '[' ? 1 : text[len] == ']' ? -1 : 0;
		if (depth < 0 || depth > 1)
			return -1;
	}
	return depth ? -1 : len;
}

static struct slice trim(struct slice text)
{
	while (text.len && *text.data == ' ') {
		text.data++;
		text.len--;
	}
	while (text.len && text.data[text.len - 1] == ' ')
		text.len--;
	return text;
}

static int pair_parse(struct arena *arena, const char *text, int len, struct config_pair *ret_pair, struct error *err)
{
	const char *equals = memchr(text, '=', (size_t)len);
	struct slice key = trim(slice_of(text, equals ? (size_t)(equals - text) : (size_t)len)), value;

	if (!equals || key.len == 0)
		return error_set(err, ERR_INVALID,
				 "'%.*s' is no config: write NAME=VALUE, with commas between them and [a,b] for a "
				 "value with commas",
				 len, text);
	value = trim(slice_of(equals + 1, (size_t)(text + len - equals - 1)));
	if (value.len >= 2 && value.data[0] == '[' && value.data[value.len - 1] == ']')
		value = slice_of(value.data + 1, value.len - 2);
	*ret_pair = (struct config_pair){arena_copy(arena, key), arena_copy(arena, value)};
	return 0;
}

int config_list_parse(struct arena *arena, const char *text, struct config_pair **ret_pairs, int *ret_n, struct error *err)
{
	struct config_pair *pairs = arena_zalloc(arena, strlen(text) / 2 + 1, sizeof *pairs);
	int n = 0;

	while (*text) {
		int len = pair_len(text), r;

		if (len < 0)
			return error_set(err, ERR_INVALID, "'%s': a '[' and its ']' do not match", text);
		r = len ? pair_parse(arena, text, len, &pairs[n], err) : 0;
		if (r != 0)
			return r;
		for (int i = 0; len && i < n; i++)
			if (slice_equal(pairs[i].key, pairs[n].key))
				return error_set(err, ERR_INVALID, "config %.*s is given twice", SLICE_ARGS(pairs[n].key));
		n += len > 0;
		text += len + (text[len] == ',');
	}
	*ret_pairs = pairs;
	*ret_n = n;
	return 0;
}
