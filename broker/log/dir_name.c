/* Names of folders and files; see dir_name.h. */
#include "broker/log/dir_name.h"

#include "broker/log/text_file.h"

#include <inttypes.h>
#include <stdio.h>

#define HEX_DIGITS 32
#define OFFSET_DIGITS 20

static const char *const suffix_texts[] = {[DIR_DELETE] = "-delete", [DIR_FUTURE] = "-future", [DIR_STRAY] = "-stray"};

static bool strip_end(struct slice *name, const char *end)
{
	size_t len = strlen(end);

	if (name->len < len || memcmp(name->data + name->len - len, end, len) != 0)
		return false;
	name->len -= len;
	return true;
}

static bool is_hex(struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (!((s.data[i] >= '0' && s.data[i] <= '9') || (s.data[i] >= 'a' && s.data[i] <= 'f')))
			return false;
	}
	return true;
}

/* Takes ".<32 hex digits>" off the end. */
static bool strip_uuid(struct slice *name)
{
	size_t from;

	if (name->len <= HEX_DIGITS + 1)
		return false;
	from = name->len - HEX_DIGITS - 1;
	if (name->data[from] != '.' || !is_hex(slice_of(name->data + from + 1, HEX_DIGITS)))
		return false;
	name->len = from;
	return true;
}

static bool is_topic(struct slice topic)
{
	for (size_t i = 0; i < topic.len; i++) {
		uint8_t c = topic.data[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-'))
			return false;
	}
	return topic.len > 0 && topic.len <= LIMIT_TOPIC_NAME_BYTES && !slice_is_text(topic, ".") && !slice_is_text(topic, "..");
}

struct dir_name dir_name_parse(struct slice name)
{
	struct dir_name parsed = {.kind = DIR_PARTITION};
	size_t dash = 0;
	int64_t partition;

	for (enum dir_kind kind = DIR_DELETE; kind <= DIR_STRAY; kind++) {
		struct slice stripped = name;

		if (strip_end(&stripped, suffix_texts[kind]) && strip_uuid(&stripped)) {
			parsed.kind = kind;
			name = stripped;
			break;
		}
	}
	for (size_t i = 0; i < name.len; i++) {
		if (name.data[i] == '-')
			dash = i;
	}
	parsed.topic = slice_of(name.data, dash);
	if (dash == 0 || !text_number(slice_of(name.data + dash + 1, name.len - dash - 1), 0, INT32_MAX, &partition) ||
	    name.data[dash + 1] == '-' || !is_topic(parsed.topic))
		return (struct dir_name){.kind = DIR_INVALID};
	parsed.partition = (int32_t)partition;
	return parsed;
}

void dir_name_format(struct slice topic, int32_t partition, char ret_name[DIR_NAME_MAX])
{
	snprintf(ret_name, DIR_NAME_MAX, "%.*s-%" PRId32, SLICE_ARGS(topic), partition);
}

void dir_name_format_gone(struct slice topic, int32_t partition, enum dir_kind kind, const struct uuid *uuid, char ret_name[DIR_NAME_MAX])
{
	char hex[HEX_DIGITS + 1], end[64];
	size_t len, room;

	uuid_format_hex(uuid, hex);
	len = (size_t)snprintf(end, sizeof end, "-%" PRId32 ".%s%s", partition, hex, suffix_texts[kind]);
	room = DIR_NAME_MAX - 1 - len;
	if (topic.len > room)
		topic.len = room;
	snprintf(ret_name, DIR_NAME_MAX, "%.*s%s", SLICE_ARGS(topic), end);
}

static const char *const extensions[LOG_FILE_KINDS] = {
	[LOG_FILE_OTHER] = "",
	[LOG_FILE_LOG] = ".log",
	[LOG_FILE_INDEX] = ".index",
	[LOG_FILE_TIME_INDEX] = ".timeindex",
	[LOG_FILE_TXN_INDEX] = ".txnindex",
	[LOG_FILE_SNAPSHOT] = ".snapshot",
};

const char *log_file_extension(enum log_file_kind kind)
{
	return extensions[kind];
}

static enum log_file_suffix take_suffix(struct slice *name)
{
	if (strip_end(name, ".deleted"))
		return LOG_SUFFIX_DELETED;
	if (strip_end(name, ".cleaned"))
		return LOG_SUFFIX_CLEANED;
	return strip_end(name, ".swap") ? LOG_SUFFIX_SWAP : LOG_SUFFIX_NONE;
}

struct log_file_name log_file_name_parse(struct slice name)
{
	struct log_file_name parsed = {.kind = LOG_FILE_OTHER, .suffix = take_suffix(&name)};

	for (enum log_file_kind kind = LOG_FILE_LOG; kind < LOG_FILE_KINDS; kind++) {
		struct slice digits = name;

		if (strip_end(&digits, extensions[kind]) && digits.len == OFFSET_DIGITS &&
		    text_number(digits, 0, INT64_MAX, &parsed.offset) && digits.data[0] != '-') {
			parsed.kind = kind;
			break;
		}
	}
	return parsed;
}
