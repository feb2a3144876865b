/*
 * Reader of Java's .properties format; see properties.h.
 *
 *     text -> natural lines -> logical line (continuations joined, still escaped) -> key | separator | value -> unescaped
 */
#include "common/properties.h"

#include "common/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct reader {
	const uint8_t *at;
	const uint8_t *end;
	int line; /* of the next natural line */
	const char *origin;
	struct arena *arena;
	struct error *err;
};

/* A logical line, still escaped, without the white space it begins with. */
struct logical_line {
	uint8_t *text;
	size_t len;
	int line;
};

void properties_init(struct properties *properties)
{
	*properties = (struct properties){0};
	arena_init(&properties->arena);
}

void properties_fini(struct properties *properties)
{
	free(properties->list);
	arena_fini(&properties->arena);
	*properties = (struct properties){0};
}

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\f';
}

/* The next natural line without its end; false at the end of the text. */
static bool read_natural(struct reader *reader, struct slice *ret_line)
{
	const uint8_t *begin = reader->at;
	const uint8_t *at = begin;

	if (at == reader->end)
		return false;
	while (at < reader->end && *at != '\n' && *at != '\r')
		at++;
	*ret_line = slice_of(begin, (size_t)(at - begin));
	if (at + 1 < reader->end && at[0] == '\r' && at[1] == '\n')
		at++;
	reader->at = at < reader->end ? at + 1 : at;
	reader->line++;
	return true;
}

static struct slice skip_blanks(struct slice line)
{
	while (line.len && is_blank(*line.data))
		line = slice_of(line.data + 1, line.len - 1);
	return line;
}

/* Whether a line ends in an odd number of backslashes, which means that it goes on. */
static bool goes_on(struct slice line)
{
	size_t n = 0;

	while (n < line.len && line.data[line.len - 1 - n] == '\\')
		n++;
	return n % 2 == 1;
}

/* Joins natural lines into the next logical one that is not blank and no comment. Lines of comments never go on. */
static bool read_logical(struct reader *reader, struct logical_line *ret_line)
{
	struct slice natural;
	bool more;

	do {
		if (!read_natural(reader, &natural))
			return false;
		natural = skip_blanks(natural);
	} while (!natural.len || *natural.data == '#' || *natural.data == '!');

	/* What is left of the text is room enough for all that can follow. */
	ret_line->line = reader->line;
	ret_line->len = 0;
	ret_line->text = arena_alloc(reader->arena, natural.len + 1);
	size_t cap = natural.len + 1;

	do {
		more = goes_on(natural);
		size_t len = natural.len - (more ? 1 : 0);

		if (ret_line->len + len > cap) {
			cap = 2 * (ret_line->len + len);
			uint8_t *wider = arena_alloc(reader->arena, cap);

			memcpy(wider, ret_line->text, ret_line->len);
			ret_line->text = wider;
		}
		memcpy(ret_line->text + ret_line->len, natural.data, len);
		ret_line->len += len;
		if (more)
			more = read_natural(reader, &natural);
		if (more)
			natural = skip_blanks(natural);
	} while (more);
	return true;
}

