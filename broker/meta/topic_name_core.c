/* Rules for topic names; see topic_name_core.h. */
#include "broker/meta/topic_name_core.h"

#include "common/limits.h"

static bool is_legal(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

static bool all_legal(struct slice name)
{
	for (size_t i = 0; i < name.len; i++)
		if (!is_legal(name.data[i]))
			return false;
	return true;
}

static bool is_dots(struct slice name)
{
	return slice_is_text(name, ".") || slice_is_text(name, "..");
}

bool topic_name_is_valid(struct slice name)
{
	return name.len > 0 && name.len <= LIMIT_TOPIC_NAME_BYTES && !is_dots(name) && all_legal(name);
}

bool topic_name_check(struct slice name, struct arena *arena, const char **ret_refusal)
{
	const char *refusal;

	if (topic_name_is_valid(name))
		return true;
	if (!ret_refusal)
		return false;
	if (!name.len)
		refusal = "Topic name is invalid: the empty string is not allowed";
	else if (is_dots(name))
		refusal = arena_printf(arena, "Topic name is invalid: '%.*s' is not allowed", SLICE_ARGS(name));
	else if (name.len > LIMIT_TOPIC_NAME_BYTES)
		refusal = arena_printf(arena, "Topic name is invalid: the length of '%.*s' is longer than the max allowed length %d",
				       SLICE_ARGS(name), LIMIT_TOPIC_NAME_BYTES);
	else
		refusal = arena_printf(arena,
				       "Topic name is invalid: '%.*s' contains one or more characters other than ASCII alphanumerics, "
				       "'.', '_' and '-'",
				       SLICE_ARGS(name));
	*ret_refusal = refusal;
	return false;
}

bool topic_names_collide(struct slice a, struct slice b)
{
	bool equal = true;

	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++) {
		uint8_t left = a.data[i] == '.' ? '_' : a.data[i];
		uint8_t right = b.data[i] == '.' ? '_' : b.data[i];

		if (left != right)
			return false;
		equal &= a.data[i] == b.data[i];
	}
	return !equal;
}

bool topic_name_is_internal(struct slice name)
{
	return slice_is_text(name, "__consumer_offsets") || slice_is_text(name, "__transaction_state");
}
