/* meta.properties; see meta_properties.h. */
#include "broker/log/meta_properties.h"

#include "broker/log/text_file.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#define FILE_BYTES_MAX 65536

static struct slice trim(struct slice s)
{
	while (s.len > 0 && (s.data[0] == ' ' || s.data[0] == '\t'))
		s = slice_of(s.data + 1, s.len - 1);
	while (s.len > 0 && (s.data[s.len - 1] == ' ' || s.data[s.len - 1] == '\t' || s.data[s.len - 1] == '\r'))
		s.len--;
	return s;
}

static int set_version(struct slice value, struct error *err)
{
	int64_t version;

	if (text_number(value, INT32_MIN, INT32_MAX, &version) && version == 0)
		return 0;
	if (slice_is_text(value, "1"))
		return error_set(err, ERR_CONFIG, "version=1 is the format of KRaft mode; a dir of ZooKeeper mode has version=0");
	return error_set(err, ERR_CONFIG, "version=%.*s is not known; allowed is 0", SLICE_ARGS(value));
}

static int set_property(struct meta_properties *meta, struct slice key, struct slice value, struct error *err)
{
	int64_t id;

	if (slice_is_text(key, "version"))
		return set_version(value, err);
	if (slice_is_text(key, "broker.id")) {
		if (!text_number(value, 0, INT32_MAX, &id))
			return error_set(err, ERR_CONFIG, "broker.id=%.*s is no broker id", SLICE_ARGS(value));
		meta->broker_id = (int32_t)id;
	} else if (slice_is_text(key, "cluster.id")) {
		if (value.len > META_CLUSTER_ID_MAX)
			return error_set(err, ERR_CONFIG, "cluster.id is longer than %d bytes", META_CLUSTER_ID_MAX);
		memcpy(meta->cluster_id, value.data, value.len);
		meta->cluster_id[value.len] = 0;
	} else if (slice_is_text(key, "directory.id")) {
		if (!uuid_parse(value, &meta->directory_id))
			return error_set(err, ERR_CONFIG, "directory.id=%.*s is no identifier", SLICE_ARGS(value));
	} else if (slice_is_text(key, "node.id")) {
		return error_set(err, ERR_CONFIG, "node.id is a key of KRaft mode; a dir of ZooKeeper mode has broker.id");
	}
	return 0;
}

int meta_properties_parse(struct slice text, struct meta_properties *ret_meta, struct error *err)
{
	struct meta_properties meta = {.broker_id = -1};
	const uint8_t *equals;
	bool has_version = false;
	int line_number = 0;

	while (text.len > 0) {
		struct slice line;
		int rc;

		line_number++;
		if (!text_take_line(&text, &line)) {
			line = text;
			text.len = 0;
		}
		line = trim(line);
		if (line.len == 0 || line.data[0] == '#' || line.data[0] == '!')
			continue;
		equals = memchr(line.data, '=', line.len);
		if (!equals)
			return error_set(err, ERR_CONFIG, "line %d is not key=value", line_number);
		rc = set_property(&meta, trim(slice_of(line.data, (size_t)(equals - line.data))),
				  trim(slice_of(equals + 1, line.len - (size_t)(equals + 1 - line.data))), err);
		if (rc < 0) {
			error_context(err, "line %d", line_number);
			return rc;
		}
		has_version |= line.len > 8 && memcmp(line.data, "version", 7) == 0;
	}
	if (!has_version)
		return error_set(err, ERR_CONFIG, "there is no version=0");
	*ret_meta = meta;
	return 0;
}

int meta_properties_read(struct fs *fs, const char *path, struct meta_properties *ret_meta, struct error *err)
{
	char *text;
	size_t len;
	int rc = fs_read_file(fs, path, FILE_BYTES_MAX, &text, &len);

	if (rc == ERR_NOT_FOUND)
		return rc;
	if (rc < 0)
		return error_set(err, rc, "%s: %s", path, error_text(rc));
	rc = meta_properties_parse(slice_of(text, len), ret_meta, err);
	free(text);
	if (rc < 0)
		error_context(err, "%s", path);
	return rc;
}

/* Java's Date.toString in UTC. */
static void add_date(struct text_out *out, int64_t now_ms)
{
	time_t seconds = (time_t)(now_ms / 1000);
	struct tm tm;
	char date[64];

	gmtime_r(&seconds, &tm);
	strftime(date, sizeof date, "%a %b %d %H:%M:%S UTC %Y", &tm);
	text_add(out, "#\n#%s\n", date);
}

int meta_properties_write(struct fs *fs, const char *path, const struct meta_properties *meta, int64_t now_ms)
{
	struct text_out out = {0};
	char id[UUID_TEXT_LEN + 1];
	int rc;

	add_date(&out, now_ms);
	text_add(&out, "broker.id=%" PRId32 "\nversion=0\ncluster.id=%s\n", meta->broker_id, meta->cluster_id);
	if (!uuid_is_zero(&meta->directory_id)) {
		uuid_format(&meta->directory_id, id);
		text_add(&out, "directory.id=%s\n", id);
	}
	rc = fs_replace_file(fs, path, out.at, out.len, FS_SYNC);
	text_fini(&out);
	return rc;
}
