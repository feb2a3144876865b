/* partition.metadata; see partition_metadata.h. */
#include "broker/log/partition_metadata.h"

#include "common/error.h"

#include <stdio.h>
#include <stdlib.h>

#define FILE_BYTES_MAX 4096
#define TEXT_BYTES_MAX 64

static bool take_prefix(struct slice *rest, const char *prefix)
{
	size_t len = strlen(prefix);

	if (rest->len < len || memcmp(rest->data, prefix, len) != 0)
		return false;
	*rest = slice_of(rest->data + len, rest->len - len);
	return true;
}

int partition_metadata_parse(struct slice text, struct uuid *ret_topic_id)
{
	struct uuid id;

	if (!take_prefix(&text, "version: 0\n") || !take_prefix(&text, "topic_id: "))
		return ERR_CORRUPT;
	if (text.len > 0 && text.data[text.len - 1] == '\n')
		text.len--;
	if (!uuid_parse(text, &id) || uuid_is_zero(&id))
		return ERR_CORRUPT;
	*ret_topic_id = id;
	return 0;
}

int partition_metadata_read(struct fs *fs, const char *path, struct uuid *ret_topic_id)
{
	char *text;
	size_t len;
	int rc = fs_read_file(fs, path, FILE_BYTES_MAX, &text, &len);

	if (rc < 0)
		return rc == ERR_TOO_LARGE ? ERR_CORRUPT : rc;
	rc = partition_metadata_parse(slice_of(text, len), ret_topic_id);
	free(text);
	return rc;
}

static size_t format_text(const struct uuid *topic_id, char text[TEXT_BYTES_MAX])
{
	char id[UUID_TEXT_LEN + 1];

	uuid_format(topic_id, id);
	return (size_t)snprintf(text, TEXT_BYTES_MAX, "version: 0\ntopic_id: %s", id);
}

static int write_in_place(struct fs *fs, const char *path, unsigned flags, const struct uuid *topic_id)
{
	char text[TEXT_BYTES_MAX];
	size_t len = format_text(topic_id, text);
	int fd, rc = fs_open(fs, path, flags, &fd);

	if (rc < 0)
		return rc;
	rc = fs_write_all(fs, fd, text, len, 0);
	fs_close(fs, fd);
	return rc;
}

int partition_metadata_create(struct fs *fs, const char *path, const struct uuid *topic_id)
{
	return write_in_place(fs, path, FS_WRITE | FS_CREATE | FS_TRUNCATE, topic_id);
}

int partition_metadata_write_again(struct fs *fs, const char *path, const struct uuid *topic_id)
{
	return write_in_place(fs, path, FS_WRITE, topic_id);
}

int partition_metadata_write(struct fs *fs, const char *path, const struct uuid *topic_id)
{
	char text[TEXT_BYTES_MAX];
	size_t len = format_text(topic_id, text);

	return fs_replace_file(fs, path, text, len, FS_SYNC_NOT);
}
