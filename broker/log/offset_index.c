/* The offset index; see offset_index.h. */
#include "broker/log/offset_index.h"

#include "common/bytes.h"

static int64_t offset_key(const uint8_t *entry)
{
	return bytes_get_i32(entry);
}

static int64_t pos_key(const uint8_t *entry)
{
	return bytes_get_i32(entry + 4);
}

static struct offset_index_entry decode(const uint8_t *entry)
{
	return (struct offset_index_entry){bytes_get_i32(entry), bytes_get_i32(entry + 4)};
}

int offset_index_append(struct index_file *index, struct fd_cache *fds, struct offset_index_entry entry)
{
	uint8_t bytes[OFFSET_INDEX_ENTRY_BYTES];

	bytes_put_i32(bytes, entry.relative_offset);
	bytes_put_i32(bytes + 4, entry.pos);
	return index_file_append(index, fds, bytes);
}

static int find(struct index_file *index, struct fd_cache *fds, index_key_fn *key, int64_t target, struct offset_index_entry *ret_entry)
{
	uint8_t bytes[INDEX_ENTRY_BYTES_MAX];
	int32_t i;
	int rc = index_file_search(index, fds, key, target, &i, bytes);

	if (rc < 0)
		return rc;
	*ret_entry = i < 0 ? (struct offset_index_entry){0, 0} : decode(bytes);
	return 0;
}

int offset_index_find(struct index_file *index, struct fd_cache *fds, int64_t relative_offset, struct offset_index_entry *ret_entry)
{
	return find(index, fds, offset_key, relative_offset, ret_entry);
}

int offset_index_find_pos(struct index_file *index, struct fd_cache *fds, int64_t pos, struct offset_index_entry *ret_entry)
{
	return find(index, fds, pos_key, pos, ret_entry);
}

int offset_index_truncate(struct index_file *index, struct fd_cache *fds, int64_t relative_offset)
{
	uint8_t bytes[INDEX_ENTRY_BYTES_MAX];
	int32_t i;
	int rc = index_file_search(index, fds, offset_key, relative_offset - 1, &i, bytes);

	return rc < 0 ? rc : index_file_truncate(index, fds, i + 1);
}

int offset_index_recover(struct index_file *index, struct fd_cache *fds, int64_t size)
{
	uint8_t bytes[INDEX_ENTRY_BYTES_MAX];
	int32_t i;
	int rc = index_file_keep_ascending(index, fds, offset_key, -1);

	if (rc == 0)
		rc = index_file_keep_ascending(index, fds, pos_key, -1);
	if (rc == 0)
		rc = index_file_search(index, fds, pos_key, size - 1, &i, bytes);
	return rc < 0 ? rc : index_file_truncate(index, fds, i + 1);
}

int offset_index_last(struct index_file *index, struct fd_cache *fds, struct offset_index_entry *ret_entry)
{
	uint8_t bytes[INDEX_ENTRY_BYTES_MAX];
	int rc = index_file_load(index, fds);

	if (rc < 0)
		return rc;
	if (index->n_entries == 0) {
		*ret_entry = (struct offset_index_entry){0, 0};
		return 0;
	}
	rc = index_file_get(index, fds, index->n_entries - 1, bytes);
	if (rc == 0)
		*ret_entry = decode(bytes);
	return rc;
}