static int hex_value(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Four hex digits at `at`; -1 when they are not there. */
static int32_t read_unit(const uint8_t *at, const uint8_t *end)
{
	int32_t unit = 0;

	if (end - at < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		int digit = hex_value(at[i]);

		if (digit < 0)
			return -1;
		unit = unit * 16 + digit;
	}
	return unit;
}

static size_t put_utf8(uint8_t *to, int32_t point)
{
	uint32_t c = (uint32_t)point;

	if (c < 0x80) {
		to[0] = (uint8_t)c;
		return 1;
	}
	if (c < 0x800) {
		to[0] = (uint8_t)(0xc0 | c >> 6);
		to[1] = (uint8_t)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		to[0] = (uint8_t)(0xe0 | c >> 12);
		to[1] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
		to[2] = (uint8_t)(0x80 | (c & 0x3f));
		return 3;
	}
	to[0] = (uint8_t)(0xf0 | c >> 18);
	to[1] = (uint8_t)(0x80 | (c >> 12 & 0x3f));
	to[2] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
	to[3] = (uint8_t)(0x80 | (c & 0x3f));
	return 4;
}

/*
 * Reads what follows "\u" and writes it as UTF-8; two escapes of a surrogate pair make one character, half a pair becomes U+FFFD.
 * Returns the bytes read, 0 when the digits are wrong or the character is NUL.
 */
static size_t unescape_unicode(const uint8_t *at, const uint8_t *end, uint8_t **to)
{
	int32_t unit = read_unit(at, end);
	size_t used = 4;

	if (unit <= 0)
		return 0;
	if (unit >= 0xd800 && unit < 0xe000) {
		int32_t low = end - at >= 6 && at[4] == '\\' && at[5] == 'u' ? read_unit(at + 6, end) : -1;

		if (unit < 0xdc00 && low >= 0xdc00 && low < 0xe000) {
			unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
			used = 10;
		} else {
			unit = 0xfffd;
		}
	}
	*to += put_utf8(*to, unit);
	return used;
}

static uint8_t unescape_letter(uint8_t c)
{
	switch (c) {
	case 't':
		return '\t';
	case 'n':
		return '\n';
	case 'r':
		return '\r';
	case 'f':
		return '\f';
	default:
		return c;
	}
}

/* A copy with escapes resolved; null when one is malformed. Escapes never grow, so the copy needs no more room. */
static struct slice unescape(struct arena *arena, struct slice raw)
{
	const uint8_t *at = raw.data;
	const uint8_t *end = at + raw.len;
	uint8_t *text = arena_alloc(arena, raw.len + 1);
	uint8_t *to = text;

	while (at < end) {
		if (*at != '\\') {
			*to++ = *at++;
			continue;
		}
		if (++at == end)
			break;
		if (*at == 'u') {
			size_t used = unescape_unicode(at + 1, end, &to);

			if (!used)
				return SLICE_NULL;
			at += 1 + used;
		} else {
			*to++ = unescape_letter(*at++);
		}
	}
	*to = 0;
	return slice_of(text, (size_t)(to - text));
}

/* Cuts a logical line at the first '=', ':' or white space that no backslash stands before. */
static void split_line(const struct logical_line *line, struct slice *ret_key, struct slice *ret_value)
{
	size_t at = 0;

	while (at < line->len && line->text[at] != '=' && line->text[at] != ':' && !is_blank(line->text[at]))
		at += line->text[at] == '\\' && at + 1 < line->len ? 2 : 1;
	*ret_key = slice_of(line->text, at);
	*ret_value = skip_blanks(slice_of(line->text + at, line->len - at));
	if (ret_value->len && (*ret_value->data == '=' || *ret_value->data == ':'))
		*ret_value = skip_blanks(slice_of(ret_value->data + 1, ret_value->len - 1));
}

static void add(struct properties *properties, struct property property)
{
	if (properties->n == properties->cap) {
		properties->cap = properties->cap ? 2 * properties->cap : 64;
		properties->list = memory_grow(properties->list, (size_t)properties->cap * sizeof *properties->list);
	}
	properties->list[properties->n++] = property;
}

static int parse_line(struct properties *properties, struct reader *reader, const struct logical_line *line)
{
	struct slice key, value;

	split_line(line, &key, &value);
	key = unescape(reader->arena, key);
	value = unescape(reader->arena, value);
	if (slice_is_null(key) || slice_is_null(value))
		return error_set(reader->err, ERR_CONFIG, "%s:%d: \\u must be followed by four hex digits, not all zero", reader->origin,
				 line->line);
	/* A NUL would end the text for every reader but one. */
	if (memchr(key.data, 0, key.len) || memchr(value.data, 0, value.len))
		return error_set(reader->err, ERR_CONFIG, "%s:%d: the line holds a zero byte", reader->origin, line->line);
	add(properties, (struct property){key, value, reader->origin, line->line});
	return 0;
}

int properties_parse(struct properties *properties, struct slice text, const char *origin, struct error *err)
{
	const char *name = (const char *)arena_copy(&properties->arena, slice_of_text(origin)).data;
	struct reader reader = {text.data, text.data + text.len, 0, name, &properties->arena, err};
	struct logical_line line;
	int n_before = properties->n;

	if (text.len > PROPERTIES_BYTES_MAX)
		return error_set(err, ERR_TOO_LARGE, "%s: larger than %d bytes", origin, PROPERTIES_BYTES_MAX);
	while (read_logical(&reader, &line)) {
		int rc = parse_line(properties, &reader, &line);

		if (rc) {
			properties->n = n_before;
			return rc;
		}
	}
	return 0;
}

/* Reads up to one byte more than the bound, so that a larger file shows. */
static int read_whole(int fd, struct arena *arena, struct slice *ret_text)
{
	size_t cap = PROPERTIES_BYTES_MAX + 1;
	struct stat st;

	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size < PROPERTIES_BYTES_MAX)
		cap = (size_t)st.st_size + 1;
	uint8_t *text = arena_alloc(arena, cap);
	size_t len = 0;

	while (len < cap) {
		ssize_t n = read(fd, text + len, cap - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_from_errno(errno);
		if (n == 0)
			break;
		len += (size_t)n;
	}
	*ret_text = slice_of(text, len);
	return 0;
}

int properties_read_file(struct properties *properties, const char *path, struct error *err)
{
	struct slice text;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int rc;

	if (fd < 0)
		return error_set(err, error_from_errno(errno), "%s: cannot be opened: %s", path, strerror(errno));
	rc = read_whole(fd, &properties->arena, &text);
	close(fd);
	if (rc)
		return error_set(err, rc, "%s: cannot be read: %s", path, error_text(rc));
	return properties_parse(properties, text, path, err);
}

int properties_set(struct properties *properties, const char *assignment, const char *origin, struct error *err)
{
	const char *equals = strchr(assignment, '=');

	if (!equals || equals == assignment)
		return error_set(err, ERR_CONFIG, "%s %s: expected key=value", origin, assignment);
	add(properties, (struct property){
				.key = arena_copy(&properties->arena, slice_of(assignment, (size_t)(equals - assignment))),
				.value = arena_copy(&properties->arena, slice_of_text(equals + 1)),
				.origin = (const char *)arena_copy(&properties->arena, slice_of_text(origin)).data,
			});
	return 0;
}

const struct property *properties_get(const struct properties *properties, const char *key)
{
	for (int i = properties->n - 1; i >= 0; i--)
		if (slice_is_text(properties->list[i].key, key))
			return &properties->list[i];
	return NULL;
}
