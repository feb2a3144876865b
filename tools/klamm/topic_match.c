/* Patterns of topic names; see topic_match.h. */
#include "tools/klamm/topic_match.h"

#include <ctype.h>
#include <string.h>

bool topic_is_internal(struct slice name)
{
	return slice_is_text(name, "__consumer_offsets") || slice_is_text(name, "__transaction_state");
}

/* A dot is left out: it is a sign of regular expressions, as Kafka has it. */
static bool is_plain(const char *text)
{
	for (; *text; text++)
		if (!isalnum((unsigned char)*text) && !strchr("_-,", *text))
			return false;
	return true;
}

static void names_split(struct topic_match *match, struct arena *arena, const char *text)
{
	match->names = arena_zalloc(arena, strlen(text) + 1, sizeof *match->names);
	while (*text) {
		size_t len = strcspn(text, ",");

		if (len)
			match->names[match->n_names++] = arena_copy(arena, slice_of(text, len));
		text += len + (text[len] == ',');
	}
}

/* Blanks and quotes around the whole go, a comma means "or". */
static char *pattern_clean(struct arena *arena, const char *text)
{
	size_t len;
	char *clean, *to;

	text += strspn(text, "\"' ");
	len = strlen(text);
	while (len && strchr("\"' ", text[len - 1]))
		len--;
	to = clean = arena_alloc(arena, len + 1);
	for (size_t i = 0; i < len; i++)
		if (text[i] != ' ')
			*to++ = text[i] == ',' ? '|' : text[i];
	*to = 0;
	return clean;
}

int topic_match_init(struct topic_match *match, struct arena *arena, const char *text, struct error *err)
{
	char why[128], *clean;
	int r;

	*match = (struct topic_match){.all = text == NULL};
	if (!text)
		return 0;
	if (is_plain(text)) {
		names_split(match, arena, text);
		return 0;
	}
	clean = pattern_clean(arena, text);
	r = regcomp(&match->regex, arena_printf(arena, "^(%s)$", clean), REG_EXTENDED | REG_NOSUB);
	if (r != 0) {
		regerror(r, &match->regex, why, sizeof why);
		return error_set(err, ERR_INVALID, "--topic %s is no regular expression: %s", text, why);
	}
	match->has_regex = true;
	return 0;
}

void topic_match_fini(struct topic_match *match)
{
	if (match->has_regex)
		regfree(&match->regex);
	match->has_regex = false;
}

bool topic_match_name(const struct topic_match *match, struct slice name)
{
	char text[256];

	if (match->all)
		return true;
	if (match->has_regex) {
		if (name.len >= sizeof text)
			return false;
		memcpy(text, name.data, name.len);
		text[name.len] = 0;
		return regexec(&match->regex, text, 0, NULL, 0) == 0;
	}
	for (int i = 0; i < match->n_names; i++)
		if (slice_equal(match->names[i], name))
			return true;
	return false;
}
