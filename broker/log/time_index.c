/* The time index; see time_index.h. */
#include "broker/log/time_index.h"

#include "common/bytes.h"

static int64_t time_key(const uint8_t *entry)
{
	return bytes_get_i64(entry);
}

static int64_t offset_key(const uint8_t *entry)
{
	return bytes_get_i32(entry + 8);
}

static struct time_index_entry decode(const uint8_t *entry)
{
	return (struct time_index_entry){bytes_get_i64(entry), bytes_get_i32(entry + 8)};
}

int time_index_last(struct index_file *index, struct fd_cache *fds, struct time_index_entry *ret_entry)
{
	uint8_t bytes[INDEX_ENTRY_BYTES_MAX];
	int rc = index_file_load(index, fds);

	if (rc < 0)
		return rc;
	if (index->n_entries == 0) {
		*ret_entry = (struct time_index_entry){-1, 0};
		return 0;
	}
	rc = index_file_get(index, fds, index->n_entries - 1, bytes);
	if (rc == 0)
		*ret_entry = decode(bytes);
	return rc;
}

int time_index_append(struct index_file *index, struct fd_cache *fds, struct time_index_entry entry)
{
	uint8_t bytes[TIME_INDEX_ENTRY_BYTES];
	struct time_index_entry last = {-1, 0};
	int rc = time_index_last(index, fds, &last);

	if (rc < 0 || entry.timestamp <= last.timestamp)
		return rc;
	bytes_put_i64(bytes, entry.timestamp);
	bytes_put_i32(bytes + 8, entry.relative_offset);
	return index_file_append(index, fds, bytes);
}

int time_index_find(struct index_file *index, struct fd_cache *fds, int64_t timestamp, struct time_index_entry *ret_entry)
{
	uint8_t bytes[INDEX_ENTRY_BYTES_MAX];
	int32_t i;
	int rc = index_file_search(index, fds, time_key, timestamp, &i, bytes);

	if (rc < 0)
		return rc;
	*ret_entry = i < 0 ? (struct time_index_entry){-1, 0} : decode(bytes);
	return 0;
}

int time_index_truncate(struct index_file *index, struct fd_cache *fds, int64_t relative_offset)
{
	uint8_t bytes[INDEX_ENTRY_BYTES_MAX];
	int32_t i;
	/* Offsets ascend with the time stamps: an entry is added only for a batch that raised the maximum. */
	int rc = index_file_search(index, fds, offset_key, relative_offset - 1, &i, bytes);

	return rc < 0 ? rc : index_file_truncate(index, fds, i + 1);
}

int time_index_recover(struct index_file *index, struct fd_cache *fds, int64_t relative_offset)
{
	int rc = index_file_keep_ascending(index, fds, time_key, -1);

	if (rc == 0)
		rc = index_file_keep_ascending(index, fds, offset_key, -1);
	return rc < 0 ? rc : time_index_truncate(index, fds, relative_offset);
}
