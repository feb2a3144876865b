/* The index of aborted transactions; see txn_index.h. */
#include "broker/log/txn_index.h"

#include "common/bytes.h"
#include "common/error.h"

#include <stdlib.h>

#define VERSION 0

static void encode(const struct aborted_txn *aborted, uint8_t bytes[TXN_INDEX_ENTRY_BYTES])
{
	bytes_put_i16(bytes, VERSION);
	bytes_put_i64(bytes + 2, aborted->producer_id);
	bytes_put_i64(bytes + 10, aborted->first_offset);
	bytes_put_i64(bytes + 18, aborted->last_offset);
	bytes_put_i64(bytes + 26, aborted->last_stable_offset);
}

static int decode(const uint8_t *bytes, int64_t base_offset, struct aborted_txn *ret_aborted)
{
	struct aborted_txn aborted = {.producer_id = bytes_get_i64(bytes + 2),
				      .first_offset = bytes_get_i64(bytes + 10),
				      .last_offset = bytes_get_i64(bytes + 18),
				      .last_stable_offset = bytes_get_i64(bytes + 26)};

	/* A later version may only add fields behind these, as Kafka's rule is; none is known. */
	if (bytes_get_i16(bytes) != VERSION || aborted.last_offset < base_offset || aborted.first_offset > aborted.last_offset)
		return ERR_CORRUPT;
	*ret_aborted = aborted;
	return 0;
}

static int append_to(struct fs *fs, int fd, const uint8_t *bytes)
{
	struct fs_stat status;
	int64_t pos;
	int rc = fs_fd_stat(fs, fd, &status);

	if (rc < 0)
		return rc;
	pos = status.size - status.size % TXN_INDEX_ENTRY_BYTES;
	return fs_write_all(fs, fd, bytes, TXN_INDEX_ENTRY_BYTES, pos);
}

int txn_index_append(struct fs *fs, const char *path, const struct aborted_txn *aborted)
{
	uint8_t bytes[TXN_INDEX_ENTRY_BYTES];
	int fd, rc = fs_open(fs, path, FS_WRITE | FS_CREATE, &fd);

	if (rc < 0)
		return rc;
	encode(aborted, bytes);
	rc = append_to(fs, fd, bytes);
	fs_close(fs, fd);
	return rc;
}

int txn_index_walk(struct fs *fs, const char *path, int64_t base_offset, txn_index_fn *each, void *ctx)
{
	struct aborted_txn aborted;
	char *data;
	size_t len;
	int rc = fs_read_file(fs, path, TXN_INDEX_BYTES_MAX, &data, &len);

	if (rc < 0)
		return rc == ERR_NOT_FOUND ? 0 : rc;
	for (size_t at = 0; rc == 0 && at + TXN_INDEX_ENTRY_BYTES <= len; at += TXN_INDEX_ENTRY_BYTES) {
		rc = decode((const uint8_t *)data + at, base_offset, &aborted);
		if (rc == 0 && !each(ctx, &aborted))
			break;
	}
	free(data);
	return rc;
}

struct count_below {
	int64_t offset;
	int64_t n;
};

static bool count_entry(void *ctx, const struct aborted_txn *aborted)
{
	struct count_below *count = ctx;

	if (aborted->last_offset >= count->offset)
		return false;
	count->n++;
	return true;
}

int txn_index_truncate(struct fs *fs, const char *path, int64_t base_offset, int64_t offset)
{
	struct count_below count = {offset, 0};
	int fd, rc = txn_index_walk(fs, path, base_offset, count_entry, &count);

	if (rc < 0 && rc != ERR_CORRUPT)
		return rc;
	if (count.n == 0) {
		rc = fs_unlink(fs, path);
		return rc == ERR_NOT_FOUND ? 0 : rc;
	}
	rc = fs_open(fs, path, FS_WRITE, &fd);
	if (rc < 0)
		return rc;
	rc = fs_truncate(fs, fd, count.n * TXN_INDEX_ENTRY_BYTES);
	fs_close(fs, fd);
	return rc;
}
